// SPDX-License-Identifier: Apache-2.0
/* The tracing copy: the same programs over the live maps, which explain and change nothing. */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

static struct packet_spec udp(const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 53};
}

/* Loads the tracing copy over the fixture's maps; its tail calls stand behind the live ones. */
static struct viaduct_bpf *open_tracer(struct fixture *fixture)
{
	struct viaduct_bpf *tracer = viaduct_bpf__open();
	uint32_t decide = VD_PROGRAM_COUNT + VD_PROGRAM_DECIDE, neighbour = VD_PROGRAM_COUNT + VD_PROGRAM_NEIGHBOUR;
	struct bpf_map *map, *live;
	int fd;

	assert_non_null(tracer);
	tracer->rodata->vd_overlay_ifindex = fixture->ifindex_overlay;
	tracer->rodata->vd_flow4_size = fixture->bpf->rodata->vd_flow4_size;
	tracer->rodata->vd_flow6_size = fixture->bpf->rodata->vd_flow6_size;
	tracer->rodata->vd_tracing = true;
	bpf_object__for_each_map(map, tracer->obj)
	{
		live = bpf_object__find_map_by_name(fixture->bpf->obj, bpf_map__name(map));
		if (!strstr(bpf_map__name(map), ".rodata"))
			assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(live)), 0);
	}
	assert_int_equal(viaduct_bpf__load(tracer), 0);
	fd = bpf_program__fd(tracer->progs.vd_decide);
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_programs, &decide, 4, &fd, 4, BPF_ANY), 0);
	fd = bpf_program__fd(tracer->progs.vd_answer);
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_programs, &neighbour, 4, &fd, 4, BPF_ANY), 0);
	return tracer;
}

/* Whether traces go on past what refuses. */
static bool goes_on;

static int trace(struct fixture *fixture, struct viaduct_bpf *tracer, uint8_t type, uint32_t ingress, const struct packet *packet,
		 struct vd_trace *ret)
{
	struct packet out;
	uint32_t zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->size, .data_out = out.data,
		    .data_size_out = sizeof(out.data), .repeat = 1);

	memset(ret, 0, sizeof(*ret));
	ret->ingress = ingress;
	ret->ingress_type = type;
	text_to_address("192.0.2.2", ret->vtep.byte);
	ret->vtep_family = 4;
	ret->goes_on = goes_on;
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_trace, &zero, sizeof(zero), ret, sizeof(*ret), BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(type == VD_INGRESS_PORT ? tracer->progs.vd_port_ingress
											: tracer->progs.vd_overlay_ingress),
						&options),
			 0);
	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_trace, &zero, sizeof(zero), ret, sizeof(*ret), 0), 0);
	assert_memory_equal(out.data, packet->data, packet->size);
	return options.retval;
}

static void assert_steps(const struct vd_trace *trace, const uint32_t *stages, uint32_t count, enum vd_drop_reason last)
{
	assert_int_equal(trace->step_count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(trace->step[i].stage, stages[i]);
		assert_int_equal(trace->step[i].reason, i + 1 == count ? last : VD_DROP_REASON_NONE);
	}
}

static void test_trace_says_every_stage_and_changes_nothing(void **state)
{
	static const uint32_t stages[] = {VD_STAGE_PARSE, VD_STAGE_FLOW,     VD_STAGE_SOURCE_CHECK,
					  VD_STAGE_ROUTE, VD_STAGE_ENDPOINT, VD_STAGE_CONNECTION,
					  VD_STAGE_TTL,   VD_STAGE_MTU,      VD_STAGE_OUTPUT};
	struct fixture *fixture = *state;
	struct viaduct_bpf *tracer = open_tracer(fixture);
	struct packet_spec spec = udp("10.0.0.2", "10.0.1.2");
	struct vd_connection connection;
	struct packet packet;
	struct vd_trace said;
	struct vd_flow flow;

	packet_build(&spec, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_OK);
	assert_steps(&said, stages, 9, VD_DROP_REASON_NONE);
	assert_int_equal(said.step[1].detail[0], 0);
	assert_int_equal(said.step[4].detail[0], PORT_C);
	assert_int_equal(said.flow.output, VD_OUTPUT_PEER);
	assert_int_equal(said.flow.output_ifindex, fixture->ifindex_c);
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, &flow));
	assert_false(find_connection(fixture, RED, &spec, &connection));
	assert_int_equal(read_misses(fixture), 0);
	/* The next packets meet what was said; after the second the trace knows of the cached flow. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, &flow));
	assert_int_equal(flow.output_ifindex, said.flow.output_ifindex);
	assert_memory_equal(flow.destination_mac, said.flow.destination_mac, 6);
	assert_int_equal(flow.generation_sum, said.flow.generation_sum);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_OK);
	assert_int_equal(said.step[1].detail[0], 1);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, &flow));
	assert_int_equal(flow.packets, 1);
	viaduct_bpf__destroy(tracer);
}

static void test_trace_names_the_reason(void **state)
{
	static const uint32_t source[] = {VD_STAGE_PARSE, VD_STAGE_FLOW, VD_STAGE_SOURCE_CHECK};
	static const uint32_t blackhole[] = {VD_STAGE_PARSE, VD_STAGE_FLOW, VD_STAGE_SOURCE_CHECK, VD_STAGE_ROUTE};
	struct fixture *fixture = *state;
	struct viaduct_bpf *tracer = open_tracer(fixture);
	struct packet_spec foreign = udp("172.16.0.5", "10.0.1.2"), nowhere = udp("10.0.0.2", "172.16.2.9");
	struct packet packet;
	struct vd_trace said;

	packet_build(&foreign, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_SHOT);
	assert_steps(&said, source, 3, VD_DROP_REASON_SOURCE_ADDRESS);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_SOURCE_ADDRESS), 0);
	packet_build(&nowhere, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_SHOT);
	assert_steps(&said, blackhole, 4, VD_DROP_REASON_BLACKHOLE);
	assert_int_equal(said.step[3].detail[0], 52);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, 4242, &packet, &said), TC_ACT_SHOT);
	assert_int_equal(said.step[said.step_count - 1].reason, VD_DROP_REASON_UNKNOWN_PORT);
	packet_build_arp(MAC_A, MAC_A, "10.0.0.2", "10.0.0.99", 1, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_SHOT);
	assert_int_equal(said.step[said.step_count - 1].reason, VD_DROP_REASON_NEIGHBOUR_UNKNOWN);
	viaduct_bpf__destroy(tracer);
}

static void test_trace_of_the_far_side(void **state)
{
	struct fixture *fixture = *state;
	struct viaduct_bpf *tracer = open_tracer(fixture);
	struct packet_spec spec = udp("10.0.0.4", "10.0.0.2");
	struct packet packet;
	struct vd_trace said;

	spec.source_mac = MAC_D;
	spec.destination_mac = MAC_A;
	packet_build(&spec, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_TUNNEL, 1010, &packet, &said), TC_ACT_OK);
	assert_int_equal(said.flow.output_ifindex, fixture->ifindex_a);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_TUNNEL, 7777, &packet, &said), TC_ACT_SHOT);
	assert_int_equal(said.step[said.step_count - 1].reason, VD_DROP_REASON_UNKNOWN_SEGMENT);
	viaduct_bpf__destroy(tracer);
}

/* What refuses is said, and what comes behind it too; no other packet passes for that. */
static void test_trace_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct viaduct_bpf *tracer = open_tracer(fixture);
	struct packet_spec foreign = udp("172.16.0.5", "10.0.1.2"), nowhere = udp("172.16.0.5", "172.16.2.9");
	struct packet packet;
	struct vd_trace said;

	goes_on = true;
	packet_build(&foreign, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_OK);
	assert_int_equal(said.step[2].reason, VD_DROP_REASON_SOURCE_ADDRESS);
	assert_int_equal(said.step[said.step_count - 1].stage, VD_STAGE_OUTPUT);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), TC_ACT_SHOT);
	packet_build(&nowhere, &packet);
	assert_int_equal(trace(fixture, tracer, VD_INGRESS_PORT, fixture->ifindex_a, &packet, &said), TC_ACT_SHOT);
	assert_int_equal(said.step_count, 4);
	assert_int_equal(said.step[2].reason, VD_DROP_REASON_SOURCE_ADDRESS);
	assert_int_equal(said.step[3].stage, VD_STAGE_ROUTE);
	assert_int_equal(said.step[3].reason, VD_DROP_REASON_BLACKHOLE);
	goes_on = false;
	viaduct_bpf__destroy(tracer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trace_says_every_stage_and_changes_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_names_the_reason, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_of_the_far_side, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_trace_goes_on, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
