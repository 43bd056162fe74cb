/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/occupied.h"

#include <string.h>

/* R-CTR-8: what a block could collide with on this host, by name. */
static void test_routes_of_others_occupy(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE struct vd_host_occupied *list = NULL;
	static const struct {
		const char *prefix, *ifname;
		bool is_bridge;
	} expected[] = {
		{"10.9.0.0/24", "eth0", false},
		{"10.20.0.0/16", "eth0", false},
		{"172.17.0.0/16", "docker0", true},
		{"fd00:17::/64", "docker0", true},
	};
	size_t count = 0;

	run("ip link add eth0 type veth peer name p0; ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up; ip link set p0 up;"
	    "ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip addr add fd00:17::1/64 dev docker0 nodad;"
	    "ip link set docker0 up; ip route add default via 10.9.0.254; ip route add 10.20.0.0/16 via 10.9.0.2;"
	    "ip route add 10.20.0.0/16 via 10.9.0.3 metric 7; ip route add 10.30.0.0/16 via 10.9.0.2 proto 118;"
	    "ip route add 169.254.0.0/16 dev eth0;"
	    "ip link add vdh5 type veth peer name vdi5; ip link set vdh5 alias viaduct:h1:node/5; ip link set vdh5 up;"
	    "ip addr add 10.40.0.1/24 dev vdh5");
	assert_done(fixture, vd_host_occupied_read(fixture->net, &list, &count, &fixture->error));
	assert_int_equal(count, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < count; i++) {
		struct vd_prefix wanted = prefix(expected[i].prefix);

		assert_true(vd_prefix_equal(&list[i].prefix, &wanted));
		assert_string_equal(list[i].ifname, expected[i].ifname);
		assert_int_equal(list[i].is_bridge, expected[i].is_bridge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_routes_of_others_occupy, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
