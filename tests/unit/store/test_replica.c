/* SPDX-License-Identifier: Apache-2.0 */
#include "semantics.h"

#include "base/cleanup.h"
#include "store/engine.h"
#include "store/replica.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

static char directory[] = "/tmp/vd-test-replica.XXXXXX";
static unsigned files;

#define assert_done(call) \
	do { \
		struct vd_error assert_error = {0}; \
		int assert_r = call; \
		if (assert_r < 0) \
			fail_msg("%s: %d %s", #call, assert_r, assert_error.text); \
	} while (0)

static struct vd_store *open_store(void)
{
	struct vd_store *store = NULL;
	char url[96];

	snprintf(url, sizeof(url), "sqlite://%s/%u.db", directory, files++);
	assert_done(vd_store_open(url, NULL, &store, &assert_error));
	return store;
}

/* --- a store whose replies get lost, or whose writer dies --- */

enum fault {
	FAULT_NONE,
	FAULT_LOST_BEFORE, /* the transaction is not done, and nobody says so */
	FAULT_LOST_AFTER,  /* it is done, and nobody says so */
	FAULT_DIES_BEFORE, /* this writer does nothing any more */
	FAULT_DIES_AFTER,
};

struct faulty {
	struct vd_store store;
	struct vd_store *real;
	enum fault fault;
	int after; /* how many transactions still go well */
	bool dead;
	bool deaf; /* watches see nothing */
};

static void faulty_close(struct vd_store *store)
{
	free(store);
}

static int faulty_range(struct vd_store *store, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
			struct vd_kvs **ret, struct vd_error *error)
{
	struct faulty *faulty = (struct faulty *)store;

	if (faulty->dead)
		return vd_error_set(error, -EIO, "dead");
	return faulty->real->engine->range(faulty->real, from, end, end_size, revision, limit, ret, error);
}

static int faulty_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error)
{
	struct faulty *faulty = (struct faulty *)store;
	struct vd_txn_result *result = NULL;
	bool hit = !faulty->dead && faulty->fault != FAULT_NONE && faulty->after-- == 0;
	int r = 0;

	if (hit && (faulty->fault == FAULT_DIES_BEFORE || faulty->fault == FAULT_DIES_AFTER))
		faulty->dead = true;
	if ((faulty->dead && !hit) || (hit && faulty->fault == FAULT_DIES_BEFORE))
		return vd_error_set(error, -EIO, "dead");
	if (hit && faulty->fault == FAULT_LOST_BEFORE)
		return vd_error_set(error, -ETIMEDOUT, "lost");
	r = faulty->real->engine->txn(faulty->real, txn, &result, error);
	if (hit || r < 0) {
		vd_txn_result_free(result);
		return r < 0 ? r : vd_error_set(error, faulty->dead ? -EIO : -ETIMEDOUT, "lost");
	}
	*ret = result;
	return 0;
}

static int faulty_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
			void *userdata, struct vd_watch **ret, struct vd_error *error)
{
	struct faulty *faulty = (struct faulty *)store;

	return vd_store_watch(faulty->real, faulty->deaf ? "/nowhere/" : prefix, start, callbacks, userdata, ret, error);
}

static int faulty_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error)
{
	return vd_store_lease_grant(((struct faulty *)store)->real, ttl, ret_lease, error);
}

static struct faulty *faulty_new(struct vd_store *real, enum fault fault, int after)
{
	static const struct vd_store_engine engine = {
		.close = faulty_close,
		.range = faulty_range,
		.txn = faulty_txn,
		.watch = faulty_watch,
		.lease_grant = faulty_lease_grant,
	};
	struct faulty *faulty = calloc(1, sizeof(*faulty));

	assert_non_null(faulty);
	*faulty = (struct faulty){.store.engine = &engine, .real = real, .fault = fault, .after = after};
	return faulty;
}

/* --- replicas and what they are told --- */

struct listener {
	pthread_mutex_t lock;
	size_t calls, resyncs, changes, largest;
	pthread_mutex_t gate;      /* held by a test: the callback waits */
	_Atomic unsigned arrivals; /* at the gate */
};

static void listener_init(struct listener *listener)
{
	*listener = (struct listener){0};
	pthread_mutex_init(&listener->lock, NULL);
	pthread_mutex_init(&listener->gate, NULL);
}

static void on_change(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata)
{
	struct listener *listener = userdata;

	listener->arrivals++;
	pthread_mutex_lock(&listener->gate);
	pthread_mutex_unlock(&listener->gate);
	pthread_mutex_lock(&listener->lock);
	listener->calls++;
	listener->resyncs += !changes;
	if (changes) {
		listener->changes += changes->count;
		if (changes->count > listener->largest)
			listener->largest = changes->count;
		for (size_t i = 0; i < changes->count; i++) {
			const struct vd_change *change = &changes->items[i];

			/* Told after the model took it in. */
			assert_ptr_equal(vd_model_get(model, change->kind, change->project, change->name), change->after);
		}
	}
	pthread_mutex_unlock(&listener->lock);
}

static struct vd_replica *open_replica(struct vd_store *store, struct listener *listener)
{
	struct vd_replica *replica = NULL;

	assert_done(vd_replica_new(store, listener ? on_change : NULL, listener, &replica, &assert_error));
	return replica;
}

static size_t vpc_count(struct vd_replica *replica)
{
	size_t count = vd_model_count(vd_replica_lock(replica, NULL, NULL, NULL), VD_KIND_VPC);

	vd_replica_unlock(replica);
	return count;
}

/* --- what writers want --- */

static struct vd_resource *vpc_new(const char *name, uint32_t id)
{
	json_t *document = json_pack("{s:s, s:s, s:[s]}", "kind", "vpc", "name", name, "cidrs", "10.0.0.0/8");
	struct vd_resource *vpc = NULL;

	assert_done(vd_resource_parse(document, NULL, &vpc, &assert_error));
	json_decref(document);
	if (!vpc->project)
		vpc->project = strdup("default");
	vpc->id = id;
	return vpc;
}

struct wish {
	const char *prefix;
	unsigned first, count; /* VPCs "<prefix><number>" to make, or to delete */
	bool remove;
	unsigned decided;
};

static int decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret, struct vd_error *error)
{
	struct wish *wish = userdata;
	struct vd_changes *changes = calloc(1, sizeof(*changes));

	wish->decided++;
	changes->items = calloc(wish->count, sizeof(*changes->items));
	changes->notes = json_array();
	changes->next_id = wish->remove ? 0 : next_id;
	for (unsigned i = 0; i < wish->count; i++) {
		struct vd_change *change = &changes->items[changes->count++];
		char name[VD_NAME_SIZE];
		struct vd_resource *before;

		snprintf(name, sizeof(name), "%s%u", wish->prefix, wish->first + i);
		before = (struct vd_resource *)vd_model_get(model, VD_KIND_VPC, "default", name);
		*change = (struct vd_change){.kind = VD_KIND_VPC, .project = strdup("default"), .name = strdup(name)};
		if (before)
			change->before = vd_resource_ref(before);
		if (wish->remove && !before) {
			vd_changes_free(changes);
			return vd_error_set(error, -ENOENT, "vpc %s: there is none", name);
		}
		if (!wish->remove)
			change->after = vpc_new(name, before ? before->id : changes->next_id++);
	}
	*ret = changes;
	return 0;
}

static int64_t write_wish(struct vd_replica *replica, const char *request, struct wish *wish)
{
	int64_t revision = 0;

	assert_done(vd_replica_write(replica, request, decide, wish, NULL, &revision, &assert_error));
	return revision;
}

static size_t key_count(struct vd_store *store, const char *prefix)
{
	struct vd_kvs *kvs = NULL;
	size_t count;

	assert_done(vd_store_range(store, prefix, true, 0, 0, &kvs, &assert_error));
	count = kvs->count;
	vd_kvs_free(kvs);
	return count;
}

static void changes_drop(struct vd_replica *replica, struct vd_changes *changes)
{
	vd_replica_lock(replica, NULL, NULL, NULL);
	vd_changes_free(changes);
	vd_replica_unlock(replica);
}

/* --- tests --- */

static void test_a_write_reaches_every_replica(void **state)
{
	struct vd_store *store = open_store();
	struct listener listener;
	struct vd_replica *writer, *reader;
	struct wish wish = {"v", 0, 2}, unwish = {"v", 1, 1, .remove = true};
	struct vd_changes *changes = NULL;
	int64_t revision, again, epoch;
	uint32_t next_id;

	listener_init(&listener);
	writer = open_replica(store, NULL);
	reader = open_replica(store, &listener);
	assert_done(vd_replica_write(writer, "r1", decide, &wish, &changes, &revision, &assert_error));
	assert_int_equal(changes->count, 2);
	changes_drop(writer, changes);
	assert_int_equal(vd_replica_wait(reader, revision, 5000), 0);
	assert_int_equal(vpc_count(reader), 2);
	vd_replica_lock(reader, NULL, &epoch, &next_id);
	assert_int_equal(epoch, revision);
	assert_int_equal(next_id, 3);
	vd_replica_unlock(reader);
	assert_int_equal(listener.changes, 2);
	/* The same again changes nothing and writes nothing. */
	again = write_wish(writer, "r2", &wish);
	assert_int_equal(again, revision);
	again = write_wish(writer, "r3", &unwish);
	assert_int_equal(again, revision + 1);
	assert_int_equal(vd_replica_wait(reader, again, 5000), 0);
	assert_int_equal(vpc_count(reader), 1);
	vd_replica_lock(reader, NULL, NULL, &next_id);
	assert_int_equal(next_id, 3);
	vd_replica_unlock(reader);
	vd_replica_free(writer);
	vd_replica_free(reader);
	vd_store_close(store);
}

static void test_what_changes_no_resource_is_not_told(void **state)
{
	struct vd_store *store = open_store();
	struct listener listener;
	struct vd_replica *replica;
	int64_t revision;

	listener_init(&listener);
	replica = open_replica(store, &listener);
	assert_int_equal(listener.calls, 1);
	revision = store_put(store, VD_STORE_PREFIX_STATUS_HOST "h1", "{}", 0);
	assert_int_equal(vd_replica_wait(replica, revision, 5000), 0);
	assert_int_equal(listener.calls, 1);
	assert_int_equal(vd_replica_wait(replica, revision + 1, 50), -ETIMEDOUT);
	vd_replica_free(replica);
	vd_store_close(store);
}

struct crowd {
	struct vd_replica *replica;
	unsigned number;
	pthread_t thread;
};

#define CROWD 6
#define CROWD_EACH 15

static void *crowd_write(void *userdata)
{
	struct crowd *crowd = userdata;

	for (unsigned i = 0; i < CROWD_EACH; i++) {
		char request[32], prefix[32];
		struct wish wish = {prefix, i * 3, 3};

		snprintf(request, sizeof(request), "crowd-%u-%u", crowd->number, i);
		snprintf(prefix, sizeof(prefix), "c%u-", crowd->number);
		if (vd_replica_write(crowd->replica, request, decide, &wish, NULL, NULL, NULL) < 0)
			return "a write failed";
	}
	return NULL;
}

static int id_seen(const struct vd_resource *resource, void *userdata)
{
	unsigned char *ids = userdata;

	assert_in_range(resource->id, 1, CROWD * CROWD_EACH * 3);
	assert_int_equal(ids[resource->id], 0);
	ids[resource->id] = 1;
	return 0;
}

static void test_concurrent_writers_lose_and_double_nothing(void **state)
{
	struct vd_store *store = open_store();
	unsigned char ids[CROWD * CROWD_EACH * 3 + 1] = {0};
	struct vd_replica *replicas[2] = {open_replica(store, NULL), open_replica(store, NULL)}, *fresh;
	struct crowd crowd[CROWD];

	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i] = (struct crowd){.replica = replicas[i % 2], .number = i};
		assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_write, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		void *failure;

		pthread_join(crowd[i].thread, &failure);
		assert_null(failure);
	}
	fresh = open_replica(store, NULL);
	assert_int_equal(vpc_count(fresh), CROWD * CROWD_EACH * 3);
	vd_model_each(vd_replica_lock(fresh, NULL, NULL, NULL), VD_KIND_VPC, NULL, id_seen, ids);
	vd_replica_unlock(fresh);
	vd_replica_free(fresh);
	vd_replica_free(replicas[0]);
	vd_replica_free(replicas[1]);
	vd_store_close(store);
}

static void test_a_large_apply_is_visible_at_once(void **state)
{
	struct vd_store *store = open_store();
	struct listener listener;
	struct vd_replica *writer = open_replica(store, NULL), *reader;
	struct wish wish = {"large", 0, 1000}, unwish = {"large", 0, 999, .remove = true};
	int64_t revision;

	listener_init(&listener);
	reader = open_replica(store, &listener);
	revision = write_wish(writer, "large", &wish);
	assert_int_equal(vd_replica_wait(reader, revision, 5000), 0);
	assert_int_equal(vpc_count(reader), 1000);
	assert_int_equal(listener.largest, 1000);
	assert_int_equal(listener.changes, 1000);
	/* Folded: plain keys only, and nothing is left behind. */
	assert_int_equal(key_count(store, VD_STORE_PREFIX "default/vpc/"), 1000);
	assert_int_equal(key_count(store, VD_STORE_PREFIX_STAGED), 0);
	assert_int_equal(key_count(store, VD_STORE_PREFIX "meta/stager/"), 0);
	revision = write_wish(writer, "large-gone", &unwish);
	assert_int_equal(vd_replica_wait(reader, revision, 5000), 0);
	assert_int_equal(vpc_count(reader), 1);
	assert_int_equal(listener.largest, 1000);
	assert_int_equal(listener.changes, 1999);
	vd_replica_free(writer);
	vd_replica_free(reader);
	vd_store_close(store);
}

/* The writer dies at one of its steps: all of its change is there or nothing, and the next writer goes on. */
static bool death_at(enum fault fault, int step)
{
	struct vd_store *store = open_store();
	struct faulty *faulty = faulty_new(store, fault, step);
	struct vd_replica *dying = open_replica(&faulty->store, NULL), *heir, *fresh;
	struct wish wish = {"d", 0, 250}, more = {"m", 0, 1};
	size_t seen;
	bool died, written;

	written = vd_replica_write(dying, "dying", decide, &wish, NULL, NULL, NULL) == 0;
	died = faulty->dead;
	vd_replica_free(dying);
	vd_store_close(&faulty->store);

	heir = open_replica(store, NULL);
	seen = vpc_count(heir);
	if (seen != 0 && seen != 250)
		fail_msg("step %d: %zu of 250 are seen", step, seen);
	assert_true(!written || seen == 250);
	/* The same request again, as its user would: done once. */
	assert_done(vd_replica_write(heir, "dying", decide, &wish, NULL, NULL, &assert_error));
	write_wish(heir, "more", &more);
	assert_int_equal(vpc_count(heir), 251);
	fresh = open_replica(store, NULL);
	assert_int_equal(vpc_count(fresh), 251);
	assert_int_equal(key_count(store, VD_STORE_PREFIX "default/vpc/"), 251);
	assert_int_equal(key_count(store, VD_STORE_PREFIX_STAGED), 0);
	vd_replica_free(fresh);
	vd_replica_free(heir);
	vd_store_close(store);
	return died;
}

static void test_a_writer_may_die_at_any_step(void **state)
{
	int steps = 0;

	while (death_at(FAULT_DIES_BEFORE, steps)) {
		assert_true(death_at(FAULT_DIES_AFTER, steps));
		steps++;
	}
	/* Announce, three chunks, commit, three folded, end. */
	assert_int_equal(steps, 9);
}

static void test_chunks_of_a_dead_writer_are_swept(void **state)
{
	struct vd_store *store = open_store();
	struct faulty *faulty = faulty_new(store, FAULT_DIES_BEFORE, 3);
	struct vd_replica *dying = open_replica(&faulty->store, NULL), *heir;
	struct wish wish = {"d", 0, 250}, more = {"m", 0, 1}, another = {"m", 1, 1};
	struct vd_kvs *kvs = NULL;

	assert_true(vd_replica_write(dying, "dying", decide, &wish, NULL, NULL, NULL) < 0);
	vd_replica_free(dying);
	vd_store_close(&faulty->store);
	heir = open_replica(store, NULL);
	write_wish(heir, "more", &more);
	/* While its lease lives it might still be at work. */
	assert_int_equal(key_count(store, VD_STORE_PREFIX_STAGED), 2);
	assert_done(vd_store_range(store, VD_STORE_PREFIX "meta/stager/", true, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->count, 1);
	assert_done(vd_store_lease_revoke(store, kvs->items[0].lease, &assert_error));
	vd_replica_wait(heir, kvs->revision + 1, 5000);
	vd_kvs_free(kvs);
	write_wish(heir, "another", &another);
	assert_int_equal(key_count(store, VD_STORE_PREFIX_STAGED), 0);
	assert_int_equal(vpc_count(heir), 2);
	vd_replica_free(heir);
	vd_store_close(store);
}

/* Every reply of a write may get lost, done or not: it is done once, and says what it did. */
static void lost_reply_at(enum fault fault, int step, unsigned count)
{
	struct vd_store *store = open_store();
	struct faulty *faulty = faulty_new(store, fault, step);
	struct vd_replica *replica = open_replica(&faulty->store, NULL);
	struct wish wish = {"l", 0, count}, more = {"m", 0, 1};
	struct vd_changes *changes = NULL;
	struct vd_kvs *kvs = NULL;
	int64_t revision;
	uint32_t next_id;

	assert_done(vd_replica_write(replica, "lost", decide, &wish, &changes, &revision, &assert_error));
	assert_int_equal(changes->count, count);
	assert_null(changes->items[0].before);
	changes_drop(replica, changes);
	assert_done(vd_store_range(store, VD_STORE_PREFIX_REQUEST "lost", false, 0, 0, &kvs, &assert_error));
	assert_int_equal(kvs->items[0].mod_revision, revision);
	assert_int_equal(kvs->items[0].version, 1);
	vd_kvs_free(kvs);
	write_wish(replica, "more", &more);
	assert_int_equal(vpc_count(replica), count + 1);
	vd_replica_lock(replica, NULL, NULL, &next_id);
	assert_int_equal(next_id, count + 2);
	vd_replica_unlock(replica);
	assert_int_equal(key_count(store, VD_STORE_PREFIX_STAGED), 0);
	vd_replica_free(replica);
	vd_store_close(&faulty->store);
	vd_store_close(store);
}

static void test_a_lost_reply_is_no_second_write(void **state)
{
	lost_reply_at(FAULT_LOST_AFTER, 0, 1);
	lost_reply_at(FAULT_LOST_BEFORE, 0, 1);
	for (int step = 0; step < 9; step++) {
		lost_reply_at(FAULT_LOST_AFTER, step, 250);
		lost_reply_at(FAULT_LOST_BEFORE, step, 250);
	}
}

static void test_a_repeated_request_is_answered(void **state)
{
	struct vd_store *store = open_store();
	struct vd_replica *replica = open_replica(store, NULL), *other = open_replica(store, NULL);
	struct wish wish = {"v", 0, 1}, unwish = {"v", 0, 1, .remove = true};
	struct vd_changes *changes = NULL;
	int64_t revision = write_wish(replica, "once", &wish), gone, again;

	gone = write_wish(replica, "gone", &unwish);
	wish.decided = 0;
	assert_int_equal(write_wish(replica, "once", &wish), revision);
	assert_int_equal(wish.decided, 0);
	assert_int_equal(vpc_count(replica), 0);
	/* Deleting twice would be refused; the same request is not. Also by way of another host. */
	assert_int_equal(vd_replica_wait(other, gone, 5000), 0);
	assert_done(vd_replica_write(other, "gone", decide, &unwish, &changes, &again, &assert_error));
	assert_int_equal(again, gone);
	assert_int_equal(changes->count, 0);
	changes_drop(other, changes);
	assert_int_equal(vd_replica_write(other, "gone2", decide, &unwish, NULL, NULL, NULL), -ENOENT);
	assert_int_equal(vd_replica_write(other, "", decide, &wish, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(vd_replica_write(other, "a/b", decide, &wish, NULL, NULL, NULL), -EINVAL);
	vd_replica_free(replica);
	vd_replica_free(other);
	vd_store_close(store);
}

/* A replica that is behind decides on an old model: the store tells it that the request is done. */
static void test_a_replica_behind_learns_that_the_request_is_done(void **state)
{
	struct vd_store *store = open_store();
	struct faulty *faulty = faulty_new(store, FAULT_NONE, 0);
	struct vd_replica *replica = open_replica(store, NULL), *behind;
	struct wish wish = {"v", 0, 1};
	int64_t revision;

	faulty->deaf = true;
	behind = open_replica(&faulty->store, NULL);
	revision = write_wish(replica, "once", &wish);
	wish.decided = 0;
	assert_int_equal(write_wish(behind, "once", &wish), revision);
	assert_int_equal(wish.decided, 1);
	vd_replica_free(behind);
	/* Its own try whose reply got lost, which it does not see either. */
	faulty->fault = FAULT_LOST_AFTER;
	behind = open_replica(&faulty->store, NULL);
	wish = (struct wish){"w", 0, 1};
	assert_int_equal(write_wish(behind, "lost", &wish), revision + 1);
	assert_int_equal(wish.decided, 1);
	assert_int_equal(vd_replica_wait(replica, revision + 1, 5000), 0);
	assert_int_equal(vpc_count(replica), 2);
	vd_replica_free(behind);
	vd_replica_free(replica);
	vd_store_close(&faulty->store);
	vd_store_close(store);
}

/* What one has written another may build on at once, though its watch has not told it yet. */
static void test_a_refusal_is_of_the_store_as_it_is(void **state)
{
	struct vd_store *store = open_store();
	struct faulty *faulty = faulty_new(store, FAULT_NONE, 0);
	struct vd_replica *replica = open_replica(store, NULL), *other = open_replica(store, NULL), *behind;
	struct wish wish = {"v", 0, 1}, unwish = {"v", 0, 1, .remove = true};
	char request[32];

	for (int turn = 0; turn < 50; turn++) {
		snprintf(request, sizeof(request), "make%d", turn);
		write_wish(replica, request, &wish);
		snprintf(request, sizeof(request), "take%d", turn);
		write_wish(other, request, &unwish);
	}
	/* One that hears nothing at all refuses by what it knows. */
	faulty->deaf = true;
	behind = open_replica(&faulty->store, NULL);
	write_wish(replica, "last", &wish);
	assert_int_equal(vd_replica_write(behind, "refused", decide, &unwish, NULL, NULL, NULL), -ENOENT);
	vd_replica_free(behind);
	vd_replica_free(other);
	vd_replica_free(replica);
	vd_store_close(&faulty->store);
	vd_store_close(store);
}

static void test_unreadable_records_are_skipped_and_named(void **state)
{
	struct vd_store *store = open_store();
	struct vd_replica *replica = open_replica(store, NULL);
	struct wish wish = {"v", 0, 2};
	VD_FREE char *key = vd_resource_key(VD_KIND_VPC, "default", "v0"), *record = NULL;
	struct vd_resource *vpc;
	json_t *problems;
	int64_t revision;

	assert_null(vd_replica_problems(replica));
	write_wish(replica, "r", &wish);
	revision = store_put(store, key, "from the future", 0);
	assert_int_equal(vd_replica_wait(replica, revision, 5000), 0);
	/* What stood before stays. */
	assert_int_equal(vpc_count(replica), 2);
	problems = vd_replica_problems(replica);
	assert_int_equal(json_array_size(problems), 1);
	assert_non_null(strstr(json_string_value(json_array_get(problems, 0)), key));
	json_decref(problems);
	vpc = vpc_new("v0", 1);
	record = vd_resource_encode(vpc);
	vd_resource_unref(vpc);
	revision = store_put(store, key, record, 0);
	assert_int_equal(vd_replica_wait(replica, revision, 5000), 0);
	assert_null(vd_replica_problems(replica));
	vd_replica_free(replica);
	vd_store_close(store);
}

static void test_a_compacted_replica_reads_anew(void **state)
{
	struct vd_store *store = open_store();
	struct listener listener;
	struct vd_replica *slow;
	struct vd_replica *writer = open_replica(store, NULL);
	struct wish wishes[] = {{"a", 0, 1}, {"b", 0, 1}, {"c", 0, 1}, {"d", 0, 1}};
	int64_t revision = 0;
	unsigned arrivals;

	listener_init(&listener);
	slow = open_replica(store, &listener);
	pthread_mutex_lock(&listener.gate);
	arrivals = listener.arrivals;
	write_wish(writer, "w0", &wishes[0]);
	/* The slow one takes it, and waits at the gate. */
	while (listener.arrivals == arrivals)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	for (unsigned i = 1; i < 4; i++) {
		char request[8];

		snprintf(request, sizeof(request), "w%u", i);
		revision = write_wish(writer, request, &wishes[i]);
	}
	assert_done(vd_store_compact(store, revision, &assert_error));
	pthread_mutex_unlock(&listener.gate);
	assert_int_equal(vd_replica_wait(slow, revision, 5000), 0);
	assert_int_equal(vpc_count(slow), 4);
	assert_int_equal(listener.resyncs, 2);
	vd_replica_free(slow);
	vd_replica_free(writer);
	vd_store_close(store);
}

static int refuse_fact(const struct vd_model *model, void *userdata, struct vd_error *error)
{
	return vd_error_set(error, -EBUSY, "taken");
}

static void test_facts_are_put_and_removed(void **state)
{
	struct vd_store *store = open_store();
	struct vd_replica *replica = open_replica(store, NULL);
	struct vd_claim claim = {
		.head = {.kind = VD_KIND_CLAIM, .references = 1, .project = "default", .name = "h1"},
		.machine_id = "m",
		.boot_id = "b",
		.version = "1",
	};
	struct vd_error error = {0};
	int64_t revision = 0, epoch;

	assert_int_equal(vd_address_parse("192.0.2.1", &claim.underlay), 0);
	assert_int_equal(vd_replica_write_fact(replica, &claim.head, true, NULL, NULL, NULL, &error), -ENOENT);
	assert_int_equal(vd_replica_write_fact(replica, &claim.head, false, refuse_fact, NULL, NULL, &error), -EBUSY);
	assert_string_equal(error.text, "taken");
	assert_done(vd_replica_write_fact(replica, &claim.head, false, NULL, NULL, &revision, &assert_error));
	assert_int_equal(vd_replica_wait(replica, revision, 5000), 0);
	assert_non_null(vd_model_get(vd_replica_lock(replica, NULL, &epoch, NULL), VD_KIND_CLAIM, "default", "h1"));
	/* Validation may have rested on there being no such fact. */
	assert_int_equal(epoch, revision);
	vd_replica_unlock(replica);
	assert_done(vd_replica_write_fact(replica, &claim.head, true, NULL, NULL, &revision, &assert_error));
	assert_int_equal(vd_replica_wait(replica, revision, 5000), 0);
	assert_int_equal(vd_model_count(vd_replica_lock(replica, NULL, NULL, NULL), VD_KIND_CLAIM), 0);
	vd_replica_unlock(replica);
	vd_replica_free(replica);
	vd_store_close(store);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_write_reaches_every_replica),
		cmocka_unit_test(test_what_changes_no_resource_is_not_told),
		cmocka_unit_test(test_concurrent_writers_lose_and_double_nothing),
		cmocka_unit_test(test_a_large_apply_is_visible_at_once),
		cmocka_unit_test(test_a_writer_may_die_at_any_step),
		cmocka_unit_test(test_chunks_of_a_dead_writer_are_swept),
		cmocka_unit_test(test_a_lost_reply_is_no_second_write),
		cmocka_unit_test(test_a_repeated_request_is_answered),
		cmocka_unit_test(test_a_replica_behind_learns_that_the_request_is_done),
		cmocka_unit_test(test_a_refusal_is_of_the_store_as_it_is),
		cmocka_unit_test(test_unreadable_records_are_skipped_and_named),
		cmocka_unit_test(test_a_compacted_replica_reads_anew),
		cmocka_unit_test(test_facts_are_put_and_removed),
	};
	VD_FREE char *command = NULL;
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests_name("replica", tests, NULL, NULL);
	if (asprintf(&command, "rm -rf %s", directory) < 0 || system(command))
		return 1;
	return failed;
}
