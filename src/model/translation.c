/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"
#include "model/model.h"

#include <errno.h>
#include <string.h>

static bool read_prefix(const json_t *value, struct vd_prefix *prefix)
{
	const char *text = json_string_value(value);

	if (!text || vd_prefix_parse(text, prefix) < 0)
		return false;
	vd_prefix_normalise(prefix);
	return true;
}

int vd_translation_read(const json_t *value, struct vd_translation *translation, const struct vd_field_reading *reading)
{
	const char *vpc = json_string_value(json_object_get(value, "vpc")), *key;
	bool is_known = true;
	json_t *item;

	json_object_foreach ((json_t *)value, key, item)
		is_known &= strcmp(key, "vpc") == 0 || strcmp(key, "cidr") == 0 || strcmp(key, "as") == 0;
	/* The item is freed with the list, whatever it has. */
	translation->vpc = vpc ? strdup(vpc) : NULL;
	if (vpc && !translation->vpc)
		return -ENOMEM;
	if (is_known && vpc && vd_name_is_valid(vpc) && read_prefix(json_object_get(value, "cidr"), &translation->cidr) &&
	    read_prefix(json_object_get(value, "as"), &translation->as))
		return 0;
	return vd_error_set(reading->error, -EINVAL, "%s: translate must be %s", reading->object,
			    vd_field_type_text(VD_FIELD_TYPE_TRANSLATIONS));
}

json_t *vd_translation_write(const struct vd_translation *translation)
{
	char cidr[VD_PREFIX_TEXT], as[VD_PREFIX_TEXT];

	return json_pack("{s:s, s:s, s:s}", "vpc", translation->vpc, "cidr", vd_prefix_format(&translation->cidr, cidr), "as",
			 vd_prefix_format(&translation->as, as));
}

bool vd_translation_equal(const struct vd_translation *a, const struct vd_translation *b)
{
	return strcmp(a->vpc, b->vpc) == 0 && vd_prefix_equal(&a->cidr, &b->cidr) && vd_prefix_equal(&a->as, &b->as);
}

struct vd_prefix vd_peering_translate(const struct vd_peering *peering, const char *vpc, const struct vd_prefix *prefix)
{
	struct vd_prefix seen = *prefix;

	for (size_t i = 0; i < peering->translation_count; i++) {
		const struct vd_translation *translation = &peering->translations[i];
		unsigned length = translation->cidr.length;

		if (strcmp(translation->vpc, vpc) != 0 || !vd_prefix_covers(&translation->cidr, prefix))
			continue;
		for (size_t j = 0; j < sizeof(seen.address.bytes); j++) {
			unsigned bits = length > 8 * j + 8 ? 8 : length > 8 * j ? length - 8 * (unsigned)j : 0;
			uint8_t mask = (uint8_t)(0xff00u >> bits);

			seen.address.bytes[j] =
				(uint8_t)((translation->as.address.bytes[j] & mask) | (prefix->address.bytes[j] & ~mask));
		}
		break;
	}
	return seen;
}

struct sight {
	const char *vpc, *by;
	struct vd_prefix prefix;
};

static int visit_peering(const struct vd_resource *resource, void *userdata)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;
	struct sight *sight = userdata;

	if (strcmp(peering->vpc, sight->by) != 0 && strcmp(peering->peer, sight->by) != 0)
		return 0;
	sight->prefix = vd_peering_translate(peering, sight->vpc, &sight->prefix);
	return 1;
}

struct vd_address vd_model_address_as_seen(const struct vd_model *model, const char *project, const char *vpc, const char *by,
					   const struct vd_address *address)
{
	struct sight sight = {vpc, by, vd_prefix_of_address(address)};

	if (strcmp(vpc, by) != 0)
		vd_model_each_peering_of_vpc(model, project, vpc, visit_peering, &sight);
	return sight.prefix.address;
}
