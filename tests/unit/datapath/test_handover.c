/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/packet.h"
#include "datapath/state.h"
#include "datapath/upgrade.h"
#include "next.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>

/*
 * R-OPS-5 (daemon), R-SNAT-1: translated connections while a build with other map layouts takes over, interface by interface.
 *
 *	ecs1 10.0.1.11, fd00::11 -- p1 [VPC 7, gateway here] p4, network 90 -- 203.0.113.1, 2001:db8::1 -- outside
 *	the router's virtual IPs: 203.0.113.2, 2001:db8::2; UDP 24 there goes to ecs1
 */

#define NETWORK 90
#define UPLINK FIXTURE_PORTS
#define FORWARDED 24

static const struct vd_mac uplink_mac = {{2, 9, 0, 0, 0, 1}}, router_mac = {{2, 9, 0, 0, 0, 99}};
static bool is_ipv6;

static struct vd_address address(const char *ipv4, const char *ipv6)
{
	struct vd_address parsed;

	assert_int_equal(vd_address_parse(is_ipv6 ? ipv6 : ipv4, &parsed), 0);
	return parsed;
}

#define INNER address("10.0.1.11", "fd00::11")
#define REMOTE address("198.51.100.9", "2001:db8:9::9")
#define NEXT_HOP address("203.0.113.1", "2001:db8::1")
#define VIP address("203.0.113.2", "2001:db8::2")

static void put(struct vd_plan *plan, const struct vd_plan_record *record)
{
	assert_int_equal(vd_plan_put(plan, record), 1);
}

static struct vd_plan *plan_make(void)
{
	struct vd_plan *plan = fixture_plan();
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = 101;
	assert_int_equal(vd_plan_get(plan, &record, &record), 0);
	record.port.snat = true;
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_NETWORK);
	record.network =
		(struct vd_plan_network){.network = NETWORK, .ifindex = fixture_ifindex(UPLINK), .mtu = 1500, .mac = uplink_mac};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_SEGMENT);
	record.segment = (struct vd_plan_segment){.ifindex = fixture_ifindex(UPLINK), .network = NETWORK};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_EXIT);
	record.exit = (struct vd_plan_exit){.domain = 7, .exit = NETWORK, .network = NETWORK, .here = true, .translate = true};
	*(is_ipv6 ? &record.exit.vip6 : &record.exit.vip4) = VIP;
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route = (struct vd_plan_route){.domain = 7, .type = VD_PLAN_ROUTE_TYPE_EXIT, .exit = NETWORK, .is_default = true};
	assert_int_equal(vd_prefix_parse(is_ipv6 ? "::/0" : "0.0.0.0/0", &record.route.destination), 0);
	put(plan, &record);
	record.route = (struct vd_plan_route){.domain = NETWORK,
					      .destination = record.route.destination,
					      .type = VD_PLAN_ROUTE_TYPE_NEXT_HOP,
					      .next_hop = NEXT_HOP};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip = (struct vd_plan_vip){.network = NETWORK,
					  .address = VIP,
					  .vip = 60,
					  .type = VD_PLAN_VIP_TYPE_ROUTER,
					  .here = true,
					  .system = true,
					  .domain = 7};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_FORWARD);
	record.forward = (struct vd_plan_forward){.network = NETWORK,
						  .vip = VIP,
						  .protocol = IPPROTO_UDP,
						  .length = 16,
						  .port = FORWARDED,
						  .forward = 61,
						  .port_id = 101,
						  .inner = INNER,
						  .to_port = 22};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_NEXT_HOP);
	record.next_hop = (struct vd_plan_next_hop){.network = NETWORK, .address = NEXT_HOP};
	put(plan, &record);
	return plan;
}

static union vd_addr words(struct vd_address from)
{
	union vd_addr to = {};

	memcpy(to.byte, from.bytes, is_ipv6 ? 16 : 4);
	return to;
}

/* The running host: its data plane, an uplink, and a router on the network that has answered. */
static void start(void)
{
	const struct vd_neighbour_key key = {.network = NETWORK, .address = words(NEXT_HOP)};
	struct vd_neighbour_value value = {.family = is_ipv6 ? 6 : 4, .known = 1, .confirmed = vd_clock_ns()};
	struct vd_datapath *datapath;
	struct vd_plan *plan;

	assert_int_equal(fixture_setup(NULL), 0);
	fixture_run("ip link set p%d address 02:09:00:00:00:01", UPLINK);
	datapath = fixture_open();
	plan = plan_make();
	fixture_sync(datapath, plan);
	vd_plan_free(plan);
	memcpy(value.mac, router_mac.bytes, sizeof(value.mac));
	assert_int_equal(vd_map_update(datapath->maps[VD_MAP_NEIGHBOUR], &key, &value, BPF_ANY), 0);
	assert_int_equal(vd_datapath_deadline_set(datapath, UINT64_MAX), 0);
	assert_int_equal(vd_datapath_uplink_attach(datapath, fixture_ifindex(UPLINK), NULL), 0);
	vd_datapath_close(datapath);
}

static struct vd_upgrade upgrade_next(void)
{
	return (struct vd_upgrade){fixture_pins(), object_next(),
				   (struct vd_program_settings){.overlay_ifindex = fixture_ifindex(0),
								.flow_entries = 1024,
								.flow6_entries = 1024,
								.connection_entries = 1024}};
}

static void run_until(enum vd_upgrade_step until)
{
	const struct vd_upgrade upgrade = upgrade_next();
	struct vd_error error = {""};

	if (vd_upgrade_run(&upgrade, until, &error))
		fail_msg("upgrade until step %d: %s", (int)until, error.text);
}

static int pinned(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

/* The new build's program onto one interface: a port's or the uplink. */
static void swap(const char *directory, unsigned port)
{
	VD_CLOSE int program = pinned(directory, port == UPLINK ? "vd_uplink_ingress" : "vd_port_ingress");

	assert_int_equal(vd_program_attach(fixture_ifindex(port), program), 0);
}

struct seen {
	uint32_t verdict;
	struct vd_address source, destination;
	uint16_t source_port, destination_port;
};

/* A UDP packet into the program that stands on the interface, and what comes out. */
static struct seen send_packet(unsigned port, struct vd_address from, uint16_t from_port, struct vd_address to, uint16_t to_port)
{
	static const struct vd_mac instance_mac = {{2, 0, 0, 0, 0, 1}};
	struct vd_trace_request request = {.protocol = IPPROTO_UDP,
					   .source = from,
					   .destination = to,
					   .source_port = from_port,
					   .destination_port = to_port,
					   .source_mac = port == UPLINK ? router_mac : instance_mac};
	struct __sk_buff context = {.ifindex = fixture_ifindex(port)};
	uint8_t packet[VD_PACKET_SIZE], out[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));
	struct seen seen = {.source = from, .destination = to}; /* for the family */
	const size_t width = is_ipv6 ? 16 : 4;
	const uint8_t *ip = out + 14, *addresses = ip + (is_ipv6 ? 8 : 12), *ports = addresses + 2 * width;
	uint32_t id = 0;
	size_t size;

	if (port == UPLINK)
		request.destination_mac = uplink_mac;
	assert_int_equal(vd_program_attached(fixture_ifindex(port), &id), 0);
	VD_CLOSE int program = bpf_prog_get_fd_by_id(id);
	assert_int_equal(vd_packet_build(&request, packet, &size), 0);
	run.data_size_in = (uint32_t)size;
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	seen.verdict = run.retval;
	memcpy(seen.source.bytes, addresses, width);
	memcpy(seen.destination.bytes, addresses + width, width);
	seen.source_port = (uint16_t)(ports[0] << 8 | ports[1]);
	seen.destination_port = (uint16_t)(ports[2] << 8 | ports[3]);
	return seen;
}

/* The instance sends from a port of its own; the port that it is seen with outside. */
static uint16_t go_out(uint16_t inner_port)
{
	struct seen seen = send_packet(1, INNER, inner_port, REMOTE, 53);
	struct vd_address vip = VIP;

	assert_int_equal(seen.verdict, TC_ACT_REDIRECT);
	assert_true(vd_address_equal(&seen.source, &vip));
	return seen.source_port;
}

static void assert_answered(uint16_t inner_port, uint16_t vip_port)
{
	struct seen seen = send_packet(UPLINK, REMOTE, 53, VIP, vip_port);
	struct vd_address inner = INNER;

	assert_int_equal(seen.verdict, TC_ACT_REDIRECT);
	assert_true(vd_address_equal(&seen.destination, &inner));
	assert_int_equal(seen.destination_port, inner_port);
}

/* Both families, and whichever of the two interfaces is swapped first. */
static void each_way(void (*test)(const char *old, const char *new, unsigned swapped))
{
	const unsigned interfaces[] = {1, UPLINK};

	for (unsigned i = 0; i < 4; i++) {
		VD_VERSIONS struct vd_versions versions = {};
		VD_FREE char *old = NULL;

		is_ipv6 = i & 1;
		start();
		assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
		assert_int_equal(versions.count, 1);
		old = strdup(versions.items[0].path);
		test(old, NULL, interfaces[i / 2]); /* before the copy */
		run_until(VD_UPGRADE_STEP_SWAP);
		vd_versions_done(&versions);
		assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
		assert_int_equal(versions.count, 2);
		test(old, versions.items[1].path, interfaces[i / 2]);
		fixture_teardown(NULL);
	}
}

/* Connections of 1: before the copy, 2: of the old build after it, 3: of half and half. All are answered, and keep their ports. */
static void replies_pass(const char *old, const char *new, unsigned swapped)
{
	static uint16_t ports[4];

	if (!new) {
		ports[1] = go_out(1001);
		return;
	}
	ports[2] = go_out(1002);
	swap(new, swapped);
	ports[3] = go_out(1003);
	for (unsigned i = 1; i <= 3; i++)
		assert_answered(1000 + i, ports[i]);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(go_out(1000 + i), ports[i]);
	run_until(VD_UPGRADE_STEP_COUNT);
	for (unsigned i = 1; i <= 3; i++) {
		assert_answered(1000 + i, ports[i]);
		assert_int_equal(go_out(1000 + i), ports[i]);
	}
	{
		VD_CLOSE int claims = pinned(new, is_ipv6 ? "vd_nat6" : "vd_nat4");
		VD_CLOSE int previous = pinned(new, is_ipv6 ? "vd_previous_nat6" : "vd_previous_nat4");
		uint32_t zero = 0, id;
		size_t count;

		assert_int_equal(vd_map_entry_count(claims, &count), 0);
		assert_int_equal(count, 3);
		assert_int_equal(bpf_map_lookup_elem(previous, &zero, &id), -ENOENT);
	}
}

static void test_answers_pass_between_two_builds(void **state)
{
	each_way(replies_pass);
}

/* What came in by a forward is answered as that, whichever build let it in, and not as something new of the instance's. */
static void forwards_pass(const char *old, const char *new, unsigned swapped)
{
	struct vd_address vip = VIP;
	struct seen seen;

	if (!new)
		return;
	assert_int_equal(send_packet(UPLINK, REMOTE, 2000, VIP, FORWARDED).verdict, TC_ACT_REDIRECT);
	swap(new, swapped);
	assert_int_equal(send_packet(UPLINK, REMOTE, 2001, VIP, FORWARDED).verdict, TC_ACT_REDIRECT);
	for (unsigned round = 0; round < 2; round++) {
		for (uint16_t port = 2000; port <= 2001; port++) {
			seen = send_packet(1, INNER, 22, REMOTE, port);
			assert_int_equal(seen.verdict, TC_ACT_REDIRECT);
			assert_true(vd_address_equal(&seen.source, &vip));
			assert_int_equal(seen.source_port, FORWARDED);
			seen = send_packet(UPLINK, REMOTE, port, VIP, FORWARDED);
			assert_int_equal(seen.verdict, TC_ACT_REDIRECT);
			assert_int_equal(seen.destination_port, 22);
		}
		run_until(VD_UPGRADE_STEP_COUNT);
	}
}

static void test_forwards_pass_between_two_builds(void **state)
{
	each_way(forwards_pass);
}

/* A port that the old build gives to somebody else is not given out by the new one. */
static void port_is_given_once(const char *old, const char *new, unsigned swapped)
{
	VD_CLOSE int claims = pinned(old, is_ipv6 ? "vd_nat6" : "vd_nat4");
	const struct vd_nat_value other = {.domain = 9, .inner = {{99}}, .inner_port = 4};
	union vd_addr vip = words(VIP), remote = words(REMOTE);
	struct vd_nat4_key key4 = {.network = NETWORK,
				   .vip = vip.word[0],
				   .remote = remote.word[0],
				   .remote_port = htons(53),
				   .protocol = IPPROTO_UDP};
	struct vd_nat6_key key6 = {
		.network = NETWORK, .vip = vip, .remote = remote, .remote_port = htons(53), .protocol = IPPROTO_UDP};
	const void *key = is_ipv6 ? (const void *)&key6 : &key4;
	static uint16_t first;

	if (!new) {
		/* The port that it would have: the same for all destinations, where that is free. */
		struct seen seen = send_packet(1, INNER, 1001, REMOTE, 54);

		first = seen.source_port;
		return;
	}
	if (swapped == UPLINK)
		return;
	key4.vip_port = key6.vip_port = htons(first);
	assert_int_equal(vd_map_update(claims, key, &other, BPF_NOEXIST), 0);
	swap(new, swapped);
	assert_int_not_equal(go_out(1001), first);
}

static void test_port_is_given_out_by_one_build(void **state)
{
	each_way(port_is_given_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_pass_between_two_builds),
		cmocka_unit_test(test_forwards_pass_between_two_builds),
		cmocka_unit_test(test_port_is_given_out_by_one_build),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
