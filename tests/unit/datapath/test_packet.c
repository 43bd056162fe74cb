/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "datapath/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Against what scapy makes of the same packet. */
static void test_packets_are_what_scapy_makes(void **state)
{
	static const struct {
		const char *source, *destination;
		uint8_t protocol;
		uint16_t port;
		uint8_t ttl;
		uint16_t size;
		const char *expected;
	} cases[] = {
		{"10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53, 0, 5,
		 "02766961640102000000000108004500002100004000401124b60a00010b0a00010c9c400035000d4d480000000000"},
		{"fd00::11", "fd00::12", IPPROTO_TCP, 443, 3, 2,
		 "02766961640102000000000186dd6000000000160603fd000000000000000000000000000011fd0000000000000000000000000000129c400"
		 "1bb00000000000000005002ffff17c100000000"},
		{"10.0.1.11", "10.0.1.12", IPPROTO_ICMP, 0, 0, 3,
		 "02766961640102000000000108004500001f00004000400124c80a00010b0a00010c08005bbe9c400001000000"},
		{"fd00::11", "fd00::12", IPPROTO_ICMPV6, 0, 64, 0,
		 "02766961640102000000000186dd6000000000083a40fd000000000000000000000000000011fd0000000000000000000000000000128000e"
		 "9569c400001"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_trace_request request = {.protocol = cases[i].protocol,
						   .source_port = 40000,
						   .destination_port = cases[i].port,
						   .ttl = cases[i].ttl,
						   .size = cases[i].size,
						   .source_mac = {{2, 0, 0, 0, 0, 1}},
						   .destination_mac = {{2, 0x76, 0x69, 0x61, 0x64, 1}}};
		uint8_t packet[VD_PACKET_SIZE];
		char text[2 * VD_PACKET_SIZE + 1];
		size_t size = 0;

		assert_int_equal(vd_address_parse(cases[i].source, &request.source), 0);
		assert_int_equal(vd_address_parse(cases[i].destination, &request.destination), 0);
		assert_int_equal(vd_packet_build(&request, packet, &size), 0);
		for (size_t byte = 0; byte < size; byte++)
			sprintf(text + 2 * byte, "%02x", packet[byte]);
		assert_string_equal(text, cases[i].expected);
	}
}

static void test_packets_that_cannot_be_are_refused(void **state)
{
	struct vd_trace_request request = {.protocol = IPPROTO_ICMPV6};
	uint8_t packet[VD_PACKET_SIZE];
	size_t size = 77;

	assert_int_equal(vd_packet_build(&request, packet, &size), -EINVAL);
	assert_int_equal(vd_address_parse("10.0.0.1", &request.source), 0);
	assert_int_equal(vd_address_parse("10.0.0.2", &request.destination), 0);
	assert_int_equal(vd_packet_build(&request, packet, &size), -EINVAL);
	request.protocol = IPPROTO_UDP;
	request.size = VD_PACKET_SIZE - 14 - 20 - 8;
	assert_int_equal(vd_packet_build(&request, packet, &size), 0);
	assert_int_equal(size, VD_PACKET_SIZE);
	request.size++;
	assert_int_equal(vd_packet_build(&request, packet, &size), -EMSGSIZE);
	assert_int_equal(size, VD_PACKET_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_are_what_scapy_makes),
		cmocka_unit_test(test_packets_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
