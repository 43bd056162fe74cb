/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_LIVE_H
#define VD_API_LIVE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * Questions and orders that only a running host can answer: the narrow interface between api and agent, which cmd/viaductd wires.
 * Called on api's threads; the implementer takes them to its own.
 *
 * verb        arguments -> reply
 * attach      {project, port, netns | tap | peer_ifname, ifname?, dhcp?} -> the attachment; returns when this host's data plane has it.
 *             peer_ifname: the other end stays in the daemon's namespace under that name, for the caller to move and configure
 * detach      {project, port} -> {}
 * status      {translations?: true} -> this host's status; with "translations": [{"network", "vip", "used", "busiest": to one destination, "limit"}],
 *             the ports that SNAT has taken, if asked for: that reads a large table
 *             Always with "changes": [{"what", "when", "times"}], what this host's own kernel was set right in, and "problem" when
 *             something cannot be
 * drops       {} -> {"drops": [{"reason", "sentence", "packets", "bytes"}], "recent": [sampled ones, newest last], "kernel": packets}
 *             stream "drops": one object per sampled drop
 * flows       {limit, port?} -> {"flows": […], "connections": […]}   stream "flows": newly seen ones, once a second
 * trace       {project, from: port | "network:NAME:ADDRESS" | "container:NETWORK:ADDRESS" | "kernel:NETWORK" (a node's; with source), to: address | port,
 *             protocol?: "icmp" | "tcp" | "udp", port?, source?: address, size?, ttl?, goes_on?: true: past what refuses}
 *             -> {"host", "verdict", "reason"?, "sentence"?, "steps": [{"stage", "text"}], "to_port"?, "next"?: {"host", "arguments"}}:
 *             when the packet goes on to another host, the same verb with next.arguments, asked of next.host, tells the rest;
 *             "packet"?: {"source", "destination", "source_port", "destination_port"} as it goes on; "refused"?: with goes_on,
 *             [{"stage", "reason", "sentence", "text", "port", "groups"?}], what was passed; "to_kernel"?: true: given to the node's
 *             kernel, and of a container's packet "masquerade": whether it takes the node's address there
 * capture     stream only: {project, ports: […]} -> {"time": ns since 1970, "port", "size", "data": base64, "direction": "in" | "out"}
 * plan        {} -> {"text": the plan}
 * guest       {project, port} -> {"occupied": [{"name": link, "prefix"}]}: what the instance has routes to inside, where it is a
 *             namespace; of one behind a tap nothing is known
 *
 * Containers of this host's networks (docs: model/container_network). key: text that the caller chooses, 1-255 bytes, unique on the
 * host; the same order with the same key is done once and answered the same. A refusal carries a word of containers/code.h as "code".
 * container_add      {network: "[project/]name", key, netns?, ifname?, addresses?: [text], hostname?,
 *                     bandwidth?: {ingress_rate?, ingress_burst?, egress_rate?, egress_burst?}, move?: bool}
 *                    -> {"key", "network": "project/name", "addresses": ["10.0.2.5/24"], "gateways": ["10.0.2.1"]: default routes,
 *                    "routes": [{"destination", "gateway"}]: others, "mac", "mtu", "ifname": of this side, "peer_ifname": of the container's, "dns":
 *                    {"nameservers"?: […], "domain"?, "search"?: […]}: what a native network's subnet has}. netns: path, name or
 *                    pid:N; the link is in it when this returns, as ifname (default eth0), with addresses, routes, MTU, up, and lo up too. Without netns the container's end stays here
 *                    as peer_ifname, for the caller to move and configure; its MAC is set and must stay.
 *                    addresses: one of a family at most; reserved?: [keys] of reservations that they may be: the container takes
 *                    these over, and when it goes they stand again, unless released; move: also one
 *                    of another node's block, when no container there has it (any more). bandwidth: bits each second, bits of
 *                    burst (default: what 10 ms take, 64 kB at least); ingress: into the container. 0 or absent: no limit.
 * container_reserve  {network, key, address? | family?: 4 | 6, gateway?: true} -> {"address": "10.0.2.5/24", "gateway", "key"}: no
 *                    link. A key that ends with "/" gets the address behind it. gateway: the address is the gateway's own, and nothing
 *                    is taken. Of a native network it is a port of the subnet, which the container then has.
 * container_release  {key, since?} -> {}   of a reservation; one that is not there is released already. since: as the list said it: one that
 *                    has come in its place stays
 * container_check    {key, netns?, ifname?} -> as add: all that it made stands; else the sentence says what does not
 * container_delete   {key, since?} -> {}: link, map entries and addresses are gone; unknown is success
 * container_list     {network?} -> {"containers": [{"key", "network", "state": "up" | "reserved", "addresses", "mac"?, "ifname"?,
 *                    "peer_ifname"?, "netns"?, "hostname"?, "since": unix seconds, "bandwidth"?:
 *                    as given, and "ingress_dropped", "egress_dropped": packets}]}
 * container_lend     {network, key, address} -> {}: between hosts: the address may be another node's for a container of that key, which was
 *                    here before. container_add with move answers {"lend": {"host", "arguments"}} when a host must be asked so first;
 *                    then it is asked once more, with "lent": true. The api does both.
 * container_gc       {network?, prefix, valid: [keys]} -> {"removed": [keys]}: those whose key begins with prefix and is not in valid
 *
 * neighbours  {} -> {"host", "neighbours": [{"network", "address", "state": "known" | "asked" | "silent", "mac"?, "next_hop", "confirmed"?}]}
 */
#define VD_LIVE_FROM_NETWORK "network:"     /* a trace's from: then the network's name, ":", and an outside address */
#define VD_LIVE_FROM_CONTAINER "container:" /* the container network's name, ":", and the container's address */
#define VD_LIVE_FROM_KERNEL "kernel:"       /* the container network's name: what the host's own kernel sends into it */

struct vd_live {
	/* 0 and a new reference in ret, or a negative errno and a sentence. */
	int (*call)(void *userdata, const char *verb, const json_t *arguments, json_t **ret, struct vd_error *error);
	/*
	 * Calls emit (a borrowed object) until emit returns false; also with NULL at least once a second, so that a client that is gone
	 * is noticed.
	 */
	int (*stream)(void *userdata, const char *verb, const json_t *arguments,
		      bool (*emit)(const json_t *object, void *emit_userdata), void *emit_userdata, struct vd_error *error);
	void *userdata;
};

#endif
