/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "base/netns.h"
#include "host/netns.h"

#include <errno.h>
#include <string.h>

static void test_names_paths_and_processes_are_found(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *by_name = NULL, *by_path = NULL, *by_process = NULL, *text = NULL;
	struct vd_host_netns one, two, own, self;

	run("ip netns add guest");
	assert_done(fixture, vd_host_netns_resolve("guest", &by_name, &one, &fixture->error));
	assert_string_equal(by_name, "/run/netns/guest");
	assert_done(fixture, vd_host_netns_resolve("/run/netns/guest", &by_path, &two, &fixture->error));
	assert_true(vd_host_netns_equal(&one, &two));
	assert_true(asprintf(&text, "pid:%d", getpid()) > 0);
	assert_done(fixture, vd_host_netns_resolve(text, &by_process, &own, &fixture->error));
	assert_int_equal(vd_host_netns_self(&self), 0);
	assert_true(vd_host_netns_equal(&own, &self));
	assert_false(vd_host_netns_equal(&own, &one));
}

static void test_what_is_no_namespace_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"", -EINVAL},
		{"..", -EINVAL},
		{"a/b", -EINVAL},
		{"pid:", -EINVAL},
		{"pid:-1", -EINVAL},
		{"pid:0", -EINVAL},
		{"pid:12x", -EINVAL},
		{"pid:99999999999999999999", -EINVAL},
		{"pid:4194305", -ENOENT},
		{"nothing", -ENOENT},
		{"/nothing", -ENOENT},
		{"/etc/passwd", -EINVAL},
		{"/run", -EINVAL},
		{"/proc/self/ns/mnt", -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_host_netns netns = {42, 42};
		char *path = NULL;

		fixture->error.text[0] = '\0';
		assert_int_equal(vd_host_netns_resolve(cases[i].text, &path, &netns, &fixture->error), cases[i].result);
		assert_null(path);
		assert_int_equal(netns.inode, 42);
		assert_true(strlen(fixture->error.text) > 0);
	}
}

static int refuse(void *userdata)
{
	return -EPROTO;
}

static void test_the_callers_thread_never_leaves_its_namespace(void **state)
{
	struct fixture *fixture = *state;
	VD_CLOSE int fd = -1;
	struct vd_host_netns before, after, netns;

	run("ip netns add guest");
	assert_int_equal(vd_host_netns_self(&before), 0);
	assert_done(fixture, vd_host_netns_open("/run/netns/guest", &fd, &netns, &fixture->error));
	assert_int_equal(vd_netns_run(fd, refuse, NULL), -EPROTO);
	assert_int_equal(vd_netns_run(0, refuse, NULL), -EINVAL);
	assert_int_equal(vd_host_netns_self(&after), 0);
	assert_true(vd_host_netns_equal(&before, &after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_paths_and_processes_are_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_namespace_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_the_callers_thread_never_leaves_its_namespace, fixture_setup,
						fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
