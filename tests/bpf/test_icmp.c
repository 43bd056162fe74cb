// SPDX-License-Identifier: Apache-2.0
/* ICMP errors follow their connection, and those of the router come from the right gateway. */
#include "fixture.h"

#include <netinet/in.h>

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination, uint16_t source_port,
			      uint16_t port)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = source_port,
				    .destination_port = port};
}

static void test_related_error_passes(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "10.0.0.2", "10.0.1.2", 1000, 53), spec;
	struct vd_connection connection;
	struct vd_flow flow;
	struct packet asked, packet;

	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_C, "10.0.1.2", "10.0.0.2", 0x0303, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_c, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	assert_true(packet_has_source(&fixture->out, "10.0.1.2"));
	/* An error is no connection and leaves nothing in the cache. */
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_c, &spec, &flow));
	assert_false(find_connection(fixture, RED, &spec, &connection));
}

static void test_related_error_passes_ipv6(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2", 1000, 53), spec;
	struct packet asked, packet;

	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_C, "fd00:0:0:b::2", "fd00:0:0:a::2", 0x0104, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_c, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
}

/* A ping's error names the echo's identifier. */
static void test_error_about_an_echo_passes(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = {.source_mac = MAC_A,
				       .source = "10.0.0.2",
				       .destination = "10.0.1.2",
				       .protocol = IPPROTO_ICMP,
				       .source_port = 77,
				       .destination_port = 8 << 8};
	struct packet_spec spec;
	struct packet asked, packet;

	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_C, "10.0.1.2", "10.0.0.2", 0x0301, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_c, &packet), VERDICT_REDIRECT);
}

static void test_unrelated_error_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "10.0.0.2", "10.0.1.2", 1000, 53), spec;
	struct packet asked, packet;

	packet_build(&question, &asked);
	spec = packet_error_spec(MAC_C, "10.0.1.2", "10.0.0.2", 0x0303, &asked);
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_c, &packet, VD_DROP_REASON_ICMP_UNRELATED);
	/* Known, but sent to somebody else. */
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_C, "10.0.1.2", "10.0.0.3", 0x0303, &asked);
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_c, &packet, VD_DROP_REASON_ICMP_UNRELATED);
	/* Cut before it says what it is about. */
	packet.size = packet.l4 + 8;
	packet.data[16] = 0;
	packet.data[17] = 28;
	assert_dropped(fixture, fixture->ifindex_c, &packet, VD_DROP_REASON_MALFORMED);
}

/* R-RTR-2: "time exceeded" comes from the gateway of the asker's subnet, whatever address the router's kernel took. */
static void test_router_errors_come_from_the_askers_gateway(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "10.0.0.2", "10.0.1.2", 1000, 33434), spec;
	struct packet_spec question6 = udp(MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2", 1000, 33434);
	struct packet asked, packet;

	question.ttl = question6.ttl = 1;
	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "10.0.1.1", "10.0.0.2", 0x0b00, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "10.0.0.1"));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	assert_int_equal(packet_ttl(&fixture->out), 64);
	assert_true(packet_checksums_hold(&fixture->out));

	packet_build(&question6, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "fd00:0:0:b::1", "fd00:0:0:a::2", 0x0300, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "fd00:0:0:a::1"));
	assert_true(packet_checksums_hold(&fixture->out));
}

static void test_closed_port_of_a_gateway_answers_as_itself(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "10.0.0.2", "10.0.1.1", 1000, 33434), spec;
	struct packet asked, packet;

	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "10.0.1.1", "10.0.0.2", 0x0303, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "10.0.1.1"));
}

/* R-RTR-7: a container behind b asks by a's routes; the error goes to the container by b, as its subnet's gateway. */
static void test_router_error_finds_a_container_behind_its_instance(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_B, "172.16.0.5", "10.0.1.2", 1000, 33434), spec;
	struct packet asked, packet;

	open_source(fixture, PORT_B, "172.16.0.0", 24);
	question.ttl = 1;
	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, fixture->ifindex_b, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "10.0.1.1", "172.16.0.5", 0x0b00, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "10.0.0.1"));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_B));
	assert_true(packet_checksums_hold(&fixture->out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_related_error_passes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_related_error_passes_ipv6, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_error_about_an_echo_passes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_unrelated_error_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_errors_come_from_the_askers_gateway, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_closed_port_of_a_gateway_answers_as_itself, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_error_finds_a_container_behind_its_instance, fixture_setup,
						fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
