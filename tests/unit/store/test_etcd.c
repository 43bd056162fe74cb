/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"
#include "semantics.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static const struct vd_store_options options = {.insecure = true};

static struct vd_store *open_store(const char *url)
{
	struct vd_store *store = NULL;
	struct vd_error error = {0};

	if (vd_store_open(url, &options, &store, &error) < 0)
		fail_msg("%s", error.text);
	return store;
}

static void test_dead_endpoints_are_passed_by(void **state)
{
	const char *url = cluster_url(*state);
	char both[128];
	struct vd_store *store;
	struct recorder *recorder;

	/* Nobody listens on port 1. */
	snprintf(both, sizeof(both), "etcd://127.0.0.1:1,%s", url + strlen("etcd://"));
	store = open_store(both);
	recorder = recorder_new(store, "/passed/", 0);
	store_put(store, "/passed/a", "1", 0);
	assert_true(recorder_wait(recorder, 1, 10));
	recorder_free(recorder);
	vd_store_close(store);
}

static void test_no_endpoint_is_told_so(void **state)
{
	struct vd_store *store = open_store("etcd://127.0.0.1:1,127.0.0.1:2");
	struct vd_error error = {0};
	struct vd_kvs *kvs = NULL;
	struct vd_txn txn = {0};

	assert_int_equal(vd_store_range(store, "/a", false, 0, 0, &kvs, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "does not answer"));
	assert_int_equal(vd_store_txn(store, &txn, NULL, &error), -ECONNREFUSED);
	vd_store_close(store);
}

static void assert_url_refused(const char *url, const char *part)
{
	struct vd_store *store = NULL;
	struct vd_error error = {0};

	assert_int_equal(vd_store_open(url, &options, &store, &error), -EINVAL);
	assert_non_null(strstr(error.text, part));
}

static void test_bad_urls_are_refused(void **state)
{
	assert_url_refused("etcd://", "names no HOST:PORT");
	assert_url_refused("etcd://,", "names no HOST:PORT");
	assert_url_refused("etcd://h1/path", "is no HOST:PORT");
	assert_url_refused("etcd://user@h1:2379", "is no HOST:PORT");
	assert_url_refused("etcd://:2379", "is no HOST:PORT");
}

static void test_token_is_one_line(void **state)
{
	struct vd_store_options token = {.insecure = true, .token = "secret"};
	struct vd_error error = {0};
	struct vd_kvs *kvs = NULL;
	struct vd_store *store;

	/* An etcd without authentication refuses any token. */
	assert_int_equal(vd_store_open(cluster_url(*state), &token, &store, NULL), 0);
	assert_int_equal(vd_store_range(store, "/a", false, 0, 0, &kvs, &error), -EACCES);
	assert_non_null(strstr(error.text, "invalid auth token"));
	vd_store_close(store);
	token.token = "a\nb";
	assert_int_equal(vd_store_open(cluster_url(*state), &token, &store, NULL), -EINVAL);
}

/* The member goes away under a watch and comes back: nothing is missed. */
static void test_watch_resumes_after_a_restart(void **state)
{
	struct vd_store *store = open_store(cluster_url(*state));
	struct recorder *recorder = recorder_new(store, "/restart/", 0);
	struct vd_kvs *kvs = NULL;

	store_put(store, "/restart/a", "1", 0);
	assert_true(recorder_wait(recorder, 1, 10));
	cluster_kill(*state, 0);
	assert_true(cluster_start(*state, 0));
	for (unsigned i = 0; i < 600 && vd_store_range(store, "/", false, 0, 0, &kvs, NULL) < 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	vd_kvs_free(kvs);
	store_put(store, "/restart/a", "2", 0);
	assert_true(recorder_wait(recorder, 2, 20));
	assert_int_equal(recorder_count(recorder), 2);
	recorder_free(recorder);
	vd_store_close(store);
}

/*
 * A server that answers the first request of a connection and hangs up on the second, after it has read it: what a member does that
 * dies with a write in hand. Counts the requests.
 */
struct hanger {
	int listener;
	atomic_uint requests;
	pthread_t thread;
	char url[64];
};

/* Reads one request whole. false: the client is gone. */
static bool request_read(int fd)
{
	char buffer[4096];
	size_t size = 0;

	while (size < sizeof(buffer) - 1) {
		ssize_t r = read(fd, buffer + size, sizeof(buffer) - 1 - size);
		const char *body, *length;

		if (r <= 0)
			return false;
		size += (size_t)r;
		buffer[size] = '\0';
		body = strstr(buffer, "\r\n\r\n");
		length = strcasestr(buffer, "Content-Length:");
		if (body && length && size >= (size_t)(body + 4 - buffer) + strtoul(length + 15, NULL, 10))
			return true;
	}
	return false;
}

static void *hanger_run(void *userdata)
{
	static const char body[] = "{\"header\":{\"revision\":\"5\"},\"succeeded\":true}";
	struct hanger *hanger = userdata;
	int fd;

	while ((fd = accept(hanger->listener, NULL, NULL)) >= 0) {
		if (request_read(fd)) {
			hanger->requests++;
			dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				strlen(body), body);
			if (request_read(fd))
				hanger->requests++;
		}
		close(fd);
	}
	return NULL;
}

static void hanger_start(struct hanger *hanger)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	hanger->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(hanger->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(hanger->listener, 5), 0);
	assert_int_equal(getsockname(hanger->listener, (struct sockaddr *)&address, &size), 0);
	snprintf(hanger->url, sizeof(hanger->url), "etcd://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&hanger->thread, NULL, hanger_run, hanger), 0);
}

static void hanger_stop(struct hanger *hanger)
{
	shutdown(hanger->listener, SHUT_RDWR);
	pthread_join(hanger->thread, NULL);
	close(hanger->listener);
}

/* libcurl itself sends a request again when a kept-alive connection dies under it: for a transaction that would be a second write. */
static void test_a_transaction_is_never_sent_twice(void **state)
{
	struct hanger hanger = {0};
	struct vd_error error = {0};
	struct vd_kvs *kvs = NULL;
	struct vd_txn txn = {0};
	struct vd_store *store;

	hanger_start(&hanger);
	store = open_store(hanger.url);
	assert_int_equal(vd_store_txn(store, &txn, NULL, &error), 0);
	assert_int_equal(vd_store_txn(store, &txn, NULL, &error), -ETIMEDOUT);
	assert_int_equal(hanger.requests, 2);
	vd_store_close(store);
	/* A range is. */
	store = open_store(hanger.url);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vd_store_range(store, "/a", false, 0, 0, &kvs, &error), 0);
		vd_kvs_free(kvs);
	}
	assert_int_equal(hanger.requests, 5);
	vd_store_close(store);
	hanger_stop(&hanger);
}

int main(void)
{
	static struct cluster *cluster;
	struct vd_store *store = NULL;
	int failed;

	cluster = cluster_new(1);
	if (!cluster || vd_store_open(cluster_url(cluster), &options, &store, NULL) < 0)
		return 1;
	failed = semantics_run("etcd: store semantics", store);
	vd_store_close(store);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_dead_endpoints_are_passed_by, cluster),
		cmocka_unit_test_prestate(test_no_endpoint_is_told_so, cluster),
		cmocka_unit_test_prestate(test_bad_urls_are_refused, cluster),
		cmocka_unit_test_prestate(test_token_is_one_line, cluster),
		cmocka_unit_test_prestate(test_watch_resumes_after_a_restart, cluster),
		cmocka_unit_test(test_a_transaction_is_never_sent_twice),
	};
	failed += cmocka_run_group_tests_name("etcd", tests, NULL, NULL);
	cluster_free(cluster);
	return failed;
}
