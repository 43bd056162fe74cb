/* SPDX-License-Identifier: Apache-2.0 */
#include "client/text_table.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

struct vd_text_table {
	size_t columns, count, capacity;
	char **cells; /* the headers, then row by row */
	size_t *widths;
};

/* Columns on a terminal: bytes that do not continue a UTF-8 character. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *cell_text(const char *cell)
{
	return cell && *cell ? cell : "-";
}

struct vd_text_table *vd_text_table_new(size_t columns, const char *const *headers)
{
	struct vd_text_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->widths = calloc(columns, sizeof(*table->widths));
	if (!table->widths || vd_text_table_add(table, headers)) {
		vd_text_table_free(table);
		return NULL;
	}
	return table;
}

void vd_text_table_free(struct vd_text_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->widths);
	free(table);
}

int vd_text_table_add(struct vd_text_table *table, const char *const *cells)
{
	size_t capacity = table->capacity ? 2 * table->capacity : 16, width;
	char **grown, **row;

	if (table->count == table->capacity) {
		grown = reallocarray(table->cells, capacity * table->columns, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		table->cells = grown;
		table->capacity = capacity;
	}
	row = table->cells + table->count * table->columns;
	for (size_t i = 0; i < table->columns; i++) {
		row[i] = strdup(cell_text(cells[i]));
		if (!row[i]) {
			while (i > 0)
				free(row[--i]);
			return -ENOMEM;
		}
		width = text_width(row[i]);
		if (width > table->widths[i])
			table->widths[i] = width;
	}
	table->count++;
	return 0;
}

void vd_text_table_print_row(const struct vd_text_table *table, const char *const *cells, FILE *file)
{
	const char *text;
	size_t width;

	for (size_t i = 0; i < table->columns; i++) {
		text = cell_text(cells[i]);
		width = text_width(text);
		fputs(text, file);
		if (i + 1 < table->columns)
			fprintf(file, "%*s", (int)(width < table->widths[i] ? table->widths[i] - width + 2 : 2), "");
	}
	fputc('\n', file);
}

void vd_text_table_print(const struct vd_text_table *table, FILE *file)
{
	for (size_t i = 0; table->count > 1 && i < table->count; i++)
		vd_text_table_print_row(table, (const char *const *)(table->cells + i * table->columns), file);
}

static void value_print(const json_t *value, FILE *file)
{
	const char *key;
	json_t *part;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_STRING:
		fputs(json_string_value(value), file);
		break;
	case JSON_INTEGER:
		fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		fprintf(file, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		fputs("yes", file);
		break;
	case JSON_FALSE:
		fputs("no", file);
		break;
	case JSON_NULL:
		break;
	case JSON_ARRAY:
		json_array_foreach (value, i, part) {
			fputs(i ? "," : "", file);
			value_print(part, file);
		}
		break;
	case JSON_OBJECT:
		i = 0;
		json_object_foreach ((json_t *)value, key, part) {
			fprintf(file, "%s%s ", i++ ? " " : "", key);
			value_print(part, file);
		}
		break;
	}
}

static const json_t *value_find(const json_t *object, const char *path, size_t size)
{
	size_t part;

	while (object && size > 0) {
		for (part = 0; part < size && path[part] != '.'; part++)
			;
		object = json_object_getn(object, path, part);
		part += part < size;
		path += part;
		size -= part;
	}
	return object;
}

char *vd_json_text(const json_t *object, const char *path)
{
	const json_t *value = NULL;
	char *text = NULL;
	size_t size;
	FILE *file;

	for (size_t part; !value && *path; path += part + (path[part] == '|')) {
		part = strcspn(path, "|");
		value = value_find(object, path, part);
	}
	file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	if (value)
		value_print(value, file);
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}
