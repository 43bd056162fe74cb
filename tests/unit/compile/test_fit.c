/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/fit.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "10.0.0.0/24 1, …" (prefix, owner), sorted already. */
static size_t parse(const char *text, struct vd_fit_block *blocks)
{
	char copy[1024], *rest = copy, *item;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((item = strsep(&rest, ","))) {
		char prefix[VD_PREFIX_TEXT];

		blocks[count] = (struct vd_fit_block){};
		assert_int_equal(sscanf(item, "%49s %u", prefix, &blocks[count].owner), 2);
		assert_int_equal(vd_prefix_parse(prefix, &blocks[count].prefix), 0);
		count++;
	}
	return count;
}

/* expected: the routes in order, as "10.0.0.0/23 1". */
static void assert_fits(const char *text, size_t limit, const char *expected)
{
	struct vd_fit_block blocks[64];
	size_t count = parse(text, blocks), routes = vd_fit(blocks, count, limit);
	char written[1024] = "", prefix[VD_PREFIX_TEXT];

	for (size_t i = 0; i < count; i++)
		if (blocks[i].is_first)
			snprintf(written + strlen(written), sizeof(written) - strlen(written), "%s%s %u", written[0] ? "," : "",
				 vd_prefix_format(&blocks[i].route, prefix), blocks[i].owner);
	assert_string_equal(written, expected);
	assert_true(routes <= limit || routes == count);
}

static void test_each_has_its_own_while_there_is_room(void **state)
{
	assert_fits("10.0.0.0/24 1,10.0.1.0/24 1,10.0.2.0/24 2", 3, "10.0.0.0/24 1,10.0.1.0/24 1,10.0.2.0/24 2");
	assert_fits("10.0.0.0/24 1", 50, "10.0.0.0/24 1");
}

/* R-CTR-4: at the limit, neighbours of one owner become one route, and no more of them than needed. */
static void test_neighbours_become_one_route_when_needed(void **state)
{
	const char *blocks = "10.0.0.0/24 1,10.0.1.0/24 1,10.0.2.0/24 2,10.0.3.0/24 2";

	assert_fits(blocks, 3, "10.0.0.0/23 1,10.0.2.0/24 2,10.0.3.0/24 2");
	assert_fits(blocks, 2, "10.0.0.0/23 1,10.0.2.0/23 2");
	assert_fits("10.0.0.0/24 1,10.0.1.0/24 1,10.0.2.0/24 1,10.0.3.0/24 1", 1, "10.0.0.0/22 1");
	assert_fits("fd00::/112 1,fd00::1:0/112 1,fd00::2:0/112 2", 2, "fd00::/111 1,fd00::2:0/112 2");
}

/* 10.0.1.0 and 10.0.2.0 are neighbours, but 10.0.1.0/23 is no prefix; another owner's is no neighbour at all. */
static void test_only_what_is_one_prefix_and_one_owner_becomes_one(void **state)
{
	assert_fits("10.0.1.0/24 1,10.0.2.0/24 1", 1, "10.0.1.0/24 1");
	assert_fits("10.0.0.0/24 1,10.0.1.0/24 2", 1, "10.0.0.0/24 1");
	assert_fits("10.0.0.0/24 1,10.0.2.0/24 1", 1, "10.0.0.0/24 1");
}

static void test_an_address_that_moved_stands_between_neighbours(void **state)
{
	assert_fits("10.0.0.0/24 1,10.0.0.7/32 2,10.0.1.0/24 1", 2, "10.0.0.0/23 1,10.0.0.7/32 2");
	assert_fits("10.0.0.0/24 1,10.0.0.7/32 2,10.0.1.0/24 1", 1, "10.0.0.0/23 1");
}

static void test_routes_that_stand_for_most_blocks_stay(void **state)
{
	assert_fits("10.0.0.0/24 1,10.0.1.0/24 2,10.0.2.0/24 3,10.0.3.0/24 3", 2, "10.0.0.0/24 1,10.0.2.0/23 3");
	assert_fits("10.0.0.0/24 1,10.0.1.0/24 2", 0, "");
}

static uint64_t random_state = 1;

static unsigned number(unsigned below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)(random_state * 2685821657736338717u >> 33) % below;
}

static size_t choose_blocks(struct vd_fit_block *blocks)
{
	size_t count = 0;

	for (unsigned i = 0; i < 24; i++) {
		if (number(3) == 0)
			continue;
		blocks[count] = (struct vd_fit_block){.owner = 1 + number(3)};
		vd_prefix_parse("10.0.0.0/24", &blocks[count].prefix);
		blocks[count++].prefix.address.bytes[2] = (uint8_t)i;
		if (number(4) == 0) {
			blocks[count] = (struct vd_fit_block){.owner = 4, .prefix = blocks[count - 1].prefix};
			blocks[count].prefix.address.bytes[3] = 9;
			blocks[count++].prefix.length = 32;
		}
	}
	return count;
}

/* Whatever is asked: within the limit; a route covers its blocks; of each address the most specific route is its owner's or none. */
static void check_fit(const struct vd_fit_block *blocks, size_t count, size_t limit, size_t routes)
{
	size_t firsts = 0;

	for (size_t i = 0; i < count; i++) {
		const struct vd_fit_block *block = &blocks[i];

		firsts += block->is_first;
		if (block->route.address.family == VD_FAMILY_NONE) {
			assert_true(count > limit);
			continue;
		}
		assert_true(vd_prefix_covers(&block->route, &block->prefix));
		for (size_t j = 0; j < count; j++) {
			const struct vd_fit_block *other = &blocks[j];

			if (!other->is_first || other->owner == block->owner || !vd_prefix_covers(&other->route, &block->prefix))
				continue;
			assert_true(other->route.length < block->route.length);
		}
	}
	assert_int_equal(firsts, routes);
	assert_true(routes <= limit);
	assert_true(count > limit || routes == count);
}

static void test_whatever_is_asked_nobody_gets_anothers(void **state)
{
	struct vd_fit_block blocks[64];

	for (int i = 0; i < 20000; i++) {
		size_t count = choose_blocks(blocks), limit = number(30);

		check_fit(blocks, count, limit, vd_fit(blocks, count, limit));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own_while_there_is_room),
		cmocka_unit_test(test_neighbours_become_one_route_when_needed),
		cmocka_unit_test(test_only_what_is_one_prefix_and_one_owner_becomes_one),
		cmocka_unit_test(test_an_address_that_moved_stands_between_neighbours),
		cmocka_unit_test(test_routes_that_stand_for_most_blocks_stay),
		cmocka_unit_test(test_whatever_is_asked_nobody_gets_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
