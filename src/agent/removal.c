/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/removal.h"

#include "agent/private.h"
#include "base/log.h"

#include <errno.h>

struct vd_removals {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t ordered, done; /* tickets */
	int result;             /* of the last time */
	struct vd_error error;
	bool stopping;
};

static void *removals_run(void *userdata)
{
	struct vd_removals *removals = userdata;

	pthread_mutex_lock(&removals->lock);
	while (!removals->stopping) {
		uint64_t ordered = removals->ordered;
		struct vd_error error = {};
		int r;

		if (ordered == removals->done) {
			pthread_cond_wait(&removals->changed, &removals->lock);
			continue;
		}
		pthread_mutex_unlock(&removals->lock);
		r = vd_host_condemned_remove(&error);
		if (r < 0)
			vd_log_warning("interfaces of containers that are gone stay: %s", error.text);
		pthread_mutex_lock(&removals->lock);
		removals->done = ordered;
		removals->result = r;
		removals->error = error;
		pthread_cond_broadcast(&removals->changed);
	}
	removals->done = UINT64_MAX;
	pthread_cond_broadcast(&removals->changed);
	pthread_mutex_unlock(&removals->lock);
	return NULL;
}

int vd_agent_removals_new(struct vd_agent *agent)
{
	struct vd_removals *removals = calloc(1, sizeof(*removals));

	if (!removals)
		return -ENOMEM;
	pthread_mutex_init(&removals->lock, NULL);
	pthread_cond_init(&removals->changed, NULL);
	/* What an earlier daemon condemned. */
	removals->ordered = 1;
	if (pthread_create(&removals->thread, NULL, removals_run, removals) != 0) {
		pthread_cond_destroy(&removals->changed);
		pthread_mutex_destroy(&removals->lock);
		free(removals);
		return -EAGAIN;
	}
	agent->removals = removals;
	return 0;
}

void vd_agent_removals_free(struct vd_agent *agent)
{
	struct vd_removals *removals = agent->removals;

	if (!removals)
		return;
	pthread_mutex_lock(&removals->lock);
	removals->stopping = true;
	pthread_cond_broadcast(&removals->changed);
	pthread_mutex_unlock(&removals->lock);
	pthread_join(removals->thread, NULL);
	pthread_cond_destroy(&removals->changed);
	pthread_mutex_destroy(&removals->lock);
	free(removals);
	agent->removals = NULL;
}

int vd_agent_removal_order(struct vd_agent *agent, uint32_t port, uint64_t *ret_ticket, struct vd_error *error)
{
	struct vd_removals *removals = agent->removals;
	int r = vd_host_port_condemn(agent->net, port, error);

	if (r < 0)
		return r;
	pthread_mutex_lock(&removals->lock);
	*ret_ticket = ++removals->ordered;
	pthread_cond_broadcast(&removals->changed);
	pthread_mutex_unlock(&removals->lock);
	return 0;
}

int vd_agent_removal_wait(struct vd_agent *agent, uint64_t ticket, struct vd_error *error)
{
	struct vd_removals *removals = agent->removals;
	int r;

	pthread_mutex_lock(&removals->lock);
	while (removals->done < ticket)
		pthread_cond_wait(&removals->changed, &removals->lock);
	r = removals->result;
	if (r < 0 && error)
		*error = removals->error;
	pthread_mutex_unlock(&removals->lock);
	return r;
}
