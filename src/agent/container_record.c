/* SPDX-License-Identifier: Apache-2.0 */
/* A container as the data plane's records: what compile makes of a port and its attachment, made of a journal's row. */
#include "agent/container.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_plan_difference, vd_plan_difference_free)

static void port_record(const struct vd_container *container, uint32_t mtu, struct vd_plan_record *ret)
{
	struct vd_plan_port *port = &ret->port;
	const char *slash = strchr(container->network, '/');

	vd_plan_record_init(ret, VD_PLAN_KIND_PORT);
	port->port = container->port;
	port->domain = container->domain;
	port->ifindex = container->ifindex;
	port->type = VD_PLAN_PORT_TYPE_VETH;
	port->source_check = port->is_default = true;
	port->mac = container->mac;
	port->mtu = mtu;
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (container->addresses[i].prefix.address.family != VD_FAMILY_NONE)
			port->addresses[port->address_count++] = container->addresses[i].prefix;
	port->rate_in = container->rate_in;
	port->burst_in = container->burst_in;
	port->rate_out = container->rate_out;
	port->burst_out = container->burst_out;
	snprintf(port->project, sizeof(port->project), "%.*s", slash ? (int)(slash - container->network) : 0, container->network);
	/* Runtimes' keys are longer than names: their end tells them apart. */
	snprintf(port->name, sizeof(port->name), "%s",
		 container->key +
			 (strlen(container->key) < sizeof(port->name) ? 0 : strlen(container->key) - sizeof(port->name) + 1));
}

static void endpoint_record(const struct vd_container *container, const struct vd_address *address, struct vd_plan_record *ret)
{
	vd_plan_record_init(ret, VD_PLAN_KIND_ENDPOINT);
	ret->endpoint.domain = container->domain;
	ret->endpoint.address = *address;
	ret->endpoint.port = container->port;
	ret->endpoint.place = VD_PLAN_PLACE_HERE;
	ret->endpoint.ifindex = container->ifindex;
	ret->endpoint.mac = container->mac;
}

static int each_record(const struct vd_container *container, uint32_t mtu,
		       int (*record)(const struct vd_plan_record *record, void *userdata), void *userdata)
{
	struct vd_plan_record one;
	int r;

	port_record(container, mtu, &one);
	r = record(&one, userdata);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r >= 0; i++) {
		if (container->addresses[i].prefix.address.family == VD_FAMILY_NONE)
			continue;
		endpoint_record(container, &container->addresses[i].prefix.address, &one);
		r = record(&one, userdata);
	}
	return r < 0 ? r : 0;
}

static int add_after(const struct vd_plan_record *record, void *userdata)
{
	return vd_plan_difference_add(userdata, NULL, record);
}

static int add_before(const struct vd_plan_record *record, void *userdata)
{
	return vd_plan_difference_add(userdata, record, NULL);
}

static int carry_out(struct vd_agent *agent, const struct vd_container *container, uint32_t mtu,
		     int (*add)(const struct vd_plan_record *record, void *userdata), struct vd_error *error)
{
	VD_CLEANUP(vd_plan_difference_free_cleanup) struct vd_plan_difference *difference = vd_plan_difference_new();
	int r = difference ? each_record(container, mtu, add, difference) : -ENOMEM;

	if (r < 0)
		return vd_error_set(error, r, "out of memory");
	vd_plan_difference_sort(difference);
	return vd_datapath_apply(agent->datapath, difference, error);
}

int vd_container_publish(struct vd_agent *agent, const struct vd_container *container, uint32_t mtu, struct vd_error *error)
{
	return carry_out(agent, container, mtu, add_after, error);
}

int vd_container_withdraw(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error)
{
	return carry_out(agent, container, 0, add_before, error);
}

void vd_container_limit(const struct vd_agent *agent, struct vd_plan_record *record)
{
	const struct vd_container *container =
		record && record->kind == VD_PLAN_KIND_PORT ? vd_journal_find_port(agent->journal, record->port.port) : NULL;

	if (!container || !container->native)
		return;
	record->port.rate_in = container->rate_in;
	record->port.burst_in = container->burst_in;
	record->port.rate_out = container->rate_out;
	record->port.burst_out = container->burst_out;
}

struct joining {
	struct vd_agent *agent;
	struct vd_plan *plan;
};

static int plan_put(const struct vd_plan_record *record, void *userdata)
{
	return vd_plan_put(userdata, record);
}

static int container_join(const struct vd_container *container, void *userdata)
{
	const struct joining *joining = userdata;
	struct vd_plan_record key, domain;

	if (container->state != VD_CONTAINER_STATE_UP || container->native)
		return 0;
	/* The plan is newer than what the loop has taken in. */
	vd_plan_record_init(&key, VD_PLAN_KIND_DOMAIN);
	key.domain.domain = container->domain;
	if (vd_plan_get(joining->plan, &key, &domain) < 0)
		domain.domain.mtu = vd_container_mtu(joining->agent, container->domain);
	return each_record(container, domain.domain.mtu, plan_put, joining->plan);
}

int vd_containers_join(struct vd_agent *agent, struct vd_plan *plan)
{
	struct joining joining = {agent, plan};

	return vd_journal_each(agent->journal, container_join, &joining);
}
