/* SPDX-License-Identifier: Apache-2.0 */
#include "host/solicit.h"

#include "base/cleanup.h"
#include "host/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define HOP_LIMIT 255 /* RFC 4861: whoever hears it knows that no router passed it on */

static const struct vd_mac everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static void put(struct vd_host_frame *frame, const void *data, size_t size)
{
	memcpy(frame->bytes + frame->size, data, size);
	frame->size += size;
}

static void put_u8(struct vd_host_frame *frame, uint8_t value)
{
	put(frame, &value, sizeof(value));
}

static void put_u16(struct vd_host_frame *frame, uint16_t value)
{
	value = htons(value);
	put(frame, &value, sizeof(value));
}

static void put_u32(struct vd_host_frame *frame, uint32_t value)
{
	value = htonl(value);
	put(frame, &value, sizeof(value));
}

static void put_ethernet(struct vd_host_frame *frame, const struct vd_host_wire *wire, const struct vd_mac *to, uint16_t protocol)
{
	put(frame, to->bytes, sizeof(to->bytes));
	put(frame, wire->mac.bytes, sizeof(wire->mac.bytes));
	if (wire->vlan) {
		put_u16(frame, ETH_P_8021Q);
		put_u16(frame, wire->vlan);
	}
	put_u16(frame, protocol);
}

static void put_arp(struct vd_host_frame *frame, const struct vd_host_wire *wire, const struct vd_address *sender,
		    const struct vd_address *target)
{
	static const struct vd_mac unknown;

	put_u16(frame, ARPHRD_ETHER);
	put_u16(frame, ETH_P_IP);
	put_u8(frame, sizeof(wire->mac.bytes));
	put_u8(frame, 4);
	put_u16(frame, ARPOP_REQUEST);
	put(frame, wire->mac.bytes, sizeof(wire->mac.bytes));
	put(frame, sender->bytes, 4); /* zero for none */
	put(frame, unknown.bytes, sizeof(unknown.bytes));
	put(frame, target->bytes, 4);
}

/* The one's complement sum over the pseudo-header and the message (RFC 4443, 2.3). */
static uint16_t checksum(const struct vd_address *source, const struct vd_address *destination, const uint8_t *message, size_t size)
{
	uint32_t sum = IPPROTO_ICMPV6 + (uint32_t)size;

	for (size_t i = 0; i < 16; i += 2) {
		sum += (uint32_t)source->bytes[i] << 8 | source->bytes[i + 1];
		sum += (uint32_t)destination->bytes[i] << 8 | destination->bytes[i + 1];
	}
	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)message[i] << 8 | message[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* A solicitation or an advertisement with our MAC as its only option. */
static void put_discovery(struct vd_host_frame *frame, const struct vd_host_wire *wire, uint8_t type, uint32_t flags,
			  const struct vd_address *source, const struct vd_address *destination, const struct vd_address *target)
{
	size_t length = sizeof(struct nd_neighbor_solicit) + 8, start;
	uint16_t sum;

	put_u32(frame, 6u << 28);
	put_u16(frame, (uint16_t)length);
	put_u8(frame, IPPROTO_ICMPV6);
	put_u8(frame, HOP_LIMIT);
	put(frame, source->bytes, 16);
	put(frame, destination->bytes, 16);

	start = frame->size;
	put_u8(frame, type);
	put_u8(frame, 0);
	put_u16(frame, 0);
	put_u32(frame, flags);
	put(frame, target->bytes, 16);
	put_u8(frame, type == ND_NEIGHBOR_SOLICIT ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR);
	put_u8(frame, 1);
	put(frame, wire->mac.bytes, sizeof(wire->mac.bytes));
	sum = htons(checksum(source, destination, frame->bytes + start, length));
	memcpy(frame->bytes + start + 2, &sum, sizeof(sum));
}

/* 33:33 and the last four bytes of a multicast address (RFC 2464). */
static struct vd_mac multicast_mac(const struct vd_address *group)
{
	struct vd_mac mac = {{0x33, 0x33}};

	memcpy(mac.bytes + 2, group->bytes + 12, 4);
	return mac;
}

/* ff02::1:ffXX:XXXX */
static struct vd_address solicited_node(const struct vd_address *target)
{
	struct vd_address group = {VD_FAMILY_IPV6, {0xff, 0x02, [11] = 0x01, [12] = 0xff}};

	memcpy(group.bytes + 13, target->bytes + 13, 3);
	return group;
}

void vd_host_frame_solicit(const struct vd_host_wire *wire, const struct vd_address *asker, const struct vd_address *target,
			   const struct vd_mac *known, struct vd_host_frame *ret)
{
	struct vd_address group = solicited_node(target), source = *asker;
	struct vd_mac group_mac = multicast_mac(&group);

	*ret = (struct vd_host_frame){};
	if (target->family == VD_FAMILY_IPV4) {
		put_ethernet(ret, wire, known ? known : &everyone, ETH_P_ARP);
		put_arp(ret, wire, asker, target);
		return;
	}
	if (source.family == VD_FAMILY_NONE)
		source = vd_mac_link_local(&wire->mac);
	put_ethernet(ret, wire, known ? known : &group_mac, ETH_P_IPV6);
	put_discovery(ret, wire, ND_NEIGHBOR_SOLICIT, 0, &source, known ? target : &group, target);
}

void vd_host_frame_announce(const struct vd_host_wire *wire, const struct vd_address *address, struct vd_host_frame *ret)
{
	static const struct vd_address all_nodes = {VD_FAMILY_IPV6, {0xff, 0x02, [15] = 0x01}};
	struct vd_mac all_nodes_mac = multicast_mac(&all_nodes);

	*ret = (struct vd_host_frame){};
	if (address->family == VD_FAMILY_IPV4) {
		put_ethernet(ret, wire, &everyone, ETH_P_ARP);
		put_arp(ret, wire, address, address);
		return;
	}
	put_ethernet(ret, wire, &all_nodes_mac, ETH_P_IPV6);
	put_discovery(ret, wire, ND_NEIGHBOR_ADVERT, 0x20000000, address, &all_nodes, address);
}

int vd_host_bytes_send(struct vd_host_net *net, uint32_t ifindex, const void *bytes, size_t size)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};

	if (net->frames < 0) {
		/* Protocol 0: it hears nothing. */
		net->frames = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (net->frames < 0)
			return -errno;
	}
	return sendto(net->frames, bytes, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

int vd_host_frame_send(struct vd_host_net *net, uint32_t ifindex, const struct vd_host_frame *frame)
{
	return vd_host_bytes_send(net, ifindex, frame->bytes, frame->size);
}
