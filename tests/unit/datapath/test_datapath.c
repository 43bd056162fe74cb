/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "datapath/program.h"
#include "datapath/state.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_attached(struct vd_datapath *datapath, uint32_t ifindex, enum vd_function function)
{
	uint32_t id;

	return !vd_program_attached(ifindex, &id) && id == datapath->program_ids[function];
}

static void test_sync_fills_maps_and_attaches(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();

	fixture_sync(datapath, plan);
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS - 1);
	assert_int_equal(fixture_entries(datapath, "vd_mac"), FIXTURE_PORTS - 1);
	assert_int_equal(fixture_entries(datapath, "vd_endpoint4"), FIXTURE_PORTS);
	assert_int_equal(fixture_entries(datapath, "vd_endpoint6"), FIXTURE_PORTS);
	assert_int_equal(fixture_entries(datapath, "vd_route4"), 1);
	assert_int_equal(fixture_entries(datapath, "vd_segment"), 2);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 1);
	for (unsigned i = 1; i < FIXTURE_PORTS; i++)
		assert_true(is_attached(datapath, fixture_ifindex(i), VD_FUNCTION_PORT));
	assert_false(is_attached(datapath, fixture_ifindex(FIXTURE_PORTS), VD_FUNCTION_PORT));
	assert_true(is_attached(datapath, fixture_ifindex(0), VD_FUNCTION_OVERLAY));
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_restart_adopts_and_writes_nothing(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	uint32_t before, after;

	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_service_set(datapath, 7, fixture_ifindex(FIXTURE_PORTS), NULL), 0);
	before = datapath->program_ids[VD_FUNCTION_PORT];
	vd_datapath_close(datapath);

	datapath = fixture_open();
	after = datapath->program_ids[VD_FUNCTION_PORT];
	assert_int_equal(before, after);
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath), 0);
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS); /* the service port stayed */
	assert_true(is_attached(datapath, fixture_ifindex(FIXTURE_PORTS), VD_FUNCTION_PORT));
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_sync_repairs_what_others_broke(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	uint32_t id;

	fixture_sync(datapath, plan);
	fixture_run("tc qdisc del dev p1 clsact && tc filter del dev p2 ingress && tc qdisc del dev overlay clsact");
	assert_int_equal(vd_program_attached(fixture_ifindex(1), &id), -ENOENT);
	fixture_sync(datapath, plan);
	for (unsigned i = 1; i < FIXTURE_PORTS; i++)
		assert_true(is_attached(datapath, fixture_ifindex(i), VD_FUNCTION_PORT));
	assert_true(is_attached(datapath, fixture_ifindex(0), VD_FUNCTION_OVERLAY));
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

/* What a plan no longer has goes: entries, and the program from the interface. */
static void test_sync_takes_away_what_is_gone(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *empty = vd_plan_new();
	uint32_t id;

	fixture_sync(datapath, plan);
	fixture_sync(datapath, empty);
	assert_int_equal(fixture_entries(datapath, "vd_port"), 0);
	assert_int_equal(fixture_entries(datapath, "vd_endpoint4"), 0);
	assert_int_equal(fixture_entries(datapath, "vd_route6"), 0);
	assert_int_equal(fixture_entries(datapath, "vd_share"), 0);
	assert_int_equal(vd_program_attached(fixture_ifindex(1), &id), -ENOENT);
	vd_plan_free(plan);
	vd_plan_free(empty);
	vd_datapath_close(datapath);
}

/* A port added to a VPC of 10,000 endpoints costs its own entries and nothing else. */
static void test_one_port_costs_its_own_entries(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = fixture_plan();
	char address[32];
	uint64_t writes;

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", 100 + i / 250, i % 250);
		fixture_plan_remote(before, address, 1000 + i);
		fixture_plan_remote(after, address, 1000 + i);
	}
	fixture_sync(datapath, before);
	fixture_plan_port(after, FIXTURE_PORTS, fixture_ifindex(FIXTURE_PORTS));
	writes = vd_datapath_writes(datapath);
	fixture_apply(datapath, before, after);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 4); /* port, MAC, two endpoints; no generation */
	assert_true(is_attached(datapath, fixture_ifindex(FIXTURE_PORTS), VD_FUNCTION_PORT));

	/* And the maps are now what the second plan says. */
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, after);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 0);

	/* Taking it away: the same entries and their generations (the port's, its two addresses'). */
	fixture_apply(datapath, after, before);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 7);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/* Every kind of change, applied as a difference, leaves what a sync of the new plan would have left. */
static void test_difference_equals_sync(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *before = fixture_plan(), *after = vd_plan_new();
	struct vd_plan_record record;
	uint64_t writes;

	fixture_plan_route(before, "10.9.0.0/16", 30, VD_PLAN_ROUTE_TYPE_NEXT_HOP, "10.0.1.11");
	fixture_plan_route(before, "10.10.0.0/16", 31, VD_PLAN_ROUTE_TYPE_BLACKHOLE, NULL);
	fixture_sync(datapath, before);
	assert_int_equal(vd_datapath_service_set(datapath, 7, fixture_ifindex(FIXTURE_PORTS), NULL), 0);

	vd_plan_free(after);
	after = fixture_plan();
	fixture_plan_route(after, "10.9.0.0/16", 30, VD_PLAN_ROUTE_TYPE_UNUSABLE, "10.0.1.11");
	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = 51; /* a second one behind the same VTEP, and the first one moves away from it */
	assert_int_equal(vd_address_parse("192.0.2.9", &record.tunnel_host.vtep), 0);
	assert_int_equal(vd_plan_put(after, &record), 1);
	record.tunnel_host.host = 50;
	assert_int_equal(vd_address_parse("192.0.2.10", &record.tunnel_host.vtep), 0);
	assert_int_equal(vd_plan_put(after, &record), 1);
	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = 7;
	assert_int_equal(vd_plan_get(after, &record, &record), 0);
	record.domain.mtu = 1400;
	assert_int_equal(vd_plan_put(after, &record), 1);
	fixture_apply(datapath, before, after);
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, after);
	assert_int_equal(vd_datapath_writes(datapath), writes);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 2);

	fixture_apply(datapath, after, before);
	writes = vd_datapath_writes(datapath);
	fixture_sync(datapath, before);
	assert_int_equal(vd_datapath_writes(datapath), writes);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 1);
	vd_plan_free(before);
	vd_plan_free(after);
	vd_datapath_close(datapath);
}

/* Two hosts behind one address: while one of them remains, packets from there are welcome. */
static void test_shared_vtep_goes_with_its_last_host(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *one = fixture_plan(), *two = fixture_plan(), *none = fixture_plan();
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = 51;
	assert_int_equal(vd_address_parse("192.0.2.9", &record.tunnel_host.vtep), 0);
	assert_int_equal(vd_plan_put(two, &record), 1);
	record.tunnel_host.host = 50;
	assert_int_equal(vd_plan_remove(none, &record), 1);
	fixture_sync(datapath, two);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 1);
	fixture_apply(datapath, two, one);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 1);
	fixture_apply(datapath, one, none);
	assert_int_equal(fixture_entries(datapath, "vd_vtep"), 0);
	vd_plan_free(one);
	vd_plan_free(two);
	vd_plan_free(none);
	vd_datapath_close(datapath);
}

/* The agent may make the router before the first sync; the domain's end takes its service port with it. */
static void test_service_port_lives_with_its_domain(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *empty = vd_plan_new();
	uint32_t ifindex = fixture_ifindex(FIXTURE_PORTS), id;

	assert_int_equal(vd_datapath_service_set(datapath, 7, ifindex, NULL), 0);
	fixture_sync(datapath, plan);
	assert_true(is_attached(datapath, ifindex, VD_FUNCTION_PORT));
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS);
	fixture_apply(datapath, plan, empty);
	assert_int_equal(fixture_entries(datapath, "vd_port"), 0);
	assert_int_equal(vd_program_attached(ifindex, &id), -ENOENT);
	assert_int_equal(vd_datapath_service_set(datapath, 7, 0, NULL), 0);

	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_service_set(datapath, 7, ifindex, NULL), 0);
	assert_int_equal(vd_datapath_service_set(datapath, 7, 0, NULL), 0);
	assert_int_equal(fixture_entries(datapath, "vd_port"), FIXTURE_PORTS - 1);
	vd_plan_free(plan);
	vd_plan_free(empty);
	vd_datapath_close(datapath);
}

static void test_capture_survives_changes_and_ends(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	uint64_t writes;

	fixture_sync(datapath, plan);
	writes = vd_datapath_writes(datapath);
	assert_int_equal(vd_datapath_capture_set(datapath, 101, true, NULL), 0);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 6); /* port, two endpoints, and a generation each */
	fixture_sync(datapath, plan);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 6);
	assert_int_equal(vd_datapath_capture_set(datapath, 101, false, NULL), 0);
	assert_int_equal(vd_datapath_writes(datapath) - writes, 12);
	assert_int_equal(vd_datapath_capture_set(datapath, 999, true, NULL), -ENOENT);
	vd_plan_free(plan);
	vd_datapath_close(datapath);
}

static void test_interface_that_is_gone_is_no_error(void **state)
{
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan(), *empty = vd_plan_new();

	fixture_sync(datapath, plan);
	fixture_run("ip link del p1");
	fixture_sync(datapath, plan);
	fixture_apply(datapath, plan, empty);
	assert_int_equal(fixture_entries(datapath, "vd_port"), 0);
	vd_plan_free(plan);
	vd_plan_free(empty);
	vd_datapath_close(datapath);
}

static void test_pin_directory_outside_a_bpffs_is_refused(void **state)
{
	struct vd_datapath_options options = fixture_options();
	struct vd_datapath *datapath = NULL;
	struct vd_error error = {""};

	options.pin_directory = "/tmp";
	assert_int_equal(vd_datapath_open(&options, &datapath, &error), -EMEDIUMTYPE);
	assert_non_null(strstr(error.text, "not on a bpffs"));
	assert_null(datapath);
}

static void test_purge_leaves_nothing(void **state)
{
	struct vd_datapath_options options = fixture_options();
	struct vd_datapath *datapath = fixture_open();
	struct vd_plan *plan = fixture_plan();
	uint32_t id;

	fixture_sync(datapath, plan);
	vd_datapath_close(datapath);
	assert_int_equal(vd_datapath_purge(&options, NULL), 0);
	assert_int_equal(access(fixture_pins(), F_OK), -1);
	for (unsigned i = 0; i < FIXTURE_PORTS; i++)
		assert_int_equal(vd_program_attached(fixture_ifindex(i), &id), -ENOENT);
	assert_int_equal(vd_datapath_purge(&options, NULL), 0);
	vd_plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sync_fills_maps_and_attaches, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_restart_adopts_and_writes_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sync_repairs_what_others_broke, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_sync_takes_away_what_is_gone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_one_port_costs_its_own_entries, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_difference_equals_sync, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_shared_vtep_goes_with_its_last_host, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_service_port_lives_with_its_domain, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_capture_survives_changes_and_ends, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_interface_that_is_gone_is_no_error, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_pin_directory_outside_a_bpffs_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_purge_leaves_nothing, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
