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

/*
 * A site: public networks "public" (203.0.113.0/24) and "second" (198.51.100.0/24), flat "office" (10.9.0.0/24); VPC v
 * (192.168.0.0/16) on both, VPC w (172.16.0.0/16) on public; their routers are 203.0.113.2 and .3, 198.51.100.2. Ports p1, p2
 * (192.168.0.2, .3) in subnet a, p3 (192.168.1.2) in b, p4 (172.16.0.2) in c of w, office1 on the flat network.
 */
struct vd_model *site(void);
/* Where the ids of what comes on top begin. */
#define SITE_NEXT_ID 100

#endif
