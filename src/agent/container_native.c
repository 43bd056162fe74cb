/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of native networks: each is a port of the model, of its network's subnet, made for it and attached here; so its life is that
 * of any port, and the journal knows only which one it is. The row comes first and goes last: what dies in between is found by it, and
 * after a reboot, which the row does not outlive, by the port's name.
 */
#include "agent/container.h"
#include "agent/node.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define APPLY_SECONDS 30
#define AGAIN_MS 20
#define NAME_PREFIX "container-"
#define NAME_SIZE (sizeof(NAME_PREFIX) + 16)

/* FNV-1a: keys are longer than names, and two of one host that come out the same would be refused as a conflict. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash;
}

static void name_of(const struct vd_agent *agent, const char *key, char ret[NAME_SIZE])
{
	uint64_t hash = hash_add(hash_add(hash_add(0xcbf29ce484222325u, agent->options.host), "/"), key);

	snprintf(ret, NAME_SIZE, NAME_PREFIX "%016" PRIx64, hash);
}

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
	struct vd_container_request *request = userdata;

	return vd_journal_remove(agent->journal, request->key, error);
}

/* Another one under way, like that of a start which takes back what was not finished, is waited for. */
static int order_take(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	time_t until = time(NULL) + APPLY_SECONDS;
	int r;

	while ((r = vd_agent_on_loop(agent, order_begin, request, error)) == -EBUSY && time(NULL) < until)
		usleep(AGAIN_MS * 1000);
	return r;
}

/* ---- the port in the store ---- */

struct port_order {
	struct vd_agent *agent;
	const char *project, *network;
	const struct vd_container_request *request; /* NULL: the port goes */
	char name[NAME_SIZE];
};

/* What a runtime calls a host need not be a label of DNS; then the port's name is its name there. */
static bool is_label(const char *hostname)
{
	size_t length = strlen(hostname);

	return length >= 1 && length <= 63 && strspn(hostname, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
	       hostname[0] != '-' && hostname[length - 1] != '-';
}

static json_t *port_document(const struct port_order *order, const struct vd_container_network *network)
{
	const struct vd_container_request *request = order->request;
	json_t *document = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "port", "project", order->project, "name", order->name,
				     "subnet", network->subnet, "host", order->agent->options.host);
	json_t *addresses = json_array();
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < request->address_count; i++)
		json_array_append_new(addresses, json_string(vd_address_format(&request->addresses[i], text)));
	if (request->hostname && is_label(request->hostname))
		json_object_set_new(document, "hostname", json_string(request->hostname));
	if (json_array_size(addresses))
		json_object_set(document, "addresses", addresses);
	json_decref(addresses);
	return document;
}

static int port_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
		       struct vd_error *error)
{
	struct port_order *order = userdata;
	const struct vd_container_network *network =
		(const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, order->project, order->network);
	struct vd_identity identity = {VD_KIND_PORT, order->project, order->name};
	json_t *documents;
	int r;

	if (!order->request)
		return vd_changes_from_deletion(model, &identity, 1, ret, error);
	if (!network || network->mode != VD_CONTAINER_MODE_NATIVE)
		return vd_error_set(error, -ENONET, "container_network %s: it is gone", order->network);
	documents = json_array();
	json_array_append_new(documents, port_document(order, network));
	r = vd_changes_from_documents(model, documents, order->project, next_id, ret, error);
	json_decref(documents);
	return r;
}

static int port_write(struct port_order *order, struct vd_error *error)
{
	struct vd_agent *agent = order->agent;
	char id[VD_CONTAINER_WRITE_SIZE];
	int64_t revision = 0;
	int r = vd_replica_write(agent->replica, vd_container_write_request(agent, id), port_decide, order, NULL, &revision, error);

	return r == 0 ? vd_replica_wait(agent->replica, revision, APPLY_SECONDS * 1000) : r;
}

/* What the model gave the port, into the row. */
static int port_read(struct vd_agent *agent, const struct port_order *order, struct vd_container *row, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	const struct vd_port *port = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, order->project, order->name);
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, order->project, order->name);
	const struct vd_subnet *subnet =
		port ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, order->project, port->subnet) : NULL;
	int r = subnet ? 0 : vd_error_set(error, -ESTALE, "port %s: it was deleted meanwhile", order->name);

	if (r == 0) {
		row->port = port->head.id;
		row->mac = port->assigned_mac;
		row->ifindex = attachment ? attachment->ifindex : 0;
	}
	for (size_t i = 0, count = 0; r == 0 && i < port->assigned_address_count && count < VD_CONTAINER_ADDRESSES; i++) {
		struct vd_container_address *address = &row->addresses[count];

		for (size_t j = 0; j < subnet->cidr_count; j++) {
			if (!vd_prefix_contains(&subnet->cidrs[j], &port->assigned_addresses[i]))
				continue;
			address->prefix = (struct vd_prefix){port->assigned_addresses[i], subnet->cidrs[j].length};
			address->gateway = subnet->gateways[j];
			count++;
		}
	}
	vd_replica_unlock(agent->replica);
	return r;
}

/* ---- orders ---- */

static int port_attach(struct vd_agent *agent, const struct port_order *order, const struct vd_container_request *request,
		       struct vd_error *error)
{
	json_t *arguments = json_pack("{s:s, s:s, s:s, s:s}", "project", order->project, "port", order->name, "netns",
				      request->netns, "ifname", request->ifname);
	json_t *reply = NULL;
	int r = arguments ? vd_live_attach(agent, arguments, &reply, error) : -ENOMEM;

	json_decref(arguments);
	json_decref(reply);
	return r;
}

/* Attachment, port, row: each may be gone already. */
static int order_undo(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	struct port_order order = {.agent = agent, .project = request->project, .network = request->network};
	json_t *arguments, *reply = NULL;
	int r;

	name_of(agent, request->key, order.name);
	arguments = json_pack("{s:s, s:s}", "project", order.project, "port", order.name);
	r = arguments ? vd_live_detach(agent, arguments, &reply, error) : -ENOMEM;
	json_decref(arguments);
	json_decref(reply);
	if (r == 0 || r == -ENOENT)
		r = port_write(&order, error);
	if (r == -ENOENT)
		r = 0;
	return r == 0 ? vd_agent_on_loop(agent, row_remove, request, error) : r;
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
	row->netns = strdup(request->netns);
	row->netns_device = request->netns_id.device;
	row->netns_inode = request->netns_id.inode;
	row->hostname = request->hostname ? strdup(request->hostname) : NULL;
	row->since = (int64_t)time(NULL);
	row->rate_in = request->rate_in;
	row->burst_in = request->burst_in;
	row->rate_out = request->rate_out;
	row->burst_out = request->burst_out;
}

static int order_do(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	struct port_order order = {.agent = agent, .project = request->project, .network = request->network, .request = request};
	int r;

	name_of(agent, request->key, order.name);
	row_begin(request);
	r = vd_agent_on_loop(agent, row_put, request, error);
	if (r == 0)
		r = port_write(&order, error);
	if (r == 0)
		r = port_read(agent, &order, &request->container, error);
	/* With the port's id in the row its limits reach the data plane when it does. */
	if (r == 0)
		r = vd_agent_on_loop(agent, row_put, request, error);
	if (r == 0)
		r = port_attach(agent, &order, request, error);
	if (r == 0)
		r = port_read(agent, &order, &request->container, error);
	request->container.state = VD_CONTAINER_STATE_UP;
	return r == 0 ? vd_agent_on_loop(agent, row_put, request, error) : r;
}

/* 1: it stands already; what is there of one that does not is taken away. */
static int standing_find(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	int r = vd_agent_on_loop(agent, row_read, request, error);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (vd_container_is_same(&request->container, request))
		return 1;
	if (request->container.state != VD_CONTAINER_STATE_MAKING)
		return vd_error_set(error, -EEXIST,
				    "container %s: that key stands for another order already: delete that one first", request->key);
	vd_container_clear(&request->container);
	request->container = (struct vd_container){0};
	return order_undo(agent, request, error);
}

int vd_container_native_add(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	int r;

	if (!request->netns)
		return vd_error_set(error, -EINVAL,
				    "container %s: containers of native networks are attached to a namespace: name it (netns)",
				    request->key);
	r = order_take(agent, request, error);
	if (r < 0)
		return r;
	r = standing_find(agent, request, error);
	if (r == 0) {
		r = order_do(agent, request, error);
		if (r < 0)
			order_undo(agent, request, NULL);
	}
	vd_agent_on_loop(agent, order_end, request, NULL);
	request->mtu = agent->underlay.mtu - VD_AGENT_VXLAN_OVERHEAD;
	return r < 0 ? vd_error_prefix(error, r, "container %s", request->key) : 0;
}

static int network_split(const char *text, struct vd_container_request *request)
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
	struct vd_container_request request = {.key = key};
	int r = network_split(network, &request);

	if (r == 0)
		r = order_take(agent, &request, error);
	if (r < 0)
		return r;
	r = order_undo(agent, &request, error);
	vd_agent_on_loop(agent, order_end, &request, NULL);
	return r;
}

/* ---- what crashes and reboots leave ---- */

struct leftover {
	struct leftover *prev, *next;
	char key[VD_CONTAINER_KEY_MAX + 1], network[160]; /* of a row … */
	char project[VD_NAME_SIZE], port[NAME_SIZE];      /* … or a port without one */
};

struct looking {
	struct vd_agent *agent;
	struct leftover *all;
};

static int row_look(const struct vd_container *row, void *userdata)
{
	struct looking *looking = userdata;
	struct vd_container_request *other;
	struct leftover *leftover;

	if (!row->native ||
	    (row->state == VD_CONTAINER_STATE_UP && vd_host_link_is_port(looking->agent->net, row->ifindex, row->port)))
		return 0;
	DL_FOREACH (looking->agent->movers, other)
		if (strcmp(other->key, row->key) == 0)
			return 0;
	leftover = calloc(1, sizeof(*leftover));
	if (!leftover)
		return -ENOMEM;
	memcpy(leftover->key, row->key, sizeof(leftover->key));
	memcpy(leftover->network, row->network, sizeof(leftover->network));
	DL_APPEND(looking->all, leftover);
	return 0;
}

static int rows_look(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct looking *looking = userdata;

	return vd_journal_each(agent->journal, row_look, looking);
}

static int port_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource;
	struct looking *looking = userdata;
	struct leftover *leftover;

	if (strncmp(resource->name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 || strlen(resource->name) != NAME_SIZE - 1 ||
	    !port->host || strcmp(port->host, looking->agent->options.host) != 0)
		return 0;
	leftover = calloc(1, sizeof(*leftover));
	if (!leftover)
		return -ENOMEM;
	snprintf(leftover->project, sizeof(leftover->project), "%s", resource->project);
	memcpy(leftover->port, resource->name, NAME_SIZE);
	DL_APPEND(looking->all, leftover);
	return 0;
}

static void named_drop(struct looking *looking, const char *name)
{
	struct leftover *leftover, *next;

	DL_FOREACH_SAFE (looking->all, leftover, next) {
		if (strcmp(leftover->port, name) != 0)
			continue;
		DL_DELETE(looking->all, leftover);
		free(leftover);
	}
}

static int row_name(const struct vd_container *row, void *userdata)
{
	struct looking *looking = userdata;
	char name[NAME_SIZE];

	if (!row->native)
		return 0;
	name_of(looking->agent, row->key, name);
	named_drop(looking, name);
	return 0;
}

/* What has the name of a row's port, or of one that is being made, is no leftover. */
static int ports_settle(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct looking *looking = userdata;
	struct vd_container_request *other;
	char name[NAME_SIZE];

	DL_FOREACH (agent->movers, other) {
		name_of(agent, other->key, name);
		named_drop(looking, name);
	}
	return vd_journal_each(agent->journal, row_name, looking);
}

static int port_return(struct vd_agent *agent, const struct leftover *leftover, struct vd_error *error)
{
	struct port_order order = {.agent = agent, .project = leftover->project, .network = ""};
	int r;

	memcpy(order.name, leftover->port, NAME_SIZE);
	r = port_write(&order, error);
	if (r == 0)
		vd_log_info("port %s: its container did not outlive the boot, so it is deleted", order.name);
	return r == -ENOENT ? 0 : r;
}

static int ports_return(struct vd_agent *agent, struct looking *looking, struct vd_error *error)
{
	struct leftover *leftover, *next;
	int r;

	r = vd_model_each(vd_replica_lock(agent->replica, NULL, NULL, NULL), VD_KIND_PORT, NULL, port_look, looking);
	vd_replica_unlock(agent->replica);
	if (r == 0 && looking->all)
		r = vd_agent_on_loop(agent, ports_settle, looking, error);
	DL_FOREACH_SAFE (looking->all, leftover, next) {
		if (r == 0)
			r = port_return(agent, leftover, error);
		DL_DELETE(looking->all, leftover);
		free(leftover);
	}
	return r;
}

int vd_container_natives_return(struct vd_agent *agent, struct vd_error *error)
{
	struct looking looking = {.agent = agent};
	struct leftover *leftover, *next;
	int r = vd_agent_on_loop(agent, rows_look, &looking, error);

	DL_FOREACH_SAFE (looking.all, leftover, next) {
		if (r == 0)
			r = vd_container_native_remove(agent, leftover->key, leftover->network, error);
		DL_DELETE(looking.all, leftover);
		free(leftover);
	}
	return r == 0 ? ports_return(agent, &looking, error) : r;
}
