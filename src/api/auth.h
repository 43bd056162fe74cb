/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_AUTH_H
#define VD_API_AUTH_H

#include "base/error.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* The secrets of a token file, kept only as SHA-256. */
struct vd_tokens;

/* One token a line; empty lines and those that start with # do not count. Refuses a file that others may read. */
int vd_tokens_load(const char *path, struct vd_tokens **ret, struct vd_error *error);
void vd_tokens_free(struct vd_tokens *tokens);
size_t vd_tokens_count(const struct vd_tokens *tokens);
/* Takes the same time wherever a wrong token differs. tokens may be NULL: none is right. */
bool vd_tokens_match(const struct vd_tokens *tokens, const char *token);

/* Who is at the other end of the unix socket: root, the daemon's own user, or a member of the group "viaduct". 0 or -EPERM. */
int vd_auth_socket(int fd, struct vd_error *error);
/* A client certificate that our CA signed, or "Authorization: Bearer <token>". 0 or -EACCES. */
int vd_auth_tcp(struct MHD_Connection *connection, const struct vd_tokens *tokens, struct vd_error *error);

#endif
