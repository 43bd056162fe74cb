/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void test_tap_is_made_adopted_and_removed(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL;
	struct vd_host_link first, second;

	assert_done(fixture, vd_host_tap_ensure(fixture->net, 5, "vm1", 1450, &first, &fixture->error));
	run("ip -d link show vm1 | grep -q 'tun type tap .*persist on'");
	run("ip link show vm1 | grep -q 'UP.*mtu 1450'");
	run("ip link show vm1 | grep -q 'alias viaduct:h1:port/5'");
	before = dump_of("");
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 5, "vm1", 1450, &second, &fixture->error));
	after = dump_of("");
	assert_int_equal(first.ifindex, second.ifindex);
	assert_string_equal(before, after);
	assert_true(vd_host_link_is_port(fixture->net, first.ifindex, 5));
	assert_done(fixture, vd_host_link_remove(fixture->net, first.ifindex, &fixture->error));
	assert_false(succeeds("ip link show vm1 2>/dev/null"));
}

static void test_tap_that_was_there_stays_when_the_port_goes(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_link link;

	run("ip tuntap add vm1 mode tap");
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 5, "vm1", 1450, &link, &fixture->error));
	assert_true(vd_host_link_is_port(fixture->net, link.ifindex, 5));
	assert_int_equal(vd_host_tap_ensure(fixture->net, 6, "vm1", 1450, &link, &fixture->error), -EEXIST);
	assert_done(fixture, vd_host_link_remove(fixture->net, link.ifindex, &fixture->error));
	run("ip link show vm1");
	assert_false(vd_host_link_is_port(fixture->net, link.ifindex, 5));
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 6, "vm1", 1450, &link, &fixture->error));
}

static void test_what_cannot_be_a_tap_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_link link = {.ifindex = 42};

	run("ip link add vm1 type bridge");
	assert_int_equal(vd_host_tap_ensure(fixture->net, 5, "vm1", 1450, &link, &fixture->error), -EINVAL);
	assert_int_equal(vd_host_tap_ensure(fixture->net, 5, "a-name-that-is-too-long", 1450, &link, &fixture->error), -EINVAL);
	assert_int_equal(vd_host_tap_ensure(fixture->net, 5, "", 1450, &link, &fixture->error), -EINVAL);
	assert_int_equal(vd_host_tap_ensure(fixture->net, 5, "tap%d", 1450, &link, &fixture->error), -EINVAL);
	assert_int_equal(link.ifindex, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tap_is_made_adopted_and_removed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tap_that_was_there_stays_when_the_port_goes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_a_tap_is_refused, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
