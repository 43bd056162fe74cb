/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_ROUTER_PROCESS_H
#define VD_AGENT_ROUTER_PROCESS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>
#include <uv.h>

/*
 * A viaduct-router as the kernel sees it. Each has a socket <run directory>/router/<domain>.sock; who listens there is told by the
 * socket itself, so that no file can name the wrong process.
 */
#define VD_ROUTER_SOCKET_SIZE sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* Makes the directory when missing. -ENAMETOOLONG when the run directory leaves no room for a socket's path. */
int vd_router_socket_path(const char *run_directory, uint32_t domain, char ret[VD_ROUTER_SOCKET_SIZE], struct vd_error *error);
/* Starts one in a session of its own, so that it outlives this daemon. ret belongs to the loop: closed and freed when the process ends. */
int vd_router_process_start(uv_loop_t *loop, const char *run_directory, uint32_t domain, const char *socket_path, uv_exit_cb ended,
			    void *userdata, uv_process_t **ret, struct vd_error *error);
/* Who listens at fd's other end; -1: cannot be told. */
pid_t vd_router_socket_peer(int fd);
/* Ends who listens there, at once: it has nothing to save. true when there was one. */
bool vd_router_socket_kill(const char *socket_path);
/* After its end: takes socket and lock away. */
void vd_router_socket_remove(const char *socket_path);
/* Calls back for each socket below the run directory. The callback may remove it. */
void vd_router_sockets_each(const char *run_directory, void (*socket)(uint32_t domain, const char *socket_path, void *userdata),
			    void *userdata);

#endif
