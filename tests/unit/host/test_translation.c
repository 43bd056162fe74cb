/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/firewall.h"
#include "host/translation.h"

#include <string.h>
#include <unistd.h>

/*
 * A node between a container and the rest, and flows that go on: each keeps its ports, or its ICMP id.
 *
 *     container 10.0.2.2 --- br1 10.0.2.1 | the node | up1 192.168.0.2 --- far 192.168.0.3 (exempt), 198.51.100.9 (not)
 */
static const char topology[] =
	"for n in container far; do ip netns add $n; ip -n $n link set lo up; done;"
	"ip link add br1 type veth peer name eth0 netns container; ip link add up1 type veth peer name eth0 netns far;"
	"ip addr add 10.0.2.1/24 dev br1; ip addr add 192.168.0.2/24 dev up1; ip link set br1 up; ip link set up1 up;"
	"ip -n container addr add 10.0.2.2/24 dev eth0; ip -n container link set eth0 up;"
	"ip -n container route add default via 10.0.2.1;"
	"ip -n far addr add 192.168.0.3/24 dev eth0; ip -n far link set eth0 up; ip -n far addr add 198.51.100.9/32 dev lo;"
	"ip -n far route add 10.0.2.0/24 via 192.168.0.2; ip route add 198.51.100.0/24 via 192.168.0.3;"
	"sysctl -qw net.ipv4.ip_forward=1;"
	"ip -6 addr add fd00:2::1/64 dev br1 nodad; ip -6 addr add fd00:c0::2/64 dev up1 nodad;"
	"ip -n container -6 addr add fd00:2::2/64 dev eth0 nodad; ip -n container -6 route add default via fd00:2::1;"
	"ip -n far -6 addr add fd00:c0::3/64 dev eth0 nodad; ip -n far -6 route add fd00:2::/64 via fd00:c0::2;"
	"sysctl -qw net.ipv6.conf.all.forwarding=1";

/* What Docker does to what leaves a bridge, here for both families. */
static const char masquerade[] =
	"nft -f - <<'END'\n"
	"table inet docker { chain postrouting { type nat hook postrouting priority srcnat;\n"
	" ip saddr 10.0.2.0/24 oifname != br1 masquerade; ip6 saddr fd00:2::/64 oifname != br1 masquerade; }\n}\nEND\n";

/* Two minutes, much longer than the tests take; who ends a test ends them. */
static const char flows[] = "ip netns exec container bash -c '"
			    "exec 3>/dev/udp/192.168.0.3/9 4>/dev/udp/198.51.100.9/9 5>/dev/udp/fd00:c0::3/9;"
			    "for i in $(seq 2400); do echo x >&3; echo x >&4; echo x >&5; sleep 0.05; done' >/dev/null 2>&1 &"
			    "for a in 192.168.0.3 198.51.100.9 fd00:c0::3; do"
			    " ip netns exec container ping -n -q -i 0.05 -c 2400 $a >/dev/null 2>&1 & done";

/* How often, of the connections of the container, the kernel's list has this line. */
static int count(const char *pattern)
{
	VD_FREE char *text =
		output_of("(conntrack -L -f ipv4; conntrack -L -f ipv6) 2>/dev/null | grep -c -- '%s' || true", pattern);

	return atoi(text);
}

static void until(const char *pattern, int wanted)
{
	for (int i = 0; count(pattern) != wanted; i++) {
		if (i == 400)
			fail_msg("%d of %s", count(pattern), pattern);
		usleep(50000);
	}
}

static struct vd_firewall_rules rules_of(bool is_masqueraded)
{
	static struct vd_firewall_block blocks[2];
	static struct vd_firewall_exempt exempt[3];

	for (int i = 0; i < 2; i++)
		blocks[i] = (struct vd_firewall_block){.domain = 5,
						       .prefix = prefix(i ? "fd00:2::/64" : "10.0.2.0/24"),
						       .masquerade = is_masqueraded,
						       .ifname = "br1"};
	exempt[0] = (struct vd_firewall_exempt){5, prefix("192.168.0.0/24")};
	exempt[1] = (struct vd_firewall_exempt){5, prefix("fd00:c0::/64")};
	exempt[2] = (struct vd_firewall_exempt){6, prefix("198.51.100.0/24")}; /* another domain's */
	return (struct vd_firewall_rules){.blocks = blocks, .block_count = 2, .exempt = exempt, .exempt_count = 3};
}

static void put(struct fixture *fixture, const struct vd_firewall_rules *rules)
{
	struct vd_firewall *firewall;

	assert_done(fixture, vd_firewall_open("h1", &firewall, &fixture->error));
	assert_true(vd_firewall_set(firewall, rules) >= 0);
	assert_done(fixture, vd_firewall_check(firewall, NULL, NULL, &fixture->error));
	vd_firewall_close(firewall);
}

static unsigned correct(struct fixture *fixture, const struct vd_firewall_rules *rules)
{
	unsigned ended = 99;

	assert_done(fixture, vd_translation_correct(rules, &ended, &fixture->error));
	return ended;
}

static int end_flows(void **state)
{
	run("ip netns pids container | xargs -r kill -9 || true");
	return fixture_teardown(state);
}

#define OWN "src=10.0.2.2 dst=192.168.0.3 .*dst=10.0.2.2"
#define OWN6 "src=fd00:2::2 dst=fd00:c0::3 .*dst=fd00:2::2"
#define TRANSLATED "src=10.0.2.2 dst=192.168.0.3 .*dst=192.168.0.2"
#define TRANSLATED6 "src=fd00:2::2 dst=fd00:c0::3 .*dst=fd00:c0::2"
#define OUTSIDE "src=10.0.2.2 dst=198.51.100.9 .*dst=192.168.0.2"
#define OUTSIDE_OWN "src=10.0.2.2 dst=198.51.100.9 .*dst=10.0.2.2"

/* R-CTR-5: what Docker's rule got while ours was missing goes on with its own address; nothing else is ended. */
static void test_what_was_translated_recovers(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_firewall_rules rules = rules_of(true);
	VD_FREE char *before = NULL, *after = NULL;

	run("%s\n%s%s", topology, masquerade, flows);
	until(TRANSLATED, 2);
	until(TRANSLATED6, 2);
	until(OUTSIDE, 2);
	before = output_of("conntrack -L -o id -d 198.51.100.9 2>/dev/null | sed 's/.* id=//' | sort");
	put(fixture, &rules);
	usleep(200000);
	/* The rules alone help nobody who was there before. */
	assert_int_equal(count(TRANSLATED) + count(TRANSLATED6), 4);

	assert_int_equal(correct(fixture, &rules), 4);
	until(OWN, 2);
	until(OWN6, 2);
	assert_int_equal(count(TRANSLATED) + count(TRANSLATED6), 0);
	assert_int_equal(correct(fixture, &rules), 0);
	after = output_of("conntrack -L -o id -d 198.51.100.9 2>/dev/null | sed 's/.* id=//' | sort");
	assert_string_equal(after, before);

	/* Where nothing is masqueraded, nothing was to be translated. */
	assert_int_equal(correct(fixture, &(struct vd_firewall_rules){0}), 0);
	assert_int_equal(count(OUTSIDE), 2);
	put(fixture, &(struct vd_firewall_rules){.blocks = rules_of(false).blocks, .block_count = 2});
	assert_int_equal(correct(fixture, &(struct vd_firewall_rules){.blocks = rules_of(false).blocks, .block_count = 2}), 2);
	until(OUTSIDE_OWN, 2);
}

/* What should have been translated and was not is begun anew, but for what is answered and works. */
static void test_what_was_not_translated_recovers_unless_it_is_answered(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_firewall_rules rules = rules_of(true);

	/* Nobody's conntrack would follow anything without a rule that asks for it. */
	run("%s; nft add table inet mine; nft add chain inet mine one '{ type filter hook forward priority 0; }';"
	    "nft add rule inet mine one ct state new accept; %s",
	    topology, flows);
	until(OUTSIDE_OWN, 2);
	until("icmp .*src=10.0.2.2 dst=198.51.100.9 .*src=198.51.100.9", 1);
	assert_int_equal(count("UNREPLIED.*src=198.51.100.9"), 1);
	put(fixture, &rules);
	assert_int_equal(correct(fixture, &rules), 0);
	until("udp .*" OUTSIDE, 1);
	assert_int_equal(count("icmp .*" OUTSIDE_OWN), 1);
	assert_int_equal(count(OWN), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_was_translated_recovers, fixture_setup, end_flows),
		cmocka_unit_test_setup_teardown(test_what_was_not_translated_recovers_unless_it_is_answered, fixture_setup,
						end_flows),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
