/* SPDX-License-Identifier: Apache-2.0 */
#include "model/document.h"

#include "base/cleanup.h"
#include "model/json.h"
#include "model/scalar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 32
/* Keys of one mapping: far more than any kind has; bounds what garbage may cost. */
#define KEYS_MAX 1024
/* Values that aliases may add to one text: enough for anything written by hand. */
#define ALIASED_MAX 100000
#define ANCHORS_MAX 1000

struct level {
	json_t *value; /* borrowed from its parent, or from the reading for the outermost */
	char *key;     /* of a mapping: read, its value has yet to come */
	char *anchor;
};

struct reading {
	struct level levels[DEPTH_MAX];
	size_t depth;
	json_t *documents;
	json_t *anchors; /* of the document: name -> value */
	size_t aliased;
	struct vd_error *error;
};

static int refuse_at(const yaml_mark_t *mark, struct vd_error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse_at(const yaml_mark_t *mark, struct vd_error *error, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* Marks count from 0. */
	if (mark)
		return vd_error_set(error, -EINVAL, "line %zu, column %zu: %s", mark->line + 1, mark->column + 1, text);
	return vd_error_set(error, -EINVAL, "%s", text);
}

/* Bytes of the UTF-8 character at text; 0 when it is none (RFC 3629: shortest form, no surrogates). */
static size_t utf8_size(const unsigned char *text, size_t size)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > size)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/*
 * What no document can be is found before the parser sees it: garbage is answered at once, and what the parser's own work grows
 * with (open brackets, anchors) is bounded.
 */
static int check_bytes(const char *text, size_t size, struct vd_error *error)
{
	yaml_mark_t mark = {};
	int open = 0, anchors = 0;

	for (size_t i = 0, length; i < size; i += length) {
		unsigned char c = (unsigned char)text[i];

		length = utf8_size((const unsigned char *)text + i, size - i);
		if (length == 0 || (c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return refuse_at(&mark, error, "byte 0x%02x is no text; give YAML or JSON in UTF-8", c);
		if (c == '[' || c == '{')
			open++;
		else if ((c == ']' || c == '}') && open > 0)
			open--;
		else if ((c == '&' || c == '*' || c == '!') && (i == 0 || strchr(" \t[{,:", text[i - 1])))
			anchors++;
		if (open > DEPTH_MAX)
			return refuse_at(&mark, error, "nested deeper than %d", DEPTH_MAX);
		if (anchors > ANCHORS_MAX)
			return refuse_at(&mark, error, "more than %d anchors, aliases and tags in a line; write the values out",
					 ANCHORS_MAX);
		if (c == '%' && mark.column == 0)
			return refuse_at(&mark, error, "directives (%%) are not read; leave it out");
		mark.column++;
		if (c == '\n') {
			mark = (yaml_mark_t){.line = mark.line + 1};
			open = anchors = 0;
		}
	}
	return 0;
}

static size_t count_values(const json_t *value)
{
	size_t count = 1, i;
	json_t *item;
	const char *key;

	json_array_foreach (value, i, item)
		count += count_values(item);
	json_object_foreach ((json_t *)value, key, item)
		count += count_values(item);
	return count;
}

static int remember(struct reading *reading, const char *anchor, json_t *value, const yaml_mark_t *mark)
{
	if (json_object_size(reading->anchors) >= ANCHORS_MAX)
		return refuse_at(mark, reading->error, "more than %d anchors; write the values out", ANCHORS_MAX);
	return json_object_set(reading->anchors, anchor, value) < 0 ? -EINVAL : 0;
}

/* A finished value's place: document, item or member. Takes the reference. */
static int place(struct reading *reading, json_t *value, const yaml_mark_t *mark)
{
	struct level *level = reading->depth > 0 ? &reading->levels[reading->depth - 1] : NULL;
	int r;

	if (!value)
		return refuse_at(mark, reading->error, "the text is no UTF-8");
	/* A file in JSON may hold one list of documents. */
	if ((!level && !json_is_object(value) && !json_is_array(value)) ||
	    (reading->depth == 1 && json_is_array(level->value) && !json_is_object(value))) {
		json_decref(value);
		return refuse_at(mark, reading->error, "a document must be a mapping that begins with kind: and name:");
	}
	if (!level || json_is_array(level->value))
		return json_array_append_new(level ? level->value : reading->documents, value) < 0 ? -ENOMEM : 0;
	r = json_object_set_new(level->value, level->key, value);
	free(level->key);
	level->key = NULL;
	return r < 0 ? refuse_at(mark, reading->error, "the key is no UTF-8") : 0;
}

static int read_key(struct reading *reading, const char *key, const yaml_mark_t *mark)
{
	struct level *level = &reading->levels[reading->depth - 1];

	if (key[0] == '#')
		return refuse_at(mark, reading->error, "no field begins with #");
	if (json_object_get(level->value, key))
		return refuse_at(mark, reading->error, "the key \"%.40s\" stands here twice; leave one out", key);
	if (json_object_size(level->value) >= KEYS_MAX)
		return refuse_at(mark, reading->error, "a mapping of more than %d keys", KEYS_MAX);
	level->key = strdup(key);
	return level->key ? 0 : -ENOMEM;
}

/* Does the next event name a member, rather than be a value? */
static bool wants_key(const struct reading *reading)
{
	const struct level *level = reading->depth > 0 ? &reading->levels[reading->depth - 1] : NULL;

	return level && json_is_object(level->value) && !level->key;
}

static int read_scalar(struct reading *reading, const yaml_event_t *event, const yaml_mark_t *mark)
{
	const char *text = (const char *)event->data.scalar.value, *anchor = (const char *)event->data.scalar.anchor;
	json_t *value;
	int r;

	if (event->data.scalar.tag)
		return refuse_at(mark, reading->error, "tags (!) are not read; leave it out");
	if (strlen(text) != event->data.scalar.length)
		return refuse_at(mark, reading->error, "the text has a NUL byte");
	if (wants_key(reading))
		return read_key(reading, text, mark);
	value = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? vd_scalar_resolve(text) : json_string(text);
	r = anchor && value ? remember(reading, anchor, value, mark) : 0;
	if (r < 0) {
		json_decref(value);
		return r;
	}
	return place(reading, value, mark);
}

static int read_alias(struct reading *reading, const char *anchor, const yaml_mark_t *mark)
{
	json_t *value = json_object_get(reading->anchors, anchor);

	if (wants_key(reading))
		return refuse_at(mark, reading->error, "an alias cannot be a key");
	if (!value)
		return refuse_at(mark, reading->error, "the alias *%.40s has no anchor before it", anchor);
	/* Counted before it is copied: a bomb never goes off. */
	reading->aliased += count_values(value);
	if (reading->aliased > ALIASED_MAX)
		return refuse_at(mark, reading->error, "aliases stand for more than %d values; write fewer", ALIASED_MAX);
	return place(reading, json_deep_copy(value), mark);
}

static int begin(struct reading *reading, json_t *value, const yaml_char_t *anchor, const yaml_char_t *tag, const yaml_mark_t *mark)
{
	struct level *level;
	bool outermost = reading->depth == 0;
	int r;

	if (tag || wants_key(reading) || reading->depth == DEPTH_MAX) {
		json_decref(value);
		if (tag)
			return refuse_at(mark, reading->error, "tags (!) are not read; leave it out");
		return reading->depth == DEPTH_MAX ? refuse_at(mark, reading->error, "nested deeper than %d", DEPTH_MAX)
						   : refuse_at(mark, reading->error, "a key must be a text");
	}
	/* A document's line; in a list of documents, as JSON has it, each item's. */
	if (json_is_object(value) && (outermost || (reading->depth == 1 && json_is_array(reading->levels[0].value))))
		json_object_set_new(value, "#line", json_integer((json_int_t)mark->line + 1));
	r = place(reading, value, mark);
	if (r < 0)
		return r;
	level = &reading->levels[reading->depth++];
	*level = (struct level){.value = value};
	if (!anchor)
		return 0;
	level->anchor = strdup((const char *)anchor);
	return level->anchor ? 0 : -ENOMEM;
}

static int end(struct reading *reading, const yaml_mark_t *mark)
{
	struct level *level = &reading->levels[--reading->depth];
	VD_FREE char *anchor = VD_TAKE(level->anchor);

	/* Only now: an alias inside its own anchor has no meaning here. */
	return anchor ? remember(reading, anchor, level->value, mark) : 0;
}

/* A file that is empty, or ends with "---", has an empty last document: none. */
static bool is_nothing(const struct reading *reading, const yaml_event_t *event)
{
	return reading->depth == 0 && event->data.scalar.length == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int read_event(struct reading *reading, const yaml_event_t *event)
{
	const yaml_mark_t *mark = &event->start_mark;

	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
		return begin(reading, json_object(), event->data.mapping_start.anchor, event->data.mapping_start.tag, mark);
	case YAML_SEQUENCE_START_EVENT:
		return begin(reading, json_array(), event->data.sequence_start.anchor, event->data.sequence_start.tag, mark);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return end(reading, mark);
	case YAML_SCALAR_EVENT:
		return is_nothing(reading, event) ? 0 : read_scalar(reading, event, mark);
	case YAML_ALIAS_EVENT:
		return read_alias(reading, (const char *)event->data.alias.anchor, mark);
	case YAML_DOCUMENT_START_EVENT:
		json_object_clear(reading->anchors);
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int read_events(struct reading *reading, const char *text, size_t size)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_parser_t parser;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (r == 0 && type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			r = refuse_at(&parser.problem_mark, reading->error, "the text is no YAML: %s",
				      parser.problem ? parser.problem : "it cannot be read");
			break;
		}
		type = event.type;
		r = read_event(reading, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}

/* The documents, those of a list among them. */
static json_t *flatten(json_t *documents)
{
	json_t *flat = json_array(), *document;
	size_t i;

	json_array_foreach (documents, i, document) {
		if (json_is_array(document))
			json_array_extend(flat, document);
		else
			json_array_append(flat, document);
	}
	return flat;
}

static int parse_yaml(const char *text, size_t size, json_t **ret, struct vd_error *error)
{
	struct reading reading = {.documents = json_array(), .anchors = json_object(), .error = error};
	int r;

	r = check_bytes(text, size, error);
	if (r == 0)
		r = reading.documents && reading.anchors ? read_events(&reading, text, size) : -ENOMEM;
	for (size_t i = 0; i < reading.depth; i++) {
		free(reading.levels[i].key);
		free(reading.levels[i].anchor);
	}
	if (r == 0)
		*ret = flatten(reading.documents);
	json_decref(reading.documents);
	json_decref(reading.anchors);
	return r;
}

int vd_documents_parse(const char *text, size_t size, json_t **ret, struct vd_error *error)
{
	if (size > VD_DOCUMENTS_SIZE_MAX)
		return vd_error_set(error, -E2BIG, "the text has %zu bytes, %u are read at most; apply it in parts", size,
				    VD_DOCUMENTS_SIZE_MAX);
	/* JSON is read as such, escapes and all. What is none may still be YAML, or gets its sentence there. */
	if (vd_documents_parse_json(text, size, DEPTH_MAX, ret) == 0)
		return 0;
	return parse_yaml(text, size, ret, error);
}
