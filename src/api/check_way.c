/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "api/peer.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* Hosts on one packet's way: more are a loop. */
#define HOSTS_MAX 8
/* What a trace takes as the initiator's port. */
#define ASKING_PORT 40000

/* One direction, as far as the data plane of the hosts on it could be asked. */
struct way {
	struct vd_check *check;
	const struct vd_check_end *from, *to;
	bool is_back;
	struct vd_address source; /* as it goes on: of a container, after its node's kernel */
	json_t *refused, *steps;  /* of all traces together */
	json_t *last;             /* the last reply; NULL: nobody could be asked */
	json_t *path;             /* hosts */
	bool is_told;             /* how it ends was said */
};

static const char *title(const struct way *way)
{
	return way->is_back ? "back" : "there";
}

/* ---- asking ---- */

static json_t *arguments_new(const struct way *way, const char *from, bool has_source)
{
	const struct vd_check *check = way->check;
	char source[VD_ADDRESS_TEXT], to[VD_ADDRESS_TEXT];
	const struct vd_address *destination = way->is_back && check->seen.family ? &check->seen : &way->to->address;
	json_t *arguments = json_pack("{s:s, s:s*, s:s, s:s, s:b}", "project", check->project, "from", from, "to",
				      vd_address_format(destination, to), "protocol", check->protocol, "goes_on", 1);

	if (has_source)
		json_object_set_new(arguments, "source", json_string(vd_address_format(&way->source, source)));
	if (strcmp(check->protocol, "icmp") != 0 && way->is_back) {
		json_object_set_new(arguments, "port", json_integer(ASKING_PORT));
		json_object_set_new(arguments, "source_port",
				    json_integer(check->port                       ? check->port
						 : !strcmp(check->protocol, "tcp") ? 80
										   : 53));
	} else if (check->port) {
		json_object_set_new(arguments, "port", json_integer(check->port));
	}
	return arguments;
}

static void reply_take(struct way *way, json_t *reply)
{
	const char *source = vd_check_text(json_object_get(reply, "packet"), "source");

	/* Translated on the way, it is somebody else to those behind. */
	if (*source)
		vd_address_parse(source, &way->source);
	json_array_extend(way->refused, json_object_get(reply, "refused"));
	json_array_extend(way->steps, json_object_get(reply, "steps"));
	json_array_append(way->path, json_object_get(reply, "host"));
	json_decref(way->last);
	way->last = reply;
}

/* Host after host, from where the packet begins. Takes the arguments. A negative errno: the first could not be asked; a sentence. */
static int trace_follow(struct way *way, const char *host, json_t *arguments, struct vd_error *error)
{
	VD_FREE char *asked = strdup(host);
	json_t *reply, *next;
	int r = 0;

	for (int hosts = 0; !r && arguments && asked; hosts++) {
		r = hosts == HOSTS_MAX ? vd_error_set(error, -ELOOP, "the packet crosses more than %d hosts: it loops", HOSTS_MAX)
				       : vd_peer_ask(way->check->api, asked, "trace", arguments, &reply, error);
		json_decref(arguments);
		if (r)
			break;
		next = json_object_get(reply, "next");
		arguments = next ? json_deep_copy(json_object_get(next, "arguments")) : NULL;
		free(asked);
		asked = strdup(vd_check_text(next, "host"));
		if (arguments)
			json_object_set_new(arguments, "goes_on", json_true());
		reply_take(way, reply);
	}
	return r;
}

static void way_end(struct way *way)
{
	json_decref(way->refused);
	json_decref(way->steps);
	json_decref(way->path);
	json_decref(way->last);
}

static bool is_dropped(const struct way *way)
{
	return !strcmp(vd_check_text(way->last, "verdict"), "dropped");
}

/* Whom nobody can ask, nothing is known of. */
static void unasked_say(struct way *way, const struct vd_error *error)
{
	way->is_told = way->check->is_unproven = true;
	vd_check_say(way->check, VD_CHECK_WARNING, "data plane", "start that host's viaductd, with --listen",
		     "%s: cannot be traced: %s", title(way), error->text);
}

/* ---- from a container to where its packets meet others ---- */

/* The bridge of the node's own, a plain Docker network's, that the container end's block stands on; a string to free, NULL: none. */
static char *node_bridge(const struct vd_check *check, const struct vd_check_end *end)
{
	json_t *arguments = json_object(), *reply = NULL, *network, *block;
	struct vd_prefix prefix;
	struct vd_error error;
	char *bridge = NULL;
	size_t i, j;

	if (vd_peer_ask(check->api, end->node, "status", arguments, &reply, &error) == 0)
		json_array_foreach (json_object_get(json_object_get(reply, "nodes"), "networks"), i, network)
			json_array_foreach (json_object_get(network, "blocks"), j, block)
				if (!bridge && json_object_get(block, "bridge") &&
				    vd_prefix_parse(vd_check_text(block, "block"), &prefix) == 0 &&
				    vd_prefix_contains(&prefix, &end->address))
					bridge = strdup(vd_check_text(block, "bridge"));
	json_decref(arguments);
	json_decref(reply);
	return bridge;
}

/* An address that Viaduct gave to no container: somebody's on a bridge, as far as anyone can know, or nobody's. */
static bool stranger_say(const struct way *way, const struct vd_check_end *end)
{
	VD_FREE char *bridge = node_bridge(way->check, end);
	char address[VD_ADDRESS_TEXT];

	vd_address_format(&end->address, address);
	if (bridge)
		vd_check_say(way->check, VD_CHECK_OK, "data plane", NULL,
			     "%s: container %s is of bridge %s of node %s, whose kernel forwards for it", title(way), address,
			     bridge, end->node);
	else
		vd_check_say(way->check, VD_CHECK_BLOCKED, "ends", "viaduct containers --host shows those there are",
			     "container %s: node %s, whose block it is in, has none with it", address, end->node);
	return bridge;
}

/* Without viaductd's own word: a plain Docker bridge's container. Its node's kernel does as the network's mode says. */
static bool network_masquerades(const struct vd_check *check, const char *name)
{
	const struct vd_model *model = vd_replica_lock(check->api->replica, NULL, NULL, NULL);
	const struct vd_container_network *network =
		(const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, check->project, name);
	bool masquerades = network && network->masquerade && network->mode == VD_CONTAINER_MODE_TUNNEL;

	vd_replica_unlock(check->api->replica);
	return masquerades;
}

static struct vd_address node_address(const struct vd_check *check, const struct vd_check_end *end)
{
	const struct vd_model *model = vd_replica_lock(check->api->replica, NULL, NULL, NULL);
	const struct vd_port *port =
		end->port[0] ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, check->project, end->port) : NULL;
	const struct vd_claim *claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", end->node);
	struct vd_address address = claim ? claim->underlay : (struct vd_address){0};

	for (size_t i = 0; port && i < port->assigned_address_count; i++)
		if (port->assigned_addresses[i].family == end->address.family)
			address = port->assigned_addresses[i];
	vd_replica_unlock(check->api->replica);
	return address;
}

/* Through its node: false when that is all of the way. */
static bool node_leave(struct way *way)
{
	const struct vd_check_end *from = way->from;
	char name[2 * VD_NAME_SIZE + VD_ADDRESS_TEXT], address[VD_ADDRESS_TEXT];
	struct vd_error error = {0};
	bool masquerades;
	int r;

	if (!from->node[0])
		return from->port[0];
	snprintf(name, sizeof(name), VD_LIVE_FROM_CONTAINER "%s:%s", from->network, vd_address_format(&from->address, address));
	r = trace_follow(way, from->node, arguments_new(way, name, false), &error);
	if (r && r != -ENOENT) {
		unasked_say(way, &error);
		return false;
	}
	if (r && !stranger_say(way, from))
		return false;
	if (!r && (is_dropped(way) || !json_is_true(json_object_get(way->last, "to_kernel"))))
		return false;
	masquerades = r ? network_masquerades(way->check, from->network) : json_is_true(json_object_get(way->last, "masquerade"));
	if (masquerades)
		way->source = node_address(way->check, from);
	return true;
}

/* ---- from the node of a container to itself ---- */

static bool is_port(const json_t *reply, const struct vd_check *check, const char *port)
{
	const char *name = vd_check_text(reply, "to_port");
	size_t size = strlen(check->project);

	if (!strncmp(name, check->project, size) && name[size] == '/')
		name += size + 1;
	return !strcmp(name, port);
}

static void node_enter(struct way *way)
{
	const struct vd_check_end *to = way->to;
	char name[VD_NAME_SIZE + 16];
	struct vd_error error = {0};

	/* Back to the address of the node itself: its kernel remembers whom it stands for. */
	if (way->is_back && way->check->seen.family && !vd_address_equal(&way->check->seen, &to->address))
		return;
	snprintf(name, sizeof(name), VD_LIVE_FROM_KERNEL "%s", to->network);
	if (trace_follow(way, to->node, arguments_new(way, name, true), &error))
		unasked_say(way, &error);
	else if (is_dropped(way) && !strcmp(vd_check_text(way->last, "reason"), "no_endpoint")) {
		stranger_say(way, to);
		way->is_told = true;
	}
}

/* ---- one way ---- */

/* The node that the end is, or stands on: between two of one node its kernel is all there is. */
static bool is_one_node(const struct vd_check_end *from, const struct vd_check_end *to)
{
	if (from->node[0] && to->node[0])
		return !strcmp(from->node, to->node);
	return (from->node[0] || to->node[0]) && from->port[0] && !strcmp(from->port, to->port);
}

/* From outside it comes by the host that holds the public address: the one where it gets furthest. */
static int outside_follow(struct way *way, struct vd_error *error)
{
	const json_t *status;
	struct way attempt;
	const char *host;
	int r = -EHOSTUNREACH;

	json_object_foreach (way->check->alive, host, status) {
		attempt = *way;
		attempt.refused = json_array();
		attempt.steps = json_array();
		attempt.path = json_array();
		attempt.last = NULL;
		if (trace_follow(&attempt, host, arguments_new(way, way->from->text, false), error)) {
			way_end(&attempt);
			continue;
		}
		r = 0;
		way_end(way);
		*way = attempt;
		if (!is_dropped(way))
			break;
	}
	return r;
}

/* From port to port, or to wherever the routes lead. False: that is all of the way. */
static bool ports_walk(struct way *way)
{
	const struct vd_check_end *from = way->from;
	struct vd_error error = {0};
	int r;

	/* That it is not attached was said. */
	if (from->port[0] && !from->host[0])
		return false;
	r = from->type == VD_CHECK_TYPE_OUTSIDE
		    ? outside_follow(way, &error)
		    : trace_follow(way, from->host, arguments_new(way, from->port, from->type != VD_CHECK_TYPE_PORT), &error);
	if (r) {
		unasked_say(way, &error);
		return false;
	}
	return !is_dropped(way);
}

static void way_walk(struct way *way)
{
	const struct vd_check_end *from = way->from, *to = way->to;
	bool is_on_lan = from->type == VD_CHECK_TYPE_CONTAINER && !from->port[0];

	way->source = from->address;
	if (from->type == VD_CHECK_TYPE_CONTAINER && !node_leave(way))
		return;
	if (is_one_node(from, to)) {
		way->is_told = to->type != VD_CHECK_TYPE_CONTAINER || from->type != VD_CHECK_TYPE_CONTAINER;
		if (way->is_told)
			vd_check_say(way->check, VD_CHECK_OK, "data plane", NULL, "%s: within one node, by its own kernel",
				     title(way));
	} else if (is_on_lan && to->type != VD_CHECK_TYPE_CONTAINER) {
		way->is_told = way->check->is_unproven = true;
		vd_check_say(way->check, VD_CHECK_WARNING, "data plane", "look at the routes of the LAN",
			     "%s: node %s is in no VPC: where its kernel sends it from there, Viaduct does not know", title(way),
			     from->node);
	} else if (!is_on_lan && !ports_walk(way)) {
		return;
	}
	if (to->type == VD_CHECK_TYPE_CONTAINER && to->node[0] &&
	    (is_on_lan || is_one_node(from, to) || (to->port[0] && is_port(way->last, way->check, to->port))))
		node_enter(way);
}

static void way_begin(struct way *way, struct vd_check *check, bool is_back)
{
	*way = (struct way){
		.check = check,
		.from = is_back ? &check->to : &check->from,
		.to = is_back ? &check->from : &check->to,
		.is_back = is_back,
		.refused = json_array(),
		.steps = json_array(),
		.path = json_array(),
	};
	way_walk(way);
}

/* ---- what refuses ---- */

static void rule_advise(const struct vd_check *check, const json_t *refused, char *text, size_t size)
{
	bool is_egress = !strcmp(vd_check_text(refused, "reason"), "policy_egress");
	bool is_own = vd_address_equal(&check->seen, &check->from.address);
	struct vd_prefix remote = is_egress ? check->to.show : is_own ? check->from.show : vd_prefix_of_address(&check->seen);
	const char *groups = vd_check_text(refused, "groups");
	char prefix[VD_PREFIX_TEXT], ports[24] = "";
	int first = (int)strcspn(groups, ",");

	if (remote.address.family == VD_FAMILY_NONE)
		remote = vd_prefix_of_address(is_egress ? &check->to.address : &check->seen);
	if (check->port)
		snprintf(ports, sizeof(ports), ", ports: %lld", (long long)check->port);
	snprintf(text, size, "add it: {kind: security_group_rule, group: %.*s, direction: %s, protocol: %s%s, remote_cidr: %s}",
		 first, groups, is_egress ? "egress" : "ingress", check->protocol, ports, vd_prefix_format(&remote, prefix));
}

static void refused_say(struct way *way, const json_t *refused)
{
	const char *reason = vd_check_text(refused, "reason"), *port = vd_check_text(refused, "port"),
		   *groups = vd_check_text(refused, "groups");
	struct vd_check *check = way->check;
	char seen[VD_ADDRESS_TEXT], to[VD_ADDRESS_TEXT], advice[512];
	bool is_egress = !strcmp(reason, "policy_egress");

	if (!is_egress && strcmp(reason, "policy_ingress") != 0) {
		vd_check_say(check, VD_CHECK_BLOCKED, "routes",
			     "an instance that forwards for others needs source_check: false, or allowed_sources",
			     "%s: port %s: %s", title(way), port, vd_check_text(refused, "sentence"));
		return;
	}
	/* What answers belongs to a connection that was let in. */
	if (way->is_back)
		return;
	rule_advise(check, refused, advice, sizeof(advice));
	vd_check_say(check, VD_CHECK_BLOCKED, "groups", advice, "port %s (%s): no rule lets %s %s %s", port, groups,
		     check->protocol, is_egress ? "out to" : "in from",
		     vd_address_format(is_egress ? &check->to.address : &check->seen, is_egress ? to : seen));
}

static void refusals_say(struct way *way)
{
	const json_t *refused, *step;
	size_t i, count = 0;

	json_array_foreach (way->refused, i, refused)
		refused_say(way, refused);
	if (way->is_back || json_array_size(way->refused))
		return;
	json_array_foreach (way->steps, i, step) {
		const char *stage = vd_check_text(step, "stage");

		if (strcmp(stage, "egress_policy") != 0 && strcmp(stage, "ingress_policy") != 0)
			continue;
		count++;
		vd_check_say(way->check, VD_CHECK_OK, "groups", NULL, "%s: %s", stage, vd_check_text(step, "text"));
	}
	if (!count && way->last && !is_dropped(way))
		vd_check_say(way->check, VD_CHECK_OK, "groups", NULL, "no security group of the two filters it");
}

/* ---- where it ends ---- */

static const char *drop_advice(const char *reason)
{
	static const struct {
		const char *reason, *advice;
	} advices[] = {
		{"no_route", "add a route in that VPC (viaduct get routes), or a peering; routes are needed on both sides"},
		{"blackhole", "delete the route, or give it another next hop"},
		{"next_hop_unusable", "viaduct describe route says why"},
		{"no_endpoint", "nobody has the address: a typing error, or it is not attached (viaduct get ports)"},
		{"loop", "the route leads back to the sender: give it another next hop"},
		{"no_tunnel", "start the far host's viaductd"},
		{"unreachable_port", "it moved a moment ago: try again"},
	};

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (!strcmp(reason, advices[i].reason))
			return advices[i].advice;
	return "docs/user/troubleshooting.md says what the reason means";
}

/* What the step before the drop knew: which table, which route. */
static const char *last_detail(const struct way *way)
{
	const json_t *step = json_array_get(way->steps, json_array_size(way->steps) - 1);

	return vd_check_text(step, "detail");
}

static void path_format(const struct way *way, char *text, size_t size)
{
	const json_t *host;
	size_t i, used = 0;

	text[0] = '\0';
	json_array_foreach (way->path, i, host)
		if (used < size &&
		    (!i || strcmp(json_string_value(host), json_string_value(json_array_get(way->path, i - 1))) != 0))
			used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", json_string_value(host));
}

static void verdict_say(struct way *way)
{
	const char *verdict = vd_check_text(way->last, "verdict"), *to = vd_check_text(way->last, "to_port");
	char path[256], source[VD_ADDRESS_TEXT];

	path_format(way, path, sizeof(path));
	if (is_dropped(way)) {
		vd_check_say(way->check, VD_CHECK_BLOCKED, "routes", drop_advice(vd_check_text(way->last, "reason")),
			     "%s: host %s drops it%s%s: %s: %s%s%s%s", title(way), vd_check_text(way->last, "host"),
			     *way->from->vpc ? " in VPC " : "", way->from->vpc, vd_check_text(way->last, "reason"),
			     vd_check_text(way->last, "sentence"), *last_detail(way) ? " (" : "", last_detail(way),
			     *last_detail(way) ? ")" : "");
		return;
	}
	if (way->to->type == VD_CHECK_TYPE_PORT && !is_port(way->last, way->check, way->to->port) && strcmp(verdict, "answered")) {
		vd_check_say(way->check, VD_CHECK_BLOCKED, "routes",
			     "viaduct get routes: a longer or another route leads elsewhere",
			     "%s: it does not come to port %s, but is %s%s%s", title(way), way->to->port, verdict,
			     *to ? " to port " : vd_check_text(way->last, "to_interface"), to);
		return;
	}
	vd_check_say(way->check, VD_CHECK_OK, "data plane", NULL, "%s: %s%s%s, from %s, by host %s", title(way), verdict,
		     *to ? " to " : "", *to ? to : vd_check_text(way->last, "to_interface"),
		     vd_address_format(&way->source, source), path);
}

/* ---- both ---- */

/* The far port's groups are asked even when the packet does not come so far: as if it came to its host by tunnel. */
static void far_groups_ask(struct way *way)
{
	const struct vd_check_end *to = way->to;
	char mac[VD_MAC_TEXT], vtep[VD_ADDRESS_TEXT];
	json_t *arguments, *reply = NULL, *refused;
	struct vd_error error;
	size_t i;

	if (to->type != VD_CHECK_TYPE_PORT || !to->host[0] || !to->vni)
		return;
	arguments = arguments_new(way, NULL, true);
	json_object_set_new(arguments, "tunnel",
			    json_pack("{s:I, s:s, s:s}", "vni", (json_int_t)to->vni, "vtep", vd_address_format(&to->vtep, vtep),
				      "destination_mac", vd_mac_format(&to->mac, mac)));
	if (vd_peer_ask(way->check->api, to->host, "trace", arguments, &reply, &error) == 0)
		json_array_foreach (json_object_get(reply, "refused"), i, refused)
			if (!strcmp(vd_check_text(refused, "reason"), "policy_ingress"))
				refused_say(way, refused);
	json_decref(arguments);
	json_decref(reply);
}

void vd_check_ways(struct vd_check *check)
{
	struct way there, back;
	bool comes_back = check->to.type != VD_CHECK_TYPE_OUTSIDE && check->from.type != VD_CHECK_TYPE_OUTSIDE;

	way_begin(&there, check, false);
	check->seen = there.source;
	refusals_say(&there);
	if (there.last && !there.is_told)
		verdict_say(&there);
	if (!there.last || is_dropped(&there))
		far_groups_ask(&there);
	way_end(&there);
	if (!comes_back)
		return;
	way_begin(&back, check, true);
	refusals_say(&back);
	if (back.last && !back.is_told)
		verdict_say(&back);
	way_end(&back);
}
