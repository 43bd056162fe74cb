/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says when a signal comes while it verifies our programs: its answer is put between libbpf and us. */
#include "fixture.h"

#include "datapath/program.h"

#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static unsigned interruptions;

int bpf_object__load(struct bpf_object *object)
{
	int (*real)(struct bpf_object *) = dlsym(RTLD_NEXT, "bpf_object__load");

	if (interruptions) {
		interruptions--;
		errno = EAGAIN;
		return -EAGAIN;
	}
	return real(object);
}

static void test_interrupted_load_is_begun_again(void **state)
{
	struct vd_datapath *datapath;
	struct vd_plan *plan = fixture_plan();

	interruptions = 3;
	datapath = fixture_open();
	assert_int_equal(interruptions, 0);
	fixture_sync(datapath, plan);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_load_that_never_ends_says_so(void **state)
{
	const struct vd_object object = vd_object_embedded();
	const struct vd_program_settings settings = {.flow_entries = 1024, .flow6_entries = 1024};
	struct bpf_object *loaded = NULL;
	struct vd_error error = {""};

	interruptions = 1000;
	assert_int_equal(vd_program_load(&object, &settings, NULL, false, &loaded, &error), -EAGAIN);
	assert_null(loaded);
	assert_non_null(strstr(error.text, "cannot load the data plane's programs"));
	interruptions = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_interrupted_load_is_begun_again, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_load_that_never_ends_says_so, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
