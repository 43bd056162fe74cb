/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_LEARN_H
#define VD_LIB_LEARN_H

#include "dependency.h"

static __always_inline void vd_learn_bump(__u32 slot)
{
	struct vd_generations *generations = vd_generations_here();

	if (generations)
		__sync_fetch_and_add(&generations->value[slot & (VD_GENERATION_SLOTS - 1)], 1);
}

/*
 * What ARP and ND on a network say, for addresses that somebody wants to know (others have no entry). A changed MAC replaces the
 * entry as a whole, since readers take no lock, and then makes the flows to it stale.
 */
static __noinline int vd_learn(__u8 family, __u32 network, const union vd_addr *address, const __u8 *mac)
{
	struct vd_neighbour_key key = {.network = network, .address = *address};
	struct vd_neighbour_value *neighbour = bpf_map_lookup_elem(&vd_neighbour, &key), fresh;
	__u64 now;

	if (!neighbour || (mac[0] & 1) || !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return 0;
	now = bpf_ktime_get_coarse_ns();
	if (neighbour->known && vd_mac_equal(neighbour->mac, mac)) {
		neighbour->confirmed = now;
		return 0;
	}
	fresh = *neighbour;
	vd_mac_copy(fresh.mac, mac);
	fresh.family = family;
	fresh.known = 1;
	fresh.confirmed = now;
	if (!bpf_map_update_elem(&vd_neighbour, &key, &fresh, BPF_EXIST))
		vd_learn_bump(vd_slot_endpoint(network, address));
	return 0;
}

/* Who asks for an address of ours is about to speak to it and will want an answer, as the kernel's own neighbour table has it. */
static __always_inline void vd_learn_asker(__u8 family, __u32 network, const union vd_addr *address, const __u8 *mac)
{
	struct vd_neighbour_key key = {.network = network, .address = *address};
	struct vd_neighbour_value fresh = {.family = family, .known = 1, .confirmed = bpf_ktime_get_coarse_ns()};

	if (!network || (mac[0] & 1) || !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return;
	vd_mac_copy(fresh.mac, mac);
	bpf_map_update_elem(&vd_neighbour, &key, &fresh, BPF_NOEXIST);
}

#endif
