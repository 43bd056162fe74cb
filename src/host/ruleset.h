/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_RULESET_H
#define VD_HOST_RULESET_H

#include "host/firewall.h"

#include <stdio.h>

/* What a firewall's rules are in the words of nftables and of iptables. Pure. */

/* Packets that are let through. What is unset does not matter. */
struct vd_ruleset_accept {
	char in[16], out[16];                 /* links */
	struct vd_prefix source, destination; /* family none: any */
	bool established;                     /* only of connections that stand */
	uint16_t udp_port;                    /* destination's */
};
struct vd_ruleset_list {
	struct vd_ruleset_accept *items;
	size_t count, capacity;
};

/* What must be forwarded, and let in, of one family. -ENOMEM. */
int vd_ruleset_forward(const struct vd_firewall_rules *rules, enum vd_family family, struct vd_ruleset_list *ret);
int vd_ruleset_input(const struct vd_firewall_rules *rules, struct vd_ruleset_list *ret);
bool vd_ruleset_list_equal(const struct vd_ruleset_list *a, const struct vd_ruleset_list *b);
void vd_ruleset_list_done(struct vd_ruleset_list *list);

/* "-A CHAIN … -j ACCEPT", as iptables-restore takes it, one per line. */
void vd_ruleset_print_iptables(const struct vd_ruleset_list *list, const char *chain, const char *tag, FILE *file);
/* "add rule inet TABLE CHAIN … accept", one per line. */
void vd_ruleset_print_nftables(const struct vd_ruleset_list *list, const char *table, const char *chain, const char *tag,
			       FILE *file);
/* Chains of our own table: what keeps its source address and what is masqueraded … */
void vd_ruleset_print_translation(const struct vd_firewall_rules *rules, FILE *file);
/* … and what has some packets of containers, to and from what is exempt, traced by the kernel on their way (host/refusal.h). */
void vd_ruleset_print_watch(const struct vd_firewall_rules *rules, FILE *file);

#endif
