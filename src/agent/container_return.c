/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers had in the store goes back when they are gone, however it came to that: addresses that they brought here, which the
 * model holds for this host and the journal does not; and ports of native networks.
 */
#include "agent/container.h"
#include "agent/node.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/block.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

/* Between tries when the store does not answer. */
#define PAUSE_SECONDS 2

struct vd_returns {
	struct vd_agent *agent;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t due;
	bool is_due, stopping;
};

/* One block, copied of the model. */
struct moved {
	struct moved *prev, *next;
	char project[VD_NAME_SIZE], network[VD_NAME_SIZE];
	uint32_t domain;
	struct vd_prefix prefix;
	bool is_used;
};

struct looking {
	const struct vd_model *model;
	struct moved *all;
};

static int moved_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct looking *looking = userdata;
	const struct vd_resource *network =
		vd_model_get(looking->model, VD_KIND_CONTAINER_NETWORK, resource->project, block->container_network);
	struct moved *moved;

	if (!vd_block_is_moved(block) || !network)
		return 0;
	moved = calloc(1, sizeof(*moved));
	if (!moved)
		return -ENOMEM;
	snprintf(moved->project, sizeof(moved->project), "%s", resource->project);
	snprintf(moved->network, sizeof(moved->network), "%s", block->container_network);
	moved->domain = network->id;
	moved->prefix = block->cidr;
	DL_APPEND(looking->all, moved);
	return 0;
}

/* Nobody is given it from here on, unless somebody has it or is about to. */
static int moved_close(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct moved *moved = userdata;
	struct vd_node_network *network = vd_agent_node_network(agent, moved->domain);
	struct vd_container_request *mover;
	struct vd_node_block *block;

	moved->is_used = vd_journal_find_address(agent->journal, moved->domain, &moved->prefix.address);
	DL_FOREACH (agent->movers, mover)
		moved->is_used |= mover->domain == moved->domain && vd_address_equal(&mover->brought, &moved->prefix.address);
	if (moved->is_used || !network)
		return 0;
	DL_FOREACH (network->blocks, block)
		if (vd_prefix_equal(&block->plan.prefix, &moved->prefix))
			block->closed = true;
	return 0;
}

static int return_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			 struct vd_error *error)
{
	struct {
		struct vd_agent *agent;
		const struct moved *moved;
	} *returning = userdata;
	struct vd_block_write write = {
		.project = returning->moved->project,
		.container_network = returning->moved->network,
		.cidr = returning->moved->prefix,
	};
	struct vd_block_writes writes = {
		.host = returning->agent->options.host, .now = (int64_t)time(NULL), .items = &write, .count = 1};

	return vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

static int moved_return(struct vd_agent *agent, struct moved *moved, struct vd_error *error)
{
	struct {
		struct vd_agent *agent;
		const struct moved *moved;
	} returning = {agent, moved};
	char id[VD_CONTAINER_WRITE_SIZE];
	int r = vd_agent_on_loop(agent, moved_close, moved, error);

	if (r < 0 || moved->is_used)
		return r;
	r = vd_replica_write(agent->replica, vd_container_write_request(agent, id), return_decide, &returning, NULL, NULL, error);
	return r == -ENOENT ? 0 : r;
}

/* 0 when nothing is left to do. */
static int all_return(struct vd_agent *agent)
{
	struct looking looking = {.model = vd_replica_lock(agent->replica, NULL, NULL, NULL)};
	struct vd_error error = {};
	struct moved *moved, *next;
	int r = vd_model_each_block_of_host(looking.model, agent->options.host, moved_look, &looking);

	vd_replica_unlock(agent->replica);
	DL_FOREACH_SAFE (looking.all, moved, next) {
		if (r == 0)
			r = moved_return(agent, moved, &error);
		free(moved);
	}
	if (r == 0)
		r = vd_container_natives_return(agent, &error);
	if (r < 0 && r != -ESHUTDOWN)
		vd_log_warning("what containers that are gone had in the store stays for now: %s", error.text);
	return r;
}

static bool wait_due(struct vd_returns *returns, bool again)
{
	struct timespec until;
	bool stopping;
	int r = 0;

	until = vd_clock_after(PAUSE_SECONDS * 1000ULL);
	pthread_mutex_lock(&returns->lock);
	while (!returns->stopping && (again ? r == 0 : !returns->is_due))
		r = again ? pthread_cond_timedwait(&returns->due, &returns->lock, &until)
			  : pthread_cond_wait(&returns->due, &returns->lock);
	returns->is_due = false;
	stopping = returns->stopping;
	pthread_mutex_unlock(&returns->lock);
	return !stopping;
}

static void *returns_run(void *userdata)
{
	struct vd_returns *returns = userdata;
	bool again = false;

	while (wait_due(returns, again))
		again = all_return(returns->agent) < 0;
	return NULL;
}

int vd_agent_returns_new(struct vd_agent *agent)
{
	struct vd_returns *returns = calloc(1, sizeof(*returns));

	if (!returns)
		return -ENOMEM;
	returns->agent = agent;
	pthread_mutex_init(&returns->lock, NULL);
	vd_clock_cond_init(&returns->due);
	if (pthread_create(&returns->thread, NULL, returns_run, returns) != 0) {
		pthread_cond_destroy(&returns->due);
		pthread_mutex_destroy(&returns->lock);
		free(returns);
		return -EAGAIN;
	}
	agent->returns = returns;
	return 0;
}

void vd_agent_returns_wake(struct vd_agent *agent)
{
	struct vd_returns *returns = agent->returns;

	if (!returns)
		return;
	pthread_mutex_lock(&returns->lock);
	returns->is_due = true;
	pthread_cond_signal(&returns->due);
	pthread_mutex_unlock(&returns->lock);
}

void vd_agent_returns_free(struct vd_agent *agent)
{
	struct vd_returns *returns = agent->returns;

	if (!returns)
		return;
	pthread_mutex_lock(&returns->lock);
	returns->stopping = true;
	pthread_cond_signal(&returns->due);
	pthread_mutex_unlock(&returns->lock);
	pthread_join(returns->thread, NULL);
	pthread_cond_destroy(&returns->due);
	pthread_mutex_destroy(&returns->lock);
	free(returns);
	agent->returns = NULL;
}
