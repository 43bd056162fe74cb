/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_REASON_H
#define VD_DATAPATH_REASON_H

#include "datapath/state.h"

#include <jansson.h>

/* What the numbers in the maps are called (bpf/abi/reason.h), as JSON. */

const char *vd_reason_name(uint32_t reason);
const char *vd_reason_sentence(uint32_t reason);
const char *vd_stage_name(uint32_t stage);
/* "tcp", "udp", "icmp", "icmpv6"; another number as it is. text: room for 4 bytes. */
const char *vd_protocol_name(uint8_t protocol, char text[4]);

/* object[key] = the name of an id, or the id itself when it has none; nothing for id 0. */
void vd_json_set_name(json_t *object, const char *key, const struct vd_datapath *datapath, uint32_t id);
/* A port's name; "router of <VPC>" for a service port. text: room for it. */
#define VD_PORT_TEXT 160
const char *vd_port_name(const struct vd_datapath *datapath, uint32_t id, char text[VD_PORT_TEXT]);
void vd_json_set_port(json_t *object, const char *key, const struct vd_datapath *datapath, uint32_t id);
void vd_json_set_address(json_t *object, const char *key, const union vd_addr *address, unsigned family);
/* source, destination, protocol and, where it has any, ports (network byte order); for ICMP the identifier or type and code. */
void vd_json_set_tuple(json_t *object, const union vd_addr *source, const union vd_addr *destination, unsigned family,
		       uint8_t protocol, uint16_t source_port, uint16_t destination_port);

/* The date (CLOCK_REALTIME, ns) of a time that the maps keep (vd_clock_ns). */
uint64_t vd_time_real(uint64_t monotonic);

/* A rule's name, or "#id"; a port's groups, or NULL when nobody knows. text: room for them. */
#define VD_RULE_TEXT 256
const char *vd_rule_name(const struct vd_datapath *datapath, uint32_t rule, char text[VD_RULE_TEXT]);
const char *vd_port_groups(const struct vd_datapath *datapath, uint32_t port, char text[VD_RULE_TEXT]);

#endif
