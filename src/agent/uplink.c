/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplink.h"

#include "agent/private.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/solicit.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

/* One of --uplink. */
struct uplink {
	const char *physnet, *ifname; /* of the options */
	struct vd_host_uplink link;   /* as it was read last */
	bool stands, seen;            /* seen: since this daemon started */
	int fault;                    /* why it does not stand, as it was told last */
};

/* What the plan says, by its keys: the parts that matter here. */
struct network {
	uint32_t id;
	struct vd_plan_network plan;
	UT_hash_handle hh;
};

struct subnet {
	uint32_t id;
	struct vd_plan_subnet plan; /* bridged ones only */
	UT_hash_handle hh;
};

struct segment {
	struct {
		uint32_t ifindex, vlan;
	} key;
	UT_hash_handle hh;
};

struct port {
	uint32_t id, subnet;
	struct vd_mac mac;
	UT_hash_handle hh;
};

struct vd_uplinks {
	pthread_mutex_t lock; /* guards items, which the claim's writer reads */
	struct uplink *items;
	size_t count;
	struct network *networks;
	struct subnet *subnets;
	struct segment *segments;
	struct port *ports;
	uint32_t *carriers; /* ifindexes that have the program; room for count */
	size_t carrier_count;
	bool programs_due, filters_due;
};

/* ---- the interfaces ---- */

static bool is_same(const struct vd_host_uplink *a, const struct vd_host_uplink *b)
{
	return a->ifindex == b->ifindex && a->mtu == b->mtu && a->vf_count == b->vf_count && vd_mac_equal(&a->mac, &b->mac);
}

static int uplink_open(struct vd_agent *agent, struct uplink *uplink, const struct vd_agent_uplink *option, struct vd_error *error)
{
	int r;

	uplink->physnet = option->physnet;
	uplink->ifname = option->ifname;
	r = vd_host_uplink_read(agent->net, option->ifname, &uplink->link, error);
	/* One that died must not keep the whole host down. */
	if (r == -ENODEV) {
		uplink->fault = r;
		vd_log_warning("uplink %s of physical network %s is missing: this host has no interface of that name yet",
			       option->ifname, option->physnet);
		return 0;
	}
	if (r < 0)
		return vd_error_prefix(error, r, "--uplink %s=%s", option->physnet, option->ifname);
	uplink->stands = uplink->seen = true;
	return 0;
}

int vd_agent_uplinks_open(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_uplinks *uplinks = calloc(1, sizeof(*uplinks));
	int r = 0;

	if (!uplinks)
		return -ENOMEM;
	pthread_mutex_init(&uplinks->lock, NULL);
	agent->uplinks = uplinks;
	uplinks->items = calloc(agent->options.uplink_count + 1, sizeof(*uplinks->items));
	if (!uplinks->items)
		return -ENOMEM;
	for (size_t i = 0; i < agent->options.uplink_count && r == 0; i++) {
		r = uplink_open(agent, &uplinks->items[i], &agent->options.uplinks[i], error);
		uplinks->count++;
	}
	/* Also what an earlier daemon left on interfaces that are no uplinks any more. */
	uplinks->programs_due = uplinks->filters_due = true;
	return r;
}

void vd_agent_uplinks_free(struct vd_agent *agent)
{
	struct vd_uplinks *uplinks = agent->uplinks;
	struct network *network, *next_network;
	struct subnet *subnet, *next_subnet;
	struct segment *segment, *next_segment;
	struct port *port, *next_port;

	if (!uplinks)
		return;
	HASH_ITER (hh, uplinks->networks, network, next_network) {
		HASH_DEL(uplinks->networks, network);
		free(network);
	}
	HASH_ITER (hh, uplinks->subnets, subnet, next_subnet) {
		HASH_DEL(uplinks->subnets, subnet);
		free(subnet);
	}
	HASH_ITER (hh, uplinks->segments, segment, next_segment) {
		HASH_DEL(uplinks->segments, segment);
		free(segment);
	}
	HASH_ITER (hh, uplinks->ports, port, next_port) {
		HASH_DEL(uplinks->ports, port);
		free(port);
	}
	free(uplinks->carriers);
	pthread_mutex_destroy(&uplinks->lock);
	free(uplinks->items);
	free(uplinks);
	agent->uplinks = NULL;
}

static bool uplink_check(struct vd_agent *agent, struct uplink *uplink)
{
	struct vd_host_uplink link;
	struct vd_error error = {};
	int fault = vd_host_uplink_read(agent->net, uplink->ifname, &link, &error);
	bool stands = fault == 0;
	bool changed = stands != uplink->stands || (stands && !is_same(&link, &uplink->link));

	if (stands && !uplink->stands)
		vd_log_info("uplink %s of physical network %s is %s", uplink->ifname, uplink->physnet,
			    uplink->seen ? "back" : "there");
	else if (!stands && uplink->stands)
		vd_log_warning("uplink %s of physical network %s is gone: %s", uplink->ifname, uplink->physnet, error.text);
	else if (fault != uplink->fault)
		vd_log_warning("uplink %s of physical network %s cannot be taken: %s", uplink->ifname, uplink->physnet, error.text);
	pthread_mutex_lock(&agent->uplinks->lock);
	uplink->stands = stands;
	uplink->fault = fault;
	uplink->seen |= stands;
	if (stands)
		uplink->link = link;
	pthread_mutex_unlock(&agent->uplinks->lock);
	return changed;
}

bool vd_agent_uplinks_check(struct vd_agent *agent)
{
	bool changed = false;

	for (size_t i = 0; i < agent->uplinks->count; i++)
		changed |= uplink_check(agent, &agent->uplinks->items[i]);
	return changed;
}

static json_t *uplink_describe(const struct uplink *uplink)
{
	char mac[VD_MAC_TEXT];

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}", "physnet", uplink->physnet, "ifname", uplink->ifname, "ifindex",
			 (json_int_t)uplink->link.ifindex, "mac", vd_mac_format(&uplink->link.mac, mac), "mtu",
			 (json_int_t)uplink->link.mtu, "vf_count", (json_int_t)uplink->link.vf_count);
}

json_t *vd_agent_uplinks_claim(struct vd_agent *agent)
{
	struct vd_uplinks *uplinks = agent->uplinks;
	json_t *all = json_array();

	pthread_mutex_lock(&uplinks->lock);
	for (size_t i = 0; i < uplinks->count; i++)
		if (uplinks->items[i].stands)
			json_array_append_new(all, uplink_describe(&uplinks->items[i]));
	pthread_mutex_unlock(&uplinks->lock);
	return all;
}

static bool is_carrier(const struct vd_uplinks *uplinks, uint32_t ifindex)
{
	for (size_t i = 0; i < uplinks->carrier_count; i++)
		if (uplinks->carriers[i] == ifindex)
			return true;
	return false;
}

static const char *state_word(const struct uplink *uplink)
{
	if (!uplink->stands)
		return uplink->seen ? "gone" : "missing";
	return uplink->link.up ? "up" : "down";
}

json_t *vd_agent_uplinks_status(struct vd_agent *agent)
{
	struct vd_uplinks *uplinks = agent->uplinks;
	json_t *all = json_array();

	for (size_t i = 0; i < uplinks->count; i++) {
		const struct uplink *uplink = &uplinks->items[i];
		json_t *one = uplink_describe(uplink), *names = json_array();
		struct network *network, *next;

		HASH_ITER (hh, uplinks->networks, network, next)
			if (strcmp(network->plan.physnet, uplink->physnet) == 0)
				json_array_append_new(names, json_string(network->plan.name));
		json_object_set_new(one, "state", json_string(state_word(uplink)));
		json_object_set_new(one, "in_use", json_boolean(uplink->stands && is_carrier(uplinks, uplink->link.ifindex)));
		json_object_set_new(one, "networks", names);
		json_array_append_new(all, one);
	}
	return all;
}

/* ---- what the plan says ---- */

static int network_step(struct vd_uplinks *uplinks, const struct vd_plan_step *step)
{
	uint32_t id = step->after ? step->after->network.network : step->before->network.network;
	struct network *network;

	HASH_FIND(hh, uplinks->networks, &id, sizeof(id), network);
	if (!step->after) {
		if (network)
			HASH_DEL(uplinks->networks, network);
		free(network);
		return 0;
	}
	if (!network) {
		network = calloc(1, sizeof(*network));
		if (!network)
			return -ENOMEM;
		network->id = id;
		HASH_ADD(hh, uplinks->networks, id, sizeof(network->id), network);
	}
	network->plan = step->after->network;
	return 0;
}

static int segment_step(struct vd_uplinks *uplinks, const struct vd_plan_step *step)
{
	const struct vd_plan_segment *plan = step->after ? &step->after->segment : &step->before->segment;
	struct segment *segment, wanted = {.key = {plan->ifindex, plan->vlan}};

	uplinks->programs_due = true;
	HASH_FIND(hh, uplinks->segments, &wanted.key, sizeof(wanted.key), segment);
	if (!step->after) {
		if (segment)
			HASH_DEL(uplinks->segments, segment);
		free(segment);
		return 0;
	}
	if (segment)
		return 0;
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	segment->key = wanted.key;
	HASH_ADD(hh, uplinks->segments, key, sizeof(segment->key), segment);
	return 0;
}

static int subnet_step(struct vd_uplinks *uplinks, const struct vd_plan_step *step)
{
	uint32_t id = step->after ? step->after->subnet.subnet : step->before->subnet.subnet;
	struct subnet *subnet;

	HASH_FIND(hh, uplinks->subnets, &id, sizeof(id), subnet);
	if (!subnet && (!step->after || !step->after->subnet.bridged))
		return 0;
	uplinks->filters_due = true;
	if (!step->after || !step->after->subnet.bridged) {
		HASH_DEL(uplinks->subnets, subnet);
		free(subnet);
		return 0;
	}
	if (!subnet) {
		subnet = calloc(1, sizeof(*subnet));
		if (!subnet)
			return -ENOMEM;
		subnet->id = id;
		HASH_ADD(hh, uplinks->subnets, id, sizeof(subnet->id), subnet);
	}
	subnet->plan = step->after->subnet;
	return 0;
}

static bool is_bridged(const struct vd_uplinks *uplinks, uint32_t id)
{
	const struct subnet *subnet;

	HASH_FIND(hh, uplinks->subnets, &id, sizeof(id), subnet);
	return subnet;
}

static int port_step(struct vd_uplinks *uplinks, const struct vd_plan_step *step)
{
	const struct vd_plan_port *plan = step->after ? &step->after->port : &step->before->port;
	struct port *port;

	HASH_FIND(hh, uplinks->ports, &plan->port, sizeof(plan->port), port);
	uplinks->filters_due |= port || (step->after && is_bridged(uplinks, plan->subnet));
	if (port) {
		HASH_DEL(uplinks->ports, port);
		free(port);
	}
	if (!step->after || !is_bridged(uplinks, plan->subnet))
		return 0;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -ENOMEM;
	port->id = plan->port;
	port->subnet = plan->subnet;
	port->mac = plan->mac;
	HASH_ADD(hh, uplinks->ports, id, sizeof(port->id), port);
	return 0;
}

int vd_agent_uplinks_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	switch ((step->after ? step->after : step->before)->kind) {
	case VD_PLAN_KIND_NETWORK:
		return network_step(agent->uplinks, step);
	case VD_PLAN_KIND_SEGMENT:
		return segment_step(agent->uplinks, step);
	case VD_PLAN_KIND_SUBNET:
		return subnet_step(agent->uplinks, step);
	case VD_PLAN_KIND_PORT:
		return port_step(agent->uplinks, step);
	case VD_PLAN_KIND_TUNNEL_HOST:
	case VD_PLAN_KIND_DOMAIN:
	case VD_PLAN_KIND_EXIT:
	case VD_PLAN_KIND_BLOCK:
	case VD_PLAN_KIND_EXEMPT:
	case VD_PLAN_KIND_HOST_ROUTE:
	case VD_PLAN_KIND_POLICY:
	case VD_PLAN_KIND_POLICY_REMOTE:
	case VD_PLAN_KIND_POLICY_PORT:
	case VD_PLAN_KIND_POLICY_SPAN:
	case VD_PLAN_KIND_SOURCE:
	case VD_PLAN_KIND_ENDPOINT:
	case VD_PLAN_KIND_ROUTE:
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

/* ---- programs ---- */

static bool stands_now(const struct vd_uplinks *uplinks, uint32_t ifindex)
{
	for (size_t i = 0; i < uplinks->count; i++)
		if (uplinks->items[i].stands && uplinks->items[i].link.ifindex == ifindex)
			return true;
	return false;
}

/* The uplinks that the plan has segments on. One that went meanwhile is left out: the next claim takes it out of the plan. */
static int carriers_find(struct vd_uplinks *uplinks)
{
	uint32_t *carriers = calloc(uplinks->count + 1, sizeof(*carriers));
	struct segment *segment, *next;

	if (!carriers)
		return -ENOMEM;
	free(uplinks->carriers);
	uplinks->carriers = carriers;
	uplinks->carrier_count = 0;
	HASH_ITER (hh, uplinks->segments, segment, next)
		if (stands_now(uplinks, segment->key.ifindex) && !is_carrier(uplinks, segment->key.ifindex))
			carriers[uplinks->carrier_count++] = segment->key.ifindex;
	return 0;
}

static void hook_check(uint32_t ifindex, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_error error = {};

	if (!is_carrier(agent->uplinks, ifindex) && vd_host_uplink_hook_release(agent->net, ifindex, &error) < 0)
		vd_log_warning("%s", error.text);
}

static int programs_settle(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_uplinks *uplinks = agent->uplinks;
	int r = carriers_find(uplinks);

	for (size_t i = 0; i < uplinks->carrier_count && r == 0; i++) {
		r = vd_host_uplink_hook_ensure(agent->net, uplinks->carriers[i], error);
		if (r == 0)
			r = vd_datapath_uplink_attach(agent->datapath, uplinks->carriers[i], error);
	}
	if (r == 0)
		r = vd_datapath_uplinks_keep(agent->datapath, uplinks->carriers, uplinks->carrier_count, error);
	if (r == 0)
		vd_host_uplink_each_hooked(agent->net, hook_check, agent);
	return r;
}

/* ---- filters ---- */

struct filtering {
	struct vd_agent *agent;
	struct vd_error *error;
	int result;
};

static void filters_ensure(uint32_t ifindex, void *userdata)
{
	struct filtering *filtering = userdata;
	struct vd_uplinks *uplinks = filtering->agent->uplinks;
	VD_FREE struct vd_mac *macs = calloc(HASH_COUNT(uplinks->ports) + 1, sizeof(*macs));
	struct port *port, *next;
	struct subnet *subnet;
	size_t count = 0;
	int r;

	if (!macs) {
		filtering->result = -ENOMEM;
		return;
	}
	HASH_ITER (hh, uplinks->ports, port, next) {
		HASH_FIND(hh, uplinks->subnets, &port->subnet, sizeof(port->subnet), subnet);
		if (subnet && subnet->plan.uplink_ifindex == ifindex)
			macs[count++] = port->mac;
	}
	r = vd_host_uplink_filters_ensure(filtering->agent->net, ifindex, macs, count, filtering->error);
	if (r < 0)
		filtering->result = r;
}

/* First the interfaces that have filters of ours, uplinks or not any more; then all uplinks. */
static int filters_settle(struct vd_agent *agent, struct vd_error *error)
{
	struct filtering filtering = {agent, error, 0};
	struct vd_uplinks *uplinks = agent->uplinks;

	vd_host_uplink_each_filtered(agent->net, filters_ensure, &filtering);
	for (size_t i = 0; i < uplinks->count; i++)
		if (uplinks->items[i].stands)
			filters_ensure(uplinks->items[i].link.ifindex, &filtering);
	return filtering.result;
}

int vd_agent_uplinks_settle(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_uplinks *uplinks = agent->uplinks;
	struct vd_error filter = {};
	int r = 0;

	if (uplinks->programs_due)
		r = programs_settle(agent, error);
	if (r < 0)
		return r;
	uplinks->programs_due = false;
	/* An interface that takes no filters may be one that lets everything through: its instances are reached or not, others work. */
	if (uplinks->filters_due && filters_settle(agent, &filter) < 0)
		vd_log_warning("%s", filter.text);
	uplinks->filters_due = false;
	return 0;
}

/* ---- wires ---- */

const struct vd_plan_network *vd_agent_network_find(const struct vd_agent *agent, uint32_t network)
{
	const struct network *found;

	HASH_FIND(hh, agent->uplinks->networks, &network, sizeof(network), found);
	return found ? &found->plan : NULL;
}

static int wire_of_subnet(const struct vd_uplinks *uplinks, const struct vd_plan_subnet *subnet, struct vd_agent_wire *ret)
{
	for (size_t i = 0; i < uplinks->count; i++) {
		const struct uplink *uplink = &uplinks->items[i];

		if (!uplink->stands || uplink->link.ifindex != subnet->uplink_ifindex)
			continue;
		*ret = (struct vd_agent_wire){subnet->uplink_ifindex, (uint16_t)subnet->vlan, uplink->link.mac};
		return 0;
	}
	return -ENOENT;
}

int vd_agent_wire_find(const struct vd_agent *agent, uint32_t network, const struct vd_address *address, struct vd_agent_wire *ret)
{
	const struct vd_plan_network *plan = vd_agent_network_find(agent, network);
	struct subnet *subnet, *next;

	if (plan) {
		*ret = (struct vd_agent_wire){plan->ifindex, (uint16_t)plan->vlan, plan->mac};
		return 0;
	}
	HASH_ITER (hh, agent->uplinks->subnets, subnet, next)
		if (subnet->plan.domain == network &&
		    (vd_prefix_contains(&subnet->plan.cidr4, address) || vd_prefix_contains(&subnet->plan.cidr6, address)))
			return wire_of_subnet(agent->uplinks, &subnet->plan, ret);
	return -ENOENT;
}

void vd_agent_wire_send(struct vd_agent *agent, const struct vd_agent_wire *wire, const struct vd_host_frame *frame)
{
	int r = vd_host_frame_send(agent->net, wire->ifindex, frame);

	if (r < 0)
		vd_log_debug("interface %u: a frame could not be sent: %s", wire->ifindex, strerror(-r));
}
