/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_POLICY_H
#define VD_DATAPATH_POLICY_H

#include "datapath/entry.h"

#include <stdbool.h>

/*
 * How entries that filter are changed while packets are judged by them: what neither the old rules nor the new ones allow must never
 * pass, and what both allow should not stop. Pure; change.c does the writing.
 */

/* Whether a map's entries are rules: it takes part in widening and narrowing, not in plain removal and addition. */
bool vd_policy_map(enum vd_map map);

/*
 * The value that allows what either (is_union) or both of two values of one key allow. before and after are entries of a policy map
 * with the same key.
 */
struct vd_entry vd_policy_combine(const struct vd_entry *before, const struct vd_entry *after, bool is_union);

/*
 * What a change means to who is judged. A packet is judged in several lookups, and others may be written between them: without a
 * barrier it may meet one entry as it was and another as it is.
 *
 * The plain order goes by all that either plan allows: rules are widened to that, ports and addresses change, rules are narrowed. Each
 * answer that a packet gets is then one of the old plan or one of the new. That is enough where it needs only one such answer, or where
 * all of them are of one plan. It is not where it needs two of them that may be of different plans (the sender's rules and the
 * receiver's, who somebody is and a rule about him); there the order is the other, with a state in between:
 *
 *	old -> between -> wait -> new
 *
 * "Between" allows no more than the old plan and no more than the new one, entry by entry: rules that both have, ports that change
 * closed, addresses that change in no group, what goes gone, what comes not there yet. To allow more, entry by entry, never refuses
 * a packet that was allowed. So what begins before the wait is over meets old or between and is allowed no more than the old plan allows;
 * what begins after it meets between or new; and the wait (barrier.h) lets no packet meet both. What both plans allow may be refused
 * while this lasts; flows that stand go on, for what they depend on is bumped last.
 */
struct vd_policy_change {
	bool gains, losses; /* something begins to be allowed; something ends to */
	bool moves;         /* what stays begins to stand for another identity */
	bool closes_first;  /* the second order */
};

/* Both lists sorted. */
struct vd_policy_change vd_policy_weigh(const struct vd_entries *before, const struct vd_entries *after);

/* Whether it is a port or an address that begins to stand for another identity. Both of one key. */
bool vd_policy_moves(const struct vd_entry *before, const struct vd_entry *after);
/* The same port, which lets nothing in or out; the same address, in no group. */
struct vd_entry vd_policy_close(const struct vd_entry *entry);

#endif
