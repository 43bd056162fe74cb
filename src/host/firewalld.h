/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_FIREWALLD_H
#define VD_HOST_FIREWALLD_H

#include "host/nftables.h"
#include "host/ruleset.h"

/*
 * Our part of the table that firewalld makes: two chains of ours, and a jump to each at the head of its filter_FORWARD and
 * filter_INPUT. A reload makes the whole table anew, without them. Its configuration is not touched.
 */
struct vd_firewalld {
	char *wanted;      /* the rules that were written last */
	char *standing[2]; /* … and how nft printed our chains then */
};

void vd_firewalld_done(struct vd_firewalld *firewalld);
/* The table exists. As vd_xtables_ensure. */
int vd_firewalld_ensure(struct vd_firewalld *firewalld, struct vd_nftables *nftables, const struct vd_ruleset_list *forward,
			const struct vd_ruleset_list *input, const char *tag, char ret_changed[128], struct vd_error *error);

#endif
