/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/link.h"

#include <errno.h>
#include <string.h>

#define GUEST "/run/netns/guest"

static void test_veth_lies_in_the_namespace_and_leaves_with_the_port(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	VD_FREE char *before = NULL, *after = NULL, *path = NULL;
	struct vd_host_netns netns;
	struct vd_host_link link;

	run("ip netns add guest");
	before = dump_of("");
	assert_done(fixture, vd_host_netns_resolve("guest", &path, &netns, &fixture->error));
	assert_done(fixture, vd_host_veth_create(fixture->net, 0x1f, &wanted, 1450, path, "eth0", &link, &fixture->error));
	assert_string_equal(link.ifname, "vd1f");
	assert_int_equal(link.netns.inode, netns.inode);
	run("ip -n guest link show eth0 | grep -q 02:00:00:00:00:07");
	run("ip -n guest link show eth0 | grep -q 'mtu 1450.*DOWN'");
	run("ip -d link show vd1f | grep -q 'addrgenmode none'");
	run("ip link show vd1f | grep -q ',UP.*mtu 65535'");
	run("test \"$(cat /proc/sys/net/ipv6/conf/vd1f/addr_gen_mode)\" = 1");
	assert_true(vd_host_link_is_port(fixture->net, link.ifindex, 0x1f));
	assert_false(vd_host_link_is_port(fixture->net, link.ifindex, 0x1e));
	assert_false(vd_host_link_is_port(fixture->net, 1, 0x1f));
	assert_done(fixture, vd_host_link_remove(fixture->net, link.ifindex, &fixture->error));
	assert_done(fixture, vd_host_link_remove(fixture->net, link.ifindex, &fixture->error));
	assert_false(succeeds("ip -n guest link show eth0 2>/dev/null"));
	after = dump_of("");
	assert_string_equal(before, after);
}

static void test_taken_name_in_the_namespace_is_refused_and_nothing_stays(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	VD_FREE char *before = NULL, *after = NULL, *inside = NULL, *inside_after = NULL;
	struct vd_host_link link = {.ifindex = 42};

	run("ip netns add guest && ip -n guest link add eth0 type bridge");
	before = dump_of("");
	inside = dump_of("guest");
	assert_int_equal(vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "eth0", &link, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "eth0"));
	after = dump_of("");
	inside_after = dump_of("guest");
	assert_string_equal(before, after);
	assert_string_equal(inside, inside_after);
	assert_int_equal(link.ifindex, 42);
}

static void test_wrong_name_and_the_hosts_own_namespace_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct vd_host_link link;

	run("ip netns add guest");
	assert_int_equal(vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "a-name-too-long-", &link, &fixture->error),
			 -EINVAL);
	assert_int_equal(vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "eth%d", &link, &fixture->error), -EINVAL);
	assert_non_null(strstr(fixture->error.text, "eth%d"));
	assert_int_equal(vd_host_veth_create(fixture->net, 1, &wanted, 1450, "/proc/self/ns/net", "eth0", &link, &fixture->error),
			 -EINVAL);
	assert_non_null(strstr(fixture->error.text, "own"));
}

static void test_leftover_of_the_same_port_is_replaced_and_anothers_link_stays(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct vd_host_link link;

	run("ip netns add guest");
	assert_done(fixture, vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "eth0", &link, &fixture->error));
	run("ip link set vd1 alias ''");
	assert_done(fixture, vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "eth0", &link, &fixture->error));
	run("ip link add vd2 type bridge");
	assert_int_equal(vd_host_veth_create(fixture->net, 2, &wanted, 1450, GUEST, "eth1", &link, &fixture->error), -EEXIST);
	run("ip link show vd2");
}

static void test_link_that_is_not_ours_is_never_removed(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL, *ifindex = NULL;

	run("ip link add theirs type bridge && ip link set theirs alias viaduct:h2:port/1");
	before = dump_of("");
	ifindex = output_of("ip -o link show theirs | cut -d: -f1");
	assert_done(fixture, vd_host_link_remove(fixture->net, (uint32_t)atoi(ifindex), &fixture->error));
	assert_done(fixture, vd_host_net_purge(fixture->net, &fixture->error));
	after = dump_of("");
	assert_string_equal(before, after);
}

static uint32_t port_make(struct fixture *fixture, uint32_t port, const char *ifname)
{
	const struct vd_mac its = mac("02:00:00:00:00:05");
	struct vd_host_link link;

	assert_done(fixture, vd_host_veth_create(fixture->net, port, &its, 1450, "/run/netns/c", ifname, &link, &fixture->error));
	return link.ifindex;
}

static void note_gone(uint32_t ifindex, void *userdata)
{
	*(uint32_t *)userdata = ifindex;
}

static void test_condemned_links_go_together_and_are_no_news(void **state)
{
	struct fixture *fixture = *state;
	uint32_t gone = 0, left;

	run("ip netns add c");
	port_make(fixture, 0x80000001, "eth0");
	port_make(fixture, 0x80000002, "eth1");
	left = port_make(fixture, 0x80000003, "eth2");
	run("ip link add other type bridge");
	assert_done(fixture, vd_host_port_condemn(fixture->net, 0x80000001, &fixture->error));
	assert_done(fixture, vd_host_port_condemn(fixture->net, 0x80000002, &fixture->error));
	assert_done(fixture, vd_host_port_condemn(fixture->net, 0x80000009, &fixture->error));
	assert_done(fixture, vd_host_condemned_remove(&fixture->error));
	assert_done(fixture, vd_host_condemned_remove(&fixture->error));
	assert_false(succeeds("ip link show vd80000001 || ip link show vd80000002 || ip -n c link show eth0"));
	run("ip link show vd80000003 && ip -n c link show eth2 && ip link show other");
	assert_done(fixture, vd_host_monitor_read(fixture->net, note_gone, &gone));
	assert_int_equal(gone, 0);
	/* One that goes by itself is. */
	run("ip -n c link del eth2");
	assert_done(fixture, vd_host_monitor_read(fixture->net, note_gone, &gone));
	assert_int_equal(gone, left);
}

static void test_an_end_may_stay_here_until_somebody_moves_it(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_mac its = mac("02:00:00:00:00:05");
	struct vd_host_link link;

	assert_done(fixture,
		    vd_host_veth_create(fixture->net, 0x80000001, &its, 1450, NULL, "vdp80000001", &link, &fixture->error));
	run("ip link show vdp80000001 | grep -q 02:00:00:00:00:05");
	run("ip netns add c && ip link set vdp80000001 netns c && ip -n c link set vdp80000001 name eth0");
	assert_true(vd_host_link_is_port(fixture->net, link.ifindex, 0x80000001));
	assert_done(fixture, vd_host_port_remove(fixture->net, 0x80000001, &fixture->error));
	assert_false(succeeds("ip -n c link show eth0"));
}

static void test_what_was_never_marked_is_removed(void **state)
{
	struct fixture *fixture = *state;

	run("ip netns add c");
	port_make(fixture, 0x1f, "eth0");
	/* As a maker leaves it that dies between its two requests. */
	run("ip link add vd1e type veth peer name eth1 netns c && ip link set vd1e group %u", VD_HOST_LINK_GROUP);
	run("ip link add other type bridge");
	assert_done(fixture, vd_host_half_made_remove(fixture->net, &fixture->error));
	assert_false(succeeds("ip link show vd1e"));
	run("ip link show vd1f && ip link show other");
}

static void test_purge_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct vd_address gateway = address("10.0.0.1");
	VD_FREE char *before = NULL, *after = NULL;
	struct vd_host_link link;
	uint32_t ifindex;

	run("ip netns add guest && ip tuntap add theirs mode tap && ip link set theirs addrgenmode none up && ip link set theirs "
	    "down");
	before = dump_of("");
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	assert_done(fixture, vd_host_veth_create(fixture->net, 1, &wanted, 1450, GUEST, "eth0", &link, &fixture->error));
	assert_done(fixture, vd_host_veth_create(fixture->net, 4, &wanted, 1450, GUEST, "eth1", &link, &fixture->error));
	run("ip link set vd4 alias ''");
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 2, "vdtap", 1450, &link, &fixture->error));
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 5, "theirs", 1500, &link, &fixture->error));
	run("ip link set theirs down");
	assert_done(fixture, vd_host_router_ensure(fixture->net, 3, &gateway, 1, 1450, &ifindex, &fixture->error));
	assert_done(fixture, vd_host_net_purge(fixture->net, &fixture->error));
	after = dump_of("");
	assert_string_equal(before, after);
	run("! grep -q vd-test/netns /proc/self/mountinfo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_veth_lies_in_the_namespace_and_leaves_with_the_port, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_taken_name_in_the_namespace_is_refused_and_nothing_stays, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_name_and_the_hosts_own_namespace_are_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_leftover_of_the_same_port_is_replaced_and_anothers_link_stays, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_link_that_is_not_ours_is_never_removed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_condemned_links_go_together_and_are_no_news, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_an_end_may_stay_here_until_somebody_moves_it, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_was_never_marked_is_removed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_purge_leaves_nothing, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
