/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_CONTAINER_NATIVE_H
#define VD_AGENT_CONTAINER_NATIVE_H

#include "agent/container.h"

/*
 * What the files about containers of native networks share. Each is a port of the model, of its network's subnet, made for it or for the
 * reservation that it takes, and attached here; so its life is that of any port, and the journal knows only which one it is.
 */

#define VD_NATIVE_NAME_PREFIX "container-"
#define VD_NATIVE_NAME_SIZE (sizeof(VD_NATIVE_NAME_PREFIX) + 16)

/* ---- container_native_port.c: any thread but the loop ---- */

struct vd_native_port {
	struct vd_agent *agent;
	const char *project, *network;
	const struct vd_container_request *request; /* NULL: the port goes */
	char name[VD_NATIVE_NAME_SIZE];
};

/* The name of the port that is made for a key. */
void vd_native_name(const struct vd_agent *agent, const char *key, char ret[VD_NATIVE_NAME_SIZE]);
/* The name of the port with this id; -ENOENT: it is none that was made here. */
int vd_native_name_find(struct vd_agent *agent, const char *project, uint32_t id, char ret[VD_NATIVE_NAME_SIZE]);
/* Makes or changes the port as the request says, or deletes it; returns when this host's model has it. */
int vd_native_port_write(struct vd_native_port *port, struct vd_error *error);
/*
 * The port takes the addresses that the request names, which are those of reservations; other ports of these get its own instead, and
 * are deleted.
 */
int vd_native_port_gather(struct vd_native_port *port, struct vd_error *error);
/* What the model gave the port, into the row: of a request with reservations, the addresses that it names. */
int vd_native_port_read(const struct vd_native_port *port, struct vd_container *row, struct vd_error *error);

/* ---- container_native.c: orders, one at a time for a key ---- */

/* Waits for another one for the same key. Until it ends the row is this order's alone. */
int vd_native_order_begin(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error);
void vd_native_order_end(struct vd_agent *agent, struct vd_container_request *request);
/* The journal's row of the request's key, or what it holds as such; from any thread but the loop. find: -ENOENT. */
int vd_native_row_find(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error);
int vd_native_row_put(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error);
int vd_native_row_remove(struct vd_agent *agent, const char *key, struct vd_error *error);
/* "project/name", as rows have it, into the request. */
int vd_native_network_split(const char *text, struct vd_container_request *request);

#endif
