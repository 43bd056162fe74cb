// SPDX-License-Identifier: Apache-2.0
/* Instances on provider segments: between each other, to the wire and from it, to their gateway; and the tags on a real wire. */
#include "provider.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy.h"
#include "tag.skel.h"
#include "viaduct.skel.h"

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	PRIORITY = 5 << 13,
	CLOSED = 77, /* an identity without ingress rules */
};

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination_mac, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .destination_mac = destination_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 2000,
				    .payload = 32};
}

/* Three times, so that the cache answers in the end: the packet leaves as it is, by this output. */
static void assert_leaves(struct provider *provider, uint32_t ifindex, const struct packet_spec *spec, enum vd_output output,
			  uint32_t output_ifindex, uint16_t vlan)
{
	uint64_t hits = read_hits(provider->fixture);
	struct packet packet;
	struct vd_flow flow;

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(provider->fixture, ifindex, &packet), VERDICT_REDIRECT);
		assert_int_equal(provider->fixture->out.size, packet.size);
		assert_memory_equal(provider->fixture->out.data, packet.data, packet.size);
	}
	assert_true(read_hits(provider->fixture) > hits);
	assert_true(find_flow(provider->fixture, VD_INGRESS_PORT, ifindex, spec, &flow));
	assert_int_equal(flow.output, output);
	assert_int_equal(flow.output_ifindex, output_ifindex);
	assert_int_equal(flow.vlan, vlan);
}

static void test_unknown_macs_go_to_the_wire(void **state)
{
	struct provider *provider = *state;
	struct packet_spec flat = udp(MAC_F, "203.0.113.21", MAC_OUTSIDE, "203.0.113.99");
	struct packet_spec flat6 = udp(MAC_F, "2001:db8:1::21", MAC_OUTSIDE, "2001:db8:1::99");
	struct packet_spec tagged = udp(MAC_V, "10.0.3.2", MAC_OUTSIDE, "10.0.3.99");
	struct packet_spec broadcast = udp(MAC_V, "10.0.3.2", MAC_ALL, "10.0.3.255");
	struct packet_spec multicast = udp(MAC_V, "10.0.3.2", "01:00:5e:00:00:12", "224.0.0.18");
	struct packet_spec multicast6 = udp(MAC_F, "fe80::f1", "33:33:00:00:00:fb", "ff02::fb");

	assert_leaves(provider, provider->f, &flat, VD_OUTPUT_UPLINK, provider->uplink, 0);
	assert_leaves(provider, provider->f, &flat6, VD_OUTPUT_UPLINK, provider->uplink, 0);
	assert_leaves(provider, provider->v, &tagged, VD_OUTPUT_UPLINK, provider->uplink, VLAN_SUBNET);
	assert_leaves(provider, provider->v, &broadcast, VD_OUTPUT_UPLINK, provider->uplink, VLAN_SUBNET);
	assert_leaves(provider, provider->v, &multicast, VD_OUTPUT_UPLINK, provider->uplink, VLAN_SUBNET);
	assert_leaves(provider, provider->f, &multicast6, VD_OUTPUT_UPLINK, provider->uplink, 0);
}

static void test_macs_here_are_ports(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, "203.0.113.21", MAC_G, "203.0.113.22");

	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_DEVICE, provider->g, 0);
}

/* An address that moves to another MAC on the wire: the packet's MAC decides, not what the cache has seen before. */
static void test_the_mac_decides_about_each_packet(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, "203.0.113.21", MAC_OUTSIDE, "203.0.113.99");

	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_UPLINK, provider->uplink, 0);
	spec.destination_mac = MAC_OUTSIDE2;
	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_UPLINK, provider->uplink, 0);
	spec.destination_mac = MAC_G;
	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_DEVICE, provider->g, 0);
}

static void test_source_check_holds(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_OUTSIDE, "203.0.113.21", MAC_OUTSIDE2, "203.0.113.99");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_SOURCE_MAC);
	spec.source_mac = MAC_F;
	spec.source = "203.0.113.22";
	packet_build(&spec, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
	packet_build_arp(MAC_F, MAC_F, "203.0.113.22", "203.0.113.99", ARP_REQUEST, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_arp(MAC_F, MAC_OUTSIDE, "203.0.113.1", "203.0.113.1", ARP_REPLY, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
	packet_build_solicitation(MAC_F, MAC_F, "2001:db8:1::22", "2001:db8:1::99", &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_NEIGHBOUR_SPOOFED);
}

static void assert_arp_answer(struct provider *provider, const char *target, const char *mac)
{
	struct packet packet;

	packet_build_arp(MAC_F, MAC_F, "203.0.113.21", target, ARP_REQUEST, &packet);
	assert_int_equal(run_port(provider->fixture, provider->f, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, mac, MAC_F));
	assert_int_equal(provider->fixture->out.data[ETH_HLEN + 7], ARP_REPLY);
}

static void assert_question_goes_on(struct provider *provider, uint32_t ifindex, const struct packet *packet)
{
	assert_int_equal(run_port(provider->fixture, ifindex, packet), VERDICT_REDIRECT);
	assert_int_equal(provider->fixture->out.size, packet->size);
	assert_memory_equal(provider->fixture->out.data, packet->data, packet->size);
}

static void test_arp_of_instances(void **state)
{
	struct provider *provider = *state;
	struct packet packet;

	assert_arp_answer(provider, "203.0.113.1", MAC_GATEWAY);
	assert_arp_answer(provider, "203.0.113.22", MAC_G);
	assert_arp_answer(provider, "203.0.113.23", MAC_H);
	assert_arp_answer(provider, "203.0.113.10", MAC_UPLINK);
	assert_arp_answer(provider, "203.0.113.11", MAC_FAR);
	/* Whom we do not know, the wire may; and it hears what they announce and probe for. */
	packet_build_arp(MAC_F, MAC_F, "203.0.113.21", "203.0.113.99", ARP_REQUEST, &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	packet_build_arp(MAC_F, MAC_F, "203.0.113.21", "203.0.113.21", ARP_REQUEST, &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	packet_build_arp(MAC_F, MAC_F, "0.0.0.0", "203.0.113.21", ARP_REQUEST, &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	packet_build_solicitation(MAC_F, MAC_F, "2001:db8:1::21", "2001:db8:1::99", &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	packet_build_solicitation(MAC_F, NULL, "::", "2001:db8:1::21", &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	/* In a subnet of a VPC the gateway is the router. */
	packet_build_arp(MAC_V, MAC_V, "10.0.3.2", "10.0.3.1", ARP_REQUEST, &packet);
	assert_int_equal(run_port(provider->fixture, provider->v, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_GATEWAY, MAC_V));
	packet_build_arp(MAC_V, MAC_V, "10.0.3.2", "10.0.3.99", ARP_REQUEST, &packet);
	assert_question_goes_on(provider, provider->v, &packet);
}

static void test_from_the_wire_to_ports(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_OUTSIDE, "203.0.113.99", MAC_F, "203.0.113.21");
	struct packet_spec tagged = udp(MAC_OUTSIDE, "10.0.3.99", MAC_V, "10.0.3.2");
	uint64_t hits = read_hits(provider->fixture);
	struct packet packet;
	struct vd_flow flow;

	packet_build(&spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		assert_memory_equal(provider->fixture->out.data, packet.data, packet.size);
	}
	assert_true(read_hits(provider->fixture) > hits);
	assert_true(find_uplink_flow(provider, 0, &spec, &flow));
	assert_int_equal(flow.output_ifindex, provider->f);
	assert_passes(provider, VLAN_SUBNET, &packet);
	assert_passes(provider, VLAN_NETWORK, &packet);
	/* The same packet for another MAC is not this flow. */
	spec.destination_mac = MAC_OUTSIDE2;
	packet_build(&spec, &packet);
	assert_passes(provider, 0, &packet);
	packet_build(&tagged, &packet);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_uplink(provider, VLAN_SUBNET, &packet), VERDICT_REDIRECT);
	assert_true(find_uplink_flow(provider, VLAN_SUBNET, &tagged, &flow));
	assert_int_equal(flow.output_ifindex, provider->v);
	assert_passes(provider, 0, &packet);
	/* Of the VPC, but not on this segment. */
	tagged.destination_mac = MAC_A;
	tagged.destination = "10.0.0.2";
	packet_build(&tagged, &packet);
	assert_uplink_drops(provider, VLAN_SUBNET, &packet, VD_DROP_REASON_UNREACHABLE_PORT);
}

static void test_ingress_policy_holds_on_the_wire(void **state)
{
	struct provider *provider = *state;
	struct packet_spec in = udp(MAC_OUTSIDE, "203.0.113.99", MAC_F, "203.0.113.21");
	struct packet_spec out = udp(MAC_F, "203.0.113.21", MAC_OUTSIDE, "203.0.113.99");
	struct rule rule = {
		.identity = CLOSED, .direction = VD_POLICY_DIRECTION_INGRESS, .protocol = 17, .first = 2001, .last = 2001, .id = 5};
	struct packet packet;

	put_policy(provider->fixture, CLOSED, true);
	set_policy(provider->fixture, provider->f, CLOSED);
	packet_build(&in, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_POLICY_INGRESS);
	put_rule(provider->fixture, &rule);
	in.destination_port = 2001;
	packet_build(&in, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	/* The answer to what the instance asked is none of it. */
	packet_build(&out, &packet);
	assert_int_equal(run_port(provider->fixture, provider->f, &packet), VERDICT_REDIRECT);
	in.source_port = 2000;
	in.destination_port = 1000;
	packet_build(&in, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
}

static void test_members_are_known_by_their_mac(void **state)
{
	struct provider *provider = *state;
	struct packet_spec in = udp(MAC_H, "203.0.113.23", MAC_F, "203.0.113.21");
	struct rule rule = {.identity = CLOSED,
			    .direction = VD_POLICY_DIRECTION_INGRESS,
			    .last = 65535,
			    .prefix = "0.0.0.0",
			    .remote_identity = 78,
			    .id = 5};
	struct packet packet;

	put_policy(provider->fixture, CLOSED, true);
	put_rule(provider->fixture, &rule);
	set_policy(provider->fixture, provider->f, CLOSED);
	set_identity(provider->fixture, NETWORK, "203.0.113.23", 78);
	packet_build(&in, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	in.source_mac = MAC_OUTSIDE;
	in.source_port = 1001;
	packet_build(&in, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_POLICY_INGRESS);
}

static void test_nobody_outside_is_one_of_ours_here(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_OUTSIDE, "203.0.113.22", MAC_F, "203.0.113.21");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
}

static void test_a_port_that_goes_takes_its_flows_along(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, "203.0.113.21", MAC_G, "203.0.113.22");
	struct vd_mac_key key = {.domain = NETWORK};

	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_DEVICE, provider->g, 0);
	text_to_mac(MAC_G, key.mac);
	assert_int_equal(bpf_map__delete_elem(provider->fixture->bpf->maps.vd_mac, &key, sizeof(key), 0), 0);
	bump(provider->fixture, vd_slot_port(PORT_G));
	assert_leaves(provider, provider->f, &spec, VD_OUTPUT_UPLINK, provider->uplink, 0);
}

static void test_the_router_of_a_vpc_is_reached_by_its_mac(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_V, "10.0.3.2", MAC_GATEWAY, "10.0.0.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(provider->fixture, provider->v, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_GATEWAY, MAC_A));
	assert_int_equal(packet_ttl(&provider->fixture->out), 63);
	/* And back. */
	spec = udp(MAC_A, "10.0.0.2", MAC_GATEWAY, "10.0.3.2");
	packet_build(&spec, &packet);
	assert_int_equal(run_port(provider->fixture, provider->fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&provider->fixture->out, MAC_GATEWAY, MAC_V));
}

static struct packet_spec dhcp(const char *source_mac, uint16_t source_port, uint16_t destination_port)
{
	struct packet_spec spec = udp(source_mac, source_port == 68 ? "0.0.0.0" : "203.0.113.2", MAC_ALL, "255.255.255.255");

	spec.source_port = source_port;
	spec.destination_port = destination_port;
	spec.payload = 240;
	return spec;
}

static void test_dhcp_where_it_is_off_is_the_wires(void **state)
{
	struct provider *provider = *state;
	struct packet_spec question = dhcp(MAC_F, 68, 67), answer = dhcp(MAC_OUTSIDE, 67, 68);
	struct packet packet;

	put_policy(provider->fixture, CLOSED, true);
	set_policy(provider->fixture, provider->f, CLOSED);
	packet_build(&question, &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	/* The answer may be for everybody's ears; whose it is stands inside. */
	packet_build(&answer, &packet);
	text_to_mac(MAC_F, packet.data + packet.l4 + 8 + 28);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_memory_equal(provider->fixture->out.data, packet.data, packet.size);
	assert_passes(provider, VLAN_NETWORK, &packet);
	text_to_mac(MAC_OUTSIDE2, packet.data + packet.l4 + 8 + 28);
	assert_passes(provider, 0, &packet);
	text_to_mac(MAC_F, packet.data);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
}

static void test_dhcp_where_it_is_on_is_ours(void **state)
{
	struct provider *provider = *state;
	struct packet_spec question = dhcp(MAC_F, 68, 67), answer = dhcp(MAC_OUTSIDE, 67, 68);
	struct packet packet;

	change_port_flags(provider->fixture, provider->f, VD_PORT_FLAG_DHCP, 0);
	set_service(provider->fixture, NETWORK, provider->fixture->ifindex_service);
	packet_build(&question, &packet);
	assert_question_goes_on(provider, provider->f, &packet);
	packet_build(&answer, &packet);
	text_to_mac(MAC_F, packet.data + packet.l4 + 8 + 28);
	assert_uplink_drops(provider, 0, &packet, VD_DROP_REASON_ROGUE_DHCP);
}

static void test_rogues_are_refused(void **state)
{
	struct provider *provider = *state;
	struct packet_spec server = dhcp(MAC_F, 67, 68);
	struct packet_spec router = {.source_mac = MAC_F,
				     .destination_mac = "33:33:00:00:00:01",
				     .source = "fe80::f1",
				     .destination = "ff02::1",
				     .protocol = IPPROTO_ICMPV6,
				     .destination_port = 134 << 8,
				     .ttl = 255,
				     .payload = 8};
	struct packet packet;

	packet_build(&server, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_ROGUE_DHCP);
	packet_build(&router, &packet);
	assert_dropped(provider->fixture, provider->f, &packet, VD_DROP_REASON_ROGUE_ROUTER);
}

/* ---- on a real wire: a test run has no tags, and shows none -------------------------------------------------------------------- */

struct frame {
	uint8_t data[2048];
	ssize_t size;
	int tag; /* -1: none */
};

static int open_link(const char *name, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	return fd;
}

static bool receive_frame(int fd, int timeout_ms, struct frame *ret)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec vector = {.iov_base = ret->data, .iov_len = sizeof(ret->data)};
	struct sockaddr_ll from;
	struct msghdr message = {.msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	for (;;) {
		if (poll(&poller, 1, timeout_ms) != 1)
			return false;
		message.msg_controllen = sizeof(control);
		ret->size = recvmsg(fd, &message, 0);
		ret->tag = -1;
		for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
			struct tpacket_auxdata auxiliary;

			memcpy(&auxiliary, CMSG_DATA(header), sizeof(auxiliary));
			if (auxiliary.tp_status & TP_STATUS_VLAN_VALID)
				ret->tag = auxiliary.tp_vlan_tci;
		}
		if (from.sll_pkttype != PACKET_OUTGOING)
			return true;
	}
}

/* The next frame that comes in with this source MAC (the kernel's own chatter is none). False: none does. */
static bool frame_comes(int fd, const char *source_mac, int timeout_ms, struct frame *ret)
{
	uint8_t mac[6];

	text_to_mac(source_mac, mac);
	while (receive_frame(fd, timeout_ms, ret)) {
		if (memcmp(ret->data + 6, mac, 6) == 0)
			return true;
	}
	return false;
}

static void await_frame(int fd, const char *source_mac, struct frame *ret)
{
	assert_true(frame_comes(fd, source_mac, 10000, ret));
}

/* tag -1: none. */
static void send_frame(int fd, int tag, const struct packet *packet)
{
	uint8_t frame[sizeof(packet->data) + 4];
	size_t size = packet->size;

	if (tag < 0) {
		memcpy(frame, packet->data, size);
	} else {
		memcpy(frame, packet->data, 12);
		memcpy(frame + 12, (uint8_t[]){0x81, 0x00, tag >> 8, tag}, 4);
		memcpy(frame + 16, packet->data + 12, size - 12);
		size += 4;
	}
	assert_int_equal(send(fd, frame, size, 0), size);
}

static void attach(uint32_t ifindex, const struct bpf_program *program, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = bpf_program__fd(program), .handle = 1, .priority = priority,
		    .flags = BPF_TC_F_REPLACE);

	bpf_tc_hook_create(&hook);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
}

struct wire {
	int outside, f, v;
};

static void wire_open(struct provider *provider, struct wire *ret)
{
	struct viaduct_bpf *bpf = provider->fixture->bpf;

	attach(provider->uplink, bpf->progs.vd_uplink_ingress, 1);
	attach(provider->f, bpf->progs.vd_port_ingress, 1);
	attach(provider->v, bpf->progs.vd_port_ingress, 1);
	*ret = (struct wire){.outside = open_link("peer-uplink", ETH_P_ALL),
			     .f = open_link("peer-f", ETH_P_ALL),
			     .v = open_link("peer-v", ETH_P_ALL)};
}

static void wire_close(struct provider *provider, const struct wire *wire)
{
	uint32_t links[] = {provider->uplink, provider->f, provider->v};

	close(wire->outside);
	close(wire->f);
	close(wire->v);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = links[i], .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

		bpf_tc_hook_destroy(&hook);
	}
}

static void assert_frame(const struct frame *frame, int tag, const struct packet *packet)
{
	assert_int_equal(frame->tag, tag);
	assert_int_equal(frame->size, packet->size);
	assert_memory_equal(frame->data, packet->data, packet->size);
}

/* Out with the segment's tag, in without it: twice by decide, then by the cache. */
static void test_tags_on_the_wire(void **state)
{
	struct provider *provider = *state;
	struct packet_spec out = udp(MAC_V, "10.0.3.2", MAC_OUTSIDE, "10.0.3.99");
	struct packet_spec in = udp(MAC_OUTSIDE, "10.0.3.99", MAC_V, "10.0.3.2");
	struct packet_spec flat = udp(MAC_F, "203.0.113.21", MAC_OUTSIDE, "203.0.113.99");
	struct packet packet;
	struct frame frame;
	struct wire wire;

	wire_open(provider, &wire);
	for (int i = 0; i < 4; i++) {
		packet_build(&out, &packet);
		send_frame(wire.v, -1, &packet);
		await_frame(wire.outside, MAC_V, &frame);
		assert_frame(&frame, VLAN_SUBNET, &packet);
		packet_build(&in, &packet);
		send_frame(wire.outside, VLAN_SUBNET | PRIORITY, &packet);
		await_frame(wire.v, MAC_OUTSIDE, &frame);
		assert_frame(&frame, -1, &packet);
		packet_build(&flat, &packet);
		send_frame(wire.f, -1, &packet);
		await_frame(wire.outside, MAC_F, &frame);
		assert_frame(&frame, -1, &packet);
	}
	assert_true(read_hits(provider->fixture) > 0);
	wire_close(provider, &wire);
}

static void test_answers_are_tagged_as_asked(void **state)
{
	struct provider *provider = *state;
	struct packet packet;
	struct frame frame;
	struct wire wire;

	wire_open(provider, &wire);
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "198.51.100.99", "198.51.100.10", ARP_REQUEST, &packet);
	send_frame(wire.outside, VLAN_NETWORK, &packet);
	await_frame(wire.outside, MAC_UPLINK, &frame);
	assert_int_equal(frame.tag, VLAN_NETWORK);
	assert_int_equal(frame.data[ETH_HLEN + 7], ARP_REPLY);
	packet_build_arp(MAC_OUTSIDE, MAC_OUTSIDE, "203.0.113.99", "203.0.113.10", ARP_REQUEST, &packet);
	send_frame(wire.outside, -1, &packet);
	await_frame(wire.outside, MAC_UPLINK, &frame);
	assert_int_equal(frame.tag, -1);
	/* An instance's question to the wire has its segment's. */
	packet_build_arp(MAC_V, MAC_V, "10.0.3.2", "10.0.3.99", ARP_REQUEST, &packet);
	send_frame(wire.v, -1, &packet);
	await_frame(wire.outside, MAC_V, &frame);
	assert_frame(&frame, VLAN_SUBNET, &packet);
	wire_close(provider, &wire);
}

static void test_an_instance_cannot_tag(void **state)
{
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_F, "203.0.113.21", MAC_OUTSIDE, "203.0.113.99");
	struct packet packet;
	struct frame frame;
	struct wire wire;

	wire_open(provider, &wire);
	new_drops(provider->fixture, VD_DROP_REASON_NOT_IP);
	packet_build(&spec, &packet);
	send_frame(wire.f, VLAN_SUBNET, &packet);
	assert_false(frame_comes(wire.outside, MAC_F, 500, &frame));
	assert_int_equal(new_drops(provider->fixture, VD_DROP_REASON_NOT_IP), 1);
	wire_close(provider, &wire);
}

/* R-NET-1: the host, and whoever else has a filter there, get their own frames as before, tag included. */
static void test_the_host_keeps_its_own(void **state)
{
	static const int tags[] = {-1, VLAN_NETWORK | PRIORITY, VLAN_SUBNET, 50};
	struct provider *provider = *state;
	struct packet_spec spec = udp(MAC_OUTSIDE, "192.0.2.7", MAC_UPLINK, "192.0.2.1");
	struct tag_bpf *tag = provider->tag;
	struct packet packet;
	struct frame frame;
	struct wire wire;
	int host;

	wire_open(provider, &wire);
	attach(provider->uplink, tag->progs.witness, 2);
	/* Bound to a protocol, it stands behind the filters. */
	host = open_link("uplink", ETH_P_IP);
	tag->bss->witness_source = 0x0201;
	packet_build(&spec, &packet);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		send_frame(wire.outside, tags[i], &packet);
		await_frame(host, MAC_OUTSIDE, &frame);
		assert_frame(&frame, -1, &packet); /* the kernel takes a tag without a link of its own off */
		assert_int_equal(tag->bss->witnessed, i + 1);
		assert_int_equal(tag->bss->witnessed_tag, tags[i] < 0 ? 0 : tags[i]);
		assert_int_equal(tag->bss->witnessed_size, packet.size);
	}
	close(host);
	wire_close(provider, &wire);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, provider_setup, provider_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_macs_go_to_the_wire),
		TEST(test_macs_here_are_ports),
		TEST(test_the_mac_decides_about_each_packet),
		TEST(test_source_check_holds),
		TEST(test_arp_of_instances),
		TEST(test_from_the_wire_to_ports),
		TEST(test_ingress_policy_holds_on_the_wire),
		TEST(test_members_are_known_by_their_mac),
		TEST(test_nobody_outside_is_one_of_ours_here),
		TEST(test_a_port_that_goes_takes_its_flows_along),
		TEST(test_the_router_of_a_vpc_is_reached_by_its_mac),
		TEST(test_dhcp_where_it_is_off_is_the_wires),
		TEST(test_dhcp_where_it_is_on_is_ours),
		TEST(test_rogues_are_refused),
		TEST(test_tags_on_the_wire),
		TEST(test_answers_are_tagged_as_asked),
		TEST(test_an_instance_cannot_tag),
		TEST(test_the_host_keeps_its_own),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
