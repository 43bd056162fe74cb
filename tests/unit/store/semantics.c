/* SPDX-License-Identifier: Apache-2.0 */
#include "semantics.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

static struct vd_store *store; /* the one under test */

#define assert_done(call) \
	do { \
		struct vd_error assert_error = {0}; \
		int assert_r = call; \
		if (assert_r < 0) \
			fail_msg("%s: %d %s", #call, assert_r, assert_error.text); \
	} while (0)

/* A refusal comes with a sentence. */
#define assert_refused(code, call) \
	do { \
		struct vd_error assert_error = {0}; \
		assert_int_equal(call, code); \
		assert_true(strlen(assert_error.text) > 10); \
	} while (0)

static struct vd_operation op_put(const char *key, const char *value)
{
	return (struct vd_operation){.type = VD_OPERATION_TYPE_PUT, .key = key, .value = value, .size = strlen(value)};
}

static struct vd_operation op_delete(const char *key, bool prefix)
{
	return (struct vd_operation){.type = VD_OPERATION_TYPE_DELETE, .key = key, .prefix = prefix};
}

static struct vd_operation op_range(const char *key, bool prefix)
{
	return (struct vd_operation){.type = VD_OPERATION_TYPE_RANGE, .key = key, .prefix = prefix};
}

static int64_t run(const struct vd_operation *operations, size_t count)
{
	struct vd_txn txn = {.success = operations, .success_count = count};
	struct vd_txn_result *result = NULL;
	int64_t revision;

	assert_done(vd_store_txn(store, &txn, &result, &assert_error));
	assert_true(result->succeeded);
	assert_int_equal(result->response_count, count);
	revision = result->revision;
	vd_txn_result_free(result);
	return revision;
}

int64_t store_put(struct vd_store *to, const char *key, const char *value, int64_t lease)
{
	struct vd_operation operation = op_put(key, value);
	struct vd_txn txn = {.success = &operation, .success_count = 1};
	struct vd_txn_result *result = NULL;
	int64_t revision;

	operation.lease = lease;
	assert_done(vd_store_txn(to, &txn, &result, &assert_error));
	revision = result->revision;
	vd_txn_result_free(result);
	return revision;
}

static int64_t put(const char *key, const char *value)
{
	return store_put(store, key, value, 0);
}

/* "key=value key=value" of a range. */
static char *range_text(const char *key, bool prefix, int64_t revision, size_t limit)
{
	struct vd_kvs *kvs = NULL;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_done(vd_store_range(store, key, prefix, revision, limit, &kvs, &assert_error));
	for (size_t i = 0; i < kvs->count; i++)
		fprintf(stream, "%s%s=%s", i ? " " : "", kvs->items[i].key, kvs->items[i].value);
	if (kvs->more)
		fputs(" more", stream);
	fclose(stream);
	vd_kvs_free(kvs);
	return text;
}

static void assert_range(const char *key, bool prefix, int64_t revision, size_t limit, const char *expected)
{
	VD_FREE char *text = range_text(key, prefix, revision, limit);

	assert_string_equal(text, expected);
}

static void test_range_finds_keys_by_name_and_prefix(void **state)
{
	put("/t/range/b", "2");
	put("/t/range/a", "1");
	put("/t/range/a/x", "3");
	put("/t/range0", "outside"); /* '0' comes right behind '/' */
	assert_range("/t/range/a", false, 0, 0, "/t/range/a=1");
	assert_range("/t/range/", true, 0, 0, "/t/range/a=1 /t/range/a/x=3 /t/range/b=2");
	assert_range("/t/range/", true, 0, 2, "/t/range/a=1 /t/range/a/x=3 more");
	assert_range("/t/range/", true, 0, 3, "/t/range/a=1 /t/range/a/x=3 /t/range/b=2");
	assert_range("/t/range/none", false, 0, 0, "");
	assert_range("/t/range/none", true, 0, 0, "");
}

static void test_range_from_continues_a_page(void **state)
{
	struct vd_kvs *kvs = NULL;

	put("/t/from/a", "1");
	put("/t/from/b", "2");
	put("/t/from/c", "3");
	assert_done(vd_store_range_from(store, "/t/from/", "/t/from/b", 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->count, 2);
	assert_string_equal(kvs->items[0].key, "/t/from/b");
	vd_kvs_free(kvs);
	assert_refused(-EINVAL, vd_store_range_from(store, "/t/from/", "/t/elsewhere", 0, 0, &kvs, &assert_error));
}

static void test_values_are_bytes(void **state)
{
	static const char bytes[] = {'a', '\0', '\xff', '\n', '"', '\0'};
	struct vd_operation operation = {
		.type = VD_OPERATION_TYPE_PUT, .key = "/t/bytes/ü \"", .value = bytes, .size = sizeof(bytes)};
	struct vd_operation empty = op_put("/t/bytes/empty", "");
	struct vd_kvs *kvs = NULL;

	run(&operation, 1);
	run(&empty, 1);
	assert_done(vd_store_range(store, "/t/bytes/", true, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->count, 2);
	assert_string_equal(kvs->items[0].key, "/t/bytes/empty");
	assert_int_equal(kvs->items[0].size, 0);
	assert_string_equal(kvs->items[0].value, "");
	assert_string_equal(kvs->items[1].key, "/t/bytes/ü \"");
	assert_int_equal(kvs->items[1].size, sizeof(bytes));
	assert_memory_equal(kvs->items[1].value, bytes, sizeof(bytes));
	assert_int_equal(kvs->items[1].value[sizeof(bytes)], 0);
	vd_kvs_free(kvs);
}

static void test_every_write_raises_the_revision_by_one(void **state)
{
	struct vd_operation operations[] = {op_put("/t/revision/a", "1"), op_put("/t/revision/b", "1")};
	struct vd_operation nothing = op_delete("/t/revision/none", true);
	int64_t first = put("/t/revision/a", "0");

	assert_int_equal(run(operations, 2), first + 1);
	assert_int_equal(run(&nothing, 1), first + 1);
	nothing = op_range("/t/revision/a", false);
	assert_int_equal(run(&nothing, 1), first + 1);
	assert_int_equal(run(NULL, 0), first + 1);
}

static void test_a_key_knows_its_revisions(void **state)
{
	int64_t first = put("/t/version/a", "1"), second = put("/t/version/a", "2");
	struct vd_operation operation = op_delete("/t/version/a", false);
	struct vd_kvs *kvs = NULL;

	assert_done(vd_store_range(store, "/t/version/a", false, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->items[0].create_revision, first);
	assert_int_equal(kvs->items[0].mod_revision, second);
	assert_int_equal(kvs->items[0].version, 2);
	assert_true(kvs->revision >= second);
	vd_kvs_free(kvs);
	run(&operation, 1);
	second = put("/t/version/a", "3");
	assert_done(vd_store_range(store, "/t/version/a", false, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->items[0].create_revision, second);
	assert_int_equal(kvs->items[0].version, 1);
	vd_kvs_free(kvs);
}

static void test_range_reads_the_past(void **state)
{
	int64_t one = put("/t/past/a", "1"), two = put("/t/past/b", "1"), three = put("/t/past/a", "2"), four;
	struct vd_operation operation = op_delete("/t/past/", true);

	four = run(&operation, 1);
	assert_range("/t/past/", true, one - 1, 0, "");
	assert_range("/t/past/", true, one, 0, "/t/past/a=1");
	assert_range("/t/past/", true, two, 0, "/t/past/a=1 /t/past/b=1");
	assert_range("/t/past/", true, three, 0, "/t/past/a=2 /t/past/b=1");
	assert_range("/t/past/", true, three, 1, "/t/past/a=2 more");
	assert_range("/t/past/", true, four, 0, "");
	assert_refused(-EINVAL, vd_store_range(store, "/t/past/", true, four + 1000000, 0, NULL, &assert_error));
}

static bool holds(struct vd_compare compare)
{
	struct vd_txn txn = {.compares = &compare, .compare_count = 1};
	struct vd_txn_result *result = NULL;
	bool succeeded;

	assert_done(vd_store_txn(store, &txn, &result, &assert_error));
	succeeded = result->succeeded;
	vd_txn_result_free(result);
	return succeeded;
}

static void test_compares(void **state)
{
	int64_t created, modified;

	created = put("/t/compare/a", "m");
	modified = put("/t/compare/a", "m");
#define NUMBER(target_, result_, number_) \
	((struct vd_compare){.key = "/t/compare/a", \
			     .target = VD_COMPARE_TARGET_##target_, \
			     .result = VD_COMPARE_RESULT_##result_, \
			     .number = number_})
	assert_true(holds(NUMBER(VERSION, EQUAL, 2)));
	assert_false(holds(NUMBER(VERSION, EQUAL, 1)));
	assert_true(holds(NUMBER(VERSION, GREATER, 1)));
	assert_false(holds(NUMBER(VERSION, GREATER, 2)));
	assert_true(holds(NUMBER(VERSION, LESS, 3)));
	assert_false(holds(NUMBER(VERSION, LESS, 2)));
	assert_true(holds(NUMBER(VERSION, NOT_EQUAL, 0)));
	assert_false(holds(NUMBER(VERSION, NOT_EQUAL, 2)));
	assert_true(holds(NUMBER(CREATE, EQUAL, created)));
	assert_false(holds(NUMBER(CREATE, EQUAL, modified)));
	assert_true(holds(NUMBER(MOD, EQUAL, modified)));
	assert_false(holds(NUMBER(MOD, EQUAL, created)));
	assert_true(holds(NUMBER(LEASE, EQUAL, 0)));
	assert_false(holds(NUMBER(LEASE, GREATER, 0)));
#undef NUMBER
#define VALUE(key_, result_, value_) \
	((struct vd_compare){.key = key_, \
			     .target = VD_COMPARE_TARGET_VALUE, \
			     .result = VD_COMPARE_RESULT_##result_, \
			     .value = value_, \
			     .size = strlen(value_)})
	assert_true(holds(VALUE("/t/compare/a", EQUAL, "m")));
	assert_false(holds(VALUE("/t/compare/a", EQUAL, "mm")));
	assert_true(holds(VALUE("/t/compare/a", LESS, "mm")));
	assert_true(holds(VALUE("/t/compare/a", GREATER, "")));
	assert_true(holds(VALUE("/t/compare/a", GREATER, "lz")));
	assert_false(holds(VALUE("/t/compare/none", NOT_EQUAL, "m")));
	assert_false(holds(VALUE("/t/compare/none", EQUAL, "")));
#undef VALUE
	assert_true(holds((struct vd_compare){.key = "/t/compare/none", .target = VD_COMPARE_TARGET_VERSION}));
	assert_true(holds((struct vd_compare){.key = "/t/compare/none", .target = VD_COMPARE_TARGET_MOD}));
}

static void test_txn_does_one_branch(void **state)
{
	struct vd_compare compare = {.key = "/t/txn/a", .target = VD_COMPARE_TARGET_VERSION, .number = 0};
	struct vd_operation success[] = {op_put("/t/txn/a", "1"), op_range("/t/txn/", true), op_put("/t/txn/b", "1")};
	struct vd_operation failure[] = {op_range("/t/txn/a", false), op_delete("/t/txn/b", false)};
	struct vd_txn txn = {&compare, 1, success, failure, 3, 2};
	struct vd_txn_result *result = NULL;

	assert_done(vd_store_txn(store, &txn, &result, &assert_error));
	assert_true(result->succeeded);
	assert_int_equal(result->response_count, 3);
	assert_int_equal(result->responses[0]->count, 0);
	/* A range sees what stands before it in the transaction, and nothing of what is behind. */
	assert_int_equal(result->responses[1]->count, 1);
	assert_string_equal(result->responses[1]->items[0].value, "1");
	assert_int_equal(result->responses[1]->items[0].mod_revision, result->revision);
	vd_txn_result_free(result);
	assert_done(vd_store_txn(store, &txn, &result, &assert_error));
	assert_false(result->succeeded);
	assert_int_equal(result->response_count, 2);
	assert_string_equal(result->responses[0]->items[0].key, "/t/txn/a");
	vd_txn_result_free(result);
	assert_range("/t/txn/", true, 0, 0, "/t/txn/a=1");
	txn.failure_count = 0;
	assert_refused(-EAGAIN, vd_store_txn(store, &txn, NULL, &assert_error));
}

static void test_what_is_too_large_or_double_is_refused(void **state)
{
	static char large[VD_STORE_REQUEST_SIZE_MAX];
	struct vd_operation many[VD_STORE_OPERATIONS_MAX + 1];
	struct vd_operation twice[] = {op_put("/t/limit/a", "1"), op_put("/t/limit/a", "2")};
	struct vd_operation overlap[] = {op_delete("/t/limit/", true), op_put("/t/limit/a", "2")};
	struct vd_operation big = {
		.type = VD_OPERATION_TYPE_PUT, .key = "/t/limit/big", .value = large, .size = sizeof(large) - 1000};
	char keys[VD_STORE_OPERATIONS_MAX + 1][32];
	struct vd_txn txn = {.success = many, .success_count = VD_STORE_OPERATIONS_MAX + 1};

	for (size_t i = 0; i < VD_STORE_OPERATIONS_MAX + 1; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/t/limit/%zu", i);
		many[i] = op_put(keys[i], "1");
	}
	assert_refused(-E2BIG, vd_store_txn(store, &txn, NULL, &assert_error));
	txn.success_count--;
	assert_done(vd_store_txn(store, &txn, NULL, &assert_error));
	txn = (struct vd_txn){.success = twice, .success_count = 2};
	assert_refused(-EINVAL, vd_store_txn(store, &txn, NULL, &assert_error));
	txn.success = overlap;
	assert_refused(-EINVAL, vd_store_txn(store, &txn, NULL, &assert_error));
	memset(large, 'x', sizeof(large));
	txn = (struct vd_txn){.success = &big, .success_count = 1};
	assert_done(vd_store_txn(store, &txn, NULL, &assert_error));
	big.size = sizeof(large);
	assert_refused(-E2BIG, vd_store_txn(store, &txn, NULL, &assert_error));
	overlap[0].key = "";
	overlap[0].prefix = false;
	txn.success = overlap;
	assert_refused(-EINVAL, vd_store_txn(store, &txn, NULL, &assert_error));
}

static void test_a_large_prefix_is_read_whole(void **state)
{
	char key[64];
	struct vd_kvs *kvs = NULL;

	/* More than one page, with values that make the pages heavy. */
	for (unsigned batch = 0; batch < 12; batch++) {
		struct vd_operation operations[100];
		char keys[100][64];

		for (unsigned i = 0; i < 100; i++) {
			snprintf(keys[i], sizeof(keys[i]), "/t/large/%05u", batch * 100 + i);
			operations[i] =
				op_put(keys[i], "some value that is not very short, to make the answer heavier than a page");
		}
		run(operations, 100);
	}
	assert_done(vd_store_range(store, "/t/large/", true, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->count, 1200);
	assert_false(kvs->more);
	for (unsigned i = 0; i < 1200; i++) {
		snprintf(key, sizeof(key), "/t/large/%05u", i);
		assert_string_equal(kvs->items[i].key, key);
	}
	vd_kvs_free(kvs);
}

static void test_watch_sees_changes_by_revision(void **state)
{
	struct recorder *recorder = recorder_new(store, "/t/watch/", 0);
	struct vd_operation both[] = {op_put("/t/watch/b", "1"), op_put("/t/watch/c", "1"), op_put("/t/watchman", "1")};
	struct vd_operation remove = op_delete("/t/watch/", true);
	VD_FREE char *text = NULL;

	put("/t/elsewhere", "1");
	put("/t/watch/a", "1");
	run(both, 3);
	put("/t/watch/a", "2");
	run(&remove, 1);
	assert_true(recorder_wait(recorder, 7, 10));
	text = recorder_text(recorder);
	assert_string_equal(text, "+/t/watch/a=1@1 +/t/watch/b=1@2 +/t/watch/c=1@2 +/t/watch/a=2@3 "
				  "-/t/watch/a@4 -/t/watch/b@4 -/t/watch/c@4");
	recorder_free(recorder);
}

static void test_watch_starts_in_the_past(void **state)
{
	struct recorder *recorder;
	VD_FREE char *text = NULL;
	int64_t start;

	put("/t/resume/a", "1");
	start = put("/t/resume/a", "2");
	put("/t/resume/a", "3");
	recorder = recorder_new(store, "/t/resume/", start);
	put("/t/resume/a", "4");
	assert_true(recorder_wait(recorder, 3, 10));
	text = recorder_text(recorder);
	assert_string_equal(text, "+/t/resume/a=2@1 +/t/resume/a=3@2 +/t/resume/a=4@3");
	recorder_free(recorder);
}

static void test_watch_keeps_up_with_many(void **state)
{
	struct recorder *recorder = recorder_new(store, "/t/many/", 0);
	char value[32];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(value, sizeof(value), "%u", i);
		put("/t/many/a", value);
	}
	assert_true(recorder_wait(recorder, 300, 20));
	assert_int_equal(recorder_count(recorder), 300);
	recorder_free(recorder);
}

static void test_a_lease_takes_its_keys_along(void **state)
{
	struct recorder *recorder = recorder_new(store, "/t/lease/", 0);
	int64_t lease = 0, other = 0, ttl = 0;
	struct vd_kvs *kvs = NULL;
	VD_FREE char *text = NULL;

	assert_done(vd_store_lease_grant(store, 600, &lease, &assert_error));
	assert_done(vd_store_lease_grant(store, 600, &other, &assert_error));
	assert_true(lease && other && lease != other);
	store_put(store, "/t/lease/a", "1", lease);
	store_put(store, "/t/lease/b", "1", lease);
	store_put(store, "/t/lease/b", "2", 0); /* a put without it detaches */
	store_put(store, "/t/lease/c", "1", other);
	assert_done(vd_store_range(store, "/t/lease/a", false, 0, 0, &kvs, &assert_error));
	assert_true(kvs->items[0].lease == lease);
	vd_kvs_free(kvs);
	assert_true(holds((struct vd_compare){.key = "/t/lease/a", .target = VD_COMPARE_TARGET_LEASE, .number = lease}));
	assert_done(vd_store_lease_keepalive(store, lease, &ttl, &assert_error));
	assert_int_equal(ttl, 600);
	assert_done(vd_store_lease_revoke(store, lease, &assert_error));
	assert_range("/t/lease/", true, 0, 0, "/t/lease/b=2 /t/lease/c=1");
	assert_true(recorder_wait(recorder, 5, 10));
	text = recorder_text(recorder);
	assert_string_equal(text, "+/t/lease/a=1@1 +/t/lease/b=1@2 +/t/lease/b=2@3 +/t/lease/c=1@4 -/t/lease/a@5");
	recorder_free(recorder);
	assert_refused(-ENOENT, vd_store_lease_keepalive(store, lease, &ttl, &assert_error));
	assert_refused(-ENOENT, vd_store_lease_revoke(store, lease, &assert_error));
	assert_done(vd_store_lease_revoke(store, other, &assert_error));
}

static void test_a_lease_that_is_not_kept_alive_ends(void **state)
{
	struct recorder *recorder = recorder_new(store, "/t/expire/", 0);
	struct vd_operation operation = op_put("/t/expire/b", "1");
	struct vd_txn txn = {.success = &operation, .success_count = 1};
	int64_t lease = 0, ttl;

	assert_done(vd_store_lease_grant(store, 4, &lease, &assert_error));
	store_put(store, "/t/expire/a", "1", lease);
	/* Kept alive for longer than its ttl first, and with time to spare. */
	for (unsigned i = 0; i < 10; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
		assert_done(vd_store_lease_keepalive(store, lease, &ttl, &assert_error));
	}
	assert_int_equal(recorder_count(recorder), 1);
	assert_true(recorder_wait(recorder, 2, 30));
	assert_range("/t/expire/", true, 0, 0, "");
	assert_refused(-ENOENT, vd_store_lease_keepalive(store, lease, &ttl, &assert_error));
	operation.lease = lease;
	assert_refused(-ENOENT, vd_store_txn(store, &txn, NULL, &assert_error));
	assert_range("/t/expire/", true, 0, 0, "");
	recorder_free(recorder);
}

static void test_what_is_compacted_is_told_so(void **state)
{
	int64_t first = put("/t/compact/a", "1"), last;
	struct recorder *recorder, *exact;
	struct vd_kvs *kvs = NULL;
	VD_FREE char *text = NULL;

	put("/t/compact/b", "1");
	put("/t/compact/a", "2");
	last = put("/t/compact/a", "3");
	put("/t/compact/a", "4");
	assert_done(vd_store_compact(store, last, &assert_error));
	assert_done(vd_store_compact(store, last, &assert_error)); /* already so */
	assert_refused(-EINVAL, vd_store_compact(store, last + 1000000, &assert_error));
	assert_refused(-ESTALE, vd_store_range(store, "/t/compact/", true, first, 0, &kvs, &assert_error));
	assert_range("/t/compact/", true, last, 0, "/t/compact/a=3 /t/compact/b=1");
	assert_range("/t/compact/", true, 0, 0, "/t/compact/a=4 /t/compact/b=1");
	recorder = recorder_new(store, "/t/compact/", first);
	assert_int_equal(recorder_compacted(recorder, 10), last);
	assert_int_equal(recorder_count(recorder), 0);
	recorder_free(recorder);
	exact = recorder_new(store, "/t/compact/", last);
	assert_true(recorder_wait(exact, 2, 10));
	text = recorder_text(exact);
	assert_string_equal(text, "+/t/compact/a=3@1 +/t/compact/a=4@2");
	recorder_free(exact);
}

int semantics_run(const char *name, struct vd_store *tested)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range_finds_keys_by_name_and_prefix),
		cmocka_unit_test(test_range_from_continues_a_page),
		cmocka_unit_test(test_values_are_bytes),
		cmocka_unit_test(test_every_write_raises_the_revision_by_one),
		cmocka_unit_test(test_a_key_knows_its_revisions),
		cmocka_unit_test(test_range_reads_the_past),
		cmocka_unit_test(test_compares),
		cmocka_unit_test(test_txn_does_one_branch),
		cmocka_unit_test(test_what_is_too_large_or_double_is_refused),
		cmocka_unit_test(test_a_large_prefix_is_read_whole),
		cmocka_unit_test(test_watch_sees_changes_by_revision),
		cmocka_unit_test(test_watch_starts_in_the_past),
		cmocka_unit_test(test_watch_keeps_up_with_many),
		cmocka_unit_test(test_a_lease_takes_its_keys_along),
		cmocka_unit_test(test_a_lease_that_is_not_kept_alive_ends),
		cmocka_unit_test(test_what_is_compacted_is_told_so),
	};

	store = tested;
	return _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
