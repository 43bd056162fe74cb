/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include <errno.h>
#include <string.h>

int vd_occupied_read(const json_t *value, struct vd_occupied *occupied)
{
	const char *name = json_string_value(json_object_get(value, "name"));
	const char *prefix = json_string_value(json_object_get(value, "prefix"));

	if (!name || !prefix || vd_prefix_parse(prefix, &occupied->prefix) < 0)
		return -EINVAL;
	vd_prefix_normalise(&occupied->prefix);
	/* The item is freed with the list, whatever it has. */
	occupied->name = strdup(name);
	return occupied->name ? 0 : -ENOMEM;
}

json_t *vd_occupied_write(const struct vd_occupied *occupied)
{
	char text[VD_PREFIX_TEXT];

	return json_pack("{s:s, s:s}", "name", occupied->name, "prefix", vd_prefix_format(&occupied->prefix, text));
}

bool vd_occupied_equal(const struct vd_occupied *a, const struct vd_occupied *b)
{
	return strcmp(a->name, b->name) == 0 && vd_prefix_equal(&a->prefix, &b->prefix);
}
