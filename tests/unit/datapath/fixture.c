/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define SKIPPED 77

/* Covered by a bpffs of our own, which only our mount namespace sees. */
static const char directory[] = "/sys/fs/bpf";
static const char pins[] = "/sys/fs/bpf/h1";

void fixture_require(void)
{
	if (geteuid()) {
		fprintf(stderr, "skipped: network namespaces need root\n");
		exit(SKIPPED);
	}
}

void fixture_run(const char *format, ...)
{
	VD_FREE char *command = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&command, format, arguments);
	va_end(arguments);
	assert_true(length > 0);
	if (system(command))
		fail_msg("'%s' failed", command);
}

/* Each test has fresh namespaces: the kernel takes the links, the filters and the bpffs with them. */
int fixture_setup(void **state)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", directory, "bpf", 0, NULL)) {
		perror("namespaces");
		return -1;
	}
	/* Links that come up solicit routers by themselves: packets that no test sent. */
	fixture_run("for i in all default; do echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done");
	fixture_run(
		"{ echo 'link set lo up\nlink add overlay type vxlan external dstport 4789\nlink set overlay up';"
		"for i in $(seq %u); do echo \"link add p$i type veth peer name i$i\nlink set p$i up\nlink set i$i up\"; done; } |"
		"ip -batch -",
		FIXTURE_PORTS);
	return 0;
}

int fixture_teardown(void **state)
{
	umount2(directory, MNT_DETACH);
	return 0;
}

const char *fixture_pins(void)
{
	return pins;
}

struct vd_datapath_options fixture_options(void)
{
	return (struct vd_datapath_options){
		.pin_directory = pins,
		.overlay_ifindex = fixture_ifindex(0),
		.flow_entries = 1024,
		.connection_entries = 1024,
	};
}

uint32_t fixture_ifindex(unsigned port)
{
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "p%u", port);
	return if_nametoindex(port ? name : "overlay");
}

static void put(struct vd_plan *plan, const struct vd_plan_record *record)
{
	assert_int_equal(vd_plan_put(plan, record), 1);
}

static void put_endpoint(struct vd_plan *plan, struct vd_plan_record *endpoint, const char *address)
{
	assert_int_equal(vd_address_parse(address, &endpoint->endpoint.address), 0);
	put(plan, endpoint);
}

static void put_local(struct vd_plan *plan, const char *destination)
{
	fixture_plan_route(plan, destination, 0, VD_PLAN_ROUTE_TYPE_LOCAL, NULL);
}

struct vd_plan *fixture_plan(void)
{
	struct vd_plan *plan = vd_plan_new();
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = 50;
	strcpy(record.tunnel_host.name, "h2");
	assert_int_equal(vd_address_parse("192.0.2.9", &record.tunnel_host.vtep), 0);
	put(plan, &record);

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = 7;
	record.domain.vni = 1007;
	record.domain.mtu = 1450;
	strcpy(record.domain.project, "default");
	strcpy(record.domain.name, "demo");
	put(plan, &record);

	vd_plan_record_init(&record, VD_PLAN_KIND_SUBNET);
	record.subnet.subnet = 8;
	record.subnet.domain = 7;
	record.subnet.vni = 1008;
	strcpy(record.subnet.name, "nodes");
	assert_int_equal(vd_address_parse("10.0.1.1", &record.subnet.gateway4), 0);
	assert_int_equal(vd_address_parse("fd00::1", &record.subnet.gateway6), 0);
	assert_int_equal(vd_prefix_parse("10.0.1.0/24", &record.subnet.cidr4), 0);
	assert_int_equal(vd_prefix_parse("fd00::/64", &record.subnet.cidr6), 0);
	put(plan, &record);

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = 7;
	record.endpoint.subnet = 8;
	record.endpoint.place = VD_PLAN_PLACE_GATEWAY;
	put_endpoint(plan, &record, "10.0.1.1");
	put_endpoint(plan, &record, "fd00::1");
	put_local(plan, "10.0.0.0/16");
	put_local(plan, "fd00::/48");
	for (unsigned i = 1; i < FIXTURE_PORTS; i++)
		fixture_plan_port(plan, i, fixture_ifindex(i));
	return plan;
}

void fixture_plan_port(struct vd_plan *plan, unsigned port, uint32_t ifindex)
{
	fixture_plan_port_in(plan, port, ifindex, 0);
}

void fixture_plan_port_in(struct vd_plan *plan, unsigned port, uint32_t ifindex, uint32_t table)
{
	struct vd_plan_record record;
	struct vd_mac mac = {{2, 0, 0, 0, 0, (uint8_t)port}};
	char address[32];

	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = 100 + port;
	record.port.domain = 7;
	record.port.subnet = 8;
	record.port.ifindex = ifindex;
	record.port.table = table;
	record.port.type = VD_PLAN_PORT_TYPE_VETH;
	record.port.source_check = true;
	record.port.mtu = 1450;
	record.port.mac = mac;
	strcpy(record.port.project, "default");
	snprintf(record.port.name, sizeof(record.port.name), "ecs%u", port);
	put(plan, &record);

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = 7;
	record.endpoint.subnet = 8;
	record.endpoint.port = 100 + port;
	record.endpoint.place = VD_PLAN_PLACE_HERE;
	record.endpoint.ifindex = ifindex;
	record.endpoint.mac = mac;
	snprintf(address, sizeof(address), "10.0.1.%u", 10 + port);
	put_endpoint(plan, &record, address);
	snprintf(address, sizeof(address), "fd00::%u", 10 + port);
	put_endpoint(plan, &record, address);
}

void fixture_plan_route(struct vd_plan *plan, const char *destination, uint32_t id, enum vd_plan_route_type type,
			const char *next_hop)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	strcpy(record.route.table_name, "demo");
	record.route.domain = 7;
	record.route.route = id;
	record.route.type = type;
	assert_int_equal(vd_prefix_parse(destination, &record.route.destination), 0);
	if (next_hop)
		assert_int_equal(vd_address_parse(next_hop, &record.route.next_hop), 0);
	put(plan, &record);
}

void fixture_plan_remote(struct vd_plan *plan, const char *address, uint32_t port)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = 7;
	record.endpoint.subnet = 8;
	record.endpoint.port = port;
	record.endpoint.place = VD_PLAN_PLACE_HOST;
	record.endpoint.host = 50;
	record.endpoint.mac =
		(struct vd_mac){{2, 1, (uint8_t)(port >> 24), (uint8_t)(port >> 16), (uint8_t)(port >> 8), (uint8_t)port}};
	put_endpoint(plan, &record, address);
}

static void put_policy(struct vd_plan *plan, uint32_t identity, enum vd_plan_direction direction)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY);
	record.policy.identity = identity;
	record.policy.direction = direction;
	record.policy.open = direction == VD_PLAN_DIRECTION_EGRESS;
	put(plan, &record);
}

void fixture_plan_policy(struct vd_plan *plan, unsigned port, uint32_t identity)
{
	struct vd_plan_record record;
	char address[32];

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY);
	record.policy.identity = identity;
	record.policy.direction = VD_PLAN_DIRECTION_INGRESS;
	if (vd_plan_get(plan, &record, &record)) {
		put_policy(plan, identity, VD_PLAN_DIRECTION_INGRESS);
		put_policy(plan, identity, VD_PLAN_DIRECTION_EGRESS);
	}
	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = 100 + port;
	assert_int_equal(vd_plan_get(plan, &record, &record), 0);
	record.port.policy = identity;
	put(plan, &record);
	for (int family = 0; family < 2; family++) {
		vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
		record.endpoint.domain = 7;
		snprintf(address, sizeof(address), family ? "fd00::%u" : "10.0.1.%u", 10 + port);
		assert_int_equal(vd_address_parse(address, &record.endpoint.address), 0);
		assert_int_equal(vd_plan_get(plan, &record, &record), 0);
		record.endpoint.identity = identity;
		put(plan, &record);
	}
}

void fixture_plan_rule(struct vd_plan *plan, uint32_t identity, uint32_t rule, uint16_t port, const char *prefix,
		       uint32_t remote_identity)
{
	struct vd_plan_record policy, remote, block, span;

	vd_plan_record_init(&remote, VD_PLAN_KIND_POLICY_REMOTE);
	remote.policy_remote.identity = identity;
	remote.policy_remote.direction = VD_PLAN_DIRECTION_INGRESS;
	remote.policy_remote.remote_identity = remote_identity;
	assert_int_equal(vd_prefix_parse(prefix ? prefix : "0.0.0.0/0", &remote.policy_remote.prefix), 0);
	vd_plan_get(plan, &remote, &remote);
	remote.policy_remote.tcp_lengths |= 1u << 16;
	vd_plan_put(plan, &remote);

	vd_plan_record_init(&block, VD_PLAN_KIND_POLICY_PORT);
	block.policy_port.identity = identity;
	block.policy_port.direction = VD_PLAN_DIRECTION_INGRESS;
	block.policy_port.remote_identity = remote_identity;
	block.policy_port.prefix = remote.policy_remote.prefix;
	block.policy_port.protocol = 6;
	block.policy_port.length = 16;
	block.policy_port.port = port;
	block.policy_port.rule = rule;
	put(plan, &block);

	vd_plan_record_init(&span, VD_PLAN_KIND_POLICY_SPAN);
	span.policy_span.identity = identity;
	span.policy_span.direction = VD_PLAN_DIRECTION_INGRESS;
	span.policy_span.remote_identity = remote_identity;
	span.policy_span.prefix = remote.policy_remote.prefix;
	span.policy_span.protocol = 6;
	span.policy_span.port = port / VD_PLAN_SPAN_PORTS * VD_PLAN_SPAN_PORTS;
	vd_plan_get(plan, &span, &span);
	span.policy_span.ports[port % VD_PLAN_SPAN_PORTS / 64] |= 1ull << port % 64;
	vd_plan_put(plan, &span);

	vd_plan_record_init(&policy, VD_PLAN_KIND_POLICY);
	policy.policy.identity = identity;
	policy.policy.direction = VD_PLAN_DIRECTION_INGRESS;
	assert_int_equal(vd_plan_get(plan, &policy, &policy), 0);
	*(remote_identity ? &policy.policy.identity_lengths4 : &policy.policy.lengths4) |= 1ull
											   << remote.policy_remote.prefix.length;
	vd_plan_put(plan, &policy);
}

struct vd_datapath *fixture_open(void)
{
	struct vd_datapath_options options = fixture_options();
	struct vd_datapath *datapath = NULL;
	struct vd_error error = {""};

	if (vd_datapath_open(&options, &datapath, &error))
		fail_msg("open: %s", error.text);
	return datapath;
}

void fixture_sync(struct vd_datapath *datapath, const struct vd_plan *plan)
{
	struct vd_error error = {""};

	if (vd_datapath_sync(datapath, plan, &error))
		fail_msg("sync: %s", error.text);
}

void fixture_apply(struct vd_datapath *datapath, const struct vd_plan *before, const struct vd_plan *after)
{
	struct vd_plan_difference *difference;
	struct vd_error error = {""};

	assert_int_equal(vd_plan_compare(before, after, &difference), 0);
	if (vd_datapath_apply(datapath, difference, &error))
		fail_msg("apply: %s", error.text);
	vd_plan_difference_free(difference);
}

size_t fixture_entries(struct vd_datapath *datapath, const char *map)
{
	json_t *status = vd_datapath_status(datapath);
	json_t *entries = json_object_get(json_object_get(json_object_get(status, "maps"), map), "entries");
	size_t count = (size_t)json_integer_value(entries);

	assert_non_null(entries);
	json_decref(status);
	return count;
}
