/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "base/clock.h"
#include "datapath/cache.h"
#include "datapath/reason.h"
#include "datapath/state.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

/* The flow cache and the connection table, as JSON. */

struct listing {
	struct vd_datapath *datapath;
	json_t *list;
	size_t limit;
	uint64_t now; /* ns */
	unsigned family;
};

static void set_age(json_t *object, const char *key, uint64_t now, uint64_t then)
{
	json_object_set_new(object, key, json_real(now > then ? (double)((now - then) / 1000000u) / 1000 : 0));
}

static const char *output_name(uint8_t output)
{
	switch (output) {
	case VD_OUTPUT_PEER:
		return "peer";
	case VD_OUTPUT_DEVICE:
		return "device";
	case VD_OUTPUT_TUNNEL:
		return "tunnel";
	case VD_OUTPUT_UPLINK:
		return "uplink";
	case VD_OUTPUT_TURN:
		return "turn";
	}
	return "none";
}

static void set_output(json_t *object, const struct vd_flow *flow)
{
	char interface[IF_NAMESIZE];

	json_object_set_new(object, "output", json_string(output_name(flow->output)));
	if (flow->output == VD_OUTPUT_TUNNEL) {
		vd_json_set_address(object, "to_vtep", &flow->vtep, flow->vtep_family);
		json_object_set_new(object, "to_vni", json_integer(flow->vni));
	} else if (if_indextoname(flow->output_ifindex, interface)) {
		json_object_set_new(object, "to_interface", json_string(interface));
	}
	if (flow->vlan)
		json_object_set_new(object, "to_vlan", json_integer(flow->vlan));
}

static bool flow_is_current(const struct vd_datapath *datapath, const struct vd_flow *flow)
{
	uint32_t slots[VD_FLOW_DEPENDENCIES];

	for (unsigned i = 0; i < VD_FLOW_DEPENDENCIES; i++)
		slots[i] = flow->dependency[i];
	return vd_generation_sum(datapath->generation, slots, VD_FLOW_DEPENDENCIES) == flow->generation_sum;
}

static void set_port(json_t *object, const char *key, uint16_t port)
{
	if (port)
		json_object_set_new(object, key, json_integer(ntohs(port)));
}

/* The tuple beside the packet's own: as it goes on. Only one end of it changes, or, towards a peer, both addresses. */
static void set_translated(json_t *object, const struct vd_flow *flow, const union vd_addr *source,
			   const union vd_addr *destination, unsigned family, uint16_t source_port, uint16_t destination_port)
{
	bool is_source = flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE,
	     is_destination = flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION;
	bool is_both = is_source && is_destination;
	json_t *tuple;

	if (!is_source && !is_destination)
		return;
	if (is_both)
		destination = &flow->translated_destination;
	else if (is_destination)
		destination = &flow->translated_address;
	tuple = json_object();
	vd_json_set_address(tuple, "source", is_source ? &flow->translated_address : source, family);
	vd_json_set_address(tuple, "destination", destination, family);
	set_port(tuple, "source_port", is_source ? flow->translated_port : source_port);
	set_port(tuple, "destination_port", is_source ? destination_port : flow->translated_port);
	json_object_set_new(object, "translated", tuple);
}

static void set_ingress(json_t *object, uint32_t ingress, uint8_t ingress_type, uint16_t vlan)
{
	char interface[IF_NAMESIZE];

	if (ingress_type == VD_INGRESS_TUNNEL)
		json_object_set_new(object, "from_vni", json_integer(ingress));
	else if (ingress_type == VD_INGRESS_UPLINK && if_indextoname(ingress, interface))
		json_object_set_new(object, "from_interface", json_string(interface));
	if (vlan)
		json_object_set_new(object, "from_vlan", json_integer(vlan));
}

static json_t *flow_json(const struct listing *listing, const struct vd_flow *flow, uint32_t ingress, uint8_t ingress_type,
			 uint16_t vlan)
{
	const struct vd_datapath *datapath = listing->datapath;
	json_t *object = json_pack("{s:I, s:I, s:b}", "packets", (json_int_t)flow->packets, "bytes", (json_int_t)flow->bytes,
				   "valid", flow_is_current(datapath, flow));

	vd_json_set_port(object, "from_port", datapath, flow->source_port_id);
	vd_json_set_port(object, "to_port", datapath, flow->destination_port_id);
	vd_json_set_name(object, "vpc", datapath, flow->domain);
	set_ingress(object, ingress, ingress_type, vlan);
	set_output(object, flow);
	set_age(object, "idle", listing->now, flow->last_seen);
	return object;
}

static int flow4_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct listing *listing = userdata;
	union vd_addr source = {}, destination = {};
	struct vd_flow4_key key;
	struct vd_flow flow;
	json_t *object;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&flow, value, sizeof(flow));
	source.word[0] = key.source;
	destination.word[0] = key.destination;
	object = flow_json(listing, &flow, key.ingress, key.ingress_type, key.vlan);
	vd_json_set_tuple(object, &source, &destination, 4, key.protocol, key.source_port, key.destination_port);
	set_translated(object, &flow, &source, &destination, 4, key.source_port, key.destination_port);
	json_array_append_new(listing->list, object);
	return json_array_size(listing->list) >= listing->limit;
}

static int flow6_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct listing *listing = userdata;
	struct vd_flow6_key key;
	struct vd_flow flow;
	json_t *object;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&flow, value, sizeof(flow));
	object = flow_json(listing, &flow, key.ingress, key.ingress_type, key.vlan);
	vd_json_set_tuple(object, &key.source, &key.destination, 6, key.protocol, key.source_port, key.destination_port);
	set_translated(object, &flow, &key.source, &key.destination, 6, key.source_port, key.destination_port);
	json_array_append_new(listing->list, object);
	return json_array_size(listing->list) >= listing->limit;
}

static const char *state_name(uint8_t state)
{
	switch (state) {
	case VD_CONNECTION_STATE_NEW:
		return "new";
	case VD_CONNECTION_STATE_ESTABLISHED:
		return "established";
	case VD_CONNECTION_STATE_CLOSING:
		return "closing";
	case VD_CONNECTION_STATE_CLOSED:
		return "closed";
	}
	return "unknown";
}

static const char *translation_name(uint8_t translation)
{
	switch (translation) {
	case VD_TRANSLATION_NONE:
		return "none";
	case VD_TRANSLATION_SNAT:
		return "snat";
	case VD_TRANSLATION_ELASTIC:
		return "elastic";
	case VD_TRANSLATION_FORWARD:
		return "forward";
	case VD_TRANSLATION_ROUTER:
		return "router";
	}
	return "unknown";
}

/* How the inner end is seen outside: the connection's other tuple has it in the inner end's place. */
static void set_outside(json_t *object, const struct listing *listing, const struct vd_connection *connection)
{
	if (!connection->network)
		return;
	vd_json_set_name(object, "network", listing->datapath, connection->network);
	vd_json_set_address(object, "vip", &connection->vip, listing->family);
	set_port(object, "vip_port", connection->vip_port);
	json_object_set_new(object, "translation", json_string(translation_name(connection->translation)));
}

/* From the initiator's side: source is who began. */
static json_t *connection_json(const struct listing *listing, const struct vd_connection6_key *key,
			       const struct vd_connection *connection)
{
	bool high = connection->initiator_is_high;
	json_t *object = json_pack("{s:s, s:I, s:I}", "state", state_name(connection->state), "packets",
				   (json_int_t)connection->packets, "bytes", (json_int_t)connection->bytes);

	vd_json_set_name(object, "vpc", listing->datapath, key->domain);
	vd_json_set_port(object, "from_port", listing->datapath, connection->source_port_id);
	vd_json_set_port(object, "to_port", listing->datapath, connection->destination_port_id);
	vd_json_set_tuple(object, high ? &key->high : &key->low, high ? &key->low : &key->high, listing->family, key->protocol,
			  high ? key->high_port : key->low_port, high ? key->low_port : key->high_port);
	set_outside(object, listing, connection);
	set_age(object, "age", listing->now, connection->created);
	set_age(object, "idle", listing->now, connection->last_seen);
	return object;
}

static int connection4_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct listing *listing = userdata;
	struct vd_connection connection;
	struct vd_connection4_key key;
	struct vd_connection6_key wide = {};

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&connection, value, sizeof(connection));
	wide.domain = key.domain;
	wide.low.word[0] = key.low;
	wide.high.word[0] = key.high;
	wide.low_port = key.low_port;
	wide.high_port = key.high_port;
	wide.protocol = key.protocol;
	json_array_append_new(listing->list, connection_json(listing, &wide, &connection));
	return json_array_size(listing->list) >= listing->limit;
}

static int connection6_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct listing *listing = userdata;
	struct vd_connection connection;
	struct vd_connection6_key key;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&connection, value, sizeof(connection));
	json_array_append_new(listing->list, connection_json(listing, &key, &connection));
	return json_array_size(listing->list) >= listing->limit;
}

/* Reads a map entry by entry: vd_map_each or vd_cache_each. */
typedef int map_each(int fd, vd_map_visit *visit, void *userdata);

static json_t *list_maps(struct vd_datapath *datapath, size_t limit, map_each *each, enum vd_map map4, vd_map_visit *visit4,
			 enum vd_map map6, vd_map_visit *visit6)
{
	struct listing listing = {datapath, json_array(), limit, vd_clock_ns(), 4};

	if (limit && !each(datapath->maps[map4], visit4, &listing)) {
		listing.family = 6;
		each(datapath->maps[map6], visit6, &listing);
	}
	return listing.list;
}

json_t *vd_datapath_flows(struct vd_datapath *datapath, size_t limit)
{
	return list_maps(datapath, limit, vd_cache_each, VD_MAP_FLOW4, flow4_visit, VD_MAP_FLOW6, flow6_visit);
}

json_t *vd_datapath_connections(struct vd_datapath *datapath, size_t limit)
{
	return list_maps(datapath, limit, vd_map_each, VD_MAP_CONNECTION4, connection4_visit, VD_MAP_CONNECTION6,
			 connection6_visit);
}
