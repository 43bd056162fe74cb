// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* At the tc ingress of the collect-metadata VXLAN device: everything that other hosts send. */
#include "lib/drop.h"
#include "lib/flow.h"

static __always_inline int vd_overlay_forward(struct __sk_buff *skb)
{
	union vd_addr vtep;
	__u32 vni;

	if (skb->vlan_present || !vd_tunnel_read(skb, &vni, &vtep))
		return -1;
	vd_flow_pull(skb);
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct vd_flow4_key key = {.ingress = vni, .ingress_type = VD_INGRESS_TUNNEL};

		return vd_flow4_forward(skb, &key, true, vd_vtep_fold(&vtep));
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct vd_flow6_key key = {.ingress = vni, .ingress_type = VD_INGRESS_TUNNEL};

		return vd_flow6_forward(skb, &key, true, vd_vtep_fold(&vtep));
	}
	return -1;
}

SEC("tc")
int vd_overlay_ingress(struct __sk_buff *skb)
{
	int verdict;

	if (!vd_tracing) {
		verdict = vd_overlay_forward(skb);
		if (verdict >= 0)
			return verdict;
	}
	bpf_tail_call(skb, &vd_programs, vd_tracing ? VD_PROGRAM_COUNT + VD_PROGRAM_DECIDE : VD_PROGRAM_DECIDE);
	return vd_drop_quietly(skb, VD_DROP_REASON_INTERNAL);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
