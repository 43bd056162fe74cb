// SPDX-License-Identifier: Apache-2.0
/* Bandwidth limits: what passes in a time, by which way, and that others are not concerned. */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <time.h>

#include "viaduct.skel.h"

#define MILLISECOND 1000000ull

static void limit(struct fixture *fixture, uint32_t ifindex, uint32_t port, uint32_t direction, uint64_t rate, uint64_t burst)
{
	struct vd_rate_key key = {.port_id = port, .direction = direction};
	struct vd_rate_value value = {.rate = rate, .burst = burst};

	PUT(fixture->bpf->maps.vd_rate, key, value);
	change_port_flags(fixture, ifindex, direction == VD_RATE_DIRECTION_IN ? VD_PORT_FLAG_RATE_IN : VD_PORT_FLAG_RATE_OUT, 0);
	bump(fixture, endpoint_slot(RED, "10.0.0.2"));
	bump(fixture, endpoint_slot(RED, "10.0.1.2"));
}

static struct vd_rate_value read_rate(struct fixture *fixture, uint32_t port, uint32_t direction)
{
	struct vd_rate_key key = {.port_id = port, .direction = direction};
	struct vd_rate_value value;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_rate, &key, sizeof(key), &value, sizeof(value), 0), 0);
	return value;
}

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 5353,
				    .payload = 1000 - ETH_HLEN - 28};
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

/* How many of count packets at once pass. */
static unsigned send_burst(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, unsigned count)
{
	struct packet packet;
	unsigned passed = 0;

	packet_build(spec, &packet);
	for (unsigned i = 0; i < count; i++)
		passed += run_port(fixture, ifindex, &packet) == VERDICT_REDIRECT;
	return passed;
}

/* 100 bytes a second: whatever time the test takes, nothing comes back in it. Ten packets of 1000 bytes, and the one that is over. */
#define SLOW 100
#define TEN_PACKETS (95000 * MILLISECOND)

static void test_sender_is_limited(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2"), back = udp(MAC_C, "10.0.1.2", "10.0.0.2");
	struct vd_flow flow;

	limit(fixture, fixture->ifindex_a, PORT_A, VD_RATE_DIRECTION_OUT, SLOW, TEN_PACKETS);
	new_drops(fixture, VD_DROP_REASON_RATE_LIMIT);
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &spec, 30), 10);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_RATE_LIMIT), 20);
	assert_int_equal(read_rate(fixture, PORT_A, VD_RATE_DIRECTION_OUT).packets, 20);
	assert_int_equal(read_rate(fixture, PORT_A, VD_RATE_DIRECTION_OUT).bytes, 20000);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, &flow));
	assert_int_equal(flow.flags & (VD_FLOW_FLAG_RATE_IN | VD_FLOW_FLAG_RATE_OUT), VD_FLOW_FLAG_RATE_OUT);
	/* All of its flows share it; and what it receives is not limited by it. */
	spec.source_port = 1001;
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &spec, 5), 0);
	spec = udp(MAC_A, "10.0.0.2", "10.0.0.1");
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &spec, 5), 0);
	assert_int_equal(send_burst(fixture, fixture->ifindex_c, &back, 30), 30);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_c, &back, &flow));
	assert_int_equal(flow.flags & (VD_FLOW_FLAG_RATE_IN | VD_FLOW_FLAG_RATE_OUT), 0);
}

static void test_receiver_is_limited(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec from_a = udp(MAC_A, "10.0.0.2", "10.0.1.2"), from_b = udp(MAC_B, "10.0.0.3", "10.0.1.2");
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2"), tunnel = udp(MAC_D, "10.0.0.4", "10.0.1.2");
	struct packet packet;

	limit(fixture, fixture->ifindex_c, PORT_C, VD_RATE_DIRECTION_IN, SLOW, TEN_PACKETS);
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &from_a, 5), 5);
	assert_int_equal(send_burst(fixture, fixture->ifindex_b, &from_b, 30), 5);
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &v6, 5), 0);
	tunnel.destination_mac = MAC_C;
	packet_build(&tunnel, &packet);
	new_drops(fixture, VD_DROP_REASON_RATE_LIMIT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_tunnel(fixture, 100, "192.0.2.2", &packet), VERDICT_DROP);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_RATE_LIMIT), 3);
}

/* A packet that is cut in pieces later counts as those, with headers of their own. */
static void test_segments_count_with_their_headers(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	uint64_t begin, end, spent, cost = 3000 + 3 * (ETH_HLEN + 28);
	struct packet packet;

	limit(fixture, fixture->ifindex_a, PORT_A, VD_RATE_DIRECTION_OUT, 1000000000, TEN_PACKETS);
	spec.payload = 3000;
	packet_build(&spec, &packet);
	fixture->gso_size = 1000;
	for (int i = 0; i < 3; i++) {
		begin = read_rate(fixture, PORT_A, VD_RATE_DIRECTION_OUT).spent;
		if (begin < now())
			begin = now();
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		spent = read_rate(fixture, PORT_A, VD_RATE_DIRECTION_OUT).spent;
		end = now();
		/* One byte is one nanosecond. It began with the program's own now, which lies between our two, or with what was spent before. */
		assert_in_range(spent, begin + cost, (end > begin ? end : begin) + cost);
	}
	/* From a bucket that is ahead of the clock it is exact. */
	{
		struct vd_rate_key key = {.port_id = PORT_A, .direction = VD_RATE_DIRECTION_OUT};
		struct vd_rate_value value = {.rate = 1000000000, .burst = TEN_PACKETS, .spent = now() + 1000 * MILLISECOND};

		assert_int_equal(
			bpf_map__update_elem(fixture->bpf->maps.vd_rate, &key, sizeof(key), &value, sizeof(value), BPF_ANY), 0);
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_int_equal(read_rate(fixture, PORT_A, VD_RATE_DIRECTION_OUT).spent - value.spent, cost);
		fixture->gso_size = 0;
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	}
}

/* What passes over a while is the rate, and the burst once. */
static void test_rate_holds_over_time(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	uint64_t begin, time = 0, before, lost = 0;
	unsigned passed = 0, wanted;

	limit(fixture, fixture->ifindex_a, PORT_A, VD_RATE_DIRECTION_OUT, 1000000, 20 * MILLISECOND);
	begin = now();
	do {
		before = time;
		passed += send_burst(fixture, fixture->ifindex_a, &spec, 20);
		time = now() - begin;
		if (time - before > 20 * MILLISECOND)
			lost += time - before - 20 * MILLISECOND;
	} while (time - lost < 500 * MILLISECOND);
	/* A packet is a millisecond. What the machine was busy elsewhere beyond the burst is lost, which lets nobody send more. */
	wanted = (unsigned)((time + 20 * MILLISECOND) / MILLISECOND);
	assert_true(passed <= wanted + 2);
	wanted = (unsigned)((time - lost) / MILLISECOND);
	assert_true(passed >= wanted / 4);
}

/* Of a limit without room for a whole packet one at a time passes, or nothing ever would. */
static void test_smallest_burst_lets_single_packets_pass(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.1.2");

	limit(fixture, fixture->ifindex_a, PORT_A, VD_RATE_DIRECTION_OUT, SLOW, 0);
	assert_int_equal(send_burst(fixture, fixture->ifindex_a, &spec, 5), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_sender_is_limited),
		TEST(test_receiver_is_limited),
		TEST(test_segments_count_with_their_headers),
		TEST(test_rate_holds_over_time),
		TEST(test_smallest_burst_lets_single_packets_pass),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
