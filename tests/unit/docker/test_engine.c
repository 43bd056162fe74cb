/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docker/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What a real dockerd answers is what tests/e2e/test_docker_nodes.py sees; here is what else may listen there. */
struct listener {
	char directory[64], host[128];
	int fd;
	pthread_t thread;
	const char *answer;
	char asked[4096];
};

static void *answer_one(void *userdata)
{
	struct listener *listener = userdata;
	int fd = accept(listener->fd, NULL, NULL);
	ssize_t size = recv(fd, listener->asked, sizeof(listener->asked) - 1, 0);

	listener->asked[size > 0 ? size : 0] = '\0';
	/* In two parts, as a socket may deliver it. */
	if (send(fd, listener->answer, strlen(listener->answer) / 2, MSG_NOSIGNAL) >= 0) {
		usleep(20000);
		send(fd, listener->answer + strlen(listener->answer) / 2, strlen(listener->answer) - strlen(listener->answer) / 2,
		     MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static void listen_with(struct listener *listener, const char *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(listener->directory, "/tmp/vd-engine-XXXXXX");
	assert_non_null(mkdtemp(listener->directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", listener->directory);
	snprintf(listener->host, sizeof(listener->host), "unix://%s", address.sun_path);
	listener->answer = answer;
	listener->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener->fd, 1), 0);
	assert_int_equal(pthread_create(&listener->thread, NULL, answer_one, listener), 0);
}

static void listen_end(struct listener *listener)
{
	char path[80];

	pthread_join(listener->thread, NULL);
	close(listener->fd);
	snprintf(path, sizeof(path), "%s/s", listener->directory);
	unlink(path);
	rmdir(listener->directory);
}

static int call(const char *answer, const json_t *body, json_t **ret, struct listener *listener, struct vd_error *error)
{
	int r;

	listen_with(listener, answer);
	r = vd_docker_engine_call(listener->host, body ? "POST" : "GET", "/networks", body, ret, error);
	listen_end(listener);
	return r;
}

static void test_an_answer_is_read(void **state)
{
	struct listener listener;
	struct vd_error error = {};
	json_t *answer = NULL, *body = json_pack("{s:s}", "Name", "my-net");

	assert_int_equal(call("HTTP/1.0 201 Created\r\nContent-Type: application/json\r\n\r\n{\"Id\": \"1f\"}\n", body, &answer,
			      &listener, &error),
			 0);
	assert_string_equal(json_string_value(json_object_get(answer, "Id")), "1f");
	assert_non_null(strstr(listener.asked, "POST /networks HTTP/1."));
	assert_non_null(strstr(listener.asked, "Content-Length: 17\r\n"));
	assert_non_null(strstr(listener.asked, "\r\n\r\n{\"Name\":\"my-net\"}"));
	json_decref(answer);
	json_decref(body);

	/* Nothing to say is an answer too. */
	answer = NULL;
	assert_int_equal(call("HTTP/1.1 204 No Content\r\n\r\n", NULL, &answer, &listener, &error), 0);
	assert_null(answer);
}

static void test_a_refusal_is_said_in_dockers_words(void **state)
{
	struct listener listener;
	struct vd_error error = {};
	json_t *answer = NULL;

	assert_int_equal(call("HTTP/1.0 409 Conflict\r\n\r\n{\"message\": \"network with name n already exists\"}", NULL, &answer,
			      &listener, &error),
			 -EREMOTEIO);
	assert_string_equal(error.text, "Docker refuses: network with name n already exists (status 409)");
	assert_int_equal(call("HTTP/1.0 500 Oh\r\n\r\n<html>", NULL, &answer, &listener, &error), -EREMOTEIO);
	assert_non_null(strstr(error.text, "status 500"));
	assert_null(answer);
}

static void test_what_is_no_engine_is_refused(void **state)
{
	struct listener listener;
	struct vd_error error = {};
	json_t *answer = NULL;

	assert_int_equal(call("SSH-2.0-OpenSSH_9.2\r\n\r\n", NULL, &answer, &listener, &error), -EPROTO);
	assert_int_equal(call("", NULL, &answer, &listener, &error), -EPROTO);
	assert_int_equal(vd_docker_engine_call("unix:/tmp/vd-nobody", "GET", "/", NULL, &answer, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/tmp/vd-nobody"));
	assert_int_equal(vd_docker_engine_call("tcp://127.0.0.1:2375", "GET", "/", NULL, &answer, &error), -EINVAL);
	assert_int_equal(vd_docker_engine_call("unix:relative", "GET", "/", NULL, &answer, &error), -EINVAL);
	assert_null(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_read),
		cmocka_unit_test(test_a_refusal_is_said_in_dockers_words),
		cmocka_unit_test(test_what_is_no_engine_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
