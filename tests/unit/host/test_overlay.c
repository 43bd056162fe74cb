/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void test_overlay_is_made_and_found_again(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL, *details = NULL;
	uint32_t first, second;

	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &first, &fixture->error));
	before = dump_of("");
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &second, &fixture->error));
	after = dump_of("");
	assert_int_equal(first, second);
	assert_string_equal(before, after);
	details = output_of("ip -d link show viaduct0");
	assert_non_null(strstr(details, "external"));
	assert_non_null(strstr(details, " gbp"));
	assert_non_null(strstr(details, "nolearning"));
	assert_non_null(strstr(details, "udp6zerocsumtx"));
	assert_non_null(strstr(details, "udp6zerocsumrx"));
	assert_non_null(strstr(details, "addrgenmode none"));
	assert_non_null(strstr(details, "mtu 65000"));
	assert_non_null(strstr(details, ",UP"));
	assert_non_null(strstr(details, "alias viaduct:h1:overlay"));
}

static void test_overlay_moves_to_another_udp_port(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ifindex;

	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 8472, &ifindex, &fixture->error));
	run("ip -d link show viaduct0 | grep -q 'dstport 8472'");
}

static void test_overlay_that_is_not_ours_stays(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL;
	uint32_t ifindex = 42;

	run("ip link add viaduct0 type bridge");
	before = dump_of("");
	assert_int_equal(vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "viaduct0"));
	after = dump_of("");
	assert_string_equal(before, after);
	assert_int_equal(ifindex, 42);
}

static void test_udp_port_of_another_vxlan_is_refused_and_nothing_stays(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *before = NULL, *after = NULL;
	uint32_t ifindex;

	run("ip link add theirs type vxlan external dstport 4789 && ip link set theirs up");
	before = dump_of("");
	assert_int_equal(vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "4789"));
	after = dump_of("");
	assert_string_equal(before, after);
}

static void test_udp_port_of_a_program_is_refused_and_nothing_stays(void **state)
{
	struct fixture *fixture = *state;
	VD_CLOSE int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(4789)};
	VD_FREE char *before = NULL, *after = NULL;
	uint32_t ifindex = 42;

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	before = dump_of("");
	assert_int_equal(vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error), -EEXIST);
	assert_non_null(strstr(fixture->error.text, "4789"));
	after = dump_of("");
	assert_string_equal(before, after);
	assert_int_equal(ifindex, 42);
}

static void test_half_made_overlay_is_finished(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ifindex;

	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	run("ip link set viaduct0 down alias ''");
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	run("ip link show viaduct0 | grep -q 'alias viaduct:h1:overlay'");
	run("ip link show viaduct0 | grep -q ',UP'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_overlay_is_made_and_found_again, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_overlay_moves_to_another_udp_port, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_overlay_that_is_not_ours_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_udp_port_of_another_vxlan_is_refused_and_nothing_stays, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_udp_port_of_a_program_is_refused_and_nothing_stays, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_half_made_overlay_is_finished, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
