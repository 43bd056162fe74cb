/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identity.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
	char long_name[65];

	assert_true(vd_identity_is_name("web-1.a_b"));
	assert_true(vd_identity_is_name("0"));
	assert_false(vd_identity_is_name(""));
	assert_false(vd_identity_is_name("-web"));
	assert_false(vd_identity_is_name("Web"));
	assert_false(vd_identity_is_name("a/b"));
	assert_false(vd_identity_is_name("a b"));
	memset(long_name, 'a', sizeof(long_name));
	long_name[64] = '\0';
	assert_false(vd_identity_is_name(long_name));
	long_name[63] = '\0';
	assert_true(vd_identity_is_name(long_name));
}

static void test_route_is_named_by_table_and_destination(void **state)
{
	char name[VD_IDENTITY_SIZE];
	struct vd_error error;

	assert_int_equal(vd_identity_normalise(VD_KIND_ROUTE, "demo/10.0.2.7/24", name, &error), 0);
	assert_string_equal(name, "demo/10.0.2.0/24");
	assert_int_equal(vd_identity_normalise(VD_KIND_ROUTE, "demo/FD00::1/64", name, &error), 0);
	assert_string_equal(name, "demo/fd00::/64");
	assert_int_equal(vd_identity_normalise(VD_KIND_ROUTE, "demo", name, &error), -EINVAL);
	assert_int_equal(vd_identity_normalise(VD_KIND_ROUTE, "demo/nowhere", name, &error), -EINVAL);
	assert_non_null(strstr(error.text, "nowhere"));
	assert_int_equal(vd_identity_normalise(VD_KIND_ROUTE, "/10.0.0.0/8", name, &error), -EINVAL);
	assert_int_equal(vd_identity_normalise(VD_KIND_PORT, "../etc", name, &error), -EINVAL);
}

static int parse(const char *text, struct vd_identities **ret, struct vd_error *error)
{
	json_t *documents = json_loads(text, 0, NULL);
	int r;

	assert_non_null(documents);
	r = vd_identities_parse(documents, "default", ret, error);
	json_decref(documents);
	return r;
}

static void test_deletion_takes_identities_and_documents(void **state)
{
	struct vd_identities *identities;
	struct vd_error error;

	assert_int_equal(
		parse("[{\"kind\":\"port\",\"name\":\"web1\",\"project\":\"acme\"},"
		      "{\"kind\":\"route\",\"vpc\":\"demo\",\"table\":\"main\",\"destination\":\"10.0.2.1/24\",\"next_hop\":{}},"
		      "{\"kind\":\"route\",\"table\":\"edge\"},"
		      "{\"kind\":\"routes\",\"name\":\"demo/0.0.0.0/0\"}]",
		      &identities, &error),
		0);
	assert_int_equal(identities->count, 4);
	assert_string_equal(identities->items[0].project, "acme");
	assert_string_equal(identities->items[1].project, "default");
	assert_string_equal(identities->items[1].name, "demo/10.0.2.0/24");
	assert_string_equal(identities->items[2].name, "edge/0.0.0.0/0");
	assert_int_equal(identities->items[3].kind, VD_KIND_ROUTE);
	vd_identities_free(identities);
}

static void test_deletion_names_the_wrong_document(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"[1]",
		"[{\"kind\":\"port\"}]",
		"[{\"kind\":\"nonsense\",\"name\":\"a\"}]",
		"[{\"kind\":\"claim\",\"name\":\"h1\"}]",
		"[{\"kind\":[],\"name\":\"a\"}]",
		"[{\"kind\":\"port\",\"name\":\"A\"}]",
		"[{\"kind\":\"port\",\"name\":\"a\",\"project\":\"*\"}]",
		"[{\"kind\":\"route\",\"destination\":\"10.0.0.0/8\"}]",
		"[{\"kind\":\"port\",\"name\":\"a\\u0000b\"}]",
	};
	struct vd_identities *identities = NULL;
	struct vd_error error;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *documents = json_loads(wrong[i], JSON_ALLOW_NUL, NULL);

		error.text[0] = '\0';
		if (vd_identities_parse(documents, "default", &identities, &error) != -EINVAL)
			fail_msg("%s was taken", wrong[i]);
		assert_null(identities);
		assert_true(strlen(error.text) > 10);
		json_decref(documents);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_route_is_named_by_table_and_destination),
		cmocka_unit_test(test_deletion_takes_identities_and_documents),
		cmocka_unit_test(test_deletion_names_the_wrong_document),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
