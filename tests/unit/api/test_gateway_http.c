/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do (tests/unit/store/semantics.c), from another host: the etcd engine against our own gateway, over HTTP. R-OPS-7. */
#include "../store/semantics.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct far_store {
	struct fixture *fixture;
	char listen[32], url[64];
	struct vd_store *store;
};

static struct far_store far;

static int far_setup(void **state)
{
	struct vd_store_options options = {.insecure = true};
	struct vd_error error = {0};

	far.fixture = fixture_new("h1", NULL);
	snprintf(far.listen, sizeof(far.listen), "127.0.0.1:%u", fixture_port());
	snprintf(far.url, sizeof(far.url), "etcd://%s", far.listen);
	far.fixture->options.listen = far.listen;
	far.fixture->options.insecure = true;
	far.fixture->options.gateway = true;
	fixture_start(far.fixture);
	if (vd_store_open(far.url, &options, &far.store, &error))
		fail_msg("%s", error.text);
	return 0;
}

static int far_teardown(void **state)
{
	vd_store_close(far.store);
	fixture_free(far.fixture);
	return 0;
}

static void test_far_store_is_a_store(void **state)
{
	assert_int_equal(semantics_run("gateway over HTTP", far.store), 0);
}

/* A daemon that stops does not wait for those who watch its store, and they find it again when it is back. */
static void test_daemon_restarts_under_a_watch(void **state)
{
	struct recorder *recorder = recorder_new(far.store, "/restart/", 0);
	struct vd_error error = {0};

	store_put(far.store, "/restart/a", "1", 0);
	assert_true(recorder_wait(recorder, 1, 5));
	alarm(30);
	vd_api_stop(far.fixture->api);
	alarm(0);
	if (vd_api_start(&far.fixture->options, &far.fixture->api, &error))
		fail_msg("%s", error.text);
	store_put(far.fixture->store, "/restart/b", "2", 0);
	assert_true(recorder_wait(recorder, 2, 20));
	recorder_free(recorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_far_store_is_a_store),
		cmocka_unit_test(test_daemon_restarts_under_a_watch),
	};

	return cmocka_run_group_tests_name("gateway_http", tests, far_setup, far_teardown);
}
