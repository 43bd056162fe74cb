/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "datapath/packet.h"
#include "datapath/program.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <string.h>

static struct vd_trace_request request(const char *source, const char *destination, uint8_t protocol, uint16_t port)
{
	struct vd_trace_request made = {
		.from_port = 101, .protocol = protocol, .source_port = 40000, .destination_port = port, .size = 20};

	assert_int_equal(vd_address_parse(source, &made.source), 0);
	assert_int_equal(vd_address_parse(destination, &made.destination), 0);
	return made;
}

static json_t *trace(struct vd_datapath *datapath, const struct vd_trace_request *made)
{
	struct vd_error error = {""};
	json_t *reply = NULL;

	if (vd_datapath_trace(datapath, made, &reply, &error))
		fail_msg("trace: %s", error.text);
	return reply;
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "(none)";
}

static void assert_step(const json_t *reply, const char *stage, const char *text)
{
	json_t *steps = json_object_get(reply, "steps"), *step;
	size_t i;

	json_array_foreach (steps, i, step)
		if (!strcmp(text_of(step, "stage"), stage) && strstr(text_of(step, "text"), text))
			return;
	fail_msg("no step \"%s\" with \"%s\" in %s", stage, text, json_dumps(reply, JSON_INDENT(1)));
}

static json_int_t counter(struct vd_datapath *datapath, const char *name)
{
	json_t *counters = vd_datapath_counters(datapath);
	json_int_t value = json_integer_value(json_object_get(counters, name));

	json_decref(counters);
	return value;
}

/* The packet as the instance behind p<port> would send it, through the live program. The kernel carries out no redirect of a test
 * run. */
static void send_packet(struct vd_datapath *datapath, unsigned port, struct vd_trace_request made)
{
	struct __sk_buff context = {.ifindex = fixture_ifindex(port)};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	size_t size;

	made.source_mac = (struct vd_mac){{2, 0, 0, 0, 0, (uint8_t)port}};
	assert_int_equal(vd_packet_build(&made, packet, &size), 0);
	run.data_size_in = (uint32_t)size;
	assert_int_equal(bpf_prog_test_run_opts(datapath->programs[VD_FUNCTION_PORT], &run), 0);
}

static void test_neighbour_in_the_subnet_is_delivered(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	static const struct {
		const char *source, *destination;
		uint8_t protocol;
	} cases[] = {
		{"10.0.1.11", "10.0.1.12", IPPROTO_TCP},  {"10.0.1.11", "10.0.1.12", IPPROTO_UDP},
		{"10.0.1.11", "10.0.1.12", IPPROTO_ICMP}, {"fd00::11", "fd00::12", IPPROTO_TCP},
		{"fd00::11", "fd00::12", IPPROTO_UDP},    {"fd00::11", "fd00::12", IPPROTO_ICMPV6},
	};

	fixture_sync(datapath, plan);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_trace_request made = request(cases[i].source, cases[i].destination, cases[i].protocol, 80);
		json_t *reply = trace(datapath, &made);

		assert_string_equal(text_of(reply, "verdict"), "delivered");
		assert_string_equal(text_of(reply, "to_port"), "ecs2");
		assert_step(reply, "source check", "its own address");
		assert_step(reply, "route", "inside the VPC");
		assert_step(reply, "endpoint", "port ecs2 on this host, subnet nodes");
		json_decref(reply);
	}
	assert_int_equal(fixture_entries(datapath, "vd_conn4"), 0); /* explaining leaves nothing */
	assert_int_equal(fixture_entries(datapath, "vd_flow4"), 0);
	assert_int_equal(counter(datapath, "misses"), 0);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static int name_remote(uint32_t id, char *text, size_t size, void *userdata)
{
	if (id != 500)
		return -ENOENT;
	snprintf(text, size, "%s", (const char *)userdata);
	return 0;
}

static void test_other_host_is_sent_through_the_tunnel(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	struct vd_trace_request made = request("10.0.1.11", "10.0.9.9", IPPROTO_UDP, 53);
	json_t *reply;

	fixture_plan_remote(plan, "10.0.9.9", 500);
	fixture_sync(datapath, plan);
	reply = trace(datapath, &made);
	assert_string_equal(text_of(reply, "verdict"), "sent");
	assert_int_equal(json_integer_value(json_object_get(reply, "to_host")), 50);
	assert_int_equal(json_integer_value(json_object_get(reply, "vni")), 1008);
	assert_string_equal(text_of(reply, "destination_mac"), "02:01:00:00:01:f4");
	assert_step(reply, "endpoint", "port #500 on host h2");
	json_decref(reply);
	made.name = name_remote;
	made.name_userdata = "web9";
	reply = trace(datapath, &made);
	assert_step(reply, "endpoint", "port web9 on host h2");
	json_decref(reply);

	/* The way back, as it comes from that host. */
	made = request("10.0.9.9", "10.0.1.11", IPPROTO_UDP, 40000);
	made.from_port = 0;
	made.vni = 1008;
	made.destination_mac = (struct vd_mac){{2, 0, 0, 0, 0, 1}};
	made.source_mac = (struct vd_mac){{2, 1, 0, 0, 1, 0xf4}};
	assert_int_equal(vd_address_parse("192.0.2.9", &made.vtep), 0);
	reply = trace(datapath, &made);
	assert_string_equal(text_of(reply, "verdict"), "delivered");
	assert_string_equal(text_of(reply, "to_port"), "ecs1");
	json_decref(reply);

	assert_int_equal(vd_address_parse("192.0.2.66", &made.vtep), 0);
	reply = trace(datapath, &made);
	assert_string_equal(text_of(reply, "verdict"), "dropped");
	assert_string_equal(text_of(reply, "reason"), "unknown_vtep");
	json_decref(reply);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_drop_names_its_reason(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	static const struct {
		const char *source, *destination, *reason, *stage;
	} cases[] = {
		{"10.0.1.99", "10.0.1.12", "source_address", "source check"},
		{"10.0.1.11", "10.0.1.99", "no_endpoint", "endpoint"},
		{"10.0.1.11", "10.7.0.1", "no_route", "route"},
		{"10.0.1.11", "10.10.0.1", "blackhole", "route"},
		{"10.0.1.11", "10.9.0.1", "next_hop_unusable", "route"},
	};

	json_t *drops;

	fixture_plan_route(plan, "10.10.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_plan_route(plan, "10.9.0.0/16", 32, VD_PLAN_ROUTE_TYPE_UNUSABLE, "10.0.1.77");
	fixture_sync(datapath, plan);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_trace_request made = request(cases[i].source, cases[i].destination, IPPROTO_ICMP, 0);
		json_t *reply = trace(datapath, &made);

		assert_string_equal(text_of(reply, "verdict"), "dropped");
		assert_string_equal(text_of(reply, "reason"), cases[i].reason);
		assert_step(reply, cases[i].stage, text_of(reply, "sentence"));
		json_decref(reply);
	}
	drops = vd_datapath_drops(datapath);
	assert_int_equal(json_array_size(drops), 0);
	json_decref(drops);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_router_answers_for_its_gateway(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	struct vd_trace_request made = request("10.0.1.11", "10.0.1.1", IPPROTO_ICMP, 0);
	json_t *reply;

	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_service_set(datapath, 7, fixture_ifindex(FIXTURE_PORTS), NULL), 0);
	reply = trace(datapath, &made);
	assert_string_equal(text_of(reply, "verdict"), "answered");
	assert_step(reply, "output", "router of demo");
	json_decref(reply);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_trace_from_elsewhere_is_refused(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	struct vd_trace_request made = request("10.0.1.11", "fd00::12", IPPROTO_TCP, 80);
	struct vd_error error = {""};
	json_t *reply = NULL;

	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_trace(datapath, &made, &reply, &error), -EINVAL);
	made = request("10.0.1.11", "10.0.1.12", IPPROTO_TCP, 80);
	made.from_port = 999;
	assert_int_equal(vd_datapath_trace(datapath, &made, &reply, &error), -ENOENT);
	made.from_port = 101;
	made.size = 9000;
	assert_int_equal(vd_datapath_trace(datapath, &made, &reply, &error), -EMSGSIZE);
	assert_null(reply);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/*
 * What a change bumps: flows that depend on it miss once, the others keep hitting.
 */
static void test_change_makes_its_flows_miss_and_no_others(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = fixture_plan();
	struct vd_trace_request one = request("10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53),
				two = request("10.0.1.13", "10.0.1.11", IPPROTO_UDP, 53);
	json_t *flows;

	fixture_sync(datapath, before);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "installed"), 0);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "misses"), 4);
	assert_int_equal(counter(datapath, "installed"), 2);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "hits"), 2);
	assert_int_equal(counter(datapath, "misses"), 4);

	/* A new port concerns nobody. */
	fixture_plan_port(after, FIXTURE_PORTS, fixture_ifindex(FIXTURE_PORTS));
	fixture_apply(datapath, before, after);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "hits"), 4);
	assert_int_equal(counter(datapath, "misses"), 4);

	flows = vd_datapath_flows(datapath, 10);
	assert_int_equal(json_array_size(flows), 2);
	assert_true(json_is_true(json_object_get(json_array_get(flows, 0), "valid")));
	json_decref(flows);

	/* Any route of the table: both decide anew, once. */
	fixture_plan_route(before, "10.9.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_apply(datapath, after, before);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "hits"), 4);
	assert_int_equal(counter(datapath, "misses"), 6);
	send_packet(datapath, 1, one);
	assert_int_equal(counter(datapath, "hits"), 5);

	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/* The endpoint of one flow moves to another host: that flow goes there with its next packet, the other does not notice. */
static void test_moved_endpoint_is_obeyed_by_the_next_packet(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = fixture_plan();
	struct vd_trace_request one = request("10.0.1.11", "10.0.9.9", IPPROTO_UDP, 53),
				two = request("10.0.1.13", "10.0.1.11", IPPROTO_UDP, 53);
	json_t *connections;

	fixture_plan_remote(before, "10.0.9.9", 500);
	fixture_plan_remote(after, "10.0.9.9", 501);
	fixture_sync(datapath, before);
	for (int i = 0; i < 2; i++) {
		send_packet(datapath, 1, one);
		send_packet(datapath, 3, two);
	}
	fixture_apply(datapath, before, after);
	send_packet(datapath, 1, one);
	send_packet(datapath, 3, two);
	assert_int_equal(counter(datapath, "misses"), 5);
	assert_int_equal(counter(datapath, "hits"), 1);
	connections = vd_datapath_connections(datapath, 10);
	assert_int_equal(json_array_size(connections), 2);
	json_decref(connections);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/* A container behind an instance on another host, an address that no endpoint has: its flow ends when that host leaves. */
static void test_flow_from_a_host_that_left_ends(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = fixture_plan();
	struct vd_trace_request one = request("10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53);
	struct vd_plan_record host;

	vd_plan_record_init(&host, VD_PLAN_KIND_TUNNEL_HOST);
	host.tunnel_host.host = 50;
	assert_int_equal(vd_plan_remove(after, &host), 1);
	fixture_sync(datapath, before);
	for (int i = 0; i < 3; i++)
		send_packet(datapath, 1, one);
	assert_int_equal(counter(datapath, "hits"), 1);
	fixture_apply(datapath, before, after);
	send_packet(datapath, 1, one);
	assert_int_equal(counter(datapath, "misses"), 3);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/*
 * R-OPS-5 (daemon): killed after a route's entry was written and before its generation was bumped. Nothing differs from the plan
 * then, and yet the flow is stale: the next start makes it decide anew.
 */
static void test_death_between_write_and_bump_leaves_no_stale_flow(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = fixture_plan();
	struct vd_trace_request one = request("10.0.1.11", "10.9.0.1", IPPROTO_UDP, 53);
	static struct vd_generations kept;
	uint32_t key = 0;

	fixture_plan_route(before, "10.9.0.0/16", 31, VD_PLAN_ROUTE_TYPE_NEXT_HOP, "10.0.1.12");
	fixture_plan_route(after, "10.9.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_sync(datapath, before);
	for (int i = 0; i < 3; i++)
		send_packet(datapath, 1, one);
	assert_int_equal(counter(datapath, "hits"), 1);

	/* As the process leaves it that dies there: the entry new, the generations old, the sign standing. */
	assert_int_equal(bpf_map_lookup_elem(datapath->maps[VD_MAP_GENERATION], &key, &kept), 0);
	fixture_apply(datapath, before, after);
	assert_int_equal(bpf_map_update_elem(datapath->maps[VD_MAP_GENERATION], &key, &kept, BPF_ANY), 0);
	fixture_run("mkdir %s/changing", fixture_pins());
	vd_datapath_close(datapath);

	datapath = fixture_open();
	fixture_sync(datapath, after);
	send_packet(datapath, 1, one);
	assert_int_equal(counter(datapath, "hits"), 1);
	assert_int_equal(counter(datapath, "misses"), 3);
	fixture_run("! test -e %s/changing", fixture_pins());
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

static void on_drop(json_t *drop, void *userdata)
{
	*(json_t **)userdata = json_incref(drop);
}

static void test_sampled_drop_is_told_in_the_users_names(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	json_t *drop = NULL, *drops;

	fixture_plan_route(plan, "10.10.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_sync(datapath, plan);
	assert_true(vd_datapath_drop_fd(datapath) >= 0);
	send_packet(datapath, 1, request("10.0.1.11", "10.10.0.1", IPPROTO_TCP, 80));
	assert_int_equal(vd_datapath_drop_events(datapath, on_drop, &drop), 0);
	assert_non_null(drop);
	assert_string_equal(text_of(drop, "reason"), "blackhole");
	assert_string_equal(text_of(drop, "port"), "ecs1");
	assert_string_equal(text_of(drop, "vpc"), "demo");
	assert_string_equal(text_of(drop, "route"), "demo/10.10.0.0/16");
	assert_string_equal(text_of(drop, "host_interface"), "p1");
	assert_string_equal(text_of(drop, "destination"), "10.10.0.1");
	assert_int_equal(json_integer_value(json_object_get(drop, "destination_port")), 80);
	drops = vd_datapath_drops(datapath);
	assert_int_equal(json_array_size(drops), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(drops, 0), "packets")), 1);
	json_decref(drop);
	json_decref(drops);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void on_packet(const struct vd_captured_packet *packet, void *userdata)
{
	unsigned *seen = userdata;

	assert_int_equal(packet->size, 14 + 20 + 8 + 20);
	seen[packet->to_instance]++;
}

static void test_capture_sees_both_directions(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	unsigned seen[2] = {0, 0};

	fixture_sync(datapath, plan);
	for (int i = 0; i < 2; i++) /* cached before anyone looks */
		send_packet(datapath, 1, request("10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53));
	assert_true(vd_datapath_capture_fd(datapath) >= 0);
	assert_int_equal(vd_datapath_capture_set(datapath, 101, true, NULL), 0);
	send_packet(datapath, 1, request("10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53));
	send_packet(datapath, 2, request("10.0.1.12", "10.0.1.11", IPPROTO_UDP, 53));
	send_packet(datapath, 2, request("10.0.1.12", "10.0.1.13", IPPROTO_UDP, 53));
	assert_int_equal(vd_datapath_capture_events(datapath, on_packet, seen), 0);
	assert_int_equal(seen[false], 1);
	assert_int_equal(seen[true], 1);
	assert_int_equal(vd_datapath_capture_set(datapath, 101, false, NULL), 0);
	send_packet(datapath, 1, request("10.0.1.11", "10.0.1.12", IPPROTO_UDP, 53));
	assert_int_equal(vd_datapath_capture_events(datapath, on_packet, seen), 0);
	assert_int_equal(seen[false], 1);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_neighbour_in_the_subnet_is_delivered, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_other_host_is_sent_through_the_tunnel, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_drop_names_its_reason, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_router_answers_for_its_gateway, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_from_elsewhere_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_change_makes_its_flows_miss_and_no_others, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_moved_endpoint_is_obeyed_by_the_next_packet, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_flow_from_a_host_that_left_ends, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_death_between_write_and_bump_leaves_no_stale_flow, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sampled_drop_is_told_in_the_users_names, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_capture_sees_both_directions, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
