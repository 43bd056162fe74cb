/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_RESOURCE_H
#define VD_MODEL_RESOURCE_H

#include "base/address.h"
#include "base/error.h"

#include <jansson.h>

/*
 * A resource is what a user names in a document (desired), or what a host reports about itself (a fact).
 * Resources are immutable once they are in a model: a change makes a new one. They are reference-counted, not
 * thread-safe: each thread that keeps a model has its own resources.
 */

/* What a project, a resource's name and a reference may be: 1-63 characters a-z 0-9 . _ -, starting with a letter or digit. */
#define VD_NAME_SIZE 64
/* The longest identity is that of a security group's rule made of its content: two groups, a CIDR, a protocol with ports. */
#define VD_IDENTITY_SIZE 256

/* X(ENUMERATOR, word in documents, word in URLs, struct) — the users' kinds, in the order they are applied and printed. */
#define VD_KINDS(X) \
	X(HOST, "host", "hosts", vd_host) \
	X(VXLAN_POOL, "vxlan_pool", "vxlan_pools", vd_vxlan_pool) \
	X(NETWORK, "network", "networks", vd_network) \
	X(ROUTER_PROFILE, "router_profile", "router_profiles", vd_router_profile) \
	X(VPC, "vpc", "vpcs", vd_vpc) \
	X(ROUTE_TABLE, "route_table", "route_tables", vd_route_table) \
	X(SUBNET, "subnet", "subnets", vd_subnet) \
	X(SECURITY_GROUP, "security_group", "security_groups", vd_security_group) \
	X(SECURITY_GROUP_RULE, "security_group_rule", "security_group_rules", vd_security_group_rule) \
	X(PORT, "port", "ports", vd_port) \
	X(VIRTUAL_IP, "virtual_ip", "virtual_ips", vd_virtual_ip) \
	X(ELASTIC_IP, "elastic_ip", "elastic_ips", vd_elastic_ip) \
	X(PORT_FORWARD, "port_forward", "port_forwards", vd_port_forward) \
	X(PEERING, "peering", "peerings", vd_peering) \
	X(ROUTE, "route", "routes", vd_route) \
	X(POLICY_ROUTE, "policy_route", "policy_routes", vd_policy_route) \
	X(CONTAINER_NETWORK, "container_network", "container_networks", vd_container_network) \
	X(NODE, "node", "nodes", vd_node) \
	X(CONTAINER_BLOCK, "container_block", "container_blocks", vd_container_block)

/* X(ENUMERATOR, word in store keys, struct) — facts, written by hosts, never by users. */
#define VD_FACTS(X) \
	X(CLAIM, "claim", vd_claim) \
	X(ATTACHMENT, "attachment", vd_attachment) \
	X(GATEWAY, "gateway", vd_gateway)

enum vd_kind {
#define X(kind, ...) VD_KIND_##kind,
	VD_KINDS(X) VD_FACTS(X)
#undef X
		VD_KIND_COUNT,
	VD_KIND_USER_COUNT = VD_KIND_CLAIM,
};

struct vd_resource {
	enum vd_kind kind;
	unsigned references;
	/*
	 * Unique in the installation over all kinds, never 0, never given twice: what maps and tunnels call it. A VPC's id is its
	 * routing domain. Assigned with the first apply; 0 before.
	 */
	uint32_t id;
	char *project;
	/*
	 * The identity; a route's is "<table>/<destination>", a policy route's "<table>/<priority>", a rule's "<group>/<name, or what it
	 * says>", a block's "<container network>/<cidr>".
	 */
	char *name;
	char *description; /* NULL when not given */
};

struct vd_host {
	struct vd_resource head;
};

struct vd_vxlan_pool {
	struct vd_resource head;
	uint32_t vni_start, vni_end; /* inclusive */
	struct vd_prefix vtep_cidr;  /* family none: the host's underlay address, whatever it is */
	char **hosts;                /* who joins; none named: every host */
	size_t host_count;
};

/* Both ends belong to it. */
struct vd_address_range {
	struct vd_address first, last;
};

enum vd_network_role {
	VD_NETWORK_ROLE_PUBLIC = 1, /* routers lead to it; elastic IPs and port forwards stand on it */
	VD_NETWORK_ROLE_MANAGEMENT, /* hosts and the control plane */
	VD_NETWORK_ROLE_FLAT,       /* instances sit on it, without a router of ours */
};

/* A network of the site: on a physical network that hosts have an uplink to. It is of no project but the default one. */
struct vd_network {
	struct vd_resource head;
	enum vd_network_role role;
	char *physnet;
	uint32_t vlan; /* 0: untagged */
	bool sriov;
	struct vd_prefix *cidrs; /* what is on the link; at most one per family */
	size_t cidr_count;
	uint32_t netmask; /* while a document is read: the length that ranges without a CIDR have on the link; 0 afterwards */
	struct vd_address *gateways; /* one per cidr, same order; family none: nobody leads out of it */
	size_t gateway_count;
	struct vd_address_range *ranges; /* what is allocated comes from these; none: from all of its cidrs */
	size_t range_count;
	bool dhcp;                      /* default: true where instances sit, on a flat network */
	struct vd_address dhcp_address; /* IPv4, as asked for; family none: allocated */
	uint32_t dhcp_lease;            /* seconds */
	struct vd_address *dns;
	size_t dns_count;
	char *domain;                            /* of its instances' names; "<network>.internal" when none was given */
	struct vd_address assigned_dhcp_address; /* as a subnet's */
};

/* What the router's processes of a VPC may use on each host. The profile "default" exists without being declared. */
struct vd_router_profile {
	struct vd_resource head;
	uint32_t cpu_milli; /* thousandths of a core */
	uint64_t memory;    /* bytes */
	char *network;      /* what a VPC is attached to that does not say; NULL: none */
	char *management_network;
};

/* Where a router leads out. Its own address there is the virtual_ip "<vpc>.<network>", which comes and goes with this. */
struct vd_vpc_network {
	char *network;
	struct vd_address address; /* as asked for; family none: allocated */
};

struct vd_vpc {
	struct vd_resource head;
	struct vd_prefix *cidrs;
	size_t cidr_count;
	char *vxlan_pool;                /* default: the pool "default", which exists without being declared */
	uint32_t vni;                    /* as asked for; 0: allocated */
	char *router_profile;            /* default: the profile "default" */
	uint32_t route_quota;            /* custom routes of its tables together; default 50 */
	struct vd_vpc_network *networks; /* the first one has the default route */
	size_t network_count;
	bool networks_given;   /* while a document is read: without them a new VPC takes its profile's, another keeps its own */
	uint32_t assigned_vni; /* routed traffic between hosts travels in it (RFC 9135, symmetric) */
};

/* A table made by name; a VPC's own table "main" needs no declaration and is called as its VPC is. */
struct vd_route_table {
	struct vd_resource head;
	char **vpcs; /* the routers that it attaches to, besides those of subnets that name it */
	size_t vpc_count;
};

struct vd_subnet {
	struct vd_resource head;
	char *vpc;
	struct vd_prefix *cidrs; /* normalised, at most one per family */
	size_t cidr_count;
	struct vd_address *gateways; /* one per cidr, same order; defaulted to the first address */
	size_t gateway_count;
	struct vd_address_range *ranges; /* what is allocated comes from these; none: from all of its cidrs */
	size_t range_count;
	bool dhcp;                      /* default true */
	struct vd_address dhcp_address; /* IPv4, as asked for; family none: allocated */
	uint32_t dhcp_lease;            /* seconds */
	struct vd_address *dns;         /* where names are asked for; none: whom the host asks */
	size_t dns_count;
	char *physnet; /* its segment is one of a physical network; NULL: a VXLAN of the VPC's pool, with a VNI */
	uint32_t vlan; /* on the physical network; 0: untagged */
	bool sriov;
	bool snat;             /* default true: what leaves for a network may be translated to the router's address there */
	char *domain;          /* of its instances' names; "<vpc>.internal" when none was given */
	char *route_table;     /* NULL: the VPC's main table and those attached to it */
	uint32_t vni;          /* as asked for; 0: allocated */
	uint32_t assigned_vni; /* traffic inside the subnet travels in it; 0 on a physical network */
	/* From where DHCP answers. Family none without dhcp or IPv4, and where nothing was free: then the gateway does. */
	struct vd_address assigned_dhcp_address;
};

struct vd_security_group {
	struct vd_resource head;
	char **networks; /* the subnets whose ports may join; none named: those of any */
	size_t network_count;
};

enum vd_direction {
	VD_DIRECTION_INGRESS = 1, /* to the port */
	VD_DIRECTION_EGRESS,
};

enum vd_rule_protocol {
	VD_RULE_PROTOCOL_ALL = 1,
	VD_RULE_PROTOCOL_TCP,
	VD_RULE_PROTOCOL_UDP,
	VD_RULE_PROTOCOL_ICMP, /* of the remote's family */
};

/* What a group allows. Remote CIDR and remote group together: an address has to be in both. */
struct vd_security_group_rule {
	struct vd_resource head;
	char *group;
	enum vd_direction direction;
	enum vd_rule_protocol protocol;
	uint32_t port_first, port_last; /* 0, 0: all */
	int32_t icmp_type;              /* -1: all */
	struct vd_prefix remote_cidr;   /* family none: anyone */
	char *remote_group;             /* NULL: anyone */
	bool is_default;                /* made with its group */
};

struct vd_port {
	struct vd_resource head;
	char *subnet;                 /* either this */
	char *network;                /* or this: directly on a public or flat network, without a VPC */
	struct vd_address *addresses; /* as asked for; may be none */
	size_t address_count;
	struct vd_mac mac; /* as asked for; zero: allocated */
	char *host;        /* where it must be attached; NULL: anywhere */
	char *instance;    /* ports of one machine share it; NULL: a machine of its own */
	bool is_default;   /* gives its instance the default route; when no port of an instance says so: the first by name */
	bool source_check; /* default true */
	struct vd_prefix *allowed_sources; /* opened in spite of source_check */
	size_t allowed_source_count;
	char **security_groups; /* sorted; none: unfiltered */
	size_t security_group_count;
	char *hostname;  /* a DNS label; made of the port's name when none was given */
	char *user_data; /* for cloud-init; NULL: none */
	char **ssh_keys;
	size_t ssh_key_count;
	struct vd_address *assigned_addresses; /* those asked for, and one per cidr without any */
	size_t assigned_address_count;
	struct vd_mac assigned_mac;
	/* Ports of one project with the same set of groups share it, and no others; 0: in no group. An id like a resource's. */
	uint32_t assigned_identity;
};

/* An address that may move: of a network, for elastic IPs and port forwards, or of a subnet, for what holds it now. */
struct vd_virtual_ip {
	struct vd_resource head;
	char *network;                /* either this */
	char *subnet;                 /* or this */
	struct vd_address *addresses; /* as asked for; may be none */
	size_t address_count;
	char *port; /* of a subnet's: who holds it now; NULL: nobody */
	char *vpc;  /* a router's own, made with its VPC's attachment to the network: whose; NULL of others */
	/* A router's: one per family of the network. Else as asked for, or one, of IPv4 where there is IPv4. */
	struct vd_address *assigned_addresses;
	size_t assigned_address_count;
};

/* A virtual_ip of a network that leads to one port, and the port's way out. */
struct vd_elastic_ip {
	struct vd_resource head;
	char *vip;                      /* with a network: the one that is called as this is, and goes with it */
	char *network;                  /* NULL: vip was given */
	struct vd_address address;      /* with a network, as asked for; family none: allocated */
	char *port;                     /* NULL: unbound, or bound to private_vip */
	struct vd_address port_address; /* family none: the port's first of the family */
	char *private_vip;              /* a subnet's virtual_ip, in place of the port */
};

struct vd_port_forward {
	struct vd_resource head;
	char *vip;
	enum vd_rule_protocol protocol; /* TCP or UDP */
	uint32_t port_first, port_last; /* on the VIP */
	uint32_t to_first, to_last;     /* at the port: as many, and the same where there are several */
	char *port;                     /* NULL: unbound */
	struct vd_address port_address; /* family none: the port's first of the VIP's family */
	struct vd_prefix allowed_cidr;  /* family none: anyone */
	char *assigned_subnet;          /* that of the last port: the next one must be there too; NULL: never bound */
};

enum vd_next_hop_type {
	VD_NEXT_HOP_TYPE_ADDRESS = 1, /* an instance's address in the same VPC */
	VD_NEXT_HOP_TYPE_BLACKHOLE,
	VD_NEXT_HOP_TYPE_VIP,     /* a virtual_ip of a subnet of the same VPC */
	VD_NEXT_HOP_TYPE_PUBLIC,  /* another router's address on a network: private sources travel untranslated */
	VD_NEXT_HOP_TYPE_GATEWAY, /* an address on a network: sources are translated */
	VD_NEXT_HOP_TYPE_PEERING, /* the other VPC of a peering, by that one's own routes */
};

struct vd_next_hop {
	enum vd_next_hop_type type;
	struct vd_address address;
	char *vip;
	char *peering;
};

enum vd_peering_routes {
	VD_PEERING_ROUTES_AUTO = 1, /* each side reaches the other's CIDRs and those of its routed container networks */
	VD_PEERING_ROUTES_MANUAL,   /* what routes with this peering as their next hop lead to, on both sides */
};

/* A CIDR of one of two peered VPCs, as the other one sees it: the bits behind the length stay. */
struct vd_translation {
	char *vpc; /* whose it is */
	struct vd_prefix cidr, as;
};

/* Two VPCs of one project reach each other. Which of the two is vpc and which peer makes no difference. */
struct vd_peering {
	struct vd_resource head;
	char *vpc, *peer;
	enum vd_peering_routes routes;
	struct vd_translation *translations;
	size_t translation_count;
};

/* A prefix of that VPC as its peer sees it. What no translation covers is seen as it is. */
struct vd_prefix vd_peering_translate(const struct vd_peering *peering, const char *vpc, const struct vd_prefix *prefix);

struct vd_route {
	struct vd_resource head;
	char *table; /* a route_table, or the name of the VPC whose main table it is */
	bool table_is_vpc;
	struct vd_prefix destination;
	struct vd_next_hop next_hop;
};

enum vd_policy_action {
	VD_POLICY_ACTION_NEXT_HOP = 1,
	VD_POLICY_ACTION_SET_MARK,     /* and on to the next policy route */
	VD_POLICY_ACTION_LOOKUP_TABLE, /* that table decides */
};

/* Decides before the routes of its table. Its name is "<table>/<priority>"; the lowest priority is asked first. */
struct vd_policy_route {
	struct vd_resource head;
	char *table; /* as a route's */
	bool table_is_vpc;
	uint32_t priority; /* 1-32767 */
	enum vd_rule_protocol protocol;
	struct vd_prefix source, destination;                   /* family none: any */
	uint32_t source_port_first, source_port_last;           /* 0, 0: all */
	uint32_t destination_port_first, destination_port_last; /* 0, 0: all */
	uint32_t mark;                                          /* 0: any */
	enum vd_policy_action action;
	struct vd_next_hop next_hop;
	uint32_t set_mark;
	char *lookup_table; /* a route_table */
};

enum vd_container_mode {
	VD_CONTAINER_MODE_TUNNEL = 1, /* other nodes' blocks by tunnel; everything else leaves with the node's address */
	VD_CONTAINER_MODE_ROUTED,     /* untranslated, by routes that a provider makes; by tunnel where those do not reach */
	VD_CONTAINER_MODE_NATIVE,     /* no blocks: each container is a port of a VPC's subnet */
};

enum vd_route_provider {
	VD_ROUTE_PROVIDER_VPC = 1, /* routes in the VPC's main table to the node's port */
	VD_ROUTE_PROVIDER_HOST,    /* every node of a LAN knows all others */
	VD_ROUTE_PROVIDER_GATEWAY, /* only the LAN's gateways know the nodes */
};

/* Where containers of several nodes have their addresses from; a routing domain of its own (its id), but in native mode. */
struct vd_container_network {
	struct vd_resource head;
	struct vd_prefix *cidrs; /* what blocks are cut from; at most one per family, none in native mode */
	size_t cidr_count;
	uint32_t block_size, block_size6; /* prefix lengths of an IPv4 and an IPv6 block */
	enum vd_container_mode mode;
	char *vpc;                       /* NULL: of none; in native mode the subnet's */
	char *subnet;                    /* in native mode; else NULL */
	enum vd_route_provider provider; /* in routed mode; else 0 */
	char **gateways;                 /* hosts; with the provider gateway only */
	size_t gateway_count;
	bool masquerade;       /* sources that leave for what knows no blocks get the node's address */
	uint32_t quarantine;   /* seconds that the block of a dead node is given to nobody */
	char *vxlan_pool;      /* default: the pool "default" */
	uint32_t vni;          /* as asked for; 0: allocated */
	uint32_t assigned_vni; /* of what goes by tunnel; 0 in native mode */
};

/* A host that takes part in container networks of this project; it is called as the host is. */
struct vd_node {
	struct vd_resource head;
	char *host; /* the name once more, for references */
	char **container_networks;
	size_t container_network_count;
	char *port; /* the instance that it is, in a VPC of this project; NULL: a host beside all VPCs */
	char *lan;  /* nodes with the same text reach each other without gateways; NULL: the prefix that its host's claim names */
};

enum vd_block_state {
	VD_BLOCK_STATE_CHOSEN = 1,  /* by a user, for a node that has not taken it up yet: it may go at once */
	VD_BLOCK_STATE_HELD,        /* containers may stand in it */
	VD_BLOCK_STATE_QUARANTINED, /* its node is dead: nobody's, no routes, but not free yet either */
};

/*
 * Part of a container network that is one node's, or stands behind a port without a node (an instance without viaductd). A block
 * of one address inside another node's block is a container that moved with its address.
 */
struct vd_container_block {
	struct vd_resource head;
	char *container_network;
	struct vd_prefix cidr;
	char *node; /* a host's name, which need not be a node now: it may be about to leave; NULL: port was given */
	char *port;
	enum vd_block_state assigned_state;  /* a port's is always held */
	uint64_t assigned_quarantined_until; /* seconds since 1970; 0 unless quarantined */
};

/* A host's link to a physical network. */
struct vd_uplink {
	char physnet[VD_NAME_SIZE];
	char ifname[16];
	uint32_t ifindex;
	struct vd_mac mac;
	uint32_t mtu;
	uint32_t vf_count; /* SR-IOV's virtual functions; 0: none */
};

/* What a host has routes to already, other than ours: no block of its may lie there. */
struct vd_occupied {
	char *name; /* "docker0", "Docker network web", "route via 10.0.0.1" */
	struct vd_prefix prefix;
};

#define VD_OCCUPIED_MAX 64

/* What a host says of itself. Its resource name is the host's, its project "default". Stays when the daemon is gone: see
 * VD_STORE_PREFIX_STATUS_ALIVE for who lives. */
struct vd_claim {
	struct vd_resource head;
	char machine_id[40], boot_id[40];
	struct vd_address underlay;   /* chosen by --underlay or the first address found */
	uint32_t underlay_mtu;        /* bytes, of the link that owns it */
	struct vd_address *addresses; /* all of the host's own, to find one inside a VTEP CIDR */
	size_t address_count;
	char *address_mtus; /* see vd_claim_mtu(); NULL: of a daemon that did not say */
	char *api;          /* URL for other hosts' questions; NULL: none */
	char *version;
	struct vd_uplink *uplinks; /* one per physical network */
	size_t uplink_count;
	struct vd_prefix lan;         /* what is on the link of the underlay address; family none: of a daemon that did not say */
	struct vd_occupied *occupied; /* at most VD_OCCUPIED_MAX, sorted by prefix */
	size_t occupied_count;
};

enum vd_attachment_type {
	VD_ATTACHMENT_TYPE_NETNS = 1, /* a veth pair, one end inside */
	VD_ATTACHMENT_TYPE_TAP,
	VD_ATTACHMENT_TYPE_LINK, /* a veth pair whose other end somebody else moves into a namespace, and configures */
};

/* Where a port's instance is. Its project and name are the port's. */
struct vd_attachment {
	struct vd_resource head;
	char *host;
	char boot_id[40];
	enum vd_attachment_type type;
	uint32_t ifindex;                   /* on the host's side */
	char ifname[16];                    /* on the host's side */
	char *netns;                        /* path it was given as; NULL of a tap or a link */
	uint64_t netns_device, netns_inode; /* of that namespace, stat(2) */
	char guest_ifname[16];              /* inside the namespace; of a link: before it is moved */
	bool dhcp;                          /* the interface was left for the instance to configure */
};

/* Who holds a router's own virtual_ip, whose project and name it has: translations of that VPC to that network are made there. */
struct vd_gateway {
	struct vd_resource head;
	char *host;
	char boot_id[40];
};

const char *vd_kind_word(enum vd_kind kind);   /* "route_table" */
const char *vd_kind_plural(enum vd_kind kind); /* "route_tables"; for facts the word itself */
/* Is what is of this kind (host, network) of every project? It is kept in the one called "default". */
bool vd_kind_is_shared(enum vd_kind kind);
/* Takes the word or the plural. 0 or -ENOENT. Users' kinds only unless facts. */
int vd_kind_parse(const char *word, bool facts, enum vd_kind *ret);

/*
 * Reads one document (a JSON object whose "kind" says what it is) into a resource with defaults filled in, references and ids
 * not looked at. -EINVAL with a sentence on an unknown kind or field, a wrong type, a value out of range. Pure.
 * notes (may be NULL, a JSON array) receives sentences about what was normalised, e.g. host bits.
 */
int vd_resource_parse(const json_t *document, json_t *notes, struct vd_resource **ret, struct vd_error *error);
/* The document again, normalised, without assigned values; a new reference. */
json_t *vd_resource_document(const struct vd_resource *resource);
/* What the rule is called inside its group; NULL when its name was made of what it says, and no document needs it. */
const char *vd_security_group_rule_own_name(const struct vd_security_group_rule *rule);
/* What allocation gave it: {"id": …, "addresses": …}; a new reference; empty object for facts. */
json_t *vd_resource_assigned(const struct vd_resource *resource);

/*
 * The stored record of a resource: a user's kind as {"spec": document, "assigned": {…}}, a fact as its own object.
 * Encoding returns a string to free. Decoding ignores fields it does not know; -EBADMSG when it cannot be read.
 */
char *vd_resource_encode(const struct vd_resource *resource);
int vd_resource_decode(enum vd_kind kind, const char *project, const char *name, const char *value, size_t size,
		       struct vd_resource **ret, struct vd_error *error);

/*
 * "/viaduct/v1/<project>/<kind>/<name>" for users' kinds, "/viaduct/v1/fact/<kind>/<project>/<name>" for facts. A string to free.
 * The project names "fact", "meta" and "status" are refused in documents for that reason.
 */
char *vd_resource_key(enum vd_kind kind, const char *project, const char *name);
/* The parts of such a key; name points into key. -ENOENT for a key that is no resource's. */
int vd_resource_key_parse(const char *key, enum vd_kind *ret_kind, char ret_project[VD_NAME_SIZE], const char **ret_name);

struct vd_resource *vd_resource_ref(struct vd_resource *resource);
void vd_resource_unref(struct vd_resource *resource);
/* A deep copy with one reference, to change before it goes into a model. */
struct vd_resource *vd_resource_clone(const struct vd_resource *resource);
/* Same kind, identity, spec and assigned values. */
bool vd_resource_equal(const struct vd_resource *a, const struct vd_resource *b);

#endif
