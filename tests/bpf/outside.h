/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_OUTSIDE_H
#define VD_TESTS_BPF_OUTSIDE_H

#include "provider.h"

/*
 * Beside the segments of provider.h, VPC red's way out: an exit to NETWORK with VIP and VIP6, which is its default route, here; its
 * next hops' MAC is MAC_OUTSIDE; ports a and b may use it.
 */
#define VIP "203.0.113.10"
#define VIP6 "2001:db8:1::10"
#define EIP "203.0.113.50"
#define EIP_B "203.0.113.51"
#define OUTSIDE "198.18.0.1"
#define OUTSIDE6 "2001:db8:ffff::1"

struct viaduct_bpf *bpf_of(struct provider *provider);
union vd_addr address_of(const char *text);
void set_deadline(struct provider *provider, uint64_t deadline);
/* An exit of red to NETWORK, with VIP and VIP6. */
void put_exit(struct provider *provider, uint32_t exit, uint32_t flags, uint32_t host);
/* In red's main table. */
void put_exit_route(struct provider *provider, const char *prefix, uint8_t length, uint32_t exit);
/* Of NETWORK, here; of red when value says nothing. */
void put_vip(struct provider *provider, const char *address, struct vd_vip_value value);
struct elastic {
	uint32_t domain, network;
	const char *address, *inner;
	uint32_t host; /* 0: here */
};
void put_elastic(struct provider *provider, const struct elastic *elastic);
void delete_elastic(struct provider *provider, const struct elastic *elastic);
/* The same for red and NETWORK, here. */
void bind_elastic(struct provider *provider, const char *elastic, const char *inner);
/* A block of VIP's ports (of VIP6's, where inner is IPv6), TCP. */
void put_forward(struct provider *provider, uint16_t port, uint8_t length, const char *inner, uint16_t to_port, const char *allowed,
		 uint8_t allowed_length);
/* For cmocka, with provider_teardown. */
int outside_setup(void **state);

uint16_t source_port(const struct packet *packet, uint8_t protocol);
uint16_t destination_port(const struct packet *packet);
/* From port a to OUTSIDE or, ICMPv6, OUTSIDE6. */
struct packet_spec out_spec(uint8_t protocol, uint16_t port);
/* What answers spec, sent to port of vip. */
struct packet_spec in_spec(const struct packet_spec *spec, const char *vip, uint16_t port);
/* From port a to the wire. Returns the port it has out there. */
uint16_t assert_leaves(struct provider *provider, const struct packet_spec *spec, const char *vip);
/* From the wire to the port that has inner and mac. */
void assert_comes_in(struct provider *provider, const struct packet_spec *spec, const char *inner, const char *mac);

#endif
