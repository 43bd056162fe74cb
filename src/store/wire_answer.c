/* SPDX-License-Identifier: Apache-2.0 */
#include "store/wire.h"

#include "base/cleanup.h"
#include "store/engine.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(json_t, json_decref)
VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)
VD_DEFINE_CLEANUP(struct vd_txn_result, vd_txn_result_free)

static const char *const response_names[] = {
	[VD_OPERATION_TYPE_PUT] = "response_put",
	[VD_OPERATION_TYPE_DELETE] = "response_delete_range",
	[VD_OPERATION_TYPE_RANGE] = "response_range",
};

/* {"header": {"revision": …}} */
static json_t *header_json(int64_t revision)
{
	return json_pack("{s:{s:o}}", "header", "revision", vd_wire_number(revision));
}

static json_t *kv_json(const struct vd_kv *kv)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();

	if (!object || vd_wire_set_bytes(object, "key", kv->key, strlen(kv->key)) < 0 ||
	    vd_wire_set_bytes(object, "value", kv->value, kv->size) < 0 ||
	    vd_wire_set_number(object, "create_revision", kv->create_revision) < 0 ||
	    vd_wire_set_number(object, "mod_revision", kv->mod_revision) < 0 ||
	    vd_wire_set_number(object, "version", kv->version) < 0 || vd_wire_set_number(object, "lease", kv->lease) < 0)
		return NULL;
	return VD_TAKE(object);
}

/* A new array in the object, borrowed; NULL: out of memory (also when there is no object). */
static json_t *array_add(json_t *object, const char *name)
{
	json_t *array = json_array();

	return json_object_set_new(object, name, array) < 0 ? NULL : array;
}

static json_t *kvs_json(const struct vd_kvs *kvs)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = header_json(kvs->revision);
	json_t *array = array_add(object, "kvs");

	if (!array)
		return NULL;
	for (size_t i = 0; i < kvs->count; i++)
		if (json_array_append_new(array, kv_json(&kvs->items[i])) < 0)
			return NULL;
	if (kvs->more && json_object_set_new(object, "more", json_true()) < 0)
		return NULL;
	if (vd_wire_set_number(object, "count", (int64_t)kvs->count) < 0)
		return NULL;
	return VD_TAKE(object);
}

char *vd_wire_kvs_encode(const struct vd_kvs *kvs)
{
	return vd_wire_dump(kvs_json(kvs));
}

char *vd_wire_txn_result_encode(const struct vd_txn *txn, const struct vd_txn_result *result)
{
	const struct vd_operation *operations = result->succeeded ? txn->success : txn->failure;
	VD_CLEANUP(json_decref_cleanup) json_t *object = header_json(result->revision);
	json_t *array = array_add(object, "responses");

	if (!array)
		return NULL;
	if (result->succeeded && json_object_set_new(object, "succeeded", json_true()) < 0)
		return NULL;
	for (size_t i = 0; i < result->response_count; i++) {
		json_t *inner = operations[i].type == VD_OPERATION_TYPE_RANGE ? kvs_json(result->responses[i])
									      : header_json(result->revision);

		if (json_array_append_new(array, json_pack("{s:o}", response_names[operations[i].type], inner)) < 0)
			return NULL;
	}
	return vd_wire_dump(VD_TAKE(object));
}

char *vd_wire_header_encode(int64_t revision)
{
	return vd_wire_dump(header_json(revision));
}

char *vd_wire_lease_encode(int64_t revision, int64_t lease, int64_t ttl)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = header_json(revision);

	if (!object || vd_wire_set_number(object, "ID", lease) < 0 || vd_wire_set_number(object, "TTL", ttl) < 0)
		return NULL;
	return vd_wire_dump(VD_TAKE(object));
}

char *vd_wire_keepalive_encode(int64_t lease, int64_t ttl)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();

	if (!object || vd_wire_set_number(object, "ID", lease) < 0 || vd_wire_set_number(object, "TTL", ttl) < 0)
		return NULL;
	return vd_wire_dump(json_pack("{s:o}", "result", VD_TAKE(object)));
}

char *vd_wire_status_encode(int64_t revision)
{
	return vd_wire_dump(
		json_pack("{s:{s:o}, s:s}", "header", "revision", vd_wire_number(revision), "version", "viaduct-" VD_VERSION));
}

static json_t *event_json(const struct vd_event *event)
{
	json_t *kv = kv_json(&event->kv);

	return event->is_delete ? json_pack("{s:s, s:o}", "type", "DELETE", "kv", kv) : json_pack("{s:o}", "kv", kv);
}

static int line_fill(json_t *object, const struct vd_wire_line *line)
{
	json_t *events;

	if (line->created && json_object_set_new(object, "created", json_true()) < 0)
		return -ENOMEM;
	if (line->canceled && json_object_set_new(object, "canceled", json_true()) < 0)
		return -ENOMEM;
	if (vd_wire_set_number(object, "compact_revision", line->compact_revision) < 0)
		return -ENOMEM;
	if (!line->count)
		return 0;
	events = array_add(object, "events");
	if (!events)
		return -ENOMEM;
	for (size_t i = 0; i < line->count; i++)
		if (json_array_append_new(events, event_json(&line->events[i])) < 0)
			return -ENOMEM;
	return 0;
}

char *vd_wire_line_encode(const struct vd_wire_line *line)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = header_json(line->revision);
	VD_FREE char *text = NULL;
	char *ended = NULL;

	if (!object || line_fill(object, line) < 0)
		return NULL;
	text = vd_wire_dump(json_pack("{s:o}", "result", VD_TAKE(object)));
	return text && asprintf(&ended, "%s\n", text) >= 0 ? ended : NULL;
}

static int bad(struct vd_error *error, const char *what)
{
	return vd_error_set(error, -EBADMSG, "store: the answer is not etcd's: %s", what);
}

static int body_load(const char *body, size_t size, json_t **ret, struct vd_error *error)
{
	json_error_t reason;

	*ret = json_loadb(body, size, 0, &reason);
	return *ret ? 0 : bad(error, reason.text);
}

static int header_decode(const json_t *object, int64_t *ret, struct vd_error *error)
{
	return vd_wire_get_number(json_object_get(object, "header"), "revision", ret) < 0 ? bad(error, "its revision is no number")
											  : 0;
}

static int kv_numbers(const json_t *object, struct vd_kv *kv)
{
	struct {
		const char *name;
		int64_t *number;
	} fields[] = {
		{"create_revision", &kv->create_revision},
		{"mod_revision", &kv->mod_revision},
		{"version", &kv->version},
		{"lease", &kv->lease},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (vd_wire_get_number(object, fields[i].name, fields[i].number) < 0)
			return -EBADMSG;
	return 0;
}

/* Adds what the JSON of a pair says. Keys with a NUL in them are another's, not ours: -ENOENT. */
static int kv_decode(const json_t *object, struct vd_kvs *kvs, struct vd_error *error)
{
	VD_FREE char *key = NULL, *value = NULL;
	size_t key_size, size;
	struct vd_kv *kv;
	int r;

	r = vd_wire_get_bytes(object, "key", &key, &key_size);
	if (r == 0)
		r = vd_wire_get_bytes(object, "value", &value, &size);
	if (r < 0)
		return r == -ENOMEM ? r : bad(error, "a key or value is no base64");
	if (!key || !key_size)
		return bad(error, "a key is missing");
	if (strlen(key) != key_size)
		return -ENOENT;
	kv = vd_kvs_append(kvs, key, key_size, value, size);
	if (!kv)
		return -ENOMEM;
	return kv_numbers(object, kv) < 0 ? bad(error, "a revision is no number") : 0;
}

static int kvs_fill(const json_t *object, struct vd_kvs *kvs, struct vd_error *error)
{
	const json_t *array = json_object_get(object, "kvs"), *item;
	size_t i;
	int r = header_decode(object, &kvs->revision, error);

	if (r < 0)
		return r;
	kvs->more = json_is_true(json_object_get(object, "more"));
	json_array_foreach ((json_t *)array, i, item) {
		r = kv_decode(item, kvs, error);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int vd_wire_kvs_decode(const char *body, size_t size, struct vd_kvs **ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = vd_kvs_new();
	int r = kvs ? body_load(body, size, &object, error) : -ENOMEM;

	if (r < 0)
		return r;
	r = kvs_fill(object, kvs, error);
	if (r < 0)
		return r;
	if (!kvs->revision)
		return bad(error, "it has no revision");
	*ret = VD_TAKE(kvs);
	return 0;
}

int vd_wire_txn_result_decode(const char *body, size_t size, struct vd_txn_result **ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	const json_t *responses;
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	responses = json_object_get(object, "responses");
	result = vd_txn_result_new(json_array_size(responses));
	if (!result)
		return -ENOMEM;
	r = header_decode(object, &result->revision, error);
	if (r < 0)
		return r;
	if (!result->revision)
		return bad(error, "it has no revision");
	result->succeeded = json_is_true(json_object_get(object, "succeeded"));
	for (size_t i = 0; i < result->response_count; i++) {
		const json_t *range = json_object_get(json_array_get(responses, i), response_names[VD_OPERATION_TYPE_RANGE]);

		r = kvs_fill(range, result->responses[i], error);
		if (r < 0)
			return r;
		result->responses[i]->revision = result->revision;
	}
	*ret = VD_TAKE(result);
	return 0;
}

int vd_wire_answer_number(const char *name, const char *body, size_t size, int64_t *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	const json_t *result;
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	result = json_object_get(object, "result");
	return vd_wire_get_number(result ? result : object, name, ret) < 0 ? bad(error, "a number is none") : 0;
}

void vd_wire_line_clear(struct vd_wire_line *line)
{
	free(line->events);
	free(line->reason);
	vd_kvs_free(line->kvs);
}

static int events_decode(const json_t *array, struct vd_wire_line *line, struct vd_error *error)
{
	const json_t *item;
	size_t i;

	line->kvs = vd_kvs_new();
	line->events = calloc(json_array_size(array) + 1, sizeof(*line->events));
	if (!line->kvs || !line->events)
		return -ENOMEM;
	json_array_foreach ((json_t *)array, i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));
		int r = kv_decode(json_object_get(item, "kv"), line->kvs, error);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		line->events[line->count++].is_delete = type && !strcmp(type, "DELETE");
	}
	/* Only now: the pairs move while they are added. */
	for (i = 0; i < line->count; i++)
		line->events[i].kv = line->kvs->items[i];
	return 0;
}

static int line_read(const json_t *object, struct vd_wire_line *line, struct vd_error *error)
{
	const json_t *result = json_object_get(object, "result"), *failure = json_object_get(object, "error");
	const char *reason;
	int r;

	/* The stream as a whole failed. */
	if (failure) {
		reason = json_string_value(json_is_object(failure) ? json_object_get(failure, "message") : failure);
		line->canceled = true;
		line->reason = strdup(reason ? reason : "unknown error");
		return line->reason ? 0 : -ENOMEM;
	}
	if (!json_is_object(result))
		return bad(error, "a watch line has no result");
	r = header_decode(result, &line->revision, error);
	if (r < 0)
		return r;
	if (vd_wire_get_number(result, "compact_revision", &line->compact_revision) < 0)
		return bad(error, "compact_revision is no number");
	line->created = json_is_true(json_object_get(result, "created"));
	line->canceled = json_is_true(json_object_get(result, "canceled"));
	reason = json_string_value(json_object_get(result, "cancel_reason"));
	if (reason) {
		line->reason = strdup(reason);
		if (!line->reason)
			return -ENOMEM;
	}
	return events_decode(json_object_get(result, "events"), line, error);
}

int vd_wire_line_decode(const char *text, size_t size, struct vd_wire_line *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	struct vd_wire_line line = {0};
	int r = body_load(text, size, &object, error);

	if (r < 0)
		return r;
	r = line_read(object, &line, error);
	if (r < 0) {
		vd_wire_line_clear(&line);
		return r;
	}
	*ret = line;
	return 0;
}
