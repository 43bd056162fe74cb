/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/encode.h"

#include "abi/generation.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

union vd_addr vd_encode_address(const struct vd_address *address)
{
	union vd_addr encoded = {};

	memcpy(encoded.byte, address->bytes, address->family == VD_FAMILY_IPV4 ? 4 : address->family ? 16 : 0);
	return encoded;
}

struct vd_address vd_decode_address(const union vd_addr *address, unsigned family)
{
	struct vd_address decoded = {.family = (uint8_t)family};

	memcpy(decoded.bytes, address->byte, family == VD_FAMILY_IPV4 ? 4 : family ? 16 : 0);
	return decoded;
}

#define ADD(entries, map, key, value) vd_entries_add(entries, map, &(key), sizeof(key), &(value), sizeof(value))

static int encode_tunnel_host(const struct vd_plan_tunnel_host *host, struct vd_entries *entries)
{
	struct vd_host_value value = {.vtep = vd_encode_address(&host->vtep), .family = host->vtep.family};
	uint32_t fold = vd_vtep_fold(&value.vtep), one = 1;
	int r;

	r = ADD(entries, VD_MAP_VTEP, fold, one);
	return r ? r : ADD(entries, VD_MAP_HOST, host->host, value);
}

static int encode_segment(uint32_t vni, uint32_t domain, uint32_t subnet, struct vd_entries *entries)
{
	struct vd_segment_value value = {.domain = domain, .subnet = subnet};

	return vni ? ADD(entries, VD_MAP_SEGMENT, vni, value) : 0;
}

static int encode_domain(const struct vd_plan_domain *domain, uint32_t connection_share, struct vd_entries *entries)
{
	struct vd_domain_value value = {
		.vni = domain->vni,
		.mtu = domain->mtu,
		.flags = domain->type == VD_PLAN_DOMAIN_TYPE_CONTAINER ? VD_DOMAIN_FLAG_CONTAINER : 0,
	};
	struct vd_share_value share = {.limit = connection_share};
	int r;

	r = ADD(entries, VD_MAP_SHARE, domain->domain, share);
	if (!r)
		r = ADD(entries, VD_MAP_DOMAIN, domain->domain, value);
	return r ? r : encode_segment(domain->vni, domain->domain, 0, entries);
}

static int encode_subnet(const struct vd_plan_subnet *subnet, struct vd_entries *entries)
{
	struct vd_subnet_value value = {
		.domain = subnet->domain,
		.vni = subnet->vni,
		.gateway4 = vd_encode_address(&subnet->gateway4).word[0],
		.uplink_ifindex = subnet->uplink_ifindex,
		.gateway6 = vd_encode_address(&subnet->gateway6),
		.vlan = (uint16_t)subnet->vlan,
		.flags = (uint16_t)((subnet->bridged ? VD_SUBNET_FLAG_BRIDGED : 0) |
				    (subnet->is_network ? VD_SUBNET_FLAG_NETWORK : 0)),
	};
	int r;

	r = ADD(entries, VD_MAP_SUBNET, subnet->subnet, value);
	return r ? r : encode_segment(subnet->vni, subnet->domain, subnet->subnet, entries);
}

/* Of a limit without a burst: 100 ms of it. */
#define RATE_BURST_DEFAULT 100000000u
#define NS_PER_SECOND 1000000000u

static int encode_rate(uint32_t port, uint32_t direction, uint64_t rate, uint64_t burst, struct vd_entries *entries)
{
	struct vd_rate_key key = {port, direction};
	struct vd_rate_value value = {.rate = rate, .burst = RATE_BURST_DEFAULT};

	if (!rate)
		return 0;
	if (burst) /* ten years are as good as for ever */
		value.burst = burst / rate > 315360000u
				      ? 315360000ull * NS_PER_SECOND
				      : burst / rate * NS_PER_SECOND +
						(uint64_t)((unsigned __int128)(burst % rate) * NS_PER_SECOND / rate);
	return ADD(entries, VD_MAP_RATE, key, value);
}

static int encode_port(const struct vd_plan_port *port, struct vd_entries *entries)
{
	struct vd_port_value value = {
		.id = port->port,
		.domain = port->domain,
		.subnet = port->subnet,
		.table = port->table,
		.mtu = port->mtu,
		.flags = (uint16_t)((port->source_check ? VD_PORT_FLAG_SOURCE_CHECK : 0) |
				    (port->type == VD_PLAN_PORT_TYPE_TAP ? VD_PORT_FLAG_TAP : 0) |
				    (port->dhcp ? VD_PORT_FLAG_DHCP : 0) | (port->snat ? VD_PORT_FLAG_SNAT : 0) |
				    (port->rate_in ? VD_PORT_FLAG_RATE_IN : 0) | (port->rate_out ? VD_PORT_FLAG_RATE_OUT : 0)),
		.policy = port->policy,
	};
	struct vd_mac_key mac_key = {.domain = port->domain};
	struct vd_mac_value mac = {.ifindex = port->ifindex, .port_id = port->port};
	int r;

	memcpy(value.mac, port->mac.bytes, sizeof(value.mac));
	memcpy(mac_key.mac, port->mac.bytes, sizeof(mac_key.mac));
	r = encode_rate(port->port, VD_RATE_DIRECTION_IN, port->rate_in, port->burst_in, entries);
	if (!r)
		r = encode_rate(port->port, VD_RATE_DIRECTION_OUT, port->rate_out, port->burst_out, entries);
	if (!r)
		r = ADD(entries, VD_MAP_MAC, mac_key, mac);
	return r ? r : ADD(entries, VD_MAP_PORT, port->ifindex, value);
}

static int encode_source(const struct vd_plan_source *source, struct vd_entries *entries)
{
	union vd_addr address = vd_encode_address(&source->prefix.address);
	uint32_t one = 1;

	if (source->prefix.address.family == VD_FAMILY_IPV4) {
		struct vd_source4_key key = {32u + source->prefix.length, source->port, address.word[0]};

		return ADD(entries, VD_MAP_SOURCE4, key, one);
	} else {
		struct vd_source6_key key = {32u + source->prefix.length, source->port, address};

		return ADD(entries, VD_MAP_SOURCE6, key, one);
	}
}

static uint8_t encode_place(enum vd_plan_place place)
{
	switch (place) {
	case VD_PLAN_PLACE_HERE:
		return VD_ENDPOINT_PLACE_HERE;
	case VD_PLAN_PLACE_HOST:
		return VD_ENDPOINT_PLACE_HOST;
	case VD_PLAN_PLACE_GATEWAY:
		return VD_ENDPOINT_PLACE_GATEWAY;
	}
	return 0;
}

static int encode_endpoint(const struct vd_plan_endpoint *endpoint, struct vd_entries *entries)
{
	static const uint8_t gateway_mac[6] = VD_GATEWAY_MAC;
	union vd_addr address = vd_encode_address(&endpoint->address);
	bool is_gateway = endpoint->place == VD_PLAN_PLACE_GATEWAY;
	bool is_router = is_gateway || endpoint->port == 0; /* here, or another host's */
	struct vd_endpoint_value value = {
		.port_id = is_gateway ? 0 : endpoint->port,
		.subnet = endpoint->subnet,
		.ifindex = endpoint->place == VD_PLAN_PLACE_HERE ? endpoint->ifindex : 0,
		.host = endpoint->place == VD_PLAN_PLACE_HOST ? endpoint->host : 0,
		.identity = is_gateway ? 0 : endpoint->identity,
		.place = encode_place(endpoint->place),
		.flags = endpoint->place == VD_PLAN_PLACE_HERE && endpoint->tap ? VD_PORT_FLAG_TAP : 0,
	};

	memcpy(value.mac, is_router ? gateway_mac : endpoint->mac.bytes, sizeof(value.mac));
	if (endpoint->address.family == VD_FAMILY_IPV4) {
		struct vd_endpoint4_key key = {endpoint->domain, address.word[0]};

		return ADD(entries, VD_MAP_ENDPOINT4, key, value);
	} else {
		struct vd_endpoint6_key key = {endpoint->domain, address};

		return ADD(entries, VD_MAP_ENDPOINT6, key, value);
	}
}

static uint8_t encode_route_type(enum vd_plan_route_type type)
{
	switch (type) {
	case VD_PLAN_ROUTE_TYPE_LOCAL:
		return VD_ROUTE_TYPE_LOCAL;
	case VD_PLAN_ROUTE_TYPE_NEXT_HOP:
		return VD_ROUTE_TYPE_NEXT_HOP;
	case VD_PLAN_ROUTE_TYPE_BLACKHOLE:
		return VD_ROUTE_TYPE_BLACKHOLE;
	case VD_PLAN_ROUTE_TYPE_UNUSABLE:
		return VD_ROUTE_TYPE_UNUSABLE;
	case VD_PLAN_ROUTE_TYPE_EXIT:
		return VD_ROUTE_TYPE_EXIT;
	case VD_PLAN_ROUTE_TYPE_TUNNEL:
		return VD_ROUTE_TYPE_TUNNEL;
	case VD_PLAN_ROUTE_TYPE_STACK:
		return VD_ROUTE_TYPE_STACK;
	case VD_PLAN_ROUTE_TYPE_PEER:
		return VD_ROUTE_TYPE_PEER;
	}
	return 0;
}

static struct vd_route_value encode_route_value(const struct vd_plan_route *route)
{
	return (struct vd_route_value){
		.id = route->route,
		.type = encode_route_type(route->type),
		.is_default = route->is_default,
		.next_hop = vd_encode_address(&route->next_hop),
		.exit = route->exit,
		.target = route->type == VD_PLAN_ROUTE_TYPE_PEER ? route->peer_domain : route->host,
	};
}

static int encode_route(const struct vd_plan_route *route, struct vd_entries *entries)
{
	union vd_addr address = vd_encode_address(&route->destination.address);
	struct vd_route_value value = encode_route_value(route);

	if (route->destination.address.family == VD_FAMILY_IPV4) {
		struct vd_route4_key key = {64u + route->destination.length, route->domain, route->table, address.word[0]};

		return ADD(entries, VD_MAP_ROUTE4, key, value);
	} else {
		struct vd_route6_key key = {64u + route->destination.length, route->domain, route->table, address};

		return ADD(entries, VD_MAP_ROUTE6, key, value);
	}
}

static uint32_t encode_direction(uint32_t direction)
{
	switch ((enum vd_plan_direction)direction) {
	case VD_PLAN_DIRECTION_INGRESS:
		return VD_POLICY_DIRECTION_INGRESS;
	case VD_PLAN_DIRECTION_EGRESS:
		return VD_POLICY_DIRECTION_EGRESS;
	}
	return 0;
}

static int encode_policy(const struct vd_plan_policy *policy, struct vd_entries *entries)
{
	static_assert(VD_POLICY_ONLY(VD_POLICY_PROTOCOL_ICMP, 1, 0) == 1u << VD_PLAN_POLICY_MORE(2, 1, 0), "the same bits");
	struct vd_policy_key key = {.identity = policy->identity, .direction = encode_direction(policy->direction)};
	struct vd_policy_value value = {
		.open = policy->open,
		.only_spans = ~policy->more & VD_POLICY_ONLY_ALL,
		.lengths4 = policy->lengths4,
		.identity_lengths4 = policy->identity_lengths4,
	};

	for (unsigned i = 0; i < 3; i++) {
		value.lengths6[i] = policy->lengths6[i];
		value.identity_lengths6[i] = policy->identity_lengths6[i];
	}
	return ADD(entries, VD_MAP_POLICY, key, value);
}

static struct vd_remote_key encode_remote(uint32_t identity, uint32_t direction, uint32_t remote_identity,
					  const struct vd_prefix *prefix)
{
	return (struct vd_remote_key){
		.identity = identity,
		.direction = encode_direction(direction),
		.remote_identity = remote_identity,
		.family = prefix->address.family,
		.length = prefix->length,
		.prefix = vd_encode_address(&prefix->address),
	};
}

static uint32_t encode_lengths(uint32_t lengths)
{
	return lengths >> (VD_POLICY_SPAN_LENGTH + 1) ? lengths | VD_POLICY_SPANS : lengths;
}

static int encode_policy_remote(const struct vd_plan_policy_remote *remote, struct vd_entries *entries)
{
	struct vd_remote_key key = encode_remote(remote->identity, remote->direction, remote->remote_identity, &remote->prefix);
	struct vd_remote_value value = {.any_rule = remote->any_rule,
					.tcp_lengths = encode_lengths(remote->tcp_lengths),
					.udp_lengths = encode_lengths(remote->udp_lengths),
					.icmp_lengths = encode_lengths(remote->icmp_lengths)};

	return ADD(entries, VD_MAP_REMOTE, key, value);
}

static int encode_policy_port(const struct vd_plan_policy_port *port, struct vd_entries *entries)
{
	struct vd_allow_key key = {
		.remote = encode_remote(port->identity, port->direction, port->remote_identity, &port->prefix),
		.protocol = port->protocol,
		.length = port->length,
		.port = port->port,
	};

	return ADD(entries, VD_MAP_ALLOW, key, port->rule);
}

static int encode_policy_span(const struct vd_plan_policy_span *span, struct vd_entries *entries)
{
	struct vd_allow_key key = {
		.remote = encode_remote(span->identity, span->direction, span->remote_identity, &span->prefix),
		.protocol = span->protocol,
		.length = VD_POLICY_SPAN_LENGTH,
		.port = span->port,
	};
	struct vd_span_value value;

	static_assert(sizeof(value.ports) == sizeof(span->ports), "a span is one in the plan and in the map");
	memcpy(value.ports, span->ports, sizeof(value.ports));
	return ADD(entries, VD_MAP_SPAN, key, value);
}

/* ---- provider networks ---- */

static int encode_network(const struct vd_plan_network *network, struct vd_entries *entries)
{
	struct vd_network_value value = {.ifindex = network->ifindex, .mtu = network->mtu, .vlan = (uint16_t)network->vlan};

	memcpy(value.mac, network->mac.bytes, sizeof(value.mac));
	return ADD(entries, VD_MAP_NETWORK, network->network, value);
}

static int encode_uplink(const struct vd_plan_segment *segment, struct vd_entries *entries)
{
	struct vd_uplink_key key = {segment->ifindex, segment->vlan};
	struct vd_uplink_value value = {.network = segment->network, .domain = segment->domain, .subnet = segment->subnet};

	return ADD(entries, VD_MAP_UPLINK, key, value);
}

static int encode_exit(const struct vd_plan_exit *record, struct vd_entries *entries)
{
	const struct vd_address *next_hop = record->next_hop4.family ? &record->next_hop4 : &record->next_hop6;
	struct vd_exit_key key = {record->domain, record->exit};
	struct vd_exit_value value = {
		.network = record->network,
		.host = record->here ? 0 : record->host,
		.flags = (record->here ? VD_EXIT_FLAG_HERE : 0) | (record->translate ? VD_EXIT_FLAG_TRANSLATE : 0),
		.vip4 = vd_encode_address(&record->vip4).word[0],
		.vip6 = vd_encode_address(&record->vip6),
		.next_hop = vd_encode_address(next_hop),
		.next_hop_family = next_hop->family,
	};

	return ADD(entries, VD_MAP_EXIT, key, value);
}

struct vd_vip_key vd_encode_vip_key(const struct vd_plan_vip *vip)
{
	return (struct vd_vip_key){vip->network, vd_encode_address(&vip->address)};
}

static uint8_t encode_vip_type(enum vd_plan_vip_type type)
{
	switch (type) {
	case VD_PLAN_VIP_TYPE_ROUTER:
		return VD_VIP_TYPE_ROUTER;
	case VD_PLAN_VIP_TYPE_ELASTIC:
		return VD_VIP_TYPE_ELASTIC;
	}
	return 0;
}

struct vd_vip_value vd_encode_vip(const struct vd_plan_vip *vip)
{
	struct vd_vip_value value = {
		.id = vip->vip,
		.domain = vip->domain,
		.host = vip->here ? 0 : vip->host,
		.port_id = vip->port,
		.inner = vd_encode_address(&vip->inner),
		.type = encode_vip_type(vip->type),
		.flags = (uint8_t)((vip->here ? VD_VIP_FLAG_HERE : 0) | (vip->system ? VD_VIP_FLAG_SYSTEM : 0)),
	};

	if (!vip->here)
		memcpy(value.mac, vip->mac.bytes, sizeof(value.mac));
	return value;
}

static int encode_forward(const struct vd_plan_forward *forward, struct vd_entries *entries)
{
	struct vd_forward_key key = {
		.network = forward->network,
		.vip = vd_encode_address(&forward->vip),
		.protocol = forward->protocol,
		.length = forward->length,
		.port = forward->port,
	};
	struct vd_forward_value value = {
		.id = forward->forward,
		.port_id = forward->port_id,
		.inner = vd_encode_address(&forward->inner),
		.allowed = vd_encode_address(&forward->allowed.address),
		.allowed_length = forward->allowed.length,
		.to_port = forward->to_port,
	};

	return ADD(entries, VD_MAP_FORWARD, key, value);
}

struct vd_policy_route vd_encode_policy_route(const struct vd_plan_policy_route *route)
{
	unsigned family = route->source.address.family | route->destination.address.family; /* of two they are the same */
	struct vd_policy_route encoded = {
		.id = route->policy_route,
		.protocol = route->protocol,
		.family = (uint8_t)(family ? family : route->route.next_hop.family),
		.source_length = route->source.length,
		.destination_length = route->destination.length,
		.source = vd_encode_address(&route->source.address),
		.destination = vd_encode_address(&route->destination.address),
		.source_port_first = route->source_port_first,
		.source_port_last = route->source_port_last,
		.destination_port_first = route->destination_port_first,
		.destination_port_last = route->destination_port_last,
		.mark = route->mark,
		.set_mark = route->set_mark,
		.table = route->lookup_table,
		.has_table = route->has_table,
		.route = encode_route_value(&route->route),
	};

	if (encoded.route.type && !encoded.route.id)
		encoded.route.id = route->policy_route;
	return encoded;
}

static int add_alias(const struct vd_plan_alias *alias, enum vd_alias_type type, struct vd_entries *entries)
{
	const struct vd_prefix *from = type == VD_ALIAS_SEEN ? &alias->prefix : &alias->as;
	const struct vd_prefix *to = type == VD_ALIAS_SEEN ? &alias->as : &alias->prefix;
	struct vd_alias_value value = {vd_encode_address(&to->address), to->length};
	union vd_addr address = vd_encode_address(&from->address);

	if (from->address.family == VD_FAMILY_IPV4) {
		struct vd_alias4_key key = {96u + from->length, alias->domain, alias->peer, type, address.word[0]};

		return ADD(entries, VD_MAP_ALIAS4, key, value);
	} else {
		struct vd_alias6_key key = {96u + from->length, alias->domain, alias->peer, type, address};

		return ADD(entries, VD_MAP_ALIAS6, key, value);
	}
}

static int encode_alias(const struct vd_plan_alias *alias, struct vd_entries *entries)
{
	int r = add_alias(alias, VD_ALIAS_SEEN, entries);

	return r < 0 ? r : add_alias(alias, VD_ALIAS_OWN, entries);
}

static int encode_inward(const struct vd_plan_inward *inward, struct vd_entries *entries)
{
	union vd_addr address = vd_encode_address(&inward->prefix.address);

	if (inward->prefix.address.family == VD_FAMILY_IPV4) {
		struct vd_inward4_key key = {32u + inward->prefix.length, inward->network, address.word[0]};

		return ADD(entries, VD_MAP_INWARD4, key, inward->domain);
	} else {
		struct vd_inward6_key key = {32u + inward->prefix.length, inward->network, address};

		return ADD(entries, VD_MAP_INWARD6, key, inward->domain);
	}
}

/* As someone asks for it: who has it the data plane learns. */
static int encode_next_hop(const struct vd_plan_next_hop *next_hop, struct vd_entries *entries)
{
	struct vd_neighbour_key key = {next_hop->network, vd_encode_address(&next_hop->address)};
	struct vd_neighbour_value value = {.family = next_hop->address.family};

	return ADD(entries, VD_MAP_NEIGHBOUR, key, value);
}

int vd_encode_record(const struct vd_plan_record *record, uint32_t connection_share, struct vd_entries *entries)
{
	switch (record->kind) {
	case VD_PLAN_KIND_TUNNEL_HOST:
		return encode_tunnel_host(&record->tunnel_host, entries);
	case VD_PLAN_KIND_DOMAIN:
		return encode_domain(&record->domain, connection_share, entries);
	case VD_PLAN_KIND_SUBNET:
		return encode_subnet(&record->subnet, entries);
	case VD_PLAN_KIND_PORT:
		return encode_port(&record->port, entries);
	case VD_PLAN_KIND_SOURCE:
		return encode_source(&record->source, entries);
	case VD_PLAN_KIND_ENDPOINT:
		return encode_endpoint(&record->endpoint, entries);
	case VD_PLAN_KIND_ROUTE:
		return encode_route(&record->route, entries);
	case VD_PLAN_KIND_POLICY:
		return encode_policy(&record->policy, entries);
	case VD_PLAN_KIND_POLICY_REMOTE:
		return encode_policy_remote(&record->policy_remote, entries);
	case VD_PLAN_KIND_POLICY_PORT:
		return encode_policy_port(&record->policy_port, entries);
	case VD_PLAN_KIND_POLICY_SPAN:
		return encode_policy_span(&record->policy_span, entries);
	case VD_PLAN_KIND_NETWORK:
		return encode_network(&record->network, entries);
	case VD_PLAN_KIND_SEGMENT:
		return encode_uplink(&record->segment, entries);
	case VD_PLAN_KIND_EXIT:
		return encode_exit(&record->exit, entries);
	case VD_PLAN_KIND_FORWARD:
		return encode_forward(&record->forward, entries);
	case VD_PLAN_KIND_ALIAS:
		return encode_alias(&record->alias, entries);
	case VD_PLAN_KIND_INWARD:
		return encode_inward(&record->inward, entries);
	case VD_PLAN_KIND_NEXT_HOP:
		return encode_next_hop(&record->next_hop, entries);
	case VD_PLAN_KIND_VIP:
	case VD_PLAN_KIND_POLICY_ROUTE: /* with others of their group */
	case VD_PLAN_KIND_NAME:         /* not in the maps */
	case VD_PLAN_KIND_BLOCK:        /* the kernel's affair */
	case VD_PLAN_KIND_EXEMPT:
	case VD_PLAN_KIND_HOST_ROUTE:
		return 0;
	case VD_PLAN_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

struct vd_port_value vd_encode_service_port(uint32_t domain, const struct vd_domain_value *value)
{
	return (struct vd_port_value){
		.id = domain,
		.domain = domain,
		.mtu = value->mtu,
		.mac = VD_GATEWAY_MAC,
		.flags = VD_PORT_FLAG_SERVICE | (value->flags & VD_DOMAIN_FLAG_CONTAINER ? VD_PORT_FLAG_HOST : 0),
	};
}
