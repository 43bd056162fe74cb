/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_LEARN_H
#define VD_LIB_LEARN_H

#include "dependency.h"

/*
 * New entries and questions a second: of a VPC's instances, of a host, and of strangers on a network. What nobody answers goes after
 * seconds (the agent's care), so that a scan of a wide network never fills the table: 10 s of the host's, 10 minutes of a network's.
 */
#define VD_QUESTIONS_VPC 128
#define VD_QUESTIONS_HOST 4096
#define VD_QUESTIONS_STRANGERS 16
#define VD_QUESTIONS_OF_STRANGERS 0x80000000U

/* Whether one more may be asked. Two CPUs at the change of a second may count one too few. */
static __noinline bool vd_question_may(__u32 asker, __u32 limit)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct vd_question_value *questions = bpf_map_lookup_elem(&vd_question, &asker), fresh = {.since = now, .count = 1};

	if (!questions) {
		bpf_map_update_elem(&vd_question, &asker, &fresh, BPF_ANY);
		return true;
	}
	if (now - questions->since >= VD_SECOND) {
		questions->since = now;
		questions->count = 0;
	}
	if (questions->count >= limit)
		return false;
	__sync_fetch_and_add(&questions->count, 1);
	return true;
}

/*
 * A packet goes to a neighbour by what is cached: it is wanted. False: it is not known any more, and decide has to look.
 */
static __always_inline bool vd_learn_wanted(const struct vd_flow *flow, __u64 now)
{
	struct vd_neighbour_key key = {.network = flow->vni, .address = flow->vtep};
	struct vd_neighbour_value *neighbour;

	if (flow->output != VD_OUTPUT_UPLINK || !flow->vtep_family)
		return true;
	neighbour = bpf_map_lookup_elem(&vd_neighbour, &key);
	if (!neighbour)
		return false;
	neighbour->asked = now;
	return true;
}

static __always_inline void vd_learn_bump(__u32 slot)
{
	struct vd_generations *generations = vd_generations_here();

	if (generations)
		__sync_fetch_and_add(&generations->value[slot & (VD_GENERATION_SLOTS - 1)], 1);
}

/* Somebody waits for it. */
static __always_inline void vd_learn_tell(__u8 family, __u32 network, const union vd_addr *address)
{
	struct vd_neighbour_event *event = bpf_ringbuf_reserve(&vd_neighbour_events, sizeof(*event), 0);

	if (!event)
		return;
	event->network = network;
	event->family = family;
	event->address = *address;
	event->known = 1;
	event->size = 0;
	bpf_ringbuf_submit(event, 0);
}

/*
 * What ARP and ND on a network say, for addresses that somebody wants to know (others have no entry). A changed MAC replaces the
 * entry as a whole, since readers take no lock, and then makes the flows to it stale.
 */
static __noinline int vd_learn(__u8 family, __u32 network, const union vd_addr *address, const __u8 *mac)
{
	struct vd_neighbour_key key = {.network = network, .address = *address};
	struct vd_neighbour_value *neighbour = bpf_map_lookup_elem(&vd_neighbour, &key), fresh;
	bool was_known;
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
	was_known = neighbour->known;
	if (bpf_map_update_elem(&vd_neighbour, &key, &fresh, BPF_EXIST))
		return 0;
	vd_learn_bump(vd_slot_endpoint(network, address));
	if (!was_known)
		vd_learn_tell(family, network, address);
	return 0;
}

/* Who asks for an address of ours is about to speak to it and will want an answer, as the kernel's own neighbour table has it. */
static __always_inline void vd_learn_asker(__u8 family, __u32 network, const union vd_addr *address, const __u8 *mac)
{
	struct vd_neighbour_key key = {.network = network, .address = *address};
	struct vd_neighbour_value fresh = {.family = family, .known = 1, .confirmed = bpf_ktime_get_coarse_ns()};

	if (!network || (mac[0] & 1) || !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return;
	if (bpf_map_lookup_elem(&vd_neighbour, &key) ||
	    !vd_question_may(network | VD_QUESTIONS_OF_STRANGERS, VD_QUESTIONS_STRANGERS))
		return;
	vd_mac_copy(fresh.mac, mac);
	bpf_map_update_elem(&vd_neighbour, &key, &fresh, BPF_NOEXIST);
}

#endif
