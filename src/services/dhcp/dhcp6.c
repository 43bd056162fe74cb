/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp6.h"

#include "services/dhcp/dhcp6_options.h"
#include "services/dhcp/writer.h"

#include <string.h>

enum message {
	MESSAGE_SOLICIT = 1,
	MESSAGE_ADVERTISE = 2,
	MESSAGE_REQUEST = 3,
	MESSAGE_CONFIRM = 4,
	MESSAGE_RENEW = 5,
	MESSAGE_REBIND = 6,
	MESSAGE_REPLY = 7,
	MESSAGE_RELEASE = 8,
	MESSAGE_DECLINE = 9,
	MESSAGE_INFORMATION_REQUEST = 11,
};

enum status {
	STATUS_SUCCESS = 0,
	STATUS_NO_ADDRESSES = 2,
	STATUS_NOT_ON_LINK = 4,
	STATUS_USE_MULTICAST = 5,
};

#define HOP_LIMIT 64
#define PREFERENCE_MAX 255 /* "look no further" */
#define DUID_SIZE 10

struct exchange {
	const struct vd_frame *frame;
	enum message type;
	struct vd_dhcp6_options options;
	const struct vd_router_port *port;
	const struct vd_router_subnet *subnet;
	struct vd_dhcp_counters *counters;
};

/* DUID-LL (RFC 8415 section 11.4) of the gateway: the same on every host, so that an instance that moves renews where it is. */
static const uint8_t server_id[DUID_SIZE] = {0, 3, 0, 1, 0x02, 0x76, 0x69, 0x61, 0x64, 0x01};

static const struct vd_address all_servers = {VD_FAMILY_IPV6, {0xff, 0x02, [13] = 1, [15] = 2}};

static bool is_of_subnet(const struct exchange *exchange, const struct vd_address *address)
{
	return vd_prefix_contains(&exchange->subnet->cidr6, address);
}

static bool is_of_port(const struct exchange *exchange, const struct vd_address *address)
{
	for (size_t i = 0; i < exchange->port->address_count; i++)
		if (vd_address_equal(&exchange->port->addresses[i].address, address) && is_of_subnet(exchange, address))
			return true;
	return false;
}

/* Writes code and a length to be filled in; returns where the option's data begins. */
static size_t option_open(struct vd_writer *writer, enum vd_dhcp6_option code)
{
	vd_writer_u16(writer, (uint16_t)code);
	vd_writer_u16(writer, 0);
	return writer->size;
}

static void option_close(struct vd_writer *writer, size_t start)
{
	size_t size = writer->size - start;

	if (writer->full)
		return;
	writer->data[start - 2] = (uint8_t)(size >> 8);
	writer->data[start - 1] = (uint8_t)size;
}

static void option_write(struct vd_writer *writer, enum vd_dhcp6_option code, const void *data, size_t size)
{
	size_t start = option_open(writer, code);

	vd_writer_bytes(writer, data, size);
	option_close(writer, start);
}

static void status_write(struct vd_writer *writer, enum status status)
{
	size_t start = option_open(writer, VD_DHCP6_OPTION_STATUS);

	vd_writer_u16(writer, (uint16_t)status);
	option_close(writer, start);
}

static void address_write(struct vd_writer *writer, const struct vd_address *address, uint32_t lifetime)
{
	size_t start = option_open(writer, VD_DHCP6_OPTION_ADDRESS);

	vd_writer_address(writer, address);
	vd_writer_u32(writer, lifetime); /* preferred */
	vd_writer_u32(writer, lifetime); /* valid */
	option_close(writer, start);
}

/* True when the client asks for an address that cannot be on this link (RFC 8415 section 18.3.2). */
static bool is_from_elsewhere(const struct exchange *exchange, const struct vd_dhcp6_ia *ia)
{
	for (size_t i = 0; exchange->type == MESSAGE_REQUEST && i < ia->address_count; i++)
		if (!is_of_subnet(exchange, &ia->addresses[i]))
			return true;
	return false;
}

/* The port's addresses; and when it is a renewal, what the client has besides ends now. Returns how many there are. */
static size_t addresses_write(struct vd_writer *writer, const struct exchange *exchange, const struct vd_dhcp6_ia *ia)
{
	bool is_renewal = exchange->type == MESSAGE_RENEW || exchange->type == MESSAGE_REBIND;
	size_t count = 0;

	for (size_t i = 0; i < exchange->port->address_count && count < VD_DHCP6_ADDRESS_MAX; i++) {
		if (!is_of_subnet(exchange, &exchange->port->addresses[i].address))
			continue;
		address_write(writer, &exchange->port->addresses[i].address, exchange->subnet->lease);
		count++;
	}
	for (size_t i = 0; is_renewal && i < ia->address_count; i++)
		if (!is_of_port(exchange, &ia->addresses[i]))
			address_write(writer, &ia->addresses[i], 0);
	return count;
}

/* A second IA_NA of one interface gets nothing: an address is in one. */
static void ia_write(struct vd_writer *writer, const struct exchange *exchange, const struct vd_dhcp6_ia *ia, bool is_first)
{
	size_t start = option_open(writer, VD_DHCP6_OPTION_IA_NA);
	uint64_t lease = exchange->subnet->lease;

	vd_writer_u32(writer, ia->id);
	vd_writer_u32(writer, (uint32_t)(lease / 2));     /* T1 */
	vd_writer_u32(writer, (uint32_t)(lease * 4 / 5)); /* T2 */
	if (is_from_elsewhere(exchange, ia))
		status_write(writer, STATUS_NOT_ON_LINK);
	else if (!is_first || !addresses_write(writer, exchange, ia))
		status_write(writer, STATUS_NO_ADDRESSES);
	option_close(writer, start);
}

static void configuration_write(struct vd_writer *writer, const struct exchange *exchange)
{
	const struct vd_address *server = vd_router_subnet_server(exchange->subnet, VD_FAMILY_IPV6);
	size_t start;

	if (server->family)
		option_write(writer, VD_DHCP6_OPTION_DNS, server->bytes, 16);
	if (!*exchange->subnet->domain)
		return;
	start = option_open(writer, VD_DHCP6_OPTION_DOMAIN_SEARCH);
	if (vd_writer_domain(writer, exchange->subnet->domain))
		option_close(writer, start);
	else
		writer->size = start - 4;
}

static void begin(struct vd_writer *writer, const struct exchange *exchange, enum message type)
{
	vd_writer_u8(writer, (uint8_t)type);
	vd_writer_bytes(writer, exchange->frame->payload + 1, 3); /* the transaction's id */
	option_write(writer, VD_DHCP6_OPTION_SERVER_ID, server_id, sizeof(server_id));
	if (exchange->options.client_id)
		option_write(writer, VD_DHCP6_OPTION_CLIENT_ID, exchange->options.client_id, exchange->options.client_id_size);
}

/* Addresses and configuration: to Solicit, Request, Renew and Rebind. */
static void lease_write(struct vd_writer *writer, const struct exchange *exchange)
{
	bool is_solicit = exchange->type == MESSAGE_SOLICIT, is_rapid = is_solicit && exchange->options.rapid_commit;

	begin(writer, exchange, is_solicit && !is_rapid ? MESSAGE_ADVERTISE : MESSAGE_REPLY);
	if (is_rapid)
		option_write(writer, VD_DHCP6_OPTION_RAPID_COMMIT, NULL, 0);
	else if (is_solicit)
		option_write(writer, VD_DHCP6_OPTION_PREFERENCE, (uint8_t[]){PREFERENCE_MAX}, 1);
	for (size_t i = 0; i < exchange->options.ia_count; i++)
		ia_write(writer, exchange, &exchange->options.ias[i], i == 0);
	configuration_write(writer, exchange);
}

/* To Confirm: whether what the client remembers is still its own. Nothing remembered, nothing to say (RFC 8415 section 18.3.3). */
static bool confirm_write(struct vd_writer *writer, const struct exchange *exchange)
{
	enum status status = STATUS_SUCCESS;
	size_t count = 0;

	for (size_t i = 0; i < exchange->options.ia_count; i++) {
		const struct vd_dhcp6_ia *ia = &exchange->options.ias[i];

		for (size_t j = 0; j < ia->address_count; j++, count++)
			if (!is_of_port(exchange, &ia->addresses[j]))
				status = STATUS_NOT_ON_LINK;
	}
	if (!count)
		return false;
	begin(writer, exchange, MESSAGE_REPLY);
	status_write(writer, status);
	return true;
}

static void status_reply_write(struct vd_writer *writer, const struct exchange *exchange, enum status status)
{
	begin(writer, exchange, MESSAGE_REPLY);
	status_write(writer, status);
}

/* Which identifiers a message must and must not have (RFC 8415 section 16). Another server's is no error, but not for us. */
static bool is_valid(const struct exchange *exchange)
{
	const struct vd_dhcp6_options *options = &exchange->options;

	switch (exchange->type) {
	case MESSAGE_SOLICIT:
	case MESSAGE_CONFIRM:
	case MESSAGE_REBIND:
		return options->client_id && !options->server_id;
	case MESSAGE_REQUEST:
	case MESSAGE_RENEW:
	case MESSAGE_RELEASE:
	case MESSAGE_DECLINE:
		return options->client_id && options->server_id;
	case MESSAGE_INFORMATION_REQUEST:
		return !options->ia_count;
	case MESSAGE_ADVERTISE:
	case MESSAGE_REPLY:
		break;
	}
	return false;
}

static bool is_for_another(const struct exchange *exchange)
{
	return exchange->options.server_id && (exchange->options.server_id_size != sizeof(server_id) ||
					       memcmp(exchange->options.server_id, server_id, sizeof(server_id)) != 0);
}

/* Sent to one address though nobody told it to: without a server identifier discarded, else told so (RFC 8415 section 18.4). */
static bool unicast_write(struct vd_writer *writer, const struct exchange *exchange)
{
	if (!exchange->options.server_id || exchange->type == MESSAGE_INFORMATION_REQUEST)
		return false;
	status_reply_write(writer, exchange, STATUS_USE_MULTICAST);
	return true;
}

static bool message_write(struct vd_writer *writer, const struct exchange *exchange)
{
	if (!vd_address_equal(&exchange->frame->to, &all_servers))
		return unicast_write(writer, exchange);
	switch (exchange->type) {
	case MESSAGE_SOLICIT:
	case MESSAGE_REQUEST:
	case MESSAGE_RENEW:
	case MESSAGE_REBIND:
		lease_write(writer, exchange);
		return true;
	case MESSAGE_CONFIRM:
		return confirm_write(writer, exchange);
	case MESSAGE_RELEASE:
	case MESSAGE_DECLINE:
		status_reply_write(writer, exchange, STATUS_SUCCESS);
		return true;
	case MESSAGE_INFORMATION_REQUEST:
		begin(writer, exchange, MESSAGE_REPLY);
		configuration_write(writer, exchange);
		return true;
	case MESSAGE_ADVERTISE:
	case MESSAGE_REPLY:
		break;
	}
	return false;
}

static void count(struct vd_dhcp_counters *counters, enum message type)
{
	switch (type) {
	case MESSAGE_SOLICIT:
		counters->dhcp6_solicit++;
		break;
	case MESSAGE_ADVERTISE:
		counters->dhcp6_advertise++;
		break;
	case MESSAGE_REQUEST:
		counters->dhcp6_request++;
		break;
	case MESSAGE_CONFIRM:
		counters->dhcp6_confirm++;
		break;
	case MESSAGE_RENEW:
		counters->dhcp6_renew++;
		break;
	case MESSAGE_REBIND:
		counters->dhcp6_rebind++;
		break;
	case MESSAGE_REPLY:
		counters->dhcp6_reply++;
		break;
	case MESSAGE_RELEASE:
		counters->dhcp6_release++;
		break;
	case MESSAGE_DECLINE:
		counters->dhcp6_decline++;
		break;
	case MESSAGE_INFORMATION_REQUEST:
		counters->dhcp6_information_request++;
		break;
	}
}

static bool is_served(const struct vd_router_state *state, struct exchange *exchange)
{
	exchange->port = vd_router_state_port_by_mac(state, &exchange->frame->source);
	if (!exchange->port) {
		exchange->counters->unknown_port++;
		return false;
	}
	exchange->subnet = vd_router_state_subnet(state, exchange->port->subnet);
	if (!exchange->subnet || !exchange->subnet->dhcp || !exchange->subnet->cidr6.address.family) {
		exchange->counters->not_served++;
		return false;
	}
	return true;
}

static size_t answer_write(const struct exchange *exchange, uint8_t answer[VD_FRAME_SIZE])
{
	static const struct vd_mac mac = {VD_ROUTER_MAC};
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV6, VD_FRAME_UDP);
	struct vd_writer writer = {.data = answer + offset, .limit = VD_FRAME_SIZE - offset};
	struct vd_frame head = {
		.source = mac,
		.destination = exchange->frame->source,
		.from = vd_mac_link_local(&mac),
		.to = exchange->frame->from,
		.protocol = VD_FRAME_UDP,
		.hop_limit = HOP_LIMIT,
		.source_port = VD_DHCP6_SERVER_PORT,
		.destination_port = VD_DHCP6_CLIENT_PORT,
	};

	/* An answer that is too long is one to a message that nobody sends. */
	if (!message_write(&writer, exchange) || writer.full)
		return 0;
	count(exchange->counters, (enum message)writer.data[0]);
	return vd_frame_finish(answer, &head, writer.size);
}

size_t vd_dhcp6_answer(const struct vd_router_state *state, const struct vd_frame *request, struct vd_dhcp_counters *counters,
		       uint8_t answer[VD_FRAME_SIZE])
{
	struct exchange exchange = {.frame = request, .counters = counters};

	if (request->size < VD_DHCP6_HEADER_SIZE ||
	    vd_dhcp6_options_parse(request->payload, request->size, &exchange.options) < 0) {
		counters->malformed++;
		return 0;
	}
	exchange.type = (enum message)request->payload[0];
	if (!is_valid(&exchange)) {
		counters->malformed++;
		return 0;
	}
	count(counters, exchange.type);
	if (!is_served(state, &exchange))
		return 0;
	if (is_for_another(&exchange)) {
		counters->other_server++;
		return 0;
	}
	return answer_write(&exchange, answer);
}
