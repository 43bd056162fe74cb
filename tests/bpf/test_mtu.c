// SPDX-License-Identifier: Apache-2.0
/* R-NET-8, the data plane's share: what is too big or too old goes to the router's kernel, SYNs are clamped. */
#include "fixture.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static struct packet_spec udp(const char *destination, size_t payload, bool dont_fragment)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = "10.0.0.2",
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1,
				    .destination_port = 2,
				    .payload = payload,
				    .dont_fragment = dont_fragment};
}

/* It reaches the router's namespace with its TTL as it was, so that the kernel there has its reason to answer. */
static void assert_to_service(struct fixture *fixture, const struct packet *packet)
{
	uint8_t ttl = packet_ttl(packet);

	assert_int_equal(run_port(fixture, fixture->ifindex_a, packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_GATEWAY));
	assert_int_equal(packet_ttl(&fixture->out), ttl);
}

static void test_too_big_goes_to_the_router(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec fits = udp("10.0.0.4", MTU - 28, true), big = udp("10.0.0.4", MTU - 27, true);
	struct packet_spec v6 = {.source_mac = MAC_A,
				 .source = "fd00:0:0:a::2",
				 .destination = "fd00:0:0:a::4",
				 .protocol = IPPROTO_UDP,
				 .payload = MTU - 47};
	struct packet packet;

	packet_build(&big, &packet);
	assert_to_service(fixture, &packet);
	/* A cached flow does not let it slip through, nor does the answer spoil the cache. */
	packet_build(&fits, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&big, &packet);
	assert_to_service(fixture, &packet);
	packet_build(&fits, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_D));
	packet_build(&v6, &packet);
	assert_to_service(fixture, &packet);
}

static void test_big_that_may_be_cut_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec remote = udp("10.0.0.4", MTU, false), local = udp("10.0.0.3", MTU, false);
	struct packet packet;

	packet_build(&remote, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_D));
	packet_build(&local, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_B));
}

static void test_too_big_without_router_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp("10.0.0.4", MTU, true), expired = udp("10.0.1.4", 10, false);
	struct packet packet;

	set_service(fixture, RED, 0);
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_TOO_BIG);
	expired.ttl = 1;
	packet_build(&expired, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_HOP_LIMIT);
}

static void test_segments_count_not_the_whole(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp("10.0.0.4", 3000, true);
	struct packet packet;

	spec.protocol = IPPROTO_TCP;
	packet_build(&spec, &packet);
	fixture->gso_size = MTU - 40;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_A, MAC_D));
	}
	fixture->gso_size = MTU - 39;
	assert_to_service(fixture, &packet);
}

/* R-RTR-2: the gateway says "time exceeded", on the first packet and in a cached flow. */
static void test_last_hop_goes_to_the_router(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp("10.0.1.2", 10, false);
	struct packet packet;

	spec.ttl = 1;
	packet_build(&spec, &packet);
	assert_to_service(fixture, &packet);
	spec.ttl = 2;
	packet_build(&spec, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_ttl(&fixture->out), 1);
	spec.ttl = 1;
	packet_build(&spec, &packet);
	assert_to_service(fixture, &packet);
	/* Inside a subnet there is no hop. */
	spec.destination = "10.0.0.3";
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_ttl(&fixture->out), 1);
}

static void test_syn_is_clamped(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp("10.0.0.4", 0, true);
	struct packet_spec v6 = {
		.source_mac = MAC_A, .source = "fd00:0:0:a::2", .destination = "fd00:0:0:a::4", .protocol = IPPROTO_TCP};
	struct packet packet;

	v4.protocol = IPPROTO_TCP;
	v4.tcp_flags = v6.tcp_flags = TH_SYN;
	v4.mss = v6.mss = 8960;
	packet_build(&v4, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_mss(&fixture->out), MTU - 40);
	assert_true(packet_checksums_hold(&fixture->out));
	v4.odd_mss = true;
	packet_build(&v4, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_mss(&fixture->out), MTU - 40);
	assert_true(packet_checksums_hold(&fixture->out));
	packet_build(&v6, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_mss(&fixture->out), MTU - 60);
	assert_true(packet_checksums_hold(&fixture->out));
	v4.mss = 536;
	packet_build(&v4, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(packet_mss(&fixture->out), 536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_too_big_goes_to_the_router, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_big_that_may_be_cut_goes_on, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_too_big_without_router_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_segments_count_not_the_whole, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_last_hop_goes_to_the_router, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_syn_is_clamped, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
