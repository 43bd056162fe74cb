/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_FIXTURE_H
#define VD_TESTS_BPF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/generation.h"
#include "abi/reason.h"
#include "packet.h"

/*
 * The topology of the tests. One host with the real object in the real kernel, in a network namespace of the test's own.
 *
 *   VPC red (1): VNI 100, MTU 1450, 10.0.0.0/16 and fd00::/32; service port 20
 *     subnet 10: VNI 1010, 10.0.0.0/24 gateway .1, fd00:0:0:a::/64 gateway ::1
 *       port 21 "a" 10.0.0.2 fd00:0:0:a::2 here          port 22 "b" 10.0.0.3 fd00:0:0:a::3 here
 *       port 24 "d" 10.0.0.4 fd00:0:0:a::4 on host 2
 *     subnet 11: VNI 1011, 10.0.1.0/24 gateway .1, fd00:0:0:b::/64 gateway ::1
 *       port 23 "c" 10.0.1.2 fd00:0:0:b::2 here          port 25 "e" 10.0.1.4 fd00:0:0:b::4 on host 2
 *     routes: 172.16.0.0/24 by b, 172.16.1.0/24 by c, 172.16.2.0/24 blackhole, 172.16.3.0/24 unusable, 172.16.4.0/24 by d
 *             (50 + the last octet are their ids), and fd01::/64 by b
 *   VPC blue (2): VNI 200, no router here
 *     subnet 12: VNI 1012, 10.0.0.0/24
 *       port 31 "x" 10.0.0.2 here
 *   host 2: 192.0.2.2
 */
enum {
	RED = 1,
	BLUE = 2,
	PORT_SERVICE = 20,
	PORT_A,
	PORT_B,
	PORT_C,
	PORT_D,
	PORT_E,
	PORT_X = 31,
	MTU = 1450,
};

#define MAC_GATEWAY "02:76:69:61:64:01"
#define MAC_A "02:00:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"
#define MAC_C "02:00:00:00:00:0c"
#define MAC_D "02:00:00:00:00:0d"
#define MAC_E "02:00:00:00:00:0e"
#define MAC_X "02:00:00:00:00:1a"

#define VERDICT_DROP 2     /* TC_ACT_SHOT */
#define VERDICT_REDIRECT 7 /* TC_ACT_REDIRECT */

struct sample_counter {
	size_t count;
	struct vd_drop_event last;
};

struct fixture {
	struct viaduct_bpf *bpf;
	struct tunnel_bpf *tunnel;
	uint32_t ifindex_service, ifindex_a, ifindex_b, ifindex_c, ifindex_x, ifindex_overlay;
	struct packet out; /* of the last run */
	uint64_t drops[VD_DROP_REASON_COUNT];
	uint32_t gso_size; /* of the next packets */
	struct sample_counter samples;
};

/* For cmocka: *state is a struct fixture. */
/* How many flows of each family are cached; for the programs that are loaded afterwards. */
extern uint32_t fixture_flow_slots;

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Enters a network namespace with the links of the topology; 77 (skip) without root. Once, in main. */
int fixture_enter(void);

struct bpf_map;
/* Sets an element, and waits while the kernel has no memory for it; many of the maps take theirs when they are filled. */
void put_element(struct bpf_map *map, const void *key, size_t key_size, const void *value, size_t value_size);
#define PUT(map, key, value) put_element(map, &(key), sizeof(key), &(value), sizeof(value))
/* From here on connections expire, until the test ends. */
void start_expiry(struct fixture *fixture);

/* Runs a program as if packet came in by ifindex. Returns the verdict; what became of it is fixture->out. */
int run_program(struct fixture *fixture, int program, uint32_t ifindex, const struct packet *packet);
/* Runs the port program as if packet came in by ifindex. Returns the verdict; what became of it is fixture->out. */
int run_port(struct fixture *fixture, uint32_t ifindex, const struct packet *packet);
/* The same for the overlay program. */
int run_tunnel(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet *packet);
/* Drops of this reason since the last look at it. */
uint64_t new_drops(struct fixture *fixture, enum vd_drop_reason reason);
/* A packet is dropped, for exactly this reason. */
void assert_dropped(struct fixture *fixture, uint32_t ifindex, const struct packet *packet, enum vd_drop_reason reason);
/* Drops sampled since the last look; the newest is fixture->samples.last. */
size_t count_drop_samples(struct fixture *fixture);

/* The flow that a packet of this description from a port (or VNI, type TUNNEL) has; false: none. */
bool find_flow(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec,
	       struct vd_flow *ret);
/* The same for a struct vd_flow4_key or vd_flow6_key. */
bool find_flow_of(struct fixture *fixture, unsigned family, const void *key, struct vd_flow *ret);
/* As if every flow had told its connection long ago that it lives: the next hit tells it again. */
void age_flows(struct fixture *fixture);
bool find_connection(struct fixture *fixture, uint32_t domain, const struct packet_spec *spec, struct vd_connection *ret);
/* Asserts that the packet's flow is cached and goes to this ifindex. */
void assert_output(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec,
		   uint32_t ifindex);
uint64_t read_hits(struct fixture *fixture);
uint64_t read_misses(struct fixture *fixture);

void put_endpoint(struct fixture *fixture, uint32_t domain, const char *address, const struct vd_endpoint_value *value);
void delete_endpoint(struct fixture *fixture, uint32_t domain, const char *address);
void put_route(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint8_t type, uint32_t id,
	       const char *next_hop);
void open_source(struct fixture *fixture, uint32_t port, const char *prefix, uint8_t length);
/* Sets and clears flags of a port here, and bumps it. */
void change_port_flags(struct fixture *fixture, uint32_t ifindex, uint16_t set, uint16_t clear);
void set_service(struct fixture *fixture, uint32_t domain, uint32_t ifindex);
void bump(struct fixture *fixture, uint32_t slot);
uint32_t endpoint_slot(uint32_t domain, const char *address);

#endif
