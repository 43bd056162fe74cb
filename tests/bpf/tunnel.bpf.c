// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* For the tests: gives a packet the tunnel metadata that a test run cannot have, then hands it to the overlay program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} next SEC(".maps");

__u32 vni;
__u32 sender; /* IPv4, host byte order; 0: sender6 */
__u32 sender6[4];

SEC("tc")
int tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = vni, .tunnel_ttl = 64};
	__u64 flags = 0;

	key.local_ipv4 = sender;
	if (!sender) {
		__builtin_memcpy(key.local_ipv6, sender6, sizeof(sender6));
		flags = BPF_F_TUNINFO_IPV6;
	}
	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags))
		return 100;
	bpf_tail_call(skb, &next, 0);
	return 101;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
