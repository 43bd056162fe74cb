// SPDX-License-Identifier: Apache-2.0
/*
 * Nanoseconds of one run of a pinned program on a 64-byte UDP packet, over the live maps: on a flow that the cache has (hit), and on flows
 * that it has not (miss, by the tail calls). Runs in the host's namespace; nothing is sent. One line of JSON.
 * usage: program PINNED-PROGRAM IFNAME SOURCE-MAC DESTINATION-MAC SOURCE DESTINATION FIRST-FLOW
 * Runs repeat on the packet that the run before left: take source and destination of one subnet, whose packets are rewritten to themselves.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SIZE 64
#define HIT_REPEAT 1000000
#define SAMPLES 2000
#define PORT_FIRST 20000

struct run {
	int program;
	unsigned ifindex;
	unsigned char frame[FRAME_SIZE];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "program: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void frame_fill(unsigned char frame[FRAME_SIZE], char **argv)
{
	static const unsigned char fixed[] = {0x08, 0x00, 0x45, 0, 0, FRAME_SIZE - 14, 0, 0, 0x40, 0, 64, 17, 0, 0};
	struct ether_addr mac;
	unsigned sum = 0;

	for (int i = 0; i < 2; i++) {
		if (!ether_aton_r(argv[3 + i], &mac))
			die(argv[3 + i]);
		memcpy(frame + 6 * !i, &mac, 6);
	}
	memcpy(frame + 12, fixed, sizeof(fixed));
	if (inet_pton(AF_INET, argv[5], frame + 26) != 1 || inet_pton(AF_INET, argv[6], frame + 30) != 1)
		die("an address");
	for (int i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	frame[24] = sum >> 8;
	frame[25] = sum;
	frame[39] = FRAME_SIZE - 34; /* length of UDP; its checksum stays 0: none */
}

/* Nanoseconds of a run, the mean of repeat. */
static unsigned run(struct run *run, unsigned flow, unsigned repeat, unsigned *ret_verdict)
{
	unsigned char out[256];
	struct __sk_buff context = {.ifindex = run->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->frame, .data_size_in = sizeof(run->frame), .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = repeat);
	unsigned source_port = PORT_FIRST + flow % 40000, destination_port = PORT_FIRST + flow / 40000;

	run->frame[34] = source_port >> 8;
	run->frame[35] = source_port;
	run->frame[36] = destination_port >> 8;
	run->frame[37] = destination_port;
	if (bpf_prog_test_run_opts(run->program, &options) < 0)
		die("run");
	*ret_verdict = options.retval;
	return options.duration;
}

static int unsigned_compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

/* Single runs: also what starting one costs, so compare them with each other. */
static unsigned median_of_single(struct run *state, unsigned flow, bool is_new)
{
	static unsigned sample[SAMPLES];
	unsigned verdict;

	for (int i = 0; i < SAMPLES; i++)
		sample[i] = run(state, is_new ? flow + i : flow, 1, &verdict);
	qsort(sample, SAMPLES, sizeof(*sample), unsigned_compare);
	return sample[SAMPLES / 2];
}

int main(int argc, char **argv)
{
	struct run state = {0};
	unsigned verdict_miss, verdict_hit, flow;

	if (argc != 8) {
		fprintf(stderr, "usage: program PINNED-PROGRAM IFNAME SOURCE-MAC DESTINATION-MAC SOURCE DESTINATION FIRST-FLOW\n");
		return 2;
	}
	state.program = bpf_obj_get(argv[1]);
	state.ifindex = if_nametoindex(argv[2]);
	if (state.program < 0 || !state.ifindex)
		die(state.program < 0 ? argv[1] : argv[2]);
	frame_fill(state.frame, argv);
	flow = strtoul(argv[7], NULL, 0);
	run(&state, flow, 1, &verdict_miss);
	unsigned hit = run(&state, flow, HIT_REPEAT, &verdict_hit);
	unsigned hit_single = median_of_single(&state, flow, false), miss_single = median_of_single(&state, flow + 1, true);
	printf("{\"hit_ns\": %u, \"single_hit_ns\": %u, \"single_miss_ns\": %u, \"verdict_miss\": %u, \"verdict_hit\": %u}\n", hit,
	       hit_single, miss_single, verdict_miss, verdict_hit);
	return 0;
}
