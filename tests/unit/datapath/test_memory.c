/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel does when it has no memory at hand, which nobody can order: its answers are put between libbpf and us. */
#include "fixture.h"

#include "datapath/map.h"
#include "datapath/program.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static unsigned refusals, calls;

static bool is_refused(void)
{
	calls++;
	if (!refusals)
		return false;
	refusals--;
	return true;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	int (*real)(int, const void *, const void *, __u64) = dlsym(RTLD_NEXT, "bpf_map_update_elem");

	if (!is_refused())
		return real(fd, key, value, flags);
	errno = ENOMEM;
	return -ENOMEM;
}

/* As bpf/expire.bpf.c says it. */
int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *options)
{
	int (*real)(int, struct bpf_test_run_opts *) = dlsym(RTLD_NEXT, "bpf_prog_test_run_opts");

	if (!is_refused())
		return real(fd, options);
	options->retval = ENOMEM;
	return 0;
}

static void refuse(unsigned times)
{
	refusals = times;
	calls = 0;
}

static void test_moment_without_memory_is_waited_out(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();

	refuse(3);
	fixture_sync(datapath, plan);
	assert_int_equal(refusals, 0);
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS - 1);
	refuse(3);
	assert_int_equal(vd_program_expiry_start(datapath->programs[VD_FUNCTION_EXPIRE]), 0);
	assert_int_equal(calls, 4);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* Every entry of the plan fails, one of them has waited. Last: from here on nobody in this process waits. */
static void test_machine_without_memory_says_so(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	struct vd_error error = {""};
	unsigned first;

	refuse(1000);
	assert_int_equal(vd_datapath_sync(datapath, plan, &error), -ENOMEM);
	assert_non_null(strstr(error.text, "the machine has no memory for the data plane's map vd_"));
	first = calls;
	refuse(1000);
	assert_int_equal(vd_datapath_sync(datapath, plan, &error), -ENOMEM);
	assert_int_equal(calls + 9, first);
	assert_true(calls > 10);

	refuse(0);
	fixture_sync(datapath, plan); /* what failed is repaired by the next */
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS - 1);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moment_without_memory_is_waited_out, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_machine_without_memory_says_so, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
