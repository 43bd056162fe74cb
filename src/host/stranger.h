/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_STRANGER_H
#define VD_HOST_STRANGER_H

#include <stdbool.h>

/* Our own table, and firewalld's. */
#define VD_NFTABLES_OURS "inet viaduct"
#define VD_NFTABLES_FIREWALLD "inet firewalld"

/* What others have in nftables, as far as it decides what our own table needs. Pure. */
struct vd_strangers {
	bool translate; /* a chain that may give connections another source: Docker's, for instance */
	bool forward;   /* a chain at forward that is not of iptables or firewalld, where we could be let through by nobody */
};
/* chains: what `nft list chains` prints. */
void vd_strangers_read(const char *chains, struct vd_strangers *ret);
/* Whether a table is neither ours, nor firewalld's, nor one of iptables. */
bool vd_stranger_is(const char *family, const char *table);

#endif
