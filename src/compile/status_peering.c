/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/status.h"

#include "compile/derive.h"
#include "compile/reach.h"

#include <string.h>

struct report {
	const struct vd_view *view;
	const struct vd_peering *peering;
	const struct vd_vpc *vpc;     /* whose routes are listed now, … */
	const struct vd_vpc *other;   /* … where they lead … */
	const struct vd_route *route; /* … and one that is looked at */
	const struct vd_prefix *destination;
	json_t *list;
};

static void append(struct report *report, const struct vd_prefix *destination)
{
	char text[VD_PREFIX_TEXT];

	json_array_append_new(report->list, json_string(vd_prefix_format(destination, text)));
}

/* ---- what it leads to by itself ---- */

static int stop_at_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	return vpc == ((const struct report *)userdata)->vpc && table == 0;
}

static int stop_at_same(const struct vd_resource *resource, void *userdata)
{
	const struct vd_route *route = (const struct vd_route *)resource;
	struct report *report = userdata;

	return vd_prefix_equal(&route->destination, report->destination) &&
	       vd_route_each_vpc(report->view, route, stop_at_vpc, report);
}

static void append_all(struct report *report, const struct vd_prefix *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vd_prefix seen = vd_peering_translate(report->peering, report->other->head.name, &prefixes[i]);

		report->destination = &seen;
		/* The user's own stand in its place. */
		if (!vd_vpc_covers(report->vpc, &seen) &&
		    !vd_model_each(report->view->model, VD_KIND_ROUTE, report->vpc->head.project, stop_at_same, report))
			append(report, &seen);
	}
}

static int append_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;

	if (network->mode == VD_CONTAINER_MODE_ROUTED && network->provider == VD_ROUTE_PROVIDER_VPC)
		append_all(userdata, network->cidrs, network->cidr_count);
	return 0;
}

/* ---- what routes lead by it ---- */

static int append_route(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	struct report *report = userdata;

	if (vpc == report->vpc)
		append(report, &report->route->destination);
	return vpc == report->vpc;
}

static int append_if_used(const struct vd_resource *resource, void *userdata)
{
	struct report *report = userdata;

	if (resource->kind != VD_KIND_ROUTE)
		return 0;
	report->route = (const struct vd_route *)resource;
	vd_route_each_vpc(report->view, report->route, append_route, report);
	return 0;
}

static json_t *routes_of(struct report *report, const struct vd_vpc *vpc, const struct vd_vpc *other)
{
	const struct vd_peering *peering = report->peering;

	report->vpc = vpc;
	report->other = other;
	report->list = json_array();
	if (peering->routes == VD_PEERING_ROUTES_AUTO) {
		append_all(report, other->cidrs, other->cidr_count);
		vd_model_each_container_network_of_vpc(report->view->model, other->head.project, other->head.name, append_network,
						       report);
	}
	vd_model_each_route_of_peering(report->view->model, peering->head.project, peering->head.name, append_if_used, report);
	return vd_sorted_status(report->list);
}

json_t *vd_peering_status(const struct vd_view *view, const struct vd_peering *peering)
{
	const struct vd_vpc *vpc = vd_view_vpc(view, peering->head.project, peering->vpc);
	const struct vd_vpc *peer = vd_view_vpc(view, peering->head.project, peering->peer);
	struct report report = {.view = view, .peering = peering};
	json_t *there, *back, *reason = NULL;
	const char *state = "active";

	/* Validation does not let it come to that. */
	if (!vpc || !peer)
		return NULL;
	there = routes_of(&report, vpc, peer);
	back = routes_of(&report, peer, vpc);
	if (json_array_size(there) == 0 && json_array_size(back) == 0) {
		state = "idle";
		reason = json_sprintf("no route leads by it: add some with next_hop: {peering: %s}", peering->head.name);
	} else if (json_array_size(there) == 0 || json_array_size(back) == 0) {
		state = "one_way";
		reason = json_sprintf("no route of VPC %s leads back: add one with next_hop: {peering: %s}",
				      json_array_size(there) == 0 ? peering->vpc : peering->peer, peering->head.name);
	}
	return json_pack("{s:s, s:{s:o, s:o}, s:o*}", "state", state, "routes", peering->vpc, there, peering->peer, back, "reason",
			 reason);
}
