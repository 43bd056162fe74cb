/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/advertisement.h"

#include "services/dhcp/writer.h"

#include <string.h>

#define TYPE_SOLICITATION 133
#define TYPE_ADVERTISEMENT 134
#define SOLICITATION_SIZE 8
#define FLAGS_MANAGED_AND_OTHER 0xc0
#define PREFIX_FLAG_ON_LINK 0x80
#define HOP_LIMIT 255 /* proves that a router on the link sent it */
#define INSTANCE_HOP_LIMIT 64
#define MIN_MTU 1280

/* Seconds. Nine chances to hear of the router again before it is forgotten, three of its DNS (RFC 8106 section 5.1). */
#define ROUTER_LIFETIME 1800
#define DNS_LIFETIME (3 * VD_ADVERTISEMENT_INTERVAL)
#define PREFIX_VALID 2592000 /* the defaults of RFC 4861 section 6.2.1 */
#define PREFIX_PREFERRED 604800

enum option {
	OPTION_SOURCE_LINK = 1,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_ROUTE = 24,
	OPTION_DNS = 25,
	OPTION_DOMAIN_SEARCH = 31,
};

static const struct vd_mac router_mac = {VD_ROUTER_MAC};
static const struct vd_address all_nodes = {VD_FAMILY_IPV6, {0xff, 0x02, [15] = 1}};
static const struct vd_address unspecified = {.family = VD_FAMILY_IPV6};

static void prefix_write(struct vd_writer *writer, const struct vd_prefix *cidr)
{
	struct vd_address first = vd_prefix_first(cidr);

	vd_writer_bytes(writer, (uint8_t[]){OPTION_PREFIX, 4, cidr->length, PREFIX_FLAG_ON_LINK}, 4);
	vd_writer_u32(writer, PREFIX_VALID);
	vd_writer_u32(writer, PREFIX_PREFERRED);
	vd_writer_u32(writer, 0);
	vd_writer_address(writer, &first);
}

static void route_write(struct vd_writer *writer, const struct vd_prefix *destination)
{
	struct vd_address first = vd_prefix_first(destination);

	vd_writer_bytes(writer, (uint8_t[]){OPTION_ROUTE, 3, destination->length, 0}, 4);
	vd_writer_u32(writer, ROUTER_LIFETIME);
	vd_writer_address(writer, &first);
}

static void dns_write(struct vd_writer *writer, const struct vd_router_subnet *subnet)
{
	const struct vd_address *server = vd_router_subnet_server(subnet, VD_FAMILY_IPV6);
	size_t start = writer->size;

	if (server->family) {
		vd_writer_bytes(writer, (uint8_t[]){OPTION_DNS, 3, 0, 0}, 4);
		vd_writer_u32(writer, DNS_LIFETIME);
		vd_writer_address(writer, server);
		start = writer->size;
	}
	if (!*subnet->domain)
		return;
	vd_writer_bytes(writer, (uint8_t[]){OPTION_DOMAIN_SEARCH, 0, 0, 0}, 4);
	vd_writer_u32(writer, DNS_LIFETIME);
	if (!vd_writer_domain(writer, subnet->domain)) {
		writer->size = start;
		return;
	}
	vd_writer_zeros(writer, (8 - (writer->size - start) % 8) % 8);
	if (!writer->full)
		writer->data[start + 1] = (uint8_t)((writer->size - start) / 8);
}

static void message_write(struct vd_writer *writer, const struct vd_router_port *port, const struct vd_router_subnet *subnet)
{
	vd_writer_bytes(writer, (uint8_t[]){TYPE_ADVERTISEMENT, 0, 0, 0, INSTANCE_HOP_LIMIT, FLAGS_MANAGED_AND_OTHER}, 6);
	vd_writer_u16(writer, port->is_default && !subnet->outside ? ROUTER_LIFETIME : 0);
	vd_writer_zeros(writer, 8); /* reachable time and retransmission timer: the instance's own */
	vd_writer_bytes(writer, (uint8_t[]){OPTION_SOURCE_LINK, 1}, 2);
	vd_writer_bytes(writer, router_mac.bytes, sizeof(router_mac.bytes));
	if (port->mtu >= MIN_MTU) {
		vd_writer_bytes(writer, (uint8_t[]){OPTION_MTU, 1, 0, 0}, 4);
		vd_writer_u32(writer, port->mtu);
	}
	prefix_write(writer, &subnet->cidr6);
	dns_write(writer, subnet);
	for (size_t i = 0; !port->is_default && i < port->vpc_cidr_count; i++) {
		struct vd_writer before = *writer;

		if (port->vpc_cidrs[i].address.family == VD_FAMILY_IPV6)
			route_write(writer, &port->vpc_cidrs[i]);
		if (writer->full)
			*writer = before;
	}
}

static size_t advertisement_write(const struct vd_router_state *state, const struct vd_router_port *port,
				  const struct vd_address *to, uint8_t frame[VD_FRAME_SIZE])
{
	const struct vd_router_subnet *subnet = vd_router_state_subnet(state, port->subnet);
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV6, VD_FRAME_ICMPV6);
	/* What every IPv6 link carries. */
	struct vd_writer writer = {.data = frame + offset, .limit = MIN_MTU - 40};
	struct vd_frame head = {
		.source = router_mac,
		.destination = port->mac,
		.from = vd_mac_link_local(&router_mac),
		.to = *to,
		.protocol = VD_FRAME_ICMPV6,
		.hop_limit = HOP_LIMIT,
	};

	if (!subnet || !subnet->dhcp || !subnet->cidr6.address.family)
		return 0;
	message_write(&writer, port, subnet);
	return writer.full ? 0 : vd_frame_finish(frame, &head, writer.size);
}

size_t vd_advertisement_write(const struct vd_router_state *state, const struct vd_router_port *port, uint8_t frame[VD_FRAME_SIZE])
{
	return advertisement_write(state, port, &all_nodes, frame);
}

/* RFC 4861 section 6.1.1. */
static bool is_solicitation(const struct vd_frame *frame)
{
	const uint8_t *message = frame->payload;
	bool has_source = !vd_address_equal(&frame->from, &unspecified);

	if (frame->size < SOLICITATION_SIZE || message[0] != TYPE_SOLICITATION || message[1] != 0 || frame->hop_limit != HOP_LIMIT)
		return false;
	for (size_t i = SOLICITATION_SIZE; i < frame->size;) {
		size_t left = frame->size - i;

		if (left < 8 || !message[i + 1] || message[i + 1] * 8u > left)
			return false;
		if (message[i] == OPTION_SOURCE_LINK && !has_source)
			return false;
		i += message[i + 1] * 8u;
	}
	return true;
}

size_t vd_advertisement_answer(const struct vd_router_state *state, const struct vd_frame *solicitation,
			       struct vd_dhcp_counters *counters, uint8_t answer[VD_FRAME_SIZE])
{
	const struct vd_router_port *port = vd_router_state_port_by_mac(state, &solicitation->source);
	bool has_source = !vd_address_equal(&solicitation->from, &unspecified);
	size_t size;

	if (!is_solicitation(solicitation)) {
		counters->malformed++;
		return 0;
	}
	counters->router_solicitation++;
	if (!port) {
		counters->unknown_port++;
		return 0;
	}
	size = advertisement_write(state, port, has_source ? &solicitation->from : &all_nodes, answer);
	if (size)
		counters->router_advertisement++;
	else
		counters->not_served++;
	return size;
}
