/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of api/live.h. Each runs on the asking thread and goes to the loop only for what touches the kernel. */
#include "agent/announce.h"
#include "agent/container.h"
#include "agent/keeper.h"
#include "agent/neighbour.h"
#include "agent/node.h"
#include "agent/private.h"
#include "agent/uplink.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define FLOWS_MAX 10000

struct question {
	const json_t *arguments;
	json_t *reply;
};

struct gateways {
	const struct vd_agent *agent;
	const struct vd_model *model;
	json_t *deadline; /* seconds from now, null: for ever */
	json_t *all;
};

static int gateway_describe(const struct vd_resource *resource, void *userdata)
{
	const struct vd_gateway *gateway = (const struct vd_gateway *)resource;
	const struct gateways *gateways = userdata;
	const struct vd_virtual_ip *vip =
		(const struct vd_virtual_ip *)vd_model_get(gateways->model, VD_KIND_VIRTUAL_IP, resource->project, resource->name);
	json_t *addresses = json_array();
	char text[VD_ADDRESS_TEXT];

	if (strcmp(gateway->host, gateways->agent->options.host) != 0 || !vip) {
		json_decref(addresses);
		return 0;
	}
	for (size_t i = 0; i < vip->assigned_address_count; i++)
		json_array_append_new(addresses, json_string(vd_address_format(&vip->assigned_addresses[i], text)));
	return json_array_append_new(gateways->all, json_pack("{s:s, s:s, s:s, s:s, s:o, s:O}", "name", resource->name, "project",
							      resource->project, "vpc", vip->vpc ? vip->vpc : "", "network",
							      vip->network ? vip->network : "", "addresses", addresses, "deadline",
							      gateways->deadline)) < 0
		       ? -ENOMEM
		       : 0;
}

/* The VPCs that this host leads out to a network, and how long it may without hearing from the store. */
static json_t *gateways_status(struct vd_agent *agent)
{
	struct gateways gateways = {.agent = agent, .all = json_array()};
	struct timespec now;
	uint64_t deadline;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&agent->lock);
	deadline = agent->deadline;
	pthread_mutex_unlock(&agent->lock);
	gateways.deadline =
		deadline == UINT64_MAX ? json_null() : json_integer((json_int_t)(deadline / 1000000000) - (json_int_t)now.tv_sec);
	gateways.model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	vd_model_each(gateways.model, VD_KIND_GATEWAY, NULL, gateway_describe, &gateways);
	vd_replica_unlock(agent->replica);
	json_decref(gateways.deadline);
	return gateways.all;
}

/* What this host's own kernel was set right in. */
static void changes_add(struct vd_agent *agent, json_t *status)
{
	VD_FREE char *problem = NULL, *refused = vd_agent_keeper_refused(agent);

	json_object_set_new(status, "changes", vd_agent_keeper_changes(agent, &problem));
	if (problem)
		json_object_set_new(status, "problem", json_string(problem));
	if (refused)
		json_object_set_new(status, "refused", json_string(refused));
}

static int status_read(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct question *question = userdata;

	pthread_mutex_lock(&agent->lock);
	question->reply = json_pack("{s:s, s:s, s:I, s:b, s:I}", "host", agent->options.host, "version", VD_VERSION, "revision",
				    (json_int_t)agent->applied, "up_to_date", !agent->needs_sync, "map_writes",
				    (json_int_t)vd_datapath_writes(agent->datapath));
	pthread_mutex_unlock(&agent->lock);
	json_object_set_new(question->reply, "counters", vd_datapath_counters(agent->datapath));
	json_object_set_new(question->reply, "datapath", vd_datapath_status(agent->datapath));
	json_object_set_new(question->reply, "routers", vd_agent_routers_status(agent));
	json_object_set_new(question->reply, "uplinks", vd_agent_uplinks_status(agent));
	json_object_set_new(question->reply, "gateways", gateways_status(agent));
	json_object_set_new(question->reply, "virtual_ips", vd_agent_announcements_status(agent));
	json_object_set_new(question->reply, "nodes", vd_agent_nodes_status(agent));
	json_object_set_new(question->reply, "leaving", vd_blocks_leaving(agent->blocks));
	changes_add(agent, question->reply);
	json_object_set_new(question->reply, "shares", vd_datapath_shares(agent->datapath));
	/* All claims are read for it: for a person who asks, not for a scraper. */
	if (json_is_true(json_object_get(question->arguments, "translations")))
		json_object_set_new(question->reply, "translations", vd_datapath_translations(agent->datapath));
	return 0;
}

static int neighbours_read(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct question *question = userdata;

	question->reply = vd_agent_neighbours_status(agent);
	return question->reply ? 0 : -ENOMEM;
}

static void kernel_drops_add(const char *what, uint32_t ifindex, const char *ifname, void *userdata)
{
	struct {
		struct vd_host_net *net;
		uint64_t packets;
	} *sum = userdata;
	uint64_t packets = 0;

	if (vd_host_link_dropped(sum->net, ifindex, &packets) == 0)
		sum->packets += packets;
}

static int drops_read(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct {
		struct vd_host_net *net;
		uint64_t packets;
	} kernel = {.net = agent->net};
	struct question *question = userdata;

	/* Take in what was sampled up to now, so that the answer holds the drop that the user just saw. */
	vd_agent_drops_take(agent);
	vd_host_link_each_ours(agent->net, kernel_drops_add, &kernel);
	question->reply = json_pack("{s:o, s:o, s:I}", "drops", vd_datapath_drops(agent->datapath), "recent",
				    json_copy(agent->recent_drops), "kernel", (json_int_t)kernel.packets);
	return question->reply ? 0 : -ENOMEM;
}

static bool flow_is_of_port(const json_t *flow, const char *port)
{
	const char *from = json_string_value(json_object_get(flow, "from_port"));
	const char *to = json_string_value(json_object_get(flow, "to_port"));

	return !port || (from && strcmp(from, port) == 0) || (to && strcmp(to, port) == 0);
}

static json_t *flows_filter(json_t *flows, const char *port)
{
	json_t *kept = json_array(), *flow;
	size_t i;

	json_array_foreach (flows, i, flow)
		if (flow_is_of_port(flow, port))
			json_array_append(kept, flow);
	json_decref(flows);
	return kept;
}

static int flows_read(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct question *question = userdata;
	json_int_t limit = json_integer_value(json_object_get(question->arguments, "limit"));
	const char *port = json_string_value(json_object_get(question->arguments, "port"));
	size_t most = limit > 0 && limit < FLOWS_MAX ? (size_t)limit : FLOWS_MAX;

	question->reply = json_pack("{s:o, s:o}", "flows", flows_filter(vd_datapath_flows(agent->datapath, most), port),
				    "connections", flows_filter(vd_datapath_connections(agent->datapath, most), port));
	return question->reply ? 0 : -ENOMEM;
}

static int plan_read(struct vd_agent *agent, json_t **ret)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return -ENOMEM;
	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	vd_plan_print(vd_compiler_plan(agent->compiler), file);
	vd_replica_unlock(agent->replica);
	fclose(file);
	*ret = json_pack("{s:s#}", "text", text, (int)size);
	free(text);
	return *ret ? 0 : -ENOMEM;
}

static int ask_loop(struct vd_agent *agent, int (*function)(struct vd_agent *, void *, struct vd_error *), const json_t *arguments,
		    json_t **ret, struct vd_error *error)
{
	struct question question = {.arguments = arguments};
	int r = vd_agent_on_loop(agent, function, &question, error);

	if (r == 0)
		*ret = question.reply;
	return r;
}

static int live_call(void *userdata, const char *verb, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct vd_agent *agent = userdata;

	if (strcmp(verb, "attach") == 0)
		return vd_live_attach(agent, arguments, ret, error);
	if (strcmp(verb, "detach") == 0)
		return vd_live_detach(agent, arguments, ret, error);
	if (strcmp(verb, "trace") == 0)
		return vd_live_trace(agent, arguments, ret, error);
	if (strcmp(verb, "guest") == 0)
		return vd_live_guest(agent, arguments, ret, error);
	if (strcmp(verb, "status") == 0)
		return ask_loop(agent, status_read, arguments, ret, error);
	if (strcmp(verb, "drops") == 0)
		return ask_loop(agent, drops_read, arguments, ret, error);
	if (strcmp(verb, "flows") == 0)
		return ask_loop(agent, flows_read, arguments, ret, error);
	if (strcmp(verb, "neighbours") == 0)
		return ask_loop(agent, neighbours_read, arguments, ret, error);
	if (strcmp(verb, "plan") == 0)
		return plan_read(agent, ret);
	if (strncmp(verb, "container_", strlen("container_")) == 0)
		return vd_live_container(agent, verb, arguments, ret, error);
	return vd_error_set(error, -ENOENT, "%s: there is no such question to a host", verb);
}

static int drops_stream(struct vd_agent *agent, bool (*emit)(const json_t *, void *), void *emit_userdata)
{
	struct vd_listener *listener = vd_listener_new(agent->drops);
	bool closed = false, more = true;

	if (!listener)
		return -ENOMEM;
	while (more && !closed) {
		json_t *drop = vd_listener_next(listener, &closed);

		more = emit(drop, emit_userdata);
		json_decref(drop);
	}
	vd_listener_free(listener);
	return 0;
}

/* What tells a flow from another one in the text that a person sees. */
static char *flow_identity(const json_t *flow)
{
	json_t *identity = json_copy((json_t *)flow);
	char *text;

	json_object_del(identity, "packets");
	json_object_del(identity, "bytes");
	json_object_del(identity, "age");
	json_object_del(identity, "idle");
	text = json_dumps(identity, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(identity);
	return text;
}

/* Once a second, the flows that were not there the second before. On request only: it reads the cache. */
static int flows_stream(struct vd_agent *agent, const json_t *arguments, bool (*emit)(const json_t *, void *), void *emit_userdata,
			struct vd_error *error)
{
	json_t *known = json_object();
	bool more = true;
	int r = 0;

	while (more && r == 0) {
		json_t *reply = NULL, *seen = json_object(), *flow;
		size_t i;

		r = ask_loop(agent, flows_read, arguments, &reply, error);
		json_array_foreach (json_object_get(reply, "flows"), i, flow) {
			VD_FREE char *identity = flow_identity(flow);

			if (more && identity && !json_object_get(known, identity))
				more = emit(flow, emit_userdata);
			if (identity)
				json_object_set_new(seen, identity, json_true());
		}
		json_decref(reply);
		json_decref(known);
		known = seen;
		more = more && emit(NULL, emit_userdata);
		if (more)
			sleep(1);
	}
	json_decref(known);
	return r == -ESHUTDOWN ? 0 : r;
}

static int live_stream(void *userdata, const char *verb, const json_t *arguments,
		       bool (*emit)(const json_t *object, void *emit_userdata), void *emit_userdata, struct vd_error *error)
{
	struct vd_agent *agent = userdata;

	if (strcmp(verb, "drops") == 0)
		return drops_stream(agent, emit, emit_userdata);
	if (strcmp(verb, "flows") == 0)
		return flows_stream(agent, arguments, emit, emit_userdata, error);
	if (strcmp(verb, "capture") == 0)
		return vd_live_capture(agent, arguments, emit, emit_userdata, error);
	return vd_error_set(error, -ENOENT, "%s: there is no such stream of a host", verb);
}

struct vd_live vd_agent_live(struct vd_agent *agent)
{
	return (struct vd_live){.call = live_call, .stream = live_stream, .userdata = agent};
}
