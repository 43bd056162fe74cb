/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/wire.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/*
 * A stream that is quiet for so long is asked about: a linearizable read at the same endpoint, which a member that is stopped,
 * gone or cut off from the others cannot answer in time. TCP alone would not tell (a stopped process's kernel answers for it),
 * and etcd's own progress notifications come every ten minutes. Milliseconds.
 */
#define QUIET_MS 3000
#define PROBE_MS 3000
/* Between tries when no endpoint answers. */
#define PAUSE_MS 300

struct etcd_watch {
	struct vd_watch watch;
	struct vd_etcd *etcd;
	char *prefix;
	int64_t next; /* the first revision not delivered */
	struct vd_watch_callbacks callbacks;
	void *userdata;
	pthread_t thread;
	CURLM *multi;
	pthread_mutex_t lock; /* guards stop */
	bool stop;
	/* The thread's own. */
	bool lost;
};

/* One connection to one endpoint, as long as it lasts. */
struct session {
	struct etcd_watch *watch;
	size_t endpoint;
	char *body; /* of the request */
	CURL *stream, *probe;
	char *probe_body;
	bool probing;
	int64_t heard;                 /* milliseconds, when the last line or probe's answer came */
	struct vd_etcd_buffer pending; /* a line not complete yet */
	bool created;
	int result; /* what ended it; 0: goes on. -ESTALE: compacted */
	int64_t compact_revision;
};

static bool watch_stopped(struct etcd_watch *watch)
{
	bool stop;

	pthread_mutex_lock(&watch->lock);
	stop = watch->stop;
	pthread_mutex_unlock(&watch->lock);
	return stop;
}

static void watch_lost(struct etcd_watch *watch, bool lost)
{
	if (watch->lost == lost)
		return;
	watch->lost = lost;
	if (watch->callbacks.interrupted)
		watch->callbacks.interrupted(lost, watch->userdata);
}

/* One call for each revision; etcd never cuts one in two lines. */
static void events_deliver(struct etcd_watch *watch, const struct vd_event *events, size_t count)
{
	size_t start = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t revision = events[i].kv.mod_revision;

		if (i + 1 < count && events[i + 1].kv.mod_revision == revision)
			continue;
		if (revision >= watch->next) {
			watch->callbacks.events(&events[start], i + 1 - start, revision, watch->userdata);
			watch->next = revision + 1;
		}
		start = i + 1;
	}
}

/*
 * Lines without events are a sign of life and no more: etcd before 3.4.25 may send progress before the events that it speaks of.
 */
static void line_take(struct session *session, const char *text, size_t size)
{
	struct vd_wire_line line = {0};

	if (vd_wire_line_decode(text, size, &line, NULL) < 0) {
		session->result = -EBADMSG;
		return;
	}
	if (line.canceled) {
		session->result = line.compact_revision ? -ESTALE : -ECONNRESET;
		session->compact_revision = line.compact_revision;
	} else {
		if (line.created) {
			session->created = true;
			watch_lost(session->watch, false);
		}
		events_deliver(session->watch, line.events, line.count);
	}
	vd_wire_line_clear(&line);
}

static size_t on_stream(char *bytes, size_t one, size_t size, void *userdata)
{
	struct session *session = userdata;
	size_t searched = session->pending.size;
	char *end;

	if (vd_etcd_buffer_add(&session->pending, bytes, size) < 0) {
		session->result = -EBADMSG;
		return 0;
	}
	while (!session->result && session->pending.size > searched &&
	       (end = memchr(session->pending.data + searched, '\n', session->pending.size - searched))) {
		size_t length = (size_t)(end - session->pending.data);

		if (length)
			line_take(session, session->pending.data, length);
		session->pending.size -= length + 1;
		memmove(session->pending.data, end + 1, session->pending.size);
		searched = 0;
	}
	session->heard = vd_clock_ms();
	return session->result ? 0 : size;
}

static size_t on_probe(char *bytes, size_t one, size_t size, void *userdata)
{
	return size;
}

static int stream_start(struct session *session)
{
	struct etcd_watch *watch = session->watch;

	session->body = vd_wire_watch_encode(watch->prefix, watch->next);
	session->stream = vd_etcd_curl_new(watch->etcd);
	if (!session->body || !session->stream ||
	    vd_etcd_curl_aim(watch->etcd, session->stream, session->endpoint, "/v3/watch") < 0)
		return -ENOMEM;
	curl_easy_setopt(session->stream, CURLOPT_POSTFIELDS, session->body);
	curl_easy_setopt(session->stream, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(session->stream, CURLOPT_WRITEFUNCTION, on_stream);
	curl_easy_setopt(session->stream, CURLOPT_WRITEDATA, session);
	return curl_multi_add_handle(watch->multi, session->stream) == CURLM_OK ? 0 : -ENOMEM;
}

static int probe_start(struct session *session)
{
	struct etcd_watch *watch = session->watch;

	if (!session->probe) {
		/* Any key will do. */
		session->probe_body = vd_wire_range_encode("/", NULL, 0, 0, 1);
		session->probe = vd_etcd_curl_new(watch->etcd);
		if (!session->probe_body || !session->probe ||
		    vd_etcd_curl_aim(watch->etcd, session->probe, session->endpoint, "/v3/kv/range") < 0)
			return -ENOMEM;
		curl_easy_setopt(session->probe, CURLOPT_POSTFIELDS, session->probe_body);
		curl_easy_setopt(session->probe, CURLOPT_FAILONERROR, 1L);
		curl_easy_setopt(session->probe, CURLOPT_TIMEOUT_MS, (long)PROBE_MS);
		curl_easy_setopt(session->probe, CURLOPT_WRITEFUNCTION, on_probe);
	}
	if (curl_multi_add_handle(watch->multi, session->probe) != CURLM_OK)
		return -ENOMEM;
	session->probing = true;
	return 0;
}

/* What finished: the stream (then the session has), or the probe. */
static void messages_take(struct session *session)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(session->watch->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (message->easy_handle == session->stream) {
			if (!session->result)
				session->result = -ECONNRESET;
			continue;
		}
		session->probing = false;
		curl_multi_remove_handle(session->watch->multi, session->probe);
		if (code == CURLE_OK && session->created)
			session->heard = vd_clock_ms();
		else if (!session->result)
			session->result = -ETIMEDOUT;
	}
}

static int session_step(struct session *session)
{
	int running, r;

	if (curl_multi_perform(session->watch->multi, &running) != CURLM_OK)
		return -EIO;
	messages_take(session);
	if (session->result)
		return session->result;
	if (watch_stopped(session->watch))
		return -ECANCELED;
	if (!session->probing && vd_clock_ms() - session->heard > QUIET_MS) {
		r = probe_start(session);
		if (r < 0)
			return r;
	}
	/* Ends early for data, for libcurl's own timers, and for curl_multi_wakeup. */
	return curl_multi_poll(session->watch->multi, NULL, 0, 1000, NULL) == CURLM_OK ? 0 : -EIO;
}

static void session_end(struct session *session)
{
	CURL *const handles[] = {session->stream, session->probe};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (!handles[i])
			continue;
		curl_multi_remove_handle(session->watch->multi, handles[i]);
		curl_easy_cleanup(handles[i]);
	}
	free(session->body);
	free(session->probe_body);
	free(session->pending.data);
}

/* Streams from one endpoint until it fails. -ESTALE: the watch has ended, -ECANCELED: it was told to. */
static int session_run(struct etcd_watch *watch, size_t endpoint)
{
	struct session session = {.watch = watch, .endpoint = endpoint, .heard = vd_clock_ms()};
	int r = stream_start(&session);

	while (r == 0)
		r = session_step(&session);
	session_end(&session);
	if (r == -ESTALE)
		watch->callbacks.compacted(session.compact_revision, watch->userdata);
	return r;
}

static void *watch_run(void *userdata)
{
	struct etcd_watch *watch = userdata;
	size_t endpoint = vd_etcd_endpoint(watch->etcd), failures = 0;

	while (!watch_stopped(watch)) {
		int64_t begun = vd_clock_ms();
		int r = session_run(watch, endpoint);

		if (r == -ESTALE || r == -ECANCELED)
			break;
		watch_lost(watch, true);
		vd_etcd_endpoint_failed(watch->etcd, endpoint);
		endpoint = (endpoint + 1) % watch->etcd->endpoint_count;
		failures = vd_clock_ms() - begun > QUIET_MS ? 1 : failures + 1;
		/* All of them refused in a row. */
		if (failures % watch->etcd->endpoint_count == 0)
			curl_multi_poll(watch->multi, NULL, 0, PAUSE_MS, NULL);
	}
	return NULL;
}

static void watch_destroy(struct etcd_watch *watch)
{
	if (watch->multi)
		curl_multi_cleanup(watch->multi);
	pthread_mutex_destroy(&watch->lock);
	free(watch->prefix);
	free(watch);
}

/* From now on: behind what the store has already. */
static int revision_get(struct vd_store *store, int64_t *ret, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	int r = vd_store_range(store, "/", false, 0, 1, &kvs, error);

	if (r < 0)
		return r;
	*ret = kvs->revision;
	return 0;
}

int vd_etcd_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		  void *userdata, struct vd_watch **ret, struct vd_error *error)
{
	struct etcd_watch *watch;
	int64_t now;
	int r;

	if (start <= 0) {
		r = revision_get(store, &now, error);
		if (r < 0)
			return r;
		start = now + 1;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->watch.store = store;
	watch->etcd = (struct vd_etcd *)store;
	watch->next = start;
	watch->callbacks = *callbacks;
	watch->userdata = userdata;
	pthread_mutex_init(&watch->lock, NULL);
	watch->prefix = strdup(prefix);
	watch->multi = curl_multi_init();
	r = watch->prefix && watch->multi ? -pthread_create(&watch->thread, NULL, watch_run, watch) : -ENOMEM;
	if (r < 0) {
		watch_destroy(watch);
		return vd_error_set(error, r, "store %s: cannot start a watch", ((struct vd_etcd *)store)->name);
	}
	*ret = &watch->watch;
	return 0;
}

void vd_etcd_watch_free(struct vd_watch *base)
{
	struct etcd_watch *watch = (struct etcd_watch *)base;

	pthread_mutex_lock(&watch->lock);
	watch->stop = true;
	pthread_mutex_unlock(&watch->lock);
	curl_multi_wakeup(watch->multi);
	pthread_join(watch->thread, NULL);
	watch_destroy(watch);
}
