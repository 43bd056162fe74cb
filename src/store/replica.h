/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_REPLICA_H
#define VD_STORE_REPLICA_H

#include "model/change.h"
#include "store/store.h"

/*
 * A model that follows the store: reads everything at one revision, then watches. Staged applies appear at their commit, whole.
 * agent and api each own one.
 *
 * Keys beside the resources (model/resource.h):
 *   /viaduct/v1/meta/epoch             {"next_id": N, "pending": "<request id>"|null}: every write of resources compares its
 *                                      mod_revision and puts it
 *   /viaduct/v1/meta/staged/<request>/<n>  chunks of a large apply: [{"key": …, "value": …|null}, …]; real once the epoch's
 *                                      pending names the request; folded into plain keys by whoever sees it first
 *   /viaduct/v1/meta/stager/<request>  stands, with a lease, while a writer stages: chunks without it (and without a commit) are swept
 *   /viaduct/v1/meta/request/<request> a done request, of the revision that the key has, with a lease of ten minutes at least: a
 *                                      repeated request is answered from it
 *   /viaduct/v1/status/host/<host>     {"revision": N, "boot_id": …, …}: what a host's data plane obeys
 *   /viaduct/v1/status/alive/<host>    {"machine_id", "boot_id", "run_id", "version"} with a lease: the daemon of that host lives. A claim
 *                                      (a fact) has no lease: traffic goes on without the daemon, so others must keep its VTEP
 */
struct vd_replica;

#define VD_STORE_PREFIX "/viaduct/v1/"
#define VD_STORE_KEY_EPOCH VD_STORE_PREFIX "meta/epoch"
#define VD_STORE_PREFIX_STAGED VD_STORE_PREFIX "meta/staged/"
#define VD_STORE_PREFIX_REQUEST VD_STORE_PREFIX "meta/request/"
#define VD_STORE_PREFIX_STATUS_HOST VD_STORE_PREFIX "status/host/"
#define VD_STORE_PREFIX_STATUS_ALIVE VD_STORE_PREFIX "status/alive/"

/*
 * Called with the replica's lock held, on a thread of the store, after the model took in everything up to revision.
 * changes names what differs (NULL after a full resynchronisation: compare anew). Called for every revision that touches a
 * resource or the epoch, also when nothing differs by it (count 0), so that the epoch's revision is one that every replica reports.
 */
typedef void vd_replica_callback(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata);

/* Reads the whole store before it returns; callback (may be NULL) is called once with that, then with every change. */
int vd_replica_new(struct vd_store *store, vd_replica_callback *callback, void *userdata, struct vd_replica **ret,
		   struct vd_error *error);
void vd_replica_free(struct vd_replica *replica);

/* The model, locked until unlock (the same thread may lock it again). Every ret may be NULL. ret_epoch: the epoch key's mod_revision (0: none yet), ret_next_id from its value. */
const struct vd_model *vd_replica_lock(struct vd_replica *replica, int64_t *ret_revision, int64_t *ret_epoch,
				       uint32_t *ret_next_id);
void vd_replica_unlock(struct vd_replica *replica);
/* Waits until the model has revision. 0 or -ETIMEDOUT. */
int vd_replica_wait(struct vd_replica *replica, int64_t revision, unsigned timeout_ms);
/*
 * Asks the store whether there is something newer than an epoch (of vd_replica_lock), and waits until the model has it: true then. Before
 * "no" is said to somebody who has just been told of another host's write that is not seen here.
 */
bool vd_replica_catch_up(struct vd_replica *replica, int64_t epoch);
/*
 * Sentences about records that cannot be read (they are skipped: what stood before stays), as they are now; a new reference, NULL
 * when there are none. Also from inside the callback.
 */
json_t *vd_replica_problems(struct vd_replica *replica);

/* What a writer wants: given the model as it is, the change; called again when another writer was faster. */
typedef int vd_replica_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			      struct vd_error *error);
/*
 * Writes a change: decide, then one transaction that compares the epoch (more than the store's limits: staged in chunks, then one
 * commit). Repeats when the epoch moved or a reply was lost; request (a unique text of 1-100 characters a-z A-Z 0-9 . _ -) makes that
 * safe. ret_changes (may be NULL) gets what was written (empty for a request that was done by an earlier call); it shares resources
 * with the replica's model: read and free it under the replica's lock. ret_revision (may be NULL): the revision it became real with
 * (the epoch's, when nothing changed). -ETIMEDOUT: the store is away and the outcome is unknown; the same request may be asked again.
 */
int vd_replica_write(struct vd_replica *replica, const char *request, vd_replica_decide *decide, void *userdata,
		     struct vd_changes **ret_changes, int64_t *ret_revision, struct vd_error *error);
/* Whether a fact may be written, given the model as it is; the replica's lock is held. Asked again before each try. */
typedef int vd_replica_check(const struct vd_model *model, void *userdata, struct vd_error *error);
/*
 * Puts a fact (a claim, an attachment) over whatever stands, or removes it (-ENOENT when there is none), with the epoch compared as
 * well. check (may be NULL) and the write see the same model: nobody comes in between.
 */
int vd_replica_write_fact(struct vd_replica *replica, const struct vd_resource *fact, bool remove, vd_replica_check *check,
			  void *userdata, int64_t *ret_revision, struct vd_error *error);

#endif
