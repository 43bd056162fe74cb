// SPDX-License-Identifier: Apache-2.0
/* Elastic IPs of instances that stand on a network themselves, and of a VPC's instances whose elastic IP another host holds. */
#include "outside.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>

#include "viaduct.skel.h"

#define ADDRESS_F "203.0.113.21"
#define ADDRESS_G "203.0.113.22"
#define EIP_TAGGED "198.51.100.50"
#define CLIENT "203.0.113.99" /* on the flat network's wire, not ours */
#define HOST2 "192.0.2.2"
#define MAC_EXIT "02:77:00:00:00:64" /* NETWORK's */
#define MAC_EXIT_0 "02:77:00:00:00:00"

static const struct elastic own = {.domain = NETWORK, .network = NETWORK, .address = EIP, .inner = ADDRESS_F};
static const struct elastic tagged = {.domain = NETWORK, .network = NETWORK_TAGGED, .address = EIP_TAGGED, .inner = ADDRESS_F};

static struct packet_spec udp(const char *source_mac, const char *destination_mac, const char *source, uint16_t source_port,
			      const char *destination, uint16_t destination_port)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .destination_mac = destination_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = source_port,
				    .destination_port = destination_port,
				    .payload = 11};
}

static struct packet_spec turned_round(const struct packet_spec *spec)
{
	struct packet_spec reply = *spec;

	reply.source = spec->destination;
	reply.destination = spec->source;
	reply.source_port = spec->destination_port;
	reply.destination_port = spec->source_port;
	return reply;
}

/* From a port here, thrice (the cache answers too): how it looks where it arrives. */
static void assert_sent(struct provider *provider, uint32_t ifindex, const struct packet_spec *spec, const char *source,
			const char *destination, const char *source_mac, const char *destination_mac)
{
	struct fixture *fixture = provider->fixture;
	struct packet packet;

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, source));
		assert_true(packet_has_destination(&fixture->out, destination));
		assert_true(packet_has_macs(&fixture->out, source_mac, destination_mac));
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

/* R-EIP-1: what leaves a flat network's instance leaves with its elastic IP; without one as it is. */
static void test_own_traffic_of_a_flat_instance(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, MAC_GATEWAY, ADDRESS_F, 4000, OUTSIDE, 53);

	assert_sent(provider, provider->f, &spec, ADDRESS_F, OUTSIDE, MAC_F, MAC_OUTSIDE);
	put_elastic(provider, &own);
	assert_sent(provider, provider->f, &spec, EIP, OUTSIDE, MAC_UPLINK, MAC_OUTSIDE);
	delete_elastic(provider, &own);
	assert_sent(provider, provider->f, &spec, ADDRESS_F, OUTSIDE, MAC_F, MAC_OUTSIDE);
}

/* R-EIP-1: of another network: by that one's uplink, tag and gateway. */
static void test_elastic_of_another_network(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, MAC_GATEWAY, ADDRESS_F, 4000, OUTSIDE, 53);
	struct vd_flow flow;

	put_elastic(provider, &tagged);
	put_route(provider->fixture, NETWORK_TAGGED, "0.0.0.0", 0, VD_ROUTE_TYPE_NEXT_HOP, 0, "198.51.100.1");
	put_neighbour(provider, NETWORK_TAGGED, "198.51.100.1", MAC_OUTSIDE2);
	assert_sent(provider, provider->f, &spec, EIP_TAGGED, OUTSIDE, MAC_UPLINK, MAC_OUTSIDE2);
	assert_true(find_flow(provider->fixture, VD_INGRESS_PORT, provider->f, &spec, &flow));
	assert_int_equal(flow.vlan, VLAN_NETWORK);
}

/* A flat network without a gateway of its own has no other way out. */
static void test_elastic_without_a_gateway(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, MAC_GATEWAY, ADDRESS_F, 4000, OUTSIDE, 53);
	struct vd_route4_key key = {.prefix_length = 64, .domain = NETWORK};
	struct packet packet;

	bpf_map__delete_elem(bpf_of(provider)->maps.vd_route4, &key, sizeof(key), 0);
	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NO_ROUTE);
	put_elastic(provider, &tagged);
	put_route(provider->fixture, NETWORK_TAGGED, "0.0.0.0", 0, VD_ROUTE_TYPE_NEXT_HOP, 0, "198.51.100.1");
	put_neighbour(provider, NETWORK_TAGGED, "198.51.100.1", MAC_OUTSIDE2);
	assert_sent(provider, provider->f, &spec, EIP_TAGGED, OUTSIDE, MAC_UPLINK, MAC_OUTSIDE2);
}

/* R-EIP-1: replies to who came by the elastic IP, from afar and from the instance's own segment. */
static void test_replies_of_a_flat_instance(void **state)
{
	static const char *const clients[] = {OUTSIDE, CLIENT};
	struct provider *provider = *state;

	put_elastic(provider, &own);
	put_neighbour(provider, NETWORK, CLIENT, MAC_OUTSIDE2);
	for (size_t i = 0; i < 2; i++) {
		struct packet_spec in = udp(i ? MAC_OUTSIDE2 : MAC_OUTSIDE, MAC_UPLINK, clients[i], 999, EIP, 22);
		struct packet_spec reply = udp(MAC_F, i ? MAC_OUTSIDE2 : MAC_GATEWAY, ADDRESS_F, 22, clients[i], 999);

		for (int round = 0; round < 3; round++)
			assert_comes_in(provider, &in, ADDRESS_F, MAC_F);
		assert_sent(provider, provider->f, &reply, EIP, clients[i], MAC_UPLINK, i ? MAC_OUTSIDE2 : MAC_OUTSIDE);
	}
}

/* What it says to its segment by itself is as it is. */
static void test_a_flat_instance_speaks_to_its_segment(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, MAC_OUTSIDE2, ADDRESS_F, 4000, CLIENT, 53);

	put_elastic(provider, &own);
	assert_sent(provider, provider->f, &spec, ADDRESS_F, CLIENT, MAC_F, MAC_OUTSIDE2);
}

/* The elastic IP is gone, its connections' replies do not leave as they are. */
static void test_replies_without_their_elastic_ip(void **state)
{
	struct provider *provider = *state;
	struct packet_spec in = udp(MAC_OUTSIDE2, MAC_UPLINK, CLIENT, 999, EIP, 22);
	struct packet_spec reply = udp(MAC_F, MAC_OUTSIDE2, ADDRESS_F, 22, CLIENT, 999);
	struct packet packet;

	put_elastic(provider, &own);
	put_neighbour(provider, NETWORK, CLIENT, MAC_OUTSIDE2);
	assert_comes_in(provider, &in, ADDRESS_F, MAC_F);
	assert_sent(provider, provider->f, &reply, EIP, CLIENT, MAC_UPLINK, MAC_OUTSIDE2);
	delete_elastic(provider, &own);
	packet_build(&reply, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_VIP_MOVED);
}

/* R-EIP-4: a neighbour on the same segment asks by the elastic IP, and is answered from there. */
static void test_hairpin_on_a_flat_network(void **state)
{
	struct provider *provider = *state;
	struct packet_spec ask = udp(MAC_G, MAC_UPLINK, ADDRESS_G, 4000, EIP, 53);
	struct packet_spec reply = udp(MAC_F, MAC_G, ADDRESS_F, 53, ADDRESS_G, 4000);

	put_elastic(provider, &own);
	assert_sent(provider, provider->g, &ask, ADDRESS_G, ADDRESS_F, MAC_GATEWAY, MAC_F);
	assert_sent(provider, provider->f, &reply, EIP, ADDRESS_G, MAC_UPLINK, MAC_G);
	/* Directly it is answered directly. */
	ask = udp(MAC_G, MAC_F, ADDRESS_G, 4001, ADDRESS_F, 53);
	reply = turned_round(&ask);
	reply.source_mac = MAC_F;
	reply.destination_mac = MAC_G;
	assert_sent(provider, provider->g, &ask, ADDRESS_G, ADDRESS_F, MAC_G, MAC_F);
	assert_sent(provider, provider->f, &reply, ADDRESS_F, ADDRESS_G, MAC_F, MAC_G);
}

/* R-EIP-4: an instance of a VPC asks, which leaves by SNAT on the same network. */
static void test_hairpin_from_a_vpc(void **state)
{
	struct provider *provider = *state;
	struct packet_spec ask = udp(MAC_A, MAC_GATEWAY, "10.0.0.2", 4000, EIP, 53), reply;

	put_elastic(provider, &own);
	assert_sent(provider, provider->fixture->ifindex_a, &ask, VIP, ADDRESS_F, MAC_GATEWAY, MAC_F);
	reply = udp(MAC_F, MAC_UPLINK, ADDRESS_F, 53, VIP, source_port(&provider->fixture->out, IPPROTO_UDP));
	assert_sent(provider, provider->f, &reply, EIP, "10.0.0.2", MAC_GATEWAY, MAC_A);
	assert_int_equal(destination_port(&provider->fixture->out), 4000);
}

/* R-EIP-2: host 2 holds it: what leaves goes there by the network's exit MAC, and so does what answers. */
static void test_elastic_is_elsewhere(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = udp(MAC_A, MAC_GATEWAY, "10.0.0.2", 4000, OUTSIDE, 53);
	struct packet_spec in = udp(MAC_EXIT_0, MAC_A, OUTSIDE, 999, "10.0.0.2", 22);
	struct packet_spec reply = udp(MAC_A, MAC_GATEWAY, "10.0.0.2", 22, OUTSIDE, 999);
	struct packet packet;
	struct vd_flow flow;

	put_elastic(provider, &(struct elastic){.domain = RED, .network = NETWORK, .address = EIP, .inner = "10.0.0.2", .host = 2});
	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SNAT);
	assert_sent(provider, fixture->ifindex_a, &spec, "10.0.0.2", OUTSIDE, MAC_GATEWAY, MAC_EXIT);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, &flow));
	assert_int_equal(flow.output, VD_OUTPUT_TUNNEL);
	assert_int_equal(flow.vtep.word[0], address_of(HOST2).word[0]);
	packet_build(&in, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
	assert_sent(provider, fixture->ifindex_a, &reply, "10.0.0.2", OUTSIDE, MAC_GATEWAY, MAC_EXIT_0);
}

/* R-EIP-2: we hold it for an instance on host 2, with and without an exit of the VPC's own. */
static void test_elastic_for_another_host(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = udp(MAC_GATEWAY, MAC_EXIT, "10.0.0.4", 4000, OUTSIDE, 53);
	struct packet_spec in = udp(MAC_OUTSIDE, MAC_UPLINK, OUTSIDE, 999, EIP, 22);
	struct packet_spec reply = udp(MAC_GATEWAY, MAC_EXIT_0, "10.0.0.4", 22, OUTSIDE, 999);
	struct vd_exit_key key = {.domain = RED, .exit = NETWORK};
	struct packet packet;

	put_elastic(provider, &(struct elastic){.domain = RED, .network = NETWORK, .address = EIP, .inner = "10.0.0.4"});
	for (int i = 0; i < 4; i++) {
		packet_build(&spec, &packet);
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, EIP));
		assert_int_equal(source_port(&fixture->out, IPPROTO_UDP), 4000);
		assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
		assert_true(packet_checksums_hold(&fixture->out));
		packet_build(&in, &packet);
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_destination(&fixture->out, "10.0.0.4"));
		assert_true(packet_has_macs(&fixture->out, MAC_EXIT_0, MAC_D));
		packet_build(&reply, &packet);
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, EIP));
		if (i == 1) {
			bpf_map__delete_elem(bpf_of(provider)->maps.vd_exit, &key, sizeof(key), 0);
			bump(fixture, vd_slot_domain(RED));
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outside_setup, provider_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_traffic_of_a_flat_instance),
		TEST(test_elastic_of_another_network),
		TEST(test_elastic_without_a_gateway),
		TEST(test_replies_of_a_flat_instance),
		TEST(test_a_flat_instance_speaks_to_its_segment),
		TEST(test_replies_without_their_elastic_ip),
		TEST(test_hairpin_on_a_flat_network),
		TEST(test_hairpin_from_a_vpc),
		TEST(test_elastic_is_elsewhere),
		TEST(test_elastic_for_another_host),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
