/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/record.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

/*
 * Every kind is a list of fields, its key's first. Comparing, equality and printing all read this one list, so that a field
 * added to a record cannot be forgotten in one of them. Fields are compared one by one: padding never counts.
 */
enum field_type {
	FIELD_TYPE_NUMBER,
	FIELD_TYPE_NUMBER8,
	FIELD_TYPE_NUMBER16,
	FIELD_TYPE_NUMBER64,
	FIELD_TYPE_BITS32, /* a set of lengths: bit n is n */
	FIELD_TYPE_BITS64,
	FIELD_TYPE_BITS192,
	FIELD_TYPE_SPAN, /* ports, counted from the record's port */
	FIELD_TYPE_BOOL,
	FIELD_TYPE_NAME,
	FIELD_TYPE_DOMAIN_NAME,
	FIELD_TYPE_ADDRESS,
	FIELD_TYPE_PREFIX,
	FIELD_TYPE_MAC,
	FIELD_TYPE_PORT_TYPE,
	FIELD_TYPE_PLACE,
	FIELD_TYPE_ROUTE_TYPE,
	FIELD_TYPE_DOMAIN_TYPE,
	FIELD_TYPE_VIP_TYPE,
	FIELD_TYPE_DIRECTION,
	FIELD_TYPE_PROTOCOL,
	FIELD_TYPE_PORT_ADDRESSES, /* with address_count */
	FIELD_TYPE_DNS_SERVERS,
};

struct field {
	const char *word;
	enum field_type type;
	size_t offset; /* in vd_plan_record */
};

struct layout {
	const char *word;
	size_t size;
	const struct field *fields;
	unsigned count;
};

#define FIELD(kind, member, field_type) \
	{ \
#member, FIELD_TYPE_##field_type, offsetof(struct vd_plan_record, kind.member) \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field vd_plan_tunnel_host_fields[] = {
	FIELD(tunnel_host, host, NUMBER),
	FIELD(tunnel_host, vtep, ADDRESS),
	FIELD(tunnel_host, name, NAME),
};

static const struct field vd_plan_domain_fields[] = {
	FIELD(domain, domain, NUMBER),    FIELD(domain, type, DOMAIN_TYPE), FIELD(domain, vni, NUMBER),
	FIELD(domain, mtu, NUMBER),       FIELD(domain, cpu_milli, NUMBER), FIELD(domain, memory, NUMBER64),
	FIELD(domain, service4, ADDRESS), FIELD(domain, service6, ADDRESS), FIELD(domain, tunnel_only, BOOL),
	FIELD(domain, project, NAME),     FIELD(domain, name, NAME),
};

static const struct field vd_plan_block_fields[] = {
	FIELD(block, domain, NUMBER),   FIELD(block, prefix, PREFIX),   FIELD(block, block, NUMBER),
	FIELD(block, gateway, ADDRESS), FIELD(block, masquerade, BOOL), FIELD(block, name, NAME),
};

static const struct field vd_plan_exempt_fields[] = {
	FIELD(exempt, domain, NUMBER),
	FIELD(exempt, prefix, PREFIX),
};

static const struct field vd_plan_subnet_fields[] = {
	FIELD(subnet, subnet, NUMBER),
	FIELD(subnet, domain, NUMBER),
	FIELD(subnet, vni, NUMBER),
	FIELD(subnet, cidr4, PREFIX),
	FIELD(subnet, gateway4, ADDRESS),
	FIELD(subnet, cidr6, PREFIX),
	FIELD(subnet, gateway6, ADDRESS),
	FIELD(subnet, dhcp, BOOL),
	FIELD(subnet, dhcp_address, ADDRESS),
	FIELD(subnet, lease, NUMBER),
	FIELD(subnet, dns, DNS_SERVERS),
	FIELD(subnet, domain_name, DOMAIN_NAME),
	FIELD(subnet, name, NAME),
	FIELD(subnet, bridged, BOOL),
	FIELD(subnet, is_network, BOOL),
	FIELD(subnet, uplink_ifindex, NUMBER),
	FIELD(subnet, vlan, NUMBER),
};

static const struct field vd_plan_network_fields[] = {
	FIELD(network, network, NUMBER), FIELD(network, ifindex, NUMBER), FIELD(network, vlan, NUMBER),
	FIELD(network, mtu, NUMBER),     FIELD(network, mac, MAC),        FIELD(network, name, NAME),
	FIELD(network, physnet, NAME),
};

static const struct field vd_plan_segment_fields[] = {
	FIELD(segment, ifindex, NUMBER), FIELD(segment, vlan, NUMBER),   FIELD(segment, network, NUMBER),
	FIELD(segment, domain, NUMBER),  FIELD(segment, subnet, NUMBER),
};

static const struct field vd_plan_exit_fields[] = {
	FIELD(exit, domain, NUMBER),     FIELD(exit, exit, NUMBER),       FIELD(exit, network, NUMBER), FIELD(exit, here, BOOL),
	FIELD(exit, host, NUMBER),       FIELD(exit, translate, BOOL),    FIELD(exit, vip4, ADDRESS),   FIELD(exit, vip6, ADDRESS),
	FIELD(exit, next_hop4, ADDRESS), FIELD(exit, next_hop6, ADDRESS),
};

static const struct field vd_plan_policy_fields[] = {
	FIELD(policy, identity, NUMBER),
	FIELD(policy, direction, DIRECTION),
	FIELD(policy, open, BOOL),
	FIELD(policy, lengths4, BITS64),
	FIELD(policy, identity_lengths4, BITS64),
	FIELD(policy, lengths6, BITS192),
	FIELD(policy, identity_lengths6, BITS192),
	FIELD(policy, more, BITS32),
};

static const struct field vd_plan_policy_remote_fields[] = {
	FIELD(policy_remote, identity, NUMBER),        FIELD(policy_remote, direction, DIRECTION),
	FIELD(policy_remote, remote_identity, NUMBER), FIELD(policy_remote, prefix, PREFIX),
	FIELD(policy_remote, any_rule, NUMBER),        FIELD(policy_remote, tcp_lengths, BITS32),
	FIELD(policy_remote, udp_lengths, BITS32),     FIELD(policy_remote, icmp_lengths, BITS32),
};

static const struct field vd_plan_policy_port_fields[] = {
	FIELD(policy_port, identity, NUMBER), FIELD(policy_port, direction, DIRECTION), FIELD(policy_port, remote_identity, NUMBER),
	FIELD(policy_port, prefix, PREFIX),   FIELD(policy_port, protocol, PROTOCOL),   FIELD(policy_port, length, NUMBER8),
	FIELD(policy_port, port, NUMBER16),   FIELD(policy_port, rule, NUMBER),
};

static const struct field vd_plan_policy_span_fields[] = {
	FIELD(policy_span, identity, NUMBER), FIELD(policy_span, direction, DIRECTION), FIELD(policy_span, remote_identity, NUMBER),
	FIELD(policy_span, prefix, PREFIX),   FIELD(policy_span, protocol, PROTOCOL),   FIELD(policy_span, port, NUMBER16),
	FIELD(policy_span, ports, SPAN),
};

static const struct field vd_plan_port_fields[] = {
	FIELD(port, port, NUMBER),
	FIELD(port, domain, NUMBER),
	FIELD(port, subnet, NUMBER),
	FIELD(port, table, NUMBER),
	FIELD(port, type, PORT_TYPE),
	FIELD(port, ifindex, NUMBER),
	FIELD(port, mac, MAC),
	FIELD(port, mtu, NUMBER),
	FIELD(port, source_check, BOOL),
	FIELD(port, is_default, BOOL),
	FIELD(port, addresses, PORT_ADDRESSES),
	FIELD(port, policy, NUMBER),
	FIELD(port, dhcp, BOOL),
	FIELD(port, snat, BOOL),
	FIELD(port, rate_in, NUMBER64),
	FIELD(port, burst_in, NUMBER64),
	FIELD(port, rate_out, NUMBER64),
	FIELD(port, burst_out, NUMBER64),
	FIELD(port, project, NAME),
	FIELD(port, name, NAME),
};

static const struct field vd_plan_source_fields[] = {
	FIELD(source, port, NUMBER),
	FIELD(source, prefix, PREFIX),
};

static const struct field vd_plan_endpoint_fields[] = {
	FIELD(endpoint, domain, NUMBER),   FIELD(endpoint, address, ADDRESS), FIELD(endpoint, port, NUMBER),
	FIELD(endpoint, subnet, NUMBER),   FIELD(endpoint, place, PLACE),     FIELD(endpoint, ifindex, NUMBER),
	FIELD(endpoint, tap, BOOL),        FIELD(endpoint, host, NUMBER),     FIELD(endpoint, mac, MAC),
	FIELD(endpoint, identity, NUMBER),
};

static const struct field vd_plan_alias_fields[] = {
	FIELD(alias, domain, NUMBER),
	FIELD(alias, peer, NUMBER),
	FIELD(alias, prefix, PREFIX),
	FIELD(alias, as, PREFIX),
};

static const struct field vd_plan_route_fields[] = {
	FIELD(route, domain, NUMBER),   FIELD(route, table, NUMBER),       FIELD(route, destination, PREFIX),
	FIELD(route, route, NUMBER),    FIELD(route, type, ROUTE_TYPE),    FIELD(route, next_hop, ADDRESS),
	FIELD(route, table_name, NAME), FIELD(route, exit, NUMBER),        FIELD(route, is_default, BOOL),
	FIELD(route, host, NUMBER),     FIELD(route, peer_domain, NUMBER),
};

static const struct field vd_plan_host_route_fields[] = {
	FIELD(host_route, prefix, PREFIX),
	FIELD(host_route, next_hop, ADDRESS),
	FIELD(host_route, domain, NUMBER),
	FIELD(host_route, block, NUMBER),
};

static const struct field vd_plan_vip_fields[] = {
	FIELD(vip, network, NUMBER), FIELD(vip, address, ADDRESS), FIELD(vip, vip, NUMBER),      FIELD(vip, type, VIP_TYPE),
	FIELD(vip, here, BOOL),      FIELD(vip, system, BOOL),     FIELD(vip, is_primary, BOOL), FIELD(vip, host, NUMBER),
	FIELD(vip, mac, MAC),        FIELD(vip, domain, NUMBER),   FIELD(vip, inner, ADDRESS),   FIELD(vip, port, NUMBER),
	FIELD(vip, name, NAME),
};

static const struct field vd_plan_forward_fields[] = {
	FIELD(forward, network, NUMBER), FIELD(forward, vip, ADDRESS),   FIELD(forward, protocol, PROTOCOL),
	FIELD(forward, length, NUMBER8), FIELD(forward, port, NUMBER16), FIELD(forward, forward, NUMBER),
	FIELD(forward, port_id, NUMBER), FIELD(forward, inner, ADDRESS), FIELD(forward, to_port, NUMBER16),
	FIELD(forward, allowed, PREFIX), FIELD(forward, name, NAME),
};

static const struct field vd_plan_policy_route_fields[] = {
	FIELD(policy_route, domain, NUMBER),
	FIELD(policy_route, table, NUMBER),
	FIELD(policy_route, priority, NUMBER),
	FIELD(policy_route, policy_route, NUMBER),
	FIELD(policy_route, protocol, PROTOCOL),
	FIELD(policy_route, source, PREFIX),
	FIELD(policy_route, destination, PREFIX),
	FIELD(policy_route, source_port_first, NUMBER16),
	FIELD(policy_route, source_port_last, NUMBER16),
	FIELD(policy_route, destination_port_first, NUMBER16),
	FIELD(policy_route, destination_port_last, NUMBER16),
	FIELD(policy_route, mark, NUMBER),
	FIELD(policy_route, set_mark, NUMBER),
	FIELD(policy_route, has_table, BOOL),
	FIELD(policy_route, lookup_table, NUMBER),
	{"type", FIELD_TYPE_ROUTE_TYPE, offsetof(struct vd_plan_record, policy_route.route.type)},
	FIELD(policy_route, route.route, NUMBER),
	FIELD(policy_route, route.next_hop, ADDRESS),
	FIELD(policy_route, route.table_name, NAME),
	FIELD(policy_route, route.exit, NUMBER),
	FIELD(policy_route, route.is_default, BOOL),
	FIELD(policy_route, route.peer_domain, NUMBER),
};

static const struct field vd_plan_inward_fields[] = {
	FIELD(inward, network, NUMBER),
	FIELD(inward, prefix, PREFIX),
	FIELD(inward, domain, NUMBER),
};

static const struct field vd_plan_next_hop_fields[] = {
	FIELD(next_hop, network, NUMBER),
	FIELD(next_hop, address, ADDRESS),
	FIELD(next_hop, asker, ADDRESS),
};

static const struct field vd_plan_name_fields[] = {
	FIELD(name, domain, NUMBER),
	FIELD(name, address, ADDRESS),
	FIELD(name, port, NUMBER),
	FIELD(name, name, NAME),
};

static const struct layout layouts[VD_PLAN_KIND_COUNT] = {
#define X(enumerator, word, type) [VD_PLAN_KIND_##enumerator] = {word, sizeof(struct type), type##_fields, COUNT(type##_fields)},
	VD_PLAN_KINDS(X)
#undef X
};

/* That many of the fields, from the first, are the key. */
static const unsigned key_counts[VD_PLAN_KIND_COUNT] = {
	[VD_PLAN_KIND_TUNNEL_HOST] = 1, [VD_PLAN_KIND_DOMAIN] = 1,       [VD_PLAN_KIND_SUBNET] = 1,
	[VD_PLAN_KIND_PORT] = 1,        [VD_PLAN_KIND_SOURCE] = 2,       [VD_PLAN_KIND_ENDPOINT] = 2,
	[VD_PLAN_KIND_ROUTE] = 3,       [VD_PLAN_KIND_POLICY] = 2,       [VD_PLAN_KIND_POLICY_REMOTE] = 4,
	[VD_PLAN_KIND_POLICY_PORT] = 7, [VD_PLAN_KIND_NAME] = 2,         [VD_PLAN_KIND_NETWORK] = 1,
	[VD_PLAN_KIND_SEGMENT] = 2,     [VD_PLAN_KIND_EXIT] = 2,         [VD_PLAN_KIND_VIP] = 2,
	[VD_PLAN_KIND_FORWARD] = 5,     [VD_PLAN_KIND_POLICY_ROUTE] = 4, [VD_PLAN_KIND_INWARD] = 2,
	[VD_PLAN_KIND_NEXT_HOP] = 2,    [VD_PLAN_KIND_POLICY_SPAN] = 6,  [VD_PLAN_KIND_BLOCK] = 2,
	[VD_PLAN_KIND_EXEMPT] = 2,      [VD_PLAN_KIND_HOST_ROUTE] = 1,   [VD_PLAN_KIND_ALIAS] = 3,
};

size_t vd_plan_record_size(enum vd_plan_kind kind)
{
	const size_t alignment = _Alignof(struct vd_plan_record);

	return (offsetof(struct vd_plan_record, endpoint) + layouts[kind].size + alignment - 1) / alignment * alignment;
}

void vd_plan_record_init(struct vd_plan_record *record, enum vd_plan_kind kind)
{
	memset(record, 0, sizeof(*record));
	record->kind = kind;
}

static int compare_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_prefix(const struct vd_prefix *a, const struct vd_prefix *b)
{
	int order = vd_address_compare(&a->address, &b->address);

	return order ? order : compare_number(a->length, b->length);
}

static int compare_port_addresses(const struct vd_plan_port *a, const struct vd_plan_port *b)
{
	int order = compare_number(a->address_count, b->address_count);

	for (uint32_t i = 0; i < a->address_count && order == 0; i++)
		order = compare_prefix(&a->addresses[i], &b->addresses[i]);
	return order;
}

static int compare_words(const uint64_t *a, const uint64_t *b, int count)
{
	int order = 0;

	for (int i = 0; i < count && order == 0; i++)
		order = compare_number(a[i], b[i]);
	return order;
}

static int compare_dns_servers(const struct vd_plan_subnet *a, const struct vd_plan_subnet *b)
{
	int order = 0;

	for (int i = 0; i < VD_PLAN_DNS_SERVERS && order == 0; i++)
		order = vd_address_compare(&a->dns[i], &b->dns[i]);
	return order;
}

static int compare_field(const struct field *field, const struct vd_plan_record *a, const struct vd_plan_record *b)
{
	const void *left = (const char *)a + field->offset, *right = (const char *)b + field->offset;

	switch (field->type) {
	case FIELD_TYPE_NUMBER:
	case FIELD_TYPE_BITS32:
	case FIELD_TYPE_DIRECTION:
	case FIELD_TYPE_PORT_TYPE:
	case FIELD_TYPE_PLACE:
	case FIELD_TYPE_ROUTE_TYPE:
	case FIELD_TYPE_DOMAIN_TYPE:
	case FIELD_TYPE_VIP_TYPE:
		return compare_number(*(const uint32_t *)left, *(const uint32_t *)right);
	case FIELD_TYPE_NUMBER8:
	case FIELD_TYPE_PROTOCOL:
		return compare_number(*(const uint8_t *)left, *(const uint8_t *)right);
	case FIELD_TYPE_NUMBER16:
		return compare_number(*(const uint16_t *)left, *(const uint16_t *)right);
	case FIELD_TYPE_NUMBER64:
	case FIELD_TYPE_BITS64:
		return compare_number(*(const uint64_t *)left, *(const uint64_t *)right);
	case FIELD_TYPE_BITS192:
		return compare_words(left, right, 3);
	case FIELD_TYPE_SPAN:
		return compare_words(left, right, VD_PLAN_SPAN_PORTS / 64);
	case FIELD_TYPE_BOOL:
		return compare_number(*(const bool *)left, *(const bool *)right);
	case FIELD_TYPE_NAME:
		return strncmp(left, right, VD_PLAN_NAME_SIZE);
	case FIELD_TYPE_DOMAIN_NAME:
		return strncmp(left, right, VD_PLAN_DOMAIN_NAME_SIZE);
	case FIELD_TYPE_ADDRESS:
		return vd_address_compare(left, right);
	case FIELD_TYPE_PREFIX:
		return compare_prefix(left, right);
	case FIELD_TYPE_MAC:
		return memcmp(left, right, sizeof(struct vd_mac));
	case FIELD_TYPE_PORT_ADDRESSES:
		return compare_port_addresses(&a->port, &b->port);
	case FIELD_TYPE_DNS_SERVERS:
		return compare_dns_servers(&a->subnet, &b->subnet);
	}
	return 0;
}

static int compare_fields(const struct vd_plan_record *a, const struct vd_plan_record *b, unsigned count)
{
	int order = compare_number(a->kind, b->kind);

	for (unsigned i = 0; i < count && order == 0; i++)
		order = compare_field(&layouts[a->kind].fields[i], a, b);
	return order;
}

int vd_plan_record_compare_key(const struct vd_plan_record *a, const struct vd_plan_record *b)
{
	return compare_fields(a, b, key_counts[a->kind]);
}

bool vd_plan_record_equal(const struct vd_plan_record *a, const struct vd_plan_record *b)
{
	return compare_fields(a, b, layouts[a->kind].count) == 0;
}

static const char *port_type_word(enum vd_plan_port_type type)
{
	switch (type) {
	case VD_PLAN_PORT_TYPE_VETH:
		return "veth";
	case VD_PLAN_PORT_TYPE_TAP:
		return "tap";
	}
	return "none";
}

static const char *place_word(enum vd_plan_place place)
{
	switch (place) {
	case VD_PLAN_PLACE_HERE:
		return "here";
	case VD_PLAN_PLACE_HOST:
		return "host";
	case VD_PLAN_PLACE_GATEWAY:
		return "gateway";
	}
	return "none";
}

static const char *route_type_word(enum vd_plan_route_type type)
{
	switch (type) {
	case VD_PLAN_ROUTE_TYPE_LOCAL:
		return "local";
	case VD_PLAN_ROUTE_TYPE_NEXT_HOP:
		return "next_hop";
	case VD_PLAN_ROUTE_TYPE_BLACKHOLE:
		return "blackhole";
	case VD_PLAN_ROUTE_TYPE_UNUSABLE:
		return "unusable";
	case VD_PLAN_ROUTE_TYPE_EXIT:
		return "exit";
	case VD_PLAN_ROUTE_TYPE_TUNNEL:
		return "tunnel";
	case VD_PLAN_ROUTE_TYPE_STACK:
		return "stack";
	case VD_PLAN_ROUTE_TYPE_PEER:
		return "peer";
	}
	return "none";
}

static const char *domain_type_word(enum vd_plan_domain_type type)
{
	switch (type) {
	case VD_PLAN_DOMAIN_TYPE_VPC:
		return "vpc";
	case VD_PLAN_DOMAIN_TYPE_NETWORK:
		return "network";
	case VD_PLAN_DOMAIN_TYPE_CONTAINER:
		return "container";
	case VD_PLAN_DOMAIN_TYPE_PEER:
		return "peer";
	}
	return "none";
}

static const char *vip_type_word(enum vd_plan_vip_type type)
{
	switch (type) {
	case VD_PLAN_VIP_TYPE_ROUTER:
		return "router";
	case VD_PLAN_VIP_TYPE_ELASTIC:
		return "elastic";
	}
	return "none";
}

static const char *direction_word(enum vd_plan_direction direction)
{
	switch (direction) {
	case VD_PLAN_DIRECTION_INGRESS:
		return "ingress";
	case VD_PLAN_DIRECTION_EGRESS:
		return "egress";
	}
	return "none";
}

static void print_protocol(uint8_t protocol, FILE *file)
{
	if (protocol == IPPROTO_TCP)
		fputs("tcp", file);
	else if (protocol == IPPROTO_UDP)
		fputs("udp", file);
	else if (protocol == IPPROTO_ICMP)
		fputs("icmp", file);
	else
		fprintf(file, "%u", protocol);
}

/* The numbers of the bits that are set: "0,24". */
static void print_bits(const uint64_t *words, int count, FILE *file)
{
	const char *comma = "";

	for (int bit = 0; bit < count * 64; bit++)
		if (words[bit / 64] >> bit % 64 & 1) {
			fprintf(file, "%s%d", comma, bit);
			comma = ",";
		}
}

/* As ranges: "23-511". */
static void print_span(const struct vd_plan_policy_span *span, FILE *file)
{
	const char *comma = "";

	for (unsigned first = 0, end; first < VD_PLAN_SPAN_PORTS; first = end + 1) {
		end = first;
		while (end < VD_PLAN_SPAN_PORTS && span->ports[end / 64] >> end % 64 & 1)
			end++;
		if (end == first)
			continue;
		fprintf(file, "%s%u", comma, span->port + first);
		if (end > first + 1)
			fprintf(file, "-%u", span->port + end - 1);
		comma = ",";
	}
}

static void print_dns_servers(const struct vd_plan_subnet *subnet, FILE *file)
{
	char text[VD_ADDRESS_TEXT];

	for (int i = 0; i < VD_PLAN_DNS_SERVERS && subnet->dns[i].family; i++)
		fprintf(file, "%s%s", i ? "," : "", vd_address_format(&subnet->dns[i], text));
}

static void print_port_addresses(const struct vd_plan_port *port, FILE *file)
{
	char text[VD_PREFIX_TEXT];

	for (uint32_t i = 0; i < port->address_count; i++)
		fprintf(file, "%s%s", i ? "," : "", vd_prefix_format(&port->addresses[i], text));
}

static void print_field(const struct field *field, const struct vd_plan_record *record, FILE *file)
{
	const void *value = (const char *)record + field->offset;
	char text[VD_PREFIX_TEXT];

	fprintf(file, " %s=", field->word);
	switch (field->type) {
	case FIELD_TYPE_NUMBER:
		fprintf(file, "%" PRIu32, *(const uint32_t *)value);
		break;
	case FIELD_TYPE_NUMBER8:
		fprintf(file, "%u", *(const uint8_t *)value);
		break;
	case FIELD_TYPE_NUMBER16:
		fprintf(file, "%u", *(const uint16_t *)value);
		break;
	case FIELD_TYPE_NUMBER64:
		fprintf(file, "%" PRIu64, *(const uint64_t *)value);
		break;
	case FIELD_TYPE_BITS32:
		print_bits(&(uint64_t){*(const uint32_t *)value}, 1, file);
		break;
	case FIELD_TYPE_BITS64:
		print_bits(value, 1, file);
		break;
	case FIELD_TYPE_BITS192:
		print_bits(value, 3, file);
		break;
	case FIELD_TYPE_SPAN:
		print_span(&record->policy_span, file);
		break;
	case FIELD_TYPE_BOOL:
		fputs(*(const bool *)value ? "true" : "false", file);
		break;
	case FIELD_TYPE_NAME:
		fprintf(file, "%.*s", VD_PLAN_NAME_SIZE, (const char *)value);
		break;
	case FIELD_TYPE_DOMAIN_NAME:
		fprintf(file, "%.*s", VD_PLAN_DOMAIN_NAME_SIZE, (const char *)value);
		break;
	case FIELD_TYPE_ADDRESS:
		fputs(vd_address_format(value, text), file);
		break;
	case FIELD_TYPE_PREFIX:
		fputs(vd_prefix_format(value, text), file);
		break;
	case FIELD_TYPE_MAC:
		fputs(vd_mac_format(value, text), file);
		break;
	case FIELD_TYPE_PORT_TYPE:
		fputs(port_type_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_PLACE:
		fputs(place_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_ROUTE_TYPE:
		fputs(route_type_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_DOMAIN_TYPE:
		fputs(domain_type_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_VIP_TYPE:
		fputs(vip_type_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_DIRECTION:
		fputs(direction_word(*(const uint32_t *)value), file);
		break;
	case FIELD_TYPE_PROTOCOL:
		print_protocol(*(const uint8_t *)value, file);
		break;
	case FIELD_TYPE_DNS_SERVERS:
		print_dns_servers(&record->subnet, file);
		break;
	case FIELD_TYPE_PORT_ADDRESSES:
		print_port_addresses(&record->port, file);
		break;
	}
}

/* What a record does not have is not printed: most records have holes (an endpoint elsewhere has no ifindex). */
void vd_plan_record_print(const struct vd_plan_record *record, FILE *file)
{
	const struct layout *layout = &layouts[record->kind];
	struct vd_plan_record empty;

	vd_plan_record_init(&empty, record->kind);
	fputs(layout->word, file);
	for (unsigned i = 0; i < layout->count; i++)
		if (i < key_counts[record->kind] || compare_field(&layout->fields[i], record, &empty) != 0)
			print_field(&layout->fields[i], record, file);
}
