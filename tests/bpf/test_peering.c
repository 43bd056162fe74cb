// SPDX-License-Identifier: Apache-2.0
/* Packets between two VPCs that are peered, on one host and by tunnel. R-PEER-1, R-PEER-2. */
#include "peer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

/*
 * Beside the topology of peer.h, 10.4.0.0/16 and fd04::/32 for green, y 10.4.0.2 and fd04::2, z 10.4.0.3 and fd04::3
 *   routes: 172.20.0.0/24 by y (id 70), 172.21.0.0/24 by z (71), 172.22.0.0/24 blackhole (72), 10.5.0.0/16 to a third VPC (73)
 * Red and green are peers: red has routes to 10.4.0.0/16, fd04::/32, 172.20.0.0/14 and 10.5.0.0/16 (74), green to 10.0.0.0/16,
 * fd00::/32 and 172.16.0.0/14.
 */
static uint32_t y;

static void put_route_by(struct fixture *fixture, const char *prefix, uint8_t type, uint32_t id, const char *next_hop)
{
	put_route(fixture, GREEN, prefix, 24, type, id, next_hop);
}

static int setup(void **state)
{
	static const struct green addresses = {
		.gateway = "10.4.0.1",
		.y = {"10.4.0.2", "fd04::2"},
		.z = {"10.4.0.3", "fd04::3"},
		.cidr = {"10.4.0.0", "fd04::"},
	};
	struct fixture *fixture;

	if (green_setup(state, &addresses))
		return -1;
	fixture = *state;
	y = if_nametoindex("y");
	put_route_by(fixture, "172.20.0.0", VD_ROUTE_TYPE_NEXT_HOP, 70, "10.4.0.2");
	put_route_by(fixture, "172.21.0.0", VD_ROUTE_TYPE_NEXT_HOP, 71, "10.4.0.3");
	put_route_by(fixture, "172.22.0.0", VD_ROUTE_TYPE_BLACKHOLE, 72, NULL);
	put_peer(fixture, GREEN, "10.5.0.0", 16, 73, THIRD);
	put_peer(fixture, GREEN, "10.0.0.0", 16, 0, RED);
	put_peer(fixture, GREEN, "fd00::", 32, 0, RED);
	put_peer(fixture, GREEN, "172.16.0.0", 14, 0, RED);
	put_peer(fixture, RED, "10.4.0.0", 16, 0, GREEN);
	put_peer(fixture, RED, "fd04::", 32, 0, GREEN);
	put_peer(fixture, RED, "172.20.0.0", 14, 0, GREEN);
	put_peer(fixture, RED, "10.5.0.0", 16, 74, GREEN);
	return 0;
}

/* One hop, and one connection whichever side began: the lower VPC's. */
static void test_peers_on_one_host(void **state)
{
	static const struct {
		const char *red, *green;
	} cases[] = {{"10.0.0.2", "10.4.0.2"}, {"fd00:0:0:a::2", "fd04::2"}};
	struct fixture *fixture = *state;
	struct vd_connection connection;
	struct vd_flow flow;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet_spec from_red = udp(MAC_A, cases[i].red, cases[i].green), reply = reply_to(&from_red, MAC_Y);
		struct packet_spec from_green = udp(MAC_Y, cases[i].green, cases[i].red);

		flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &from_red, MAC_GATEWAY, MAC_Y, 63);
		assert_int_equal(flow.output, VD_OUTPUT_PEER);
		assert_int_equal(flow.output_ifindex, y);
		assert_int_equal(flow.domain, RED);
		assert_int_equal(flow.mtu, GREEN_MTU);
		flow = assert_crosses(fixture, VD_INGRESS_PORT, y, &reply, MAC_GATEWAY, MAC_A, 63);
		assert_int_equal(flow.output_ifindex, fixture->ifindex_a);
		assert_int_equal(flow.domain, RED);
		assert_true(find_connection(fixture, RED, &from_red, &connection));
		assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
		assert_false(find_connection(fixture, GREEN, &from_red, &connection));
		from_green.source_port = 1001;
		pass(fixture, y, &from_green);
		assert_true(find_connection(fixture, RED, &from_green, &connection));
		assert_int_equal(connection.source_port_id, PORT_Y);
		assert_int_equal(connection.destination_port_id, PORT_A);
	}
}

/* R-PEER-2: what is behind an instance of the peer, by the peer's own routes: containers. */
static void test_peers_routes_lead_on(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec here = udp(MAC_A, "10.0.0.2", "172.20.0.9"), there = udp(MAC_A, "10.0.0.2", "172.21.0.9");
	struct packet_spec back = udp(MAC_Y, "172.20.0.9", "172.16.0.9"), other = udp(MAC_A, "10.0.0.2", "172.22.0.9");
	struct vd_flow flow;

	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &here, MAC_GATEWAY, MAC_Y, 63);
	assert_int_equal(flow.output_ifindex, y);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &there, MAC_OF_RED, MAC_Z, 63);
	assert_int_equal(flow.output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow.vni, 400);
	open_source(fixture, PORT_Y, "172.20.0.0", 24);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, y, &back, MAC_GATEWAY, MAC_B, 63);
	assert_int_equal(flow.output_ifindex, fixture->ifindex_b);
	drop(fixture, fixture->ifindex_a, &other, VD_DROP_REASON_BLACKHOLE);
	other.destination = "172.23.0.9";
	drop(fixture, fixture->ifindex_a, &other, VD_DROP_REASON_NO_ROUTE);
	other.destination = "10.4.0.77";
	drop(fixture, fixture->ifindex_a, &other, VD_DROP_REASON_NO_ENDPOINT);
}

/* No third VPC, and no way out of the peer's. */
static void test_peering_does_not_pass_through(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.5.0.2");

	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_NO_ROUTE);
	put_route_to(fixture, GREEN, "203.0.113.0", 24, VD_ROUTE_TYPE_EXIT, 75, 0);
	put_peer(fixture, RED, "203.0.113.0", 24, 76, GREEN);
	spec.destination = "203.0.113.5";
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_NO_ROUTE);
	/* Who is not peered meets nobody. */
	spec = udp(MAC_X, "10.0.0.2", "10.4.0.2");
	drop(fixture, fixture->ifindex_x, &spec, VD_DROP_REASON_NO_ROUTE);
}

/* Who may send from any address still speaks for nobody that the receiver knows by another way. */
static void test_forged_sources_drop(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec own = udp(MAC_A, "10.4.0.3", "10.4.0.2"), far = udp(MAC_A, "198.51.100.9", "10.4.0.2");
	struct packet_spec behind = udp(MAC_A, "172.16.0.9", "10.4.0.2"), tunnel = udp(MAC_A, "10.4.0.2", "10.4.0.3");
	struct packet_spec own6 = udp(MAC_A, "fd04::3", "fd04::2");

	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SOURCE_CHECK);
	drop(fixture, fixture->ifindex_a, &own, VD_DROP_REASON_NO_ROUTE);
	drop(fixture, fixture->ifindex_a, &own6, VD_DROP_REASON_NO_ROUTE);
	drop(fixture, fixture->ifindex_a, &far, VD_DROP_REASON_NO_ROUTE);
	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &behind, MAC_GATEWAY, MAC_Y, 63);
	/* To another host it goes, and is refused there (test_in_from_elsewhere_drops). */
	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &tunnel, MAC_OF_RED, MAC_Z, 63);
	/* The way back is gone: so is what was cached. */
	put_route(fixture, GREEN, "172.16.0.0", 14, VD_ROUTE_TYPE_BLACKHOLE, 0, NULL);
	bump(fixture, vd_slot_table(GREEN, 0));
	drop(fixture, fixture->ifindex_a, &behind, VD_DROP_REASON_NO_ROUTE);
}

static void test_out_by_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp(MAC_A, "10.0.0.2", "10.4.0.3"), v6 = udp(MAC_A, "fd00:0:0:a::2", "fd04::3");
	struct packet_spec back = udp(MAC_Y, "10.4.0.2", "10.0.0.4");
	struct vd_flow flow;

	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v4, MAC_OF_RED, MAC_Z, 63);
	assert_int_equal(flow.output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow.vni, 400);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v6, MAC_OF_RED, MAC_Z, 63);
	assert_int_equal(flow.vni, 400);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, y, &back, MAC_OF_GREEN, MAC_D, 63);
	assert_int_equal(flow.vni, 100);
}

/* The sender's host says which VPC it comes from; the instance sees its gateway's MAC. */
static void test_in_by_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp(MAC_OF_GREEN, "10.4.0.3", "10.0.0.2"), v6 = udp(MAC_OF_GREEN, "fd04::3", "fd00:0:0:a::2");
	struct packet_spec pod = udp(MAC_OF_GREEN, "172.21.0.9", "10.0.0.2"), to_green = udp(MAC_OF_RED, "10.0.0.4", "10.4.0.2");
	struct packet_spec reply;
	struct vd_connection connection;
	struct vd_flow flow;

	v4.destination_mac = v6.destination_mac = pod.destination_mac = MAC_A;
	to_green.destination_mac = MAC_Y;
	flow = assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &v4, MAC_GATEWAY, MAC_A, 64);
	assert_int_equal(flow.output_ifindex, fixture->ifindex_a);
	assert_true(find_connection(fixture, RED, &v4, &connection));
	flow = assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &v6, MAC_GATEWAY, MAC_A, 64);
	flow = assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &pod, MAC_GATEWAY, MAC_A, 64);
	flow = assert_crosses(fixture, VD_INGRESS_TUNNEL, 400, &to_green, MAC_GATEWAY, MAC_Y, 64);
	assert_int_equal(flow.domain, RED);
	assert_true(find_connection(fixture, RED, &to_green, &connection));
	assert_false(find_connection(fixture, GREEN, &to_green, &connection));
	/* The reply belongs to it. */
	reply = reply_to(&to_green, MAC_Y);
	pass(fixture, y, &reply);
	assert_true(find_connection(fixture, RED, &to_green, &connection));
	assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
}

static void test_in_from_elsewhere_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_OF_GREEN, "10.4.0.3", "10.0.0.2");

	spec.destination_mac = MAC_A;
	drop_from_tunnel(fixture, 100, HOST3, &spec, VD_DROP_REASON_SOURCE_HOST);
	spec.source = "10.4.0.2"; /* is here */
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_SOURCE_HOST);
	spec.source = "198.51.100.7";
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_NO_ROUTE);
	spec.source = "10.0.0.4"; /* one of red's own */
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_NO_ROUTE);
	spec.source = "10.4.0.3";
	spec.source_mac = "02:78:00:00:00:02"; /* of blue, who is no peer */
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_NO_ROUTE);
	spec = udp(MAC_OF_GREEN, "fd04::3", "fd00:0:0:a::2");
	spec.destination_mac = MAC_A;
	drop_from_tunnel(fixture, 100, HOST3, &spec, VD_DROP_REASON_SOURCE_HOST);
}

/* R-PEER-1, R-SG-2: both ends' groups, each asked about the other end as its own VPC knows it. */
static void test_groups_of_both_ends_decide(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = udp(MAC_A, "10.0.0.2", "10.4.0.2"), back = reply_to(&out, MAC_Y), wrong;
	struct rule egress = rule(A_GROUP, VD_POLICY_DIRECTION_EGRESS, Y_GROUP),
		    ingress = rule(Y_GROUP, VD_POLICY_DIRECTION_INGRESS, A_GROUP);

	put_policy(fixture, A_GROUP, false);
	put_policy(fixture, Y_GROUP, true);
	set_policy(fixture, fixture->ifindex_a, A_GROUP);
	set_policy(fixture, y, Y_GROUP);
	set_identity(fixture, RED, "10.0.0.2", A_GROUP);
	set_identity(fixture, GREEN, "10.4.0.2", Y_GROUP);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_EGRESS);
	put_rule(fixture, &egress);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(fixture, &ingress);
	pass(fixture, fixture->ifindex_a, &out);
	pass(fixture, y, &back);
	wrong = out;
	wrong.destination_port = 54;
	drop(fixture, fixture->ifindex_a, &wrong, VD_DROP_REASON_POLICY_EGRESS);
	/* Somebody else on the same host. */
	wrong = udp(MAC_B, "10.0.0.3", "10.4.0.2");
	drop(fixture, fixture->ifindex_b, &wrong, VD_DROP_REASON_POLICY_INGRESS);
	/* A new connection the other way is none of theirs. */
	wrong = udp(MAC_Y, "10.4.0.2", "10.0.0.2");
	drop(fixture, y, &wrong, VD_DROP_REASON_POLICY_INGRESS);
	delete_rule(fixture, &ingress);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_INGRESS);
	drop(fixture, y, &back, VD_DROP_REASON_CONNECTION_REFUSED);
}

/* The sender's group is believed where the sender is. */
static void test_group_of_a_peer_on_another_host(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec in = udp(MAC_OF_GREEN, "10.4.0.3", "10.0.0.2");
	struct rule ingress = rule(A_GROUP, VD_POLICY_DIRECTION_INGRESS, Y_GROUP);
	struct packet packet;

	in.destination_mac = MAC_A;
	put_policy(fixture, A_GROUP, true);
	set_policy(fixture, fixture->ifindex_a, A_GROUP);
	put_rule(fixture, &ingress);
	drop_from_tunnel(fixture, 100, HOST2, &in, VD_DROP_REASON_POLICY_INGRESS);
	set_identity(fixture, GREEN, "10.4.0.3", Y_GROUP);
	packet_build(&in, &packet);
	assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
}

static void test_errors_cross(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_A, "10.0.0.2", "10.4.0.2"), far = udp(MAC_A, "10.0.0.2", "172.21.0.9"), spec;
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::2", "fd04::2");
	struct packet asked, packet;

	packet_build(&question, &asked);
	spec = packet_error_spec(MAC_Y, "10.4.0.2", "10.0.0.2", 0x0303, &asked);
	drop(fixture, y, &spec, VD_DROP_REASON_ICMP_UNRELATED);
	pass(fixture, fixture->ifindex_a, &question);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, y, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	packet_build(&v6, &asked);
	pass(fixture, fixture->ifindex_a, &v6);
	spec = packet_error_spec(MAC_Y, "fd04::2", "fd00:0:0:a::2", 0x0104, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, y, &packet), VERDICT_REDIRECT);
	/* Of a machine on the way to a container, whose address neither VPC knows. */
	packet_build(&far, &asked);
	pass(fixture, fixture->ifindex_a, &far);
	spec = packet_error_spec(MAC_OF_GREEN, "192.168.77.1", "10.0.0.2", 0x0b00, &asked);
	spec.destination_mac = MAC_A;
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
}

/* The sender's own router answers for what cannot go on, also when the peer's MTU is the smaller one. */
static void test_senders_router_answers(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec old = udp(MAC_A, "10.0.0.2", "10.4.0.2"), big = old, spec;
	struct packet asked, packet;
	struct vd_flow flow;

	old.ttl = 1;
	pass(fixture, fixture->ifindex_a, &old);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_GATEWAY));
	assert_int_equal(packet_ttl(&fixture->out), 1);
	packet_build(&old, &asked);
	spec = packet_error_spec(MAC_GATEWAY, "10.0.1.1", "10.0.0.2", 0x0b00, &asked);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, "10.0.0.1"));
	big.source_port = 1001;
	big.dont_fragment = true;
	big.payload = GREEN_MTU - 27;
	pass(fixture, fixture->ifindex_a, &big);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_GATEWAY));
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &big, &flow));
	big.payload = GREEN_MTU - 28;
	pass(fixture, fixture->ifindex_a, &big);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_Y));
}

/* Of the VPC with the higher id, too: the connection that its error speaks of is the other one's. */
static void test_senders_router_answers_on_either_side(void **state)
{
	struct fixture *fixture = *state;
	struct vd_port_value port = {
		.id = 60, .domain = GREEN, .mtu = GREEN_MTU, .mac = VD_GATEWAY_MAC, .flags = VD_PORT_FLAG_SERVICE};
	struct packet_spec cases[] = {udp(MAC_Y, "10.4.0.2", "10.0.0.2"), udp(MAC_Y, "fd04::2", "fd00:0:0:a::2")}, spec;
	static const char *const gateways[] = {"10.4.0.1", "fd04::1"};
	uint32_t service = if_nametoindex("green");
	struct packet asked, packet;

	PUT(fixture->bpf->maps.vd_port, service, port);
	set_service(fixture, GREEN, service);
	for (int i = 0; i < 2; i++) {
		cases[i].ttl = 1;
		packet_build(&cases[i], &asked);
		assert_int_equal(run_port(fixture, y, &asked), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_Y, MAC_GATEWAY));
		spec = packet_error_spec(MAC_GATEWAY, gateways[i], cases[i].source, i ? 0x0300 : 0x0b00, &asked);
		packet_build(&spec, &packet);
		assert_int_equal(run_port(fixture, service, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_Y));
	}
}

static void test_peers_gateway_answers_where_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct vd_port_value port = {
		.id = 60, .domain = GREEN, .mtu = GREEN_MTU, .mac = VD_GATEWAY_MAC, .flags = VD_PORT_FLAG_SERVICE};
	struct packet_spec ping = {.source_mac = MAC_A,
				   .source = "10.0.0.2",
				   .destination = "10.4.0.1",
				   .protocol = IPPROTO_ICMP,
				   .source_port = 7,
				   .destination_port = 8 << 8};
	struct packet_spec answer = ping, dns = udp(MAC_A, "10.0.0.2", "10.4.0.1");
	uint32_t service = if_nametoindex("green");
	struct vd_flow flow;

	drop(fixture, fixture->ifindex_a, &ping, VD_DROP_REASON_UNREACHABLE_PORT);
	PUT(fixture->bpf->maps.vd_port, service, port);
	set_service(fixture, GREEN, service);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &ping, MAC_A, MAC_GATEWAY, 64);
	assert_int_equal(flow.output_ifindex, service);
	answer.source_mac = MAC_GATEWAY;
	answer.source = "10.4.0.1";
	answer.destination = "10.0.0.2";
	answer.destination_port = 0;
	pass(fixture, service, &answer);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	/* Its own router an instance may always ask, another one's as its groups say. */
	put_policy(fixture, A_GROUP, false);
	set_policy(fixture, fixture->ifindex_a, A_GROUP);
	dns.destination_port = 53;
	drop(fixture, fixture->ifindex_a, &dns, VD_DROP_REASON_POLICY_EGRESS);
	dns.destination = "10.0.0.1";
	pass(fixture, fixture->ifindex_a, &dns);
}

static void test_fragments_cross(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec first = udp(MAC_A, "10.0.0.2", "10.4.0.3"), in = udp(MAC_OF_GREEN, "10.4.0.3", "10.0.0.2");
	struct packet packet;

	first.id = in.id = 7;
	first.payload = in.payload = 64;
	first.more_fragments = in.more_fragments = true;
	in.destination_mac = MAC_A;
	for (int i = 0; i < 2; i++) {
		pass(fixture, fixture->ifindex_a, &first);
		assert_true(packet_has_macs(&fixture->out, MAC_OF_RED, MAC_Z));
		packet_build(&in, &packet);
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
		first.fragment_offset = in.fragment_offset = 72;
		first.more_fragments = in.more_fragments = false;
	}
}

/* The end of a peering, a change of the peer's routes, of its domain: the next packet obeys. */
static void test_changes_reach_the_next_packet(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = udp(MAC_A, "10.0.0.2", "10.4.0.2"), pod = udp(MAC_A, "10.0.0.2", "172.20.0.9");
	struct packet_spec in = udp(MAC_OF_GREEN, "10.4.0.3", "10.0.0.2");

	in.destination_mac = MAC_A;
	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &pod, MAC_GATEWAY, MAC_Y, 63);
	put_route_by(fixture, "172.20.0.0", VD_ROUTE_TYPE_NEXT_HOP, 70, "10.4.0.3");
	bump(fixture, vd_slot_table(GREEN, 0));
	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &pod, MAC_OF_RED, MAC_Z, 63);
	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &out, MAC_GATEWAY, MAC_Y, 63);
	assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &in, MAC_GATEWAY, MAC_A, 64);
	/* z moves to host 3 */
	{
		struct vd_endpoint_value endpoint = {.port_id = PORT_Z, .subnet = 14, .host = 3, .place = VD_ENDPOINT_PLACE_HOST};

		text_to_mac(MAC_Z, endpoint.mac);
		put_endpoint(fixture, GREEN, "10.4.0.3", &endpoint);
		bump(fixture, endpoint_slot(GREEN, "10.4.0.3"));
	}
	drop_from_tunnel(fixture, 100, HOST2, &in, VD_DROP_REASON_SOURCE_HOST);
	put_route(fixture, RED, "10.4.0.0", 16, VD_ROUTE_TYPE_BLACKHOLE, 0, NULL);
	bump(fixture, vd_slot_table(RED, 0));
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_BLACKHOLE);
	drop_from_tunnel(fixture, 100, HOST3, &in, VD_DROP_REASON_NO_ROUTE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_peers_on_one_host),
		TEST(test_peers_routes_lead_on),
		TEST(test_peering_does_not_pass_through),
		TEST(test_forged_sources_drop),
		TEST(test_out_by_tunnel),
		TEST(test_in_by_tunnel),
		TEST(test_in_from_elsewhere_drops),
		TEST(test_groups_of_both_ends_decide),
		TEST(test_group_of_a_peer_on_another_host),
		TEST(test_errors_cross),
		TEST(test_senders_router_answers),
		TEST(test_senders_router_answers_on_either_side),
		TEST(test_peers_gateway_answers_where_it_is),
		TEST(test_fragments_cross),
		TEST(test_changes_reach_the_next_packet),
	};
	int error = green_enter();

	if (error)
		return error;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
