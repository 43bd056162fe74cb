/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identity.h"
#include "api/item.h"
#include "api/server.h"
#include "api/status.h"
#include "api/write.h"
#include "base/cleanup.h"
#include "model/document.h"

#include <errno.h>

static int request_options(struct vd_request *request, struct vd_write_options *ret, struct vd_error *error)
{
	int r;

	r = vd_request_flag(request, "dry_run", &ret->dry_run, error);
	if (!r)
		r = vd_request_flag(request, "wait", &ret->wait, error);
	if (!r)
		r = vd_request_timeout(request, &ret->timeout, error);
	if (!r)
		r = vd_request_id(request, ret->request, error);
	return r;
}

/* The documents that came, and the project of those that name none. */
static int request_content(struct vd_request *request, const char **ret_project, json_t **ret_documents, struct vd_error *error)
{
	int r = vd_request_project(request, false, ret_project, error);

	return r ? r : vd_request_documents(request, ret_documents, error);
}

int vd_answer_apply(struct vd_request *request, struct vd_error *error)
{
	struct vd_write_options options = {0};
	const char *project;
	json_t *documents;
	int r;

	r = request_options(request, &options, error);
	if (!r)
		r = request_content(request, &project, &documents, error);
	if (r)
		return r;
	r = vd_write_documents(request, documents, project, &options, error);
	json_decref(documents);
	return r;
}

int vd_answer_diff(struct vd_request *request, struct vd_error *error)
{
	struct vd_write_options options = {.dry_run = true, .documents = true};
	const char *project;
	json_t *documents;
	int r;

	r = request_content(request, &project, &documents, error);
	if (r)
		return r;
	r = vd_write_documents(request, documents, project, &options, error);
	json_decref(documents);
	return r;
}

int vd_answer_delete(struct vd_request *request, struct vd_error *error)
{
	struct vd_write_options options = {0};
	struct vd_identities *identities;
	const char *project;
	json_t *documents;
	int r;

	r = request_options(request, &options, error);
	if (!r)
		r = request_content(request, &project, &documents, error);
	if (r)
		return r;
	r = vd_identities_parse(documents, project, &identities, error);
	json_decref(documents);
	if (r)
		return r;
	r = vd_write_deletion(request, identities, &options, error);
	vd_identities_free(identities);
	return r;
}
