/* SPDX-License-Identifier: Apache-2.0 */
#include "store/wire.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *vd_wire_bytes(const char *bytes, size_t size)
{
	VD_FREE char *text = NULL;
	int length;

	if (size > INT_MAX / 2)
		return NULL;
	text = malloc((size + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	length = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)size);
	return json_stringn_nocheck(text, (size_t)length);
}

json_t *vd_wire_number(int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	return json_string_nocheck(text);
}

int vd_wire_set_number(json_t *object, const char *name, int64_t number)
{
	return number && json_object_set_new_nocheck(object, name, vd_wire_number(number)) < 0 ? -ENOMEM : 0;
}

int vd_wire_set_bytes(json_t *object, const char *name, const char *bytes, size_t size)
{
	return size && json_object_set_new_nocheck(object, name, vd_wire_bytes(bytes, size)) < 0 ? -ENOMEM : 0;
}

char *vd_wire_dump(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

/* EVP_DecodeBlock skips white space and takes padding anywhere: look first. */
static bool base64_is_valid(const char *text, size_t size)
{
	size_t plain = strspn(text, base64_alphabet);

	return size % 4 == 0 && size <= INT_MAX && plain <= size && size - plain <= 2 && strspn(text + plain, "=") == size - plain;
}

int vd_wire_get_bytes(const json_t *object, const char *name, char **ret, size_t *ret_size)
{
	const json_t *value = json_object_get(object, name);
	VD_FREE char *bytes = NULL;
	const char *text;
	size_t size, padding;

	if (!value || json_is_null(value)) {
		*ret = NULL;
		*ret_size = 0;
		return 0;
	}
	text = json_string_value(value);
	size = json_string_length(value);
	if (!text || strlen(text) != size || !base64_is_valid(text, size))
		return -EINVAL;
	bytes = malloc(size / 4 * 3 + 1);
	if (!bytes)
		return -ENOMEM;
	if (EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)size) < 0)
		return -EINVAL;
	padding = size ? (size_t)(text[size - 1] == '=') + (size_t)(text[size - 2] == '=') : 0;
	*ret_size = size / 4 * 3 - padding;
	bytes[*ret_size] = '\0';
	*ret = VD_TAKE(bytes);
	return 0;
}

int vd_wire_get_number(const json_t *object, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);
	long long number;
	char *end;

	if (!value || json_is_null(value)) {
		*ret = 0;
		return 0;
	}
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return 0;
	}
	if (!text || !text[0] || strspn(text, "-0123456789") != json_string_length(value))
		return -EINVAL;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = number;
	return 0;
}

/* What an errno is called: etcd's code and text, by which our own engine (and others' clients) know it again. */
struct refusal {
	int error;
	int code, status; /* gRPC, HTTP */
	const char *text;
};

static const struct refusal refusals[] = {
	{-ESTALE, 11, 400, "etcdserver: mvcc: required revision has been compacted"},
	{-EINVAL, 11, 400, "etcdserver: mvcc: required revision is a future revision"},
	{-EINVAL, 3, 400, "etcdserver: duplicate key given in txn request"},
	{-EINVAL, 3, 400, "etcdserver: key is not provided"},
	{-EINVAL, 3, 400, "invalid request: "}, /* our own gateway's */
	{-E2BIG, 3, 400, "etcdserver: too many operations in txn request"},
	{-E2BIG, 3, 400, "etcdserver: request is too large"},
	{-ENOENT, 5, 404, "etcdserver: requested lease not found"},
	{-ENOSPC, 8, 429, "etcdserver: mvcc: database space exceeded"},
	{-EACCES, 7, 403, "etcdserver: permission denied"},
	{-ETIMEDOUT, 14, 503, "etcdserver: request timed out"},
};

char *vd_wire_error_encode(int code, const struct vd_error *error, int *ret_status)
{
	static const struct refusal internal = {0, 13, 500, "internal error"}, invalid = {-EINVAL, 3, 400, "invalid request"};
	const struct refusal *refusal = &internal;
	VD_FREE char *text = NULL;
	json_t *object;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].error == code)
			refusal = &refusals[i];
	if (code == -EINVAL)
		refusal = &invalid;
	if (code == -ECONNREFUSED)
		refusal = &refusals[sizeof(refusals) / sizeof(refusals[0]) - 1];
	if (asprintf(&text, "%s: %s", refusal->text, error ? error->text : "") < 0) {
		text = NULL;
		return NULL;
	}
	/* A sentence may quote what was sent, which need not be UTF-8. */
	object = json_pack("{s:o, s:i}", "error", json_string(text), "code", refusal->code);
	if (!object)
		object = json_pack("{s:s, s:i}", "error", refusal->text, "code", refusal->code);
	*ret_status = refusal->status;
	return vd_wire_dump(object);
}

int vd_wire_error_decode(const char *from, int status, const char *body, size_t size, struct vd_error *error)
{
	json_t *object = json_loadb(body, size, JSON_DISABLE_EOF_CHECK, NULL);
	const char *text = json_string_value(json_object_get(object, "error"));
	const json_t *nested = json_object_get(object, "error");
	int r = status >= 500 ? -ETIMEDOUT : status == 401 || status == 403 ? -EACCES : status == 404 ? -EPROTO : -EIO;

	/* A stream's error stands in an object. */
	if (json_is_object(nested))
		text = json_string_value(json_object_get(nested, "message"));
	for (size_t i = 0; text && i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strstr(text, refusals[i].text))
			r = refusals[i].error;
	if (text && (strstr(text, "invalid auth token") || strstr(text, "user name is empty")))
		r = -EACCES;
	if (text)
		r = vd_error_set(error, r, "store %s: %s", from, text);
	else if (status == 404)
		r = vd_error_set(error, r, "store %s: it does not serve etcd's /v3 gateway; check the address and port", from);
	else if (r == -EACCES)
		r = vd_error_set(error, r, "store %s: it does not let us in; check the token and the certificate", from);
	else
		r = vd_error_set(error, r, "store %s: HTTP status %d", from, status);
	json_decref(object);
	return r;
}
