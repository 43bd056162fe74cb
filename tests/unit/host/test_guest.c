/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define GUEST "/run/netns/guest"

static struct vd_host_link make_guest(struct fixture *fixture, uint32_t port, const char *ifname)
{
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct vd_host_link link = {0};

	run("ip netns list | grep -q guest || ip netns add guest");
	assert_done(fixture, vd_host_veth_create(fixture->net, port, &wanted, 1450, GUEST, ifname, &link, &fixture->error));
	return link;
}

static void test_guest_gets_addresses_mtu_and_default_routes(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix addresses[] = {prefix("10.0.1.2/24"), prefix("fd00:1::2/64")};
	struct vd_host_guest guest = {
		.addresses = addresses,
		.address_count = 2,
		.gateway4 = address("10.0.1.1"),
		.gateway6 = address("fd00:1::1"),
		.mtu = 1400,
		.is_default = true,
	};
	VD_FREE char *before = NULL, *after = NULL;

	make_guest(fixture, 1, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	run("ip -n guest -o address show eth0 | grep -q 'inet 10.0.1.2/24 brd 10.0.1.255'");
	run("ip -n guest -o address show eth0 | grep -q 'inet6 fd00:1::2/64 .*nodad'");
	run("ip -n guest -o address show eth0 | grep -q -v tentative");
	run("ip -n guest link show eth0 | grep -q 'mtu 1400'");
	run("ip -n guest link show lo | grep -q ',UP'");
	run("ip -n guest route show default | grep -q '^default via 10.0.1.1 dev eth0'");
	run("ip -n guest -6 route show default | grep -q '^default via fd00:1::1 dev eth0'");
	before = dump_of("guest");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	after = dump_of("guest");
	assert_string_equal(before, after);
}

static void test_address_taken_away_goes_and_the_guests_own_stays(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix old[] = {prefix("10.0.1.2/24"), prefix("10.0.1.3/24")}, new[] = {prefix("10.0.1.3/24")};
	struct vd_host_guest guest = {
		.addresses = old, .address_count = 2, .gateway4 = address("10.0.1.1"), .mtu = 1450, .is_default = true};

	make_guest(fixture, 1, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	run("ip -n guest address add 172.16.0.9/24 dev eth0 && ip -n guest route add 172.17.0.0/16 via 172.16.0.1");
	guest.addresses = new;
	guest.address_count = 1;
	guest.gateway4 = address("10.0.1.254");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	assert_false(succeeds("ip -n guest -o address show eth0 | grep -q 10.0.1.2/"));
	run("ip -n guest -o address show eth0 | grep -q 10.0.1.3/24");
	run("ip -n guest -o address show eth0 | grep -q 172.16.0.9/24");
	run("ip -n guest route show | grep -q '^172.17.0.0/16'");
	run("ip -n guest route show default | grep -q 'via 10.0.1.254'");
	run("test $(ip -n guest route show default | wc -l) = 1");
}

static void test_port_that_is_not_default_gets_routes_to_the_vpc_only(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix addresses[] = {prefix("10.0.1.2/24")},
			       others[] = {prefix("10.0.0.0/16"), prefix("10.0.1.0/24"), prefix("fd00::/48")};
	struct vd_host_guest guest = {.addresses = addresses,
				      .address_count = 1,
				      .gateway4 = address("10.0.1.1"),
				      .others = others,
				      .other_count = 3,
				      .mtu = 1450};

	make_guest(fixture, 1, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	run("ip -n guest route show | grep -q '^10.0.0.0/16 via 10.0.1.1 dev eth0'");
	assert_false(succeeds("ip -n guest route show default | grep -q ."));
	guest.other_count = 0;
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	assert_false(succeeds("ip -n guest route show | grep -q ^10.0.0.0/16"));
}

static void test_second_port_of_a_vpc_stands_behind_the_first(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix one[] = {prefix("10.0.1.2/24"), prefix("fd00:0:0:1::2/64")},
			       two[] = {prefix("10.0.2.2/24"), prefix("fd00:0:0:2::2/64")},
			       others[] = {prefix("10.0.0.0/16"), prefix("fd00::/48")};
	struct vd_host_guest first = {.addresses = one,
				      .address_count = 2,
				      .gateway4 = address("10.0.1.1"),
				      .gateway6 = address("fd00:0:0:1::1"),
				      .others = others,
				      .other_count = 2,
				      .mtu = 1450};
	struct vd_host_guest second = first;
	struct vd_host_link link = make_guest(fixture, 1, "eth0");

	second.addresses = two;
	second.gateway4 = address("10.0.2.1");
	second.gateway6 = address("fd00:0:0:2::1");
	make_guest(fixture, 2, "eth1");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &first, &fixture->error));
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth1", &second, &fixture->error));
	run("ip -n guest route get 10.0.9.9 | grep -q 'via 10.0.1.1 dev eth0'");
	run("ip -n guest -6 route get fd00:0:0:9::9 | grep -q 'via fd00:0:0:1::1 dev eth0'");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &first, &fixture->error));
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth1", &second, &fixture->error));
	run("test $(ip -n guest route show 10.0.0.0/16 | wc -l) = 2");
	run("test $(ip -n guest -6 route show fd00::/48 | wc -l) = 2");

	assert_done(fixture, vd_host_link_remove(fixture->net, link.ifindex, &fixture->error));
	run("ip -n guest route get 10.0.9.9 | grep -q 'via 10.0.2.1 dev eth1'");
	run("ip -n guest -6 route get fd00:0:0:9::9 | grep -q 'via fd00:0:0:2::1 dev eth1'");
	/* The next one stands behind it. */
	make_guest(fixture, 3, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &first, &fixture->error));
	second.other_count = 0;
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth1", &second, &fixture->error));
	run("ip -n guest route get 10.0.9.9 | grep -q 'via 10.0.1.1 dev eth0'");
	run("ip -n guest -6 route get fd00:0:0:9::9 | grep -q 'via fd00:0:0:1::1 dev eth0'");
}

static void test_default_route_moves_to_another_port_but_not_over_a_strangers(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix first[] = {prefix("10.0.1.2/24"), prefix("fd00:1::2/64")},
			       second[] = {prefix("10.0.2.2/24"), prefix("fd00:2::2/64")};
	struct vd_host_guest one = {first, 2, address("10.0.1.1"), address("fd00:1::1"), NULL, 0, 1450, true, false};
	struct vd_host_guest two = {second, 2, address("10.0.2.1"), address("fd00:2::1"), NULL, 0, 1450, true, false};

	make_guest(fixture, 1, "eth0");
	make_guest(fixture, 2, "eth1");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &one, &fixture->error));
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth1", &two, &fixture->error));
	run("ip -n guest route show default | grep -q 'dev eth1'");
	run("ip -n guest -6 route show default | grep -q 'dev eth1'");
	run("ip -n guest route replace default via 10.0.1.77 dev eth0");
	assert_int_equal(vd_host_guest_configure(fixture->net, GUEST, "eth1", &two, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "0.0.0.0/0"));
	run("ip -n guest route show default | grep -q 'via 10.0.1.77 dev eth0'");
}

static void test_guest_that_asks_by_dhcp_is_only_brought_up(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix addresses[] = {prefix("10.0.1.2/24")};
	struct vd_host_guest guest = {addresses, 1, address("10.0.1.1"), {0}, NULL, 0, 1390, true, true};

	make_guest(fixture, 1, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	run("ip -n guest link show eth0 | grep -q 'mtu 1390'");
	run("ip -n guest link show eth0 | grep -q ',UP'");
	assert_false(succeeds("ip -n guest -4 -o address show eth0 | grep -q ."));
}

static void test_gateway_outside_the_guests_network_is_reached_on_the_link(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_prefix addresses[] = {prefix("10.0.1.2/32")};
	struct vd_host_guest guest = {addresses, 1, address("10.0.1.1"), {0}, NULL, 0, 1450, true, false};

	make_guest(fixture, 1, "eth0");
	assert_done(fixture, vd_host_guest_configure(fixture->net, GUEST, "eth0", &guest, &fixture->error));
	run("ip -n guest route show default | grep -q 'via 10.0.1.1 dev eth0.*onlink'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_guest_gets_addresses_mtu_and_default_routes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_address_taken_away_goes_and_the_guests_own_stays, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_port_that_is_not_default_gets_routes_to_the_vpc_only, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_second_port_of_a_vpc_stands_behind_the_first, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_default_route_moves_to_another_port_but_not_over_a_strangers, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_guest_that_asks_by_dhcp_is_only_brought_up, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_outside_the_guests_network_is_reached_on_the_link, fixture_setup,
						fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
