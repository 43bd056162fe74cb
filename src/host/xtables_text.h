/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_XTABLES_TEXT_H
#define VD_HOST_XTABLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What iptables-save prints of the filter table, and what iptables-restore must be told so that our part is right. Pure. */

#define VD_XTABLES_FORWARD "VIADUCT-FORWARD"
#define VD_XTABLES_INPUT "VIADUCT-INPUT"

/* Where a chain of ours hangs. */
struct vd_xtables_place {
	const char *ours;   /* our chain */
	const char *home;   /* the chain of others that shall lead to it */
	size_t position;    /* there, counted from 1 without the jumps to ours */
	bool is_needed;     /* we have rules, and the table would refuse something */
	bool is_present;    /* our chain exists */
	bool differs;       /* the jumps to it are not as they shall be */
	const char **jumps; /* the lines that lead to it */
	size_t jump_count;
};
struct vd_xtables_state {
	struct vd_xtables_place forward, input;
	char *text; /* what the lines point into, one string each */
	const char **lines;
	size_t line_count;
};

/* text: what iptables-save -t filter printed. has_forward, has_input: we have rules to hang there. -ENOMEM. */
int vd_xtables_state_read(const char *text, bool has_forward, bool has_input, struct vd_xtables_state *ret);
void vd_xtables_state_done(struct vd_xtables_state *state);

/* The rules of our chains, line by line; a string to free, NULL without memory. */
char *vd_xtables_rules_of(const struct vd_xtables_state *state);
/* The input of iptables-restore --noflush; rules: of our chains that are needed. A string to free, NULL without memory. */
char *vd_xtables_script(const struct vd_xtables_state *state, const char *rules, const char *tag);

#endif
