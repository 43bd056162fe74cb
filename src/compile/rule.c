/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include <netinet/in.h>

struct granting {
	const struct vd_view *view;
	const struct vd_security_group_rule *rule;
	struct vd_grant grant; /* filled in on the way to it */
	struct vd_grants *grants;
};

static uint8_t grant_protocol(enum vd_rule_protocol protocol)
{
	switch (protocol) {
	case VD_RULE_PROTOCOL_ALL:
		break;
	case VD_RULE_PROTOCOL_TCP:
		return IPPROTO_TCP;
	case VD_RULE_PROTOCOL_UDP:
		return IPPROTO_UDP;
	case VD_RULE_PROTOCOL_ICMP:
		return IPPROTO_ICMP;
	}
	return VD_GRANT_ALL;
}

static struct vd_grant grant_of(const struct vd_security_group_rule *rule)
{
	struct vd_grant grant = {.first = 0, .last = UINT16_MAX, .rule = rule->head.id};

	grant.direction = rule->direction == VD_DIRECTION_INGRESS ? VD_PLAN_DIRECTION_INGRESS : VD_PLAN_DIRECTION_EGRESS;
	grant.protocol = grant_protocol(rule->protocol);
	if (grant.protocol == IPPROTO_ICMP && rule->icmp_type >= 0)
		grant.first = grant.last = (uint16_t)rule->icmp_type;
	else if (rule->port_last > 0) {
		grant.first = (uint16_t)rule->port_first;
		grant.last = (uint16_t)rule->port_last;
	}
	return grant;
}

/* "Anyone" is everyone of each family. */
static int add_prefixes(struct granting *granting)
{
	int r;

	granting->grant.prefix = granting->rule->remote_cidr;
	if (granting->grant.prefix.address.family != VD_FAMILY_NONE)
		return vd_grants_add(granting->grants, &granting->grant);
	granting->grant.prefix.address.family = VD_FAMILY_IPV4;
	r = vd_grants_add(granting->grants, &granting->grant);
	if (r < 0)
		return r;
	granting->grant.prefix.address.family = VD_FAMILY_IPV6;
	return vd_grants_add(granting->grants, &granting->grant);
}

static int add_remote(const struct vd_group_set *remote, void *userdata)
{
	struct granting *granting = userdata;

	granting->grant.remote_identity = remote->id;
	return add_prefixes(granting);
}

/* That egress is closed does not depend on anyone being in the remote group. */
static int add_close(const struct granting *granting)
{
	struct vd_grant grant = {
		.identity = granting->grant.identity,
		.direction = granting->grant.direction,
		.protocol = VD_GRANT_CLOSES,
		.rule = granting->rule->head.id,
	};

	return vd_grants_add(granting->grants, &grant);
}

static int add_group_set(const struct vd_group_set *set, void *userdata)
{
	struct granting *granting = userdata;
	const struct vd_security_group_rule *rule = granting->rule;
	int r;

	granting->grant.identity = set->id;
	granting->grant.remote_identity = 0;
	if (rule->direction == VD_DIRECTION_EGRESS && !rule->is_default) {
		r = add_close(granting);
		if (r < 0)
			return r;
	}
	if (!rule->remote_group)
		return add_prefixes(granting);
	return vd_view_each_group_set(granting->view, rule->head.project, rule->remote_group, add_remote, granting);
}

int vd_derive_rule(const struct vd_view *view, const struct vd_unit *unit, struct vd_grants *ret)
{
	struct granting granting = {.view = view, .rule = vd_view_rule(view, unit->project, unit->name), .grants = ret};
	int r;

	if (!granting.rule)
		return 0;
	granting.grant = grant_of(granting.rule);
	r = vd_view_each_group_set_here(view, unit->project, granting.rule->group, add_group_set, &granting);
	if (r == 0)
		vd_grants_settle(ret);
	return r;
}
