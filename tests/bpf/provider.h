/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_PROVIDER_H
#define VD_TESTS_BPF_PROVIDER_H

#include "fixture.h"

/*
 * Beside the topology of fixture.h, provider segments on the link "uplink" (its MAC: MAC_UPLINK; its peer is the wire).
 *
 *   untagged: network 100, 203.0.113.0/24 gateway .1, 2001:db8:1::/64 gateway ::1, MTU 1500
 *     VIPs 203.0.113.10 and 2001:db8:1::10 here, 203.0.113.11 on host 2 (MAC_FAR)
 *     port 41 "f" 203.0.113.21 2001:db8:1::21 here     port 42 "g" 203.0.113.22 2001:db8:1::22 here
 *     port 43 "h" 203.0.113.23 2001:db8:1::23 on host 2
 *   VLAN 30: subnet 13 of VPC red, 10.0.3.0/24 gateway .1
 *     port 26 "v" 10.0.3.2 fd00:0:0:d::2 here
 *   VLAN 40: network 101; VIP 198.51.100.10 here; no instances
 *   neighbours that somebody wants to know: 203.0.113.1 and 2001:db8:1::1 of network 100, their MACs not known yet
 */
enum {
	NETWORK = 100,
	NETWORK_TAGGED = 101,
	PORT_V = 26,
	PORT_F = 41,
	PORT_G,
	PORT_H,
	VLAN_SUBNET = 30,
	VLAN_NETWORK = 40,
	VERDICT_PASS = -1, /* TC_ACT_UNSPEC */
};

#define MAC_UPLINK "02:00:00:00:01:00"
#define MAC_FAR "02:00:00:00:01:02"     /* of host 2's uplink */
#define MAC_OUTSIDE "02:00:00:00:02:01" /* on the wire, not ours */
#define MAC_OUTSIDE2 "02:00:00:00:02:02"
#define MAC_ALL "ff:ff:ff:ff:ff:ff"
#define MAC_F "02:00:00:00:00:f1"
#define MAC_G "02:00:00:00:00:f2"
#define MAC_H "02:00:00:00:00:f3"
#define MAC_V "02:00:00:00:00:26"

struct provider {
	struct fixture *fixture;
	struct tag_bpf *tag;
	uint32_t uplink, f, g, v; /* ifindex */
};

/* For cmocka: *state is a struct provider. */
int provider_setup(void **state);
int provider_teardown(void **state);
/* As fixture_enter, with the links of both. */
int provider_enter(void);

/* Runs the uplink's program as if packet came from the wire; vlan may carry a priority. Returns the verdict. */
int run_uplink(struct provider *provider, uint16_t vlan, const struct packet *packet);
/* The same with a tag of 802.1ad. */
int run_uplink_service_tagged(struct provider *provider, uint16_t vlan, const struct packet *packet);
/* It is the host's own: it passes, byte for byte. */
void assert_passes(struct provider *provider, uint16_t vlan, const struct packet *packet);
/* Drops for this reason and no other. */
void assert_uplink_drops(struct provider *provider, uint16_t vlan, const struct packet *packet, enum vd_drop_reason reason);
/* The flow of a packet from the wire; false: none. */
bool find_uplink_flow(struct provider *provider, uint16_t vlan, const struct packet_spec *spec, struct vd_flow *ret);

void put_neighbour(struct provider *provider, uint32_t network, const char *address, const char *mac);
bool find_neighbour(struct provider *provider, uint32_t network, const char *address, struct vd_neighbour_value *ret);
uint32_t read_generation(struct provider *provider, uint32_t slot);
/* Questions for next hops since the last look, and answers to them; the newest is *ret. */
size_t count_neighbour_events(struct provider *provider, struct vd_neighbour_event *ret);
/* The same when exactly one of them brought a packet. */
size_t take_held_packet(struct provider *provider, struct vd_neighbour_packet *ret);

#endif
