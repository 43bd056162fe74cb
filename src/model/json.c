/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_too_deep(const json_t *value, unsigned depth_max)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (depth_max == 0)
		return true;
	json_array_foreach (value, i, item)
		if (is_too_deep(item, depth_max - 1))
			return true;
	json_object_foreach ((json_t *)value, key, item)
		if (is_too_deep(item, depth_max - 1))
			return true;
	return false;
}

/* Objects only, none with a key of ours. */
static bool are_documents(const json_t *documents)
{
	const char *key;
	json_t *document, *value;
	size_t i;

	json_array_foreach (documents, i, document) {
		if (!json_is_object(document))
			return false;
		json_object_foreach (document, key, value)
			if (key[0] == '#')
				return false;
	}
	return true;
}

/* Text that is known to be JSON tells where its documents begin: at each brace of the outermost level. */
static void note_lines(json_t *documents, const char *text, size_t size, unsigned outermost)
{
	unsigned depth = 0;
	json_int_t line = 1;
	bool in_string = false;
	size_t next = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '\n') {
			line++;
		} else if (c == '{' || c == '[') {
			if (c == '{' && depth == outermost)
				json_object_set_new(json_array_get(documents, next++), "#line", json_integer(line));
			depth++;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
}

int vd_documents_parse_json(const char *text, size_t size, unsigned depth_max, json_t **ret)
{
	json_error_t error;
	json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error), *documents;
	bool is_list = json_is_array(value);

	if (!value)
		return -EINVAL;
	documents = is_list ? value : json_pack("[o]", value);
	if (!documents || is_too_deep(value, depth_max) || !are_documents(documents)) {
		json_decref(documents);
		return -EINVAL;
	}
	note_lines(documents, text, size, is_list ? 1 : 0);
	*ret = documents;
	return 0;
}
