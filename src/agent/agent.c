/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/announce.h"
#include "agent/container.h"
#include "agent/keeper.h"
#include "agent/neighbour.h"
#include "agent/node.h"
#include "agent/private.h"
#include "agent/removal.h"
#include "agent/uplink.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "docker/engine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define RECENT_DROPS 256
/* Between tries to reach the store at start. */
#define STORE_PAUSE_FIRST_MS 250
#define STORE_PAUSE_LAST_MS 4000

/* ---- tasks: what api threads want done on the loop ---- */

static void tasks_run(struct vd_agent *agent)
{
	for (;;) {
		struct vd_task *task;

		pthread_mutex_lock(&agent->lock);
		task = agent->tasks;
		if (task)
			DL_DELETE(agent->tasks, task);
		pthread_mutex_unlock(&agent->lock);
		if (!task)
			return;

		task->result = task->function(agent, task->userdata, task->error);

		pthread_mutex_lock(&agent->lock);
		task->done = true;
		pthread_cond_broadcast(&agent->changed);
		pthread_mutex_unlock(&agent->lock);
	}
}

static void tasks_refuse(struct vd_agent *agent)
{
	struct vd_task *task, *next;

	pthread_mutex_lock(&agent->lock);
	agent->stopping = true;
	DL_FOREACH_SAFE (agent->tasks, task, next) {
		DL_DELETE(agent->tasks, task);
		task->result = -ESHUTDOWN;
		task->done = true;
	}
	pthread_cond_broadcast(&agent->changed);
	pthread_mutex_unlock(&agent->lock);
}

int vd_agent_on_loop(struct vd_agent *agent, int (*function)(struct vd_agent *agent, void *userdata, struct vd_error *error),
		     void *userdata, struct vd_error *error)
{
	struct vd_task task = {.function = function, .userdata = userdata, .error = error};

	pthread_mutex_lock(&agent->lock);
	if (agent->stopping) {
		pthread_mutex_unlock(&agent->lock);
		return vd_error_set(error, -ESHUTDOWN, "the daemon of host %s is stopping", agent->options.host);
	}
	DL_APPEND(agent->tasks, &task);
	uv_async_send(&agent->wake);
	while (!task.done)
		pthread_cond_wait(&agent->changed, &agent->lock);
	pthread_mutex_unlock(&agent->lock);
	return task.result;
}

int vd_agent_wait_applied(struct vd_agent *agent, int64_t revision, unsigned seconds)
{
	struct timespec until;
	int r = 0;

	until = vd_clock_after(seconds * 1000ULL);
	pthread_mutex_lock(&agent->lock);
	while (agent->applied < revision && !agent->stopping && r == 0)
		r = -pthread_cond_timedwait(&agent->changed, &agent->lock, &until);
	if (agent->applied >= revision)
		r = 0;
	else if (r == 0)
		r = -ESHUTDOWN;
	pthread_mutex_unlock(&agent->lock);
	return r;
}

/* ---- what wakes the loop ---- */

void vd_agent_deadline_move(struct vd_agent *agent, uint64_t deadline)
{
	pthread_mutex_lock(&agent->lock);
	agent->deadline = deadline;
	agent->deadline_due = true;
	pthread_mutex_unlock(&agent->lock);
	uv_async_send(&agent->wake);
}

/* What the data plane did not take is tried again with the next one, in a few seconds. */
static void deadline_settle(struct vd_agent *agent)
{
	uint64_t deadline;
	bool is_due;
	int r;

	pthread_mutex_lock(&agent->lock);
	deadline = agent->deadline;
	is_due = agent->deadline_due;
	agent->deadline_due = false;
	pthread_mutex_unlock(&agent->lock);
	r = is_due ? vd_datapath_deadline_set(agent->datapath, deadline) : 0;
	if (r < 0)
		vd_log_error("the data plane does not take this host's lease as a gateway: %s", strerror(-r));
}

static void wake(uv_async_t *handle)
{
	struct vd_agent *agent = handle->data;
	bool stopping;

	/* Asked first: what was queued before the stop is done before the end, and nothing is queued after it. */
	pthread_mutex_lock(&agent->lock);
	stopping = agent->stopping;
	pthread_mutex_unlock(&agent->lock);
	tasks_run(agent);
	vd_agent_apply(agent);
	deadline_settle(agent);
	if (stopping)
		uv_stop(&agent->loop);
}

static void signalled(uv_signal_t *handle, int number)
{
	vd_agent_stop(handle->data);
}

static void drop_seen(json_t *drop, void *userdata)
{
	struct vd_agent *agent = userdata;

	json_array_append(agent->recent_drops, drop);
	if (json_array_size(agent->recent_drops) > RECENT_DROPS)
		json_array_remove(agent->recent_drops, 0);
	vd_channel_say(agent->drops, drop);
}

void vd_agent_drops_take(struct vd_agent *agent)
{
	vd_datapath_drop_events(agent->datapath, drop_seen, agent);
}

static void drops_readable(uv_poll_t *handle, int status, int events)
{
	vd_agent_drops_take(handle->data);
}

static void captures_readable(uv_poll_t *handle, int status, int events)
{
	struct vd_agent *agent = handle->data;

	vd_datapath_capture_events(agent->datapath, vd_capture_packet, agent);
}

struct link_news {
	struct vd_agent *agent;
	bool gone; /* of somebody who was attached */
};

/* A link of ours went with its namespace: whoever was attached by it is not any more. */
static void link_gone(uint32_t ifindex, void *userdata)
{
	struct link_news *news = userdata;

	if (!vd_agent_container_gone(news->agent, ifindex))
		news->gone = true;
}

static void monitor_readable(uv_poll_t *handle, int status, int events)
{
	struct vd_agent *agent = handle->data;
	struct link_news news = {.agent = agent};

	vd_host_monitor_read(agent->net, link_gone, &news);
	if (news.gone)
		vd_agent_sweep(agent);
	if (vd_host_monitor_others(agent->net))
		vd_agent_nodes_check(agent);
	if (vd_agent_uplinks_check(agent))
		vd_reporter_claim(agent->reporter);
}

static void neighbours_readable(uv_poll_t *handle, int status, int events)
{
	vd_agent_neighbours_read(handle->data);
}

static void loop_init(struct vd_agent *agent)
{
	uv_loop_init(&agent->loop);
	uv_async_init(&agent->loop, &agent->wake, wake);
	uv_signal_init(&agent->loop, &agent->terminate);
	uv_signal_init(&agent->loop, &agent->interrupt);
	uv_timer_init(&agent->loop, &agent->retry);
	uv_timer_init(&agent->loop, &agent->announce_timer);
	uv_timer_init(&agent->loop, &agent->question_timer);
	uv_timer_init(&agent->loop, &agent->care_timer);
	uv_timer_init(&agent->loop, &agent->node_timer);
	agent->node_timer.data = agent->announce_timer.data = agent->question_timer.data = agent->care_timer.data = agent;
	agent->wake.data = agent->terminate.data = agent->interrupt.data = agent->retry.data = agent;
}

static void poll_start(struct vd_agent *agent, uv_poll_t *handle, int fd, uv_poll_cb callback)
{
	/* Traffic does not depend on it. */
	if (fd < 0 || uv_poll_init(&agent->loop, handle, fd) < 0) {
		vd_log_error("some events of the kernel (drops, captures, links that go) cannot be followed: %s",
			     fd < 0 ? strerror(-fd) : "out of memory");
		return;
	}
	handle->data = agent;
	uv_poll_start(handle, UV_READABLE, callback);
}

static void handle_close(uv_handle_t *handle, void *userdata)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* ---- life ---- */

static int options_copy(struct vd_agent_options *to, const struct vd_agent_options *from)
{
	struct vd_agent_uplink *uplinks = calloc(from->uplink_count + 1, sizeof(*uplinks));
	bool whole = uplinks;

	*to = *from;
	to->uplinks = uplinks;
	for (size_t i = 0; uplinks && i < from->uplink_count; i++) {
		uplinks[i].physnet = strdup(from->uplinks[i].physnet);
		uplinks[i].ifname = strdup(from->uplinks[i].ifname);
		whole &= uplinks[i].physnet && uplinks[i].ifname;
	}
	to->host = strdup(from->host);
	to->run_directory = strdup(from->run_directory);
	to->pin_directory = strdup(from->pin_directory);
	to->api = from->api ? strdup(from->api) : NULL;
	to->docker_host = strdup(from->docker_host ? from->docker_host : VD_DOCKER_ENGINE_HOST);
	whole &= to->docker_host != NULL;
	return whole && to->host && to->run_directory && to->pin_directory && (to->api || !from->api) ? 0 : -ENOMEM;
}

static void options_done(struct vd_agent_options *options)
{
	for (size_t i = 0; options->uplinks && i < options->uplink_count; i++) {
		free((char *)options->uplinks[i].physnet);
		free((char *)options->uplinks[i].ifname);
	}
	free((struct vd_agent_uplink *)options->uplinks);
	free((char *)options->host);
	free((char *)options->run_directory);
	free((char *)options->pin_directory);
	free((char *)options->api);
	free((char *)options->docker_host);
}

static int kernel_adopt(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_datapath_options datapath = {.pin_directory = agent->options.pin_directory,
					       .connection_entries = agent->options.connections};
	int r;

	r = vd_host_net_open(agent->options.host, agent->options.run_directory, &agent->net, error);
	if (r < 0)
		return r;
	r = vd_host_underlay_read(agent->net, &agent->options.underlay, &agent->underlay, error);
	if (r < 0)
		return r;
	r = vd_agent_uplinks_open(agent, error);
	if (r < 0)
		return r;
	r = vd_host_overlay_ensure(agent->net, agent->options.vxlan_port, &datapath.overlay_ifindex, error);
	if (r < 0)
		return r;
	r = vd_datapath_open(&datapath, &agent->datapath, error);
	if (r < 0)
		return r;
	vd_agent_naming_start(agent);
	return vd_agent_containers_open(agent, error);
}

static int64_t revision_applied(void *userdata)
{
	struct vd_agent *agent = userdata;
	int64_t applied;

	pthread_mutex_lock(&agent->lock);
	applied = agent->applied;
	pthread_mutex_unlock(&agent->lock);
	return applied;
}

/* The store's threads look for it while they hold the replica's lock. */
static int gateways_begin(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_gateways_options options = {
		.host = agent->options.host,
		.boot_id = agent->identity.boot_id,
		.store = agent->options.store,
		.replica = agent->replica,
		.applied = revision_applied,
		.userdata = agent,
	};
	struct vd_gateways *gateways = NULL;
	int r = vd_gateways_new(&options, &gateways, error);

	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	agent->gateways = gateways;
	vd_replica_unlock(agent->replica);
	return r;
}

static int blocks_begin(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_blocks_options options = {
		.host = agent->options.host,
		.store = agent->options.store,
		.replica = agent->replica,
		.close = vd_agent_block_close,
		.open = vd_agent_block_open,
		.userdata = agent,
	};
	struct vd_blocks *blocks = NULL;
	int r = vd_blocks_new(&options, &blocks, error);

	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	agent->blocks = blocks;
	vd_replica_unlock(agent->replica);
	return r;
}

static int store_begin(struct vd_agent *agent, struct vd_error *error)
{
	int r = 0;

	if (!agent->reporter)
		r = vd_reporter_new(agent, &agent->reporter, error);
	if (r == 0 && !agent->replica)
		r = vd_replica_new(agent->options.store, vd_agent_follow, agent, &agent->replica, error);
	if (r == 0)
		r = vd_agent_claim(agent, error);
	if (r == 0 && !agent->gateways)
		r = gateways_begin(agent, error);
	if (r == 0 && !agent->blocks)
		r = blocks_begin(agent, error);
	if (r == 0)
		vd_reporter_lead(agent->reporter);
	return r;
}

/*
 * A store that does not answer yet is waited for: what stands in the kernel does its work meanwhile, and SIGTERM ends the wait as it
 * ends any process. What the store refuses is final.
 */
static int store_follow(struct vd_agent *agent, struct vd_error *error)
{
	unsigned pause = STORE_PAUSE_FIRST_MS;
	bool waited = false;
	int r;

	for (;;) {
		r = store_begin(agent, error);
		if (r != -ECONNREFUSED && r != -ETIMEDOUT)
			break;
		if (!waited)
			vd_log_warning("%s; trying again until it answers (what stands in the kernel goes on)", error->text);
		waited = true;
		usleep(pause * 1000);
		pause = pause * 2 < STORE_PAUSE_LAST_MS ? pause * 2 : STORE_PAUSE_LAST_MS;
	}
	if (r == 0 && waited)
		vd_log_info("the store answers");
	return r;
}

int vd_agent_new(const struct vd_agent_options *options, struct vd_agent **ret, struct vd_error *error)
{
	struct vd_agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return -ENOMEM;
	pthread_mutex_init(&agent->lock, NULL);
	vd_clock_cond_init(&agent->changed);
	loop_init(agent);
	agent->needs_sync = true;
	agent->identity = *options->identity;
	agent->drops = vd_channel_new();
	agent->captures = vd_channel_new();
	agent->recent_drops = json_array();
	agent->compiler = vd_compiler_new(options->host);

	r = options_copy(&agent->options, options);
	if (r == 0 && (!agent->drops || !agent->captures || !agent->recent_drops || !agent->compiler))
		r = -ENOMEM;
	if (r == 0)
		r = vd_agent_announcements_new(agent);
	if (r == 0)
		r = vd_agent_neighbours_new(agent);
	if (r == 0)
		r = vd_agent_nodes_new(agent);
	if (r == 0)
		r = kernel_adopt(agent, error);
	if (r == 0)
		r = vd_agent_keeper_new(agent, error);
	if (r == 0)
		r = store_follow(agent, error);
	if (r == 0)
		r = vd_agent_returns_new(agent);
	if (r == 0)
		r = vd_agent_removals_new(agent);
	if (r < 0) {
		vd_agent_free(agent);
		return r;
	}
	*ret = agent;
	return 0;
}

/* A host that is no node does without. */
static void keeper_start(struct vd_agent *agent)
{
	struct vd_error error = {"out of memory"};

	if (vd_agent_keeper_start(agent, &error) < 0)
		vd_log_error("this host's packet filter and settings are not looked after: %s", error.text);
}

int vd_agent_run(struct vd_agent *agent)
{
	uv_signal_start(&agent->terminate, signalled, SIGTERM);
	uv_signal_start(&agent->interrupt, signalled, SIGINT);
	poll_start(agent, &agent->drops_poll, vd_datapath_drop_fd(agent->datapath), drops_readable);
	poll_start(agent, &agent->capture_poll, vd_datapath_capture_fd(agent->datapath), captures_readable);
	poll_start(agent, &agent->neighbour_poll, vd_datapath_neighbour_fd(agent->datapath), neighbours_readable);
	vd_agent_neighbours_start(agent);
	poll_start(agent, &agent->monitor_poll, vd_host_monitor_fd(agent->net), monitor_readable);
	keeper_start(agent);
	uv_async_send(&agent->wake);
	uv_run(&agent->loop, UV_RUN_DEFAULT);
	return 0;
}

void vd_agent_stop(struct vd_agent *agent)
{
	pthread_mutex_lock(&agent->lock);
	agent->stopping = true;
	pthread_cond_broadcast(&agent->changed);
	pthread_mutex_unlock(&agent->lock);
	vd_channel_close(agent->drops);
	vd_channel_close(agent->captures);
	uv_async_send(&agent->wake);
}

/* Waited for without the replica's lock, which the threads may want. */
static void followers_end(struct vd_agent *agent)
{
	struct vd_gateways *gateways = agent->gateways;
	struct vd_blocks *blocks = agent->blocks;

	if (!agent->replica)
		return;
	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	agent->gateways = NULL;
	agent->blocks = NULL;
	vd_replica_unlock(agent->replica);
	vd_gateways_free(gateways);
	vd_blocks_free(blocks);
}

void vd_agent_free(struct vd_agent *agent)
{
	struct vd_batch *batch, *next;

	if (!agent)
		return;
	/* First what calls us from other threads; what they ask of a loop that never ran is refused. */
	tasks_refuse(agent);
	vd_agent_keeper_stop(agent);
	vd_agent_removals_free(agent);
	vd_agent_returns_free(agent);
	vd_reporter_stop(agent->reporter);
	followers_end(agent);
	if (agent->replica)
		vd_replica_free(agent->replica);
	vd_reporter_free(agent->reporter);

	vd_agent_routers_leave(agent);
	uv_walk(&agent->loop, handle_close, NULL);
	uv_run(&agent->loop, UV_RUN_DEFAULT);
	uv_loop_close(&agent->loop);

	DL_FOREACH_SAFE (agent->batches, batch, next)
		vd_batch_free(batch);
	if (agent->compiler)
		vd_compiler_free(agent->compiler);
	if (agent->datapath)
		vd_datapath_close(agent->datapath);
	vd_host_underlay_done(&agent->underlay);
	if (agent->net)
		vd_host_net_close(agent->net);
	vd_capture_free(agent);
	vd_channel_free(agent->drops);
	vd_channel_free(agent->captures);
	json_decref(agent->recent_drops);
	vd_agent_containers_close(agent);
	vd_agent_nodes_free(agent);
	vd_agent_keeper_free(agent);
	vd_agent_neighbours_free(agent);
	vd_agent_announcements_free(agent);
	vd_agent_uplinks_free(agent);
	options_done(&agent->options);
	pthread_mutex_destroy(&agent->lock);
	pthread_cond_destroy(&agent->changed);
	free(agent);
}

int vd_agent_purge(const struct vd_agent_options *options, struct vd_error *error)
{
	struct vd_datapath_options datapath = {.pin_directory = options->pin_directory};
	struct vd_host_net *net = NULL;
	int r;

	r = vd_datapath_purge(&datapath, error);
	if (r == 0)
		r = vd_agent_routers_purge(options, error);
	if (r == 0)
		r = vd_agent_containers_purge(options->run_directory, error);
	if (r == 0)
		r = vd_agent_keeper_purge(options, error);
	if (r < 0)
		return r;
	r = vd_host_net_open(options->host, options->run_directory, &net, error);
	if (r < 0)
		return r;
	r = vd_host_net_purge(net, error);
	vd_host_net_close(net);
	return r;
}
