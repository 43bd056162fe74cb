// SPDX-License-Identifier: Apache-2.0
/* Reading the flow cache while programs may write it: a map of slots as the programs leave them. Needs root, skipped without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/maps.h"
#include "datapath/cache.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 21 /* not whole pages */

struct seen {
	unsigned count, most;
	uint32_t ingress[SLOTS];
	uint64_t packets[SLOTS];
};

static int see(const void *key_bytes, const void *value, void *userdata)
{
	const struct vd_flow *flow = value;
	struct seen *seen = userdata;
	struct vd_flow4_key key;

	memcpy(&key, key_bytes, sizeof(key));
	seen->ingress[seen->count] = key.ingress;
	seen->packets[seen->count++] = flow->packets;
	return seen->count == seen->most ? 7 : 0;
}

static int map_make(uint32_t value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "test_cache", sizeof(uint32_t), value_size, SLOTS, &options);
}

static void put(int map, uint32_t number, uint32_t sequence)
{
	struct vd_flow_slot slot = {.sequence = sequence, .flow.packets = 100 + number};
	struct vd_flow4_key key = {.ingress = 200 + number};

	memcpy(slot.key, &key, sizeof(key));
	assert_int_equal(bpf_map_update_elem(map, &number, &slot, BPF_ANY), 0);
}

static void test_each_sees_what_stands(void **state)
{
	struct seen seen = {};
	int map = map_make(sizeof(struct vd_flow_slot));
	size_t count;

	assert_true(map >= 0);
	assert_int_equal(vd_cache_count(map, &count), 0);
	assert_int_equal(count, 0);
	put(map, 0, 2);
	put(map, 3, 5); /* being written */
	put(map, 4, 0); /* never used, whatever else it holds */
	put(map, SLOTS - 1, 4000000000u);
	assert_int_equal(vd_cache_each(map, see, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.ingress[0], 200);
	assert_int_equal(seen.packets[0], 100);
	assert_int_equal(seen.ingress[1], 200 + SLOTS - 1);
	assert_int_equal(seen.packets[1], 100 + SLOTS - 1);
	assert_int_equal(vd_cache_count(map, &count), 0);
	assert_int_equal(count, 2);
	close(map);
}

static void test_visitor_stops(void **state)
{
	struct seen seen = {.most = 2};
	int map = map_make(sizeof(struct vd_flow_slot));

	for (uint32_t i = 0; i < 5; i++)
		put(map, i, 2);
	assert_int_equal(vd_cache_each(map, see, &seen), 7);
	assert_int_equal(seen.count, 2);
	close(map);
}

static void test_another_builds_slots_are_refused(void **state)
{
	int map = map_make(sizeof(struct vd_flow_slot) + 64);
	size_t count;

	assert_int_equal(vd_cache_count(map, &count), -EINVAL);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_sees_what_stands),
		cmocka_unit_test(test_visitor_stops),
		cmocka_unit_test(test_another_builds_slots_are_refused),
	};

	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
