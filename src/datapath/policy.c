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

/* All of it is bits. */
static struct vd_policy_value combine_policy(struct vd_policy_value before, struct vd_policy_value after, bool is_union)
{
	uint64_t x[sizeof(before) / sizeof(uint64_t)], y[sizeof(before) / sizeof(uint64_t)];
	struct vd_policy_value combined;

	memcpy(x, &before, sizeof(before));
	memcpy(y, &after, sizeof(after));
	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		x[i] = is_union ? x[i] | y[i] : x[i] & y[i];
	memcpy(&combined, x, sizeof(combined));
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

uint32_t vd_policy_endpoint_identity(const struct vd_entry *endpoint)
{
	struct vd_endpoint_value value;

	memcpy(&value, endpoint->value, sizeof(value));
	return value.identity;
}

struct vd_entry vd_policy_endpoint_anonymous(const struct vd_entry *endpoint)
{
	struct vd_entry anonymous = *endpoint;
	struct vd_endpoint_value value;

	memcpy(&value, endpoint->value, sizeof(value));
	value.identity = 0;
	memcpy(anonymous.value, &value, sizeof(value));
	return anonymous;
}

/* A port's policy or an endpoint's identity, and whose it is. False: the entry is neither. */
static bool standing_of(const struct vd_entry *entry, uint32_t *ret_port, uint32_t *ret_identity)
{
	struct vd_port_value port;
	struct vd_endpoint_value endpoint;

	if (entry->map == VD_MAP_PORT) {
		memcpy(&port, entry->value, sizeof(port));
		*ret_port = port.id;
		*ret_identity = port.policy;
		return true;
	}
	if (!is_endpoint(entry))
		return false;
	memcpy(&endpoint, entry->value, sizeof(endpoint));
	*ret_port = endpoint.port_id;
	*ret_identity = endpoint.identity;
	return true;
}

/* The one port that becomes another's equal, as long as it is only one. */
struct mover {
	uint32_t port, from, to; /* from 0: it was not there, or in no group */
	bool is_change, is_many;
	bool is_fresh, is_vanishing; /* the policy of "to" begins, that of "from" ends: it has no other ports */
};

static struct mover mover_find(const struct vd_entries *before, const struct vd_entries *after)
{
	struct mover mover = {};

	for (size_t i = 0, j = 0; j < after->count; j++) {
		const struct vd_entry *is = &after->items[j];
		uint32_t port, to, from = 0, old_port;
		bool was_there;

		while (i < before->count && vd_entry_compare(&before->items[i], is) < 0)
			i++;
		was_there = i < before->count && !vd_entry_compare(&before->items[i], is);
		if (!standing_of(is, &port, &to) || (was_there && !standing_of(&before->items[i], &old_port, &from)) || from == to)
			continue;
		mover.is_many |= mover.port && mover.port != port;
		mover.is_change |= was_there;
		mover.port = port;
		mover.from = was_there ? from : mover.from;
		mover.to = to;
	}
	return mover;
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

/* Whether a rule is of or about an identity. */
static bool concerns(const struct vd_entry *entry, uint32_t identity)
{
	struct vd_allow_key key;

	if (!identity)
		return false;
	memcpy(&key, entry->key, sizeof(key));
	return key.remote.identity == identity || (entry->map != VD_MAP_POLICY && key.remote.remote_identity == identity);
}

/* Widened rules must not meet the port as it was, nor rules that shall be narrowed the port as it will be. */
static bool is_met(const struct mover *mover, const struct vd_entry *before, const struct vd_entry *after)
{
	if (!before)
		return concerns(after, mover->from) && !(mover->is_fresh && concerns(after, mover->to));
	if (!after)
		return concerns(before, mover->to) && !(mover->is_vanishing && concerns(before, mover->from));
	return memcmp(before->value, after->value, sizeof(before->value)) &&
	       (concerns(after, mover->from) || concerns(after, mover->to));
}

bool vd_policy_must_narrow_first(const struct vd_entries *before, const struct vd_entries *after)
{
	struct mover mover = mover_find(before, after);
	size_t i = 0, j = 0;

	if (!mover.port)
		return false;
	if (mover.is_many && mover.is_change)
		return true;
	mover.is_fresh = has_policy(after, mover.to) && !has_policy(before, mover.to);
	mover.is_vanishing = has_policy(before, mover.from) && !has_policy(after, mover.from);
	while (i < before->count || j < after->count) {
		int order = i == before->count ? 1 : j == after->count ? -1 : vd_entry_compare(&before->items[i], &after->items[j]);
		const struct vd_entry *was = order <= 0 ? &before->items[i] : NULL, *is = order >= 0 ? &after->items[j] : NULL;

		if (vd_policy_map((was ? was : is)->map) && is_met(&mover, was, is))
			return true;
		i += order <= 0;
		j += order >= 0;
	}
	return false;
}
