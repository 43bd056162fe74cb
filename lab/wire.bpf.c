// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the lab does on provider segments: VLAN tags of outside nodes, in place of 802.1Q devices that the kernel may not have, and a
 * book of who sends there. clang builds it when a lab with an outside comes up.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} vlan SEC(".maps");

static __u32 own_vlan(void)
{
	__u32 zero = 0, *found = bpf_map_lookup_elem(&vlan, &zero);

	return found ? *found : 0;
}

/* Out of the node: it knows of no tags. */
SEC("tc")
int push(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), own_vlan()) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Into the node: its own VLAN only. */
SEC("tc")
int pop(struct __sk_buff *skb)
{
	if (!skb->vlan_present || (skb->vlan_tci & 0xfff) != own_vlan())
		return TC_ACT_SHOT;
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Into a node without a VLAN. */
SEC("tc")
int untagged(struct __sk_buff *skb)
{
	return skb->vlan_present ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Who was seen to send to whom, from which port of the segment. lab/watcher.py reads it: struct.unpack("<IHH16s16s"). */
struct conversation {
	__u32 ifindex;
	__u16 vlan;
	__u16 protocol; /* ETH_P_IP, _IPV6, _ARP */
	__u8 source[16], destination[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct conversation);
	__type(value, __u64);
} seen SEC(".maps");

/* Packets that did not fit into it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unseen SEC(".maps");

static bool read_addresses(struct __sk_buff *skb, struct conversation *key)
{
	/* Offsets of the addresses; the tag, if there is one, is beside the packet. */
	switch (key->protocol) {
	case ETH_P_IP:
		return !bpf_skb_load_bytes(skb, 26, key->source, 4) && !bpf_skb_load_bytes(skb, 30, key->destination, 4);
	case ETH_P_ARP:
		return !bpf_skb_load_bytes(skb, 28, key->source, 4) && !bpf_skb_load_bytes(skb, 38, key->destination, 4);
	case ETH_P_IPV6:
		return !bpf_skb_load_bytes(skb, 22, key->source, 16) && !bpf_skb_load_bytes(skb, 38, key->destination, 16);
	}
	return false;
}

SEC("tc")
int watch(struct __sk_buff *skb)
{
	struct conversation key = {.ifindex = skb->ingress_ifindex, .protocol = bpf_ntohs(skb->protocol)};
	__u64 one = 1, *count;
	__u32 zero = 0;

	if (skb->vlan_present)
		key.vlan = skb->vlan_tci & 0xfff;
	if (!read_addresses(skb, &key))
		return TC_ACT_OK;
	count = bpf_map_lookup_elem(&seen, &key);
	if (!count && bpf_map_update_elem(&seen, &key, &one, BPF_NOEXIST)) {
		count = bpf_map_lookup_elem(&seen, &key);
		if (!count)
			count = bpf_map_lookup_elem(&unseen, &zero);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
