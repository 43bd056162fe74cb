/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_UPLINK_H
#define VD_HOST_UPLINK_H

#include "host/host.h"

/*
 * An interface of the host that leads to a physical network: a NIC, a bond, a veth. It stays the host's own: beside the data plane's
 * program (datapath) it gets MAC filters for the instances on it, and nothing else of it is changed.
 */
struct vd_host_uplink {
	uint32_t ifindex, mtu;
	uint32_t vf_count; /* virtual functions made on it (SR-IOV) */
	char ifname[16];
	struct vd_mac mac;
	bool up;
};

/*
 * -ENODEV: no such interface now. -EINVAL, -EEXIST with a sentence: one that can never be an uplink (no Ethernet, the loopback, one
 * of Viaduct's).
 */
int vd_host_uplink_read(struct vd_host_net *net, const char *ifname, struct vd_host_uplink *ret, struct vd_error *error);

/*
 * The unicast MACs that an interface lets through beside its own become these, as far as they are ours: filters that others set stay.
 * Ours are noted in <run_directory>/uplink/<ifindex>, because the kernel keeps no mark on them. An interface that is gone: success.
 */
int vd_host_uplink_filters_ensure(struct vd_host_net *net, uint32_t ifindex, const struct vd_mac *macs, size_t count,
				  struct vd_error *error);
/* Calls back for each interface that we noted filters of. The callback may ensure that there are none. */
int vd_host_uplink_each_filtered(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata);

/*
 * Programs on an interface need its qdisc clsact. Made when it is missing, and then noted in <run_directory>/uplink/<ifindex>.hook; released
 * (only one that is noted, and only when nobody's filter is left there), it is as it was found. An interface that is gone: success.
 */
int vd_host_uplink_hook_ensure(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error);
int vd_host_uplink_hook_release(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error);
/* Calls back for each interface that a hook is noted of. The callback may release it. */
int vd_host_uplink_each_hooked(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata);

/* Takes all of ours away: filters, and hooks that are empty by now. */
int vd_host_uplink_purge(struct vd_host_net *net, struct vd_error *error);

#endif
