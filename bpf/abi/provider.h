/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_ABI_PROVIDER_H
#define VD_ABI_PROVIDER_H

/* Part of abi/maps.h, which includes it where its words are known. */

/* ---- provider networks: the way out and in ---------------------------------------------------------------------------------------
 *
 * A network is a routing domain of its own (its id), on one uplink and VLAN of this host. Its on-link prefixes and its gateway are
 * routes of that domain (table 0: LOCAL, NEXT_HOP). A VPC leaves through an exit, on the host that is its gateway; a port with an
 * elastic IP on its own host where that has the uplink. Between hosts, packets to and from an exit carry an exit MAC inside the tunnel.
 */

/* Followed by the exit's id in network byte order; id 0: as its connection says (replies, and everything that comes from outside). */
#define VD_EXIT_MAC_0 0x02
#define VD_EXIT_MAC_1 0x77

/*
 * Between hosts, what comes from a peered VPC carries a source MAC that says which: followed by its domain in network byte order. The
 * VNI is that of the VPC that it goes to.
 */
#define VD_PEER_MAC_0 0x02
#define VD_PEER_MAC_1 0x78

/* SNAT takes these: 60,000. */
#define VD_NAT_PORT_FIRST 5536
#define VD_NAT_PORT_LAST 65535

enum vd_translation {
	VD_TRANSLATION_NONE,
	VD_TRANSLATION_SNAT,    /* vip_port is claimed in vd_nat */
	VD_TRANSLATION_ELASTIC, /* address for address, ports stay */
	VD_TRANSLATION_FORWARD, /* the forward of vip_port */
	VD_TRANSLATION_ROUTER,  /* to or from the router itself: vip is the inner address */
};

/* What a frame from an uplink belongs to; no entry: the host's own. Hash. */
struct vd_uplink_key {
	__u32 ifindex;
	__u32 vlan; /* 0: untagged */
};

struct vd_uplink_value {
	__u32 network; /* its VIPs are looked up; 0: a VPC's subnet */
	__u32 domain;  /* of instances on the segment: the network, or the subnet's VPC */
	__u32 subnet;  /* of instances on the segment: the network's id or the subnet's; 0: none */
	__u32 zero;
};

/* Hash by network (__u32): a network whose uplink this host has. */
struct vd_network_value {
	__u32 ifindex;
	__u32 mtu;
	__u16 vlan;
	__u8 mac[6]; /* the uplink's own: VIPs held here answer with it */
};

struct vd_exit_key {
	__u32 domain;
	__u32 exit; /* id of a route, or of the network that the VPC is attached to */
};

enum vd_exit_flag {
	VD_EXIT_FLAG_HERE = 1,      /* this host is the gateway; otherwise host is, 0: nobody */
	VD_EXIT_FLAG_TRANSLATE = 2, /* SNAT to vip4, vip6; without it: another router's address, private sources go as they are */
};

/* Hash. */
struct vd_exit_value {
	__u32 network;
	__u32 host;  /* key of the host map */
	__u32 flags; /* enum vd_exit_flag */
	__be32 vip4; /* the router's own VIP on the network, 0: none */
	union vd_addr vip6;
	union vd_addr next_hop; /* on the network; next_hop_family 0: as the network's routes say */
	__u32 next_hop_family;
	__u32 zero;
};

/* Array of one __u64: until when (ns, CLOCK_MONOTONIC) this host may make translations as a gateway. ~0: no one else can. */

struct vd_vip_key {
	__u32 network;
	union vd_addr address;
};

enum vd_vip_type {
	VD_VIP_TYPE_ROUTER =
		1, /* a router's own, or one that serves forwards: claims, then forwards, then (system VIPs) the router */
	VD_VIP_TYPE_ELASTIC,
};

enum vd_vip_flag {
	VD_VIP_FLAG_HERE = 1,
	VD_VIP_FLAG_SYSTEM = 2, /* echo and what nobody else serves goes to the router's namespace */
};

/* Hash. Addresses on a network that are ours, here or on another host. */
struct vd_vip_value {
	__u32 id;
	__u32 domain;                                   /* of what is behind it */
	__u32 host;                                     /* who holds it, when not here */
	__u32 port_id;                                  /* ELASTIC */
	union vd_addr inner;                            /* ELASTIC */
	__u32 forward_lengths_tcp, forward_lengths_udp; /* bit n: a forward's block of ports with n leading bits fixed */
	__u8 type;                                      /* enum vd_vip_type */
	__u8 flags;                                     /* enum vd_vip_flag */
	__u8 mac[6];                                    /* not HERE: of the uplink that answers for it */
};

/* Hash: the elastic IP of an inner address; network 0: the one for default routes. */
struct vd_elastic_key {
	__u32 domain;
	__u32 network;
	union vd_addr inner;
};

struct vd_elastic_value {
	__u32 network;
	__u32 host; /* through whom, 0: here */
	union vd_addr vip;
};

/* Hash: a block of a VIP's ports that is forwarded. */
struct vd_forward_key {
	__u32 network;
	union vd_addr vip;
	__u8 protocol;
	__u8 length; /* leading bits of port that are fixed */
	__u16 port;  /* host order, the rest zero */
};

struct vd_forward_value {
	__u32 id;
	__u32 port_id;
	union vd_addr inner;
	union vd_addr allowed; /* only from this prefix */
	__u8 allowed_length;   /* 0: anyone */
	__u8 zero;
	__u16 to_port; /* host order: where the block begins */
	__u32 zero2;
};

/* Hash, inserted only if absent: SNAT's claims, and who is meant by what comes back. */
struct vd_nat4_key {
	__u32 network;
	__be32 vip, remote;
	__be16 vip_port, remote_port; /* ICMP: the identifier twice */
	__u8 protocol;
	__u8 zero[3];
};

struct vd_nat6_key {
	__u32 network;
	union vd_addr vip, remote;
	__be16 vip_port, remote_port;
	__u8 protocol;
	__u8 zero[3];
};

struct vd_nat_value {
	__u32 domain;
	union vd_addr inner;
	__be16 inner_port;
	__u16 zero;
};

/* LRU hash by the claim's key without vip_port (that 0; struct vd_nat6_key for IPv4 too): where the search for a free port goes on, and until when it is useless. */
struct vd_nat_cursor {
	__u32 next;
	__u32 zero;
	__u64 full_until; /* ns, CLOCK_MONOTONIC (coarse) */
};

/* LPM tries {network, prefix} -> __u32 domain: VPCs whose own addresses are routed to from the network, untranslated. */
struct vd_inward4_key {
	__u32 prefix_length; /* 32 + the prefix's own */
	__u32 network;
	__be32 address;
};

struct vd_inward6_key {
	__u32 prefix_length;
	__u32 network;
	union vd_addr address;
};

struct vd_neighbour_key {
	__u32 network; /* or the domain of a VPC, for its subnets on provider segments */
	union vd_addr address;
};

/* Hash. Made by decide (zero MAC: asked for) and by user space; the MAC is learnt by the uplink's program from ARP and ND. */
struct vd_neighbour_value {
	__u8 mac[6];
	__u8 family; /* 4, 6 */
	__u8 known;
	__u64 confirmed; /* ns, CLOCK_MONOTONIC (coarse): heard of last */
	__u64 asked;     /* the same clock: a packet wanted it last; while it is not known, the last event */
};

/*
 * LRU hash by who asks: a VPC's or a network's id for instances, 0 for the host as a whole, a network's id with the highest bit for
 * strangers who ask for addresses of ours. How many entries of vd_neighbour they made, or had asked for, in this second.
 */
struct vd_question_value {
	__u64 since; /* ns, CLOCK_MONOTONIC (coarse) */
	__u32 count;
	__u32 zero;
};

/*
 * Ring buffer: a next hop whose MAC is not known, or that was asked for and is known now. The first packet that wanted it comes along in
 * an event of its own, as it shall leave but for the MAC that it goes to: who asks on the wire sends it when he has the answer.
 */
#define VD_NEIGHBOUR_FRAME 1536
struct vd_neighbour_event {
	__u32 network;
	__u32 family;
	union vd_addr address;
	__u32 known;
	__u32 size; /* of the frame that follows, 0: none */
};

struct vd_neighbour_packet {
	struct vd_neighbour_event event;
	__u8 frame[VD_NEIGHBOUR_FRAME];
};

/* Policy routes of a table, in the order of their priorities; published whole. Hash by {domain, table}. */
#define VD_POLICY_ROUTES 64
struct vd_policy_route {
	__u32 id;
	__u8 protocol; /* 0: any */
	__u8 family;   /* 4, 6, 0: any */
	__u8 source_length, destination_length;
	union vd_addr source, destination;
	__u16 source_port_first, source_port_last; /* host order; 0, 0: any */
	__u16 destination_port_first, destination_port_last;
	__u32 mark;      /* has to be set; 0: any */
	__u32 set_mark;  /* not 0: mark and go on with the next one */
	__u32 table;     /* look up this table instead … */
	__u32 has_table; /* … when this is 1; else route decides */
	struct vd_route_value route;
};

struct vd_policy_routes_key {
	__u32 domain, table;
};

struct vd_policy_routes_value {
	__u32 count;
	__u32 zero;
	struct vd_policy_route route[VD_POLICY_ROUTES];
};

#endif
