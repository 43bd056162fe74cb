/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/relation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NODES 1000

static unsigned released;

static void count_release(struct vd_table_node *node)
{
	released++;
}

static unsigned count_hash(const struct vd_table *table, uint64_t hash)
{
	unsigned count = 0;

	for (struct vd_table_node *node = vd_table_first(table, hash); node; node = vd_table_next(node))
		count++;
	return count;
}

/* Every hash stands for two nodes, and hashes differ in high bits only for some: growing and removing lose none. */
static void test_nodes_with_one_hash_are_all_found(void **state)
{
	static struct vd_table_node nodes[NODES];
	struct vd_table table = {};

	assert_null(vd_table_first(&table, 1));
	for (uint64_t i = 0; i < NODES; i++)
		assert_int_equal(vd_table_add(&table, &nodes[i], i / 2 << (i % 4 < 2 ? 0 : 32)), 0);
	for (uint64_t i = 0; i < NODES; i += 2)
		assert_int_equal(count_hash(&table, nodes[i].hash), 2);
	for (uint64_t i = 0; i < NODES; i += 2)
		vd_table_remove(&table, &nodes[i]);
	for (uint64_t i = 1; i < NODES; i += 2)
		assert_int_equal(count_hash(&table, nodes[i].hash), 1);
	vd_table_clear(&table, count_release);
	assert_int_equal(released, NODES / 2);
	assert_null(vd_table_first(&table, nodes[1].hash));
}

static int collect(const struct vd_pair *pair, void *userdata)
{
	strcat(userdata, pair->vpc);
	strcat(userdata, pair->other);
	return 0;
}

static void test_a_pair_stands_until_its_last_count(void **state)
{
	struct vd_relation relation = {};
	struct vd_pair *first, *second, *third;
	char text[64] = "";

	assert_int_equal(vd_relation_add(&relation, "p", "v", "h", &first), 1);
	assert_int_equal(vd_relation_add(&relation, "p", "v", "h", &second), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(vd_relation_add(&relation, "q", "w", "h", &third), 1);

	vd_relation_each_of_vpc(&relation, "p", "v", collect, text);
	assert_string_equal(text, "vh");
	*text = '\0';
	vd_relation_each_of_other(&relation, "q", "h", collect, text);
	assert_string_equal(text, "wh");

	vd_relation_release(&relation, first);
	assert_true(vd_relation_has(&relation, "p", "v", "h"));
	vd_relation_release(&relation, first);
	assert_false(vd_relation_has(&relation, "p", "v", "h"));
	assert_true(vd_relation_has(&relation, "q", "w", "h"));
	vd_relation_clear(&relation);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_with_one_hash_are_all_found),
		cmocka_unit_test(test_a_pair_stands_until_its_last_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
