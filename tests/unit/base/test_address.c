/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vd_address address(const char *text)
{
	struct vd_address parsed;

	assert_int_equal(vd_address_parse(text, &parsed), 0);
	return parsed;
}

static struct vd_prefix prefix(const char *text)
{
	struct vd_prefix parsed;

	assert_int_equal(vd_prefix_parse(text, &parsed), 0);
	return parsed;
}

static void test_addresses_round_trip(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "192.168.0.2", "255.255.255.255", "::", "fd00::2", "2001:db8:1:2:3:4:5:6"};
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct vd_address parsed = address(texts[i]);

		assert_string_equal(vd_address_format(&parsed, text), texts[i]);
	}
	assert_string_equal(vd_address_format(&(struct vd_address){}, text), "none");
}

static void test_what_is_no_address_is_refused_and_leaves_the_output_alone(void **state)
{
	static const char *const texts[] = {"",         "1.2.3",   "1.2.3.256",  "01.2.3.4.5",
					    "fd00:::1", "fd00::g", "1.2.3.4/32", " 1.2.3.4"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct vd_address parsed = {.family = 77};

		assert_int_equal(vd_address_parse(texts[i], &parsed), -EINVAL);
		assert_int_equal(parsed.family, 77);
	}
}

static void test_addition_carries_and_wraps(void **state)
{
	static const struct {
		const char *from;
		int64_t steps;
		const char *to;
	} cases[] = {
		{"10.0.0.255", 1, "10.0.1.0"},      {"10.0.1.0", -1, "10.0.0.255"},        {"255.255.255.255", 1, "0.0.0.0"},
		{"0.0.0.0", -1, "255.255.255.255"}, {"fd00::ffff:ffff", 1, "fd00::1:0:0"}, {"10.0.0.0", 65536, "10.1.0.0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_address from = address(cases[i].from), to = address(cases[i].to);
		struct vd_address sum = vd_address_add(&from, cases[i].steps);

		assert_true(vd_address_equal(&sum, &to));
	}
}

static void test_unicast_is_what_an_instance_can_own(void **state)
{
	static const char *const usable[] = {"10.0.0.1", "223.255.255.255", "8.8.8.8", "fd00::1", "2001:db8::1"};
	static const char *const unusable[] = {"0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255",
					       "::",      "::1",       "fe80::1",     "ff02::1"};

	for (size_t i = 0; i < sizeof(usable) / sizeof(usable[0]); i++) {
		struct vd_address parsed = address(usable[i]);

		assert_true(vd_address_is_unicast(&parsed));
	}
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
		struct vd_address parsed = address(unusable[i]);

		assert_false(vd_address_is_unicast(&parsed));
	}
	assert_false(vd_address_is_unicast(&(struct vd_address){}));
}

static void test_prefixes_are_parsed_and_normalised(void **state)
{
	static const char *const wrong[] = {"",           "/",           "10.0.0.0/",   "10.0.0.0/33",
					    "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/0008"};
	struct vd_prefix parsed = prefix("172.18.0.10/24");
	char text[VD_PREFIX_TEXT];

	assert_string_equal(vd_prefix_format(&parsed, text), "172.18.0.10/24");
	assert_true(vd_prefix_normalise(&parsed));
	assert_string_equal(vd_prefix_format(&parsed, text), "172.18.0.0/24");
	assert_false(vd_prefix_normalise(&parsed));
	parsed = prefix("10.0.0.1");
	assert_int_equal(parsed.length, 32);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(vd_prefix_parse(wrong[i], &parsed), -EINVAL);
}

static void test_prefixes_contain_cover_and_overlap(void **state)
{
	struct vd_prefix wide = prefix("192.168.0.0/16"), narrow = prefix("192.168.10.0/23"), other = prefix("192.168.12.0/23");
	struct vd_prefix all = prefix("0.0.0.0/0"), all6 = prefix("::/0");
	struct vd_address inside = address("192.168.11.255"), outside = address("192.168.12.0"), same_bytes = address("c0a8:a00::");

	assert_true(vd_prefix_contains(&narrow, &inside));
	assert_false(vd_prefix_contains(&narrow, &outside));
	assert_false(vd_prefix_contains(&narrow, &same_bytes));
	assert_true(vd_prefix_covers(&wide, &narrow));
	assert_false(vd_prefix_covers(&narrow, &wide));
	assert_true(vd_prefix_overlaps(&narrow, &wide));
	assert_false(vd_prefix_overlaps(&narrow, &other));
	assert_true(vd_prefix_covers(&all, &wide));
	assert_false(vd_prefix_covers(&all6, &wide));
}

static void test_first_and_last_address_of_a_prefix(void **state)
{
	struct vd_prefix narrow = prefix("192.168.10.77/23"), host = prefix("fd00::5/128"), half = prefix("fd00::/127");
	struct vd_address got;
	char text[VD_ADDRESS_TEXT];

	got = vd_prefix_first(&narrow);
	assert_string_equal(vd_address_format(&got, text), "192.168.10.0");
	got = vd_prefix_last(&narrow);
	assert_string_equal(vd_address_format(&got, text), "192.168.11.255");
	got = vd_prefix_last(&host);
	assert_string_equal(vd_address_format(&got, text), "fd00::5");
	got = vd_prefix_last(&half);
	assert_string_equal(vd_address_format(&got, text), "fd00::1");
}

static void test_macs(void **state)
{
	static const char *const wrong[] = {"", "02:00:00:00:00:0", "02-00-00-00-00-01", "02:00:00:00:00:0g", "02:00:00:00:00:011"};
	struct vd_mac mac;
	struct vd_address link_local;
	char text[VD_ADDRESS_TEXT];

	assert_int_equal(vd_mac_parse("02:76:AB:00:00:01", &mac), 0);
	assert_string_equal(vd_mac_format(&mac, text), "02:76:ab:00:00:01");
	link_local = vd_mac_link_local(&mac);
	assert_string_equal(vd_address_format(&link_local, text), "fe80::76:abff:fe00:1");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(vd_mac_parse(wrong[i], &mac), -EINVAL);
	assert_true(vd_mac_is_zero(&(struct vd_mac){}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_round_trip),
		cmocka_unit_test(test_what_is_no_address_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(test_addition_carries_and_wraps),
		cmocka_unit_test(test_unicast_is_what_an_instance_can_own),
		cmocka_unit_test(test_prefixes_are_parsed_and_normalised),
		cmocka_unit_test(test_prefixes_contain_cover_and_overlap),
		cmocka_unit_test(test_first_and_last_address_of_a_prefix),
		cmocka_unit_test(test_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
