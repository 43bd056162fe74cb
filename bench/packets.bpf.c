// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Load for the benchmarks: `generate` is run with live frames and sends UDP packets from an instance's interface, `count` counts
 * and drops them where they should arrive. Settings are globals that bench/packets.c writes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Bits of the flow's number that the source port carries; the rest goes to the destination port. */
#define SOURCE_PORT_BITS 15
#define SOURCE_PORT_FIRST 16384
#define SCATTER 40503 /* odd, of the golden ratio: neighbours in number land far apart */

/* Ethernet and IPv4, its checksum already right: nothing in them changes from packet to packet. */
__u8 header[sizeof(struct ethhdr) + sizeof(struct iphdr)];
__u32 flow_count; /* 0: each packet is a flow of its own */
__u32 flow_first;
__u32 flow_step;                            /* from one packet's flow to the next one's; 1: in their order */
__u32 destination_first, destination_count; /* ports */
__u32 scatter; /* 1: each flow's destination port is another one, all over them; 0: it changes when the source ports are used up */
__u64 generated; /* one CPU generates */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

/* Frames are recycled, and what they met may have rewritten them: everything is written anew each time. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct udphdr *udp = data + sizeof(header);
	if ((void *)(udp + 1) > data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, &header, sizeof(header));

	__u64 number = generated++ * flow_step;
	__u32 flow = flow_first + (flow_count ? number % flow_count : number);
	__u32 source = flow & ((1 << SOURCE_PORT_BITS) - 1), destination = flow >> SOURCE_PORT_BITS;
	if (scatter)
		destination += source * SCATTER >> 8;
	udp->source = bpf_htons(SOURCE_PORT_FIRST + source);
	udp->dest = bpf_htons(destination_first + destination % destination_count);
	udp->len = bpf_htons(data_end - (void *)udp);
	udp->check = 0;
	return XDP_TX;
}

/* Only what `generate` sent: ARP and the like go on to the stack. */
SEC("tc")
int count(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return TC_ACT_OK;
	__u16 port = bpf_ntohs(udp->dest);
	if (port < destination_first || port >= destination_first + destination_count)
		return TC_ACT_OK;
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&received, &zero);
	if (value)
		++*value;
	return TC_ACT_SHOT;
}

char licence[] SEC("license") = "Dual BSD/GPL";
