/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/uplink.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

static void test_uplink_is_read_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_uplink uplink;
	struct vd_mac wanted = mac("02:00:00:00:00:0a");

	run("ip link add up0 address 02:00:00:00:00:0a mtu 1400 type veth peer name far0");
	assert_done(fixture, vd_host_uplink_read(fixture->net, "up0", &uplink, &fixture->error));
	assert_int_equal(uplink.ifindex, if_nametoindex("up0"));
	assert_int_equal(uplink.mtu, 1400);
	assert_int_equal(uplink.vf_count, 0);
	assert_true(vd_mac_equal(&uplink.mac, &wanted));
	assert_string_equal(uplink.ifname, "up0");
	assert_false(uplink.up);
	run("ip link set up0 up mtu 1300 address 02:00:00:00:00:0b");
	assert_done(fixture, vd_host_uplink_read(fixture->net, "up0", &uplink, &fixture->error));
	assert_true(uplink.up);
	assert_int_equal(uplink.mtu, 1300);
	assert_false(vd_mac_equal(&uplink.mac, &wanted));
}

static void test_what_cannot_be_an_uplink_is_refused_with_a_sentence(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_uplink uplink;
	struct vd_host_link link;
	uint32_t ifindex;

	assert_int_equal(vd_host_uplink_read(fixture->net, "up0", &uplink, &fixture->error), -ENODEV);
	assert_non_null(strstr(fixture->error.text, "up0"));
	assert_int_equal(vd_host_uplink_read(fixture->net, "lo", &uplink, &fixture->error), -EINVAL);
	assert_non_null(strstr(fixture->error.text, "no Ethernet"));
	assert_int_equal(vd_host_uplink_read(fixture->net, "a name", &uplink, &fixture->error), -EINVAL);
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	assert_int_equal(vd_host_uplink_read(fixture->net, "viaduct0", &uplink, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "Viaduct's own"));
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 10, "vm1", 1450, &link, &fixture->error));
	assert_int_equal(vd_host_uplink_read(fixture->net, "vm1", &uplink, &fixture->error), -EEXIST);
}

static void assert_filters(const char *wanted)
{
	VD_FREE char *text = output_of("bridge fdb show dev up0 | grep -v 33:33 | cut -d' ' -f1 | sort | tr '\\n' ' '");

	assert_string_equal(text, wanted);
}

static void note(uint32_t ifindex, void *userdata)
{
	*(uint32_t *)userdata += ifindex;
}

static void test_filters_become_what_is_wanted_and_others_stay(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac macs[] = {mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02"), mac("02:00:00:00:00:99")};
	uint32_t ifindex, seen = 0;

	run("ip link add up0 type veth peer name far0 && bridge fdb add 02:00:00:00:00:99 dev up0 self permanent");
	ifindex = if_nametoindex("up0");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, macs, 3, &fixture->error));
	assert_filters("02:00:00:00:00:01 02:00:00:00:00:02 02:00:00:00:00:99 ");
	/* By hand, or by a crash: it is put back. */
	run("bridge fdb del 02:00:00:00:00:01 dev up0 self");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, macs, 3, &fixture->error));
	assert_filters("02:00:00:00:00:01 02:00:00:00:00:02 02:00:00:00:00:99 ");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, macs, 1, &fixture->error));
	assert_filters("02:00:00:00:00:01 02:00:00:00:00:99 ");
	assert_int_equal(vd_host_uplink_each_filtered(fixture->net, note, &seen), 0);
	assert_int_equal(seen, ifindex);
	assert_done(fixture, vd_host_uplink_purge(fixture->net, &fixture->error));
	assert_filters("02:00:00:00:00:99 ");
	assert_false(succeeds("ls /run/vd-test/uplink"));
}

static void test_filters_of_an_uplink_that_vanished_are_forgotten(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac macs[] = {mac("02:00:00:00:00:01")};
	uint32_t ifindex;

	run("ip link add up0 type veth peer name far0");
	ifindex = if_nametoindex("up0");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, macs, 1, &fixture->error));
	run("ip link del up0");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, NULL, 0, &fixture->error));
	assert_false(succeeds("ls /run/vd-test/uplink/*"));
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, ifindex, macs, 1, &fixture->error));
}

static void test_purge_leaves_the_uplink_as_it_was_found(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac macs[] = {mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02")};
	VD_FREE char *before = NULL, *after = NULL;

	run("ip link add up0 type veth peer name far0 && ip link set up0 up && ip address add 198.51.100.9/24 dev up0");
	before = output_of("ip -d link show up0; ip -o address show up0; bridge fdb show dev up0; ls /run/vd-test");
	assert_done(fixture, vd_host_uplink_filters_ensure(fixture->net, if_nametoindex("up0"), macs, 2, &fixture->error));
	assert_done(fixture, vd_host_net_purge(fixture->net, &fixture->error));
	after = output_of("ip -d link show up0; ip -o address show up0; bridge fdb show dev up0; ls /run/vd-test");
	assert_string_equal(after, before);
}

static void test_hook_goes_when_we_made_it_and_nobody_else_uses_it(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ifindex;

	run("ip link add up0 type veth peer name far0 && ip link add up1 type veth peer name far1 && tc qdisc add dev up1 clsact");
	ifindex = if_nametoindex("up0");
	assert_done(fixture, vd_host_uplink_hook_ensure(fixture->net, ifindex, &fixture->error));
	assert_done(fixture, vd_host_uplink_hook_ensure(fixture->net, ifindex, &fixture->error));
	assert_true(succeeds("tc qdisc show dev up0 | grep -q clsact"));
	assert_done(fixture, vd_host_uplink_hook_release(fixture->net, ifindex, &fixture->error));
	assert_false(succeeds("tc qdisc show dev up0 | grep -q clsact"));
	/* Somebody else's stays. */
	ifindex = if_nametoindex("up1");
	assert_done(fixture, vd_host_uplink_hook_ensure(fixture->net, ifindex, &fixture->error));
	assert_done(fixture, vd_host_uplink_purge(fixture->net, &fixture->error));
	assert_true(succeeds("tc qdisc show dev up1 | grep -q clsact"));
	assert_false(succeeds("ls /run/vd-test/uplink"));
	/* Of an interface that is gone nothing is left to do. */
	assert_done(fixture, vd_host_uplink_hook_ensure(fixture->net, if_nametoindex("up0"), &fixture->error));
	ifindex = if_nametoindex("up0");
	run("ip link del up0");
	assert_done(fixture, vd_host_uplink_hook_release(fixture->net, ifindex, &fixture->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_uplink_is_read_as_it_is, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_an_uplink_is_refused_with_a_sentence, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_filters_become_what_is_wanted_and_others_stay, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_filters_of_an_uplink_that_vanished_are_forgotten, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_purge_leaves_the_uplink_as_it_was_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_hook_goes_when_we_made_it_and_nobody_else_uses_it, fixture_setup,
						fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
