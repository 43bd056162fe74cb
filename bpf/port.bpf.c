// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * At the tc ingress of each port's link on the host: everything that an instance (or a router's namespace) sends.
 * A hit in the flow cache is forwarded here; everything else goes on by tail call.
 */
#include "lib/drop.h"
#include "lib/flow.h"

static __always_inline int vd_port_forward(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return -1;
	vd_flow_pull(skb);
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct vd_flow4_key key = {.ingress = skb->ifindex, .ingress_type = VD_INGRESS_PORT};

		return vd_flow4_forward(skb, &key, false, 0);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct vd_flow6_key key = {.ingress = skb->ifindex, .ingress_type = VD_INGRESS_PORT};

		return vd_flow6_forward(skb, &key, false, 0);
	}
	return -1;
}

SEC("tc")
int vd_port_ingress(struct __sk_buff *skb)
{
	int verdict;

	if (!vd_tracing) {
		verdict = vd_port_forward(skb);
		if (verdict >= 0)
			return verdict;
	}
	bpf_tail_call(skb, &vd_programs, vd_tracing ? VD_PROGRAM_COUNT + VD_PROGRAM_DECIDE : VD_PROGRAM_DECIDE);
	return vd_drop_quietly(skb, VD_DROP_REASON_INTERNAL);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
