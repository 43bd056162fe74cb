/* SPDX-License-Identifier: Apache-2.0 */
#include "semantics.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

struct recorder {
	struct vd_watch *watch;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *text;
	size_t size, count, calls;
	int64_t compacted, revision;
};

static void recorder_add(struct recorder *recorder, const struct vd_event *event)
{
	char *line;
	int size = event->is_delete ? asprintf(&line, "%s-%s@%zu", recorder->count ? " " : "", event->kv.key, recorder->calls)
				    : asprintf(&line, "%s+%s=%s@%zu", recorder->count ? " " : "", event->kv.key, event->kv.value,
					       recorder->calls);

	assert(size > 0);
	recorder->text = realloc(recorder->text, recorder->size + (size_t)size + 1);
	assert(recorder->text);
	memcpy(recorder->text + recorder->size, line, (size_t)size + 1);
	recorder->size += (size_t)size;
	recorder->count++;
	free(line);
}

static void on_events(const struct vd_event *events, size_t count, int64_t revision, void *userdata)
{
	struct recorder *recorder = userdata;

	pthread_mutex_lock(&recorder->lock);
	recorder->calls += count > 0;
	/* In order, each revision once. */
	assert(revision > recorder->revision || (!count && revision >= recorder->revision));
	recorder->revision = revision;
	for (size_t i = 0; i < count; i++) {
		assert(events[i].kv.mod_revision == revision);
		recorder_add(recorder, &events[i]);
	}
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
}

static void on_compacted(int64_t revision, void *userdata)
{
	struct recorder *recorder = userdata;

	pthread_mutex_lock(&recorder->lock);
	recorder->compacted = revision;
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
}

struct recorder *recorder_new(struct vd_store *store, const char *prefix, int64_t start)
{
	static const struct vd_watch_callbacks callbacks = {.events = on_events, .compacted = on_compacted};
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	struct vd_error error = {0};

	assert_non_null(recorder);
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_cond_init(&recorder->changed, NULL);
	recorder->text = strdup("");
	if (vd_store_watch(store, prefix, start, &callbacks, recorder, &recorder->watch, &error) < 0)
		fail_msg("%s", error.text);
	return recorder;
}

void recorder_free(struct recorder *recorder)
{
	vd_watch_free(recorder->watch);
	pthread_mutex_destroy(&recorder->lock);
	pthread_cond_destroy(&recorder->changed);
	free(recorder->text);
	free(recorder);
}

static struct timespec deadline_in(unsigned seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += seconds;
	return now;
}

bool recorder_wait(struct recorder *recorder, size_t count, unsigned seconds)
{
	struct timespec deadline = deadline_in(seconds);
	bool done;

	pthread_mutex_lock(&recorder->lock);
	while (recorder->count < count && !pthread_cond_timedwait(&recorder->changed, &recorder->lock, &deadline))
		;
	done = recorder->count >= count;
	pthread_mutex_unlock(&recorder->lock);
	return done;
}

char *recorder_text(struct recorder *recorder)
{
	char *text;

	pthread_mutex_lock(&recorder->lock);
	text = strdup(recorder->text);
	pthread_mutex_unlock(&recorder->lock);
	return text;
}

size_t recorder_count(struct recorder *recorder)
{
	size_t count;

	pthread_mutex_lock(&recorder->lock);
	count = recorder->count;
	pthread_mutex_unlock(&recorder->lock);
	return count;
}

int64_t recorder_compacted(struct recorder *recorder, unsigned seconds)
{
	struct timespec deadline = deadline_in(seconds);
	int64_t compacted;

	pthread_mutex_lock(&recorder->lock);
	while (!recorder->compacted && !pthread_cond_timedwait(&recorder->changed, &recorder->lock, &deadline))
		;
	compacted = recorder->compacted;
	pthread_mutex_unlock(&recorder->lock);
	return compacted;
}
