/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_LISTEN_H
#define VD_API_LISTEN_H

#include "base/error.h"

/* A listening unix socket, mode 0660, of the group "viaduct" when there is one. A dead daemon's leftover is replaced, a living
 * one's refused with -EADDRINUSE. */
int vd_listen_unix(const char *path, int *ret, struct vd_error *error);
/* "ADDR:PORT", "[ADDR]:PORT". */
int vd_listen_tcp(const char *listen, int *ret, struct vd_error *error);
/* A whole file as text, to free. what: for the sentence. */
int vd_listen_read_file(const char *what, const char *path, char **ret, struct vd_error *error);

#endif
