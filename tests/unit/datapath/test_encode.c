/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "datapath/encode.h"
#include "datapath/group.h"

#include <string.h>

/* Plan records as the bytes that the programs read. */

static const struct vd_entry *only(const struct vd_entries *entries, enum vd_map map)
{
	const struct vd_entry *found = NULL;

	for (size_t i = 0; i < entries->count; i++) {
		if (entries->items[i].map != map)
			continue;
		assert_null(found);
		found = &entries->items[i];
	}
	assert_non_null(found);
	return found;
}

static void assert_entry(const struct vd_entries *entries, enum vd_map map, const void *key, size_t key_size, const void *value,
			 size_t value_size)
{
	static const uint8_t zero[VD_ENTRY_VALUE_SIZE];
	const struct vd_entry *entry = only(entries, map);

	assert_memory_equal(entry->key, key, key_size);
	assert_memory_equal(entry->key + key_size, zero, VD_ENTRY_KEY_SIZE - key_size);
	assert_memory_equal(entry->value, value, value_size);
	assert_memory_equal(entry->value + value_size, zero, VD_ENTRY_VALUE_SIZE - value_size);
}

#define ASSERT_ENTRY(entries, map, key, value) assert_entry(entries, map, &(key), sizeof(key), &(value), sizeof(value))

static void test_port_is_found_by_interface_and_by_mac(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const uint32_t ifindex = 42;
	const struct vd_port_value port = {.id = 9,
					   .domain = 7,
					   .subnet = 8,
					   .table = 3,
					   .mtu = 1450,
					   .mac = {2, 0, 0, 0, 0, 1},
					   .flags = VD_PORT_FLAG_SOURCE_CHECK | VD_PORT_FLAG_TAP};
	const struct vd_mac_key mac_key = {.domain = 7, .mac = {2, 0, 0, 0, 0, 1}};
	const struct vd_mac_value mac = {.ifindex = 42, .port_id = 9};

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port = (struct vd_plan_port){.port = 9,
					    .domain = 7,
					    .subnet = 8,
					    .table = 3,
					    .ifindex = 42,
					    .type = VD_PLAN_PORT_TYPE_TAP,
					    .source_check = true,
					    .mac = {{2, 0, 0, 0, 0, 1}},
					    .mtu = 1450};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	assert_int_equal(entries.count, 2);
	ASSERT_ENTRY(&entries, VD_MAP_PORT, ifindex, port);
	ASSERT_ENTRY(&entries, VD_MAP_MAC, mac_key, mac);
}

static void test_endpoint_on_another_host_names_the_host(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_endpoint6_key key = {.domain = 7};
	const struct vd_endpoint_value value = {
		.port_id = 9, .subnet = 8, .host = 50, .mac = {2, 0, 0, 0, 0, 1}, .place = VD_ENDPOINT_PLACE_HOST};

	key.address.byte[0] = 0xfd;
	key.address.byte[15] = 5;
	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint = (struct vd_plan_endpoint){.domain = 7,
						    .port = 9,
						    .subnet = 8,
						    .place = VD_PLAN_PLACE_HOST,
						    .host = 50,
						    .ifindex = 77,
						    .tap = true,
						    .mac = {{2, 0, 0, 0, 0, 1}}};
	assert_int_equal(vd_address_parse("fd00::5", &record.endpoint.address), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	assert_int_equal(entries.count, 1);
	ASSERT_ENTRY(&entries, VD_MAP_ENDPOINT6, key, value);
}

static void test_gateway_has_the_routers_mac_and_no_port(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_endpoint4_key key = {.domain = 7};
	const struct vd_endpoint_value value = {.subnet = 8, .mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY};

	memcpy(&key.address, (uint8_t[]){10, 0, 1, 1}, 4);
	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint = (struct vd_plan_endpoint){.domain = 7, .subnet = 8, .place = VD_PLAN_PLACE_GATEWAY};
	assert_int_equal(vd_address_parse("10.0.1.1", &record.endpoint.address), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_ENDPOINT4, key, value);
}

/* R-SVC-3: what comes for the router of another host is its service port's there. */
static void test_service_address_of_another_host_has_the_routers_mac(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_endpoint4_key key = {.domain = 7};
	const struct vd_endpoint_value value = {.mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_HOST, .host = 50};

	memcpy(&key.address, (uint8_t[]){240, 0, 0, 50}, 4);
	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint = (struct vd_plan_endpoint){.domain = 7, .place = VD_PLAN_PLACE_HOST, .host = 50};
	assert_int_equal(vd_address_parse("240.0.0.50", &record.endpoint.address), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_ENDPOINT4, key, value);
}

static void test_route_prefix_counts_domain_and_table(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_route4_key key = {.prefix_length = 64 + 24, .domain = 7, .table = 3};
	struct vd_route_value value = {.id = 11, .type = VD_ROUTE_TYPE_NEXT_HOP};

	memcpy(&key.address, (uint8_t[]){10, 0, 2, 0}, 4);
	memcpy(value.next_hop.byte, (uint8_t[]){192, 168, 0, 2}, 4);
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route = (struct vd_plan_route){.domain = 7, .table = 3, .route = 11, .type = VD_PLAN_ROUTE_TYPE_NEXT_HOP};
	assert_int_equal(vd_prefix_parse("10.0.2.0/24", &record.route.destination), 0);
	assert_int_equal(vd_address_parse("192.168.0.2", &record.route.next_hop), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_ROUTE4, key, value);
}

static void test_opened_source_prefix_counts_the_port(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_source6_key key = {.prefix_length = 32 + 64, .port_id = 9};
	const uint32_t one = 1;

	key.address.byte[0] = 0xfd;
	vd_plan_record_init(&record, VD_PLAN_KIND_SOURCE);
	record.source.port = 9;
	assert_int_equal(vd_prefix_parse("fd00::/64", &record.source.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_SOURCE6, key, one);
}

static void test_domain_brings_its_segment_and_its_share(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const uint32_t id = 7, vni = 1007;
	const struct vd_domain_value domain = {.vni = 1007, .mtu = 1450};
	const struct vd_segment_value segment = {.domain = 7};
	const struct vd_share_value share = {.limit = 5000};

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = 7;
	record.domain.vni = 1007;
	record.domain.mtu = 1450;
	assert_int_equal(vd_encode_record(&record, 5000, &entries), 0);
	assert_int_equal(entries.count, 3);
	ASSERT_ENTRY(&entries, VD_MAP_DOMAIN, id, domain);
	ASSERT_ENTRY(&entries, VD_MAP_SEGMENT, vni, segment);
	ASSERT_ENTRY(&entries, VD_MAP_SHARE, id, share);
}

static void test_hosts_of_one_vtep_are_one_vtep(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	assert_int_equal(vd_address_parse("192.0.2.9", &record.tunnel_host.vtep), 0);
	for (record.tunnel_host.host = 50; record.tunnel_host.host < 52; record.tunnel_host.host++)
		assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	vd_entries_sort(&entries);
	assert_int_equal(entries.count, 3);
	only(&entries, VD_MAP_VTEP);
}

/* A policy's masks, a remote end and a block of ports, by the keys that the data plane looks up. */
static void test_policy_is_found_by_remote_end_and_port(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const struct vd_policy_key policy_key = {.identity = 9, .direction = VD_POLICY_DIRECTION_EGRESS};
	const struct vd_policy_value policy = {.open = 1,
					       .only_spans = 0x7fe,
					       .lengths4 = 1ull << 24,
					       .identity_lengths4 = 1,
					       .lengths6 = {1, 2, 3},
					       .identity_lengths6 = {4, 5, 6}};
	const struct vd_remote_key remote_key = {.identity = 9,
						 .direction = VD_POLICY_DIRECTION_INGRESS,
						 .remote_identity = 5,
						 .family = 4,
						 .length = 24,
						 .prefix.byte = {10}};
	const struct vd_remote_value remote = {.any_rule = 77, .tcp_lengths = 1, .udp_lengths = 2, .icmp_lengths = 4};
	const struct vd_allow_key allow_key = {.remote = remote_key, .protocol = 6, .length = 15, .port = 80};
	const uint32_t rule = 78;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY);
	record.policy = (struct vd_plan_policy){.identity = 9,
						.direction = VD_PLAN_DIRECTION_EGRESS,
						.open = true,
						.more = 0x801,
						.lengths4 = 1ull << 24,
						.identity_lengths4 = 1,
						.lengths6 = {1, 2, 3},
						.identity_lengths6 = {4, 5, 6}};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_POLICY, policy_key, policy);

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_REMOTE);
	record.policy_remote = (struct vd_plan_policy_remote){.identity = 9,
							      .direction = VD_PLAN_DIRECTION_INGRESS,
							      .remote_identity = 5,
							      .any_rule = 77,
							      .tcp_lengths = 1,
							      .udp_lengths = 2,
							      .icmp_lengths = 4};
	assert_int_equal(vd_prefix_parse("10.0.0.0/24", &record.policy_remote.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_REMOTE, remote_key, remote);

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_PORT);
	record.policy_port = (struct vd_plan_policy_port){.identity = 9,
							  .direction = VD_PLAN_DIRECTION_INGRESS,
							  .remote_identity = 5,
							  .protocol = 6,
							  .length = 15,
							  .port = 80,
							  .rule = 78};
	assert_int_equal(vd_prefix_parse("10.0.0.0/24", &record.policy_port.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_ALLOW, allow_key, rule);
}

/* The narrow blocks of a remote end stand in a span too, and it says so where there are any. */
static void test_narrow_blocks_are_found_in_a_span(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const struct vd_remote_key remote_key = {
		.identity = 9, .direction = VD_POLICY_DIRECTION_INGRESS, .family = 4, .length = 24, .prefix.byte = {10}};
	const struct vd_remote_value remote = {
		.tcp_lengths = 1 << 8 | VD_POLICY_SPANS, .udp_lengths = 1 << 7, .icmp_lengths = 1 << 16 | VD_POLICY_SPANS};
	const struct vd_allow_key span_key = {.remote = remote_key, .protocol = 6, .length = 7, .port = 512};
	const struct vd_span_value span = {.ports = {1, [7] = 1ULL << 63}};

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_REMOTE);
	record.policy_remote = (struct vd_plan_policy_remote){.identity = 9,
							      .direction = VD_PLAN_DIRECTION_INGRESS,
							      .tcp_lengths = 1 << 8,
							      .udp_lengths = 1 << 7,
							      .icmp_lengths = 1 << 16};
	assert_int_equal(vd_prefix_parse("10.0.0.0/24", &record.policy_remote.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_REMOTE, remote_key, remote);

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_SPAN);
	record.policy_span = (struct vd_plan_policy_span){
		.identity = 9, .direction = VD_PLAN_DIRECTION_INGRESS, .protocol = 6, .port = 512, .ports = {1, [7] = 1ULL << 63}};
	assert_int_equal(vd_prefix_parse("10.0.0.0/24", &record.policy_span.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_SPAN, span_key, span);
}

/* A filtered port says so by its interface, its address by its identity. */
static void test_port_and_endpoint_carry_their_identity(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_port_value port;
	struct vd_endpoint_value endpoint;

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port = (struct vd_plan_port){.port = 9, .ifindex = 42, .policy = 33, .dhcp = true};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	memcpy(&port, only(&entries, VD_MAP_PORT)->value, sizeof(port));
	assert_int_equal(port.policy, 33);
	assert_int_equal(port.flags, VD_PORT_FLAG_DHCP);

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint = (struct vd_plan_endpoint){.domain = 7, .port = 9, .place = VD_PLAN_PLACE_HERE, .identity = 33};
	assert_int_equal(vd_address_parse("10.0.0.2", &record.endpoint.address), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	memcpy(&endpoint, only(&entries, VD_MAP_ENDPOINT4)->value, sizeof(endpoint));
	assert_int_equal(endpoint.identity, 33);
}

/* A provider network's records, each as the bytes that the uplink's program reads. */
static void test_network_is_found_by_id_and_by_uplink(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const uint32_t id = 90;
	const struct vd_network_value network = {.ifindex = 5, .mtu = 1500, .vlan = 100, .mac = {2, 9, 0, 0, 0, 1}};
	const struct vd_uplink_key uplink_key = {.ifindex = 5, .vlan = 100};
	const struct vd_uplink_value uplink = {.network = 90, .domain = 90, .subnet = 90};
	const uint32_t subnet_id = 8;
	const struct vd_subnet_value subnet = {
		.domain = 7, .uplink_ifindex = 5, .vlan = 100, .flags = VD_SUBNET_FLAG_BRIDGED | VD_SUBNET_FLAG_NETWORK};

	vd_plan_record_init(&record, VD_PLAN_KIND_NETWORK);
	record.network =
		(struct vd_plan_network){.network = 90, .ifindex = 5, .vlan = 100, .mtu = 1500, .mac = {{2, 9, 0, 0, 0, 1}}};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_NETWORK, id, network);
	vd_plan_record_init(&record, VD_PLAN_KIND_SEGMENT);
	record.segment = (struct vd_plan_segment){.ifindex = 5, .vlan = 100, .network = 90, .domain = 90, .subnet = 90};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_UPLINK, uplink_key, uplink);
	vd_plan_record_init(&record, VD_PLAN_KIND_SUBNET);
	record.subnet = (struct vd_plan_subnet){
		.subnet = 8, .domain = 7, .bridged = true, .is_network = true, .uplink_ifindex = 5, .vlan = 100};
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_SUBNET, subnet_id, subnet);
}

static void test_exit_says_where_and_how(void **state)
{
	VD_ENTRIES struct vd_entries here = {}, there = {};
	struct vd_plan_record record;
	const struct vd_exit_key key = {.domain = 7, .exit = 90};
	struct vd_exit_value value = {.network = 90, .flags = VD_EXIT_FLAG_HERE | VD_EXIT_FLAG_TRANSLATE, .next_hop_family = 6};
	struct vd_exit_value other = {.network = 90, .host = 50};

	vd_plan_record_init(&record, VD_PLAN_KIND_EXIT);
	record.exit = (struct vd_plan_exit){.domain = 7, .exit = 90, .network = 90, .here = true, .host = 49, .translate = true};
	assert_int_equal(vd_address_parse("203.0.113.2", &record.exit.vip4), 0);
	assert_int_equal(vd_address_parse("fe80::1", &record.exit.next_hop6), 0);
	memcpy(&value.vip4, (uint8_t[]){203, 0, 113, 2}, 4);
	value.next_hop.byte[0] = 0xfe;
	value.next_hop.byte[1] = 0x80;
	value.next_hop.byte[15] = 1;
	assert_int_equal(vd_encode_record(&record, 0, &here), 0);
	ASSERT_ENTRY(&here, VD_MAP_EXIT, key, value);
	record.exit = (struct vd_plan_exit){.domain = 7, .exit = 90, .network = 90, .host = 50};
	assert_int_equal(vd_encode_record(&record, 0, &there), 0);
	ASSERT_ENTRY(&there, VD_MAP_EXIT, key, other);
}

static void test_route_to_an_exit_names_it(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	const struct vd_route6_key key = {.prefix_length = 64, .domain = 7};
	const struct vd_route_value value = {.type = VD_ROUTE_TYPE_EXIT, .is_default = 1, .exit = 90};

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route = (struct vd_plan_route){.domain = 7, .type = VD_PLAN_ROUTE_TYPE_EXIT, .exit = 90, .is_default = true};
	assert_int_equal(vd_prefix_parse("::/0", &record.route.destination), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_ROUTE6, key, value);
}

/* One of several of a map, by itself. */
static const struct vd_entries *nth(const struct vd_entries *entries, size_t index)
{
	static struct vd_entries one;

	assert_true(index < entries->count);
	one = (struct vd_entries){.items = &entries->items[index], .count = 1};
	return &one;
}

/* R-PEER-2: one way there, one back. */
static void test_alias_stands_in_both_directions(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_alias4_key key = {.prefix_length = 96 + 16, .domain = 7, .peer = 9, .type = VD_ALIAS_SEEN};
	struct vd_alias6_key key6 = {.prefix_length = 96 + 48, .domain = 7, .peer = 9, .type = VD_ALIAS_OWN};
	struct vd_alias_value value = {.length = 16}, value6 = {.length = 48};

	memcpy(&key.address, (uint8_t[]){192, 168, 0, 0}, 4);
	memcpy(value.prefix.byte, (uint8_t[]){100, 64, 0, 0}, 4);
	vd_plan_record_init(&record, VD_PLAN_KIND_ALIAS);
	record.alias = (struct vd_plan_alias){.domain = 7, .peer = 9};
	assert_int_equal(vd_prefix_parse("192.168.0.0/16", &record.alias.prefix), 0);
	assert_int_equal(vd_prefix_parse("100.64.0.0/16", &record.alias.as), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	assert_int_equal(entries.count, 2);
	ASSERT_ENTRY(nth(&entries, 0), VD_MAP_ALIAS4, key, value);
	key.type = VD_ALIAS_OWN;
	memcpy(&key.address, (uint8_t[]){100, 64, 0, 0}, 4);
	memcpy(value.prefix.byte, (uint8_t[]){192, 168, 0, 0}, 4);
	ASSERT_ENTRY(nth(&entries, 1), VD_MAP_ALIAS4, key, value);
	memcpy(key6.address.byte, (uint8_t[]){0xfd, 0, 0, 2}, 4);
	memcpy(value6.prefix.byte, (uint8_t[]){0xfd, 0, 1, 0x92}, 4);
	assert_int_equal(vd_prefix_parse("fd00:192::/48", &record.alias.prefix), 0);
	assert_int_equal(vd_prefix_parse("fd00:2::/48", &record.alias.as), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	assert_int_equal(entries.count, 4);
	ASSERT_ENTRY(nth(&entries, 3), VD_MAP_ALIAS6, key6, value6);
}

static void test_forward_inward_and_next_hop(void **state)
{
	VD_ENTRIES struct vd_entries entries = {};
	struct vd_plan_record record;
	struct vd_forward_key forward_key = {.network = 90, .protocol = 6, .length = 15, .port = 80};
	struct vd_forward_value forward = {.id = 77, .port_id = 101, .allowed_length = 24, .to_port = 8080};
	struct vd_inward4_key inward_key = {.prefix_length = 32 + 16, .network = 90};
	struct vd_neighbour_key neighbour_key = {.network = 90};
	const struct vd_neighbour_value neighbour = {.family = 4};
	const uint32_t domain = 7;

	memcpy(forward_key.vip.byte, (uint8_t[]){203, 0, 113, 5}, 4);
	memcpy(forward.inner.byte, (uint8_t[]){10, 0, 1, 11}, 4);
	memcpy(forward.allowed.byte, (uint8_t[]){198, 51, 100, 0}, 4);
	memcpy(&inward_key.address, (uint8_t[]){10, 0, 0, 0}, 4);
	memcpy(neighbour_key.address.byte, (uint8_t[]){203, 0, 113, 1}, 4);
	vd_plan_record_init(&record, VD_PLAN_KIND_FORWARD);
	record.forward = (struct vd_plan_forward){
		.network = 90, .protocol = 6, .length = 15, .port = 80, .forward = 77, .port_id = 101, .to_port = 8080};
	assert_int_equal(vd_address_parse("203.0.113.5", &record.forward.vip), 0);
	assert_int_equal(vd_address_parse("10.0.1.11", &record.forward.inner), 0);
	assert_int_equal(vd_prefix_parse("198.51.100.0/24", &record.forward.allowed), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_FORWARD, forward_key, forward);
	vd_plan_record_init(&record, VD_PLAN_KIND_INWARD);
	record.inward = (struct vd_plan_inward){.network = 90, .domain = 7};
	assert_int_equal(vd_prefix_parse("10.0.0.0/16", &record.inward.prefix), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_INWARD4, inward_key, domain);
	vd_plan_record_init(&record, VD_PLAN_KIND_NEXT_HOP);
	record.next_hop.network = 90;
	assert_int_equal(vd_address_parse("203.0.113.1", &record.next_hop.address), 0);
	assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
	ASSERT_ENTRY(&entries, VD_MAP_NEIGHBOUR, neighbour_key, neighbour);
}

/* ---- entries that several records make ---- */

static struct vd_plan_record vip_record(const char *address, const char *inner, bool is_primary)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip = (struct vd_plan_vip){
		.network = 90, .vip = 60, .here = true, .host = 49, .domain = 7, .port = 101, .is_primary = is_primary};
	record.vip.type = inner ? VD_PLAN_VIP_TYPE_ELASTIC : VD_PLAN_VIP_TYPE_ROUTER;
	assert_int_equal(vd_address_parse(address, &record.vip.address), 0);
	if (inner)
		assert_int_equal(vd_address_parse(inner, &record.vip.inner), 0);
	return record;
}

static const struct vd_entry *find_elastic(const struct vd_entries *entries, uint32_t network)
{
	for (size_t i = 0; i < entries->count; i++) {
		struct vd_elastic_key key;

		memcpy(&key, entries->items[i].key, sizeof(key));
		if (entries->items[i].map == VD_MAP_ELASTIC && key.network == network)
			return &entries->items[i];
	}
	return NULL;
}

static uint8_t elastic_last_byte(const struct vd_entry *entry)
{
	struct vd_elastic_value value;

	assert_non_null(entry);
	memcpy(&value, entry->value, sizeof(value));
	assert_int_equal(value.network, 90);
	return value.vip.byte[3];
}

/* R-EIP-3: of an inner address's elastic IPs the primary one serves default routes; with one gone the other takes its place. */
static void test_elastic_ips_of_an_address_stand_in_for_each_other(void **state)
{
	struct vd_plan_record low = vip_record("203.0.113.5", "10.0.1.11", true);
	struct vd_plan_record high = vip_record("203.0.113.6", "10.0.1.11", false);
	struct vd_groups *groups = vd_groups_new();

	for (int with_low = 1; with_low >= 0; with_low--) {
		VD_ENTRIES struct vd_entries entries = {};

		if (with_low) {
			assert_int_equal(vd_groups_add(groups, &high), 0);
			assert_int_equal(vd_groups_add(groups, &low), 0);
		} else {
			vd_groups_remove(groups, &low);
		}
		assert_int_equal(vd_groups_encode_all(groups, &entries), 0);
		assert_int_equal(elastic_last_byte(find_elastic(&entries, 90)), with_low ? 5 : 6);
		assert_true(!find_elastic(&entries, 0) == !with_low);
		if (with_low)
			assert_int_equal(elastic_last_byte(find_elastic(&entries, 0)), 5);
	}
	vd_groups_free(groups);
}

static void test_virtual_ip_has_the_lengths_of_its_forwards(void **state)
{
	VD_ENTRIES struct vd_entries one = {}, two = {}, none = {};
	struct vd_plan_record vip = vip_record("203.0.113.5", NULL, false), forward;
	struct vd_groups *groups = vd_groups_new();
	struct vd_vip_value value;

	vd_plan_record_init(&forward, VD_PLAN_KIND_FORWARD);
	forward.forward.network = 90;
	forward.forward.vip = vip.vip.address;
	forward.forward.protocol = 17;
	forward.forward.length = 15;
	assert_int_equal(vd_groups_add(groups, &forward), 0); /* before its virtual IP */
	assert_int_equal(vd_groups_encode(groups, &forward, &none), 0);
	assert_int_equal(none.count, 0);
	assert_int_equal(vd_groups_add(groups, &vip), 0);
	forward.forward.protocol = 6;
	forward.forward.length = 16;
	assert_int_equal(vd_groups_add(groups, &forward), 0);
	assert_int_equal(vd_groups_add(groups, &forward), 0);
	assert_int_equal(vd_groups_encode(groups, &forward, &two), 0);
	memcpy(&value, only(&two, VD_MAP_VIP)->value, sizeof(value));
	assert_int_equal(value.forward_lengths_tcp, 1u << 16);
	assert_int_equal(value.forward_lengths_udp, 1u << 15);
	assert_int_equal(value.flags, VD_VIP_FLAG_HERE);
	assert_int_equal(value.host, 0);
	vd_groups_remove(groups, &forward);
	vd_groups_remove(groups, &forward);
	assert_int_equal(vd_groups_encode(groups, &vip, &one), 0);
	memcpy(&value, only(&one, VD_MAP_VIP)->value, sizeof(value));
	assert_int_equal(value.forward_lengths_tcp, 0);
	vd_groups_free(groups);
}

/* R-RTR-9: a table's policy routes are one value, by their priorities, whatever order they come in. */
static void test_policy_routes_of_a_table_stand_together(void **state)
{
	VD_ENTRIES struct vd_entries entries = {}, fewer = {};
	static const uint32_t priorities[] = {30, 10, 20};
	const struct vd_policy_routes_key key = {.domain = 7, .table = 3};
	struct vd_groups *groups = vd_groups_new();
	struct vd_plan_record record;
	const struct vd_policy_routes_value *value;

	for (size_t i = 0; i < 3; i++) {
		vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
		record.policy_route = (struct vd_plan_policy_route){
			.domain = 7, .table = 3, .priority = priorities[i], .policy_route = 100 + priorities[i], .protocol = 6};
		record.policy_route.route.type = VD_PLAN_ROUTE_TYPE_EXIT;
		record.policy_route.route.exit = 90;
		assert_int_equal(vd_prefix_parse("10.0.1.0/24", &record.policy_route.source), 0);
		assert_int_equal(vd_groups_add(groups, &record), 0);
	}
	assert_int_equal(vd_groups_encode(groups, &record, &entries), 0);
	assert_int_equal(entries.count, 1);
	assert_memory_equal(entries.items[0].key, &key, sizeof(key));
	assert_int_equal(entries.items[0].block_size, sizeof(*value));
	value = entries.items[0].block;
	assert_int_equal(value->count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(value->route[i].id, 110 + 10 * i);
		assert_int_equal(value->route[i].route.id, 110 + 10 * i); /* who decided, for drops and the trace */
		assert_int_equal(value->route[i].route.exit, 90);
		assert_int_equal(value->route[i].family, 4);
		assert_int_equal(value->route[i].source_length, 24);
	}
	vd_groups_remove(groups, &record);
	assert_int_equal(vd_groups_encode(groups, &record, &fewer), 0);
	value = fewer.items[0].block;
	assert_int_equal(value->count, 2);
	assert_int_equal(value->route[1].id, 130);
	assert_int_equal(value->route[2].id, 0);
	assert_false(vd_entry_value_equal(&entries.items[0], &fewer.items[0]));
	vd_groups_free(groups);
}

static struct vd_plan_record policy_record(uint32_t priority, uint32_t id)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
	record.policy_route.domain = 7;
	record.policy_route.priority = priority;
	record.policy_route.policy_route = id;
	record.policy_route.route.type = VD_PLAN_ROUTE_TYPE_BLACKHOLE;
	return record;
}

static void assert_policies(const struct vd_groups *groups, const uint32_t *ids, uint32_t count)
{
	VD_ENTRIES struct vd_entries entries = {};
	const struct vd_plan_record any = policy_record(1, 1);
	const struct vd_policy_routes_value *value;

	assert_int_equal(vd_groups_encode(groups, &any, &entries), 0);
	assert_int_equal(entries.count, count ? 1 : 0);
	if (!count)
		return;
	value = entries.items[0].block;
	assert_int_equal(value->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(value->route[i].id, ids[i]);
}

/* R-RTR-9: two tables that meet in one VPC have priorities each of their own: equal ones both stand, by id, and each goes alone. */
static void test_policy_routes_of_equal_priority_all_stand(void **state)
{
	static const uint32_t ids[] = {40, 11, 12, 13}, without[] = {40, 11, 13};
	const struct vd_plan_record records[] = {policy_record(10, 12), policy_record(10, 11), policy_record(5, 40),
						 policy_record(10, 13)};
	struct vd_groups *groups = vd_groups_new();

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(vd_groups_add(groups, &records[i]), 0);
	assert_policies(groups, ids, 4);
	vd_groups_remove(groups, &records[0]);
	assert_policies(groups, without, 3);
	for (size_t i = 0; i < 4; i++)
		vd_groups_remove(groups, &records[i]);
	assert_policies(groups, NULL, 0);
	vd_groups_free(groups);
}

/* Together they may be more than the data plane looks at: the last ones wait, the rest works. */
static void test_policy_routes_beyond_the_last_wait(void **state)
{
	uint32_t ids[VD_POLICY_ROUTES];
	struct vd_groups *groups = vd_groups_new();

	for (uint32_t i = 0; i <= VD_POLICY_ROUTES; i++) {
		struct vd_plan_record record = policy_record(1 + i, 100 + i);

		assert_int_equal(vd_groups_add(groups, &record), 0);
	}
	for (uint32_t i = 0; i < VD_POLICY_ROUTES; i++)
		ids[i] = 100 + i;
	assert_policies(groups, ids, VD_POLICY_ROUTES);
	for (uint32_t i = 0; i < VD_POLICY_ROUTES; i++)
		ids[i] = 101 + i;
	{
		struct vd_plan_record first = policy_record(1, 100);

		vd_groups_remove(groups, &first);
	}
	assert_policies(groups, ids, VD_POLICY_ROUTES);
	vd_groups_free(groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_is_found_by_interface_and_by_mac),
		cmocka_unit_test(test_endpoint_on_another_host_names_the_host),
		cmocka_unit_test(test_service_address_of_another_host_has_the_routers_mac),
		cmocka_unit_test(test_gateway_has_the_routers_mac_and_no_port),
		cmocka_unit_test(test_route_prefix_counts_domain_and_table),
		cmocka_unit_test(test_opened_source_prefix_counts_the_port),
		cmocka_unit_test(test_domain_brings_its_segment_and_its_share),
		cmocka_unit_test(test_policy_is_found_by_remote_end_and_port),
		cmocka_unit_test(test_narrow_blocks_are_found_in_a_span),
		cmocka_unit_test(test_port_and_endpoint_carry_their_identity),
		cmocka_unit_test(test_hosts_of_one_vtep_are_one_vtep),
		cmocka_unit_test(test_network_is_found_by_id_and_by_uplink),
		cmocka_unit_test(test_exit_says_where_and_how),
		cmocka_unit_test(test_route_to_an_exit_names_it),
		cmocka_unit_test(test_alias_stands_in_both_directions),
		cmocka_unit_test(test_forward_inward_and_next_hop),
		cmocka_unit_test(test_elastic_ips_of_an_address_stand_in_for_each_other),
		cmocka_unit_test(test_virtual_ip_has_the_lengths_of_its_forwards),
		cmocka_unit_test(test_policy_routes_of_a_table_stand_together),
		cmocka_unit_test(test_policy_routes_of_equal_priority_all_stand),
		cmocka_unit_test(test_policy_routes_beyond_the_last_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
