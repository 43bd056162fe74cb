/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/keeper_worker.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The keeper's thread in a network namespace of the test's own, with the real kernel and the real programs. */

#define DIRECTORY "/run/vd-test"

struct watcher {
	pthread_mutex_t lock;
	char said[4096], problem[512], refused[512], occupied[2048];
	uint64_t given, settled;
	struct vd_keeper_worker *worker;
};

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static bool succeeds(const char *command)
{
	return system(command) == 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void changed(const char *what, void *userdata)
{
	struct watcher *watcher = userdata;

	pthread_mutex_lock(&watcher->lock);
	strncat(watcher->said, what, sizeof(watcher->said) - strlen(watcher->said) - 2);
	strcat(watcher->said, "\n");
	pthread_mutex_unlock(&watcher->lock);
}

static void occupied(json_t *list, void *userdata)
{
	struct watcher *watcher = userdata;
	char *text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);

	pthread_mutex_lock(&watcher->lock);
	snprintf(watcher->occupied, sizeof(watcher->occupied), "%s", text);
	pthread_mutex_unlock(&watcher->lock);
	free(text);
}

static void settled(uint64_t number, void *userdata)
{
	struct watcher *watcher = userdata;

	pthread_mutex_lock(&watcher->lock);
	watcher->settled = number;
	pthread_mutex_unlock(&watcher->lock);
}

static bool has_settled(struct watcher *watcher)
{
	bool has;

	pthread_mutex_lock(&watcher->lock);
	has = watcher->settled == watcher->given;
	pthread_mutex_unlock(&watcher->lock);
	return has;
}

static void problem(const char *sentence, void *userdata)
{
	struct watcher *watcher = userdata;

	pthread_mutex_lock(&watcher->lock);
	snprintf(watcher->problem, sizeof(watcher->problem), "%s", sentence ? sentence : "");
	pthread_mutex_unlock(&watcher->lock);
}

static void refused(const char *sentence, void *userdata)
{
	struct watcher *watcher = userdata;

	pthread_mutex_lock(&watcher->lock);
	snprintf(watcher->refused, sizeof(watcher->refused), "%s", sentence ? sentence : "");
	pthread_mutex_unlock(&watcher->lock);
}

static bool says(struct watcher *watcher, const char *where, const char *text)
{
	bool found;

	pthread_mutex_lock(&watcher->lock);
	found = strstr(where, text);
	pthread_mutex_unlock(&watcher->lock);
	return found;
}

static bool waits_for(struct watcher *watcher, const char *where, const char *text)
{
	for (int i = 0; i < 600; i++, usleep(50000))
		if (says(watcher, where, text) && (text[0] || !where[0]))
			return true;
	return false;
}

static void start(struct watcher *watcher)
{
	const struct vd_keeper_worker_options options = {
		.tag = "h1",
		.run_directory = DIRECTORY,
		.docker_host = "unix:" DIRECTORY "/docker.sock",
		.underlay_ifname = "eth0",
		.vxlan_port = 4789,
		.changed = changed,
		.occupied = occupied,
		.settled = settled,
		.problem = problem,
		.refused = refused,
		.userdata = watcher,
	};
	struct vd_error error = {};

	if (vd_keeper_worker_start(&options, &watcher->worker, &error) < 0)
		fail_msg("%s", error.text);
}

/* block NULL: none any more. */
static void give(struct watcher *watcher, const char *block)
{
	struct vd_firewall_block *blocks = calloc(1, sizeof(*blocks));
	struct vd_firewall_exempt *exempt = calloc(1, sizeof(*exempt));
	struct vd_firewall_rules rules = {.blocks = blocks, .exempt = exempt};

	blocks->domain = exempt->domain = 0xc;
	blocks->masquerade = true;
	if (block) {
		assert_int_equal(vd_prefix_parse(block, &blocks->prefix), 0);
		assert_int_equal(vd_prefix_parse("10.9.0.0/16", &exempt->prefix), 0);
		rules.block_count = rules.exempt_count = 1;
	}
	vd_keeper_worker_give(watcher->worker, &rules, ++watcher->given);
}

/* How many seconds until the command succeeds; 30 at most. */
static double until(const char *command)
{
	double begin = now();

	while (!succeeds(command)) {
		if (now() - begin > 30)
			fail_msg("never: %s", command);
		usleep(20000);
	}
	return now() - begin;
}

#define TABLE "nft list table inet viaduct >/dev/null 2>&1"
#define NO_TABLE "! " TABLE
#define LEGACY "iptables-legacy -C FORWARD -m comment --comment viaduct:h1 -j VIADUCT-FORWARD 2>/dev/null"
#define NFT "iptables-nft -C FORWARD -m comment --comment viaduct:h1 -j VIADUCT-FORWARD 2>/dev/null"
#define LOOSE "test $(sysctl -n net.ipv4.conf.eth0.rp_filter) = 2"
#define FORWARDS "test $(sysctl -n net.ipv4.ip_forward) = 1"

static int setup(void **state)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (!watcher || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	pthread_mutex_init(&watcher->lock, NULL);
	run("mkdir -p " DIRECTORY " && ip link set lo up && ip link add eth0 type veth peer name p0 &&"
	    "ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up && ip link set p0 up &&"
	    "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0");
	*state = watcher;
	return 0;
}

static int teardown(void **state)
{
	struct watcher *watcher = *state;

	if (watcher->worker)
		vd_keeper_worker_stop(watcher->worker);
	pthread_mutex_destroy(&watcher->lock);
	free(watcher);
	return 0;
}

/* A machine that is busy elsewhere is late now and then, not three times: one try of so many has to be in time. */
#define TRIES 3

/* Within a second, and nothing else happens that would let it look. What spoil does must undo it each time. */
static void assert_comes_back(const char *spoil, const char *what)
{
	for (int i = 0; i < TRIES; i++) {
		usleep(i ? 3000000 : 700000); /* after a late one its own changes let it look, late too */
		run(spoil);
		if (until(what) < 1)
			return;
	}
	fail_msg("not back within a second: %s", what);
}

/* Seconds from the moment the block is given until all stands. */
static double given(struct watcher *watcher)
{
	give(watcher, "10.9.2.0/24");
	return until(TABLE " && " NFT " && " LEGACY " && " FORWARDS);
}

/* R-CTR-5: whoever did it. */
static void test_what_others_spoil_is_back_within_a_second(void **state)
{
	struct watcher *watcher = *state;

	run("iptables-nft -P FORWARD DROP; iptables-legacy -P FORWARD DROP");
	start(watcher);
	for (int i = 0; given(watcher) >= 1; i++) {
		assert_true(i < TRIES - 1);
		give(watcher, NULL);
		until(NO_TABLE " && ! " FORWARDS);
	}
	assert_comes_back("nft flush ruleset", TABLE);
	assert_comes_back("iptables-nft -F; iptables-nft -P FORWARD DROP", NFT);
	assert_comes_back("iptables-legacy -F", LEGACY);
	assert_comes_back("iptables-nft -F", NFT);
	assert_comes_back("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=0", LOOSE);
	assert_comes_back("sysctl -qw net.ipv4.ip_forward=0", FORWARDS);
	assert_true(waits_for(watcher, watcher->said, "net.ipv4.ip_forward was 0: set to 1"));
	assert_true(says(watcher, watcher->said, "nftables: the table inet viaduct was put back"));
	assert_true(says(watcher, watcher->said, "iptables-legacy: the jump to our rules in FORWARD was put back"));
	assert_true(says(watcher, watcher->said, "net.ipv4.conf.eth0.rp_filter was 0: set to 2"));
	assert_string_equal(watcher->problem, "");
}

/* R-CTR-5: whoever starts a container on a new block waits for that, and not for its first packets to be lost. */
static void test_it_says_when_what_was_given_stands(void **state)
{
	static const char *const blocks[] = {"10.9.2.0/24", "10.9.3.0/24", "10.9.4.0/24", NULL};
	struct watcher *watcher = *state;
	char *command;

	run("iptables-nft -P FORWARD DROP; iptables-legacy -P FORWARD DROP");
	start(watcher);
	for (size_t i = 0; blocks[i]; i++) {
		give(watcher, blocks[i]);
		for (int wait = 0; !has_settled(watcher) && wait < 5000; wait++)
			usleep(1000);
		assert_true(has_settled(watcher));
		assert_true(asprintf(&command, "nft list table inet viaduct | grep -q %s && " NFT " && " LEGACY " && " FORWARDS,
				     blocks[i]) > 0);
		assert_true(succeeds(command));
		free(command);
	}
	assert_string_equal(watcher->problem, "");
}

#define ADD_BRIDGE "ip link add br-1 type bridge; ip addr add 10.9.2.1/24 dev br-1; ip link set br-1 up"
#define IN_BY(ifname) "iptables-nft -S VIADUCT-FORWARD 2>/dev/null | grep -q -- '-i " ifname "'"

static void test_a_bridge_takes_a_block_over(void **state)
{
	struct watcher *watcher = *state;
	int taken = 0, left = 0; /* how often within a second */

	run("iptables-nft -P FORWARD DROP");
	start(watcher);
	give(watcher, "10.9.2.0/24");
	until(IN_BY("vdhc"));
	for (int i = 0; i < TRIES; i++) {
		run(ADD_BRIDGE);
		taken += until(IN_BY("br-1")) < 1;
		run("ip link del br-1");
		left += until(IN_BY("vdhc")) < 1;
	}
	assert_true(taken && left);
	run(ADD_BRIDGE);
	until(IN_BY("br-1"));
	/* It is the block's, and in nobody's way. */
	usleep(400000);
	assert_false(says(watcher, watcher->occupied, "br-1"));
	run("ip link add br-2 type bridge; ip addr add 10.44.0.1/24 dev br-2; ip link set br-2 up");
	until("ip route show 10.44.0.0/24 | grep -q br-2");
	assert_true(waits_for(watcher, watcher->occupied, "{\"name\":\"br-2\",\"prefix\":\"10.44.0.0/24\"}"));
}

static void test_who_holds_nothing_any_more_is_as_before(void **state)
{
	struct watcher *watcher = *state;

	run("iptables-nft -P FORWARD DROP; nft list ruleset 2>/dev/null >" DIRECTORY "/before");
	start(watcher);
	/* A host that never was one is left alone. */
	give(watcher, NULL);
	usleep(200000);
	assert_false(succeeds("test -e " DIRECTORY "/node"));
	give(watcher, "10.9.2.0/24");
	until(TABLE " && " NFT " && " FORWARDS);
	give(watcher, NULL);
	until(NO_TABLE);
	until("! " FORWARDS);
	run("nft list ruleset 2>/dev/null | diff - " DIRECTORY "/before");
	until("! test -e " DIRECTORY "/node");

	/* And so it is when the daemon ends before, by its successor or by a purge. */
	give(watcher, "10.9.2.0/24");
	until(TABLE " && " NFT " && " FORWARDS);
	vd_keeper_worker_stop(watcher->worker);
	assert_true(succeeds(TABLE " && " NFT " && " FORWARDS));
	start(watcher);
	give(watcher, NULL);
	until(NO_TABLE);
	give(watcher, "10.9.2.0/24");
	until(TABLE " && " FORWARDS);
	vd_keeper_worker_stop(watcher->worker);
	watcher->worker = NULL;
	assert_int_equal(vd_keeper_worker_purge("h1", DIRECTORY, NULL), 0);
	assert_true(succeeds(NO_TABLE) && !succeeds(FORWARDS) && !succeeds(NFT));
	run("nft list ruleset 2>/dev/null | diff - " DIRECTORY "/before");
}

/* Packets of a container at br-1 (here a veth) to what it speaks with: by one table of a user's they go, by another they do not. */
static void test_a_table_that_drops_is_named_and_left_alone(void **state)
{
	struct watcher *watcher = *state;

	run("ip netns add c; ip link add br-1 type bridge; ip link add v0 type veth peer name eth0 netns c; ip link set v0 master "
	    "br-1;"
	    "ip addr add 10.9.2.1/24 dev br-1; ip link set br-1 up; ip link set v0 up; ip -n c addr add 10.9.2.2/24 dev eth0;"
	    "ip -n c link set eth0 up; ip -n c route add default via 10.9.2.1; ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev "
	    "eth0");
	run("nft -f - <<'END'\n"
	    "table inet mine {\n chain allowed { ip saddr 10.9.2.0/24 udp dport 1000 accept\n }\n"
	    " chain gate { type filter hook forward priority 10; policy drop; jump allowed\n }\n}\nEND\n");
	start(watcher);
	give(watcher, "10.9.2.0/24");
	until("nft list table inet viaduct 2>/dev/null | grep -q nftrace");
	run("ip netns exec c bash -c 'for i in 1 2 3; do echo x >/dev/udp/10.9.0.9/1000; echo x >/dev/udp/10.77.0.9/2000; done' || "
	    "true");
	usleep(300000);
	/* A policy of drop that lets containers through is nobody's trouble; nor is what the network has nothing to do with. */
	assert_string_equal(watcher->refused, "");
	run("ip netns exec c bash -c 'echo x >/dev/udp/10.9.0.9/2000'");
	assert_true(waits_for(watcher, watcher->refused,
			      "the chain gate of the nftables table inet mine drops packets of containers (10.9.2.2 to 10.9.0.9)"));
	run("nft list table inet mine | grep -q 'policy drop'");

	/* By a rule, and with an answer. */
	run("nft add rule inet mine allowed udp dport 3000 reject; nft chain inet mine gate '{ policy accept; }'");
	assert_true(waits_for(watcher, watcher->refused, ""));
	run("ip netns exec c bash -c 'echo x >/dev/udp/10.9.0.9/2000; echo x >/dev/udp/10.9.0.9/3000'");
	assert_true(waits_for(watcher, watcher->refused, "the chain allowed of the nftables table inet mine"));
	assert_string_equal(watcher->problem, "");

	run("nft delete table inet mine");
	until("! nft list table inet viaduct | grep -q nftrace");
	assert_true(waits_for(watcher, watcher->refused, ""));
	run("ip netns del c");
}

static void test_what_fails_is_said_and_tried_again(void **state)
{
	struct watcher *watcher = *state;
	int in_time = 0;

	run("iptables-nft -P FORWARD DROP; nft add rule ip filter FORWARD ct state new accept");
	start(watcher);
	give(watcher, "10.9.2.0/24");
	until(TABLE " && " FORWARDS);
	for (int i = 0; i < TRIES && !in_time; i++) {
		if (i)
			run("nft add rule ip filter FORWARD ct state new accept");
		assert_true(waits_for(watcher, watcher->problem, "iptables-nft-save cannot read the table filter"));
		run("nft flush chain ip filter FORWARD");
		in_time = until(NFT) < 3;
		assert_true(waits_for(watcher, watcher->problem, ""));
	}
	assert_true(in_time);
}

#define WATCHED_SECONDS 4

/* What it did when it was given the block lets it look once more, on a busy machine late: a second without a program is the end of it. */
static void assert_settles(void)
{
	struct rusage before, after = {};

	for (int i = 0; i < 20; i++) {
		before = after;
		usleep(1200000);
		getrusage(RUSAGE_CHILDREN, &after);
		if (i && after.ru_minflt == before.ru_minflt)
			return;
	}
	fail_msg("it starts programs all the time");
}

/* Four looks a second at what tells nobody; a program is started only when something differs. Counted, as time is the machine's. */
static void test_keeping_watch_costs_next_to_nothing(void **state)
{
	struct rusage before, after, children_before, children_after;
	struct watcher *watcher = *state;
	long woken;

	run("iptables-legacy -P FORWARD DROP; for i in $(seq 200); do echo -A INPUT -s 10.1.1.$i -j ACCEPT; done |"
	    "(echo '*filter'; cat; echo COMMIT) | iptables-legacy-restore --noflush");
	start(watcher);
	give(watcher, "10.9.2.0/24");
	until(LEGACY);
	assert_settles();
	getrusage(RUSAGE_SELF, &before);
	getrusage(RUSAGE_CHILDREN, &children_before);
	sleep(WATCHED_SECONDS);
	getrusage(RUSAGE_SELF, &after);
	getrusage(RUSAGE_CHILDREN, &children_after);
	assert_int_equal(children_after.ru_minflt, children_before.ru_minflt);
	woken = after.ru_nvcsw - before.ru_nvcsw;
	print_message("woken %ld times in %d s\n", woken, WATCHED_SECONDS);
	assert_true(woken <= 2 * 4 * WATCHED_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_others_spoil_is_back_within_a_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_says_when_what_was_given_stands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_bridge_takes_a_block_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_holds_nothing_any_more_is_as_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_table_that_drops_is_named_and_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_fails_is_said_and_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keeping_watch_costs_next_to_nothing, setup, teardown),
	};

	if (geteuid()) {
		fprintf(stderr, "skipped: network namespaces need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
