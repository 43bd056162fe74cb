/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_ABI_GENERATION_H
#define VD_ABI_GENERATION_H

#include "maps.h"

/*
 * Which generation slot stands for what. The same in the kernel and in user space. A change bumps:
 *   a port (its flags, table, MAC, opened sources)           vd_slot_port
 *   an endpoint changed or removed, or added where a custom
 *   route or a wider prefix could have answered before       vd_slot_endpoint
 *   a route added, changed or removed                        vd_slot_table of its table and the domain's main one
 *   a domain (VNI, MTU, service port) or a subnet of it, and
 *   for every domain here: a host's tunnel address           vd_slot_domain
 *   a domain, for what comes from its peers                  vd_slot_table of its main table
 *   how a VPC's addresses are seen by a peer, also new       vd_slot_table of both main tables
 *   a policy: an entry that allowed something and is gone    vd_slot_policy
 *   a virtual IP, also a new one: what is behind it, who
 *   holds it, its forwards                                  vd_slot_vip
 *   an elastic IP of an inner address, also a new one       vd_slot_endpoint of the VPC and the inner address
 *   a neighbour's MAC on a network (also by the data plane)   vd_slot_endpoint of that network
 *   an exit (its host, its VIP, its next hop), an address
 *   that is routed inward, a list of policy routes: also
 *   new ones                                                vd_slot_domain
 * A network's VIPs, claims and neighbours go by the id that stands for its segment (vd_uplink).
 * Decide remembers by a port's and a domain's what it looked up for the packet before (lib/ingress.h): what no flow depends on yet but
 * stands in that memory has to bump them as well.
 * While a port is closed for a change (src/datapath/change.c), its flows go on, but what decide remembers of it must not: that has the
 * slot vd_slot_standing besides.
 * A new endpoint inside the VPC's CIDRs bumps nothing: no flow can have been installed to an address that no one had.
 * Nor does a rule that allows more: nothing that was refused is cached.
 */
static inline __attribute__((always_inline)) __u32 vd_mix(__u32 hash, __u32 word)
{
	hash ^= word;
	hash *= 0x9e3779b1u;
	return hash ^ (hash >> 15);
}

static inline __attribute__((always_inline)) __u32 vd_slot(__u32 hash)
{
	hash &= VD_GENERATION_SLOTS - 1;
	return hash ? hash : 1;
}

static inline __attribute__((always_inline)) __u32 vd_slot_port(__u32 port_id)
{
	return vd_slot(vd_mix(0x706f7274u, port_id));
}

static inline __attribute__((always_inline)) __u32 vd_slot_standing(__u32 port_id)
{
	return vd_slot(vd_mix(0x7374616eu, port_id));
}

static inline __attribute__((always_inline)) __u32 vd_slot_endpoint(__u32 domain, const union vd_addr *address)
{
	__u32 hash = vd_mix(0x656e6470u, domain);

	hash = vd_mix(hash, address->word[0]);
	hash = vd_mix(hash, address->word[1]);
	hash = vd_mix(hash, address->word[2]);
	return vd_slot(vd_mix(hash, address->word[3]));
}

static inline __attribute__((always_inline)) __u32 vd_slot_table(__u32 domain, __u32 table)
{
	return vd_slot(vd_mix(vd_mix(0x7461626cu, domain), table));
}

static inline __attribute__((always_inline)) __u32 vd_slot_domain(__u32 domain)
{
	return vd_slot(vd_mix(0x646f6d61u, domain));
}

static inline __attribute__((always_inline)) __u32 vd_slot_policy(__u32 identity)
{
	return vd_slot(vd_mix(0x706f6c69u, identity));
}

static inline __attribute__((always_inline)) __u32 vd_slot_vip(__u32 network, const union vd_addr *address)
{
	return vd_slot(vd_mix(0x76697000u, vd_slot_endpoint(network, address)));
}

/* 32 bits that stand for a VTEP's address: an IPv4 address is itself. Never 0. */
static inline __attribute__((always_inline)) __u32 vd_vtep_fold(const union vd_addr *vtep)
{
	__u32 fold = vtep->word[0];

	if (vtep->word[1] | vtep->word[2] | vtep->word[3])
		fold = vd_mix(vd_mix(vd_mix(fold, vtep->word[1]), vtep->word[2]), vtep->word[3]);
	return fold ? fold : 1;
}

#endif
