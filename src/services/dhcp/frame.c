/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/frame.h"

#include <errno.h>
#include <string.h>

#define ETHERNET_SIZE 14
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define UDP_SIZE 8
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, size_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* RFC 1071, not yet folded: sums of parts of even size add up. */
static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t start)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		start += get16(bytes + i);
	return size % 2 ? start + (uint32_t)(bytes[size - 1] << 8) : start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return (uint16_t)~value;
}

/* Over pseudo header and message (RFC 768, RFC 8200 section 8.1); 0 when a message that holds its checksum is right. */
static uint16_t message_checksum(const struct vd_frame *head, const uint8_t *message, size_t size)
{
	size_t width = vd_address_bits(&head->from) / 8;
	uint32_t total = sum(head->from.bytes, width, 0);

	total = sum(head->to.bytes, width, total);
	return fold(sum(message, size, total + head->protocol + (uint32_t)size));
}

static struct vd_address address_at(enum vd_family family, const uint8_t *bytes)
{
	struct vd_address address = {.family = (uint8_t)family};

	memcpy(address.bytes, bytes, vd_address_bits(&address) / 8);
	return address;
}

/* Both below: the IP payload, cut to the length that the header gives. */
static int ipv4_parse(const uint8_t *packet, size_t size, struct vd_frame *frame)
{
	size_t header = size < IPV4_SIZE ? 0 : (packet[0] & 15) * 4u, total = size < IPV4_SIZE ? 0 : get16(packet + 2);

	if (header < IPV4_SIZE || packet[0] >> 4 != 4 || total < header || total > size || fold(sum(packet, header, 0)))
		return -EINVAL;
	/* Every fragment: "more follow" or an offset. */
	if (get16(packet + 6) & 0x3fff)
		return -EINVAL;
	frame->hop_limit = packet[8];
	frame->protocol = packet[9];
	frame->from = address_at(VD_FAMILY_IPV4, packet + 12);
	frame->to = address_at(VD_FAMILY_IPV4, packet + 16);
	frame->payload = packet + header;
	frame->size = total - header;
	return frame->protocol == VD_FRAME_UDP ? 0 : -EINVAL;
}

static int ipv6_parse(const uint8_t *packet, size_t size, struct vd_frame *frame)
{
	if (size < IPV6_SIZE || packet[0] >> 4 != 6 || get16(packet + 4) > size - IPV6_SIZE)
		return -EINVAL;
	frame->protocol = packet[6];
	frame->hop_limit = packet[7];
	frame->from = address_at(VD_FAMILY_IPV6, packet + 8);
	frame->to = address_at(VD_FAMILY_IPV6, packet + 24);
	frame->payload = packet + IPV6_SIZE;
	frame->size = get16(packet + 4);
	return frame->protocol == VD_FRAME_UDP || frame->protocol == VD_FRAME_ICMPV6 ? 0 : -EINVAL;
}

static int udp_parse(struct vd_frame *frame, bool checksum_ready)
{
	const uint8_t *datagram = frame->payload;
	size_t size = frame->size < UDP_SIZE ? 0 : get16(datagram + 4);

	if (size < UDP_SIZE || size > frame->size)
		return -EINVAL;
	/* None at all is allowed over IPv4. */
	if (!get16(datagram + 6))
		checksum_ready = checksum_ready && frame->from.family == VD_FAMILY_IPV6;
	if (checksum_ready && message_checksum(frame, datagram, size))
		return -EINVAL;
	frame->source_port = get16(datagram);
	frame->destination_port = get16(datagram + 2);
	frame->payload = datagram + UDP_SIZE;
	frame->size = size - UDP_SIZE;
	return 0;
}

int vd_frame_parse(const uint8_t *data, size_t size, bool checksum_ready, struct vd_frame *ret)
{
	struct vd_frame frame = {};
	int result = -EINVAL;

	if (size < ETHERNET_SIZE)
		return -EINVAL;
	memcpy(frame.destination.bytes, data, 6);
	memcpy(frame.source.bytes, data + 6, 6);
	if (get16(data + 12) == ETHERTYPE_IPV4)
		result = ipv4_parse(data + ETHERNET_SIZE, size - ETHERNET_SIZE, &frame);
	else if (get16(data + 12) == ETHERTYPE_IPV6)
		result = ipv6_parse(data + ETHERNET_SIZE, size - ETHERNET_SIZE, &frame);
	if (!result && frame.protocol == VD_FRAME_UDP)
		result = udp_parse(&frame, checksum_ready);
	else if (!result && checksum_ready && message_checksum(&frame, frame.payload, frame.size))
		result = -EINVAL;
	if (!result)
		*ret = frame;
	return result;
}

size_t vd_frame_payload_offset(enum vd_family family, uint8_t protocol)
{
	return ETHERNET_SIZE + (family == VD_FAMILY_IPV4 ? IPV4_SIZE : IPV6_SIZE) + (protocol == VD_FRAME_UDP ? UDP_SIZE : 0);
}

static void ipv4_write(uint8_t *packet, const struct vd_frame *head, size_t size)
{
	memset(packet, 0, IPV4_SIZE);
	packet[0] = 0x45;
	put16(packet + 2, IPV4_SIZE + size);
	packet[6] = 0x40; /* never in pieces */
	packet[8] = head->hop_limit;
	packet[9] = head->protocol;
	memcpy(packet + 12, head->from.bytes, 4);
	memcpy(packet + 16, head->to.bytes, 4);
	put16(packet + 10, fold(sum(packet, IPV4_SIZE, 0)));
}

static void ipv6_write(uint8_t *packet, const struct vd_frame *head, size_t size)
{
	memset(packet, 0, IPV6_SIZE);
	packet[0] = 0x60;
	put16(packet + 4, size);
	packet[6] = head->protocol;
	packet[7] = head->hop_limit;
	memcpy(packet + 8, head->from.bytes, 16);
	memcpy(packet + 24, head->to.bytes, 16);
}

size_t vd_frame_finish(uint8_t data[VD_FRAME_SIZE], const struct vd_frame *head, size_t size)
{
	enum vd_family family = (enum vd_family)head->from.family;
	size_t udp = head->protocol == VD_FRAME_UDP ? UDP_SIZE : 0, end = vd_frame_payload_offset(family, head->protocol) + size;
	uint8_t *message = data + vd_frame_payload_offset(family, head->protocol) - udp, *checksum = message + (udp ? 6 : 2);
	uint16_t value;

	memcpy(data, head->destination.bytes, 6);
	memcpy(data + 6, head->source.bytes, 6);
	put16(data + 12, family == VD_FAMILY_IPV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	if (family == VD_FAMILY_IPV4)
		ipv4_write(data + ETHERNET_SIZE, head, udp + size);
	else
		ipv6_write(data + ETHERNET_SIZE, head, udp + size);
	if (udp) {
		put16(message, head->source_port);
		put16(message + 2, head->destination_port);
		put16(message + 4, udp + size);
	}
	put16(checksum, 0);
	value = message_checksum(head, message, udp + size);
	/* UDP writes a sum of zero as its other form: zero means none. */
	put16(checksum, value || !udp ? value : 0xffff);
	return end;
}
