/* SPDX-License-Identifier: Apache-2.0 */
#include "api/write.h"

#include "api/holder.h"
#include "api/item.h"
#include "api/server.h"
#include "api/status.h"
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* How long our own replica may take to see what it wrote itself. */
#define CATCH_UP_MS 5000

struct intent {
	const json_t *documents; /* NULL: a deletion */
	const char *project;
	const struct vd_identities *identities;
};

static int intent_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			 struct vd_error *error)
{
	const struct intent *intent = userdata;

	if (intent->documents) {
		/* What a document names and is not there is the document's fault, not the path's. */
		int r = vd_changes_from_documents(model, intent->documents, intent->project, next_id, ret, error);

		return r == -ENOENT ? -EINVAL : r;
	}
	return vd_changes_from_deletion(model, intent->identities->items, intent->identities->count, ret, error);
}

static int decide_only(struct vd_api *api, struct intent *intent, struct vd_changes **ret, int64_t *ret_revision,
		       struct vd_error *error)
{
	int64_t epoch;
	const struct vd_model *model;
	uint32_t next_id;
	int r;

	model = vd_replica_lock(api->replica, NULL, &epoch, &next_id);
	r = intent_decide(model, next_id, intent, ret, error);
	vd_replica_unlock(api->replica);
	if (!r)
		*ret_revision = epoch;
	return r;
}

static json_t *changes_reply(const struct vd_changes *changes, const struct vd_write_options *options, int64_t revision)
{
	json_t *items = json_array(), *item;

	for (size_t i = 0; i < changes->count; i++) {
		item = vd_item_change(&changes->items[i], options->documents);
		if (!item || json_array_append_new(items, item)) {
			json_decref(items);
			return NULL;
		}
	}
	return json_pack("{s:I, s:b, s:o, s:o}", "revision", (json_int_t)revision, "dry_run", options->dry_run, "changes", items,
			 "notes", changes->notes ? json_incref(changes->notes) : json_array());
}

/*
 * The reply about the changes, and their end. Resources are counted without atomics, and a change may share them with the replica's
 * model: it is read and freed under the replica's lock.
 */
static int changes_finish(struct vd_api *api, struct vd_changes *changes, const struct vd_write_options *options, int64_t revision,
			  json_t **ret_asked, json_t **ret)
{
	json_t *reply, *asked;

	vd_replica_lock(api->replica, NULL, NULL, NULL);
	reply = changes_reply(changes, options, revision);
	asked = vd_holders_asked(changes);
	vd_changes_free(changes);
	vd_replica_unlock(api->replica);
	if (!reply) {
		json_decref(asked);
		return -ENOMEM;
	}
	*ret_asked = asked;
	*ret = reply;
	return 0;
}

/* "2026-01-31 12:00:00 UTC"; "" when it is not known. */
static void since_format(json_int_t seconds, char *text, size_t size)
{
	time_t time = (time_t)seconds;
	struct tm utc;

	text[0] = '\0';
	if (seconds > 0 && gmtime_r(&time, &utc))
		strftime(text, size, " since %F %T UTC", &utc);
}

/* Says which hosts were not waited for: they obey the change when their daemons are back. */
static void absent_note(struct vd_api *api, json_t *notes)
{
	json_t *absent = vd_statuses_absent(api->statuses), *seconds;
	const struct vd_model *model;
	const char *host;
	char since[64];

	model = vd_replica_lock(api->replica, NULL, NULL, NULL);
	json_object_foreach (absent, host, seconds) {
		if (!vd_model_get(model, VD_KIND_HOST, "default", host))
			continue;
		since_format(json_integer_value(seconds), since, sizeof(since));
		json_array_append_new(notes, json_sprintf("host %s has not been heard of%s: not waited for", host, since));
	}
	vd_replica_unlock(api->replica);
	json_decref(absent);
}

/* Until every living host obeys, and those that lead VPCs out are found and do so. */
static int effect_wait(struct vd_api *api, int64_t revision, const json_t *asked, unsigned seconds, json_t *notes,
		       struct vd_error *error)
{
	int64_t started = vd_clock_ms(), left;
	int r = vd_statuses_wait(api->statuses, revision, seconds, error);

	left = seconds - (vd_clock_ms() - started) / 1000;
	if (!r && json_object_size(asked) > 0)
		r = vd_holders_wait(api, asked, left > 1 ? (unsigned)left : 1, notes, error);
	absent_note(api, notes);
	return r;
}

/*
 * The write, then what was asked to follow it. When nothing changed, the revision is the last that changed something: hosts may
 * still be behind it. A wait that fails does not undo the change: the reply holds both.
 */
static int intent_write(struct vd_request *request, struct intent *intent, const struct vd_write_options *options,
			struct vd_error *error)
{
	struct vd_api *api = request->api;
	struct vd_changes *changes = NULL;
	struct vd_error waited = {0};
	json_t *reply, *asked;
	int64_t revision = 0;
	int r;

	if (options->dry_run)
		r = decide_only(api, intent, &changes, &revision, error);
	else
		r = vd_replica_write(api->replica, options->request, intent_decide, intent, &changes, &revision, error);
	if (!r)
		r = changes_finish(api, changes, options, revision, &asked, &reply);
	if (r)
		return r;
	if (!options->dry_run)
		vd_replica_wait(api->replica, revision, CATCH_UP_MS);
	if (!options->dry_run && options->wait)
		r = effect_wait(api, revision, asked, options->timeout, json_object_get(reply, "notes"), &waited);
	json_decref(asked);
	if (r)
		json_object_set_new(reply, "error", json_string(waited.text));
	return vd_request_reply(request, r ? vd_request_status(r) : MHD_HTTP_OK, reply);
}

int vd_write_documents(struct vd_request *request, const json_t *documents, const char *project,
		       const struct vd_write_options *options, struct vd_error *error)
{
	struct intent intent = {.documents = documents, .project = project};

	return intent_write(request, &intent, options, error);
}

int vd_write_deletion(struct vd_request *request, const struct vd_identities *identities, const struct vd_write_options *options,
		      struct vd_error *error)
{
	struct intent intent = {.identities = identities};

	return intent_write(request, &intent, options, error);
}
