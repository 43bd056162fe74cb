/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_NETLINK_H
#define VD_HOST_NETLINK_H

#include "base/address.h"
#include "base/error.h"

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

/*
 * Messages are built and read by hand on libnl's core: the kernel's own errno and sentence reach the caller, and a message holds
 * exactly what we mean to change.
 */

void vd_host_message_cleanup(struct nl_msg **message);
#define VD_MESSAGE VD_CLEANUP(vd_host_message_cleanup)
void vd_host_socket_cleanup(struct nl_sock **socket);
#define VD_SOCKET VD_CLEANUP(vd_host_socket_cleanup)

/* A route netlink socket in the namespace of the calling thread. */
int vd_host_socket_open(struct nl_sock **ret);
/* What a message of `type` needs: flags are NLM_F_*; header (size bytes) follows the netlink header. NULL: out of memory. */
struct nl_msg *vd_host_message_new(int type, int flags, const void *header, size_t size);
/* Attributes that did not fit are found here: -EMSGSIZE or 0. */
int vd_host_put_address(struct nl_msg *message, int attribute, const struct vd_address *address);

typedef int (*vd_host_reply)(const struct nlmsghdr *header, void *userdata);
/*
 * Sends and waits for the end. reply (may be NULL) then sees each message of a list that is whole: one that changed while it was
 * read is asked for again. reply may make requests of its own; a negative return ends the rest and is the result. Returns 0 or the
 * kernel's negative errno, with its sentence, if it gave one, in error.
 */
int vd_host_request(struct nl_sock *socket, struct nl_msg *message, vd_host_reply reply, void *userdata, struct vd_error *error);
/* Reads the attributes behind a header of `size` bytes into table[0..max]. */
int vd_host_attributes(const struct nlmsghdr *header, size_t size, struct nlattr **table, int max);
struct vd_address vd_host_get_address(uint8_t af, const struct nlattr *attribute);
int vd_host_af(const struct vd_address *address);

#endif
