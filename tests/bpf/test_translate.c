// SPDX-License-Identifier: Apache-2.0
/* Between a VPC and a network: SNAT, elastic IPs, port forwards, the router's own addresses; both ways, and what must not leave. */
#include "outside.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "viaduct.skel.h"

/* R-SNAT-1: TCP, UDP and ICMP, both families, by decide and by the cache; the reply finds back. */
static void test_snat_and_back(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	struct provider *provider = *state;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct packet_spec spec = out_spec(protocols[i], 4000), reply;
		const char *vip = protocols[i] == IPPROTO_ICMPV6 ? VIP6 : VIP;
		uint16_t port = assert_leaves(provider, &spec, vip);

		assert_in_range(port, VD_NAT_PORT_FIRST, VD_NAT_PORT_LAST);
		reply = in_spec(&spec, vip, port);
		for (int round = 0; round < 3; round++) {
			uint64_t hits = read_hits(provider->fixture);

			assert_comes_in(provider, &reply, spec.source, MAC_A);
			if (protocols[i] != IPPROTO_ICMP && protocols[i] != IPPROTO_ICMPV6)
				assert_int_equal(destination_port(&provider->fixture->out), 4000);
			else
				assert_int_equal(source_port(&provider->fixture->out, protocols[i]), 4000);
			assert_int_equal(assert_leaves(provider, &spec, vip), port);
			if (round)
				assert_int_equal(read_hits(provider->fixture) - hits, 2);
		}
	}
}

/* UDP over IPv6, TCP with an odd length: the sums that an ICMP echo does not try. */
static void test_snat_ipv6_transports(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), reply;
	uint16_t port;

	spec.source = "fd00:0:0:a::2";
	spec.destination = OUTSIDE6;
	for (int i = 0; i < 2; i++) {
		spec.protocol = i ? IPPROTO_TCP : IPPROTO_UDP;
		for (int round = 0; round < 3; round++)
			port = assert_leaves(provider, &spec, VIP6);
		reply = in_spec(&spec, VIP6, port);
		for (int round = 0; round < 3; round++)
			assert_comes_in(provider, &reply, spec.source, MAC_A);
	}
}

static void test_udp_without_checksum_stays_without(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000);
	struct packet packet;

	packet_build(&spec, &packet);
	packet.data[packet.l4 + 6] = packet.data[packet.l4 + 7] = 0;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(provider->fixture, provider->fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&provider->fixture->out, VIP));
		assert_int_equal(provider->fixture->out.data[packet.l4 + 6] | provider->fixture->out.data[packet.l4 + 7], 0);
	}
}

static void test_mapping_is_endpoint_independent(void **state)
{
	struct provider *provider = *state;
	struct packet_spec one = out_spec(IPPROTO_UDP, 4000), other = one;
	uint16_t port = assert_leaves(provider, &one, VIP);

	other.destination = "198.18.0.2";
	assert_int_equal(assert_leaves(provider, &other, VIP), port);
	one.source_port = 4001;
	assert_int_not_equal(assert_leaves(provider, &one, VIP), port);
}

static void put_claim(struct provider *provider, uint16_t port)
{
	struct vd_nat4_key key = {.network = NETWORK, .protocol = IPPROTO_UDP, .vip_port = htons(port), .remote_port = htons(53)};
	struct vd_nat_value value = {.domain = RED, .inner = address_of("10.0.9.9"), .inner_port = htons(port)};

	key.vip = address_of(VIP).word[0];
	key.remote = address_of(OUTSIDE).word[0];
	PUT(bpf_of(provider)->maps.vd_nat4, key, value);
}

/* R-SNAT-2: the last of 60,000 free ports is found; then a refusal that says why, and only towards that remote end. */
static void test_all_ports_then_refused(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), other = out_spec(IPPROTO_UDP, 4001);
	struct packet packet;

	for (uint32_t port = VD_NAT_PORT_FIRST; port <= VD_NAT_PORT_LAST; port++)
		if (port != 31234)
			put_claim(provider, (uint16_t)port);
	assert_int_equal(assert_leaves(provider, &spec, VIP), 31234);
	packet_build(&other, &packet);
	for (int i = 0; i < 2; i++)
		assert_dropped(provider->fixture, provider->fixture->ifindex_a, &packet, VD_DROP_REASON_SNAT_PORTS);
	assert_int_equal(assert_leaves(provider, &spec, VIP), 31234);
	other.destination = "198.18.0.2";
	assert_leaves(provider, &other, VIP);
}

static bool find_inner_connection(struct provider *provider, uint8_t protocol, uint16_t port, struct vd_connection4_key *ret_key,
				  struct vd_connection *ret)
{
	int fd = bpf_map__fd(bpf_of(provider)->maps.vd_conn4);
	struct vd_connection4_key *last = NULL;

	for (; !bpf_map_get_next_key(fd, last, ret_key); last = ret_key)
		if (ret_key->protocol == protocol && (ret_key->low_port == htons(port) || ret_key->high_port == htons(port)))
			return !bpf_map_lookup_elem(fd, ret_key, ret);
	return false;
}

static bool is_connected(struct provider *provider, const struct packet_spec *spec)
{
	struct vd_connection4_key key;
	struct vd_connection connection;

	return find_inner_connection(provider, spec->protocol, spec->source_port, &key, &connection);
}

static void age_connection(struct provider *provider, const struct packet_spec *spec, uint64_t seconds)
{
	struct vd_connection4_key key;
	struct vd_connection connection;

	assert_true(find_inner_connection(provider, spec->protocol, spec->source_port, &key, &connection));
	connection.last_seen -= seconds * 1000000000;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(bpf_of(provider)->maps.vd_conn4), &key, &connection, BPF_EXIST), 0);
}

static size_t count_claims(struct provider *provider)
{
	int fd = bpf_map__fd(bpf_of(provider)->maps.vd_nat4);
	struct vd_nat4_key key, *last = NULL;
	size_t count = 0;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key)
		count++;
	return count;
}

static void test_claims_go_with_their_connection(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), reply;
	uint16_t port = assert_leaves(provider, &spec, VIP);
	struct packet packet;

	assert_int_equal(count_claims(provider), 1);
	age_connection(provider, &spec, 200);
	start_expiry(provider->fixture);
	for (int i = 0; i < 60 && count_claims(provider); i++)
		usleep(100000);
	assert_int_equal(count_claims(provider), 0);
	reply = in_spec(&spec, VIP, port);
	packet_build(&reply, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_VIP_UNSERVED);
}

/* R-SNAT-2: RFC 4787, 5382 and 5508 say how long a translation lasts at least; one of each is a second older than ours lasts. */
static void test_translations_last_as_the_rfcs_ask(void **state)
{
	static const struct {
		uint8_t protocol;
		bool is_answered;
		uint32_t least, most;
	} cases[] = {
		{IPPROTO_UDP, false, 120, 151}, {IPPROTO_UDP, true, 300, 331},   {IPPROTO_ICMP, true, 60, 91},
		{IPPROTO_TCP, false, 240, 249}, {IPPROTO_TCP, true, 7440, 7449},
	};
	struct provider *provider = *state;
	struct packet_spec kept[5], gone[5], reply;

	for (uint16_t i = 0; i < 5; i++) {
		for (uint16_t old = 0; old < 2; old++) {
			struct packet_spec *spec = old ? &gone[i] : &kept[i];
			uint16_t port;

			*spec = out_spec(cases[i].protocol, 4000 + 2 * i + old);
			spec->tcp_flags = TH_SYN;
			port = assert_leaves(provider, spec, VIP);
			if (cases[i].is_answered) {
				reply = in_spec(spec, VIP, port);
				reply.tcp_flags = TH_SYN | TH_ACK;
				assert_comes_in(provider, &reply, spec->source, MAC_A);
			}
			age_connection(provider, spec, old ? cases[i].most : cases[i].least);
		}
	}
	start_expiry(provider->fixture);
	for (uint16_t i = 0; i < 5; i++) {
		for (int wait = 0; wait < 60 && is_connected(provider, &gone[i]); wait++)
			usleep(100000);
		assert_false(is_connected(provider, &gone[i]));
	}
	for (uint16_t i = 0; i < 5; i++)
		assert_true(is_connected(provider, &kept[i]));
}

/* R-EIP-1: in and out, ports stay; the instance's own traffic uses it. */
static void test_elastic_both_ways(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), in = in_spec(&spec, EIP, 22), reply = spec;

	bind_elastic(provider, EIP, "10.0.0.2");
	in.source_port = 999;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(assert_leaves(provider, &spec, EIP), 4000);
		assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
		assert_int_equal(destination_port(&provider->fixture->out), 22);
	}
	reply.source_port = 22;
	reply.destination_port = 999;
	assert_int_equal(assert_leaves(provider, &reply, EIP), 22);
}

/* R-EIP-1: moved under a connection: the next packet goes to the new instance, the old one's replies do not leave. */
static void test_elastic_moves(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 22), in, reply;
	struct packet packet;

	bind_elastic(provider, EIP, "10.0.0.2");
	spec.destination_port = 999;
	in = in_spec(&spec, EIP, 22);
	for (int i = 0; i < 2; i++)
		assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	reply = spec;
	assert_leaves(provider, &reply, EIP);
	bind_elastic(provider, EIP, "10.0.0.3");
	for (int i = 0; i < 2; i++)
		assert_comes_in(provider, &in, "10.0.0.3", MAC_B);
	packet_build(&reply, &packet);
	assert_dropped(provider->fixture, provider->fixture->ifindex_a, &packet, VD_DROP_REASON_VIP_MOVED);
}

/* Two elastic IPs of one instance, and one remote end with the same ports to both. */
static void test_conflict_is_named(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 22), in;
	struct packet packet;

	bind_elastic(provider, EIP, "10.0.0.2");
	bind_elastic(provider, EIP_B, "10.0.0.2");
	spec.destination_port = 999;
	in = in_spec(&spec, EIP, 22);
	assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	in.destination = EIP_B;
	packet_build(&in, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_NAT_CONFLICT);
}

/* R-PF-1: one port, a range, who may; and the reply comes from where it was asked. */
static void test_forwards(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_TCP, 22), in;
	struct packet packet;

	put_forward(provider, 24, 16, "10.0.0.2", 22, "0.0.0.0", 0);
	put_forward(provider, 8000, 14, "10.0.0.2", 9000, "198.18.0.0", 24);
	spec.destination_port = 999;
	in = in_spec(&spec, VIP, 24);
	in.tcp_flags = TH_SYN;
	assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	assert_int_equal(destination_port(&provider->fixture->out), 22);
	for (int i = 0; i < 3; i++)
		assert_int_equal(assert_leaves(provider, &spec, VIP), 24);
	in.destination_port = 8003;
	assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	assert_int_equal(destination_port(&provider->fixture->out), 9003);
	in.source = "198.18.1.1";
	packet_build(&in, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_FORWARD_SOURCE);
	in.destination_port = 25;
	packet_build(&in, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_VIP_UNSERVED);
}

/* R-EIP-4: an instance asks a neighbour's elastic IP: round to an address of ours, and back the same way. */
static void test_hairpin(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), reply;
	struct packet packet;
	uint16_t port;

	bind_elastic(provider, EIP, "10.0.0.3");
	spec.destination = EIP;
	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, VIP));
		assert_true(packet_has_destination(&fixture->out, "10.0.0.3"));
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_B));
		assert_true(packet_checksums_hold(&fixture->out));
	}
	port = source_port(&fixture->out, IPPROTO_UDP);
	reply = (struct packet_spec){.source_mac = MAC_B,
				     .source = "10.0.0.3",
				     .destination = VIP,
				     .protocol = IPPROTO_UDP,
				     .source_port = 53,
				     .destination_port = port,
				     .payload = 3};
	packet_build(&reply, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_b, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, EIP));
		assert_true(packet_has_destination(&fixture->out, "10.0.0.2"));
		assert_int_equal(destination_port(&fixture->out), 4000);
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

/* R-EIP-4: its own, too. */
static void test_hairpin_to_itself(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000);
	struct packet packet;

	bind_elastic(provider, EIP, "10.0.0.2");
	spec.destination = EIP;
	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, EIP));
		assert_true(packet_has_destination(&fixture->out, "10.0.0.2"));
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

/* Later fragments have no ports: they follow their first one, both ways. */
static void test_fragments_follow(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec first = out_spec(IPPROTO_UDP, 4000), later = first, reply;
	struct packet packet;

	first.more_fragments = true;
	first.id = later.id = 7;
	first.payload = 64;
	later.fragment_offset = 72;
	packet_build(&first, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, VIP));
	reply = in_spec(&first, VIP, source_port(&fixture->out, IPPROTO_UDP));
	packet_build(&later, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, VIP));
	assert_memory_equal(fixture->out.data + 34, packet.data + 34, packet.size - 34);
	reply.id = 9;
	reply.more_fragments = true;
	packet_build(&reply, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_destination(&fixture->out, "10.0.0.2"));
	reply.more_fragments = false;
	reply.fragment_offset = 24;
	packet_build(&reply, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_destination(&fixture->out, "10.0.0.2"));
	assert_memory_equal(fixture->out.data + 34, packet.data + 34, packet.size - 34);
}

static uint16_t word_at(const struct packet *packet, size_t offset)
{
	return (uint16_t)(packet->data[offset] << 8 | packet->data[offset + 1]);
}

/* An error from a router on the way speaks of the translated packet; the instance gets one about its own. */
static void test_error_comes_in(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), error;
	struct packet sent, packet, inner;

	assert_leaves(provider, &spec, VIP);
	sent = fixture->out;
	error = (struct packet_spec){.source_mac = MAC_OUTSIDE,
				     .destination_mac = MAC_UPLINK,
				     .source = "198.51.100.77",
				     .destination = VIP,
				     .protocol = IPPROTO_ICMP,
				     .destination_port = 3 << 8 | 1,
				     .embedded = &sent};
	packet_build(&error, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_destination(&fixture->out, "10.0.0.2"));
	assert_true(packet_has_source(&fixture->out, "198.51.100.77"));
	assert_true(packet_checksums_hold(&fixture->out));
	packet_embedded(&fixture->out, &inner);
	assert_true(packet_has_source(&inner, "10.0.0.2"));
	assert_int_equal(word_at(&inner, 34), 4000);
	assert_true(packet_checksums_hold(&inner));
}

/* And the other way: the instance's error about what came in by its elastic IP, IPv4 and the outer source too. */
static void test_error_goes_out(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 22), in, error;
	struct packet got, packet, inner;

	put_forward(provider, 24, 16, "10.0.0.2", 22, "0.0.0.0", 0);
	spec.protocol = IPPROTO_TCP;
	spec.destination_port = 999;
	in = in_spec(&spec, VIP, 24);
	assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	got = fixture->out;
	error = (struct packet_spec){.source_mac = MAC_A,
				     .source = "10.0.0.2",
				     .destination = OUTSIDE,
				     .protocol = IPPROTO_ICMP,
				     .destination_port = 3 << 8 | 3,
				     .embedded = &got};
	packet_build(&error, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, VIP));
	assert_true(packet_checksums_hold(&fixture->out));
	packet_embedded(&fixture->out, &inner);
	assert_true(packet_has_destination(&inner, VIP));
	assert_int_equal(destination_port(&inner), 24);
	assert_true(packet_checksums_hold(&inner));
}

static void test_deadline(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000);
	struct packet packet;
	uint16_t port = assert_leaves(provider, &spec, VIP);

	set_deadline(provider, 1);
	assert_int_equal(assert_leaves(provider, &spec, VIP), port);
	spec.source_port = 4001;
	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->fixture->ifindex_a, &packet, VD_DROP_REASON_GATEWAY_DEADLINE);
}

/* Nothing private leaves: without an exit, without the right to one, without an address, with what cannot be translated. */
static void test_fails_closed(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000);
	struct packet packet;

	packet_build(&spec, &packet);
	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SNAT);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_SNAT);
	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_SNAT, 0);
	put_exit(provider, NETWORK, VD_EXIT_FLAG_TRANSLATE, 0);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_EXIT);
	put_exit(provider, NETWORK, VD_EXIT_FLAG_HERE | VD_EXIT_FLAG_TRANSLATE, 0);
	spec.protocol = 136; /* UDP-Lite: its checksum covers addresses */
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_UNTRANSLATABLE);
}

/* R-RTR-10: the one exception, an explicit route to another router's address. */
static void test_untranslated_exit(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), reply;
	struct vd_inward4_key key = {.prefix_length = 32 + 16, .network = NETWORK};
	uint32_t domain = RED;

	put_exit(provider, 555, VD_EXIT_FLAG_HERE, 0);
	put_exit_route(provider, "198.18.0.0", 16, 555);
	key.address = address_of("10.0.0.0").word[0];
	PUT(bpf_of(provider)->maps.vd_inward4, key, domain);
	for (int i = 0; i < 3; i++)
		assert_int_equal(assert_leaves(provider, &spec, "10.0.0.2"), 4000);
	reply = in_spec(&spec, "10.0.0.2", 4000);
	for (int i = 0; i < 3; i++)
		assert_comes_in(provider, &reply, "10.0.0.2", MAC_A);
}

/* The gateway is another host: the exit's MAC leads there; and what comes from there is answered there. */
static void test_gateway_is_elsewhere(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), in, reply;
	struct packet packet;

	put_exit(provider, NETWORK, VD_EXIT_FLAG_TRANSLATE, 2);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, "02:77:00:00:00:64"));
	assert_true(packet_has_source(&fixture->out, "10.0.0.2"));
	assert_int_equal(packet_ttl(&fixture->out), 63);
	in = (struct packet_spec){.source_mac = "02:77:00:00:00:00",
				  .destination_mac = MAC_A,
				  .source = "198.18.0.9",
				  .destination = "10.0.0.2",
				  .protocol = IPPROTO_UDP,
				  .source_port = 999,
				  .destination_port = 22};
	packet_build(&in, &packet);
	assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	reply = spec;
	reply.destination = "198.18.0.9";
	reply.source_port = 22;
	reply.destination_port = 999;
	packet_build(&reply, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, "02:77:00:00:00:00"));
}

/* We are the gateway of an instance on another host. */
static void test_gateway_for_another_host(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), reply;
	struct packet packet;

	spec.source = "10.0.0.4";
	spec.source_mac = MAC_GATEWAY;
	spec.destination_mac = "02:77:00:00:00:64";
	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, VIP));
		assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
		assert_int_equal(packet_ttl(&fixture->out), 64);
		assert_true(packet_checksums_hold(&fixture->out));
	}
	reply = in_spec(&spec, VIP, source_port(&fixture->out, IPPROTO_UDP));
	packet_build(&reply, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, "02:77:00:00:00:00", MAC_D));
		assert_true(packet_has_destination(&fixture->out, "10.0.0.4"));
		assert_int_equal(packet_ttl(&fixture->out), 63);
	}
}

static void test_ping_of_the_router(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = out_spec(IPPROTO_ICMP, 77), ping = in_spec(&spec, VIP, 77), pong;
	struct packet packet;

	ping.destination_port = 8 << 8;
	packet_build(&ping, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_destination(&fixture->out, VIP));
	pong = (struct packet_spec){
		.source_mac = MAC_GATEWAY, .source = VIP, .destination = OUTSIDE, .protocol = IPPROTO_ICMP, .source_port = 77};
	packet_build(&pong, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, VIP));
	assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
	assert_true(packet_checksums_hold(&fixture->out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_snat_and_back, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_snat_ipv6_transports, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_udp_without_checksum_stays_without, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_mapping_is_endpoint_independent, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_all_ports_then_refused, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_claims_go_with_their_connection, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_translations_last_as_the_rfcs_ask, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_elastic_both_ways, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_elastic_moves, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_conflict_is_named, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_forwards, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_hairpin, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_hairpin_to_itself, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_fragments_follow, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_error_comes_in, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_error_goes_out, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_deadline, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_fails_closed, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_untranslated_exit, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_is_elsewhere, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_for_another_host, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_ping_of_the_router, outside_setup, provider_teardown),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
