/* SPDX-License-Identifier: Apache-2.0 */
#include "store/wire.h"

#include "base/cleanup.h"
#include "store/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

VD_DEFINE_CLEANUP(json_t, json_decref)

static const char *const target_names[] = {
	[VD_COMPARE_TARGET_VERSION] = "VERSION", [VD_COMPARE_TARGET_CREATE] = "CREATE", [VD_COMPARE_TARGET_MOD] = "MOD",
	[VD_COMPARE_TARGET_VALUE] = "VALUE",     [VD_COMPARE_TARGET_LEASE] = "LEASE",
};

/* The field that holds what is compared with. */
static const char *const target_fields[] = {
	[VD_COMPARE_TARGET_VERSION] = "version",  [VD_COMPARE_TARGET_CREATE] = "create_revision",
	[VD_COMPARE_TARGET_MOD] = "mod_revision", [VD_COMPARE_TARGET_VALUE] = "value",
	[VD_COMPARE_TARGET_LEASE] = "lease",
};

static const char *const result_names[] = {
	[VD_COMPARE_RESULT_EQUAL] = "EQUAL",
	[VD_COMPARE_RESULT_GREATER] = "GREATER",
	[VD_COMPARE_RESULT_LESS] = "LESS",
	[VD_COMPARE_RESULT_NOT_EQUAL] = "NOT_EQUAL",
};

static const char *const operation_names[] = {
	[VD_OPERATION_TYPE_PUT] = "request_put",
	[VD_OPERATION_TYPE_DELETE] = "request_delete_range",
	[VD_OPERATION_TYPE_RANGE] = "request_range",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

char *vd_wire_range_encode(const char *key, const char *end, size_t end_size, int64_t revision, size_t limit)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();

	/* From the very first key on: etcd takes no empty key. */
	if (!object || vd_wire_set_bytes(object, "key", key[0] ? key : "\0", key[0] ? strlen(key) : 1) < 0 ||
	    vd_wire_set_bytes(object, "range_end", end, end_size) < 0 || vd_wire_set_number(object, "revision", revision) < 0 ||
	    vd_wire_set_number(object, "limit", (int64_t)limit) < 0)
		return NULL;
	return vd_wire_dump(VD_TAKE(object));
}

/* key, and range_end for a prefix. */
static int range_set(json_t *object, const char *key, bool prefix)
{
	VD_FREE char *end = NULL;
	size_t end_size = 0;

	if (prefix) {
		end = vd_key_end(key, true, &end_size);
		if (!end)
			return -ENOMEM;
	}
	if (vd_wire_set_bytes(object, "key", key[0] ? key : "\0", key[0] ? strlen(key) : 1) < 0)
		return -ENOMEM;
	return vd_wire_set_bytes(object, "range_end", end, end_size);
}

static json_t *compare_json(const struct vd_compare *compare)
{
	VD_CLEANUP(json_decref_cleanup)
	json_t *object = json_pack("{s:s, s:s, s:o}", "target", target_names[compare->target], "result",
				   result_names[compare->result], "key", vd_wire_bytes(compare->key, strlen(compare->key)));

	if (!object)
		return NULL;
	/* The field is what tells the target apart (a oneof): written also when it is zero. */
	if (json_object_set_new(object, target_fields[compare->target],
				compare->target == VD_COMPARE_TARGET_VALUE ? vd_wire_bytes(compare->value, compare->size)
									   : vd_wire_number(compare->number)) < 0)
		return NULL;
	return VD_TAKE(object);
}

static json_t *operation_json(const struct vd_operation *operation)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();

	if (!object || range_set(object, operation->key, operation->prefix && operation->type != VD_OPERATION_TYPE_PUT) < 0)
		return NULL;
	if (operation->type == VD_OPERATION_TYPE_PUT &&
	    (vd_wire_set_bytes(object, "value", operation->value, operation->size) < 0 ||
	     vd_wire_set_number(object, "lease", operation->lease) < 0))
		return NULL;
	return json_pack("{s:o}", operation_names[operation->type], VD_TAKE(object));
}

static int operations_set(json_t *object, const char *name, const struct vd_operation *operations, size_t count)
{
	json_t *array;

	if (!count)
		return 0;
	array = json_array();
	for (size_t i = 0; array && i < count; i++)
		if (json_array_append_new(array, operation_json(&operations[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	return json_object_set_new(object, name, array) < 0 ? -ENOMEM : 0;
}

char *vd_wire_txn_encode(const struct vd_txn *txn)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();
	json_t *compares = json_array();

	/* Takes the array also when it fails. */
	if (json_object_set_new(object, "compare", compares) < 0)
		return NULL;
	for (size_t i = 0; i < txn->compare_count; i++)
		if (json_array_append_new(compares, compare_json(&txn->compares[i])) < 0)
			return NULL;
	if (operations_set(object, "success", txn->success, txn->success_count) < 0 ||
	    operations_set(object, "failure", txn->failure, txn->failure_count) < 0)
		return NULL;
	return vd_wire_dump(VD_TAKE(object));
}

char *vd_wire_watch_encode(const char *prefix, int64_t start)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = json_object();

	if (!object || range_set(object, prefix, true) < 0 || vd_wire_set_number(object, "start_revision", start) < 0 ||
	    json_object_set_new(object, "progress_notify", json_true()) < 0)
		return NULL;
	return vd_wire_dump(json_pack("{s:o}", "create_request", VD_TAKE(object)));
}

char *vd_wire_number_encode(const char *name, int64_t number)
{
	return vd_wire_dump(json_pack("{s:o}", name, vd_wire_number(number)));
}

static int refuse(struct vd_error *error, const char *what)
{
	return vd_error_set(error, -EINVAL, "gateway: %s", what);
}

/* The object's fields are among these, NULL behind the last. */
__attribute__((sentinel)) static int fields_check(const json_t *object, struct vd_error *error, ...)
{
	const char *name, *known;
	const json_t *value;
	va_list arguments;

	if (!json_is_object(object))
		return refuse(error, "a JSON object is missing");
	json_object_foreach ((json_t *)object, name, value) {
		va_start(arguments, error);
		do
			known = va_arg(arguments, const char *);
		while (known && strcmp(known, name));
		va_end(arguments);
		if (!known)
			return vd_error_set(error, -EINVAL, "gateway: the field %.60s is not served here", name);
	}
	return 0;
}

static int body_load(const char *body, size_t size, json_t **ret, struct vd_error *error)
{
	json_error_t reason;

	*ret = json_loadb(body, size, JSON_REJECT_DUPLICATES, &reason);
	return *ret ? 0 : vd_error_set(error, -EINVAL, "gateway: the request is no JSON: %s", reason.text);
}

static int get_bytes(const json_t *object, const char *name, char **ret, size_t *ret_size, struct vd_error *error)
{
	int r = vd_wire_get_bytes(object, name, ret, ret_size);

	return r == -EINVAL ? vd_error_set(error, r, "gateway: the field %s is no base64", name) : r;
}

static int get_number(const json_t *object, const char *name, int64_t *ret, struct vd_error *error)
{
	int r = vd_wire_get_number(object, name, ret);

	return r == -EINVAL ? vd_error_set(error, r, "gateway: the field %s is no number", name) : r;
}

/* A key is text here. The single byte NUL is etcd's way to say "from the first": it comes out empty, and only a range may say it. */
static int get_key(const json_t *object, bool is_range, char **ret, struct vd_error *error)
{
	VD_FREE char *key = NULL;
	size_t size;
	int r = get_bytes(object, "key", &key, &size, error);

	if (r < 0)
		return r;
	if (!key || !size)
		return refuse(error, "a key is missing");
	if (strlen(key) != size && !(is_range && size == 1))
		return refuse(error, "a key has a NUL in it");
	*ret = VD_TAKE(key);
	return 0;
}

/* key and range_end as a key and a prefix (NULL: the key alone). Only ranges that end where a prefix does are served. */
static int get_range(const json_t *object, char **ret_key, char **ret_prefix, struct vd_error *error)
{
	VD_FREE char *key = NULL, *end = NULL;
	size_t size;
	int r = get_key(object, true, &key, error);

	if (r < 0)
		return r;
	r = get_bytes(object, "range_end", &end, &size, error);
	if (r < 0)
		return r;
	if (!size && !key[0])
		return refuse(error, "a key is missing");
	/* From the key to itself with a NUL behind it: that key alone. */
	if (size == strlen(key) + 1 && key[0] && !memcmp(end, key, size))
		size = 0;
	if (size) {
		/* NUL alone: no end. Else the last byte was raised by one. */
		if (size == 1 && !end[0])
			size = 0;
		else
			end[size - 1] = (char)((unsigned char)end[size - 1] - 1);
		end[size] = '\0';
		if (strlen(end) != size || strncmp(key, end, size))
			return refuse(error, "only ranges that are a prefix are served");
		*ret_prefix = VD_TAKE(end);
	} else {
		*ret_prefix = NULL;
	}
	*ret_key = VD_TAKE(key);
	return 0;
}

void vd_wire_range_clear(struct vd_wire_range *range)
{
	free(range->key);
	free(range->prefix);
}

int vd_wire_range_decode(const char *body, size_t size, struct vd_wire_range *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	struct vd_wire_range range = {0};
	int64_t limit;
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	/* serializable: we read our own file, which is never behind. */
	r = fields_check(object, error, "key", "range_end", "revision", "limit", "serializable", NULL);
	if (r < 0)
		return r;
	r = get_number(object, "revision", &range.revision, error);
	if (r < 0)
		return r;
	r = get_number(object, "limit", &limit, error);
	if (r < 0)
		return r;
	if (limit < 0 || range.revision < 0)
		return refuse(error, "revision and limit must not be negative");
	range.limit = (size_t)limit;
	r = get_range(object, &range.key, &range.prefix, error);
	if (r < 0)
		return r;
	*ret = range;
	return 0;
}

static void operations_free(struct vd_operation *operations, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((char *)operations[i].key);
		free((char *)operations[i].value);
	}
	free(operations);
}

void vd_wire_txn_clear(struct vd_wire_txn *txn)
{
	for (size_t i = 0; i < txn->txn.compare_count; i++) {
		free((char *)txn->compares[i].key);
		free((char *)txn->compares[i].value);
	}
	free(txn->compares);
	operations_free(txn->success, txn->txn.success_count);
	operations_free(txn->failure, txn->txn.failure_count);
}

static int name_find(const json_t *object, const char *field, const char *const *names, size_t count, int *ret,
		     struct vd_error *error)
{
	const json_t *value = json_object_get(object, field);
	const char *text = json_string_value(value);

	/* Left out: the zero value, which both enums have at the same place as we. */
	if (!value) {
		*ret = 0;
		return 0;
	}
	for (size_t i = 0; text && i < count; i++)
		if (!strcmp(names[i], text)) {
			*ret = (int)i;
			return 0;
		}
	return vd_error_set(error, -EINVAL, "gateway: the field %s has a value that is not served here", field);
}

/* Fills parts of ret as it goes; the caller clears it on failure. */
static int compare_decode(const json_t *object, struct vd_compare *ret, struct vd_error *error)
{
	int target, result, r;

	r = name_find(object, "target", target_names, COUNT(target_names), &target, error);
	if (r < 0)
		return r;
	r = name_find(object, "result", result_names, COUNT(result_names), &result, error);
	if (r < 0)
		return r;
	r = fields_check(object, error, "target", "result", "key", target_fields[target], NULL);
	if (r < 0)
		return r;
	ret->target = (enum vd_compare_target)target;
	ret->result = (enum vd_compare_result)result;
	r = get_key(object, false, (char **)&ret->key, error);
	if (r < 0)
		return r;
	if (ret->target == VD_COMPARE_TARGET_VALUE)
		return get_bytes(object, "value", (char **)&ret->value, &ret->size, error);
	return get_number(object, target_fields[target], &ret->number, error);
}

static int operation_decode(enum vd_operation_type type, const json_t *object, struct vd_operation *ret, struct vd_error *error)
{
	VD_FREE char *key = NULL, *prefix = NULL;
	int r;

	ret->type = type;
	if (type == VD_OPERATION_TYPE_PUT) {
		r = fields_check(object, error, "key", "value", "lease", NULL);
		if (r < 0)
			return r;
		r = get_key(object, false, (char **)&ret->key, error);
		if (r < 0)
			return r;
		r = get_number(object, "lease", &ret->lease, error);
		if (r < 0)
			return r;
		return get_bytes(object, "value", (char **)&ret->value, &ret->size, error);
	}
	r = fields_check(object, error, "key", "range_end", NULL);
	if (r < 0)
		return r;
	r = get_range(object, &key, &prefix, error);
	if (r < 0)
		return r;
	if (prefix && strcmp(prefix, key))
		return refuse(error, "only whole prefixes are served in a transaction");
	ret->prefix = prefix;
	ret->key = VD_TAKE(key);
	return 0;
}

static int request_decode(const json_t *object, struct vd_operation *ret, struct vd_error *error)
{
	if (json_object_size(object) == 1)
		for (size_t i = 0; i < COUNT(operation_names); i++) {
			const json_t *inner = json_object_get(object, operation_names[i]);

			if (inner)
				return operation_decode((enum vd_operation_type)i, inner, ret, error);
		}
	return refuse(error, "an operation is not one of request_put, request_delete_range, request_range");
}

/* The array called name: absent is empty. Too long a one is left to the store to refuse, unless it is absurd. */
static int array_get(const json_t *object, const char *name, size_t item_size, const json_t **ret, void **ret_items,
		     struct vd_error *error)
{
	*ret = json_object_get(object, name);
	if (*ret && !json_is_array(*ret))
		return vd_error_set(error, -EINVAL, "gateway: the field %s is no array", name);
	if (json_array_size(*ret) > 1024)
		return vd_error_set(error, -E2BIG, "gateway: the field %s has too many operations", name);
	*ret_items = calloc(json_array_size(*ret) + 1, item_size);
	return *ret_items ? 0 : -ENOMEM;
}

static int operations_decode(const json_t *object, const char *name, struct vd_operation **items, size_t *count,
			     struct vd_error *error)
{
	const json_t *array;
	int r = array_get(object, name, sizeof(**items), &array, (void **)items, error);

	while (r == 0 && *count < json_array_size(array)) {
		r = request_decode(json_array_get(array, *count), &(*items)[*count], error);
		(*count)++;
	}
	return r;
}

static int txn_fill(const json_t *object, struct vd_wire_txn *txn, struct vd_error *error)
{
	const json_t *array;
	int r = fields_check(object, error, "compare", "success", "failure", NULL);

	if (r < 0)
		return r;
	r = array_get(object, "compare", sizeof(*txn->compares), &array, (void **)&txn->compares, error);
	while (r == 0 && txn->txn.compare_count < json_array_size(array)) {
		size_t i = txn->txn.compare_count++;

		r = compare_decode(json_array_get(array, i), &txn->compares[i], error);
	}
	if (r == 0)
		r = operations_decode(object, "success", &txn->success, &txn->txn.success_count, error);
	if (r == 0)
		r = operations_decode(object, "failure", &txn->failure, &txn->txn.failure_count, error);
	txn->txn.compares = txn->compares;
	txn->txn.success = txn->success;
	txn->txn.failure = txn->failure;
	return r;
}

int vd_wire_txn_decode(const char *body, size_t size, struct vd_wire_txn *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	struct vd_wire_txn txn = {0};
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	r = txn_fill(object, &txn, error);
	if (r < 0) {
		vd_wire_txn_clear(&txn);
		return r;
	}
	*ret = txn;
	return 0;
}

int vd_wire_operation_decode(enum vd_operation_type type, const char *body, size_t size, struct vd_wire_txn *ret,
			     struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	struct vd_wire_txn txn = {0};
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	txn.success = calloc(1, sizeof(*txn.success));
	if (!txn.success)
		return -ENOMEM;
	txn.txn.success = txn.success;
	txn.txn.success_count = 1;
	r = operation_decode(type, object, txn.success, error);
	if (r < 0) {
		vd_wire_txn_clear(&txn);
		return r;
	}
	*ret = txn;
	return 0;
}

void vd_wire_watch_clear(struct vd_wire_watch *watch)
{
	free(watch->prefix);
}

int vd_wire_watch_decode(const char *body, size_t size, struct vd_wire_watch *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	VD_FREE char *key = NULL, *prefix = NULL;
	const json_t *request;
	int64_t start;
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	r = fields_check(object, error, "create_request", NULL);
	if (r < 0)
		return r;
	request = json_object_get(object, "create_request");
	r = fields_check(request, error, "key", "range_end", "start_revision", "progress_notify", NULL);
	if (r < 0)
		return r;
	r = get_number(request, "start_revision", &start, error);
	if (r < 0)
		return r;
	r = get_range(request, &key, &prefix, error);
	if (r < 0)
		return r;
	if (start < 0 || !prefix || strcmp(prefix, key))
		return refuse(error, "only whole prefixes are watched, from a revision that is not negative");
	*ret = (struct vd_wire_watch){
		.prefix = VD_TAKE(prefix),
		.start = start,
		.progress = json_is_true(json_object_get(request, "progress_notify")),
	};
	return 0;
}

int vd_wire_number_decode(const char *name, const char *body, size_t size, int64_t *ret, struct vd_error *error)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = NULL;
	int r = body_load(body, size, &object, error);

	if (r < 0)
		return r;
	/* physical: ours is always done when we answer. */
	r = fields_check(object, error, name, "physical", NULL);
	if (r < 0)
		return r;
	return get_number(object, name, ret, error);
}
