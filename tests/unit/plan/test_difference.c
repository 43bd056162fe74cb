/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <errno.h>

static struct vd_plan *plan_of(const struct vd_plan_record *records, size_t count)
{
	struct vd_plan *plan = vd_plan_new();

	for (size_t i = 0; i < count; i++)
		assert_int_equal(vd_plan_put(plan, &records[i]), 1);
	return plan;
}

static void test_removals_go_backwards_then_additions_forwards(void **state)
{
	struct vd_plan_record old[] = {domain(1, 1450), domain(2, 1450), endpoint(2, "10.0.0.2", 7), route(2, 0, "10.0.0.0/8"),
				       domain(4, 1)};
	struct vd_plan_record new[] = {domain(1, 1400), domain(3, 1450), endpoint(3, "10.0.0.2", 7), domain(4, 1)};
	struct vd_plan *before = plan_of(old, 5), *after = plan_of(new, 4);
	struct vd_plan_difference *difference;
	char *text;

	assert_int_equal(vd_plan_compare(before, after, &difference), 0);
	assert_int_equal(difference->count, 6);
	text = TEXT_OF(vd_plan_difference_print(difference, file));
	assert_string_equal(text, "- route domain=2 table=0 destination=10.0.0.0/8 type=blackhole\n"
				  "- endpoint domain=2 address=10.0.0.2 port=7 place=here\n"
				  "- domain domain=2 mtu=1450 name=demo\n"
				  "- domain domain=1 mtu=1450 name=demo\n"
				  "+ domain domain=1 mtu=1400 name=demo\n"
				  "+ domain domain=3 mtu=1450 name=demo\n"
				  "+ endpoint domain=3 address=10.0.0.2 port=7 place=here\n");
	free(text);
	vd_plan_difference_free(difference);
	vd_plan_free(before);
	vd_plan_free(after);
}

static void test_applying_it_gives_the_other_plan(void **state)
{
	struct vd_plan_record old[] = {domain(1, 1450), endpoint(1, "10.0.0.2", 7), endpoint(1, "10.0.0.3", 8)};
	struct vd_plan_record new[] = {domain(2, 1450), endpoint(1, "10.0.0.3", 9)};
	struct vd_plan *before = plan_of(old, 3), *after = plan_of(new, 2);
	struct vd_plan_difference *difference, *rest;

	assert_int_equal(vd_plan_compare(before, after, &difference), 0);
	assert_int_equal(vd_plan_apply(before, difference), 0);
	assert_int_equal(vd_plan_compare(before, after, &rest), 0);
	assert_int_equal(rest->count, 0);
	/* The second time, what it expects no longer stands. */
	assert_int_equal(vd_plan_apply(before, difference), -ESTALE);

	vd_plan_difference_free(difference);
	vd_plan_difference_free(rest);
	vd_plan_free(before);
	vd_plan_free(after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removals_go_backwards_then_additions_forwards),
		cmocka_unit_test(test_applying_it_gives_the_other_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
