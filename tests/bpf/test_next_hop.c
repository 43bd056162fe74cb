// SPDX-License-Identifier: Apache-2.0
/* What MAC an address on a network has: ours here, ours elsewhere, an instance's, a neighbour's, or nobody's yet. */
#include "provider.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "viaduct.skel.h"

/* An instance of the network sends it to the network's gateway; destinations on the link are their own next hops. */
static struct packet_spec to_gateway(const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = MAC_F,
				    .destination_mac = MAC_GATEWAY,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 2000,
				    .payload = 32};
}

static int run_to(struct provider *provider, const char *destination)
{
	struct packet_spec spec = to_gateway(strchr(destination, ':') ? "2001:db8:1::21" : "203.0.113.21", destination);
	struct packet packet;

	packet_build(&spec, &packet);
	return run_port(provider->fixture, provider->f, &packet);
}

static void assert_unknown(struct provider *provider, const char *destination)
{
	struct packet_spec spec = to_gateway(strchr(destination, ':') ? "2001:db8:1::21" : "203.0.113.21", destination);
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
}

static void test_the_unknown_is_asked_for_once_a_second(void **state)
{
	struct provider *provider = *state;
	struct timespec second = {.tv_sec = 1, .tv_nsec = 20000000};
	struct vd_neighbour_event event;
	struct vd_neighbour_value neighbour;
	uint8_t address[16];

	for (int i = 0; i < 10; i++)
		assert_unknown(provider, "198.51.100.77");
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	text_to_address("203.0.113.1", address);
	assert_int_equal(event.network, NETWORK);
	assert_int_equal(event.family, 4);
	assert_memory_equal(event.address.byte, address, 16);
	/* Every address for itself; one that nobody had asked for gets an entry, to be learnt into. */
	for (int i = 0; i < 10; i++)
		assert_unknown(provider, "203.0.113.99");
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.99", &neighbour));
	assert_int_equal(neighbour.known, 0);
	assert_int_equal(neighbour.family, 4);
	nanosleep(&second, NULL);
	assert_unknown(provider, "198.51.100.77");
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	assert_unknown(provider, "2001:db8:9::77");
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	assert_int_equal(event.family, 6);
	text_to_address("2001:db8:1::1", address);
	assert_memory_equal(event.address.byte, address, 16);
}

static void test_a_known_neighbour_is_sent_to(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_event event;

	put_neighbour(provider, NETWORK, "203.0.113.1", MAC_OUTSIDE);
	put_neighbour(provider, NETWORK, "2001:db8:1::1", MAC_OUTSIDE2);
	assert_int_equal(run_to(provider, "198.51.100.77"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE));
	assert_int_equal(packet_ttl(&provider->fixture->out), 64);
	assert_int_equal(run_to(provider, "2001:db8:9::77"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE2));
	assert_int_equal(count_neighbour_events(provider, &event), 0);
}

static void test_a_moved_neighbour_is_followed_at_once(void **state)
{
	struct provider *provider = *state;
	struct packet arp;

	put_neighbour(provider, NETWORK, "203.0.113.1", MAC_OUTSIDE);
	for (int i = 0; i < 3; i++) /* cached by now */
		assert_int_equal(run_to(provider, "198.51.100.77"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE));
	packet_build_arp(MAC_OUTSIDE2, MAC_OUTSIDE2, "203.0.113.1", "203.0.113.1", 1, &arp);
	assert_passes(provider, 0, &arp);
	assert_int_equal(run_to(provider, "198.51.100.77"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE2));
}

static void test_our_own_addresses_need_no_asking(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_event event;

	/* Held by another host, and an instance there. */
	assert_int_equal(run_to(provider, "203.0.113.11"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_FAR));
	assert_int_equal(run_to(provider, "203.0.113.23"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_H));
	/* An instance here: round, and in again as if from the wire. */
	assert_int_equal(run_to(provider, "203.0.113.22"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_G));
	/* A virtual IP here: round, to where it is served. */
	new_drops(provider->fixture, VD_DROP_REASON_VIP_UNSERVED);
	assert_int_equal(run_to(provider, "203.0.113.10"), VERDICT_DROP);
	assert_int_equal(new_drops(provider->fixture, VD_DROP_REASON_VIP_UNSERVED), 1);
	assert_int_equal(count_neighbour_events(provider, &event), 0);
}

static void test_a_virtual_ip_that_comes_or_goes_is_noticed(void **state)
{
	struct provider *provider = *state;
	struct vd_vip_key key = {.network = NETWORK};
	struct vd_vip_value vip = {.id = 901, .type = VD_VIP_TYPE_ROUTER};

	put_neighbour(provider, NETWORK, "203.0.113.50", MAC_OUTSIDE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_to(provider, "203.0.113.50"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE));
	text_to_address("203.0.113.50", key.address.byte);
	text_to_mac(MAC_FAR, vip.mac);
	assert_int_equal(bpf_map__update_elem(provider->fixture->bpf->maps.vd_vip, &key, sizeof(key), &vip, sizeof(vip), 0), 0);
	bump(provider->fixture, vd_slot_vip(NETWORK, &key.address));
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_to(provider, "203.0.113.50"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_FAR));
	assert_int_equal(bpf_map__delete_elem(provider->fixture->bpf->maps.vd_vip, &key, sizeof(key), 0), 0);
	bump(provider->fixture, vd_slot_vip(NETWORK, &key.address));
	assert_int_equal(run_to(provider, "203.0.113.50"), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE));
}

static void test_without_an_uplink_it_ends_here(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = to_gateway("203.0.113.21", "198.51.100.77");
	uint32_t network = NETWORK;
	struct packet packet;

	assert_int_equal(bpf_map__delete_elem(provider->fixture->bpf->maps.vd_network, &network, sizeof(network), 0), 0);
	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NO_UPLINK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, provider_setup, provider_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_unknown_is_asked_for_once_a_second),     TEST(test_a_known_neighbour_is_sent_to),
		TEST(test_a_moved_neighbour_is_followed_at_once),      TEST(test_our_own_addresses_need_no_asking),
		TEST(test_a_virtual_ip_that_comes_or_goes_is_noticed), TEST(test_without_an_uplink_it_ends_here),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
