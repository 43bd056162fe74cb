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
		cmocka_unit_test(test_keys_order_by_kind_then_key),
		cmocka_unit_test(test_the_value_is_no_part_of_the_key_but_of_equality),
		cmocka_unit_test(test_bytes_between_fields_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
