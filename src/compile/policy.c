/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/policy.h"

#include "compile/block.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_LENGTH 7 /* bits of a port that are fixed in a span */
#define LENGTHS_IPV4 33
#define LENGTHS_IPV6 129

/* ---- rules that grant the same ---- */

/* Their ids in order; one alone, as usual, without an array of its own. */
struct rules {
	uint32_t count;
	uint32_t one;
	uint32_t *many; /* NULL until there are two; its size is the next power of two */
};

static uint32_t rules_lowest(const struct rules *rules)
{
	return rules->count == 0 ? 0 : rules->many ? rules->many[0] : rules->one;
}

static uint32_t rules_find(const struct rules *rules, uint32_t rule)
{
	uint32_t low = 0, high = rules->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (rules->many[middle] < rule)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int rules_add(struct rules *rules, uint32_t rule)
{
	uint32_t at;

	if (rules->count == 0 && !rules->many) {
		rules->one = rule;
		rules->count = 1;
		return 0;
	}
	if (!rules->many || (rules->count & (rules->count - 1)) == 0) {
		uint32_t *many = reallocarray(rules->many, rules->count ? (size_t)rules->count * 2 : 1, sizeof(*many));

		if (!many)
			return -ENOMEM;
		if (!rules->many)
			many[0] = rules->one;
		rules->many = many;
	}
	at = rules_find(rules, rule);
	memmove(rules->many + at + 1, rules->many + at, (rules->count - at) * sizeof(*rules->many));
	rules->many[at] = rule;
	rules->count++;
	return 0;
}

static void rules_remove(struct rules *rules, uint32_t rule)
{
	if (rules->many) {
		uint32_t at = rules_find(rules, rule);

		memmove(rules->many + at, rules->many + at + 1, (rules->count - at - 1) * sizeof(*rules->many));
	}
	rules->count--;
}

/* ---- entries ---- */

/* One for each record, and for each that has just ceased to be one. */
struct vd_policy {
	struct vd_table_node node;
	struct vd_policy *next_touched;
	bool is_touched;
	uint32_t identity, direction;
	unsigned holders; /* it is a record while there is one */
	unsigned closers; /* rules, more than the default ones */
	unsigned remotes;
	unsigned more[3 * 4]; /* how many remotes have more than spans: VD_PLAN_POLICY_MORE */
	/* How many remotes have a prefix of that length: for anyone, for identities. */
	uint32_t lengths4[2][LENGTHS_IPV4], lengths6[2][LENGTHS_IPV6];
};

enum protocol_slot {
	PROTOCOL_SLOT_TCP,
	PROTOCOL_SLOT_UDP,
	PROTOCOL_SLOT_ICMP,
	PROTOCOL_SLOT_COUNT,
};

struct vd_policy_remote {
	struct vd_table_node node;
	struct vd_policy_remote *next_touched;
	bool is_touched;
	struct vd_policy *policy;
	uint32_t remote_identity;
	struct vd_prefix prefix;
	struct rules all; /* those for every protocol */
	unsigned blocks;
	bool has_more[PROTOCOL_SLOT_COUNT]; /* than spans: as counted in the policy */
	uint16_t lengths[PROTOCOL_SLOT_COUNT]
			[VD_PORT_BITS + 1]; /* how many blocks of that length: at most 65536 >> (16 - length) */
};

struct vd_policy_block {
	struct vd_table_node node;
	struct vd_policy_block *next_touched;
	bool is_touched;
	uint8_t protocol, length;
	uint16_t port;
	struct vd_policy_remote *remote;
	struct rules rules;
};

struct vd_policy_span {
	struct vd_table_node node;
	struct vd_policy_span *next_touched;
	bool is_touched;
	uint8_t protocol;
	uint16_t port;
	struct vd_policy_remote *remote;
	unsigned blocks;                    /* narrower ones in it */
	uint8_t covers[VD_PLAN_SPAN_PORTS]; /* how many of them have the port: at most one of each length */
};

#define TOUCH(policies, list, entry) \
	({ \
		if (!(entry)->is_touched) { \
			(entry)->is_touched = true; \
			(entry)->next_touched = (policies)->list; \
			(policies)->list = (entry); \
		} \
	})

static struct vd_policy *policy_make(struct vd_policies *policies, uint32_t identity, uint32_t direction)
{
	uint64_t hash = vd_hash_bytes(vd_hash_bytes(VD_HASH_START, &identity, sizeof(identity)), &direction, sizeof(direction));
	struct vd_policy *policy;

	for (struct vd_table_node *node = vd_table_first(&policies->policies, hash); node; node = vd_table_next(node)) {
		policy = VD_CONTAINER(node, struct vd_policy, node);
		if (policy->identity == identity && policy->direction == direction)
			return policy;
	}

	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return NULL;
	policy->identity = identity;
	policy->direction = direction;
	if (vd_table_add(&policies->policies, &policy->node, hash) < 0) {
		free(policy);
		return NULL;
	}
	return policy;
}

static struct vd_policy_remote *remote_make(struct vd_policies *policies, struct vd_policy *policy, const struct vd_grant *grant)
{
	uint64_t hash = vd_hash_bytes(policy->node.hash, &grant->remote_identity, sizeof(grant->remote_identity));
	struct vd_policy_remote *remote;

	hash = vd_hash_bytes(hash, &grant->prefix, sizeof(grant->prefix));
	for (struct vd_table_node *node = vd_table_first(&policies->remotes, hash); node; node = vd_table_next(node)) {
		remote = VD_CONTAINER(node, struct vd_policy_remote, node);
		if (remote->policy == policy && remote->remote_identity == grant->remote_identity &&
		    vd_prefix_equal(&remote->prefix, &grant->prefix))
			return remote;
	}

	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return NULL;
	remote->policy = policy;
	remote->remote_identity = grant->remote_identity;
	remote->prefix = grant->prefix;
	if (vd_table_add(&policies->remotes, &remote->node, hash) < 0) {
		free(remote);
		return NULL;
	}
	return remote;
}

static struct vd_policy_block *block_make(struct vd_policies *policies, struct vd_policy_remote *remote, uint8_t protocol,
					  uint16_t port, uint8_t length)
{
	uint8_t bytes[] = {protocol, length, (uint8_t)(port >> 8), (uint8_t)port};
	uint64_t hash = vd_hash_bytes(remote->node.hash, bytes, sizeof(bytes));
	struct vd_policy_block *block;

	for (struct vd_table_node *node = vd_table_first(&policies->blocks, hash); node; node = vd_table_next(node)) {
		block = VD_CONTAINER(node, struct vd_policy_block, node);
		if (block->remote == remote && block->protocol == protocol && block->length == length && block->port == port)
			return block;
	}

	block = calloc(1, sizeof(*block));
	if (!block)
		return NULL;
	block->remote = remote;
	block->protocol = protocol;
	block->length = length;
	block->port = port;
	if (vd_table_add(&policies->blocks, &block->node, hash) < 0) {
		free(block);
		return NULL;
	}
	return block;
}

static struct vd_policy_span *span_make(struct vd_policies *policies, struct vd_policy_remote *remote, uint8_t protocol,
					uint16_t port)
{
	uint8_t bytes[] = {protocol, (uint8_t)(port >> 8), (uint8_t)port};
	uint64_t hash = vd_hash_bytes(remote->node.hash, bytes, sizeof(bytes));
	struct vd_policy_span *span;

	for (struct vd_table_node *node = vd_table_first(&policies->spans, hash); node; node = vd_table_next(node)) {
		span = VD_CONTAINER(node, struct vd_policy_span, node);
		if (span->remote == remote && span->protocol == protocol && span->port == port)
			return span;
	}

	span = calloc(1, sizeof(*span));
	if (!span)
		return NULL;
	span->remote = remote;
	span->protocol = protocol;
	span->port = port;
	if (vd_table_add(&policies->spans, &span->node, hash) < 0) {
		free(span);
		return NULL;
	}
	return span;
}

static bool remote_is_alive(const struct vd_policy_remote *remote)
{
	return remote->all.count > 0 || remote->blocks > 0;
}

/* ---- counting ---- */

/* Whether its policy counts this remote among those that have more than spans follows from its rules. */
static void more_recount(struct vd_policies *policies, struct vd_policy_remote *remote)
{
	struct vd_policy *policy = remote->policy;
	bool is_ipv6 = remote->prefix.address.family == VD_FAMILY_IPV6;

	for (unsigned slot = 0; slot < PROTOCOL_SLOT_COUNT; slot++) {
		unsigned *count = &policy->more[VD_PLAN_POLICY_MORE(slot, remote->remote_identity, is_ipv6)];
		bool has_more = remote->all.count > 0;

		for (unsigned length = 0; length <= SPAN_LENGTH; length++)
			has_more |= remote->lengths[slot][length] > 0;
		if (has_more == remote->has_more[slot])
			continue;
		remote->has_more[slot] = has_more;
		*count += has_more ? 1 : -1u;
		if (*count == (has_more ? 1 : 0))
			TOUCH(policies, touched_policies, policy);
	}
}

/* Whether the lengths of its policy count this remote follows from whether it is alive. */
static void remote_recount(struct vd_policies *policies, struct vd_policy_remote *remote, bool was_alive)
{
	struct vd_policy *policy = remote->policy;
	bool is_alive = remote_is_alive(remote), is_ipv6 = remote->prefix.address.family == VD_FAMILY_IPV6;
	int of = remote->remote_identity != 0;
	uint32_t *length = is_ipv6 ? &policy->lengths6[of][remote->prefix.length] : &policy->lengths4[of][remote->prefix.length];

	TOUCH(policies, touched_remotes, remote);
	more_recount(policies, remote);
	if (was_alive == is_alive)
		return;
	*length += is_alive ? 1 : -1u;
	policy->remotes += is_alive ? 1 : -1u;
	TOUCH(policies, touched_policies, policy);
}

static enum protocol_slot slot_of(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? PROTOCOL_SLOT_TCP : protocol == IPPROTO_UDP ? PROTOCOL_SLOT_UDP : PROTOCOL_SLOT_ICMP;
}

/* A block narrower than a span has begun or ceased to be. */
static int span_change(struct vd_policies *policies, const struct vd_policy_block *block, bool is_added)
{
	struct vd_policy_span *span;
	unsigned first = block->port % VD_PLAN_SPAN_PORTS;

	span = span_make(policies, block->remote, block->protocol, (uint16_t)(block->port - first));
	if (!span)
		return -ENOMEM;
	span->blocks += is_added ? 1 : -1u;
	for (unsigned i = first; i < first + vd_block_size(block->length); i++)
		span->covers[i] = (uint8_t)(span->covers[i] + (is_added ? 1 : -1));
	TOUCH(policies, touched_spans, span);
	return 0;
}

static int block_change(struct vd_policies *policies, struct vd_policy_remote *remote, const struct vd_grant *grant, uint16_t port,
			uint8_t length, bool is_added)
{
	struct vd_policy_block *block = block_make(policies, remote, grant->protocol, port, length);
	uint32_t count;
	int r = 0;

	if (!block)
		return -ENOMEM;
	count = block->rules.count;
	if (is_added)
		r = rules_add(&block->rules, grant->rule);
	else
		rules_remove(&block->rules, grant->rule);
	if ((count > 0) != (block->rules.count > 0)) {
		remote->lengths[slot_of(grant->protocol)][length] += is_added ? 1 : -1;
		remote->blocks += is_added ? 1 : -1u;
		if (length > SPAN_LENGTH && r == 0)
			r = span_change(policies, block, is_added);
	}
	TOUCH(policies, touched_blocks, block);
	return r;
}

static int blocks_change(struct vd_policies *policies, struct vd_policy_remote *remote, const struct vd_grant *grant, bool is_added)
{
	uint32_t first = grant->first, end = grant->last + 1u;
	int r = 0;

	while (first < end && r == 0) {
		uint8_t length = vd_block_length(first, end);

		r = block_change(policies, remote, grant, (uint16_t)first, length, is_added);
		first += vd_block_size(length);
	}
	return r;
}

static int grant_change(struct vd_policies *policies, const struct vd_grant *grant, bool is_added)
{
	struct vd_policy *policy = policy_make(policies, grant->identity, grant->direction);
	struct vd_policy_remote *remote;
	bool was_alive;
	int r = 0;

	if (!policy)
		return -ENOMEM;
	if (grant->protocol == VD_GRANT_CLOSES) {
		policy->closers += is_added ? 1 : -1u;
		TOUCH(policies, touched_policies, policy);
		return 0;
	}

	remote = remote_make(policies, policy, grant);
	if (!remote)
		return -ENOMEM;
	was_alive = remote_is_alive(remote);
	if (grant->protocol != VD_GRANT_ALL)
		r = blocks_change(policies, remote, grant, is_added);
	else if (is_added)
		r = rules_add(&remote->all, grant->rule);
	else
		rules_remove(&remote->all, grant->rule);
	remote_recount(policies, remote, was_alive);
	return r;
}

int vd_policies_replace(struct vd_policies *policies, const struct vd_grants *before, const struct vd_grants *after)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < before->count || j < after->count)) {
		int order = i == before->count ? 1 : j == after->count ? -1 : vd_grant_compare(&before->items[i], &after->items[j]);

		if (order != 0)
			r = grant_change(policies, order < 0 ? &before->items[i] : &after->items[j], order > 0);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}

static int hold(struct vd_policies *policies, uint32_t identity, unsigned change)
{
	for (uint32_t direction = VD_PLAN_DIRECTION_INGRESS; direction <= VD_PLAN_DIRECTION_EGRESS; direction++) {
		struct vd_policy *policy = policy_make(policies, identity, direction);

		if (!policy)
			return -ENOMEM;
		policy->holders += change;
		TOUCH(policies, touched_policies, policy);
	}
	return 0;
}

int vd_policies_hold(struct vd_policies *policies, uint32_t identity)
{
	return hold(policies, identity, 1);
}

int vd_policies_release(struct vd_policies *policies, uint32_t identity)
{
	return hold(policies, identity, -1u);
}

/* ---- records ---- */

static void set_bits(uint64_t *words, const uint32_t *counts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (counts[i])
			words[i / 64] |= 1ull << i % 64;
}

static void policy_record(const struct vd_policy *policy, struct vd_plan_record *ret)
{
	vd_plan_record_init(ret, VD_PLAN_KIND_POLICY);
	ret->policy.identity = policy->identity;
	ret->policy.direction = policy->direction;
	for (unsigned i = 0; i < sizeof(policy->more) / sizeof(policy->more[0]); i++)
		ret->policy.more |= (uint32_t)(policy->more[i] > 0) << i;
	ret->policy.open = policy->direction == VD_PLAN_DIRECTION_EGRESS && policy->closers == 0;
	set_bits(&ret->policy.lengths4, policy->lengths4[0], LENGTHS_IPV4);
	set_bits(&ret->policy.identity_lengths4, policy->lengths4[1], LENGTHS_IPV4);
	set_bits(ret->policy.lengths6, policy->lengths6[0], LENGTHS_IPV6);
	set_bits(ret->policy.identity_lengths6, policy->lengths6[1], LENGTHS_IPV6);
}

static uint32_t length_bits(const uint16_t counts[VD_PORT_BITS + 1])
{
	uint32_t bits = 0;

	for (unsigned i = 0; i <= VD_PORT_BITS; i++)
		bits |= (uint32_t)(counts[i] > 0) << i;
	return bits;
}

static void remote_record(const struct vd_policy_remote *remote, struct vd_plan_record *ret)
{
	vd_plan_record_init(ret, VD_PLAN_KIND_POLICY_REMOTE);
	ret->policy_remote.identity = remote->policy->identity;
	ret->policy_remote.direction = remote->policy->direction;
	ret->policy_remote.remote_identity = remote->remote_identity;
	ret->policy_remote.prefix = remote->prefix;
	ret->policy_remote.any_rule = rules_lowest(&remote->all);
	ret->policy_remote.tcp_lengths = length_bits(remote->lengths[PROTOCOL_SLOT_TCP]);
	ret->policy_remote.udp_lengths = length_bits(remote->lengths[PROTOCOL_SLOT_UDP]);
	ret->policy_remote.icmp_lengths = length_bits(remote->lengths[PROTOCOL_SLOT_ICMP]);
}

static void block_record(const struct vd_policy_block *block, struct vd_plan_record *ret)
{
	vd_plan_record_init(ret, VD_PLAN_KIND_POLICY_PORT);
	ret->policy_port.identity = block->remote->policy->identity;
	ret->policy_port.direction = block->remote->policy->direction;
	ret->policy_port.remote_identity = block->remote->remote_identity;
	ret->policy_port.prefix = block->remote->prefix;
	ret->policy_port.protocol = block->protocol;
	ret->policy_port.length = block->length;
	ret->policy_port.port = block->port;
	ret->policy_port.rule = rules_lowest(&block->rules);
}

static void span_record(const struct vd_policy_span *span, struct vd_plan_record *ret)
{
	vd_plan_record_init(ret, VD_PLAN_KIND_POLICY_SPAN);
	ret->policy_span.identity = span->remote->policy->identity;
	ret->policy_span.direction = span->remote->policy->direction;
	ret->policy_span.remote_identity = span->remote->remote_identity;
	ret->policy_span.prefix = span->remote->prefix;
	ret->policy_span.protocol = span->protocol;
	ret->policy_span.port = span->port;
	for (unsigned i = 0; i < VD_PLAN_SPAN_PORTS; i++)
		ret->policy_span.ports[i / 64] |= (uint64_t)(span->covers[i] > 0) << i % 64;
}

/* What of a plan changes, when this record should stand in it, or none with its key. */
static int turn_over(const struct vd_plan *plan, const struct vd_plan_record *record, bool is_alive, struct vd_plan *gone,
		     struct vd_plan *come)
{
	struct vd_plan_record stands;
	int r = vd_plan_get(plan, record, &stands);

	if (r == 0)
		r = vd_plan_put(gone, &stands);
	else if (r == -ENOENT)
		r = 0;
	if (r >= 0 && is_alive)
		r = vd_plan_put(come, record);
	return r < 0 ? r : 0;
}

static void free_policy(struct vd_table_node *node)
{
	free(VD_CONTAINER(node, struct vd_policy, node));
}

static void free_remote(struct vd_table_node *node)
{
	struct vd_policy_remote *remote = VD_CONTAINER(node, struct vd_policy_remote, node);

	free(remote->all.many);
	free(remote);
}

static void free_block(struct vd_table_node *node)
{
	struct vd_policy_block *block = VD_CONTAINER(node, struct vd_policy_block, node);

	free(block->rules.many);
	free(block);
}

static void free_span(struct vd_table_node *node)
{
	free(VD_CONTAINER(node, struct vd_policy_span, node));
}

static int collect_spans(struct vd_policies *policies, const struct vd_plan *plan, struct vd_plan *gone, struct vd_plan *come)
{
	struct vd_policy_span *span;
	int r = 0;

	while (r == 0 && (span = policies->touched_spans)) {
		bool is_alive = span->blocks > 0;
		struct vd_plan_record record;

		policies->touched_spans = span->next_touched;
		span->is_touched = false;
		span_record(span, &record);
		r = turn_over(plan, &record, is_alive, gone, come);
		if (!is_alive) {
			vd_table_remove(&policies->spans, &span->node);
			free_span(&span->node);
		}
	}
	return r;
}

static int collect_blocks(struct vd_policies *policies, const struct vd_plan *plan, struct vd_plan *gone, struct vd_plan *come)
{
	struct vd_policy_block *block;
	int r = 0;

	while (r == 0 && (block = policies->touched_blocks)) {
		bool is_alive = block->rules.count > 0;
		struct vd_plan_record record;

		policies->touched_blocks = block->next_touched;
		block->is_touched = false;
		block_record(block, &record);
		r = turn_over(plan, &record, is_alive, gone, come);
		if (!is_alive) {
			vd_table_remove(&policies->blocks, &block->node);
			free_block(&block->node);
		}
	}
	return r;
}

static int collect_remotes(struct vd_policies *policies, const struct vd_plan *plan, struct vd_plan *gone, struct vd_plan *come)
{
	struct vd_policy_remote *remote;
	int r = 0;

	while (r == 0 && (remote = policies->touched_remotes)) {
		bool is_alive = remote_is_alive(remote);
		struct vd_plan_record record;

		policies->touched_remotes = remote->next_touched;
		remote->is_touched = false;
		remote_record(remote, &record);
		r = turn_over(plan, &record, is_alive, gone, come);
		if (!is_alive) {
			vd_table_remove(&policies->remotes, &remote->node);
			free_remote(&remote->node);
		}
	}
	return r;
}

/* Those that they belong to go after them. */
int vd_policies_collect(struct vd_policies *policies, const struct vd_plan *plan, struct vd_plan *gone, struct vd_plan *come)
{
	struct vd_policy *policy;
	int r;

	r = collect_spans(policies, plan, gone, come);
	if (r == 0)
		r = collect_blocks(policies, plan, gone, come);
	if (r == 0)
		r = collect_remotes(policies, plan, gone, come);
	while (r == 0 && (policy = policies->touched_policies)) {
		struct vd_plan_record record;

		policies->touched_policies = policy->next_touched;
		policy->is_touched = false;
		policy_record(policy, &record);
		r = turn_over(plan, &record, policy->holders > 0, gone, come);
		if (policy->holders + policy->closers + policy->remotes == 0) {
			vd_table_remove(&policies->policies, &policy->node);
			free_policy(&policy->node);
		}
	}
	return r;
}

void vd_policies_clear(struct vd_policies *policies)
{
	vd_table_clear(&policies->spans, free_span);
	vd_table_clear(&policies->blocks, free_block);
	vd_table_clear(&policies->remotes, free_remote);
	vd_table_clear(&policies->policies, free_policy);
	*policies = (struct vd_policies){};
}
