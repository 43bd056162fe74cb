/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_REPLICA_STATE_H
#define VD_STORE_REPLICA_STATE_H

#include "store/replica.h"

/*
 * What a replica knows, as a pure function of the keys it was given: the model, the epoch, and what stands under meta/.
 * Keys are taken one by one; settle ends a revision and makes a staged apply appear with its commit. Not thread-safe.
 */
struct vd_replica_entry;

struct vd_replica_state {
	struct vd_model *model;
	int64_t revision; /* everything up to it is in */
	int64_t epoch;    /* the epoch key's mod_revision; 0: it does not exist */
	uint32_t next_id;
	char *pending;                     /* the request whose chunks are real but not folded; NULL: none */
	bool epoch_moved;                  /* since the last settle */
	bool pending_new;                  /* pending is not in the model yet */
	struct vd_replica_entry *entries;  /* by key: what is under meta/ but the epoch */
	struct vd_replica_entry *problems; /* by key: a sentence on a record that cannot be read */
	struct vd_change *changes;         /* since the last settle */
	size_t change_count, change_room;
};

/* A writer that stages puts this key with a lease: as long as it stands the chunks are not swept away, and only then they commit.
 */
#define VD_STORE_PREFIX_STAGER VD_STORE_PREFIX "meta/stager/"

int vd_replica_state_init(struct vd_replica_state *state);
void vd_replica_state_clear(struct vd_replica_state *state);

/* A key as it stands now; value NULL: it is gone. Only memory can run out (-ENOMEM); what cannot be read is among the problems. */
int vd_replica_state_take(struct vd_replica_state *state, const char *key, const char *value, size_t size, int64_t mod_revision);
/*
 * All of revision was taken. ret gets what changed in the model since the last settle, NULL when neither a resource nor the epoch
 * did.
 */
int vd_replica_state_settle(struct vd_replica_state *state, int64_t revision, struct vd_changes **ret);

/* The entry's mod_revision; 0: there is none. */
int64_t vd_replica_state_entry(const struct vd_replica_state *state, const char *prefix, const char *name);
/* A request whose chunks stand about without a writer and without a commit; a string to free, or NULL. */
char *vd_replica_state_abandoned(const struct vd_replica_state *state);
/* An array of sentences; a new reference. */
json_t *vd_replica_state_problems(const struct vd_replica_state *state);

#endif
