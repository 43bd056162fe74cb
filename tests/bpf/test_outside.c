// SPDX-License-Identifier: Apache-2.0
/* What translations have to do beside TCP and UDP packets: ICMP errors of both families, fragments, the MSS, addresses that moved. */
#include "outside.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "viaduct.skel.h"

#define EIP6 "2001:db8:1::50"
#define ROUTER "198.51.100.77"
#define ROUTER6 "2001:db8:5::77"

static const char *pick(bool is_6, const char *ipv4, const char *ipv6)
{
	return is_6 ? ipv6 : ipv4;
}

/* From port a, with one of its own ports, to port 53 outside. */
static struct packet_spec out_of(bool is_6, uint8_t protocol, uint16_t port)
{
	struct packet_spec spec = out_spec(protocol, port);

	spec.source = pick(is_6, "10.0.0.2", "fd00:0:0:a::2");
	spec.destination = pick(is_6, OUTSIDE, OUTSIDE6);
	return spec;
}

static uint16_t word_at(const struct packet *packet, size_t offset)
{
	return (uint16_t)(packet->data[offset] << 8 | packet->data[offset + 1]);
}

/* ---- ICMP errors ---- */

/* Too big (with the MTU that fits), and time exceeded; type << 8 | code. */
static uint16_t too_big(bool is_6)
{
	return is_6 ? 2 << 8 : 3 << 8 | 4;
}

static uint16_t time_exceeded(bool is_6)
{
	return is_6 ? 3 << 8 : 11 << 8;
}

static struct packet_spec error_about(bool is_6, uint16_t type, const struct packet *about)
{
	return (struct packet_spec){.protocol = is_6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				    .source_port = 1400, /* the MTU */
				    .destination_port = type,
				    .embedded = about};
}

/* A router on the way, about a packet as it left: the instance gets it about its own. */
static void assert_error_comes_in(struct provider *provider, bool is_6, uint16_t type, const struct packet *sent, const char *vip,
				  uint16_t inner_port, bool is_whole)
{
	struct packet_spec error = error_about(is_6, type, sent);
	struct fixture *fixture = provider->fixture;
	struct packet packet, inner;

	error.source_mac = MAC_OUTSIDE;
	error.destination_mac = MAC_UPLINK;
	error.source = pick(is_6, ROUTER, ROUTER6);
	error.destination = vip;
	packet_build(&error, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, error.source));
	assert_true(packet_has_destination(&fixture->out, pick(is_6, "10.0.0.2", "fd00:0:0:a::2")));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	assert_true(packet_checksums_hold(&fixture->out));
	assert_int_equal(word_at(&fixture->out, fixture->out.l4), type);
	assert_int_equal(word_at(&fixture->out, fixture->out.l4 + 6), 1400);
	packet_embedded(&fixture->out, &inner);
	assert_true(packet_has_source(&inner, pick(is_6, "10.0.0.2", "fd00:0:0:a::2")));
	assert_true(packet_has_destination(&inner, pick(is_6, OUTSIDE, OUTSIDE6)));
	assert_int_equal(source_port(&inner, inner.data[14 + (is_6 ? 6 : 9)]), inner_port);
	assert_true(!is_whole || packet_checksums_hold(&inner));
}

/* R-SNAT-1, R-EIP-1: TCP, UDP and echo, by the router's address and by one's own; whole, and with the least that is promised. */
static void test_errors_come_in(void **state)
{
	struct provider *provider = *state;

	for (int is_6 = 0; is_6 < 2; is_6++)
		for (int is_elastic = 0; is_elastic < 2; is_elastic++) {
			const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, is_6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP};
			const char *vip = is_elastic ? pick(is_6, EIP, EIP6) : pick(is_6, VIP, VIP6);

			if (is_elastic)
				bind_elastic(provider, vip, pick(is_6, "10.0.0.2", "fd00:0:0:a::2"));
			for (int i = 0; i < 3; i++) {
				struct packet_spec spec = out_of(is_6, protocols[i], 4000 + (uint16_t)is_elastic);
				struct packet sent;

				assert_leaves(provider, &spec, vip);
				sent = provider->fixture->out;
				assert_error_comes_in(provider, is_6, too_big(is_6), &sent, vip, spec.source_port, true);
				assert_error_comes_in(provider, is_6, time_exceeded(is_6), &sent, vip, spec.source_port, true);
				sent.size = sent.l4 + 8;
				assert_error_comes_in(provider, is_6, time_exceeded(is_6), &sent, vip, spec.source_port, false);
			}
		}
}

/* An error about what nobody sent. */
static void test_unrelated_errors_stay_out(void **state)
{
	struct provider *provider = *state;

	for (int is_6 = 0; is_6 < 2; is_6++) {
		struct packet_spec spec = out_of(is_6, IPPROTO_UDP, 4000), error;
		struct packet sent, packet;

		assert_leaves(provider, &spec, pick(is_6, VIP, VIP6));
		sent = provider->fixture->out;
		sent.data[sent.l4 + 1] ^= 1; /* of another port */
		error = error_about(is_6, too_big(is_6), &sent);
		error.source_mac = MAC_OUTSIDE;
		error.destination_mac = MAC_UPLINK;
		error.source = pick(is_6, ROUTER, ROUTER6);
		error.destination = pick(is_6, VIP, VIP6);
		packet_build(&error, &packet);
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_DROP);
	}
}

/* By the instance, or by the router's own namespace, about what came in for it: it leaves as if the virtual IP had sent it. */
static void assert_error_goes_out(struct provider *provider, bool is_6, bool by_router, const struct packet *got, const char *vip,
				  uint16_t vip_port)
{
	struct fixture *fixture = provider->fixture;

	for (int i = 0; i < 2; i++) {
		struct packet_spec error = error_about(is_6, i ? time_exceeded(is_6) : too_big(is_6), got);
		struct packet packet, inner;

		error.source_mac = by_router ? MAC_GATEWAY : MAC_A;
		error.source = by_router ? pick(is_6, "10.0.0.1", "fd00:0:0:a::1") : pick(is_6, "10.0.0.2", "fd00:0:0:a::2");
		error.destination = pick(is_6, OUTSIDE, OUTSIDE6);
		packet_build(&error, &packet);
		assert_int_equal(run_port(fixture, by_router ? fixture->ifindex_service : fixture->ifindex_a, &packet),
				 VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, vip));
		assert_true(packet_has_destination(&fixture->out, error.destination));
		assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
		assert_true(packet_checksums_hold(&fixture->out));
		assert_int_equal(word_at(&fixture->out, fixture->out.l4 + 6), 1400);
		packet_embedded(&fixture->out, &inner);
		assert_true(packet_has_source(&inner, error.destination));
		assert_true(packet_has_destination(&inner, vip));
		assert_int_equal(destination_port(&inner), vip_port);
		assert_true(packet_checksums_hold(&inner));
	}
}

/* R-SNAT-1, R-EIP-1, R-PF-1: about a reply to SNAT, about what came by an elastic IP, and by a forward. No private address leaves. */
static void test_errors_go_out(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;

	for (int is_6 = 0; is_6 < 2; is_6++)
		for (int by_router = 0; by_router < 2; by_router++) {
			const char *inner = pick(is_6, "10.0.0.2", "fd00:0:0:a::2"), *vip = pick(is_6, VIP, VIP6);
			const struct elastic elastic = {
				.domain = RED, .network = NETWORK, .address = pick(is_6, EIP, EIP6), .inner = inner};
			struct packet_spec spec = out_of(is_6, IPPROTO_UDP, 4000), in;
			struct packet got;

			in = in_spec(&spec, vip, assert_leaves(provider, &spec, vip));
			assert_comes_in(provider, &in, inner, MAC_A);
			got = fixture->out;
			assert_error_goes_out(provider, is_6, by_router, &got, vip, in.destination_port);

			put_forward(provider, 24, 16, inner, 22, "0.0.0.0", 0);
			spec = out_of(is_6, IPPROTO_TCP, 22);
			spec.destination_port = 999;
			in = in_spec(&spec, vip, 24);
			assert_comes_in(provider, &in, inner, MAC_A);
			got = fixture->out;
			assert_error_goes_out(provider, is_6, by_router, &got, vip, 24);

			put_elastic(provider, &elastic);
			spec.protocol = IPPROTO_UDP;
			in = in_spec(&spec, elastic.address, 23);
			assert_comes_in(provider, &in, inner, MAC_A);
			got = fixture->out;
			assert_error_goes_out(provider, is_6, by_router, &got, elastic.address, 23);
			delete_elastic(provider, &elastic);
		}
}

/* ---- fragments ---- */

static void assert_follows(struct provider *provider, bool is_in, const struct packet_spec *spec, const char *source,
			   const char *destination)
{
	struct fixture *fixture = provider->fixture;
	struct packet packet;
	size_t payload;

	packet_build(spec, &packet);
	if (is_in)
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	else
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, source));
	assert_true(packet_has_destination(&fixture->out, destination));
	if (!spec->fragment_offset) {
		assert_true(packet_checksums_hold(&fixture->out));
		return;
	}
	/* Nothing of what it carries is taken for a header. */
	payload = packet.size - packet.l4;
	assert_int_equal(fixture->out.size, packet.size);
	assert_memory_equal(fixture->out.data + packet.l4, packet.data + packet.l4, payload);
}

/* R-SNAT-1, R-EIP-1: later fragments follow their first one, out and in, by the router's address and by an elastic IP. */
static void test_fragments_follow_both_ways(void **state)
{
	struct provider *provider = *state;

	for (int is_6 = 0; is_6 < 2; is_6++)
		for (int is_elastic = 0; is_elastic < 2; is_elastic++) {
			const char *inner = pick(is_6, "10.0.0.2", "fd00:0:0:a::2"), *outside = pick(is_6, OUTSIDE, OUTSIDE6);
			const char *vip = is_elastic ? pick(is_6, EIP, EIP6) : pick(is_6, VIP, VIP6);
			struct packet_spec first = out_of(is_6, IPPROTO_UDP, 4000), later, in;
			struct packet packet;

			if (is_elastic)
				bind_elastic(provider, vip, inner);
			first.id = 7;
			first.payload = 64;
			first.more_fragments = true;
			assert_follows(provider, false, &first, vip, outside);
			in = in_spec(&first, vip, source_port(&provider->fixture->out, IPPROTO_UDP));
			later = first;
			for (int i = 1; i < 3; i++) {
				later.fragment_offset = (uint16_t)(72 * i);
				later.more_fragments = i < 2;
				assert_follows(provider, false, &later, vip, outside);
			}
			in.id = 9;
			in.payload = 64;
			in.more_fragments = true;
			assert_follows(provider, true, &in, outside, inner);
			for (int i = 1; i < 3; i++) {
				in.fragment_offset = (uint16_t)(72 * i);
				in.more_fragments = i < 2;
				assert_follows(provider, true, &in, outside, inner);
			}
			/* Of another packet, whose first one nobody saw. */
			in.id = 10;
			packet_build(&in, &packet);
			assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_FRAGMENT);
			later.id = 10;
			packet_build(&later, &packet);
			assert_dropped(provider->fixture, provider->fixture->ifindex_a, &packet, VD_DROP_REASON_FRAGMENT);
		}
}

/* ---- the MSS ---- */

static void assert_clamped(struct provider *provider, bool is_in, struct packet_spec spec, uint16_t most)
{
	struct fixture *fixture = provider->fixture;
	struct packet packet;

	for (int i = 0; i < 2; i++) {
		spec.mss = i ? 536 : 8960;
		spec.odd_mss = true;
		packet_build(&spec, &packet);
		if (is_in)
			assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		else
			assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_int_equal(packet_mss(&fixture->out), i ? 536 : most);
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

static void set_network_mtu(struct provider *provider, uint32_t mtu)
{
	uint32_t network = NETWORK;
	struct vd_network_value value;

	assert_int_equal(
		bpf_map__lookup_elem(bpf_of(provider)->maps.vd_network, &network, sizeof(network), &value, sizeof(value), 0), 0);
	value.mtu = mtu;
	PUT(bpf_of(provider)->maps.vd_network, network, value);
}

/* R-NET-8: out, what the way to the next hop carries; in, what the way to the instance does; whichever is less, both ways. */
static void test_mss_is_clamped_on_exits(void **state)
{
	static const uint32_t mtus[] = {1500, 1400};
	struct provider *provider = *state;

	for (int i = 0; i < 2; i++)
		for (int is_6 = 0; is_6 < 2; is_6++) {
			uint16_t header = is_6 ? 60 : 40, most = (uint16_t)((mtus[i] < MTU ? mtus[i] : MTU) - header);
			const char *inner = pick(is_6, "10.0.0.2", "fd00:0:0:a::2"), *vip = pick(is_6, VIP, VIP6);
			const struct elastic elastic = {
				.domain = RED, .network = NETWORK, .address = pick(is_6, EIP, EIP6), .inner = inner};
			struct packet_spec spec = out_of(is_6, IPPROTO_TCP, (uint16_t)(4000 + i)), in;

			set_network_mtu(provider, mtus[i]);
			spec.tcp_flags = TH_SYN;
			assert_clamped(provider, false, spec, most);
			in = in_spec(&spec, vip, source_port(&provider->fixture->out, IPPROTO_TCP));
			in.tcp_flags = TH_SYN | TH_ACK;
			assert_clamped(provider, true, in, MTU - header);

			put_forward(provider, 24, 16, inner, 22, "0.0.0.0", 0);
			in.source_port = (uint16_t)(6000 + i);
			in.destination_port = 24;
			in.tcp_flags = TH_SYN;
			assert_clamped(provider, true, in, MTU - header);

			put_elastic(provider, &elastic);
			spec.source_port = (uint16_t)(5000 + i);
			assert_clamped(provider, false, spec, most);
			in.destination = elastic.address;
			in.source_port = (uint16_t)(7000 + i);
			assert_clamped(provider, true, in, MTU - header);
			delete_elastic(provider, &elastic);
		}
}

/* ---- addresses that moved ---- */

static void forward_gone(struct provider *provider)
{
	struct vd_forward_key key = {.network = NETWORK, .vip = address_of(VIP), .protocol = IPPROTO_TCP, .length = 16, .port = 24};

	bpf_map__delete_elem(bpf_of(provider)->maps.vd_forward, &key, sizeof(key), 0);
	bump(provider->fixture, vd_slot_vip(NETWORK, &key.vip));
}

static void forward_to_another_port(struct provider *provider)
{
	put_forward(provider, 24, 16, "10.0.0.2", 23, "0.0.0.0", 0);
}

static void forward_to_another_instance(struct provider *provider)
{
	put_forward(provider, 24, 16, "10.0.0.3", 22, "0.0.0.0", 0);
}

static void forward_for_others(struct provider *provider)
{
	put_forward(provider, 24, 16, "10.0.0.2", 22, "192.0.2.0", 24);
}

static void vip_change(struct provider *provider, struct vd_vip_value value, bool is_here)
{
	struct vd_vip_key key = {.network = NETWORK, .address = address_of(VIP)};

	value.id = 900;
	value.flags |= VD_VIP_FLAG_SYSTEM | (is_here ? VD_VIP_FLAG_HERE : 0);
	value.forward_lengths_tcp = 1 << 16;
	PUT(bpf_of(provider)->maps.vd_vip, key, value);
	bump(provider->fixture, vd_slot_vip(NETWORK, &key.address));
}

static void vip_of_another_host(struct provider *provider)
{
	vip_change(provider, (struct vd_vip_value){.domain = RED, .type = VD_VIP_TYPE_ROUTER, .host = 2}, false);
}

static void vip_of_another_vpc(struct provider *provider)
{
	vip_change(provider, (struct vd_vip_value){.domain = BLUE, .type = VD_VIP_TYPE_ROUTER}, true);
}

static void vip_is_elastic(struct provider *provider)
{
	vip_change(provider, (struct vd_vip_value){.domain = RED, .type = VD_VIP_TYPE_ELASTIC, .inner = address_of("10.0.0.3")},
		   true);
}

static void vip_gone(struct provider *provider)
{
	struct vd_vip_key key = {.network = NETWORK, .address = address_of(VIP)};

	bpf_map__delete_elem(bpf_of(provider)->maps.vd_vip, &key, sizeof(key), 0);
	bump(provider->fixture, vd_slot_vip(NETWORK, &key.address));
}

/* R-PF-1: whatever becomes of the address that a connection came by, its replies leave with it or not at all, cached or not. */
static void test_replies_of_what_moved_stay_here(void **state)
{
	static void (*const changes[])(struct provider *) = {
		forward_gone,
		forward_to_another_port,
		forward_to_another_instance,
		forward_for_others,
		vip_of_another_host,
		vip_of_another_vpc,
		vip_is_elastic,
		vip_gone,
	};
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct packet_spec reply = out_of(false, IPPROTO_TCP, 22), in;
		struct packet packet;

		reply.destination_port = (uint16_t)(1000 + i);
		put_forward(provider, 24, 16, "10.0.0.2", 22, "0.0.0.0", 0);
		in = in_spec(&reply, VIP, 24);
		assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
		for (int round = 0; round < 3; round++)
			assert_int_equal(assert_leaves(provider, &reply, VIP), 24);
		changes[i](provider);
		packet_build(&reply, &packet);
		assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_VIP_MOVED);
		/* Back where it was, the connection goes on. */
		put_forward(provider, 24, 16, "10.0.0.2", 22, "0.0.0.0", 0);
		assert_int_equal(assert_leaves(provider, &reply, VIP), 24);
	}
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

/* R-EIP-1: a connection that began inside is translated anew: bound, it leaves with the elastic IP, unbound by the router's again. */
static void test_own_connections_are_translated_anew(void **state)
{
	struct provider *provider = *state;
	const struct elastic elastic = {.domain = RED, .network = NETWORK, .address = EIP, .inner = "10.0.0.2"};
	struct packet_spec spec = out_of(false, IPPROTO_UDP, 4000), reply;
	struct packet packet;
	uint16_t port;

	for (int round = 0; round < 3; round++)
		port = assert_leaves(provider, &spec, VIP);
	put_elastic(provider, &elastic);
	for (int round = 0; round < 3; round++)
		assert_int_equal(assert_leaves(provider, &spec, EIP), 4000);
	assert_int_equal(count_claims(provider), 0);
	reply = in_spec(&spec, VIP, port);
	packet_build(&reply, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_VIP_UNSERVED);
	reply = in_spec(&spec, EIP, 4000);
	assert_comes_in(provider, &reply, "10.0.0.2", MAC_A);
	delete_elastic(provider, &elastic);
	for (int round = 0; round < 3; round++)
		port = assert_leaves(provider, &spec, VIP);
	assert_int_equal(count_claims(provider), 1);
	reply = in_spec(&spec, VIP, port);
	assert_comes_in(provider, &reply, "10.0.0.2", MAC_A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_errors_come_in, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_unrelated_errors_stay_out, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_errors_go_out, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_fragments_follow_both_ways, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_mss_is_clamped_on_exits, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_replies_of_what_moved_stay_here, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_own_connections_are_translated_anew, outside_setup, provider_teardown),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
