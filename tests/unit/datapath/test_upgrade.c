/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/packet.h"
#include "datapath/state.h"
#include "datapath/upgrade.h"
#include "next.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * R-OPS-5 (daemon): a build with longer map values takes over, and the process dies after each of the steps, which leave everything
 * that the next run begins with on the bpffs.
 */

static const struct vd_connection4_key connection_key = {
	.domain = 7, .low = 1, .high = 2, .low_port = 3, .high_port = 4, .protocol = IPPROTO_TCP};

static struct vd_program_settings settings(void)
{
	return (struct vd_program_settings){
		.overlay_ifindex = fixture_ifindex(0), .flow_entries = 1024, .flow6_entries = 1024, .connection_entries = 1024};
}

static struct vd_upgrade upgrade_embedded(void)
{
	return (struct vd_upgrade){fixture_pins(), vd_object_embedded(), settings()};
}

static struct vd_upgrade upgrade_next(void)
{
	return (struct vd_upgrade){fixture_pins(), object_next(), settings()};
}

/* A third build: other sizes make another one. */
static struct vd_upgrade upgrade_third(void)
{
	struct vd_upgrade third = upgrade_embedded();

	third.settings.connection_entries = 2048;
	return third;
}

static void run_until(const struct vd_upgrade *upgrade, enum vd_upgrade_step until)
{
	struct vd_error error = {""};

	if (vd_upgrade_run(upgrade, until, &error))
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

static struct vd_connection connection_seen(uint64_t last_seen)
{
	return (struct vd_connection){.created = 1,
				      .last_seen = last_seen,
				      .packets = 42,
				      .bytes = 4200,
				      .state = VD_CONNECTION_STATE_ESTABLISHED,
				      .source_port_id = 101};
}

static void connection_put(const char *directory, const struct vd_connection4_key *key, uint64_t last_seen)
{
	VD_CLOSE int map = pinned(directory, "vd_conn4");
	struct vd_map_definition definition;
	VD_FREE uint8_t *value = NULL;
	struct vd_connection connection = connection_seen(last_seen);

	assert_int_equal(vd_map_definition_read(map, &definition), 0);
	value = calloc(1, definition.value_size);
	memcpy(value, &connection, sizeof(connection));
	assert_int_equal(vd_map_update(map, key, value, BPF_ANY), 0);
}

/* When it was last seen; 0: there is no such connection. */
static uint64_t connection_get(const char *directory, const struct vd_connection4_key *key)
{
	VD_CLOSE int map = pinned(directory, "vd_conn4");
	struct vd_map_definition definition;
	VD_FREE uint8_t *value = NULL;
	struct vd_connection expected, found;

	assert_int_equal(vd_map_definition_read(map, &definition), 0);
	value = calloc(1, definition.value_size);
	if (bpf_map_lookup_elem(map, key, value))
		return 0;
	memcpy(&found, value, sizeof(found));
	expected = connection_seen(found.last_seen);
	assert_memory_equal(&found, &expected, sizeof(found));
	for (size_t i = sizeof(found); i < definition.value_size; i++)
		assert_int_equal(value[i], 0);
	return found.last_seen;
}

/* The running host: everything of the fixture's plan, a connection, and some generations behind it. */
static void start(uint64_t *ret_seen, uint64_t *ret_generation)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *with_route = fixture_plan();
	const uint32_t slot = vd_slot_table(7, 0);

	fixture_plan_route(with_route, "10.9.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_sync(datapath, plan);
	fixture_apply(datapath, plan, with_route);
	fixture_apply(datapath, with_route, plan);
	*ret_generation = vd_generation_sum(datapath->generation, &slot, 1);
	*ret_seen = vd_clock_ns();
	connection_put(datapath->path, &connection_key, *ret_seen);
	assert_int_equal(vd_datapath_uplink_attach(datapath, fixture_ifindex(FIXTURE_PORTS), NULL), 0);
	vd_plan_free(plan);
	vd_plan_free(with_route);
	vd_datapath_close(datapath);
}

static uint32_t attached(uint32_t ifindex)
{
	uint32_t id = 0;

	assert_int_equal(vd_program_attached(ifindex, &id), 0);
	return id;
}

/* Whatever program stands on the interface right now forwards. */
static void assert_forwards(void)
{
	struct vd_trace_request request = {
		.protocol = IPPROTO_UDP, .source_port = 1, .destination_port = 2, .source_mac = {{2, 0, 0, 0, 0, 1}}};
	struct __sk_buff context = {.ifindex = fixture_ifindex(1)};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	VD_CLOSE int program = bpf_prog_get_fd_by_id(attached(fixture_ifindex(1)));
	size_t size;

	assert_true(program >= 0);
	assert_int_equal(vd_address_parse("10.0.1.11", &request.source), 0);
	assert_int_equal(vd_address_parse("10.0.1.12", &request.destination), 0);
	assert_int_equal(vd_packet_build(&request, packet, &size), 0);
	run.data_size_in = (uint32_t)size;
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	assert_int_equal(run.retval, TC_ACT_REDIRECT);
}

/* One version is pinned, it is upgrade's, every interface runs it, and it knows what the running host knew. */
static void assert_settled(const struct vd_upgrade *upgrade, uint64_t seen, uint64_t generation)
{
	VD_VERSIONS struct vd_versions versions = {};
	VD_FREE char *making = vd_version_making(fixture_pins());
	VD_CLOSE int port = -1, overlay = -1, uplink = -1, ports = -1, endpoints = -1, generations = -1;
	struct vd_generation *opened;
	const uint32_t slot = vd_slot_table(7, 0);
	char build[VD_BUILD_TEXT];
	uint32_t id;
	size_t count;

	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	assert_int_equal(versions.count, 1);
	assert_int_equal(access(making, F_OK), -1);
	vd_program_build(&upgrade->object, &upgrade->settings, build);
	assert_string_equal(versions.items[0].build, build);

	port = pinned(versions.items[0].path, "vd_port_ingress");
	assert_int_equal(vd_program_id(port, &id), 0);
	for (unsigned i = 1; i < FIXTURE_PORTS; i++)
		assert_int_equal(attached(fixture_ifindex(i)), id);
	overlay = pinned(versions.items[0].path, "vd_overlay_ingress");
	assert_int_equal(vd_program_id(overlay, &id), 0);
	assert_int_equal(attached(fixture_ifindex(0)), id);
	uplink = pinned(versions.items[0].path, "vd_uplink_ingress");
	assert_int_equal(vd_program_id(uplink, &id), 0);
	assert_int_equal(attached(fixture_ifindex(FIXTURE_PORTS)), id);
	assert_forwards();

	ports = pinned(versions.items[0].path, "vd_port");
	assert_int_equal(vd_map_entry_count(ports, &count), 0);
	assert_int_equal(count, FIXTURE_PORTS - 1);
	endpoints = pinned(versions.items[0].path, "vd_endpoint4");
	assert_int_equal(vd_map_entry_count(endpoints, &count), 0);
	assert_int_equal(count, FIXTURE_PORTS);
	assert_true(connection_get(versions.items[0].path, &connection_key) == seen);
	generations = pinned(versions.items[0].path, "vd_generation");
	assert_int_equal(vd_generation_open(generations, &opened), 0);
	assert_true(vd_generation_sum(opened, &slot, 1) == generation);
	vd_generation_close(opened);
}

typedef struct vd_upgrade make_upgrade(void);

/* Upgrades to next, dies before each step in turn, and lets `after` go on. */
static void cut_everywhere(make_upgrade *after)
{
	for (enum vd_upgrade_step until = VD_UPGRADE_STEP_CLEAR; until <= VD_UPGRADE_STEP_COUNT; until++) {
		struct vd_upgrade next, last;
		uint64_t seen, generation;

		assert_int_equal(fixture_setup(NULL), 0);
		start(&seen, &generation);
		next = upgrade_next();
		last = after();
		run_until(&next, until);
		assert_forwards();
		run_until(&last, VD_UPGRADE_STEP_COUNT);
		assert_settled(&last, seen, generation);
		fixture_teardown(NULL);
	}
}

static void test_cut_upgrade_goes_on(void **state)
{
	cut_everywhere(upgrade_next);
}

static void test_cut_upgrade_goes_back(void **state)
{
	cut_everywhere(upgrade_embedded);
}

static void test_cut_upgrade_is_overtaken_by_a_third_build(void **state)
{
	cut_everywhere(upgrade_third);
}

/* The very first installation may be cut as well. */
static void test_cut_installation_goes_on(void **state)
{
	for (enum vd_upgrade_step until = VD_UPGRADE_STEP_CLEAR; until <= VD_UPGRADE_STEP_COUNT; until++) {
		struct vd_upgrade embedded;
		uint64_t seen, generation;

		assert_int_equal(fixture_setup(NULL), 0);
		embedded = upgrade_embedded();
		run_until(&embedded, until);
		start(&seen, &generation);
		assert_settled(&embedded, seen, generation);
		fixture_teardown(NULL);
	}
}

/* After any upgrade and back the plan's entries are right as they stand: sync has nothing to write. */
static void test_upgrade_leaves_sync_nothing_to_write(void **state)
{
	struct vd_datapath *datapath;
	struct vd_upgrade next;
	struct vd_plan *plan;
	uint64_t seen, generation;

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	next = upgrade_next();
	run_until(&next, VD_UPGRADE_STEP_COUNT);
	datapath = fixture_open();
	plan = fixture_plan();
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath), 0);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
	fixture_teardown(NULL);
}

/* How often each of the connections stands in the expiry queue; low is the number by which to tell them. */
static void queue_count(const char *directory, unsigned counts[4])
{
	VD_CLOSE int queue = pinned(directory, "vd_expire4");
	struct vd_expire4_value element;

	memset(counts, 0, 4 * sizeof(counts[0]));
	while (!bpf_map_lookup_and_delete_elem(queue, NULL, &element)) {
		assert_in_range(element.key.low, 0, 3);
		counts[element.key.low]++;
	}
}

/* What the old programs did after the copy: connections that began, and that went on; and what the new ones did since. */
static void test_connections_of_the_meantime_are_carried_over(void **state)
{
	VD_VERSIONS struct vd_versions versions = {};
	struct vd_connection4_key begun = connection_key, newer = connection_key;
	struct vd_upgrade next;
	uint64_t seen, generation;
	unsigned counts[4];

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	next = upgrade_next();
	begun.low = 2;
	newer.low = 3;
	run_until(&next, VD_UPGRADE_STEP_SWAP);
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	assert_int_equal(versions.count, 2);
	connection_put(versions.items[0].path, &begun, seen + 1);
	connection_put(versions.items[0].path, &connection_key, seen + 2);
	connection_put(versions.items[0].path, &newer, seen + 1);
	connection_put(versions.items[1].path, &newer, seen + 3);
	run_until(&next, VD_UPGRADE_STEP_COUNT);
	assert_true(connection_get(versions.items[1].path, &begun) == seen + 1);
	assert_true(connection_get(versions.items[1].path, &connection_key) == seen + 2);
	assert_true(connection_get(versions.items[1].path, &newer) == seen + 3);
	queue_count(versions.items[1].path, counts);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], 0); /* whoever made it queued it */
	fixture_teardown(NULL);
}

/* The kernel counts what a domain holds; after two tables stood side by side the count is that of the one that stays. */
static void test_share_is_counted_anew(void **state)
{
	VD_VERSIONS struct vd_versions versions = {};
	VD_CLOSE int shares = -1;
	struct vd_share_value share;
	const uint32_t domain = 7;
	struct vd_upgrade next;
	uint64_t seen, generation;

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	next = upgrade_next();
	run_until(&next, VD_UPGRADE_STEP_COUNT);
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	shares = pinned(versions.items[0].path, "vd_share");
	assert_int_equal(bpf_map_lookup_elem(shares, &domain, &share), 0);
	assert_int_equal(share.used, 1);
	assert_int_equal(share.limit, 512);
	fixture_teardown(NULL);
}

/* ---- translated connections ---- */

static const struct vd_nat4_key claim_key = {
	.network = 90, .vip = 5, .remote = 1, .vip_port = 7, .remote_port = 3, .protocol = IPPROTO_TCP};

/* connection_key's high end is inside, and seen as port 7 of address 5 on network 90. */
static void snat_put(const char *directory, uint64_t last_seen)
{
	VD_CLOSE int map = pinned(directory, "vd_conn4");
	struct vd_map_definition definition;
	VD_FREE uint8_t *value = NULL;
	struct vd_connection connection = connection_seen(last_seen);

	connection.network = 90;
	connection.vip.word[0] = 5;
	connection.vip_port = 7;
	connection.inner_is_high = 1;
	connection.translation = VD_TRANSLATION_SNAT;
	assert_int_equal(vd_map_definition_read(map, &definition), 0);
	value = calloc(1, definition.value_size);
	memcpy(value, &connection, sizeof(connection));
	assert_int_equal(vd_map_update(map, &connection_key, value, BPF_ANY), 0);
}

static void assert_claimed(const char *directory)
{
	VD_CLOSE int claims = pinned(directory, "vd_nat4");
	const struct vd_nat_value expected = {.domain = 7, .inner = {{2}}, .inner_port = 4};
	struct vd_nat_value value;
	size_t count;

	assert_int_equal(bpf_map_lookup_elem(claims, &claim_key, &value), 0);
	assert_memory_equal(&value, &expected, sizeof(value));
	assert_int_equal(vd_map_entry_count(claims, &count), 0);
	assert_int_equal(count, 1);
}

/* R-SNAT-1, R-OPS-5: a running translation keeps its port through an upgrade, and through one that was begun after the copy. */
static void test_claims_go_with_their_connections(void **state)
{
	for (int late = 0; late < 2; late++) {
		VD_VERSIONS struct vd_versions versions = {};
		struct vd_upgrade next;
		uint64_t seen, generation;

		assert_int_equal(fixture_setup(NULL), 0);
		start(&seen, &generation);
		assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
		next = upgrade_next();
		if (late)
			run_until(&next, VD_UPGRADE_STEP_SWAP);
		{
			VD_CLOSE int connections = pinned(versions.items[0].path, "vd_conn4");

			assert_int_equal(bpf_map_delete_elem(connections, &connection_key), 0);
		}
		snat_put(versions.items[0].path, seen + 1);
		if (late) {
			VD_VERSIONS struct vd_versions both = {};
			VD_CLOSE int connections = -1;

			assert_int_equal(vd_versions_list(fixture_pins(), &both, NULL), 0);
			connections = pinned(both.items[1].path, "vd_conn4");
			assert_int_equal(bpf_map_delete_elem(connections, &connection_key), 0);
		}
		run_until(&next, VD_UPGRADE_STEP_COUNT);
		vd_versions_done(&versions);
		assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
		assert_int_equal(versions.count, 1);
		assert_claimed(versions.items[0].path);
		fixture_teardown(NULL);
	}
}

/* Both builds gave the port out while interfaces were swapped: it stays with whom the build that stays gave it to. */
static void test_port_that_is_taken_is_not_claimed_twice(void **state)
{
	VD_VERSIONS struct vd_versions versions = {};
	const struct vd_nat_value other = {.domain = 9, .inner = {{99}}, .inner_port = 4};
	struct vd_nat_value value;
	struct vd_upgrade next;
	uint64_t seen, generation;

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	next = upgrade_next();
	run_until(&next, VD_UPGRADE_STEP_SWAP);
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	{
		VD_CLOSE int claims = pinned(versions.items[1].path, "vd_nat4");
		VD_CLOSE int connections = pinned(versions.items[1].path, "vd_conn4");

		assert_int_equal(vd_map_update(claims, &claim_key, &other, BPF_ANY), 0);
		assert_int_equal(bpf_map_delete_elem(connections, &connection_key), 0);
		snat_put(versions.items[0].path, seen + 1);
		run_until(&next, VD_UPGRADE_STEP_COUNT);
		assert_int_equal(bpf_map_lookup_elem(claims, &claim_key, &value), 0);
		assert_memory_equal(&value, &other, sizeof(value));
	}
	assert_true(connection_get(versions.items[1].path, &connection_key) == 0);
	fixture_teardown(NULL);
}

/* Another --connections at the next start: the tables are others, what they hold is the same. */
static void test_claims_outlive_another_size(void **state)
{
	VD_VERSIONS struct vd_versions versions = {};
	struct vd_upgrade third;
	uint64_t seen, generation;

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	snat_put(versions.items[0].path, seen + 1);
	third = upgrade_third();
	run_until(&third, VD_UPGRADE_STEP_COUNT);
	vd_versions_done(&versions);
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	assert_claimed(versions.items[0].path);
	fixture_teardown(NULL);
}

/* Someone unpinned a part of it by hand. */
static void test_incomplete_version_is_made_anew(void **state)
{
	VD_VERSIONS struct vd_versions versions = {};
	struct vd_upgrade embedded;
	uint64_t seen, generation;

	assert_int_equal(fixture_setup(NULL), 0);
	start(&seen, &generation);
	embedded = upgrade_embedded();
	assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
	fixture_run("rm %s/vd_decide %s/vd_fragment", versions.items[0].path, versions.items[0].path);
	run_until(&embedded, VD_UPGRADE_STEP_COUNT);
	assert_settled(&embedded, seen, generation);
	fixture_teardown(NULL);
}

/* What the program that stands on a port's interface says to a UDP packet from there to another port. */
static uint32_t forward(unsigned from, unsigned to, uint16_t source_port, uint16_t destination_port)
{
	struct vd_trace_request request = {.protocol = IPPROTO_UDP,
					   .source_port = source_port,
					   .destination_port = destination_port,
					   .source_mac = {{2, 0, 0, 0, 0, (uint8_t)from}}};
	struct __sk_buff context = {.ifindex = fixture_ifindex(from)};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	VD_CLOSE int program = bpf_prog_get_fd_by_id(attached(fixture_ifindex(from)));
	char address[32];
	size_t size;

	snprintf(address, sizeof(address), "10.0.1.%u", 10 + from);
	assert_int_equal(vd_address_parse(address, &request.source), 0);
	snprintf(address, sizeof(address), "10.0.1.%u", 10 + to);
	assert_int_equal(vd_address_parse(address, &request.destination), 0);
	assert_int_equal(vd_packet_build(&request, packet, &size), 0);
	run.data_size_in = (uint32_t)size;
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	return run.retval;
}

static void attach_next(const char *directory, unsigned port)
{
	VD_CLOSE int program = pinned(directory, "vd_port_ingress");

	assert_int_equal(vd_program_attach(fixture_ifindex(port), program), 0);
}

/*
 * Half of the interfaces run the new build. Port 1 lets nothing in but replies: those that come by the other build's programs, to
 * what its own have sent, and the other way round. What is no reply stays out on both.
 */
static void test_replies_pass_between_two_builds(void **state)
{
	for (unsigned swapped = 1; swapped <= 2; swapped++) {
		VD_VERSIONS struct vd_versions versions = {};
		struct vd_datapath *datapath;
		struct vd_upgrade next;
		struct vd_plan *plan;
		size_t count;

		assert_int_equal(fixture_setup(NULL), 0);
		datapath = fixture_open();
		plan = fixture_plan();
		fixture_plan_policy(plan, 1, 9);
		fixture_sync(datapath, plan);
		vd_plan_free(plan);
		vd_datapath_close(datapath);
		next = upgrade_next();
		assert_int_equal(forward(1, 2, 1000, 1), TC_ACT_REDIRECT);
		run_until(&next, VD_UPGRADE_STEP_SWAP);
		assert_int_equal(vd_versions_list(fixture_pins(), &versions, NULL), 0);
		assert_int_equal(versions.count, 2);
		assert_int_equal(forward(1, 2, 1000, 2), TC_ACT_REDIRECT); /* recorded by the old build, after the copy */
		attach_next(versions.items[1].path, swapped);
		assert_int_equal(forward(1, 2, 1000, 3), TC_ACT_REDIRECT); /* recorded by whichever port 1 has */
		for (uint16_t port = 1; port <= 3; port++)
			assert_int_equal(forward(2, 1, port, 1000), TC_ACT_REDIRECT);
		assert_int_equal(forward(2, 1, 4, 1000), TC_ACT_SHOT);
		run_until(&next, VD_UPGRADE_STEP_COUNT);
		for (uint16_t port = 1; port <= 3; port++)
			assert_int_equal(forward(2, 1, port, 1000), TC_ACT_REDIRECT);
		assert_int_equal(forward(2, 1, 4, 1000), TC_ACT_SHOT);
		{
			VD_CLOSE int previous = pinned(versions.items[1].path, "vd_previous4");
			VD_CLOSE int connections = pinned(versions.items[1].path, "vd_conn4");
			uint32_t zero = 0, id;

			assert_int_equal(bpf_map_lookup_elem(previous, &zero, &id), -ENOENT);
			assert_int_equal(vd_map_entry_count(connections, &count), 0);
			assert_int_equal(count, 3);
		}
		fixture_teardown(NULL);
	}
}

/* A process in a network namespace of its own, with the instance's end of port `port` in it. */
static pid_t instance_start(unsigned port)
{
	int ready[2];
	pid_t pid;
	char byte;

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
	fixture_run("ip link set i%u netns %d && nsenter -t %d -n sh -c 'ip link set i%u address 02:00:00:00:00:%02x && "
		    "ip addr add 10.0.1.%u/24 dev i%u && ip link set i%u up'",
		    port, pid, pid, port, port, 10 + port, port, port);
	return pid;
}

static void process_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Starts an upgrade and kills it after a while that differs from time to time. */
static void upgrade_killed(const struct vd_upgrade *upgrade, unsigned round)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(vd_upgrade_run(upgrade, VD_UPGRADE_STEP_COUNT, NULL) ? 1 : 0);
	usleep(10000 + round * 7919 % 190 * 1000);
	process_end(pid);
}

/* R-OPS-5 (daemon): a build with other map layouts is swapped in and out again and again, and killed at it, while a ping runs. */
static void test_killed_upgrades_lose_no_packet(void **state)
{
	struct vd_upgrade next, embedded;
	uint64_t seen, generation;
	pid_t one, two, ping;
	int status;

	assert_int_equal(fixture_setup(NULL), 0);
	one = instance_start(1);
	two = instance_start(2);
	start(&seen, &generation);
	next = upgrade_next();
	embedded = upgrade_embedded();
	ping = fork();
	assert_true(ping >= 0);
	if (!ping) {
		char command[160];

		snprintf(command, sizeof(command),
			 "nsenter -t %d -n ping -q -i 0.004 -c 1000 -W 2 10.0.1.12 | grep -q ' 0%% packet loss'", one);
		_exit(system(command) ? 1 : 0);
	}
	for (unsigned round = 0; round < 20; round++)
		upgrade_killed(round & 1 ? &embedded : &next, round);
	run_until(&next, VD_UPGRADE_STEP_COUNT);
	assert_int_equal(waitpid(ping, &status, 0), ping);
	assert_int_equal(status, 0);
	process_end(one);
	process_end(two);
	fixture_teardown(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_upgrade_goes_on),
		cmocka_unit_test(test_cut_upgrade_goes_back),
		cmocka_unit_test(test_cut_upgrade_is_overtaken_by_a_third_build),
		cmocka_unit_test(test_cut_installation_goes_on),
		cmocka_unit_test(test_upgrade_leaves_sync_nothing_to_write),
		cmocka_unit_test(test_connections_of_the_meantime_are_carried_over),
		cmocka_unit_test(test_share_is_counted_anew),
		cmocka_unit_test(test_claims_go_with_their_connections),
		cmocka_unit_test(test_port_that_is_taken_is_not_claimed_twice),
		cmocka_unit_test(test_claims_outlive_another_size),
		cmocka_unit_test(test_replies_pass_between_two_builds),
		cmocka_unit_test(test_incomplete_version_is_made_anew),
		cmocka_unit_test(test_killed_upgrades_lose_no_packet),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
