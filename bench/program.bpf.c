// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Before each run of the program that is measured: the packet as it was, of the same flow or of the next one, since the run before may
 * have rewritten it. Settings are globals that bench/program.c writes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SOURCE_PORT_BITS 15
#define SOURCE_PORT_FIRST 16384
#define SCATTER 40503 /* as packets.bpf.c has it */

__u8 frame[sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr)];
__u32 flow, flow_step; /* step 0: always the same */
__u32 destination_first, destination_count;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} next SEC(".maps");

SEC("tc")
int again(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct udphdr *udp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);
	__u32 source = flow & ((1 << SOURCE_PORT_BITS) - 1), destination = (flow >> SOURCE_PORT_BITS) + (source * SCATTER >> 8);

	if (data + sizeof(frame) > data_end)
		return TC_ACT_SHOT;
	__builtin_memcpy(data, frame, sizeof(frame));
	udp->source = bpf_htons(SOURCE_PORT_FIRST + source);
	udp->dest = bpf_htons(destination_first + destination % destination_count);
	flow += flow_step;
	bpf_tail_call(skb, &next, 0);
	return TC_ACT_SHOT;
}

/* What `again` itself costs. */
SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char licence[] SEC("license") = "Dual BSD/GPL";
