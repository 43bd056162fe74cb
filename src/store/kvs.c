/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"

#include "base/cleanup.h"

#include <string.h>

struct vd_kvs *vd_kvs_new(void)
{
	return calloc(1, sizeof(struct vd_kvs));
}

void vd_kvs_free(struct vd_kvs *kvs)
{
	if (!kvs)
		return;
	for (size_t i = 0; i < kvs->count; i++) {
		free(kvs->items[i].key);
		free(kvs->items[i].value);
	}
	free(kvs->items);
	free(kvs);
}

static char *copy_bytes(const char *bytes, size_t size)
{
	char *copy = calloc(1, size + 1);

	if (copy && bytes && size)
		memcpy(copy, bytes, size);
	return copy;
}

struct vd_kv *vd_kvs_append(struct vd_kvs *kvs, const char *key, size_t key_size, const char *value, size_t size)
{
	VD_FREE char *key_copy = copy_bytes(key, key_size), *value_copy = copy_bytes(value, size);
	struct vd_kv *kv;

	if (!key_copy || !value_copy)
		return NULL;
	/* Grows by doubling: at every power of two. */
	if (!(kvs->count & (kvs->count - 1))) {
		struct vd_kv *items = reallocarray(kvs->items, kvs->count ? kvs->count * 2 : 1, sizeof(*items));

		if (!items)
			return NULL;
		kvs->items = items;
	}
	kv = &kvs->items[kvs->count++];
	*kv = (struct vd_kv){.key = VD_TAKE(key_copy), .value = VD_TAKE(value_copy), .size = size};
	return kv;
}

struct vd_txn_result *vd_txn_result_new(size_t count)
{
	struct vd_txn_result *result = calloc(1, sizeof(*result));

	if (!result)
		return NULL;
	result->responses = calloc(count ? count : 1, sizeof(*result->responses));
	if (!result->responses) {
		free(result);
		return NULL;
	}
	for (; result->response_count < count; result->response_count++) {
		result->responses[result->response_count] = vd_kvs_new();
		if (!result->responses[result->response_count]) {
			vd_txn_result_free(result);
			return NULL;
		}
	}
	return result;
}

void vd_txn_result_free(struct vd_txn_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->response_count; i++)
		vd_kvs_free(result->responses[i]);
	free(result->responses);
	free(result);
}

char *vd_key_end(const char *key, bool prefix, size_t *ret_size)
{
	size_t size = strlen(key);
	char *end = calloc(1, size + 2);

	if (!end)
		return NULL;
	memcpy(end, key, size);
	if (!prefix) {
		*ret_size = size + 1;
		return end;
	}
	while (size && (unsigned char)end[size - 1] == 0xff)
		size--;
	if (!size) {
		end[0] = '\0';
		*ret_size = 1;
		return end;
	}
	end[size - 1] = (char)((unsigned char)end[size - 1] + 1);
	end[size] = '\0';
	*ret_size = size;
	return end;
}
