/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_resource, vd_resource_unref)

char *vd_resource_encode(const struct vd_resource *resource)
{
	json_t *record;
	char *text;

	if (vd_kind_is_fact(resource->kind)) {
		record = json_object();
		vd_resource_write_fields(resource, false, record);
	} else {
		record =
			json_pack("{s:o, s:o}", "spec", vd_resource_document(resource), "assigned", vd_resource_assigned(resource));
	}
	text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(record);
	return text;
}

static int decode_assigned(struct vd_resource *resource, const json_t *assigned, const struct vd_field_reading *reading)
{
	const struct vd_kind_type *type = vd_kind_type(resource->kind);
	json_int_t id = json_integer_value(json_object_get(assigned, "id"));
	int r = 0;

	if (id < 0 || id > UINT32_MAX)
		return vd_error_set(reading->error, -EBADMSG, "%s: its id is no 32-bit number", reading->object);
	resource->id = (uint32_t)id;
	for (size_t i = 0; r == 0 && i < type->field_count; i++) {
		const struct vd_field *field = &type->fields[i];
		const json_t *value = field->is_assigned ? json_object_get(assigned, field->name) : NULL;

		if (value)
			r = vd_field_read(field, value, resource, reading);
	}
	return r;
}

static int decode_record(struct vd_resource *resource, const json_t *record, const struct vd_field_reading *reading)
{
	const json_t *spec = vd_kind_is_fact(resource->kind) ? record : json_object_get(record, "spec");
	const json_t *description = json_object_get(spec, "description");
	VD_FREE char *name = strdup(resource->name);
	int r;

	if (!json_is_object(spec))
		return vd_error_set(reading->error, -EBADMSG, "%s: its record is no JSON object", reading->object);
	if (!name)
		return -ENOMEM;
	if (json_is_string(description)) {
		resource->description = strdup(json_string_value(description));
		if (!resource->description)
			return -ENOMEM;
	}
	r = vd_resource_read_fields(resource, spec, reading);
	if (r < 0)
		return r;
	if (strcmp(name, resource->name) != 0)
		return vd_error_set(reading->error, -EBADMSG, "%s: its record is of %s", reading->object, resource->name);
	return vd_kind_is_fact(resource->kind) ? 0 : decode_assigned(resource, json_object_get(record, "assigned"), reading);
}

int vd_resource_decode(enum vd_kind kind, const char *project, const char *name, const char *value, size_t size,
		       struct vd_resource **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_resource_unref_cleanup) struct vd_resource *resource = vd_resource_new(kind);
	char object[VD_OBJECT_SIZE];
	struct vd_field_reading reading = {
		.object = vd_object_text(kind, project, name, object), .is_record = true, .error = error};
	json_error_t json_error;
	json_t *record;
	int r;

	if (!resource)
		return -ENOMEM;
	resource->project = strdup(project);
	resource->name = strdup(name);
	if (!resource->project || !resource->name)
		return -ENOMEM;
	record = json_loadb(value, size, 0, &json_error);
	if (!record)
		return vd_error_set(error, -EBADMSG, "%s: its record is no JSON: %s", object, json_error.text);
	r = decode_record(resource, record, &reading);
	json_decref(record);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	*ret = VD_TAKE(resource);
	return 0;
}
