// SPDX-License-Identifier: Apache-2.0
#include "policy.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

#define GET(map, key, value) (bpf_map__lookup_elem(map, &(key), sizeof(key), &(value), sizeof(value), 0) == 0)

void put_policy(struct fixture *fixture, uint32_t identity, bool egress_is_open)
{
	struct vd_policy_key key = {.identity = identity, .direction = VD_POLICY_DIRECTION_INGRESS};
	struct vd_policy_value value = {.only_spans = VD_POLICY_ONLY_ALL};

	PUT(fixture->bpf->maps.vd_policy, key, value);
	key.direction = VD_POLICY_DIRECTION_EGRESS;
	value.open = egress_is_open;
	PUT(fixture->bpf->maps.vd_policy, key, value);
	bump(fixture, vd_slot_policy(identity));
}

static struct vd_remote_key remote_key(const struct rule *rule, int family)
{
	struct vd_remote_key key = {.identity = rule->identity,
				    .direction = rule->direction,
				    .remote_identity = rule->remote_identity,
				    .family = family,
				    .length = rule->prefix ? rule->length : 0};

	if (rule->prefix)
		text_to_address(rule->prefix, key.prefix.byte);
	return key;
}

/* Calls back for each aligned block of a power of two that the range is cut into. */
static void each_block(const struct rule *rule, void (*visit)(uint16_t port, uint8_t length, void *userdata), void *userdata)
{
	uint32_t port = rule->first, last = rule->last;

	while (port <= last) {
		uint8_t length = 16;

		while (length && !(port & ((2u << (16 - length)) - 1)) && port + (2u << (16 - length)) - 1 <= last)
			length--;
		visit(port, length, userdata);
		port += 1u << (16 - length);
	}
}

struct block_visit {
	struct fixture *fixture;
	struct vd_remote_key key;
	const struct rule *rule;
	uint32_t lengths;
};

/* A rule that is deleted overlaps no other. */
static void span_change(struct block_visit *visit, uint16_t port, uint8_t length, bool is_added)
{
	struct vd_allow_key key = {.remote = visit->key,
				   .protocol = visit->rule->protocol,
				   .length = VD_POLICY_SPAN_LENGTH,
				   .port = port & ~(VD_POLICY_SPAN_PORTS - 1)};
	struct vd_span_value value = {};

	(void)GET(visit->fixture->bpf->maps.vd_span, key, value);
	for (unsigned i = port - key.port; i < port - key.port + (1u << (16 - length)); i++) {
		if (is_added)
			value.ports[i / 64] |= 1ULL << i % 64;
		else
			value.ports[i / 64] &= ~(1ULL << i % 64);
	}
	PUT(visit->fixture->bpf->maps.vd_span, key, value);
	visit->lengths |= VD_POLICY_SPANS;
}

static void put_block(uint16_t port, uint8_t length, void *userdata)
{
	struct block_visit *visit = userdata;
	struct vd_allow_key key = {.remote = visit->key, .protocol = visit->rule->protocol, .length = length, .port = port};

	PUT(visit->fixture->bpf->maps.vd_allow, key, visit->rule->id);
	visit->lengths |= 1u << length;
	if (length > VD_POLICY_SPAN_LENGTH)
		span_change(visit, port, length, true);
}

static void delete_block(uint16_t port, uint8_t length, void *userdata)
{
	struct block_visit *visit = userdata;
	struct vd_allow_key key = {.remote = visit->key, .protocol = visit->rule->protocol, .length = length, .port = port};

	bpf_map__delete_elem(visit->fixture->bpf->maps.vd_allow, &key, sizeof(key), 0);
	if (length > VD_POLICY_SPAN_LENGTH)
		span_change(visit, port, length, false);
}

static void put_remote(struct fixture *fixture, const struct rule *rule, int family)
{
	struct block_visit visit = {.fixture = fixture, .key = remote_key(rule, family), .rule = rule};
	struct vd_policy_key policy_key = {.identity = rule->identity, .direction = rule->direction};
	struct vd_remote_value value = {};
	struct vd_policy_value policy = {};
	__u64 *mask;

	(void)GET(fixture->bpf->maps.vd_remote, visit.key, value);
	if (rule->protocol)
		each_block(rule, put_block, &visit);
	else if (!value.any_rule || rule->id < value.any_rule)
		value.any_rule = rule->id;
	if (rule->protocol == IPPROTO_TCP)
		value.tcp_lengths |= visit.lengths;
	else if (rule->protocol == IPPROTO_UDP)
		value.udp_lengths |= visit.lengths;
	else
		value.icmp_lengths |= visit.lengths;
	PUT(fixture->bpf->maps.vd_remote, visit.key, value);
	assert_true(GET(fixture->bpf->maps.vd_policy, policy_key, policy));
	if (family == 4)
		mask = rule->remote_identity ? &policy.identity_lengths4 : &policy.lengths4;
	else
		mask = &(rule->remote_identity ? policy.identity_lengths6 : policy.lengths6)[visit.key.length / 64];
	*mask |= 1ULL << visit.key.length % 64;
	for (int protocol = 0; protocol < VD_POLICY_PROTOCOL_COUNT; protocol++) {
		uint32_t lengths = (uint32_t[]){value.tcp_lengths, value.udp_lengths, value.icmp_lengths}[protocol];

		if (value.any_rule || lengths & ((2U << VD_POLICY_SPAN_LENGTH) - 1))
			policy.only_spans &= ~VD_POLICY_ONLY(protocol, rule->remote_identity, family == 6);
	}
	PUT(fixture->bpf->maps.vd_policy, policy_key, policy);
}

static int rule_family(const struct rule *rule)
{
	uint8_t address[16];

	return rule->prefix ? text_to_address(rule->prefix, address) : 0;
}

void put_rule(struct fixture *fixture, const struct rule *rule)
{
	int family = rule_family(rule);

	if (family != 6)
		put_remote(fixture, rule, 4);
	if (family != 4)
		put_remote(fixture, rule, 6);
}

void delete_rule(struct fixture *fixture, const struct rule *rule)
{
	int family = rule_family(rule);

	for (int each = 4; each <= 6; each += 2) {
		struct block_visit visit = {.fixture = fixture, .key = remote_key(rule, each), .rule = rule};
		struct vd_remote_value value;

		if (family && family != each)
			continue;
		assert_true(GET(fixture->bpf->maps.vd_remote, visit.key, value));
		if (rule->protocol)
			each_block(rule, delete_block, &visit);
		else
			value.any_rule = 0;
		PUT(fixture->bpf->maps.vd_remote, visit.key, value);
	}
	bump(fixture, vd_slot_policy(rule->identity));
}

void set_policy(struct fixture *fixture, uint32_t ifindex, uint32_t identity)
{
	struct vd_port_value value;

	assert_true(GET(fixture->bpf->maps.vd_port, ifindex, value));
	value.policy = identity;
	PUT(fixture->bpf->maps.vd_port, ifindex, value);
	bump(fixture, vd_slot_port(value.id));
}

void set_identity(struct fixture *fixture, uint32_t domain, const char *address, uint32_t identity)
{
	struct vd_endpoint4_key key4 = {.domain = domain};
	struct vd_endpoint6_key key6 = {.domain = domain};
	struct vd_endpoint_value value;

	if (text_to_address(address, key6.address.byte) == 4) {
		key4.address = key6.address.word[0];
		assert_true(GET(fixture->bpf->maps.vd_endpoint4, key4, value));
	} else {
		assert_true(GET(fixture->bpf->maps.vd_endpoint6, key6, value));
	}
	value.identity = identity;
	put_endpoint(fixture, domain, address, &value);
	bump(fixture, endpoint_slot(domain, address));
}

static bool is_inside(const uint8_t *address, const uint8_t *prefix, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if ((address[i / 8] ^ prefix[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

bool rule_allows(const struct rule *rule, uint8_t protocol, uint16_t port, const char *remote, uint32_t remote_identity)
{
	uint8_t address[16], prefix[16];
	int family = text_to_address(remote, address);

	if (rule->remote_identity && rule->remote_identity != remote_identity)
		return false;
	if (rule->prefix && (text_to_address(rule->prefix, prefix) != family || !is_inside(address, prefix, rule->length)))
		return false;
	if (!rule->protocol)
		return true;
	return rule->protocol == protocol && port >= rule->first && port <= rule->last;
}
