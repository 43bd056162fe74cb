/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of native networks without a link: each is held by a port of the subnet, which the container that takes the reservation becomes.
 * The port comes first, as nobody knows the address before it; until the row knows the port its name is of an order under way, so that it is
 * no leftover (container_leftover.c). It goes first, too: a row may outlive its port, by a moment or, when somebody dies in between, until it
 * is released once more. Its address is free then, and the next reservation that the store gives it to takes the row's place.
 */
#include "agent/container_native.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int gateway_read(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	const struct vd_subnet *subnet = vd_container_request_subnet(model, request);
	struct vd_container_address *address = &request->container.addresses[0];

	for (size_t i = 0; subnet && i < subnet->cidr_count; i++) {
		if (subnet->cidrs[i].address.family != request->family)
			continue;
		address->prefix = (struct vd_prefix){subnet->gateways[i], subnet->cidrs[i].length};
		address->gateway = subnet->gateways[i];
	}
	vd_replica_unlock(agent->replica);
	return address->prefix.address.family
		       ? 0
		       : vd_error_set(error, -ENONET, "container_network %s: its subnet is gone", request->network);
}

int vd_container_reservation_name(struct vd_container *row, const char *key, struct vd_error *error)
{
	size_t length = strlen(key);
	char text[VD_ADDRESS_TEXT] = "";

	if (key[length - 1] == '/')
		vd_address_format(&row->addresses[0].prefix.address, text);
	if (length + strlen(text) > VD_CONTAINER_KEY_MAX)
		return vd_error_set(error, -EINVAL, "key: too long with the address behind it");
	snprintf(row->key, sizeof(row->key), "%s%s", key, text);
	return 0;
}

/* One address, of the family that was asked for, by the name that was. */
static int row_fill(struct vd_container_request *request, const char *key, const struct vd_container *port, struct vd_error *error)
{
	struct vd_container *row = &request->container;

	row->domain = request->domain;
	row->state = VD_CONTAINER_STATE_RESERVED;
	row->native = true;
	row->port = port->port;
	row->since = (int64_t)time(NULL);
	snprintf(row->network, sizeof(row->network), "%s/%s", request->project, request->network);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (port->addresses[i].prefix.address.family == request->family)
			row->addresses[0] = port->addresses[i];
	return vd_container_reservation_name(row, key, error);
}

/* The store gives an address to one port: who has it now says that the other one's is gone. */
static bool is_outlived(const struct vd_container *row, const struct vd_container *made)
{
	return row->native && row->state == VD_CONTAINER_STATE_RESERVED && row->domain == made->domain && row->port != made->port &&
	       vd_address_equal(&row->addresses[0].prefix.address, &made->addresses[0].prefix.address);
}

static int reservation_put(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, request->container.key);

	if (row && !is_outlived(row, &request->container))
		return vd_error_set(error, -EEXIST, "reservation %s: it stands already", request->container.key);
	return vd_journal_put(agent->journal, &request->container, error);
}

static int reserve(struct vd_agent *agent, struct vd_container_request *request, const char *key, struct vd_error *error)
{
	struct vd_native_port port = {.agent = agent, .project = request->project, .network = request->network, .request = request};
	struct vd_container made = {0};
	int r;

	vd_native_name(agent, request->key, port.name);
	r = vd_native_port_write(&port, error);
	if (r < 0)
		return r;
	r = vd_native_port_read(&port, &made, error);
	if (r == 0)
		r = row_fill(request, key, &made, error);
	if (r == 0)
		r = vd_agent_on_loop(agent, reservation_put, request, error);
	if (r < 0) {
		port.request = NULL;
		vd_native_port_write(&port, NULL);
	}
	return r;
}

int vd_container_native_reserve(struct vd_agent *agent, struct vd_container_request *request, bool is_gateway,
				struct vd_error *error)
{
	const char *key = request->key;
	char order[VD_CONTAINER_WRITE_SIZE];
	int r;

	if (is_gateway)
		return gateway_read(agent, request, error);
	request->key = vd_container_write_request(agent, order);
	r = vd_native_order_begin(agent, request, error);
	if (r == 0) {
		r = reserve(agent, request, key, error);
		vd_native_order_end(agent, request);
	}
	request->key = key;
	return r < 0 ? vd_error_prefix(error, r, "reservation %s", key) : 0;
}

/* Unless another one has taken its place, or a container it. */
static int released_remove(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	const struct vd_container_request *request = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, request->key);

	return row && row->port == request->container.port ? vd_journal_remove(agent->journal, request->key, error) : 0;
}

static int release(struct vd_agent *agent, struct vd_container_request *request, int64_t since, struct vd_error *error)
{
	struct vd_native_port port = {.agent = agent, .project = request->project, .network = request->network};
	int r = vd_native_row_find(agent, request, error);

	if (r < 0)
		return r;
	if (request->container.state != VD_CONTAINER_STATE_RESERVED || !vd_container_is_since(&request->container, since))
		return 0;
	if (vd_native_name_find(agent, request->project, request->container.port, port.name) == 0)
		r = vd_native_port_write(&port, error);
	return r == 0 || r == -ENOENT ? vd_agent_on_loop(agent, released_remove, request, error) : r;
}

int vd_container_native_release(struct vd_agent *agent, const char *key, const char *network, int64_t since, struct vd_error *error)
{
	VD_CLEANUP(vd_container_request_clear) struct vd_container_request request = {.key = key};
	int r = vd_native_network_split(network, &request);

	if (r == 0)
		r = vd_native_order_begin(agent, &request, error);
	if (r < 0)
		return r;
	r = release(agent, &request, since, error);
	vd_native_order_end(agent, &request);
	return r == -ENOENT ? 0 : r;
}
