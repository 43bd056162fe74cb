/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_FIREWALL_H
#define VD_HOST_FIREWALL_H

#include "base/address.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * This host's packet filter, as far as containers need it. In a table of our own, "inet viaduct": the masquerade of blocks, and
 * what is exempt from it. An exempt connection is bound to its own source address there, before Docker's or firewalld's chains of
 * the same hook are asked, so that nobody's MASQUERADE gets it, whether made with nftables or with the older iptables.
 * Forwarding cannot be allowed from a table of our own (a drop elsewhere is final), so that needs a jump in the chains that others
 * made: DOCKER-USER before its final RETURN where FORWARD leads there, else the head of FORWARD (iptables-nft, iptables-legacy, or
 * both), and firewalld's filter_FORWARD. What we add says so in a comment, "viaduct:<tag>". Rules of others are never changed.
 *
 * Not thread-safe; one thread uses a firewall, in whose network namespace it works.
 */
struct vd_firewall;

/* Addresses of containers that live here. */
struct vd_firewall_block {
	uint32_t domain;
	struct vd_prefix prefix;
	bool masquerade; /* towards what is not exempt: leaves with the host's address. False: may also be reached from there */
	char ifname[16]; /* the link that leads to the containers: a bridge, or our host port; "": whichever */
};
/* Addresses that the blocks of a domain speak with untranslated, both ways. */
struct vd_firewall_exempt {
	uint32_t domain;
	struct vd_prefix prefix;
};
/* Addresses behind other hosts that this one forwards to and from: the exempt of the domain; where there are none, everybody. */
struct vd_firewall_transit {
	uint32_t domain;
	struct vd_prefix prefix;
};
struct vd_firewall_rules {
	const struct vd_firewall_block *blocks;
	size_t block_count;
	const struct vd_firewall_exempt *exempt;
	size_t exempt_count;
	const struct vd_firewall_transit *transit;
	size_t transit_count;
	uint16_t vxlan_port; /* tunnels from other hosts are let in; 0: there are none */
};

/* tag: tells what is ours (the host's name). Changes nothing. Where the kernel has no nftables: -EOPNOTSUPP and a sentence. */
int vd_firewall_open(const char *tag, struct vd_firewall **ret, struct vd_error *error);
/* What stands stays. */
void vd_firewall_close(struct vd_firewall *firewall);

/*
 * From now on it shall be like this (copied); carried out by the next vd_firewall_check. No blocks and no transit: nothing of ours is
 * left. 1 when that is something else than before, 0, -ENOMEM.
 */
int vd_firewall_set(struct vd_firewall *firewall, const struct vd_firewall_rules *rules);

/* Readable when somebody changed nftables. */
int vd_firewall_fd(const struct vd_firewall *firewall);
/* Takes in what the fd has; true when it may concern us. */
bool vd_firewall_read(struct vd_firewall *firewall);
/* True when the rules of iptables-legacy, which tell nobody, are not as the last check left them. Costs a system call or two. */
bool vd_firewall_differs(struct vd_firewall *firewall);

/*
 * Compares and sets right. repaired is called with a sentence for each thing that somebody else had changed (not for what follows
 * from vd_firewall_set). What can be done is done even when something else fails; the error is the first one. Idempotent.
 */
int vd_firewall_check(struct vd_firewall *firewall, void (*repaired)(const char *what, void *userdata), void *userdata,
		      struct vd_error *error);

/*
 * Whether the last check found the translation of our own table, where there shall be one, missing or changed by somebody; the first
 * check: missing. Connections that began meanwhile may be translated otherwise than they must be (host/translation.h).
 */
bool vd_firewall_was_lost(const struct vd_firewall *firewall);

/* Whether our table has packets traced, as others have chains at forward that might drop them (host/refusal.h). */
bool vd_firewall_is_watching(const struct vd_firewall *firewall);

/* Removes everything with our tag, whoever wrote it. */
int vd_firewall_purge(const char *tag, struct vd_error *error);

#endif
