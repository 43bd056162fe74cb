/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/solicit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static char *hex(const struct vd_host_frame *frame)
{
	char *text = calloc(frame->size * 2 + 1, 1);

	for (size_t i = 0; i < frame->size; i++)
		sprintf(text + 2 * i, "%02x", frame->bytes[i]);
	return text;
}

static void assert_frame(const struct vd_host_frame *frame, const char *wanted)
{
	VD_FREE char *text = hex(frame);

	assert_string_equal(text, wanted);
}

static void test_arp_request_asks_everyone_in_the_name_of_our_address(void **state)
{
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 0};
	struct vd_address asker = address("198.51.100.5"), target = address("198.51.100.1");
	struct vd_host_frame frame;

	vd_host_frame_solicit(&wire, &asker, &target, NULL, &frame);
	assert_frame(&frame, "ffffffffffff02000000000a0806"
			     "0001080006040001"
			     "02000000000ac6336405"
			     "000000000000c6336401");
}

static void test_tagged_arp_probe_tells_no_address_of_ours(void **state)
{
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 100};
	struct vd_address asker = {0}, target = address("198.51.100.1");
	struct vd_mac known = mac("02:00:00:00:00:01");
	struct vd_host_frame frame;

	vd_host_frame_solicit(&wire, &asker, &target, &known, &frame);
	assert_frame(&frame, "02000000000102000000000a810000640806"
			     "0001080006040001"
			     "02000000000a00000000"
			     "000000000000c6336401");
}

static void test_gratuitous_arp_names_the_address_twice(void **state)
{
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 0};
	struct vd_address vip = address("198.51.100.5");
	struct vd_host_frame frame;

	vd_host_frame_announce(&wire, &vip, &frame);
	assert_frame(&frame, "ffffffffffff02000000000a0806"
			     "0001080006040001"
			     "02000000000ac6336405"
			     "000000000000c6336405");
}

/* The sum over pseudo-header and message, with the checksum in it, is all ones (RFC 1071). */
static void assert_checksum(const struct vd_host_frame *frame, size_t ip)
{
	uint32_t sum = 58 + 32;

	for (size_t i = ip + 8; i < frame->size; i += 2)
		sum += (uint32_t)frame->bytes[i] << 8 | frame->bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(frame->size, ip + 40 + 32);
	assert_int_equal(sum, 0xffff);
}

static void test_neighbour_solicitation_goes_to_the_solicited_node(void **state)
{
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 0};
	struct vd_address asker = address("2001:db8::5"), target = address("2001:db8::12:3456"), none = {0};
	struct vd_mac known = mac("02:00:00:00:00:01");
	struct vd_host_frame frame;

	vd_host_frame_solicit(&wire, &asker, &target, NULL, &frame);
	assert_memory_equal(frame.bytes, "\x33\x33\xff\x12\x34\x56\x02\x00\x00\x00\x00\x0a\x86\xdd", 14);
	assert_memory_equal(frame.bytes + 14 + 24, "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x12\x34\x56\x87\x00", 18);
	assert_memory_equal(frame.bytes + 14 + 8, asker.bytes, 16);
	assert_memory_equal(frame.bytes + 14 + 40 + 24, "\x01\x01\x02\x00\x00\x00\x00\x0a", 8);
	assert_checksum(&frame, 14);

	wire.vlan = 7;
	vd_host_frame_solicit(&wire, &none, &target, &known, &frame);
	assert_memory_equal(frame.bytes, known.bytes, 6);
	assert_memory_equal(frame.bytes + 18 + 8, "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xfe\x00\x00\x0a", 16);
	assert_memory_equal(frame.bytes + 18 + 24, target.bytes, 16);
	assert_checksum(&frame, 18);
}

static void test_unsolicited_advertisement_overrides(void **state)
{
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 0};
	struct vd_address vip = address("2001:db8::5");
	struct vd_host_frame frame;

	vd_host_frame_announce(&wire, &vip, &frame);
	assert_memory_equal(frame.bytes, "\x33\x33\x00\x00\x00\x01", 6);
	assert_int_equal(frame.bytes[14 + 40], 136);
	assert_int_equal(frame.bytes[14 + 44], 0x20);
	assert_memory_equal(frame.bytes + 14 + 48, vip.bytes, 16);
	assert_memory_equal(frame.bytes + 14 + 40 + 24, "\x02\x01\x02\x00\x00\x00\x00\x0a", 8);
	assert_checksum(&frame, 14);
}

/* 10 s at most; output is what the command said last. */
static void assert_says(const char *command, const char *text)
{
	VD_FREE char *output = NULL;

	for (int i = 0; i < 200; i++) {
		free(output);
		output = output_of("%s", command);
		if (strstr(output, text))
			return;
		usleep(50000);
	}
	fail_msg("no \"%s\" in what %s says: %s", text, command, output);
}

/* The other end is a plain Linux: it believes what we announce and answers what we ask; a tag is on the wire. */
static void test_a_linux_neighbour_understands(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_wire wire = {mac("02:00:00:00:00:0a"), 0};
	struct vd_address vip = address("198.51.100.5"), vip6 = address("2001:db8:7::5"), none = {0};
	struct vd_address router = address("198.51.100.1"), router6 = address("2001:db8:7::1");
	struct vd_host_frame frame;
	uint32_t ifindex;

	run("ip netns add outside && ip link add up0 address 02:00:00:00:00:0a type veth peer name eth0 netns outside &&"
	    "ip link set up0 up && ip -n outside link set eth0 up && ip -n outside address add 198.51.100.1/24 dev eth0 &&"
	    "ip -n outside address add 2001:db8:7::1/64 dev eth0 nodad && "
	    "ip -n outside neighbour add 198.51.100.5 lladdr 02:00:00:00:00:99 nud stale dev eth0 &&"
	    "ip -n outside neighbour add 2001:db8:7::5 lladdr 02:00:00:00:00:99 nud stale dev eth0");
	ifindex = if_nametoindex("up0");

	vd_host_frame_announce(&wire, &vip, &frame);
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), 0);
	vd_host_frame_announce(&wire, &vip6, &frame);
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), 0);
	assert_says("ip -n outside neighbour show 198.51.100.5 dev eth0", "02:00:00:00:00:0a");
	assert_says("ip -n outside neighbour show 2001:db8:7::5 dev eth0", "02:00:00:00:00:0a");

	run("timeout 30 tcpdump --immediate-mode -lnei up0 >/run/vd-test/heard 2>/run/vd-test/begun & echo $! "
	    ">/run/vd-test/tcpdump");
	assert_says("cat /run/vd-test/begun", "listening on up0");
	vd_host_frame_solicit(&wire, &none, &router, NULL, &frame);
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), 0);
	vd_host_frame_solicit(&wire, &none, &router6, NULL, &frame);
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), 0);
	wire.vlan = 7;
	vd_host_frame_solicit(&wire, &none, &router, NULL, &frame);
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), 0);
	assert_says("cat /run/vd-test/heard", "Reply 198.51.100.1 is-at");
	assert_says("cat /run/vd-test/heard", "neighbor advertisement, tgt is 2001:db8:7::1");
	assert_says("cat /run/vd-test/heard", "vlan 7, p 0, ethertype ARP");
	run("kill $(cat /run/vd-test/tcpdump)");

	run("ip link set up0 down");
	assert_int_equal(vd_host_frame_send(fixture->net, ifindex, &frame), -ENETDOWN);
	run("ip link del up0");
	assert_true(vd_host_frame_send(fixture->net, ifindex, &frame) < 0);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(test_arp_request_asks_everyone_in_the_name_of_our_address),
		cmocka_unit_test(test_tagged_arp_probe_tells_no_address_of_ours),
		cmocka_unit_test(test_gratuitous_arp_names_the_address_twice),
		cmocka_unit_test(test_neighbour_solicitation_goes_to_the_solicited_node),
		cmocka_unit_test(test_unsolicited_advertisement_overrides),
	};
	const struct CMUnitTest real[] = {
		cmocka_unit_test_setup_teardown(test_a_linux_neighbour_understands, fixture_setup, fixture_teardown),
	};
	int failed = cmocka_run_group_tests(pure, NULL, NULL);

	if (failed)
		return failed;
	fixture_require();
	return cmocka_run_group_tests(real, NULL, NULL);
}
