/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "containers/code.h"

#include <errno.h>

/* Two words with one number would be told as the first, and a refusal would mean something else. */
static void test_every_word_comes_back_as_its_number(void **state)
{
#define X(number, word) \
	assert_string_equal(vd_container_code_word(-number), word); \
	assert_int_equal(vd_container_code_parse(word), -number);
	VD_CONTAINER_CODES(X)
#undef X
}

static void test_what_is_no_code(void **state)
{
	assert_null(vd_container_code_word(-EIO));
	assert_null(vd_container_code_word(0));
	assert_int_equal(vd_container_code_parse("green"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_word_comes_back_as_its_number),
		cmocka_unit_test(test_what_is_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
