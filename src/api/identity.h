/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_IDENTITY_H
#define VD_API_IDENTITY_H

#include "model/change.h"

#include <stdbool.h>

/* Whether text may be a project's or a resource's name (model/resource.h, VD_NAME_SIZE). */
bool vd_identity_is_name(const char *text);
/* What may stand behind /v1/<kinds>/: a name, or for routes "<table>/<destination>", host bits dropped. 0 or -EINVAL with a
 * sentence. */
int vd_identity_normalise(enum vd_kind kind, const char *name, char ret[VD_IDENTITY_SIZE], struct vd_error *error);
/* The kind of a URL or an argument: word or plural. */
int vd_identity_kind(const char *word, enum vd_kind *ret, struct vd_error *error);

/*
 * What a deletion names: a JSON array of {kind, name, project?} or of whole documents (a route may name its vpc or table and its
 * destination instead of a name). The strings of ret belong to it. Pure; fuzzed.
 */
struct vd_identities {
	struct vd_identity *items;
	size_t count;
};

int vd_identities_parse(const json_t *documents, const char *project, struct vd_identities **ret, struct vd_error *error);
void vd_identities_free(struct vd_identities *identities); /* also the struct itself */

#endif
