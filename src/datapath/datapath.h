/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_DATAPATH_H
#define VD_DATAPATH_DATAPATH_H

#include "base/error.h"
#include "plan/plan.h"

#include <jansson.h>

/*
 * The eBPF programs and maps of one host: the only user of libbpf. Everything is pinned below pin_directory, so that traffic goes
 * on without the daemon. Not thread-safe.
 */
struct vd_datapath;

struct vd_datapath_options {
	const char *pin_directory;   /* on a bpffs; made when missing */
	uint32_t overlay_ifindex;    /* the collect-metadata VXLAN device */
	uint32_t connection_entries; /* and as many translations, of each family; 0: 262144 */
	uint32_t flow_entries; /* of each family; 0: twice connection_entries, or (that 0 too) 262144 of IPv4 and 65536 of IPv6 */
	uint32_t connection_share; /* most connections of one domain; 0: half of connection_entries */
};

/*
 * Opens what is pinned, or loads anew. When the pinned programs are of another build, loads ours beside them, carries live state
 * over (connections, generations; values that grew are zero-filled at their end) and swaps the programs on every interface
 * without a packet lost. Nothing is flushed. Interfaces keep their programs until sync says otherwise.
 */
int vd_datapath_open(const struct vd_datapath_options *options, struct vd_datapath **ret, struct vd_error *error);
/* Lets go of it; what is pinned stays and traffic goes on. */
void vd_datapath_close(struct vd_datapath *datapath);
/* Detaches the programs and removes everything pinned. Only pin_directory, overlay_ifindex are read. */
int vd_datapath_purge(const struct vd_datapath_options *options, struct vd_error *error);

/*
 * Makes the maps and attached programs what the plan says, whatever stood there: reads every map that a plan fills, changes only
 * entries that differ, and bumps only what those concern. For the start and after a resynchronisation.
 */
int vd_datapath_sync(struct vd_datapath *datapath, const struct vd_plan *plan, struct vd_error *error);
/* The same for a difference to the plan last given; costs as much as the difference. When it returns, the next packet obeys. */
int vd_datapath_apply(struct vd_datapath *datapath, const struct vd_plan_difference *difference, struct vd_error *error);
/*
 * The service port of a domain: where its router's namespace hangs, or of a container network the host port: the inner end of a veth
 * pair of which both ends are in the node's own namespace, the outer one with VD_GATEWAY_MAC. ifindex 0 takes it away. Call it after
 * the DOMAIN record is in place; agent makes the links (host/router.h).
 */
int vd_datapath_service_set(struct vd_datapath *datapath, uint32_t domain, uint32_t ifindex, struct vd_error *error);

/*
 * The data plane on an uplink's ingress, beside whatever filters and qdisc others have there: those stay. Which interfaces have ours
 * is asked of the kernel, so it holds beyond the daemon's life; an upgrade swaps it, purge takes it off. Attaching again is no harm.
 */
int vd_datapath_uplink_attach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error);
int vd_datapath_uplink_detach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error);
/* Detaches it from every interface but these: at the start, for uplinks that are no longer configured. */
int vd_datapath_uplinks_keep(struct vd_datapath *datapath, const uint32_t *ifindexes, size_t count, struct vd_error *error);

/* Until when (ns, CLOCK_MONOTONIC) this host may make new translations as a gateway; ~0: for ever. 0 at the first start. */
int vd_datapath_deadline_set(struct vd_datapath *datapath, uint64_t ns);

/*
 * Who has an address on a provider network (in a VPC's domain: on its provider segments). Entries come with a plan's NEXT_HOP records
 * and by packets that need them; what they hold the data plane learns from ARP and neighbour discovery. Asking is the caller's.
 */
struct vd_neighbour {
	uint32_t network;
	struct vd_address address;
	struct vd_mac mac;
	bool known;
	uint64_t confirmed, asked; /* ns, CLOCK_MONOTONIC; 0: never */
};
/* A packet wants a MAC, or one that was wanted is known now. */
struct vd_neighbour_news {
	uint32_t network;
	struct vd_address address;
	bool known;
	const void *frame; /* the packet, to be sent once the MAC is known; NULL: it was dropped */
	size_t frame_size;
};
/* Becomes readable when there is news; read calls back for each. */
int vd_datapath_neighbour_fd(struct vd_datapath *datapath);
int vd_datapath_neighbour_read(struct vd_datapath *datapath, void (*heard)(const struct vd_neighbour_news *news, void *userdata),
			       void *userdata);
/* A packet that was given out as news is not sent after all: it counts among the drops. */
void vd_datapath_neighbour_lost(struct vd_datapath *datapath, size_t size);
/* Visits until visit returns non-zero; returns that. */
int vd_datapath_neighbour_each(struct vd_datapath *datapath, int (*visit)(const struct vd_neighbour *neighbour, void *userdata),
			       void *userdata);
/* One that is not there is success. */
int vd_datapath_neighbour_forget(struct vd_datapath *datapath, uint32_t network, const struct vd_address *address);

/* Map writes (update, delete, generation bump) since open: tests hold that one change costs one change. */
uint64_t vd_datapath_writes(const struct vd_datapath *datapath);

/*
 * What a plan does not name, for traces and drops: a rule by its id, a port's groups ("web, default") by its id, a container by its
 * port's (0x80000000 | n: local to this host; the plan's name for it may be its end alone). False: unknown; NULL: all are. Called only
 * inside the calls below. text: size bytes.
 */
struct vd_datapath_naming {
	bool (*rule)(uint32_t rule, char *text, size_t size, void *userdata);
	bool (*groups)(uint32_t port, char *text, size_t size, void *userdata);
	bool (*container)(uint32_t port, char *text, size_t size, void *userdata);
	void *userdata;
};
void vd_datapath_naming_set(struct vd_datapath *datapath, const struct vd_datapath_naming *naming);

/*
 * Names for ids come from the plan last given. JSON objects, new references:
 * counters: {"hits": …, "misses": …, …}; drops: [{"reason", "sentence", "packets", "bytes"}] with packets > 0;
 * flows: up to limit cached flows; connections: up to limit; status: entries and limits of each map, build ids.
 */
json_t *vd_datapath_counters(struct vd_datapath *datapath);
json_t *vd_datapath_drops(struct vd_datapath *datapath);
json_t *vd_datapath_flows(struct vd_datapath *datapath, size_t limit);
json_t *vd_datapath_connections(struct vd_datapath *datapath, size_t limit);
json_t *vd_datapath_status(struct vd_datapath *datapath);
/*
 * How many ports SNAT has taken: [{"network", "vip", "used": translations, "busiest": those to the one destination that has most of
 * them, "limit": ports for each destination}]. And the VPCs' shares of the connection table: {VPC: {"used", "limit"}}. The first
 * reads the table of claims, so ask when somebody wants to know, not on a timer; the second costs nothing.
 */
json_t *vd_datapath_translations(struct vd_datapath *datapath);
json_t *vd_datapath_shares(struct vd_datapath *datapath);
/* Packets that a port's bandwidth limits have dropped: of what it receives, of what it sends. 0 without a limit. */
struct vd_port_limited {
	uint64_t in, out;
};
struct vd_port_limited vd_datapath_limited(const struct vd_datapath *datapath, uint32_t port);

/* Sampled drops: becomes readable when there are some; vd_datapath_drop_events reads them all and calls back with
 * {"time", "reason", "sentence", "port", "host_interface", "source", "destination", "protocol", …}, borrowed. One that a security
 * group refused has "policy_port", "direction" ("ingress", "egress": as that port's rules see the connection) and "groups". */
int vd_datapath_drop_fd(struct vd_datapath *datapath);
int vd_datapath_drop_events(struct vd_datapath *datapath, void (*event)(json_t *drop, void *userdata), void *userdata);

/* Captures: on sets the port's flag (and bumps its flows). Packets as pcap records' payload. */
struct vd_captured_packet {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t port, size, captured;
	bool to_instance;
	const uint8_t *data; /* from the Ethernet header */
};
int vd_datapath_capture_set(struct vd_datapath *datapath, uint32_t port, bool on, struct vd_error *error);
int vd_datapath_capture_fd(struct vd_datapath *datapath);
int vd_datapath_capture_events(struct vd_datapath *datapath,
			       void (*packet)(const struct vd_captured_packet *packet, void *userdata), void *userdata);

/*
 * What the next packet would meet: builds it, runs the tracing copy of the programs over the live maps.
 * from_port: plan port id here; from_network: id of a network whose uplink this host has; neither: it comes by tunnel: vni, vtep and
 * destination_mac say how. One that turns round to an address of ours is followed. ret:
 * {"verdict": "delivered" | "sent" | "dropped" | "answered", "reason", "sentence", "steps": [{"stage", "text"}],
 *  "to_port": name | "to_host": id, "vni", "destination_mac", "source_mac", "packet": {"source", "destination", "source_port",
 *  "destination_port"} as it goes on | "to_interface": uplink, "network", "to_kernel": true when that port is the node's kernel's,
 *  "refused": with goes_on, [{"stage", "reason", "sentence", "text", "port", "groups"?}], what would have stopped it}; a new reference.
 */
struct vd_trace_request {
	uint32_t from_port, from_network;
	uint32_t vni;
	struct vd_address vtep;
	struct vd_mac destination_mac; /* zero: the gateway's */
	struct vd_mac source_mac;      /* zero: the port's */
	struct vd_address source, destination;
	uint8_t protocol;                       /* IPPROTO_ICMP(V6), TCP, UDP */
	uint16_t source_port, destination_port; /* 0 for ICMP: an echo request */
	uint8_t ttl;                            /* 0: 64 */
	uint16_t size;                          /* bytes of payload */
	bool goes_on;                           /* past source check and policies that refuse: all that is in the way shows */
	/* Names what this host's plan has no name for, like a port on another host: 0 and a text, or -ENOENT. NULL: nobody knows more. */
	int (*name)(uint32_t id, char *text, size_t size, void *userdata);
	void *name_userdata;
};
int vd_datapath_trace(struct vd_datapath *datapath, const struct vd_trace_request *request, json_t **ret, struct vd_error *error);

#endif
