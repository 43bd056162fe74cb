/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "model/field.h"

#include <string.h>

/* What documents may say, for people and for clients that do not know the kinds themselves. */
static json_t *field_describe(const struct vd_field *field, bool required)
{
	json_t *item = json_pack("{s:s, s:s, s:b, s:b, s:s*, s:s*, s:s*, s:s*}", "name", field->name, "type",
				 vd_field_type_text(field->type), "required", required, "assigned", field->is_assigned, "singular",
				 field->singular, "references", field->is_reference ? vd_kind_word(field->reference) : NULL,
				 "default", field->value, "help", field->help);
	json_t *words;

	if (!item || !field->words)
		return item;
	words = json_array();
	for (const char *const *word = field->words; *word; word++)
		json_array_append_new(words, json_string(*word));
	json_object_set_new(item, "values", words);
	return item;
}

static void fields_add(json_t *array, const struct vd_field *fields, size_t count, enum vd_naming naming)
{
	for (size_t i = 0; i < count; i++) {
		bool is_name = fields[i].name && !strcmp(fields[i].name, "name");

		if (!fields[i].name || (is_name && naming == VD_NAMING_DERIVED))
			continue;
		json_array_append_new(array,
				      field_describe(&fields[i], fields[i].required && !(is_name && naming == VD_NAMING_OPTIONAL)));
	}
}

static json_t *kind_describe(enum vd_kind kind)
{
	const struct vd_field *common, *own;
	size_t common_count, own_count;
	json_t *fields = json_array();

	common = vd_common_fields(&common_count);
	own = vd_kind_fields(kind, &own_count);
	fields_add(fields, common, common_count, vd_kind_naming(kind));
	fields_add(fields, own, own_count, VD_NAMING_GIVEN);
	return json_pack("{s:s, s:s, s:s*, s:o}", "kind", vd_kind_word(kind), "plural", vd_kind_plural(kind), "help",
			 vd_kind_help(kind), "fields", fields);
}

int vd_answer_kinds(struct vd_request *request, struct vd_error *error)
{
	json_t *kinds = json_array();

	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		json_array_append_new(kinds, kind_describe((enum vd_kind)kind));
	return vd_request_reply(request, MHD_HTTP_OK, json_pack("{s:o}", "kinds", kinds));
}
