/* SPDX-License-Identifier: Apache-2.0 */
/* Several hosts share out a container network on one real store: their replicas, their leases, no data plane. */
#include "agent/block.h"

#include "base/cleanup.h"
#include "model/document.h"
#include "store/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOSTS 12
#define TRUST_MS 50

static char directory[] = "/tmp/vd-test-block.XXXXXX";
static unsigned files;

#define assert_done(call) \
	do { \
		struct vd_error assert_error = {0}; \
		int assert_r = call; \
		if (assert_r < 0) \
			fail_msg("%s: %d %s", #call, assert_r, assert_error.text); \
	} while (0)

struct host {
	char name[8];
	struct vd_store *store;
	struct vd_replica *replica;
	struct vd_blocks *blocks;
	int64_t lease;
	_Atomic size_t containers, closed, opened, quarantined;
};

/* As a state it lasts as short as a second: what is counted is that it came. */
static void count_quarantines(struct host *host, const struct vd_changes *changes)
{
	for (size_t i = 0; changes && i < changes->count; i++) {
		const struct vd_resource *after = changes->items[i].after;

		host->quarantined += after && after->kind == VD_KIND_CONTAINER_BLOCK &&
				     ((const struct vd_container_block *)after)->assigned_state == VD_BLOCK_STATE_QUARANTINED;
	}
}

static void model_changed(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata)
{
	struct host *host = userdata;

	count_quarantines(host, changes);
	if (host->blocks && vd_blocks_concern(changes))
		vd_blocks_wake(host->blocks);
}

static size_t close_block(uint32_t network, const struct vd_prefix *cidr, void *userdata)
{
	struct host *host = userdata;

	host->closed += host->containers == 0;
	return host->containers;
}

static void open_block(uint32_t network, const struct vd_prefix *cidr, void *userdata)
{
	((struct host *)userdata)->opened++;
}

static void host_live(struct host *host)
{
	VD_FREE char *key = NULL;
	struct vd_operation put = {.type = VD_OPERATION_TYPE_PUT, .value = "{}", .size = 2};
	struct vd_txn txn = {.success = &put, .success_count = 1};

	assert_true(asprintf(&key, "%s%s", VD_STORE_PREFIX_STATUS_ALIVE, host->name) > 0);
	assert_done(vd_store_lease_grant(host->store, 60, &host->lease, &assert_error));
	put.key = key;
	put.lease = host->lease;
	assert_done(vd_store_txn(host->store, &txn, NULL, &assert_error));
}

/* Its lease ran out. */
static void host_die(struct host *host)
{
	assert_done(vd_store_lease_revoke(host->store, host->lease, &assert_error));
}

static void host_begin(struct host *host)
{
	struct vd_blocks_options options = {.host = host->name,
					    .store = host->store,
					    .replica = host->replica,
					    .close = close_block,
					    .open = open_block,
					    .userdata = host,
					    .trust_ms = TRUST_MS};
	struct vd_blocks *blocks;

	assert_done(vd_blocks_new(&options, &blocks, &assert_error));
	vd_replica_lock(host->replica, NULL, NULL, NULL);
	host->blocks = blocks;
	vd_replica_unlock(host->replica);
}

/* The daemon ends, or is killed. */
static void host_end(struct host *host)
{
	struct vd_blocks *blocks = host->blocks;

	vd_replica_lock(host->replica, NULL, NULL, NULL);
	host->blocks = NULL;
	vd_replica_unlock(host->replica);
	vd_blocks_free(blocks);
}

/* A host named so, with a daemon that lives. */
static void host_open(struct host *host, const char *name, struct vd_store *store)
{
	memset(host, 0, sizeof(*host));
	snprintf(host->name, sizeof(host->name), "%s", name);
	host->store = store;
	assert_done(vd_replica_new(store, model_changed, host, &host->replica, &assert_error));
	host_live(host);
	host_begin(host);
}

static void host_close(struct host *host)
{
	if (!host->replica)
		return;
	if (host->blocks)
		host_end(host);
	vd_replica_free(host->replica);
	host->replica = NULL;
}

/* --- what users do --- */

static int apply_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			struct vd_error *error)
{
	json_t *documents = NULL;
	int r = vd_documents_parse(userdata, strlen(userdata), &documents, error);

	if (r == 0)
		r = vd_changes_from_documents(model, documents, "default", next_id, ret, error);
	json_decref(documents);
	return r;
}

static int leave_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			struct vd_error *error)
{
	struct vd_identity identity = {VD_KIND_NODE, "default", userdata};

	return vd_changes_from_deletion(model, &identity, 1, ret, error);
}

static void user_write(struct host *host, vd_replica_decide *decide, const char *argument)
{
	static unsigned requests;
	char request[32];

	snprintf(request, sizeof(request), "test-%u", requests++);
	assert_done(vd_replica_write(host->replica, request, decide, (void *)argument, NULL, NULL, &assert_error));
}

static void apply(struct host *host, const char *documents)
{
	user_write(host, apply_decide, documents);
}

static void join(struct host *host)
{
	char text[128];

	snprintf(text, sizeof(text), "{kind: node, name: %.7s, container_network: c}", host->name);
	apply(host, text);
}

static void leave(struct host *host)
{
	user_write(host, leave_decide, host->name);
}

/* --- what stands --- */

struct count {
	const char *node; /* NULL: of anybody */
	enum vd_block_state state;
	size_t found;
	char name[64];       /* the last one */
	int64_t quarantined; /* until when, at most; seconds of the wall clock */
};

static int count_block(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct count *count = userdata;

	if ((count->node && strcmp(block->node, count->node) != 0) || block->assigned_state != count->state)
		return 0;
	count->found++;
	snprintf(count->name, sizeof(count->name), "%s", resource->name);
	if ((int64_t)block->assigned_quarantined_until > count->quarantined)
		count->quarantined = (int64_t)block->assigned_quarantined_until;
	return 0;
}

static struct count blocks_of(struct host *seen_by, const char *node, enum vd_block_state state)
{
	struct count count = {.node = node, .state = state};

	vd_model_each(vd_replica_lock(seen_by->replica, NULL, NULL, NULL), VD_KIND_CONTAINER_BLOCK, NULL, count_block, &count);
	vd_replica_unlock(seen_by->replica);
	return count;
}

static struct count assert_becomes(struct host *seen_by, const char *node, enum vd_block_state state, size_t expected)
{
	struct count count = {};

	for (unsigned i = 0; i < 3000; i++) {
		count = blocks_of(seen_by, node, state);
		if (count.found == expected)
			return count;
		usleep(10000);
	}
	fail_msg("%s has %zu blocks of state %d, not %zu", node ? node : "everybody", count.found, state, expected);
	return count;
}

struct several {
	struct vd_store *store;
	struct host hosts[HOSTS];
};

static int setup(void **state)
{
	struct several *several = calloc(1, sizeof(*several));
	char url[96];

	snprintf(url, sizeof(url), "sqlite://%s/%u.db", directory, files++);
	assert_done(vd_store_open(url, NULL, &several->store, &assert_error));
	*state = several;
	return 0;
}

static int teardown(void **state)
{
	struct several *several = *state;

	for (unsigned i = 0; i < HOSTS; i++)
		host_close(&several->hosts[i]);
	vd_store_close(several->store);
	free(several);
	return 0;
}

static void open_all(struct several *several, unsigned count, const char *network)
{
	char text[64], name[8];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "h%u", i + 1);
		host_open(&several->hosts[i], name, several->store);
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "{kind: host, name: h%u}", i + 1);
		apply(&several->hosts[0], text);
	}
	apply(&several->hosts[0], network);
}

/* R-CTR-2: all join at once; everybody has one block, and nobody another's. What is left over is said to be. */
static void test_hosts_that_join_at_once_get_blocks_of_their_own(void **state)
{
	struct several *several = *state;

	open_all(several, HOSTS, "{kind: container_network, name: c, cidrs: [10.0.0.0/21, \"fd00::/64\"]}");
	for (unsigned i = 0; i < HOSTS; i++)
		join(&several->hosts[i]);
	/* Twelve of IPv6, and only eight of IPv4 are there. */
	assert_becomes(&several->hosts[0], NULL, VD_BLOCK_STATE_HELD, HOSTS + 8);
	for (unsigned i = 0; i < HOSTS; i++) {
		size_t found = blocks_of(&several->hosts[0], several->hosts[i].name, VD_BLOCK_STATE_HELD).found;

		if (found < 1 || found > 2)
			fail_msg("%s has %zu blocks", several->hosts[i].name, found);
	}
	/* A larger CIDR is enough, and nobody asks again. */
	apply(&several->hosts[0], "{kind: container_network, name: c, cidrs: [10.0.0.0/20, \"fd00::/64\"]}");
	assert_becomes(&several->hosts[0], NULL, VD_BLOCK_STATE_HELD, 2 * HOSTS);
}

/* R-CTR-3: the block of a host that died is nobody's until its quarantine is over, then anybody's. */
static void test_the_block_of_a_dead_host_is_quarantined_then_free(void **state)
{
	struct several *several = *state;
	struct host *h1 = &several->hosts[0], *h2 = &several->hosts[1], *h3 = &several->hosts[2];
	int64_t quarantined;
	char name[64];

	open_all(several, 2, "{kind: container_network, name: c, cidr: 10.0.0.0/23, quarantine: 3}");
	apply(h1, "{kind: host, name: h3}");
	join(h1);
	join(h2);
	assert_becomes(h1, NULL, VD_BLOCK_STATE_HELD, 2);
	snprintf(name, sizeof(name), "%s", blocks_of(h1, "h2", VD_BLOCK_STATE_HELD).name);
	/* Its daemon stops: as long as the lease stands, it lives. */
	host_end(h2);
	usleep(1000 * (TRUST_MS + 1600));
	assert_int_equal(blocks_of(h1, "h2", VD_BLOCK_STATE_HELD).found, 1);
	host_die(h2);
	quarantined = assert_becomes(h1, "h2", VD_BLOCK_STATE_QUARANTINED, 1).quarantined;
	assert_true(quarantined > 0);
	/* Meanwhile a third one finds nothing free. */
	host_open(h3, "h3", several->store);
	join(h3);
	assert_becomes(h1, "h3", VD_BLOCK_STATE_HELD, 1);
	assert_true(time(NULL) >= quarantined);
	assert_string_equal(blocks_of(h1, "h3", VD_BLOCK_STATE_HELD).name, name);
	/* Who comes back too late gets nothing of another's. */
	host_live(h2);
	host_begin(h2);
	usleep(700000);
	assert_int_equal(blocks_of(h1, "h2", VD_BLOCK_STATE_HELD).found, 0);
	assert_int_equal(blocks_of(h1, "h3", VD_BLOCK_STATE_HELD).found, 1);
}

static void test_a_host_that_is_back_in_time_has_its_block_again(void **state)
{
	struct several *several = *state;
	struct host *h1 = &several->hosts[0], *h2 = &several->hosts[1];
	char name[64];

	open_all(several, 2, "{kind: container_network, name: c, cidr: 10.0.0.0/20}");
	join(h1);
	join(h2);
	assert_becomes(h1, NULL, VD_BLOCK_STATE_HELD, 2);
	snprintf(name, sizeof(name), "%s", blocks_of(h1, "h2", VD_BLOCK_STATE_HELD).name);
	host_end(h2);
	host_die(h2);
	assert_becomes(h1, "h2", VD_BLOCK_STATE_QUARANTINED, 1);
	host_live(h2);
	host_begin(h2);
	assert_becomes(h1, "h2", VD_BLOCK_STATE_HELD, 1);
	assert_string_equal(blocks_of(h1, "h2", VD_BLOCK_STATE_HELD).name, name);
}

/* R-CTR-3: who leaves gives back when its last container is gone, and not before. */
static void test_a_block_is_given_back_when_its_last_container_is_gone(void **state)
{
	struct several *several = *state;
	struct host *h1 = &several->hosts[0];
	json_t *leaving;

	open_all(several, 1, "{kind: container_network, name: c, cidr: 10.0.0.0/20}");
	join(h1);
	assert_becomes(h1, "h1", VD_BLOCK_STATE_HELD, 1);
	h1->containers = 3;
	leave(h1);
	usleep(2000000);
	assert_int_equal(blocks_of(h1, "h1", VD_BLOCK_STATE_HELD).found, 1);
	assert_int_equal(h1->closed, 0);
	leaving = vd_blocks_leaving(h1->blocks);
	assert_int_equal(json_array_size(leaving), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(leaving, 0), "containers")), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(leaving, 0), "block")), "10.0.0.0/24");
	json_decref(leaving);
	h1->containers = 0;
	vd_blocks_wake(h1->blocks);
	assert_becomes(h1, NULL, VD_BLOCK_STATE_HELD, 0);
	assert_int_equal(h1->closed, 1);
	leaving = vd_blocks_leaving(h1->blocks);
	assert_int_equal(json_array_size(leaving), 0);
	json_decref(leaving);
}

/* What a user chose is the one it takes; it chooses no other beside it. */
static void test_a_host_takes_up_what_was_chosen_for_it(void **state)
{
	struct several *several = *state;
	struct host *h1 = &several->hosts[0];

	open_all(several, 1, "{kind: container_network, name: c, cidr: 10.0.0.0/20}");
	apply(h1, "{kind: container_block, container_network: c, cidr: 10.0.7.0/24, node: h1}");
	usleep(300000);
	assert_int_equal(blocks_of(h1, "h1", VD_BLOCK_STATE_CHOSEN).found, 1);
	join(h1);
	assert_becomes(h1, "h1", VD_BLOCK_STATE_HELD, 1);
	assert_string_equal(blocks_of(h1, "h1", VD_BLOCK_STATE_HELD).name, "c/10.0.7.0/24");
	usleep(300000);
	assert_int_equal(blocks_of(h1, NULL, VD_BLOCK_STATE_HELD).found, 1);
}

/* R-CTR-2, R-CTR-3: many die at once and others come; what is quarantined is left alone, nothing leaks. */
static void test_many_die_at_once_and_others_come(void **state)
{
	struct several *several = *state;

	open_all(several, 8, "{kind: container_network, name: c, cidr: 10.0.0.0/20, quarantine: 2}");
	for (unsigned i = 8; i < HOSTS; i++) {
		char text[64];

		snprintf(text, sizeof(text), "{kind: host, name: h%u}", i + 1);
		apply(&several->hosts[0], text);
	}
	for (unsigned i = 0; i < 8; i++)
		join(&several->hosts[i]);
	assert_becomes(&several->hosts[0], NULL, VD_BLOCK_STATE_HELD, 8);
	for (unsigned i = 4; i < 8; i++) {
		host_end(&several->hosts[i]);
		host_die(&several->hosts[i]);
	}
	for (unsigned i = 0; i < 3000 && several->hosts[0].quarantined < 4; i++)
		usleep(10000);
	assert_true(several->hosts[0].quarantined >= 4);
	for (unsigned i = 8; i < HOSTS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "h%u", i + 1);
		host_open(&several->hosts[i], name, several->store);
		join(&several->hosts[i]);
	}
	assert_becomes(&several->hosts[0], NULL, VD_BLOCK_STATE_HELD, 8);
	assert_becomes(&several->hosts[0], NULL, VD_BLOCK_STATE_QUARANTINED, 0);
	assert_int_equal(vd_model_count(vd_replica_lock(several->hosts[0].replica, NULL, NULL, NULL), VD_KIND_CONTAINER_BLOCK), 8);
	vd_replica_unlock(several->hosts[0].replica);
}

/* --- the duty itself --- */

static bool lives(const char *host, void *userdata)
{
	return strstr(userdata, host) != NULL;
}

static void test_who_is_not_seen_alive_judges_nobody(void **state)
{
	struct vd_container_block block = {.head = {.kind = VD_KIND_CONTAINER_BLOCK, .project = (char *)"default"},
					   .container_network = (char *)"c",
					   .node = (char *)"h2",
					   .assigned_state = VD_BLOCK_STATE_HELD};
	struct vd_model *model = vd_model_new();
	struct vd_block_office office = {.model = model, .host = "h1", .now = 100, .is_alive = lives, .userdata = (void *)"h1 h3"};

	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_QUARANTINE);
	office.userdata = (void *)"h1 h2";
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_NOTHING);
	office.userdata = (void *)"h3";
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_NOTHING);
	/* What nobody took up may wait for a host that never was there. */
	office.userdata = (void *)"h1";
	block.assigned_state = VD_BLOCK_STATE_CHOSEN;
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_NOTHING);
	block.assigned_state = VD_BLOCK_STATE_QUARANTINED;
	block.assigned_quarantined_until = 101;
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_NOTHING);
	office.now = 101;
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_END);
	block.node = NULL;
	assert_int_equal(vd_block_duty_of(&office, &block), VD_BLOCK_DUTY_NOTHING);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_not_seen_alive_judges_nobody),
		cmocka_unit_test_setup_teardown(test_hosts_that_join_at_once_get_blocks_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_block_of_a_dead_host_is_quarantined_then_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_host_that_is_back_in_time_has_its_block_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_block_is_given_back_when_its_last_container_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_host_takes_up_what_was_chosen_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_die_at_once_and_others_come, setup, teardown),
	};
	VD_FREE char *command = NULL;
	int failures;

	assert_non_null(mkdtemp(directory));
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	assert_true(asprintf(&command, "rm -rf %s", directory) > 0);
	assert_int_equal(system(command), 0);
	return failures;
}
