/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/encode.h"
#include "datapath/packet.h"
#include "datapath/program.h"
#include "datapath/state.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <string.h>

/* Provider networks: what a plan says of them in the maps, the program on uplinks, neighbours. Network 90 on port interface 4. */

#define NETWORK 90
#define ELASTIC_FIRST 1000

static struct vd_address address(const char *text)
{
	struct vd_address parsed;

	assert_int_equal(vd_address_parse(text, &parsed), 0);
	return parsed;
}

static void put(struct vd_plan *plan, const struct vd_plan_record *record)
{
	assert_int_equal(vd_plan_put(plan, record), 1);
}

static uint32_t uplink_ifindex(void)
{
	return fixture_ifindex(FIXTURE_PORTS);
}

static void plan_vip(struct vd_plan *plan, uint32_t id, const char *vip, const char *inner, bool is_primary)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip.network = NETWORK;
	record.vip.address = address(vip);
	record.vip.vip = id;
	record.vip.type = inner ? VD_PLAN_VIP_TYPE_ELASTIC : VD_PLAN_VIP_TYPE_ROUTER;
	record.vip.here = true;
	record.vip.system = !inner;
	record.vip.is_primary = is_primary;
	record.vip.domain = 7;
	record.vip.port = inner ? 101 : 0;
	if (inner)
		record.vip.inner = address(inner);
	snprintf(record.vip.name, sizeof(record.vip.name), "vip%u", id);
	put(plan, &record);
}

static void plan_policy_route(struct vd_plan *plan, uint32_t priority)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
	record.policy_route.domain = 7;
	record.policy_route.priority = priority;
	record.policy_route.policy_route = 3000 + priority;
	record.policy_route.route.type = VD_PLAN_ROUTE_TYPE_BLACKHOLE;
	put(plan, &record);
}

static void plan_next_hop(struct vd_plan *plan, const char *next_hop)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_NEXT_HOP);
	record.next_hop.network = NETWORK;
	record.next_hop.address = address(next_hop);
	put(plan, &record);
}

static void plan_forward(struct vd_plan *plan, uint16_t port)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_FORWARD);
	record.forward.network = NETWORK;
	record.forward.vip = address("203.0.113.2");
	record.forward.protocol = 6;
	record.forward.length = 16;
	record.forward.port = port;
	record.forward.forward = 2000u + port;
	record.forward.port_id = 102;
	record.forward.inner = address("10.0.1.12");
	record.forward.to_port = port;
	snprintf(record.forward.name, sizeof(record.forward.name), "ssh%u", port);
	put(plan, &record);
}

/* The fixture's VPC, attached to the network: gateway here, system VIP .2, an elastic IP .5 of port 1, a forward to port 2. */
static struct vd_plan *network_plan(void)
{
	struct vd_plan *plan = fixture_plan();
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_NETWORK);
	record.network = (struct vd_plan_network){
		.network = NETWORK, .ifindex = uplink_ifindex(), .vlan = 100, .mtu = 1500, .mac = {{2, 9, 0, 0, 0, 1}}};
	strcpy(record.network.name, "public");
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_SEGMENT);
	record.segment = (struct vd_plan_segment){.ifindex = uplink_ifindex(), .vlan = 100, .network = NETWORK};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_EXIT);
	record.exit = (struct vd_plan_exit){
		.domain = 7, .exit = NETWORK, .network = NETWORK, .here = true, .translate = true, .vip4 = address("203.0.113.2")};
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route = (struct vd_plan_route){.domain = 7, .type = VD_PLAN_ROUTE_TYPE_EXIT, .exit = NETWORK, .is_default = true};
	assert_int_equal(vd_prefix_parse("0.0.0.0/0", &record.route.destination), 0);
	put(plan, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_INWARD);
	record.inward = (struct vd_plan_inward){.network = NETWORK, .domain = 7};
	assert_int_equal(vd_prefix_parse("10.0.0.0/16", &record.inward.prefix), 0);
	put(plan, &record);
	plan_vip(plan, 60, "203.0.113.2", NULL, false);
	plan_vip(plan, ELASTIC_FIRST, "203.0.113.5", "10.0.1.11", true);
	plan_forward(plan, 24);
	plan_policy_route(plan, 10);
	plan_next_hop(plan, "203.0.113.1");
	return plan;
}

static void test_sync_fills_the_networks_maps(void **state)
{
	static const struct {
		const char *map;
		size_t entries;
	} expected[] = {
		{"vd_network", 1}, {"vd_uplink", 1},  {"vd_exit", 1},    {"vd_vip", 2},           {"vd_elastic", 2},
		{"vd_forward", 1}, {"vd_inward4", 1}, {"vd_inward6", 0}, {"vd_policy_routes", 1}, {"vd_neighbour", 1},
	};
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = network_plan(), *without = fixture_plan();

	fixture_sync(datapath, plan);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(fixture_entries(datapath, expected[i].map), expected[i].entries);
	vd_datapath_close(datapath);

	/* R-OPS-5: what is adopted is right as it stands. */
	datapath = fixture_open();
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath), 0);

	/* By difference nothing is left either. */
	fixture_apply(datapath, plan, without);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(fixture_entries(datapath, expected[i].map), 0);
	vd_plan_free(plan);
	vd_plan_free(without);
	vd_datapath_close(datapath);
}

/* What others broke while nobody looked is put right, and only that. */
static void test_sync_repairs_the_networks_maps(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = network_plan();
	const struct vd_vip_key stray = {.network = NETWORK, .address = {{0x01020304}}};
	const struct vd_vip_value stray_value = {.id = 1};
	const struct vd_policy_routes_key table = {.domain = 7};
	struct vd_policy_routes_value value;
	uint64_t writes;

	fixture_sync(datapath, plan);
	assert_int_equal(vd_map_update(datapath->maps[VD_MAP_VIP], &stray, &stray_value, BPF_ANY), 0);
	assert_int_equal(bpf_map_lookup_elem(datapath->maps[VD_MAP_POLICY_ROUTES], &table, &value), 0);
	value.route[0].route.type = VD_ROUTE_TYPE_LOCAL;
	assert_int_equal(vd_map_update(datapath->maps[VD_MAP_POLICY_ROUTES], &table, &value, BPF_ANY), 0);
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 5); /* two entries; the VIP's two generations, the table's */
	assert_int_equal(fixture_entries(datapath, "vd_vip"), 2);
	assert_int_equal(bpf_map_lookup_elem(datapath->maps[VD_MAP_POLICY_ROUTES], &table, &value), 0);
	assert_int_equal(value.route[0].route.type, VD_ROUTE_TYPE_BLACKHOLE);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* Every kind of change, applied as a difference, leaves what a sync of the new plan would have left. */
static void test_difference_equals_sync(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = network_plan(), *after = network_plan();
	struct vd_plan_record record;
	uint64_t writes;

	plan_vip(after, 70, "203.0.113.4", "10.0.1.11", false); /* a second one of the same instance */
	plan_forward(after, 25);
	plan_policy_route(after, 5);
	plan_policy_route(after, 20);
	plan_next_hop(after, "203.0.113.9");
	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip.network = NETWORK;
	record.vip.address = address("203.0.113.5");
	assert_int_equal(vd_plan_get(after, &record, &record), 0);
	record.vip.inner = address("10.0.1.13"); /* and the first one moves */
	put(after, &record);
	vd_plan_record_init(&record, VD_PLAN_KIND_EXIT);
	record.exit.domain = 7;
	record.exit.exit = NETWORK;
	assert_int_equal(vd_plan_get(after, &record, &record), 0);
	record.exit.here = false;
	record.exit.host = 50;
	put(after, &record);

	fixture_sync(datapath, before);
	for (int back = 0; back < 2; back++) {
		fixture_apply(datapath, back ? after : before, back ? before : after);
		writes = vd_datapath_writes(datapath);
		fixture_sync(datapath, back ? before : after);
		assert_int_equal(vd_datapath_writes(datapath), writes);
		assert_int_equal(fixture_entries(datapath, "vd_elastic"), back ? 2 : 3);
		assert_int_equal(fixture_entries(datapath, "vd_neighbour"), back ? 1 : 2);
	}
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

static uint64_t sum_of(struct vd_datapath *datapath, uint32_t slot)
{
	return vd_generation_sum(datapath->generation, &slot, 1);
}

/* A change bumps what flows stamped that depend on it, and each once. */
static void test_changes_bump_what_depends_on_them(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = network_plan(), *after = network_plan();
	const union vd_addr vip = {{inet_addr("203.0.113.5")}}, inner = {{inet_addr("10.0.1.11")}};
	const uint32_t slots[] = {vd_slot_vip(NETWORK, &vip), vd_slot_endpoint(NETWORK, &vip), vd_slot_endpoint(7, &inner),
				  vd_slot_table(7, 0), vd_slot_domain(7)};
	uint64_t sums[5];
	struct vd_plan_record record;

	fixture_sync(datapath, before);
	for (unsigned i = 0; i < 5; i++)
		sums[i] = sum_of(datapath, slots[i]);
	vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
	record.vip.network = NETWORK;
	record.vip.address = address("203.0.113.5");
	assert_int_equal(vd_plan_remove(after, &record), 1);
	fixture_apply(datapath, before, after);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(sum_of(datapath, slots[i]) - sums[i], i < 3);

	/* Its return: who sent there, or from behind it, went another way. */
	fixture_apply(datapath, after, before);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(sum_of(datapath, slots[i]) - sums[i], i < 3 ? 2 : 0);

	/* Policy routes lead into other tables, too: the whole VPC. */
	plan_policy_route(after, 20);
	fixture_sync(datapath, before);
	vd_plan_free(after);
	after = network_plan();
	plan_policy_route(after, 20);
	fixture_apply(datapath, before, after);
	assert_int_equal(sum_of(datapath, slots[3]) - sums[3], 0);
	assert_int_equal(sum_of(datapath, slots[4]) - sums[4], 1);
	plan_policy_route(before, 20);
	vd_plan_record_init(&record, VD_PLAN_KIND_EXIT);
	record.exit.domain = 7;
	record.exit.exit = NETWORK;
	assert_int_equal(vd_plan_get(after, &record, &record), 0);
	record.exit.host = 50;
	record.exit.here = false;
	put(after, &record);
	fixture_apply(datapath, before, after);
	assert_int_equal(sum_of(datapath, slots[3]) - sums[3], 0);
	assert_int_equal(sum_of(datapath, slots[4]) - sums[4], 2);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/* R-EIP-1: bound and unbound 1,000 times, beside 10,000 others: each costs itself, and nothing is left. */
static void test_binding_again_and_again_leaves_nothing(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *unbound = network_plan(), *bound = network_plan();
	uint64_t writes;
	char vip[32];

	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(vip, sizeof(vip), "198.18.%u.%u", i / 250, i % 250);
		plan_vip(unbound, 20000 + i, vip, "10.0.9.9", false);
		plan_vip(bound, 20000 + i, vip, "10.0.9.9", false);
	}
	plan_vip(bound, 70, "203.0.113.9", "10.0.1.12", true);
	fixture_sync(datapath, unbound);
	writes = vd_datapath_writes(datapath);
	for (unsigned i = 0; i < 1000; i++) {
		struct vd_plan_difference *difference = vd_plan_difference_new();
		struct vd_plan_record record;

		vd_plan_record_init(&record, VD_PLAN_KIND_VIP);
		record.vip.network = NETWORK;
		record.vip.address = address("203.0.113.9");
		assert_int_equal(vd_plan_get(bound, &record, &record), 0);
		assert_int_equal(vd_plan_difference_add(difference, NULL, &record), 0);
		assert_int_equal(vd_datapath_apply(datapath, difference, NULL), 0);
		vd_plan_difference_free(difference);
		difference = vd_plan_difference_new();
		assert_int_equal(vd_plan_difference_add(difference, &record, NULL), 0);
		assert_int_equal(vd_datapath_apply(datapath, difference, NULL), 0);
		vd_plan_difference_free(difference);
	}
	/* Three entries (the address, and the way out by it for its network and for default routes) and three generations. */
	assert_int_equal(vd_datapath_writes(datapath) - writes, 1000 * 2 * (3 + 3));
	assert_int_equal(fixture_entries(datapath, "vd_vip"), 10002);
	assert_int_equal(fixture_entries(datapath, "vd_elastic"), 3);
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, unbound);
	assert_int_equal(vd_datapath_writes(datapath), writes);
	vd_plan_free(unbound);
	vd_plan_free(bound);
	vd_datapath_close(datapath);
}

/* ---- uplinks ---- */

static bool is_uplink(struct vd_datapath *datapath, uint32_t ifindex)
{
	uint32_t id;

	return !vd_program_attached(ifindex, &id) && id == datapath->program_ids[VD_FUNCTION_UPLINK];
}

/* A filter that somebody else has there. */
static void foreign_filter(uint32_t ifindex, enum bpf_tc_attach_point point, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 7, .prog_fd = program);
	int r = bpf_tc_hook_create(&hook);

	assert_true(!r || r == -EEXIST);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
}

static bool has_foreign_filters(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, ingress, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_hook, egress, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, one, .handle = 1, .priority = 7);
	LIBBPF_OPTS(bpf_tc_opts, two, .handle = 1, .priority = 7);

	return !bpf_tc_query(&ingress, &one) && !bpf_tc_query(&egress, &two);
}

/* R-NET-1: the host's uplink keeps the qdisc and the filters that others have there, whatever becomes of ours. */
static void test_uplink_is_shared_with_others_filters(void **state)
{
	struct vd_datapath_options options = fixture_options();
	struct vd_datapath *datapath = fixture_open();
	uint32_t ifindex = uplink_ifindex(), other = fixture_ifindex(3), before;

	foreign_filter(ifindex, BPF_TC_INGRESS, datapath->programs[VD_FUNCTION_EXPIRE]);
	foreign_filter(ifindex, BPF_TC_EGRESS, datapath->programs[VD_FUNCTION_EXPIRE]);
	assert_int_equal(vd_datapath_uplink_attach(datapath, ifindex, NULL), 0);
	assert_int_equal(vd_datapath_uplink_attach(datapath, other, NULL), 0); /* no qdisc there yet */
	assert_true(is_uplink(datapath, ifindex));
	assert_true(is_uplink(datapath, other));
	assert_true(has_foreign_filters(ifindex));
	before = datapath->program_ids[VD_FUNCTION_UPLINK];
	vd_datapath_close(datapath);

	/* Another daemon finds it; one uplink is no longer configured. */
	datapath = fixture_open();
	assert_int_equal(datapath->program_ids[VD_FUNCTION_UPLINK], before);
	assert_int_equal(vd_datapath_uplinks_keep(datapath, &ifindex, 1, NULL), 0);
	assert_true(is_uplink(datapath, ifindex));
	assert_false(is_uplink(datapath, other));
	assert_int_equal(vd_datapath_uplink_detach(datapath, other, NULL), 0);
	assert_int_equal(vd_datapath_uplink_detach(datapath, ifindex, NULL), 0);
	assert_false(is_uplink(datapath, ifindex));
	assert_true(has_foreign_filters(ifindex));

	/* Purge takes ours and nothing else. */
	assert_int_equal(vd_datapath_uplink_attach(datapath, ifindex, NULL), 0);
	vd_datapath_close(datapath);
	assert_int_equal(vd_datapath_purge(&options, NULL), 0);
	assert_int_equal(vd_program_attached(ifindex, &before), -ENOENT);
	assert_true(has_foreign_filters(ifindex));
}

/* Someone uses the older ingress qdisc there. */
static void test_uplink_with_an_ingress_qdisc_is_taken_as_it_is(void **state)
{
	struct vd_datapath *datapath = fixture_open();

	fixture_run("tc qdisc add dev p4 ingress");
	assert_int_equal(vd_datapath_uplink_attach(datapath, uplink_ifindex(), NULL), 0);
	assert_true(is_uplink(datapath, uplink_ifindex()));
	assert_int_equal(vd_datapath_uplink_detach(datapath, uplink_ifindex(), NULL), 0);
	fixture_run("tc qdisc show dev p4 | grep -q 'qdisc ingress ffff:'");
	vd_datapath_close(datapath);
}

static void test_uplink_that_is_gone_is_said(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_error error = {""};
	uint32_t ifindex = uplink_ifindex();

	assert_int_equal(vd_datapath_uplink_attach(datapath, ifindex, NULL), 0);
	fixture_run("ip link del p4");
	assert_int_equal(vd_datapath_uplink_attach(datapath, ifindex, &error), -ENODEV);
	assert_non_null(strstr(error.text, "uplink"));
	assert_int_equal(vd_datapath_uplink_detach(datapath, ifindex, NULL), 0);
	assert_int_equal(vd_datapath_uplinks_keep(datapath, NULL, 0, NULL), 0);
	vd_datapath_close(datapath);
}

/* ---- neighbours, deadline ---- */

static int neighbour_find(const struct vd_neighbour *neighbour, void *userdata)
{
	struct vd_neighbour *wanted = userdata;

	if (!vd_address_equal(&neighbour->address, &wanted->address) || neighbour->network != wanted->network)
		return 0;
	*wanted = *neighbour;
	return 1;
}

/* What the data plane learnt of a next hop outlives sync and a restart; with the last who needs it, it goes. */
static void test_neighbour_learnt_is_kept(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = network_plan(), *without = fixture_plan();
	struct vd_neighbour wanted = {.network = NETWORK, .address = address("203.0.113.1")};
	struct vd_neighbour_key key = {.network = NETWORK, .address = vd_encode_address(&wanted.address)};
	const struct vd_neighbour_value learnt = {.mac = {2, 8, 0, 0, 0, 1}, .family = 4, .known = 1, .confirmed = 77};
	uint64_t sum;

	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_neighbour_each(datapath, neighbour_find, &wanted), 1);
	assert_false(wanted.known);
	assert_int_equal(vd_map_update(datapath->maps[VD_MAP_NEIGHBOUR], &key, &learnt, BPF_ANY), 0);
	fixture_sync(datapath, plan);
	vd_datapath_close(datapath);
	datapath = fixture_open();
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_neighbour_each(datapath, neighbour_find, &wanted), 1);
	assert_true(wanted.known);
	assert_int_equal(wanted.mac.bytes[1], 8);
	assert_int_equal(wanted.confirmed, 77);

	sum = sum_of(datapath, vd_slot_endpoint(NETWORK, &key.address));
	assert_int_equal(vd_datapath_neighbour_forget(datapath, NETWORK, &wanted.address), 0);
	assert_int_equal(vd_datapath_neighbour_forget(datapath, NETWORK, &wanted.address), 0);
	assert_int_equal(sum_of(datapath, vd_slot_endpoint(NETWORK, &key.address)) - sum, 1);
	assert_int_equal(fixture_entries(datapath, "vd_neighbour"), 0);
	fixture_sync(datapath, plan); /* still needed: asked for again */
	assert_int_equal(fixture_entries(datapath, "vd_neighbour"), 1);
	fixture_apply(datapath, plan, without);
	assert_int_equal(fixture_entries(datapath, "vd_neighbour"), 0);
	vd_plan_free(plan);
	vd_plan_free(without);
	vd_datapath_close(datapath);
}

static void test_deadline_is_told_to_the_data_plane(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	const uint32_t zero = 0;
	uint64_t deadline = 1;

	assert_int_equal(bpf_map_lookup_elem(datapath->maps[VD_MAP_DEADLINE], &zero, &deadline), 0);
	assert_int_equal(deadline, 0); /* nobody has said anything: nothing is translated */
	assert_int_equal(vd_datapath_deadline_set(datapath, UINT64_MAX), 0);
	vd_datapath_close(datapath);
	datapath = fixture_open();
	assert_int_equal(bpf_map_lookup_elem(datapath->maps[VD_MAP_DEADLINE], &zero, &deadline), 0);
	assert_true(deadline == UINT64_MAX);
	vd_datapath_close(datapath);
}

/* R-SNAT-2: --connections N sizes connections, claims and flows; another N at the next start is an upgrade. */
static void test_sizes_follow_the_connections_asked_for(void **state)
{
	static const struct {
		const char *map;
		uint32_t entries;
	} expected[] = {{"vd_conn4", 300000}, {"vd_conn6", 300000}, {"vd_nat4", 300000},
			{"vd_nat6", 300000},  {"vd_flow4", 600000}, {"vd_flow6", 600000}};
	struct vd_datapath_options options = fixture_options();
	struct vd_datapath *datapath = NULL;
	json_t *status, *maps;

	options.flow_entries = 0;
	options.connection_entries = 300000;
	assert_int_equal(vd_datapath_open(&options, &datapath, NULL), 0);
	status = vd_datapath_status(datapath);
	maps = json_object_get(status, "maps");
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(json_integer_value(json_object_get(json_object_get(maps, expected[i].map), "limit")),
				 expected[i].entries);
	json_decref(status);
	vd_datapath_close(datapath);
}

/* ---- what a person is told ---- */

static void plan_network_route(struct vd_plan *plan, const char *destination, const char *next_hop)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route = (struct vd_plan_route){.domain = NETWORK,
					      .type = next_hop ? VD_PLAN_ROUTE_TYPE_NEXT_HOP : VD_PLAN_ROUTE_TYPE_LOCAL};
	assert_int_equal(vd_prefix_parse(destination, &record.route.destination), 0);
	if (next_hop)
		record.route.next_hop = address(next_hop);
	put(plan, &record);
}

/* As a packet finds it that goes out and in: the network's routes, its gateway known, port 3 may leave by the router's address. */
static struct vd_datapath *open_for_packets(struct vd_plan **ret_plan)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = network_plan();
	const struct vd_neighbour_key key = {.network = NETWORK, .address = {{inet_addr("203.0.113.1")}}};
	const struct vd_neighbour_value learnt = {.mac = {2, 8, 0, 0, 0, 1}, .family = 4, .known = 1, .confirmed = 77};
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
	record.policy_route.domain = 7;
	record.policy_route.priority = 10;
	record.policy_route.policy_route = 3010;
	assert_int_equal(vd_plan_remove(plan, &record), 1);
	vd_plan_record_init(&record, VD_PLAN_KIND_PORT);
	record.port.port = 103;
	assert_int_equal(vd_plan_get(plan, &record, &record), 0);
	record.port.snat = true;
	put(plan, &record);
	plan_network_route(plan, "203.0.113.0/24", NULL);
	plan_network_route(plan, "0.0.0.0/0", "203.0.113.1");
	fixture_sync(datapath, plan);
	assert_int_equal(vd_map_update(datapath->maps[VD_MAP_NEIGHBOUR], &key, &learnt, BPF_ANY), 0);
	assert_int_equal(vd_datapath_deadline_set(datapath, UINT64_MAX), 0);
	*ret_plan = plan;
	return datapath;
}

static void assert_trace(struct vd_datapath *datapath, struct vd_trace_request request, const char *source, const char *destination,
			 uint16_t port, const char *const expected[])
{
	struct vd_error error = {""};
	json_t *reply = NULL;
	char *text;

	request.protocol = 6;
	request.source_port = 40000;
	request.destination_port = port;
	request.source = address(source);
	request.destination = address(destination);
	if (vd_datapath_trace(datapath, &request, &reply, &error))
		fail_msg("trace: %s", error.text);
	text = json_dumps(reply, JSON_INDENT(1));
	for (size_t i = 0; expected[i]; i++)
		if (!strstr(text, expected[i]))
			fail_msg("no \"%s\" in %s", expected[i], text);
	free(text);
	json_decref(reply);
}

#define EXPECT(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

/* R-OPS-3: the way out and the way in, in the user's words, both tuples. */
static void test_trace_names_network_address_and_tuples(void **state)
{
	struct vd_plan *plan;
	struct vd_datapath *datapath = open_for_packets(&plan);
	const struct vd_trace_request one = {.from_port = 101}, three = {.from_port = 103}, two = {.from_port = 102},
				      outside = {.from_network = NETWORK};

	assert_trace(datapath, one, "10.0.1.11", "198.51.100.9", 80,
		     EXPECT("\"verdict\": \"sent\"", "\"to_interface\": \"p4\"", "\"network\": \"public\"",
			    "\"destination_mac\": \"02:08:",
			    "elastic IP on network public: 10.0.1.11 port 40000 to 198.51.100.9 port 80 becomes 203.0.113.5 port "
			    "40000 to 198.51.100.9 port 80"));
	assert_trace(datapath, three, "10.0.1.13", "198.51.100.9", 80,
		     EXPECT("\"verdict\": \"sent\"", "SNAT on network public: 10.0.1.13 port 40000", "becomes 203.0.113.2 port ",
			    "the default route, to a provider network", "network public: 203.0.113.1, a neighbour"));
	assert_trace(datapath, two, "10.0.1.12", "198.51.100.9", 80, EXPECT("\"reason\": \"no_snat\""));
	assert_trace(datapath, outside, "198.51.100.9", "203.0.113.2", 24,
		     EXPECT("\"verdict\": \"delivered\"", "\"to_port\": \"ecs2\"",
			    "the router's virtual IP vip60 on network public, forward ssh24",
			    "203.0.113.2 port 24 becomes 198.51.100.9 port 40000 to 10.0.1.12 port 24"));
	assert_trace(datapath, outside, "198.51.100.9", "203.0.113.5", 80,
		     EXPECT("\"verdict\": \"delivered\"", "\"to_port\": \"ecs1\"", "elastic virtual IP vip1000 on network public"));
	assert_trace(datapath, outside, "198.51.100.9", "203.0.113.200", 80, EXPECT("\"verdict\": \"dropped\""));
	/* From behind one address of ours to another: followed to the end. */
	assert_trace(datapath, three, "10.0.1.13", "203.0.113.5", 80,
		     EXPECT("\"verdict\": \"delivered\"", "\"to_port\": \"ecs1\"", "SNAT on network public", "comes in again",
			    "elastic IP on network public: 203.0.113.2 port"));
	assert_int_equal(fixture_entries(datapath, "vd_conn4"), 0);
	assert_int_equal(fixture_entries(datapath, "vd_nat4"), 0);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* As the instance behind p<port> would send it, through the live program. */
static void send_packet(struct vd_datapath *datapath, unsigned port, const char *destination, uint16_t source_port)
{
	struct vd_trace_request made = {.protocol = 6,
					.source_port = source_port,
					.destination_port = 80,
					.source_mac = {{2, 0, 0, 0, 0, (uint8_t)port}},
					.destination_mac = {VD_GATEWAY_MAC}};
	struct __sk_buff context = {.ifindex = fixture_ifindex(port)};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	char source[32];
	size_t size;

	snprintf(source, sizeof(source), "10.0.1.%u", 10 + port);
	made.source = address(source);
	made.destination = address(destination);
	assert_int_equal(vd_packet_build(&made, packet, &size), 0);
	run.data_size_in = (uint32_t)size;
	assert_int_equal(bpf_prog_test_run_opts(datapath->programs[VD_FUNCTION_PORT], &run), 0);
}

static void drop_keep(json_t *drop, void *userdata)
{
	json_t **kept = userdata;

	json_decref(*kept);
	*kept = json_incref(drop);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "(none)";
}

static void wanted_keep(const struct vd_neighbour_news *news, void *userdata)
{
	struct vd_address *asked = userdata;

	assert_int_equal(news->network, NETWORK);
	assert_false(news->known);
	*asked = news->address;
}

/* Connections say how they are seen outside, flows both tuples, drops the network; claims are counted by address. */
static void test_live_tables_show_both_sides(void **state)
{
	struct vd_plan *plan;
	struct vd_datapath *datapath = open_for_packets(&plan);
	struct vd_address asked = {}, unknown = address("203.0.113.77");
	json_t *drop = NULL, *list, *item, *translations;

	assert_true(vd_datapath_drop_fd(datapath) >= 0);
	assert_true(vd_datapath_neighbour_fd(datapath) >= 0);
	for (unsigned i = 0; i < 3; i++)
		send_packet(datapath, 3, "198.51.100.9", 40000);
	send_packet(datapath, 3, "198.51.100.9", 40001);
	send_packet(datapath, 3, "198.51.100.10", 40000);
	list = vd_datapath_connections(datapath, 10);
	assert_int_equal(json_array_size(list), 3);
	item = json_array_get(list, 0);
	assert_string_equal(text_of(item, "source"), "10.0.1.13");
	assert_string_equal(text_of(item, "network"), "public");
	assert_string_equal(text_of(item, "vip"), "203.0.113.2");
	assert_string_equal(text_of(item, "translation"), "snat");
	json_decref(list);
	list = vd_datapath_flows(datapath, 10);
	assert_int_equal(json_array_size(list), 3);
	item = json_array_get(list, 0);
	assert_string_equal(text_of(item, "source"), "10.0.1.13");
	assert_string_equal(text_of(item, "output"), "uplink");
	assert_string_equal(text_of(json_object_get(item, "translated"), "source"), "203.0.113.2");
	assert_string_equal(text_of(json_object_get(item, "translated"), "destination"), text_of(item, "destination"));
	json_decref(list);

	translations = vd_datapath_translations(datapath);
	assert_int_equal(json_array_size(translations), 1);
	item = json_array_get(translations, 0);
	assert_string_equal(text_of(item, "network"), "public");
	assert_string_equal(text_of(item, "vip"), "203.0.113.2");
	assert_int_equal(json_integer_value(json_object_get(item, "used")), 3);
	assert_int_equal(json_integer_value(json_object_get(item, "busiest")), 2);
	assert_int_equal(json_integer_value(json_object_get(item, "limit")), 60000);
	json_decref(translations);

	send_packet(datapath, 2, "198.51.100.9", 40000);
	assert_int_equal(vd_datapath_drop_events(datapath, drop_keep, &drop), 0);
	assert_non_null(drop);
	assert_string_equal(text_of(drop, "reason"), "no_snat");
	assert_string_equal(text_of(drop, "network"), "public");
	json_decref(drop);

	/* Someone on the link whom nobody knows yet: the agent is told to ask. */
	send_packet(datapath, 3, "203.0.113.77", 40000);
	assert_int_equal(vd_datapath_neighbour_read(datapath, wanted_keep, &asked), 0);
	assert_true(vd_address_equal(&asked, &unknown));
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sync_fills_the_networks_maps, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sync_repairs_the_networks_maps, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_difference_equals_sync, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_changes_bump_what_depends_on_them, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_binding_again_and_again_leaves_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_uplink_is_shared_with_others_filters, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_uplink_with_an_ingress_qdisc_is_taken_as_it_is, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_uplink_that_is_gone_is_said, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_neighbour_learnt_is_kept, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_deadline_is_told_to_the_data_plane, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_names_network_address_and_tuples, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_live_tables_show_both_sides, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sizes_follow_the_connections_asked_for, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
