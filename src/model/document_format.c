/* SPDX-License-Identifier: Apache-2.0 */
#include "model/document.h"

#include "base/cleanup.h"
#include "model/scalar.h"

#include <stdbool.h>
#include <string.h>

static void write_block(FILE *file, const json_t *object, unsigned indent);

static void write_text(FILE *file, const char *text)
{
	json_t *value;
	VD_FREE char *quoted = NULL;

	if (vd_scalar_is_plain(text)) {
		fputs(text, file);
		return;
	}
	/* JSON's quoted strings are YAML's. */
	value = json_string(text);
	quoted = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	json_decref(value);
	fputs(quoted ? quoted : "\"\"", file);
}

static bool is_container(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

static bool has_containers(const json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item)
		if (is_container(item))
			return true;
	json_object_foreach ((json_t *)value, key, item)
		if (is_container(item))
			return true;
	return false;
}

/* On one line: a scalar, a list or mapping of scalars. */
static void write_flow(FILE *file, const json_t *value)
{
	VD_FREE char *text = NULL;
	const char *key, *comma = "";
	json_t *item;
	size_t i;

	if (json_is_string(value)) {
		write_text(file, json_string_value(value));
	} else if (json_is_array(value)) {
		fputc('[', file);
		json_array_foreach (value, i, item) {
			fputs(comma, file);
			write_flow(file, item);
			comma = ", ";
		}
		fputc(']', file);
	} else if (json_is_object(value)) {
		fputc('{', file);
		json_object_foreach ((json_t *)value, key, item) {
			fputs(comma, file);
			write_text(file, key);
			fputs(": ", file);
			write_flow(file, item);
			comma = ", ";
		}
		fputc('}', file);
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		fputs(text ? text : "null", file);
	}
}

static void write_member(FILE *file, const char *key, const json_t *value, unsigned indent)
{
	json_t *item;
	size_t i;

	fprintf(file, "%*s", (int)indent, "");
	write_text(file, key);
	fputc(':', file);
	if (!has_containers(value)) {
		fputc(' ', file);
		write_flow(file, value);
		fputc('\n', file);
	} else if (json_is_object(value)) {
		fputc('\n', file);
		write_block(file, value, indent + 2);
	} else {
		fputc('\n', file);
		json_array_foreach (value, i, item) {
			fprintf(file, "%*s- ", (int)indent, "");
			write_flow(file, item);
			fputc('\n', file);
		}
	}
}

static void write_block(FILE *file, const json_t *object, unsigned indent)
{
	static const char *const first[] = {"kind", "name"};
	const char *key;
	json_t *value;

	for (size_t i = 0; i < 2; i++)
		if (json_object_get(object, first[i]))
			write_member(file, first[i], json_object_get(object, first[i]), indent);
	json_object_foreach ((json_t *)object, key, value)
		if (key[0] != '#' && strcmp(key, first[0]) != 0 && strcmp(key, first[1]) != 0)
			write_member(file, key, value, indent);
}

char *vd_documents_format(const json_t *documents)
{
	char *text = NULL;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);
	json_t *document;

	if (!file)
		return NULL;
	json_array_foreach (documents, i, document) {
		if (i > 0)
			fputs("---\n", file);
		write_block(file, document, 0);
	}
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
