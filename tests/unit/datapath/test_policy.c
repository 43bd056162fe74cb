// SPDX-License-Identifier: Apache-2.0
/* Rules on their way from the plan into the maps, also while packets are judged by them. */
#include "fixture.h"

#include "base/cleanup.h"
#include "datapath/packet.h"
#include "datapath/policy.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* Identities: port 2 has WEB and is protected; port 1 is who comes. */
enum {
	WEB = 9,
	FIRST = 5,
	SECOND = 6,
};

static struct vd_plan *plan_protected(void)
{
	struct vd_plan *plan = fixture_plan();

	fixture_plan_policy(plan, 2, WEB);
	return plan;
}

/* One rule among 10,000 costs its own entries; what it adds disturbs nobody, what it takes away only flows of its policy. */
static void test_one_rule_costs_its_own_entries(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = plan_protected(), *after = plan_protected();
	char prefix[32];
	uint64_t writes;

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(prefix, sizeof(prefix), "172.%u.%u.%u/32", 16 + i / 5000, i / 250 % 20, i % 250);
		fixture_plan_rule(before, WEB, 1000 + i, 443, prefix, 0);
		fixture_plan_rule(after, WEB, 1000 + i, 443, prefix, 0);
	}
	fixture_plan_rule(after, WEB, 77, 80, "10.0.0.0/8", 0);
	fixture_sync(datapath, before);
	writes = vd_datapath_writes(datapath);
	fixture_apply(datapath, before, after);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 4); /* the port, its span, the remote end, the mask */
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, after);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 0);
	fixture_apply(datapath, after, before);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 5); /* and the policy's generation */
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, before);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 0);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

static void test_restart_adopts_policies(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = plan_protected();

	fixture_plan_rule(plan, WEB, 77, 80, "10.0.0.0/8", 0);
	fixture_plan_rule(plan, WEB, 78, 443, NULL, FIRST);
	fixture_sync(datapath, plan);
	vd_datapath_close(datapath);
	datapath = fixture_open();
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath), 0);
	assert_int_equal(fixture_entries(datapath, "vd_policy"), 2);
	assert_int_equal(fixture_entries(datapath, "vd_remote"), 2);
	assert_int_equal(fixture_entries(datapath, "vd_allow"), 2);
	assert_int_equal(fixture_entries(datapath, "vd_span"), 2);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* Rules and identities that change at once, every way, leave what a sync would have left. */
static void test_difference_equals_sync(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plans[5];
	uint64_t writes;

	for (unsigned i = 0; i < 5; i++)
		plans[i] = i ? plan_protected() : fixture_plan();
	fixture_plan_rule(plans[1], WEB, 77, 80, "10.0.0.0/8", 0);
	fixture_plan_rule(plans[2], WEB, 77, 81, "10.0.0.0/8", 0);
	fixture_plan_rule(plans[2], WEB, 78, 80, NULL, FIRST);
	fixture_plan_policy(plans[2], 1, SECOND);
	fixture_plan_rule(plans[3], WEB, 78, 80, NULL, SECOND);
	fixture_plan_policy(plans[3], 1, FIRST);
	fixture_plan_policy(plans[4], 3, WEB);
	fixture_plan_policy(plans[4], 1, WEB);
	for (unsigned i = 0; i < 25; i++) {
		fixture_sync(datapath, plans[i / 5]);
		fixture_apply(datapath, plans[i / 5], plans[i % 5]);
		writes = vd_datapath_writes(datapath);
		fixture_sync(datapath, plans[i % 5]);
		assert_int_equal(vd_datapath_writes(datapath), writes);
	}
	for (unsigned i = 0; i < 5; i++)
		vd_plan_free(plans[i]);
	vd_datapath_close(datapath);
}

/* ---- packets while rules change ---- */

/* There and back; a change that waits takes as long as the kernel needs to see all packets through. */
#define CHANGES 12
#define PACKETS 20000

struct sending {
	struct vd_datapath *datapath;
	uint16_t port;
	uint32_t wrong; /* a verdict that must not be */
	unsigned count, wrongs;
	bool stop, failed;
};

/* First packets from port 1 to port 2, without end: a SYN always goes to decide. */
static void *send_syns(void *userdata)
{
	struct sending *sending = userdata;
	struct vd_trace_request request = {.protocol = IPPROTO_TCP,
					   .source_port = 1000,
					   .destination_port = sending->port,
					   .source_mac = {{2, 0, 0, 0, 0, 1}}};
	struct __sk_buff context = {.ifindex = fixture_ifindex(1)};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	size_t size;

	vd_address_parse("10.0.1.11", &request.source);
	vd_address_parse("10.0.1.12", &request.destination);
	vd_packet_build(&request, packet, &size);
	run.data_size_in = (uint32_t)size;
	while (!__atomic_load_n(&sending->stop, __ATOMIC_RELAXED)) {
		if (bpf_prog_test_run_opts(sending->datapath->programs[VD_FUNCTION_PORT], &run))
			sending->failed = true;
		__atomic_fetch_add(&sending->count, 1, __ATOMIC_RELAXED);
		sending->wrongs += run.retval == sending->wrong;
	}
	return NULL;
}

/* Of the processors that the test may use: a scheduler that packs threads together would let only one of two run at a time. */
static void pin(pthread_t thread, const cpu_set_t *allowed, bool is_last)
{
	int first = -1, last = -1;
	cpu_set_t one;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, allowed))
			continue;
		first = first < 0 ? cpu : first;
		last = cpu;
	}
	CPU_ZERO(&one);
	CPU_SET(is_last ? last : first, &one);
	assert_int_equal(pthread_setaffinity_np(thread, sizeof(one), &one), 0);
}

static unsigned change_under_traffic(struct vd_datapath *datapath, const struct vd_plan *a, const struct vd_plan *b, uint16_t port,
				     uint32_t wrong)
{
	struct sending sending = {.datapath = datapath, .port = port, .wrong = wrong};
	cpu_set_t allowed;
	pthread_t thread;

	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed), 0);
	assert_int_equal(pthread_create(&thread, NULL, send_syns, &sending), 0);
	pin(thread, &allowed, true);
	pin(pthread_self(), &allowed, false);
	for (unsigned i = 0; i < CHANGES || __atomic_load_n(&sending.count, __ATOMIC_RELAXED) < PACKETS; i++) {
		fixture_apply(datapath, a, b);
		fixture_apply(datapath, b, a);
	}
	__atomic_store_n(&sending.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed), 0);
	assert_false(sending.failed);
	return sending.wrongs;
}

static void assert_never_passes(struct vd_plan *a, struct vd_plan *b, bool has_router)
{
	struct vd_datapath *datapath = fixture_open();

	fixture_sync(datapath, a);
	if (has_router)
		assert_int_equal(vd_datapath_service_set(datapath, 7, fixture_ifindex(FIXTURE_PORTS), NULL), 0);
	assert_int_equal(change_under_traffic(datapath, a, b, 80, TC_ACT_REDIRECT), 0);
	vd_plan_free(a);
	vd_plan_free(b);
	vd_datapath_close(datapath);
}

static void close_egress(struct vd_plan *plan, uint32_t identity)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY);
	record.policy.identity = identity;
	record.policy.direction = VD_PLAN_DIRECTION_EGRESS;
	assert_int_equal(vd_plan_get(plan, &record, &record), 0);
	record.policy.open = false;
	vd_plan_put(plan, &record);
}

/* One allows the second identity while port 1 is of the first, the other the other way round: neither lets it in. */
static void test_what_neither_allows_never_passes(void **state)
{
	struct vd_plan *a = plan_protected(), *b = plan_protected();

	fixture_plan_rule(a, WEB, 77, 80, NULL, SECOND);
	fixture_plan_policy(a, 1, FIRST);
	fixture_plan_rule(b, WEB, 77, 80, NULL, FIRST);
	fixture_plan_policy(b, 1, SECOND);
	assert_never_passes(a, b, false);
}

/* One lets port 1 send and port 2 not receive, the other the other way round: the rules of both ports change at once. */
static void test_two_ends_never_mix(void **state)
{
	struct vd_plan *a = plan_protected(), *b = plan_protected();

	fixture_plan_policy(a, 1, FIRST);
	fixture_plan_policy(b, 1, FIRST);
	close_egress(b, FIRST);
	fixture_plan_rule(b, WEB, 77, 80, "10.0.0.0/8", 0);
	assert_never_passes(a, b, false);
}

/* Who is of the first identity may send nothing, who is of the second may, but port 2 lets in only the first. No rule changes. */
static void test_one_port_is_never_of_two_identities(void **state)
{
	struct vd_plan *plans[2];

	for (unsigned i = 0; i < 2; i++) {
		plans[i] = plan_protected();
		fixture_plan_policy(plans[i], 1, i ? FIRST : SECOND);
		fixture_plan_policy(plans[i], 1, i ? SECOND : FIRST);
		close_egress(plans[i], FIRST);
		fixture_plan_rule(plans[i], WEB, 77, 80, NULL, FIRST);
	}
	assert_never_passes(plans[0], plans[1], false);
}

/* The first identity may send as soon as port 1, of which decide remembers what it was, is of it no more. */
static void test_what_is_remembered_never_meets_a_new_rule(void **state)
{
	struct vd_plan *plans[2];

	for (unsigned i = 0; i < 2; i++) {
		plans[i] = plan_protected();
		fixture_plan_policy(plans[i], 1, i ? FIRST : SECOND);
		fixture_plan_policy(plans[i], 1, i ? SECOND : FIRST);
		close_egress(plans[i], i ? SECOND : FIRST);
		fixture_plan_rule(plans[i], WEB, 77, 80, "10.0.0.0/8", 0);
	}
	assert_never_passes(plans[0], plans[1], true);
}

/* Two rules, each for itself, allow the same: while one takes the other's place nothing is refused. */
static void test_what_both_allow_always_passes(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *a = plan_protected(), *b = plan_protected();

	fixture_plan_rule(a, WEB, 77, 80, "10.0.0.0/8", 0);
	fixture_plan_rule(b, WEB, 78, 80, "10.0.1.0/24", 0);
	fixture_plan_rule(b, WEB, 79, 81, "10.0.0.0/8", 0);
	fixture_sync(datapath, a);
	assert_int_equal(change_under_traffic(datapath, a, b, 80, TC_ACT_SHOT), 0);
	vd_plan_free(a);
	vd_plan_free(b);
	vd_datapath_close(datapath);
}

/* ---- what a person reads ---- */

static bool name_rule(uint32_t rule, char *text, size_t size, void *userdata)
{
	snprintf(text, size, "web/ingress-tcp-80");
	return rule == 77;
}

static bool name_groups(uint32_t port, char *text, size_t size, void *userdata)
{
	snprintf(text, size, "web, default");
	return port == 102;
}

static json_t *trace(struct vd_datapath *datapath, uint16_t port)
{
	struct vd_trace_request request = {
		.from_port = 101, .protocol = IPPROTO_TCP, .source_port = 1000, .destination_port = port};
	json_t *result = NULL;

	assert_int_equal(vd_address_parse("10.0.1.11", &request.source), 0);
	assert_int_equal(vd_address_parse("10.0.1.12", &request.destination), 0);
	assert_int_equal(vd_datapath_trace(datapath, &request, &result, NULL), 0);
	return result;
}

static json_t *policy_step(json_t *result)
{
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(result, "steps"), i, step) {
		if (!strcmp(json_string_value(json_object_get(step, "stage")), "ingress policy"))
			return step;
	}
	fail_msg("no step of the policy");
	return NULL;
}

static void note_drop(json_t *drop, void *userdata)
{
	json_decref(*(json_t **)userdata);
	*(json_t **)userdata = json_incref(drop);
}

static void test_trace_and_drops_name_rule_and_groups(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = plan_protected();
	struct vd_datapath_naming naming = {.rule = name_rule, .groups = name_groups};
	struct sending sending = {.datapath = datapath, .port = 22};
	json_t *result, *drop = NULL;
	pthread_t thread;

	vd_datapath_naming_set(datapath, &naming);
	fixture_plan_rule(plan, WEB, 77, 80, "10.0.0.0/8", 0);
	fixture_sync(datapath, plan);
	result = trace(datapath, 80);
	assert_string_equal(json_string_value(json_object_get(result, "verdict")), "delivered");
	assert_string_equal(json_string_value(json_object_get(policy_step(result), "text")),
			    "ecs2 (web, default): rule web/ingress-tcp-80 allows it");
	json_decref(result);
	result = trace(datapath, 22);
	assert_string_equal(json_string_value(json_object_get(result, "reason")), "policy_ingress");
	assert_string_equal(json_string_value(json_object_get(policy_step(result), "text")),
			    "ecs2 (web, default): no rule allows it");
	json_decref(result);

	assert_true(vd_datapath_drop_fd(datapath) >= 0);
	assert_int_equal(pthread_create(&thread, NULL, send_syns, &sending), 0);
	while (__atomic_load_n(&sending.count, __ATOMIC_RELAXED) < 100)
		usleep(1000);
	__atomic_store_n(&sending.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(vd_datapath_drop_events(datapath, note_drop, &drop), 0);
	assert_non_null(drop);
	assert_string_equal(json_string_value(json_object_get(drop, "policy_port")), "ecs2");
	assert_string_equal(json_string_value(json_object_get(drop, "direction")), "ingress");
	assert_string_equal(json_string_value(json_object_get(drop, "groups")), "web, default");
	assert_string_equal(json_string_value(json_object_get(drop, "port")), "ecs1");
	json_decref(drop);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_rule_costs_its_own_entries),
		TEST(test_restart_adopts_policies),
		TEST(test_difference_equals_sync),
		TEST(test_what_neither_allows_never_passes),
		TEST(test_two_ends_never_mix),
		TEST(test_one_port_is_never_of_two_identities),
		TEST(test_what_is_remembered_never_meets_a_new_rule),
		TEST(test_what_both_allow_always_passes),
		TEST(test_trace_and_drops_name_rule_and_groups),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
