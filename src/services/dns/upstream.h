/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_UPSTREAM_H
#define VD_SERVICES_DNS_UPSTREAM_H

#include "base/address.h"
#include "base/error.h"

#include <uv.h>

/*
 * Inside src/services/dns only: the servers that questions go on to. A list of servers has a libunbound context of its own, with its
 * cache and its memory of which server is dead; contexts are made with the first question and given up when nobody names the list.
 *
 * A list is asked from the host, or inside: in the router's namespace, with its service addresses and so through the VPC's ways out.
 * Inside are those of its servers that there is a service address for, except what is on the host itself or its link (loopback,
 * link-local); the host's own list is never.
 */
struct vd_upstreams;

/* data, size: an answer in wire format, or NULL: the servers did not answer in time. Called on the loop's thread, once a question. */
typedef void vd_upstream_callback(const void *data, size_t size, void *userdata);

/*
 * resolv_conf: the servers of the empty list; read again when the file changes. netns: a descriptor of the router's namespace, which is
 * entered now. 0 or a negative errno.
 */
int vd_upstreams_new(uv_loop_t *loop, const char *resolv_conf, int netns, struct vd_upstreams **ret);
/* Questions under way are answered with NULL first. The handles close with the loop's next turn. */
void vd_upstreams_free(struct vd_upstreams *upstreams);

/*
 * What the router asks with through the VPC; family none: there is no way out in that family. Questions under way whose list goes
 * another way now are asked again, in the time that they had.
 */
void vd_upstreams_lead(struct vd_upstreams *upstreams, const struct vd_address *service4, const struct vd_address *service6);
/* Whether the list is asked inside. */
bool vd_upstreams_are_inside(const struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count);

/* 0, or 1 when it is asked inside, and the callback comes later; or -ENOENT: there is no server; -ENOMEM, -EIO: libunbound refused. */
int vd_upstreams_ask(struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count, const char *name,
		     uint16_t type, uint16_t class, vd_upstream_callback *callback, void *userdata);
/* Gives up every list for which is_wanted says false; the host's own stays. */
void vd_upstreams_sweep(struct vd_upstreams *upstreams, bool (*is_wanted)(const char *list, void *userdata), void *userdata);
/* A list as is_wanted is asked for it: "10.0.0.1,10.0.0.2". A string to free. */
char *vd_upstreams_list(const struct vd_address *servers, size_t count);
size_t vd_upstreams_count(const struct vd_upstreams *upstreams);

#endif
