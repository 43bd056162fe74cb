/* SPDX-License-Identifier: Apache-2.0 */
/* What crashes and reboots have left of containers of native networks: rows whose link is gone, and ports that no row knows. */
#include "agent/container_native.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

struct leftover {
	struct leftover *prev, *next;
	char key[VD_CONTAINER_KEY_MAX + 1], network[160];      /* of a row … */
	char project[VD_NAME_SIZE], port[VD_NATIVE_NAME_SIZE]; /* … or a port without one */
	uint32_t id;
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

	if (!row->native || row->state == VD_CONTAINER_STATE_RESERVED ||
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

	if (strncmp(resource->name, VD_NATIVE_NAME_PREFIX, strlen(VD_NATIVE_NAME_PREFIX)) != 0 ||
	    strlen(resource->name) != VD_NATIVE_NAME_SIZE - 1 || !port->host ||
	    strcmp(port->host, looking->agent->options.host) != 0)
		return 0;
	leftover = calloc(1, sizeof(*leftover));
	if (!leftover)
		return -ENOMEM;
	snprintf(leftover->project, sizeof(leftover->project), "%s", resource->project);
	memcpy(leftover->port, resource->name, VD_NATIVE_NAME_SIZE);
	leftover->id = resource->id;
	DL_APPEND(looking->all, leftover);
	return 0;
}

static void known_drop(struct looking *looking, const char *name, uint32_t id)
{
	struct leftover *leftover, *next;

	DL_FOREACH_SAFE (looking->all, leftover, next) {
		if (strcmp(leftover->port, name) != 0 && leftover->id != id)
			continue;
		DL_DELETE(looking->all, leftover);
		free(leftover);
	}
}

static int row_known(const struct vd_container *row, void *userdata)
{
	struct looking *looking = userdata;
	char name[VD_NATIVE_NAME_SIZE];

	if (!row->native)
		return 0;
	vd_native_name(looking->agent, row->key, name);
	known_drop(looking, name, row->port);
	return 0;
}

/* A row's port, or one that is being made, is no leftover. */
static int ports_settle(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct looking *looking = userdata;
	struct vd_container_request *other;
	char name[VD_NATIVE_NAME_SIZE];

	DL_FOREACH (agent->movers, other) {
		vd_native_name(agent, other->key, name);
		known_drop(looking, name, 0);
	}
	return vd_journal_each(agent->journal, row_known, looking);
}

static int port_return(struct vd_agent *agent, const struct leftover *leftover, struct vd_error *error)
{
	struct vd_native_port port = {.agent = agent, .project = leftover->project, .network = ""};
	int r;

	memcpy(port.name, leftover->port, VD_NATIVE_NAME_SIZE);
	r = vd_native_port_write(&port, error);
	if (r == 0)
		vd_log_info("port %s: its container did not outlive the boot, so it is deleted", port.name);
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
