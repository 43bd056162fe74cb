/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static void note(uint32_t ifindex, void *userdata)
{
	uint32_t *seen = userdata;

	seen[0]++;
	seen[1] = ifindex;
}

static void test_link_of_ours_that_goes_is_told_and_others_are_not(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct pollfd poller = {.fd = vd_host_monitor_fd(fixture->net), .events = POLLIN};
	struct vd_host_link link;
	uint32_t seen[2] = {0};
	unsigned reads = 0;

	run("ip netns add guest && ip link add theirs type bridge");
	assert_done(fixture,
		    vd_host_veth_create(fixture->net, 1, &wanted, 1450, "/run/netns/guest", "eth0", &link, &fixture->error));
	/* What is read is gone; the kernel says a moment later that a link has a carrier. */
	do
		assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	while (poll(&poller, 1, 0) == 1 && ++reads < 20);
	assert_true(reads < 20);
	assert_int_equal(seen[0], 0);
	/* A bridge that loses a port says so with the same message. */
	run("ip link set vd1 master theirs && ip link set vd1 nomaster && ip link del theirs");
	assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	assert_int_equal(seen[0], 0);
	run("ip netns del guest");
	/* The kernel takes namespaces away one after the other. */
	while (!seen[0]) {
		assert_int_equal(poll(&poller, 1, 60000), 1);
		assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	}
	usleep(100000);
	assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], link.ifindex);
}

static void test_links_that_went_unheard_are_found(void **state)
{
	struct fixture *fixture = *state;
	struct vd_mac wanted = mac("02:00:00:00:00:07");
	struct vd_host_link link;
	int size = 1;
	uint32_t seen[2] = {0};

	run("ip netns add guest");
	assert_done(fixture,
		    vd_host_veth_create(fixture->net, 1, &wanted, 1450, "/run/netns/guest", "eth0", &link, &fixture->error));
	assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	setsockopt(vd_host_monitor_fd(fixture->net), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	run("for i in 1 2 3 4 5 6 7 8; do ip link add noise$i type bridge; done; ip link del vd1");
	assert_int_equal(vd_host_monitor_read(fixture->net, note, seen), 0);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], link.ifindex);
}

static void collect(const char *what, uint32_t ifindex, const char *ifname, void *userdata)
{
	FILE *file = userdata;

	fprintf(file, "%s %s;", what, ifname);
}

static void test_our_links_are_listed_with_what_they_are(void **state)
{
	struct fixture *fixture = *state;
	VD_FREE char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct vd_host_link link;
	uint32_t ifindex;
	uint64_t dropped = 42;

	run("ip link add theirs type bridge && ip link set theirs alias viaduct:h11:port/1");
	assert_done(fixture, vd_host_overlay_ensure(fixture->net, 4789, &ifindex, &fixture->error));
	assert_done(fixture, vd_host_tap_ensure(fixture->net, 10, "vm1", 1450, &link, &fixture->error));
	assert_int_equal(vd_host_link_each_ours(fixture->net, collect, file), 0);
	fclose(file);
	assert_string_equal(text, "overlay viaduct0;port/a vm1;");
	assert_int_equal(vd_host_link_dropped(fixture->net, link.ifindex, &dropped), 0);
	assert_int_equal(dropped, 0);
	assert_int_equal(vd_host_link_dropped(fixture->net, 99999, &dropped), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_link_of_ours_that_goes_is_told_and_others_are_not, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_links_that_went_unheard_are_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_our_links_are_listed_with_what_they_are, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
