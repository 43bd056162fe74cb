/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* `ip netns` sees the router as "router". */
static void show_router(uint32_t domain)
{
	run("ln -sf /run/vd-test/netns/%u /run/netns/router", domain);
}

static void assert_router_is_whole(const char *outer)
{
	show_router(26);
	run("ip -n router -o address show viaduct | grep -q 'inet 10.0.1.1/32'");
	run("ip -n router -o address show viaduct | grep -q 'inet6 fd00:1::1/128 .*nodad'");
	run("ip -n router link show viaduct | grep -q 02:76:69:61:64:01");
	run("ip -n router link show viaduct | grep -q ',UP.*mtu 1450'");
	run("ip -n router route show default | grep -q 'via 169.254.0.1 dev viaduct'");
	run("ip -n router -6 route show default | grep -q 'via fe80::1 dev viaduct'");
	run("test $(ip -n router neighbour | grep -c PERMANENT) = 2");
	run("ip link show %s | grep -q ',UP.*mtu 65535'", outer);
	run("ip link show %s | grep -q 'alias viaduct:h1:router/1a'", outer);
	run("ip netns exec router sh -c 'cd /proc/sys/net; "
	    "test $(cat ipv4/ip_forward ipv6/conf/all/forwarding ipv4/conf/viaduct/rp_filter ipv4/conf/all/rp_filter "
	    "ipv4/conf/viaduct/send_redirects ipv4/conf/all/send_redirects ipv4/icmp_ratelimit ipv4/icmp_ratemask "
	    "ipv6/icmp/ratelimit ipv4/icmp_errors_use_inbound_ifaddr | tr -d \"\\n\") = 1100000000'");
}

static uint32_t ensure(struct fixture *fixture)
{
	const struct vd_address gateways[] = {address("10.0.1.1"), address("fd00:1::1")};
	uint32_t ifindex = 0;

	assert_done(fixture, vd_host_router_ensure(fixture->net, 26, gateways, 2, 1450, &ifindex, &fixture->error));
	return ifindex;
}

static void test_router_is_made_and_found_again(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *outside = NULL, *inside = NULL, *outside_after = NULL, *inside_after = NULL;
	uint32_t ifindex = ensure(fixture);

	assert_router_is_whole("vr1a");
	outside = dump_of("");
	inside = dump_of("router");
	assert_int_equal(ensure(fixture), ifindex);
	outside_after = dump_of("");
	inside_after = dump_of("router");
	assert_string_equal(outside, outside_after);
	assert_string_equal(inside, inside_after);
}

static void test_router_follows_its_gateways_and_mtu(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_address gateways[] = {address("10.0.2.1"), address("10.0.3.1")};
	uint32_t before = ensure(fixture), after;

	assert_done(fixture, vd_host_router_ensure(fixture->net, 26, gateways, 2, 1400, &after, &fixture->error));
	assert_int_equal(before, after);
	show_router(26);
	run("ip -n router -o address show viaduct | grep -q 'inet 10.0.2.1/32'");
	run("ip -n router -o address show viaduct | grep -q 'inet 10.0.3.1/32'");
	assert_false(succeeds("ip -n router -o address show viaduct | grep -q -e 10.0.1.1 -e fd00"));
	run("ip -n router link show viaduct | grep -q 'mtu 1400'");
}

static void test_router_outlives_the_daemon(void **state)
{
	struct fixture *fixture = *state;
	uint32_t before = ensure(fixture);

	vd_host_net_close(fixture->net);
	fixture->net = NULL;
	assert_done(fixture, vd_host_net_open("h1", fixture->run_directory, &fixture->net, &fixture->error));
	assert_int_equal(ensure(fixture), before);
	assert_router_is_whole("vr1a");
}

static void test_half_made_router_is_repaired(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damages[] = {
		"umount /run/vd-test/netns/26",                                              /* a file that is no mount */
		"ip link del vr1a",                                                          /* a namespace without a veth */
		"ip link set vr1a alias ''",                                                 /* died before the mark */
		"ip -n router addr flush dev viaduct; ip -n router route flush dev viaduct", /* died in the middle */
		"ip -n router link set viaduct down",
		"ip -n router neighbour flush all nud permanent",
		"ip netns exec router sysctl -q net.ipv4.ip_forward=0",
		"ip netns add elsewhere && ip -n router link set viaduct netns elsewhere",
	};

	ensure(fixture);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		show_router(26);
		run("%s", damages[i]);
		ensure(fixture);
		assert_router_is_whole("vr1a");
	}
}

static void count(uint32_t domain, void *userdata)
{
	*(uint32_t *)userdata += domain;
}

static void test_router_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL;
	uint32_t sum = 0;

	run("mkdir -p /run/vd-test/netns");
	before = dump_of("");
	ensure(fixture);
	assert_int_equal(vd_host_router_each(fixture->net, count, &sum), 0);
	assert_int_equal(sum, 26);
	assert_done(fixture, vd_host_router_remove(fixture->net, 26, &fixture->error));
	assert_done(fixture, vd_host_router_remove(fixture->net, 26, &fixture->error));
	sum = 0;
	assert_int_equal(vd_host_router_each(fixture->net, count, &sum), 0);
	assert_int_equal(sum, 0);
	after = dump_of("");
	assert_string_equal(before, after);
}

static void test_strangers_link_with_the_routers_name_stays(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_address gateways[] = {address("10.0.1.1")};
	uint32_t ifindex = 42;

	run("ip link add vr1a type bridge");
	assert_int_equal(vd_host_router_ensure(fixture->net, 26, gateways, 1, 1450, &ifindex, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "vr1a"));
	assert_int_equal(ifindex, 42);
	run("ip -d link show vr1a | grep -q bridge");
}

/*
 * instance (here: a veth "guest" in front of the router's outer end, both in a bridge) pings the gateway, and a packet with TTL 1
 * through it gets "time exceeded", as the data plane would deliver it: destination MAC the gateway's, answers taken by the MAC
 * behind the link.
 */
static void test_router_answers_ping_and_time_exceeded(void **state)
{
	struct fixture *fixture = *state;

	ensure(fixture);
	run("ip netns add guest && ip link add outer type veth peer name eth0 netns guest && ip link add br0 type bridge && ip "
	    "link set outer master br0 up"
	    " && ip link set vr1a address 02:76:69:61:64:03 master br0 && ip link set br0 up && ip -n guest link set eth0 address "
	    "02:76:69:61:64:02 up"
	    " && ip -n guest address add 10.0.1.2/24 dev eth0 && ip -n guest address add fd00:1::2/64 dev eth0 nodad"
	    " && ip -n guest neighbour add 10.0.1.1 lladdr 02:76:69:61:64:01 dev eth0"
	    " && ip -n guest neighbour add fd00:1::1 lladdr 02:76:69:61:64:01 dev eth0"
	    " && ip -n guest route add default via 10.0.1.1 && ip -n guest route add default via fd00:1::1");
	run("ip netns exec guest ping -c 1 -W 2 10.0.1.1 >/dev/null");
	run("ip netns exec guest ping -c 1 -W 2 fd00:1::1 >/dev/null");
	run("ip netns exec guest ping -c 1 -t 1 -W 2 10.0.9.9 | grep -q 'From 10.0.1.1 .*Time to live exceeded'");
	run("ip netns exec guest ping -c 1 -t 1 -W 2 fd00:9::9 | grep -q 'From fd00:1::1 .*Time exceeded'");
	run("ip netns exec guest sh -c 'ping -q -c 100 -i 0.002 -t 1 -W 1 10.0.9.9 | grep -q +100.errors'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_router_is_made_and_found_again, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_follows_its_gateways_and_mtu, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_outlives_the_daemon, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_half_made_router_is_repaired, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_leaves_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_strangers_link_with_the_routers_name_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_answers_ping_and_time_exceeded, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
