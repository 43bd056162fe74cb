/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "services/dhcp/dhcp6.h"

/* R-SVC-1: every message of RFC 8415 to a server, and its answer. */

enum { SOLICIT = 1, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORMATION_REQUEST, RELAY };

#define CLIENT "0001000a00030001020000000007"
#define SERVER "0002000a00030001027669616401"
#define OTHER_SERVER "0002000a00030001020000000099"
#define IA "0003000c000000010000000000000000"
#define RAPID "000e0000"
/* IA_NA 1 with fd00::2, with fd00::99 (on the link, not the port's), with fd99::2 (not on the link). */
#define IA_WITH(address) \
	"00030028000000010000000000000000" \
	"00050018" address "0000000000000000"
#define OURS "fd000000000000000000000000000002"
#define NEIGHBOUR "fd000000000000000000000000000099"
#define ELSEWHERE "fd990000000000000000000000000002"

/* In answers. */
#define LEASED \
	"0003002800000001" \
	"0000012c" \
	"000001e0" \
	"00050018" OURS "00000258" \
	"00000258"
#define DNS "00170010fd000000000000000000000000000001"
#define DOMAINS "0018000f0464656d6f08696e7465726e616c00"
#define STATUS(code) "000d0002" code

static const char *const link_local = "fe80::ff:fe00:7";

static bool ask_at(struct fixture *fixture, const char *to, uint8_t type, const char *options)
{
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV6, VD_FRAME_UDP), size = 4;
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame head = {
		.source = client_mac,
		.destination = {{0x33, 0x33, 0, 1, 0, 2}},
		.from = address(link_local),
		.to = address(to),
		.protocol = VD_FRAME_UDP,
		.hop_limit = 1,
		.source_port = 546,
		.destination_port = 547,
	};
	struct vd_frame frame;

	memcpy(data + offset, (uint8_t[]){type, 0xab, 0xcd, 0xef}, 4);
	size += unhex(options, data + offset + 4, 1000);
	frame = frame_of(data, vd_frame_finish(data, &head, size));
	fixture->size = vd_dhcp6_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	return fixture->size != 0;
}

static bool ask(struct fixture *fixture, uint8_t type, const char *options)
{
	return ask_at(fixture, "ff02::1:2", type, options);
}

/* The answer has this type and these options, in this order, and goes to the client. */
static void assert_reply(const struct fixture *fixture, uint8_t type, const char *options)
{
	struct vd_frame frame = frame_of(fixture->answer, fixture->size);
	struct vd_address from = address("fe80::76:69ff:fe61:6401"), to = address(link_local);
	uint8_t wanted[1500];
	size_t size = unhex(options, wanted, sizeof(wanted));

	assert_true(vd_mac_equal(&frame.destination, &client_mac));
	assert_true(vd_address_equal(&frame.from, &from));
	assert_true(vd_address_equal(&frame.to, &to));
	assert_int_equal(frame.source_port, 547);
	assert_int_equal(frame.destination_port, 546);
	assert_memory_equal(frame.payload, ((uint8_t[]){type, 0xab, 0xcd, 0xef}), 4);
	assert_int_equal(frame.size - 4, size);
	assert_memory_equal(frame.payload + 4, wanted, size);
}

/*
 * Both frames made by scapy: Ether/IPv6/UDP/DHCP6_Solicit(trid=0xabcdef)/DHCP6OptClientId(DUID_LL)/DHCP6OptOptReq([23, 24])/
 * DHCP6OptElapsedTime(0)/DHCP6OptIA_NA(iaid=1); and the DHCP6_Advertise.
 */
static void test_advertise_is_what_another_implementation_would_send(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[VD_FRAME_SIZE];
	size_t size = unhex(
		"33330001000202000000000786dd6000000000381101fe80000000000000000000fffe000007ff0200000000000000000000000100020222"
		"022300382ca801abcdef0001000a0003000102000000000700060004001700180008000200000003000c000000010000000000000000",
		data, sizeof(data));
	struct vd_frame frame = frame_of(data, size);

	fixture->size = vd_dhcp6_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	assert_answer(
		fixture,
		"02000000000702766961640186dd6000000000801140fe80000000000000007669fffe616401fe80000000000000000000fffe0000070223"
		"02220080af9802abcdef0002000a000300010276696164010001000a0003000102000000000700070001ff00030028000000010000012c00"
		"0001e000050018fd000000000000000000000000000002000002580000025800170010fd0000000000000000000000000000010018000f04"
		"64656d6f08696e7465726e616c00");
	assert_int_equal(fixture->counters.dhcp6_solicit, 1);
	assert_int_equal(fixture->counters.dhcp6_advertise, 1);
}

static void test_rapid_commit_leases_at_once(void **state)
{
	assert_true(ask(*state, SOLICIT, CLIENT RAPID IA));
	assert_reply(*state, REPLY, SERVER CLIENT RAPID LEASED DNS DOMAINS);
}

static void test_request_is_leased(void **state)
{
	assert_true(ask(*state, REQUEST, CLIENT SERVER IA_WITH(OURS)));
	assert_reply(*state, REPLY, SERVER CLIENT LEASED DNS DOMAINS);
	/* Another address of the link: the client gets its own. */
	assert_true(ask(*state, REQUEST, CLIENT SERVER IA_WITH(NEIGHBOUR)));
	assert_reply(*state, REPLY, SERVER CLIENT LEASED DNS DOMAINS);
}

static void test_request_from_another_link_is_told_so(void **state)
{
	assert_true(ask(*state, REQUEST, CLIENT SERVER IA_WITH(ELSEWHERE)));
	assert_reply(*state, REPLY, SERVER CLIENT "00030012000000010000012c000001e0" STATUS("0004") DNS DOMAINS);
}

static void test_lease_is_renewed_and_rebound(void **state)
{
	assert_true(ask(*state, RENEW, CLIENT SERVER IA_WITH(OURS)));
	assert_reply(*state, REPLY, SERVER CLIENT LEASED DNS DOMAINS);
	assert_true(ask(*state, REBIND, CLIENT IA_WITH(OURS)));
	assert_reply(*state, REPLY, SERVER CLIENT LEASED DNS DOMAINS);
}

/* The port has another address since: the old one ends, the new one begins. */
static void test_renewal_of_an_old_address_ends_it(void **state)
{
	assert_true(ask(*state, RENEW, CLIENT SERVER IA_WITH(NEIGHBOUR)));
	assert_reply(*state, REPLY,
		     SERVER CLIENT "0003004400000001"
				   "0000012c"
				   "000001e0"
				   "00050018" OURS "00000258"
				   "00000258"
				   "00050018" NEIGHBOUR "00000000"
				   "00000000" DNS DOMAINS);
}

static void test_confirm_says_whether_the_address_stands(void **state)
{
	assert_true(ask(*state, CONFIRM, CLIENT IA_WITH(OURS)));
	assert_reply(*state, REPLY, SERVER CLIENT STATUS("0000"));
	assert_true(ask(*state, CONFIRM, CLIENT IA_WITH(NEIGHBOUR)));
	assert_reply(*state, REPLY, SERVER CLIENT STATUS("0004"));
	assert_false(ask(*state, CONFIRM, CLIENT IA));
}

static void test_release_and_decline_are_confirmed(void **state)
{
	struct fixture *fixture = *state;

	assert_true(ask(fixture, RELEASE, CLIENT SERVER IA_WITH(OURS)));
	assert_reply(fixture, REPLY, SERVER CLIENT STATUS("0000"));
	assert_true(ask(fixture, DECLINE, CLIENT SERVER IA_WITH(OURS)));
	assert_reply(fixture, REPLY, SERVER CLIENT STATUS("0000"));
	assert_int_equal(fixture->counters.dhcp6_release, 1);
	assert_int_equal(fixture->counters.dhcp6_decline, 1);
}

static void test_information_request_gets_dns_without_an_address(void **state)
{
	assert_true(ask(*state, INFORMATION_REQUEST, ""));
	assert_reply(*state, REPLY, SERVER DNS DOMAINS);
	assert_true(ask(*state, INFORMATION_REQUEST, CLIENT SERVER));
	assert_reply(*state, REPLY, SERVER CLIENT DNS DOMAINS);
}

static void test_messages_to_another_server_are_left_to_it(void **state)
{
	struct fixture *fixture = *state;

	assert_false(ask(fixture, REQUEST, CLIENT OTHER_SERVER IA));
	assert_false(ask(fixture, RENEW, CLIENT OTHER_SERVER IA_WITH(OURS)));
	assert_false(ask(fixture, RELEASE, CLIENT OTHER_SERVER IA_WITH(OURS)));
	assert_false(ask(fixture, INFORMATION_REQUEST, CLIENT OTHER_SERVER));
	assert_int_equal(fixture->counters.other_server, 4);
}

static void test_second_association_gets_no_address(void **state)
{
	assert_true(ask(*state, SOLICIT, CLIENT RAPID IA "0003000c000000020000000000000000"));
	assert_reply(*state, REPLY, SERVER CLIENT RAPID LEASED "00030012000000020000012c000001e0" STATUS("0002") DNS DOMAINS);
}

static void test_unicast_is_told_to_use_multicast(void **state)
{
	struct fixture *fixture = *state;

	assert_true(ask_at(fixture, "fe80::76:69ff:fe61:6401", RENEW, CLIENT SERVER IA_WITH(OURS)));
	assert_reply(fixture, REPLY, SERVER CLIENT STATUS("0005"));
	assert_false(ask_at(fixture, "fe80::76:69ff:fe61:6401", SOLICIT, CLIENT IA));
	assert_false(ask_at(fixture, "fe80::76:69ff:fe61:6401", INFORMATION_REQUEST, CLIENT SERVER));
}

static void test_malformed_messages_get_no_answer(void **state)
{
	static const struct {
		uint8_t type;
		const char *options;
	} bad[] = {
		{SOLICIT, IA},               /* nobody */
		{SOLICIT, CLIENT SERVER IA}, /* names a server */
		{REQUEST, CLIENT IA},        /* names none */
		{REBIND, CLIENT SERVER IA},
		{INFORMATION_REQUEST, CLIENT IA},
		{SOLICIT, CLIENT CLIENT IA},                        /* two clients */
		{SOLICIT, "00010000" IA},                           /* an empty identifier */
		{SOLICIT, CLIENT "0003000b0000000100000000000000"}, /* an association cut short */
		{SOLICIT, CLIENT "00030014000000010000000000000000"
				 "00050004"
				 "fd000000"},
		{SOLICIT, CLIENT "000300"},
		{SOLICIT, CLIENT "0003ffff00000001"},
		{ADVERTISE, CLIENT SERVER IA},
		{REPLY, CLIENT SERVER IA},
		{RECONFIGURE, CLIENT SERVER},
		{RELAY, CLIENT},
		{0, CLIENT},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ask(fixture, bad[i].type, bad[i].options));
	assert_int_equal(fixture->counters.malformed, sizeof(bad) / sizeof(bad[0]));
}

static void test_no_answer_where_dhcp_is_off_or_the_port_unknown(void **state)
{
	struct fixture *fixture = *state;

	fixture_put(fixture, SUBNET_OFF);
	assert_false(ask(fixture, SOLICIT, CLIENT IA));
	assert_int_equal(fixture->counters.not_served, 1);
	fixture_put(fixture, SUBNET);
	fixture_put(fixture, "{'kind':'port','id':7,'name':'w','mac':'02:00:00:00:00:09','subnet':3,'addresses':[],'mtu':1430}");
	assert_false(ask(fixture, SOLICIT, CLIENT IA));
	assert_int_equal(fixture->counters.unknown_port, 1);
}

/* A port of a subnet with IPv6 that has no address of it. */
static void test_no_address_is_said(void **state)
{
	fixture_put(
		*state,
		"{'kind':'port','id':7,'name':'w','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/24'],'mtu':1430}");
	assert_true(ask(*state, SOLICIT, CLIENT RAPID IA));
	assert_reply(*state, REPLY, SERVER CLIENT RAPID "00030012000000010000012c000001e0" STATUS("0002") DNS DOMAINS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_advertise_is_what_another_implementation_would_send),
		TEST(test_rapid_commit_leases_at_once),
		TEST(test_request_is_leased),
		TEST(test_request_from_another_link_is_told_so),
		TEST(test_lease_is_renewed_and_rebound),
		TEST(test_renewal_of_an_old_address_ends_it),
		TEST(test_confirm_says_whether_the_address_stands),
		TEST(test_release_and_decline_are_confirmed),
		TEST(test_information_request_gets_dns_without_an_address),
		TEST(test_messages_to_another_server_are_left_to_it),
		TEST(test_second_association_gets_no_address),
		TEST(test_unicast_is_told_to_use_multicast),
		TEST(test_malformed_messages_get_no_answer),
		TEST(test_no_answer_where_dhcp_is_off_or_the_port_unknown),
		TEST(test_no_address_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
