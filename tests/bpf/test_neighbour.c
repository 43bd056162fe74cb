// SPDX-License-Identifier: Apache-2.0
/* ARP and neighbour discovery, answered from the endpoint table. */
#include "fixture.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	NDP_ROUTER = 0x80,
};

/* The answer says that target is at mac. */
static void assert_arp_answer(struct fixture *fixture, const char *target, const char *mac)
{
	const uint8_t *arp = fixture->out.data + ETH_HLEN;
	uint8_t address[16], bytes[6];
	struct packet packet;

	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", target, ARP_REQUEST, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, mac, MAC_A));
	assert_int_equal(arp[7], ARP_REPLY);
	text_to_mac(mac, bytes);
	assert_memory_equal(arp + 8, bytes, 6);
	text_to_address(target, address);
	assert_memory_equal(arp + 14, address, 4);
	text_to_mac(MAC_A, bytes);
	assert_memory_equal(arp + 18, bytes, 6);
	text_to_address("10.0.0.2", address);
	assert_memory_equal(arp + 24, address, 4);
}

static void test_arp_is_answered_for_gateway_and_subnet(void **state)
{
	struct fixture *fixture = *state;

	assert_arp_answer(fixture, "10.0.0.1", MAC_GATEWAY);
	assert_arp_answer(fixture, "10.0.0.3", MAC_B);
	assert_arp_answer(fixture, "10.0.0.4", MAC_D);
	assert_int_equal(read_misses(fixture), 0);
}

static void test_arp_for_the_unknown_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet packet;

	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", "10.0.0.99", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	/* Another subnet is the router's business. */
	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", "10.0.1.2", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	/* Another VPC is nobody's. */
	packet_build_arp(MAC_X, MAC_X, "10.0.0.2", "10.0.0.3", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_x, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
}

static void test_arp_claims_are_checked(void **state)
{
	struct fixture *fixture = *state;
	struct packet packet;

	packet_build_arp(MAC_A, MAC_A, "10.0.0.3", "10.0.0.1", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_arp(MAC_A, MAC_B, "10.0.0.2", "10.0.0.1", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_arp(MAC_A, MAC_A, "10.0.0.3", "10.0.0.3", ARP_REPLY, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SOURCE_CHECK);
	packet_build_arp(MAC_A, MAC_A, "172.16.0.1", "10.0.0.1", ARP_REQUEST, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
}

static void test_own_address_and_probes_stay_silent(void **state)
{
	struct fixture *fixture = *state;
	struct packet packet;

	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", "10.0.0.2", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_arp(MAC_A, MAC_A, "0.0.0.0", "10.0.0.2", ARP_REQUEST, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_solicitation(MAC_A, NULL, "::", "fd00:0:0:a::2", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	packet_build_solicitation(MAC_A, NULL, "::", "fe80::2", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
}

static void assert_ndp_answer(struct fixture *fixture, const char *sender_mac, const char *source, const char *target,
			      const char *mac, uint8_t router)
{
	const uint8_t *icmp = fixture->out.data + ETH_HLEN + 40;
	uint8_t address[16], bytes[6];
	struct packet packet;

	packet_build_solicitation(MAC_A, sender_mac, source, target, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, mac, MAC_A));
	assert_true(packet_has_source(&fixture->out, target));
	assert_true(packet_checksums_hold(&fixture->out));
	assert_int_equal(fixture->out.size, ETH_HLEN + 40 + 32);
	assert_int_equal(packet_ttl(&fixture->out), 255);
	assert_int_equal(icmp[0], 136);
	assert_int_equal(icmp[4] & NDP_ROUTER, router);
	text_to_address(target, address);
	assert_memory_equal(icmp + 8, address, 16);
	text_to_mac(mac, bytes);
	assert_memory_equal(icmp + 26, bytes, 6);
}

static void test_solicitation_is_answered_for_gateway_and_subnet(void **state)
{
	struct fixture *fixture = *state;

	assert_ndp_answer(fixture, MAC_A, "fd00:0:0:a::2", "fd00:0:0:a::1", MAC_GATEWAY, NDP_ROUTER);
	assert_ndp_answer(fixture, MAC_A, "fd00:0:0:a::2", "fd00:0:0:a::3", MAC_B, 0);
	assert_ndp_answer(fixture, MAC_A, "fe80::a", "fd00:0:0:a::4", MAC_D, 0);
	/* A bare one, as reachability probes may be, gets the whole answer too. */
	assert_ndp_answer(fixture, NULL, "fd00:0:0:a::2", "fd00:0:0:a::1", MAC_GATEWAY, NDP_ROUTER);
}

static void test_solicitation_claims_are_checked(void **state)
{
	struct fixture *fixture = *state;
	struct packet packet;

	packet_build_solicitation(MAC_A, MAC_A, "fd00:0:0:a::3", "fd00:0:0:a::1", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_solicitation(MAC_A, MAC_B, "fd00:0:0:a::2", "fd00:0:0:a::1", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_solicitation(MAC_B, NULL, "fe80::b", "fd00:0:0:a::1", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_solicitation(MAC_A, MAC_A, "fd00:0:0:a::2", "fd00:0:0:a::99", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	packet_build_solicitation(MAC_A, MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2", &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	/* From beyond a router (hop limit) it is none. */
	packet_build_solicitation(MAC_A, MAC_A, "fd00:0:0:a::2", "fd00:0:0:a::1", &packet);
	packet.data[ETH_HLEN + 7] = 254;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
}

static void test_habitual_multicast_is_counted_only(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec router_solicitation = {.source_mac = MAC_A,
						  .destination_mac = "33:33:00:00:00:02",
						  .source = "fe80::a",
						  .destination = "ff02::2",
						  .protocol = IPPROTO_ICMPV6,
						  .destination_port = 133 << 8,
						  .ttl = 255};
	struct packet packet;

	packet_build(&router_solicitation, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_DHCP_OFF);
	assert_int_equal(count_drop_samples(fixture), 0);
	router_solicitation.protocol = IPPROTO_UDP;
	packet_build(&router_solicitation, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	assert_int_equal(count_drop_samples(fixture), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arp_is_answered_for_gateway_and_subnet, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_arp_for_the_unknown_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_arp_claims_are_checked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_own_address_and_probes_stay_silent, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_solicitation_is_answered_for_gateway_and_subnet, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_solicitation_claims_are_checked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_habitual_multicast_is_counted_only, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
