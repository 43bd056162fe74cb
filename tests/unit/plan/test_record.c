/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

static void assert_prints(const struct vd_plan_record *record, const char *expected)
{
	char *text = TEXT_OF(vd_plan_record_print(record, file));

	assert_string_equal(text, expected);
	free(text);
}

static void test_an_endpoint_prints_what_it_has(void **state)
{
	struct vd_plan_record record = endpoint(3, "10.0.0.2", 7);

	record.endpoint.subnet = 4;
	record.endpoint.ifindex = 12;
	record.endpoint.mac = (struct vd_mac){{2, 0, 0, 0, 0, 1}};
	assert_prints(&record, "endpoint domain=3 address=10.0.0.2 port=7 subnet=4 place=here ifindex=12 mac=02:00:00:00:00:01");
}

static void test_a_key_prints_also_when_zero(void **state)
{
	struct vd_plan_record record = route(3, 0, "0.0.0.0/0");

	assert_prints(&record, "route domain=3 table=0 destination=0.0.0.0/0 type=blackhole");
}

static void test_a_port_prints_all_its_addresses(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = 7;
	record.port.type = VD_PLAN_PORT_TYPE_TAP;
	record.port.source_check = true;
	record.port.address_count = 2;
	vd_prefix_parse("10.0.0.2/24", &record.port.addresses[0]);
	vd_prefix_parse("fd00::2/64", &record.port.addresses[1]);
	strcpy(record.port.name, "ecs1");
	assert_prints(&record, "port port=7 type=tap source_check=true addresses=10.0.0.2/24,fd00::2/64 name=ecs1");
}

static void test_what_is_of_a_provider_network_prints(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip.network = 5;
	vd_address_parse("203.0.113.9", &record.vip.address);
	record.vip.vip = 40;
	record.vip.type = VD_PLAN_VIP_TYPE_ELASTIC;
	record.vip.is_primary = true;
	record.vip.host = 2;
	vd_address_parse("10.0.0.2", &record.vip.inner);
	assert_prints(&record, "vip network=5 address=203.0.113.9 vip=40 type=elastic is_primary=true host=2 inner=10.0.0.2");

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
	record.policy_route.domain = 3;
	record.policy_route.priority = 10;
	record.policy_route.policy_route = 41;
	record.policy_route.destination_port_first = record.policy_route.destination_port_last = 53;
	record.policy_route.route.type = VD_PLAN_ROUTE_TYPE_EXIT;
	record.policy_route.route.exit = 5;
	assert_prints(&record, "policy_route domain=3 table=0 priority=10 policy_route=41 destination_port_first=53 "
			       "destination_port_last=53 type=exit route.exit=5");
}

static void test_what_is_of_a_container_network_prints(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_BLOCK);
	record.block.domain = 5;
	vd_prefix_parse("10.0.2.0/24", &record.block.prefix);
	record.block.block = 40;
	vd_address_parse("10.0.2.1", &record.block.gateway);
	record.block.masquerade = true;
	assert_prints(&record, "block domain=5 prefix=10.0.2.0/24 block=40 gateway=10.0.2.1 masquerade=true");

	vd_plan_record_init(&record, VD_PLAN_KIND_EXEMPT);
	record.exempt.domain = 5;
	vd_prefix_parse("10.0.0.0/16", &record.exempt.prefix);
	assert_prints(&record, "exempt domain=5 prefix=10.0.0.0/16");

	vd_plan_record_init(&record, VD_PLAN_KIND_HOST_ROUTE);
	vd_prefix_parse("10.0.3.0/24", &record.host_route.prefix);
	vd_address_parse("192.168.10.11", &record.host_route.next_hop);
	record.host_route.domain = 5;
	record.host_route.block = 41;
	assert_prints(&record, "host_route prefix=10.0.3.0/24 next_hop=192.168.10.11 domain=5 block=41");

	record = route(5, 0, "10.0.3.0/24");
	record.route.type = VD_PLAN_ROUTE_TYPE_TUNNEL;
	record.route.host = 2;
	assert_prints(&record, "route domain=5 table=0 destination=10.0.3.0/24 type=tunnel host=2");
	record = route(6, 0, "10.1.0.0/16");
	record.route.type = VD_PLAN_ROUTE_TYPE_PEER;
	record.route.peer_domain = 7;
	assert_prints(&record, "route domain=6 table=0 destination=10.1.0.0/16 type=peer peer_domain=7");
}

static void test_a_policy_prints_its_lengths_as_numbers(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY);
	record.policy.identity = 40;
	record.policy.direction = VD_PLAN_DIRECTION_EGRESS;
	record.policy.lengths4 = 1 | 1ULL << 32;
	record.policy.lengths6[2] = 1;
	record.policy.identity_lengths6[0] = 1ULL << 63;
	assert_prints(&record, "policy identity=40 direction=egress lengths4=0,32 lengths6=128 identity_lengths6=63");
}

static void test_a_remote_and_its_ports_print(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_REMOTE);
	record.policy_remote.identity = 40;
	record.policy_remote.direction = VD_PLAN_DIRECTION_INGRESS;
	vd_prefix_parse("10.0.0.0/8", &record.policy_remote.prefix);
	record.policy_remote.any_rule = 9;
	record.policy_remote.tcp_lengths = 1 << 16 | 1;
	assert_prints(&record, "policy_remote identity=40 direction=ingress remote_identity=0 prefix=10.0.0.0/8 any_rule=9 "
			       "tcp_lengths=0,16");

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_PORT);
	record.policy_port.identity = 40;
	record.policy_port.direction = VD_PLAN_DIRECTION_INGRESS;
	record.policy_port.remote_identity = 41;
	vd_prefix_parse("::/0", &record.policy_port.prefix);
	record.policy_port.protocol = 6;
	record.policy_port.length = 16;
	record.policy_port.port = 22;
	record.policy_port.rule = 9;
	assert_prints(&record, "policy_port identity=40 direction=ingress remote_identity=41 prefix=::/0 protocol=tcp length=16 "
			       "port=22 rule=9");

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_SPAN);
	record.policy_span.identity = 40;
	record.policy_span.direction = VD_PLAN_DIRECTION_INGRESS;
	vd_prefix_parse("10.0.0.0/8", &record.policy_span.prefix);
	record.policy_span.protocol = 17;
	record.policy_span.port = 512;
	record.policy_span.ports[0] = 1 | 1ULL << 63;
	record.policy_span.ports[1] = 1;
	record.policy_span.ports[7] = 1ULL << 63;
	assert_prints(&record,
		      "policy_span identity=40 direction=ingress remote_identity=0 prefix=10.0.0.0/8 protocol=udp port=512 "
		      "ports=512,575-576,1023");
}

static void test_a_subnet_prints_its_services(void **state)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_SUBNET);
	record.subnet.subnet = 4;
	record.subnet.dhcp = true;
	record.subnet.lease = 86400;
	vd_address_parse("10.0.0.254", &record.subnet.dhcp_address);
	vd_address_parse("9.9.9.9", &record.subnet.dns[0]);
	vd_address_parse("2620:fe::9", &record.subnet.dns[1]);
	strcpy(record.subnet.domain_name, "demo.internal");
	assert_prints(&record, "subnet subnet=4 dhcp=true dhcp_address=10.0.0.254 lease=86400 dns=9.9.9.9,2620:fe::9 "
			       "domain_name=demo.internal");
}

/* Each field of the wider types is compared whole: a difference in the last bit is one. */
static void test_wide_fields_count_to_their_last_bit(void **state)
{
	struct vd_plan_record a, b;

	vd_plan_record_init(&a, VD_PLAN_KIND_POLICY);
	b = a;
	b.policy.identity_lengths6[2] = 1;
	assert_false(vd_plan_record_equal(&a, &b));
	b = a;
	b.policy.lengths4 = 1ULL << 32;
	assert_false(vd_plan_record_equal(&a, &b));

	vd_plan_record_init(&a, VD_PLAN_KIND_DOMAIN);
	b = a;
	b.domain.memory = 1ULL << 32;
	assert_false(vd_plan_record_equal(&a, &b));

	vd_plan_record_init(&a, VD_PLAN_KIND_SUBNET);
	b = a;
	vd_address_parse("9.9.9.9", &b.subnet.dns[VD_PLAN_DNS_SERVERS - 1]);
	assert_false(vd_plan_record_equal(&a, &b));
	b = a;
	memset(b.subnet.domain_name, 'a', VD_PLAN_DOMAIN_NAME_SIZE - 1);
	memset(a.subnet.domain_name, 'a', VD_PLAN_DOMAIN_NAME_SIZE - 2);
	assert_false(vd_plan_record_equal(&a, &b));

	vd_plan_record_init(&a, VD_PLAN_KIND_POLICY_PORT);
	b = a;
	b.policy_port.rule = 1;
	assert_int_equal(vd_plan_record_compare_key(&a, &b), 0);
	assert_false(vd_plan_record_equal(&a, &b));
	b = a;
	b.policy_port.port = 1 << 15;
	assert_int_not_equal(vd_plan_record_compare_key(&a, &b), 0);

	vd_plan_record_init(&a, VD_PLAN_KIND_POLICY_SPAN);
	b = a;
	b.policy_span.ports[7] = 1ULL << 63;
	assert_int_equal(vd_plan_record_compare_key(&a, &b), 0);
	assert_false(vd_plan_record_equal(&a, &b));
}

static void test_keys_order_by_kind_then_key(void **state)
{
	struct vd_plan_record records[] = {
		domain(9, 0),
		endpoint(1, "10.0.0.9", 0),
		endpoint(1, "10.0.0.10", 0),
		endpoint(1, "fd00::1", 0),
		endpoint(2, "10.0.0.1", 0),
		route(1, 0, "10.0.0.0/8"),
		route(1, 0, "10.0.0.0/9"),
		route(1, 1, "10.0.0.0/8"),
		name(1, "10.0.0.2"),
		name(1, "10.0.0.3"),
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		for (size_t j = 0; j < sizeof(records) / sizeof(records[0]); j++) {
			int order = vd_plan_record_compare_key(&records[i], &records[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void test_the_value_is_no_part_of_the_key_but_of_equality(void **state)
{
	struct vd_plan_record a = endpoint(1, "10.0.0.2", 7), b = endpoint(1, "10.0.0.2", 8);

	assert_int_equal(vd_plan_record_compare_key(&a, &b), 0);
	assert_false(vd_plan_record_equal(&a, &b));
	b.endpoint.port = 7;
	assert_true(vd_plan_record_equal(&a, &b));
	b.endpoint.tap = true;
	assert_false(vd_plan_record_equal(&a, &b));
}

static void test_bytes_between_fields_do_not_count(void **state)
{
	struct vd_plan_record a, b;

	memset(&b, 0xff, sizeof(b));
	vd_plan_record_init(&a, VD_PLAN_KIND_SOURCE);
	a.source.port = 1;
	b.kind = VD_PLAN_KIND_SOURCE;
	b.source.port = 1;
	b.source.prefix = a.source.prefix;
	assert_true(vd_plan_record_equal(&a, &b));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_endpoint_prints_what_it_has),
		cmocka_unit_test(test_a_key_prints_also_when_zero),
		cmocka_unit_test(test_a_port_prints_all_its_addresses),
		cmocka_unit_test(test_what_is_of_a_provider_network_prints),
		cmocka_unit_test(test_what_is_of_a_container_network_prints),
		cmocka_unit_test(test_a_policy_prints_its_lengths_as_numbers),
		cmocka_unit_test(test_a_remote_and_its_ports_print),
		cmocka_unit_test(test_a_subnet_prints_its_services),
		cmocka_unit_test(test_wide_fields_count_to_their_last_bit),
		cmocka_unit_test(test_keys_order_by_kind_then_key),
		cmocka_unit_test(test_the_value_is_no_part_of_the_key_but_of_equality),
		cmocka_unit_test(test_bytes_between_fields_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
