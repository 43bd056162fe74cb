/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <errno.h>
#include <malloc.h>

static void test_a_record_is_added_replaced_and_removed(void **state)
{
	struct vd_plan *plan = vd_plan_new();
	struct vd_plan_record record = endpoint(1, "10.0.0.2", 7), found;

	assert_int_equal(vd_plan_put(plan, &record), 1);
	assert_int_equal(vd_plan_put(plan, &record), 0);
	record.endpoint.port = 8;
	assert_int_equal(vd_plan_put(plan, &record), 1);
	assert_int_equal(vd_plan_count(plan, VD_PLAN_KIND_ENDPOINT), 1);

	record.endpoint.port = 0; /* only the key counts */
	assert_int_equal(vd_plan_get(plan, &record, &found), 0);
	assert_int_equal(found.endpoint.port, 8);

	assert_int_equal(vd_plan_remove(plan, &record), 1);
	assert_int_equal(vd_plan_remove(plan, &record), 0);
	assert_int_equal(vd_plan_get(plan, &record, &found), -ENOENT);
	assert_int_equal(vd_plan_count(plan, VD_PLAN_KIND_ENDPOINT), 0);
	vd_plan_free(plan);
}

static void test_it_prints_in_key_order_whatever_came_first(void **state)
{
	struct vd_plan_record records[] = {route(1, 0, "10.0.0.0/8"), endpoint(1, "10.0.0.3", 8), domain(1, 1450),
					   endpoint(1, "10.0.0.2", 7)};
	struct vd_plan *plan = vd_plan_new();
	char *text;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(vd_plan_put(plan, &records[i]), 1);
	text = TEXT_OF(vd_plan_print(plan, file));
	assert_string_equal(text, "domain domain=1 mtu=1450 name=demo\n"
				  "endpoint domain=1 address=10.0.0.2 port=7 place=here\n"
				  "endpoint domain=1 address=10.0.0.3 port=8 place=here\n"
				  "route domain=1 table=0 destination=10.0.0.0/8 type=blackhole\n");
	free(text);
	vd_plan_free(plan);
}

static int stop_at_second(const struct vd_plan_record *record, void *userdata)
{
	return ++*(int *)userdata == 2 ? 42 : 0;
}

static void test_a_visit_may_end_the_walk(void **state)
{
	struct vd_plan *plan = vd_plan_new();
	int visits = 0;

	for (uint32_t i = 0; i < 5; i++) {
		struct vd_plan_record record = endpoint(i, "10.0.0.2", 7);

		vd_plan_put(plan, &record);
	}
	assert_int_equal(vd_plan_each(plan, VD_PLAN_KIND_ENDPOINT, stop_at_second, &visits), 42);
	assert_int_equal(visits, 2);
	vd_plan_free(plan);
}

/* A daemon with 10,000 ports has 150 MiB for everything. */
static void test_ten_thousand_endpoints_are_small(void **state)
{
	struct vd_plan *plan = vd_plan_new();
	size_t before = mallinfo2().uordblks;

	for (uint32_t i = 0; i < 10000; i++) {
		struct vd_plan_record record = endpoint(1, "10.0.0.0", i);

		record.endpoint.address = vd_address_add(&record.endpoint.address, i);
		vd_plan_put(plan, &record);
	}
	assert_int_equal(vd_plan_count(plan, VD_PLAN_KIND_ENDPOINT), 10000);
	assert_true(mallinfo2().uordblks - before < 10000 * 128);
	vd_plan_free(plan);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_is_added_replaced_and_removed),
		cmocka_unit_test(test_it_prints_in_key_order_whatever_came_first),
		cmocka_unit_test(test_a_visit_may_end_the_walk),
		cmocka_unit_test(test_ten_thousand_endpoints_are_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
