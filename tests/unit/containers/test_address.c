/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "containers/address.h"

#include <errno.h>
#include <string.h>

static struct vd_address address(const char *text)
{
	struct vd_address address = {0};

	if (*text)
		assert_int_equal(vd_address_parse(text, &address), 0);
	return address;
}

/* Addresses with spaces between them. */
static bool is_listed(const struct vd_address *wanted, void *userdata)
{
	char text[VD_ADDRESS_TEXT + 1];

	vd_address_format(wanted, text);
	strcat(text, " ");
	return strstr(userdata, text) != NULL;
}

static void expect(const char *block_text, const char *gateway_text, const char *last_text, const char *used, const char *expected)
{
	struct vd_address gateway = address(gateway_text), last = address(last_text), chosen = {0};
	char text[VD_ADDRESS_TEXT];
	struct vd_prefix block;

	assert_int_equal(vd_prefix_parse(block_text, &block), 0);
	assert_int_equal(vd_container_address_choose(&block, &gateway, &last, is_listed, (void *)used, &chosen), 0);
	assert_string_equal(vd_address_format(&chosen, text), expected);
}

static void expect_full(const char *block_text, const char *gateway_text, const char *used)
{
	struct vd_address gateway = address(gateway_text), none = {0}, chosen = {0};
	struct vd_prefix block;

	assert_int_equal(vd_prefix_parse(block_text, &block), 0);
	assert_int_equal(vd_container_address_choose(&block, &gateway, &none, is_listed, (void *)used, &chosen), -ENOSPC);
}

static void test_the_first_one_follows_the_gateway(void **state)
{
	expect("10.0.2.0/24", "10.0.2.1", "", "", "10.0.2.2");
	expect("fd00:2::/112", "fd00:2::1", "", "", "fd00:2::2");
	/* Wherever the gateway is. */
	expect("10.0.2.0/24", "10.0.2.254", "", "", "10.0.2.1");
}

static void test_the_next_one_follows_the_last(void **state)
{
	expect("10.0.2.0/24", "10.0.2.1", "10.0.2.7", "", "10.0.2.8");
	expect("10.0.2.0/24", "10.0.2.1", "10.0.2.7", "10.0.2.8 10.0.2.9 ", "10.0.2.10");
	expect("10.0.2.128/25", "10.0.2.129", "10.0.2.7", "", "10.0.2.130");
}

static void test_round_it_goes_past_network_and_broadcast(void **state)
{
	expect("10.0.2.0/24", "10.0.2.1", "10.0.2.254", "", "10.0.2.2");
	expect("10.0.2.0/24", "10.0.2.1", "10.0.2.254", "10.0.2.2 ", "10.0.2.3");
	expect("255.255.255.0/24", "255.255.255.1", "255.255.255.254", "", "255.255.255.2");
	/* IPv6 has no broadcast. */
	expect("fd00:2::/124", "fd00:2::1", "fd00:2::e", "", "fd00:2::f");
	expect("fd00:2::/124", "fd00:2::1", "fd00:2::f", "", "fd00:2::2");
}

static void test_a_full_block_says_so(void **state)
{
	expect_full("10.0.2.0/30", "10.0.2.1", "10.0.2.2 ");
	expect_full("10.0.2.0/31", "10.0.2.1", "");
	expect("10.0.2.0/30", "10.0.2.1", "", "", "10.0.2.2");
	expect("10.0.2.0/30", "10.0.2.1", "10.0.2.2", "", "10.0.2.2");
}

static void test_a_moved_address_is_its_own_block(void **state)
{
	struct vd_address gateway = address("10.0.2.1"), moved = address("10.0.2.9"), other = address("10.0.2.10");
	struct vd_prefix block;

	assert_int_equal(vd_prefix_parse("10.0.2.9/32", &block), 0);
	assert_true(vd_container_address_is_good(&block, &gateway, &moved));
	assert_false(vd_container_address_is_good(&block, &gateway, &other));
}

static void test_which_are_good(void **state)
{
	static const char *const bad[] = {"10.0.2.0", "10.0.2.1", "10.0.2.255", "10.0.3.2", "fd00::2"};
	struct vd_address gateway = address("10.0.2.1"), one;
	struct vd_prefix block;

	assert_int_equal(vd_prefix_parse("10.0.2.0/24", &block), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		one = address(bad[i]);
		assert_false(vd_container_address_is_good(&block, &gateway, &one));
	}
	one = address("10.0.2.254");
	assert_true(vd_container_address_is_good(&block, &gateway, &one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_one_follows_the_gateway),
		cmocka_unit_test(test_the_next_one_follows_the_last),
		cmocka_unit_test(test_round_it_goes_past_network_and_broadcast),
		cmocka_unit_test(test_a_full_block_says_so),
		cmocka_unit_test(test_a_moved_address_is_its_own_block),
		cmocka_unit_test(test_which_are_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
