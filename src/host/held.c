/* SPDX-License-Identifier: Apache-2.0 */
#include "host/held.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define TAG_SIZE 4
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define IPV4_FRAGMENT 0x3fff /* more of them, or an offset */

/* Where the transport's header stands, and the addresses that its checksum counts in. */
struct transport {
	uint8_t *header;
	size_t length;
	const uint8_t *addresses;
	size_t addresses_size;
	uint8_t protocol;
};

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t sum_of(const uint8_t *bytes, size_t size, uint32_t sum)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += get_u16(bytes + i);
	return size & 1 ? sum + (uint32_t)(bytes[size - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)(sum + (sum >> 16));
}

static bool transport_find4(uint8_t *ip, size_t size, struct transport *ret)
{
	size_t header = size < IPV4_SIZE ? 0 : (size_t)(ip[0] & 0xf) * 4, total;

	if (header < IPV4_SIZE)
		return false;
	total = get_u16(ip + 2);
	if (total > size || header > total || (get_u16(ip + 6) & IPV4_FRAGMENT))
		return false;
	*ret = (struct transport){ip + header, total - header, ip + 12, 8, ip[9]};
	return true;
}

static bool transport_find6(uint8_t *ip, size_t size, struct transport *ret)
{
	size_t length = size < IPV6_SIZE ? 0 : get_u16(ip + 4);

	if (size < IPV6_SIZE || length > size - IPV6_SIZE)
		return false;
	*ret = (struct transport){ip + IPV6_SIZE, length, ip + 8, 32, ip[6]};
	return true;
}

/*
 * A checksum that is to be finished holds the sum over the pseudo-header (CHECKSUM_PARTIAL). One that is finished already and happens to
 * look like that is right, and comes out the same.
 */
static void checksum_finish(uint8_t *frame, size_t size)
{
	uint16_t protocol = get_u16(frame + ETH_HLEN - 2), pseudo, sum;
	struct transport transport;
	uint8_t *checksum;

	if (protocol == ETH_P_IP ? !transport_find4(frame + ETH_HLEN, size - ETH_HLEN, &transport)
				 : protocol != ETH_P_IPV6 || !transport_find6(frame + ETH_HLEN, size - ETH_HLEN, &transport))
		return;
	if (transport.protocol == IPPROTO_TCP && transport.length >= 20)
		checksum = transport.header + 16;
	else if (transport.protocol == IPPROTO_UDP && transport.length >= 8)
		checksum = transport.header + 6;
	else
		return;
	pseudo = fold(sum_of(transport.addresses, transport.addresses_size, transport.protocol + (uint32_t)transport.length));
	if (get_u16(checksum) % 0xffff != pseudo % 0xffff || (get_u16(checksum) == 0 && transport.protocol == IPPROTO_UDP))
		return;
	sum = (uint16_t)~fold(sum_of(transport.header, transport.length, 0));
	if (sum == 0 && transport.protocol == IPPROTO_UDP)
		sum = 0xffff;
	sum = htons(sum);
	memcpy(checksum, &sum, sizeof(sum));
}

struct vd_host_held *vd_host_held_new(const void *frame, size_t size)
{
	struct vd_host_held *held = size < ETH_HLEN ? NULL : malloc(sizeof(*held) + size + TAG_SIZE);

	if (!held)
		return NULL;
	held->size = size;
	memcpy(held->frame, frame, size);
	return held;
}

void vd_host_held_finish(struct vd_host_held *held, const struct vd_host_wire *wire, const struct vd_mac *destination)
{
	uint16_t tag[] = {htons(ETH_P_8021Q), htons(wire->vlan)};
	uint8_t *behind_macs = held->frame + 2 * ETH_ALEN;

	checksum_finish(held->frame, held->size);
	memcpy(held->frame, destination->bytes, ETH_ALEN);
	if (!wire->vlan)
		return;
	memmove(behind_macs + TAG_SIZE, behind_macs, held->size - 2 * ETH_ALEN);
	memcpy(behind_macs, tag, TAG_SIZE);
	held->size += TAG_SIZE;
}

int vd_host_held_send(struct vd_host_net *net, uint32_t ifindex, const struct vd_host_held *held)
{
	return vd_host_bytes_send(net, ifindex, held->frame, held->size);
}
