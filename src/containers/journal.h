/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CONTAINERS_JOURNAL_H
#define VD_CONTAINERS_JOURNAL_H

#include "base/address.h"
#include "base/error.h"

#include <uthash.h>

/*
 * Who has which address of this host's blocks: the one place where that is decided. What put has returned for outlives the process,
 * however it dies, but not the machine's boot: containers do not either. Kept in memory too, for lookups. Not thread-safe.
 */
struct vd_journal;

#define VD_CONTAINER_KEY_MAX 255
/* Ids of containers' ports are of this host: the store's counter never comes that far. */
#define VD_CONTAINER_PORT 0x80000000u
#define VD_CONTAINER_ADDRESSES 2 /* one of a family */

enum vd_container_state {
	VD_CONTAINER_STATE_RESERVED = 1, /* an address, no link */
	VD_CONTAINER_STATE_MAKING,       /* the caller has no answer yet: a start takes it back */
	VD_CONTAINER_STATE_UP,
};

struct vd_container_address {
	struct vd_prefix prefix; /* the address, with its block's length; family none: no such address */
	struct vd_address gateway;
	bool moved;     /* of another node's block, which lent it */
	char *reserved; /* the key of the reservation that it was taken from, and goes back to; NULL: none */
};

struct vd_container {
	char key[VD_CONTAINER_KEY_MAX + 1];
	char network[160]; /* "project/name" */
	uint32_t domain;   /* the network's id */
	enum vd_container_state state;
	uint32_t port;    /* VD_CONTAINER_PORT | n, of a native one the model's; 0: reserved only */
	uint32_t ifindex; /* this side's end; 0: none yet */
	bool native;      /* a port of the model, attached by attach */
	char *netns;      /* path; NULL: the caller moves the other end */
	uint64_t netns_device, netns_inode;
	char ifname[16]; /* the container's end */
	char *hostname;  /* NULL: none said */
	struct vd_mac mac;
	struct vd_container_address addresses[VD_CONTAINER_ADDRESSES]; /* IPv4 first, where there are both */
	uint64_t rate_in, burst_in, rate_out, burst_out;               /* bytes a second, bytes; in: to the container; 0: none */
	int64_t since;                                                 /* unix seconds */
};

/* Lets go of the strings. */
void vd_container_clear(struct vd_container *container);
/* A copy that owns its strings; 0 or -ENOMEM. */
int vd_container_copy(const struct vd_container *container, struct vd_container *ret);

/* path: the file, made when missing. Rows of another boot are void. -EBUSY when another process has it open. */
int vd_journal_open(const char *path, const char *boot_id, struct vd_journal **ret, struct vd_error *error);
void vd_journal_close(struct vd_journal *journal);
/* The file goes, which nobody has open. */
void vd_journal_delete(const char *path);

bool vd_journal_is_empty(const struct vd_journal *journal);
/* Borrowed until the row changes; NULL: none. */
const struct vd_container *vd_journal_find(const struct vd_journal *journal, const char *key);
const struct vd_container *vd_journal_find_port(const struct vd_journal *journal, uint32_t port);
const struct vd_container *vd_journal_find_address(const struct vd_journal *journal, uint32_t domain,
						   const struct vd_address *address);
/* Visits until visit returns non-zero; returns that. visit may change or remove the row that it sees. */
int vd_journal_each(struct vd_journal *journal, int (*visit)(const struct vd_container *container, void *userdata), void *userdata);

/*
 * Adds, or replaces the one of the same key; a copy. An address that says from which reservation it was taken takes that one's place.
 * -EADDRINUSE, and nothing is done, when another key has one of its addresses.
 */
int vd_journal_put(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error);
/* Its reservations stand again. One that is not there is success. */
int vd_journal_remove(struct vd_journal *journal, const char *key, struct vd_error *error);

/* An id that no container has, and none had lately. */
uint32_t vd_journal_port_choose(struct vd_journal *journal);
/* The address of the block that was given last; family none: none yet. */
struct vd_address vd_journal_last(const struct vd_journal *journal, uint32_t domain, const struct vd_prefix *block);

#endif
