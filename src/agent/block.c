/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/block.h"

#include "agent/sentry.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SPREAD_MS 1500 /* a dead host's blocks are quarantined after a random part of it, so that hardly two hosts write at once */
#define TRUST_MS 6000  /* after this host was seen alive (again): others may not have had their time to be seen after an outage */
#define LEAVE_MS 1000  /* a network that was left: orders under way still believe that this host takes part in it */
#define AGAIN_MS 500   /* after a write that was refused, containers that are still there */
#define IDLE_MS 30000  /* nothing is due: look all the same */

VD_DEFINE_CLEANUP(struct vd_changes, vd_changes_free)

struct vd_blocks {
	struct vd_blocks_options options;
	struct vd_sentry *sentry;

	pthread_mutex_t lock; /* guards what follows */
	json_t *leaving;      /* vd_blocks_leaving() */

	/* The thread's own. */
	uint64_t next;            /* ms: when something is due by itself */
	uint64_t trusted_from;    /* ms: when what this host believes of others counts; 0: it is not seen alive itself */
	uint64_t others_due;      /* ms: when it writes about others' blocks; 0: nothing is to be written */
	uint64_t left_since;      /* ms: since when it has blocks to give back; 0: none */
	unsigned long long tries; /* for requests' names */
	uint64_t seed;            /* of this run, for the same */
	char *full, *held;        /* the last sentence about a full network; the blocks that this host holds, one per line */
};

static void look_at(struct vd_blocks *blocks, uint64_t ms)
{
	if (ms < blocks->next)
		blocks->next = ms;
}

static bool is_alive(const char *host, void *userdata)
{
	return vd_alive_has(vd_sentry_alive(((struct vd_blocks *)userdata)->sentry), host);
}

static struct vd_block_office office_of(struct vd_blocks *blocks, const struct vd_model *model)
{
	return (struct vd_block_office){
		.model = model, .host = blocks->options.host, .now = (int64_t)time(NULL), .is_alive = is_alive, .userdata = blocks};
}

/* ---- writing ---- */

/* A block that this host has closed, to be given back. */
struct closed {
	const char *project, *container_network;
	uint32_t network;
	struct vd_prefix cidr;
};

struct writing {
	struct vd_blocks *blocks;
	enum vd_block_duty duty;
	const struct closed *closed; /* of LEAVE: no others go */
	size_t closed_count;
	char full[2 * VD_NAME_SIZE]; /* a network without a free block for this host */
};

static bool is_closed(const struct writing *writing, const struct vd_block_write *write)
{
	for (size_t i = 0; i < writing->closed_count; i++) {
		const struct closed *closed = &writing->closed[i];

		if (strcmp(closed->project, write->project) == 0 &&
		    strcmp(closed->container_network, write->container_network) == 0 &&
		    vd_prefix_equal(&closed->cidr, &write->cidr))
			return true;
	}
	return false;
}

static void full_note(struct writing *writing, const struct vd_container_network *full)
{
	snprintf(writing->full, sizeof(writing->full), "%s%s%s", full ? full->head.project : "", full ? "/" : "",
		 full ? full->head.name : "");
}

static int decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret, struct vd_error *error)
{
	struct writing *writing = userdata;
	struct vd_block_office office = office_of(writing->blocks, model);
	const struct vd_container_network *full = NULL;
	VD_FREE struct vd_block_write *items = NULL;
	struct vd_block_writes writes;
	size_t count = 0;
	int r = vd_block_duties(&office, writing->duty, &writes, &full);

	if (r < 0)
		return r;
	items = (struct vd_block_write *)writes.items;
	for (size_t i = 0; i < writes.count; i++)
		if (writing->duty != VD_BLOCK_DUTY_LEAVE || is_closed(writing, &items[i]))
			items[count++] = items[i];
	writes.count = count;
	full_note(writing, full);
	return vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

static void tell(const struct vd_change *change, enum vd_block_duty duty, const char *host)
{
	const struct vd_container_block *before = (const struct vd_container_block *)change->before;

	switch (duty) {
	case VD_BLOCK_DUTY_NOTHING:
		break;
	case VD_BLOCK_DUTY_TAKE:
		vd_log_info("container_block %s of project %s is this host's%s", change->name, change->project,
			    before && before->assigned_state == VD_BLOCK_STATE_QUARANTINED && strcmp(before->node, host) == 0
				    ? " again, out of its quarantine"
				    : "");
		break;
	case VD_BLOCK_DUTY_LEAVE:
		vd_log_info("container_block %s of project %s is given back", change->name, change->project);
		break;
	case VD_BLOCK_DUTY_QUARANTINE:
		vd_log_info("container_block %s of project %s is quarantined: host %s died", change->name, change->project,
			    before->node);
		break;
	case VD_BLOCK_DUTY_END:
		vd_log_info("container_block %s of project %s is free: its quarantine is over", change->name, change->project);
		break;
	}
}

/* Everything with this duty, in one transaction. False: it is to be tried again. */
static bool write_all(struct vd_blocks *blocks, struct writing *writing)
{
	struct vd_replica *replica = blocks->options.replica;
	struct vd_changes *changes = NULL;
	struct vd_error error = {};
	char request[64];
	int64_t revision;
	int r;

	writing->blocks = blocks;
	snprintf(request, sizeof(request), "blocks-%llx-%llx", (unsigned long long)blocks->seed, blocks->tries++);
	r = vd_replica_write(replica, request, decide, writing, &changes, &revision, &error);
	if (r < 0) {
		vd_log_warning("blocks of container networks: %s", error.text[0] ? error.text : strerror(-r));
		look_at(blocks, vd_sentry_now() + (r == -ETIMEDOUT || r == -ECONNREFUSED ? VD_SENTRY_AWAY_MS : AGAIN_MS));
		return false;
	}
	vd_replica_lock(replica, NULL, NULL, NULL);
	for (size_t i = 0; i < changes->count; i++)
		tell(&changes->items[i], writing->duty, blocks->options.host);
	vd_changes_free(changes);
	vd_replica_unlock(replica);
	/* The next look at the model sees it. */
	vd_replica_wait(replica, revision, VD_SENTRY_AWAY_MS);
	return true;
}

/* How many writes a duty asks for now, without writing. -ENOMEM counts as one: the write will say so. */
static size_t count_duties(struct vd_blocks *blocks, struct writing *writing)
{
	struct vd_block_office office = office_of(blocks, vd_replica_lock(blocks->options.replica, NULL, NULL, NULL));
	const struct vd_container_network *full = NULL;
	struct vd_block_writes writes = {.count = 1};
	int r = vd_block_duties(&office, writing->duty, &writes, &full);

	full_note(writing, full);
	vd_replica_unlock(blocks->options.replica);
	if (r == 0)
		free((struct vd_block_write *)writes.items);
	return writes.count;
}

/* ---- our own ---- */

/* Says once what is full, and again when that has changed. */
static void full_tell(struct vd_blocks *blocks, const char *full)
{
	if (full[0] && (!blocks->full || strcmp(blocks->full, full) != 0))
		vd_log_warning("container_network %s: no block is free for this host: all are taken, or collide with what it has "
			       "itself; give the network a larger CIDR",
			       full);
	free(blocks->full);
	blocks->full = full[0] ? strdup(full) : NULL;
}

static void take_ours(struct vd_blocks *blocks)
{
	struct writing writing = {.duty = VD_BLOCK_DUTY_TAKE};

	if (count_duties(blocks, &writing) > 0)
		write_all(blocks, &writing);
	full_tell(blocks, writing.full);
}

struct leaving {
	struct closed *items;
	size_t count;
	json_t *texts;
};

static void leaving_clear(struct leaving *leaving)
{
	for (size_t i = 0; i < leaving->count; i++) {
		free((char *)leaving->items[i].project);
		free((char *)leaving->items[i].container_network);
	}
	free(leaving->items);
	json_decref(leaving->texts);
}

/* Copies: the model goes on while the containers are counted. */
static int leaving_collect(struct vd_blocks *blocks, struct leaving *ret)
{
	const struct vd_model *model = vd_replica_lock(blocks->options.replica, NULL, NULL, NULL);
	struct vd_block_office office = office_of(blocks, model);
	struct vd_block_writes writes = {};
	int r = vd_block_duties(&office, VD_BLOCK_DUTY_LEAVE, &writes, NULL);

	ret->items = r == 0 ? calloc(writes.count + 1, sizeof(*ret->items)) : NULL;
	ret->texts = json_array();
	for (size_t i = 0; ret->items && i < writes.count; i++) {
		const struct vd_block_write *write = &writes.items[i];
		const struct vd_resource *network =
			vd_model_get(model, VD_KIND_CONTAINER_NETWORK, write->project, write->container_network);

		ret->items[ret->count] = (struct closed){.project = strdup(write->project),
							 .container_network = strdup(write->container_network),
							 .network = network ? network->id : 0,
							 .cidr = write->cidr};
		ret->count++;
		if (!ret->items[i].project || !ret->items[i].container_network)
			r = -ENOMEM;
	}
	vd_replica_unlock(blocks->options.replica);
	free((struct vd_block_write *)writes.items);
	return r == 0 && !ret->items ? -ENOMEM : r;
}

/* Closes what has no containers; the others, with how many, are what vd_blocks_leaving() tells. */
static void leaving_close(struct vd_blocks *blocks, struct leaving *leaving, struct closed *ret, size_t *ret_count)
{
	const struct vd_blocks_options *options = &blocks->options;

	*ret_count = 0;
	for (size_t i = 0; i < leaving->count; i++) {
		const struct closed *item = &leaving->items[i];
		size_t containers = options->close ? options->close(item->network, &item->cidr, options->userdata) : 0;
		char text[VD_PREFIX_TEXT];

		if (containers == 0)
			ret[(*ret_count)++] = *item;
		else
			json_array_append_new(leaving->texts,
					      json_pack("{s:s, s:s, s:s, s:I}", "project", item->project, "container_network",
							item->container_network, "block", vd_prefix_format(&item->cidr, text),
							"containers", (json_int_t)containers));
	}
}

static void leave_ours(struct vd_blocks *blocks)
{
	const struct vd_blocks_options *options = &blocks->options;
	VD_CLEANUP(leaving_clear) struct leaving leaving = {};
	struct writing writing = {.duty = VD_BLOCK_DUTY_LEAVE};
	VD_FREE struct closed *closed = NULL;
	bool whole = leaving_collect(blocks, &leaving) == 0;
	json_t *before;

	if (!blocks->left_since && leaving.count > 0)
		blocks->left_since = vd_sentry_now();
	if (leaving.count == 0)
		blocks->left_since = 0;
	closed = calloc(leaving.count + 1, sizeof(*closed));
	if (whole && closed && leaving.count > 0 && vd_sentry_now() >= blocks->left_since + LEAVE_MS) {
		leaving_close(blocks, &leaving, closed, &writing.closed_count);
		writing.closed = closed;
		if (writing.closed_count > 0)
			write_all(blocks, &writing);
		/* What did not go, since this host takes part again, say. Of what went nobody knows any more. */
		for (size_t i = 0; options->open && i < writing.closed_count; i++)
			options->open(closed[i].network, &closed[i].cidr, options->userdata);
	}
	if (leaving.count > writing.closed_count)
		look_at(blocks, vd_sentry_now() + AGAIN_MS);
	pthread_mutex_lock(&blocks->lock);
	before = blocks->leaving;
	blocks->leaving = json_incref(leaving.texts);
	pthread_mutex_unlock(&blocks->lock);
	json_decref(before);
}

/* ---- others' ---- */

/* Since when this host is seen alive, and so may judge others. */
static bool is_trusted(struct vd_blocks *blocks, uint64_t now)
{
	if (!vd_alive_has(vd_sentry_alive(blocks->sentry), blocks->options.host)) {
		blocks->trusted_from = 0;
		return false;
	}
	if (blocks->trusted_from == 0)
		blocks->trusted_from = now + (blocks->options.trust_ms ? blocks->options.trust_ms : TRUST_MS);
	if (now < blocks->trusted_from)
		look_at(blocks, blocks->trusted_from);
	return now >= blocks->trusted_from;
}

static uint64_t random_below(uint64_t limit)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		number = vd_sentry_now();
	return number % limit;
}

struct suspects {
	struct vd_blocks *blocks;
	json_t *hosts; /* name: true */
};

static int suspect_note(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct suspects *suspects = userdata;

	if (block->node && !vd_alive_has(vd_sentry_alive(suspects->blocks->sentry), block->node))
		json_object_set_new(suspects->hosts, block->node, json_true());
	return 0;
}

/* The watch may be late: the store itself is asked about everyone who looks dead. False: somebody lives, or the store is away. */
static bool all_dead(struct vd_blocks *blocks)
{
	struct suspects suspects = {blocks, json_object()};
	struct vd_error error;
	const char *host;
	json_t *value;
	int r = 0;

	vd_model_each(vd_replica_lock(blocks->options.replica, NULL, NULL, NULL), VD_KIND_CONTAINER_BLOCK, NULL, suspect_note,
		      &suspects);
	vd_replica_unlock(blocks->options.replica);
	json_object_foreach (suspects.hosts, host, value)
		if (r == 0)
			r = vd_alive_ask(vd_sentry_alive(blocks->sentry), host, &error);
	json_decref(suspects.hosts);
	return r == 0;
}

static void mind_others(struct vd_blocks *blocks, uint64_t now)
{
	struct writing quarantine = {.duty = VD_BLOCK_DUTY_QUARANTINE}, end = {.duty = VD_BLOCK_DUTY_END};
	bool any = is_trusted(blocks, now) && (count_duties(blocks, &quarantine) > 0 || count_duties(blocks, &end) > 0);

	if (!any) {
		blocks->others_due = 0;
		return;
	}
	if (blocks->others_due == 0)
		blocks->others_due = now + random_below(SPREAD_MS);
	if (now < blocks->others_due) {
		look_at(blocks, blocks->others_due);
		return;
	}
	blocks->others_due = 0;
	if (!all_dead(blocks)) {
		look_at(blocks, vd_sentry_now() + AGAIN_MS);
		return;
	}
	if (write_all(blocks, &quarantine))
		write_all(blocks, &end);
}

/* ---- the thread ---- */

static int held_note(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;

	if (block->assigned_state == VD_BLOCK_STATE_HELD)
		fprintf(userdata, "%s/%s\n", resource->project, resource->name);
	return 0;
}

static const char *line_find(const char *lines, const char *line, size_t size)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n") + 1;

		if (length == size && memcmp(lines, line, size) == 0)
			return lines;
		lines += length;
	}
	return NULL;
}

/* What this host held and others have now: it was away for longer than the quarantine. */
static void losses_tell(struct vd_blocks *blocks)
{
	const struct vd_model *model = vd_replica_lock(blocks->options.replica, NULL, NULL, NULL);
	VD_FREE char *before = VD_TAKE(blocks->held);
	char *held = NULL;
	size_t size;
	FILE *file = open_memstream(&held, &size);

	if (file) {
		vd_model_each_block_of_host(model, blocks->options.host, held_note, file);
		fclose(file);
	}
	for (const char *line = before ? before : ""; held && *line; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");
		VD_FREE char *project = strndup(line, strcspn(line, "/")), *name = NULL;
		const struct vd_container_block *now;

		if (line_find(held, line, length + 1) || !project)
			continue;
		name = strndup(line + strlen(project) + 1, length - strlen(project) - 1);
		now = name ? (const struct vd_container_block *)vd_model_get(model, VD_KIND_CONTAINER_BLOCK, project, name) : NULL;
		if (now && now->node && strcmp(now->node, blocks->options.host) != 0)
			vd_log_warning("container_block %s of project %s is host %s's now: this host was away for longer than its "
				       "quarantine, and its containers there are not reached any more",
				       name, project, now->node);
	}
	blocks->held = held;
	vd_replica_unlock(blocks->options.replica);
}

static uint64_t look(void *userdata)
{
	struct vd_blocks *blocks = userdata;
	struct vd_block_office office;
	uint64_t now = vd_sentry_now();
	int64_t end;

	blocks->next = now + IDLE_MS;
	losses_tell(blocks);
	take_ours(blocks);
	leave_ours(blocks);
	mind_others(blocks, vd_sentry_now());
	office = office_of(blocks, vd_replica_lock(blocks->options.replica, NULL, NULL, NULL));
	end = vd_block_duty_next(&office);
	vd_replica_unlock(blocks->options.replica);
	if (end > office.now && end - office.now < IDLE_MS / 1000)
		look_at(blocks, vd_sentry_now() + (uint64_t)(end - office.now) * 1000);
	return blocks->next;
}

/* ---- for others ---- */

int vd_blocks_new(const struct vd_blocks_options *options, struct vd_blocks **ret, struct vd_error *error)
{
	struct vd_blocks *blocks = calloc(1, sizeof(*blocks));
	int r;

	if (!blocks)
		return -ENOMEM;
	blocks->options = *options;
	blocks->leaving = json_array();
	blocks->seed = random_below(UINT64_MAX);
	pthread_mutex_init(&blocks->lock, NULL);
	r = vd_sentry_new(options->store, look, blocks, &blocks->sentry, error);
	if (r == 0)
		r = vd_sentry_start(blocks->sentry, error);
	if (r < 0) {
		vd_blocks_free(blocks);
		return r;
	}
	*ret = blocks;
	return 0;
}

void vd_blocks_free(struct vd_blocks *blocks)
{
	if (!blocks)
		return;
	vd_sentry_free(blocks->sentry);
	json_decref(blocks->leaving);
	free(blocks->full);
	free(blocks->held);
	pthread_mutex_destroy(&blocks->lock);
	free(blocks);
}

void vd_blocks_wake(struct vd_blocks *blocks)
{
	vd_sentry_wake(blocks->sentry);
}

bool vd_blocks_concern(const struct vd_changes *changes)
{
	if (!changes)
		return true;
	for (size_t i = 0; i < changes->count; i++) {
		enum vd_kind kind = changes->items[i].kind;

		if (kind == VD_KIND_NODE || kind == VD_KIND_CONTAINER_NETWORK || kind == VD_KIND_CONTAINER_BLOCK ||
		    kind == VD_KIND_CLAIM)
			return true;
	}
	return false;
}

bool vd_blocks_hold(struct vd_blocks *blocks)
{
	bool holds = vd_block_duty_holds(vd_replica_lock(blocks->options.replica, NULL, NULL, NULL), blocks->options.host);

	vd_replica_unlock(blocks->options.replica);
	return holds;
}

json_t *vd_blocks_leaving(struct vd_blocks *blocks)
{
	json_t *leaving;

	pthread_mutex_lock(&blocks->lock);
	leaving = json_incref(blocks->leaving);
	pthread_mutex_unlock(&blocks->lock);
	return leaving;
}
