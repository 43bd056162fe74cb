/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_ADDRESS_H
#define VD_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The family of an address; the value is also what the documents and maps write. */
enum vd_family {
	VD_FAMILY_NONE = 0, /* unset; two unset addresses are equal */
	VD_FAMILY_IPV4 = 4,
	VD_FAMILY_IPV6 = 6,
};

/* Network byte order; an IPv4 address fills the first four bytes, the rest are zero. */
struct vd_address {
	uint8_t family; /* enum vd_family */
	uint8_t bytes[16];
};

/* The bits of address behind length are zero in a normalised prefix (vd_prefix_normalise). */
struct vd_prefix {
	struct vd_address address;
	uint8_t length; /* bits: 0-32 or 0-128 */
};

struct vd_mac {
	uint8_t bytes[6];
};

#define VD_ADDRESS_TEXT 46 /* INET6_ADDRSTRLEN */
#define VD_PREFIX_TEXT 50
#define VD_MAC_TEXT 18

/* Text as inet_pton(3) takes it. 0 or -EINVAL; ret is untouched on failure. */
int vd_address_parse(const char *text, struct vd_address *ret);
/* Writes into text (VD_ADDRESS_TEXT bytes) and returns it; "none" for an unset address. */
const char *vd_address_format(const struct vd_address *address, char text[VD_ADDRESS_TEXT]);
/* Orders by family, then by bytes: <0, 0, >0. */
int vd_address_compare(const struct vd_address *a, const struct vd_address *b);
bool vd_address_equal(const struct vd_address *a, const struct vd_address *b);
/* Adds steps (may be negative) to the address as an integer; wraps inside its width. */
struct vd_address vd_address_add(const struct vd_address *address, int64_t steps);
/* 32, 128, or 0 for an unset address. */
unsigned vd_address_bits(const struct vd_address *address);
/* Loopback, multicast, unspecified, link-local, broadcast: what no instance can own. */
bool vd_address_is_unicast(const struct vd_address *address);

/* "10.0.0.0/8"; an address alone is its host prefix. Host bits stay as written. 0 or -EINVAL. */
int vd_prefix_parse(const char *text, struct vd_prefix *ret);
const char *vd_prefix_format(const struct vd_prefix *prefix, char text[VD_PREFIX_TEXT]);
/* Clears the host bits; true when there were any. */
bool vd_prefix_normalise(struct vd_prefix *prefix);
/* The functions below ignore host bits. */
bool vd_prefix_contains(const struct vd_prefix *prefix, const struct vd_address *address);
bool vd_prefix_covers(const struct vd_prefix *outer, const struct vd_prefix *inner);
bool vd_prefix_overlaps(const struct vd_prefix *a, const struct vd_prefix *b);
bool vd_prefix_equal(const struct vd_prefix *a, const struct vd_prefix *b);
/* Lowest and highest address inside. */
struct vd_address vd_prefix_first(const struct vd_prefix *prefix);
struct vd_address vd_prefix_last(const struct vd_prefix *prefix);
struct vd_prefix vd_prefix_of_address(const struct vd_address *address);

/* "02:00:00:00:00:01". 0 or -EINVAL. */
int vd_mac_parse(const char *text, struct vd_mac *ret);
const char *vd_mac_format(const struct vd_mac *mac, char text[VD_MAC_TEXT]);
bool vd_mac_equal(const struct vd_mac *a, const struct vd_mac *b);
bool vd_mac_is_zero(const struct vd_mac *mac);
/* The EUI-64 link-local address of a MAC (RFC 4291, appendix A). */
struct vd_address vd_mac_link_local(const struct vd_mac *mac);

#endif
