/* SPDX-License-Identifier: Apache-2.0 */
/* R-CTR-6: the plugin's socket, asked as Docker does: HTTP over a Unix socket. */
#include "docker/server.h"

#include <curl/curl.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/vddocker-XXXXXX";
static char path[128];

static int ask(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	return vd_error_set(error, -EIO, "nobody");
}

static const struct vd_docker_daemon daemon_of_test = {ask, NULL};

static size_t take(char *data, size_t one, size_t size, void *userdata)
{
	strncat(userdata, data, size);
	return size;
}

static long post(const char *method, const char *body, char answer[1024])
{
	CURL *curl = curl_easy_init();
	long status = 0;
	char url[128];

	answer[0] = '\0';
	snprintf(url, sizeof(url), "http://plugin%s", method);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status;
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/plugins/viaduct.sock", directory);
	return 0;
}

static int teardown(void **state)
{
	char plugins[64];

	snprintf(plugins, sizeof(plugins), "%s/plugins", directory);
	return rmdir(plugins) | rmdir(directory);
}

static void test_methods_are_answered_at_the_socket(void **state)
{
	struct vd_docker_server *server;
	struct vd_error error = {};
	char answer[1024];
	struct stat status;

	assert_int_equal(vd_docker_server_new(path, &daemon_of_test, &server, &error), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(post("/Plugin.Activate", "", answer), 200);
	assert_non_null(strstr(answer, "IpamDriver"));
	assert_int_equal(post("/NetworkDriver.Join", "{\"EndpointID\": \"e\"}", answer), 500);
	assert_string_equal(answer, "{\"Err\":\"nobody\"}");
	assert_int_equal(post("/Plugin.Activate", NULL, answer), 405);
	vd_docker_server_free(server);
	assert_int_equal(access(path, F_OK), -1);
}

/* What a killed one left is taken over; what somebody listens at is not. */
static void test_socket_belongs_to_one(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct vd_docker_server *server, *second;
	struct vd_error error = {};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(vd_docker_server_new(path, &daemon_of_test, &server, &error), 0);
	assert_int_equal(vd_docker_server_new(path, &daemon_of_test, &second, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, path));
	vd_docker_server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods_are_answered_at_the_socket),
		cmocka_unit_test(test_socket_belongs_to_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
