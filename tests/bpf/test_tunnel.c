// SPDX-License-Identifier: Apache-2.0
/* Between hosts: what leaves by the tunnel and what comes in by it. */
#include "fixture.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>

#include "viaduct.skel.h"

#define HOST2 "192.0.2.2"

static struct packet_spec udp(const char *source_mac, const char *destination_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .destination_mac = destination_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 53,
				    .payload = 10};
}

static void assert_tunnelled(struct fixture *fixture, const struct packet_spec *spec, uint32_t vni, const char *source_mac,
			     const char *destination_mac, uint8_t ttl)
{
	struct packet packet;
	struct vd_flow flow;
	uint8_t vtep[16];

	packet_build(spec, &packet);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, source_mac, destination_mac));
		assert_int_equal(packet_ttl(&fixture->out), ttl);
	}
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, spec, &flow));
	assert_int_equal(flow.output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow.vni, vni);
	text_to_address(HOST2, vtep);
	assert_memory_equal(flow.vtep.byte, vtep, 16);
}

/* Same subnet: the subnet's VNI. Routed, also by a custom route: the VPC's. */
static void test_out(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec bridged = udp(MAC_A, NULL, "10.0.0.2", "10.0.0.4"), routed = udp(MAC_A, NULL, "10.0.0.2", "10.0.1.4");
	struct packet_spec custom = udp(MAC_A, NULL, "10.0.0.2", "172.16.4.9");
	struct packet_spec bridged6 = udp(MAC_A, NULL, "fd00:0:0:a::2", "fd00:0:0:a::4");

	assert_tunnelled(fixture, &bridged, 1010, MAC_A, MAC_D, 64);
	assert_tunnelled(fixture, &routed, 100, MAC_GATEWAY, MAC_E, 63);
	assert_tunnelled(fixture, &custom, 100, MAC_GATEWAY, MAC_D, 64);
	assert_tunnelled(fixture, &bridged6, 1010, MAC_A, MAC_D, 64);
}

static void test_out_to_a_host_without_tunnel_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, NULL, "10.0.0.2", "10.0.0.4");
	struct packet packet;
	uint32_t host = 2;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(bpf_map__delete_elem(fixture->bpf->maps.vd_host, &host, sizeof(host), 0), 0);
	bump(fixture, vd_slot_domain(RED));
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_TUNNEL);
}

static void test_in_finds_its_port_by_mac(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec bridged = udp(MAC_D, MAC_A, "10.0.0.4", "10.0.0.2"),
			   routed = udp(MAC_GATEWAY, MAC_A, "10.0.1.4", "10.0.0.2");
	/* To a container behind a: its address is no endpoint. */
	struct packet_spec custom = udp(MAC_GATEWAY, MAC_B, "10.0.1.4", "172.16.0.9");
	struct packet_spec bridged6 = udp(MAC_D, MAC_A, "fd00:0:0:a::4", "fd00:0:0:a::2");
	struct vd_connection connection;
	struct packet packet;
	uint64_t hits;

	packet_build(&bridged, &packet);
	for (int i = 0; i < 3; i++) {
		hits = read_hits(fixture);
		assert_int_equal(run_tunnel(fixture, 1010, HOST2, &packet), VERDICT_REDIRECT);
		assert_int_equal(read_hits(fixture) - hits, i == 2);
		assert_true(packet_has_macs(&fixture->out, MAC_D, MAC_A));
		assert_int_equal(packet_ttl(&fixture->out), 64);
	}
	assert_output(fixture, VD_INGRESS_TUNNEL, 1010, &bridged, fixture->ifindex_a);
	assert_true(find_connection(fixture, RED, &bridged, &connection));
	assert_int_equal(connection.initiator_is_high, 1);
	assert_int_equal(connection.source_port_id, 0);
	assert_int_equal(connection.destination_port_id, PORT_A);
	packet_build(&routed, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_TUNNEL, 100, &routed, fixture->ifindex_a);
	packet_build(&custom, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_TUNNEL, 100, &custom, fixture->ifindex_b);
	packet_build(&bridged6, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_tunnel(fixture, 1010, HOST2, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_TUNNEL, 1010, &bridged6, fixture->ifindex_a);
}

static void assert_tunnel_dropped(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet *packet,
				  enum vd_drop_reason reason)
{
	new_drops(fixture, reason);
	assert_int_equal(run_tunnel(fixture, vni, vtep, packet), VERDICT_DROP);
	assert_int_equal(new_drops(fixture, reason), 1);
}

/* Also while the right sender's flow is in the cache. */
static void test_in_from_strangers_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_D, MAC_A, "10.0.0.4", "10.0.0.2");
	struct packet packet;

	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_tunnel(fixture, 1010, HOST2, &packet), VERDICT_REDIRECT);
	assert_int_equal(read_hits(fixture), 1);
	assert_tunnel_dropped(fixture, 1010, "192.0.2.66", &packet, VD_DROP_REASON_UNKNOWN_VTEP);
	assert_tunnel_dropped(fixture, 1010, "fd99::2", &packet, VD_DROP_REASON_UNKNOWN_VTEP);
	assert_tunnel_dropped(fixture, 7777, HOST2, &packet, VD_DROP_REASON_UNKNOWN_SEGMENT);
	spec.destination_mac = MAC_D;
	packet_build(&spec, &packet);
	assert_tunnel_dropped(fixture, 1010, HOST2, &packet, VD_DROP_REASON_UNREACHABLE_PORT);
	/* Another VPC's segment does not reach this VPC's MAC (R-NET-6). */
	spec.destination_mac = MAC_A;
	packet_build(&spec, &packet);
	assert_tunnel_dropped(fixture, 1012, HOST2, &packet, VD_DROP_REASON_UNREACHABLE_PORT);
}

static void test_in_over_ipv6(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_D, MAC_A, "10.0.0.4", "10.0.0.2");
	union vd_addr vtep;
	struct packet packet;
	uint32_t fold, one = 1;

	text_to_address("fd99::2", vtep.byte);
	fold = vd_vtep_fold(&vtep);
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_vtep, &fold, sizeof(fold), &one, sizeof(one), BPF_ANY), 0);
	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_tunnel(fixture, 1010, "fd99::2", &packet), VERDICT_REDIRECT);
		assert_int_equal(read_hits(fixture), i == 2);
	}
}

/* A port that is gone takes the flows to it along. */
static void test_in_to_a_port_that_left_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_D, MAC_A, "10.0.0.4", "10.0.0.2");
	struct vd_mac_key key = {.domain = RED};
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 1010, HOST2, &packet), VERDICT_REDIRECT);
	text_to_mac(MAC_A, key.mac);
	assert_int_equal(bpf_map__delete_elem(fixture->bpf->maps.vd_mac, &key, sizeof(key), 0), 0);
	bump(fixture, vd_slot_port(PORT_A));
	assert_tunnel_dropped(fixture, 1010, HOST2, &packet, VD_DROP_REASON_UNREACHABLE_PORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_out, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_out_to_a_host_without_tunnel_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_in_finds_its_port_by_mac, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_in_from_strangers_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_in_over_ipv6, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_in_to_a_port_that_left_drops, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
