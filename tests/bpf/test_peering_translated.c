// SPDX-License-Identifier: Apache-2.0
/* Packets between two VPCs with the same addresses, whose peering translates. R-PEER-2. */
#include "peer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "viaduct.skel.h"

/*
 * Beside the topology of peer.h, 10.0.0.0/16 and fd00::/32 for green, as red has them; y has the addresses of red's a, z those of d.
 * Red is 100.64.0.0/16 and fd64::/32 to green, green 100.65.0.0/16 and fd65::/32 to red. Each has routes to the other.
 */
static uint32_t y;

/* By red's view of the connection: a's address, and y's. */
static const struct view {
	const char *a, *y, *a_seen, *y_seen;
} views[] = {{"10.0.0.2", "10.0.0.2", "100.64.0.2", "100.65.0.2"},
	     {"fd00:0:0:a::2", "fd00:0:0:a::2", "fd64:0:0:a::2", "fd65:0:0:a::2"}};

static void put_alias(struct fixture *fixture, uint32_t domain, uint32_t peer, enum vd_alias_type type, const char *from,
		      const char *to)
{
	bool is_ipv4 = !strchr(from, ':');
	struct vd_alias_value value = {.length = is_ipv4 ? 16 : 32};
	struct vd_alias6_key key = {96 + value.length, domain, peer, type, {}};
	struct vd_alias4_key narrow = {96 + value.length, domain, peer, type, 0};
	union vd_addr address;

	text_to_address(from, address.byte);
	text_to_address(to, value.prefix.byte);
	narrow.address = address.word[0];
	key.address = address;
	if (is_ipv4)
		PUT(fixture->bpf->maps.vd_alias4, narrow, value);
	else
		PUT(fixture->bpf->maps.vd_alias6, key, value);
}

static void translate(struct fixture *fixture, uint32_t domain, uint32_t peer, const char *cidr, const char *as)
{
	put_alias(fixture, domain, peer, VD_ALIAS_SEEN, cidr, as);
	put_alias(fixture, domain, peer, VD_ALIAS_OWN, as, cidr);
}

static int setup(void **state)
{
	static const struct green addresses = {
		.gateway = "10.0.0.1",
		.y = {"10.0.0.2", "fd00:0:0:a::2"},
		.z = {"10.0.0.4", "fd00:0:0:a::4"},
		.cidr = {"10.0.0.0", "fd00::"},
	};
	struct fixture *fixture;

	if (green_setup(state, &addresses))
		return -1;
	fixture = *state;
	y = if_nametoindex("y");
	translate(fixture, RED, GREEN, "10.0.0.0", "100.64.0.0");
	translate(fixture, RED, GREEN, "fd00::", "fd64::");
	translate(fixture, GREEN, RED, "10.0.0.0", "100.65.0.0");
	translate(fixture, GREEN, RED, "fd00::", "fd65::");
	put_peer(fixture, RED, "100.65.0.0", 16, 0, GREEN);
	put_peer(fixture, RED, "fd65::", 32, 0, GREEN);
	put_peer(fixture, GREEN, "100.64.0.0", 16, 0, RED);
	put_peer(fixture, GREEN, "fd64::", 32, 0, RED);
	return 0;
}

static void assert_addresses(struct fixture *fixture, const char *source, const char *destination)
{
	assert_true(packet_has_source(&fixture->out, source));
	assert_true(packet_has_destination(&fixture->out, destination));
}

static struct packet_spec of_protocol(struct packet_spec spec, uint8_t protocol)
{
	bool is_echo = protocol == IPPROTO_ICMP;

	spec.protocol = is_echo && strchr(spec.source, ':') ? IPPROTO_ICMPV6 : protocol;
	if (is_echo)
		spec.destination_port = (spec.protocol == IPPROTO_ICMP ? 8 : 128) << 8;
	return spec;
}

static struct packet_spec echo_reply_to(const struct packet_spec *spec, const char *source_mac, const char *source,
					const char *destination)
{
	struct packet_spec reply = reply_to(spec, source_mac);

	if (spec->protocol == IPPROTO_ICMP || spec->protocol == IPPROTO_ICMPV6) {
		reply.source_port = spec->source_port;
		reply.destination_port = spec->protocol == IPPROTO_ICMP ? 0 : 129 << 8;
	}
	reply.source = source;
	reply.destination = destination;
	return reply;
}

/* Both ends as the receiver sees them; one connection, by what the lower VPC sees, whichever side began. */
static void test_both_ends_change_on_one_host(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP};
	struct fixture *fixture = *state;
	struct vd_connection connection;
	struct vd_flow flow;

	for (size_t i = 0; i < 2 * sizeof(protocols); i++) {
		const struct view *view = &views[i % 2];
		struct packet_spec question = of_protocol(udp(MAC_A, view->a, view->y_seen), protocols[i / 2]);
		struct packet_spec answer = echo_reply_to(&question, MAC_Y, view->y, view->a_seen);

		flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &question, MAC_GATEWAY, MAC_Y, 63);
		assert_addresses(fixture, view->a_seen, view->y);
		assert_int_equal(flow.output_ifindex, y);
		assert_int_equal(flow.domain, RED);
		flow = assert_crosses(fixture, VD_INGRESS_PORT, y, &answer, MAC_GATEWAY, MAC_A, 63);
		assert_addresses(fixture, view->y_seen, view->a);
		assert_int_equal(flow.domain, RED);
		if (protocols[i / 2] == IPPROTO_ICMP)
			continue;
		assert_true(find_connection(fixture, RED, &question, &connection));
		assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
		assert_false(find_connection(fixture, GREEN, &question, &connection));
		/* The other way. */
		question = of_protocol(udp(MAC_Y, view->y, view->a_seen), protocols[i / 2]);
		question.source_port = 1001;
		pass(fixture, y, &question);
		assert_addresses(fixture, view->y_seen, view->a);
		question.source = view->y_seen;
		question.destination = view->a;
		assert_true(find_connection(fixture, RED, &question, &connection));
		assert_int_equal(connection.source_port_id, PORT_Y);
		assert_int_equal(connection.destination_port_id, PORT_A);
	}
}

/* The sender's host does it all. */
static void test_out_by_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp(MAC_A, "10.0.0.2", "100.65.0.4"), v6 = udp(MAC_A, "fd00:0:0:a::2", "fd65:0:0:a::4");
	struct packet_spec back = udp(MAC_Y, "10.0.0.2", "100.64.0.4");
	struct vd_flow flow;

	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v4, MAC_OF_RED, MAC_Z, 63);
	assert_addresses(fixture, "100.64.0.2", "10.0.0.4");
	assert_int_equal(flow.output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow.vni, 400);
	flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v6, MAC_OF_RED, MAC_Z, 63);
	assert_addresses(fixture, "fd64:0:0:a::2", "fd00:0:0:a::4");
	flow = assert_crosses(fixture, VD_INGRESS_PORT, y, &back, MAC_OF_GREEN, MAC_D, 63);
	assert_addresses(fixture, "100.65.0.2", "10.0.0.4");
	assert_int_equal(flow.vni, 100);
}

/* In by the tunnel as it is; the connection, and who tells it that it lives, is that of the lower VPC's view on both sides. */
static void test_in_by_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec to_red = udp(MAC_OF_GREEN, "100.65.0.4", "10.0.0.2"),
			   to_green = udp(MAC_OF_RED, "100.64.0.4", "10.0.0.2");
	struct packet_spec to_red6 = udp(MAC_OF_GREEN, "fd65:0:0:a::4", "fd00:0:0:a::2"),
			   known = udp(NULL, "10.0.0.4", "100.65.0.2");
	struct packet_spec answer = {.source_mac = MAC_Y,
				     .source = "10.0.0.2",
				     .destination = "100.64.0.4",
				     .protocol = IPPROTO_UDP,
				     .source_port = 5353,
				     .destination_port = 1000};
	struct vd_connection connection, touched;
	uint64_t misses;

	to_red.destination_mac = to_red6.destination_mac = MAC_A;
	to_green.destination_mac = MAC_Y;
	assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &to_red, MAC_GATEWAY, MAC_A, 64);
	assert_addresses(fixture, "100.65.0.4", "10.0.0.2");
	assert_true(find_connection(fixture, RED, &to_red, &connection));
	assert_crosses(fixture, VD_INGRESS_TUNNEL, 100, &to_red6, MAC_GATEWAY, MAC_A, 64);
	assert_crosses(fixture, VD_INGRESS_TUNNEL, 400, &to_green, MAC_GATEWAY, MAC_Y, 64);
	assert_addresses(fixture, "100.64.0.4", "10.0.0.2");
	assert_true(find_connection(fixture, RED, &known, &connection));
	assert_false(find_connection(fixture, RED, &to_green, &connection));
	pass(fixture, y, &answer);
	assert_addresses(fixture, "100.65.0.2", "10.0.0.4");
	assert_true(find_connection(fixture, RED, &known, &connection));
	assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
	misses = read_misses(fixture);
	for (int i = 0; i < 3; i++) {
		usleep(20000);
		age_flows(fixture);
		if (i == 0)
			pass_from_tunnel(fixture, 400, &to_green);
		else if (i == 1)
			pass(fixture, y, &answer);
		else
			pass_from_tunnel(fixture, 100, &to_red6);
		assert_true(find_connection(fixture, RED, i == 2 ? &to_red6 : &known, &touched));
		assert_true(touched.last_seen > connection.last_seen);
		assert_int_equal(read_misses(fixture), misses);
		connection = touched;
	}
}

static void test_forged_sources_drop(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "100.64.0.9", "100.65.0.2");

	/* What green would take for another of red's. */
	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SOURCE_CHECK);
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_FOREIGN_ALIAS);
	spec.source = "10.0.0.9";
	pass(fixture, fixture->ifindex_a, &spec);
	assert_true(packet_has_source(&fixture->out, "100.64.0.9"));
	/* A route of the user's to what green has under another name: its answers would come from there. */
	put_peer(fixture, RED, "10.0.128.0", 24, 0, GREEN);
	spec.destination = "10.0.128.2";
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_FOREIGN_ALIAS);
	/* By tunnel: from another host than the one where that address is, from one that is here, not translated, of no peer. */
	spec = udp(MAC_OF_GREEN, "100.65.0.4", "10.0.0.2");
	spec.destination_mac = MAC_A;
	drop_from_tunnel(fixture, 100, HOST3, &spec, VD_DROP_REASON_SOURCE_HOST);
	spec.source = "100.65.0.2";
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_SOURCE_HOST);
	spec.source = "10.0.0.4";
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_NO_ROUTE);
	spec.source = "100.65.0.4";
	spec.source_mac = "02:78:00:00:00:02";
	drop_from_tunnel(fixture, 100, HOST2, &spec, VD_DROP_REASON_NO_ROUTE);
}

static struct rule by_cidr(uint32_t identity, enum vd_policy_direction direction, const char *prefix)
{
	struct rule made = rule(identity, direction, 0);

	made.prefix = prefix;
	made.length = 16;
	return made;
}

/* CIDRs are what the port itself sees; groups are known by the address that their member has. */
static void test_groups_of_both_ends_decide(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = udp(MAC_A, "10.0.0.2", "100.65.0.2"), in = udp(MAC_OF_RED, "100.64.0.4", "10.0.0.2");
	struct rule rules[] = {by_cidr(A_GROUP, VD_POLICY_DIRECTION_EGRESS, "10.0.0.0"),
			       by_cidr(A_GROUP, VD_POLICY_DIRECTION_EGRESS, "100.65.0.0"),
			       by_cidr(Y_GROUP, VD_POLICY_DIRECTION_INGRESS, "10.0.0.0"),
			       by_cidr(Y_GROUP, VD_POLICY_DIRECTION_INGRESS, "100.64.0.0"),
			       rule(A_GROUP, VD_POLICY_DIRECTION_EGRESS, Y_GROUP),
			       rule(Y_GROUP, VD_POLICY_DIRECTION_INGRESS, A_GROUP)};

	in.destination_mac = MAC_Y;
	put_policy(fixture, A_GROUP, false);
	put_policy(fixture, Y_GROUP, false);
	set_policy(fixture, fixture->ifindex_a, A_GROUP);
	set_policy(fixture, y, Y_GROUP);
	put_rule(fixture, &rules[0]);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_EGRESS);
	put_rule(fixture, &rules[1]);
	put_rule(fixture, &rules[2]);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_INGRESS);
	drop_from_tunnel(fixture, 400, HOST2, &in, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(fixture, &rules[3]);
	pass(fixture, fixture->ifindex_a, &out);
	pass_from_tunnel(fixture, 400, &in);
	delete_rule(fixture, &rules[1]);
	delete_rule(fixture, &rules[3]);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_EGRESS);
	put_rule(fixture, &rules[4]);
	drop(fixture, fixture->ifindex_a, &out, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(fixture, &rules[5]);
	pass(fixture, fixture->ifindex_a, &out);
	drop_from_tunnel(fixture, 400, HOST2, &in, VD_DROP_REASON_POLICY_INGRESS);
	set_identity(fixture, RED, "10.0.0.4", A_GROUP);
	pass_from_tunnel(fixture, 400, &in);
}

static void assert_quotes(struct fixture *fixture, const char *source, const char *destination)
{
	struct packet embedded;

	assert_true(packet_checksums_hold(&fixture->out));
	packet_embedded(&fixture->out, &embedded);
	assert_true(packet_has_source(&embedded, source));
	assert_true(packet_has_destination(&embedded, destination));
	assert_true(packet_checksums_hold(&embedded));
}

/* What an error quotes is what its receiver sent. */
static void test_errors_cross(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP};
	struct fixture *fixture = *state;
	struct packet_spec spec, far;
	struct packet arrived;

	for (size_t i = 0; i < 2 * sizeof(protocols); i++) {
		const struct view *view = &views[i % 2];
		struct packet_spec question = of_protocol(udp(MAC_A, view->a, view->y_seen), protocols[i / 2]);

		packet_build(&question, &arrived);
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &arrived), VERDICT_REDIRECT);
		arrived = fixture->out;
		spec = packet_error_spec(MAC_Y, view->y, view->a_seen, i % 2 ? 0x0104 : 0x0303, &arrived);
		pass(fixture, y, &spec);
		assert_addresses(fixture, view->y_seen, view->a);
		assert_quotes(fixture, view->a, view->y_seen);
	}
	/* By tunnel, from a machine on the way whose address neither VPC knows; to green, whose view is not the connection's. */
	far = udp(MAC_Y, "10.0.0.2", "100.64.0.4");
	pass(fixture, y, &far);
	packet_build(&far, &arrived);
	spec = packet_error_spec(MAC_OF_RED, "192.168.77.1", "10.0.0.2", 0x0b00, &arrived);
	spec.destination_mac = MAC_Y;
	pass_from_tunnel(fixture, 400, &spec);
	assert_addresses(fixture, "192.168.77.1", "10.0.0.2");
	assert_quotes(fixture, "10.0.0.2", "100.64.0.4");
}

/* Neither who sends the error nor who gets it has an alias; where the packet went has. */
static void test_error_between_those_without_alias_crosses(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = udp(MAC_B, "172.16.0.9", "100.65.0.2"), spec;
	struct packet arrived;

	put_peer(fixture, GREEN, "172.16.0.0", 14, 0, RED);
	open_source(fixture, PORT_B, "172.16.0.0", 24);
	change_port_flags(fixture, y, 0, VD_PORT_FLAG_SOURCE_CHECK);
	pass(fixture, fixture->ifindex_b, &question);
	assert_addresses(fixture, "172.16.0.9", "10.0.0.2");
	arrived = fixture->out;
	spec = packet_error_spec(MAC_Y, "192.168.77.1", "172.16.0.9", 0x0b00, &arrived);
	pass(fixture, y, &spec);
	assert_addresses(fixture, "192.168.77.1", "172.16.0.9");
	assert_quotes(fixture, "172.16.0.9", "100.65.0.2");
}

/* The sender's own router answers for what cannot go on, in the sender's terms, on either side. */
static void test_senders_router_answers(void **state)
{
	struct fixture *fixture = *state;
	struct vd_port_value port = {
		.id = 60, .domain = GREEN, .mtu = GREEN_MTU, .mac = VD_GATEWAY_MAC, .flags = VD_PORT_FLAG_SERVICE};
	uint32_t service = if_nametoindex("green");
	const struct {
		uint32_t from, service;
		struct packet_spec spec;
		const char *mac, *gateway;
	} cases[] = {{fixture->ifindex_a, fixture->ifindex_service, udp(MAC_A, "10.0.0.2", "100.65.0.2"), MAC_A, "10.0.0.1"},
		     {y, service, udp(MAC_Y, "10.0.0.2", "100.64.0.2"), MAC_Y, "10.0.0.1"},
		     {y, service, udp(MAC_Y, "fd00:0:0:a::2", "fd64:0:0:a::2"), MAC_Y, "fd00:0:0:a::1"}};

	PUT(fixture->bpf->maps.vd_port, service, port);
	set_service(fixture, GREEN, service);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet_spec old = cases[i].spec, spec;
		struct packet asked;

		old.ttl = 1;
		pass(fixture, cases[i].from, &old);
		assert_true(packet_has_macs(&fixture->out, cases[i].mac, MAC_GATEWAY));
		assert_addresses(fixture, old.source, old.destination);
		assert_true(packet_checksums_hold(&fixture->out));
		packet_build(&old, &asked);
		spec = packet_error_spec(MAC_GATEWAY, cases[i].gateway, old.source, i == 2 ? 0x0300 : 0x0b00, &asked);
		pass(fixture, cases[i].service, &spec);
		assert_addresses(fixture, cases[i].gateway, old.source);
		assert_quotes(fixture, old.source, old.destination);
	}
	/* The peer's router itself has an address there, too. */
	{
		struct packet_spec ping = of_protocol(udp(MAC_A, "10.0.0.2", "100.65.0.1"), IPPROTO_ICMP);
		struct vd_flow flow;

		flow = assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &ping, MAC_A, MAC_GATEWAY, 64);
		assert_int_equal(flow.output_ifindex, service);
		assert_addresses(fixture, "100.64.0.2", "10.0.0.1");
	}
}

static void test_fragments_cross(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec fragment = udp(MAC_A, "10.0.0.2", "100.65.0.2");

	fragment.id = 7;
	fragment.payload = 64;
	fragment.more_fragments = true;
	for (int i = 0; i < 2; i++) {
		pass(fixture, fixture->ifindex_a, &fragment);
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_Y));
		assert_addresses(fixture, "100.64.0.2", "10.0.0.2");
		fragment.fragment_offset = 72;
		fragment.more_fragments = false;
	}
}

/* Its checksum would be over addresses that change. */
static void test_untranslatable_protocols_drop(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "100.65.0.2");

	spec.protocol = IPPROTO_AH;
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_UNTRANSLATABLE);
	spec.protocol = IPPROTO_GRE;
	pass(fixture, fixture->ifindex_a, &spec);
	assert_addresses(fixture, "100.64.0.2", "10.0.0.2");
}

/* Where only one of the two is translated, and where nothing of a packet is. */
static void test_what_has_no_alias_stays(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = udp(MAC_A, "10.0.0.2", "172.20.0.9"), back = udp(MAC_Y, "172.20.0.9", "100.64.0.2");

	put_route(fixture, GREEN, "172.20.0.0", 24, VD_ROUTE_TYPE_NEXT_HOP, 70, "10.0.0.2");
	put_peer(fixture, RED, "172.20.0.0", 24, 71, GREEN);
	open_source(fixture, PORT_Y, "172.20.0.0", 24);
	pass(fixture, fixture->ifindex_a, &out);
	assert_addresses(fixture, "100.64.0.2", "172.20.0.9");
	assert_true(packet_checksums_hold(&fixture->out));
	back.source_port = 5353;
	back.destination_port = 1000;
	pass(fixture, y, &back);
	assert_addresses(fixture, "172.20.0.9", "10.0.0.2");
	assert_true(packet_checksums_hold(&fixture->out));
}

static void test_another_alias_reaches_the_next_packet(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec out = udp(MAC_A, "10.0.0.2", "100.65.0.2");

	assert_crosses(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &out, MAC_GATEWAY, MAC_Y, 63);
	translate(fixture, RED, GREEN, "10.0.0.0", "100.70.0.0");
	put_peer(fixture, GREEN, "100.70.0.0", 16, 0, RED);
	bump(fixture, vd_slot_table(RED, 0));
	bump(fixture, vd_slot_table(GREEN, 0));
	pass(fixture, fixture->ifindex_a, &out);
	assert_addresses(fixture, "100.70.0.2", "10.0.0.2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_both_ends_change_on_one_host),
		TEST(test_out_by_tunnel),
		TEST(test_in_by_tunnel),
		TEST(test_forged_sources_drop),
		TEST(test_groups_of_both_ends_decide),
		TEST(test_errors_cross),
		TEST(test_error_between_those_without_alias_crosses),
		TEST(test_senders_router_answers),
		TEST(test_fragments_cross),
		TEST(test_untranslatable_protocols_drop),
		TEST(test_what_has_no_alias_stays),
		TEST(test_another_alias_reaches_the_next_packet),
	};
	int error = green_enter();

	if (error)
		return error;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
