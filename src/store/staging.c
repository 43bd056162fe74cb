/* SPDX-License-Identifier: Apache-2.0 */
#include "store/staging.h"

#include "base/cleanup.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

VD_DEFINE_CLEANUP(json_t, json_decref)

static size_t operation_size(const struct vd_staging_operation *operation)
{
	return strlen(operation->key) + (operation->value ? strlen(operation->value) : 0);
}

int vd_staging_add(struct vd_staging *staging, char *key_taken, char *value_taken, struct vd_error *error)
{
	VD_FREE char *key = key_taken, *value = value_taken;
	struct vd_staging_operation *items;
	size_t size;

	if (!key)
		return -ENOMEM;
	size = operation_size(&(struct vd_staging_operation){key, value});
	if (size > VD_STAGING_SIZE_MAX)
		return vd_error_set(error, -E2BIG, "store: %s has %zu bytes, more than the %u that one record may have", key, size,
				    VD_STAGING_SIZE_MAX);
	items = reallocarray(staging->items, staging->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	staging->items = items;
	items[staging->count++] = (struct vd_staging_operation){VD_TAKE(key), VD_TAKE(value)};
	staging->size += size;
	return 0;
}

void vd_staging_clear(struct vd_staging *staging)
{
	for (size_t i = 0; i < staging->count; i++) {
		free(staging->items[i].key);
		free(staging->items[i].value);
	}
	free(staging->items);
	*staging = (struct vd_staging){0};
}

bool vd_staging_is_small(const struct vd_staging *staging)
{
	return staging->count <= VD_STAGING_COUNT_MAX && staging->size <= VD_STAGING_SIZE_MAX;
}

char *vd_staging_encode(const struct vd_staging *staging, size_t start, size_t *ret_count)
{
	VD_CLEANUP(json_decref_cleanup) json_t *array = json_array();
	size_t size = 0, count = 0;
	char *text;

	while (array && start + count < staging->count && count < VD_STAGING_COUNT_MAX) {
		const struct vd_staging_operation *operation = &staging->items[start + count];

		size += operation_size(operation);
		if (count && size > VD_STAGING_SIZE_MAX)
			break;
		/* "s?": null for a removal. */
		if (json_array_append_new(array, json_pack("{s:s, s:s?}", "key", operation->key, "value", operation->value)) < 0)
			return NULL;
		count++;
	}
	text = array ? json_dumps(array, JSON_COMPACT) : NULL;
	if (text)
		*ret_count = count;
	return text;
}

int vd_staging_decode(const char *value, size_t size, struct vd_staging *staging)
{
	VD_CLEANUP(json_decref_cleanup) json_t *array = json_loadb(value, size, 0, NULL);
	const json_t *item;
	size_t i;

	if (!json_is_array(array))
		return -EBADMSG;
	json_array_foreach (array, i, item) {
		const char *key = json_string_value(json_object_get(item, "key"));
		const json_t *content = json_object_get(item, "value");
		const char *text = json_string_value(content);
		char *copy = text ? strdup(text) : NULL;
		int r;

		if (!key || (!text && !json_is_null(content))) {
			free(copy);
			return -EBADMSG;
		}
		if (text && !copy)
			return -ENOMEM;
		r = vd_staging_add(staging, strdup(key), copy, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

void vd_staging_operations(const struct vd_staging *staging, struct vd_operation *ret)
{
	for (size_t i = 0; i < staging->count; i++) {
		const struct vd_staging_operation *operation = &staging->items[i];

		ret[i] = (struct vd_operation){
			.type = operation->value ? VD_OPERATION_TYPE_PUT : VD_OPERATION_TYPE_DELETE,
			.key = operation->key,
			.value = operation->value,
			.size = operation->value ? strlen(operation->value) : 0,
		};
	}
}
