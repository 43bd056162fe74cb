/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_COMPILE_WORLD_H
#define TESTS_UNIT_COMPILE_WORLD_H

#include "compile/compile.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A model, one compiler for each host, and the changes that are about to reach them. */
#define WORLD_HOSTS 3
#define WORLD_PENDING 480

struct world {
	struct vd_model *model;
	struct vd_compiler *compilers[WORLD_HOSTS]; /* of h1, h2, h3 */
	struct vd_change pending[WORLD_PENDING];
	size_t pending_count;
};

extern const char *const world_hosts[WORLD_HOSTS];

void world_init(struct world *world);
void world_free(struct world *world);

/* A resource from its stored record, straight into the model; text is written with ' for ". */
void world_load(struct world *world, enum vd_kind kind, const char *project, const char *name, const char *text);
/* The same as a change that waits for world_commit; text NULL: deletes. Nothing is validated: also dangling references come. */
void world_change(struct world *world, enum vd_kind kind, const char *project, const char *name, const char *text);
/* Puts the changes into the model and gives them to the compilers; ret (may be NULL): one difference per host, to free. */
void world_commit(struct world *world, struct vd_plan_difference *ret[WORLD_HOSTS]);

/* Commits and holds what it costs on h1, h2 and h3 against these: records put or removed, resources looked at. */
void world_assert_cost(struct world *world, const size_t steps[WORLD_HOSTS], const uint64_t units[WORLD_HOSTS]);

/* A new compiler's plan of the model for this host. Free the compiler. */
struct vd_compiler *world_compile(const struct world *world, const char *host);

/* printf into a buffer of its own, good until the sixteenth call after. */
const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
