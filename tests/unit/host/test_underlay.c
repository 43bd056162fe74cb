/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void make_links(void)
{
	run("ip link add u0 type bridge && ip link set u0 mtu 1400 up && ip address add 10.9.0.1/24 dev u0"
	    " && ip link add u1 type bridge && ip link set u1 mtu 9000 up && ip address add 10.9.1.1/24 dev u1"
	    " && ip address add fd00:9::1/64 dev u1 nodad && ip address add 10.99.0.1/32 dev lo");
}

static void test_address_asked_for_is_found_with_its_mtu(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address wanted = address("fd00:9::1");
	struct vd_host_underlay underlay;

	make_links();
	assert_done(fixture, vd_host_underlay_read(fixture->net, &wanted, &underlay, &fixture->error));
	assert_true(vd_address_equal(&underlay.address, &wanted));
	assert_int_equal(underlay.mtu, 9000);
	assert_int_equal(underlay.count, 4);
	for (size_t i = 0; i < underlay.count; i++) {
		struct vd_address small = address("10.9.0.1"), loopback = address("10.99.0.1");
		bool is_small =
			vd_address_equal(&underlay.addresses[i], &small) || vd_address_equal(&underlay.addresses[i], &loopback);

		assert_int_equal(underlay.mtus[i], is_small ? 1400 : 9000);
	}
	vd_host_underlay_done(&underlay);
}

static void test_address_on_the_loopback_counts_the_smallest_link(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address wanted = address("10.99.0.1");
	struct vd_host_underlay underlay;

	make_links();
	assert_done(fixture, vd_host_underlay_read(fixture->net, &wanted, &underlay, &fixture->error));
	assert_int_equal(underlay.mtu, 1400);
	vd_host_underlay_done(&underlay);
}

static void test_address_of_the_default_route_is_chosen(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address expected = address("10.9.1.1"), first = address("10.9.0.1");
	struct vd_prefix lan = prefix("10.9.1.0/24");
	struct vd_host_underlay underlay;

	make_links();
	assert_done(fixture, vd_host_underlay_read(fixture->net, NULL, &underlay, &fixture->error));
	assert_true(vd_address_equal(&underlay.address, &first));
	vd_host_underlay_done(&underlay);
	run("ip route add default via 10.9.1.254");
	assert_done(fixture, vd_host_underlay_read(fixture->net, NULL, &underlay, &fixture->error));
	assert_true(vd_address_equal(&underlay.address, &expected));
	assert_true(vd_prefix_equal(&underlay.lan, &lan));
	assert_string_equal(underlay.ifname, "u1");
	vd_host_underlay_done(&underlay);
}

static void test_address_that_the_host_does_not_have_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address wanted = address("10.9.0.2");
	struct vd_host_underlay underlay;

	assert_int_equal(vd_host_underlay_read(fixture->net, NULL, &underlay, &fixture->error), -EADDRNOTAVAIL);
	make_links();
	assert_int_equal(vd_host_underlay_read(fixture->net, &wanted, &underlay, &fixture->error), -EADDRNOTAVAIL);
	assert_non_null(strstr(fixture->error.text, "10.9.0.2"));
}

static void test_addresses_of_our_own_links_do_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_underlay underlay;

	make_links();
	run("ip link add ours type bridge && ip link set ours alias viaduct:h1:port/1 up && ip address add 10.8.0.1/24 dev ours");
	assert_done(fixture, vd_host_underlay_read(fixture->net, NULL, &underlay, &fixture->error));
	assert_int_equal(underlay.count, 4);
	vd_host_underlay_done(&underlay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_address_asked_for_is_found_with_its_mtu, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_address_on_the_loopback_counts_the_smallest_link, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_address_of_the_default_route_is_chosen, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_address_that_the_host_does_not_have_is_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_of_our_own_links_do_not_count, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
