// SPDX-License-Identifier: Apache-2.0
/* Security groups: what passes, what does not, and what becomes of connections when rules change. */
#include "policy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viaduct.skel.h"

enum {
	WEB = 501, /* identities */
	APP,
	OTHER,
	ALL_PORTS = 65535,
};

static struct packet_spec from_to(const char *mac, const char *source, const char *destination, uint8_t protocol,
				  uint16_t source_port, uint16_t port)
{
	return (struct packet_spec){.source_mac = mac,
				    .source = source,
				    .destination = destination,
				    .protocol = protocol,
				    .source_port = source_port,
				    .destination_port = port,
				    .tcp_flags = protocol == IPPROTO_TCP ? TH_SYN : 0};
}

/* a is in subnet 10, c in subnet 11, both here. */
static struct packet_spec a_to_c(uint8_t protocol, uint16_t source_port, uint16_t port)
{
	return from_to(MAC_A, "10.0.0.2", "10.0.1.2", protocol, source_port, port);
}

static struct packet_spec c_to_a(uint8_t protocol, uint16_t source_port, uint16_t port)
{
	struct packet_spec spec = from_to(MAC_C, "10.0.1.2", "10.0.0.2", protocol, source_port, port);

	spec.tcp_flags = TH_ACK;
	return spec;
}

static void pass(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
}

static void drop(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, enum vd_drop_reason reason)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_dropped(fixture, ifindex, &packet, reason);
}

/* Whether a new connection from a to c is let through; each call begins another one. */
static uint16_t next_port = 10000;

static bool reaches(struct fixture *fixture, uint8_t protocol, uint16_t port)
{
	struct packet_spec spec = a_to_c(protocol, next_port++, port);
	struct packet packet;

	if (protocol == IPPROTO_ICMP)
		spec.destination_port = port << 8;
	packet_build(&spec, &packet);
	return run_port(fixture, fixture->ifindex_a, &packet) == VERDICT_REDIRECT;
}

static struct rule ingress(uint32_t identity, uint8_t protocol, uint16_t first, uint16_t last)
{
	return (struct rule){identity, VD_POLICY_DIRECTION_INGRESS, protocol, first, last, NULL, 0, 0, 900};
}

static struct rule egress(uint32_t identity, uint8_t protocol, uint16_t first, uint16_t last)
{
	return (struct rule){identity, VD_POLICY_DIRECTION_EGRESS, protocol, first, last, NULL, 0, 0, 901};
}

/* c joins WEB. */
static void protect_c(struct fixture *fixture)
{
	put_policy(fixture, WEB, true);
	set_policy(fixture, fixture->ifindex_c, WEB);
	set_identity(fixture, RED, "10.0.1.2", WEB);
	set_identity(fixture, RED, "fd00:0:0:b::2", WEB);
}

static void bump_all(struct fixture *fixture)
{
	bump(fixture, vd_slot_policy(WEB));
	bump(fixture, vd_slot_policy(APP));
}

/* R-SG-8: a port in no group is unfiltered. R-SG-3: with a group and no rule, ingress is closed and egress open. */
static void test_group_without_rules_closes_ingress_only(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec in = a_to_c(IPPROTO_TCP, 1000, 80), out = c_to_a(IPPROTO_UDP, 2000, 53);
	struct packet_spec answer = a_to_c(IPPROTO_UDP, 53, 2000);
	struct vd_connection connection;
	struct vd_flow flow;

	assert_true(reaches(fixture, IPPROTO_TCP, 80));
	protect_c(fixture);
	drop(fixture, fixture->ifindex_a, &in, VD_DROP_REASON_POLICY_INGRESS);
	assert_false(find_connection(fixture, RED, &in, &connection));
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &in, &flow));
	assert_false(reaches(fixture, IPPROTO_ICMP, 8));
	assert_false(reaches(fixture, 132, 0));
	pass(fixture, fixture->ifindex_c, &out);
	pass(fixture, fixture->ifindex_a, &answer); /* R-SG-1: stateful */
	pass(fixture, fixture->ifindex_a, &answer);
	assert_int_equal(read_hits(fixture), 1);
}

static void test_drop_names_port_and_direction(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec in = a_to_c(IPPROTO_TCP, 1000, 80);

	protect_c(fixture);
	drop(fixture, fixture->ifindex_a, &in, VD_DROP_REASON_POLICY_INGRESS);
	assert_int_equal(count_drop_samples(fixture), 1);
	assert_int_equal(fixture->samples.last.policy_port_id, PORT_C);
	assert_int_equal(fixture->samples.last.policy_direction, VD_POLICY_DIRECTION_INGRESS);
	assert_int_equal(fixture->samples.last.port_id, PORT_A);
}

/* A port that names a policy that is not there gets and sends nothing. */
static void test_missing_policy_fails_closed(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec in = a_to_c(IPPROTO_TCP, 1000, 80), out = c_to_a(IPPROTO_UDP, 2000, 53);

	set_policy(fixture, fixture->ifindex_c, 777);
	drop(fixture, fixture->ifindex_a, &in, VD_DROP_REASON_POLICY_INGRESS);
	drop(fixture, fixture->ifindex_c, &out, VD_DROP_REASON_POLICY_EGRESS);
}

/* R-SG-3, the tutorial's walk (4.4): TCP 23-1024 in: 22 fails, 23 passes; then out: 21 fails, 23 passes, ICMP fails. */
static void test_tutorial_walk(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_TCP, 23, 1024), out = egress(APP, IPPROTO_TCP, 23, 1024);

	protect_c(fixture);
	put_rule(fixture, &in);
	assert_false(reaches(fixture, IPPROTO_TCP, 22));
	assert_true(reaches(fixture, IPPROTO_TCP, 23));
	assert_true(reaches(fixture, IPPROTO_TCP, 1024));
	assert_false(reaches(fixture, IPPROTO_TCP, 1025));
	assert_false(reaches(fixture, IPPROTO_UDP, 23));
	/* And now the sender's side, without ingress rules on the other. */
	set_policy(fixture, fixture->ifindex_c, 0);
	put_policy(fixture, APP, false);
	put_rule(fixture, &out);
	set_policy(fixture, fixture->ifindex_a, APP);
	assert_false(reaches(fixture, IPPROTO_TCP, 21));
	assert_true(reaches(fixture, IPPROTO_TCP, 23));
	assert_false(reaches(fixture, IPPROTO_ICMP, 8));
	assert_false(reaches(fixture, IPPROTO_UDP, 23));
}

/* R-SG-2: the two rules that a group is made with let its members talk, and no others. */
static void test_members_of_a_group_talk(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, 0, 0, ALL_PORTS);
	struct packet_spec from_b = from_to(MAC_B, "10.0.0.3", "10.0.1.2", IPPROTO_TCP, 1000, 80);

	in.remote_identity = WEB;
	protect_c(fixture);
	put_rule(fixture, &in);
	assert_false(reaches(fixture, IPPROTO_TCP, 80));
	set_policy(fixture, fixture->ifindex_a, WEB);
	set_identity(fixture, RED, "10.0.0.2", WEB);
	assert_true(reaches(fixture, IPPROTO_TCP, 80));
	assert_true(reaches(fixture, IPPROTO_ICMP, 8));
	drop(fixture, fixture->ifindex_b, &from_b, VD_DROP_REASON_POLICY_INGRESS);
}

/* R-SG-1: CIDR and group in one rule are an intersection. */
static void test_prefix_and_group_intersect(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_TCP, 80, 80);

	in.prefix = "10.0.0.0";
	in.length = 24;
	in.remote_identity = APP;
	protect_c(fixture);
	put_rule(fixture, &in);
	assert_false(reaches(fixture, IPPROTO_TCP, 80));
	set_identity(fixture, RED, "10.0.0.2", APP);
	assert_true(reaches(fixture, IPPROTO_TCP, 80));
	assert_false(reaches(fixture, IPPROTO_TCP, 81));
	in.prefix = "10.0.7.0";
	put_rule(fixture, &in);
	in.prefix = "10.0.0.0";
	delete_rule(fixture, &in);
	assert_false(reaches(fixture, IPPROTO_TCP, 80));
}

/* A member's address means nothing when it does not come from the member: not from another port, not from another host. */
static void test_borrowed_address_is_no_member(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_UDP, 0, ALL_PORTS);
	struct packet_spec borrowed = from_to(MAC_B, "10.0.0.2", "10.0.1.2", IPPROTO_UDP, 1000, 80);
	struct packet_spec remote = from_to(MAC_GATEWAY, "10.0.0.4", "10.0.1.2", IPPROTO_UDP, 1000, 80);
	struct packet packet;

	in.remote_identity = APP;
	protect_c(fixture);
	put_rule(fixture, &in);
	set_identity(fixture, RED, "10.0.0.2", APP);
	set_identity(fixture, RED, "10.0.0.4", APP);
	change_port_flags(fixture, fixture->ifindex_b, 0, VD_PORT_FLAG_SOURCE_CHECK);
	drop(fixture, fixture->ifindex_b, &borrowed, VD_DROP_REASON_POLICY_INGRESS);
	remote.destination_mac = MAC_C;
	packet_build(&remote, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_REDIRECT);
	/* The address of a port here, from a tunnel. */
	remote.source = "10.0.0.2";
	packet_build(&remote, &packet);
	new_drops(fixture, VD_DROP_REASON_POLICY_INGRESS);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_DROP);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_POLICY_INGRESS), 1);
}

/* The source's host judges egress, the destination's host ingress. */
static void test_each_host_judges_its_own_end(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_TCP, 80, 80), out = egress(APP, IPPROTO_TCP, 80, 80);
	struct packet_spec to_d = from_to(MAC_A, "10.0.0.2", "10.0.1.4", IPPROTO_TCP, 1000, 80);
	struct packet_spec from_e = from_to(MAC_GATEWAY, "10.0.1.4", "10.0.0.2", IPPROTO_TCP, 80, 1000);
	struct packet_spec to_c = from_to(MAC_GATEWAY, "10.0.0.4", "10.0.1.2", IPPROTO_TCP, 2000, 80), blocked = to_c;
	struct packet packet;

	put_policy(fixture, APP, false);
	put_rule(fixture, &out);
	set_policy(fixture, fixture->ifindex_a, APP);
	protect_c(fixture);
	put_rule(fixture, &in);
	pass(fixture, fixture->ifindex_a, &to_d);
	from_e.destination_mac = MAC_A;
	from_e.tcp_flags = TH_SYN | TH_ACK;
	packet_build(&from_e, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_REDIRECT);
	/* The egress rule goes: the reply from afar stops here. */
	delete_rule(fixture, &out);
	new_drops(fixture, VD_DROP_REASON_CONNECTION_REFUSED);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_DROP);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_CONNECTION_REFUSED), 1);
	drop(fixture, fixture->ifindex_a, &to_d, VD_DROP_REASON_POLICY_EGRESS);
	/* Ingress by tunnel. */
	to_c.destination_mac = blocked.destination_mac = MAC_C;
	packet_build(&to_c, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_REDIRECT);
	blocked.destination_port = 81;
	packet_build(&blocked, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_DROP);
}

static void send_a(struct fixture *fixture, uint8_t flags, enum vd_drop_reason reason)
{
	struct packet_spec spec = a_to_c(IPPROTO_TCP, 1000, 80);

	spec.tcp_flags = flags;
	if (reason)
		drop(fixture, fixture->ifindex_a, &spec, reason);
	else
		pass(fixture, fixture->ifindex_a, &spec);
}

static void send_c(struct fixture *fixture, uint8_t flags, enum vd_drop_reason reason)
{
	struct packet_spec spec = c_to_a(IPPROTO_TCP, 80, 1000);

	spec.tcp_flags = flags;
	if (reason)
		drop(fixture, fixture->ifindex_c, &spec, reason);
	else
		pass(fixture, fixture->ifindex_c, &spec);
}

/*
 * R-SG-7: a rule taken away ends the connection that it alone allowed, in both directions; the server's retransmissions do not
 * open it from their side, although the server may send what it likes. The rule again: it goes on, whoever sends first.
 */
static void test_rule_taken_away_ends_tcp_and_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_TCP, 80, 80);

	protect_c(fixture);
	for (int server_first = 0; server_first < 2; server_first++) {
		put_rule(fixture, &in);
		send_a(fixture, TH_SYN, 0);
		send_c(fixture, TH_SYN | TH_ACK, 0);
		send_a(fixture, TH_ACK, 0);
		send_c(fixture, TH_ACK, 0);
		delete_rule(fixture, &in);
		send_c(fixture, TH_ACK, VD_DROP_REASON_CONNECTION_REFUSED);
		send_a(fixture, TH_ACK, VD_DROP_REASON_POLICY_INGRESS);
		send_c(fixture, TH_ACK, VD_DROP_REASON_CONNECTION_REFUSED);
		send_c(fixture, TH_RST, VD_DROP_REASON_CONNECTION_REFUSED);
		put_rule(fixture, &in);
		if (server_first)
			send_c(fixture, TH_ACK, 0);
		send_a(fixture, TH_ACK, 0);
		send_c(fixture, TH_ACK, 0);
	}
}

/* R-SG-7 for UDP, and other flows keep hitting the cache. */
static void test_rule_taken_away_ends_udp_and_no_other(void **state)
{
	struct fixture *fixture = *state;
	struct rule dns = ingress(WEB, IPPROTO_UDP, 53, 53), ntp = ingress(APP, IPPROTO_UDP, 123, 123);
	struct packet_spec ask = a_to_c(IPPROTO_UDP, 1000, 53), answer = c_to_a(IPPROTO_UDP, 53, 1000);
	struct packet_spec other = from_to(MAC_A, "10.0.0.2", "10.0.0.3", IPPROTO_UDP, 1000, 123);
	uint64_t hits;

	protect_c(fixture);
	put_rule(fixture, &dns);
	put_policy(fixture, APP, true);
	set_policy(fixture, fixture->ifindex_b, APP);
	bump(fixture, endpoint_slot(RED, "10.0.0.3"));
	put_rule(fixture, &ntp);
	pass(fixture, fixture->ifindex_a, &ask);
	pass(fixture, fixture->ifindex_c, &answer);
	pass(fixture, fixture->ifindex_a, &other);
	pass(fixture, fixture->ifindex_a, &other);
	delete_rule(fixture, &dns);
	drop(fixture, fixture->ifindex_c, &answer, VD_DROP_REASON_CONNECTION_REFUSED);
	drop(fixture, fixture->ifindex_a, &ask, VD_DROP_REASON_POLICY_INGRESS);
	drop(fixture, fixture->ifindex_c, &answer, VD_DROP_REASON_CONNECTION_REFUSED);
	hits = read_hits(fixture);
	pass(fixture, fixture->ifindex_a, &other);
	assert_int_equal(read_hits(fixture), hits + 1);
}

/* Related ICMP errors are judged as their connection. */
static void test_errors_are_judged_as_their_connection(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_UDP, 53, 53);
	struct packet_spec ask = a_to_c(IPPROTO_UDP, 1000, 53), error = c_to_a(IPPROTO_ICMP, 0, 0x0303);
	struct packet_spec out = c_to_a(IPPROTO_UDP, 3000, 53), refused = a_to_c(IPPROTO_ICMP, 0, 0x0303);
	struct packet asked, sent;

	protect_c(fixture);
	put_rule(fixture, &in);
	packet_build(&ask, &asked);
	pass(fixture, fixture->ifindex_a, &ask);
	error.embedded = &asked;
	pass(fixture, fixture->ifindex_c, &error);
	/* And one that comes in, where only errors of what went out may. */
	pass(fixture, fixture->ifindex_c, &out);
	packet_build(&out, &sent);
	refused.embedded = &sent;
	pass(fixture, fixture->ifindex_a, &refused);
	delete_rule(fixture, &in);
	drop(fixture, fixture->ifindex_c, &error, VD_DROP_REASON_CONNECTION_REFUSED);
	pass(fixture, fixture->ifindex_a, &refused);
}

/* An error about a rule with a group: the router in between that sends it is no member. */
static void test_error_of_a_third_about_members_passes(void **state)
{
	struct fixture *fixture = *state;
	struct rule out = egress(APP, IPPROTO_UDP, 53, 53);
	struct packet_spec ask = a_to_c(IPPROTO_UDP, 1000, 53);
	struct packet_spec error = from_to(MAC_B, "10.0.0.3", "10.0.0.2", IPPROTO_ICMP, 0, 0x0304);
	struct packet asked;

	out.remote_identity = WEB;
	put_policy(fixture, APP, false);
	put_rule(fixture, &out);
	set_policy(fixture, fixture->ifindex_a, APP);
	set_identity(fixture, RED, "10.0.1.2", WEB);
	packet_build(&ask, &asked);
	pass(fixture, fixture->ifindex_a, &ask);
	error.embedded = &asked;
	pass(fixture, fixture->ifindex_b, &error);
}

/* R-SG-1: ICMP types, -1 for all. A reply passes, a question in the same disguise does not. */
static void test_icmp_types(void **state)
{
	struct fixture *fixture = *state;
	struct rule echo = ingress(WEB, IPPROTO_ICMP, 8, 8), all = ingress(WEB, IPPROTO_ICMP, 0, ALL_PORTS);
	struct packet_spec ping = c_to_a(IPPROTO_ICMP, 77, 8 << 8), pong = a_to_c(IPPROTO_ICMP, 77, 0);
	struct packet_spec back = a_to_c(IPPROTO_ICMP, 77, 8 << 8);

	protect_c(fixture);
	pass(fixture, fixture->ifindex_c, &ping);
	pass(fixture, fixture->ifindex_a, &pong);
	drop(fixture, fixture->ifindex_a, &back, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(fixture, &echo);
	pass(fixture, fixture->ifindex_a, &back);
	assert_true(reaches(fixture, IPPROTO_ICMP, 8));
	assert_false(reaches(fixture, IPPROTO_ICMP, 13));
	put_rule(fixture, &all);
	assert_true(reaches(fixture, IPPROTO_ICMP, 13));
	assert_false(reaches(fixture, IPPROTO_TCP, 8));
}

static struct packet_spec a_to_c6(uint8_t protocol, uint16_t source_port, uint16_t port)
{
	return from_to(MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2", protocol, source_port, port);
}

static void test_ipv6(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, IPPROTO_TCP, 80, 80), echo = ingress(WEB, IPPROTO_ICMP, 128, 128);
	struct packet_spec web = a_to_c6(IPPROTO_TCP, 1000, 80), ssh = a_to_c6(IPPROTO_TCP, 1000, 22);
	struct packet_spec ping = a_to_c6(IPPROTO_ICMPV6, 7, 128 << 8), v4 = a_to_c(IPPROTO_TCP, 1000, 80);
	struct packet_spec single = a_to_c6(IPPROTO_UDP, 1000, 9), member = a_to_c6(IPPROTO_UDP, 1000, 10);
	struct rule host = ingress(WEB, IPPROTO_UDP, 9, 9), group = ingress(WEB, IPPROTO_UDP, 10, 10);

	in.prefix = "fd00:0:0:a::";
	in.length = 64;
	host.prefix = "fd00:0:0:a::2";
	host.length = 128;
	group.prefix = "fd00:0:0:a::2";
	group.length = 127;
	group.remote_identity = APP;
	protect_c(fixture);
	drop(fixture, fixture->ifindex_a, &web, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(fixture, &in);
	put_rule(fixture, &echo);
	put_rule(fixture, &host);
	put_rule(fixture, &group);
	pass(fixture, fixture->ifindex_a, &web);
	pass(fixture, fixture->ifindex_a, &ping);
	pass(fixture, fixture->ifindex_a, &single);
	drop(fixture, fixture->ifindex_a, &ssh, VD_DROP_REASON_POLICY_INGRESS);
	drop(fixture, fixture->ifindex_a, &member, VD_DROP_REASON_POLICY_INGRESS);
	drop(fixture, fixture->ifindex_a, &v4, VD_DROP_REASON_POLICY_INGRESS);
	set_identity(fixture, RED, "fd00:0:0:a::2", APP);
	pass(fixture, fixture->ifindex_a, &member);
}

/* Ports at the edges; each block length there is. */
static void test_port_edges(void **state)
{
	struct fixture *fixture = *state;
	static const uint16_t ranges[][2] = {{1, 1}, {65535, 65535}, {1, 65534}, {0, 65535}, {32768, 65535}, {1023, 1025}, {2, 3}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint16_t first = ranges[i][0], last = ranges[i][1];
		struct rule in = ingress(WEB, IPPROTO_TCP, first, last);

		protect_c(fixture);
		put_rule(fixture, &in);
		assert_true(reaches(fixture, IPPROTO_TCP, first));
		assert_true(reaches(fixture, IPPROTO_TCP, last));
		assert_int_equal(reaches(fixture, IPPROTO_TCP, first - 1), !first);
		assert_int_equal(reaches(fixture, IPPROTO_TCP, last + 1), last == ALL_PORTS && !first);
		delete_rule(fixture, &in);
	}
}

/* Container traffic shows its own address: R-SG-5. What is forwarded is judged at the ports that it passes. */
static void test_container_block_needs_a_rule(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, 0, 0, ALL_PORTS);
	struct packet_spec ping = from_to(MAC_B, "172.16.0.9", "10.0.1.2", IPPROTO_ICMP, 5, 8 << 8);
	struct packet_spec pong = from_to(MAC_C, "10.0.1.2", "172.16.0.9", IPPROTO_ICMP, 5, 0);

	open_source(fixture, PORT_B, "172.16.0.0", 24);
	protect_c(fixture);
	drop(fixture, fixture->ifindex_b, &ping, VD_DROP_REASON_POLICY_INGRESS);
	in.prefix = "172.16.0.0";
	in.length = 24;
	put_rule(fixture, &in);
	pass(fixture, fixture->ifindex_b, &ping);
	pass(fixture, fixture->ifindex_c, &pong);
	pass(fixture, fixture->ifindex_c, &pong);
	assert_int_equal(read_hits(fixture), 1);
}

/* A big ping: later fragments have neither ports nor a type. */
static void test_fragments_are_judged_as_their_first(void **state)
{
	struct fixture *fixture = *state;
	struct rule echo = ingress(WEB, IPPROTO_ICMP, 8, 8), dns = ingress(WEB, IPPROTO_UDP, 53, 53);
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_UDP};

	protect_c(fixture);
	put_rule(fixture, &echo);
	put_rule(fixture, &dns);
	for (int i = 0; i < 2; i++) {
		struct packet_spec first = a_to_c(protocols[i], 40, i ? 53 : 8 << 8), later = first;

		first.id = later.id = 30 + i;
		first.payload = later.payload = 64;
		first.more_fragments = true;
		later.fragment_offset = 72;
		pass(fixture, fixture->ifindex_a, &first);
		pass(fixture, fixture->ifindex_a, &later);
	}
}

/* Whatever the groups say: DNS and metadata of the router, and what the router itself sends. */
static void test_router_is_exempt(void **state)
{
	struct fixture *fixture = *state;
	struct vd_endpoint_value metadata = {.mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY};
	struct packet_spec dns = from_to(MAC_C, "10.0.1.2", "10.0.1.1", IPPROTO_UDP, 1000, 53), tcp = dns, ping = dns, data = dns;
	struct packet_spec answer = from_to(MAC_GATEWAY, "10.0.1.1", "10.0.1.2", IPPROTO_UDP, 53, 1000);
	struct packet_spec probe = from_to(MAC_GATEWAY, "10.0.1.1", "10.0.1.2", IPPROTO_TCP, 3333, 80);
	struct packet_spec reply = from_to(MAC_C, "10.0.1.2", "10.0.1.1", IPPROTO_TCP, 80, 3333), other = data;

	put_endpoint(fixture, RED, "169.254.169.254", &metadata);
	put_policy(fixture, WEB, false);
	set_policy(fixture, fixture->ifindex_c, WEB);
	tcp.protocol = data.protocol = IPPROTO_TCP;
	ping.protocol = IPPROTO_ICMP;
	ping.destination_port = 8 << 8;
	data.destination = "169.254.169.254";
	data.destination_port = 80;
	pass(fixture, fixture->ifindex_c, &dns);
	pass(fixture, fixture->ifindex_service, &answer);
	pass(fixture, fixture->ifindex_c, &tcp);
	drop(fixture, fixture->ifindex_c, &ping, VD_DROP_REASON_POLICY_EGRESS);
	drop(fixture, fixture->ifindex_c, &data, VD_DROP_REASON_NO_ROUTE);
	put_route(fixture, RED, "169.254.169.254", 32, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	pass(fixture, fixture->ifindex_c, &data);
	other = data;
	other.destination_port = 8080;
	drop(fixture, fixture->ifindex_c, &other, VD_DROP_REASON_POLICY_EGRESS);
	pass(fixture, fixture->ifindex_service, &probe);
	reply.tcp_flags = TH_SYN | TH_ACK;
	pass(fixture, fixture->ifindex_c, &reply);
	/* Port 53 of an instance is no router. */
	dns.destination = "10.0.0.2";
	drop(fixture, fixture->ifindex_c, &dns, VD_DROP_REASON_POLICY_EGRESS);
}

/* The same identity or addresses in another VPC lead nowhere. */
static void test_groups_of_two_vpcs_do_not_mix(void **state)
{
	struct fixture *fixture = *state;
	struct rule in = ingress(WEB, 0, 0, ALL_PORTS);
	struct packet_spec remote = from_to(MAC_GATEWAY, "10.0.0.4", "10.0.1.2", IPPROTO_UDP, 1000, 80);
	struct vd_endpoint_value value = {.port_id = 99, .place = VD_ENDPOINT_PLACE_HOST, .host = 2, .identity = APP};
	struct packet packet;

	in.remote_identity = APP;
	protect_c(fixture);
	put_rule(fixture, &in);
	put_endpoint(fixture, BLUE, "10.0.0.4", &value);
	remote.destination_mac = MAC_C;
	packet_build(&remote, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_DROP);
}

/* A closed connection's ports, taken up by the other side: judged by who begins now. */
static void test_reused_ports_are_judged_anew(void **state)
{
	struct fixture *fixture = *state;
	struct rule out = egress(WEB, IPPROTO_TCP, 443, 443), in = ingress(WEB, IPPROTO_TCP, 80, 80);

	put_policy(fixture, WEB, false);
	put_rule(fixture, &in);
	put_rule(fixture, &out);
	set_policy(fixture, fixture->ifindex_c, WEB);
	send_a(fixture, TH_SYN, 0);
	send_c(fixture, TH_SYN | TH_ACK, 0);
	send_a(fixture, TH_RST, 0);
	send_c(fixture, TH_SYN, VD_DROP_REASON_POLICY_EGRESS);
	send_a(fixture, TH_SYN, 0);
}

/* ---- random rules against random packets ---- */

enum {
	RULES = 24,
	ROUNDS = 60,
	PACKETS = 60,
};

static const struct {
	const char *prefix;
	uint8_t length;
} prefixes[] = {{NULL, 0},        {"10.0.0.0", 16},       {"10.0.0.2", 32},     {"10.0.0.3", 32},       {"10.0.1.0", 24},
		{"10.0.1.2", 32}, {"0.0.0.0", 0},         {"fd00:0:0:a::", 64}, {"fd00::", 32},         {"::", 0},
		{"10.0.0.2", 31}, {"fd00:0:0:b::2", 128}, {"fd00:0:0:a::", 63}, {"fd00:0:0:a::2", 127}, {"10.0.0.0", 8}};

static struct rule random_rule(uint32_t id)
{
	static const uint8_t protocols[] = {0, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	size_t prefix = random() % (sizeof(prefixes) / sizeof(prefixes[0]));
	struct rule rule = {.identity = random() & 1 ? WEB : APP,
			    .direction = random() & 1 ? VD_POLICY_DIRECTION_INGRESS : VD_POLICY_DIRECTION_EGRESS,
			    .protocol = protocols[random() % 5 % (random() % 4 ? 5 : 4) + 0],
			    .first = random() % 256,
			    .prefix = prefixes[prefix].prefix,
			    .length = prefixes[prefix].length,
			    .remote_identity = random() & 1 ? 0 : (const uint32_t[]){APP, WEB, OTHER}[random() % 3],
			    .id = id};

	if (!rule.protocol && random() % 3)
		rule.protocol = IPPROTO_TCP;
	rule.last = random() % 3 ? rule.first + random() % (256 - rule.first) : rule.first;
	if (random() % 8 == 0) {
		rule.first = 0;
		rule.last = ALL_PORTS;
	}
	if (rule.protocol == IPPROTO_ICMP && rule.last != ALL_PORTS)
		rule.first = rule.last = random() & 1 ? 8 : 128;
	return rule;
}

static bool rules_allow(const struct rule *rules, uint32_t identity, enum vd_policy_direction direction, uint8_t protocol,
			uint16_t port, const char *remote, uint32_t remote_identity)
{
	for (int i = 0; i < RULES; i++)
		if (rules[i].identity == identity && rules[i].direction == direction &&
		    rule_allows(&rules[i], protocol, port, remote, remote_identity))
			return true;
	return false;
}

static void clear(struct fixture *fixture, struct bpf_map *map, size_t size)
{
	uint8_t key[64];

	while (bpf_map__get_next_key(map, NULL, key, size) == 0)
		assert_int_equal(bpf_map__delete_elem(map, key, size, 0), 0);
}

/* a is of APP, c of WEB, and nobody of OTHER. */
static void send_random(struct fixture *fixture, const struct rule *rules, bool egress_is_open, uint16_t source_port)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 132};
	uint8_t protocol = protocols[random() % 4], reference = protocol;
	uint16_t port = random() % 8 ? random() % 256 : random() % 65536;
	bool is_ipv6 = random() & 1, expected;
	struct packet_spec spec;
	struct packet packet;

	if (protocol == IPPROTO_ICMP) {
		protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		port = is_ipv6 ? 128 : 8;
	}
	spec = is_ipv6 ? a_to_c6(protocol, source_port, port) : a_to_c(protocol, source_port, port);
	if (reference == IPPROTO_ICMP)
		spec.destination_port = port << 8;
	expected =
		(egress_is_open || rules_allow(rules, APP, VD_POLICY_DIRECTION_EGRESS, reference, port, spec.destination, WEB)) &&
		rules_allow(rules, WEB, VD_POLICY_DIRECTION_INGRESS, reference, port, spec.source, APP);
	packet_build(&spec, &packet);
	if ((run_port(fixture, fixture->ifindex_a, &packet) == VERDICT_REDIRECT) != expected)
		fail_msg("%s -> %s protocol %u port %u: should %s", spec.source, spec.destination, protocol, port,
			 expected ? "pass" : "not pass");
}

static void test_random_rules_mean_what_they_say(void **state)
{
	struct fixture *fixture = *state;
	struct rule rules[RULES];

	srandom(3);
	set_policy(fixture, fixture->ifindex_a, APP);
	set_policy(fixture, fixture->ifindex_c, WEB);
	set_identity(fixture, RED, "10.0.0.2", APP);
	set_identity(fixture, RED, "fd00:0:0:a::2", APP);
	set_identity(fixture, RED, "10.0.1.2", WEB);
	set_identity(fixture, RED, "fd00:0:0:b::2", WEB);
	for (int round = 0; round < ROUNDS; round++) {
		bool egress_is_open = round % 3 == 0;

		clear(fixture, fixture->bpf->maps.vd_allow, sizeof(struct vd_allow_key));
		clear(fixture, fixture->bpf->maps.vd_span, sizeof(struct vd_allow_key));
		clear(fixture, fixture->bpf->maps.vd_remote, sizeof(struct vd_remote_key));
		clear(fixture, fixture->bpf->maps.vd_conn4, sizeof(struct vd_connection4_key));
		clear(fixture, fixture->bpf->maps.vd_conn6, sizeof(struct vd_connection6_key));
		put_policy(fixture, WEB, true);
		put_policy(fixture, APP, egress_is_open);
		for (int i = 0; i < RULES; i++) {
			rules[i] = random_rule(900 + i);
			put_rule(fixture, &rules[i]);
		}
		bump_all(fixture);
		for (int i = 0; i < PACKETS / 4; i++)
			send_random(fixture, rules, egress_is_open, 2000 + i);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_group_without_rules_closes_ingress_only),
		TEST(test_drop_names_port_and_direction),
		TEST(test_missing_policy_fails_closed),
		TEST(test_tutorial_walk),
		TEST(test_members_of_a_group_talk),
		TEST(test_prefix_and_group_intersect),
		TEST(test_borrowed_address_is_no_member),
		TEST(test_each_host_judges_its_own_end),
		TEST(test_rule_taken_away_ends_tcp_and_comes_back),
		TEST(test_rule_taken_away_ends_udp_and_no_other),
		TEST(test_errors_are_judged_as_their_connection),
		TEST(test_error_of_a_third_about_members_passes),
		TEST(test_icmp_types),
		TEST(test_ipv6),
		TEST(test_port_edges),
		TEST(test_container_block_needs_a_rule),
		TEST(test_fragments_are_judged_as_their_first),
		TEST(test_router_is_exempt),
		TEST(test_groups_of_two_vpcs_do_not_mix),
		TEST(test_reused_ports_are_judged_anew),
		TEST(test_random_rules_mean_what_they_say),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
