/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/keeper_rules.h"

#include <string.h>

static struct vd_prefix prefix(const char *text)
{
	struct vd_prefix result;

	assert_int_equal(vd_prefix_parse(text, &result), 0);
	return result;
}

static struct vd_plan_record block(uint32_t domain, const char *text, bool masquerade)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_BLOCK);
	record.block.domain = domain;
	record.block.prefix = prefix(text);
	record.block.masquerade = masquerade;
	return record;
}

static struct vd_plan_record exempt(uint32_t domain, const char *text)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_EXEMPT);
	record.exempt.domain = domain;
	record.exempt.prefix = prefix(text);
	return record;
}

static struct vd_plan_record route(uint32_t domain, const char *text, const char *next_hop)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_HOST_ROUTE);
	record.host_route.domain = domain;
	record.host_route.prefix = prefix(text);
	if (next_hop)
		assert_int_equal(vd_address_parse(next_hop, &record.host_route.next_hop), 0);
	return record;
}

static int take(struct vd_keeper_book *book, const struct vd_plan_record *before, const struct vd_plan_record *after)
{
	const struct vd_plan_step step = {.before = (struct vd_plan_record *)before, .after = (struct vd_plan_record *)after};

	return vd_keeper_book_step(book, &step);
}

static void add(struct vd_keeper_book *book, struct vd_plan_record record)
{
	assert_int_equal(take(book, NULL, &record), 1);
}

static void test_blocks_and_exempt_are_in_order_whatever_came_first(void **state)
{
	const struct vd_prefix first = prefix("10.0.2.0/24"), second = prefix("10.0.4.0/24"), own = prefix("10.0.0.0/16");
	struct vd_keeper_book book = {0};
	struct vd_firewall_rules rules;

	add(&book, block(5, "10.0.4.0/24", true));
	add(&book, exempt(5, "192.168.0.0/16"));
	add(&book, block(5, "10.0.2.0/24", false));
	add(&book, exempt(5, "10.0.0.0/16"));
	add(&book, route(5, "10.0.2.0/24", NULL));
	assert_int_equal(vd_keeper_book_rules(&book, &rules), 0);
	assert_int_equal(rules.block_count, 2);
	assert_true(vd_prefix_equal(&rules.blocks[0].prefix, &first) && !rules.blocks[0].masquerade);
	assert_true(vd_prefix_equal(&rules.blocks[1].prefix, &second) && rules.blocks[1].masquerade);
	assert_int_equal(rules.exempt_count, 2);
	assert_true(vd_prefix_equal(&rules.exempt[0].prefix, &own));
	/* Into our own host port nothing is passed on. */
	assert_int_equal(rules.transit_count, 0);
	vd_keeper_rules_done(&rules);
	vd_keeper_book_done(&book);
}

/* R-CTR-3: who joins costs the others no rule. */
static void test_a_hundred_routes_are_one_transit(void **state)
{
	const struct vd_prefix own = prefix("10.0.0.0/16");
	struct vd_keeper_book book = {0};
	struct vd_firewall_rules rules;
	char text[32];

	add(&book, exempt(5, "10.0.0.0/16"));
	add(&book, exempt(6, "0.0.0.0/0"));
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "10.0.%d.0/24", i);
		add(&book, route(5, text, "192.168.0.3"));
	}
	assert_int_equal(vd_keeper_book_rules(&book, &rules), 0);
	assert_int_equal(rules.transit_count, 1);
	assert_true(vd_prefix_equal(&rules.transit[0].prefix, &own));
	vd_keeper_rules_done(&rules);
	vd_keeper_book_done(&book);
}

/* R-CTR-4: a gateway that is no node has routes alone. */
static void test_a_gateway_passes_on_what_it_has_routes_to(void **state)
{
	struct vd_keeper_book book = {0};
	struct vd_firewall_rules rules;

	add(&book, route(5, "10.0.2.0/24", "192.168.0.3"));
	add(&book, route(5, "10.0.3.0/24", "192.168.0.4"));
	assert_int_equal(vd_keeper_book_rules(&book, &rules), 0);
	assert_int_equal(rules.transit_count, 2);
	assert_int_equal(rules.block_count + rules.exempt_count, 0);
	vd_keeper_rules_done(&rules);
	vd_keeper_book_done(&book);
}

static void test_what_goes_is_forgotten(void **state)
{
	struct vd_plan_record before = route(5, "10.0.2.0/24", "192.168.0.3"), after = route(6, "10.0.2.0/24", "192.168.0.3");
	struct vd_plan_record held = block(5, "10.0.2.0/24", true), other;
	struct vd_keeper_book book = {0};
	struct vd_firewall_rules rules;

	add(&book, before);
	/* Its key in the plan is its prefix alone: it is another network's now. */
	assert_int_equal(take(&book, &before, &after), 1);
	assert_int_equal(vd_keeper_book_rules(&book, &rules), 0);
	assert_int_equal(rules.transit_count, 1);
	assert_int_equal(rules.transit[0].domain, 6);
	vd_keeper_rules_done(&rules);

	assert_int_equal(take(&book, &after, NULL), 1);
	add(&book, held);
	held.block.masquerade = false;
	assert_int_equal(take(&book, &held, &held), 1);
	assert_int_equal(vd_keeper_book_rules(&book, &rules), 0);
	assert_int_equal(rules.block_count, 1);
	assert_false(rules.blocks[0].masquerade);
	assert_int_equal(rules.transit_count, 0);
	vd_keeper_rules_done(&rules);
	assert_int_equal(take(&book, &held, NULL), 1);
	assert_null(book.items);

	vd_plan_record_init(&other, VD_PLAN_KIND_PORT);
	assert_int_equal(take(&book, NULL, &other), 0);
	vd_keeper_book_done(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_and_exempt_are_in_order_whatever_came_first),
		cmocka_unit_test(test_a_hundred_routes_are_one_transit),
		cmocka_unit_test(test_a_gateway_passes_on_what_it_has_routes_to),
		cmocka_unit_test(test_what_goes_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
