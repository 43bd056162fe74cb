// SPDX-License-Identifier: Apache-2.0
/* IP fragments go where their first one went. */
#include "fixture.h"

#include <netinet/in.h>

static struct packet_spec fragment(uint16_t id, uint16_t offset, bool more)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = "10.0.0.2",
				    .destination = "10.0.1.2",
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 2000,
				    .payload = 64,
				    .id = id,
				    .fragment_offset = offset,
				    .more_fragments = more};
}

static void test_later_fragments_follow_the_first(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec first = fragment(7, 0, true), later = fragment(7, 72, true), last = fragment(7, 136, false);
	struct vd_connection connection;
	struct vd_flow flow;
	struct packet packet;

	packet_build(&first, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_C));
	packet_build(&later, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&last, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_C));
	assert_int_equal(packet_ttl(&fixture->out), 63);
	/* All of one connection, none in the cache. */
	assert_true(find_connection(fixture, RED, &first, &connection));
	assert_int_equal(connection.packets, 3);
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &first, &flow));
}

/* The first one looks like any packet of its flow; the cache must not keep it from leaving its ports behind. */
static void test_fragments_follow_also_while_the_flow_is_cached(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec whole = fragment(1, 0, false), first = fragment(7, 0, true), last = fragment(7, 72, false);
	struct packet packet;

	packet_build(&whole, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&first, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&last, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
}

static void test_fragment_without_its_first_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec later = fragment(8, 72, false);
	struct packet packet;

	packet_build(&later, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_FRAGMENT);
}

static void test_fragments_of_another_port_do_not_mix(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec first = fragment(9, 0, true), later = fragment(9, 72, false);
	struct packet packet;

	packet_build(&first, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	change_port_flags(fixture, fixture->ifindex_b, 0, VD_PORT_FLAG_SOURCE_CHECK);
	packet_build(&later, &packet);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_FRAGMENT);
}

static void test_first_fragment_too_short_for_its_ports_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec first = fragment(10, 0, true);
	struct packet packet;

	packet_build(&first, &packet);
	packet.size = packet.l4 + 4;
	packet.data[17] = 24;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_later_fragments_follow_the_first, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_fragments_follow_also_while_the_flow_is_cached, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_fragment_without_its_first_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_fragments_of_another_port_do_not_mix, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_first_fragment_too_short_for_its_ports_drops, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
