/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <netinet/in.h>

/*
 * R-SG-3: what a plan's records let through, looked up the way the data plane does, is what the rules say when each is read as it
 * stands. Random rules, ports and packets from printed seeds; VD_SEED=n runs one alone.
 */
#define SEEDS 300
#define PACKETS 300

static uint64_t state;

static unsigned number(unsigned below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)(state * 2685821657736338717u >> 33) % below;
}

static const char *one_of(const char *const *words, unsigned count)
{
	return words[number(count)];
}

#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

struct packet {
	uint32_t identity, remote_identity; /* 0: the remote address is nobody's, or of someone in no group */
	enum vd_direction direction;
	struct vd_address remote;
	uint8_t protocol;
	uint16_t port; /* or ICMP type */
};

/* ---- as the rules are written ---- */

struct reading {
	const struct vd_model *model;
	const struct packet *packet;
	const struct vd_port *port;
	uint32_t rule;   /* lowest that allows it, 0: none */
	bool has_closed; /* an egress rule of one's own */
};

static bool is_in(const struct vd_port *port, const char *group)
{
	for (size_t i = 0; i < port->security_group_count; i++)
		if (strcmp(port->security_groups[i], group) == 0)
			return true;
	return false;
}

struct search {
	uint32_t identity;
	const struct vd_port *found;
};

static int find_port(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource;
	struct search *search = userdata;

	if (port->assigned_identity == search->identity)
		search->found = port;
	return 0;
}

static const struct vd_port *port_of_identity(const struct vd_model *model, uint32_t identity)
{
	struct search search = {identity, NULL};

	vd_model_each(model, VD_KIND_PORT, "default", find_port, &search);
	return search.found;
}

static bool rule_allows(const struct vd_model *model, const struct vd_security_group_rule *rule, const struct packet *packet)
{
	const struct vd_port *remote = packet->remote_identity ? port_of_identity(model, packet->remote_identity) : NULL;

	if (rule->remote_cidr.address.family && !vd_prefix_contains(&rule->remote_cidr, &packet->remote))
		return false;
	if (rule->remote_group && (!remote || !is_in(remote, rule->remote_group)))
		return false;
	switch (rule->protocol) {
	case VD_RULE_PROTOCOL_ALL:
		return true;
	case VD_RULE_PROTOCOL_ICMP:
		return packet->protocol == IPPROTO_ICMP && (rule->icmp_type < 0 || rule->icmp_type == packet->port);
	case VD_RULE_PROTOCOL_TCP:
	case VD_RULE_PROTOCOL_UDP:
		break;
	}
	return packet->protocol == (rule->protocol == VD_RULE_PROTOCOL_TCP ? IPPROTO_TCP : IPPROTO_UDP) &&
	       (rule->port_last == 0 || (packet->port >= rule->port_first && packet->port <= rule->port_last));
}

static int read_rule(const struct vd_resource *resource, void *userdata)
{
	const struct vd_security_group_rule *rule = (const struct vd_security_group_rule *)resource;
	struct reading *reading = userdata;

	if (!is_in(reading->port, rule->group) || rule->direction != reading->packet->direction)
		return 0;
	if (rule->direction == VD_DIRECTION_EGRESS && !rule->is_default)
		reading->has_closed = true;
	if (rule_allows(reading->model, rule, reading->packet) && (!reading->rule || rule->head.id < reading->rule))
		reading->rule = rule->head.id;
	return 0;
}

/* Whether it passes; ret_rule: the lowest id of those that allow it. */
static bool rules_allow(const struct vd_model *model, const struct packet *packet, uint32_t *ret_rule)
{
	struct reading reading = {.model = model, .packet = packet, .port = port_of_identity(model, packet->identity)};

	vd_model_each(model, VD_KIND_SECURITY_GROUP_RULE, "default", read_rule, &reading);
	*ret_rule = reading.rule;
	return reading.rule || (packet->direction == VD_DIRECTION_EGRESS && !reading.has_closed);
}

/* ---- as the data plane looks it up ---- */

static bool bit(const uint64_t *words, unsigned i)
{
	return words[i / 64] >> i % 64 & 1;
}

static void take_lower(uint32_t *rule, uint32_t other)
{
	if (other && (!*rule || other < *rule))
		*rule = other;
}

/* A span allows exactly the ports that a block narrower than it does: the one is asked by packets, the other by a trace. */
static void look_up_span(const struct vd_plan *plan, const struct packet *packet, const struct vd_plan_policy_remote *remote,
			 bool is_in_block)
{
	unsigned index = packet->port % VD_PLAN_SPAN_PORTS;
	struct vd_plan_record span;
	bool is_in_span;

	vd_plan_record_init(&span, VD_PLAN_KIND_POLICY_SPAN);
	span.policy_span.identity = remote->identity;
	span.policy_span.direction = remote->direction;
	span.policy_span.remote_identity = remote->remote_identity;
	span.policy_span.prefix = remote->prefix;
	span.policy_span.protocol = packet->protocol;
	span.policy_span.port = (uint16_t)(packet->port - index);
	is_in_span = vd_plan_get(plan, &span, &span) == 0 && bit(span.policy_span.ports, index);
	assert_int_equal(is_in_span, is_in_block);
}

static void look_up_ports(const struct vd_plan *plan, const struct packet *packet, const struct vd_plan_policy_remote *remote,
			  uint32_t *rule)
{
	uint32_t lengths = packet->protocol == IPPROTO_TCP   ? remote->tcp_lengths
			   : packet->protocol == IPPROTO_UDP ? remote->udp_lengths
							     : remote->icmp_lengths;
	bool is_in_block = false;

	for (unsigned length = 0; length <= 16; length++) {
		struct vd_plan_record key, found;

		if (!(lengths >> length & 1))
			continue;
		vd_plan_record_init(&key, VD_PLAN_KIND_POLICY_PORT);
		key.policy_port.identity = remote->identity;
		key.policy_port.direction = remote->direction;
		key.policy_port.remote_identity = remote->remote_identity;
		key.policy_port.prefix = remote->prefix;
		key.policy_port.protocol = packet->protocol;
		key.policy_port.length = (uint8_t)length;
		key.policy_port.port = (uint16_t)(packet->port & (0xffff0000u >> length));
		if (vd_plan_get(plan, &key, &found) == 0) {
			take_lower(rule, found.policy_port.rule);
			is_in_block |= 1u << (16 - length) < VD_PLAN_SPAN_PORTS;
		}
	}
	look_up_span(plan, packet, remote, is_in_block);
}

/* Who looks only at spans, because the policy says that they are all, misses nothing. */
static void look_up_more(const struct vd_plan *plan, const struct packet *packet, const struct vd_plan_policy_remote *remote)
{
	unsigned slot = packet->protocol == IPPROTO_TCP ? 0 : packet->protocol == IPPROTO_UDP ? 1 : 2;
	uint32_t lengths = (uint32_t[]){remote->tcp_lengths, remote->udp_lengths, remote->icmp_lengths}[slot];
	struct vd_plan_record policy;

	vd_plan_record_init(&policy, VD_PLAN_KIND_POLICY);
	policy.policy.identity = packet->identity;
	policy.policy.direction = packet->direction;
	assert_int_equal(vd_plan_get(plan, &policy, &policy), 0);
	if (remote->any_rule || (lengths & 0xff))
		assert_true(policy.policy.more >>
				    VD_PLAN_POLICY_MORE(slot, remote->remote_identity, packet->remote.family == VD_FAMILY_IPV6) &
			    1);
}

static void look_up_remotes(const struct vd_plan *plan, const struct packet *packet, const uint64_t *lengths,
			    uint32_t remote_identity, uint32_t *rule)
{
	for (unsigned length = 0; length <= vd_address_bits(&packet->remote); length++) {
		struct vd_plan_record key, found;

		if (!bit(lengths, length))
			continue;
		vd_plan_record_init(&key, VD_PLAN_KIND_POLICY_REMOTE);
		key.policy_remote.identity = packet->identity;
		key.policy_remote.direction = packet->direction;
		key.policy_remote.remote_identity = remote_identity;
		key.policy_remote.prefix = (struct vd_prefix){packet->remote, (uint8_t)length};
		vd_prefix_normalise(&key.policy_remote.prefix);
		if (vd_plan_get(plan, &key, &found) < 0)
			continue;
		take_lower(rule, found.policy_remote.any_rule);
		look_up_ports(plan, packet, &found.policy_remote, rule);
		look_up_more(plan, packet, &found.policy_remote);
	}
}

static bool plan_allows(const struct vd_plan *plan, const struct packet *packet, uint32_t *ret_rule)
{
	bool is_ipv6 = packet->remote.family == VD_FAMILY_IPV6;
	struct vd_plan_record policy;

	*ret_rule = 0;
	vd_plan_record_init(&policy, VD_PLAN_KIND_POLICY);
	policy.policy.identity = packet->identity;
	policy.policy.direction = packet->direction;
	assert_int_equal(vd_plan_get(plan, &policy, &policy), 0);
	look_up_remotes(plan, packet, is_ipv6 ? policy.policy.lengths6 : &policy.policy.lengths4, 0, ret_rule);
	if (packet->remote_identity)
		look_up_remotes(plan, packet, is_ipv6 ? policy.policy.identity_lengths6 : &policy.policy.identity_lengths4,
				packet->remote_identity, ret_rule);
	return *ret_rule || policy.policy.open;
}

/* ---- worlds ---- */

#define SETS 8
#define FIRST_IDENTITY 100

static const char *const sets[SETS] = {"", "'g0'", "'g1'", "'g0','g1'", "'g2'", "'g0','g2'", "'g1','g2'", "'g0','g1','g2'"};

/* One port for each set of groups, half of them here: of the others only the identity counts. */
static void load_ports(struct world *world)
{
	world_load(world, VD_KIND_HOST, "default", "h1", "{'spec':{},'assigned':{'id':1}}");
	world_load(world, VD_KIND_VPC, "default", "v", "{'spec':{'cidrs':['10.0.0.0/8']},'assigned':{'id':10,'vni':10}}");
	world_load(world, VD_KIND_SUBNET, "default", "s",
		   "{'spec':{'vpc':'v','cidrs':['10.0.0.0/24']},'assigned':{'id':11,'vni':11}}");
	for (unsigned i = 1; i < SETS; i++) {
		world_load(world, VD_KIND_PORT, "default", text_of("p%u", i),
			   text_of("{'spec':{'subnet':'s','security_groups':[%s]},'assigned':{'id':%u,'identity':%u,"
				   "'mac':'02:00:00:00:00:%02x','addresses':['10.0.0.%u']}}",
				   sets[i], 20 + i, FIRST_IDENTITY + i, i, 10 + i));
		if (i % 2)
			world_load(world, VD_KIND_ATTACHMENT, "default", text_of("p%u", i),
				   text_of("{'host':'h1','boot_id':'b','type':'netns','ifindex':%u}", 10 + i));
	}
}

static void load_rule(struct world *world, unsigned i)
{
	unsigned group = number(3), first = 1 + number(3000), last = first + number(number(2) ? 3000 : 62000);
	bool is_default = number(6) == 0;
	const char *ports = text_of("'protocol':'%s','ports':'%u-%u'", ONE_OF("tcp", "udp"), first, last > 65535 ? 65535 : last);
	const char *icmp = text_of("'protocol':'icmp','icmp_type':%d", (int)number(10) - 1);
	const char *what = is_default ? "'protocol':'all'"
				      : ONE_OF(ports, ports, icmp, "'protocol':'tcp'", "'protocol':'udp','ports':'1-65535'",
					       "'protocol':'tcp','ports':'22'", "'protocol':'all'");
	const char *cidr = is_default ? ""
				      : ONE_OF("", "", ",'remote_cidr':'10.0.0.0/8'", ",'remote_cidr':'10.0.0.8/29'",
					       ",'remote_cidr':'10.0.0.12'", ",'remote_cidr':'fd00::/10'", ",'remote_cidr':'::/0'",
					       ",'remote_cidr':'fd00::5/128'");
	const char *remote = is_default  ? text_of(",'remote_group':'g%u','default':true", group)
			     : number(2) ? ""
					 : text_of(",'remote_group':'g%u'", number(3));

	world_load(world, VD_KIND_SECURITY_GROUP_RULE, "default", text_of("g%u/r%u", group, i),
		   text_of("{'spec':{'group':'g%u','name':'r%u','direction':'%s',%s%s%s},'assigned':{'id':%u}}", group, i,
			   ONE_OF("ingress", "egress"), what, cidr, remote, 1000 + number(1000000)));
}

static struct packet random_packet(void)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 47};
	struct packet packet = {
		.identity = FIRST_IDENTITY + 1 + number(SETS / 2) * 2,
		.remote_identity = number(3) ? FIRST_IDENTITY + 1 + number(SETS - 1) : 0,
		.direction = number(2) ? VD_DIRECTION_INGRESS : VD_DIRECTION_EGRESS,
		.protocol = protocols[number(5)],
	};

	packet.port = (uint16_t)(packet.protocol == IPPROTO_ICMP ? number(10) : number(3) ? 1 + number(6000) : 1 + number(65535));
	assert_int_equal(vd_address_parse(ONE_OF("10.0.0.11", "10.0.0.12", "10.0.0.13", "10.9.9.9", "192.0.2.1", "fd00::5",
						 "fd00::6", "2001:db8::1"),
					  &packet.remote),
			 0);
	return packet;
}

static size_t passed, dropped;

static void run_seed(uint64_t seed)
{
	struct vd_compiler *compiler;
	struct world world;

	state = seed * 0x9e3779b97f4a7c15u + 1;
	world_init(&world);
	load_ports(&world);
	for (unsigned i = 0, count = number(24); i < count; i++)
		load_rule(&world, i);
	compiler = world_compile(&world, "h1");
	for (int i = 0; i < PACKETS; i++) {
		struct packet packet = random_packet();
		uint32_t expected_rule, rule;
		bool expected = rules_allow(world.model, &packet, &expected_rule);
		bool allowed = plan_allows(vd_compiler_plan(compiler), &packet, &rule);

		if (allowed != expected || rule != expected_rule)
			fail_msg("VD_SEED=%lu packet %d: the plan says %d by rule %u, the rules %d by %u", (unsigned long)seed, i,
				 allowed, rule, expected, expected_rule);
		*(allowed ? &passed : &dropped) += 1;
	}
	vd_compiler_free(compiler);
	world_free(&world);
}

static void test_a_plan_allows_what_the_rules_allow(void **unused)
{
	const char *seed = getenv("VD_SEED");

	if (seed) {
		run_seed(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= SEEDS; i++)
		run_seed(i);
	print_message("seeds 1-%d; %zu packets pass, %zu do not\n", SEEDS, passed, dropped);
	assert_true(passed > SEEDS * PACKETS / 5);
	assert_true(dropped > SEEDS * PACKETS / 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_plan_allows_what_the_rules_allow)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
