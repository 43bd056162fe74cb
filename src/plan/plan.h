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
	X(NETWORK, "network", vd_plan_network) \
	X(SEGMENT, "segment", vd_plan_segment) \
	X(DOMAIN, "domain", vd_plan_domain) \
	X(EXIT, "exit", vd_plan_exit) \
	X(BLOCK, "block", vd_plan_block) \
	X(EXEMPT, "exempt", vd_plan_exempt) \
	X(SUBNET, "subnet", vd_plan_subnet) \
	X(POLICY, "policy", vd_plan_policy) \
	X(POLICY_REMOTE, "policy_remote", vd_plan_policy_remote) \
	X(POLICY_PORT, "policy_port", vd_plan_policy_port) \
	X(POLICY_SPAN, "policy_span", vd_plan_policy_span) \
	X(PORT, "port", vd_plan_port) \
	X(SOURCE, "source", vd_plan_source) \
	X(ENDPOINT, "endpoint", vd_plan_endpoint) \
	X(ALIAS, "alias", vd_plan_alias) \
	X(ROUTE, "route", vd_plan_route) \
	X(HOST_ROUTE, "host_route", vd_plan_host_route) \
	X(VIP, "vip", vd_plan_vip) \
	X(FORWARD, "forward", vd_plan_forward) \
	X(POLICY_ROUTE, "policy_route", vd_plan_policy_route) \
	X(INWARD, "inward", vd_plan_inward) \
	X(NEXT_HOP, "next_hop", vd_plan_next_hop) \
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

/*
 * A provider network whose uplink this host has, and that something here needs. Several networks may lie on one VLAN: then every
 * record, also of those with a higher id, calls all of them by the id of the first. Key: network.
 */
struct vd_plan_network {
	uint32_t network; /* id: a routing domain of its own */
	uint32_t ifindex; /* of the uplink */
	uint32_t vlan;    /* 0: untagged */
	uint32_t mtu;
	struct vd_mac mac; /* the uplink's own: virtual IPs held here answer with it */
	char name[VD_PLAN_NAME_SIZE], physnet[VD_PLAN_NAME_SIZE];
};

/* What frames from an uplink belong to. Key: ifindex, vlan. */
struct vd_plan_segment {
	uint32_t ifindex, vlan;
	uint32_t network; /* its virtual IPs are looked up; 0: a VPC's subnet */
	uint32_t domain;  /* of instances on the segment, 0: none here */
	uint32_t subnet;
};

enum vd_plan_domain_type {
	VD_PLAN_DOMAIN_TYPE_VPC = 1,
	VD_PLAN_DOMAIN_TYPE_NETWORK, /* instances sit on it directly: no router */
	/*
	 * A container network that this host is a node of: in place of a router's namespace it has a host port, both ends in the
	 * node's own namespace.
	 */
	VD_PLAN_DOMAIN_TYPE_CONTAINER,
	/*
	 * A VPC that is here only because a peer of it is: no router, no services. The data plane has its VNI, where its ports are
	 * and what is in its main table but for ways out.
	 */
	VD_PLAN_DOMAIN_TYPE_PEER,
};

/*
 * A VPC that is present here: a port of it is attached here, or this host is its gateway. Its router comes to life. Or its peer, or
 * a container network that this host is a node of. Key: domain.
 */
struct vd_plan_domain {
	uint32_t domain; /* the id of the VPC, of the network or of the container network */
	enum vd_plan_domain_type type;
	uint32_t vni;
	uint32_t mtu; /* bytes of an IP packet on an instance's interface: the smallest underlay's, less 50 (IPv6 underlay: 70) */
	uint32_t cpu_milli; /* what its router's processes may use: thousandths of a core … */
	uint64_t memory;    /* … and bytes */
	/*
	 * What its router asks name servers with through the domain's own ways out, on this host; family none: none leads out in that
	 * family, or not for a router. Also endpoints, of place GATEWAY; those of other hosts of place HOST, port 0.
	 */
	struct vd_address service4, service6;
	bool tunnel_only; /* CONTAINER: of mode tunnel, containers have nothing but the tunnel and the node's own address */
	char project[VD_PLAN_NAME_SIZE], name[VD_PLAN_NAME_SIZE];
};

/*
 * A block of a container network that this host holds: its containers' addresses, or one address that a container brought along
 * from another node (then its gateway is another block's, and it has none of its own). Key: domain, prefix.
 */
struct vd_plan_block {
	uint32_t domain;
	struct vd_prefix prefix;
	uint32_t block;               /* id */
	struct vd_address gateway;    /* the first address; family none: see above. Also an endpoint, of place GATEWAY */
	bool masquerade;              /* what leaves for addresses outside the domain's exempt prefixes takes the node's own */
	char name[VD_PLAN_NAME_SIZE]; /* "10.0.2.0/24": its identity in the network */
};

/* Where containers of a network go with their own addresses. Key: domain, prefix. */
struct vd_plan_exempt {
	uint32_t domain;
	struct vd_prefix prefix;
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
	bool bridged;            /* on a provider segment: destination MACs decide */
	bool is_network;         /* of a network: subnet, domain and network are one id; the gateways are no router of ours */
	uint32_t uplink_ifindex; /* bridged: where its frames leave; 0: no such uplink here */
	uint32_t vlan;
};

/*
 * How a VPC leaves to a network: by being attached to it, or by a route with a next hop on it. On every host where the VPC is
 * present. Key: domain, exit.
 */
struct vd_plan_exit {
	uint32_t domain, exit; /* exit: the network's id, or the route's */
	uint32_t network;
	bool here;                              /* this host is the gateway … */
	uint32_t host;                          /* … or that one, id; 0: nobody */
	bool translate;                         /* to vip4, vip6; otherwise private sources go as they are */
	struct vd_address vip4, vip6;           /* the router's own on the network */
	struct vd_address next_hop4, next_hop6; /* both family none: as the network's routes say */
};

enum vd_plan_direction {
	VD_PLAN_DIRECTION_INGRESS = 1,
	VD_PLAN_DIRECTION_EGRESS,
};

/*
 * What the ports of one identity (a set of security groups) may receive or send: the union of their groups' rules, in records
 * that are looked up, so that a decision costs the same for one rule and for ten thousand. First by the remote end: for each
 * prefix length in the masks, one remote; then by each length of a block of ports in that remote's masks, one policy port; those
 * narrower than a span all at once by one policy span, which says no rule. Only for identities of ports attached here. Key: identity, direction.
 */
struct vd_plan_policy {
	uint32_t identity, direction; /* enum vd_plan_direction */
	bool open;                    /* everything passes: egress without a rule of one's own */
	/* Bit VD_PLAN_POLICY_MORE: some remote of those has more than spans, all protocols or a block as wide as one. */
	uint32_t more;
	/* Bit n: there is a remote with a prefix of n bits, for anyone (remote_identity 0) or for identities. */
	uint64_t lengths4, identity_lengths4, lengths6[3], identity_lengths6[3];
};

/* protocol: 0 TCP, 1 UDP, 2 ICMP */
#define VD_PLAN_POLICY_MORE(protocol, is_identity, is_ipv6) ((protocol)*4u + ((is_identity) ? 2u : 0u) + ((is_ipv6) ? 1u : 0u))

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

#define VD_PLAN_SPAN_PORTS 512 /* neighbours, the first a multiple of it */

/* Which ports of a span, or which ICMP types, the blocks that are narrower than it allow. Key: identity … port. */
struct vd_plan_policy_span {
	uint32_t identity, direction, remote_identity;
	struct vd_prefix prefix;
	uint8_t protocol;
	uint16_t port;                           /* the first */
	uint64_t ports[VD_PLAN_SPAN_PORTS / 64]; /* bit n % 64 of word n / 64: port + n */
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
	bool snat;       /* may leave by its router's own virtual IP */
	/* What it may receive (in) and send (out): bytes of frames per second, and bytes at once. 0: as much as there is. */
	uint64_t rate_in, burst_in, rate_out, burst_out;
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

/*
 * A prefix of a VPC as one peer of it sees it, of the same length: a translated peering. In place before the routes that lead by it.
 * Key: domain, peer, prefix.
 */
struct vd_plan_alias {
	uint32_t domain; /* whose it is */
	uint32_t peer;   /* who sees it so */
	struct vd_prefix prefix, as;
};

enum vd_plan_route_type {
	VD_PLAN_ROUTE_TYPE_LOCAL = 1, /* one per CIDR of the VPC, in every table used */
	VD_PLAN_ROUTE_TYPE_NEXT_HOP,
	VD_PLAN_ROUTE_TYPE_BLACKHOLE,
	VD_PLAN_ROUTE_TYPE_UNUSABLE,
	VD_PLAN_ROUTE_TYPE_EXIT,   /* to a provider network */
	VD_PLAN_ROUTE_TYPE_TUNNEL, /* to another node, host; in a container network's domain */
	VD_PLAN_ROUTE_TYPE_STACK,  /* to this node's kernel, by the domain's host port; likewise */
	VD_PLAN_ROUTE_TYPE_PEER,   /* on in the peer's domain */
};

/* Key: domain, table, destination. */
struct vd_plan_route {
	uint32_t domain, table;
	struct vd_prefix destination;
	uint32_t route; /* id, 0: LOCAL, and what comes with a network */
	enum vd_plan_route_type type;
	struct vd_address next_hop;
	char table_name[VD_PLAN_NAME_SIZE]; /* with the destination, the route's identity; empty: route 0 */
	uint32_t exit;                      /* EXIT */
	bool is_default;                    /* of length 0: who has an elastic IP leaves with that instead */
	uint32_t host;                      /* TUNNEL: id of the node. STACK: of the node that the block belongs to, 0: anyone's */
	uint32_t peer_domain;               /* PEER */
};

/* A route of this node's kernel, by which its own blocks and those of other nodes are reached. Key: prefix. */
struct vd_plan_host_route {
	struct vd_prefix prefix;
	struct vd_address next_hop; /* family none: into the domain's host port */
	uint32_t domain, block;     /* ids */
};

enum vd_plan_vip_type {
	VD_PLAN_VIP_TYPE_ROUTER = 1, /* a router's own, or one that serves forwards */
	VD_PLAN_VIP_TYPE_ELASTIC,
};

/*
 * An address on a network that is ours: on who holds it, on the hosts that have the network, and, ELASTIC, on the host of the port
 * behind it. Key: network, address.
 */
struct vd_plan_vip {
	uint32_t network;
	struct vd_address address;
	uint32_t vip; /* id of the virtual IP, or of the elastic IP that made it */
	enum vd_plan_vip_type type;
	bool here;       /* otherwise host has it, or nobody */
	bool system;     /* a router's own */
	bool is_primary; /* ELASTIC: the one that default routes leave with */
	uint32_t host;
	struct vd_mac mac; /* not here: of the uplink that answers for it */
	uint32_t domain;   /* of what is behind it */
	struct vd_address inner;
	uint32_t port;
	char name[VD_PLAN_NAME_SIZE];
};

/* A block of a virtual IP's ports that goes to an instance; on the gateway host. Key: network … port. */
struct vd_plan_forward {
	uint32_t network;
	struct vd_address vip;
	uint8_t protocol; /* 6, 17 */
	uint8_t length;   /* bits of port that count: 0-16; the others are zero */
	uint16_t port;
	uint32_t forward, port_id;
	struct vd_address inner;
	uint16_t to_port; /* where the block begins */
	struct vd_prefix allowed;
	char name[VD_PLAN_NAME_SIZE];
};

/*
 * A table's policy route, in the order of their priorities, before its routes. One of the three: set_mark, has_table, or the
 * route's type. Key: domain … policy_route.
 */
struct vd_plan_policy_route {
	uint32_t domain, table, priority;
	uint32_t policy_route;                        /* id */
	uint8_t protocol;                             /* 6, 17, 1: ICMP of either family; 0: any */
	struct vd_prefix source, destination;         /* family none: any */
	uint16_t source_port_first, source_port_last; /* 0, 0: any */
	uint16_t destination_port_first, destination_port_last;
	uint32_t mark;     /* has to be set; 0: any */
	uint32_t set_mark; /* not 0: mark, and go on with the next one */
	bool has_table;
	uint32_t lookup_table;
	struct vd_plan_route route; /* type 0: none; its destination is the policy route's own */
};

/* Addresses of a VPC that are routed to from a network, untranslated; on the gateway host. Key: network, prefix. */
struct vd_plan_inward {
	uint32_t network;
	struct vd_prefix prefix;
	uint32_t domain;
};

/* An address on a network here whose MAC is to be kept known. Key: network, address. */
struct vd_plan_next_hop {
	uint32_t network;
	struct vd_address address;
	struct vd_address asker; /* a virtual IP of ours here to ask with; family none: none */
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
		struct vd_plan_network network;
		struct vd_plan_segment segment;
		struct vd_plan_domain domain;
		struct vd_plan_exit exit;
		struct vd_plan_block block;
		struct vd_plan_exempt exempt;
		struct vd_plan_subnet subnet;
		struct vd_plan_policy policy;
		struct vd_plan_policy_remote policy_remote;
		struct vd_plan_policy_port policy_port;
		struct vd_plan_policy_span policy_span;
		struct vd_plan_port port;
		struct vd_plan_source source;
		struct vd_plan_endpoint endpoint;
		struct vd_plan_alias alias;
		struct vd_plan_route route;
		struct vd_plan_host_route host_route;
		struct vd_plan_vip vip;
		struct vd_plan_forward forward;
		struct vd_plan_policy_route policy_route;
		struct vd_plan_inward inward;
		struct vd_plan_next_hop next_hop;
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
