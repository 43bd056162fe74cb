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
 * attach      {project, port, netns | tap, ifname?, dhcp?} -> the attachment; returns when this host's data plane has it
 * detach      {project, port} -> {}
 * status      {translations?: true} -> this host's status; with "translations": [{"network", "vip", "used", "busiest": to one destination, "limit"}],
 *             the ports that SNAT has taken, if asked for: that reads a large table
 * drops       {} -> {"drops": [{"reason", "sentence", "packets", "bytes"}], "recent": [sampled ones, newest last], "kernel": packets}
 *             stream "drops": one object per sampled drop
 * flows       {limit, port?} -> {"flows": […], "connections": […]}   stream "flows": newly seen ones, once a second
 * trace       {project, from: port | "network:NAME:ADDRESS", to: address | port, protocol?: "icmp" | "tcp" | "udp", port?, source?: address, size?, ttl?}
 *             -> {"host", "verdict", "reason"?, "sentence"?, "steps": [{"stage", "text"}], "to_port"?, "next"?: {"host", "arguments"}}:
 *             when the packet goes on to another host, the same verb with next.arguments, asked of next.host, tells the rest;
 *             "packet"?: {"source", "destination", "source_port", "destination_port"} as it goes on
 * capture     stream only: {project, ports: […]} -> {"time": ns since 1970, "port", "size", "data": base64, "direction": "in" | "out"}
 * plan        {} -> {"text": the plan}
 * neighbours  {} -> {"host", "neighbours": [{"network", "address", "state": "known" | "asked" | "silent", "mac"?, "next_hop", "confirmed"?}]}
 */
#define VD_LIVE_FROM_NETWORK "network:" /* a trace's from: then the network's name, ":", and an outside address */

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
