// SPDX-License-Identifier: Apache-2.0
/* What comes from the wire: the host's own passes untouched; ARP and neighbour discovery for what is here; whom we learn. */
#include "provider.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	UNUSED_VLAN = 50,
	PRIORITY = 5 << 13,
};

static const uint16_t vlans[] = {0, VLAN_SUBNET, VLAN_NETWORK, VLAN_NETWORK | PRIORITY, UNUSED_VLAN, 4094};

static struct packet_spec from_outside(const char *destination_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = MAC_OUTSIDE,
				    .destination_mac = destination_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 2000,
				    .payload = 32};
}

static uint64_t count_all_drops(struct fixture *fixture)
{
	uint64_t sum = 0;

	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		sum += new_drops(fixture, i);
	return sum;
}

static void assert_passes_everywhere(struct provider *provider, const struct packet *packet)
{
	for (size_t i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++)
		assert_passes(provider, vlans[i], packet);
}

/* R-NET-1: the host's own traffic on an uplink is untouched. */
static void test_what_is_not_ours_passes_byte_for_byte(void **state)
{
	struct provider *provider = *state;
	struct packet_spec specs[] = {
		from_outside(MAC_UPLINK, "192.0.2.7", "192.0.2.1"),
		from_outside(MAC_UPLINK, "2001:db8::7", "2001:db8::1"),
		from_outside(MAC_OUTSIDE2, "192.0.2.7", "203.0.113.10"), /* ours, for somebody else's MAC */
		from_outside(MAC_ALL, "192.0.2.7", "255.255.255.255"),
		from_outside("01:00:5e:00:00:fb", "192.0.2.7", "224.0.0.251"),
		from_outside("33:33:00:00:00:01", "fe80::7", "ff02::1"),
	};
	struct packet packet;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		packet_build(&specs[i], &packet);
		assert_passes_everywhere(provider, &packet);
		specs[i].protocol = IPPROTO_TCP;
		specs[i].tcp_flags = 2;
		packet_build(&specs[i], &packet);
		assert_passes_everywhere(provider, &packet);
		specs[i].payload = 0;
		specs[i].protocol = 89;
		packet_build(&specs[i], &packet);
		assert_passes_everywhere(provider, &packet);
	}
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "192.0.2.7", "192.0.2.1", ARP_REQUEST, &packet);
	assert_passes_everywhere(provider, &packet);
	packet_build_solicitation(MAC_OUTSIDE, MAC_OUTSIDE, "2001:db8::7", "2001:db8::1", &packet);
	assert_passes_everywhere(provider, &packet);
	assert_int_equal(count_all_drops(provider->fixture), 0);
	assert_int_equal(read_misses(provider->fixture), 0);
	assert_int_equal(read_hits(provider->fixture), 0);
}

static void test_what_is_no_ip_passes(void **state)
{
	static const uint8_t ethertypes[][2] = {{0x88, 0xcc}, {0x88, 0x09}, {0x86, 0x81}, {0x00, 0x26}};
	struct provider *provider = *state;
	struct packet_spec spec = from_outside(MAC_UPLINK, "192.0.2.7", "203.0.113.10");
	struct packet packet;

	packet_build(&spec, &packet);
	for (size_t i = 0; i < sizeof(ethertypes) / sizeof(ethertypes[0]); i++) {
		memcpy(packet.data + 12, ethertypes[i], 2);
		assert_passes_everywhere(provider, &packet);
	}
}

static void test_a_service_tag_is_not_ours(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = from_outside(MAC_UPLINK, "192.0.2.7", "198.51.100.10");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_uplink_drops(provider, VLAN_NETWORK, &packet, VD_DROP_REASON_VIP_UNSERVED);
	assert_int_equal(run_uplink_service_tagged(provider, VLAN_NETWORK, &packet), VERDICT_PASS);
}

static void test_a_virtual_ip_is_ours_on_its_vlan_only(void **state)
{
	struct provider *provider = *state;
	struct packet_spec untagged = from_outside(MAC_UPLINK, "192.0.2.7", "203.0.113.10");
	struct packet_spec tagged = from_outside(MAC_UPLINK, "192.0.2.7", "198.51.100.10");
	struct packet packet;

	packet_build(&untagged, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_VIP_UNSERVED);
	assert_passes(provider, VLAN_NETWORK, &packet);
	assert_passes(provider, VLAN_SUBNET, &packet);
	packet_build(&tagged, &packet);
	assert_uplink_drops(provider, VLAN_NETWORK, &packet, VD_DROP_REASON_VIP_UNSERVED);
	assert_uplink_drops(provider, VLAN_NETWORK | PRIORITY, &packet, VD_DROP_REASON_VIP_UNSERVED);
	assert_passes(provider, 0, &packet);
	/* A virtual IP that another host holds is that host's. */
	untagged.destination = "203.0.113.11";
	packet_build(&untagged, &packet);
	assert_passes(provider, 0, &packet);
}

static void assert_arp_answer(struct provider *provider, uint16_t vlan, const char *sender, const char *target, const char *mac)
{
	const uint8_t *arp = provider->fixture->out.data + ETH_HLEN;
	uint8_t address[16], bytes[6];
	struct packet packet;

	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, sender, target, ARP_REQUEST, &packet);
	assert_int_equal(run_uplink(provider, vlan, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, mac, MAC_OUTSIDE));
	assert_int_equal(arp[7], ARP_REPLY);
	text_to_mac(mac, bytes);
	assert_memory_equal(arp + 8, bytes, 6);
	text_to_address(target, address);
	assert_memory_equal(arp + 14, address, 4);
}

static void test_arp_is_answered_for_what_is_here(void **state)
{
	struct provider *provider = *state;

	assert_arp_answer(provider, 0, "203.0.113.99", "203.0.113.10", MAC_UPLINK);
	assert_arp_answer(provider, VLAN_NETWORK, "198.51.100.99", "198.51.100.10", MAC_UPLINK);
	assert_arp_answer(provider, 0, "203.0.113.99", "203.0.113.21", MAC_F);
	assert_arp_answer(provider, VLAN_SUBNET, "10.0.3.99", "10.0.3.2", MAC_V);
	/* A probe is somebody who would take the address. */
	assert_arp_answer(provider, 0, "0.0.0.0", "203.0.113.10", MAC_UPLINK);
}

static void test_arp_for_others_passes(void **state)
{
	static const struct {
		uint16_t vlan;
		const char *sender, *target;
	} cases[] = {
		{0, "203.0.113.99", "203.0.113.11"},        /* host 2's */
		{0, "203.0.113.99", "203.0.113.23"},        /* on host 2 */
		{0, "203.0.113.99", "203.0.113.1"},         /* the network's own gateway */
		{0, "203.0.113.99", "10.0.3.2"},            /* on another segment */
		{VLAN_SUBNET, "10.0.3.99", "203.0.113.10"}, /* on another segment */
		{VLAN_SUBNET, "10.0.3.99", "10.0.0.2"},     /* another subnet of that VPC */
		{VLAN_SUBNET, "10.0.3.99", "10.0.3.1"},     /* the router's, whom only instances may ask */
		{UNUSED_VLAN, "203.0.113.9", "203.0.113.10"},
		{0, "203.0.113.10", "203.0.113.10"}, /* somebody claims it: gratuitous */
	};
	struct provider *provider = *state;
	struct packet packet;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, cases[i].sender, cases[i].target, ARP_REQUEST, &packet);
		assert_passes(provider, cases[i].vlan, &packet);
	}
	assert_int_equal(count_all_drops(provider->fixture), 0);
}

static void assert_ndp_answer(struct provider *provider, const char *source, const char *target, const char *mac,
			      const char *destination_mac)
{
	const uint8_t *icmp = provider->fixture->out.data + ETH_HLEN + 40;
	uint8_t address[16], bytes[6];
	struct packet packet;

	packet_build_solicitation(MAC_OUTSIDE, strcmp(source, "::") == 0 ? NULL : MAC_OUTSIDE, source, target, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, mac, destination_mac));
	assert_true(packet_has_source(&provider->fixture->out, target));
	assert_true(packet_checksums_hold(&provider->fixture->out));
	assert_int_equal(icmp[0], 136);
	assert_int_equal(icmp[4], strcmp(source, "::") == 0 ? 0x20 : 0x60);
	text_to_address(target, address);
	assert_memory_equal(icmp + 8, address, 16);
	text_to_mac(mac, bytes);
	assert_memory_equal(icmp + 26, bytes, 6);
}

static void test_solicitations_are_answered_for_what_is_here(void **state)
{
	struct provider *provider = *state;
	struct packet packet;

	assert_ndp_answer(provider, "2001:db8:1::99", "2001:db8:1::10", MAC_UPLINK, MAC_OUTSIDE);
	assert_ndp_answer(provider, "fe80::99", "2001:db8:1::21", MAC_F, MAC_OUTSIDE);
	assert_ndp_answer(provider, "::", "2001:db8:1::10", MAC_UPLINK, "33:33:00:00:00:01");
	packet_build_solicitation(MAC_OUTSIDE, MAC_OUTSIDE, "2001:db8:1::99", "2001:db8:1::23", &packet);
	assert_passes(provider, 0, &packet);
	packet_build_solicitation(MAC_OUTSIDE, MAC_OUTSIDE, "2001:db8:1::99", "2001:db8:1::10", &packet);
	assert_passes(provider, VLAN_SUBNET, &packet);
}

static void test_malformed_questions_pass(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_value neighbour;
	struct packet good, packet;

	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.1", "203.0.113.10", ARP_REQUEST, &good);
	for (size_t size = ETH_HLEN + 1; size < good.size; size++) {
		packet = good;
		packet.size = size;
		assert_passes(provider, 0, &packet);
	}
	for (size_t i = 0; i < 6; i++) { /* hardware and protocol, their sizes */
		packet = good;
		packet.data[ETH_HLEN + i] ^= 0x40;
		assert_passes(provider, 0, &packet);
	}
	packet_build_solicitation(MAC_OUTSIDE, MAC_OUTSIDE, "2001:db8:1::1", "2001:db8:1::10", &good);
	for (size_t size = ETH_HLEN + 40; size < good.size; size++) { /* a test run wants the whole IP header */
		packet = good;
		packet.size = size;
		assert_passes(provider, 0, &packet);
	}
	packet = good;
	packet.data[ETH_HLEN + 7] = 254; /* from beyond a router */
	assert_passes(provider, 0, &packet);
	packet = good;
	packet.data[good.l4 + 1] = 1; /* code */
	assert_passes(provider, 0, &packet);
	/* Nor did we believe a word of it. */
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.1", &neighbour));
	assert_int_equal(neighbour.known, 0);
	assert_true(find_neighbour(provider, NETWORK, "2001:db8:1::1", &neighbour));
	assert_int_equal(neighbour.known, 0);
}

static void assert_neighbour(struct provider *provider, const char *address, const char *mac)
{
	struct vd_neighbour_value neighbour;
	uint8_t bytes[6];

	text_to_mac(mac, bytes);
	assert_true(find_neighbour(provider, NETWORK, address, &neighbour));
	assert_int_equal(neighbour.known, 1);
	assert_true(neighbour.confirmed > 0);
	assert_memory_equal(neighbour.mac, bytes, 6);
}

static void test_neighbours_are_learnt_and_a_change_bumps(void **state)
{
	struct provider *provider = *state;
	uint32_t slot = endpoint_slot(NETWORK, "203.0.113.1"), before;
	struct packet packet;

	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.1", "192.0.2.1", ARP_REPLY, &packet);
	assert_passes(provider, 0, &packet);
	assert_neighbour(provider, "203.0.113.1", MAC_OUTSIDE);
	before = read_generation(provider, slot);
	assert_passes(provider, 0, &packet);
	assert_int_equal(read_generation(provider, slot), before);
	/* Gratuitous: its router failed over. */
	packet_build_arp(MAC_OUTSIDE2, MAC_OUTSIDE2, "203.0.113.1", "203.0.113.1", ARP_REQUEST, &packet);
	assert_passes(provider, 0, &packet);
	assert_neighbour(provider, "203.0.113.1", MAC_OUTSIDE2);
	assert_int_equal(read_generation(provider, slot), before + 1);
	/* Who asks for one of ours says who he is, too. */
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.1", "203.0.113.10", ARP_REQUEST, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_neighbour(provider, "203.0.113.1", MAC_OUTSIDE);
	assert_int_equal(read_generation(provider, slot), before + 2);
}

static void test_neighbours_of_ipv6_are_learnt(void **state)
{
	struct provider *provider = *state;
	struct packet packet;

	packet_build_solicitation(MAC_OUTSIDE, MAC_OUTSIDE, "2001:db8:1::1", "2001:db8:1::10", &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_neighbour(provider, "2001:db8:1::1", MAC_OUTSIDE);
	/* An advertisement speaks of its target; one without the option, of its sender's MAC. */
	packet_build_solicitation(MAC_OUTSIDE2, MAC_OUTSIDE2, "fe80::1", "2001:db8:1::1", &packet);
	packet.data[packet.l4] = 136;
	packet.data[packet.l4 + 24] = 2;
	assert_passes(provider, 0, &packet);
	assert_neighbour(provider, "2001:db8:1::1", MAC_OUTSIDE2);
	packet_build_solicitation(MAC_OUTSIDE, NULL, "fe80::1", "2001:db8:1::1", &packet);
	packet.data[packet.l4] = 136;
	assert_passes(provider, 0, &packet);
	assert_neighbour(provider, "2001:db8:1::1", MAC_OUTSIDE);
}

static void test_nobody_is_learnt_for_nothing(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_value neighbour;
	struct packet packet;

	/* Nobody wants to know it. */
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.77", "203.0.113.77", ARP_REPLY, &packet);
	assert_passes(provider, 0, &packet);
	assert_false(find_neighbour(provider, NETWORK, "203.0.113.77", &neighbour));
	/* Not on this VLAN. */
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.1", "203.0.113.1", ARP_REPLY, &packet);
	assert_passes(provider, VLAN_NETWORK, &packet);
	assert_passes(provider, VLAN_SUBNET, &packet);
	assert_passes(provider, UNUSED_VLAN, &packet);
	/* No MAC of a host. */
	packet_build_arp(MAC_OUTSIDE, MAC_ALL, "203.0.113.1", "203.0.113.1", ARP_REPLY, &packet);
	assert_passes(provider, 0, &packet);
	packet_build_arp(MAC_OUTSIDE, "00:00:00:00:00:00", "203.0.113.1", "203.0.113.1", ARP_REPLY, &packet);
	assert_passes(provider, 0, &packet);
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.1", &neighbour));
	assert_int_equal(neighbour.known, 0);
}

static void test_answers_reach_the_instance_that_asked(void **state)
{
	struct provider *provider = *state;
	struct packet packet;

	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.99", "203.0.113.21", ARP_REPLY, &packet);
	text_to_mac(MAC_F, packet.data);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_memory_equal(provider->fixture->out.data, packet.data, packet.size);
	/* On its own segment only. */
	assert_passes(provider, VLAN_SUBNET, &packet);
	assert_passes(provider, VLAN_NETWORK, &packet);
	text_to_mac(MAC_H, packet.data);
	assert_passes(provider, 0, &packet);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, provider_setup, provider_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_not_ours_passes_byte_for_byte),
		TEST(test_what_is_no_ip_passes),
		TEST(test_a_service_tag_is_not_ours),
		TEST(test_a_virtual_ip_is_ours_on_its_vlan_only),
		TEST(test_arp_is_answered_for_what_is_here),
		TEST(test_arp_for_others_passes),
		TEST(test_solicitations_are_answered_for_what_is_here),
		TEST(test_malformed_questions_pass),
		TEST(test_neighbours_are_learnt_and_a_change_bumps),
		TEST(test_neighbours_of_ipv6_are_learnt),
		TEST(test_nobody_is_learnt_for_nothing),
		TEST(test_answers_reach_the_instance_that_asked),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
