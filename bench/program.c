// SPDX-License-Identifier: Apache-2.0
/*
 * Nanoseconds of one run of a pinned program on a 64-byte UDP packet, over the live maps: on a flow that the cache has (hit), and on
 * flows that are all new (new, by the tail calls). Runs in the host's namespace; nothing is sent. What putting the packet back costs
 * each time is taken off. One line of JSON.
 * usage: program PINNED-PROGRAM IFNAME SOURCE-MAC DESTINATION-MAC SOURCE DESTINATION FIRST-FLOW NEW-FLOWS [PORT COUNT]
 * Flows are packets.bpf.c's with scattered ports: new ones are FIRST-FLOW + 1 and what follows.
 */
#include "program.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SIZE 64
#define HIT_REPEAT 1000000
#define PORT_FIRST 10000
#define PORT_COUNT 20000

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "program: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void frame_fill(unsigned char *frame, char **argv)
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

/* Nanoseconds of a run of what `again` goes on to, the mean of repeat. */
static unsigned run(struct program_bpf *skeleton, unsigned ifindex, int program, unsigned flow, unsigned step, unsigned repeat,
		    unsigned *ret_verdict)
{
	unsigned char packet[FRAME_SIZE] = {0};
	struct __sk_buff context = {.ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = repeat);
	unsigned zero = 0;

	/* The kernel wants to see IPv4 before `again` has written it. */
	memcpy(packet, skeleton->bss->frame, sizeof(skeleton->bss->frame));
	skeleton->bss->flow = flow;
	skeleton->bss->flow_step = step;
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.next), &zero, &program, BPF_ANY) < 0 ||
	    bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.again), &options) < 0)
		die("run");
	*ret_verdict = options.retval;
	return options.duration;
}

int main(int argc, char **argv)
{
	if (argc != 9 && argc != 11) {
		fprintf(stderr,
			"usage: program PINNED-PROGRAM IFNAME SOURCE-MAC DESTINATION-MAC SOURCE DESTINATION FIRST-FLOW NEW-FLOWS "
			"[PORT COUNT]\n");
		return 2;
	}
	struct program_bpf *skeleton = program_bpf__open_and_load();
	if (!skeleton)
		die("load");
	int program = bpf_obj_get(argv[1]), nothing = bpf_program__fd(skeleton->progs.nothing);
	unsigned ifindex = if_nametoindex(argv[2]), flow = strtoul(argv[7], NULL, 0), flows = strtoul(argv[8], NULL, 0);
	if (program < 0 || !ifindex)
		die(program < 0 ? argv[1] : argv[2]);
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		die("pin to CPU 0");
	frame_fill(skeleton->bss->frame, argv);
	skeleton->bss->destination_first = argc == 11 ? strtoul(argv[9], NULL, 0) : PORT_FIRST;
	skeleton->bss->destination_count = argc == 11 ? strtoul(argv[10], NULL, 0) : PORT_COUNT;

	unsigned verdict, verdict_hit, verdict_new;
	unsigned again = run(skeleton, ifindex, nothing, flow, 0, HIT_REPEAT, &verdict);
	/* The first packet begins the connection, the second is cached. */
	unsigned hit = run(skeleton, ifindex, program, flow, 0, HIT_REPEAT, &verdict_hit);
	unsigned new = run(skeleton, ifindex, program, flow + 1, 1, flows, &verdict_new);
	printf("{\"again_ns\": %u, \"hit_ns\": %d, \"new_ns\": %d, \"verdict_hit\": %u, \"verdict_new\": %u}\n", again,
	       (int)(hit - again), (int)(new - again), verdict_hit, verdict_new);
	program_bpf__destroy(skeleton);
	return 0;
}
