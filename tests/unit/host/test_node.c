/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/node.h"

#include <errno.h>
#include <string.h>

static uint32_t ensure(struct fixture *fixture)
{
	const struct vd_address gateways[] = {address("10.0.2.1"), address("fd00:2::1")};
	uint32_t ifindex = 0;

	assert_done(fixture, vd_host_node_port_ensure(fixture->net, 26, gateways, 2, 1450, &ifindex, &fixture->error));
	return ifindex;
}

static void assert_port_is_whole(uint32_t ifindex)
{
	run("ip -o address show vdh1a | grep -q 'inet 10.0.2.1/32'");
	run("ip -o address show vdh1a | grep -q 'inet6 fd00:2::1/128 .*nodad'");
	run("ip link show vdh1a | grep -q ',UP.*mtu 1450'");
	run("ip link show vdh1a | grep -q 02:76:69:61:64:01");
	run("ip link show vdh1a | grep -q 'alias viaduct:h1:node/1a$'");
	run("ip link show vdi1a | grep -q '^%u: vdi1a@vdh1a.*,UP.*mtu 65535'", ifindex);
	run("ip link show vdi1a | grep -q 'alias viaduct:h1:node/1a/data'");
	/* It says nothing on its own. */
	assert_false(succeeds("ip -o address show vdi1a | grep -q inet"));
	run("ip neighbour show dev vdh1a | grep -q '169.254.0.1 lladdr 02:76:69:61:64:02 PERMANENT'");
	run("ip -6 neighbour show dev vdh1a | grep -q 'fe80::1 lladdr 02:76:69:61:64:02 PERMANENT'");
	run("test $(cat /proc/sys/net/ipv4/conf/vdh1a/rp_filter /proc/sys/net/ipv4/conf/vdh1a/send_redirects "
	    "/proc/sys/net/ipv4/conf/vdh1a/forwarding | tr -d '\\n') = 001");
}

static void test_host_port_is_made_and_found_again(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL;
	uint32_t ifindex = ensure(fixture);

	assert_port_is_whole(ifindex);
	before = dump_of("");
	assert_int_equal(ensure(fixture), ifindex);
	after = dump_of("");
	assert_string_equal(before, after);
}

static void test_host_port_follows_its_gateways_and_mtu(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_address gateways[] = {address("10.0.3.1")};
	uint32_t before = ensure(fixture), after = 0;

	assert_done(fixture, vd_host_node_port_ensure(fixture->net, 26, gateways, 1, 1400, &after, &fixture->error));
	assert_int_equal(before, after);
	run("ip -o address show vdh1a | grep -q 'inet 10.0.3.1/32'");
	assert_false(succeeds("ip -o address show vdh1a | grep -q -e 10.0.2.1 -e fd00"));
	run("ip link show vdh1a | grep -q 'mtu 1400'");
}

static void test_half_made_host_port_is_repaired(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damages[] = {
		"ip link del vdi1a",
		"ip link set vdi1a alias ''", /* died before the mark */
		"ip link set vdh1a alias ''", /* died before the second one */
		"ip link set vdh1a alias '' && ip link set vdi1a alias ''",
		"ip addr flush dev vdh1a",
		"ip neighbour flush dev vdh1a nud permanent",
		"ip link set vdh1a down",
		"ip link set vdh1a address 02:00:00:00:00:01",
	};

	ensure(fixture);
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		run("%s", damages[i]);
		assert_port_is_whole(ensure(fixture));
	}
}

static void note_domain(uint32_t domain, void *userdata)
{
	*(uint32_t *)userdata += domain;
}

static void test_host_ports_are_listed_and_removed(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_address gateway = address("10.0.9.1");
	uint32_t sum = 0, ifindex;

	ensure(fixture);
	assert_done(fixture, vd_host_node_port_ensure(fixture->net, 5, &gateway, 1, 1400, &ifindex, &fixture->error));
	assert_done(fixture, vd_host_node_port_each(fixture->net, note_domain, &sum));
	assert_int_equal(sum, 31);
	assert_done(fixture, vd_host_node_port_remove(fixture->net, 26, &fixture->error));
	assert_done(fixture, vd_host_node_port_remove(fixture->net, 26, &fixture->error));
	assert_false(succeeds("ip link show vdh1a || ip link show vdi1a"));
	run("ip link show vdh5");
}

static void test_somebody_elses_interface_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ifindex = 0;

	run("ip link add vdh1a type bridge");
	assert_int_equal(vd_host_node_port_ensure(fixture->net, 26, NULL, 0, 1450, &ifindex, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "vdh1a"));
	assert_done(fixture, vd_host_node_port_remove(fixture->net, 26, &fixture->error));
	run("ip link show vdh1a | grep -q 'vdh1a'");
}

/* ---- routes ---- */

struct refusals {
	unsigned count;
	int code;
	char prefix[VD_PREFIX_TEXT], sentence[512];
};

static void refused(const struct vd_host_node_route *route, int code, const char *sentence, void *userdata)
{
	struct refusals *refusals = userdata;

	refusals->count++;
	refusals->code = code;
	vd_prefix_format(&route->prefix, refusals->prefix);
	snprintf(refusals->sentence, sizeof(refusals->sentence), "%s", sentence);
}

static struct refusals routes_set(struct fixture *fixture, const struct vd_host_node_route *routes, size_t count)
{
	struct refusals refusals = {0};

	assert_done(fixture, vd_host_node_routes_ensure(fixture->net, routes, count, refused, &refusals, &fixture->error));
	return refusals;
}

static void underlay_make(void)
{
	run("ip link add u0 type veth peer name u1 && ip address add 192.168.0.2/24 dev u0 && ip link set u0 up && ip link set u1 "
	    "up");
}

static void test_routes_lead_into_the_host_port_and_to_nodes(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_host_node_route routes[] = {
		{.prefix = prefix("10.0.2.0/24"), .domain = 26},
		{.prefix = prefix("fd00:2::/112"), .domain = 26},
		{.prefix = prefix("10.0.3.0/24"), .next_hop = address("192.168.0.3"), .domain = 26},
	};
	VD_FREE char *before = NULL, *after = NULL;

	underlay_make();
	ensure(fixture);
	assert_int_equal(routes_set(fixture, routes, 3).count, 0);
	run("ip route show 10.0.2.0/24 | grep -q 'via 169.254.0.1 dev vdh1a proto 119 onlink'");
	run("ip -6 route show fd00:2::/112 | grep -q 'via fe80::1 dev vdh1a proto 119'");
	run("ip route show 10.0.3.0/24 | grep -q 'via 192.168.0.3 dev u0 proto 119'");
	/* The host itself speaks to containers as their gateway. */
	run("ip route get 10.0.2.7 | grep -q 'src 10.0.2.1'");
	before = dump_of("");
	assert_int_equal(routes_set(fixture, routes, 3).count, 0);
	after = dump_of("");
	assert_string_equal(before, after);
}

static void test_routes_move_and_go_and_others_stay(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_node_route routes[] = {
		{.prefix = prefix("10.0.2.0/24"), .domain = 26},
		{.prefix = prefix("10.0.3.0/24"), .next_hop = address("192.168.0.3"), .domain = 26},
	};

	underlay_make();
	ensure(fixture);
	run("ip route add 10.0.9.0/24 via 192.168.0.9 proto static");
	run("ip route add 10.0.8.0/24 via 192.168.0.9 proto 119");
	run("ip route add default via 192.168.0.9 proto 118"); /* an instance's, by the daemon of its host */
	assert_int_equal(routes_set(fixture, routes, 2).count, 0);
	assert_false(succeeds("ip route show 10.0.8.0/24 | grep -q ."));
	/* From the host port to another node, and between nodes. */
	routes[0].next_hop = address("192.168.0.4");
	routes[1].next_hop = address("192.168.0.4");
	assert_int_equal(routes_set(fixture, routes, 2).count, 0);
	run("ip route show 10.0.2.0/24 | grep -q 'via 192.168.0.4 dev u0'");
	run("ip route show 10.0.3.0/24 | grep -q 'via 192.168.0.4 dev u0'");
	assert_int_equal(routes_set(fixture, routes, 1).count, 0);
	assert_false(succeeds("ip route show 10.0.3.0/24 | grep -q ."));
	assert_int_equal(routes_set(fixture, NULL, 0).count, 0);
	assert_false(succeeds("ip route show proto 119 | grep -q ."));
	run("ip route show 10.0.9.0/24 | grep -q static");
	run("ip route show default | grep -q 192.168.0.9");
}

static void test_a_foreign_route_is_named_and_the_others_are_set(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_host_node_route routes[] = {
		{.prefix = prefix("10.0.2.0/24"), .domain = 26},
		{.prefix = prefix("10.0.3.0/24"), .next_hop = address("192.168.0.3"), .domain = 26},
	};
	struct refusals refusals;

	underlay_make();
	ensure(fixture);
	run("ip route add 10.0.2.0/24 via 192.168.0.9 proto static");
	refusals = routes_set(fixture, routes, 2);
	assert_int_equal(refusals.count, 1);
	assert_int_equal(refusals.code, -EEXIST);
	assert_string_equal(refusals.prefix, "10.0.2.0/24");
	assert_non_null(strstr(refusals.sentence, "10.0.2.0/24 already"));
	run("ip route show 10.0.2.0/24 | grep -q 'via 192.168.0.9'");
	run("ip route show 10.0.3.0/24 | grep -q 'proto 119'");
	/* Once it is gone, ours comes. */
	run("ip route del 10.0.2.0/24");
	assert_int_equal(routes_set(fixture, routes, 2).count, 0);
	run("ip route show 10.0.2.0/24 | grep -q vdh1a");
}

static void test_purge_takes_host_ports_and_routes(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_host_node_route route = {.prefix = prefix("10.0.3.0/24"), .next_hop = address("192.168.0.3")};

	underlay_make();
	ensure(fixture);
	assert_int_equal(routes_set(fixture, &route, 1).count, 0);
	assert_done(fixture, vd_host_net_purge(fixture->net, &fixture->error));
	assert_false(succeeds("ip route show proto 119 | grep -q ."));
	assert_false(succeeds("ip link show vdh1a || ip link show vdi1a"));
}

/* R-CTR-5, the kernel's part: a bridge that somebody made with a block's prefix is seen. */
static void test_a_bridge_with_the_prefix_is_found(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix block = prefix("10.0.2.0/24"), other = prefix("10.0.3.0/24");
	char ifname[16] = "";

	ensure(fixture);
	underlay_make();
	run("ip address add 10.0.2.9/24 dev u0");
	assert_int_equal(vd_host_bridge_find(fixture->net, &block, ifname), 0);
	run("ip link add br-my-net type bridge && ip link set br-my-net up && ip address add 10.0.2.1/24 dev br-my-net");
	assert_int_equal(vd_host_bridge_find(fixture->net, &block, ifname), 1);
	assert_string_equal(ifname, "br-my-net");
	assert_int_equal(vd_host_bridge_find(fixture->net, &other, ifname), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host_port_is_made_and_found_again, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_host_port_follows_its_gateways_and_mtu, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_half_made_host_port_is_repaired, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_host_ports_are_listed_and_removed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_somebody_elses_interface_is_left_alone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_routes_lead_into_the_host_port_and_to_nodes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_routes_move_and_go_and_others_stay, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_foreign_route_is_named_and_the_others_are_set, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_purge_takes_host_ports_and_routes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_bridge_with_the_prefix_is_found, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
