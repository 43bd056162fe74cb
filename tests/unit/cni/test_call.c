/* SPDX-License-Identifier: Apache-2.0 */
/* R-CTR-6: what a runtime may ask, and the specification's error codes for what it may not. */
#include "cni/call.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NETNS "/run/netns/c1"
#define CONFIGURATION "\"cniVersion\": \"1.1.0\", \"name\": \"pods\", \"type\": \"viaduct-cni\""

static const struct vd_cni_environment add = {"ADD", "c1", NETNS, "eth0", NULL};

static int parse(const struct vd_cni_environment *environment, const char *text, struct vd_cni_call *ret,
		 struct vd_cni_error *error)
{
	return vd_cni_call_parse(environment, text, strlen(text), ret, error);
}

static void assert_refused(const struct vd_cni_environment *environment, const char *text, enum vd_cni_code code, const char *word)
{
	struct vd_cni_error error = {};
	struct vd_cni_call call = {};

	assert_int_equal(parse(environment, text, &call, &error), -EINVAL);
	assert_int_equal(error.code, code);
	if (!strstr(error.sentence.text, word))
		fail_msg("\"%s\" does not say \"%s\"", error.sentence.text, word);
	assert_null(call.configuration);
}

static void test_add_names_the_attachment(void **state)
{
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	json_t *arguments, *wanted;

	assert_int_equal(parse(&add, "{" CONFIGURATION ", \"network\": \"acme/pods\", \"server\": \"unix:/x\"}", &call, &error), 0);
	assert_string_equal(call.server, "unix:/x");
	arguments = vd_cni_call_arguments(&call);
	wanted = json_pack("{s:s, s:s, s:s, s:s}", "network", "acme/pods", "key", "cni/pods/c1/eth0", "netns", NETNS, "ifname",
			   "eth0");
	assert_true(json_equal(arguments, wanted));
	json_decref(arguments);
	json_decref(wanted);
	vd_cni_call_clear(&call);
}

/* The three ways to ask for an address; the capability wins. */
static void assert_asks_for(const char *fields, const char *arguments_text, const char *address)
{
	struct vd_cni_environment environment = add;
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	json_t *arguments;
	char text[512];

	environment.args = arguments_text;
	snprintf(text, sizeof(text), "{" CONFIGURATION "%s}", fields);
	assert_int_equal(parse(&environment, text, &call, &error), 0);
	arguments = vd_cni_call_arguments(&call);
	assert_string_equal(json_string_value(json_array_get(json_object_get(arguments, "addresses"), 0)), address);
	assert_int_equal(json_array_size(json_object_get(arguments, "addresses")), 1);
	json_decref(arguments);
	vd_cni_call_clear(&call);
}

static void test_add_takes_the_address_that_is_asked_for(void **state)
{
	assert_asks_for(", \"runtimeConfig\": {\"ips\": [\"10.0.2.5/24\"]}", "IP=10.0.2.9", "10.0.2.5");
	assert_asks_for(", \"args\": {\"cni\": {\"ips\": [\"10.0.2.6\"]}}", NULL, "10.0.2.6");
	assert_asks_for("", "IgnoreUnknown=1;IP=10.0.2.7;K8S_POD_NAME=x", "10.0.2.7");
}

static void test_add_takes_bandwidth(void **state)
{
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	json_t *arguments, *wanted;

	assert_int_equal(parse(&add,
			       "{" CONFIGURATION
			       ", \"runtimeConfig\": {\"bandwidth\": {\"ingressRate\": 8000000, \"ingressBurst\": 1000000, "
			       "\"egressRate\": 0}}}",
			       &call, &error),
			 0);
	arguments = vd_cni_call_arguments(&call);
	wanted = json_pack("{s:i, s:i}", "ingress_rate", 8000000, "ingress_burst", 1000000);
	assert_true(json_equal(json_object_get(arguments, "bandwidth"), wanted));
	json_decref(arguments);
	json_decref(wanted);
	vd_cni_call_clear(&call);
}

static void test_delete_needs_no_namespace(void **state)
{
	const struct vd_cni_environment environment = {"DEL", "c1", NULL, "eth0", NULL};
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	json_t *arguments;

	assert_int_equal(parse(&environment, "{" CONFIGURATION ", \"ipam\": {\"type\": \"x\"}}", &call, &error), 0);
	arguments = vd_cni_call_arguments(&call);
	assert_string_equal(json_string_value(json_object_get(arguments, "key")), "cni/pods/c1/eth0");
	json_decref(arguments);
	vd_cni_call_clear(&call);
}

static void test_gc_keeps_what_the_runtime_knows(void **state)
{
	const struct vd_cni_environment environment = {"GC", NULL, NULL, NULL, NULL};
	struct vd_cni_error error = {};
	struct vd_cni_call call;
	json_t *arguments, *wanted;

	assert_int_equal(parse(&environment,
			       "{" CONFIGURATION
			       ", \"cni.dev/valid-attachments\": [{\"containerID\": \"c1\", \"ifname\": \"eth0\"}]}",
			       &call, &error),
			 0);
	arguments = vd_cni_call_arguments(&call);
	wanted = json_pack("{s:s, s:s, s:[s]}", "network", "pods", "prefix", "cni/pods/", "valid", "cni/pods/c1/eth0");
	assert_true(json_equal(arguments, wanted));
	json_decref(arguments);
	json_decref(wanted);
	vd_cni_call_clear(&call);
	assert_refused(&environment, "{" CONFIGURATION "}", VD_CNI_CODE_CONFIGURATION, "valid-attachments");
	assert_refused(&environment, "{" CONFIGURATION ", \"cni.dev/valid-attachments\": [{\"containerID\": \"c1\"}]}",
		       VD_CNI_CODE_CONFIGURATION, "ifname");
}

static void test_bad_environment_is_refused(void **state)
{
	assert_refused(&(struct vd_cni_environment){}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT, "CNI_COMMAND");
	assert_refused(&(struct vd_cni_environment){"RUN"}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT, "RUN");
	assert_refused(&(struct vd_cni_environment){"ADD", NULL, NETNS, "eth0"}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT,
		       "CNI_CONTAINERID");
	assert_refused(&(struct vd_cni_environment){"ADD", "../x", NETNS, "eth0"}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT,
		       "../x");
	assert_refused(&(struct vd_cni_environment){"ADD", "c1", NULL, "eth0"}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT,
		       "CNI_NETNS");
	assert_refused(&(struct vd_cni_environment){"ADD", "c1", NETNS, NULL}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT,
		       "CNI_IFNAME");
	assert_refused(&(struct vd_cni_environment){"ADD", "c1", NETNS, "a/b"}, "{" CONFIGURATION "}", VD_CNI_CODE_ENVIRONMENT,
		       "a/b");
	assert_refused(&(struct vd_cni_environment){"ADD", "c1", NETNS, "abcdefghijklmnop"}, "{" CONFIGURATION "}",
		       VD_CNI_CODE_ENVIRONMENT, "abcdefghijklmnop");
}

static void test_bad_configuration_is_refused(void **state)
{
	assert_refused(&add, "", VD_CNI_CODE_JSON, "no JSON");
	assert_refused(&add, "[]", VD_CNI_CODE_JSON, "object");
	assert_refused(&add, "{\"cniVersion\": \"2.0.0\", \"name\": \"pods\"}", VD_CNI_CODE_VERSION, "2.0.0");
	assert_refused(&add, "{\"cniVersion\": \"1.0.0\"}", VD_CNI_CODE_CONFIGURATION, "name");
	assert_refused(&add, "{\"cniVersion\": \"1.0.0\", \"name\": \"a b\"}", VD_CNI_CODE_CONFIGURATION, "a b");
	assert_refused(&add, "{" CONFIGURATION ", \"ipam\": {\"type\": \"host-local\"}}", VD_CNI_CODE_FIELD, "host-local");
	assert_refused(&add, "{" CONFIGURATION ", \"runtimeConfig\": {\"mac\": \"02:00:00:00:00:01\"}}", VD_CNI_CODE_FIELD, "mac");
	assert_refused(&add, "{" CONFIGURATION ", \"runtimeConfig\": {\"ips\": [\"ten\"]}}", VD_CNI_CODE_CONFIGURATION, "ten");
	assert_refused(&add, "{" CONFIGURATION ", \"bandwidth\": {\"ingressRate\": -1}}", VD_CNI_CODE_CONFIGURATION, "ingressRate");
	assert_refused(&add, "{" CONFIGURATION ", \"bandwidth\": {\"egressBurst\": 8}}", VD_CNI_CODE_CONFIGURATION, "egressRate");
}

static void test_commands_belong_to_versions(void **state)
{
	const struct vd_cni_environment check = {"CHECK", "c1", NETNS, "eth0"}, status = {"STATUS"};

	assert_refused(&check, "{\"cniVersion\": \"0.3.1\", \"name\": \"pods\"}", VD_CNI_CODE_VERSION, "CHECK");
	assert_refused(&status, "{\"cniVersion\": \"1.0.0\", \"name\": \"pods\"}", VD_CNI_CODE_VERSION, "STATUS");
}

/* VERSION is how a runtime finds out: a version that we do not know is no error there. */
static void test_version_answers_everyone(void **state)
{
	const struct vd_cni_environment environment = {"VERSION"};
	struct vd_cni_error error = {};
	struct vd_cni_call call;

	assert_int_equal(parse(&environment, "{\"cniVersion\": \"9.0.0\"}", &call, &error), 0);
	assert_string_equal(vd_cni_version_text(call.version), "1.1.0");
	vd_cni_call_clear(&call);
	assert_int_equal(parse(&environment, "{}", &call, &error), 0);
	assert_string_equal(vd_cni_version_text(call.version), "0.1.0");
	vd_cni_call_clear(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_names_the_attachment),
		cmocka_unit_test(test_add_takes_the_address_that_is_asked_for),
		cmocka_unit_test(test_add_takes_bandwidth),
		cmocka_unit_test(test_delete_needs_no_namespace),
		cmocka_unit_test(test_gc_keeps_what_the_runtime_knows),
		cmocka_unit_test(test_bad_environment_is_refused),
		cmocka_unit_test(test_bad_configuration_is_refused),
		cmocka_unit_test(test_commands_belong_to_versions),
		cmocka_unit_test(test_version_answers_everyone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
