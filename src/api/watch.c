/* SPDX-License-Identifier: Apache-2.0 */
#include "api/watch.h"

#include "api/identity.h"
#include "api/item.h"
#include "api/server.h"
#include "api/stream.h"
#include "base/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <utlist.h>

/*
 * Each watcher has a queue that the replica's callback fills and the connection's thread empties. Order of locks: the replica's,
 * then the watchers', then a queue's.
 */
struct watcher {
	struct watcher *prev, *next;
	struct vd_watchers *watchers;
	struct vd_queue *queue;
	bool any_kind, events;
	enum vd_kind kind;
	char *project;  /* NULL: every one */
	unsigned quiet; /* half seconds without an event */
};

struct vd_watchers {
	pthread_mutex_t lock;
	struct watcher *list;
};

struct vd_watchers *vd_watchers_new(void)
{
	struct vd_watchers *watchers = calloc(1, sizeof(*watchers));

	if (watchers)
		pthread_mutex_init(&watchers->lock, NULL);
	return watchers;
}

void vd_watchers_free(struct vd_watchers *watchers)
{
	if (!watchers)
		return;
	pthread_mutex_destroy(&watchers->lock);
	free(watchers);
}

static bool watcher_wants(const struct watcher *watcher, enum vd_kind kind, const char *project)
{
	return kind < VD_KIND_USER_COUNT && (watcher->any_kind || watcher->kind == kind) &&
	       (!watcher->project || !strcmp(watcher->project, project));
}

static void watcher_push(struct watcher *watcher, json_t *event)
{
	if (event)
		vd_queue_push(watcher->queue, vd_stream_format(event, watcher->events));
}

/* The resource that a change makes users see differently: itself, or what a fact is about. */
static json_t *change_event(const struct vd_model *model, const struct vd_change *change, int64_t revision, enum vd_kind *ret_kind)
{
	enum vd_kind kind = change->kind;
	const char *action = "changed";
	const struct vd_resource *resource;
	json_t *event;

	if (kind == VD_KIND_ATTACHMENT)
		kind = VD_KIND_PORT;
	else if (kind == VD_KIND_CLAIM)
		kind = VD_KIND_HOST;
	else if (kind == VD_KIND_GATEWAY)
		kind = VD_KIND_VIRTUAL_IP;
	else
		action = vd_item_action(change);
	resource = vd_model_get(model, kind, change->project, change->name);
	if (!resource && kind != change->kind)
		return NULL;
	event = resource ? vd_item_new(model, resource)
			 : json_pack("{s:s, s:s, s:s}", "kind", vd_kind_word(kind), "project", change->project, "name",
				     change->name);
	if (!event)
		return NULL;
	json_object_set_new(event, "action", json_string(resource ? action : "deleted"));
	json_object_set_new(event, "revision", json_integer((json_int_t)revision));
	*ret_kind = kind;
	return event;
}

static void watchers_tell_change(struct vd_watchers *watchers, const struct vd_model *model, const struct vd_change *change,
				 int64_t revision)
{
	struct watcher *watcher;
	enum vd_kind kind;
	json_t *event = change_event(model, change, revision, &kind);

	if (!event)
		return;
	DL_FOREACH (watchers->list, watcher)
		if (watcher_wants(watcher, kind, change->project))
			watcher_push(watcher, event);
	json_decref(event);
}

static int existing_tell(const struct vd_model *model, struct watcher *watcher, int64_t revision);

void vd_watchers_tell(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata)
{
	struct vd_watchers *watchers = userdata;
	struct watcher *watcher;

	pthread_mutex_lock(&watchers->lock);
	if (!changes)
		DL_FOREACH (watchers->list, watcher)
			existing_tell(model, watcher, revision);
	for (size_t i = 0; watchers->list && changes && i < changes->count; i++)
		watchers_tell_change(watchers, model, &changes->items[i], revision);
	pthread_mutex_unlock(&watchers->lock);
}

struct existing {
	const struct vd_model *model;
	struct watcher *watcher;
	int64_t revision;
};

static int existing_visit(const struct vd_resource *resource, void *userdata)
{
	struct existing *existing = userdata;
	json_t *event = vd_item_new(existing->model, resource);

	if (!event)
		return -ENOMEM;
	json_object_set_new(event, "action", json_string("existing"));
	json_object_set_new(event, "revision", json_integer((json_int_t)existing->revision));
	watcher_push(existing->watcher, event);
	json_decref(event);
	return 0;
}

/* {"action": "begin"}, all that is there, {"action": "synced"}: what a client holds from before "begin" it may forget. */
static int existing_tell(const struct vd_model *model, struct watcher *watcher, int64_t revision)
{
	struct existing existing = {.model = model, .watcher = watcher, .revision = revision};
	json_t *begin = json_pack("{s:s, s:I}", "action", "begin", "revision", (json_int_t)revision);
	json_t *synced = json_pack("{s:s, s:I}", "action", "synced", "revision", (json_int_t)revision);
	int r = 0;

	watcher_push(watcher, begin);
	for (int kind = 0; !r && kind < VD_KIND_USER_COUNT; kind++)
		if (watcher->any_kind || watcher->kind == (enum vd_kind)kind)
			r = vd_model_each(model, (enum vd_kind)kind, watcher->project, existing_visit, &existing);
	watcher_push(watcher, synced);
	json_decref(begin);
	json_decref(synced);
	return r;
}

static int watcher_next(void *userdata, char **ret_text, unsigned timeout_ms)
{
	struct watcher *watcher = userdata;
	int r = vd_queue_next(watcher->queue, ret_text, timeout_ms);

	if (r != -ETIMEDOUT) {
		watcher->quiet = 0;
		return r;
	}
	if (++watcher->quiet < 4)
		return r;
	watcher->quiet = 0;
	*ret_text = vd_stream_format_idle(watcher->events);
	return *ret_text ? 0 : -ENOMEM;
}

static void watcher_release(void *userdata)
{
	struct watcher *watcher = userdata;

	pthread_mutex_lock(&watcher->watchers->lock);
	DL_DELETE(watcher->watchers->list, watcher);
	pthread_mutex_unlock(&watcher->watchers->lock);
	vd_queue_unref(watcher->queue);
	free(watcher->project);
	free(watcher);
}

static int watcher_start(struct vd_api *api, struct watcher *watcher)
{
	const struct vd_model *model;
	int64_t revision;
	int r;

	model = vd_replica_lock(api->replica, &revision, NULL, NULL);
	pthread_mutex_lock(&api->watchers->lock);
	r = existing_tell(model, watcher, revision);
	DL_APPEND(api->watchers->list, watcher);
	pthread_mutex_unlock(&api->watchers->lock);
	vd_replica_unlock(api->replica);
	return r;
}

int vd_answer_watch(struct vd_request *request, struct vd_error *error)
{
	struct vd_stream_source source = {.next = watcher_next, .release = watcher_release};
	const char *word = vd_request_query(request, "kind"), *project;
	enum vd_kind kind = VD_KIND_HOST;
	struct watcher *watcher;
	int r = 0;

	if (word && *word)
		r = vd_identity_kind(word, &kind, error);
	if (!r)
		r = vd_request_project(request, true, &project, error);
	if (r)
		return r;
	if (word && *word && vd_kind_is_shared(kind))
		project = "default";
	watcher = calloc(1, sizeof(*watcher));
	if (!watcher)
		return -ENOMEM;
	watcher->watchers = request->api->watchers;
	watcher->any_kind = !word || !*word;
	watcher->kind = kind;
	watcher->events = !vd_request_accepts(request, "ndjson");
	watcher->project = project ? strdup(project) : NULL;
	watcher->queue = vd_queue_new();
	if (!watcher->queue || (project && !watcher->project)) {
		vd_queue_unref(watcher->queue);
		free(watcher->project);
		free(watcher);
		return -ENOMEM;
	}
	source.userdata = watcher;
	r = watcher_start(request->api, watcher);
	if (r) {
		watcher_release(watcher);
		return r;
	}
	return vd_request_reply_stream(request, watcher->events ? VD_STREAM_TYPE_EVENTS : VD_STREAM_TYPE_LINES, &source);
}
