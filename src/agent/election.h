/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_ELECTION_H
#define VD_AGENT_ELECTION_H

#include "model/model.h"

/*
 * Which host leads a VPC out to a network: whoever holds the GATEWAY fact of the router's own virtual IP there. What this host should do
 * about one, from the model and from who lives. Pure.
 */
struct vd_electorate {
	const struct vd_model *model;
	const char *host, *boot_id; /* ours */
	bool (*is_alive)(const char *host, void *userdata);
	void *userdata;
};

enum vd_election {
	VD_ELECTION_NOTHING,
	VD_ELECTION_TAKE,   /* nobody who lives holds it, and we can */
	VD_ELECTION_RESIGN, /* we hold it and have no uplink to its network any more, or the virtual IP is gone */
};

/*
 * ret_rank, for TAKE: how many hosts come before us, those with ports of the VPC first, then by a hash that spreads the gateways. All
 * hosts order themselves alike: the first takes it at once, another only when that one does not.
 */
enum vd_election vd_election_of_vip(const struct vd_electorate *electorate, const struct vd_virtual_ip *vip, unsigned *ret_rank);
/* For a fact: RESIGN when its virtual IP is gone and nobody nearer takes the fact away. */
enum vd_election vd_election_of_fact(const struct vd_electorate *electorate, const struct vd_gateway *fact);
/* Whether a virtual IP has a holder to be elected: a router's own. */
bool vd_election_concerns(const struct vd_resource *resource);

/*
 * Until when a gateway may translate, in ns of CLOCK_MONOTONIC: its lease was asked for at sent, and holds ttl seconds from some
 * moment after that, so another host can take over no earlier than sent + ttl. A second stays for clocks that do not run alike.
 */
uint64_t vd_gateway_deadline(uint64_t sent, int64_t ttl);

#endif
