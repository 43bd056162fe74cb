/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_SERVER_H
#define VD_DOCKER_SERVER_H

#include "docker/driver.h"

/* HTTP on the Unix socket where Docker looks for plugins: /run/docker/plugins/<name>.sock. */
struct vd_docker_server;

/*
 * Listens at path, mode 0600, in place of a socket that nobody listens at any more. Each connection is answered on a thread of its
 * own. -EADDRINUSE when somebody listens there, with a sentence. daemon (copied) must stay usable until free.
 */
int vd_docker_server_new(const char *path, const struct vd_docker_daemon *daemon, struct vd_docker_server **ret,
			 struct vd_error *error);
/* Answers what is under way, and removes the socket. */
void vd_docker_server_free(struct vd_docker_server *server);

#endif
