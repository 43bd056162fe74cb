/* SPDX-License-Identifier: Apache-2.0 */
#include "semantics.h"

#include "base/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

static char directory[] = "/tmp/vd-test-sqlite.XXXXXX";
static char path[64], url[80];

static struct vd_store *open_store(void)
{
	struct vd_store *store = NULL;
	struct vd_error error = {0};

	if (vd_store_open(url, NULL, &store, &error) < 0)
		fail_msg("%s", error.text);
	return store;
}

static char *value_of(struct vd_store *store, const char *key)
{
	struct vd_kvs *kvs = NULL;
	char *value;

	assert_int_equal(vd_store_range(store, key, false, 0, 0, &kvs, NULL), 0);
	value = kvs->count ? strdup(kvs->items[0].value) : NULL;
	vd_kvs_free(kvs);
	return value;
}

static void test_file_is_private(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct vd_store *store = open_store();

	store_put(store, "/k", "v", 0);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char file[80];
		struct stat status;

		snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		assert_int_equal(stat(file, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0600);
	}
	vd_store_close(store);
}

static void test_second_process_is_refused(void **state)
{
	struct vd_store *store = open_store(), *second = NULL;
	struct vd_error error = {0};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(vd_store_open(url, NULL, &second, &error) == -EBUSY && strstr(error.text, "another process has it open") ? 0
															       : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	vd_store_close(store);
	store = open_store();
	vd_store_close(store);
}

static void test_history_outlives_the_process(void **state)
{
	struct vd_store *store = open_store();
	int64_t first = store_put(store, "/keep", "1", 0), second = store_put(store, "/keep", "2", 0);
	struct recorder *recorder;
	VD_FREE char *value = NULL;

	vd_store_close(store);
	store = open_store();
	value = value_of(store, "/keep");
	assert_string_equal(value, "2");
	recorder = recorder_new(store, "/keep", first);
	assert_true(recorder_wait(recorder, 2, 5));
	recorder_free(recorder);
	assert_int_equal(store_put(store, "/keep", "3", 0), second + 1);
	vd_store_close(store);
}

/* A process that is killed while it writes loses nothing that was acknowledged, and leaves no half of a transaction. */
static void test_killed_writer_loses_nothing(void **state)
{
	int pipe_fds[2], acknowledged = -1, number;
	struct vd_store *store;
	struct vd_kvs *kvs = NULL;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (vd_store_open(url, NULL, &store, NULL) < 0)
			_exit(1);
		for (number = 0;; number++) {
			char text[16];
			struct vd_operation operations[2] = {
				{.type = VD_OPERATION_TYPE_PUT, .key = "/killed/a", .value = text},
				{.type = VD_OPERATION_TYPE_PUT, .key = "/killed/b", .value = text},
			};
			struct vd_txn txn = {.success = operations, .success_count = 2};

			operations[0].size = operations[1].size = (size_t)snprintf(text, sizeof(text), "%d", number);
			if (vd_store_txn(store, &txn, NULL, NULL) < 0 || write(pipe_fds[1], &number, sizeof(number)) < 0)
				_exit(1);
		}
	}
	close(pipe_fds[1]);
	while (acknowledged < 200 && read(pipe_fds[0], &number, sizeof(number)) == sizeof(number))
		acknowledged = number;
	kill(pid, SIGKILL);
	while (read(pipe_fds[0], &number, sizeof(number)) == sizeof(number))
		acknowledged = number;
	close(pipe_fds[0]);
	waitpid(pid, NULL, 0);
	assert_true(acknowledged >= 200);
	store = open_store();
	assert_int_equal(vd_store_range(store, "/killed/", true, 0, 0, &kvs, NULL), 0);
	assert_int_equal(kvs->count, 2);
	assert_true(atoi(kvs->items[0].value) >= acknowledged);
	assert_string_equal(kvs->items[0].value, kvs->items[1].value);
	assert_int_equal(kvs->items[0].mod_revision, kvs->items[1].mod_revision);
	vd_kvs_free(kvs);
	vd_store_close(store);
}

static void test_lease_does_not_run_while_the_store_is_away(void **state)
{
	struct vd_store *store = open_store();
	int64_t lease, ttl;
	VD_FREE char *value = NULL;

	assert_int_equal(vd_store_lease_grant(store, 4, &lease, NULL), 0);
	store_put(store, "/away", "1", lease);
	vd_store_close(store);
	nanosleep(&(struct timespec){.tv_sec = 5}, NULL);
	store = open_store();
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	value = value_of(store, "/away");
	assert_non_null(value);
	assert_int_equal(vd_store_lease_keepalive(store, lease, &ttl, NULL), 0);
	for (unsigned i = 0; i < 600 && value; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		free(value);
		value = value_of(store, "/away");
	}
	assert_null(value);
	vd_store_close(store);
}

static void test_lease_does_not_run_while_the_process_stands_still(void **state)
{
	struct vd_store *store = open_store();
	int64_t lease, ttl;
	pid_t pid;

	assert_int_equal(vd_store_lease_grant(store, 3, &lease, NULL), 0);
	store_put(store, "/still", "1", lease);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		kill(getppid(), SIGSTOP);
		nanosleep(&(struct timespec){.tv_sec = 4}, NULL);
		kill(getppid(), SIGCONT);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(vd_store_lease_keepalive(store, lease, &ttl, NULL), 0);
	vd_store_close(store);
}

static void test_old_revisions_are_forgotten_by_themselves(void **state)
{
	struct vd_store *store = open_store();
	int64_t first = store_put(store, "/churn", "0", 0), last = 0;
	struct vd_kvs *kvs = NULL;
	int r = 0;

	for (unsigned i = 0; i < 11200; i++)
		last = store_put(store, "/churn", "1", 0);
	for (unsigned i = 0; i < 100 && r == 0; i++) {
		r = vd_store_range(store, "/churn", false, first, 0, &kvs, NULL);
		if (r == 0)
			vd_kvs_free(kvs);
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	assert_int_equal(r, -ESTALE);
	assert_int_equal(vd_store_range(store, "/churn", false, last - 9000, 0, &kvs, NULL), 0);
	assert_int_equal(kvs->count, 1);
	vd_kvs_free(kvs);
	vd_store_close(store);
}

static void *write_many(void *userdata)
{
	for (unsigned i = 0; i < 100; i++) {
		bool done = false;

		while (!done) {
			struct vd_kvs *kvs = NULL;
			char text[16];
			struct vd_operation operation = {.type = VD_OPERATION_TYPE_PUT, .key = "/counter", .value = text};
			struct vd_compare compare = {.key = "/counter", .target = VD_COMPARE_TARGET_MOD};
			struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = &operation, .success_count = 1};

			if (vd_store_range(userdata, "/counter", false, 0, 0, &kvs, NULL) < 0)
				return NULL;
			compare.number = kvs->count ? kvs->items[0].mod_revision : 0;
			operation.size = (size_t)snprintf(text, sizeof(text), "%d", kvs->count ? atoi(kvs->items[0].value) + 1 : 1);
			vd_kvs_free(kvs);
			done = vd_store_txn(userdata, &txn, NULL, NULL) == 0;
		}
	}
	return NULL;
}

static void test_compare_and_set_counts_every_thread(void **state)
{
	struct vd_store *store = open_store();
	pthread_t threads[4];
	VD_FREE char *value = NULL;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, store), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	value = value_of(store, "/counter");
	assert_string_equal(value, "400");
	vd_store_close(store);
}

static void assert_open_fails(const char *bad, const struct vd_store_options *options, int code, const char *part)
{
	struct vd_store *store = NULL;
	struct vd_error error = {0};

	assert_int_equal(vd_store_open(bad, options, &store, &error), code);
	if (!strstr(error.text, part))
		fail_msg("\"%s\" does not say \"%s\"", error.text, part);
	assert_null(store);
}

static void test_bad_urls_and_files_are_refused(void **state)
{
	char file[80], bad[100];
	FILE *stream;
	sqlite3 *db;

	assert_open_fails("sqlite://relative.db", NULL, -EINVAL, "absolute");
	assert_open_fails("postgres://h1", NULL, -EINVAL, "no such kind");
	assert_open_fails("etcd://127.0.0.1:1", NULL, -EPERM, "--insecure");
	assert_open_fails("sqlite:///nonexistent/directory/x.db", NULL, -ENOENT, "lock file");
	snprintf(file, sizeof(file), "%s/garbage.db", directory);
	snprintf(bad, sizeof(bad), "sqlite://%s", file);
	stream = fopen(file, "w");
	for (unsigned i = 0; i < 1000; i++)
		fputs("this is no database ", stream);
	fclose(stream);
	assert_open_fails(bad, NULL, -EIO, "not a database");
	snprintf(file, sizeof(file), "%s/other.db", directory);
	snprintf(bad, sizeof(bad), "sqlite://%s", file);
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE t (x); PRAGMA user_version = 77", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_open_fails(bad, NULL, -EINVAL, "format 77");
}

static int remove_file(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char file[80];

		snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		unlink(file);
	}
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_file_is_private, remove_file),
		cmocka_unit_test_teardown(test_second_process_is_refused, remove_file),
		cmocka_unit_test_teardown(test_history_outlives_the_process, remove_file),
		cmocka_unit_test_teardown(test_killed_writer_loses_nothing, remove_file),
		cmocka_unit_test_teardown(test_lease_does_not_run_while_the_store_is_away, remove_file),
		cmocka_unit_test_teardown(test_lease_does_not_run_while_the_process_stands_still, remove_file),
		cmocka_unit_test_teardown(test_old_revisions_are_forgotten_by_themselves, remove_file),
		cmocka_unit_test_teardown(test_compare_and_set_counts_every_thread, remove_file),
		cmocka_unit_test_teardown(test_bad_urls_and_files_are_refused, remove_file),
	};
	VD_FREE char *command = NULL;
	struct vd_store *store = NULL;
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/state.db", directory);
	snprintf(url, sizeof(url), "sqlite://%s", path);
	if (vd_store_open(url, NULL, &store, NULL) < 0)
		return 1;
	failed = semantics_run("sqlite: store semantics", store);
	vd_store_close(store);
	remove_file(NULL);
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	if (asprintf(&command, "rm -rf %s", directory) < 0 || system(command))
		return 1;
	return failed;
}
