/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/container.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A daemon that says what a test wants it to say, right or not: the real one cannot be made to break off. tests/e2e ask that one. */
struct daemon {
	char directory[32], path[64], server[80];
	int listener;
	const char *answer;
	char asked[4096];
	pthread_t thread;
};

static void *serve(void *userdata)
{
	struct daemon *daemon = userdata;
	int fd = accept(daemon->listener, NULL, NULL);
	size_t size = 0;

	/* Until the body's last brace. */
	while (fd >= 0 && size < sizeof(daemon->asked) - 1) {
		ssize_t got = read(fd, daemon->asked + size, sizeof(daemon->asked) - 1 - size);

		if (got <= 0)
			break;
		size += (size_t)got;
		if (!strncmp(daemon->asked, "GET", 3) ? strstr(daemon->asked, "\r\n\r\n") != NULL : daemon->asked[size - 1] == '}')
			break;
	}
	if (fd >= 0 && write(fd, daemon->answer, strlen(daemon->answer)) < 0)
		abort();
	close(fd);
	return NULL;
}

static void daemon_start(struct daemon *daemon, const char *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*daemon = (struct daemon){.directory = "/tmp/vd-test-client.XXXXXX", .answer = answer};
	assert_non_null(mkdtemp(daemon->directory));
	snprintf(daemon->path, sizeof(daemon->path), "%s/socket", daemon->directory);
	snprintf(daemon->server, sizeof(daemon->server), "unix:%s", daemon->path);
	strcpy(address.sun_path, daemon->path);
	daemon->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(daemon->listener, 1), 0);
	assert_int_equal(pthread_create(&daemon->thread, NULL, serve, daemon), 0);
}

static void daemon_end(struct daemon *daemon)
{
	pthread_join(daemon->thread, NULL);
	close(daemon->listener);
	unlink(daemon->path);
	rmdir(daemon->directory);
}

static int ask(const char *answer, json_t **ret, struct vd_error *error)
{
	json_t *arguments = json_pack("{s:s}", "key", "k");
	struct daemon daemon;
	int r;

	daemon_start(&daemon, answer);
	r = vd_client_container(daemon.server, VD_CONTAINER_VERB_CHECK, arguments, ret, error);
	daemon_end(&daemon);
	json_decref(arguments);
	return r;
}

static void test_an_order_and_its_answer(void **state)
{
	json_t *arguments = json_pack("{s:s}", "key", "k"), *answer = NULL;
	struct vd_error error = {};
	struct daemon daemon;

	daemon_start(&daemon, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"addresses\":[\"10.0.2.2/24\"]}\n");
	assert_int_equal(vd_client_container(daemon.server, VD_CONTAINER_VERB_ADD, arguments, &answer, &error), 0);
	daemon_end(&daemon);
	assert_non_null(strstr(daemon.asked, "POST /v1/containers/add HTTP/1."));
	assert_non_null(strstr(daemon.asked, "Content-Length: 11\r\n"));
	assert_non_null(strstr(daemon.asked, "\r\n\r\n{\"key\":\"k\"}"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "addresses"), 0)), "10.0.2.2/24");
	json_decref(answer);
	json_decref(arguments);

	daemon_start(&daemon, "HTTP/1.0 200 OK\r\n\r\n{}");
	assert_int_equal(vd_client_container(daemon.path, VD_CONTAINER_VERB_LIST, NULL, NULL, &error), 0);
	daemon_end(&daemon);
	assert_non_null(strstr(daemon.asked, "GET /v1/containers HTTP/1."));
}

static void test_a_refusal_is_the_words_number(void **state)
{
	struct vd_error error = {};

	assert_int_equal(ask("HTTP/1.1 409 Conflict\r\n\r\n{\"error\":\"all is used\",\"code\":\"full\"}", NULL, &error), -ENOSPC);
	assert_string_equal(error.text, "all is used");
	assert_int_equal(ask("HTTP/1.1 404 Not Found\r\n\r\n{\"error\":\"none\",\"code\":\"unknown_network\"}", NULL, &error),
			 -ENONET);
	/* Of another version, or without a word. */
	assert_int_equal(ask("HTTP/1.1 409 Conflict\r\n\r\n{\"error\":\"no\",\"code\":\"green\"}", NULL, &error), -EBUSY);
	assert_int_equal(ask("HTTP/1.1 503 Away\r\n\r\n{\"error\":\"it is stopping\"}", NULL, &error), -EIO);
	assert_int_equal(ask("HTTP/1.1 500 Oh\r\n\r\n", NULL, &error), -EIO);
	assert_non_null(strstr(error.text, "500"));
}

/* Whether the order was carried out is unknown then, which is no refusal. */
static void test_what_is_no_answer(void **state)
{
	struct vd_error error = {};
	json_t *answer = NULL;

	assert_int_equal(ask("", &answer, &error), -EIO);
	assert_true(ask("HTTP/1.1 200 OK\r\nContent-", &answer, &error) < 0);
	assert_int_equal(ask("HTTP/1.1 200 OK\r\n\r\n{\"addresses\":[", &answer, &error), -EPROTO);
	assert_int_equal(ask("SSH-2.0-OpenSSH_9.2\r\n\r\n", &answer, &error), -EIO);
	assert_null(answer);
}

static void test_nobody_is_there(void **state)
{
	struct vd_error error = {};

	assert_int_equal(vd_client_container("unix:/nowhere/socket", VD_CONTAINER_VERB_LIST, NULL, NULL, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "/nowhere/socket"));
	assert_int_equal(vd_client_container("https://h2:4443", VD_CONTAINER_VERB_LIST, NULL, NULL, &error), -EINVAL);
	assert_non_null(strstr(error.text, "unix:PATH"));
	setenv("VIADUCT_SERVER", "unix:/elsewhere/socket", 1);
	assert_int_equal(vd_client_container(NULL, VD_CONTAINER_VERB_LIST, NULL, NULL, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "/elsewhere/socket"));
	unsetenv("VIADUCT_SERVER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_order_and_its_answer),
		cmocka_unit_test(test_a_refusal_is_the_words_number),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_nobody_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
