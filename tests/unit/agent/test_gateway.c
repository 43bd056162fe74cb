/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts' elections on one real store: their replicas, their leases, no data plane. */
#include "agent/gateway.h"

#include "base/cleanup.h"
#include "model/document.h"
#include "store/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000000ull
#define BEHIND -1 /* a data plane that obeys nothing new */

static char directory[] = "/tmp/vd-test-gateway.XXXXXX";
static unsigned files;

#define assert_done(call) \
	do { \
		struct vd_error assert_error = {0}; \
		int assert_r = call; \
		if (assert_r < 0) \
			fail_msg("%s: %d %s", #call, assert_r, assert_error.text); \
	} while (0)

struct host {
	const char *name, *boot_id;
	struct vd_store *store;
	struct vd_replica *replica;
	struct vd_gateways *gateways;
	int64_t lease;
	_Atomic int64_t applied;
};

static void model_changed(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata)
{
	struct host *host = userdata;

	if (host->applied != BEHIND)
		host->applied = revision;
	if (host->gateways && vd_gateways_concern(changes))
		vd_gateways_wake(host->gateways);
}

static int64_t applied(void *userdata)
{
	return ((struct host *)userdata)->applied;
}

static void alive_put(struct host *host)
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

static void claim_put(struct host *host, const char *uplinks)
{
	struct vd_resource *claim;
	VD_FREE char *text = NULL;

	assert_true(asprintf(&text,
			     "{\"kind\":\"claim\",\"machine_id\":\"m\",\"boot_id\":\"b\",\"underlay\":\"172.31.0.1\","
			     "\"underlay_mtu\":1500,\"addresses\":[\"172.31.0.1\"],\"version\":\"1\",\"uplinks\":[%s]}",
			     uplinks) > 0);
	assert_done(vd_resource_decode(VD_KIND_CLAIM, "default", host->name, text, strlen(text), &claim, &assert_error));
	assert_done(vd_replica_write_fact(host->replica, claim, false, NULL, NULL, NULL, &assert_error));
	vd_resource_unref(claim);
}

#define UPLINK "{\"physnet\":\"ext\",\"ifname\":\"eth1\",\"ifindex\":7,\"mac\":\"02:00:00:00:00:07\",\"mtu\":1500,\"vf_count\":0}"

/* Lives in the store, but takes no part yet. */
static void host_open(struct host *host, const char *name, struct vd_store *store)
{
	*host = (struct host){.name = name, .boot_id = "boot-1", .store = store};
	assert_done(vd_replica_new(store, model_changed, host, &host->replica, &assert_error));
	alive_put(host);
	claim_put(host, UPLINK);
}

static void host_join(struct host *host)
{
	struct vd_gateways_options options = {
		.host = host->name,
		.boot_id = host->boot_id,
		.store = host->store,
		.replica = host->replica,
		.applied = applied,
		.userdata = host,
	};
	struct vd_gateways *gateways;

	assert_done(vd_gateways_new(&options, &gateways, &assert_error));
	vd_replica_lock(host->replica, NULL, NULL, NULL);
	host->gateways = gateways;
	vd_replica_unlock(host->replica);
}

static void host_leave(struct host *host)
{
	struct vd_gateways *gateways = host->gateways;

	vd_replica_lock(host->replica, NULL, NULL, NULL);
	host->gateways = NULL;
	vd_replica_unlock(host->replica);
	vd_gateways_free(gateways);
}

static void host_close(struct host *host)
{
	if (host->gateways)
		host_leave(host);
	vd_replica_free(host->replica);
}

/* Its lease ran out. */
static void host_die(struct host *host)
{
	assert_done(vd_store_lease_revoke(host->store, host->lease, &assert_error));
}

static int documents_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			    struct vd_error *error)
{
	json_t *documents = NULL;
	int r = vd_documents_parse(userdata, strlen(userdata), &documents, error);

	if (r == 0)
		r = vd_changes_from_documents(model, documents, "default", next_id, ret, error);
	json_decref(documents);
	return r;
}

static void apply(struct host *host, const char *documents)
{
	static unsigned requests;
	char request[32];

	snprintf(request, sizeof(request), "test-%u", requests++);
	assert_done(vd_replica_write(host->replica, request, documents_decide, (void *)documents, NULL, NULL, &assert_error));
}

static const char world[] =
	"{kind: host, name: h1}\n---\n{kind: host, name: h2}\n---\n"
	"{kind: vxlan_pool, name: pool, vnis: 100-999, vtep_cidr: 172.31.0.0/24}\n---\n"
	"{kind: network, name: public, role: public, physnet: ext, cidr: 198.51.100.0/24, gateway: 198.51.100.1}\n---\n"
	"{kind: vpc, name: blue, cidrs: [10.0.0.0/16], networks: [public]}\n";

/* Who holds blue's address on public; "" for nobody. */
static void holder(struct host *host, char ret[VD_NAME_SIZE], char boot_id[40])
{
	const struct vd_model *model = vd_replica_lock(host->replica, NULL, NULL, NULL);
	const struct vd_gateway *fact = (const struct vd_gateway *)vd_model_get(model, VD_KIND_GATEWAY, "default", "blue.public");

	snprintf(ret, VD_NAME_SIZE, "%s", fact ? fact->host : "");
	snprintf(boot_id, 40, "%s", fact ? fact->boot_id : "");
	vd_replica_unlock(host->replica);
}

static bool held_by(struct host *host, const char *name)
{
	char now[VD_NAME_SIZE], boot_id[40];

	holder(host, now, boot_id);
	return strcmp(now, name) == 0;
}

static void assert_becomes(struct host *host, const char *name)
{
	for (unsigned i = 0; i < 3000 && !held_by(host, name); i++)
		usleep(10000);
	if (!held_by(host, name))
		fail_msg("%s is not the gateway", name[0] ? name : "nobody");
}

struct two {
	struct vd_store *store;
	struct host h1, h2;
};

static int two_setup(void **state)
{
	struct two *two = calloc(1, sizeof(*two));
	char url[96];

	snprintf(url, sizeof(url), "sqlite://%s/%u.db", directory, files++);
	assert_done(vd_store_open(url, NULL, &two->store, &assert_error));
	host_open(&two->h1, "h1", two->store);
	host_open(&two->h2, "h2", two->store);
	apply(&two->h1, world);
	*state = two;
	return 0;
}

static int two_teardown(void **state)
{
	struct two *two = *state;

	host_close(&two->h1);
	host_close(&two->h2);
	vd_store_close(two->store);
	free(two);
	return 0;
}

static void test_one_host_of_two_becomes_the_gateway_and_stays_it(void **state)
{
	struct two *two = *state;
	char first[VD_NAME_SIZE], now[VD_NAME_SIZE], boot_id[40];

	host_join(&two->h1);
	host_join(&two->h2);
	for (unsigned i = 0; i < 3000 && held_by(&two->h1, ""); i++)
		usleep(10000);
	holder(&two->h1, first, boot_id);
	assert_true(first[0]);
	assert_string_equal(boot_id, "boot-1");
	usleep(1000000);
	holder(&two->h2, now, boot_id);
	assert_string_equal(now, first);
	assert_true(vd_gateways_hold(strcmp(first, "h1") == 0 ? two->h1.gateways : two->h2.gateways));
	assert_false(vd_gateways_hold(strcmp(first, "h1") == 0 ? two->h2.gateways : two->h1.gateways));
}

static void test_gateway_moves_when_its_host_dies_and_not_while_it_lives(void **state)
{
	struct two *two = *state;

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	host_join(&two->h2);
	usleep(700000);
	assert_true(held_by(&two->h2, "h1"));
	/* Its daemon stops, its lease goes on: nobody else may. */
	host_leave(&two->h1);
	usleep(700000);
	assert_true(held_by(&two->h2, "h1"));
	host_die(&two->h1);
	assert_becomes(&two->h2, "h2");
}

/* What keeps two hosts from translating: who comes back sees, before it sets a deadline, that somebody took over. */
static void test_host_that_comes_back_sees_what_happened_before_its_lease_counts(void **state)
{
	struct two *two = *state;

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	host_join(&two->h2);
	host_die(&two->h1);
	assert_becomes(&two->h2, "h2");
	alive_put(&two->h1);
	assert_done(vd_gateways_confirm(two->h1.gateways, &assert_error));
	assert_true(held_by(&two->h1, "h2"));
	assert_false(vd_gateways_hold(two->h1.gateways));
}

/* A store through which somebody is seen dead, and lives again before the next write. */
struct late {
	struct vd_store store;
	struct vd_store *real;
	struct host *host;
	unsigned seen;
};

static int late_range(struct vd_store *store, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		      struct vd_kvs **ret, struct vd_error *error)
{
	struct late *late = (struct late *)store;
	int r = late->real->engine->range(late->real, from, end, end_size, revision, limit, ret, error);

	if (r == 0 && strcmp(from, VD_STORE_PREFIX_STATUS_ALIVE "h1") == 0 && (*ret)->count == 0 && late->seen++ == 0) {
		alive_put(late->host);
		assert_done(vd_gateways_confirm(late->host->gateways, &assert_error));
	}
	return r;
}

static int late_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		      void *userdata, struct vd_watch **ret, struct vd_error *error)
{
	struct late *late = (struct late *)store;

	return late->real->engine->watch(late->real, prefix, start, callbacks, userdata, ret, error);
}

static void test_host_that_was_seen_dead_and_is_back_keeps_it_against_the_write_under_way(void **state)
{
	static const struct vd_store_engine engine = {.range = late_range, .watch = late_watch};
	struct two *two = *state;
	struct late late = {.store = {&engine}, .real = two->store, .host = &two->h1};

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	two->h2.store = &late.store;
	host_join(&two->h2);
	host_die(&two->h1);
	for (unsigned i = 0; i < 3000 && late.seen == 0; i++)
		usleep(10000);
	assert_true(late.seen > 0);
	usleep(700000);
	assert_true(held_by(&two->h1, "h1"));
	host_leave(&two->h2);
	two->h2.store = two->store;
}

static void test_host_that_comes_back_in_time_stays_the_gateway(void **state)
{
	struct two *two = *state;
	int64_t before, after;

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	host_die(&two->h1);
	alive_put(&two->h1);
	vd_replica_lock(two->h1.replica, NULL, &before, NULL);
	vd_replica_unlock(two->h1.replica);
	assert_done(vd_gateways_confirm(two->h1.gateways, &assert_error));
	vd_replica_lock(two->h1.replica, NULL, &after, NULL);
	vd_replica_unlock(two->h1.replica);
	/* The epoch moved: who saw the host dead before cannot take over any more. */
	assert_true(after > before);
	host_join(&two->h2);
	usleep(700000);
	assert_true(held_by(&two->h2, "h1"));
}

static void test_host_without_uplink_gives_up_after_its_data_plane_obeys(void **state)
{
	struct two *two = *state;
	int64_t epoch;

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	two->h1.applied = BEHIND;
	host_join(&two->h2);
	claim_put(&two->h1, "");
	usleep(700000);
	assert_true(held_by(&two->h2, "h1"));
	/* What a host says of itself beside the model raises the store's revision, and no data plane will ever obey that one. */
	vd_replica_lock(two->h1.replica, NULL, &epoch, NULL);
	vd_replica_unlock(two->h1.replica);
	alive_put(&two->h2);
	two->h1.applied = epoch;
	assert_becomes(&two->h2, "h2");
}

static void test_nobody_without_an_uplink_becomes_the_gateway(void **state)
{
	struct two *two = *state;

	claim_put(&two->h1, "");
	claim_put(&two->h2, "");
	host_join(&two->h1);
	host_join(&two->h2);
	usleep(700000);
	assert_true(held_by(&two->h1, ""));
	claim_put(&two->h2, UPLINK);
	assert_becomes(&two->h1, "h2");
}

static void test_new_boot_takes_its_own_gateway_again(void **state)
{
	struct two *two = *state;
	char now[VD_NAME_SIZE], boot_id[40] = "";

	host_join(&two->h1);
	assert_becomes(&two->h1, "h1");
	host_leave(&two->h1);
	two->h1.boot_id = "boot-2";
	host_join(&two->h2);
	host_join(&two->h1);
	for (unsigned i = 0; i < 3000 && strcmp(boot_id, "boot-2") != 0; i++) {
		usleep(10000);
		holder(&two->h2, now, boot_id);
	}
	assert_string_equal(now, "h1");
	assert_string_equal(boot_id, "boot-2");
}

static void test_gateway_goes_with_the_attachment(void **state)
{
	struct two *two = *state;

	host_join(&two->h1);
	host_join(&two->h2);
	for (unsigned i = 0; i < 3000 && held_by(&two->h1, ""); i++)
		usleep(10000);
	apply(&two->h1, "{kind: vpc, name: blue, cidrs: [10.0.0.0/16], networks: []}\n");
	assert_becomes(&two->h1, "");
}

static void test_deadline_lies_before_anybody_else_can_take_over(void **state)
{
	assert_int_equal(vd_gateway_deadline(100 * SECOND, 10), 109 * SECOND);
	assert_int_equal(vd_gateway_deadline(100 * SECOND + 5, 2), 101 * SECOND + 5);
	/* A lease that is nearly gone is worth nothing, and never more than that. */
	assert_int_equal(vd_gateway_deadline(100 * SECOND, 1), 100 * SECOND);
	assert_int_equal(vd_gateway_deadline(100 * SECOND, 0), 100 * SECOND);
	assert_int_equal(vd_gateway_deadline(100 * SECOND, -3), 100 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline_lies_before_anybody_else_can_take_over),
		cmocka_unit_test_setup_teardown(test_one_host_of_two_becomes_the_gateway_and_stays_it, two_setup, two_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_moves_when_its_host_dies_and_not_while_it_lives, two_setup,
						two_teardown),
		cmocka_unit_test_setup_teardown(test_host_that_comes_back_sees_what_happened_before_its_lease_counts, two_setup,
						two_teardown),
		cmocka_unit_test_setup_teardown(test_host_that_was_seen_dead_and_is_back_keeps_it_against_the_write_under_way,
						two_setup, two_teardown),
		cmocka_unit_test_setup_teardown(test_host_that_comes_back_in_time_stays_the_gateway, two_setup, two_teardown),
		cmocka_unit_test_setup_teardown(test_host_without_uplink_gives_up_after_its_data_plane_obeys, two_setup,
						two_teardown),
		cmocka_unit_test_setup_teardown(test_nobody_without_an_uplink_becomes_the_gateway, two_setup, two_teardown),
		cmocka_unit_test_setup_teardown(test_new_boot_takes_its_own_gateway_again, two_setup, two_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_goes_with_the_attachment, two_setup, two_teardown),
	};
	VD_FREE char *command = NULL;
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (asprintf(&command, "rm -r %s", directory) > 0 && system(command) != 0)
		failed = 1;
	return failed;
}
