/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/gateway.h"

#include "agent/sentry.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define RANK_MS 250   /* how much longer each next host waits for the ones before it */
#define AGAIN_MS 100  /* after a write that came too late, or a data plane that is behind */
#define IDLE_MS 30000 /* nothing is due: look all the same */
#define CONFIRM_MS 5000

struct name {
	char *text;     /* "<project>/<virtual IP>" */
	uint64_t since; /* ms: when it was found vacant */
	bool seen;
	UT_hash_handle hh;
};

/* A write to be done, decided under the replica's lock. */
struct job {
	struct job *prev, *next;
	char *project, *vip, *holder; /* holder NULL: nobody */
	bool resign;
	int64_t epoch; /* of the model that it was decided from: a revision that every data plane obeys some time */
};

struct vd_gateways {
	struct vd_gateways_options options;
	struct vd_sentry *sentry;
	struct name *vacant; /* the thread's own */
};

/* ---- names ---- */

static struct name *name_find(struct name *names, const char *text)
{
	struct name *name;

	HASH_FIND_STR(names, text, name);
	return name;
}

static struct name *name_add(struct name **names, const char *text)
{
	struct name *name = name_find(*names, text);

	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (name)
		name->text = strdup(text);
	if (!name || !name->text) {
		free(name);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, *names, name->text, strlen(name->text), name);
	return name;
}

static void name_remove(struct name **names, struct name *name)
{
	HASH_DEL(*names, name);
	free(name->text);
	free(name);
}

static void names_clear(struct name **names)
{
	struct name *name, *next;

	HASH_ITER (hh, *names, name, next)
		name_remove(names, name);
}

/* ---- who lives ---- */

static bool is_alive(const char *host, void *userdata)
{
	return vd_alive_has(vd_sentry_alive(((struct vd_gateways *)userdata)->sentry), host);
}

/* ---- deciding ---- */

struct round {
	struct vd_gateways *gateways;
	struct vd_electorate electorate;
	struct job *jobs;
	int64_t epoch;
	uint64_t now, next; /* ms; next: when something becomes due */
};

static void job_free(struct job *job)
{
	free(job->project);
	free(job->vip);
	free(job->holder);
	free(job);
}

static int job_add(struct round *round, const struct vd_resource *vip, bool resign)
{
	const struct vd_gateway *fact =
		(const struct vd_gateway *)vd_model_get(round->electorate.model, VD_KIND_GATEWAY, vip->project, vip->name);
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->resign = resign;
	job->epoch = round->epoch;
	job->project = strdup(vip->project);
	job->vip = strdup(vip->name);
	job->holder = fact ? strdup(fact->host) : NULL;
	if (!job->project || !job->vip || (fact && !job->holder)) {
		job_free(job);
		return -ENOMEM;
	}
	DL_APPEND(round->jobs, job);
	return 0;
}

/* The hosts before us have their time first. */
static int vacancy_follow(struct round *round, const struct vd_resource *vip, unsigned rank)
{
	char key[4 * VD_NAME_SIZE]; /* names of both */
	struct name *vacancy;
	uint64_t due;

	snprintf(key, sizeof(key), "%s/%s", vip->project, vip->name);
	vacancy = name_add(&round->gateways->vacant, key);
	if (!vacancy)
		return -ENOMEM;
	vacancy->seen = true;
	if (!vacancy->since)
		vacancy->since = round->now;
	due = vacancy->since + (uint64_t)rank * RANK_MS;
	if (due <= round->now)
		return job_add(round, vip, false);
	if (due < round->next)
		round->next = due;
	return 0;
}

static int vip_decide(const struct vd_resource *vip, void *userdata)
{
	struct round *round = userdata;
	unsigned rank = 0;

	if (!vd_election_concerns(vip))
		return 0;
	switch (vd_election_of_vip(&round->electorate, (const struct vd_virtual_ip *)vip, &rank)) {
	case VD_ELECTION_NOTHING:
		return 0;
	case VD_ELECTION_TAKE:
		return vacancy_follow(round, vip, rank);
	case VD_ELECTION_RESIGN:
		return job_add(round, vip, true);
	}
	return 0;
}

static int fact_decide(const struct vd_resource *fact, void *userdata)
{
	struct round *round = userdata;

	if (vd_election_of_fact(&round->electorate, (const struct vd_gateway *)fact) == VD_ELECTION_RESIGN)
		return job_add(round, fact, true);
	return 0;
}

static void vacancies_forget(struct vd_gateways *gateways)
{
	struct name *vacancy, *next;

	HASH_ITER (hh, gateways->vacant, vacancy, next) {
		if (!vacancy->seen)
			name_remove(&gateways->vacant, vacancy);
		else
			vacancy->seen = false;
	}
}

static void round_decide(struct vd_gateways *gateways, struct round *ret)
{
	const struct vd_gateways_options *options = &gateways->options;
	struct round round = {.gateways = gateways, .now = vd_sentry_now()};

	round.next = round.now + IDLE_MS;
	round.electorate = (struct vd_electorate){
		.host = options->host, .boot_id = options->boot_id, .is_alive = is_alive, .userdata = gateways};
	round.electorate.model = vd_replica_lock(options->replica, NULL, &round.epoch, NULL);
	if (vd_model_each(round.electorate.model, VD_KIND_VIRTUAL_IP, NULL, vip_decide, &round) < 0 ||
	    vd_model_each(round.electorate.model, VD_KIND_GATEWAY, NULL, fact_decide, &round) < 0)
		round.next = round.now + VD_SENTRY_AWAY_MS; /* memory ran out: what was found is done, the rest later */
	vd_replica_unlock(options->replica);
	vacancies_forget(gateways);
	*ret = round;
}

/* ---- doing ---- */

struct writing {
	struct vd_gateways *gateways;
	const struct job *job;
};

/* The replica's lock is held. Whoever holds it, still does; and where that one died, nothing at all was written since we saw it dead. */
static int write_check(const struct vd_model *model, void *userdata, struct vd_error *error)
{
	const struct writing *writing = userdata;
	const struct job *job = writing->job;
	const struct vd_gateway *fact = (const struct vd_gateway *)vd_model_get(model, VD_KIND_GATEWAY, job->project, job->vip);
	int64_t epoch;

	vd_replica_lock(writing->gateways->options.replica, NULL, &epoch, NULL);
	vd_replica_unlock(writing->gateways->options.replica);
	if (!fact != !job->holder || (fact && strcmp(fact->host, job->holder) != 0))
		return -ECANCELED;
	if (!job->resign && !vd_model_get(model, VD_KIND_VIRTUAL_IP, job->project, job->vip))
		return -ECANCELED;
	return job->holder && epoch != job->epoch ? -ECANCELED : 0;
}

static int fact_write(struct vd_gateways *gateways, const struct job *job, struct vd_error *error)
{
	struct writing writing = {gateways, job};
	struct vd_gateway fact = {
		.head = {.kind = VD_KIND_GATEWAY, .references = 1, .project = job->project, .name = job->vip},
		.host = (char *)gateways->options.host,
	};
	struct vd_resource *owned;
	int r;

	snprintf(fact.boot_id, sizeof(fact.boot_id), "%s", gateways->options.boot_id);
	if (job->resign)
		return vd_replica_write_fact(gateways->options.replica, &fact.head, true, write_check, &writing, NULL, error);
	/* The model keeps what it is given. */
	owned = vd_resource_clone(&fact.head);
	if (!owned)
		return -ENOMEM;
	r = vd_replica_write_fact(gateways->options.replica, owned, false, write_check, &writing, NULL, error);
	vd_resource_unref(owned);
	return r;
}

/* ms until it makes sense to look again, 0: done. */
static unsigned job_do(struct vd_gateways *gateways, const struct job *job)
{
	const struct vd_gateways_options *options = &gateways->options;
	bool ours = job->holder && strcmp(job->holder, options->host) == 0;
	struct vd_error error = {};
	int r = 0;

	/* Who gives up stops first, then says so. */
	if (job->resign && options->applied(options->userdata) < job->epoch)
		return AGAIN_MS;
	if (job->holder && !ours)
		r = vd_alive_ask(vd_sentry_alive(gateways->sentry), job->holder, &error);
	if (r > 0)
		return AGAIN_MS;
	if (r == 0)
		r = fact_write(gateways, job, &error);
	if (r == -ECANCELED)
		return AGAIN_MS;
	if (r < 0 && r != -ENOENT) {
		vd_log_warning("gateway of %s in project %s: %s", job->vip, job->project, error.text);
		return VD_SENTRY_AWAY_MS;
	}
	if (!job->resign)
		vd_log_info("this host is the gateway of %s in project %s now%s%s", job->vip, job->project,
			    job->holder && !ours ? ", instead of " : "", job->holder && !ours ? job->holder : "");
	return 0;
}

static uint64_t look(void *userdata)
{
	struct vd_gateways *gateways = userdata;
	struct job *job, *after;
	struct round round;
	uint64_t next;

	round_decide(gateways, &round);
	next = round.next;
	DL_FOREACH_SAFE (round.jobs, job, after) {
		unsigned pause = job_do(gateways, job);

		if (pause && vd_sentry_now() + pause < next)
			next = vd_sentry_now() + pause;
		DL_DELETE(round.jobs, job);
		job_free(job);
	}
	return next;
}

/* ---- for others ---- */

int vd_gateways_new(const struct vd_gateways_options *options, struct vd_gateways **ret, struct vd_error *error)
{
	struct vd_gateways *gateways = calloc(1, sizeof(*gateways));
	int r;

	if (!gateways)
		return -ENOMEM;
	gateways->options = *options;
	r = vd_sentry_new(options->store, look, gateways, &gateways->sentry, error);
	if (r == 0)
		r = vd_sentry_start(gateways->sentry, error);
	if (r < 0) {
		vd_gateways_free(gateways);
		return r;
	}
	*ret = gateways;
	return 0;
}

void vd_gateways_free(struct vd_gateways *gateways)
{
	if (!gateways)
		return;
	vd_sentry_free(gateways->sentry);
	names_clear(&gateways->vacant);
	free(gateways);
}

void vd_gateways_wake(struct vd_gateways *gateways)
{
	vd_sentry_wake(gateways->sentry);
}

bool vd_gateways_concern(const struct vd_changes *changes)
{
	if (!changes)
		return true;
	for (size_t i = 0; i < changes->count; i++) {
		const struct vd_change *change = &changes->items[i];

		if (change->kind == VD_KIND_GATEWAY || change->kind == VD_KIND_CLAIM || change->kind == VD_KIND_NETWORK)
			return true;
		if (change->kind == VD_KIND_VIRTUAL_IP && (!change->after || vd_election_concerns(change->after)))
			return true;
	}
	return false;
}

struct held {
	const char *host;
	struct vd_resource *one;
};

static int held_find(const struct vd_resource *resource, void *userdata)
{
	struct held *held = userdata;

	if (strcmp(((const struct vd_gateway *)resource)->host, held->host) != 0)
		return 0;
	held->one = vd_resource_clone(resource);
	return 1;
}

static struct vd_resource *held_clone(struct vd_gateways *gateways)
{
	struct held held = {.host = gateways->options.host};

	vd_model_each(vd_replica_lock(gateways->options.replica, NULL, NULL, NULL), VD_KIND_GATEWAY, NULL, held_find, &held);
	vd_replica_unlock(gateways->options.replica);
	return held.one;
}

bool vd_gateways_hold(struct vd_gateways *gateways)
{
	struct vd_resource *held = held_clone(gateways);

	if (held)
		vd_resource_unref(held);
	return held;
}

static int still_held(const struct vd_model *model, void *userdata, struct vd_error *error)
{
	const struct vd_gateway *held = userdata;
	const struct vd_gateway *fact =
		(const struct vd_gateway *)vd_model_get(model, VD_KIND_GATEWAY, held->head.project, held->head.name);

	return fact && strcmp(fact->host, held->host) == 0 ? 0 : -ECANCELED;
}

/* Writing one fact once more moves the epoch. One that is somebody else's by now tells that the model went on: then another one. */
int vd_gateways_confirm(struct vd_gateways *gateways, struct vd_error *error)
{
	int r = -ECANCELED;

	while (r == -ECANCELED) {
		struct vd_resource *held = held_clone(gateways);
		int64_t revision = 0;

		if (!held)
			return 0;
		r = vd_replica_write_fact(gateways->options.replica, held, false, still_held, held, &revision, error);
		if (r == 0 && vd_replica_wait(gateways->options.replica, revision, CONFIRM_MS) < 0)
			r = vd_error_set(error, -ETIMEDOUT, "the store took a write that it has not shown yet");
		vd_resource_unref(held);
	}
	return r;
}
