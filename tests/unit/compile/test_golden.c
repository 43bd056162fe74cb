/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/compile.h"

#include "base/cleanup.h"
#include "model/document.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

/*
 * tests/golden/<case>: model.yaml is what a user applies, facts.yaml what the hosts report (claims and attachments), <host>.plan
 * what each host's plan must be, status.txt what a user sees of each resource. `test_golden --update` writes the plans and the
 * status anew: look at the difference before you commit it.
 */
static bool is_update;

static char *read_file(const char *path)
{
	VD_FCLOSE FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0, used;
	FILE *memory;
	char buffer[4096];

	if (!file)
		return NULL;
	memory = open_memstream(&text, &size);
	while ((used = fread(buffer, 1, sizeof(buffer), file)) > 0)
		fwrite(buffer, 1, used, memory);
	fclose(memory);
	return text;
}

static json_t *read_documents(const char *directory, const char *name)
{
	VD_FREE char *path = NULL, *text = NULL;
	json_t *documents = NULL;
	struct vd_error error = {};

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	text = read_file(path);
	if (!text)
		fail_msg("%s: %s", path, strerror(errno));
	if (vd_documents_parse(text, strlen(text), &documents, &error) < 0)
		fail_msg("%s: %s", path, error.text);
	return documents;
}

static void apply_model(const char *directory, struct vd_model *model)
{
	json_t *documents = read_documents(directory, "model.yaml");
	struct vd_changes *changes = NULL;
	struct vd_error error = {};

	if (vd_changes_from_documents(model, documents, "default", 1, &changes, &error) < 0)
		fail_msg("%s: %s", directory, error.text);
	assert_int_equal(vd_changes_apply(changes, model), 0);
	vd_changes_free(changes);
	json_decref(documents);
}

static void put_fact(const char *directory, const json_t *document, struct vd_model *model)
{
	const char *name = json_string_value(json_object_get(document, "name"));
	VD_FREE char *text = json_dumps(document, 0);
	struct vd_resource *fact = NULL;
	struct vd_error error = {};
	enum vd_kind kind;

	assert_int_equal(vd_kind_parse(json_string_value(json_object_get(document, "kind")), true, &kind), 0);
	if (vd_resource_decode(kind, "default", name, text, strlen(text), &fact, &error) < 0)
		fail_msg("%s: %s: %s", directory, name, error.text);
	assert_int_equal(vd_model_put(model, fact), 0);
	vd_resource_unref(fact);
}

/* Fills alive with the hosts that report: those with a claim, unless it says "silent". */
static void apply_facts(const char *directory, struct vd_model *model, json_t *alive)
{
	json_t *documents = read_documents(directory, "facts.yaml"), *document;
	size_t i;

	json_array_foreach (documents, i, document) {
		put_fact(directory, document, model);
		if (strcmp(json_string_value(json_object_get(document, "kind")), "claim") == 0 &&
		    !json_object_get(document, "silent"))
			json_object_set_new(alive, json_string_value(json_object_get(document, "name")), json_object());
	}
	json_decref(documents);
}

static void compare_or_update(const char *directory, const char *name, const char *text)
{
	VD_FREE char *path = NULL, *expected = NULL;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	if (is_update) {
		VD_FCLOSE FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(text, file);
		return;
	}
	expected = read_file(path);
	if (!expected || strcmp(text, expected) != 0)
		fail_msg("%s is not what was compiled:\n%s", path, text);
}

struct context {
	const char *directory;
	const struct vd_model *model;
	json_t *alive;
};

static int check_plan(const struct vd_resource *host, void *userdata)
{
	const struct context *context = userdata;
	struct vd_compiler *compiler = vd_compiler_new(host->name);
	VD_FREE char *text = NULL, *name = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(vd_compiler_update(compiler, context->model, NULL, NULL), 0);
	vd_plan_print(vd_compiler_plan(compiler), file);
	fclose(file);
	assert_true(asprintf(&name, "%s.plan", host->name) > 0);
	compare_or_update(context->directory, name, text);
	vd_compiler_free(compiler);
	return 0;
}

struct lines {
	const struct vd_model *model;
	const json_t *alive;
	char *lines[64];
	size_t count;
};

static int add_status(const struct vd_resource *resource, void *userdata)
{
	struct lines *lines = userdata;
	json_t *status = vd_compile_status_alive(lines->model, resource, lines->alive);
	VD_FREE char *text = status ? json_dumps(status, JSON_SORT_KEYS) : NULL;

	assert_true(lines->count < 64);
	if (text)
		assert_true(asprintf(&lines->lines[lines->count++], "%s %s: %s\n", vd_kind_word(resource->kind), resource->name,
				     text) > 0);
	json_decref(status);
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_status(const struct context *context)
{
	struct lines lines = {.model = context->model, .alive = context->alive};
	VD_FREE char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	for (enum vd_kind kind = 0; kind < VD_KIND_COUNT; kind++)
		vd_model_each(context->model, kind, NULL, add_status, &lines);
	qsort(lines.lines, lines.count, sizeof(lines.lines[0]), compare_lines);
	for (size_t i = 0; i < lines.count; i++) {
		fputs(lines.lines[i], file);
		free(lines.lines[i]);
	}
	fclose(file);
	compare_or_update(context->directory, "status.txt", text);
}

static void check_case(const char *directory)
{
	struct vd_model *model = vd_model_new();
	struct context context = {directory, model, json_object()};

	apply_model(directory, model);
	apply_facts(directory, model, context.alive);
	vd_model_each(model, VD_KIND_HOST, NULL, check_plan, &context);
	check_status(&context);
	json_decref(context.alive);
	vd_model_free(model);
}

static void test_every_case_compiles_to_its_plans(void **state)
{
	DIR *directory = opendir(VD_GOLDEN);
	struct dirent *entry;
	int count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		VD_FREE char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		assert_true(asprintf(&path, "%s/%s", VD_GOLDEN, entry->d_name) > 0);
		check_case(path);
		count++;
	}
	closedir(directory);
	assert_true(count >= 28);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_case_compiles_to_its_plans)};

	is_update = argc == 2 && strcmp(argv[1], "--update") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
