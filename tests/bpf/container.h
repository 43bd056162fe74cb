/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_CONTAINER_H
#define VD_TESTS_BPF_CONTAINER_H

#include "fixture.h"

/*
 * Beside the topology of fixture.h, a container network, pods (3): VNI 300, MTU 1450, 10.8.0.0/16 and fd08::/32; host port 3 on the
 * link "host".
 *   blocks of this node: 10.8.1.0/24, gateway .1, and fd08:0:0:1::/64, gateway ::1
 *     container "k" 10.8.1.2 fd08:0:0:1::2     container "l" 10.8.1.3 fd08:0:0:1::3
 *   of host 2, by tunnel: 10.8.2.0/24 and fd08:0:0:2::/64 (ids 62)
 *   of host 3 (192.0.2.3), by the node's kernel: 10.8.3.0/24 and fd08:0:0:3::/64 (ids 63)
 *   everything else by the node's kernel
 */
enum {
	PODS = 3,
	CONTAINER_K = 0x80000001u,
	CONTAINER_L = 0x80000002u,
};

#define MAC_K "02:00:00:00:08:0a"
#define MAC_L "02:00:00:00:08:0b"
#define HOST2 "192.0.2.2"
#define HOST3 "192.0.2.3"

struct containers {
	struct fixture *fixture;
	uint32_t host, k, l; /* ifindex */
};

/* For cmocka: *state is a struct containers. */
int containers_setup(void **state);
int containers_teardown(void **state);
/* As fixture_enter, with the links of both. */
int containers_enter(void);

/* A route to a node, to the kernel, or to a peer. */
void put_route_to(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint8_t type, uint32_t id,
		  uint32_t target);
/* A packet from a tunnel is dropped, for exactly this reason. */
void assert_tunnel_drops(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet *packet,
			 enum vd_drop_reason reason);

/* What a packet leaves as, by decide and twice by the cache alike. The flow says where to. */
struct vd_flow assert_crosses(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec,
			      const char *source_mac, const char *destination_mac, uint8_t ttl);

#endif
