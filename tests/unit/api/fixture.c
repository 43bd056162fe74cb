/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

const char fixture_documents[] = "kind: vpc\nname: demo\ncidrs: [192.168.0.0/16]\n---\n"
				 "kind: subnet\nname: nodes\nvpc: demo\ncidrs: [192.168.0.0/24]\n---\n"
				 "kind: port\nname: web1\nsubnet: nodes\n";

/* Says what it was asked. "plan" is refused, so that a refusal is seen as well. */
static int live_call(void *userdata, const char *verb, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct fixture *fixture = userdata;

	if (!strcmp(verb, "plan"))
		return vd_error_set(error, -EBUSY, "plan: this host is busy");
	if (!strcmp(verb, "drops"))
		*ret = json_pack("{s:[{s:s, s:s, s:i, s:i}], s:[], s:i}", "drops", "reason", "source_check", "sentence",
				 "not its address", "packets", 3, "bytes", 300, "recent", "kernel", 2);
	else if (!strcmp(verb, "status"))
		*ret = json_pack("{s:s, s:i, s:{s:i}, s:{s:{s:{s:i, s:i}}}}", "host", fixture->host, "revision", 7, "counters",
				 "hits", 5, "datapath", "maps", "vd_flow4", "entries", 6, "limit", 10);
	else
		*ret = json_pack("{s:s, s:s, s:O}", "host", fixture->host, "verb", verb, "arguments", arguments);
	return 0;
}

/* "drops" goes on until nobody listens, "capture" breaks after two, "flows" is refused before it begins. */
static int live_stream(void *userdata, const char *verb, const json_t *arguments,
		       bool (*emit)(const json_t *object, void *emit_userdata), void *emit_userdata, struct vd_error *error)
{
	struct fixture *fixture = userdata;
	bool more = true;
	json_t *object;
	int r = 0;

	if (!strcmp(verb, "flows"))
		return vd_error_set(error, -ENOENT, "port nobody: there is no such port");
	atomic_fetch_add(&fixture->streams, 1);
	for (int i = 0; more && !r; i++) {
		object = json_pack("{s:s, s:i, s:O}", "host", fixture->host, "number", i, "arguments", arguments);
		more = emit(object, emit_userdata) && emit(NULL, emit_userdata);
		json_decref(object);
		if (!strcmp(verb, "capture") && i == 1)
			r = vd_error_set(error, -EIO, "capture: the ring buffer broke");
		usleep(20000);
	}
	atomic_fetch_sub(&fixture->streams, 1);
	return r;
}

struct fixture *fixture_new(const char *host, struct fixture *with)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct vd_error error = {0};

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/vdapi-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->host, sizeof(fixture->host), "%s", host);
	assert_true(asprintf(&fixture->socket, "%s/viaduct.sock", fixture->directory) > 0);
	assert_true(asprintf(&fixture->server, "unix:%s", fixture->socket) > 0);
	assert_true(asprintf(&fixture->url, "sqlite://%s/state.db", fixture->directory) > 0);
	fixture->store = with ? with->store : NULL;
	fixture->owns_store = !with;
	if (!with && vd_store_open(fixture->url, &(struct vd_store_options){0}, &fixture->store, &error))
		fail_msg("%s", error.text);
	fixture->options = (struct vd_api_options){
		.host = fixture->host,
		.socket_path = fixture->socket,
		.store = fixture->store,
		.live = {.call = live_call, .stream = live_stream, .userdata = fixture},
	};
	return fixture;
}

void fixture_start(struct fixture *fixture)
{
	struct vd_client_options options = {.server = fixture->server};
	struct vd_error error = {0};

	if (vd_api_start(&fixture->options, &fixture->api, &error))
		fail_msg("%s", error.text);
	assert_int_equal(vd_client_open(&options, &fixture->client, &error), 0);
}

void fixture_free(struct fixture *fixture)
{
	char command[64];

	vd_client_close(fixture->client);
	vd_api_stop(fixture->api);
	if (fixture->owns_store)
		vd_store_close(fixture->store);
	snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
	assert_int_equal(system(command), 0);
	free(fixture->socket);
	free(fixture->server);
	free(fixture->url);
	free(fixture);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = fixture_new("h1", NULL);

	fixture_start(fixture);
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

long fixture_ask(struct fixture *fixture, const char *method, const char *path, const char *body, json_t **ret)
{
	struct vd_reply reply = {0};
	struct vd_error error = {0};
	long status;

	vd_client_request(fixture->client, method, path, body, body ? strlen(body) : 0, &reply, &error);
	if (!reply.status)
		print_error("%s %s: %s\n", method, path, error.text);
	if (ret) {
		*ret = json_loadb(reply.text, reply.size, JSON_DECODE_ANY, NULL);
		if (!*ret)
			*ret = json_null();
	}
	status = reply.status;
	vd_reply_clear(&reply);
	return status;
}

json_t *fixture_get(struct fixture *fixture, const char *method, const char *path, const char *body)
{
	json_t *reply;
	long status = fixture_ask(fixture, method, path, body, &reply);

	if (status != 200)
		fail_msg("%s %s: %ld %s", method, path, status, fixture_text(reply, "error"));
	return reply;
}

const json_t *fixture_at(const json_t *object, const char *path)
{
	size_t size;
	char part[64];

	for (; object && *path; path += size + (path[size] == '.')) {
		size = strcspn(path, ".");
		snprintf(part, sizeof(part), "%.*s", (int)size, path);
		object = json_is_array(object) ? json_array_get(object, strtoul(part, NULL, 10)) : json_object_get(object, part);
	}
	return object;
}

const char *fixture_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(fixture_at(object, path));

	return text ? text : "";
}

int64_t fixture_put(struct fixture *fixture, const char *key, const char *value)
{
	struct vd_operation operation = {
		.type = value ? VD_OPERATION_TYPE_PUT : VD_OPERATION_TYPE_DELETE,
		.key = key,
		.value = value,
		.size = value ? strlen(value) : 0,
	};
	struct vd_txn txn = {.success = &operation, .success_count = 1};
	struct vd_txn_result *result = NULL;
	struct vd_error error = {0};
	int64_t revision;

	if (vd_store_txn(fixture->store, &txn, &result, &error))
		fail_msg("%s", error.text);
	revision = result->revision;
	vd_txn_result_free(result);
	return revision;
}

unsigned fixture_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}
