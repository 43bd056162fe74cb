// SPDX-License-Identifier: Apache-2.0
/* What MAC an address on a network has: ours here, ours elsewhere, an instance's, a neighbour's, or nobody's yet. */
#include "provider.h"

#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

/* It goes nowhere, and counts as no drop. */
static void assert_held(struct provider *provider, const char *destination)
{
	uint64_t drops = 0;

	for (enum vd_drop_reason reason = VD_DROP_REASON_NONE + 1; reason < VD_DROP_REASON_COUNT; reason++)
		new_drops(provider->fixture, reason);
	assert_int_equal(run_to(provider, destination), VERDICT_DROP);
	for (enum vd_drop_reason reason = VD_DROP_REASON_NONE + 1; reason < VD_DROP_REASON_COUNT; reason++)
		drops += new_drops(provider->fixture, reason);
	assert_int_equal(drops, 0);
}

static void test_the_unknown_is_asked_for_once_a_second(void **state)
{
	struct provider *provider = *state;
	struct timespec second = {.tv_sec = 1, .tv_nsec = 20000000};
	struct vd_neighbour_event event;
	struct vd_neighbour_value neighbour;
	uint8_t address[16];

	assert_held(provider, "198.51.100.77");
	for (int i = 0; i < 10; i++)
		assert_unknown(provider, "198.51.100.77");
	assert_int_equal(count_neighbour_events(provider, &event), 2); /* the question, and the packet */
	text_to_address("203.0.113.1", address);
	assert_int_equal(event.network, NETWORK);
	assert_int_equal(event.family, 4);
	assert_memory_equal(event.address.byte, address, 16);
	/* Every address for itself; one that nobody had asked for gets an entry, to be learnt into. */
	assert_held(provider, "203.0.113.99");
	for (int i = 0; i < 10; i++)
		assert_unknown(provider, "203.0.113.99");
	assert_int_equal(count_neighbour_events(provider, &event), 2);
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.99", &neighbour));
	assert_int_equal(neighbour.known, 0);
	assert_int_equal(neighbour.family, 4);
	nanosleep(&second, NULL);
	assert_unknown(provider, "198.51.100.77"); /* who was silent is not waited for again */
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	assert_held(provider, "2001:db8:9::77");
	assert_int_equal(count_neighbour_events(provider, &event), 2);
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

static void test_the_first_packet_waits_for_the_answer(void **state)
{
	static const char *const destinations[] = {"198.51.100.77", "2001:db8:9::77"}, *const gateways[] = {"203.0.113.1",
													    "2001:db8:1::1"};
	struct provider *provider = *state;
	struct vd_neighbour_packet held;
	struct vd_neighbour_event event;
	uint8_t address[16], mac[6];
	struct packet arp;

	for (int i = 0; i < 2; i++) {
		struct packet_spec spec = to_gateway(i ? "2001:db8:1::21" : "203.0.113.21", destinations[i]);
		struct packet packet;

		packet_build(&spec, &packet);
		assert_held(provider, destinations[i]);
		assert_int_equal(take_held_packet(provider, &held), 2);
		text_to_address(gateways[i], address);
		assert_memory_equal(held.event.address.byte, address, 16);
		assert_int_equal(held.event.network, NETWORK);
		/* As it came, from the instance: only whom it goes to is open. */
		assert_int_equal(held.event.size, packet.size);
		assert_memory_equal(held.frame + 6, packet.data + 6, packet.size - 6);
		text_to_mac(MAC_F, mac);
		assert_memory_equal(held.frame + 6, mac, 6);
	}
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.1", "203.0.113.1", 1, &arp);
	assert_passes(provider, 0, &arp);
	assert_int_equal(count_neighbour_events(provider, &event), 1);
	assert_int_equal(event.known, 1);
	assert_int_equal(event.network, NETWORK);
	/* Once: it is known already. */
	assert_passes(provider, 0, &arp);
	assert_int_equal(count_neighbour_events(provider, &event), 0);
	assert_int_equal(run_to(provider, destinations[0]), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_F, MAC_OUTSIDE));
}

static void test_what_does_not_fit_does_not_wait(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = to_gateway("203.0.113.21", "198.51.100.77");
	struct packet packet;

	spec.payload = VD_NEIGHBOUR_FRAME;
	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
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

/* A flow lives for hours without a decision: whom it goes to stays wanted, and is asked for while it is. */
static void test_who_is_sent_to_from_the_cache_stays_wanted(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_key neighbour_key = {.network = NETWORK};
	struct timespec tick = {.tv_nsec = 20000000}; /* the clock is coarse */
	struct vd_neighbour_value neighbour;
	uint64_t hits, asked;

	put_neighbour(provider, NETWORK, "203.0.113.99", MAC_OUTSIDE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_to(provider, "203.0.113.99"), VERDICT_REDIRECT);
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.99", &neighbour));
	asked = neighbour.asked;
	assert_true(asked > 0);
	age_flows(provider->fixture);
	nanosleep(&tick, NULL);
	hits = read_hits(provider->fixture);
	assert_int_equal(run_to(provider, "203.0.113.99"), VERDICT_REDIRECT);
	assert_int_equal(read_hits(provider->fixture), hits + 1);
	assert_true(find_neighbour(provider, NETWORK, "203.0.113.99", &neighbour));
	assert_true(neighbour.asked > asked);
	/* One that is not known any more is not sent to either. */
	text_to_address("203.0.113.99", neighbour_key.address.byte);
	assert_int_equal(bpf_map__delete_elem(provider->fixture->bpf->maps.vd_neighbour, &neighbour_key, sizeof(neighbour_key), 0),
			 0);
	age_flows(provider->fixture);
	assert_held(provider, "203.0.113.99");
}

/* What one VPC or network asks for does not fill the table, and leaves others their questions. */
static void test_a_scan_is_held_back_by_name(void **state)
{
	struct provider *provider = *state;
	struct timespec second = {.tv_sec = 1, .tv_nsec = 20000000};
	uint32_t asker = NETWORK, host = 0;
	struct vd_question_value questions;
	struct vd_neighbour_event event;
	char address[32];

	new_drops(provider->fixture, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
	new_drops(provider->fixture, VD_DROP_REASON_NEXT_HOP_LIMIT);
	for (int i = 0; i < 200; i++) {
		snprintf(address, sizeof(address), "203.0.113.%d", 50 + i);
		run_to(provider, address);
	}
	assert_int_equal(new_drops(provider->fixture, VD_DROP_REASON_NEXT_HOP_UNKNOWN), 0);
	assert_int_equal(new_drops(provider->fixture, VD_DROP_REASON_NEXT_HOP_LIMIT), 72);
	assert_int_equal(count_neighbour_events(provider, &event), 2 * 128); /* questions, and the packets that wait */
	assert_int_equal(bpf_map__lookup_elem(provider->fixture->bpf->maps.vd_question, &asker, sizeof(asker), &questions,
					      sizeof(questions), 0),
			 0);
	assert_int_equal(questions.count, 128);
	/* The next second has its own. */
	nanosleep(&second, NULL);
	assert_held(provider, "203.0.113.249");
	assert_int_equal(count_neighbour_events(provider, &event), 2);
	/* All VPCs together fill no table either. */
	assert_int_equal(bpf_map__lookup_elem(provider->fixture->bpf->maps.vd_question, &host, sizeof(host), &questions,
					      sizeof(questions), 0),
			 0);
	questions.count = 4096;
	assert_int_equal(bpf_map__update_elem(provider->fixture->bpf->maps.vd_question, &host, sizeof(host), &questions,
					      sizeof(questions), 0),
			 0);
	run_to(provider, "203.0.113.248");
	assert_int_equal(new_drops(provider->fixture, VD_DROP_REASON_NEXT_HOP_LIMIT), 1);
}

static void test_strangers_who_ask_for_us_fill_no_table(void **state)
{
	struct provider *provider = *state;
	struct vd_neighbour_value neighbour;
	size_t learnt = 0;
	struct packet arp;
	char address[32];

	for (int i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "203.0.113.%d", 100 + i);
		packet_build_arp(MAC_OUTSIDE2, MAC_OUTSIDE2, address, "203.0.113.10", 1, &arp);
		run_uplink(provider, 0, &arp);
		learnt += find_neighbour(provider, NETWORK, address, &neighbour);
	}
	assert_int_equal(learnt, 16);
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
		TEST(test_the_first_packet_waits_for_the_answer),      TEST(test_what_does_not_fit_does_not_wait),
		TEST(test_a_moved_neighbour_is_followed_at_once),      TEST(test_our_own_addresses_need_no_asking),
		TEST(test_a_virtual_ip_that_comes_or_goes_is_noticed), TEST(test_without_an_uplink_it_ends_here),
		TEST(test_who_is_sent_to_from_the_cache_stays_wanted), TEST(test_a_scan_is_held_back_by_name),
		TEST(test_strangers_who_ask_for_us_fill_no_table),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
