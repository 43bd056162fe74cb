/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/setting.h"
#include "host/watch.h"

#include <string.h>

#define PATH "/run/vd-test/settings"

struct heard {
	char said[2048];
};

static void hear(const char *what, void *userdata)
{
	struct heard *heard = userdata;

	strcat(strcat(heard->said, what), "\n");
}

static const char *const links[] = {"eth0", "vdh5", "gone0"};
static const struct vd_settings_need need = {.ipv4 = true, .ifnames = links, .ifname_count = 3};
static const struct vd_settings_need need6 = {.ipv6 = true};

static void ensure(struct fixture *fixture, struct vd_settings *settings, const struct vd_settings_need *needed,
		   struct heard *heard)
{
	heard->said[0] = '\0';
	assert_done(fixture, vd_settings_ensure(settings, fixture->net, needed, hear, heard, &fixture->error));
}

static void assert_value(const char *name, const char *value)
{
	VD_FREE char *is = output_of("sysctl -n %s | tr -d '\\n'", name);

	assert_string_equal(is, value);
}

/* Pairs, since this kernel has no dummy links. */
static void links_make(void)
{
	run("ip link add eth0 type veth peer name p0; ip link add vdh5 type veth peer name p1;"
	    "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
	    "net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.vdh5.rp_filter=0");
}

static void test_forwarding_is_set_and_given_back(void **state)
{
	struct fixture *fixture = *state;
	struct vd_settings *settings;
	struct heard heard;

	links_make();
	assert_done(fixture, vd_settings_open(PATH, &settings, &fixture->error));
	assert_true(vd_settings_are_own(settings));
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "net.ipv4.ip_forward was 0: set to 1\n");
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "");
	assert_false(vd_settings_are_own(settings));

	/* A later daemon knows it too. */
	vd_settings_close(settings);
	assert_done(fixture, vd_settings_open(PATH, &settings, &fixture->error));
	assert_false(vd_settings_are_own(settings));
	assert_done(fixture, vd_settings_restore(settings, fixture->net, &fixture->error));
	assert_value("net.ipv4.ip_forward", "0");
	assert_true(vd_settings_are_own(settings));
	assert_false(succeeds("test -e " PATH));
	vd_settings_close(settings);
}

/* What was 1 before us stays 1; what somebody sets after us is theirs; what a bridge of others needs stays on. */
static void test_what_others_want_stays(void **state)
{
	struct fixture *fixture = *state;
	struct vd_settings *settings;
	struct heard heard;

	links_make();
	run("sysctl -qw net.ipv4.ip_forward=1");
	assert_done(fixture, vd_settings_open(PATH, &settings, &fixture->error));
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "");
	assert_true(vd_settings_are_own(settings));

	run("sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.eth0.rp_filter=1");
	ensure(fixture, settings, &need, &heard);
	assert_non_null(strstr(heard.said, "net.ipv4.conf.eth0.rp_filter was 1: set to 2\n"));
	run("sysctl -qw net.ipv4.conf.eth0.rp_filter=0");
	run("ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0");
	assert_done(fixture, vd_settings_restore(settings, fixture->net, &fixture->error));
	assert_value("net.ipv4.ip_forward", "1");
	assert_value("net.ipv4.conf.eth0.rp_filter", "0");
	vd_settings_close(settings);
}

/* The larger one of all and the link counts. */
static void test_the_filter_of_the_reverse_path_is_loosened(void **state)
{
	struct fixture *fixture = *state;
	struct vd_settings *settings;
	struct heard heard;

	links_make();
	assert_done(fixture, vd_settings_open(PATH, &settings, &fixture->error));
	ensure(fixture, settings, &need, &heard);
	run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "net.ipv4.conf.eth0.rp_filter was 0: set to 2\n"
					"net.ipv4.conf.vdh5.rp_filter was 0: set to 2\n");
	assert_value("net.ipv4.conf.all.rp_filter", "1");
	run("sysctl -qw net.ipv4.conf.eth0.rp_filter=1");
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "net.ipv4.conf.eth0.rp_filter was 1: set to 2\n");
	run("sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=1");
	ensure(fixture, settings, &need, &heard);
	assert_string_equal(heard.said, "");
	run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=2; ip link del vdh5");
	assert_done(fixture, vd_settings_restore(settings, fixture->net, &fixture->error));
	assert_value("net.ipv4.conf.eth0.rp_filter", "0");
	assert_value("net.ipv4.ip_forward", "0");
	vd_settings_close(settings);
}

static void test_a_host_that_forwards_ipv6_keeps_its_router(void **state)
{
	struct fixture *fixture = *state;
	struct vd_settings *settings;
	struct heard heard;

	links_make();
	run("sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.p0.accept_ra=0 "
	    "net.ipv6.conf.vdh5.accept_ra=0 net.ipv6.conf.p1.accept_ra=0 net.ipv6.conf.lo.accept_ra=0");
	assert_done(fixture, vd_settings_open(PATH, &settings, &fixture->error));
	ensure(fixture, settings, &need6, &heard);
	assert_string_equal(heard.said, "net.ipv6.conf.eth0.accept_ra was 1: set to 2\n"
					"net.ipv6.conf.all.forwarding was 0: set to 1\n");
	assert_done(fixture, vd_settings_restore(settings, fixture->net, &fixture->error));
	assert_value("net.ipv6.conf.eth0.accept_ra", "1");
	assert_value("net.ipv6.conf.all.forwarding", "0");
	vd_settings_close(settings);
}

static void test_what_changes_is_heard_of(void **state)
{
	struct fixture *fixture = *state;
	struct vd_host_watched watched;
	VD_CLOSE int fd = vd_host_watch_open(&fixture->error);

	/* Its own link-local addresses are no news. */
	links_make();
	assert_true(fd >= 0);
	run("ip link set eth0 up; ip link set p0 up; sleep 1.8");
	vd_host_watch_read(fd, &watched);
	assert_false(watched.addresses || watched.routes);
	run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
	vd_host_watch_read(fd, &watched);
	assert_true(watched.settings && !watched.addresses && !watched.routes);
	run("sysctl -qw net.ipv4.ip_forward=1");
	vd_host_watch_read(fd, &watched);
	assert_true(watched.settings);
	run("ip addr add 10.0.2.1/32 dev eth0");
	vd_host_watch_read(fd, &watched);
	assert_true(watched.addresses && !watched.settings);
	run("ip route add 10.9.0.0/16 dev eth0 proto 118");
	vd_host_watch_read(fd, &watched);
	assert_false(watched.routes);
	run("ip route add 10.10.0.0/16 dev eth0");
	vd_host_watch_read(fd, &watched);
	assert_true(watched.routes && !watched.settings);
	vd_host_watch_read(fd, &watched);
	assert_false(watched.routes || watched.settings || watched.addresses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forwarding_is_set_and_given_back, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_others_want_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_the_filter_of_the_reverse_path_is_loosened, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_host_that_forwards_ipv6_keeps_its_router, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_changes_is_heard_of, fixture_setup, fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
