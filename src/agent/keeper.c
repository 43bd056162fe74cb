/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keeper.h"

#include "agent/keeper_rules.h"
#include "agent/keeper_worker.h"
#include "agent/private.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define CHANGES_MAX 64
/* Docker, which the thread asks what it has, may itself be waiting for the container. */
#define WAIT_SECONDS 3

struct change {
	struct change *prev, *next;
	char what[256];
	time_t when;
	unsigned times;
};

struct vd_keeper {
	struct vd_keeper_worker *worker; /* NULL: not started */
	struct vd_keeper_book book;      /* loop only */
	bool is_due;                     /* loop only: the thread does not have it yet */

	pthread_mutex_t lock;   /* guards what follows */
	struct change *changes; /* the latest first */
	size_t change_count;
	json_t *occupied;
	char *problem, *refused;
	uint64_t given, settled; /* what the thread was given last, and what it has done */
	pthread_cond_t settling;
};

/* ---- what the thread says ---- */

static void change_note(struct vd_keeper *keeper, const char *what)
{
	struct change *change;

	DL_FOREACH (keeper->changes, change)
		if (strncmp(change->what, what, sizeof(change->what) - 1) == 0)
			break;
	if (change) {
		DL_DELETE(keeper->changes, change);
	} else if (keeper->change_count == CHANGES_MAX) {
		change = keeper->changes->prev;
		DL_DELETE(keeper->changes, change);
		change->times = 0;
	} else {
		change = calloc(1, sizeof(*change));
		keeper->change_count += change != NULL;
	}
	if (!change)
		return;
	snprintf(change->what, sizeof(change->what), "%s", what);
	change->when = time(NULL);
	change->times++;
	DL_PREPEND(keeper->changes, change);
}

static void changed(const char *what, void *userdata)
{
	struct vd_agent *agent = userdata;

	vd_log_info("%s", what);
	pthread_mutex_lock(&agent->keeper->lock);
	change_note(agent->keeper, what);
	pthread_mutex_unlock(&agent->keeper->lock);
}

static void occupied(json_t *list, void *userdata)
{
	struct vd_agent *agent = userdata;
	bool is_news;

	pthread_mutex_lock(&agent->keeper->lock);
	is_news = !json_equal(agent->keeper->occupied, list);
	if (is_news) {
		json_decref(agent->keeper->occupied);
		agent->keeper->occupied = json_deep_copy(list);
	}
	pthread_mutex_unlock(&agent->keeper->lock);
	if (is_news)
		vd_reporter_claim(agent->reporter);
}

/* Whether it is another sentence than the one that stands; NULL: none. */
static bool sentence_set(struct vd_keeper *keeper, char **place, const char *sentence)
{
	bool is_news;

	pthread_mutex_lock(&keeper->lock);
	is_news = sentence ? !*place || strcmp(*place, sentence) != 0 : *place != NULL;
	if (is_news) {
		free(*place);
		*place = sentence ? strdup(sentence) : NULL;
	}
	pthread_mutex_unlock(&keeper->lock);
	return is_news;
}

static void settled(uint64_t number, void *userdata)
{
	struct vd_agent *agent = userdata;

	pthread_mutex_lock(&agent->keeper->lock);
	agent->keeper->settled = number;
	pthread_cond_broadcast(&agent->keeper->settling);
	pthread_mutex_unlock(&agent->keeper->lock);
}

static void problem(const char *sentence, void *userdata)
{
	struct vd_agent *agent = userdata;
	bool is_news = sentence_set(agent->keeper, &agent->keeper->problem, sentence);

	if (is_news && sentence)
		vd_log_warning("this host is not as a node must be, trying again: %s", sentence);
	else if (is_news)
		vd_log_info("this host is as a node must be again");
}

static void refused(const char *sentence, void *userdata)
{
	struct vd_agent *agent = userdata;

	if (sentence_set(agent->keeper, &agent->keeper->refused, sentence) && sentence)
		vd_log_warning("%s", sentence);
}

/* ---- life ---- */

int vd_agent_keeper_new(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return -ENOMEM;
	pthread_mutex_init(&keeper->lock, NULL);
	vd_clock_cond_init(&keeper->settling);
	keeper->is_due = true;
	agent->keeper = keeper;
	/* By the names of links: Docker is asked by the thread. */
	return vd_keeper_occupied_read(agent->net, NULL, &(struct vd_firewall_rules){0}, &keeper->occupied, error);
}

int vd_agent_keeper_start(struct vd_agent *agent, struct vd_error *error)
{
	const struct vd_keeper_worker_options options = {
		.tag = agent->options.host,
		.run_directory = agent->options.run_directory,
		.docker_host = agent->options.docker_host,
		.underlay_ifname = agent->underlay.ifname,
		.vxlan_port = agent->options.vxlan_port,
		.changed = changed,
		.occupied = occupied,
		.settled = settled,
		.problem = problem,
		.refused = refused,
		.userdata = agent,
	};
	int r = vd_keeper_worker_start(&options, &agent->keeper->worker, error);

	return r < 0 ? r : vd_agent_keeper_settle(agent);
}

void vd_agent_keeper_stop(struct vd_agent *agent)
{
	if (!agent->keeper || !agent->keeper->worker)
		return;
	vd_keeper_worker_stop(agent->keeper->worker);
	agent->keeper->worker = NULL;
}

void vd_agent_keeper_free(struct vd_agent *agent)
{
	struct vd_keeper *keeper = agent->keeper;
	struct change *change, *next;

	if (!keeper)
		return;
	vd_agent_keeper_stop(agent);
	DL_FOREACH_SAFE (keeper->changes, change, next)
		free(change);
	vd_keeper_book_done(&keeper->book);
	json_decref(keeper->occupied);
	free(keeper->problem);
	free(keeper->refused);
	pthread_cond_destroy(&keeper->settling);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
	agent->keeper = NULL;
}

int vd_agent_keeper_purge(const struct vd_agent_options *options, struct vd_error *error)
{
	return vd_keeper_worker_purge(options->host, options->run_directory, error);
}

/* ---- the plan ---- */

int vd_agent_keeper_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	int r = vd_keeper_book_step(&agent->keeper->book, step);

	agent->keeper->is_due |= r > 0;
	return r < 0 ? r : 0;
}

int vd_agent_keeper_settle(struct vd_agent *agent)
{
	struct vd_keeper *keeper = agent->keeper;
	struct vd_firewall_rules rules;
	uint64_t number;
	int r;

	/* A plan that was not carried out yet says nothing about what stands. */
	if (!keeper->is_due || !keeper->worker || agent->needs_sync || !agent->obeyed)
		return 0;
	r = vd_keeper_book_rules(&keeper->book, &rules);
	if (r < 0)
		return r;
	pthread_mutex_lock(&keeper->lock);
	number = ++keeper->given;
	pthread_mutex_unlock(&keeper->lock);
	vd_keeper_worker_give(keeper->worker, &rules, number);
	keeper->is_due = false;
	return 0;
}

void vd_agent_keeper_wait(struct vd_agent *agent)
{
	struct vd_keeper *keeper = agent->keeper;
	struct timespec until;
	uint64_t wanted;
	int r = 0;

	until = vd_clock_after(WAIT_SECONDS * 1000ULL);
	pthread_mutex_lock(&keeper->lock);
	wanted = keeper->given;
	while (keeper->settled < wanted && r == 0)
		r = pthread_cond_timedwait(&keeper->settling, &keeper->lock, &until);
	pthread_mutex_unlock(&keeper->lock);
}

/* ---- what others are told ---- */

json_t *vd_agent_keeper_occupied(struct vd_agent *agent)
{
	json_t *list;

	pthread_mutex_lock(&agent->keeper->lock);
	list = json_deep_copy(agent->keeper->occupied);
	pthread_mutex_unlock(&agent->keeper->lock);
	return list;
}

json_t *vd_agent_keeper_changes(struct vd_agent *agent, char **ret_problem)
{
	json_t *all = json_array();
	struct change *change;
	struct tm when;
	char text[32];

	pthread_mutex_lock(&agent->keeper->lock);
	DL_FOREACH (agent->keeper->changes, change) {
		gmtime_r(&change->when, &when);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
		json_array_append_new(
			all, json_pack("{s:s, s:s, s:i}", "what", change->what, "when", text, "times", (int)change->times));
	}
	*ret_problem = agent->keeper->problem ? strdup(agent->keeper->problem) : NULL;
	pthread_mutex_unlock(&agent->keeper->lock);
	return all;
}

char *vd_agent_keeper_refused(struct vd_agent *agent)
{
	char *sentence;

	pthread_mutex_lock(&agent->keeper->lock);
	sentence = agent->keeper->refused ? strdup(agent->keeper->refused) : NULL;
	pthread_mutex_unlock(&agent->keeper->lock);
	return sentence;
}
