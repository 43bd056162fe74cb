/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

const char *const world_hosts[WORLD_HOSTS] = {"h1", "h2", "h3"};

const char *text_of(const char *format, ...)
{
	static char texts[16][1024];
	static unsigned turn;
	char *text = texts[turn++ % 16];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(texts[0]), format, arguments);
	va_end(arguments);
	return text;
}

void world_init(struct world *world)
{
	*world = (struct world){.model = vd_model_new()};
	assert_non_null(world->model);
	for (int i = 0; i < WORLD_HOSTS; i++) {
		world->compilers[i] = vd_compiler_new(world_hosts[i]);
		assert_non_null(world->compilers[i]);
	}
}

static void forget_pending(struct world *world)
{
	for (size_t i = 0; i < world->pending_count; i++) {
		free(world->pending[i].project);
		free(world->pending[i].name);
		vd_resource_unref(world->pending[i].before);
		vd_resource_unref(world->pending[i].after);
	}
	world->pending_count = 0;
}

void world_free(struct world *world)
{
	forget_pending(world);
	for (int i = 0; i < WORLD_HOSTS; i++)
		vd_compiler_free(world->compilers[i]);
	vd_model_free(world->model);
}

static struct vd_resource *decode(enum vd_kind kind, const char *project, const char *name, const char *text)
{
	char *record = strdup(text);
	struct vd_resource *resource = NULL;
	struct vd_error error = {};

	for (char *c = record; *c; c++)
		if (*c == '\'')
			*c = '"';
	if (vd_resource_decode(kind, project, name, record, strlen(record), &resource, &error) < 0)
		fail_msg("%s %s/%s: %s: %s", vd_kind_word(kind), project, name, error.text, record);
	free(record);
	return resource;
}

void world_load(struct world *world, enum vd_kind kind, const char *project, const char *name, const char *text)
{
	struct vd_resource *resource = decode(kind, project, name, text);

	assert_int_equal(vd_model_put(world->model, resource), 0);
	vd_resource_unref(resource);
}

static bool is_pending(const struct world *world, enum vd_kind kind, const char *project, const char *name)
{
	for (size_t i = 0; i < world->pending_count; i++)
		if (world->pending[i].kind == kind && strcmp(world->pending[i].project, project) == 0 &&
		    strcmp(world->pending[i].name, name) == 0)
			return true;
	return false;
}

void world_change(struct world *world, enum vd_kind kind, const char *project, const char *name, const char *text)
{
	struct vd_resource *before = (struct vd_resource *)vd_model_get(world->model, kind, project, name);
	struct vd_change *change = &world->pending[world->pending_count];

	/* One change set says of one resource one thing. */
	if (world->pending_count == WORLD_PENDING || is_pending(world, kind, project, name) || (!before && !text))
		return;
	*change = (struct vd_change){
		.kind = kind,
		.project = strdup(project),
		.name = strdup(name),
		.before = before ? vd_resource_ref(before) : NULL,
		.after = text ? decode(kind, project, name, text) : NULL,
	};
	world->pending_count++;
}

void world_commit(struct world *world, struct vd_plan_difference *ret[WORLD_HOSTS])
{
	struct vd_changes changes = {.items = world->pending, .count = world->pending_count};

	for (size_t i = 0; i < world->pending_count; i++) {
		const struct vd_change *change = &world->pending[i];

		if (change->after)
			assert_int_equal(vd_model_put(world->model, change->after), 0);
		else
			assert_true(vd_model_remove(world->model, change->kind, change->project, change->name));
	}
	for (int i = 0; i < WORLD_HOSTS; i++)
		assert_int_equal(vd_compiler_update(world->compilers[i], world->model, &changes, ret ? &ret[i] : NULL), 0);
	forget_pending(world);
}

struct vd_compiler *world_compile(const struct world *world, const char *host)
{
	struct vd_compiler *compiler = vd_compiler_new(host);

	assert_non_null(compiler);
	assert_int_equal(vd_compiler_update(compiler, world->model, NULL, NULL), 0);
	return compiler;
}

void world_assert_cost(struct world *world, const size_t steps[WORLD_HOSTS], const uint64_t units[WORLD_HOSTS])
{
	struct vd_plan_difference *differences[WORLD_HOSTS];
	uint64_t before[WORLD_HOSTS];

	for (int i = 0; i < WORLD_HOSTS; i++)
		before[i] = vd_compiler_derived(world->compilers[i]);
	world_commit(world, differences);
	for (int i = 0; i < WORLD_HOSTS; i++) {
		print_message("%s: %zu steps, %lu units\n", world_hosts[i], differences[i]->count,
			      (unsigned long)(vd_compiler_derived(world->compilers[i]) - before[i]));
		assert_int_equal(differences[i]->count, steps[i]);
		assert_int_equal(vd_compiler_derived(world->compilers[i]) - before[i], units[i]);
		vd_plan_difference_free(differences[i]);
	}
}
