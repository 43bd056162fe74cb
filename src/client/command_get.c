/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#include <errno.h>
#include <string.h>

#define COLUMNS_MAX 8

const struct vd_option vd_get_options[] = {
	{'w', "watch", NULL, "go on and show every change"},
	{0},
};

/* How a kind is shown in a table. Kinds that this program does not know yet get the last row. */
struct layout {
	const char *kind;
	const char *headers[COLUMNS_MAX], *paths[COLUMNS_MAX];
};

static const struct layout layouts[] = {
	{"host",
	 {"NAME", "UNDERLAY", "MTU", "VERSION", "API", "ALIVE"},
	 {"name", "claim.underlay", "claim.underlay_mtu", "claim.version", "claim.api", "alive"}},
	{"vxlan_pool", {"NAME", "VNIS", "VTEP CIDR", "HOSTS"}, {"name", "document.vnis", "document.vtep_cidr", "document.hosts"}},
	{"network",
	 {"NAME", "ROLE", "PHYSNET", "VLAN", "CIDRS", "GATEWAYS", "RANGES", "STATE"},
	 {"name", "document.role", "document.physnet", "document.vlan", "document.cidrs", "document.gateways", "document.ranges",
	  "status.state"}},
	{"router_profile",
	 {"NAME", "CPU", "MEMORY", "NETWORK", "DESCRIPTION"},
	 {"name", "document.cpu", "document.memory", "document.network", "document.description"}},
	{"vpc",
	 {"NAME", "CIDRS", "VNI", "NETWORKS", "STATE"},
	 {"name", "document.cidrs|document.cidr", "assigned.vni", "document.networks", "status.state"}},
	{"route_table", {"NAME", "VPCS", "STATE"}, {"name", "document.vpcs|document.vpc", "status.state"}},
	{"subnet",
	 {"NAME", "VPC", "CIDRS", "GATEWAYS", "VNI"},
	 {"name", "document.vpc", "document.cidrs|document.cidr", "document.gateways|document.gateway|assigned.gateways",
	  "assigned.vni"}},
	{"security_group",
	 {"NAME", "RULES", "NETWORKS", "STATE", "DESCRIPTION"},
	 {"name", "status.rules", "document.networks", "status.state", "document.description"}},
	{"security_group_rule",
	 {"RULE", "DIRECTION", "PROTOCOL", "PORTS", "TYPE", "REMOTE CIDR", "REMOTE GROUP", "STATE"},
	 {"name", "document.direction", "document.protocol", "document.ports", "document.icmp_type", "document.remote_cidr",
	  "document.remote_group", "status.state"}},
	{"port",
	 {"NAME", "SUBNET", "ADDRESSES", "MAC", "HOST", "STATE"},
	 {"name", "document.subnet|document.network", "assigned.addresses", "assigned.mac", "attachment.host|document.host",
	  "status.state"}},
	{"route",
	 {"ROUTE", "NEXT HOP", "STATE", "REASON"},
	 {"name",
	  "document.next_hop.address|document.next_hop.vip|document.next_hop.peering|document.next_hop.public|document.next_hop."
	  "gateway|document.next_hop",
	  "status.state", "status.reason"}},
	{"virtual_ip",
	 {"NAME", "OF", "ADDRESSES", "HELD BY", "VPC", "STATE"},
	 {"name", "document.network|document.subnet", "assigned.addresses", "document.port|gateway.host", "document.vpc",
	  "status.state"}},
	{"elastic_ip",
	 {"NAME", "VIP", "ADDRESSES", "PORT", "LEADS TO", "HOST", "STATE", "REASON"},
	 {"name", "document.vip|name", "status.addresses", "document.port|document.private_vip", "status.inner", "status.host",
	  "status.state", "status.reason"}},
	{"port_forward",
	 {"NAME", "VIP", "PROTOCOL", "PORTS", "PORT", "TO PORTS", "STATE", "REASON"},
	 {"name", "document.vip", "document.protocol", "document.ports", "document.port", "document.to_ports", "status.state",
	  "status.reason"}},
	{"policy_route",
	 {"POLICY ROUTE", "PROTOCOL", "SOURCE", "DESTINATION", "NEXT HOP", "SET MARK", "LOOKUP TABLE", "STATE"},
	 {"name", "document.protocol", "document.source", "document.destination",
	  "document.next_hop.address|document.next_hop.vip|document.next_hop.peering|document.next_hop.public|document.next_hop."
	  "gateway|document.next_hop",
	  "document.set_mark", "document.lookup_table", "status.state"}},
	{"peering",
	 {"NAME", "VPC", "PEER", "ROUTES", "STATE", "REASON"},
	 {"name", "document.vpc", "document.peer", "document.routes", "status.state", "status.reason"}},
	{"container_network",
	 {"NAME", "MODE", "CIDRS", "VPC", "PROVIDER", "VNI", "STATE", "REASON"},
	 {"name", "document.mode", "document.cidrs|document.subnet", "document.vpc", "document.provider", "assigned.vni",
	  "status.state", "status.reason"}},
	{"node",
	 {"NAME", "CONTAINER NETWORKS", "PORT", "LAN", "STATE", "REASON"},
	 {"name", "document.container_networks", "document.port", "document.lan|status.lan", "status.state", "status.reason"}},
	{"container_block",
	 {"BLOCK", "NODE", "PORT", "HELD", "STATE", "REASON"},
	 {"name", "document.node", "document.port", "assigned.state", "status.state", "status.reason"}},
	{NULL, {"NAME", "STATE", "DESCRIPTION"}, {"name", "status.state", "document.description"}},
};

static const struct layout *layout_find(const char *kind)
{
	const struct layout *layout = layouts;

	while (layout->kind && (!kind || strcmp(layout->kind, kind) != 0))
		layout++;
	return layout;
}

/* What is shown of one kind: with the project in front when several may come, with the action when changes are followed. */
struct listing {
	const struct layout *layout;
	bool projects, actions, json;
	struct vd_text_table *table;
	bool printed;
};

static void listing_cleanup(struct listing *listing)
{
	vd_text_table_free(listing->table);
}

static size_t listing_cells(const struct listing *listing, const json_t *item, char *ret[COLUMNS_MAX + 2])
{
	size_t count = 0;

	if (listing->actions)
		ret[count++] = vd_json_text(item, "action");
	if (listing->projects)
		ret[count++] = vd_json_text(item, "project");
	for (size_t i = 0; i < COLUMNS_MAX && listing->layout->headers[i]; i++)
		ret[count++] = vd_json_text(item, listing->layout->paths[i]);
	return count;
}

static int listing_begin(struct listing *listing, const char *kind)
{
	const char *headers[COLUMNS_MAX + 2];
	size_t count = 0;

	listing->layout = layout_find(kind);
	if (listing->actions)
		headers[count++] = "ACTION";
	if (listing->projects)
		headers[count++] = "PROJECT";
	for (size_t i = 0; i < COLUMNS_MAX && listing->layout->headers[i]; i++)
		headers[count++] = listing->layout->headers[i];
	listing->table = vd_text_table_new(count, headers);
	return listing->table ? 0 : -ENOMEM;
}

static void listing_add(struct listing *listing, const json_t *item)
{
	char *cells[COLUMNS_MAX + 2];
	size_t count = listing_cells(listing, item, cells);

	if (listing->printed)
		vd_text_table_print_row(listing->table, (const char *const *)cells, stdout);
	else
		vd_text_table_add(listing->table, (const char *const *)cells);
	for (size_t i = 0; i < count; i++)
		free(cells[i]);
}

static bool watch_take(const json_t *event, void *userdata)
{
	const char *action = json_string_value(json_object_get(event, "action"));
	struct listing *listing = userdata;

	if (!action)
		return true;
	if (listing->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!strcmp(action, "synced") && !listing->printed) {
		vd_text_table_print(listing->table, stdout);
		listing->printed = true;
	} else if (strcmp(action, "begin") != 0 && strcmp(action, "synced") != 0) {
		listing_add(listing, event);
	}
	return fflush(stdout) == 0;
}

/* The singular, as the server says it: items carry it, an empty list does not. */
static char *kind_singular(struct vd_invocation *invocation, struct vd_error *error)
{
	json_t *reply, *kind;
	const char *word = invocation->arguments[0], *own, *plural;
	char *found = NULL;
	size_t i;

	if (vd_client_call(invocation->client, "GET", "/v1/kinds", NULL, &reply, error))
		return NULL;
	json_array_foreach (json_object_get(reply, "kinds"), i, kind) {
		own = json_string_value(json_object_get(kind, "kind"));
		plural = json_string_value(json_object_get(kind, "plural"));
		if (!found && own && plural && (!strcmp(own, word) || !strcmp(plural, word)))
			found = strdup(own);
	}
	json_decref(reply);
	if (!found)
		vd_error_set(error, -ENOENT, "unknown kind \"%s\": \"viaduct explain\" lists them", word);
	return found;
}

static int watch(struct vd_invocation *invocation)
{
	VD_CLEANUP(listing_cleanup) struct listing listing = {.actions = true, .json = vd_invocation_json(invocation)};
	const char *project = vd_invocation_project(invocation);
	VD_FREE char *kind = NULL, *path = NULL;
	struct vd_error error = {0};

	if (invocation->argument_count > 1)
		return vd_fail_usage(invocation, "get --watch follows a kind: leave the name out");
	kind = kind_singular(invocation, &error);
	if (!kind)
		return vd_fail(&error);
	path = vd_path_build("/v1/watch", NULL, "kind", kind, "project", project, NULL);
	listing.projects = !strcmp(project, "*");
	if (!path || listing_begin(&listing, kind) ||
	    vd_client_stream(invocation->client, "GET", path, NULL, watch_take, &listing, &error))
		return vd_fail(&error);
	return VD_EXIT_DONE;
}

static int print_yaml(struct vd_invocation *invocation, const char *path)
{
	VD_CLEANUP(vd_reply_clear) struct vd_reply reply = {0};
	struct vd_error error = {0};

	if (vd_client_request(invocation->client, "GET", path, NULL, 0, &reply, &error))
		return vd_fail(&error);
	fwrite(reply.text, 1, reply.size, stdout);
	return VD_EXIT_DONE;
}

static int print_table(const json_t *reply, bool projects)
{
	VD_CLEANUP(listing_cleanup) struct listing listing = {.projects = projects};
	const json_t *items = json_object_get(reply, "items"), *first = items ? json_array_get(items, 0) : reply, *item;
	struct vd_error error = {0};
	size_t i;

	if (!first) {
		fputs("there are none\n", stderr);
		return VD_EXIT_DONE;
	}
	if (listing_begin(&listing, json_string_value(json_object_get(first, "kind"))))
		return vd_fail(&error);
	if (!items)
		listing_add(&listing, reply);
	json_array_foreach (items, i, item)
		listing_add(&listing, item);
	vd_text_table_print(listing.table, stdout);
	return VD_EXIT_DONE;
}

int vd_command_get(struct vd_invocation *invocation)
{
	const char *output = vd_invocation_option(invocation, "output"), *project = vd_invocation_project(invocation);
	bool yaml = output && !strcmp(output, "yaml") && !vd_invocation_has(invocation, "json");
	VD_FREE char *kind = NULL, *path = NULL, *begin = NULL;
	struct vd_error error = {0};
	json_t *reply;
	int status;

	if (vd_invocation_has(invocation, "watch"))
		return watch(invocation);
	kind = vd_client_escape(invocation->arguments[0]);
	if (!kind || asprintf(&begin, "/v1/%s", kind) < 0)
		return vd_fail(&error);
	path = vd_path_build(begin, invocation->argument_count > 1 ? invocation->arguments[1] : NULL, "project", project, "format",
			     yaml ? "yaml" : NULL, NULL);
	if (!path)
		return vd_fail(&error);
	if (yaml)
		return print_yaml(invocation, path);
	if (vd_client_call(invocation->client, "GET", path, NULL, &reply, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	status = print_table(reply, !strcmp(project, "*"));
	json_decref(reply);
	return status;
}
