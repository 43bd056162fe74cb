/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "services/dhcp/advertisement.h"

/* R-SVC-1: router advertisements. */

#define SOLICITATION \
	"33330000000202000000000786dd6000000000103afffe80000000000000000000fffe000007ff0200000000000000000000000000028500" \
	"7b20000000000101020000000007"

static bool ask(struct fixture *fixture, const char *from, uint8_t hop_limit, const char *message)
{
	size_t offset = vd_frame_payload_offset(VD_FAMILY_IPV6, VD_FRAME_ICMPV6);
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame frame, head = {
				       .source = client_mac,
				       .destination = {{0x33, 0x33, 0, 0, 0, 2}},
				       .from = address(from),
				       .to = address("ff02::2"),
				       .protocol = VD_FRAME_ICMPV6,
				       .hop_limit = hop_limit,
			       };

	frame = frame_of(data, vd_frame_finish(data, &head, unhex(message, data + offset, 400)));
	fixture->size = vd_advertisement_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	return fixture->size != 0;
}

/*
 * Both frames made by scapy: Ether/IPv6(hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr; and ICMPv6ND_RA(chlim=64, M=1, O=1,
 * routerlifetime=1800) with SrcLLAddr, MTU 1430, PrefixInfo fd00::/64 (L=1, A=0), RDNSS, DNSSL.
 */
static void test_advertisement_is_what_another_implementation_would_send(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data[VD_FRAME_SIZE];
	struct vd_frame frame = frame_of(data, unhex(SOLICITATION, data, sizeof(data)));

	fixture->size = vd_advertisement_answer(fixture->state, &frame, &fixture->counters, fixture->answer);
	assert_answer(
		fixture,
		"02000000000702766961640186dd6000000000703afffe80000000000000007669fffe616401fe80000000000000000000fffe0000078600"
		"c0c340c007080000000000000000010102766961640105010000000005960304408000278d0000093a8000000000fd000000000000000000"
		"0000000000001903000000000258fd0000000000000000000000000000011f030000000002580464656d6f08696e7465726e616c0000");
	assert_int_equal(fixture->counters.router_solicitation, 1);
	assert_int_equal(fixture->counters.router_advertisement, 1);
}

static void test_unsolicited_goes_to_all_nodes_at_one_mac(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address all = address("ff02::1"), from = address("fe80::76:69ff:fe61:6401");
	struct vd_frame frame;

	fixture->size = vd_advertisement_write(fixture->state, vd_router_state_port(fixture->state, 7), fixture->answer);
	frame = frame_of(fixture->answer, fixture->size);
	assert_true(vd_address_equal(&frame.to, &all));
	assert_true(vd_address_equal(&frame.from, &from));
	assert_true(vd_mac_equal(&frame.destination, &client_mac));
	assert_int_equal(frame.hop_limit, 255);
	assert_int_equal(frame.payload[0], 134);
}

/* A client without an address yet hears it at all nodes' too. */
static void test_solicitation_without_an_address_is_answered(void **state)
{
	struct fixture *fixture = *state;
	struct vd_address all = address("ff02::1");
	struct vd_frame frame;

	assert_true(ask(fixture, "::", 255, "8500000000000000"));
	frame = frame_of(fixture->answer, fixture->size);
	assert_true(vd_address_equal(&frame.to, &all));
}

static void test_second_port_is_told_routes_but_no_default_router(void **state)
{
	struct fixture *fixture = *state;
	struct vd_frame frame;
	uint8_t route[24];

	fixture_put(fixture, SECOND_PORT);
	assert_true(ask(fixture, "fe80::ff:fe00:7", 255, "8500000000000000"));
	frame = frame_of(fixture->answer, fixture->size);
	/* Router lifetime; the last option is the route to fd00::/48, as long as a router's lifetime. */
	assert_memory_equal(frame.payload + 6, "\0\0", 2);
	unhex("1803300000000708fd000000000000000000000000000000", route, sizeof(route));
	assert_memory_equal(frame.payload + frame.size - sizeof(route), route, sizeof(route));
}

static void test_malformed_solicitations_get_no_answer(void **state)
{
	struct fixture *fixture = *state;

	assert_false(ask(fixture, "fe80::ff:fe00:7", 64, "8500000000000000"));                  /* from beyond the link */
	assert_false(ask(fixture, "fe80::ff:fe00:7", 255, "85000000000000"));                   /* cut */
	assert_false(ask(fixture, "fe80::ff:fe00:7", 255, "8501000000000000"));                 /* a code */
	assert_false(ask(fixture, "fe80::ff:fe00:7", 255, "8600000000000000"));                 /* an advertisement */
	assert_false(ask(fixture, "fe80::ff:fe00:7", 255, "85000000000000000100020000000007")); /* an option of no size */
	assert_false(ask(fixture, "fe80::ff:fe00:7", 255, "85000000000000000102020000000007")); /* one too long */
	assert_false(ask(fixture, "::", 255, "85000000000000000101020000000007"));              /* a MAC of nobody */
	assert_int_equal(fixture->counters.malformed, 7);
}

static void test_nothing_where_dhcp_is_off_or_without_ipv6(void **state)
{
	struct fixture *fixture = *state;

	fixture_put(fixture, SUBNET_OFF);
	assert_false(ask(fixture, "::", 255, "8500000000000000"));
	assert_int_equal(vd_advertisement_write(fixture->state, vd_router_state_port(fixture->state, 7), fixture->answer), 0);
	fixture_put(fixture, "{'kind':'subnet','id':3,'name':'n','cidr4':'10.0.0.0/24','gateway4':'10.0.0.1','dhcp':true,"
			     "'dhcp_address':'10.0.0.254','lease':600}");
	assert_false(ask(fixture, "::", 255, "8500000000000000"));
	assert_int_equal(fixture->counters.not_served, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_advertisement_is_what_another_implementation_would_send),
		TEST(test_unsolicited_goes_to_all_nodes_at_one_mac),
		TEST(test_solicitation_without_an_address_is_answered),
		TEST(test_second_port_is_told_routes_but_no_default_router),
		TEST(test_malformed_solicitations_get_no_answer),
		TEST(test_nothing_where_dhcp_is_off_or_without_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
