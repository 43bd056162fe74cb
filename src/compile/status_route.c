/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/status.h"

#include "compile/elastic.h"
#include "compile/hop.h"

#include <string.h>

/* ---- why a next hop does not work, or not fully ---- */

static json_t *unusable_reason(const struct vd_next_hop *hop, const struct vd_vpc *vpc, const struct vd_hop_standing *standing)
{
	const char *name = vpc->head.name, *port = standing->port ? standing->port->head.name : "";
	char address[VD_ADDRESS_TEXT];

	vd_address_format(&standing->address, address);
	switch (standing->state) {
	case VD_HOP_STATE_ACTIVE:
		break;
	case VD_HOP_STATE_NO_PORT:
		return json_sprintf("no port of VPC %s has the next hop %s: create one, or change the next hop", name, address);
	case VD_HOP_STATE_NO_VIP:
		return json_sprintf("VPC %s has no virtual_ip %s of that family: create it in a subnet of the VPC", name, hop->vip);
	case VD_HOP_STATE_NOT_HELD:
		return json_sprintf("no port holds virtual_ip %s: set its port", hop->vip);
	case VD_HOP_STATE_DETACHED:
		return json_sprintf("port %s, which has the next hop %s in VPC %s, is not attached: attach it", port, address,
				    name);
	case VD_HOP_STATE_UNREACHABLE:
		return json_sprintf(
			"host %s, where port %s with the next hop %s is attached, has no tunnel address in the VXLAN pool of "
			"VPC %s: start viaductd there",
			standing->host, port, address, name);
	case VD_HOP_STATE_NO_NETWORK:
		return json_sprintf("VPC %s is attached to no network with the next hop %s: attach it", name, address);
	case VD_HOP_STATE_NO_PEER:
		return json_sprintf("VPC %s has no peering %s: create it, or change the next hop", name, hop->peering);
	case VD_HOP_STATE_NO_GATEWAY:
		return json_sprintf("no host holds the address of VPC %s on network %s: start viaductd with an --uplink to %s",
				    name, standing->network->head.name, standing->network->physnet);
	}
	return NULL;
}

/* An instance that leads others to the Internet needs an address of its own there. */
static json_t *elastic_reason(const struct vd_view *view, const struct vd_hop_standing *standing)
{
	char address[VD_ADDRESS_TEXT];

	if (!standing->port || vd_view_has_elastic(view, standing->port, &standing->address))
		return NULL;
	return json_sprintf("the next hop %s needs an elastic IP for Internet access: bind one to port %s",
			    vd_address_format(&standing->address, address), standing->port->head.name);
}

/* ---- over all VPCs ---- */

enum outcome {
	OUTCOME_NONE,
	OUTCOME_INERT,
	OUTCOME_ACTIVE,
	OUTCOME_UNCERTAIN,
	OUTCOME_UNUSABLE, /* one VPC where it does not work is what its owner must see */
};

static const char *outcome_word(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_ACTIVE:
		return "active";
	case OUTCOME_UNCERTAIN:
		return "uncertain";
	case OUTCOME_UNUSABLE:
		return "unusable";
	case OUTCOME_NONE:
	case OUTCOME_INERT:
		break;
	}
	return "inert";
}

struct report {
	const struct vd_view *view;
	const json_t *alive;
	const struct vd_route *route;         /* either this */
	const struct vd_policy_route *policy; /* or this */
	enum outcome outcome;
	json_t *reason; /* of the outcome, or where an active route is inert; NULL */
	const char *host;
};

/* Takes the reference to the reason. */
static void take(struct report *report, enum outcome outcome, json_t *reason, const char *host)
{
	if (reason && (!report->reason || outcome > report->outcome)) {
		json_decref(report->reason);
		report->reason = json_incref(reason);
	}
	json_decref(reason);
	if (outcome > report->outcome)
		report->outcome = outcome;
	if (host)
		report->host = host;
}

static void take_hop(struct report *report, const struct vd_next_hop *hop, uint8_t family, const struct vd_vpc *vpc,
		     bool is_default)
{
	struct vd_hop_standing standing;
	json_t *reason;

	vd_hop_stand(report->view, hop, family, vpc, &standing);
	reason = unusable_reason(hop, vpc, &standing);
	if (reason) {
		take(report, OUTCOME_UNUSABLE, reason, standing.host);
		return;
	}
	reason = standing.host ? vd_silence_reason(report->alive, standing.host) : NULL;
	if (reason)
		take(report, OUTCOME_UNCERTAIN, reason, standing.host);
	else
		take(report, OUTCOME_ACTIVE, is_default ? elastic_reason(report->view, &standing) : NULL, standing.host);
}

static json_t *finish(const struct report *report)
{
	return json_pack("{s:s, s:s*, s:o*}", "state", outcome_word(report->outcome), "host", report->host, "reason",
			 report->reason);
}

/* ---- route ---- */

static int report_route(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	struct report *report = userdata;
	const struct vd_route *route = report->route;
	const struct vd_prefix *cidr = vd_route_covering_cidr(route, vpc);
	char prefix[VD_PREFIX_TEXT];

	if (cidr)
		take(report, OUTCOME_INERT,
		     json_sprintf("the destination lies inside %s of VPC %s, where the VPC's own subnets decide",
				  vd_prefix_format(cidr, prefix), vpc->head.name),
		     NULL);
	else
		take_hop(report, &route->next_hop, route->destination.address.family, vpc, route->destination.length == 0);
	return 0;
}

json_t *vd_route_status(const struct vd_view *view, const json_t *alive, const struct vd_route *route)
{
	struct report report = {.view = view, .alive = alive, .route = route};

	vd_route_each_vpc(view, route, report_route, &report);
	if (report.outcome == OUTCOME_NONE)
		report.reason = json_sprintf("no VPC and no subnet uses route table %s", route->table);
	return finish(&report);
}

/* ---- policy_route ---- */

static int report_policy_route(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	struct report *report = userdata;
	const struct vd_policy_route *policy = report->policy;

	if (policy->action == VD_POLICY_ACTION_NEXT_HOP)
		take_hop(report, &policy->next_hop, vd_policy_route_family(policy), vpc, false);
	else
		take(report, OUTCOME_ACTIVE, NULL, NULL);
	return 0;
}

json_t *vd_policy_route_status(const struct vd_view *view, const json_t *alive, const struct vd_policy_route *policy)
{
	struct report report = {.view = view, .alive = alive, .policy = policy};

	vd_policy_route_each_vpc(view, policy, report_policy_route, &report);
	if (report.outcome == OUTCOME_NONE)
		report.reason = json_sprintf("no VPC and no subnet uses route table %s", policy->table);
	return finish(&report);
}
