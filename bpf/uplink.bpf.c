// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* At the tc ingress of each uplink: what comes from a provider network. What is not ours passes untouched: it is the host's own. */
#include "lib/drop.h"

SEC("tc")
int vd_uplink_ingress(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
