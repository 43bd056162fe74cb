/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_resource, vd_resource_unref)
#define UNREF VD_CLEANUP(vd_resource_unref_cleanup)

static const struct vd_kind_type *const types[VD_KIND_COUNT] = {
	[VD_KIND_HOST] = &vd_kind_type_host,
	[VD_KIND_VXLAN_POOL] = &vd_kind_type_vxlan_pool,
	[VD_KIND_NETWORK] = &vd_kind_type_network,
	[VD_KIND_ROUTER_PROFILE] = &vd_kind_type_router_profile,
	[VD_KIND_VPC] = &vd_kind_type_vpc,
	[VD_KIND_ROUTE_TABLE] = &vd_kind_type_route_table,
	[VD_KIND_SUBNET] = &vd_kind_type_subnet,
	[VD_KIND_SECURITY_GROUP] = &vd_kind_type_security_group,
	[VD_KIND_SECURITY_GROUP_RULE] = &vd_kind_type_security_group_rule,
	[VD_KIND_PORT] = &vd_kind_type_port,
	[VD_KIND_VIRTUAL_IP] = &vd_kind_type_virtual_ip,
	[VD_KIND_ELASTIC_IP] = &vd_kind_type_elastic_ip,
	[VD_KIND_PORT_FORWARD] = &vd_kind_type_port_forward,
	[VD_KIND_PEERING] = &vd_kind_type_peering,
	[VD_KIND_ROUTE] = &vd_kind_type_route,
	[VD_KIND_POLICY_ROUTE] = &vd_kind_type_policy_route,
	[VD_KIND_CONTAINER_NETWORK] = &vd_kind_type_container_network,
	[VD_KIND_NODE] = &vd_kind_type_node,
	[VD_KIND_CONTAINER_BLOCK] = &vd_kind_type_container_block,
	[VD_KIND_CLAIM] = &vd_kind_type_claim,
	[VD_KIND_ATTACHMENT] = &vd_kind_type_attachment,
	[VD_KIND_GATEWAY] = &vd_kind_type_gateway,
};

static const struct vd_field common_fields[] = {
	{"name", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = offsetof(struct vd_resource, name),
	 .help = "What it is called; unique among its kind in the project."},
	{"project", .type = VD_FIELD_TYPE_NAME, .offset = offsetof(struct vd_resource, project), .value = VD_PROJECT_DEFAULT,
	 .help = "Whose it is; names of different projects do not meet."},
	{"description", .type = VD_FIELD_TYPE_TEXT, .offset = offsetof(struct vd_resource, description),
	 .help = "Anything, for people."},
};
#define COMMON_COUNT (sizeof(common_fields) / sizeof(common_fields[0]))

const struct vd_kind_type *vd_kind_type(enum vd_kind kind)
{
	return types[kind];
}

const struct vd_field *vd_kind_fields(enum vd_kind kind, size_t *count)
{
	*count = types[kind]->field_count;
	return types[kind]->fields;
}

const struct vd_field *vd_common_fields(size_t *count)
{
	*count = COMMON_COUNT;
	return common_fields;
}

enum vd_naming vd_kind_naming(enum vd_kind kind)
{
	return types[kind]->naming;
}

const char *vd_kind_help(enum vd_kind kind)
{
	return types[kind]->help;
}

const char *vd_kind_word(enum vd_kind kind)
{
	return types[kind]->word;
}

const char *vd_kind_plural(enum vd_kind kind)
{
	return types[kind]->plural;
}

bool vd_kind_is_fact(enum vd_kind kind)
{
	return kind >= VD_KIND_USER_COUNT;
}

int vd_kind_parse(const char *word, bool facts, enum vd_kind *ret)
{
	for (int kind = 0; kind < (facts ? VD_KIND_COUNT : VD_KIND_USER_COUNT); kind++) {
		if (strcmp(types[kind]->word, word) == 0 || strcmp(types[kind]->plural, word) == 0) {
			*ret = (enum vd_kind)kind;
			return 0;
		}
	}
	return -ENOENT;
}

bool vd_name_is_valid(const char *name)
{
	size_t size = strlen(name);

	return size >= 1 && size < VD_NAME_SIZE && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size &&
	       !strchr("._-", name[0]);
}

bool vd_project_is_reserved(const char *project)
{
	return strcmp(project, "fact") == 0 || strcmp(project, "meta") == 0 || strcmp(project, "status") == 0;
}

bool vd_kind_is_shared(enum vd_kind kind)
{
	return kind == VD_KIND_HOST || kind == VD_KIND_NETWORK;
}

const char *vd_reference_project(enum vd_kind kind, const char *project)
{
	return vd_kind_is_shared(kind) ? VD_PROJECT_DEFAULT : project;
}

const char *vd_object_text(enum vd_kind kind, const char *project, const char *name, char text[VD_OBJECT_SIZE])
{
	if (strcmp(project, VD_PROJECT_DEFAULT) == 0)
		snprintf(text, VD_OBJECT_SIZE, "%s %s", types[kind]->word, name);
	else
		snprintf(text, VD_OBJECT_SIZE, "%s %s/%s", types[kind]->word, project, name);
	return text;
}

const char *vd_resource_text(const struct vd_resource *resource, char text[VD_OBJECT_SIZE])
{
	return vd_object_text(resource->kind, resource->project, resource->name, text);
}

/* --- references and memory --- */

struct vd_resource *vd_resource_ref(struct vd_resource *resource)
{
	resource->references++;
	return resource;
}

static bool applies(const struct vd_field *field, const struct vd_resource *resource)
{
	return !field->applies || field->applies(resource);
}

void vd_resource_unref(struct vd_resource *resource)
{
	const struct vd_kind_type *type;

	if (!resource || --resource->references > 0)
		return;
	type = types[resource->kind];
	for (size_t i = 0; i < type->field_count; i++)
		if (applies(&type->fields[i], resource))
			vd_field_clear(&type->fields[i], resource);
	free(resource->project);
	free(resource->name);
	free(resource->description);
	free(resource);
}

struct vd_resource *vd_resource_new(enum vd_kind kind)
{
	struct vd_resource *resource = calloc(1, types[kind]->size);

	if (!resource)
		return NULL;
	resource->kind = kind;
	resource->references = 1;
	return resource;
}

struct vd_resource *vd_resource_clone(const struct vd_resource *resource)
{
	const struct vd_kind_type *type = types[resource->kind];
	UNREF struct vd_resource *clone = malloc(type->size);
	int r = 0;

	if (!clone)
		return NULL;
	memcpy(clone, resource, type->size);
	clone->references = 1;
	/* Every member is made the clone's own, or emptied, before anything may fail and free it. */
	for (size_t i = 0; i < COMMON_COUNT; i++)
		if (vd_field_own(&common_fields[i], clone) < 0)
			r = -ENOMEM;
	for (size_t i = 0; i < type->field_count; i++)
		if (applies(&type->fields[i], clone) && vd_field_own(&type->fields[i], clone) < 0)
			r = -ENOMEM;
	return r < 0 ? NULL : VD_TAKE(clone);
}

bool vd_resource_equal(const struct vd_resource *a, const struct vd_resource *b)
{
	const struct vd_kind_type *type = types[a->kind];

	if (a == b)
		return true;
	if (a->kind != b->kind || a->id != b->id)
		return false;
	for (size_t i = 0; i < COMMON_COUNT; i++)
		if (!vd_field_equal(&common_fields[i], a, b))
			return false;
	for (size_t i = 0; i < type->field_count; i++)
		if (applies(&type->fields[i], a) && !vd_field_equal(&type->fields[i], a, b))
			return false;
	return true;
}

static int each_vpc_network(const struct vd_field *field, const struct vd_resource *resource, vd_reference_visit *visit,
			    void *userdata)
{
	const char *place = (const char *)resource;
	const struct vd_vpc_network *networks = *(const struct vd_vpc_network *const *)(const void *)(place + field->offset);
	size_t count = *(const size_t *)(const void *)(place + field->count_offset);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = visit(field, networks[i].network, userdata);
	return r;
}

int vd_resource_each_reference(const struct vd_resource *resource, vd_reference_visit *visit, void *userdata)
{
	const struct vd_kind_type *type = types[resource->kind];

	for (size_t i = 0; i < type->field_count; i++) {
		const struct vd_field *field = &type->fields[i];
		const char *const *names = (const void *)((const char *)resource + field->offset);
		size_t count = 1;
		int r = 0;

		if (!field->is_reference || !applies(field, resource))
			continue;
		if (field->type == VD_FIELD_TYPE_NAMES) {
			count = *(const size_t *)(const void *)((const char *)resource + field->count_offset);
			names = *(const char *const *const *)names;
		} else if (field->type == VD_FIELD_TYPE_VPC_NETWORKS) {
			count = 0;
			r = each_vpc_network(field, resource, visit, userdata);
		}
		for (size_t j = 0; r == 0 && j < count; j++)
			r = names[j] ? visit(field, names[j], userdata) : 0;
		if (r != 0)
			return r;
	}
	return 0;
}

/* --- reading --- */

static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t columns = strlen(b);

	/* Levenshtein's, one row at a time; the words of our kinds are short. */
	if (columns >= sizeof(row) / sizeof(row[0]) || strlen(a) >= 64)
		return 99;
	for (size_t j = 0; j <= columns; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= columns; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[columns];
}

/* The field that a document's key means, also by its singular. */
static const struct vd_field *find_field(const struct vd_kind_type *type, const char *key)
{
	for (size_t i = 0; i < type->field_count; i++) {
		const struct vd_field *field = &type->fields[i];

		if (!field->name || field->is_assigned)
			continue;
		if (strcmp(field->name, key) == 0 || (field->singular && strcmp(field->singular, key) == 0))
			return field;
	}
	return NULL;
}

static const struct vd_field *find_common_field(enum vd_kind kind, const char *key)
{
	for (size_t i = types[kind]->naming == VD_NAMING_DERIVED ? 1 : 0; i < COMMON_COUNT; i++)
		if (strcmp(common_fields[i].name, key) == 0)
			return &common_fields[i];
	return NULL;
}

static void nearest(const char *key, const char *word, unsigned *best, const char **ret)
{
	unsigned d = distance(key, word);

	if (d >= *best)
		return;
	*best = d;
	*ret = word;
}

static int refuse_unknown_field(enum vd_kind kind, const char *key, const char *object, struct vd_error *error)
{
	const struct vd_kind_type *type = types[kind];
	unsigned best = strlen(key) > 4 ? 4 : 3;
	const char *word = NULL;

	for (size_t i = 0; i < type->field_count; i++)
		if (type->fields[i].name && !type->fields[i].is_assigned)
			nearest(key, type->fields[i].name, &best, &word);
	for (size_t i = 0; i < COMMON_COUNT; i++)
		if (find_common_field(kind, common_fields[i].name))
			nearest(key, common_fields[i].name, &best, &word);
	if (word)
		return vd_error_set(error, -EINVAL, "%s: unknown field \"%.40s\"; did you mean \"%s\"?", object, key, word);
	return vd_error_set(error, -EINVAL, "%s: unknown field \"%.40s\"; \"viaduct explain %s\" lists them", object, key,
			    type->word);
}

static int refuse_unknown_fields(enum vd_kind kind, const json_t *document, const char *object, struct vd_error *error)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)document, key, value) {
		if (strcmp(key, "kind") == 0 || key[0] == '#')
			continue;
		if (!find_field(types[kind], key) && !find_common_field(kind, key))
			return refuse_unknown_field(kind, key, object, error);
	}
	return 0;
}

/* One field from a document: under its name or its singular; else its default. */
static int read_field(const struct vd_field *field, const json_t *document, struct vd_resource *resource,
		      const struct vd_field_reading *reading)
{
	const json_t *value = json_object_get(document, field->name);
	char text[VD_FIELD_TEXT_SIZE];
	const json_t *single = field->singular ? json_object_get(document, field->singular) : NULL;

	if (value && single)
		return vd_error_set(reading->error, -EINVAL, "%s: %s and %s are one field; leave one out", reading->object,
				    field->name, field->singular);
	if (single && json_is_array(single) && !reading->is_record)
		return vd_error_set(reading->error, -EINVAL, "%s: %s takes one value; for a list write %s", reading->object,
				    field->singular, field->name);
	if (single)
		value = single;
	if (value && !(json_is_array(value) && json_array_size(value) == 0))
		return vd_field_read(field, value, resource, reading);
	if (field->required)
		return vd_error_set(reading->error, -EINVAL, "%s: %s is missing; it must be %s", reading->object, field->name,
				    vd_field_text(field, text));
	return vd_field_set_default(field, resource);
}

int vd_resource_read_fields(struct vd_resource *resource, const json_t *document, const struct vd_field_reading *reading)
{
	const struct vd_kind_type *type = types[resource->kind];
	int r;

	r = type->prepare ? type->prepare(resource, document, reading->object, reading->error) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < type->field_count; i++) {
		const struct vd_field *field = &type->fields[i];

		if (!field->name || field->is_assigned || !applies(field, resource))
			continue;
		r = read_field(field, document, resource, reading);
		if (r < 0)
			return r;
	}
	return type->complete ? type->complete(resource, reading->object, reading->error) : 0;
}

/* What a document is called in sentences before it has been read: as well as one can tell. */
static void guess_object(const json_t *document, enum vd_kind kind, char text[VD_OBJECT_SIZE])
{
	const char *project = json_string_value(json_object_get(document, "project"));
	const char *name = json_string_value(json_object_get(document, "name"));
	char route[VD_IDENTITY_SIZE];

	if (kind == VD_KIND_ROUTE || kind == VD_KIND_POLICY_ROUTE) {
		const char *vpc = json_string_value(json_object_get(document, "vpc"));
		const char *table = json_string_value(json_object_get(document, "table"));
		const char *destination = json_string_value(json_object_get(document, "destination"));
		char priority[24];

		snprintf(priority, sizeof(priority), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(document, "priority")));
		if (kind == VD_KIND_POLICY_ROUTE)
			destination = priority;
		snprintf(route, sizeof(route), "%.63s/%.60s",
			 vpc     ? vpc
			 : table ? table
				 : "",
			 destination ? destination : "0.0.0.0/0");
		name = vpc || table ? route : NULL;
	}
	if (kind == VD_KIND_CONTAINER_BLOCK) {
		const char *network = json_string_value(json_object_get(document, "container_network"));
		const char *cidr = json_string_value(json_object_get(document, "cidr"));

		snprintf(route, sizeof(route), "%.63s/%.60s", network ? network : "", cidr ? cidr : "…");
		name = network ? route : NULL;
	}
	if (kind == VD_KIND_SECURITY_GROUP_RULE) {
		const char *group = json_string_value(json_object_get(document, "group"));
		const char *direction = json_string_value(json_object_get(document, "direction"));

		snprintf(route, sizeof(route), "%.63s/%.63s", group ? group : "", name ? name : direction ? direction : "…");
		name = group ? route : NULL;
	}
	if (name && *name)
		vd_object_text(kind, project ? project : VD_PROJECT_DEFAULT, name, text);
	else
		snprintf(text, VD_OBJECT_SIZE, "%s", types[kind]->word);
}

static int read_kind(const json_t *document, enum vd_kind *ret, struct vd_error *error)
{
	const json_t *value = json_object_get(document, "kind");
	const char *word = json_string_value(value), *found = NULL;
	unsigned best = 3;

	if (!json_is_object(document))
		return vd_error_set(error, -EINVAL, "a document must be a mapping that begins with kind: and name:");
	if (!value)
		return vd_error_set(error, -EINVAL, "the document has no kind; begin with kind: vpc, subnet, port, …");
	for (int kind = 0; word && kind < VD_KIND_USER_COUNT; kind++) {
		if (strcmp(word, types[kind]->word) == 0) {
			*ret = (enum vd_kind)kind;
			return 0;
		}
		nearest(word, types[kind]->word, &best, &found);
	}
	if (found)
		return vd_error_set(error, -EINVAL, "unknown kind \"%.40s\"; did you mean \"%s\"?", word, found);
	return vd_error_set(
		error, -EINVAL,
		"unknown kind \"%.40s\"; the kinds are host, vxlan_pool, network, router_profile, vpc, route_table, subnet, "
		"security_group, security_group_rule, port, virtual_ip, elastic_ip, port_forward, peering, "
		"route, policy_route, container_network, node and container_block",
		word ? word : "(no text)");
}

/* A name that need not be given is read when it is. */
static bool is_read(enum vd_kind kind, const struct vd_field *field, const json_t *document)
{
	if (!find_common_field(kind, field->name))
		return false;
	return types[kind]->naming != VD_NAMING_OPTIONAL || field != &common_fields[0] || json_object_get(document, field->name);
}

static int read_document(const json_t *document, enum vd_kind kind, const struct vd_field_reading *reading,
			 struct vd_resource **ret)
{
	UNREF struct vd_resource *resource = vd_resource_new(kind);
	int r;

	if (!resource)
		return -ENOMEM;
	r = refuse_unknown_fields(kind, document, reading->object, reading->error);
	for (size_t i = 0; r == 0 && i < COMMON_COUNT; i++)
		if (is_read(kind, &common_fields[i], document))
			r = read_field(&common_fields[i], document, resource, reading);
	if (r == 0 && vd_project_is_reserved(resource->project))
		r = vd_error_set(reading->error, -EINVAL, "%s: the project name \"%s\" is reserved; choose another",
				 reading->object, resource->project);
	if (r == 0)
		r = vd_resource_read_fields(resource, document, reading);
	if (r < 0)
		return r;
	*ret = VD_TAKE(resource);
	return 0;
}

int vd_resource_parse(const json_t *document, json_t *notes, struct vd_resource **ret, struct vd_error *error)
{
	char object[VD_OBJECT_SIZE];
	struct vd_field_reading reading = {.object = object, .notes = notes, .error = error};
	const json_t *line = json_object_get(document, "#line");
	enum vd_kind kind = VD_KIND_HOST;
	int r;

	r = read_kind(document, &kind, error);
	if (r == 0) {
		guess_object(document, kind, object);
		r = read_document(document, kind, &reading, ret);
	}
	if (r == -EINVAL && json_is_integer(line))
		return vd_error_prefix(error, r, "line %d", (int)json_integer_value(line));
	return r;
}

/* --- writing --- */

void vd_resource_write_fields(const struct vd_resource *resource, bool assigned, json_t *object)
{
	const struct vd_kind_type *type = types[resource->kind];

	for (size_t i = 0; i < type->field_count; i++) {
		const struct vd_field *field = &type->fields[i];
		json_t *value;

		if (!field->name || field->is_assigned != assigned || !applies(field, resource))
			continue;
		value = vd_field_write(field, resource);
		if (value)
			json_object_set_new(object, field->name, value);
	}
}

json_t *vd_resource_document(const struct vd_resource *resource)
{
	json_t *document = json_object();
	const char *name = resource->name;

	if (resource->kind == VD_KIND_SECURITY_GROUP_RULE)
		name = vd_security_group_rule_own_name((const struct vd_security_group_rule *)resource);
	else if (types[resource->kind]->naming == VD_NAMING_DERIVED)
		name = NULL;
	json_object_set_new(document, "kind", json_string(types[resource->kind]->word));
	if (name)
		json_object_set_new(document, "name", json_string(name));
	if (strcmp(resource->project, VD_PROJECT_DEFAULT) != 0)
		json_object_set_new(document, "project", json_string(resource->project));
	if (resource->description)
		json_object_set_new(document, "description", json_string(resource->description));
	vd_resource_write_fields(resource, false, document);
	return document;
}

json_t *vd_resource_assigned(const struct vd_resource *resource)
{
	json_t *assigned = json_object();

	if (resource->id != 0)
		json_object_set_new(assigned, "id", json_integer(resource->id));
	vd_resource_write_fields(resource, true, assigned);
	return assigned;
}
