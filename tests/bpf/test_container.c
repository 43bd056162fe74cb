// SPDX-License-Identifier: Apache-2.0
/* Container networks: between containers of a node, to and from its kernel, to and from other nodes by tunnel. R-CTR-1, R-CTR-9. */
#include "container.h"

#include <bpf/libbpf.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 53,
				    .payload = 22};
}

static void assert_to_peer(const struct vd_flow *flow, uint32_t ifindex)
{
	assert_int_equal(flow->output, VD_OUTPUT_PEER);
	assert_int_equal(flow->output_ifindex, ifindex);
}

/* Both ends of the host port are in one namespace, where bpf_redirect_peer would drop it in silence. */
static void assert_to_kernel(const struct containers *containers, const struct vd_flow *flow)
{
	assert_int_equal(flow->output, VD_OUTPUT_DEVICE);
	assert_int_equal(flow->output_ifindex, containers->host);
	assert_int_equal(flow->destination_port_id, PODS);
}

static void assert_to_node(const struct vd_flow *flow, const char *vtep)
{
	union vd_addr address;

	text_to_address(vtep, address.byte);
	assert_int_equal(flow->output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow->vni, 300);
	assert_int_equal(flow->vtep_family, 4);
	assert_memory_equal(&flow->vtep, &address, sizeof(address));
}

static void test_containers_of_a_node_reach_each_other(void **state)
{
	struct containers *containers = *state;
	struct packet_spec v4 = udp(MAC_K, "10.8.1.2", "10.8.1.3"), v6 = udp(MAC_K, "fd08:0:0:1::2", "fd08:0:0:1::3");
	struct vd_flow flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &v4, MAC_GATEWAY, MAC_L, 64);
	struct vd_connection connection;

	assert_to_peer(&flow, containers->l);
	assert_int_equal(flow.source_port_id, CONTAINER_K);
	assert_int_equal(flow.destination_port_id, CONTAINER_L);
	assert_true(find_connection(containers->fixture, PODS, &v4, &connection));
	flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &v6, MAC_GATEWAY, MAC_L, 64);
	assert_to_peer(&flow, containers->l);
}

/* R-RTR-7: the gateway, the world, blocks that the kernel knows the way to; it takes the hop, not we. */
static void test_the_rest_is_the_kernels(void **state)
{
	static const char *const destinations[] = {"10.8.1.1",      "192.0.2.99",  "10.8.3.5",     "169.254.169.254",
						   "fd08:0:0:1::1", "2001:db8::1", "fd08:0:0:3::5"};
	struct containers *containers = *state;
	struct vd_flow flow;

	for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
		struct packet_spec spec = udp(MAC_K, strchr(destinations[i], ':') ? "fd08:0:0:1::2" : "10.8.1.2", destinations[i]);

		flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &spec, MAC_K, MAC_GATEWAY, 64);
		assert_to_kernel(containers, &flow);
	}
}

/* An address in a block of this node that no container of ours has may be on a bridge of the kernel's. */
static void test_unknown_address_of_an_own_block_is_the_kernels(void **state)
{
	struct containers *containers = *state;
	struct packet_spec spec = udp(MAC_K, "10.8.1.2", "10.8.1.77"), v6 = udp(MAC_K, "fd08:0:0:1::2", "fd08:0:0:1::77");
	struct vd_flow flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &spec, MAC_K, MAC_GATEWAY, 64);
	struct packet packet;

	assert_to_kernel(containers, &flow);
	flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &v6, MAC_K, MAC_GATEWAY, 64);
	assert_to_kernel(containers, &flow);
	/* It does not know him either. */
	spec = udp(MAC_GATEWAY, "10.8.1.1", "10.8.1.77");
	packet_build(&spec, &packet);
	assert_dropped(containers->fixture, containers->host, &packet, VD_DROP_REASON_NO_ENDPOINT);
}

/* What the kernel forwards may come from anywhere; to whom it cannot reach this way it does not go back. */
static void test_the_kernel_reaches_containers(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec spec = udp(MAC_GATEWAY, "198.51.100.7", "10.8.1.2"),
			   v6 = udp(MAC_GATEWAY, "2001:db8::7", "fd08:0:0:1::2");
	struct vd_flow flow = assert_crosses(fixture, VD_INGRESS_PORT, containers->host, &spec, MAC_GATEWAY, MAC_K, 64);
	struct packet packet;

	assert_to_peer(&flow, containers->k);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, containers->host, &v6, MAC_GATEWAY, MAC_K, 64);
	assert_to_peer(&flow, containers->k);
	spec = udp(MAC_GATEWAY, "198.51.100.7", "10.8.2.2");
	flow = assert_crosses(fixture, VD_INGRESS_PORT, containers->host, &spec, MAC_GATEWAY, MAC_GATEWAY, 64);
	assert_to_node(&flow, HOST2);
	spec.destination = "10.8.3.2";
	packet_build(&spec, &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_LOOP);
	spec.destination = "10.8.1.1";
	packet_build(&spec, &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_LOOP);
	/* What a node says on all of its links is no event. */
	spec.destination = "224.0.0.251";
	packet_build(&spec, &packet);
	count_drop_samples(fixture);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_MULTICAST);
	assert_int_equal(count_drop_samples(fixture), 0);
}

static void test_spoofed_sources_drop(void **state)
{
	struct containers *containers = *state;
	struct packet_spec spec = udp(MAC_K, "10.8.1.3", "10.8.1.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(containers->fixture, containers->k, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	spec = udp(MAC_K, "10.8.2.3", "192.0.2.99");
	packet_build(&spec, &packet);
	assert_dropped(containers->fixture, containers->k, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	spec = udp(MAC_L, "10.8.1.2", "192.0.2.99");
	packet_build(&spec, &packet);
	assert_dropped(containers->fixture, containers->k, &packet, VD_DROP_REASON_SOURCE_MAC);
	spec = udp(MAC_K, "fd08:0:0:1::3", "2001:db8::1");
	packet_build(&spec, &packet);
	assert_dropped(containers->fixture, containers->k, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

/* R-CTR-9: the tunnel takes the hop that a router between the nodes would. */
static void test_out_by_tunnel(void **state)
{
	struct containers *containers = *state;
	struct packet_spec v4 = udp(MAC_K, "10.8.1.2", "10.8.2.9"), v6 = udp(MAC_K, "fd08:0:0:1::2", "fd08:0:0:2::9");
	struct vd_flow flow =
		assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &v4, MAC_GATEWAY, MAC_GATEWAY, 63);
	struct packet packet;

	assert_to_node(&flow, HOST2);
	flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &v6, MAC_GATEWAY, MAC_GATEWAY, 63);
	assert_to_node(&flow, HOST2);
	/* The kernel says "time exceeded", and that it is too big. */
	v4.ttl = 1;
	packet_build(&v4, &packet);
	assert_int_equal(run_port(containers->fixture, containers->k, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&containers->fixture->out, MAC_K, MAC_GATEWAY));
	assert_int_equal(packet_ttl(&containers->fixture->out), 1);
	v4 = udp(MAC_K, "10.8.1.2", "10.8.2.9");
	v4.dont_fragment = true;
	v4.payload = MTU - 27;
	packet_build(&v4, &packet);
	assert_int_equal(run_port(containers->fixture, containers->k, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&containers->fixture->out, MAC_K, MAC_GATEWAY));
	v6.payload = MTU - 47;
	packet_build(&v6, &packet);
	assert_int_equal(run_port(containers->fixture, containers->k, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&containers->fixture->out, MAC_K, MAC_GATEWAY));
	/* From where it comes back unchanged: an end to it. */
	v4.source_mac = MAC_GATEWAY;
	packet_build(&v4, &packet);
	assert_dropped(containers->fixture, containers->host, &packet, VD_DROP_REASON_TOO_BIG);
}

static void test_in_by_tunnel(void **state)
{
	struct containers *containers = *state;
	struct packet_spec v4 = udp(MAC_GATEWAY, "10.8.2.9", "10.8.1.2"), v6 = udp(MAC_GATEWAY, "fd08:0:0:2::9", "fd08:0:0:1::2");
	struct vd_flow flow = assert_crosses(containers->fixture, VD_INGRESS_TUNNEL, 300, &v4, MAC_GATEWAY, MAC_K, 64);

	assert_to_peer(&flow, containers->k);
	flow = assert_crosses(containers->fixture, VD_INGRESS_TUNNEL, 300, &v6, MAC_GATEWAY, MAC_K, 64);
	assert_to_peer(&flow, containers->k);
	/* On a bridge of the kernel's, and the gateway itself. */
	v4.destination = "10.8.1.77";
	flow = assert_crosses(containers->fixture, VD_INGRESS_TUNNEL, 300, &v4, MAC_GATEWAY, MAC_GATEWAY, 64);
	assert_to_kernel(containers, &flow);
	v4.destination = "10.8.1.1";
	flow = assert_crosses(containers->fixture, VD_INGRESS_TUNNEL, 300, &v4, MAC_GATEWAY, MAC_GATEWAY, 64);
	assert_to_kernel(containers, &flow);
}

/* A node speaks for its own blocks alone, whatever way ours would go there. */
static void test_in_from_the_wrong_node_drops(void **state)
{
	static const char *const strange[] = {"10.8.3.9", "10.8.1.3", "198.51.100.7"};
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec spec = udp(MAC_GATEWAY, "10.8.2.9", "10.8.1.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_tunnel_drops(fixture, 300, HOST3, &packet, VD_DROP_REASON_SOURCE_HOST);
	assert_tunnel_drops(fixture, 300, "192.0.2.4", &packet, VD_DROP_REASON_UNKNOWN_VTEP);
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		spec.source = strange[i];
		packet_build(&spec, &packet);
		assert_tunnel_drops(fixture, 300, HOST2, &packet, VD_DROP_REASON_SOURCE_HOST);
	}
	spec.source = "10.8.3.9";
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 300, HOST3, &packet), VERDICT_REDIRECT);
	spec = udp(MAC_GATEWAY, "fd08:0:0:2::9", "fd08:0:0:1::2");
	packet_build(&spec, &packet);
	assert_tunnel_drops(fixture, 300, HOST3, &packet, VD_DROP_REASON_SOURCE_HOST);
}

/* We are no router of other nodes: neither into the tunnel again nor out by our kernel. */
static void test_in_for_others_drops(void **state)
{
	static const char *const destinations[] = {"10.8.2.7", "10.8.3.7", "198.51.100.7"};
	struct containers *containers = *state;
	struct packet packet;

	for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
		struct packet_spec spec = udp(MAC_GATEWAY, "10.8.2.9", destinations[i]);

		packet_build(&spec, &packet);
		assert_tunnel_drops(containers->fixture, 300, HOST2, &packet, VD_DROP_REASON_NO_ENDPOINT);
	}
}

/* A reply comes by tunnel although its question went by the kernel, and the other way round: one connection. */
static void test_ways_may_differ(void **state)
{
	struct containers *containers = *state;
	struct packet_spec out = udp(MAC_K, "10.8.1.2", "10.8.3.9"), back = udp(MAC_GATEWAY, "10.8.3.9", "10.8.1.2");
	struct vd_connection connection;
	struct packet packet;

	packet_build(&out, &packet);
	assert_int_equal(run_port(containers->fixture, containers->k, &packet), VERDICT_REDIRECT);
	back.source_port = 53;
	back.destination_port = 1000;
	packet_build(&back, &packet);
	assert_int_equal(run_tunnel(containers->fixture, 300, HOST3, &packet), VERDICT_REDIRECT);
	assert_true(find_connection(containers->fixture, PODS, &out, &connection));
	assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
	assert_int_equal(connection.packets, 2);
}

/* Of a container, of the kernel behind which it is (whose address is in no block), and none that nobody asked for. */
static void test_errors_come_back_by_tunnel(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec question = udp(MAC_K, "10.8.1.2", "10.8.2.9"), question6 = udp(MAC_K, "fd08:0:0:1::2", "fd08:0:0:2::9");
	struct packet_spec spec;
	struct packet asked, packet;

	packet_build(&question, &asked);
	spec = packet_error_spec(MAC_GATEWAY, "10.8.2.9", "10.8.1.2", 0x0303, &asked);
	packet_build(&spec, &packet);
	assert_tunnel_drops(fixture, 300, HOST2, &packet, VD_DROP_REASON_ICMP_UNRELATED);
	assert_int_equal(run_port(fixture, containers->k, &asked), VERDICT_REDIRECT);
	assert_int_equal(run_tunnel(fixture, 300, HOST2, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_K));
	spec.source = "192.0.2.2";
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 300, HOST2, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "192.0.2.2"));
	assert_tunnel_drops(fixture, 300, HOST3, &packet, VD_DROP_REASON_SOURCE_HOST);
	packet_build(&question6, &asked);
	assert_int_equal(run_port(fixture, containers->k, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "2001:db8::2", "fd08:0:0:1::2", 0x0200, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 300, HOST2, &packet), VERDICT_REDIRECT);
}

/* The kernel's own errors to a container keep the address that it chose: its gateway's. */
static void test_errors_of_the_kernel_keep_their_source(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec question = udp(MAC_K, "10.8.1.2", "198.51.100.7"), spec;
	struct packet asked, packet;

	question.ttl = 1;
	packet_build(&question, &asked);
	assert_int_equal(run_port(fixture, containers->k, &asked), VERDICT_REDIRECT);
	spec = packet_error_spec(MAC_GATEWAY, "10.8.1.1", "10.8.1.2", 0x0b00, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, containers->host, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "10.8.1.1"));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_K));
	assert_true(packet_checksums_hold(&fixture->out));
}

static void test_fragments_pass(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec first = udp(MAC_K, "10.8.1.2", "10.8.2.9"), last = first, in = udp(MAC_GATEWAY, "10.8.2.9", "10.8.1.2");
	struct packet packet;

	first.id = last.id = 7;
	first.more_fragments = true;
	first.payload = last.payload = 64;
	last.fragment_offset = 72;
	packet_build(&last, &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_FRAGMENT);
	packet_build(&first, &packet);
	assert_int_equal(run_port(fixture, containers->k, &packet), VERDICT_REDIRECT);
	packet_build(&last, &packet);
	assert_int_equal(run_port(fixture, containers->k, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_GATEWAY));
	in.id = 9;
	in.more_fragments = true;
	in.payload = 64;
	packet_build(&in, &packet);
	assert_int_equal(run_tunnel(fixture, 300, HOST2, &packet), VERDICT_REDIRECT);
	in.more_fragments = false;
	in.fragment_offset = 72;
	packet_build(&in, &packet);
	assert_int_equal(run_tunnel(fixture, 300, HOST2, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_K));
}

/* A block that goes to another node, an address that comes to life: the next packet knows. */
static void test_changes_reach_the_next_packet(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet_spec out = udp(MAC_K, "10.8.1.2", "10.8.2.9"), in = udp(MAC_GATEWAY, "10.8.2.9", "10.8.1.2");
	struct vd_flow flow;
	struct packet packet;

	assert_crosses(fixture, VD_INGRESS_PORT, containers->k, &out, MAC_GATEWAY, MAC_GATEWAY, 63);
	assert_crosses(fixture, VD_INGRESS_TUNNEL, 300, &in, MAC_GATEWAY, MAC_K, 64);
	put_route_to(fixture, PODS, "10.8.2.0", 24, VD_ROUTE_TYPE_TUNNEL, 62, 3);
	bump(fixture, vd_slot_table(PODS, 0));
	packet_build(&in, &packet);
	assert_tunnel_drops(fixture, 300, HOST2, &packet, VD_DROP_REASON_SOURCE_HOST);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, containers->k, &out, MAC_GATEWAY, MAC_GATEWAY, 63);
	assert_to_node(&flow, HOST3);
	/* One address of the block moved on its own. */
	put_route_to(fixture, PODS, "10.8.2.9", 32, VD_ROUTE_TYPE_TUNNEL, 64, 2);
	bump(fixture, vd_slot_table(PODS, 0));
	flow = assert_crosses(fixture, VD_INGRESS_PORT, containers->k, &out, MAC_GATEWAY, MAC_GATEWAY, 63);
	assert_to_node(&flow, HOST2);
}

/* DHCP is nothing special here: it is for the node's network, or from there. */
static void test_dhcp_goes_its_way(void **state)
{
	struct containers *containers = *state;
	struct packet_spec spec = udp(MAC_K, "10.8.1.2", "198.51.100.7");
	struct vd_flow flow;

	spec.source_port = 68;
	spec.destination_port = 67;
	flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &spec, MAC_K, MAC_GATEWAY, 64);
	assert_to_kernel(containers, &flow);
	spec.source_port = 67;
	flow = assert_crosses(containers->fixture, VD_INGRESS_PORT, containers->k, &spec, MAC_K, MAC_GATEWAY, 64);
	assert_to_kernel(containers, &flow);
}

/* ---- neighbours ---- */

static void assert_arp(struct fixture *fixture, uint32_t ifindex, const char *mac, const char *sender, const char *target)
{
	struct packet packet;

	packet_build_arp(mac, mac, sender, target, 1, &packet);
	assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, mac));
	assert_int_equal(fixture->out.data[ETH_HLEN + 7], 2);
}

static void test_containers_are_answered_for_everybody(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet packet;

	assert_arp(fixture, containers->k, MAC_K, "10.8.1.2", "10.8.1.1");
	assert_arp(fixture, containers->k, MAC_K, "10.8.1.2", "10.8.1.3");
	assert_arp(fixture, containers->k, MAC_K, "10.8.1.2", "10.8.1.77");
	assert_arp(fixture, containers->k, MAC_K, "10.8.1.2", "10.8.2.9");
	assert_arp(fixture, containers->k, MAC_K, "10.8.1.2", "198.51.100.7");
	packet_build_arp(MAC_K, MAC_K, "10.8.1.3", "10.8.1.1", 1, &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	/* Its own, and a probe whether somebody has it: nobody does. */
	packet_build_arp(MAC_K, MAC_K, "10.8.1.2", "10.8.1.2", 1, &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_arp(MAC_K, MAC_K, "0.0.0.0", "10.8.1.2", 1, &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_solicitation(MAC_K, NULL, "::", "fd08:0:0:1::2", &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_solicitation(MAC_K, MAC_K, "fd08:0:0:1::2", "fd08:0:0:2::9", &packet);
	assert_int_equal(run_port(fixture, containers->k, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_K));
	assert_true(packet_checksums_hold(&fixture->out));
	packet_build_solicitation(MAC_K, MAC_K, "fe80::8:a", "fd08:0:0:1::1", &packet);
	assert_int_equal(run_port(fixture, containers->k, &packet), VERDICT_REDIRECT);
	packet_build_solicitation(MAC_K, MAC_K, "fe80::8:a", "fe80::8:b", &packet);
	assert_dropped(fixture, containers->k, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
}

/* The kernel hears of whom it can reach this way; for the others it says that they are unreachable. */
static void test_the_kernel_is_answered_for_whom_there_is(void **state)
{
	struct containers *containers = *state;
	struct fixture *fixture = containers->fixture;
	struct packet packet;

	assert_arp(fixture, containers->host, MAC_GATEWAY, "10.8.1.1", "10.8.1.2");
	assert_arp(fixture, containers->host, MAC_GATEWAY, "10.8.1.1", "10.8.2.9");
	packet_build_arp(MAC_GATEWAY, MAC_GATEWAY, "10.8.1.1", "10.8.1.77", 1, &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	packet_build_arp(MAC_GATEWAY, MAC_GATEWAY, "10.8.1.1", "10.8.3.7", 1, &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	packet_build_solicitation(MAC_GATEWAY, MAC_GATEWAY, "fd08:0:0:1::1", "fd08:0:0:1::2", &packet);
	assert_int_equal(run_port(fixture, containers->host, &packet), VERDICT_REDIRECT);
	packet_build_solicitation(MAC_GATEWAY, MAC_GATEWAY, "fd08:0:0:1::1", "fd08:0:0:1::77", &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	/* Its own: whether another one has it. */
	packet_build_arp(MAC_GATEWAY, MAC_GATEWAY, "10.8.1.1", "10.8.1.1", 1, &packet);
	assert_dropped(fixture, containers->host, &packet, VD_DROP_REASON_MULTICAST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, containers_setup, containers_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_containers_of_a_node_reach_each_other),
		TEST(test_the_rest_is_the_kernels),
		TEST(test_unknown_address_of_an_own_block_is_the_kernels),
		TEST(test_the_kernel_reaches_containers),
		TEST(test_spoofed_sources_drop),
		TEST(test_out_by_tunnel),
		TEST(test_in_by_tunnel),
		TEST(test_in_from_the_wrong_node_drops),
		TEST(test_in_for_others_drops),
		TEST(test_ways_may_differ),
		TEST(test_errors_come_back_by_tunnel),
		TEST(test_errors_of_the_kernel_keep_their_source),
		TEST(test_fragments_pass),
		TEST(test_changes_reach_the_next_packet),
		TEST(test_dhcp_goes_its_way),
		TEST(test_containers_are_answered_for_everybody),
		TEST(test_the_kernel_is_answered_for_whom_there_is),
	};
	int error = containers_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
