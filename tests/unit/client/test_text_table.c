/* SPDX-License-Identifier: Apache-2.0 */
#include "client/text_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct vd_text_table *table)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	vd_text_table_print(table, file);
	fclose(file);
	return text;
}

static void test_columns_are_as_wide_as_their_contents(void **state)
{
	static const char *const headers[] = {"NAME", "X"}, *const one[] = {"a-long-name", "1"}, *const two[] = {"ü", NULL};
	struct vd_text_table *table = vd_text_table_new(2, headers);
	char *text = printed(table);

	assert_string_equal(text, "");
	free(text);
	assert_int_equal(vd_text_table_add(table, one), 0);
	assert_int_equal(vd_text_table_add(table, two), 0);
	text = printed(table);
	assert_string_equal(text, "NAME         X\na-long-name  1\nü            -\n");
	free(text);
	vd_text_table_free(table);
}

static void text_is(const char *json, const char *path, const char *expected)
{
	json_t *object = json_loads(json, 0, NULL);
	char *text = vd_json_text(object, path);

	assert_string_equal(text, expected);
	free(text);
	json_decref(object);
}

static void test_paths_lead_to_text(void **state)
{
	static const char json[] =
		"{\"a\": {\"b\": [\"x\", \"y\"], \"n\": 3, \"t\": true}, \"c\": {\"blackhole\": true}, \"e\": []}";

	text_is(json, "a.b", "x,y");
	text_is(json, "a.n", "3");
	text_is(json, "a.t", "yes");
	text_is(json, "c", "blackhole yes");
	text_is(json, "e", "");
	text_is(json, "nothing|a.nothing|a.n", "3");
	text_is(json, "a.b.c", "");
	text_is(json, "", "");
	text_is("[]", "a", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_as_wide_as_their_contents),
		cmocka_unit_test(test_paths_lead_to_text),
	};

	return cmocka_run_group_tests_name("text_table", tests, NULL, NULL);
}
