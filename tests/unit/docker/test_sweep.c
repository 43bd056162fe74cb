/* SPDX-License-Identifier: Apache-2.0 */
/* R-CTR-2 R-CTR-6: what Docker's driver never heard the end of. */
#include "docker/sweep.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char asked[512];

static int ask(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	strcat(asked, question == VD_DOCKER_QUESTION_DELETE ? "delete " : "release ");
	strcat(asked, json_string_value(json_object_get(arguments, "key")));
	assert_int_equal(json_integer_value(json_object_get(arguments, "since")), 100);
	strcat(asked, "; ");
	*ret = json_object();
	return 0;
}

static const struct vd_docker_daemon daemon_of_test = {ask, NULL};

/* Old ones that Docker does not know go; young ones, known ones and those of others stay. */
static void test_only_what_is_old_and_unknown_goes(void **state)
{
	json_t *containers =
		json_loads("[{\"key\": \"docker/gone\", \"since\": 100}, {\"key\": \"docker/known\", \"since\": 100}, "
			   "{\"key\": \"docker/young\", \"since\": 990}, {\"key\": \"cni/pods/x/eth0\", \"since\": 100}, "
			   "{\"key\": \"docker-address/default/pods/10.0.2.5\", \"since\": 100}, "
			   "{\"key\": \"docker-address/default/pods/10.0.2.6\", \"since\": 100}]",
			   0, NULL);
	json_t *known = json_pack("{s:{s:b}, s:{s:b}}", "endpoints", "known", 1, "addresses", "10.0.2.6", 1);
	struct vd_error error = {};

	asked[0] = '\0';
	assert_int_equal(vd_docker_sweep_rest(&daemon_of_test, containers, known, 1000, &error), 0);
	assert_string_equal(asked, "delete docker/gone; release docker-address/default/pods/10.0.2.5; ");
	json_decref(containers);
	json_decref(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_old_and_unknown_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
