/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_REPLICA_PRIVATE_H
#define VD_STORE_REPLICA_PRIVATE_H

#include "store/replica_state.h"

#include <pthread.h>

/* The replica, between replica.c (following) and replica_write.c, replica_commit.c (writing). Lock order: writing, then lock. */
struct vd_replica {
	struct vd_store *store;
	vd_replica_callback *callback;
	void *userdata;
	pthread_mutex_t writing; /* held over a whole write: our own writers need not race each other */
	pthread_mutex_t lock;    /* recursive; guards what follows */
	pthread_cond_t changed;  /* state moved, or stale or stopping was set */
	struct vd_replica_state state;
	struct vd_watch *watch;
	bool stale; /* the watch has ended: read everything anew */
	bool stopping;
	pthread_t thread;    /* reads anew */
	int64_t lease;       /* for request keys and stagers; 0: none yet */
	int64_t lease_until; /* seconds, CLOCK_MONOTONIC: used no longer than that */
};

/* A lease that lasts for ten minutes more at least. */
int vd_replica_lease(struct vd_replica *replica, int64_t *ret, struct vd_error *error);

/* What one write puts into the store, for replica_commit.c. */
struct vd_staging;
struct vd_replica_commit {
	const char *request; /* NULL: no request key */
	const struct vd_staging *staging;
	int64_t epoch; /* as the decision saw it */
	uint32_t next_id;
};

/*
 * Writes all of it with one transaction, or in chunks. 0: done, ret_revision is set. -EALREADY: the request was done before, with
 * ret_revision. -EAGAIN: the epoch moved; ret_revision is what to have seen before another try. -ETIMEDOUT, -ECONNREFUSED, -ENOENT
 * (a lease ended) and others as the store has them.
 */
int vd_replica_commit(struct vd_replica *replica, const struct vd_replica_commit *commit, int64_t *ret_revision,
		      struct vd_error *error);
/* Whether the request is done: 0 and its revision, -ENOENT, or why it cannot be told. */
int vd_replica_request_find(struct vd_replica *replica, const char *request, int64_t *ret_revision, struct vd_error *error);
/*
 * Turns the chunks of a committed request into plain keys. Any number may do so at once, and stop anywhere. epoch: the revision of
 * the commit. ret_revision: what to have seen to know that it is over.
 */
int vd_replica_fold(struct vd_replica *replica, const char *request, int64_t epoch, uint32_t next_id, int64_t *ret_revision,
		    struct vd_error *error);
/* Drops the chunks of a request that has no writer any more. */
void vd_replica_sweep(struct vd_replica *replica, const char *request, int64_t epoch);

#endif
