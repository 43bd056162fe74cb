/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_PLAN_PLAN_H
#define VD_PLAN_PLAN_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What one host must look like: plain records with a key and a value each, no pointers, compared as values. Compile makes them,
 * datapath and host carry them out.
 */

/* In the order in which they are put in place; removal goes backwards. X(ENUMERATOR, word, struct) */
#define VD_PLAN_KINDS(X) \
	X(TUNNEL_HOST, "tunnel_host", vd_plan_tunnel_host) \
	X(DOMAIN, "domain", vd_plan_domain) \
	X(SUBNET, "subnet", vd_plan_subnet) \
	X(POLICY, "policy", vd_plan_policy) \
	X(POLICY_REMOTE, "policy_remote", vd_plan_policy_remote) \
	X(POLICY_PORT, "policy_port", vd_plan_policy_port) \
	X(PORT, "port", vd_plan_port) \
	X(SOURCE, "source", vd_plan_source) \
	X(ENDPOINT, "endpoint", vd_plan_endpoint) \
	X(ROUTE, "route", vd_plan_route) \
	X(NAME, "name", vd_plan_name)

enum vd_plan_kind {
#define X(enumerator, ...) VD_PLAN_KIND_##enumerator,
	VD_PLAN_KINDS(X)
#undef X
		VD_PLAN_KIND_COUNT,
};

#define VD_PLAN_NAME_SIZE 64
#define VD_PLAN_PORT_ADDRESSES 16
#define VD_PLAN_DNS_SERVERS 4
#define VD_PLAN_DOMAIN_NAME_SIZE 256 /* a DNS name has at most 253 characters */

/* Another host that a VPC of ours is on. Key: host. */
struct vd_plan_tunnel_host {
	uint32_t host; /* id */
	struct vd_address vtep;
	char name[VD_PLAN_NAME_SIZE];
};

/* A VPC that is present here (a port of it is attached here): its router comes to life. Key: domain. */
struct vd_plan_domain {
	uint32_t domain; /* the VPC's id */
	uint32_t vni;
	uint32_t mtu; /* bytes of an IP packet on an instance's interface: the smallest underlay's, less 50 (IPv6 underlay: 70) */
	uint32_t cpu_milli; /* what its router's processes may use: thousandths of a core … */
	uint64_t memory;    /* … and bytes */
	char project[VD_PLAN_NAME_SIZE], name[VD_PLAN_NAME_SIZE];
};

/* A subnet of a VPC present here. Key: subnet. Its gateways are also endpoints. */
struct vd_plan_subnet {
	uint32_t subnet, domain;
	uint32_t vni;
	struct vd_prefix cidr4, cidr6; /* family none: has none */
	struct vd_address gateway4, gateway6;
	bool dhcp;
	struct vd_address dhcp_address;             /* family none: no DHCP */
	uint32_t lease;                             /* seconds */
	struct vd_address dns[VD_PLAN_DNS_SERVERS]; /* forward to these, up to the first of family none; none at all: the host's */
	char domain_name[VD_PLAN_DOMAIN_NAME_SIZE];
	char name[VD_PLAN_NAME_SIZE];
};

enum vd_plan_direction {
	VD_PLAN_DIRECTION_INGRESS = 1,
	VD_PLAN_DIRECTION_EGRESS,
};

/*
 * What the ports of one identity (a set of security groups) may receive or send: the union of their groups' rules, in records
 * that are looked up, so that a decision costs the same for one rule and for ten thousand. First by the remote end: for each
 * prefix length in the masks, one remote; then by each length of a block of ports in that remote's masks, one policy port. Only for
 * identities of ports attached here. Key: identity, direction.
 */
struct vd_plan_policy {
	uint32_t identity, direction; /* enum vd_plan_direction */
	bool open;                    /* everything passes: egress without a rule of one's own */
	/* Bit n: there is a remote with a prefix of n bits, for anyone (remote_identity 0) or for identities. */
	uint64_t lengths4, identity_lengths4, lengths6[3], identity_lengths6[3];
};

/* A remote end that some rule names; "anyone" is one record for each family, of length 0. Key: identity … prefix. */
struct vd_plan_policy_remote {
	uint32_t identity, direction;
	uint32_t remote_identity; /* 0: whoever has the address */
	struct vd_prefix prefix;
	uint32_t any_rule; /* lowest id of a rule for all protocols, 0: none */
	/* Bit n: there is a block of ports of which the first n bits are fixed. ICMP: 0 or 16, all types or one. */
	uint32_t tcp_lengths, udp_lengths, icmp_lengths;
};

/* A block of ports, or an ICMP type, that rules allow with a remote. Key: identity … port. */
struct vd_plan_policy_port {
	uint32_t identity, direction, remote_identity;
	struct vd_prefix prefix;
	uint8_t protocol; /* 6, 17; 1: ICMP of the prefix's family */
	uint8_t length;   /* bits of port that count: 0-16; the others are zero */
	uint16_t port;
	uint32_t rule; /* lowest id */
};

enum vd_plan_port_type {
	VD_PLAN_PORT_TYPE_VETH = 1,
	VD_PLAN_PORT_TYPE_TAP,
};

/* A port attached here. Key: port. */
struct vd_plan_port {
	uint32_t port, domain, subnet;
	uint32_t table; /* id of the route table its subnet names, 0: main */
	uint32_t ifindex;
	enum vd_plan_port_type type;
	bool source_check;
	bool is_default; /* gives its instance the default route */
	struct vd_mac mac;
	uint32_t mtu;
	struct vd_prefix addresses[VD_PLAN_PORT_ADDRESSES]; /* with the subnet's prefix length */
	uint32_t address_count;
	uint32_t policy; /* identity, 0: unfiltered */
	bool dhcp;       /* of its subnet */
	char project[VD_PLAN_NAME_SIZE], name[VD_PLAN_NAME_SIZE];
};

/* A source opened for a port here. Key: port, prefix. */
struct vd_plan_source {
	uint32_t port;
	struct vd_prefix prefix;
};

enum vd_plan_place {
	VD_PLAN_PLACE_HERE = 1,
	VD_PLAN_PLACE_HOST,
	VD_PLAN_PLACE_GATEWAY,
};

/* An address that someone attached has, in a VPC present here. Key: domain, address. */
struct vd_plan_endpoint {
	uint32_t domain;
	struct vd_address address;
	uint32_t port, subnet;
	enum vd_plan_place place;
	uint32_t ifindex; /* HERE */
	bool tap;         /* HERE */
	uint32_t host;    /* HOST: id */
	struct vd_mac mac;
	uint32_t identity; /* of the port, 0: in no security group */
};

enum vd_plan_route_type {
	VD_PLAN_ROUTE_TYPE_LOCAL = 1, /* one per CIDR of the VPC, in every table used */
	VD_PLAN_ROUTE_TYPE_NEXT_HOP,
	VD_PLAN_ROUTE_TYPE_BLACKHOLE,
	VD_PLAN_ROUTE_TYPE_UNUSABLE,
};

/* Key: domain, table, destination. */
struct vd_plan_route {
	uint32_t domain, table;
	struct vd_prefix destination;
	uint32_t route; /* id, 0: LOCAL */
	enum vd_plan_route_type type;
	struct vd_address next_hop;
	char table_name[VD_PLAN_NAME_SIZE]; /* with the destination, the route's identity; empty: LOCAL */
};

/* An address of a port, attached or not, of a VPC present here: what DNS answers. Key: domain, address. */
struct vd_plan_name {
	uint32_t domain;
	struct vd_address address;
	uint32_t port;
	char name[VD_PLAN_NAME_SIZE]; /* the port's */
};

struct vd_plan_record {
	enum vd_plan_kind kind;
	union {
		struct vd_plan_tunnel_host tunnel_host;
		struct vd_plan_domain domain;
		struct vd_plan_subnet subnet;
		struct vd_plan_policy policy;
		struct vd_plan_policy_remote policy_remote;
		struct vd_plan_policy_port policy_port;
		struct vd_plan_port port;
		struct vd_plan_source source;
		struct vd_plan_endpoint endpoint;
		struct vd_plan_route route;
		struct vd_plan_name name;
	};
};

/* Zeroes, then sets the kind: fill in the rest, never memcmp by hand. */
void vd_plan_record_init(struct vd_plan_record *record, enum vd_plan_kind kind);
/* Orders by kind, then key. */
int vd_plan_record_compare_key(const struct vd_plan_record *a, const struct vd_plan_record *b);
bool vd_plan_record_equal(const struct vd_plan_record *a, const struct vd_plan_record *b);
/* One line of text, without the newline: "endpoint domain=3 address=10.0.0.2 port=7 …". */
void vd_plan_record_print(const struct vd_plan_record *record, FILE *file);

/* A set of records, one per key; keeps them compactly (only the bytes its kind needs). */
struct vd_plan;
struct vd_plan *vd_plan_new(void);
void vd_plan_free(struct vd_plan *plan);
/* Adds or replaces; 1 when that changed something, 0 when not, negative errno. */
int vd_plan_put(struct vd_plan *plan, const struct vd_plan_record *record);
/* Key fields count. 1 removed, 0 was not there. */
int vd_plan_remove(struct vd_plan *plan, const struct vd_plan_record *key);
/* A copy of the record with this key into ret; -ENOENT. */
int vd_plan_get(const struct vd_plan *plan, const struct vd_plan_record *key, struct vd_plan_record *ret);
size_t vd_plan_count(const struct vd_plan *plan, enum vd_plan_kind kind);
/* Visits in key order until visit returns non-zero; returns that. The plan must not change meanwhile. */
int vd_plan_each(const struct vd_plan *plan, enum vd_plan_kind kind, int (*visit)(const struct vd_plan_record *, void *),
		 void *userdata);
/* All records in key order, one line each. */
void vd_plan_print(const struct vd_plan *plan, FILE *file);

/* before == NULL: added; after == NULL: removed; both: changed. */
struct vd_plan_step {
	struct vd_plan_record *before, *after;
};

/* Removals in reverse kind order, then additions and changes in kind order. */
struct vd_plan_difference {
	struct vd_plan_step *steps;
	size_t count;
};

int vd_plan_compare(const struct vd_plan *before, const struct vd_plan *after, struct vd_plan_difference **ret);
/* Makes an empty one, for who knows the steps already: add copies both (either may be NULL), sort brings them into order. */
struct vd_plan_difference *vd_plan_difference_new(void);
int vd_plan_difference_add(struct vd_plan_difference *difference, const struct vd_plan_record *before,
			   const struct vd_plan_record *after);
void vd_plan_difference_sort(struct vd_plan_difference *difference);
/* Carries the steps out on a plan; -ESTALE, and nothing is done, when a step's before is not what stands there. */
int vd_plan_apply(struct vd_plan *plan, const struct vd_plan_difference *difference);
/* Lines with "+ ", "- ", and for changes "- " then "+ ". */
void vd_plan_difference_print(const struct vd_plan_difference *difference, FILE *file);
void vd_plan_difference_free(struct vd_plan_difference *difference);

#endif
