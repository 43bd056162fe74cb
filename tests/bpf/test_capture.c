// SPDX-License-Identifier: Apache-2.0
/* R-OPS-8, the data plane's share: packets of a captured port, both ways, from the cache and from decide. */
#include "fixture.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>

#include "viaduct.skel.h"

struct captured {
	size_t count;
	struct vd_capture_event last;
};

static int take(void *context, void *data, size_t size)
{
	struct captured *captured = context;

	captured->count++;
	captured->last = *(const struct vd_capture_event *)data;
	return 0;
}

static size_t read_captured(struct fixture *fixture, struct captured *captured)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(fixture->bpf->maps.vd_capture), take, captured, NULL);

	assert_non_null(ring);
	captured->count = 0;
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
	return captured->count;
}

static void test_captured_port_shows_both_directions(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = {.source_mac = MAC_A,
				  .source = "10.0.0.2",
				  .destination = "10.0.1.2",
				  .protocol = IPPROTO_UDP,
				  .source_port = 1000,
				  .destination_port = 53,
				  .payload = 1600};
	struct packet_spec in = {.source_mac = MAC_C,
				 .source = "10.0.1.2",
				 .destination = "10.0.0.2",
				 .protocol = IPPROTO_UDP,
				 .source_port = 53,
				 .destination_port = 1000};
	struct vd_endpoint_value endpoint = {.port_id = PORT_A,
					     .subnet = 10,
					     .ifindex = fixture->ifindex_a,
					     .place = VD_ENDPOINT_PLACE_HERE,
					     .flags = VD_PORT_FLAG_CAPTURE};
	static struct captured captured;
	struct packet packet;

	text_to_mac(MAC_A, endpoint.mac);
	packet_build(&in, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_c, &packet), VERDICT_REDIRECT);
	assert_int_equal(read_captured(fixture, &captured), 0);
	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_CAPTURE, 0);
	put_endpoint(fixture, RED, "10.0.0.2", &endpoint);
	bump(fixture, endpoint_slot(RED, "10.0.0.2"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_c, &packet), VERDICT_REDIRECT);
		assert_int_equal(read_captured(fixture, &captured), 1);
		assert_int_equal(captured.last.port_id, PORT_A);
		assert_int_equal(captured.last.is_egress, 1);
		assert_int_equal(captured.last.size, packet.size);
		assert_int_equal(captured.last.captured, packet.size);
		assert_memory_equal(captured.last.data, fixture->out.data, packet.size);
	}
	packet_build(&out, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(read_captured(fixture, &captured), 1);
	assert_int_equal(captured.last.is_egress, 0);
	assert_int_equal(captured.last.size, packet.size);
	assert_int_equal(captured.last.captured, VD_CAPTURE_SNAP);
}

/* What a port sends to its router, or to its node's kernel, it sends. */
static void test_packets_to_the_router_are_captured(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = {.source_mac = MAC_A,
				   .source = "10.0.0.2",
				   .destination = "10.0.0.1",
				   .protocol = IPPROTO_ICMP,
				   .source_port = 7,
				   .destination_port = 8 << 8};
	static struct captured captured;
	struct packet packet;

	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_CAPTURE, 0);
	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_int_equal(read_captured(fixture, &captured), 1);
		assert_int_equal(captured.last.port_id, PORT_A);
		assert_int_equal(captured.last.is_egress, 0);
	}
	assert_true(read_hits(fixture) > 0);
}

static void test_neighbour_packets_are_captured(void **state)
{
	struct fixture *fixture = *state;
	static struct captured captured;
	struct packet packet;

	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_CAPTURE, 0);
	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", "10.0.0.1", 1, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(read_captured(fixture, &captured), 2);
	assert_int_equal(captured.last.is_egress, 1);
	assert_memory_equal(captured.last.data, fixture->out.data, packet.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_captured_port_shows_both_directions, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_packets_to_the_router_are_captured, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_neighbour_packets_are_captured, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
