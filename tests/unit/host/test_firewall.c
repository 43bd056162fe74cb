/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/firewall.h"

#include <string.h>

/*
 * A node between its containers and the rest, with the chains that Docker 20.10 makes (written down from a real one), in both
 * backends of iptables, and real packets:
 *
 *     container 10.0.2.2 --- br1 10.0.2.1 | the node | up1 192.168.0.2 --- far 192.168.0.3, 10.0.3.2 (exempt), 198.51.100.9 (not)
 *
 * far says which source it saw: a request of 10.0.2.2 that was translated comes from 192.168.0.2.
 */
static const char topology[] =
	"for n in container far; do ip netns add $n; ip -n $n link set lo up; done;"
	"ip link add br1 type veth peer name eth0 netns container; ip link add up1 type veth peer name eth0 netns far;"
	"ip addr add 10.0.2.1/24 dev br1; ip addr add 192.168.0.2/24 dev up1; ip link set br1 up; ip link set up1 up;"
	"ip -n container addr add 10.0.2.2/24 dev eth0; ip -n container link set eth0 up;"
	"ip -n container route add default via 10.0.2.1;"
	"ip -n far addr add 192.168.0.3/24 dev eth0; ip -n far link set eth0 up;"
	"ip -n far addr add 10.0.3.2/32 dev lo; ip -n far addr add 198.51.100.9/32 dev lo;"
	"ip -n far route add 10.0.2.0/24 via 192.168.0.2;"
	"ip route add 10.0.3.0/24 via 192.168.0.3; ip route add 198.51.100.0/24 via 192.168.0.3;"
	"sysctl -qw net.ipv4.ip_forward=1;"
	"ip -6 addr add fd00:2::1/64 dev br1 nodad; ip -6 addr add fd00:c0::2/64 dev up1 nodad;"
	"ip -n container -6 addr add fd00:2::2/64 dev eth0 nodad; ip -n container -6 route add default via fd00:2::1;"
	"ip -n far -6 addr add fd00:c0::3/64 dev eth0 nodad; ip -n far -6 route add fd00:2::/64 via fd00:c0::2;"
	"sysctl -qw net.ipv6.conf.all.forwarding=1";

static const char *const backends[] = {"nft", "legacy"};

/* What dockerd does at its start and for the network my-net, with one port published: -p 8080:80. */
static void docker_begin(const char *backend)
{
	run("iptables-%s-restore <<'END'\n"
	    "*filter\n"
	    ":INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	    ":DOCKER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-ISOLATION-STAGE-2 - [0:0]\n:DOCKER-USER - [0:0]\n"
	    "-A FORWARD -j DOCKER-USER\n"
	    "-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n"
	    "-A FORWARD -o br1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
	    "-A FORWARD -o br1 -j DOCKER\n"
	    "-A FORWARD -i br1 ! -o br1 -j ACCEPT\n"
	    "-A FORWARD -i br1 -o br1 -j ACCEPT\n"
	    "-A DOCKER -d 10.0.2.2/32 ! -i br1 -o br1 -p tcp -m tcp --dport 80 -j ACCEPT\n"
	    "-A DOCKER-ISOLATION-STAGE-1 -i br1 ! -o br1 -j DOCKER-ISOLATION-STAGE-2\n"
	    "-A DOCKER-ISOLATION-STAGE-1 -j RETURN\n"
	    "-A DOCKER-ISOLATION-STAGE-2 -o br1 -j DROP\n"
	    "-A DOCKER-ISOLATION-STAGE-2 -j RETURN\n"
	    "-A DOCKER-USER -j RETURN\n"
	    "COMMIT\n"
	    "*nat\n"
	    ":PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
	    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
	    "-A POSTROUTING -s 10.0.2.0/24 ! -o br1 -j MASQUERADE\n"
	    "-A POSTROUTING -s 10.0.2.2/32 -d 10.0.2.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE\n"
	    "-A DOCKER -i br1 -j RETURN\n"
	    "-A DOCKER ! -i br1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.2.2:80\n"
	    "COMMIT\nEND",
	    backend);
}

struct node {
	struct vd_firewall *firewall;
	struct fixture *fixture;
	char said[2048]; /* what was repaired, a sentence per line */
};

static void hear(const char *what, void *userdata)
{
	struct node *node = userdata;

	strncat(node->said, what, sizeof(node->said) - strlen(node->said) - 2);
	strcat(node->said, "\n");
}

/* What was put back: "" when nothing. */
static const char *check(struct node *node)
{
	node->said[0] = '\0';
	vd_firewall_read(node->firewall);
	assert_done(node->fixture, vd_firewall_check(node->firewall, hear, node, &node->fixture->error));
	return node->said;
}

static void node_set(struct node *node, bool masquerade)
{
	const struct vd_firewall_block blocks[] = {
		{.domain = 5, .prefix = prefix("10.0.2.0/24"), .masquerade = masquerade, .ifname = "br1"},
		{.domain = 5, .prefix = prefix("fd00:2::/64"), .masquerade = masquerade, .ifname = "br1"},
	};
	/* Overlapping, doubled, and of another domain: as a plan may say it. */
	const struct vd_firewall_exempt exempt[] = {
		{5, prefix("10.0.0.0/16")}, {5, prefix("10.0.3.0/24")}, {5, prefix("192.168.0.0/24")}, {5, prefix("10.0.0.0/16")},
		{6, prefix("0.0.0.0/0")},   {5, prefix("fd00::/16")},   {5, prefix("fd00:c0::/64")},
	};
	const struct vd_firewall_rules rules = {.blocks = blocks,
						.block_count = 2,
						.exempt = exempt,
						.exempt_count = sizeof(exempt) / sizeof(*exempt),
						.vxlan_port = 4789};

	assert_true(vd_firewall_set(node->firewall, &rules) >= 0);
	assert_int_equal(vd_firewall_set(node->firewall, &rules), 0);
}

static struct node node_begin(struct fixture *fixture)
{
	struct node node = {.fixture = fixture};

	run("%s", topology);
	assert_done(fixture, vd_firewall_open("h1", &node.firewall, &fixture->error));
	node_set(&node, true);
	return node;
}

static void leave(struct node *node)
{
	assert_int_equal(vd_firewall_set(node->firewall, &(struct vd_firewall_rules){0}), 1);
	check(node);
}

static bool pings(const char *from, const char *to)
{
	return succeeds("ip netns exec %s ping -c 1 -W 1 %s >/dev/null", from, to);
}

/* The source address with which a UDP datagram of the container arrives. */
static char *source_at(const char *destination)
{
	return output_of(
		"ip netns exec far timeout 30 tcpdump -lnni eth0 -c 1 udp and dst host %s 2>/dev/null >/run/vd-test/seen & t=$!;"
		"while kill -0 $t 2>/dev/null; do ip netns exec container bash -c 'echo x >/dev/udp/%s/9'; sleep 0.1; done;"
		"sed -n 's/.* IP6* \\([0-9a-f:.]*\\)\\.[0-9]* > .*/\\1/p' /run/vd-test/seen | tr -d '\\n'",
		destination, destination);
}

static bool fetches(const char *source, const char *server, unsigned seconds)
{
	return succeeds("ip netns exec far curl -s -m %u --interface %s http://%s/page >/dev/null", seconds, source, server);
}

static void assert_source(const char *destination, const char *source)
{
	VD_FREE char *seen = source_at(destination);

	assert_string_equal(seen, source);
}

/* R-CTR-5: whoever wrote Docker's rules, with which backend, containers speak untranslated with what is exempt, and are forwarded. */
static void test_docker_neither_drops_nor_translates_what_is_exempt(void **state)
{
	struct node node = node_begin(*state);

	for (size_t i = 0; i < 2; i++) {
		docker_begin(backends[i]);
		assert_source("192.168.0.3", "192.168.0.2");
		assert_false(pings("far", "10.0.2.2"));

		check(&node);
		assert_source("192.168.0.3", "10.0.2.2");
		assert_source("10.0.3.2", "10.0.2.2");
		assert_source("198.51.100.9", "192.168.0.2");
		assert_source("fd00:c0::3", "fd00:2::2");
		assert_true(pings("far", "10.0.2.2"));
		assert_true(pings("container", "198.51.100.9"));
		assert_true(pings("container", "10.0.2.1"));

		leave(&node);
		assert_source("192.168.0.3", "192.168.0.2");
		assert_false(pings("far", "10.0.2.2"));
		run("iptables-%s -P FORWARD ACCEPT; iptables-%s -F; iptables-%s -t nat -F; iptables-%s -X", backends[i],
		    backends[i], backends[i], backends[i]);
		node_set(&node, true);
	}
	vd_firewall_close(node.firewall);
}

/* Behind a masquerade a container is reached from elsewhere by what is published, and by nothing else; R-CTR-5: -p 8080:80. */
static void test_published_ports_work_and_others_stay_closed(void **state)
{
	struct node node = node_begin(*state);

	for (size_t i = 0; i < 2; i++) {
		docker_begin(backends[i]);
		check(&node);
		run("ip netns exec container busybox httpd -p 80 -h /run/vd-test; ip netns exec container busybox httpd -p 81 -h "
		    "/run/vd-test;"
		    "echo hello >/run/vd-test/page");
		assert_true(fetches("192.168.0.3", "192.168.0.2:8080", 20));
		assert_true(fetches("198.51.100.9", "192.168.0.2:8080", 20));
		assert_true(fetches("192.168.0.3", "10.0.2.2:81", 20));
		assert_false(fetches("198.51.100.9", "10.0.2.2:81", 1));
		assert_false(succeeds("ip netns exec far ping -c 1 -W 1 -I 198.51.100.9 10.0.2.2 >/dev/null"));

		/* Without masquerade the address is everybody's to call. */
		node_set(&node, false);
		check(&node);
		assert_true(succeeds("ip netns exec far ping -c 1 -W 1 -I 198.51.100.9 10.0.2.2 >/dev/null"));
		assert_source("198.51.100.9", "10.0.2.2");
		node_set(&node, true);
		run("while p=$(ip netns pids container) && [ -n \"$p\" ]; do kill -9 $p; sleep 0.05; done; iptables-%s -P FORWARD "
		    "ACCEPT;"
		    "iptables-%s -F; iptables-%s -t nat -F; iptables-%s -X",
		    backends[i], backends[i], backends[i], backends[i]);
	}
	vd_firewall_close(node.firewall);
}

/* Whatever is flushed is put back, and said. */
static void test_what_others_flush_is_put_back(void **state)
{
	struct node node = node_begin(*state);
	static const struct {
		const char *command, *said;
	} cases[] = {
		{"iptables-%s -F", "the jump to our rules in FORWARD was put back"},
		{"iptables-%s -F DOCKER-USER", "the jump to our rules in DOCKER-USER was put back"},
		{"iptables-%s -F VIADUCT-FORWARD", "our rules were put back"},
		{"iptables-%s -I VIADUCT-FORWARD -j DROP", "our rules were put back"},
		{"iptables-%s -F; iptables-%s -X", "the jump to our rules in FORWARD was put back"},
		{"iptables-%s -I DOCKER-USER -j RETURN", "the jump to our rules in DOCKER-USER was put back"},
	};

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof(cases) / sizeof(*cases); j++) {
			VD_FREE char *program = NULL;

			docker_begin(backends[i]);
			check(&node);
			assert_string_equal(check(&node), "");
			assert_true(pings("far", "10.0.2.2"));
			run(cases[j].command, backends[i], backends[i]);
			if (i == 0)
				assert_true(vd_firewall_read(node.firewall));
			else
				assert_true(vd_firewall_differs(node.firewall));
			assert_false(pings("far", "10.0.2.2"));
			assert_true(asprintf(&program, "iptables-%s: ", backends[i]) > 0);
			if (!strstr(check(&node), cases[j].said) || !strstr(node.said, program))
				fail_msg("after %s: '%s'", cases[j].command, node.said);
			assert_true(pings("far", "10.0.2.2"));
		}
		run("iptables-%s -P FORWARD ACCEPT; iptables-%s -F; iptables-%s -X; iptables-%s -t nat -F", backends[i],
		    backends[i], backends[i], backends[i]);
		check(&node);
	}
	vd_firewall_close(node.firewall);
}

static void test_a_flushed_ruleset_is_put_back(void **state)
{
	struct node node = node_begin(*state);

	docker_begin("nft");
	check(&node);
	assert_string_equal(check(&node), "");
	run("nft flush ruleset");
	assert_true(vd_firewall_read(node.firewall));
	/* Nothing translates now, not even what shall be. */
	assert_source("198.51.100.9", "10.0.2.2");
	assert_string_equal(check(&node), "nftables: the table inet viaduct was put back\n");
	assert_source("198.51.100.9", "192.168.0.2");
	assert_source("192.168.0.3", "10.0.2.2");
	/* Where nothing is refused, nothing is added. */
	assert_false(succeeds("nft list table ip filter 2>/dev/null"));

	run("nft add chain inet viaduct other; nft flush chain inet viaduct postrouting");
	assert_string_equal(check(&node), "nftables: the table inet viaduct was put back\n");
	assert_false(succeeds("nft list chain inet viaduct other 2>/dev/null"));
	vd_firewall_close(node.firewall);
}

/* An administrator's own rules in DOCKER-USER come before ours, and nobody's rules are changed, moved or left over. */
static void test_rules_of_others_stay_as_they_are(void **state)
{
	struct node node = node_begin(*state);
	static const char dump[] = "iptables-%s-save | grep -v '^#' | sed 's/\\[.*//'; nft -s list ruleset 2>/dev/null";

	for (size_t i = 0; i < 2; i++) {
		VD_FREE char *before = NULL, *after = NULL, *user = NULL;

		docker_begin(backends[i]);
		run("iptables-%s -I DOCKER-USER -s 10.0.3.2/32 -d 10.0.2.2/32 -j DROP; iptables-%s -A INPUT -p tcp --dport 23 -j "
		    "DROP;"
		    "nft add table inet mine; nft add chain inet mine forward '{ type filter hook forward priority 0; }'",
		    backends[i], backends[i]);
		before = output_of(dump, backends[i]);
		check(&node);
		/* The older backend would write what is traced into the kernel's log. */
		assert_int_equal(vd_firewall_is_watching(node.firewall), i == 0);
		assert_false(succeeds("ip netns exec far ping -c 1 -W 1 -I 10.0.3.2 10.0.2.2 >/dev/null"));
		assert_true(pings("far", "10.0.2.2"));
		user = output_of("iptables-%s -S DOCKER-USER | tail -n 3", backends[i]);
		assert_string_equal(user, "-A DOCKER-USER -s 10.0.3.2/32 -d 10.0.2.2/32 -j DROP\n"
					  "-A DOCKER-USER -m comment --comment \"viaduct:h1\" -j VIADUCT-FORWARD\n"
					  "-A DOCKER-USER -j RETURN\n");
		run("iptables-%s -C VIADUCT-INPUT -p udp -m udp --dport 4789 -m comment --comment viaduct:h1 -j ACCEPT",
		    backends[i]);
		leave(&node);
		after = output_of(dump, backends[i]);
		assert_string_equal(after, before);
		run("iptables-%s -P FORWARD ACCEPT; iptables-%s -F; iptables-%s -t nat -F; iptables-%s -X; nft flush ruleset",
		    backends[i], backends[i], backends[i], backends[i]);
		node_set(&node, true);
	}
	vd_firewall_close(node.firewall);
}

/* Watching costs nothing while nobody changes anything, and what does not concern us does not wake us. */
static void test_traffic_and_others_tables_do_not_wake_us(void **state)
{
	struct node node = node_begin(*state);

	docker_begin("legacy");
	docker_begin("nft");
	check(&node);
	check(&node);
	assert_false(vd_firewall_differs(node.firewall));
	assert_true(pings("far", "10.0.2.2"));
	run("nft add table inet mine; nft add chain inet mine one; nft add rule inet mine one drop;"
	    "iptables-nft -t nat -A POSTROUTING -j RETURN; iptables-legacy -t nat -A POSTROUTING -j RETURN");
	assert_false(vd_firewall_read(node.firewall));
	assert_false(vd_firewall_differs(node.firewall));
	run("iptables-legacy -R FORWARD 3 -o br1 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT");
	assert_true(vd_firewall_differs(node.firewall));
	check(&node);
	assert_false(vd_firewall_differs(node.firewall));
	/* The older backend's tables are not made by looking for them. */
	run("iptables-legacy -F; ip6tables-nft -N other; iptables-nft -N other");
	assert_true(vd_firewall_differs(node.firewall));
	assert_true(vd_firewall_read(node.firewall));
	assert_false(succeeds("grep -q . /proc/thread-self/net/ip6_tables_names"));
	vd_firewall_close(node.firewall);
}

/* R-CTR-5: without a masquerade of its own the table only holds off others': where there are none, the kernel follows no connection. */
static void test_nothing_is_translated_where_nobody_else_translates(void **state)
{
	struct node node = node_begin(*state);

	node_set(&node, false);
	assert_string_equal(check(&node), "");
	assert_false(succeeds("nft list table inet viaduct 2>/dev/null"));
	assert_source("198.51.100.9", "10.0.2.2");
	assert_true(succeeds("! conntrack -L 2>/dev/null | grep -q 198.51.100.9"));
	assert_false(vd_firewall_was_lost(node.firewall));
	for (size_t i = 0; i < 2; i++) {
		docker_begin(backends[i]);
		assert_source("198.51.100.9", "192.168.0.2");
		if (i == 0)
			assert_true(vd_firewall_read(node.firewall));
		else
			assert_true(vd_firewall_differs(node.firewall));
		check(&node);
		assert_true(vd_firewall_was_lost(node.firewall));
		assert_source("198.51.100.9", "10.0.2.2");
		check(&node);
		assert_false(vd_firewall_was_lost(node.firewall));
		run("iptables-%s -P FORWARD ACCEPT; iptables-%s -F; iptables-%s -X; nft flush ruleset", backends[i], backends[i],
		    backends[i]);
		if (i == 0)
			check(&node);
	}
	vd_firewall_close(node.firewall);
}

/* A daemon that is started again finds its rules standing: no rule is twice, and nobody is told. */
static void test_a_new_daemon_takes_over(void **state)
{
	struct node node = node_begin(*state);
	VD_FREE char *before = NULL, *after = NULL;

	docker_begin("nft");
	check(&node);
	before = output_of("nft -s list ruleset");
	vd_firewall_close(node.firewall);
	assert_done(node.fixture, vd_firewall_open("h1", &node.firewall, &node.fixture->error));
	node_set(&node, true);
	assert_string_equal(check(&node), "");
	after = output_of("nft -s list ruleset");
	assert_string_equal(after, before);

	/* Another host's daemon leaves them, ours takes them away. */
	vd_firewall_close(node.firewall);
	assert_done(node.fixture, vd_firewall_purge("h2", &node.fixture->error));
	assert_true(succeeds("nft list table inet viaduct >/dev/null"));
	assert_done(node.fixture, vd_firewall_purge("h1", &node.fixture->error));
	assert_false(succeeds("nft list ruleset | grep -qi viaduct"));
}

/* firewalld 1.3's table, in its shape: what it does not know is rejected in filter_FORWARD and filter_INPUT. */
static void firewalld_begin(void)
{
	run("nft -f - <<'END'\n"
	    "add table inet firewalld\ndelete table inet firewalld\n"
	    "table inet firewalld {\n"
	    " chain filter_INPUT { type filter hook input priority filter + 10; policy accept;\n"
	    "  ct state { established, related } accept\n  iifname \"lo\" accept\n"
	    "  icmp type echo-request accept\n  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n  reject with "
	    "icmpx admin-prohibited\n }\n"
	    " chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;\n"
	    "  ct state { established, related } accept\n  ct status dnat accept\n  reject with icmpx admin-prohibited\n }\n"
	    "}\nEND");
}

static void test_firewalld_lets_containers_through_also_after_a_reload(void **state)
{
	struct node node = node_begin(*state);
	VD_FREE char *before = NULL, *after = NULL;

	firewalld_begin();
	before = output_of("nft -s list table inet firewalld");
	assert_false(pings("container", "192.168.0.3"));
	assert_string_equal(check(&node), "");
	assert_true(pings("container", "192.168.0.3"));
	assert_true(pings("far", "10.0.2.2"));
	assert_true(succeeds("ip netns exec container ping -c 12 -i 0.3 -W 1 fd00:c0::3 >/dev/null"));
	assert_false(succeeds("ip netns exec far ping -c 1 -W 1 -I 198.51.100.9 10.0.2.2 >/dev/null"));
	check(&node);
	vd_firewall_read(node.firewall);

	firewalld_begin();
	assert_true(vd_firewall_read(node.firewall));
	assert_false(pings("far", "10.0.2.2"));
	assert_string_equal(check(&node), "firewalld: our rules were put back in filter_FORWARD and filter_INPUT\n");
	run("nft flush chain inet firewalld filter_FORWARD");
	assert_string_equal(check(&node), "firewalld: our rules were put back in filter_FORWARD and filter_INPUT\n");
	assert_string_equal(check(&node), "");
	assert_true(pings("far", "10.0.2.2"));
	assert_true(succeeds("nft list chain inet firewalld viaduct_input | grep -q 'udp dport 4789 accept'"));

	firewalld_begin();
	check(&node);
	leave(&node);
	after = output_of("nft -s list table inet firewalld");
	assert_string_equal(after, before);
	vd_firewall_close(node.firewall);
}

/* A gateway machine forwards between what is behind other hosts and the exempt. */
static void test_a_gateway_forwards_for_others(void **state)
{
	struct node node = node_begin(*state);
	const struct vd_firewall_transit transit = {5, prefix("10.0.2.0/24")};
	const struct vd_firewall_exempt exempt = {5, prefix("192.168.0.0/24")};
	const struct vd_firewall_rules rules = {.transit = &transit, .transit_count = 1, .exempt = &exempt, .exempt_count = 1};

	run("iptables-nft -P FORWARD DROP");
	assert_int_equal(vd_firewall_set(node.firewall, &rules), 1);
	check(&node);
	assert_true(pings("container", "192.168.0.3"));
	assert_false(pings("container", "198.51.100.9"));
	assert_false(succeeds("nft list table inet viaduct 2>/dev/null"));

	/* One that is no node does not know what its containers speak with. */
	assert_int_equal(vd_firewall_set(node.firewall, &(struct vd_firewall_rules){.transit = &transit, .transit_count = 1}), 1);
	check(&node);
	assert_true(pings("container", "198.51.100.9"));
	vd_firewall_close(node.firewall);
}

/* A table that iptables cannot read is not guessed at. */
static void test_a_table_that_iptables_cannot_read_is_reported(void **state)
{
	struct node node = node_begin(*state);

	run("iptables-nft -P FORWARD DROP; nft add rule ip filter FORWARD ct state new accept");
	assert_true(vd_firewall_check(node.firewall, NULL, NULL, &node.fixture->error) < 0);
	assert_non_null(strstr(node.fixture->error.text, "iptables-nft"));
	assert_true(succeeds("nft list table inet viaduct >/dev/null"));
	vd_firewall_close(node.firewall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_docker_neither_drops_nor_translates_what_is_exempt, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_published_ports_work_and_others_stay_closed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_others_flush_is_put_back, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_flushed_ruleset_is_put_back, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_rules_of_others_stay_as_they_are, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_traffic_and_others_tables_do_not_wake_us, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_translated_where_nobody_else_translates, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_new_daemon_takes_over, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_firewalld_lets_containers_through_also_after_a_reload, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_gateway_forwards_for_others, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_a_table_that_iptables_cannot_read_is_reported, fixture_setup,
						fixture_teardown),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
