/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/node.h"

#include "agent/container.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/node.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

/* Links and addresses change in bursts: one look does for what comes within this time. */
#define CHECK_MS 100

struct route {
	struct vd_prefix prefix; /* bytes: nothing in it is padding */
	struct vd_plan_host_route plan;
	char *problem; /* why the kernel does not take it, NULL: it does */
	UT_hash_handle hh;
};

struct vd_nodes {
	struct vd_node_network *networks;
	struct route *routes;
	bool ports_due, routes_due;
};

/* ---- what the plan says ---- */

int vd_agent_nodes_new(struct vd_agent *agent)
{
	agent->nodes = calloc(1, sizeof(*agent->nodes));
	return agent->nodes ? 0 : -ENOMEM;
}

static void network_free(struct vd_nodes *nodes, struct vd_node_network *network)
{
	struct vd_node_block *block, *next_block;
	struct vd_node_lent *lent, *next_lent;

	DL_FOREACH_SAFE (network->blocks, block, next_block)
		free(block);
	HASH_ITER (hh, network->lent, lent, next_lent) {
		HASH_DEL(network->lent, lent);
		free(lent);
	}
	HASH_DEL(nodes->networks, network);
	free(network);
}

static void route_free(struct vd_nodes *nodes, struct route *route)
{
	HASH_DEL(nodes->routes, route);
	free(route->problem);
	free(route);
}

void vd_agent_nodes_free(struct vd_agent *agent)
{
	struct vd_node_network *network, *next_network;
	struct route *route, *next_route;

	if (!agent->nodes)
		return;
	HASH_ITER (hh, agent->nodes->networks, network, next_network)
		network_free(agent->nodes, network);
	HASH_ITER (hh, agent->nodes->routes, route, next_route)
		route_free(agent->nodes, route);
	free(agent->nodes);
	agent->nodes = NULL;
}

static struct vd_node_network *network_find(const struct vd_agent *agent, uint32_t domain)
{
	struct vd_node_network *network;

	HASH_FIND(hh, agent->nodes->networks, &domain, sizeof(domain), network);
	return network;
}

struct vd_node_network *vd_agent_node_network(const struct vd_agent *agent, uint32_t domain)
{
	struct vd_node_network *network = network_find(agent, domain);

	return network && network->stands ? network : NULL;
}

static struct vd_node_network *network_ensure(struct vd_agent *agent, uint32_t domain)
{
	struct vd_node_network *network = network_find(agent, domain);

	if (network)
		return network;
	network = calloc(1, sizeof(*network));
	if (!network)
		return NULL;
	network->domain = domain;
	HASH_ADD(hh, agent->nodes->networks, domain, sizeof(network->domain), network);
	return network;
}

static void network_touch(struct vd_agent *agent, struct vd_node_network *network)
{
	network->due = true;
	agent->nodes->ports_due = true;
}

static int domain_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_domain *after = step->after ? &step->after->domain : NULL;
	const struct vd_plan_domain *before = step->before ? &step->before->domain : NULL;
	struct vd_node_network *network;

	if (after && after->type != VD_PLAN_DOMAIN_TYPE_CONTAINER)
		after = NULL;
	network = after ? network_ensure(agent, after->domain) : before ? network_find(agent, before->domain) : NULL;
	if (!network)
		return after ? -ENOMEM : 0;
	network->stands = after != NULL;
	if (after)
		network->plan = *after;
	network_touch(agent, network);
	return 0;
}

static int block_order(const struct vd_node_block *a, const struct vd_node_block *b)
{
	int order = vd_address_compare(&a->plan.prefix.address, &b->plan.prefix.address);

	return order ? order : (int)a->plan.prefix.length - b->plan.prefix.length;
}

static struct vd_node_block *block_find(const struct vd_node_network *network, const struct vd_prefix *prefix)
{
	struct vd_node_block *block;

	DL_FOREACH (network->blocks, block)
		if (vd_prefix_equal(&block->plan.prefix, prefix))
			return block;
	return NULL;
}

static int block_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_block *plan = step->after ? &step->after->block : &step->before->block;
	struct vd_node_network *network = network_ensure(agent, plan->domain);
	struct vd_node_block *block = network ? block_find(network, &plan->prefix) : NULL;

	if (!network)
		return -ENOMEM;
	network_touch(agent, network);
	/* The kernel's route to it depends on whether a bridge has it. */
	agent->nodes->routes_due = true;
	if (!step->after) {
		if (block)
			DL_DELETE(network->blocks, block);
		free(block);
		return 0;
	}
	if (!block) {
		block = calloc(1, sizeof(*block));
		if (!block)
			return -ENOMEM;
		block->plan = *plan;
		DL_INSERT_INORDER(network->blocks, block, block_order);
	}
	block->plan = *plan;
	return 0;
}

static int host_route_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_host_route *plan = step->after ? &step->after->host_route : &step->before->host_route;
	struct vd_nodes *nodes = agent->nodes;
	struct route *route;

	HASH_FIND(hh, nodes->routes, &plan->prefix, sizeof(plan->prefix), route);
	nodes->routes_due = true;
	if (!step->after) {
		if (route)
			route_free(nodes, route);
		return 0;
	}
	if (!route) {
		route = calloc(1, sizeof(*route));
		if (!route)
			return -ENOMEM;
		route->prefix = plan->prefix;
		HASH_ADD(hh, nodes->routes, prefix, sizeof(route->prefix), route);
	}
	route->plan = *plan;
	return 0;
}

static bool is_lent(const struct vd_plan_record *record)
{
	return record && record->route.destination.length == vd_address_bits(&record->route.destination.address) &&
	       (record->route.type == VD_PLAN_ROUTE_TYPE_TUNNEL || record->route.type == VD_PLAN_ROUTE_TYPE_STACK);
}

static struct vd_node_lent *lent_find(const struct vd_node_network *network, const struct vd_address *address)
{
	struct vd_node_lent *lent;

	HASH_FIND(hh, network->lent, address, sizeof(*address), lent);
	return lent;
}

static void lent_end(struct vd_node_network *network, struct vd_node_lent *lent)
{
	HASH_DEL(network->lent, lent);
	free(lent);
}

static struct vd_node_lent *lent_ensure(struct vd_node_network *network, const struct vd_address *address)
{
	struct vd_node_lent *lent = lent_find(network, address);

	if (lent)
		return lent;
	lent = calloc(1, sizeof(*lent));
	if (!lent)
		return NULL;
	lent->address = *address;
	HASH_ADD(hh, network->lent, address, sizeof(lent->address), lent);
	return lent;
}

bool vd_node_is_lent(struct vd_node_network *network, const struct vd_address *address)
{
	struct vd_node_lent *lent = lent_find(network, address);

	if (!lent || !lent->until || vd_clock_ms() / 1000 < lent->until)
		return lent != NULL;
	lent_end(network, lent);
	return false;
}

int vd_node_lend(struct vd_node_network *network, const struct vd_address *address, unsigned seconds)
{
	struct vd_node_lent *lent = lent_ensure(network, address);

	if (!lent)
		return -ENOMEM;
	lent->until = vd_clock_ms() / 1000 + seconds;
	return 0;
}

/* Routes to single addresses are those of containers that moved away. */
static int route_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_route *plan = step->after ? &step->after->route : &step->before->route;
	struct vd_node_network *network = network_find(agent, plan->domain);
	struct vd_node_lent *lent;

	if (!network || (!is_lent(step->after) && !is_lent(step->before)))
		return 0;
	lent = is_lent(step->after) ? lent_ensure(network, &plan->destination.address)
				    : lent_find(network, &plan->destination.address);
	if (is_lent(step->after) && !lent)
		return -ENOMEM;
	if (is_lent(step->after))
		lent->until = 0;
	else if (lent)
		lent_end(network, lent);
	return 0;
}

int vd_agent_nodes_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_record *record = step->after ? step->after : step->before;

	switch (record->kind) {
	case VD_PLAN_KIND_DOMAIN:
		return domain_step(agent, step);
	case VD_PLAN_KIND_BLOCK:
		return block_step(agent, step);
	case VD_PLAN_KIND_HOST_ROUTE:
		return host_route_step(agent, step);
	case VD_PLAN_KIND_ROUTE:
		return route_step(agent, step);
	case VD_PLAN_KIND_TUNNEL_HOST:
	case VD_PLAN_KIND_NETWORK:
	case VD_PLAN_KIND_SEGMENT:
	case VD_PLAN_KIND_EXIT:
	case VD_PLAN_KIND_EXEMPT:
	case VD_PLAN_KIND_SUBNET:
	case VD_PLAN_KIND_POLICY:
	case VD_PLAN_KIND_POLICY_REMOTE:
	case VD_PLAN_KIND_POLICY_PORT:
	case VD_PLAN_KIND_POLICY_SPAN:
	case VD_PLAN_KIND_PORT:
	case VD_PLAN_KIND_SOURCE:
	case VD_PLAN_KIND_ENDPOINT:
	case VD_PLAN_KIND_VIP:
	case VD_PLAN_KIND_FORWARD:
	case VD_PLAN_KIND_POLICY_ROUTE:
	case VD_PLAN_KIND_INWARD:
	case VD_PLAN_KIND_ALIAS:
	case VD_PLAN_KIND_NEXT_HOP:
	case VD_PLAN_KIND_NAME:
	case VD_PLAN_KIND_COUNT:
		break;
	}
	return 0;
}

struct vd_node_block *vd_node_block_of(const struct vd_node_network *network, const struct vd_address *address)
{
	struct vd_node_block *block, *narrowest = NULL;

	DL_FOREACH (network->blocks, block)
		if (vd_prefix_contains(&block->plan.prefix, address) &&
		    (!narrowest || narrowest->plan.prefix.length < block->plan.prefix.length))
			narrowest = block;
	return narrowest;
}

/* ---- the kernel ---- */

/* What stands on a bridge is the bridge's: its gateway, and the way to it. */
static void bridges_look(struct vd_agent *agent, struct vd_node_network *network)
{
	struct vd_node_block *block;

	DL_FOREACH (network->blocks, block) {
		char bridge[16] = "";

		if (vd_host_bridge_find(agent->net, &block->plan.prefix, bridge) < 0 || strcmp(bridge, block->bridge) == 0)
			continue;
		if (bridge[0])
			vd_log_info("block %s of container network %s: interface %s has it, so its containers are that bridge's",
				    block->plan.name, network->plan.name, bridge);
		memcpy(block->bridge, bridge, sizeof(bridge));
		network_touch(agent, network);
		agent->nodes->routes_due = true;
	}
}

static int port_settle(struct vd_agent *agent, struct vd_node_network *network, struct vd_error *error)
{
	VD_FREE struct vd_address *gateways = NULL;
	struct vd_node_block *block;
	size_t count = 0;
	int r;

	DL_COUNT(network->blocks, block, count);
	gateways = calloc(count + 1, sizeof(*gateways));
	if (!gateways)
		return -ENOMEM;
	count = 0;
	DL_FOREACH (network->blocks, block)
		if (!block->bridge[0] && block->plan.gateway.family != VD_FAMILY_NONE)
			gateways[count++] = block->plan.gateway;
	r = vd_host_node_port_ensure(agent->net, network->domain, gateways, count, network->plan.mtu, &network->ifindex, error);
	if (r == 0)
		r = vd_datapath_service_set(agent->datapath, network->domain, network->ifindex, error);
	/* A sync has them as the plan says. */
	if (r == 0 && network->mtu != network->plan.mtu && !agent->needs_sync)
		r = vd_agent_containers_refresh(agent, network->domain, error);
	if (r == 0)
		network->mtu = network->plan.mtu;
	return r;
}

static int ports_settle(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_node_network *network, *next;
	int r = 0;

	HASH_ITER (hh, agent->nodes->networks, network, next) {
		if (!network->due || r < 0)
			continue;
		if (network->stands) {
			bridges_look(agent, network);
			r = port_settle(agent, network, error);
		} else {
			network->mtu = 0;
			r = vd_host_node_port_remove(agent->net, network->domain, error);
			if (r == 0 && !network->blocks) {
				network_free(agent->nodes, network);
				continue;
			}
		}
		network->due = r < 0;
	}
	agent->nodes->ports_due = r < 0;
	return r;
}

static bool is_bridged(const struct vd_agent *agent, const struct vd_plan_host_route *plan)
{
	const struct vd_node_network *network = network_find(agent, plan->domain);
	const struct vd_node_block *block = network ? block_find(network, &plan->prefix) : NULL;

	return block && block->bridge[0];
}

static void route_failed(const struct vd_host_node_route *node_route, int code, const char *sentence, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct route *route;

	HASH_FIND(hh, agent->nodes->routes, &node_route->prefix, sizeof(node_route->prefix), route);
	if (!route || (route->problem && strcmp(route->problem, sentence) == 0))
		return;
	free(route->problem);
	route->problem = strdup(sentence);
	vd_log_warning("%s", sentence);
}

/* A route that the kernel does not take is its own trouble: it is tried again when something about links or addresses changes. */
static int routes_settle(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_nodes *nodes = agent->nodes;
	VD_FREE struct vd_host_node_route *routes = calloc(HASH_COUNT(nodes->routes) + 1, sizeof(*routes));
	struct route *route, *next;
	size_t count = 0;
	int r;

	if (!routes)
		return -ENOMEM;
	HASH_ITER (hh, nodes->routes, route, next) {
		free(route->problem);
		route->problem = NULL;
		if (is_bridged(agent, &route->plan))
			continue;
		routes[count++] = (struct vd_host_node_route){
			.prefix = route->plan.prefix,
			.next_hop = route->plan.next_hop,
			.domain = route->plan.domain,
		};
	}
	r = vd_host_node_routes_ensure(agent->net, routes, count, route_failed, agent, error);
	nodes->routes_due = r < 0;
	return r;
}

int vd_agent_nodes_settle(struct vd_agent *agent, struct vd_error *error)
{
	int r = 0;

	if (agent->nodes->ports_due)
		r = ports_settle(agent, error);
	if (r == 0 && agent->nodes->routes_due)
		r = routes_settle(agent, error);
	return r;
}

static void check_due(uv_timer_t *timer)
{
	struct vd_agent *agent = timer->data;
	struct vd_node_network *network, *next;
	struct vd_error error = {};

	HASH_ITER (hh, agent->nodes->networks, network, next)
		if (network->stands)
			bridges_look(agent, network);
	/* What went with a link comes back with it. */
	agent->nodes->routes_due = agent->nodes->routes != NULL;
	if (vd_agent_nodes_settle(agent, &error) < 0)
		vd_log_warning("%s", error.text);
}

void vd_agent_nodes_check(struct vd_agent *agent)
{
	if (agent->nodes->networks && !uv_is_active((uv_handle_t *)&agent->node_timer))
		uv_timer_start(&agent->node_timer, check_due, CHECK_MS, 0);
}

static void port_check(uint32_t domain, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_error error;

	if (!vd_agent_node_network(agent, domain) && vd_host_node_port_remove(agent->net, domain, &error) < 0)
		vd_log_warning("%s", error.text);
}

void vd_agent_nodes_sweep(struct vd_agent *agent)
{
	struct vd_error error = {};

	vd_host_node_port_each(agent->net, port_check, agent);
	if (routes_settle(agent, &error) < 0)
		vd_log_warning("%s", error.text);
}

/* ---- what a person sees ---- */

static json_t *network_status(const struct vd_node_network *network)
{
	json_t *blocks = json_array();
	const struct vd_node_block *block;
	char text[VD_ADDRESS_TEXT];

	DL_FOREACH (network->blocks, block) {
		json_t *one = json_pack("{s:s}", "block", block->plan.name);

		if (block->plan.gateway.family != VD_FAMILY_NONE)
			json_object_set_new(one, "gateway", json_string(vd_address_format(&block->plan.gateway, text)));
		if (block->bridge[0])
			json_object_set_new(one, "bridge", json_string(block->bridge));
		json_array_append_new(blocks, one);
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:o}", "network", network->plan.name, "project", network->plan.project, "domain",
			 (json_int_t)network->domain, "mtu", (json_int_t)network->plan.mtu, "blocks", blocks);
}

json_t *vd_agent_nodes_status(const struct vd_agent *agent)
{
	json_t *networks = json_array(), *problems = json_array();
	struct vd_node_network *network, *next;
	struct route *route, *next_route;

	HASH_ITER (hh, agent->nodes->networks, network, next)
		if (network->stands)
			json_array_append_new(networks, network_status(network));
	HASH_ITER (hh, agent->nodes->routes, route, next_route)
		if (route->problem)
			json_array_append_new(problems, json_string(route->problem));
	return json_pack("{s:o, s:o, s:i}", "networks", networks, "problems", problems, "routes",
			 (int)HASH_COUNT(agent->nodes->routes));
}
