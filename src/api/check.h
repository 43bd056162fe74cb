/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_CHECK_H
#define VD_API_CHECK_H

#include "api/server.h"
#include "model/model.h"

/*
 * "Why can A not reach B?" Walks what may be in the way, and names all of it: what the resources' own status says, what occupies the
 * ends' addresses, and what the installed data plane of every host on the way would do, there and back (a trace that goes on past what
 * refuses). Nothing about policy or routing is worked out here: compile's status and the traces say it.
 */

enum vd_check_verdict {
	VD_CHECK_OK,
	VD_CHECK_WARNING,
	VD_CHECK_BLOCKED,
};

enum vd_check_type {
	VD_CHECK_TYPE_NOBODY, /* neither a port nor an address; said already */
	VD_CHECK_TYPE_PORT,
	VD_CHECK_TYPE_CONTAINER, /* an address of a container network */
	VD_CHECK_TYPE_OUTSIDE,   /* any other address; as from, "network:NAME:ADDRESS" */
};

/* One of the two, with what the model knows of it: copies, since hosts are asked without its lock. "": none. */
struct vd_check_end {
	enum vd_check_type type;
	const char *text; /* as it was given */
	struct vd_address address;
	char port[VD_NAME_SIZE];    /* itself; of a container: the instance that its node is */
	char host[VD_NAME_SIZE];    /* where that port is attached */
	char vpc[VD_NAME_SIZE];     /* that port's */
	char network[VD_NAME_SIZE]; /* containers: the container network, … */
	char node[VD_NAME_SIZE];    /* … and the host that holds the block; "": an instance without viaductd does */
	struct vd_prefix show;      /* what a security group has to name for who sees this end's own address */
	/* For a question to the port's host alone, as if a packet came there by tunnel. */
	uint32_t vni;
	struct vd_mac mac;
	struct vd_address vtep;
};

struct vd_check {
	struct vd_api *api;
	const char *project, *protocol; /* "icmp", "tcp", "udp" */
	json_int_t port;                /* tcp, udp; 0: whatever a trace takes */
	json_t *alive;                  /* hosts that report, as vd_compile_status_alive takes them */
	json_t *lines;                  /* what was found, in the order of the walk */
	bool is_blocked;
	bool is_unproven; /* nobody could be asked about a part of the way */
	struct vd_check_end from, to;
	struct vd_address seen; /* what the far side sees as the sender; family none: nobody knows */
};

/* One line more. what: "ends", "collisions", "routes", "groups", "data plane", "guest". advice NULL: nothing to do. Both are format and text. */
void vd_check_say(struct vd_check *check, enum vd_check_verdict verdict, const char *what, const char *advice, const char *format,
		  ...) __attribute__((format(printf, 5, 6)));

/* Of a reply or a line; "" where there is none. */
const char *vd_check_text(const json_t *object, const char *member);

/* check_end.c: who the two are, and what their status says. */
void vd_check_ends(struct vd_check *check, const char *from, const char *to);

/* check_collision.c: what stands on the hosts at either end in place of the other end's address. */
void vd_check_collisions(struct vd_check *check);

/* check_way.c: what the data plane does, there and back. */
void vd_check_ways(struct vd_check *check);

/* check_guest.c: whether the far end answered what was tried last, when nothing else is in the way. */
void vd_check_guest(struct vd_check *check);

#endif
