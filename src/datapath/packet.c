/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t sum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? byte[i] : (uint32_t)byte[i] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Over the pseudo header (RFC 793, RFC 8200 8.1) and what is at l4; ICMP for IPv4 has none of the former. */
static uint16_t checksum(const struct vd_trace_request *request, const uint8_t *l4, size_t size)
{
	size_t width = request->source.family == VD_FAMILY_IPV4 ? 4 : 16;
	uint32_t sum = 0;

	if (request->protocol != IPPROTO_ICMP) {
		sum = sum_add(sum, request->source.bytes, width);
		sum = sum_add(sum, request->destination.bytes, width);
		sum += request->protocol + (uint32_t)size;
	}
	return sum_fold(sum_add(sum, l4, size));
}

/* The header's size; 0: a protocol that we do not build. */
static size_t transport_size(const struct vd_trace_request *request)
{
	bool is_ipv4 = request->source.family == VD_FAMILY_IPV4;

	if (request->protocol == IPPROTO_TCP)
		return sizeof(struct tcphdr);
	if (request->protocol == IPPROTO_UDP)
		return sizeof(struct udphdr);
	if (request->protocol == (is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return sizeof(struct icmphdr);
	return 0;
}

static void transport_write(const struct vd_trace_request *request, uint8_t *l4, size_t size)
{
	uint16_t sum;

	if (request->protocol == IPPROTO_TCP) {
		struct tcphdr tcp = {.source = htons(request->source_port),
				     .dest = htons(request->destination_port),
				     .syn = 1,
				     .doff = 5,
				     .window = htons(65535)};

		memcpy(l4, &tcp, sizeof(tcp));
		sum = checksum(request, l4, size);
		memcpy(l4 + offsetof(struct tcphdr, check), &sum, sizeof(sum));
	} else if (request->protocol == IPPROTO_UDP) {
		struct udphdr udp = {.source = htons(request->source_port),
				     .dest = htons(request->destination_port),
				     .len = htons((uint16_t)size)};

		memcpy(l4, &udp, sizeof(udp));
		sum = checksum(request, l4, size);
		if (!sum)
			sum = 0xffff; /* 0 says "none" */
		memcpy(l4 + offsetof(struct udphdr, check), &sum, sizeof(sum));
	} else {
		struct icmphdr icmp = {.type = request->protocol == IPPROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO_REQUEST,
				       .un.echo = {.id = htons(request->source_port), .sequence = htons(1)}};

		memcpy(l4, &icmp, sizeof(icmp));
		sum = checksum(request, l4, size);
		memcpy(l4 + offsetof(struct icmphdr, checksum), &sum, sizeof(sum));
	}
}

static size_t ip_write(const struct vd_trace_request *request, uint8_t *l3, size_t l4_size)
{
	uint8_t ttl = request->ttl ? request->ttl : 64;

	if (request->source.family == VD_FAMILY_IPV4) {
		struct iphdr ip = {.version = 4,
				   .ihl = 5,
				   .tot_len = htons((uint16_t)(sizeof(ip) + l4_size)),
				   .frag_off = htons(0x4000),
				   .ttl = ttl,
				   .protocol = request->protocol};

		memcpy(&ip.saddr, request->source.bytes, 4);
		memcpy(&ip.daddr, request->destination.bytes, 4);
		ip.check = sum_fold(sum_add(0, &ip, sizeof(ip)));
		memcpy(l3, &ip, sizeof(ip));
		return sizeof(ip);
	} else {
		struct ipv6hdr ip = {
			.version = 6, .payload_len = htons((uint16_t)l4_size), .nexthdr = request->protocol, .hop_limit = ttl};

		memcpy(&ip.saddr, request->source.bytes, 16);
		memcpy(&ip.daddr, request->destination.bytes, 16);
		memcpy(l3, &ip, sizeof(ip));
		return sizeof(ip);
	}
}

int vd_packet_build(const struct vd_trace_request *request, uint8_t packet[VD_PACKET_SIZE], size_t *ret)
{
	bool is_ipv4 = request->source.family == VD_FAMILY_IPV4;
	size_t l4_size = transport_size(request) + request->size, l3_size = is_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct ethhdr eth = {.h_proto = htons(is_ipv4 ? ETH_P_IP : ETH_P_IPV6)};

	if (!request->source.family || request->source.family != request->destination.family || !transport_size(request))
		return -EINVAL;
	if (sizeof(eth) + l3_size + l4_size > VD_PACKET_SIZE)
		return -EMSGSIZE;
	memset(packet, 0, VD_PACKET_SIZE);
	memcpy(eth.h_source, request->source_mac.bytes, sizeof(eth.h_source));
	memcpy(eth.h_dest, request->destination_mac.bytes, sizeof(eth.h_dest));
	memcpy(packet, &eth, sizeof(eth));
	l3_size = ip_write(request, packet + sizeof(eth), l4_size);
	transport_write(request, packet + sizeof(eth) + l3_size, l4_size);
	*ret = sizeof(eth) + l3_size + l4_size;
	return 0;
}
