/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's path and a deletion's body name: whatever is taken stays the same when it is read again. */
#include "api/identity.h"
#include "model/document.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(enum vd_kind kind, const char *name)
{
	char once[VD_IDENTITY_SIZE], twice[VD_IDENTITY_SIZE];
	struct vd_error error;

	if (vd_identity_normalise(kind, name, once, &error) != 0)
		return;
	if (strlen(once) >= VD_IDENTITY_SIZE || vd_identity_normalise(kind, once, twice, &error) != 0 || strcmp(once, twice) != 0)
		abort();
}

static void check_deletion(const char *text, size_t size)
{
	struct vd_identities *identities = NULL;
	struct vd_error error = {0};
	json_t *documents;

	if (vd_documents_parse(text, size, &documents, &error) != 0)
		return;
	if (vd_identities_parse(documents, "default", &identities, &error) == 0) {
		for (size_t i = 0; i < identities->count; i++) {
			if (!vd_identity_is_name(identities->items[i].project))
				abort();
			check_name(identities->items[i].kind, identities->items[i].name);
		}
		vd_identities_free(identities);
	} else if (!error.text[0]) {
		abort();
	}
	json_decref(documents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		check_name((enum vd_kind)kind, text);
	check_deletion(text, size);
	free(text);
	return 0;
}
