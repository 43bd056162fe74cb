// SPDX-License-Identifier: Apache-2.0
/* Packets that are cut short, damaged or plain noise: never forwarded unparsed, never a crash. */
#include "fixture.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void build(struct packet *packet, bool ipv6, uint8_t protocol)
{
	struct packet_spec spec = {.source_mac = MAC_A,
				   .source = ipv6 ? "fd00:0:0:a::2" : "10.0.0.2",
				   .destination = ipv6 ? "fd00:0:0:b::2" : "10.0.1.2",
				   .protocol = protocol,
				   .source_port = 1000,
				   .destination_port = protocol == IPPROTO_ICMP     ? 8 << 8
						       : protocol == IPPROTO_ICMPV6 ? 128 << 8
										    : 53,
				   .mss = 1400,
				   .payload = 40};

	packet_build(&spec, packet);
}

/* Every length shorter than what the IP header promises, down to that header: the test run itself refuses fewer bytes. */
static void test_truncated_at_every_byte_drops(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
	struct packet packet;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		for (size_t i = 0; i < 3; i++) {
			build(&packet, ipv6, ipv6 && i == 2 ? IPPROTO_ICMPV6 : protocols[i]);
			/* It would pass whole, and its flow is in the cache. */
			for (int again = 0; again < 2; again++)
				assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
			while (--packet.size >= packet.l4)
				assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
		}
	}
}

static void test_lying_lengths_drop(void **state)
{
	struct fixture *fixture = *state;
	struct packet packet;

	build(&packet, false, IPPROTO_UDP);
	packet.data[ETH_HLEN] = 0x44;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, false, IPPROTO_UDP);
	packet.data[ETH_HLEN] = 0x4f;
	packet.data[17] = 40;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, false, IPPROTO_UDP);
	packet.data[ETH_HLEN] = 0x65;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, false, IPPROTO_TCP);
	packet.data[packet.l4 + 12] = 0x40;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, false, IPPROTO_TCP);
	packet.data[packet.l4 + 12] = 0xf0;
	packet.data[17] = 20 + 24;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, true, IPPROTO_UDP);
	packet.data[ETH_HLEN + 6] = 0;
	memset(packet.data + packet.l4, 0, 48);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MALFORMED);
	build(&packet, false, IPPROTO_UDP);
	packet.data[12] = 0x88;
	packet.data[13] = 0xcc;
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NOT_IP);
}

/* IPv6 extension headers are walked, by decide. */
static void test_extension_headers_are_walked(void **state)
{
	struct fixture *fixture = *state;
	struct vd_connection connection;
	struct packet_spec spec = {.source_mac = MAC_A,
				   .source = "fd00:0:0:a::2",
				   .destination = "fd00:0:0:b::2",
				   .protocol = IPPROTO_UDP,
				   .source_port = 1000,
				   .destination_port = 53};
	struct packet packet;

	build(&packet, true, IPPROTO_UDP);
	memmove(packet.data + packet.l4 + 16, packet.data + packet.l4, packet.size - packet.l4);
	memset(packet.data + packet.l4, 0, 16);
	packet.data[ETH_HLEN + 6] = IPPROTO_DSTOPTS;
	packet.data[packet.l4] = IPPROTO_UDP;
	packet.data[packet.l4 + 1] = 1;
	packet.data[ETH_HLEN + 5] += 16;
	packet.size += 16;
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(find_connection(fixture, RED, &spec, &connection));
}

/*
 * Damaged at random, sent by port and tunnel: whatever leaves must be an intact packet of the port, so the checksum of an IPv4
 * header that decide wrote must match the one that came plus the hop.
 */
static void test_noise_neither_crashes_nor_passes_as_another(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	struct packet packet;
	int verdict;

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		bool ipv6 = random() & 1;

		build(&packet, ipv6, protocols[random() % (ipv6 ? 4 : 3)]);
		for (long flips = random() % 6; flips >= 0; flips--)
			packet.data[12 + random() % (packet.size - 12)] = random();
		if (random() % 4 == 0)
			packet.size = ETH_HLEN + 40 + random() % (packet.size - ETH_HLEN - 39);
		if (random() % 8 == 0)
			for (size_t i = ETH_HLEN; i < packet.size; i++)
				packet.data[i] = random();
		verdict = round & 1 ? run_tunnel(fixture, random() & 1 ? 100 : 1010, "192.0.2.2", &packet)
				    : run_port(fixture, fixture->ifindex_a, &packet);
		assert_true(verdict == VERDICT_DROP || verdict == VERDICT_REDIRECT);
		if (verdict == VERDICT_REDIRECT && !(round & 1) && packet.data[12] == 8 && packet.data[13] == 0)
			assert_true(packet_has_source(&packet, "10.0.0.2"));
	}
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_INTERNAL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_truncated_at_every_byte_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_lying_lengths_drop, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_extension_headers_are_walked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_noise_neither_crashes_nor_passes_as_another, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
