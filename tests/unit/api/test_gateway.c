/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gateway.h"

#include "base/cleanup.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

/* Base64: L2E= is /a, L2I= is /b, Lw== is /, MA== is 0 (behind every key with /), MQ== is 1. */

static char directory[] = "/tmp/vd-test-gateway.XXXXXX";
static struct vd_store *store;

static char *call(const char *path, const char *body, int expected)
{
	char *answer = NULL;
	int status = 0;

	assert_int_equal(vd_gateway_call(store, path, body, strlen(body), &answer, &status), 0);
	if (status != expected)
		fail_msg("%s %s: %d %s", path, body, status, answer);
	return answer;
}

static void assert_call(const char *path, const char *body, int expected, const char *part)
{
	VD_FREE char *answer = call(path, body, expected);
	json_t *object = json_loads(answer, 0, NULL);

	assert_non_null(object);
	json_decref(object);
	if (!strstr(answer, part))
		fail_msg("%s %s: \"%s\" is not in %s", path, body, part, answer);
}

static void test_calls_answer_as_etcd_does(void **state)
{
	assert_call("/v3/kv/put", "{\"key\":\"L2E=\",\"value\":\"MQ==\"}", 200, "\"revision\":\"2\"");
	assert_call("/v3/kv/range", "{\"key\":\"L2E=\"}", 200, "\"key\":\"L2E=\",\"value\":\"MQ==\",\"create_revision\":\"2\"");
	assert_call("/v3/kv/range", "{\"key\":\"Lw==\",\"range_end\":\"MA==\",\"limit\":\"1\",\"serializable\":true}", 200,
		    "\"count\":\"1\"");
	/* All keys from the first on, in etcd's notation. */
	assert_call("/v3/kv/range", "{\"key\":\"AA==\",\"range_end\":\"AA==\"}", 200, "L2E=");
	assert_call("/v3/kv/txn",
		    "{\"compare\":[{\"key\":\"L2E=\",\"target\":\"VERSION\",\"version\":\"1\"}],"
		    "\"success\":[{\"request_put\":{\"key\":\"L2E=\"}},{\"request_range\":{\"key\":\"L2E=\"}},"
		    "{\"request_delete_range\":{\"key\":\"L2I=\"}}]}",
		    200, "\"succeeded\":true");
	assert_call("/v3/kv/txn", "{\"compare\":[{\"key\":\"L2E=\",\"target\":\"MOD\",\"result\":\"LESS\",\"mod_revision\":3}]}",
		    200, "\"responses\":[]");
	assert_call("/v3/kv/deleterange", "{\"key\":\"L2E=\"}", 200, "\"revision\":\"4\"");
	assert_call("/v3/maintenance/status", "{}", 200, "\"version\":\"viaduct-");
	assert_call("/v3/kv/compaction", "{\"revision\":\"4\"}", 200, "revision");
	assert_call("/v3/kv/range", "{\"key\":\"L2E=\",\"revision\":\"2\"}", 400, "required revision has been compacted");
}

static void test_leases(void **state)
{
	VD_FREE char *answer = call("/v3/lease/grant", "{\"TTL\":\"60\"}", 200), *body = NULL;
	json_t *object = json_loads(answer, 0, NULL);
	const char *id = json_string_value(json_object_get(object, "ID"));

	assert_non_null(id);
	assert_string_equal(json_string_value(json_object_get(object, "TTL")), "60");
	assert_true(asprintf(&body, "{\"ID\":\"%s\"}", id) > 0);
	json_decref(object);
	assert_call("/v3/lease/keepalive", body, 200, "\"TTL\":\"60\"");
	assert_call("/v3/kv/lease/revoke", body, 200, "header");
	assert_call("/v3/lease/revoke", body, 404, "requested lease not found");
	/* As etcd: no TTL, no error. */
	assert_call("/v3/lease/keepalive", "{\"ID\":\"1\"}", 200, "{\"result\":{\"ID\":\"1\"}}");
}

static void test_bad_requests_are_refused(void **state)
{
	static const struct {
		const char *path, *body;
		int status;
		const char *part;
	} cases[] = {
		{"/v3/nope", "{}", 404, "Not Found"},
		{"/v3/kv/range", "", 400, "no JSON"},
		{"/v3/kv/range", "[]", 400, "JSON object is missing"},
		{"/v3/kv/range", "{}", 400, "key is missing"},
		{"/v3/kv/range", "{\"key\":5}", 400, "no base64"},
		{"/v3/kv/range", "{\"key\":\"L2E\"}", 400, "no base64"},
		{"/v3/kv/range", "{\"key\":\"=2E=\"}", 400, "no base64"},
		{"/v3/kv/range", "{\"key\":\"L2EA\"}", 400, "NUL"},
		{"/v3/kv/range", "{\"key\":\"L2E=\",\"revision\":\"x\"}", 400, "revision is no number"},
		{"/v3/kv/range", "{\"key\":\"L2E=\",\"limit\":\"-1\"}", 400, "negative"},
		{"/v3/kv/range", "{\"key\":\"L2E=\",\"sort_order\":\"DESCEND\"}", 400, "sort_order is not served"},
		{"/v3/kv/range", "{\"key\":\"L2E=\",\"range_end\":\"enp6\"}", 400, "only ranges that are a prefix"},
		{"/v3/kv/range", "{\"key\":\"L2E=\",\"revision\":\"99999\"}", 400, "not written yet"},
		{"/v3/kv/txn", "{\"success\":[{\"request_txn\":{}}]}", 400, "not one of"},
		{"/v3/kv/txn", "{\"success\":[5]}", 400, "not one of"},
		{"/v3/kv/txn", "{\"success\":5}", 400, "no array"},
		{"/v3/kv/txn", "{\"compare\":[{\"key\":\"L2E=\",\"target\":\"NAME\"}]}", 400, "target has a value"},
		{"/v3/kv/txn", "{\"compare\":[{\"key\":\"L2E=\",\"target\":\"MOD\",\"version\":\"1\"}]}", 400,
		 "version is not served"},
		{"/v3/kv/txn", "{\"compare\":[{\"key\":\"L2E=\",\"range_end\":\"AA==\"}]}", 400, "range_end is not served"},
		{"/v3/kv/txn", "{\"success\":[{\"request_put\":{\"key\":\"L2E=\"}},{\"request_put\":{\"key\":\"L2E=\"}}]}", 400,
		 "twice"},
		{"/v3/kv/put", "{\"key\":\"L2E=\",\"prev_kv\":true}", 400, "prev_kv is not served"},
		{"/v3/kv/put", "{\"key\":\"L2E=\",\"lease\":\"77\"}", 404, "requested lease not found"},
		{"/v3/lease/grant", "{\"TTL\":\"0\"}", 400, "not possible"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_call(cases[i].path, cases[i].body, cases[i].status, cases[i].part);
}

static struct vd_gateway_watch *watch_open(const char *body)
{
	struct vd_gateway_watch *watch = NULL;
	char *answer = NULL;
	int status;

	if (vd_gateway_watch_new(store, body, strlen(body), &watch, &answer, &status) < 0)
		fail_msg("%d %s", status, answer);
	return watch;
}

static void assert_next(struct vd_gateway_watch *watch, const char *part)
{
	VD_FREE char *line = NULL;

	assert_int_equal(vd_gateway_watch_next(watch, &line, 5000), 0);
	assert_int_equal(line[strlen(line) - 1], '\n');
	if (!strstr(line, part))
		fail_msg("\"%s\" is not in %s", part, line);
}

static void test_watch_hands_out_lines(void **state)
{
	struct vd_gateway_watch *watch = watch_open("{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\"}}");
	char *line = NULL;

	assert_next(watch, "\"created\":true");
	assert_int_equal(vd_gateway_watch_next(watch, &line, 50), -ETIMEDOUT);
	free(call("/v3/kv/put", "{\"key\":\"L2E=\",\"value\":\"MQ==\"}", 200));
	free(call("/v3/kv/deleterange", "{\"key\":\"L2E=\"}", 200));
	assert_next(watch, "\"events\":[{\"kv\":{\"key\":\"L2E=\",\"value\":\"MQ==\"");
	assert_next(watch, "\"type\":\"DELETE\",\"kv\":{\"key\":\"L2E=\",\"mod_revision\"");
	assert_int_equal(vd_gateway_watch_next(watch, &line, 50), -ETIMEDOUT);
	vd_gateway_watch_free(watch);
}

static void test_watch_tells_progress_when_asked(void **state)
{
	struct vd_gateway_watch *watch =
		watch_open("{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\",\"progress_notify\":true}}");

	assert_next(watch, "\"created\":true");
	assert_next(watch, "{\"result\":{\"header\":{\"revision\":");
	vd_gateway_watch_free(watch);
}

static void test_watch_ends_when_compacted(void **state)
{
	struct vd_gateway_watch *watch;
	char *line = NULL;

	free(call("/v3/kv/put", "{\"key\":\"L2E=\"}", 200));
	free(call("/v3/kv/put", "{\"key\":\"L2E=\"}", 200));
	free(call("/v3/kv/compaction", "{\"revision\":\"5\"}", 200));
	watch = watch_open("{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\",\"start_revision\":\"2\"}}");
	assert_next(watch, "\"created\":true");
	assert_next(watch, "\"canceled\":true,\"compact_revision\":\"");
	assert_int_equal(vd_gateway_watch_next(watch, &line, 1000), -EPIPE);
	vd_gateway_watch_free(watch);
}

static void *stop_soon(void *watch)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	vd_gateway_watch_stop(watch);
	return NULL;
}

static void test_watch_can_be_stopped(void **state)
{
	struct vd_gateway_watch *watch = watch_open("{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\"}}");
	char *line = NULL;
	pthread_t thread;

	assert_next(watch, "\"created\":true");
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, watch), 0);
	assert_int_equal(vd_gateway_watch_next(watch, &line, 60000), -EPIPE);
	pthread_join(thread, NULL);
	vd_gateway_watch_free(watch);
}

/* A client that reads nothing: its lines wait, then the store's watch does, and closing it is not held up. */
static void test_slow_watch_loses_nothing(void **state)
{
	struct vd_gateway_watch *watch = watch_open("{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\"}}");

	for (unsigned i = 0; i < 200; i++)
		free(call("/v3/kv/put", "{\"key\":\"L2I=\",\"value\":\"MQ==\"}", 200));
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	assert_next(watch, "\"created\":true");
	for (unsigned i = 0; i < 100; i++)
		assert_next(watch, "L2I=");
	vd_gateway_watch_free(watch);
}

static void test_bad_watches_are_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"{\"create_request\":{}}",
		"{\"create_request\":{\"key\":\"Lw==\"}}",
		"{\"create_request\":{\"key\":\"L2E=\",\"range_end\":\"MA==\"}}",
		"{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\",\"start_revision\":\"-1\"}}",
		"{\"create_request\":{\"key\":\"Lw==\",\"range_end\":\"MA==\",\"filters\":[]}}",
		"{\"cancel_request\":{\"watch_id\":\"1\"}}",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct vd_gateway_watch *watch = NULL;
		VD_FREE char *answer = NULL;
		int status = 0;

		assert_int_equal(vd_gateway_watch_new(store, bodies[i], strlen(bodies[i]), &watch, &answer, &status), -EINVAL);
		assert_int_equal(status, 400);
		assert_null(watch);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_answer_as_etcd_does),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_bad_requests_are_refused),
		cmocka_unit_test(test_watch_hands_out_lines),
		cmocka_unit_test(test_watch_tells_progress_when_asked),
		cmocka_unit_test(test_watch_ends_when_compacted),
		cmocka_unit_test(test_watch_can_be_stopped),
		cmocka_unit_test(test_slow_watch_loses_nothing),
		cmocka_unit_test(test_bad_watches_are_refused),
	};
	VD_FREE char *url = NULL, *command = NULL;
	int failed;

	if (!mkdtemp(directory) || asprintf(&url, "sqlite://%s/state.db", directory) < 0 ||
	    vd_store_open(url, NULL, &store, NULL) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
	vd_store_close(store);
	if (asprintf(&command, "rm -rf %s", directory) < 0 || system(command))
		return 1;
	return failed;
}
