/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TEST_MODEL_FIXTURE_H
#define VD_TEST_MODEL_FIXTURE_H

#include "model/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Documents in YAML's one-line form, so that a case is a line. */
json_t *documents(const char *text);
/* What applying them changes. */
struct vd_changes *change(const struct vd_model *model, const char *text, const char *project, uint32_t next_id);
/* Applies them; the next id. */
uint32_t apply_as(struct vd_model *model, const char *text, const char *project, uint32_t next_id);
uint32_t apply(struct vd_model *model, const char *text, uint32_t next_id);
void assert_assigned(const struct vd_model *model, enum vd_kind kind, const char *project, const char *name, const char *expected);
/* They are refused with this code and sentence. */
void assert_refused(const struct vd_model *model, const char *text, int code, const char *sentence);
/* Deletes one; the changes that it took. */
size_t discard(struct vd_model *model, enum vd_kind kind, const char *name);
void assert_not_deleted(const struct vd_model *model, enum vd_kind kind, const char *name, const char *sentence);

#define AND "\n---\n"

#endif
