/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_PREFIXES_H
#define VD_MODEL_PREFIXES_H

#include "base/address.h"
#include "base/error.h"

/* A list of CIDRs that one object has: none may hold what instances cannot own (link-local and so on), no two may overlap. */
int vd_prefixes_validate(const struct vd_prefix *prefixes, size_t count, const char *object, struct vd_error *error);
/* Does a list cover a CIDR, contain an address, share an address with another list? */
bool vd_prefixes_cover(const struct vd_prefix *prefixes, size_t count, const struct vd_prefix *inner);
/* The first pair that overlaps, one of each list; false when there is none. */
bool vd_prefixes_overlap(const struct vd_prefix *a, size_t a_count, const struct vd_prefix *b, size_t b_count,
			 const struct vd_prefix **ret_a, const struct vd_prefix **ret_b);
/* RFC 1918, RFC 6598, RFC 4193: what is nobody's on the Internet. */
bool vd_prefix_is_private(const struct vd_prefix *prefix);
/* The network's own and the broadcast address (IPv4), the subnet-router anycast address (IPv6, RFC 4291): no port can have them. */
bool vd_prefix_reserves(const struct vd_prefix *prefix, const struct vd_address *address);
/* Text of a list: "192.168.0.0/24, fd00::/64", cut at size. Returns text. */
const char *vd_prefixes_format(const struct vd_prefix *prefixes, size_t count, char *text, size_t size);

#endif
