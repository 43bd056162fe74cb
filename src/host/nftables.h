/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_NFTABLES_H
#define VD_HOST_NFTABLES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The kernel's nftables, in the words of nft(8). In the network namespace of the thread that opens it. */
struct vd_nftables;

int vd_nftables_open(struct vd_nftables **ret, struct vd_error *error);
void vd_nftables_close(struct vd_nftables *nftables);

/* All of the commands or none. -EIO and nft's words. */
int vd_nftables_run(struct vd_nftables *nftables, const char *commands, struct vd_error *error);
/* What "list …" prints, without counters; handles: with them. A string to free. -ENOENT when there is no such thing. */
int vd_nftables_list(struct vd_nftables *nftables, const char *command, bool handles, char **ret);

/* Readable when somebody changed something, ourselves included. */
int vd_nftables_fd(const struct vd_nftables *nftables);
/*
 * Reads what changed; whether one of the tables ("inet viaduct", "ip filter", …, NULL at the end) was among it, or a chain of whichever
 * table that the kernel calls itself, or something was missed.
 */
bool vd_nftables_read(struct vd_nftables *nftables, const char *const *tables);

/* "inet", "ip", "ip6"; "other" for what routes nothing. */
const char *vd_nftables_family(uint8_t family);

#endif
