/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/neighbour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define NEVER UINT64_MAX

static void test_next_hop_of_the_plan_is_kept_known(void **state)
{
	assert_int_equal(vd_neighbour_care(true, false, NEVER, NEVER), VD_NEIGHBOUR_CARE_ASK);
	assert_int_equal(vd_neighbour_care(true, true, 19, NEVER), VD_NEIGHBOUR_CARE_NOTHING);
	assert_int_equal(vd_neighbour_care(true, true, 20, NEVER), VD_NEIGHBOUR_CARE_REFRESH);
	assert_int_equal(vd_neighbour_care(true, true, 40, NEVER), VD_NEIGHBOUR_CARE_ASK);
	/* However long it is silent. */
	assert_int_equal(vd_neighbour_care(true, true, 86400, NEVER), VD_NEIGHBOUR_CARE_ASK);
}

static void test_learnt_one_is_refreshed_while_it_is_wanted(void **state)
{
	assert_int_equal(vd_neighbour_care(false, true, 5, 5), VD_NEIGHBOUR_CARE_NOTHING);
	assert_int_equal(vd_neighbour_care(false, true, 20, 599), VD_NEIGHBOUR_CARE_REFRESH);
	assert_int_equal(vd_neighbour_care(false, true, 45, 599), VD_NEIGHBOUR_CARE_ASK);
	/* The data plane asks by itself when a packet comes. */
	assert_int_equal(vd_neighbour_care(false, false, NEVER, 4), VD_NEIGHBOUR_CARE_NOTHING);
}

static void test_one_that_nobody_needs_is_forgotten_after_ten_minutes(void **state)
{
	assert_int_equal(vd_neighbour_care(false, true, 599, 600), VD_NEIGHBOUR_CARE_NOTHING);
	assert_int_equal(vd_neighbour_care(false, true, 600, 600), VD_NEIGHBOUR_CARE_FORGET);
	/* It speaks by itself: it is there, and nobody has to ask. */
	assert_int_equal(vd_neighbour_care(false, true, 30, 5000), VD_NEIGHBOUR_CARE_NOTHING);
}

/* A scan must not fill the table. */
static void test_one_that_never_answered_is_forgotten_after_seconds(void **state)
{
	assert_int_equal(vd_neighbour_care(false, false, NEVER, 4), VD_NEIGHBOUR_CARE_NOTHING);
	assert_int_equal(vd_neighbour_care(false, false, NEVER, 5), VD_NEIGHBOUR_CARE_FORGET);
	assert_int_equal(vd_neighbour_care(true, false, NEVER, 5), VD_NEIGHBOUR_CARE_ASK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hop_of_the_plan_is_kept_known),
		cmocka_unit_test(test_learnt_one_is_refreshed_while_it_is_wanted),
		cmocka_unit_test(test_one_that_nobody_needs_is_forgotten_after_ten_minutes),
		cmocka_unit_test(test_one_that_never_answered_is_forgotten_after_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
