/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of native networks. The row comes first and goes last: what dies in between is found by it, and after a reboot, which the row
 * does not outlive, by the port's name.
 */
#include "agent/container_native.h"
#include "agent/node.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define ORDER_SECONDS 30
#define AGAIN_MS 20

/* ---- on the loop ---- */

static int row_read(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, request->key);

	if (!row)
		return -ENOENT;
	return vd_container_copy(row, &request->container);
}

/* From here on the row is ours alone: two orders for one key would undo each other. */
static int order_begin(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata, *other;

	DL_FOREACH (agent->movers, other)
		if (strcmp(other->key, request->key) == 0)
			return vd_error_set(error, -EBUSY, "container %s: another order for it is being carried out", request->key);
	DL_APPEND(agent->movers, request);
	return 0;
}

static int order_end(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;

	DL_DELETE(agent->movers, request);
	return 0;
}

static int row_put(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;

	return vd_journal_put(agent->journal, &request->container, error);
}

static int row_remove(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	return vd_journal_remove(agent->journal, userdata, error);
}

/* The ports and addresses of the reservations that the request may take. */
static int reservations_find(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;

	for (size_t i = 0; i < request->reserved_count; i++) {
		const struct vd_container *row = vd_journal_find(agent->journal, request->reserved[i]);

		if (!row || row->state != VD_CONTAINER_STATE_RESERVED || row->domain != request->domain)
			continue;
		request->reserved_ports[i] = row->port;
		request->reserved_addresses[i] = row->addresses[0].prefix.address;
	}
	return 0;
}

/* ---- orders ---- */

/* Another one under way, like that of a start which takes back what was not finished, is waited for. */
int vd_native_order_begin(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	time_t until = time(NULL) + ORDER_SECONDS;
	int r;

	while ((r = vd_agent_on_loop(agent, order_begin, request, error)) == -EBUSY && time(NULL) < until)
		usleep(AGAIN_MS * 1000);
	return r;
}

void vd_native_order_end(struct vd_agent *agent, struct vd_container_request *request)
{
	vd_agent_on_loop(agent, order_end, request, NULL);
}

int vd_native_row_find(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	return vd_agent_on_loop(agent, row_read, request, error);
}

int vd_native_row_put(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	return vd_agent_on_loop(agent, row_put, request, error);
}

int vd_native_row_remove(struct vd_agent *agent, const char *key, struct vd_error *error)
{
	return vd_agent_on_loop(agent, row_remove, (void *)key, error);
}

static int port_attach(const struct vd_native_port *port, struct vd_error *error)
{
	const struct vd_container_request *request = port->request;
	json_t *arguments = json_pack("{s:s, s:s, s:s*, s:s}", "project", port->project, "port", port->name, "netns",
				      request->netns, request->netns ? "ifname" : "peer_ifname", request->container.ifname);
	json_t *reply = NULL;
	int r = arguments ? vd_live_attach(port->agent, arguments, &reply, error) : -ENOMEM;

	json_decref(arguments);
	json_decref(reply);
	return r;
}

static int port_detach(const struct vd_native_port *port, struct vd_error *error)
{
	json_t *arguments = json_pack("{s:s, s:s}", "project", port->project, "port", port->name), *reply = NULL;
	int r = arguments ? vd_live_detach(port->agent, arguments, &reply, error) : -ENOMEM;

	json_decref(arguments);
	json_decref(reply);
	return r == -ENOENT ? 0 : r;
}

/* Attachment, port, row: each may be gone already. A reservation's port stays: that stands again when the row goes. */
static int order_undo(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	struct vd_native_port port = {.agent = agent, .project = request->project, .network = request->network};
	bool stays = request->container.addresses[0].reserved;
	int r;

	if (vd_native_name_find(agent, request->project, request->container.port, port.name) < 0)
		vd_native_name(agent, request->key, port.name);
	r = port_detach(&port, error);
	if (r == 0 && !stays)
		r = vd_native_port_write(&port, error);
	return r == 0 || r == -ENOENT ? vd_native_row_remove(agent, request->key, error) : r;
}

static void row_begin(struct vd_container_request *request)
{
	struct vd_container *row = &request->container;

	snprintf(row->key, sizeof(row->key), "%s", request->key);
	snprintf(row->network, sizeof(row->network), "%s/%s", request->project, request->network);
	snprintf(row->ifname, sizeof(row->ifname), "%s", request->ifname);
	row->domain = request->domain;
	row->state = VD_CONTAINER_STATE_MAKING;
	row->native = true;
	row->netns = request->netns ? strdup(request->netns) : NULL;
	row->netns_device = request->netns_id.device;
	row->netns_inode = request->netns_id.inode;
	row->hostname = request->hostname ? strdup(request->hostname) : NULL;
	row->since = (int64_t)time(NULL);
	row->rate_in = request->rate_in;
	row->burst_in = request->burst_in;
	row->rate_out = request->rate_out;
	row->burst_out = request->burst_out;
}

/* The first reservation's port becomes the container's; without one it gets its own. */
static int port_make(struct vd_native_port *port, struct vd_container_request *request, struct vd_error *error)
{
	int r = vd_agent_on_loop(port->agent, reservations_find, request, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < request->reserved_count; i++)
		if (vd_native_name_find(port->agent, port->project, request->reserved_ports[i], port->name) == 0)
			return vd_native_port_gather(port, error);
	vd_native_name(port->agent, request->key, port->name);
	return vd_native_port_write(port, error);
}

static int order_do(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	struct vd_native_port port = {.agent = agent, .project = request->project, .network = request->network, .request = request};
	struct vd_container *row = &request->container;
	int r;

	row_begin(request);
	r = vd_native_row_put(agent, request, error);
	if (r == 0)
		r = port_make(&port, request, error);
	if (r == 0)
		r = vd_native_port_read(&port, row, error);
	if (r == 0 && !request->netns)
		snprintf(row->ifname, sizeof(row->ifname), "vdp%x", row->port);
	/* With the port's id in the row its limits reach the data plane when it does. */
	if (r == 0)
		r = vd_native_row_put(agent, request, error);
	if (r == 0)
		r = port_attach(&port, error);
	if (r == 0)
		r = vd_native_port_read(&port, row, error);
	row->state = VD_CONTAINER_STATE_UP;
	return r == 0 ? vd_native_row_put(agent, request, error) : r;
}

/* 1: it stands already; what is there of one that does not is taken away. */
static int standing_find(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	int r = vd_native_row_find(agent, request, error);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (vd_container_is_same(&request->container, request))
		return 1;
	if (request->container.state != VD_CONTAINER_STATE_MAKING)
		return vd_error_set(error, -EEXIST,
				    "container %s: that key stands for another order already: delete that one first", request->key);
	r = order_undo(agent, request, error);
	vd_container_clear(&request->container);
	request->container = (struct vd_container){0};
	return r;
}

int vd_container_native_add(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	int r = vd_native_order_begin(agent, request, error);

	if (r < 0)
		return r;
	r = standing_find(agent, request, error);
	if (r == 0) {
		r = order_do(agent, request, error);
		if (r < 0)
			order_undo(agent, request, NULL);
	}
	vd_native_order_end(agent, request);
	request->mtu = agent->underlay.mtu - VD_AGENT_VXLAN_OVERHEAD;
	return r < 0 ? vd_error_prefix(error, r, "container %s", request->key) : 0;
}

int vd_native_network_split(const char *text, struct vd_container_request *request)
{
	const char *slash = strchr(text, '/');

	if (!slash || (size_t)(slash - text) >= sizeof(request->project) || strlen(slash + 1) >= sizeof(request->network))
		return -EINVAL;
	snprintf(request->project, sizeof(request->project), "%.*s", (int)(slash - text), text);
	snprintf(request->network, sizeof(request->network), "%s", slash + 1);
	return 0;
}

int vd_container_native_remove(struct vd_agent *agent, const char *key, const char *network, struct vd_error *error)
{
	VD_CLEANUP(vd_container_request_clear) struct vd_container_request request = {.key = key};
	int r = vd_native_network_split(network, &request);

	if (r == 0)
		r = vd_native_order_begin(agent, &request, error);
	if (r < 0)
		return r;
	r = vd_native_row_find(agent, &request, error);
	if (r == 0 || r == -ENOENT)
		r = order_undo(agent, &request, error);
	vd_native_order_end(agent, &request);
	return r;
}
