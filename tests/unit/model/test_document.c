/* SPDX-License-Identifier: Apache-2.0 */
#include "model/document.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void assert_reads(const char *text, const char *expected)
{
	struct vd_error error = {};
	json_t *documents = NULL;
	char *got;

	if (vd_documents_parse(text, strlen(text), &documents, &error) < 0)
		fail_msg("%s: %s", text, error.text);
	got = json_dumps(documents, JSON_COMPACT);
	assert_string_equal(got, expected);
	free(got);
	json_decref(documents);
}

static void assert_refused(const char *text, size_t size, int code, const char *sentence)
{
	struct vd_error error = {};
	json_t *documents = (void *)1;

	assert_int_equal(vd_documents_parse(text, size, &documents, &error), code);
	assert_string_equal(error.text, sentence);
	assert_ptr_equal(documents, (void *)1);
}

static void test_documents_are_read_with_their_lines(void **state)
{
	assert_reads("", "[]");
	assert_reads("# nothing\n", "[]");
	assert_reads("---\nkind: vpc\nname: demo\n---\n\nkind: port # mine\nname: p\n---\n",
		     "[{\"#line\":2,\"kind\":\"vpc\",\"name\":\"demo\"},{\"#line\":6,\"kind\":\"port\",\"name\":\"p\"}]");
}

static void test_json_goes_through_the_same_door(void **state)
{
	assert_reads("{\"kind\": \"vpc\",\n\t\"vni\": 12}", "[{\"kind\":\"vpc\",\"vni\":12,\"#line\":1}]");
	assert_reads("[{\"kind\": \"vpc\", \"d\": \"[{\\\"\"},\n {\"kind\": \"port\", \"next_hop\": {}}]\n",
		     "[{\"kind\":\"vpc\",\"d\":\"[{\\\"\",\"#line\":1},{\"kind\":\"port\",\"next_hop\":{},\"#line\":2}]");
	assert_reads("[]", "[]");
	assert_reads("{\"d\": \"a\\n\\u00e9\\/\\\"\"}", "[{\"d\":\"a\\né/\\\"\",\"#line\":1}]");
	assert_reads("{\"d\": \"\\ud83d\\ude00\"}", "[{\"d\":\"😀\",\"#line\":1}]");
	/* What looks like JSON may be YAML's flow style. */
	assert_reads("{kind: vpc, \"vni\":12}", "[{\"#line\":1,\"kind\":\"vpc\",\"vni\":12}]");
	assert_reads("[{kind: vpc}, {kind: port}]", "[{\"#line\":1,\"kind\":\"vpc\"},{\"#line\":1,\"kind\":\"port\"}]");
}

static void test_scalars_are_what_yaml_1_2_says(void **state)
{
	assert_reads(
		"a: 1\nb: -2\nc: 1.5\nd: true\ne: yes\nf: ~\ng:\nh: '1'\ni: \"true\"\nj: 02:00:00:00:00:01\nk: fd00::1\nl: "
		"100-200\n"
		"m: 10.0\nn: 99999999999999999999\no: |\n  two\n  lines\n",
		"[{\"#line\":1,\"a\":1,\"b\":-2,\"c\":1.5,\"d\":true,\"e\":\"yes\",\"f\":null,\"g\":null,\"h\":\"1\",\"i\":"
		"\"true\","
		"\"j\":\"02:00:00:00:00:01\",\"k\":\"fd00::1\",\"l\":\"100-200\",\"m\":10.0,\"n\":1e20,\"o\":\"two\\nlines\\n\"}]");
	assert_reads("next_hop: {address: 192.168.0.2}\ncidrs: [192.168.0.0/16, fd00::/48]\nhosts:\n- h1\n- h2\n",
		     "[{\"#line\":1,\"next_hop\":{\"address\":\"192.168.0.2\"},\"cidrs\":[\"192.168.0.0/16\",\"fd00::/"
		     "48\"],\"hosts\":[\"h1\","
		     "\"h2\"]}]");
}

static void test_an_alias_repeats_its_anchor(void **state)
{
	assert_reads("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y\n", "[{\"#line\":1,\"a\":[1,2],\"b\":[1,2],\"c\":\"z\",\"d\":\"z\"}]");
}

static void test_what_is_no_document_is_refused_with_line_and_column(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"hello", "line 1, column 1: a document must be a mapping that begins with kind: and name:"},
		{"a: 1\n---\n- 7\n", "line 3, column 3: a document must be a mapping that begins with kind: and name:"},
		{"kind: vpc\nname: a\nkind: port\n", "line 3, column 1: the key \"kind\" stands here twice; leave one out"},
		{"{\"a\": {\"b\": 1, \"b\": 2}}", "line 1, column 16: the key \"b\" stands here twice; leave one out"},
		{"[{\"a\": 1}, 7]", "line 1, column 12: a document must be a mapping that begins with kind: and name:"},
		{"{\"#line\": 7}", "line 1, column 2: no field begins with #"},
		{"a: *x\n", "line 1, column 4: the alias *x has no anchor before it"},
		{"a: !!binary x\n", "line 1, column 4: tags (!) are not read; leave it out"},
		{"? [a]\n: b\n", "line 1, column 3: a key must be a text"},
		{"#line: 7\n'#line': 7\n", "line 2, column 1: no field begins with #"},
		{"a: \"x\\0y\"\n", "line 1, column 4: the text has a NUL byte"},
		{"a: b\x01\n", "line 1, column 5: byte 0x01 is no text; give YAML or JSON in UTF-8"},
		{"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		 "line 1, column 36: nested deeper than 32"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), -EINVAL, cases[i].sentence);
}

static void test_broken_yaml_is_refused_with_line_and_column(void **state)
{
	static const char *const texts[] = {"a: [1, 2\n",           "a: b: c\n", "a: 'x\n",
					    "a: 1\n b: 2\n",        "{\"a\": 1", "a:\n\t- b\n",
					    "%YAML 9\n---\na: 1\n", "a: \xff\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct vd_error error = {};
		json_t *documents;

		assert_int_equal(vd_documents_parse(texts[i], strlen(texts[i]), &documents, &error), -EINVAL);
		if (strncmp(error.text, "line ", 5) != 0)
			fail_msg("%s: %s", texts[i], error.text);
	}
}

static void test_an_alias_bomb_is_refused(void **state)
{
	char text[1024] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n", line[128];

	for (int i = 1; i < 9; i++) {
		snprintf(line, sizeof(line), "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	assert_refused(text, strlen(text), -EINVAL, "line 6, column 15: aliases stand for more than 100000 values; write fewer");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 10 MB of this or that are refused, and at once. */
static void test_garbage_is_answered_quickly(void **state)
{
	static const char *const patterns[] = {"\x00\x13random",
					       "x",
					       "[",
					       "{",
					       "- ",
					       "- \n",
					       "a: ",
					       "? ",
					       "a",
					       "\"",
					       "'",
					       "&a ",
					       "*a ",
					       "!x ",
					       "|\n",
					       ">\n",
					       ": ",
					       "a b ",
					       "a: b\n",
					       "[a, ",
					       "{a: ",
					       "\n- - ",
					       "]",
					       "---\nx\n",
					       "%x\n",
					       "[\"a\",",
					       "{\"a\":",
					       "\"\\n",
					       "a: |\n\n",
					       "[[],",
					       "? a\n: b\n",
					       "a: 'x\n\n"};
	size_t size = 10u << 20;
	char *text = malloc(size);

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		size_t length = i == 0 ? 8 : strlen(patterns[i]);
		struct vd_error error = {};
		json_t *documents;
		double before;

		for (size_t j = 0; j < size; j++)
			text[j] = patterns[i][j % length];
		before = seconds();
		assert_int_equal(vd_documents_parse(text, size, &documents, &error), -EINVAL);
		if (seconds() - before > 1.0)
			fail_msg("%s took %.2f s: %s", patterns[i], seconds() - before, error.text);
	}
	free(text);
	assert_refused("", (64u << 20) + 1, -E2BIG, "the text has 67108865 bytes, 67108864 are read at most; apply it in parts");
}

static void test_formatted_documents_are_read_as_they_were(void **state)
{
	static const char text[] = "kind: route\n"
				   "description: \"a: b # c\"\n"
				   "vpc: demo\n"
				   "destination: 10.0.2.0/24\n"
				   "next_hop: {address: 192.168.0.2}\n"
				   "---\n"
				   "kind: vpc\n"
				   "name: \"12\"\n"
				   "cidrs: [192.168.0.0/16, fd00::/48, \"::1\", \"fd00::\"]\n"
				   "empty: \"\"\n"
				   "truth: \"true\"\n"
				   "vni: 12\n"
				   "source_check: false\n"
				   "text: two words (really)\n"
				   "lines: \"a\\nb\"\n"
				   "nested:\n"
				   "  inner: [1, 2]\n"
				   "  list:\n"
				   "  - {a: 1}\n";
	struct vd_error error = {};
	json_t *documents = NULL, *again = NULL;
	char *formatted;

	assert_int_equal(vd_documents_parse(text, strlen(text), &documents, &error), 0);
	formatted = vd_documents_format(documents);
	assert_string_equal(formatted, text);
	assert_int_equal(vd_documents_parse(formatted, strlen(formatted), &again, &error), 0);
	assert_true(json_equal(documents, again));
	free(formatted);
	json_decref(documents);
	json_decref(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_are_read_with_their_lines),
		cmocka_unit_test(test_json_goes_through_the_same_door),
		cmocka_unit_test(test_scalars_are_what_yaml_1_2_says),
		cmocka_unit_test(test_an_alias_repeats_its_anchor),
		cmocka_unit_test(test_what_is_no_document_is_refused_with_line_and_column),
		cmocka_unit_test(test_broken_yaml_is_refused_with_line_and_column),
		cmocka_unit_test(test_an_alias_bomb_is_refused),
		cmocka_unit_test(test_garbage_is_answered_quickly),
		cmocka_unit_test(test_formatted_documents_are_read_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
