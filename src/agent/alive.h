/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_ALIVE_H
#define VD_AGENT_ALIVE_H

#include "store/store.h"

#include <stdbool.h>

/*
 * Who lives: the hosts with a key below status/alive, which stands as long as the lease of their daemon (store/replica.h), as a watch
 * tells it. From any thread but where it says otherwise.
 */
struct vd_alive;

/* changed is called on a thread of the store, without locks, when somebody came or went, or the watch lost its place. Borrows store. */
int vd_alive_new(struct vd_store *store, void (*changed)(void *userdata), void *userdata, struct vd_alive **ret,
		 struct vd_error *error);
void vd_alive_free(struct vd_alive *alive);
bool vd_alive_has(struct vd_alive *alive, const char *host);
/* Reads anew when the watch has lost its place; 0 as well when it has not. From one thread only; not the store's. */
int vd_alive_refresh(struct vd_alive *alive, struct vd_error *error);
/* The watch may be late: 1 when the store itself says that the host lives, 0 when not. */
int vd_alive_ask(const struct vd_alive *alive, const char *host, struct vd_error *error);

#endif
