/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_XTABLES_H
#define VD_HOST_XTABLES_H

#include "host/ruleset.h"

/*
 * Our part of the filter table that iptables made: two chains of ours, and a jump to each in the chains of others, each with the
 * comment "viaduct:<tag>". There are four such tables: of the nftables and of the older backend, of IPv4 and of IPv6.
 */
enum vd_xtables_backend {
	VD_XTABLES_BACKEND_NFT,
	VD_XTABLES_BACKEND_LEGACY,
};
struct vd_xtables {
	enum vd_xtables_backend backend;
	enum vd_family family;
	char *wanted;         /* the rules of our chains that were written last */
	char *standing;       /* … and as the program printed them then */
	uint64_t fingerprint; /* legacy: of the table, when it was looked at last */
};

void vd_xtables_done(struct vd_xtables *xtables);

/* What tells two states of the older backend's table apart, counters aside; 0: there is no such table. Makes none. */
uint64_t vd_xtables_fingerprint(enum vd_family family);

/* What tables the older backend has, of either family. Makes none. */
struct vd_xtables_legacy {
	bool any;
	bool translate; /* one that may give connections another source */
};
void vd_xtables_legacy_read(struct vd_xtables_legacy *ret);

/*
 * The table exists. Sets right what is not as it shall be: forward and input pass, where the table would refuse anything at all.
 * Empty lists: nothing of ours is left. ret_changed: what was not as we had left it, in a few words, "" when nothing.
 */
int vd_xtables_ensure(struct vd_xtables *xtables, const struct vd_ruleset_list *forward, const struct vd_ruleset_list *input,
		      const char *tag, char ret_changed[128], struct vd_error *error);

#endif
