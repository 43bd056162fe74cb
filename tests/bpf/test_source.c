// SPDX-License-Identifier: Apache-2.0
/* The source check, on, off and opened (R-RTR-11). */
#include "fixture.h"

#include <netinet/in.h>

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1,
				    .destination_port = 2};
}

static void test_foreign_address_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec neighbour = udp(MAC_A, "10.0.0.3", "10.0.1.2"), nobody = udp(MAC_A, "10.9.9.9", "10.0.1.2");
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::3", "fd00:0:0:b::2");
	struct packet packet;

	packet_build(&neighbour, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	packet_build(&nobody, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	packet_build(&v6, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

static void test_foreign_mac_drops_also_while_the_flow_is_cached(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	spec.source_mac = MAC_B;
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_MAC);
}

static void test_neighbours_tuple_drops_while_its_flow_is_cached(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	struct packet packet;

	packet_build(&spec, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_SOURCE_MAC);
	spec.source_mac = MAC_B;
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

static void test_check_off_forwards_for_others(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "172.16.0.5", "10.0.1.2"), nested = udp("02:00:00:00:99:99", "172.16.0.6", "10.0.1.2");
	struct packet packet;

	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SOURCE_CHECK);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&nested, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	/* And on again: obeyed by the next packet. */
	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_SOURCE_CHECK, 0);
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

static void test_opened_range_passes_and_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec inside = udp(MAC_A, "172.16.0.5", "10.0.1.2"), outside = udp(MAC_A, "172.16.1.5", "10.0.1.2");
	struct packet packet;

	open_source(fixture, PORT_A, "172.16.0.0", 24);
	packet_build(&inside, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&outside, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	inside.source_mac = MAC_B;
	packet_build(&inside, &packet);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

static void test_address_that_moves_away_takes_its_flows_along(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	struct vd_endpoint_value moved = {.port_id = PORT_A, .subnet = 10, .host = 2, .place = VD_ENDPOINT_PLACE_HOST};
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	put_endpoint(fixture, RED, "10.0.0.2", &moved);
	bump(fixture, endpoint_slot(RED, "10.0.0.2"));
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_foreign_address_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_foreign_mac_drops_also_while_the_flow_is_cached, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_neighbours_tuple_drops_while_its_flow_is_cached, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_check_off_forwards_for_others, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_opened_range_passes_and_nothing_else, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_address_that_moves_away_takes_its_flows_along, fixture_setup,
						fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
