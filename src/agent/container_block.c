/* SPDX-License-Identifier: Apache-2.0 */
/* What this host asks of the store about its blocks because of containers: one more, when those that it has are full. */
#include "agent/container.h"
#include "agent/node.h"
#include "base/cleanup.h"
#include "model/block.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

const char *vd_container_write_request(const struct vd_agent *agent, char text[VD_CONTAINER_WRITE_SIZE])
{
	static unsigned long long last;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, VD_CONTAINER_WRITE_SIZE, "container-%.16s-%llx.%lx-%llx", agent->identity.boot_id,
		 (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec, __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
	return text;
}

struct claiming {
	struct vd_agent *agent;
	const struct vd_container_request *request;
	struct vd_prefix *known; /* blocks that the loop has looked at */
	size_t known_count;
	bool is_new;             /* another claim was faster: its block is what we wait for */
	struct vd_prefix chosen; /* a user's choice for this host that it has not taken up yet; family none: none */
};

static int known_note(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct claiming *claiming = userdata;
	const struct vd_node_network *network = vd_agent_node_network(agent, claiming->request->domain);
	const struct vd_node_block *block;

	if (!network)
		return 0;
	DL_COUNT(network->blocks, block, claiming->known_count);
	claiming->known = calloc(claiming->known_count + 1, sizeof(*claiming->known));
	claiming->known_count = 0;
	if (!claiming->known)
		return -ENOMEM;
	DL_FOREACH (network->blocks, block)
		claiming->known[claiming->known_count++] = block->plan.prefix;
	return 0;
}

static int block_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct claiming *claiming = userdata;

	if (strcmp(resource->project, claiming->request->project) != 0 ||
	    strcmp(block->container_network, claiming->request->network) != 0 ||
	    block->cidr.address.family != claiming->request->lacking || vd_block_is_moved(block))
		return 0;
	if (block->assigned_state == VD_BLOCK_STATE_CHOSEN && claiming->chosen.address.family == VD_FAMILY_NONE)
		claiming->chosen = block->cidr;
	if (block->assigned_state != VD_BLOCK_STATE_HELD)
		return 0;
	for (size_t i = 0; i < claiming->known_count; i++)
		if (vd_prefix_equal(&claiming->known[i], &block->cidr))
			return 0;
	claiming->is_new = true;
	return 0;
}

static int claim_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			struct vd_error *error)
{
	struct claiming *claiming = userdata;
	const char *host = claiming->agent->options.host;
	const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
		model, VD_KIND_CONTAINER_NETWORK, claiming->request->project, claiming->request->network);
	struct vd_block_request wanted = {
		.network = network, .host = host, .family = claiming->request->lacking, .now = (int64_t)time(NULL)};
	struct vd_block_write write = {.project = claiming->request->project,
				       .container_network = claiming->request->network,
				       .node = host,
				       .state = VD_BLOCK_STATE_HELD};
	struct vd_block_writes writes = {.host = host, .now = wanted.now, .items = &write};
	int r = 0;

	if (!network || !vd_model_node_in_network(model, network, host))
		return vd_error_set(error, -ENOLINK, "container_network %s: host %s is no node of it any more",
				    claiming->request->network, host);
	claiming->is_new = false;
	claiming->chosen = (struct vd_prefix){0};
	vd_model_each_block_of_host(model, host, block_look, claiming);
	if (!claiming->is_new) {
		write.cidr = claiming->chosen;
		if (write.cidr.address.family == VD_FAMILY_NONE)
			r = vd_block_choose(model, &wanted, &write.cidr, NULL);
		if (r == -ENOSPC)
			return vd_error_set(error, r, "container_network %s: all its IPv%u blocks are taken: give it a larger CIDR",
					    claiming->request->network, claiming->request->lacking);
		writes.count = 1;
	}
	return r < 0 ? r : vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

int vd_container_block_claim(struct vd_agent *agent, const struct vd_container_request *request, int64_t *ret_revision,
			     struct vd_error *error)
{
	struct claiming claiming = {.agent = agent, .request = request};
	char id[VD_CONTAINER_WRITE_SIZE];
	int r = vd_agent_on_loop(agent, known_note, &claiming, error);

	if (r == 0)
		r = vd_replica_write(agent->replica, vd_container_write_request(agent, id), claim_decide, &claiming, NULL,
				     ret_revision, error);
	free(claiming.known);
	return r;
}

/* ---- giving one back, for block.c ---- */

struct closing {
	uint32_t network;
	const struct vd_prefix *cidr;
	bool close;
	size_t count;
};

static int close_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct closing *closing = userdata;
	struct vd_node_network *network = vd_agent_node_network(agent, closing->network);
	struct vd_node_block *block;

	closing->count = closing->close ? vd_agent_containers_in(agent, closing->network, closing->cidr) : 0;
	agent->block_awaited |= closing->count > 0;
	if (closing->count || !network)
		return 0;
	DL_FOREACH (network->blocks, block)
		if (vd_prefix_equal(&block->plan.prefix, closing->cidr))
			block->closed = closing->close;
	return 0;
}

size_t vd_agent_block_close(uint32_t network, const struct vd_prefix *cidr, void *userdata)
{
	struct closing closing = {.network = network, .cidr = cidr, .close = true};

	/* A daemon that ends knows nothing any more: as if somebody were there. */
	return vd_agent_on_loop(userdata, close_on_loop, &closing, NULL) < 0 ? 1 : closing.count;
}

void vd_agent_block_open(uint32_t network, const struct vd_prefix *cidr, void *userdata)
{
	struct closing closing = {.network = network, .cidr = cidr};

	vd_agent_on_loop(userdata, close_on_loop, &closing, NULL);
}
