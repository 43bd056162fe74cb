/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_STORE_CLUSTER_H
#define VD_TESTS_STORE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

/* Debian's etcd, one member or three, on free loopback ports and a directory of its own. Ends with this process, however that ends.
 */
struct cluster;

/* NULL when it did not get ready (a message on standard error says why). */
struct cluster *cluster_new(size_t members);
void cluster_free(struct cluster *cluster);
/* "etcd://127.0.0.1:…,…" of all members, or of one. Borrowed. */
const char *cluster_url(const struct cluster *cluster);
const char *cluster_member_url(const struct cluster *cluster, size_t member);
/* kill -9; start again with the same data; SIGSTOP and SIGCONT. */
void cluster_kill(struct cluster *cluster, size_t member);
bool cluster_start(struct cluster *cluster, size_t member);
void cluster_freeze(struct cluster *cluster, size_t member, bool frozen);
/* Which member leads; -1: none. */
int cluster_leader(struct cluster *cluster);

#endif
