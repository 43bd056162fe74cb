/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "abi/generation.h"
#include "base/cleanup.h"
#include "datapath/encode.h"
#include "datapath/program.h"
#include "datapath/reason.h"
#include "datapath/state.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Container networks and peering in plans and maps, and real packets between containers and the node's own kernel. */

enum {
	PODS = 9,
	CONTAINER = 0x80000001u,
};

static void put(struct vd_plan *plan, const struct vd_plan_record *record)
{
	assert_true(vd_plan_put(plan, record) >= 0);
}

static void put_route(struct vd_plan *plan, const char *destination, enum vd_plan_route_type type, uint32_t host)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = PODS;
	record.route.type = type;
	record.route.host = host;
	assert_int_equal(vd_prefix_parse(destination, &record.route.destination), 0);
	put(plan, &record);
}

static void put_endpoint(struct vd_plan *plan, const char *address, enum vd_plan_place place, unsigned port)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = PODS;
	record.endpoint.place = place;
	if (port) {
		record.endpoint.port = CONTAINER + port - 1;
		record.endpoint.ifindex = fixture_ifindex(port);
		record.endpoint.mac = (struct vd_mac){{2, 0, 0, 0, 9, (uint8_t)port}};
	}
	assert_int_equal(vd_address_parse(address, &record.endpoint.address), 0);
	put(plan, &record);
}

/* "p<port>" as a container's: 10.8.1.<10 + port>, fd08::<10 + port>. */
static void put_container(struct vd_plan *plan, unsigned port, uint64_t rate_in, uint64_t rate_out)
{
	struct vd_plan_record record;
	char address[32];

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = CONTAINER + port - 1;
	record.port.domain = PODS;
	record.port.ifindex = fixture_ifindex(port);
	record.port.type = VD_PLAN_PORT_TYPE_VETH;
	record.port.source_check = true;
	record.port.mtu = 1450;
	record.port.mac = (struct vd_mac){{2, 0, 0, 0, 9, (uint8_t)port}};
	record.port.rate_in = rate_in;
	record.port.rate_out = rate_out;
	record.port.burst_out = 3000;
	snprintf(record.port.name, sizeof(record.port.name), "web-%u", port);
	put(plan, &record);
	snprintf(address, sizeof(address), "10.8.1.%u", 10 + port);
	put_endpoint(plan, address, VD_PLAN_PLACE_HERE, port);
	snprintf(address, sizeof(address), "fd08::%u", 10 + port);
	put_endpoint(plan, address, VD_PLAN_PLACE_HERE, port);
}

static struct vd_plan *plan_new(void)
{
	struct vd_plan *plan = vd_plan_new();
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = 50;
	strcpy(record.tunnel_host.name, "h2");
	assert_int_equal(vd_address_parse("192.0.2.9", &record.tunnel_host.vtep), 0);
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = PODS;
	record.domain.type = VD_PLAN_DOMAIN_TYPE_CONTAINER;
	record.domain.vni = 1009;
	record.domain.mtu = 1450;
	strcpy(record.domain.name, "pods");
	put(plan, &record);
	put_endpoint(plan, "10.8.1.1", VD_PLAN_PLACE_GATEWAY, 0);
	put_endpoint(plan, "fd08::1", VD_PLAN_PLACE_GATEWAY, 0);
	put_route(plan, "10.8.1.0/24", VD_PLAN_ROUTE_TYPE_LOCAL, 0);
	put_route(plan, "fd08::/64", VD_PLAN_ROUTE_TYPE_LOCAL, 0);
	put_route(plan, "10.8.2.0/24", VD_PLAN_ROUTE_TYPE_TUNNEL, 50);
	put_route(plan, "10.8.3.0/24", VD_PLAN_ROUTE_TYPE_STACK, 51);
	put_route(plan, "0.0.0.0/0", VD_PLAN_ROUTE_TYPE_STACK, 0);
	put_route(plan, "::/0", VD_PLAN_ROUTE_TYPE_STACK, 0);
	return plan;
}

/* ---- maps ---- */

static struct vd_entry lookup(struct vd_datapath *datapath, enum vd_map map, const void *key, size_t size)
{
	struct vd_entry entry = {.map = map};

	memcpy(entry.key, key, size);
	assert_int_equal(vd_datapath_lookup(datapath, &entry), 0);
	return entry;
}

static struct vd_port_value lookup_port(struct vd_datapath *datapath, uint32_t ifindex)
{
	struct vd_entry entry = lookup(datapath, VD_MAP_PORT, &ifindex, sizeof(ifindex));
	struct vd_port_value value;

	memcpy(&value, entry.value, sizeof(value));
	return value;
}

static void test_routes_name_their_targets(void **state)
{
	static const struct {
		enum vd_plan_route_type type;
		uint8_t encoded;
		uint32_t target;
	} cases[] = {{VD_PLAN_ROUTE_TYPE_TUNNEL, VD_ROUTE_TYPE_TUNNEL, 50},
		     {VD_PLAN_ROUTE_TYPE_STACK, VD_ROUTE_TYPE_STACK, 50},
		     {VD_PLAN_ROUTE_TYPE_PEER, VD_ROUTE_TYPE_PEER, 8}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		VD_ENTRIES struct vd_entries entries = {};
		struct vd_plan_record record;
		struct vd_route_value value;

		vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
		record.route.type = cases[i].type;
		record.route.host = 50;
		record.route.peer_domain = 8;
		assert_int_equal(vd_prefix_parse("10.8.2.0/24", &record.route.destination), 0);
		assert_int_equal(vd_encode_record(&record, 0, &entries), 0);
		assert_int_equal(entries.count, 1);
		memcpy(&value, entries.items[0].value, sizeof(value));
		assert_int_equal(value.type, cases[i].encoded);
		assert_int_equal(value.target, cases[i].target);
	}
}

/* A container network's service port is the host port, whoever comes first; a VPC's is not. */
static void test_host_port_is_known_as_such(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = plan_new(), *vpc = fixture_plan();
	uint32_t ifindex = fixture_ifindex(FIXTURE_PORTS);

	assert_int_equal(vd_datapath_service_set(datapath, PODS, ifindex, NULL), 0);
	fixture_sync(datapath, plan);
	assert_int_equal(lookup_port(datapath, ifindex).flags, VD_PORT_FLAG_SERVICE | VD_PORT_FLAG_HOST);
	assert_int_equal(lookup_port(datapath, ifindex).id, PODS);
	assert_int_equal(vd_datapath_service_set(datapath, PODS, 0, NULL), 0);
	assert_int_equal(fixture_entries(datapath, "vd_port"), 0);
	assert_int_equal(vd_datapath_service_set(datapath, PODS, ifindex, NULL), 0);
	assert_int_equal(lookup_port(datapath, ifindex).flags, VD_PORT_FLAG_SERVICE | VD_PORT_FLAG_HOST);
	assert_int_equal(vd_datapath_service_set(datapath, PODS, 0, NULL), 0);
	fixture_sync(datapath, vpc);
	assert_int_equal(vd_datapath_service_set(datapath, 7, ifindex, NULL), 0);
	assert_int_equal(lookup_port(datapath, ifindex).flags, VD_PORT_FLAG_SERVICE);
	vd_plan_free(plan);
	vd_plan_free(vpc);
	vd_datapath_close(datapath);
}

static struct vd_rate_value lookup_rate(struct vd_datapath *datapath, uint32_t direction)
{
	struct vd_rate_key key = {CONTAINER, direction};
	struct vd_entry entry = lookup(datapath, VD_MAP_RATE, &key, sizeof(key));
	struct vd_rate_value value;

	memcpy(&value, entry.value, sizeof(value));
	return value;
}

/* What was spent is the data plane's: neither a restart nor another rate gives it back. */
static void test_limits_keep_what_is_spent(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *none = plan_new(), *slow = plan_new(), *fast = plan_new();
	struct vd_rate_value held;
	struct vd_rate_key key = {CONTAINER, VD_RATE_DIRECTION_OUT};
	struct vd_entry entry = {.map = VD_MAP_RATE};
	uint64_t writes;

	put_container(none, 1, 0, 0);
	put_container(slow, 1, 0, 1000);
	put_container(fast, 1, 500000, 2000);
	fixture_sync(datapath, none);
	assert_int_equal(fixture_entries(datapath, "vd_rate"), 0);
	fixture_apply(datapath, none, slow);
	assert_int_equal(lookup_port(datapath, fixture_ifindex(1)).flags, VD_PORT_FLAG_SOURCE_CHECK | VD_PORT_FLAG_RATE_OUT);
	held = lookup_rate(datapath, VD_RATE_DIRECTION_OUT);
	assert_int_equal(held.rate, 1000);
	assert_int_equal(held.burst, 3000000000);
	held.spent = 77;
	held.packets = 5;
	memcpy(entry.key, &key, sizeof(key));
	memcpy(entry.value, &held, sizeof(held));
	assert_int_equal(vd_datapath_update(datapath, &entry, 0), 0);
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, slow);
	assert_int_equal(vd_datapath_writes(datapath), writes);
	fixture_apply(datapath, slow, fast);
	held = lookup_rate(datapath, VD_RATE_DIRECTION_OUT);
	assert_int_equal(held.rate, 2000);
	assert_int_equal(held.burst, 1500000000);
	assert_int_equal(held.spent, 77);
	assert_int_equal(held.packets, 5);
	assert_int_equal(vd_datapath_limited(datapath, CONTAINER).out, 5);
	assert_int_equal(vd_datapath_limited(datapath, CONTAINER).in, 0);
	assert_int_equal(vd_datapath_limited(datapath, CONTAINER + 1).out, 0);
	assert_int_equal(lookup_rate(datapath, VD_RATE_DIRECTION_IN).burst, 100000000); /* none was given */
	fixture_apply(datapath, fast, none);
	assert_int_equal(fixture_entries(datapath, "vd_rate"), 0);
	vd_plan_free(none);
	vd_plan_free(slow);
	vd_plan_free(fast);
	vd_datapath_close(datapath);
}

/* ---- real packets ---- */

/* A network namespace that somebody sleeps in. */
static pid_t namespace_new(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static pid_t container_start(unsigned port)
{
	pid_t pid = namespace_new();

	fixture_run("ip link set i%u netns %d", port, pid);
	fixture_run("nsenter -t %d -n sh -c 'ip link set lo up; ip link set i%u address 02:00:00:00:09:%02x mtu 1450 up && "
		    "ip address add 10.8.1.%u/24 dev i%u && ip route add default via 10.8.1.1 && "
		    "ip -6 address add fd08::%u/64 dev i%u nodad && ip -6 route add default via fd08::1'",
		    pid, port, port, 10 + port, port, 10 + port, port);
	return pid;
}

static void container_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* As the agent makes it: both ends here, the outer one with the gateway's addresses and MAC. */
static uint32_t host_port_make(void)
{
	fixture_run("for i in all default lo; do echo 0 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done");
	fixture_run(
		"ip link add vdh9 address 02:76:69:61:64:01 mtu 1450 type veth peer name vdi9 mtu 1450 && ip link set vdi9 up && "
		"ip link set vdh9 up && ip address add 10.8.1.1/24 dev vdh9 && ip -6 address add fd08::1/64 dev vdh9 nodad");
	fixture_run("ip link add world type veth peer name world2 && ip link set world2 up && ip link set world up && ip address "
		    "add 198.51.100.7/32 dev world && "
		    "ip -6 address add 2001:db8::7/128 dev world nodad");
	fixture_run("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	fixture_run("echo 0 > /proc/sys/net/ipv4/conf/vdh9/send_redirects");
	return if_nametoindex("vdi9");
}

#define PING(pid, address) fixture_run("nsenter -t %d -n ping -q -c 2 -i 0.2 -W 2 %s >/dev/null", pid, address)

/*
 * R-CTR-1: from container to container, to its gateway, to what lies behind the node's kernel, and from there: all by the host port. To
 * an address of the block that nobody has, the kernel says that there is no such host.
 */
static void test_real_packets_reach_the_kernel_and_back(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = plan_new();
	uint32_t host_port = host_port_make();
	pid_t one, two;

	put_container(plan, 1, 0, 0);
	put_container(plan, 2, 0, 0);
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_service_set(datapath, PODS, host_port, NULL), 0);
	one = container_start(1);
	two = container_start(2);
	PING(one, "10.8.1.12");
	PING(one, "fd08::12");
	PING(one, "10.8.1.1");
	PING(one, "fd08::1");
	PING(two, "198.51.100.7");
	PING(two, "2001:db8::7");
	PING(getpid(), "10.8.1.11");
	PING(getpid(), "fd08::12");
	/* No hop more than with a bridge: the kernel alone takes one. */
	fixture_run("nsenter -t %d -n ping -c 1 -t 1 -W 2 10.8.1.12 >/dev/null", one);
	fixture_run("nsenter -t %d -n ping -c 1 -t 1 -W 2 198.51.100.7 >/dev/null", one);
	fixture_run("nsenter -t %d -n ping -c 1 -W 2 203.0.113.9 | grep -q 'From 10.8.1.1 .*Net Unreachable'", one);
	fixture_run("nsenter -t %d -n ping -c 1 -W 5 10.8.1.99 | grep -q 'From 10.8.1.1 .*Host Unreachable'", one);
	container_stop(one);
	container_stop(two);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* ---- what a trace says ---- */

static json_t *trace(struct vd_datapath *datapath, uint32_t port, const char *source, const char *destination)
{
	struct vd_trace_request request = {
		.from_port = port, .protocol = 6, .source_port = 40000, .destination_port = 80, .size = 20};
	struct vd_error error = {""};
	json_t *reply = NULL;

	assert_int_equal(vd_address_parse(source, &request.source), 0);
	assert_int_equal(vd_address_parse(destination, &request.destination), 0);
	if (vd_datapath_trace(datapath, &request, &reply, &error))
		fail_msg("trace: %s", error.text);
	return reply;
}

static const char *step_text(const json_t *reply, const char *stage)
{
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(reply, "steps"), i, step)
		if (!strcmp(json_string_value(json_object_get(step, "stage")), stage))
			return json_string_value(json_object_get(step, "text"));
	return "(none)";
}

static void assert_trace(struct vd_datapath *datapath, const char *destination, const char *verdict, const char *route,
			 const char *port)
{
	json_t *reply = trace(datapath, CONTAINER, "10.8.1.11", destination);

	assert_string_equal(json_string_value(json_object_get(reply, "verdict")), verdict);
	assert_string_equal(step_text(reply, "route"), route);
	assert_string_equal(step_text(reply, "rate limit"), "web-1 may send 2000 kB/s");
	if (port)
		assert_string_equal(json_string_value(json_object_get(reply, "to_port")), port);
	json_decref(reply);
}

static void test_trace_says_which_way(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = plan_new();

	put_container(plan, 1, 0, 2000000);
	put_container(plan, 2, 0, 0);
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_service_set(datapath, PODS, fixture_ifindex(FIXTURE_PORTS), NULL), 0);
	assert_trace(datapath, "10.8.1.12", "delivered", "in a block of this node", "web-2");
	assert_trace(datapath, "10.8.1.77", "delivered", "in a block of this node", "this node's kernel, network pods");
	assert_trace(datapath, "10.8.1.1", "answered", "in a block of this node", NULL);
	assert_trace(datapath, "10.8.2.5", "sent", "in a block of node h2, by tunnel", NULL);
	assert_trace(datapath, "10.8.3.5", "delivered", "in a block of node #51, by this node's own routes",
		     "this node's kernel, network pods");
	assert_trace(datapath, "198.51.100.7", "delivered", "in no block: the node's kernel knows the way",
		     "this node's kernel, network pods");
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* ---- peering ---- */

static void put_peer_route(struct vd_plan *plan, uint32_t domain, const char *destination, uint32_t peer)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = domain;
	record.route.type = VD_PLAN_ROUTE_TYPE_PEER;
	record.route.peer_domain = peer;
	assert_int_equal(vd_prefix_parse(destination, &record.route.destination), 0);
	put(plan, &record);
}

/* VPC 11, "far", a peer of VPC 7: 10.9.0.0/16, its port 111, "db", on h2. */
static void put_peer(struct vd_plan *plan, uint32_t mtu)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = 11;
	record.domain.type = VD_PLAN_DOMAIN_TYPE_PEER;
	record.domain.vni = 1011;
	record.domain.mtu = mtu;
	strcpy(record.domain.name, "far");
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = 11;
	record.route.type = VD_PLAN_ROUTE_TYPE_LOCAL;
	assert_int_equal(vd_prefix_parse("10.9.0.0/16", &record.route.destination), 0);
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = 11;
	record.endpoint.port = 111;
	record.endpoint.subnet = 12;
	record.endpoint.place = VD_PLAN_PLACE_HOST;
	record.endpoint.host = 50;
	record.endpoint.mac = (struct vd_mac){{2, 0, 0, 0, 11, 1}};
	assert_int_equal(vd_address_parse("10.9.0.2", &record.endpoint.address), 0);
	put(plan, &record);
	put_peer_route(plan, 7, "10.9.0.0/16", 11);
	put_peer_route(plan, 11, "10.0.0.0/16", 7);
}

static uint32_t generation(struct vd_datapath *datapath, uint32_t slot)
{
	return (uint32_t)vd_generation_sum(datapath->generation, &slot, 1);
}

/* R-PEER-1: and what changes of the peer's domain concerns those who come by its main table. */
static void test_peers_meet(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *narrow = fixture_plan();
	json_t *reply;
	uint32_t before;

	put_peer(plan, 1450);
	put_peer(narrow, 1300);
	fixture_sync(datapath, plan);
	reply = trace(datapath, 101, "10.0.1.11", "10.9.0.2");
	assert_string_equal(json_string_value(json_object_get(reply, "verdict")), "sent");
	assert_string_equal(step_text(reply, "route"), "table main: by peering, to the peer far");
	assert_string_equal(step_text(reply, "peering"), "from VPC demo to its peer far");
	assert_int_equal(json_integer_value(json_object_get(reply, "vni")), 1011);
	assert_int_equal(json_integer_value(json_object_get(reply, "to_host")), 50);
	assert_string_equal(json_string_value(json_object_get(reply, "source_mac")), "02:78:00:00:00:07");
	json_decref(reply);
	before = generation(datapath, vd_slot_table(11, 0));
	fixture_apply(datapath, plan, narrow);
	assert_int_equal(generation(datapath, vd_slot_table(11, 0)), before + 1);
	vd_plan_free(plan);
	vd_plan_free(narrow);
	vd_datapath_close(datapath);
}

/* What comes from a peer depends on the receiver's table, of which it knows no more than its domain's main one, or its port. */
static void test_other_tables_concern_peers(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *routed = fixture_plan(), *moved = fixture_plan();
	const uint32_t slots[] = {vd_slot_table(7, 5), vd_slot_table(7, 0), vd_slot_domain(99)};
	struct vd_plan_record record;
	uint32_t before[3];

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = 7;
	record.route.table = 5;
	record.route.type = VD_PLAN_ROUTE_TYPE_BLACKHOLE;
	assert_int_equal(vd_prefix_parse("10.9.0.0/16", &record.route.destination), 0);
	put(routed, &record);
	put(moved, &record);
	fixture_plan_port(routed, FIXTURE_PORTS, fixture_ifindex(FIXTURE_PORTS));
	fixture_plan_port_in(moved, FIXTURE_PORTS, fixture_ifindex(FIXTURE_PORTS), 5);
	fixture_sync(datapath, plan);
	for (int i = 0; i < 3; i++)
		before[i] = generation(datapath, slots[i]);
	fixture_apply(datapath, plan, routed);
	for (int i = 0; i < 3; i++)
		assert_int_equal(generation(datapath, slots[i]), before[i] + (i < 2));
	fixture_apply(datapath, routed, moved);
	for (int i = 0; i < 3; i++)
		assert_int_equal(generation(datapath, slots[i]), before[i] + (i < 2) + 1);
	vd_plan_free(plan);
	vd_plan_free(routed);
	vd_plan_free(moved);
	vd_datapath_close(datapath);
}

static void put_alias(struct vd_plan *plan, uint32_t domain, uint32_t peer, const char *prefix, const char *as)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ALIAS);
	record.alias.domain = domain;
	record.alias.peer = peer;
	assert_int_equal(vd_prefix_parse(prefix, &record.alias.prefix), 0);
	assert_int_equal(vd_prefix_parse(as, &record.alias.as), 0);
	put(plan, &record);
}

/* R-PEER-2: the trace says who is whom, and what the next host gets; a change of it concerns who comes by either's main table. */
static void test_peers_are_translated(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plain = fixture_plan(), *plan = fixture_plan(), *other = fixture_plan();
	const uint32_t slots[] = {vd_slot_table(7, 0), vd_slot_table(11, 0)};
	uint32_t before[2];
	json_t *reply, *packet;

	put_peer(plain, 1450);
	put_peer(plan, 1450);
	put_peer(other, 1450);
	put_alias(plan, 7, 11, "10.0.0.0/16", "100.64.0.0/16");
	put_alias(plan, 11, 7, "10.9.0.0/16", "100.65.0.0/16");
	put_peer_route(plan, 7, "100.65.0.0/16", 11);
	put_peer_route(plan, 11, "100.64.0.0/16", 7);
	fixture_sync(datapath, plan);
	reply = trace(datapath, 101, "10.0.1.11", "100.65.0.2");
	assert_string_equal(json_string_value(json_object_get(reply, "verdict")), "sent");
	assert_string_equal(step_text(reply, "source"), "10.0.1.11 is 100.64.1.11 in the peer");
	assert_string_equal(step_text(reply, "destination"), "100.65.0.2 is 10.9.0.2 in the peer");
	packet = json_object_get(reply, "packet");
	assert_string_equal(json_string_value(json_object_get(packet, "source")), "100.64.1.11");
	assert_string_equal(json_string_value(json_object_get(packet, "destination")), "10.9.0.2");
	json_decref(reply);
	fixture_apply(datapath, plan, plain);
	put_alias(other, 7, 11, "10.0.0.0/16", "100.70.0.0/16");
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++)
			before[j] = generation(datapath, slots[j]);
		fixture_apply(datapath, i ? other : plain, i ? plain : other);
		for (int j = 0; j < 2; j++)
			assert_int_equal(generation(datapath, slots[j]), before[j] + 1);
	}
	vd_plan_free(plain);
	vd_plan_free(plan);
	vd_plan_free(other);
	vd_datapath_close(datapath);
}

/* ---- names ---- */

static bool container_name(uint32_t port, char *text, size_t size, void *userdata)
{
	snprintf(text, size, "gone-%u", port & ~0x80000000u);
	return port & 0x80000000u;
}

static void test_containers_have_names_of_their_own(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	const struct vd_datapath_naming naming = {.container = container_name};
	json_t *object = json_object();

	vd_json_set_port(object, "port", datapath, 0x80000007u);
	assert_string_equal(json_string_value(json_object_get(object, "port")), "#2147483655");
	vd_datapath_naming_set(datapath, &naming);
	vd_json_set_port(object, "port", datapath, 0x80000007u);
	assert_string_equal(json_string_value(json_object_get(object, "port")), "gone-7");
	vd_json_set_port(object, "port", datapath, 8);
	assert_string_equal(json_string_value(json_object_get(object, "port")), "#8");
	json_decref(object);
	vd_datapath_close(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_name_their_targets),
		cmocka_unit_test_setup_teardown(test_host_port_is_known_as_such, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_limits_keep_what_is_spent, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_real_packets_reach_the_kernel_and_back, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_says_which_way, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_peers_meet, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_other_tables_concern_peers, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_peers_are_translated, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_containers_have_names_of_their_own, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
