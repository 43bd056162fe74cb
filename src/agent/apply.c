/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying out: the difference into the maps, routers and guests by netlink, then the revision is said to be obeyed. Links of ports
 * that went are removed last, when no map leads to them any more.
 */
#include "agent/announce.h"
#include "agent/container.h"
#include "agent/keeper.h"
#include "agent/neighbour.h"
#include "agent/node.h"
#include "agent/private.h"
#include "agent/uplink.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS 10000

static struct vd_batch *batches_take(struct vd_agent *agent)
{
	struct vd_batch *batches;

	pthread_mutex_lock(&agent->lock);
	batches = agent->batches;
	agent->batches = NULL;
	pthread_mutex_unlock(&agent->lock);
	return batches;
}

static int router_carry_out(struct vd_agent *agent, const struct vd_router_job *job, struct vd_error *error)
{
	uint32_t ifindex = 0;
	int r;

	if (job->remove) {
		vd_agent_router_end(agent, job->domain);
		return vd_host_router_remove(agent->net, job->domain, error);
	}
	r = vd_host_router_ensure(agent->net, job->domain, job->gateways, job->gateway_count, job->mtu, &ifindex, error);
	if (r < 0)
		return r;
	r = vd_datapath_service_set(agent->datapath, job->domain, ifindex, error);
	if (r == 0)
		vd_agent_router_want(agent, job);
	return r;
}

/* A guest's namespace may be gone by now: its own affair, the monitor detaches it. */
static void guest_carry_out(struct vd_agent *agent, const struct vd_guest_job *job)
{
	struct vd_error error = {};

	if (vd_host_guest_configure(agent->net, job->netns, job->ifname, &job->guest, &error) < 0)
		vd_log_warning("%s", error.text);
}

static void links_remove(struct vd_agent *agent, const struct vd_plan_difference *difference)
{
	struct vd_error error = {};

	for (size_t i = 0; i < difference->count; i++) {
		const struct vd_plan_step *step = &difference->steps[i];

		if (step->after || step->before->kind != VD_PLAN_KIND_PORT)
			continue;
		/* A container's port that somebody else deleted leaves a row. */
		if (vd_journal_find_port(agent->journal, step->before->port.port))
			vd_agent_returns_wake(agent);
		if (vd_host_link_is_port(agent->net, step->before->port.ifindex, step->before->port.port) &&
		    vd_host_link_remove(agent->net, step->before->port.ifindex, &error) < 0)
			vd_log_warning("port %s: %s", step->before->port.name, error.text);
	}
}

/* What provider networks need of the host, in the order of the plan: networks are known before what lies on them. */
static int provider_carry_out(struct vd_agent *agent, const struct vd_plan_difference *difference, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; i < difference->count && r == 0; i++) {
		r = vd_agent_uplinks_step(agent, &difference->steps[i]);
		if (r == 0)
			r = vd_agent_announcements_step(agent, &difference->steps[i]);
		if (r == 0)
			r = vd_agent_neighbours_step(agent, &difference->steps[i]);
		if (r == 0)
			r = vd_agent_nodes_step(agent, &difference->steps[i]);
		if (r == 0)
			r = vd_agent_keeper_step(agent, &difference->steps[i]);
	}
	if (r < 0)
		return vd_error_set(error, r, "out of memory");
	r = vd_agent_uplinks_settle(agent, error);
	return r == 0 ? vd_agent_nodes_settle(agent, error) : r;
}

static int batch_carry_out(struct vd_agent *agent, const struct vd_batch *batch, bool synced, struct vd_error *error)
{
	struct vd_router_job *router;
	struct vd_guest_job *guest;
	struct vd_feed *feed;
	int r = 0;

	for (size_t i = 0; i < batch->difference->count; i++) {
		vd_container_limit(agent, batch->difference->steps[i].before);
		vd_container_limit(agent, batch->difference->steps[i].after);
	}
	if (!synced)
		r = vd_datapath_apply(agent->datapath, batch->difference, error);
	if (r < 0)
		return r;
	DL_FOREACH (batch->routers, router) {
		r = router_carry_out(agent, router, error);
		if (r < 0)
			return r;
	}
	r = provider_carry_out(agent, batch->difference, error);
	if (r < 0)
		return r;
	DL_FOREACH (batch->guests, guest)
		guest_carry_out(agent, guest);
	DL_FOREACH (batch->feeds, feed)
		vd_agent_router_feed(agent, feed);
	links_remove(agent, batch->difference);
	return 0;
}

void vd_agent_applied(struct vd_agent *agent)
{
	bool is_news;

	pthread_mutex_lock(&agent->lock);
	is_news = agent->applied != agent->obeyed;
	agent->applied = agent->obeyed;
	pthread_cond_broadcast(&agent->changed);
	pthread_mutex_unlock(&agent->lock);
	if (is_news)
		vd_reporter_applied(agent->reporter, agent->obeyed);
}

VD_DEFINE_CLEANUP(struct vd_plan, vd_plan_free)

struct copying {
	const struct vd_agent *agent;
	struct vd_plan *whole;
};

static int record_copy(const struct vd_plan_record *record, void *userdata)
{
	const struct copying *copying = userdata;
	struct vd_plan_record port;
	int r;

	/* A plan's records are as large as their kind, and no larger: only a whole one may be changed. */
	if (record->kind == VD_PLAN_KIND_PORT && vd_plan_get(vd_compiler_plan(copying->agent->compiler), record, &port) == 0) {
		vd_container_limit(copying->agent, &port);
		record = &port;
	}
	r = vd_plan_put(copying->whole, record);
	return r < 0 ? r : 0;
}

/* The data plane is given what compile says and what stands in the journal as one plan. */
static int whole_sync(struct vd_agent *agent, struct vd_error *error)
{
	VD_CLEANUP(vd_plan_free_cleanup) struct vd_plan *whole = NULL;
	struct copying copying = {.agent = agent};
	int r;

	if (vd_journal_is_empty(agent->journal))
		return vd_datapath_sync(agent->datapath, vd_compiler_plan(agent->compiler), error);
	copying.whole = whole = vd_plan_new();
	r = whole ? 0 : -ENOMEM;
	for (unsigned kind = 0; kind < VD_PLAN_KIND_COUNT && r == 0; kind++)
		r = vd_plan_each(vd_compiler_plan(agent->compiler), (enum vd_plan_kind)kind, record_copy, &copying);
	if (r == 0)
		r = vd_containers_join(agent, whole);
	return r < 0 ? vd_error_set(error, r, "out of memory") : vd_datapath_sync(agent->datapath, whole, error);
}

/* Everything that is queued is older than the plan or the plan itself: one sync stands for all their differences. */
static int plan_sync(struct vd_agent *agent, struct vd_batch **ret_batches, struct vd_error *error)
{
	int r;

	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	*ret_batches = batches_take(agent);
	r = whole_sync(agent, error);
	vd_replica_unlock(agent->replica);
	return r;
}

static void retry_due(uv_timer_t *timer)
{
	vd_agent_apply(timer->data);
}

static void retry_later(struct vd_agent *agent)
{
	uint64_t delay = RETRY_FIRST_MS << (agent->retries < 5 ? agent->retries : 5);

	agent->needs_sync = true;
	agent->retries++;
	uv_timer_start(&agent->retry, retry_due, delay < RETRY_LAST_MS ? delay : RETRY_LAST_MS, 0);
}

void vd_agent_apply(struct vd_agent *agent)
{
	struct vd_batch *batches = NULL, *batch, *next;
	struct vd_error error = {};
	bool synced = agent->needs_sync;
	int r = 0;

	if (synced)
		r = plan_sync(agent, &batches, &error);
	else
		batches = batches_take(agent);

	DL_FOREACH_SAFE (batches, batch, next) {
		if (r == 0)
			r = batch_carry_out(agent, batch, synced, &error);
		if (r == 0)
			agent->obeyed = batch->revision;
		else
			/* What netlink must still do is kept for the retry; the maps follow from the plan. */
			break;
		DL_DELETE(batches, batch);
		vd_batch_free(batch);
	}
	/* An address that was moved here answers when its move is said to be done, and everyone knows where it is. */
	vd_agent_announcements_begin(agent);
	if (vd_agent_neighbours_are_settled(agent))
		vd_agent_applied(agent);

	if (r < 0) {
		vd_log_error("the data plane could not be brought up to date, trying again: %s", error.text);
		pthread_mutex_lock(&agent->lock);
		DL_CONCAT(batches, agent->batches);
		agent->batches = batches;
		pthread_mutex_unlock(&agent->lock);
		retry_later(agent);
		return;
	}
	if (synced) {
		agent->needs_sync = false;
		agent->retries = 0;
		vd_agent_sweep(agent);
	}
	if (vd_agent_keeper_settle(agent) < 0)
		vd_log_error("this host's packet filter stays as it is: out of memory");
}
