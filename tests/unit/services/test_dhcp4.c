/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "abi/maps.h"
#include "services/dhcp/dhcp4.h"

/* R-SVC-1, R-SVC-2: every message of RFC 2131 to a server, and its answer. */

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

/* What a client sends: options as bytes behind the message type, "" for none; addresses NULL for none. */
struct request {
	uint8_t type;
	const char *client, *relay; /* ciaddr, giaddr */
	const char *options;        /* hex */
	const char *file, *sname;   /* hex */
	bool broadcast;
};

struct reply {
	uint8_t type;
	struct vd_frame frame;
	uint8_t order[64];        /* option codes as they stand */
	size_t order_count, used; /* used: with the end mark */
	uint8_t values[256][600];
	size_t sizes[256];
};

static struct reply reply; /* of the last request; large */

static void put_address(uint8_t *bytes, const char *text)
{
	struct vd_address parsed;

	if (!text)
		return;
	parsed = address(text);
	memcpy(bytes, parsed.bytes, 4);
}

static void reply_read(const struct fixture *fixture)
{
	const uint8_t *message;
	size_t i = 240;

	memset(&reply, 0, sizeof(reply));
	reply.frame = frame_of(fixture->answer, fixture->size);
	message = reply.frame.payload;
	assert_true(reply.frame.size >= 300);
	assert_int_equal(message[0], 2);
	assert_memory_equal(message + 28, client_mac.bytes, 6);
	assert_memory_equal(message + 4, "\x12\x34\x56\x78", 4);
	for (; message[i] != 255; i += 2u + message[i + 1]) {
		uint8_t code = message[i];

		assert_true(i + 2u + message[i + 1] < reply.frame.size);
		if (!reply.order_count || reply.order[reply.order_count - 1] != code)
			reply.order[reply.order_count++] = code;
		memcpy(reply.values[code] + reply.sizes[code], message + i + 2, message[i + 1]);
		reply.sizes[code] += message[i + 1];
	}
	reply.used = i + 1;
	reply.type = reply.values[53][0];
}

static size_t request_write(const struct request *request, uint8_t data[VD_FRAME_SIZE])
{
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV4, VD_FRAME_UDP), size = 243;
	struct vd_frame head = {
		.source = client_mac,
		.destination = {{255, 255, 255, 255, 255, 255}},
		.from = address(request->client ? request->client : "0.0.0.0"),
		.to = address("255.255.255.255"),
		.protocol = VD_FRAME_UDP,
		.hop_limit = 64,
		.source_port = 68,
		.destination_port = 67,
	};
	uint8_t *message = data + offset;

	memset(message, 0, size);
	memcpy(message, (uint8_t[]){1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78}, 8);
	message[10] = request->broadcast ? 0x80 : 0;
	put_address(message + 12, request->client);
	put_address(message + 24, request->relay);
	memcpy(message + 28, client_mac.bytes, 6);
	if (request->sname)
		unhex(request->sname, message + 44, 64);
	if (request->file)
		unhex(request->file, message + 108, 128);
	memcpy(message + 236, (uint8_t[]){0x63, 0x82, 0x53, 0x63, 53, 1, request->type}, 7);
	size += unhex(request->options ? request->options : "", message + size, 400);
	message[size++] = 255;
	return vd_frame_finish(data, &head, size);
}

/* True when there was an answer; it is in reply. */
static bool ask(struct fixture *fixture, const struct request *request)
{
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame frame = frame_of(data, request_write(request, data));

	fixture->size = vd_dhcp4_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	if (fixture->size)
		reply_read(fixture);
	return fixture->size != 0;
}

static void assert_option(uint8_t code, const char *hex)
{
	uint8_t wanted[600];
	size_t size = unhex(hex, wanted, sizeof(wanted));

	assert_int_equal(reply.sizes[code], size);
	assert_memory_equal(reply.values[code], wanted, size);
}

static void assert_sent_to(const char *text)
{
	struct vd_address to = address(text);

	assert_true(vd_address_equal(&reply.frame.to, &to));
	assert_true(vd_mac_equal(&reply.frame.destination, &client_mac));
	assert_int_equal(reply.frame.destination_port, 68);
}

static void assert_yiaddr(const char *text)
{
	struct vd_address wanted = address(text);

	assert_memory_equal(reply.frame.payload + 16, wanted.bytes, 4);
}

/*
 * Both frames made by scapy: Ether/IP/UDP/BOOTP(xid=0x12345678)/DHCP with message-type discover, client_id, param_req_list
 * [1,26,3,6,12,15,119,121,28], max_dhcp_size 1500; and the offer with the options in that order, id=0, flags=DF.
 */
static void test_offer_is_what_another_implementation_would_send(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame frame;
	size_t size = unhex(
		"ffffffffffff02000000000708004500012800010000401179c500000000ffffffff004400430114db6f0101060012345678000000000000"
		"0000000000000000000000000000020000000007000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006382"
		"53633501013d07010200000000073709011a03060c0f77791c390205dcff",
		data, sizeof(data));

	frame = frame_of(data, size);
	fixture->size = vd_dhcp4_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	assert_answer(
		fixture,
		"020000000007027669616401080045000183000040004011246b0a0000fe0a00000200430044016f4db60201060012345678000000000000"
		"00000a0000020000000000000000020000000007000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006382"
		"536335010236040a0000fe3d07010200000000073304000002583a040000012c3b040000020d0104ffffff001a02059603040a0000010604"
		"0a0000010c04776562310f0d64656d6f2e696e7465726e616c770f0464656d6f08696e7465726e616c00790e000a00000120a9fea9fe0a00"
		"00011c040a0000ffff");
}

static void test_discover_is_offered_the_ports_address(void **state)
{
	struct fixture *fixture = *state;

	/* Whatever address the client would like. */
	assert_true(ask(fixture, &(struct request){.type = DISCOVER, .options = "32040a000063"}));
	assert_int_equal(reply.type, OFFER);
	assert_yiaddr("10.0.0.2");
	assert_sent_to("10.0.0.2");
	assert_option(54, "0a0000fe");
	assert_option(51, "00000258");
	assert_option(58, "0000012c");
	assert_option(59, "0000020d");
	assert_int_equal(fixture->counters.dhcp4_offer, 1);
}

static void test_request_of_an_offer_is_acknowledged(void **state)
{
	assert_true(ask(*state, &(struct request){.type = REQUEST, .options = "36040a0000fe32040a000002"}));
	assert_int_equal(reply.type, ACK);
	assert_yiaddr("10.0.0.2");
	assert_option(1, "ffffff00");
}

static void test_request_to_another_server_is_left_to_it(void **state)
{
	struct fixture *fixture = *state;

	assert_false(ask(fixture, &(struct request){.type = REQUEST, .options = "36040a0000fd32040a000002"}));
	assert_false(ask(fixture, &(struct request){.type = REQUEST, .options = "36040a0000fd32040a000063"}));
	assert_int_equal(fixture->counters.other_server, 2);
}

static void test_request_for_another_address_is_refused(void **state)
{
	struct fixture *fixture = *state;

	/* Selecting, init-reboot, renewing or rebinding. */
	assert_true(ask(fixture, &(struct request){.type = REQUEST, .options = "36040a0000fe32040a000063"}));
	assert_int_equal(reply.type, NAK);
	assert_true(ask(fixture, &(struct request){.type = REQUEST, .options = "3204c0a80002"}));
	assert_int_equal(reply.type, NAK);
	assert_true(ask(fixture, &(struct request){.type = REQUEST, .client = "10.0.0.99"}));
	assert_int_equal(reply.type, NAK);
	/* To all: the client may not have the address that it names; and it gets nothing else. */
	assert_sent_to("255.255.255.255");
	assert_yiaddr("0.0.0.0");
	assert_memory_equal(reply.order, ((uint8_t[]){53, 54}), 2);
	assert_int_equal(reply.order_count, 2);
	assert_int_equal(fixture->counters.dhcp4_nak, 3);
}

static void test_remembered_address_is_confirmed(void **state)
{
	assert_true(ask(*state, &(struct request){.type = REQUEST, .options = "32040a000002"}));
	assert_int_equal(reply.type, ACK);
	assert_sent_to("10.0.0.2");
}

static void test_lease_is_renewed_and_rebound(void **state)
{
	assert_true(ask(*state, &(struct request){.type = REQUEST, .client = "10.0.0.2"}));
	assert_int_equal(reply.type, ACK);
	assert_sent_to("10.0.0.2");
	assert_yiaddr("10.0.0.2");
	assert_memory_equal(reply.frame.payload + 12, "\x0a\x00\x00\x02", 4);
	assert_option(51, "00000258");
}

static void test_inform_gets_everything_but_a_lease(void **state)
{
	assert_true(ask(*state, &(struct request){.type = INFORM, .client = "10.0.0.2", .options = "370106"}));
	assert_int_equal(reply.type, ACK);
	assert_yiaddr("0.0.0.0");
	assert_sent_to("10.0.0.2");
	assert_option(6, "0a000001");
	assert_option(51, "");
	assert_option(58, "");
	assert_option(59, "");
}

static void test_decline_and_release_get_no_answer(void **state)
{
	struct fixture *fixture = *state;

	assert_false(ask(fixture, &(struct request){.type = DECLINE, .options = "36040a0000fe32040a000002"}));
	assert_false(ask(fixture, &(struct request){.type = RELEASE, .client = "10.0.0.2", .options = "36040a0000fe"}));
	assert_int_equal(fixture->counters.dhcp4_decline, 1);
	assert_int_equal(fixture->counters.dhcp4_release, 1);
	/* And the address is the port's as before. */
	assert_true(ask(fixture, &(struct request){.type = DISCOVER}));
	assert_yiaddr("10.0.0.2");
}

static void test_broadcast_flag_is_obeyed(void **state)
{
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .broadcast = true}));
	assert_sent_to("255.255.255.255");
	assert_int_equal(reply.frame.payload[10], 0x80);
	/* One that has an address hears it there. */
	assert_true(ask(*state, &(struct request){.type = REQUEST, .client = "10.0.0.2", .broadcast = true}));
	assert_sent_to("10.0.0.2");
}

static void test_relay_field_is_passed_over(void **state)
{
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .relay = "10.0.0.77"}));
	assert_sent_to("10.0.0.2");
	assert_yiaddr("10.0.0.2");
}

static void test_options_come_in_the_clients_order(void **state)
{
	/* Twice one, and one that nobody has (42). */
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .options = "37051a2a061a01"}));
	assert_memory_equal(reply.order, ((uint8_t[]){53, 54, 51, 58, 59, 26, 6, 1}), 8);
	/* The rest follows. */
	assert_option(26, "0596");
	assert_option(121, "000a00000120a9fea9fe0a000001");
	assert_option(3, "0a000001");
	assert_option(12, "77656231");
	assert_option(15, "64656d6f2e696e7465726e616c");
	assert_option(119, "0464656d6f08696e7465726e616c00");
	assert_option(42, "");
}

static void test_second_port_has_no_default_route(void **state)
{
	fixture_put(*state, SECOND_PORT);
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .options = "37020379"}));
	assert_option(3, "");
	assert_option(121, "100a000a00000120a9fea9fe0a000001");
}

/* A long option goes in pieces (RFC 3396), and is left out where the client has no room. */
static void test_many_routes_fit_or_are_left_out(void **state)
{
	char text[4096] =
		"{'kind':'port','id':7,'name':'web1','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/24'],'mtu':1430,"
		"'vpc_cidrs':['10.0.0.1/24'";

	for (int i = 1; i < 50; i++)
		snprintf(text + strlen(text), 64, ",'10.0.%d.0/24'", i);
	strcat(text, "]}");
	fixture_put(*state, text);
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .options = "390205dc"}));
	assert_int_equal(reply.sizes[121], 50 * 8 + 9);
	assert_memory_equal(reply.values[121], "\x18\x0a\x00\x00\x0a\x00\x00\x01", 8);
	assert_true(ask(*state, &(struct request){.type = DISCOVER}));
	assert_int_equal(reply.sizes[121], 0);
	assert_option(1, "ffffff00");
	assert_true(reply.frame.size <= 548);
}

static void test_size_is_at_least_bootps_and_at_most_the_clients(void **state)
{
	assert_true(ask(*state, &(struct request){.type = REQUEST, .options = "32040a000063"}));
	assert_int_equal(reply.frame.size, 300);
	/* A client that says less than 576 takes 576 all the same. */
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .options = "39020040"}));
	assert_option(119, "0464656d6f08696e7465726e616c00");
	assert_true(reply.frame.size <= 548);
}

static void test_client_identifier_comes_back(void **state)
{
	assert_true(ask(*state, &(struct request){.type = DISCOVER, .options = "3d0401616263"}));
	assert_option(61, "01616263");
}

static void test_options_in_file_and_name_fields_are_read(void **state)
{
	struct fixture *fixture = *state;

	assert_true(ask(
		fixture,
		&(struct request){.type = REQUEST, .options = "340103", .file = "0032040a000002ff", .sname = "36040a0000feff"}));
	assert_int_equal(reply.type, ACK);
	assert_false(
		ask(fixture,
		    &(struct request){.type = REQUEST, .options = "340103", .file = "32040a000002ff", .sname = "36040a0000fdff"}));
	/* Not said to hold options: they are a file's name. */
	assert_true(ask(fixture, &(struct request){.type = REQUEST, .client = "10.0.0.2", .file = "32040a000063ff"}));
	assert_int_equal(reply.type, ACK);
	assert_false(ask(fixture, &(struct request){.type = REQUEST, .options = "340101", .file = "32ff"}));
	assert_int_equal(fixture->counters.malformed, 1);
}

static void test_strangers_get_no_answer(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[VD_FRAME_SIZE];
	size_t size = request_write(&(struct request){.type = DISCOVER}, data);
	struct vd_frame frame = frame_of(data, size);

	/* A sender that no port is. */
	frame.source.bytes[5] = 8;
	data[42 + 28 + 5] = 8;
	assert_int_equal(vd_dhcp4_answer(fixture->state, &frame, &fixture->counters, fixture->answer), 0);
	assert_int_equal(fixture->counters.unknown_port, 1);
	/* A port that asks for another client. */
	frame.source = client_mac;
	assert_int_equal(vd_dhcp4_answer(fixture->state, &frame, &fixture->counters, fixture->answer), 0);
	assert_int_equal(fixture->counters.malformed, 1);
}

static void test_no_answer_where_dhcp_is_off(void **state)
{
	struct fixture *fixture = *state;

	fixture_put(fixture, SUBNET_OFF);
	assert_false(ask(fixture, &(struct request){.type = DISCOVER}));
	assert_false(ask(fixture, &(struct request){.type = INFORM, .client = "10.0.0.2"}));
	assert_int_equal(fixture->counters.not_served, 2);
}

static void test_malformed_messages_get_no_answer(void **state)
{
	static const char *const options[] = {
		"3203",       /* cut */
		"32030a0000", /* an address of three bytes */
		"3503010101", /* a type of three bytes */
		"39010500",   /* a size of one byte */
	};
	struct fixture *fixture = *state;
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame frame;
	size_t size;

	for (size_t i = 0; i < 4; i++)
		assert_false(ask(fixture, &(struct request){.type = DISCOVER, .options = options[i]}));
	/* A server's message, none, and a request that names no address. */
	assert_false(ask(fixture, &(struct request){.type = OFFER}));
	assert_false(ask(fixture, &(struct request){.type = 13}));
	assert_false(ask(fixture, &(struct request){.type = REQUEST}));
	assert_int_equal(fixture->counters.malformed, 7);
	/* Cut anywhere in the fixed part. */
	size = request_write(&(struct request){.type = DISCOVER}, data);
	frame = frame_of(data, size);
	for (frame.size = 0; frame.size < 240; frame.size++)
		assert_int_equal(vd_dhcp4_answer(fixture->state, &frame, &fixture->counters, fixture->answer), 0);
}

static void test_frames_are_checked(void **state)
{
	uint8_t data[VD_FRAME_SIZE];
	size_t size = request_write(&(struct request){.type = DISCOVER}, data);
	struct vd_frame frame;

	assert_int_equal(vd_frame_parse(data, size, true, &frame), 0);
	assert_int_equal(frame.size, 244);
	/* Padding behind the packet is none of it. */
	assert_int_equal(vd_frame_parse(data, size + 20, true, &frame), 0);
	assert_int_equal(frame.size, 244);
	for (size_t cut = 0; cut < size; cut++)
		assert_true(vd_frame_parse(data, cut, false, &frame) < 0);
	/* A wrong UDP checksum, unless it is not to be there yet. */
	data[100] ^= 1;
	assert_true(vd_frame_parse(data, size, true, &frame) < 0);
	assert_int_equal(vd_frame_parse(data, size, false, &frame), 0);
	/* No checksum at all. */
	data[40] = data[41] = 0;
	assert_int_equal(vd_frame_parse(data, size, true, &frame), 0);
	/* A wrong IPv4 checksum; a fragment. */
	data[24] ^= 1;
	assert_true(vd_frame_parse(data, size, false, &frame) < 0);
	data[24] ^= 1;
	assert_int_equal(data[20], 0x40); /* "do not fragment" becomes "more follow": the sum grows by as much as the word falls */
	data[20] = 0x20;
	data[24] += 0x20;
	assert_true(vd_frame_parse(data, size, false, &frame) < 0);
}

/* Services do not know the data plane's headers; this test does. */
static void test_gateway_mac_is_the_data_planes(void **state)
{
	static const uint8_t ours[6] = VD_ROUTER_MAC, theirs[6] = VD_GATEWAY_MAC;

	assert_memory_equal(ours, theirs, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_offer_is_what_another_implementation_would_send),
		TEST(test_discover_is_offered_the_ports_address),
		TEST(test_request_of_an_offer_is_acknowledged),
		TEST(test_request_to_another_server_is_left_to_it),
		TEST(test_request_for_another_address_is_refused),
		TEST(test_remembered_address_is_confirmed),
		TEST(test_lease_is_renewed_and_rebound),
		TEST(test_inform_gets_everything_but_a_lease),
		TEST(test_decline_and_release_get_no_answer),
		TEST(test_broadcast_flag_is_obeyed),
		TEST(test_relay_field_is_passed_over),
		TEST(test_options_come_in_the_clients_order),
		TEST(test_second_port_has_no_default_route),
		TEST(test_many_routes_fit_or_are_left_out),
		TEST(test_size_is_at_least_bootps_and_at_most_the_clients),
		TEST(test_client_identifier_comes_back),
		TEST(test_options_in_file_and_name_fields_are_read),
		TEST(test_strangers_get_no_answer),
		TEST(test_no_answer_where_dhcp_is_off),
		TEST(test_malformed_messages_get_no_answer),
		TEST(test_frames_are_checked),
		TEST(test_gateway_mac_is_the_data_planes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
