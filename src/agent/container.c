/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"

#include "agent/block.h"
#include "agent/node.h"
#include "agent/removal.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define JOURNAL "containers"

uint32_t vd_container_mtu(const struct vd_agent *agent, uint32_t domain)
{
	const struct vd_node_network *network = vd_agent_node_network(agent, domain);

	return network ? network->plan.mtu : agent->underlay.mtu - VD_AGENT_VXLAN_OVERHEAD;
}

/* The journal's part of unmake, when nothing leads to the container any more. */
static int row_remove(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error)
{
	bool is_moved = container->addresses[0].moved || container->addresses[1].moved;
	char key[VD_CONTAINER_KEY_MAX + 1];
	int r;

	strcpy(key, container->key);
	r = vd_journal_remove(agent->journal, key, error);
	if (is_moved)
		vd_agent_returns_wake(agent);
	/* A block that this host gives back waits for its last container. */
	if (agent->block_awaited && agent->blocks)
		vd_blocks_wake(agent->blocks);
	agent->block_awaited = false;
	return r;
}

int vd_container_unmake(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error)
{
	int r = vd_container_withdraw(agent, container, error);
	int removed = vd_host_port_remove(agent->net, container->port, r < 0 ? NULL : error);

	if (r == 0)
		r = removed;
	/* Its address must not be another's while something still leads here. */
	return r < 0 ? r : row_remove(agent, container, error);
}

/* What the link still sends meets no port in the maps. A start removes links that no row knows. */
int vd_container_condemn(struct vd_agent *agent, const struct vd_container *container, uint64_t *ret_ticket, struct vd_error *error)
{
	int r = vd_container_withdraw(agent, container, error);

	if (r == 0)
		r = vd_agent_removal_order(agent, container->port, ret_ticket, error);
	return r < 0 ? r : row_remove(agent, container, error);
}

/* addresses: room for all of them. */
static struct vd_host_guest guest_of(const struct vd_container *container, uint32_t mtu, struct vd_prefix *addresses)
{
	struct vd_host_guest guest = {.addresses = addresses, .mtu = mtu, .is_default = true};

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_container_address *address = &container->addresses[i];

		if (address->prefix.address.family == VD_FAMILY_NONE)
			continue;
		addresses[guest.address_count++] = address->prefix;
		if (address->prefix.address.family == VD_FAMILY_IPV6)
			guest.gateway6 = address->gateway;
		else
			guest.gateway4 = address->gateway;
	}
	return guest;
}

static int guest_configure(struct vd_agent *agent, const struct vd_container *container, uint32_t mtu, struct vd_error *error)
{
	struct vd_prefix addresses[VD_CONTAINER_ADDRESSES];
	struct vd_host_guest guest = guest_of(container, mtu, addresses);

	return container->netns ? vd_host_guest_configure(agent->net, container->netns, container->ifname, &guest, error) : 0;
}

/* Behind the row that holds its addresses: link, maps, and the row again. */
int vd_container_make(struct vd_agent *agent, struct vd_container *row, uint32_t mtu, struct vd_error *error)
{
	struct vd_host_link link;
	int r;

	r = vd_host_veth_create(agent->net, row->port, &row->mac, mtu, row->netns, row->ifname, &link, error);
	if (r < 0)
		return r;
	row->ifindex = link.ifindex;
	r = guest_configure(agent, row, mtu, error);
	if (r == 0)
		r = vd_container_publish(agent, row, mtu, error);
	row->state = VD_CONTAINER_STATE_UP;
	return r == 0 ? vd_journal_put(agent->journal, row, error) : r;
}

int vd_container_check(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error)
{
	struct vd_prefix addresses[VD_CONTAINER_ADDRESSES];
	struct vd_host_guest guest = guest_of(container, vd_container_mtu(agent, container->domain), addresses);

	if (!vd_host_link_is_port(agent->net, container->ifindex, container->port))
		return vd_error_set(error, -ENOENT, "container %s: its interface on the host's side is gone", container->key);
	if (!container->netns)
		return 0;
	return vd_host_guest_check(agent->net, container->netns, container->ifname, &container->mac, &guest, error);
}

/* ---- all of them ---- */

static int row_adopt(const struct vd_container *row, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_error error = {};

	/* A port of the model is taken back with the store's help (container_native.c). */
	if (row->state == VD_CONTAINER_STATE_RESERVED || row->native ||
	    (row->state == VD_CONTAINER_STATE_UP && vd_host_link_is_port(agent->net, row->ifindex, row->port)))
		return 0;
	vd_log_info("container %s: %s, so it is taken back", row->key,
		    row->state == VD_CONTAINER_STATE_UP ? "its interface is gone" : "it was not finished");
	if (vd_container_unmake(agent, row, &error) < 0)
		vd_log_warning("%s", error.text);
	return 0;
}

static int journal_path(const char *run_directory, char ret[PATH_MAX], struct vd_error *error)
{
	if (snprintf(ret, PATH_MAX, "%s/" JOURNAL, run_directory) >= PATH_MAX)
		return vd_error_set(error, -ENAMETOOLONG, "the run directory %s has too long a name", run_directory);
	return 0;
}

int vd_agent_containers_purge(const char *run_directory, struct vd_error *error)
{
	char path[PATH_MAX];
	int r = journal_path(run_directory, path, error);

	if (r == 0)
		vd_journal_delete(path);
	return r;
}

int vd_agent_containers_open(struct vd_agent *agent, struct vd_error *error)
{
	char path[PATH_MAX];
	int r = journal_path(agent->options.run_directory, path, error);

	if (r == 0)
		r = vd_journal_open(path, agent->identity.boot_id, &agent->journal, error);
	if (r < 0)
		return r;
	vd_journal_each(agent->journal, row_adopt, agent);
	return 0;
}

void vd_agent_containers_close(struct vd_agent *agent)
{
	vd_journal_close(agent->journal);
	agent->journal = NULL;
}

struct search {
	uint32_t ifindex;
	const struct vd_container *found;
};

static int by_ifindex(const struct vd_container *row, void *userdata)
{
	struct search *search = userdata;

	if (row->ifindex != search->ifindex || row->state != VD_CONTAINER_STATE_UP)
		return 0;
	search->found = row;
	return 1;
}

bool vd_agent_container_gone(struct vd_agent *agent, uint32_t ifindex)
{
	struct search search = {.ifindex = ifindex};

	vd_journal_each(agent->journal, by_ifindex, &search);
	/* A native one is an attached port beside that: whoever looks after those does so. */
	if (search.found && search.found->native) {
		vd_agent_returns_wake(agent);
		return false;
	}
	if (search.found)
		row_adopt(search.found, agent);
	return search.found != NULL;
}

struct counting {
	uint32_t domain;
	const struct vd_prefix *block;
	size_t count;
};

static int count_visit(const struct vd_container *row, void *userdata)
{
	struct counting *counting = userdata;

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && row->domain == counting->domain; i++)
		if (row->addresses[i].prefix.address.family == counting->block->address.family &&
		    vd_prefix_contains(counting->block, &row->addresses[i].prefix.address))
			counting->count++;
	return 0;
}

size_t vd_agent_containers_in(struct vd_agent *agent, uint32_t domain, const struct vd_prefix *block)
{
	struct counting counting = {domain, block, 0};

	vd_journal_each(agent->journal, count_visit, &counting);
	return counting.count;
}

struct refreshing {
	struct vd_agent *agent;
	uint32_t domain;
	struct vd_error *error;
};

static int refresh_visit(const struct vd_container *row, void *userdata)
{
	struct refreshing *refreshing = userdata;

	if (row->domain != refreshing->domain || row->state != VD_CONTAINER_STATE_UP || row->native)
		return 0;
	return vd_container_publish(refreshing->agent, row, vd_container_mtu(refreshing->agent, row->domain), refreshing->error);
}

int vd_agent_containers_refresh(struct vd_agent *agent, uint32_t domain, struct vd_error *error)
{
	struct refreshing refreshing = {agent, domain, error};

	return vd_journal_each(agent->journal, refresh_visit, &refreshing);
}
