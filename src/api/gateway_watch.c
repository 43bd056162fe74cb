/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gateway.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/wire.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/* Lines that wait for a slow client; then the store's watch waits too. */
#define LINES_MAX 64
/* How quiet an answer with progress_notify may be. store/etcd_watch.c begins to doubt after three seconds. */
#define PROGRESS_MS 2000

struct vd_gateway_watch {
	struct vd_watch *watch;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	char *lines[LINES_MAX]; /* a ring */
	size_t first, count;
	int64_t revision; /* everything up to it is in lines, or was */
	bool ended;       /* no line comes behind those that wait */
	bool stopped;     /* nor do those matter */
	bool failed;      /* out of memory: a line is missing */
	bool progress;
	int64_t sent; /* milliseconds, when the last line was handed out */
};

/* The lock is held. Waits for room. */
static void line_add(struct vd_gateway_watch *watch, const struct vd_wire_line *line)
{
	char *text = vd_wire_line_encode(line);

	while (watch->count == LINES_MAX && !watch->stopped)
		pthread_cond_wait(&watch->changed, &watch->lock);
	if (!text || watch->stopped || watch->failed) {
		watch->failed = watch->failed || !text;
		free(text);
	} else {
		watch->lines[(watch->first + watch->count) % LINES_MAX] = text;
		watch->count++;
	}
	pthread_cond_broadcast(&watch->changed);
}

static void on_events(const struct vd_event *events, size_t count, int64_t revision, void *userdata)
{
	struct vd_wire_line line = {.revision = revision, .events = (struct vd_event *)events, .count = count};
	struct vd_gateway_watch *watch = userdata;

	pthread_mutex_lock(&watch->lock);
	if (count)
		line_add(watch, &line);
	watch->revision = revision;
	pthread_mutex_unlock(&watch->lock);
}

static void on_compacted(int64_t compact_revision, void *userdata)
{
	struct vd_wire_line line = {.canceled = true, .compact_revision = compact_revision};
	struct vd_gateway_watch *watch = userdata;

	pthread_mutex_lock(&watch->lock);
	line_add(watch, &line);
	watch->ended = true;
	pthread_mutex_unlock(&watch->lock);
}

static const struct vd_watch_callbacks callbacks = {.events = on_events, .compacted = on_compacted};

static struct vd_gateway_watch *watch_make(bool progress, int64_t revision)
{
	struct vd_wire_line line = {.created = true, .revision = revision};
	struct vd_gateway_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->progress = progress;
	watch->revision = revision;
	watch->sent = vd_clock_ms();
	pthread_mutex_init(&watch->lock, NULL);
	vd_clock_cond_init(&watch->changed);
	line_add(watch, &line);
	return watch;
}

static int watch_open(struct vd_store *store, const struct vd_wire_watch *request, struct vd_gateway_watch **ret,
		      struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	struct vd_gateway_watch *watch;
	int r = vd_store_range(store, "/", false, 0, 1, &kvs, error);

	if (r < 0)
		return r;
	watch = watch_make(request->progress, kvs->revision);
	if (!watch)
		return -ENOMEM;
	/* From behind the revision that the first line names. */
	r = vd_store_watch(store, request->prefix, request->start ? request->start : kvs->revision + 1, &callbacks, watch,
			   &watch->watch, error);
	if (r < 0) {
		vd_gateway_watch_free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

int vd_gateway_watch_new(struct vd_store *store, const char *body, size_t size, struct vd_gateway_watch **ret, char **ret_body,
			 int *ret_status)
{
	struct vd_wire_watch request = {0};
	struct vd_error error = {0};
	int r = vd_wire_watch_decode(body, size, &request, &error);

	if (r == 0)
		r = watch_open(store, &request, ret, &error);
	vd_wire_watch_clear(&request);
	if (r < 0 && r != -ENOMEM) {
		*ret_body = vd_wire_error_encode(r, &error, ret_status);
		return *ret_body ? r : -ENOMEM;
	}
	return r;
}

/* The lock is held. Waits for a line, the end, or the deadline (milliseconds): false then. */
static bool line_wait(struct vd_gateway_watch *watch, int64_t deadline)
{
	struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

	while (!watch->count && !watch->ended && !watch->stopped && !watch->failed)
		if (pthread_cond_timedwait(&watch->changed, &watch->lock, &until))
			return false;
	return true;
}

/* The lock is held. */
static int line_take(struct vd_gateway_watch *watch, char **ret_line)
{
	if (watch->failed)
		return -ENOMEM;
	if (watch->stopped || !watch->count)
		return -EPIPE;
	*ret_line = watch->lines[watch->first];
	watch->first = (watch->first + 1) % LINES_MAX;
	watch->count--;
	watch->sent = vd_clock_ms();
	pthread_cond_broadcast(&watch->changed);
	return 0;
}

/* The lock is held. */
static int progress_line(struct vd_gateway_watch *watch, char **ret_line)
{
	char *text = vd_wire_line_encode(&(struct vd_wire_line){.revision = watch->revision});

	if (!text)
		return -ENOMEM;
	watch->sent = vd_clock_ms();
	*ret_line = text;
	return 0;
}

int vd_gateway_watch_next(struct vd_gateway_watch *watch, char **ret_line, unsigned timeout_ms)
{
	int64_t deadline = vd_clock_ms() + timeout_ms, due;
	int r;

	pthread_mutex_lock(&watch->lock);
	due = watch->sent + PROGRESS_MS;
	if (line_wait(watch, watch->progress && due < deadline ? due : deadline))
		r = line_take(watch, ret_line);
	else if (watch->progress && vd_clock_ms() >= due)
		r = progress_line(watch, ret_line);
	else
		r = -ETIMEDOUT;
	pthread_mutex_unlock(&watch->lock);
	return r;
}

void vd_gateway_watch_stop(struct vd_gateway_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->stopped = true;
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
}

void vd_gateway_watch_free(struct vd_gateway_watch *watch)
{
	if (!watch)
		return;
	/* A callback that waits for room must not. */
	vd_gateway_watch_stop(watch);
	vd_watch_free(watch->watch);
	for (; watch->count; watch->count--, watch->first = (watch->first + 1) % LINES_MAX)
		free(watch->lines[watch->first]);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}
