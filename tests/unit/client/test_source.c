/* SPDX-License-Identifier: Apache-2.0 */
#include "client/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/vdsource-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	write_file("b.yaml", "kind: vpc\nname: b\n");
	write_file("a.json", "{\"kind\": \"vpc\"}");
	write_file("notes.txt", "not a document");
	write_file(".hidden.yaml", "not one either");
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void test_directory_is_its_documents_by_name(void **state)
{
	struct vd_sources sources = {0};
	struct vd_error error;

	assert_int_equal(vd_sources_add(&sources, directory, &error), 0);
	assert_int_equal(sources.count, 2);
	assert_string_equal(sources.text, "{\"kind\": \"vpc\"}\n---\nkind: vpc\nname: b\n");
	vd_sources_clear(&sources);
	assert_int_equal(vd_sources_add(&sources, "/nowhere", &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere"));
	vd_sources_clear(&sources);
}

static void test_sentences_name_the_file(void **state)
{
	struct vd_sources sources = {0};
	struct vd_error error = {"document at line 4: has no name"};

	assert_int_equal(vd_sources_add(&sources, directory, &error), 0);
	vd_sources_locate(&sources, &error);
	assert_non_null(strstr(error.text, "b.yaml line 2: has no name"));
	strcpy(error.text, "line 1, column 3: no");
	vd_sources_locate(&sources, &error);
	assert_non_null(strstr(error.text, "a.json line 1, column 3: no"));
	strcpy(error.text, "a line of nothing");
	vd_sources_locate(&sources, &error);
	assert_string_equal(error.text, "a line of nothing");
	vd_sources_clear(&sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory_is_its_documents_by_name),
		cmocka_unit_test(test_sentences_name_the_file),
	};

	return cmocka_run_group_tests_name("source", tests, setup, teardown);
}
