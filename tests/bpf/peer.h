/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_PEER_H
#define VD_TESTS_BPF_PEER_H

#include "container.h"
#include "policy.h"

#include <net/if.h>

/*
 * Beside the topology of fixture.h, VPC green (4): VNI 400, MTU 1400, a /16 and a /32 of IPv6, no router here
 *   subnet 14: VNI 1014
 *     port 51 "y" here     port 52 "z" on host 2
 * Host 3: 192.0.2.3.
 */
enum {
	GREEN = 4,
	THIRD = 5,
	PORT_Y = 51,
	PORT_Z,
	GREEN_MTU = 1400,
	A_GROUP = 601, /* identities */
	Y_GROUP,
};

#define MAC_Y "02:00:00:00:04:0a"
#define MAC_Z "02:00:00:00:04:0b"
#define MAC_OF_RED "02:78:00:00:00:01"
#define MAC_OF_GREEN "02:78:00:00:00:04"

struct green {
	const char *gateway, *y[2], *z[2], *cidr[2]; /* IPv4 and IPv6; 16 and 32 bits */
};

/* For cmocka: *state is a struct fixture; fixture_teardown() takes it down. */
int green_setup(void **state, const struct green *green);
/* As fixture_enter, with the links "y" and "green". */
int green_enter(void);

void put_peer(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint32_t id, uint32_t peer);
struct packet_spec udp(const char *source_mac, const char *source, const char *destination);
struct packet_spec reply_to(const struct packet_spec *spec, const char *source_mac);
/* About UDP port 5353, from or to a group. */
struct rule rule(uint32_t identity, enum vd_policy_direction direction, uint32_t remote);

void pass(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec);
void pass_from_tunnel(struct fixture *fixture, uint32_t vni, const struct packet_spec *spec);
void drop(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, enum vd_drop_reason reason);
void drop_from_tunnel(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet_spec *spec,
		      enum vd_drop_reason reason);

#endif
