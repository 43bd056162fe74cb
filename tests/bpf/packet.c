// SPDX-License-Identifier: Apache-2.0
#include "packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "abi/maps.h"

static const char gateway_mac[] = "02:76:69:61:64:01";

void text_to_mac(const char *text, uint8_t mac[6])
{
	int count = sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]);

	assert(count == 6);
	(void)count;
}

int text_to_address(const char *text, uint8_t address[16])
{
	memset(address, 0, 16);
	if (inet_pton(AF_INET, text, address) == 1)
		return 4;
	if (inet_pton(AF_INET6, text, address) != 1)
		assert(!"an address");
	return 6;
}

static uint32_t sum_bytes(const uint8_t *data, size_t size, uint32_t sum)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static bool is_ipv4(const struct packet *packet)
{
	return get16(packet->data + 12) == ETHERTYPE_IP;
}

/* The transport's sum with its pseudo header; 0 when the checksum that stands there is right. */
static uint16_t transport_sum(const struct packet *packet, uint8_t protocol)
{
	const uint8_t *ip = packet->data + ETH_HLEN;
	size_t length = packet->size - packet->l4;
	uint32_t sum = 0;

	if (!is_ipv4(packet))
		sum = sum_bytes(ip + 8, 32, length + protocol);
	else if (protocol != IPPROTO_ICMP)
		sum = sum_bytes(ip + 12, 8, length + protocol);
	return sum_fold(sum_bytes(packet->data + packet->l4, length, sum));
}

static size_t build_tcp(const struct packet_spec *spec, uint8_t *tcp)
{
	size_t size = 20;

	put16(tcp, spec->source_port);
	put16(tcp + 2, spec->destination_port);
	put16(tcp + 14, 65535);
	tcp[13] = spec->tcp_flags ? spec->tcp_flags : TH_ACK;
	if (spec->mss) {
		if (spec->odd_mss)
			tcp[size++] = 1;
		tcp[size] = 2;
		tcp[size + 1] = 4;
		put16(tcp + size + 2, spec->mss);
		size += 4;
		size = (size + 3) / 4 * 4;
	}
	tcp[12] = size / 4 << 4;
	return size;
}

static size_t build_transport(const struct packet_spec *spec, uint8_t *at)
{
	switch (spec->protocol) {
	case IPPROTO_TCP:
		return build_tcp(spec, at);
	case IPPROTO_UDP:
		put16(at, spec->source_port);
		put16(at + 2, spec->destination_port);
		put16(at + 4, 8 + spec->payload);
		return 8;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put16(at, spec->destination_port);
		put16(at + (spec->embedded ? 6 : 4), spec->source_port);
		return 8;
	}
	return 0;
}

static size_t checksum_offset(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
}

static void build_ipv4(const struct packet_spec *spec, struct packet *packet, size_t size)
{
	uint8_t *ip = packet->data + ETH_HLEN, address[16];

	put16(packet->data + 12, ETHERTYPE_IP);
	ip[0] = 0x45;
	put16(ip + 2, 20 + size);
	put16(ip + 4, spec->id);
	put16(ip + 6, (spec->dont_fragment ? 0x4000 : 0) | (spec->more_fragments ? 0x2000 : 0) | spec->fragment_offset / 8);
	ip[8] = spec->ttl ? spec->ttl : 64;
	ip[9] = spec->protocol;
	text_to_address(spec->source, address);
	memcpy(ip + 12, address, 4);
	text_to_address(spec->destination, address);
	memcpy(ip + 16, address, 4);
	put16(ip + 10, sum_fold(sum_bytes(ip, 20, 0)));
}

static bool is_fragment(const struct packet_spec *spec)
{
	return spec->more_fragments || spec->fragment_offset;
}

static void build_ipv6(const struct packet_spec *spec, struct packet *packet, size_t size)
{
	uint8_t *ip = packet->data + ETH_HLEN, *fragment = ip + 40;

	put16(packet->data + 12, ETHERTYPE_IPV6);
	ip[0] = 0x60;
	put16(ip + 4, size);
	ip[6] = spec->protocol;
	if (is_fragment(spec)) {
		put16(ip + 4, 8 + size);
		ip[6] = IPPROTO_FRAGMENT;
		fragment[0] = spec->protocol;
		put16(fragment + 2, spec->fragment_offset | (spec->more_fragments ? 1 : 0));
		put16(fragment + 6, spec->id);
	}
	ip[7] = spec->ttl ? spec->ttl : 64;
	text_to_address(spec->source, ip + 8);
	text_to_address(spec->destination, ip + 24);
}

struct packet_spec packet_error_spec(const char *source_mac, const char *source, const char *destination, uint16_t type_code,
				     const struct packet *about)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = strchr(source, ':') ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				    .destination_port = type_code,
				    .embedded = about};
}

void packet_build(const struct packet_spec *spec, struct packet *ret)
{
	uint8_t probe[16];
	bool ipv4 = text_to_address(spec->source, probe) == 4;
	size_t header = 0, payload = spec->payload;

	memset(ret, 0, sizeof(*ret));
	ret->l4 = ETH_HLEN + (ipv4 ? 20 : is_fragment(spec) ? 48 : 40);
	text_to_mac(spec->destination_mac ? spec->destination_mac : gateway_mac, ret->data);
	text_to_mac(spec->source_mac, ret->data + 6);
	if (!spec->fragment_offset)
		header = build_transport(spec, ret->data + ret->l4);
	if (spec->embedded) {
		payload = spec->embedded->size - ETH_HLEN;
		memcpy(ret->data + ret->l4 + header, spec->embedded->data + ETH_HLEN, payload);
	}
	for (size_t i = 0; i < payload && !spec->embedded; i++)
		ret->data[ret->l4 + header + i] = i;
	ret->size = ret->l4 + header + payload;
	if (ipv4)
		build_ipv4(spec, ret, header + payload);
	else
		build_ipv6(spec, ret, header + payload);
	if (header)
		put16(ret->data + ret->l4 + checksum_offset(spec->protocol), transport_sum(ret, spec->protocol));
}

void packet_build_arp(const char *source_mac, const char *sender_mac, const char *sender, const char *target, uint16_t operation,
		      struct packet *ret)
{
	uint8_t *arp = ret->data + ETH_HLEN, address[16];

	memset(ret, 0, sizeof(*ret));
	memset(ret->data, 0xff, 6);
	text_to_mac(source_mac, ret->data + 6);
	put16(ret->data + 12, ETHERTYPE_ARP);
	put16(arp, 1);
	put16(arp + 2, ETHERTYPE_IP);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	text_to_mac(sender_mac, arp + 8);
	text_to_address(sender, address);
	memcpy(arp + 14, address, 4);
	text_to_address(target, address);
	memcpy(arp + 24, address, 4);
	ret->size = ETH_HLEN + 28;
}

void packet_build_solicitation(const char *source_mac, const char *sender_mac, const char *source, const char *target,
			       struct packet *ret)
{
	struct packet_spec spec = {
		.source_mac = source_mac,
		.destination_mac = "33:33:ff:00:00:01",
		.source = source,
		.destination = "ff02::1:ff00:1",
		.protocol = IPPROTO_ICMPV6,
		.destination_port = 135 << 8,
		.ttl = 255,
		.payload = sender_mac ? 24 : 16,
	};
	uint8_t *icmp;

	packet_build(&spec, ret);
	icmp = ret->data + ret->l4;
	memset(icmp + 2, 0, ret->size - ret->l4 - 2);
	text_to_address(target, icmp + 8);
	if (sender_mac) {
		icmp[24] = 1;
		icmp[25] = 1;
		text_to_mac(sender_mac, icmp + 26);
	}
	put16(icmp + 2, transport_sum(ret, IPPROTO_ICMPV6));
}

bool packet_has_macs(const struct packet *packet, const char *source, const char *destination)
{
	uint8_t mac[6];

	text_to_mac(destination, mac);
	if (memcmp(packet->data, mac, 6) != 0)
		return false;
	text_to_mac(source, mac);
	return memcmp(packet->data + 6, mac, 6) == 0;
}

bool packet_has_source(const struct packet *packet, const char *address)
{
	uint8_t bytes[16];

	if (text_to_address(address, bytes) == 4)
		return is_ipv4(packet) && memcmp(packet->data + ETH_HLEN + 12, bytes, 4) == 0;
	return !is_ipv4(packet) && memcmp(packet->data + ETH_HLEN + 8, bytes, 16) == 0;
}

uint8_t packet_ttl(const struct packet *packet)
{
	return packet->data[ETH_HLEN + (is_ipv4(packet) ? 8 : 7)];
}

bool packet_has_destination(const struct packet *packet, const char *address)
{
	uint8_t bytes[16];

	if (text_to_address(address, bytes) == 4)
		return is_ipv4(packet) && memcmp(packet->data + ETH_HLEN + 16, bytes, 4) == 0;
	return !is_ipv4(packet) && memcmp(packet->data + ETH_HLEN + 24, bytes, 16) == 0;
}

void packet_embedded(const struct packet *error, struct packet *ret)
{
	size_t header = error->l4 - ETH_HLEN + 8;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->data, error->data, ETH_HLEN);
	ret->size = error->size - header;
	memcpy(ret->data + ETH_HLEN, error->data + ETH_HLEN + header, ret->size - ETH_HLEN);
	ret->l4 = ETH_HLEN + (is_ipv4(error) ? 20 : 40);
}

/* IPv6: the one after a fragment header. */
static uint8_t protocol_of(const struct packet *packet)
{
	const uint8_t *ip = packet->data + ETH_HLEN;

	if (is_ipv4(packet))
		return ip[9];
	return ip[6] == IPPROTO_FRAGMENT ? ip[40] : ip[6];
}

bool packet_checksums_hold(const struct packet *packet)
{
	if (is_ipv4(packet) && sum_fold(sum_bytes(packet->data + ETH_HLEN, 20, 0)) != 0)
		return false;
	return transport_sum(packet, protocol_of(packet)) == 0;
}

uint16_t packet_mss(const struct packet *packet)
{
	const uint8_t *tcp = packet->data + packet->l4;
	size_t offset = tcp[20] == 1 ? 21 : 20;

	return get16(tcp + offset + 2);
}
