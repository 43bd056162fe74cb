/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that writes to the store what this host has to say: that it lives (a lease), which revision its data plane obeys, and
 * attachments that are gone. Losing the lease does not stop anything here: it is taken again as soon as the store answers.
 */
#include "agent/private.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#define LEASE_SECONDS 10
#define LEASE_REFRESH_SECONDS 3
#define NAME_TRIES 5

struct detachment {
	struct detachment *prev, *next;
	char *project, *port;
	uint32_t ifindex;
	char boot_id[40];
};

struct vd_reporter {
	struct vd_agent *agent;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t due;
	bool stopping;
	int64_t applied, reported;
	struct detachment *detachments;
	bool claim_due, refresh_due;
	bool leads; /* elections are followed: a deadline is kept */

	bool unconfirmed; /* the lease is another one than before: others may have taken over meanwhile */
	int64_t lease;    /* the thread's own; 0: none */
	bool store_away;
};

static void detachment_free(struct detachment *detachment)
{
	free(detachment->project);
	free(detachment->port);
	free(detachment);
}

static char *alive_value(const struct vd_agent *agent)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "machine_id", agent->identity.machine_id, "boot_id",
				   agent->identity.boot_id, "run_id", agent->identity.run_id, "version", VD_VERSION);
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

static bool is_us(const struct vd_agent *agent, const struct vd_kv *kv, json_t **ret_holder)
{
	json_t *holder = json_loadb(kv->value, kv->size, 0, NULL);
	const char *machine = json_string_value(json_object_get(holder, "machine_id"));
	const char *run = json_string_value(json_object_get(holder, "run_id"));
	bool us = machine && run && strcmp(machine, agent->identity.machine_id) == 0 && strcmp(run, agent->identity.run_id) == 0;

	*ret_holder = holder;
	return us;
}

/* Puts the alive key under a fresh lease, unless another daemon's stands there. -EAGAIN when it changed meanwhile. */
static int name_try(struct vd_reporter *reporter, struct vd_error *error)
{
	const struct vd_agent *agent = reporter->agent;
	VD_FREE char *key = NULL, *value = alive_value(agent);
	struct vd_kvs *standing = NULL;
	int64_t lease = 0, mod = 0;
	int r;

	if (!value || asprintf(&key, "%s%s", VD_STORE_PREFIX_STATUS_ALIVE, agent->options.host) < 0)
		return -ENOMEM;
	r = vd_store_range(agent->options.store, key, false, 0, 0, &standing, error);
	if (r < 0)
		return r;
	if (standing->count > 0) {
		json_t *holder = NULL;
		bool us = is_us(agent, &standing->items[0], &holder);

		if (!us)
			r = vd_error_set(error, -EEXIST,
					 "host %s: another live daemon holds this name (machine %s, boot %s): give this one "
					 "another --host, or stop the other "
					 "and wait %d seconds",
					 agent->options.host, json_string_value(json_object_get(holder, "machine_id")),
					 json_string_value(json_object_get(holder, "boot_id")), LEASE_SECONDS);
		json_decref(holder);
		mod = standing->items[0].mod_revision;
	}
	vd_kvs_free(standing);
	if (r < 0)
		return r;

	r = vd_store_lease_grant(agent->options.store, LEASE_SECONDS, &lease, error);
	if (r < 0)
		return r;

	struct vd_compare unchanged = {.key = key, .target = VD_COMPARE_TARGET_MOD, .number = mod};
	struct vd_operation put = {
		.type = VD_OPERATION_TYPE_PUT, .key = key, .value = value, .size = strlen(value), .lease = lease};
	struct vd_txn txn = {.compares = &unchanged, .compare_count = 1, .success = &put, .success_count = 1};

	r = vd_store_txn(agent->options.store, &txn, NULL, error);
	reporter->unconfirmed = true;
	if (r == -EAGAIN)
		vd_error_set(error, r, "host %s: another daemon takes this name at this moment", agent->options.host);
	if (r == 0)
		reporter->lease = lease;
	else if (r == -EAGAIN)
		vd_store_lease_revoke(agent->options.store, lease, NULL);
	return r;
}

/*
 * What changes the key meanwhile may be our own past: a lease that runs out, or what we asked a store that hung before we were
 * started again. Another daemon that was faster is seen by the next try.
 */
static int name_take(struct vd_reporter *reporter, struct vd_error *error)
{
	int r = -EAGAIN;

	for (unsigned i = 0; r == -EAGAIN && i < NAME_TRIES; i++)
		r = name_try(reporter, error);
	return r;
}

/*
 * sent: when the lease was asked for. A store of our own is dead while we are: nobody can be elected, and what we hold is held for
 * ever.
 */
static int deadline_keep(struct vd_reporter *reporter, uint64_t sent, int64_t ttl, struct vd_error *error)
{
	struct vd_agent *agent = reporter->agent;
	bool leads;
	int r = 0;

	pthread_mutex_lock(&reporter->lock);
	leads = reporter->leads;
	pthread_mutex_unlock(&reporter->lock);
	if (!leads)
		return 0;
	if (reporter->unconfirmed)
		r = vd_gateways_confirm(agent->gateways, error);
	if (r < 0)
		return r;
	reporter->unconfirmed = false;
	vd_agent_deadline_move(agent, agent->options.store_is_ours ? UINT64_MAX : vd_gateway_deadline(sent, ttl));
	return 0;
}

static int lease_refresh(struct vd_reporter *reporter, struct vd_error *error)
{
	uint64_t sent = vd_clock_ns();
	int64_t left = LEASE_SECONDS;
	int r;

	if (reporter->lease != 0) {
		r = vd_store_lease_keepalive(reporter->agent->options.store, reporter->lease, &left, error);
		if (r == 0)
			return deadline_keep(reporter, sent, left < LEASE_SECONDS ? left : LEASE_SECONDS, error);
		if (r != -ENOENT)
			return r;
		reporter->lease = 0;
	}
	sent = vd_clock_ns();
	r = name_take(reporter, error);
	return r < 0 ? r : deadline_keep(reporter, sent, LEASE_SECONDS, error);
}

static int revision_report(struct vd_reporter *reporter, int64_t revision, struct vd_error *error)
{
	const struct vd_agent *agent = reporter->agent;
	VD_FREE char *key = NULL, *value = NULL;
	json_t *object = json_pack("{s:I, s:s, s:I}", "revision", (json_int_t)revision, "boot_id", agent->identity.boot_id, "time",
				   (json_int_t)time(NULL));

	value = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!value || asprintf(&key, "%s%s", VD_STORE_PREFIX_STATUS_HOST, agent->options.host) < 0)
		return -ENOMEM;

	struct vd_operation put = {.type = VD_OPERATION_TYPE_PUT, .key = key, .value = value, .size = strlen(value)};
	struct vd_txn txn = {.success = &put, .success_count = 1};

	return vd_store_txn(agent->options.store, &txn, NULL, error);
}

/* The port may be attached again by now: that attachment is another one, and stays. */
static int detachment_check(const struct vd_model *model, void *userdata, struct vd_error *error)
{
	const struct detachment *detachment = userdata;
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, detachment->project, detachment->port);

	if (!attachment || attachment->ifindex != detachment->ifindex || strcmp(attachment->boot_id, detachment->boot_id) != 0)
		return -ENOENT;
	return 0;
}

static int attachment_remove(struct vd_reporter *reporter, const struct detachment *detachment, struct vd_error *error)
{
	struct vd_attachment fact = {
		.head = {.kind = VD_KIND_ATTACHMENT, .references = 1, .project = detachment->project, .name = detachment->port},
	};

	return vd_replica_write_fact(reporter->agent->replica, &fact.head, true, detachment_check, (void *)detachment, NULL, error);
}

/* One round of what is due. The lock is not held while the store is asked. */
static int round_do(struct vd_reporter *reporter, bool refresh, struct vd_error *error)
{
	struct detachment *detachment;
	int64_t applied;
	bool claim_due;
	int r = 0;

	if (refresh)
		r = lease_refresh(reporter, error);

	pthread_mutex_lock(&reporter->lock);
	applied = reporter->applied;
	claim_due = reporter->claim_due;
	reporter->claim_due = false;
	pthread_mutex_unlock(&reporter->lock);
	if (r == 0 && claim_due) {
		r = vd_agent_claim_renew(reporter->agent, error);
		if (r < 0)
			vd_reporter_claim(reporter);
	}
	if (r == 0 && applied != reporter->reported) {
		r = revision_report(reporter, applied, error);
		if (r == 0)
			reporter->reported = applied;
	}

	while (r == 0) {
		pthread_mutex_lock(&reporter->lock);
		detachment = reporter->detachments;
		if (detachment)
			DL_DELETE(reporter->detachments, detachment);
		pthread_mutex_unlock(&reporter->lock);
		if (!detachment)
			break;
		r = attachment_remove(reporter, detachment, error);
		if (r < 0 && r != -ENOENT) {
			pthread_mutex_lock(&reporter->lock);
			DL_PREPEND(reporter->detachments, detachment);
			pthread_mutex_unlock(&reporter->lock);
			break;
		}
		r = 0;
		detachment_free(detachment);
	}
	return r;
}

static void store_state_log(struct vd_reporter *reporter, int r, const struct vd_error *error)
{
	if (r < 0 && !reporter->store_away)
		vd_log_warning("the store does not take this host's reports (traffic goes on): %s", error->text);
	if (r == 0 && reporter->store_away)
		vd_log_info("the store takes this host's reports again");
	reporter->store_away = r < 0;
}

/* The lock is held. */
static bool is_due(const struct vd_reporter *reporter)
{
	return reporter->applied != reporter->reported || reporter->detachments || reporter->claim_due || reporter->refresh_due;
}

static void *reporter_run(void *userdata)
{
	struct vd_reporter *reporter = userdata;
	struct timespec now, refresh_at;

	clock_gettime(CLOCK_MONOTONIC, &refresh_at);
	refresh_at.tv_sec += LEASE_REFRESH_SECONDS;
	for (;;) {
		struct vd_error error = {};
		bool refresh;
		int r;

		pthread_mutex_lock(&reporter->lock);
		while (!reporter->stopping && (reporter->store_away || !is_due(reporter)))
			if (pthread_cond_timedwait(&reporter->due, &reporter->lock, &refresh_at) == ETIMEDOUT)
				break;
		if (reporter->stopping) {
			pthread_mutex_unlock(&reporter->lock);
			return NULL;
		}
		pthread_mutex_unlock(&reporter->lock);

		clock_gettime(CLOCK_MONOTONIC, &now);
		pthread_mutex_lock(&reporter->lock);
		refresh = now.tv_sec >= refresh_at.tv_sec || reporter->refresh_due;
		reporter->refresh_due = false;
		pthread_mutex_unlock(&reporter->lock);
		r = round_do(reporter, refresh, &error);
		store_state_log(reporter, r, &error);
		if (refresh || r < 0) {
			refresh_at = now;
			refresh_at.tv_sec += r < 0 ? 1 : LEASE_REFRESH_SECONDS;
		}
	}
}

int vd_reporter_new(struct vd_agent *agent, struct vd_reporter **ret, struct vd_error *error)
{
	struct vd_reporter *reporter = calloc(1, sizeof(*reporter));
	int r;

	if (!reporter)
		return -ENOMEM;
	reporter->agent = agent;
	r = name_take(reporter, error);
	if (r < 0) {
		free(reporter);
		return r;
	}
	pthread_mutex_init(&reporter->lock, NULL);
	vd_clock_cond_init(&reporter->due);
	r = -pthread_create(&reporter->thread, NULL, reporter_run, reporter);
	if (r < 0) {
		free(reporter);
		return vd_error_set(error, r, "no thread could be started: %s", strerror(-r));
	}
	*ret = reporter;
	return 0;
}

/* Others would take over what this host's data plane goes on with. */
static bool is_needed(const struct vd_reporter *reporter)
{
	const struct vd_agent *agent = reporter->agent;

	if (agent->options.store_is_ours)
		return false;
	return (agent->gateways && vd_gateways_hold(agent->gateways)) || (agent->blocks && vd_blocks_hold(agent->blocks));
}

void vd_reporter_stop(struct vd_reporter *reporter)
{
	struct vd_error error;

	if (!reporter)
		return;
	pthread_mutex_lock(&reporter->lock);
	reporter->stopping = true;
	pthread_cond_signal(&reporter->due);
	pthread_mutex_unlock(&reporter->lock);
	pthread_join(reporter->thread, NULL);

	/*
	 * An orderly end gives the name free at once; where the store is away, the lease does it later. So it does for a gateway: its
	 * data plane goes on until the deadline, nobody may take over before, and a daemon that is only started again loses nothing; and
	 * for a node of container networks, whose blocks would be quarantined.
	 */
	if (reporter->lease != 0 && !reporter->store_away && !is_needed(reporter))
		vd_store_lease_revoke(reporter->agent->options.store, reporter->lease, &error);
}

void vd_reporter_free(struct vd_reporter *reporter)
{
	struct detachment *detachment, *next;

	if (!reporter)
		return;
	DL_FOREACH_SAFE (reporter->detachments, detachment, next)
		detachment_free(detachment);
	pthread_mutex_destroy(&reporter->lock);
	pthread_cond_destroy(&reporter->due);
	free(reporter);
}

void vd_reporter_applied(struct vd_reporter *reporter, int64_t revision)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->applied = revision;
	pthread_cond_signal(&reporter->due);
	pthread_mutex_unlock(&reporter->lock);
}

void vd_reporter_lead(struct vd_reporter *reporter)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->leads = reporter->refresh_due = true;
	pthread_cond_signal(&reporter->due);
	pthread_mutex_unlock(&reporter->lock);
}

void vd_reporter_claim(struct vd_reporter *reporter)
{
	pthread_mutex_lock(&reporter->lock);
	reporter->claim_due = true;
	pthread_cond_signal(&reporter->due);
	pthread_mutex_unlock(&reporter->lock);
}

static bool is_same(const struct detachment *a, const struct detachment *b)
{
	return a->ifindex == b->ifindex && strcmp(a->boot_id, b->boot_id) == 0 && strcmp(a->project, b->project) == 0 &&
	       strcmp(a->port, b->port) == 0;
}

bool vd_reporter_detach(struct vd_reporter *reporter, const struct vd_attachment *attachment)
{
	struct detachment *detachment = calloc(1, sizeof(*detachment)), *queued;

	if (!detachment)
		return false;
	detachment->project = strdup(attachment->head.project);
	detachment->port = strdup(attachment->head.name);
	detachment->ifindex = attachment->ifindex;
	memcpy(detachment->boot_id, attachment->boot_id, sizeof(detachment->boot_id));
	if (!detachment->project || !detachment->port) {
		detachment_free(detachment);
		return false;
	}
	pthread_mutex_lock(&reporter->lock);
	DL_FOREACH (reporter->detachments, queued) {
		if (is_same(queued, detachment))
			break;
	}
	if (!queued) {
		DL_APPEND(reporter->detachments, detachment);
		pthread_cond_signal(&reporter->due);
	}
	pthread_mutex_unlock(&reporter->lock);
	if (queued)
		detachment_free(detachment);
	return !queued;
}
