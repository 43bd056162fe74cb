// SPDX-License-Identifier: Apache-2.0
/* What routers ask name servers with (R-SVC-3): one for each host, and no user's. */
#include "model/prefixes.h"
#include "model/service_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(enum vd_family family, uint32_t host)
{
	static char text[VD_ADDRESS_TEXT];
	struct vd_address address = {};

	return vd_service_address(family, host, &address) ? vd_address_format(&address, text) : "none";
}

static void test_each_host_has_one(void **state)
{
	assert_string_equal(text_of(VD_FAMILY_IPV4, 1), "240.0.0.1");
	assert_string_equal(text_of(VD_FAMILY_IPV6, 1), "fd76:6961:6475:6374::1");
	assert_string_equal(text_of(VD_FAMILY_IPV4, 0x12345), "240.1.35.69");
	assert_string_equal(text_of(VD_FAMILY_IPV6, 0x12345), "fd76:6961:6475:6374::1:2345");
	assert_string_equal(text_of(VD_FAMILY_IPV4, 0x0ffffffe), "255.255.255.254");
	/* Not the broadcast address, and no two hosts with one. */
	assert_string_equal(text_of(VD_FAMILY_IPV4, 0x0fffffff), "none");
	assert_string_equal(text_of(VD_FAMILY_IPV4, 0x10000001), "none");
	assert_string_equal(text_of(VD_FAMILY_IPV6, 0x10000001), "none");
	assert_string_equal(text_of(VD_FAMILY_IPV4, 0), "none");
}

static void test_no_cidr_of_a_user_holds_them(void **state)
{
	for (int i = 0; i < 2; i++) {
		enum vd_family family = i ? VD_FAMILY_IPV6 : VD_FAMILY_IPV4;
		struct vd_prefix all = vd_service_prefix(family), one;
		struct vd_error error = {};

		assert_true(vd_service_address(family, 7, &one.address));
		one = vd_prefix_of_address(&one.address);
		assert_true(vd_prefix_contains(&all, &one.address));
		assert_true(vd_prefixes_validate(&all, 1, "vpc demo", &error) < 0);
		assert_true(vd_prefixes_validate(&one, 1, "vpc demo", &error) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_host_has_one),
		cmocka_unit_test(test_no_cidr_of_a_user_holds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
