/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replica_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/staging.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* As long as others are faster: a hundred hosts that start at once have written by then. */
#define CONTENDED_MS 300000
/* A store that is away is given up after so long. */
#define AWAY_MS 30000
/* How long a try waits to see what another wrote before it. */
#define CATCH_UP_MS 2000
/* Pauses between tries grow from the first to the second: the more writers there are, the longer each of them has to wait. */
#define PAUSE_FIRST_MS 1
#define PAUSE_LAST_MS 1024
#define PAUSE_AWAY_MS 250
/* But who has waited so long asks more often than those who came after, or the luckless would wait for ever. */
#define PATIENCE_MS 10000
#define PAUSE_IMPATIENT_MS 32

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/* One call of vd_replica_write or vd_replica_write_fact, over all its tries. */
struct write {
	struct vd_replica *replica;
	const char *request; /* NULL: a fact */
	/* Decides what to put, on the model as it is; the replica's lock is held. */
	int (*decide)(struct write *write, struct vd_error *error);
	union {
		struct {
			vd_replica_decide *function;
			void *userdata;
		} change;
		struct {
			const struct vd_resource *resource;
			bool remove;
			vd_replica_check *check;
			void *userdata;
		} fact;
	};
	struct vd_changes *changes; /* as last decided; touched under the replica's lock only */
	struct vd_staging staging;
	int64_t epoch;
	uint32_t next_id;
	bool uncertain; /* an earlier try may have been done */
	int64_t revision;
};

static int changes_empty(struct vd_changes **ret)
{
	struct vd_changes *changes = calloc(1, sizeof(*changes));

	if (!changes)
		return -ENOMEM;
	changes->notes = json_array();
	*ret = changes;
	return 0;
}

static bool change_is_none(const struct vd_change *change)
{
	if (!change->before || !change->after)
		return change->before == change->after;
	return vd_resource_equal(change->before, change->after);
}

static int change_stage(struct write *write, const struct vd_change *change, struct vd_error *error)
{
	char *key, *value = NULL;

	if (change->after) {
		value = vd_resource_encode(change->after);
		if (!value)
			return -ENOMEM;
	}
	key = vd_resource_key(change->kind, change->project, change->name);
	return vd_staging_add(&write->staging, key, value, error);
}

static int decide_change(struct write *write, struct vd_error *error)
{
	struct vd_changes *changes = NULL;
	int r = write->change.function(write->replica->state.model, write->next_id, write->change.userdata, &changes, error);

	if (r < 0)
		return r;
	if (write->changes)
		vd_changes_free(write->changes);
	write->changes = changes;
	if (changes->next_id > write->next_id)
		write->next_id = changes->next_id;
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		if (!change_is_none(&changes->items[i]))
			r = change_stage(write, &changes->items[i], error);
	return r;
}

static int decide_fact(struct write *write, struct vd_error *error)
{
	const struct vd_resource *fact = write->fact.resource;
	struct vd_change change = {.kind = fact->kind, .project = fact->project, .name = fact->name};
	int r = write->fact.check ? write->fact.check(write->replica->state.model, write->fact.userdata, error) : 0;

	if (r < 0)
		return r;
	if (!write->fact.remove)
		change.after = (struct vd_resource *)fact;
	else if (!vd_model_get(write->replica->state.model, fact->kind, fact->project, fact->name))
		/* Gone by our own earlier try, perhaps: then there is nothing left to do. */
		return write->uncertain
			       ? 0
			       : vd_error_set(error, -ENOENT, "%s %s: there is none", vd_kind_word(fact->kind), fact->name);
	return change_stage(write, &change, error);
}

/* Finishes what another left half folded; then the model and the epoch are ready for a decision. */
static int pending_fold(struct write *write, const char *pending, struct vd_error *error)
{
	int64_t revision = 0;
	int r = vd_replica_fold(write->replica, pending, write->epoch, write->next_id, &revision, error);

	if (r == 0)
		vd_replica_wait(write->replica, revision, CATCH_UP_MS);
	return r;
}

/*
 * Decides on the model as it is. 0: staging holds what to write, ret_pending NULL; or ret_pending names what to fold first (a
 * string to free). -EALREADY: an earlier try or call was done, with write->revision.
 */
static int write_prepare(struct write *write, char **ret_pending, char **ret_abandoned, struct vd_error *error)
{
	struct vd_replica_state *state = &write->replica->state;
	int r = 0;

	vd_staging_clear(&write->staging);
	pthread_mutex_lock(&write->replica->lock);
	write->revision = write->request ? vd_replica_state_entry(state, VD_STORE_PREFIX_REQUEST, write->request) : 0;
	write->epoch = state->epoch;
	write->next_id = state->next_id;
	if (write->revision) {
		r = -EALREADY;
	} else if (state->pending) {
		*ret_pending = strdup(state->pending);
		if (!*ret_pending)
			r = -ENOMEM;
	} else {
		r = write->decide(write, error);
		*ret_abandoned = vd_replica_state_abandoned(state);
	}
	pthread_mutex_unlock(&write->replica->lock);
	return r;
}

bool vd_replica_catch_up(struct vd_replica *replica, int64_t epoch)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	bool is_newer;

	if (vd_store_range(replica->store, VD_STORE_KEY_EPOCH, false, 0, 0, &kvs, NULL) < 0 || !kvs->count ||
	    kvs->items[0].mod_revision <= epoch)
		return false;
	vd_replica_wait(replica, kvs->items[0].mod_revision, CATCH_UP_MS);
	pthread_mutex_lock(&replica->lock);
	is_newer = replica->state.epoch > epoch;
	pthread_mutex_unlock(&replica->lock);
	return is_newer;
}

/* One try: as vd_replica_commit returns. */
static int write_try(struct write *write, struct vd_error *error)
{
	VD_FREE char *pending = NULL, *abandoned = NULL;
	struct vd_replica_commit commit;
	int r;

	/* What the store knows counts: our model may be behind. */
	if (write->uncertain && write->request) {
		r = vd_replica_request_find(write->replica, write->request, &write->revision, error);
		if (r != -ENOENT)
			return r < 0 ? r : -EALREADY;
	}
	r = write_prepare(write, &pending, &abandoned, error);
	if (r == 0 && pending) {
		r = pending_fold(write, pending, error);
		return r < 0 ? r : -EAGAIN;
	}
	/* "No", and "nothing to do", may be about an older model than the store's. */
	if (r != -EALREADY && (r < 0 || !write->staging.count) && vd_replica_catch_up(write->replica, write->epoch))
		return -EAGAIN;
	if (r < 0)
		return r;
	if (abandoned)
		vd_replica_sweep(write->replica, abandoned, write->epoch);
	if (!write->staging.count) {
		write->revision = write->epoch;
		return 0;
	}
	commit = (struct vd_replica_commit){write->request, &write->staging, write->epoch, write->next_id};
	r = vd_replica_commit(write->replica, &commit, &write->revision, error);
	if (r == -ETIMEDOUT)
		write->uncertain = true;
	if (r == -EAGAIN)
		vd_replica_wait(write->replica, write->revision, CATCH_UP_MS);
	return r;
}

/* Jittered, so that those who met once do not meet again. */
static void pause_after(unsigned tries, bool away, int64_t waited_ms)
{
	unsigned most = tries > 10 ? PAUSE_LAST_MS : (unsigned)PAUSE_FIRST_MS << tries, random = 0, milliseconds;

	if (away)
		most = PAUSE_AWAY_MS;
	else if (waited_ms > PATIENCE_MS)
		most = PAUSE_IMPATIENT_MS;
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = 0;
	milliseconds = most / 2 + random % (most + 1);
	nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000}, NULL);
}

static bool is_retryable(int r)
{
	return r == -EAGAIN || r == -ETIMEDOUT || r == -ECONNREFUSED;
}

static int write_run(struct write *write, struct vd_error *error)
{
	int64_t begun = vd_clock_ms(), away_since = 0;
	bool leased = false;
	int r = -EAGAIN;

	for (unsigned tries = 0; tries == 0 || vd_clock_ms() - begun < CONTENDED_MS; tries++) {
		bool away;

		r = write_try(write, error);
		/* A lease that ended under the transaction: once more with a new one. */
		if (r == -ENOENT && write->staging.count && write->request && !leased) {
			leased = true;
			continue;
		}
		if (!is_retryable(r))
			return r;
		away = r != -EAGAIN;
		if (!away)
			away_since = 0;
		else if (!away_since)
			away_since = vd_clock_ms();
		else if (vd_clock_ms() - away_since > AWAY_MS)
			break;
		pause_after(tries, away, vd_clock_ms() - begun);
	}
	if (r == -EAGAIN)
		return vd_error_set(error, r, "store: other writers were faster for %d s; try again", CONTENDED_MS / 1000);
	if (write->uncertain)
		return vd_error_prefix(error, -ETIMEDOUT, "the outcome of the write is unknown; ask again with the same request");
	return r;
}

/* Runs the write with our other writers kept out; 0 or -EALREADY for done. */
static int write_serial(struct write *write, struct vd_error *error)
{
	int r;

	pthread_mutex_lock(&write->replica->writing);
	r = write_run(write, error);
	/* The next writer of ours decides on what this one wrote. */
	if (r == 0 || r == -EALREADY)
		vd_replica_wait(write->replica, write->revision, CATCH_UP_MS);
	pthread_mutex_unlock(&write->replica->writing);
	vd_staging_clear(&write->staging);
	return r;
}

static bool request_is_valid(const char *request)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t size = strlen(request);

	return size >= 1 && size <= 100 && strspn(request, allowed) == size;
}

int vd_replica_write(struct vd_replica *replica, const char *request, vd_replica_decide *decide, void *userdata,
		     struct vd_changes **ret_changes, int64_t *ret_revision, struct vd_error *error)
{
	struct write write = {
		.replica = replica,
		.request = request,
		.decide = decide_change,
		.change = {.function = decide, .userdata = userdata},
	};
	int r;

	if (!request_is_valid(request))
		return vd_error_set(error, -EINVAL, "request \"%.100s\": use 1-100 characters a-z A-Z 0-9 . _ -", request);
	r = write_serial(&write, error);
	/* Done by an earlier call: what it changed is not known any more. By an earlier try of this one: changes is what it wrote.
	 */
	pthread_mutex_lock(&replica->lock);
	if (r == -EALREADY)
		r = write.changes ? 0 : changes_empty(&write.changes);
	if (r == 0 && ret_changes)
		*ret_changes = VD_TAKE(write.changes);
	if (write.changes)
		vd_changes_free(write.changes);
	pthread_mutex_unlock(&replica->lock);
	if (r == 0 && ret_revision)
		*ret_revision = write.revision;
	return r;
}

int vd_replica_write_fact(struct vd_replica *replica, const struct vd_resource *fact, bool remove, vd_replica_check *check,
			  void *userdata, int64_t *ret_revision, struct vd_error *error)
{
	struct write write = {
		.replica = replica,
		.decide = decide_fact,
		.fact = {.resource = fact, .remove = remove, .check = check, .userdata = userdata},
	};
	int r = write_serial(&write, error);

	if (r == 0 && ret_revision)
		*ret_revision = write.revision;
	return r;
}
