/* SPDX-License-Identifier: Apache-2.0 */
#include "model/document.h"

#include "base/cleanup.h"
#include "model/scalar.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

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
	struct fy_parser *parser;
	struct level levels[DEPTH_MAX];
	size_t depth;
	json_t *documents;
	json_t *anchors; /* of the document: name -> value */
	size_t aliased;
	struct vd_error *error;
};

static int refuse_at(const struct fy_mark *mark, struct vd_error *error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse_at(const struct fy_mark *mark, struct vd_error *error, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* Marks count from 0. */
	if (mark)
		return vd_error_set(error, -EINVAL, "line %d, column %d: %s", mark->line + 1, mark->column + 1, text);
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
 * What no document can be is found before the parser sees it. It reads a line of brackets or anchors to its end, at 1 MB a second,
 * before it tells of the first; and it takes what is no UTF-8 for an empty value.
 */
static int check_bytes(const char *text, size_t size, struct vd_error *error)
{
	struct fy_mark mark = {};
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
			mark = (struct fy_mark){.line = mark.line + 1};
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

	json_array_foreach(value, i, item)
		count += count_values(item);
	json_object_foreach((json_t *)value, key, item)
		count += count_values(item);
	return count;
}

/* One scalar's or key's text; NULL when it has a NUL or is no UTF-8, which JSON cannot hold for us. */
static char *token_text(struct fy_token *token, size_t *ret_size)
{
	size_t size = 0;
	const char *text = token ? fy_token_get_text(token, &size) : "";

	if (!text || memchr(text, '\0', size))
		return NULL;
	*ret_size = size;
	return strndup(text, size);
}

static int remember(struct reading *reading, const char *anchor, json_t *value, const struct fy_mark *mark)
{
	if (json_object_size(reading->anchors) >= ANCHORS_MAX)
		return refuse_at(mark, reading->error, "more than %d anchors; write the values out", ANCHORS_MAX);
	return json_object_set(reading->anchors, anchor, value) < 0 ? -EINVAL : 0;
}

/* A finished value's place: document, item or member. Takes the reference. */
static int place(struct reading *reading, json_t *value, const struct fy_mark *mark)
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

static int read_key(struct reading *reading, struct fy_token *token, const struct fy_mark *mark)
{
	struct level *level = &reading->levels[reading->depth - 1];
	size_t size;
	VD_FREE char *key = token_text(token, &size);

	if (!key)
		return refuse_at(mark, reading->error, "the key is no text");
	if (key[0] == '#')
		return refuse_at(mark, reading->error, "no field begins with #");
	if (json_object_get(level->value, key))
		return refuse_at(mark, reading->error, "the key \"%.40s\" stands here twice; leave one out", key);
	if (json_object_size(level->value) >= KEYS_MAX)
		return refuse_at(mark, reading->error, "a mapping of more than %d keys", KEYS_MAX);
	level->key = VD_TAKE(key);
	return 0;
}

/* Does the next event name a member, rather than be a value? */
static bool wants_key(const struct reading *reading)
{
	const struct level *level = reading->depth > 0 ? &reading->levels[reading->depth - 1] : NULL;

	return level && json_is_object(level->value) && !level->key;
}

static int read_scalar(struct reading *reading, const struct fy_event *event, const struct fy_mark *mark)
{
	struct fy_token *token = event->scalar.value, *anchor = event->scalar.anchor;
	size_t size;
	VD_FREE char *text = NULL, *name = NULL;
	json_t *value;
	int r = 0;

	if (event->scalar.tag)
		return refuse_at(mark, reading->error, "tags (!) are not read; leave it out");
	if (wants_key(reading))
		return read_key(reading, token, mark);
	text = token_text(token, &size);
	if (!text)
		return refuse_at(mark, reading->error, "the text has a NUL byte");
	if (!token || fy_token_scalar_style(token) == FYSS_PLAIN)
		value = vd_scalar_resolve(text);
	else
		value = json_stringn(text, size);
	if (anchor && value) {
		name = token_text(anchor, &size);
		r = name ? remember(reading, name, value, mark) : -EINVAL;
	}
	if (r < 0) {
		json_decref(value);
		return r;
	}
	return place(reading, value, mark);
}

static int read_alias(struct reading *reading, const struct fy_event *event, const struct fy_mark *mark)
{
	size_t size;
	VD_FREE char *name = token_text(event->alias.anchor, &size);
	json_t *value = name ? json_object_get(reading->anchors, name) : NULL;

	if (wants_key(reading))
		return refuse_at(mark, reading->error, "an alias cannot be a key");
	if (!value)
		return refuse_at(mark, reading->error, "the alias *%.40s has no anchor before it", name ? name : "");
	/* Counted before it is copied: a bomb never goes off. */
	reading->aliased += count_values(value);
	if (reading->aliased > ALIASED_MAX)
		return refuse_at(mark, reading->error, "aliases stand for more than %d values; write fewer", ALIASED_MAX);
	return place(reading, json_deep_copy(value), mark);
}

static int begin(struct reading *reading, json_t *value, struct fy_token *anchor, struct fy_token *tag, const struct fy_mark *mark)
{
	struct level *level;
	bool outermost = reading->depth == 0;
	size_t size;
	int r;

	if (tag || wants_key(reading) || reading->depth == DEPTH_MAX) {
		json_decref(value);
		if (tag)
			return refuse_at(mark, reading->error, "tags (!) are not read; leave it out");
		return reading->depth == DEPTH_MAX ? refuse_at(mark, reading->error, "nested deeper than %d", DEPTH_MAX)
						   : refuse_at(mark, reading->error, "a key must be a text");
	}
	/* A document's line; in a list of documents, as JSON has it, each item's. */
	if (json_is_object(value) && mark && (outermost || (reading->depth == 1 && json_is_array(reading->levels[0].value))))
		json_object_set_new(value, "#line", json_integer(mark->line + 1));
	r = place(reading, value, mark);
	if (r < 0)
		return r;
	level = &reading->levels[reading->depth++];
	*level = (struct level){.value = value};
	if (anchor)
		level->anchor = token_text(anchor, &size);
	return 0;
}

static int end(struct reading *reading, const struct fy_mark *mark)
{
	struct level *level = &reading->levels[--reading->depth];
	VD_FREE char *anchor = VD_TAKE(level->anchor);

	/* Only now: an alias inside its own anchor has no meaning here. */
	return anchor ? remember(reading, anchor, level->value, mark) : 0;
}

static bool is_quoted(const struct fy_event *event)
{
	enum fy_scalar_style style;

	if (event->type != FYET_SCALAR || !event->scalar.value)
		return false;
	style = fy_token_scalar_style(event->scalar.value);
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static int read_event(struct reading *reading, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct fy_mark before;

	/* The mark stands behind the quote or the asterisk. */
	if (mark && mark->column > 0 && (event->type == FYET_ALIAS || is_quoted(event))) {
		before = *mark;
		before.column--;
		mark = &before;
	}
	switch (event->type) {
	case FYET_MAPPING_START:
		return begin(reading, json_object(), event->mapping_start.anchor, event->mapping_start.tag, mark);
	case FYET_SEQUENCE_START:
		return begin(reading, json_array(), event->sequence_start.anchor, event->sequence_start.tag, mark);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return end(reading, mark);
	case FYET_SCALAR:
		/* An empty document, as a file that ends with "---" has it, is none. */
		if (reading->depth == 0 && !event->scalar.tag && (!event->scalar.value || fy_token_get_text_length(event->scalar.value) == 0))
			return 0;
		return read_scalar(reading, event, mark);
	case FYET_ALIAS:
		return read_alias(reading, event, mark);
	case FYET_DOCUMENT_START:
		json_object_clear(reading->anchors);
		return 0;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		return 0;
	}
	return 0;
}

static int refuse_syntax(struct fy_diag *diag, struct vd_error *error)
{
	void *position = NULL;
	const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &position);
	char text[160];

	if (!first || !first->msg)
		return vd_error_set(error, -EINVAL, "the text is no YAML");
	snprintf(text, sizeof(text), "%s", first->msg);
	text[strcspn(text, "\n")] = '\0';
	return vd_error_set(error, -EINVAL, "line %d, column %d: the text is no YAML: %s", first->line, first->column, text);
}

static int read_events(struct reading *reading, struct fy_diag *diag)
{
	struct fy_event *event;
	int r = 0;

	while (r == 0 && (event = fy_parser_parse(reading->parser))) {
		r = read_event(reading, event);
		fy_parser_event_free(reading->parser, event);
	}
	if (r == 0 && fy_parser_get_stream_error(reading->parser))
		return refuse_syntax(diag, reading->error);
	return r;
}

/* The documents, those of a list among them. */
static json_t *flatten(json_t *documents)
{
	json_t *flat = json_array(), *document;
	size_t i;

	json_array_foreach(documents, i, document) {
		if (json_is_array(document))
			json_array_extend(flat, document);
		else
			json_array_append(flat, document);
	}
	return flat;
}

static void discard(struct fy_diag *diag, void *user, const char *text, size_t size)
{
}

int vd_documents_parse(const char *text, size_t size, json_t **ret, struct vd_error *error)
{
	struct fy_diag_cfg diag_config = {.output_fn = discard, .level = FYET_ERROR, .module_mask = ~0u};
	struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE};
	struct reading reading = {.error = error};
	int r;

	if (size > VD_DOCUMENTS_SIZE_MAX)
		return vd_error_set(error, -E2BIG, "the text has %zu bytes, %u are read at most; apply it in parts", size,
				    VD_DOCUMENTS_SIZE_MAX);
	r = check_bytes(text, size, error);
	if (r < 0)
		return r;
	config.diag = fy_diag_create(&diag_config);
	if (!config.diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(config.diag, true);
	reading.parser = fy_parser_create(&config);
	reading.documents = json_array();
	reading.anchors = json_object();
	if (!reading.parser || !reading.documents || !reading.anchors)
		r = -ENOMEM;
	if (r == 0 && size > 0 && fy_parser_set_string(reading.parser, text, size) < 0)
		r = -ENOMEM;
	if (r == 0 && size > 0)
		r = read_events(&reading, config.diag);
	for (size_t i = 0; i < reading.depth; i++) {
		free(reading.levels[i].key);
		free(reading.levels[i].anchor);
	}
	if (r == 0)
		*ret = flatten(reading.documents);
	json_decref(reading.documents);
	json_decref(reading.anchors);
	if (reading.parser)
		fy_parser_destroy(reading.parser);
	fy_diag_destroy(config.diag);
	return r;
}
