/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identity.h"
#include "api/item.h"
#include "api/policy.h"
#include "api/server.h"
#include "api/status.h"
#include "api/write.h"
#include "base/cleanup.h"
#include "model/document.h"
#include "model/field.h"

#include <errno.h>
#include <string.h>

/* "format=yaml": documents that can be applied again instead of the JSON with everything known. */
static int request_format(const struct vd_request *request, bool *ret_yaml, struct vd_error *error)
{
	const char *format = vd_request_query(request, "format");

	if (format && strcmp(format, "yaml") != 0 && strcmp(format, "json") != 0)
		return vd_error_set(error, -EINVAL, "query parameter format: \"%.40s\" is neither json nor yaml", format);
	*ret_yaml = format ? !strcmp(format, "yaml") : vd_request_accepts(request, "yaml");
	return 0;
}

struct listing {
	const struct vd_resource **items;
	size_t count;
};

static int listing_add(const struct vd_resource *resource, void *userdata)
{
	struct listing *listing = userdata;

	listing->items[listing->count++] = resource;
	return 0;
}

static int listing_compare(const void *a, const void *b)
{
	const struct vd_resource *left = *(const struct vd_resource *const *)a, *right = *(const struct vd_resource *const *)b;
	int order = strcmp(left->project, right->project);

	return order ? order : strcmp(left->name, right->name);
}

/* The resources' items, or their documents, by project and name. The model is locked. */
static int listing_collect(const struct vd_model *model, enum vd_kind kind, const char *project, bool documents, json_t **ret)
{
	struct listing listing = {0};
	json_t *array = json_array();
	int r = 0;

	listing.items = calloc(vd_model_count(model, kind) + 1, sizeof(*listing.items));
	if (!listing.items || !array) {
		free(listing.items);
		json_decref(array);
		return -ENOMEM;
	}
	vd_model_each(model, kind, project, listing_add, &listing);
	qsort(listing.items, listing.count, sizeof(*listing.items), listing_compare);
	for (size_t i = 0; !r && i < listing.count; i++)
		r = json_array_append_new(array, documents ? vd_resource_document(listing.items[i])
							   : vd_item_new(model, listing.items[i]));
	free(listing.items);
	if (r) {
		json_decref(array);
		return -ENOMEM;
	}
	*ret = array;
	return 0;
}

/* What a host's daemon reports beside its claim: whether it lives, and how far it obeys. */
static void report_add(struct vd_api *api, json_t *item)
{
	json_t *report = vd_statuses_get(api->statuses, json_string_value(json_object_get(item, "name")));

	json_object_set_new(item, "alive", json_boolean(json_is_true(json_object_get(report, "alive"))));
	if (json_object_get(report, "revision"))
		json_object_set(item, "obeys", json_object_get(report, "revision"));
	json_decref(report);
}

static int reply_yaml(struct vd_request *request, json_t *documents)
{
	char *text = vd_documents_format(documents);

	json_decref(documents);
	return vd_request_reply_text(request, MHD_HTTP_OK, "application/yaml", text);
}

int vd_answer_list(struct vd_request *request, struct vd_error *error)
{
	const struct vd_model *model;
	int64_t revision;
	const char *project;
	enum vd_kind kind;
	json_t *items;
	bool yaml;
	int r;

	r = vd_identity_kind(request->parameter[0], &kind, error);
	if (!r)
		r = vd_request_project(request, true, &project, error);
	if (!r && vd_kind_is_shared(kind))
		project = "default";
	if (!r)
		r = request_format(request, &yaml, error);
	if (r)
		return r;
	model = vd_replica_lock(request->api->replica, &revision, NULL, NULL);
	r = listing_collect(model, kind, project, yaml, &items);
	vd_replica_unlock(request->api->replica);
	if (r)
		return r;
	if (yaml)
		return reply_yaml(request, items);
	for (size_t i = 0; kind == VD_KIND_HOST && i < json_array_size(items); i++)
		report_add(request->api, json_array_get(items, i));
	return vd_request_reply(request, MHD_HTTP_OK, json_pack("{s:I, s:o}", "revision", (json_int_t)revision, "items", items));
}

/* The kind, project and identity that the path and query name. */
static int request_identity(const struct vd_request *request, enum vd_kind *ret_kind, const char **ret_project,
			    char ret_name[VD_IDENTITY_SIZE], struct vd_error *error)
{
	int r;

	r = vd_identity_kind(request->parameter[0], ret_kind, error);
	if (!r)
		r = vd_identity_normalise(*ret_kind, request->parameter[1], ret_name, error);
	if (!r)
		r = vd_request_project(request, false, ret_project, error);
	if (!r && vd_kind_is_shared(*ret_kind))
		*ret_project = "default";
	return r;
}

int vd_answer_get(struct vd_request *request, struct vd_error *error)
{
	const struct vd_resource *resource;
	const struct vd_model *model;
	int64_t revision;
	char name[VD_IDENTITY_SIZE];
	json_t *item = NULL;
	const char *project;
	enum vd_kind kind;
	bool yaml;
	int r;

	r = request_identity(request, &kind, &project, name, error);
	if (!r)
		r = request_format(request, &yaml, error);
	if (r)
		return r;
	model = vd_replica_lock(request->api->replica, &revision, NULL, NULL);
	resource = vd_model_get(model, kind, project, name);
	if (resource)
		item = yaml ? json_pack("[o]", vd_resource_document(resource)) : vd_item_new(model, resource);
	if (item && !yaml && vd_policy_add(model, resource, item)) {
		json_decref(item);
		item = NULL;
	}
	vd_replica_unlock(request->api->replica);
	if (!resource)
		return vd_error_set(error, -ENOENT, "%s %s does not exist in project %s", vd_kind_word(kind), name, project);
	if (!item)
		return -ENOMEM;
	if (yaml)
		return reply_yaml(request, item);
	if (kind == VD_KIND_HOST)
		report_add(request->api, item);
	json_object_set_new(item, "revision", json_integer((json_int_t)revision));
	return vd_request_reply(request, MHD_HTTP_OK, item);
}

static int write_options(const struct vd_request *request, struct vd_write_options *ret, struct vd_error *error)
{
	int r;

	r = vd_request_flag(request, "wait", &ret->wait, error);
	if (!r)
		r = vd_request_timeout(request, &ret->timeout, error);
	if (!r)
		r = vd_request_id(request, ret->request, error);
	return r;
}

/* What stands behind the group in a rule's path is its name, unless it is what the rule says. */
static int rule_complete(json_t *document, const char *name, struct vd_error *error)
{
	const char *own = strchr(name, '/') + 1;
	struct vd_resource *rule;
	int r;

	if (!json_object_get(document, "group"))
		json_object_set_new(document, "group", json_stringn(name, (size_t)(own - name - 1)));
	if (json_object_get(document, "name") || !vd_identity_is_name(own))
		return 0;
	r = vd_resource_parse(document, NULL, &rule, error);
	if (r)
		return r;
	if (strcmp(rule->name, name) != 0 && !((const struct vd_security_group_rule *)rule)->is_default)
		json_object_set_new(document, "name", json_string(own));
	vd_resource_unref(rule);
	return 0;
}

/* What the path says completes the document, and must not contradict it. */
static int document_complete(json_t *document, enum vd_kind kind, const char *project, const char *name, struct vd_error *error)
{
	const char *word = json_string_value(json_object_get(document, "kind"));
	const char *own = json_string_value(json_object_get(document, "project"));
	const char *given = json_string_value(json_object_get(document, "name"));

	if (!json_object_get(document, "kind"))
		json_object_set_new(document, "kind", json_string(vd_kind_word(kind)));
	else if (!word || strcmp(word, vd_kind_word(kind)) != 0)
		return vd_error_set(error, -EINVAL, "%s %s: the document's kind is not the path's", vd_kind_word(kind), name);
	if (own && strcmp(own, project) != 0)
		return vd_error_set(error, -EINVAL, "%s %s: the document is of project %.63s, the path of project %s",
				    vd_kind_word(kind), name, own, project);
	if (vd_kind_naming(kind) == VD_NAMING_DERIVED)
		return 0;
	if (kind == VD_KIND_SECURITY_GROUP_RULE)
		return rule_complete(document, name, error);
	if (!json_object_get(document, "name"))
		json_object_set_new(document, "name", json_string(name));
	else if (!given || strcmp(given, name) != 0)
		return vd_error_set(error, -EINVAL, "%s %s: the document's name is not the path's", vd_kind_word(kind), name);
	return 0;
}

/* Where the identity follows from fields they must give the path's. */
static int document_check(const json_t *document, const char *name, struct vd_error *error)
{
	struct vd_resource *resource;
	bool same;
	int r;

	r = vd_resource_parse(document, NULL, &resource, error);
	if (r)
		return r;
	same = !strcmp(resource->name, name);
	if (!same)
		vd_error_set(error, -EINVAL, "the path names %s, the document is %s", name, resource->name);
	vd_resource_unref(resource);
	return same ? 0 : -EINVAL;
}

int vd_answer_put(struct vd_request *request, struct vd_error *error)
{
	struct vd_write_options options = {0};
	char name[VD_IDENTITY_SIZE];
	json_t *documents = NULL;
	const char *project;
	enum vd_kind kind;
	int r;

	r = request_identity(request, &kind, &project, name, error);
	if (!r)
		r = write_options(request, &options, error);
	if (!r)
		r = vd_request_documents(request, &documents, error);
	if (!r && json_array_size(documents) != 1)
		r = vd_error_set(error, -EINVAL, "%s %s: the body has %zu documents instead of one", vd_kind_word(kind), name,
				 json_array_size(documents));
	if (!r)
		r = document_complete(json_array_get(documents, 0), kind, project, name, error);
	if (!r)
		r = document_check(json_array_get(documents, 0), name, error);
	if (!r)
		r = vd_write_documents(request, documents, project, &options, error);
	json_decref(documents);
	return r;
}

int vd_answer_remove(struct vd_request *request, struct vd_error *error)
{
	struct vd_write_options options = {0};
	struct vd_identity identity;
	struct vd_identities identities = {.items = &identity, .count = 1};
	char name[VD_IDENTITY_SIZE];
	int r;

	r = request_identity(request, &identity.kind, &identity.project, name, error);
	if (!r)
		r = write_options(request, &options, error);
	if (r)
		return r;
	identity.name = name;
	return vd_write_deletion(request, &identities, &options, error);
}
