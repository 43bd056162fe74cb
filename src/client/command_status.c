/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#define COLUMNS 6

static void resources_print(const json_t *status)
{
	VD_FREE char *revision = vd_json_text(status, "resources_revision");
	const char *plural;
	bool any = false;
	json_t *count;

	printf("revision %s", revision ? revision : "?");
	json_object_foreach (json_object_get(status, "resources"), plural, count) {
		if (json_integer_value(count) == 0)
			continue;
		printf("%s %s %" JSON_INTEGER_FORMAT, any ? "," : ":", plural, json_integer_value(count));
		any = true;
	}
	putchar('\n');
}

static void host_add(struct vd_text_table *table, const json_t *host)
{
	static const char *const paths[COLUMNS] = {"name", NULL, "revision", "underlay", "version", "api"};
	char *cells[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = paths[i] ? vd_json_text(host, paths[i]) : NULL;
	if (!json_is_true(json_object_get(host, "alive")))
		cells[1] = (char *)"daemon is away (traffic goes on)";
	else if (json_is_true(json_object_get(host, "behind")))
		cells[1] = (char *)"behind";
	else
		cells[1] = (char *)"up to date";
	vd_text_table_add(table, (const char *const *)cells);
	for (size_t i = 0; i < COLUMNS; i++)
		if (paths[i])
			free(cells[i]);
}

/* A part of what one host tells, as a table; none when there is nothing of it. */
static void part_print(const json_t *status, const char *part, const char *const *headers, const char *const *paths, size_t columns)
{
	const json_t *rows = json_object_get(status, part);

	if (json_array_size(rows) == 0)
		return;
	putchar('\n');
	vd_print_rows(rows, json_string_value(json_object_get(status, "host")), headers, paths, columns);
}

/* The blocks of all container networks as rows of one table, under "blocks". */
static void blocks_flatten(json_t *status)
{
	json_t *rows = json_array();
	const json_t *network, *block;
	size_t i, j;

	json_array_foreach (json_object_get(json_object_get(status, "nodes"), "networks"), i, network)
		json_array_foreach (json_object_get(network, "blocks"), j, block) {
			json_t *row = json_copy((json_t *)block);

			json_object_set(row, "network", json_object_get(network, "network"));
			json_object_set(row, "project", json_object_get(network, "project"));
			json_array_append_new(rows, row);
		}
	json_object_set_new(status, "blocks", rows);
}

static void problem_print(const json_t *status)
{
	const char *host = json_string_value(json_object_get(status, "host"));
	const char *problem = json_string_value(json_object_get(status, "problem"));
	const char *refused = json_string_value(json_object_get(status, "refused"));

	if (problem)
		printf("\nhost %s is not as a node must be, and tries again: %s\n", host, problem);
	if (refused)
		printf("\nhost %s: %s\n", host, refused);
}

/*
 * The host that is asked, or --host: the routers' processes, its uplinks, the VPCs that it leads out, the virtual IPs that it holds, the
 * ports that SNAT has taken, the blocks that it holds, and what in its own kernel was set right. One that cannot tell leaves the rest as it is.
 */
static void host_print(struct vd_invocation *invocation)
{
	static const char *const routers[] = {"ROUTER", "PROJECT",     "HOST",   "PROCESS",
					      "PID",    "DNS QUERIES", "DNS BY", "METADATA REQUESTS"};
	static const char *const router_paths[] = {"vpc", "project",     NULL,      "state",
						   "pid", "dns.queries", "dns.way", "metadata.requests"};
	static const char *const uplinks[] = {"UPLINK", "HOST", "INTERFACE", "STATE", "MAC", "MTU", "NETWORKS"};
	static const char *const uplink_paths[] = {"physnet", NULL, "ifname", "state", "mac", "mtu", "networks"};
	static const char *const gateways[] = {"GATEWAY OF", "PROJECT", "HOST", "NETWORK", "ADDRESSES", "UNTIL (S)"};
	static const char *const gateway_paths[] = {"vpc", "project", NULL, "network", "addresses", "deadline"};
	static const char *const vips[] = {"VIRTUAL IP", "HOST", "NETWORK", "ADDRESS", "TYPE", "ANNOUNCED"};
	static const char *const vip_paths[] = {"name", NULL, "network", "address", "type", "announced"};
	static const char *const snat[] = {"SNAT ADDRESS", "HOST", "NETWORK", "IN USE", "TO ONE DESTINATION", "OF"};
	static const char *const snat_paths[] = {"vip", NULL, "network", "used", "busiest", "limit"};
	static const char *const blocks[] = {"BLOCK", "HOST", "CONTAINER NETWORK", "PROJECT", "GATEWAY", "BRIDGE"};
	static const char *const block_paths[] = {"block", NULL, "network", "project", "gateway", "bridge"};
	static const char *const changes[] = {"CHANGED BACK", "HOST", "TIMES", "LAST"};
	static const char *const change_paths[] = {"what", NULL, "times", "when"};
	const char *host = vd_invocation_option(invocation, "host");
	json_t *arguments = json_pack("{s:s*, s:b}", "host", host, "translations", 1), *status = NULL;
	struct vd_error error = {0};

	if (vd_client_call(invocation->client, "POST", "/v1/live/status", arguments, &status, &error) == 0) {
		part_print(status, "routers", routers, router_paths, sizeof(router_paths) / sizeof(*router_paths));
		part_print(status, "uplinks", uplinks, uplink_paths, sizeof(uplink_paths) / sizeof(*uplink_paths));
		part_print(status, "gateways", gateways, gateway_paths, sizeof(gateway_paths) / sizeof(*gateway_paths));
		part_print(status, "virtual_ips", vips, vip_paths, sizeof(vip_paths) / sizeof(*vip_paths));
		part_print(status, "translations", snat, snat_paths, sizeof(snat_paths) / sizeof(*snat_paths));
		blocks_flatten(status);
		part_print(status, "blocks", blocks, block_paths, sizeof(block_paths) / sizeof(*block_paths));
		part_print(status, "changes", changes, change_paths, sizeof(change_paths) / sizeof(*change_paths));
		problem_print(status);
	}
	json_decref(arguments);
	json_decref(status);
}

int vd_command_status(struct vd_invocation *invocation)
{
	static const char *const headers[COLUMNS] = {"HOST", "STATE", "REVISION", "UNDERLAY", "VERSION", "API"};
	struct vd_error error = {0};
	struct vd_text_table *table;
	json_t *status, *host;
	size_t i;

	if (vd_client_call(invocation->client, "GET", "/v1/status", NULL, &status, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(status);
	table = vd_text_table_new(COLUMNS, headers);
	if (!table)
		return vd_fail(&error);
	resources_print(status);
	json_array_foreach (json_object_get(status, "hosts"), i, host)
		host_add(table, host);
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	json_decref(status);
	host_print(invocation);
	return VD_EXIT_DONE;
}

int vd_command_version(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	json_t *version = NULL;
	int r = vd_client_call(invocation->client, "GET", "/v1/version", NULL, &version, &error);

	if (vd_invocation_json(invocation)) {
		vd_print_json(json_pack("{s:s, s:o*}", "client", VD_VERSION, "server", version));
		return r ? vd_fail(&error) : VD_EXIT_DONE;
	}
	printf("viaduct %s\n", VD_VERSION);
	if (r)
		return vd_fail(&error);
	printf("viaductd %s on host %s\n", json_string_value(json_object_get(version, "version")),
	       json_string_value(json_object_get(version, "host")));
	json_decref(version);
	return VD_EXIT_DONE;
}
