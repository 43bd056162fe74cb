/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request.h"

#include "api/identity.h"
#include "api/server.h"
#include "base/cleanup.h"
#include "containers/code.h"
#include "model/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* A body over the limit is read on for this much, so that the peer gets its answer instead of a broken connection. */
#define DISCARD_MAX (256u << 20)

void vd_request_free(struct vd_request *request)
{
	if (!request)
		return;
	if (request->response)
		MHD_destroy_response(request->response);
	free(request->parameter[0]);
	free(request->parameter[1]);
	free(request->body);
	free(request);
}

int vd_request_receive(struct vd_request *request, const char *data, size_t size)
{
	size_t capacity = request->capacity ? request->capacity : 16384;
	char *body;

	if (request->discarded || size > VD_REQUEST_BODY_MAX - request->size) {
		request->discarded += size;
		return request->discarded > DISCARD_MAX ? -E2BIG : 0;
	}
	while (capacity < request->size + size + 1)
		capacity *= 2;
	if (capacity > request->capacity) {
		body = realloc(request->body, capacity);
		if (!body)
			return -ENOMEM;
		request->body = body;
		request->capacity = capacity;
	}
	memcpy(request->body + request->size, data, size);
	request->size += size;
	request->body[request->size] = '\0';
	return 0;
}

const char *vd_request_query(const struct vd_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

int vd_request_flag(const struct vd_request *request, const char *name, bool *ret, struct vd_error *error)
{
	const char *value = NULL;
	size_t size;

	if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &size) !=
	    MHD_YES) {
		*ret = false;
		return 0;
	}
	if (!value || !*value || !strcmp(value, "true") || !strcmp(value, "1"))
		*ret = true;
	else if (!strcmp(value, "false") || !strcmp(value, "0"))
		*ret = false;
	else
		return vd_error_set(error, -EINVAL, "query parameter %s: \"%.40s\" is neither true nor false", name, value);
	return 0;
}

int vd_request_project(const struct vd_request *request, bool all, const char **ret, struct vd_error *error)
{
	const char *project = vd_request_query(request, "project");

	if (!project || !*project) {
		*ret = "default";
		return 0;
	}
	if (all && !strcmp(project, "*")) {
		*ret = NULL;
		return 0;
	}
	if (!vd_identity_is_name(project))
		return vd_error_set(error, -EINVAL,
				    "query parameter project: \"%.70s\" is no project's name: use a-z, 0-9, '.', '_' and '-', at "
				    "most 63 characters",
				    project);
	*ret = project;
	return 0;
}

int vd_request_timeout(const struct vd_request *request, unsigned *ret, struct vd_error *error)
{
	const char *text = vd_request_query(request, "timeout");
	char *end;
	unsigned long seconds;

	if (!text || !*text) {
		*ret = VD_WAIT_DEFAULT;
		return 0;
	}
	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno || *end || *text == '-' || seconds < 1 || seconds > VD_WAIT_MAX)
		return vd_error_set(error, -EINVAL, "query parameter timeout: \"%.40s\" is no number of seconds from 1 to %d", text,
				    VD_WAIT_MAX);
	*ret = (unsigned)seconds;
	return 0;
}

int vd_request_id(const struct vd_request *request, char ret[VD_REQUEST_ID_SIZE], struct vd_error *error)
{
	const char *text = vd_request_query(request, "request");
	uint64_t random[2];

	if (!text || !*text) {
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return vd_error_set(error, -EIO, "no random bytes for a request id: %m");
		snprintf(ret, VD_REQUEST_ID_SIZE, "%016jx%016jx", (uintmax_t)random[0], (uintmax_t)random[1]);
		return 0;
	}
	if (strlen(text) >= VD_REQUEST_ID_SIZE ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(text))
		return vd_error_set(
			error, -EINVAL,
			"query parameter request: \"%.70s\" is no request id: use letters, digits, '.', '_' and '-', at most 64",
			text);
	strcpy(ret, text);
	return 0;
}

struct query_check {
	const char *queries;
	const char *unknown;
};

static enum MHD_Result check_query(void *userdata, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct query_check *check = userdata;
	const char *word = check->queries;
	size_t length = strlen(key), size;

	while (*word) {
		size = strcspn(word, " ");
		if (size == length && !memcmp(word, key, size))
			return MHD_YES;
		word += size;
		word += strspn(word, " ");
	}
	check->unknown = key;
	return MHD_NO;
}

int vd_request_check_queries(const struct vd_request *request, struct vd_error *error)
{
	struct query_check check = {.queries = request->path->queries};

	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_query, &check);
	if (!check.unknown)
		return 0;
	if (!*check.queries)
		return vd_error_set(error, -EINVAL, "unknown query parameter \"%.40s\": %s takes none", check.unknown,
				    request->path->pattern);
	return vd_error_set(error, -EINVAL, "unknown query parameter \"%.40s\": %s takes %s", check.unknown, request->path->pattern,
			    check.queries);
}

int vd_request_documents(const struct vd_request *request, json_t **ret, struct vd_error *error)
{
	if (!request->size)
		return vd_error_set(error, -EINVAL, "the request has no body: send YAML or JSON documents");
	return vd_documents_parse(request->body, request->size, ret, error);
}

int vd_request_object(const struct vd_request *request, json_t **ret, struct vd_error *error)
{
	json_error_t problem;
	json_t *object;

	if (!request->size) {
		*ret = json_object();
		return 0;
	}
	object = json_loadb(request->body, request->size, JSON_REJECT_DUPLICATES, &problem);
	if (!object)
		return vd_error_set(error, -EINVAL, "the body is no JSON: %s (line %d, column %d)", problem.text, problem.line,
				    problem.column);
	if (!json_is_object(object)) {
		json_decref(object);
		return vd_error_set(error, -EINVAL, "the body is no JSON object");
	}
	*ret = object;
	return 0;
}

bool vd_request_has_header(const struct vd_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name) != NULL;
}

bool vd_request_accepts(const struct vd_request *request, const char *type)
{
	const char *accept = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");

	return accept && strstr(accept, type);
}

int vd_request_reply_text(struct vd_request *request, unsigned status, const char *type, char *text)
{
	struct MHD_Response *response;

	if (!text)
		return -ENOMEM;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return -ENOMEM;
	}
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (request->response)
		MHD_destroy_response(request->response);
	request->response = response;
	request->status = status;
	return 0;
}

int vd_request_reply(struct vd_request *request, unsigned status, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return vd_request_reply_text(request, status, "application/json", text);
}

unsigned vd_request_status(int code)
{
	switch (-code) {
	case EINVAL:
	case ERANGE:
	case EDOM:
	case EBADMSG:
	case EAFNOSUPPORT:
		return MHD_HTTP_BAD_REQUEST;
	case EACCES:
		return MHD_HTTP_UNAUTHORIZED;
	case EPERM:
		return MHD_HTTP_FORBIDDEN;
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENONET:
		return MHD_HTTP_NOT_FOUND;
	case EBUSY:
	case EEXIST:
	case EAGAIN:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case ENOSPC:
	case EDQUOT:
	case EALREADY:
	case ELOOP:
	case ENOLINK:
	case ENOMEDIUM:
		return MHD_HTTP_CONFLICT;
	case E2BIG:
	case EMSGSIZE:
		return MHD_HTTP_CONTENT_TOO_LARGE;
	case ENOTSUP:
	case ENOSYS:
		return MHD_HTTP_NOT_IMPLEMENTED;
	case EHOSTUNREACH:
	case EPROTO:
		return MHD_HTTP_BAD_GATEWAY;
	case ECONNREFUSED:
	case ESHUTDOWN:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	case ETIMEDOUT:
		return MHD_HTTP_GATEWAY_TIMEOUT;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

int vd_request_reply_error(struct vd_request *request, int code, const struct vd_error *error)
{
	const char *text = error->text[0] ? error->text : strerror(-code);
	json_t *sentence = json_string(text), *body;
	int r;

	/* A sentence quotes what the user sent: bytes that are no UTF-8 cannot be in JSON. */
	if (!sentence)
		sentence = json_string("the request is not valid, and holds bytes that are no UTF-8 text");
	body = json_pack("{s:o}", "error", sentence);
	if (request->has_code && vd_container_code_word(code))
		json_object_set_new(body, "code", json_string(vd_container_code_word(code)));
	r = vd_request_reply(request, vd_request_status(code), body);
	if (!r && request->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(request->response, "WWW-Authenticate", "Bearer realm=\"viaduct\"");
	return r;
}
