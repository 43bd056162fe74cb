// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For the tests: gives a frame the tag that a test run cannot have, as the kernel has it after taking it out of the frame; stands
 * behind the uplink's program as somebody else's filter, to tell what it sees; and gives a test run its packet
 * back that it has changed.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} next SEC(".maps");

__u32 protocol; /* 0x8100, 0x88a8 */
__u32 tag;      /* priority and VLAN */

SEC("tc")
int tag_push(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(protocol), tag))
		return 100;
	bpf_tail_call(skb, &next, 0);
	return 101;
}

__u8 again_frame[42]; /* Ethernet, IPv4, UDP */

/* As it came: what is run again and again would find its own translation otherwise. */
SEC("tc")
int again(struct __sk_buff *skb)
{
	bpf_skb_store_bytes(skb, 0, again_frame, sizeof(again_frame), 0);
	bpf_tail_call(skb, &next, 0);
	return 101;
}

__u32 witness_source; /* the last two bytes of the source MAC, to tell our frames from the kernel's */
__u32 witnessed, witnessed_tag, witnessed_size;

SEC("tc")
int witness(struct __sk_buff *skb)
{
	__u8 mac[2];

	if (bpf_skb_load_bytes(skb, 10, mac, sizeof(mac)) || (mac[0] << 8 | mac[1]) != witness_source)
		return TC_ACT_UNSPEC;
	witnessed++;
	witnessed_tag = skb->vlan_present ? skb->vlan_tci : 0;
	witnessed_size = skb->len;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
