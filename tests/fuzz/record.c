/* SPDX-License-Identifier: Apache-2.0 */
#include "model/resource.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key's line, then the record. What decodes must encode to what decodes to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	struct vd_resource *resource, *again;
	char project[VD_NAME_SIZE], *key, *text;
	const char *name;
	enum vd_kind kind;

	if (!end)
		return 0;
	key = strndup((const char *)data, (size_t)(end - data));
	size -= (size_t)(end + 1 - data);
	if (key && vd_resource_key_parse(key, &kind, project, &name) == 0 &&
	    vd_resource_decode(kind, project, name, (const char *)end + 1, size, &resource, NULL) == 0) {
		text = vd_resource_encode(resource);
		if (vd_resource_decode(kind, project, name, text, strlen(text), &again, NULL) < 0 ||
		    !vd_resource_equal(resource, again))
			abort();
		vd_resource_unref(resource);
		vd_resource_unref(again);
		free(text);
	}
	free(key);
	return 0;
}
