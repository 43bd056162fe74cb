/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp4.h"

#include "services/dhcp/dhcp4_options.h"

#include <string.h>

/* The fixed fields of a message (RFC 2131 section 2), by their offsets. */
#define OP 0
#define HTYPE 1
#define HLEN 2
#define XID 4
#define FLAGS 10
#define CIADDR 12
#define GIADDR 24
#define CHADDR 28
#define MAGIC 236

#define OP_REQUEST 1
#define OP_REPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x80 /* of the first byte of FLAGS */

#define MIN_SIZE 300 /* of the message: what BOOTP had, and some clients still want */
#define HEADERS 28   /* IPv4 and UDP: what a client's limit counts besides the message */
#define HOP_LIMIT 64

struct exchange {
	const struct vd_frame *frame;
	const uint8_t *request;
	struct vd_dhcp4_options options;
	struct vd_dhcp4_lease lease;
	struct vd_address client; /* ciaddr; family NONE: none */
	struct vd_dhcp_counters *counters;
};

static struct vd_address address_at(const uint8_t *bytes)
{
	struct vd_address address = {.family = VD_FAMILY_IPV4};

	memcpy(address.bytes, bytes, 4);
	return address;
}

static bool is_request(const struct vd_frame *frame)
{
	const uint8_t *message = frame->payload;

	return frame->size >= VD_DHCP4_HEADER_SIZE && message[OP] == OP_REQUEST && message[HTYPE] == HTYPE_ETHERNET &&
	       message[HLEN] == sizeof(frame->source.bytes) && !memcmp(message + MAGIC, (uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
}

/* Who asks, and what it has: false when that is for others to answer. */
static bool lease_find(const struct vd_router_state *state, const struct vd_mac *mac, struct vd_dhcp_counters *counters,
		       struct vd_dhcp4_lease *ret)
{
	struct vd_dhcp4_lease lease = {.port = vd_router_state_port_by_mac(state, mac)};

	if (!lease.port) {
		counters->unknown_port++;
		return false;
	}
	lease.subnet = vd_router_state_subnet(state, lease.port->subnet);
	for (size_t i = 0; lease.subnet && !lease.address.address.family && i < lease.port->address_count; i++)
		if (vd_prefix_contains(&lease.subnet->cidr4, &lease.port->addresses[i].address))
			lease.address = lease.port->addresses[i];
	if (!lease.subnet || !lease.subnet->dhcp || !lease.subnet->dhcp_address.family || !lease.address.address.family) {
		counters->not_served++;
		return false;
	}
	*ret = lease;
	return true;
}

static void option_write(struct vd_writer *writer, uint8_t code, const uint8_t *data, size_t size)
{
	vd_writer_u8(writer, code);
	vd_writer_u8(writer, (uint8_t)size);
	vd_writer_bytes(writer, data, size);
}

static void header_write(struct vd_writer *writer, const struct exchange *exchange, enum vd_dhcp4_message type)
{
	bool is_inform = exchange->options.message == VD_DHCP4_MESSAGE_INFORM;
	uint8_t header[VD_DHCP4_HEADER_SIZE] = {OP_REPLY, HTYPE_ETHERNET, sizeof(struct vd_mac)};
	const uint8_t *request = exchange->request;

	memcpy(header + XID, request + XID, 4);
	memcpy(header + FLAGS, request + FLAGS, 2);
	if (type == VD_DHCP4_MESSAGE_ACK)
		memcpy(header + CIADDR, request + CIADDR, 4);
	if (type != VD_DHCP4_MESSAGE_NAK && !is_inform)
		memcpy(header + CIADDR + 4, exchange->lease.address.address.bytes, 4);
	memcpy(header + GIADDR, request + GIADDR, 4);
	memcpy(header + CHADDR, request + CHADDR, 16);
	memcpy(header + MAGIC, request + MAGIC, 4);
	vd_writer_bytes(writer, header, sizeof(header));
}

/* Where to (RFC 2131 section 4.1), but for a relay: there is none between a port and its router. */
static struct vd_address destination_of(const struct exchange *exchange, enum vd_dhcp4_message type)
{
	static const struct vd_address broadcast = {VD_FAMILY_IPV4, {255, 255, 255, 255}};

	if (type == VD_DHCP4_MESSAGE_NAK)
		return broadcast;
	if (exchange->client.family)
		return exchange->client;
	if (exchange->request[FLAGS] & FLAG_BROADCAST || exchange->options.message == VD_DHCP4_MESSAGE_INFORM)
		return broadcast;
	return exchange->lease.address.address;
}

static size_t answer_limit(const struct exchange *exchange)
{
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV4, VD_FRAME_UDP);
	size_t packet =
		exchange->options.max_size < exchange->lease.port->mtu ? exchange->options.max_size : exchange->lease.port->mtu;
	size_t limit = packet > HEADERS + MIN_SIZE ? packet - HEADERS : MIN_SIZE;

	return limit < VD_FRAME_SIZE - offset ? limit : VD_FRAME_SIZE - offset;
}

static size_t answer_write(const struct exchange *exchange, enum vd_dhcp4_message type, uint8_t answer[VD_FRAME_SIZE])
{
	const struct vd_address *server = &exchange->lease.subnet->dhcp_address;
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV4, VD_FRAME_UDP);
	/* Less the end mark. */
	struct vd_writer writer = {.data = answer + offset, .limit = answer_limit(exchange) - 1};
	struct vd_frame head = {
		.source = {VD_ROUTER_MAC},
		.destination = exchange->frame->source,
		.from = *server,
		.to = destination_of(exchange, type),
		.protocol = VD_FRAME_UDP,
		.hop_limit = HOP_LIMIT,
		.source_port = VD_DHCP4_SERVER_PORT,
		.destination_port = VD_DHCP4_CLIENT_PORT,
	};

	header_write(&writer, exchange, type);
	option_write(&writer, VD_DHCP4_OPTION_MESSAGE, (uint8_t[]){(uint8_t)type}, 1);
	option_write(&writer, VD_DHCP4_OPTION_SERVER, server->bytes, 4);
	/* RFC 6842: a client that says who it is hears it again; one that is too long for the answer has to know itself. */
	if (exchange->options.client_id_size && exchange->options.client_id_size + 2 < writer.limit - writer.size)
		option_write(&writer, VD_DHCP4_OPTION_CLIENT_ID, exchange->options.client_id, exchange->options.client_id_size);
	if (type != VD_DHCP4_MESSAGE_NAK)
		vd_dhcp4_options_write(&writer, &exchange->lease, &exchange->options,
				       exchange->options.message != VD_DHCP4_MESSAGE_INFORM);
	writer.limit++;
	vd_writer_u8(&writer, VD_DHCP4_OPTION_END);
	if (writer.size < MIN_SIZE)
		vd_writer_zeros(&writer, MIN_SIZE - writer.size);
	return vd_frame_finish(answer, &head, writer.size);
}

static size_t nak(const struct exchange *exchange, uint8_t answer[VD_FRAME_SIZE])
{
	exchange->counters->dhcp4_nak++;
	return answer_write(exchange, VD_DHCP4_MESSAGE_NAK, answer);
}

static size_t ack(const struct exchange *exchange, uint8_t answer[VD_FRAME_SIZE])
{
	exchange->counters->dhcp4_ack++;
	return answer_write(exchange, VD_DHCP4_MESSAGE_ACK, answer);
}

/*
 * The four states of RFC 2131 section 4.3.2: selecting and init-reboot name the address in option 50, renewing and rebinding in ciaddr.
 * Which one it is matters to no answer: right address, or not.
 */
static size_t request_answer(const struct exchange *exchange, uint8_t answer[VD_FRAME_SIZE])
{
	const struct vd_address *named = exchange->options.requested.family ? &exchange->options.requested : &exchange->client;

	exchange->counters->dhcp4_request++;
	if (!named->family) {
		exchange->counters->malformed++;
		return 0;
	}
	return vd_address_equal(named, &exchange->lease.address.address) ? ack(exchange, answer) : nak(exchange, answer);
}

/* True when it names another server; one that names none is for every server. */
static bool is_for_another(const struct exchange *exchange)
{
	const struct vd_address *server = &exchange->options.server;

	return server->family && !vd_address_equal(server, &exchange->lease.subnet->dhcp_address);
}

static size_t message_answer(const struct exchange *exchange, uint8_t answer[VD_FRAME_SIZE])
{
	struct vd_dhcp_counters *counters = exchange->counters;

	switch ((enum vd_dhcp4_message)exchange->options.message) {
	case VD_DHCP4_MESSAGE_DISCOVER:
		counters->dhcp4_discover++;
		counters->dhcp4_offer++;
		return answer_write(exchange, VD_DHCP4_MESSAGE_OFFER, answer);
	case VD_DHCP4_MESSAGE_REQUEST:
		return request_answer(exchange, answer);
	case VD_DHCP4_MESSAGE_INFORM:
		counters->dhcp4_inform++;
		return ack(exchange, answer);
	/* The address stays the port's: there is nothing to take back, and nothing else to offer. */
	case VD_DHCP4_MESSAGE_DECLINE:
		counters->dhcp4_decline++;
		return 0;
	case VD_DHCP4_MESSAGE_RELEASE:
		counters->dhcp4_release++;
		return 0;
	case VD_DHCP4_MESSAGE_OFFER:
	case VD_DHCP4_MESSAGE_ACK:
	case VD_DHCP4_MESSAGE_NAK:
		break;
	}
	counters->malformed++;
	return 0;
}

size_t vd_dhcp4_answer(const struct vd_router_state *state, const struct vd_frame *request, struct vd_dhcp_counters *counters,
		       uint8_t answer[VD_FRAME_SIZE])
{
	struct exchange exchange = {.frame = request, .request = request->payload, .counters = counters};
	static const uint8_t none[4];

	/* Another hardware address than the sender's would be a client behind the port; the port's address is not for it. */
	if (!is_request(request) || memcmp(request->payload + CHADDR, request->source.bytes, sizeof(request->source.bytes)) ||
	    vd_dhcp4_options_parse(request->payload, request->size, &exchange.options) < 0) {
		counters->malformed++;
		return 0;
	}
	if (memcmp(exchange.request + CIADDR, none, sizeof(none)))
		exchange.client = address_at(exchange.request + CIADDR);
	if (!lease_find(state, &request->source, counters, &exchange.lease))
		return 0;
	if (is_for_another(&exchange)) {
		counters->other_server++;
		return 0;
	}
	return message_answer(&exchange, answer);
}
