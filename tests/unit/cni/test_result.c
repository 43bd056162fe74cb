/* SPDX-License-Identifier: Apache-2.0 */
/* R-CTR-6: results in the words of each version of the specification. */
#include "cni/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct vd_cni_environment add = {"ADD", "c1", "/run/netns/c1", "eth0"},
				       check = {"CHECK", "c1", "/run/netns/c1", "eth0"};

static json_t *answer_make(void)
{
	return json_loads("{\"addresses\": [\"10.0.2.5/24\", \"fd00::5/112\"], \"gateways\": [\"10.0.2.1\", \"fd00::1\"], \"mac\": "
			  "\"02:00:00:00:00:05\", "
			  "\"mtu\": 1450, \"ifname\": \"vd80000001\", \"dns\": {\"nameservers\": [\"10.0.2.1\"]}}",
			  0, NULL);
}

static void assert_result(const char *version, const char *more, const char *wanted_text)
{
	json_t *answer = answer_make(), *result, *wanted = json_loads(wanted_text, 0, NULL);
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	char text[1024];

	snprintf(text, sizeof(text), "{\"cniVersion\": \"%s\", \"name\": \"pods\"%s}", version, more);
	assert_int_equal(vd_cni_call_parse(&add, text, strlen(text), &call, &error), 0);
	result = vd_cni_result(&call, answer);
	assert_non_null(wanted);
	if (!json_equal(result, wanted)) {
		char *is = json_dumps(result, JSON_SORT_KEYS | JSON_INDENT(1));

		fail_msg("it is %s", is);
	}
	json_decref(result);
	json_decref(wanted);
	json_decref(answer);
	vd_cni_call_clear(&call);
}

#define ROUTES "\"routes\": [{\"dst\": \"0.0.0.0/0\", \"gw\": \"10.0.2.1\"}, {\"dst\": \"::/0\", \"gw\": \"fd00::1\"}]"
#define DNS "\"dns\": {\"nameservers\": [\"10.0.2.1\"]}"

static void test_result_of_1_1_0(void **state)
{
	assert_result("1.1.0", "",
		      "{\"cniVersion\": \"1.1.0\", \"interfaces\": [{\"name\": \"vd80000001\"}, {\"name\": \"eth0\", \"mac\": "
		      "\"02:00:00:00:00:05\", \"mtu\": 1450, "
		      "\"sandbox\": \"/run/netns/c1\"}], \"ips\": [{\"address\": \"10.0.2.5/24\", \"gateway\": \"10.0.2.1\", "
		      "\"interface\": 1}, {\"address\": "
		      "\"fd00::5/112\", \"gateway\": \"fd00::1\", \"interface\": 1}], " ROUTES ", " DNS "}");
}

static void test_result_of_0_4_0_names_families(void **state)
{
	assert_result("0.4.0", ", \"dns\": {\"domain\": \"x\"}",
		      "{\"cniVersion\": \"0.4.0\", \"interfaces\": [{\"name\": \"vd80000001\"}, {\"name\": \"eth0\", \"mac\": "
		      "\"02:00:00:00:00:05\", "
		      "\"sandbox\": \"/run/netns/c1\"}], \"ips\": [{\"version\": \"4\", \"address\": \"10.0.2.5/24\", \"gateway\": "
		      "\"10.0.2.1\", \"interface\": 1}, "
		      "{\"version\": \"6\", \"address\": \"fd00::5/112\", \"gateway\": \"fd00::1\", \"interface\": 1}], " ROUTES
		      ", \"dns\": {\"domain\": \"x\"}}");
}

static void test_result_of_0_2_0_has_two_addresses(void **state)
{
	assert_result("0.2.0", "",
		      "{\"cniVersion\": \"0.2.0\", \"ip4\": {\"ip\": \"10.0.2.5/24\", \"gateway\": \"10.0.2.1\", \"routes\": "
		      "[{\"dst\": \"0.0.0.0/0\", \"gw\": "
		      "\"10.0.2.1\"}]}, \"ip6\": {\"ip\": \"fd00::5/112\", \"gateway\": \"fd00::1\", \"routes\": [{\"dst\": "
		      "\"::/0\", \"gw\": \"fd00::1\"}]}, " DNS "}");
}

/* What came before us in the chain stays in front, and our interface's number counts on. */
static void test_result_keeps_the_chain(void **state)
{
	assert_result("1.0.0",
		      ", \"prevResult\": {\"interfaces\": [{\"name\": \"lo\", \"sandbox\": \"/run/netns/c1\"}], \"ips\": "
		      "[{\"address\": \"127.0.0.1/8\", \"interface\": 0}]}",
		      "{\"cniVersion\": \"1.0.0\", \"interfaces\": [{\"name\": \"lo\", \"sandbox\": \"/run/netns/c1\"}, {\"name\": "
		      "\"vd80000001\"}, {\"name\": \"eth0\", "
		      "\"mac\": \"02:00:00:00:00:05\", \"sandbox\": \"/run/netns/c1\"}], \"ips\": [{\"address\": \"127.0.0.1/8\", "
		      "\"interface\": 0}, {\"address\": "
		      "\"10.0.2.5/24\", \"gateway\": \"10.0.2.1\", \"interface\": 2}, {\"address\": \"fd00::5/112\", \"gateway\": "
		      "\"fd00::1\", \"interface\": 2}], " ROUTES ", " DNS "}");
}

static int run_check(const char *address, struct vd_cni_error *error)
{
	json_t *answer = answer_make();
	struct vd_cni_call call;
	char text[512];
	int r;

	snprintf(text, sizeof(text),
		 "{\"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"prevResult\": {\"interfaces\": [{\"name\": \"x\"}, {\"name\": "
		 "\"eth0\", \"sandbox\": \"/run/netns/c1\"}], "
		 "\"ips\": [{\"address\": \"%s\", \"interface\": 1}]}}",
		 address);
	assert_int_equal(vd_cni_call_parse(&check, text, strlen(text), &call, error), 0);
	r = vd_cni_result_check(&call, answer, error);
	vd_cni_call_clear(&call);
	json_decref(answer);
	return r;
}

static void test_check_compares_addresses(void **state)
{
	struct vd_cni_error error = {};

	assert_int_equal(run_check("10.0.2.5/24", &error), 0);
	assert_int_equal(run_check("10.0.2.6/24", &error), -EINVAL);
	assert_non_null(strstr(error.sentence.text, "10.0.2.6"));
}

static void test_versions_and_errors(void **state)
{
	json_t *versions = vd_cni_result_versions(VD_CNI_VERSION_0_4_0), *list = json_object_get(versions, "supportedVersions"),
	       *failure;
	struct vd_cni_error error = {};

	assert_string_equal(json_string_value(json_object_get(versions, "cniVersion")), "0.4.0");
	assert_int_equal(json_array_size(list), 7);
	assert_string_equal(json_string_value(json_array_get(list, 6)), "1.1.0");
	json_decref(versions);
	vd_cni_fail(&error, VD_CNI_CODE_LATER, "no");
	failure = vd_cni_result_error(VD_CNI_VERSION_1_0_0, &error);
	assert_int_equal(json_integer_value(json_object_get(failure, "code")), 11);
	assert_string_equal(json_string_value(json_object_get(failure, "msg")), "no");
	json_decref(failure);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result_of_1_1_0),
		cmocka_unit_test(test_result_of_0_4_0_names_families),
		cmocka_unit_test(test_result_of_0_2_0_has_two_addresses),
		cmocka_unit_test(test_result_keeps_the_chain),
		cmocka_unit_test(test_check_compares_addresses),
		cmocka_unit_test(test_versions_and_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
