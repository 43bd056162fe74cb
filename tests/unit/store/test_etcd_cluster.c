/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"
#include "semantics.h"

#include "base/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

/* Three members, one of which dies or is stopped under change: no write is lost or done twice, and watches go on. */

static const struct vd_store_options options = {.insecure = true};

static struct vd_store *open_store(const char *url)
{
	struct vd_store *store = NULL;
	struct vd_error error = {0};

	if (vd_store_open(url, &options, &store, &error) < 0)
		fail_msg("%s", error.text);
	return store;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Counts a key up by compare-and-set, and leaves a record of its own for each step, as a writer with a request key does: after
 * a lost reply it looks for that record before it goes on.
 */
struct counter {
	struct vd_store *store;
	const char *key;
	unsigned number;
	atomic_uint done, unknown;
	atomic_bool stop;
	int64_t longest_ms; /* between two steps */
	pthread_t thread;
};

/* 0 and what the key holds, and whether the record is there; or that the store is away. */
static int counter_read(struct counter *counter, const char *record, unsigned *ret_value, int64_t *ret_revision, bool *ret_recorded)
{
	struct vd_kvs *kvs = NULL;
	int r = vd_store_range(counter->store, counter->key, false, 0, 0, &kvs, NULL);

	if (r < 0)
		return r;
	*ret_value = kvs->count ? (unsigned)atoi(kvs->items[0].value) : 0;
	*ret_revision = kvs->count ? kvs->items[0].mod_revision : 0;
	vd_kvs_free(kvs);
	r = vd_store_range(counter->store, record, false, 0, 0, &kvs, NULL);
	if (r < 0)
		return r;
	*ret_recorded = kvs->count > 0;
	vd_kvs_free(kvs);
	return 0;
}

static void counter_step(struct counter *counter)
{
	char record[64], text[16];
	struct vd_operation operations[2] = {
		{.type = VD_OPERATION_TYPE_PUT, .key = counter->key, .value = text},
		{.type = VD_OPERATION_TYPE_PUT, .key = record, .value = ""},
	};
	struct vd_compare compare = {.key = counter->key, .target = VD_COMPARE_TARGET_MOD};
	struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = operations, .success_count = 2};

	snprintf(record, sizeof(record), "%s-record/%u/%u", counter->key, counter->number, counter->done);
	while (!counter->stop) {
		bool recorded;
		unsigned value;
		int r;

		if (counter_read(counter, record, &value, &compare.number, &recorded) < 0)
			continue;
		if (recorded)
			break;
		operations[0].size = (size_t)snprintf(text, sizeof(text), "%u", value + 1);
		r = vd_store_txn(counter->store, &txn, NULL, NULL);
		if (r == 0)
			break;
		if (r != -EAGAIN)
			counter->unknown++;
	}
	if (!counter->stop)
		counter->done++;
}

static void *counter_run(void *userdata)
{
	struct counter *counter = userdata;

	while (!counter->stop) {
		int64_t begun = now_ms();

		counter_step(counter);
		if (now_ms() - begun > counter->longest_ms)
			counter->longest_ms = now_ms() - begun;
	}
	return NULL;
}

#define COUNTERS 3

static void counters_start(struct counter *counters, const char *url, const char *key)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		counters[i] = (struct counter){.store = open_store(url), .key = key, .number = i};
		assert_int_equal(pthread_create(&counters[i].thread, NULL, counter_run, &counters[i]), 0);
	}
}

/* Lets each count on, by this many steps. */
static void counters_let(struct counter *counters, unsigned steps)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		unsigned goal = counters[i].done + steps;
		int64_t deadline = now_ms() + 60000;

		while (counters[i].done < goal && now_ms() < deadline)
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		assert_true(counters[i].done >= goal);
	}
}

/* Each step was counted once, has its record, and was seen by the watch. */
static void counters_check(struct counter *counters, struct recorder *recorder, const char *prefix)
{
	struct vd_kvs *kvs = NULL;
	unsigned value = 0, records = 0;

	for (unsigned i = 0; i < COUNTERS; i++) {
		counters[i].stop = true;
		pthread_join(counters[i].thread, NULL);
	}
	/* A step that was stopped in the middle may have been done or not: what counts is the store. */
	assert_int_equal(vd_store_range(counters[0].store, prefix, true, 0, 0, &kvs, NULL), 0);
	for (size_t i = 0; i < kvs->count; i++) {
		if (strcmp(kvs->items[i].key, counters[0].key))
			records++;
		else
			value = (unsigned)atoi(kvs->items[i].value);
	}
	vd_kvs_free(kvs);
	assert_int_equal(value, records);
	for (unsigned i = 0; i < COUNTERS; i++) {
		assert_true(value >= counters[i].done);
		value -= counters[i].done;
		print_message("counter %u: %u steps, %u replies lost, longest step %lld ms\n", i, counters[i].done,
			      counters[i].unknown, (long long)counters[i].longest_ms);
		assert_true(counters[i].longest_ms < 30000);
		vd_store_close(counters[i].store);
	}
	assert_true(value <= COUNTERS);
	/* Two events for each step. */
	assert_true(recorder_wait(recorder, 2 * (size_t)records, 20));
	assert_int_equal(recorder_count(recorder), 2 * (size_t)records);
}

static void test_killed_member_loses_no_write(void **state)
{
	struct cluster *cluster = *state;
	struct vd_store *store = open_store(cluster_url(cluster));
	struct recorder *recorder = recorder_new(store, "/killed", 0);
	struct counter counters[COUNTERS];

	counters_start(counters, cluster_url(cluster), "/killed");
	counters_let(counters, 20);
	/* The leader, then the member that all of them talk to first. */
	for (unsigned i = 0; i < 2; i++) {
		int leader = cluster_leader(cluster);
		size_t victim = i || leader < 0 ? 0 : (size_t)leader;

		cluster_kill(cluster, victim);
		counters_let(counters, 20);
		assert_true(cluster_start(cluster, victim));
		counters_let(counters, 20);
	}
	counters_check(counters, recorder, "/killed");
	recorder_free(recorder);
	vd_store_close(store);
}

/* A member that is stopped keeps its connections; its watch must move on within seconds all the same. */
static void test_frozen_member_is_noticed(void **state)
{
	struct cluster *cluster = *state;
	struct vd_store *store = open_store(cluster_url(cluster)), *other = open_store(cluster_member_url(cluster, 1));
	struct recorder *recorder = recorder_new(store, "/frozen", 0);
	int64_t begun;

	store_put(store, "/frozen", "1", 0);
	assert_true(recorder_wait(recorder, 1, 10));
	cluster_freeze(cluster, 0, true);
	begun = now_ms();
	/* The frozen one may have been the leader: until there is another, writes are refused. */
	for (int r = -1; r < 0 && now_ms() - begun < 30000;) {
		struct vd_operation operation = {.type = VD_OPERATION_TYPE_PUT, .key = "/frozen", .value = "2", .size = 1};
		struct vd_compare compare = {.key = "/frozen", .target = VD_COMPARE_TARGET_VERSION, .number = 1};
		struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = &operation, .success_count = 1};

		r = vd_store_txn(other, &txn, NULL, NULL);
		if (r == -EAGAIN)
			r = 0;
	}
	assert_true(recorder_wait(recorder, 2, 20));
	print_message("seen %lld ms after the member was frozen\n", (long long)(now_ms() - begun));
	assert_true(now_ms() - begun < 20000);
	cluster_freeze(cluster, 0, false);
	recorder_free(recorder);
	vd_store_close(store);
	vd_store_close(other);
}

/* Two of three are gone: nothing is promised that is not kept, and all goes on when one is back. */
static void test_without_a_majority_nothing_is_promised(void **state)
{
	struct cluster *cluster = *state;
	struct vd_store *store = open_store(cluster_url(cluster));
	struct vd_operation operation = {.type = VD_OPERATION_TYPE_PUT, .key = "/minority", .value = "1", .size = 1};
	struct vd_txn txn = {.success = &operation, .success_count = 1};
	struct vd_kvs *kvs = NULL;
	int64_t begun;
	int r = -1;

	cluster_kill(cluster, 1);
	cluster_kill(cluster, 2);
	begun = now_ms();
	r = vd_store_txn(store, &txn, NULL, NULL);
	assert_true(r == -ETIMEDOUT || r == -ECONNREFUSED);
	r = vd_store_range(store, "/minority", false, 0, 0, &kvs, NULL);
	assert_true(r == -ETIMEDOUT || r == -ECONNREFUSED);
	/* Bounded: three endpoints, five seconds each at most, for each call. */
	assert_true(now_ms() - begun < 31000);
	assert_true(cluster_start(cluster, 1));
	assert_true(cluster_start(cluster, 2));
	begun = now_ms();
	do
		r = vd_store_txn(store, &txn, NULL, NULL);
	while (r < 0 && now_ms() - begun < 30000);
	assert_int_equal(r, 0);
	vd_store_close(store);
}

int main(void)
{
	struct cluster *cluster = cluster_new(3);
	int failed;

	if (!cluster)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_killed_member_loses_no_write, cluster),
		cmocka_unit_test_prestate(test_frozen_member_is_noticed, cluster),
		cmocka_unit_test_prestate(test_without_a_majority_nothing_is_promised, cluster),
	};
	failed = cmocka_run_group_tests_name("etcd with three members", tests, NULL, NULL);
	cluster_free(cluster);
	return failed;
}
