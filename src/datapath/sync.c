/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "datapath/change.h"
#include "datapath/encode.h"
#include "datapath/state.h"

#include <errno.h>
#include <string.h>

/* ---- what no plan says: captures, service ports ---- */

/* Whoever captures a port set its flags; a plan does not take them away. */
static void captures_keep(const struct vd_datapath *datapath, struct vd_entries *entries)
{
	for (size_t i = 0; datapath->captured_count && i < entries->count; i++) {
		struct vd_entry *entry = &entries->items[i];
		struct vd_port_value port;
		struct vd_endpoint_value endpoint;

		if (entry->map == VD_MAP_PORT) {
			memcpy(&port, entry->value, sizeof(port));
			if (vd_datapath_is_captured(datapath, port.id))
				port.flags |= VD_PORT_FLAG_CAPTURE;
			memcpy(entry->value, &port, sizeof(port));
		} else if (entry->map == VD_MAP_ENDPOINT4 || entry->map == VD_MAP_ENDPOINT6) {
			memcpy(&endpoint, entry->value, sizeof(endpoint));
			if (endpoint.place == VD_ENDPOINT_PLACE_HERE && vd_datapath_is_captured(datapath, endpoint.port_id))
				endpoint.flags |= VD_PORT_FLAG_CAPTURE;
			memcpy(entry->value, &endpoint, sizeof(endpoint));
		}
	}
}

static int service_port_add(struct vd_entries *entries, uint32_t domain, const struct vd_domain_value *value)
{
	struct vd_port_value port = vd_encode_service_port(domain, value);

	return vd_entries_add(entries, VD_MAP_PORT, &value->service_ifindex, sizeof(value->service_ifindex), &port, sizeof(port));
}

/* A domain that has its service port keeps it: the map is where that is remembered, also beyond the daemon's life. */
static int services_keep(struct vd_datapath *datapath, struct vd_entries *entries)
{
	size_t count = entries->count;

	for (size_t i = 0; i < count; i++) {
		struct vd_entry held = entries->items[i];
		struct vd_domain_value was, is;
		uint32_t domain;
		int r;

		if (held.map != VD_MAP_DOMAIN || vd_datapath_lookup(datapath, &held))
			continue;
		memcpy(&domain, held.key, sizeof(domain));
		memcpy(&was, held.value, sizeof(was));
		memcpy(&is, entries->items[i].value, sizeof(is));
		if (!was.service_ifindex)
			continue;
		is.service_ifindex = was.service_ifindex;
		is.service_port_id = was.service_port_id;
		memcpy(entries->items[i].value, &is, sizeof(is));
		r = service_port_add(entries, domain, &is);
		if (r)
			return r;
	}
	return 0;
}

static int complete(struct vd_datapath *datapath, struct vd_entries *entries)
{
	captures_keep(datapath, entries);
	return services_keep(datapath, entries);
}

/* ---- a whole plan ---- */

struct collecting {
	struct vd_datapath *datapath;
	struct vd_entries *entries;
};

static int collect_visit(const struct vd_plan_record *record, void *userdata)
{
	struct collecting *collecting = userdata;
	int r = vd_names_add(collecting->datapath->names, record);

	if (!r)
		r = vd_groups_add(collecting->datapath->groups, record);
	return r ? r : vd_encode_record(record, collecting->datapath->connection_share, collecting->entries);
}

static int overlay_attach(struct vd_datapath *datapath, struct vd_error *error)
{
	uint32_t ifindex = datapath->settings.overlay_ifindex, id;
	int r;

	if (!ifindex || (!vd_program_attached(ifindex, &id) && id == datapath->program_ids[VD_FUNCTION_OVERLAY]))
		return 0;
	r = vd_program_attach(ifindex, datapath->programs[VD_FUNCTION_OVERLAY]);
	return r ? vd_error_set(error, r, "cannot attach the data plane to the VXLAN device (interface %u): %s", ifindex,
				strerror(-r))
		 : 0;
}

int vd_datapath_sync(struct vd_datapath *datapath, const struct vd_plan *plan, struct vd_error *error)
{
	VD_ENTRIES struct vd_entries before = {}, after = {};
	struct collecting collecting = {datapath, &after};
	int r = 0;

	vd_names_clear(datapath->names);
	vd_groups_clear(datapath->groups);
	for (unsigned kind = 0; kind < VD_PLAN_KIND_COUNT && !r; kind++)
		r = vd_plan_each(plan, kind, collect_visit, &collecting);
	if (!r)
		r = vd_groups_encode_all(datapath->groups, &after);
	if (!r)
		r = complete(datapath, &after);
	for (unsigned map = 0; map < VD_MAP_PLAN_COUNT && !r; map++)
		r = vd_entries_read(&before, map, datapath->maps[map]);
	if (r)
		return vd_error_set(error, r, "cannot compare the data plane's maps with the plan: %s", strerror(-r));
	r = overlay_attach(datapath, error);
	if (r) {
		vd_change_carry_out(datapath, &before, &after, VD_CHANGE_SCOPE_ALL, NULL);
		return r;
	}
	return vd_change_carry_out(datapath, &before, &after, VD_CHANGE_SCOPE_ALL, error);
}

/* ---- a difference ---- */

/* The entries of all groups that a difference concerns, as they stand. */
static int collect_groups(const struct vd_datapath *datapath, const struct vd_plan_difference *difference,
			  struct vd_entries *entries)
{
	int r = 0;

	for (size_t i = 0; i < difference->count && !r; i++) {
		const struct vd_plan_step *step = &difference->steps[i];

		if (step->before)
			r = vd_groups_encode(datapath->groups, step->before, entries);
		if (!r && step->after)
			r = vd_groups_encode(datapath->groups, step->after, entries);
	}
	return r;
}

static int collect_step(struct vd_datapath *datapath, const struct vd_plan_step *step, struct vd_entries *before,
			struct vd_entries *after)
{
	int r = 0;

	if (step->before) {
		vd_names_remove(datapath->names, step->before);
		vd_groups_remove(datapath->groups, step->before);
		r = vd_encode_record(step->before, datapath->connection_share, before);
	}
	if (!r && step->after) {
		r = vd_names_add(datapath->names, step->after);
		if (!r)
			r = vd_groups_add(datapath->groups, step->after);
		if (!r)
			r = vd_encode_record(step->after, datapath->connection_share, after);
	}
	return r;
}

int vd_datapath_apply(struct vd_datapath *datapath, const struct vd_plan_difference *difference, struct vd_error *error)
{
	VD_ENTRIES struct vd_entries before = {}, after = {};
	int r = collect_groups(datapath, difference, &before);

	for (size_t i = 0; i < difference->count && !r; i++)
		r = collect_step(datapath, &difference->steps[i], &before, &after);
	if (!r)
		r = collect_groups(datapath, difference, &after);
	if (!r)
		r = complete(datapath, &before);
	if (!r)
		r = complete(datapath, &after);
	if (r)
		return vd_error_set(error, r, "cannot carry out a change to the plan: %s", strerror(-r));
	return vd_change_carry_out(datapath, &before, &after, VD_CHANGE_SCOPE_PART, error);
}

/* ---- service ports ---- */

static int domain_add(struct vd_entries *entries, uint32_t domain, const struct vd_domain_value *value)
{
	int r = vd_entries_add(entries, VD_MAP_DOMAIN, &domain, sizeof(domain), value, sizeof(*value));

	return r || !value->service_ifindex ? r : service_port_add(entries, domain, value);
}

int vd_datapath_service_set(struct vd_datapath *datapath, uint32_t domain, uint32_t ifindex, struct vd_error *error)
{
	VD_ENTRIES struct vd_entries before = {}, after = {};
	struct vd_entry held = {.map = VD_MAP_DOMAIN};
	struct vd_domain_value value = {};
	int r = 0;

	memcpy(held.key, &domain, sizeof(domain));
	if (!vd_datapath_lookup(datapath, &held)) {
		memcpy(&value, held.value, sizeof(value));
		r = domain_add(&before, domain, &value);
	} else if (!ifindex) {
		return 0; /* the domain is gone, and its service port with it */
	}
	value.service_ifindex = ifindex;
	value.service_port_id = ifindex ? domain : 0;
	if (!r)
		r = domain_add(&after, domain, &value);
	if (r)
		return vd_error_set(error, r, "cannot set the service port of domain %u: %s", domain, strerror(-r));
	return vd_change_carry_out(datapath, &before, &after, VD_CHANGE_SCOPE_PART, error);
}
