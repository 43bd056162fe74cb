// SPDX-License-Identifier: Apache-2.0
/* The flow cache: what stands in it, who gives way, and what two CPUs do to each other. */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "viaduct.skel.h"

#define SLOTS 64

static struct packet_spec to(const char *destination, uint16_t port)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = "10.0.0.2",
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = port,
				    .destination_port = 53};
}

/* The first packet of a connection leaves nothing in the cache, the second one does. */
static void send_twice(struct fixture *fixture, const struct packet_spec *spec)
{
	struct packet packet;

	packet_build(spec, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
}

static bool hits(struct fixture *fixture, const struct packet_spec *spec)
{
	uint64_t before = read_hits(fixture);
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	return read_hits(fixture) > before;
}

static struct vd_flow_slot slot_read(struct fixture *fixture, uint32_t number)
{
	struct vd_flow_slot slot;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_flow4, &number, sizeof(number), &slot, sizeof(slot), 0), 0);
	return slot;
}

static void slot_write(struct fixture *fixture, uint32_t number, const struct vd_flow_slot *slot)
{
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_flow4, &number, sizeof(number), slot, sizeof(*slot), BPF_ANY),
			 0);
}

static uint16_t slot_port(const struct vd_flow_slot *slot)
{
	struct vd_flow4_key key;

	memcpy(&key, slot->key, sizeof(key));
	return ntohs(key.source_port);
}

/* The port of the flow that stands in each slot; 0: none. */
static void ports_read(struct fixture *fixture, uint16_t ret[SLOTS])
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct vd_flow_slot slot = slot_read(fixture, i);

		ret[i] = slot.sequence ? slot_port(&slot) : 0;
	}
}

static unsigned index_entries(struct fixture *fixture)
{
	struct bpf_map *map = fixture->bpf->maps.vd_flow4_index;
	struct vd_flow_bucket bucket;
	unsigned count = 0;

	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++) {
		assert_int_equal(bpf_map__lookup_elem(map, &i, sizeof(i), &bucket, sizeof(bucket), 0), 0);
		for (unsigned j = 0; j < VD_FLOW_BUCKET_ENTRIES; j++)
			count += bucket.entry[j] != 0;
	}
	return count;
}

static void next_set(struct fixture *fixture, uint32_t number)
{
	struct vd_flow_head head;
	uint32_t zero = 0;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_flow_head, &zero, sizeof(zero), &head, sizeof(head), 0), 0);
	head.next4 = number;
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_flow_head, &zero, sizeof(zero), &head, sizeof(head), BPF_ANY),
			 0);
}

/* All of it is used, by flows of ports 1000 and up, and every one is found. */
static void fill(struct fixture *fixture)
{
	for (uint16_t i = 0; i < SLOTS; i++) {
		struct packet_spec spec = to("10.0.1.2", 1000 + i);

		send_twice(fixture, &spec);
	}
}

static void test_flows_stand_as_they_came(void **state)
{
	struct fixture *fixture = *state;
	uint16_t ports[SLOTS];

	fill(fixture);
	ports_read(fixture, ports);
	for (uint16_t i = 0; i < SLOTS; i++)
		assert_int_equal(ports[i], 1000 + i);
	assert_int_equal(index_entries(fixture), SLOTS);
	for (uint16_t i = 0; i < SLOTS; i++) {
		struct packet_spec spec = to("10.0.1.2", 1000 + i);

		assert_true(hits(fixture, &spec));
	}
}

/* Decided anew, a flow stays where it is. */
static void test_stale_flow_keeps_its_slot(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = to("10.0.1.2", 1000);
	struct vd_flow_slot before, after;

	send_twice(fixture, &spec);
	before = slot_read(fixture, 0);
	bump(fixture, vd_slot_port(PORT_A));
	assert_false(hits(fixture, &spec));
	assert_true(hits(fixture, &spec));
	after = slot_read(fixture, 0);
	assert_int_equal(after.sequence, before.sequence + 2);
	assert_int_equal(slot_read(fixture, 1).sequence, 0);
	assert_int_equal(index_entries(fixture), 1);
}

static void test_idle_flow_gives_way(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = to("10.0.1.2", 2000), idle = to("10.0.1.2", 1003);
	struct vd_flow_slot slot;
	uint16_t ports[SLOTS];

	fill(fixture);
	slot = slot_read(fixture, 3);
	slot.flow.last_seen -= 61000000000ULL;
	slot_write(fixture, 3, &slot);
	slot = slot_read(fixture, 5); /* longer ago, but the first one is good enough */
	slot.flow.last_seen -= 90000000000ULL;
	slot_write(fixture, 5, &slot);
	next_set(fixture, 1);
	send_twice(fixture, &spec);
	ports_read(fixture, ports);
	for (uint16_t i = 0; i < SLOTS; i++)
		assert_int_equal(ports[i], i == 3 ? 2000 : 1000 + i);
	assert_int_equal(index_entries(fixture), SLOTS);
	assert_true(hits(fixture, &spec));
	assert_false(hits(fixture, &idle));
}

static void test_least_recently_used_of_a_few_gives_way(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = to("10.0.1.2", 2000);
	struct vd_flow_slot slot;
	uint16_t ports[SLOTS];

	fill(fixture);
	for (uint32_t i = 0; i < 3; i++) {
		static const struct {
			uint32_t number;
			uint64_t idle;
		} olds[] = {{62, 5000000000ULL}, {2, 20000000000ULL}, {10, 50000000000ULL}}; /* the last one is not asked */

		slot = slot_read(fixture, olds[i].number);
		slot.flow.last_seen -= olds[i].idle;
		slot_write(fixture, olds[i].number, &slot);
	}
	next_set(fixture, 60); /* and over the end */
	send_twice(fixture, &spec);
	ports_read(fixture, ports);
	for (uint16_t i = 0; i < SLOTS; i++)
		assert_int_equal(ports[i], i == 2 ? 2000 : 1000 + i);
}

/* Whoever comes meanwhile is decided, and leaves the slot to who writes it. */
static void test_what_is_being_written_answers_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = to("10.0.1.2", 1000);
	struct vd_flow_slot slot, after;

	send_twice(fixture, &spec);
	slot = slot_read(fixture, 0);
	slot.sequence++;
	slot_write(fixture, 0, &slot);
	assert_false(hits(fixture, &spec));
	assert_false(hits(fixture, &spec));
	after = slot_read(fixture, 0);
	assert_memory_equal(&after, &slot, sizeof(slot));
	assert_int_equal(slot_read(fixture, 1).sequence, 0);
	slot.sequence++;
	slot_write(fixture, 0, &slot);
	assert_true(hits(fixture, &spec));
}

/* A sequence that comes round is not that of a slot that was never used. */
static void test_sequence_comes_round(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = to("10.0.1.2", 1000);
	struct vd_flow_slot slot;

	send_twice(fixture, &spec);
	slot = slot_read(fixture, 0);
	slot.sequence = -2;
	slot_write(fixture, 0, &slot);
	bump(fixture, vd_slot_port(PORT_A));
	assert_false(hits(fixture, &spec));
	assert_int_equal(slot_read(fixture, 0).sequence, 2);
	assert_true(hits(fixture, &spec));
}

/* ---- two CPUs, many more flows than slots, to two instances ---- */

#define FLOWS_OF_ONE (2 * SLOTS)
#define PACKETS_OF_ONE 400000

struct sender {
	int program;
	uint32_t ifindex;
	unsigned cpu;
	const char *source_mac, *destination_mac;
	uint8_t ttl;
	struct packet packets[FLOWS_OF_ONE];
	unsigned wrong, dropped, failed;
};

static void *sender_run(void *argument)
{
	struct sender *sender = argument;
	struct packet out = {};
	unsigned random = sender->cpu + 1;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sender->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (unsigned i = 0; i < PACKETS_OF_ONE; i++) {
		/* Half of the packets are of four flows that stay. */
		const struct packet *packet = &sender->packets[rand_r(&random) % (i & 1 ? 4 : FLOWS_OF_ONE)];
		struct __sk_buff context = {.ifindex = sender->ifindex};
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->size, .data_out = out.data,
			    .data_size_out = sizeof(out.data), .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

		if (bpf_prog_test_run_opts(sender->program, &options))
			sender->failed++;
		out.size = options.data_size_out;
		if (options.retval == VERDICT_DROP)
			sender->dropped++;
		else if (options.retval != VERDICT_REDIRECT ||
			 !packet_has_macs(&out, sender->source_mac, sender->destination_mac) || packet_ttl(&out) != sender->ttl)
			sender->wrong++;
	}
	return NULL;
}

/* A packet goes as its own flow says, or, rarely, not at all: never as a mixture of two flows, nor as somebody else's. */
static void test_cpus_never_mix_flows(void **state)
{
	struct fixture *fixture = *state;
	static struct sender senders[] = {{.cpu = 0, .source_mac = MAC_A, .destination_mac = MAC_B, .ttl = 64},
					  {.cpu = 1, .source_mac = MAC_GATEWAY, .destination_mac = MAC_C, .ttl = 63}};
	struct vd_share_value share = {.limit = 4096};
	uint32_t domain = RED;
	uint64_t before = read_hits(fixture), replaced;
	pthread_t threads[2];

	new_drops(fixture, VD_DROP_REASON_FLOW_REPLACED);
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_share, &domain, sizeof(domain), &share, sizeof(share), BPF_ANY),
			 0);
	for (int i = 0; i < 2; i++) {
		senders[i].program = bpf_program__fd(fixture->bpf->progs.vd_port_ingress);
		senders[i].ifindex = fixture->ifindex_a;
		for (uint16_t flow = 0; flow < FLOWS_OF_ONE; flow++) {
			struct packet_spec spec = to(i ? "10.0.1.2" : "10.0.0.3", 1000 + flow);

			packet_build(&spec, &senders[i].packets[flow]);
		}
		assert_int_equal(pthread_create(&threads[i], NULL, sender_run, &senders[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	replaced = new_drops(fixture, VD_DROP_REASON_FLOW_REPLACED);
	print_message("%llu hits of %d, %llu replaced while they were read\n", (unsigned long long)(read_hits(fixture) - before),
		      2 * PACKETS_OF_ONE, (unsigned long long)replaced);
	assert_true(read_hits(fixture) - before > PACKETS_OF_ONE / 10);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(senders[i].failed, 0);
		assert_int_equal(senders[i].wrong, 0);
	}
	assert_int_equal(senders[0].dropped + senders[1].dropped, replaced);
	/* What they left is whole: nobody writes any more, and every slot that a flow has is spoken of at most once. */
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(slot_read(fixture, i).sequence & 1, 0);
	assert_true(index_entries(fixture) <= SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flows_stand_as_they_came, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_stale_flow_keeps_its_slot, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_idle_flow_gives_way, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_least_recently_used_of_a_few_gives_way, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_being_written_answers_nobody, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sequence_comes_round, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_cpus_never_mix_flows, fixture_setup, fixture_teardown),
	};
	int error;

	fixture_flow_slots = SLOTS;
	error = fixture_enter();
	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
