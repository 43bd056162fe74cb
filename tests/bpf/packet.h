/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_BPF_PACKET_H
#define VD_TESTS_BPF_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Builds and checks packets, from the Ethernet header on. Addresses are text; all checksums are filled in. */

struct packet {
	uint8_t data[4096];
	size_t size;
	size_t l4; /* offset of the transport header */
};

struct packet_spec {
	const char *source_mac, *destination_mac; /* default: the gateway's destination */
	const char *source, *destination;         /* both IPv4 or both IPv6 */
	uint8_t protocol;                         /* IPPROTO_… */
	uint16_t source_port, destination_port;   /* ICMP: identifier, type << 8 | code */
	uint8_t ttl;                              /* 0: 64 */
	uint8_t tcp_flags;                        /* 0: ACK */
	uint16_t mss;                             /* TCP: the option, 0: none */
	bool odd_mss;                             /* a no-operation option before it */
	bool dont_fragment;
	uint16_t fragment_offset; /* in bytes */
	bool more_fragments;
	uint16_t id;
	size_t payload;                /* bytes */
	const struct packet *embedded; /* ICMP error: about this one; source_port is the MTU that it names */
};

/* An ICMP error, or ICMPv6 by source's family; type_code: type << 8 | code. */
struct packet_spec packet_error_spec(const char *source_mac, const char *source, const char *destination, uint16_t type_code,
				     const struct packet *about);

void packet_build(const struct packet_spec *spec, struct packet *ret);
void packet_build_arp(const char *source_mac, const char *sender_mac, const char *sender, const char *target, uint16_t operation,
		      struct packet *ret);
/* source "::": an address probe. sender_mac NULL: no link-layer option. */
void packet_build_solicitation(const char *source_mac, const char *sender_mac, const char *source, const char *target,
			       struct packet *ret);

bool packet_has_macs(const struct packet *packet, const char *source, const char *destination);
bool packet_has_source(const struct packet *packet, const char *address);
bool packet_has_destination(const struct packet *packet, const char *address);
/* The packet that an ICMP error speaks of, with the error's Ethernet header. */
void packet_embedded(const struct packet *error, struct packet *ret);
uint8_t packet_ttl(const struct packet *packet);
/* IPv4 header and transport checksums. */
bool packet_checksums_hold(const struct packet *packet);
uint16_t packet_mss(const struct packet *packet);

void text_to_mac(const char *text, uint8_t mac[6]);
/* Returns the family, 4 or 6; the address fills 4 or 16 bytes of address, the rest is zeroed. */
int text_to_address(const char *text, uint8_t address[16]);

#endif
