/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.yaml and the routing table say the same. */
#include "api/server.h"
#include "model/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const methods[] = {
	[VD_METHOD_GET] = "get",
	[VD_METHOD_PUT] = "put",
	[VD_METHOD_POST] = "post",
	[VD_METHOD_DELETE] = "delete",
};

static json_t *specification;

static int read_specification(void **state)
{
	FILE *file = fopen(OPENAPI, "re");
	char *text = calloc(1, 1 << 20);
	struct vd_error error = {0};
	json_t *documents;
	size_t size;

	assert_non_null(file);
	assert_non_null(text);
	size = fread(text, 1, 1 << 20, file);
	fclose(file);
	if (vd_documents_parse(text, size, &documents, &error))
		fail_msg("%s", error.text);
	free(text);
	specification = json_incref(json_array_get(documents, 0));
	json_decref(documents);
	return 0;
}

static int free_specification(void **state)
{
	json_decref(specification);
	return 0;
}

static const json_t *operation_find(const struct vd_path *row)
{
	return json_object_get(json_object_get(json_object_get(specification, "paths"), row->pattern), methods[row->method]);
}

static void test_every_route_is_written_down(void **state)
{
	for (const struct vd_path *row = vd_paths; row->pattern; row++)
		if (!operation_find(row))
			fail_msg("openapi.yaml has no %s %s", methods[row->method], row->pattern);
}

static const struct vd_path *row_find(const char *pattern, const char *method)
{
	for (const struct vd_path *row = vd_paths; row->pattern; row++)
		if (!strcmp(row->pattern, pattern) && !strcmp(methods[row->method], method))
			return row;
	return NULL;
}

static void test_everything_written_down_is_routed(void **state)
{
	const char *pattern, *method;
	json_t *path, *operation;

	json_object_foreach (json_object_get(specification, "paths"), pattern, path)
		json_object_foreach (path, method, operation)
			if (strcmp(method, "parameters") != 0 && !row_find(pattern, method))
				fail_msg("no route for %s %s", method, pattern);
}

/* A parameter, or what its reference leads to. */
static const json_t *parameter_resolve(const json_t *parameter)
{
	const char *reference = json_string_value(json_object_get(parameter, "$ref"));

	if (!reference)
		return parameter;
	return json_object_get(json_object_get(json_object_get(specification, "components"), "parameters"),
			       strrchr(reference, '/') + 1);
}

static bool row_takes(const struct vd_path *row, const char *name)
{
	const char *word = row->queries;
	size_t size;

	for (; *word; word += size + (word[size] == ' ')) {
		size = strcspn(word, " ");
		if (size == strlen(name) && !memcmp(word, name, size))
			return true;
	}
	return false;
}

static size_t words_count(const char *text)
{
	size_t count = *text != '\0';

	for (; *text; text++)
		count += *text == ' ';
	return count;
}

static void test_parameters_agree(void **state)
{
	const json_t *parameters, *parameter;
	size_t i, count;
	const char *in, *name;

	for (const struct vd_path *row = vd_paths; row->pattern; row++) {
		parameters = json_object_get(operation_find(row), "parameters");
		count = 0;
		json_array_foreach (parameters, i, parameter) {
			parameter = parameter_resolve(parameter);
			in = json_string_value(json_object_get(parameter, "in"));
			name = json_string_value(json_object_get(parameter, "name"));
			assert_non_null(in);
			assert_non_null(name);
			if (strcmp(in, "query") != 0)
				continue;
			if (!row_takes(row, name))
				fail_msg("%s %s does not take %s", methods[row->method], row->pattern, name);
			count++;
		}
		if (count != words_count(row->queries))
			fail_msg("%s %s: openapi.yaml has %zu parameters, the table says \"%s\"", methods[row->method],
				 row->pattern, count, row->queries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_route_is_written_down),
		cmocka_unit_test(test_everything_written_down_is_routed),
		cmocka_unit_test(test_parameters_agree),
	};

	return cmocka_run_group_tests_name("openapi", tests, read_specification, free_specification);
}
