/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_WATCH_H
#define VD_HOST_WATCH_H

#include "base/error.h"

#include <stdbool.h>

/* Hears of addresses, routes of the main table and network settings of this host, whoever changes them. To be closed. */
int vd_host_watch_open(struct vd_error *error);
struct vd_host_watched {
	bool addresses; /* they came or went: bridges may be others', and links */
	bool routes;    /* connected or static ones */
	bool settings;  /* forwarding or the filter of the reverse path */
};
/* Reads what there is; everything is true when something was missed. */
void vd_host_watch_read(int fd, struct vd_host_watched *ret);

#endif
