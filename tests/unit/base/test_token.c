/* SPDX-License-Identifier: Apache-2.0 */
#include "base/token.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char path[] = "/tmp/vd-token-XXXXXX";

static void write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_first_token_is_found_among_comments_and_blanks(void **state)
{
	struct vd_error error = {};
	char *token = NULL;

	write_file("# one a line\n\n  \t\n  first#1 of h1\nsecond\n", 0600);
	assert_int_equal(vd_token_read(path, &token, &error), 0);
	assert_string_equal(token, "first#1");
	vd_token_free(token);
}

static void test_every_token_comes_once(void **state)
{
	static const char *const wanted[] = {"first", "second", "third"};
	struct vd_error error = {};
	FILE *file = NULL;
	char *token = NULL;

	write_file("first\r\nsecond\n#no\nthird", 0640);
	assert_int_equal(vd_token_file_open(path, &file, &error), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vd_token_file_next(file, &token), 0);
		assert_string_equal(token, wanted[i]);
		vd_token_free(token);
	}
	assert_int_equal(vd_token_file_next(file, &token), -ENOENT);
	fclose(file);
}

static void test_file_that_others_may_read_or_change_is_refused(void **state)
{
	static const mode_t modes[] = {0604, 0602, 0620};
	struct vd_error error = {};
	char *token = NULL;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		write_file("token\n", modes[i]);
		assert_int_equal(vd_token_read(path, &token, &error), -EPERM);
		assert_non_null(strstr(error.text, path));
		assert_non_null(strstr(error.text, "chmod 600"));
		assert_null(token);
	}
}

static void test_file_without_a_token_is_refused(void **state)
{
	struct vd_error error = {};
	char *token = NULL;

	write_file("# nothing\n", 0600);
	assert_int_equal(vd_token_read(path, &token, &error), -EINVAL);
	assert_int_equal(vd_token_read("/tmp/vd-token-that-is-not-there", &token, &error), -ENOENT);
	assert_null(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_token_is_found_among_comments_and_blanks),
		cmocka_unit_test(test_every_token_comes_once),
		cmocka_unit_test(test_file_that_others_may_read_or_change_is_refused),
		cmocka_unit_test(test_file_without_a_token_is_refused),
	};
	int r;

	close(mkstemp(path));
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
