/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/policy.h"

#include "abi/maps.h"

#include <string.h>

bool vd_policy_map(enum vd_map map)
{
	return map == VD_MAP_ALLOW || map == VD_MAP_SPAN || map == VD_MAP_REMOTE || map == VD_MAP_POLICY;
}

static uint32_t combine_rule(uint32_t before, uint32_t after, bool is_union)
{
	if (is_union)
		return after ? after : before;
	return before ? after : 0;
}

static struct vd_remote_value combine_remote(struct vd_remote_value before, struct vd_remote_value after, bool is_union)
{
	return (struct vd_remote_value){
		.any_rule = combine_rule(before.any_rule, after.any_rule, is_union),
		.tcp_lengths = is_union ? before.tcp_lengths | after.tcp_lengths : before.tcp_lengths & after.tcp_lengths,
		.udp_lengths = is_union ? before.udp_lengths | after.udp_lengths : before.udp_lengths & after.udp_lengths,
		.icmp_lengths = is_union ? before.icmp_lengths | after.icmp_lengths : before.icmp_lengths & after.icmp_lengths,
	};
}

/* All of it is bits. The spans say all only where they do in both: else remote ends are asked, which hides nothing. */
static struct vd_policy_value combine_policy(struct vd_policy_value before, struct vd_policy_value after, bool is_union)
{
	uint64_t x[sizeof(before) / sizeof(uint64_t)], y[sizeof(before) / sizeof(uint64_t)];
	struct vd_policy_value combined;

	memcpy(x, &before, sizeof(before));
	memcpy(y, &after, sizeof(after));
	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		x[i] = is_union ? x[i] | y[i] : x[i] & y[i];
	memcpy(&combined, x, sizeof(combined));
	combined.only_spans = before.only_spans & after.only_spans;
	return combined;
}

static struct vd_span_value combine_span(struct vd_span_value before, struct vd_span_value after, bool is_union)
{
	for (size_t i = 0; i < sizeof(after.ports) / sizeof(after.ports[0]); i++)
		after.ports[i] = is_union ? before.ports[i] | after.ports[i] : before.ports[i] & after.ports[i];
	return after;
}

struct vd_entry vd_policy_combine(const struct vd_entry *before, const struct vd_entry *after, bool is_union)
{
	struct vd_entry combined = *after;

	if (after->map == VD_MAP_REMOTE) {
		struct vd_remote_value was, is;

		memcpy(&was, before->value, sizeof(was));
		memcpy(&is, after->value, sizeof(is));
		is = combine_remote(was, is, is_union);
		memcpy(combined.value, &is, sizeof(is));
	} else if (after->map == VD_MAP_SPAN) {
		struct vd_span_value was, is;

		memcpy(&was, before->value, sizeof(was));
		memcpy(&is, after->value, sizeof(is));
		is = combine_span(was, is, is_union);
		memcpy(combined.value, &is, sizeof(is));
	} else if (after->map == VD_MAP_POLICY) {
		struct vd_policy_value was, is;

		memcpy(&was, before->value, sizeof(was));
		memcpy(&is, after->value, sizeof(is));
		is = combine_policy(was, is, is_union);
		memcpy(combined.value, &is, sizeof(is));
	}
	return combined;
}

/* ---- who is who ---- */

static bool is_endpoint(const struct vd_entry *entry)
{
	return entry->map == VD_MAP_ENDPOINT4 || entry->map == VD_MAP_ENDPOINT6;
}

/* Whose rules filter a port here, or what identity rules know an address by. */
struct standing {
	uint32_t port, identity; /* identity 0: unfiltered, in no group, or not there */
	bool is_here;
};

/* False: the entry is nobody's. */
static bool standing_of(const struct vd_entry *entry, struct standing *ret)
{
	struct vd_endpoint_value endpoint;
	struct vd_port_value port;

	if (entry->map == VD_MAP_PORT) {
		memcpy(&port, entry->value, sizeof(port));
		*ret = (struct standing){port.id, port.policy, true};
		return true;
	}
	if (!is_endpoint(entry))
		return false;
	memcpy(&endpoint, entry->value, sizeof(endpoint));
	*ret = (struct standing){endpoint.port_id, endpoint.identity, endpoint.place == VD_ENDPOINT_PLACE_HERE};
	return true;
}

bool vd_policy_moves(const struct vd_entry *before, const struct vd_entry *after)
{
	struct standing was, is;

	return standing_of(before, &was) && standing_of(after, &is) && was.identity != is.identity;
}

struct vd_entry vd_policy_close(const struct vd_entry *entry)
{
	struct vd_entry closed = *entry;
	struct vd_endpoint_value endpoint;
	struct vd_port_value port;

	if (entry->map == VD_MAP_PORT) {
		memcpy(&port, entry->value, sizeof(port));
		port.policy = VD_POLICY_CLOSED;
		memcpy(closed.value, &port, sizeof(port));
	} else if (is_endpoint(entry)) {
		memcpy(&endpoint, entry->value, sizeof(endpoint));
		endpoint.identity = 0;
		memcpy(closed.value, &endpoint, sizeof(endpoint));
	}
	return closed;
}

/* Two sorted lists side by side. */
struct walk {
	const struct vd_entries *before, *after;
	size_t i, j;
};

/* The next key's entries, NULL where a list has none. False: the end. */
static bool walk_next(struct walk *walk, const struct vd_entry **ret_before, const struct vd_entry **ret_after)
{
	const struct vd_entry *was = walk->i < walk->before->count ? &walk->before->items[walk->i] : NULL;
	const struct vd_entry *is = walk->j < walk->after->count ? &walk->after->items[walk->j] : NULL;
	int order = !is ? -1 : !was ? 1 : vd_entry_compare(was, is);

	if (!was && !is)
		return false;
	*ret_before = order <= 0 ? was : NULL;
	*ret_after = order >= 0 ? is : NULL;
	walk->i += order <= 0;
	walk->j += order >= 0;
	return true;
}

/* Whose standing changes. port, from and to are those of the first; from 0: it comes, or was in no group. */
struct movers {
	uint32_t port, from, to;
	bool is_many; /* of several ports, or not all the same way */
	bool is_here; /* a port of this host among them */
	bool changes, comes, goes;
	bool is_fresh, is_vanishing; /* the policy of "to" begins, that of "from" ends: no other port here has it */
};

static void movers_add(struct movers *movers, const struct vd_entry *before, const struct vd_entry *after)
{
	struct standing was = {}, is = {};
	bool was_there = before && standing_of(before, &was), is_there = after && standing_of(after, &is);
	uint32_t port = is_there ? is.port : was.port;

	if (was.identity == is.identity)
		return;
	if (!movers->changes && !movers->comes && !movers->goes) {
		movers->port = port;
		movers->from = was.identity;
		movers->to = is.identity;
	}
	movers->is_many |= movers->port != port || movers->from != was.identity || movers->to != is.identity ||
			   (was_there && is_there && was.port != is.port);
	movers->is_here |= was.is_here || is.is_here;
	movers->changes |= was_there && is_there;
	movers->comes |= !was_there;
	movers->goes |= !is_there;
}

static bool has_policy(const struct vd_entries *entries, uint32_t identity)
{
	struct vd_policy_key key;

	for (size_t i = 0; i < entries->count; i++) {
		memcpy(&key, entries->items[i].key, sizeof(key));
		if (entries->items[i].map == VD_MAP_POLICY && key.identity == identity)
			return true;
	}
	return false;
}

static struct movers movers_find(const struct vd_entries *before, const struct vd_entries *after)
{
	struct walk walk = {.before = before, .after = after};
	const struct vd_entry *was, *is;
	struct movers movers = {};

	while (walk_next(&walk, &was, &is))
		movers_add(&movers, was, is);
	if (movers.changes && !movers.is_many) {
		movers.is_fresh = has_policy(after, movers.to) && !has_policy(before, movers.to);
		movers.is_vanishing = has_policy(before, movers.from) && !has_policy(after, movers.from);
	}
	return movers;
}

/* ---- what begins and what ends to be allowed ---- */

/* Whether a rule is of or about an identity. */
static bool concerns(const struct vd_entry *entry, uint32_t identity)
{
	struct vd_allow_key key;

	if (!identity)
		return false;
	memcpy(&key, entry->key, sizeof(key));
	return key.remote.identity == identity || (entry->map != VD_MAP_POLICY && key.remote.remote_identity == identity);
}

/* Whether a rule's entry (NULL: none) allows what another of its key does not. Masks allow nothing, they only hide. */
static bool allows_more(const struct vd_entry *entry, const struct vd_entry *than)
{
	struct vd_remote_value remote, other_remote = {};
	struct vd_policy_value policy, other_policy = {};
	struct vd_span_value span, other_span = {};

	if (!entry)
		return false;
	if (entry->map == VD_MAP_ALLOW)
		return !than;
	if (entry->map == VD_MAP_REMOTE) {
		memcpy(&remote, entry->value, sizeof(remote));
		if (than)
			memcpy(&other_remote, than->value, sizeof(other_remote));
		return remote.any_rule && !other_remote.any_rule;
	}
	if (entry->map == VD_MAP_POLICY) {
		memcpy(&policy, entry->value, sizeof(policy));
		if (than)
			memcpy(&other_policy, than->value, sizeof(other_policy));
		return policy.open && !other_policy.open;
	}
	memcpy(&span, entry->value, sizeof(span));
	if (than)
		memcpy(&other_span, than->value, sizeof(other_span));
	for (size_t i = 0; i < sizeof(span.ports) / sizeof(span.ports[0]); i++)
		if (span.ports[i] & ~other_span.ports[i])
			return true;
	return false;
}

/* What rules begin to allow (gains), or end to (losses). */
struct tally {
	bool any, by_direction[VD_POLICY_DIRECTION_EGRESS + 1];
	bool of_others; /* not only of or about the one identity that nobody else here has */
	bool is_met;    /* of or about the identity that must not meet it */
};

static void tally_add(struct tally *tally, const struct vd_entry *entry, uint32_t alone, uint32_t kept_from)
{
	struct vd_policy_key key;

	memcpy(&key, entry->key, sizeof(key)); /* the beginning of every rule's key */
	tally->any = true;
	tally->by_direction[key.direction == VD_POLICY_DIRECTION_EGRESS ? VD_POLICY_DIRECTION_EGRESS
									: VD_POLICY_DIRECTION_INGRESS] = true;
	tally->of_others |= !concerns(entry, alone);
	tally->is_met |= concerns(entry, kept_from);
}

static bool crosses(const struct tally *gains, const struct tally *losses)
{
	const bool *comes = gains->by_direction, *goes = losses->by_direction;

	return (comes[VD_POLICY_DIRECTION_EGRESS] && goes[VD_POLICY_DIRECTION_INGRESS]) ||
	       (comes[VD_POLICY_DIRECTION_INGRESS] && goes[VD_POLICY_DIRECTION_EGRESS]);
}

/* Ports here: one packet may meet two of them, and the rules of both. */
static bool must_close_here(const struct movers *movers, const struct tally *gains, const struct tally *losses)
{
	if (movers->changes)
		return movers->is_many || !movers->from || !movers->to || gains->of_others || losses->of_others;
	if (movers->comes && movers->goes)
		return true;
	return movers->comes ? losses->any : gains->any;
}

/* Ports of other hosts: a packet meets one of them, and here the rules of one port. */
static bool must_close_elsewhere(const struct movers *movers, const struct tally *gains, const struct tally *losses)
{
	if (crosses(gains, losses))
		return true;
	if (!movers->is_many)
		return gains->is_met || losses->is_met;
	return (gains->any && (movers->changes || movers->goes)) || (losses->any && (movers->changes || movers->comes));
}

struct vd_policy_change vd_policy_weigh(const struct vd_entries *before, const struct vd_entries *after)
{
	struct movers movers = movers_find(before, after);
	struct walk walk = {.before = before, .after = after};
	struct tally gains = {}, losses = {};
	const struct vd_entry *was, *is;

	while (walk_next(&walk, &was, &is)) {
		if (!vd_policy_map((was ? was : is)->map))
			continue;
		if (allows_more(is, was))
			tally_add(&gains, is, movers.is_fresh ? movers.to : 0, movers.from);
		if (allows_more(was, is))
			tally_add(&losses, was, movers.is_vanishing ? movers.from : 0, movers.to);
	}
	return (struct vd_policy_change){
		.gains = gains.any,
		.losses = losses.any,
		.moves = movers.changes,
		.closes_first =
			movers.is_here ? must_close_here(&movers, &gains, &losses) : must_close_elsewhere(&movers, &gains, &losses),
	};
}
