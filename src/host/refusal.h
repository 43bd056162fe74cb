/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_REFUSAL_H
#define VD_HOST_REFUSAL_H

#include "base/address.h"
#include "base/error.h"

/*
 * Packets that are dropped in nftables by a table that is neither ours nor one in which we have a jump (iptables', firewalld's). What
 * such a table lets pass cannot be told from its rules, so it is told by packets: while others have a chain at forward, our own table
 * has the kernel trace a few of the packets between blocks and what is exempt, and here is heard what became of them.
 *
 * In the network namespace of the thread that opens it.
 */
struct vd_refusals;
struct vd_refusal {
	char table[80], chain[64]; /* "inet filter" */
	struct vd_address source, destination;
};

int vd_refusals_open(struct vd_refusals **ret, struct vd_error *error);
void vd_refusals_close(struct vd_refusals *refusals);
/* Readable when a traced packet went somewhere. */
int vd_refusals_fd(const struct vd_refusals *refusals);
/* Reads what there is. Others may have packets of their own traced: those are told as well. */
void vd_refusals_read(struct vd_refusals *refusals, void (*refused)(const struct vd_refusal *refusal, void *userdata),
		      void *userdata);

#endif
