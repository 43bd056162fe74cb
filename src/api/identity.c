/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identity.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

bool vd_identity_is_name(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size < VD_NAME_SIZE && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size &&
	       isalnum((unsigned char)text[0]);
}

int vd_identity_kind(const char *word, enum vd_kind *ret, struct vd_error *error)
{
	char known[512] = "";
	size_t size = 0;

	if (vd_kind_parse(word, false, ret) == 0)
		return 0;
	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		size += (size_t)snprintf(known + size, sizeof(known) - size, "%s%s", kind ? ", " : "",
					 vd_kind_word((enum vd_kind)kind));
	return vd_error_set(error, -ENOENT, "unknown kind \"%.60s\": known are %s", word, known);
}

static int route_normalise(const char *table, const char *destination, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	struct vd_prefix prefix;
	char text[VD_PREFIX_TEXT];

	if (!vd_identity_is_name(table))
		return vd_error_set(error, -EINVAL,
				    "route \"%.70s/%.60s\": what stands before the first '/' is no table's or VPC's name", table,
				    destination);
	if (vd_prefix_parse(destination, &prefix) < 0)
		return vd_error_set(error, -EINVAL, "route \"%.70s/%.60s\": \"%.60s\" is no destination like 10.0.2.0/24", table,
				    destination, destination);
	vd_prefix_normalise(&prefix);
	snprintf(ret, VD_IDENTITY_SIZE, "%s/%s", table, vd_prefix_format(&prefix, text));
	return 0;
}

static int policy_route_normalise(const char *table, const char *priority, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	size_t size = strlen(priority);

	if (!vd_identity_is_name(table) || size == 0 || size > 5 || strspn(priority, "0123456789") != size || priority[0] == '0')
		return vd_error_set(
			error, -EINVAL,
			"policy_route \"%.70s/%.20s\": a policy route is named by its table and priority, like demo/100", table,
			priority);
	snprintf(ret, VD_IDENTITY_SIZE, "%s/%s", table, priority);
	return 0;
}

/* A rule is named by its group and what it is called there, or what it says: "web/ingress-tcp-22-10.0.0.0/8". */
static int rule_normalise(const char *name, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	const char *slash = strchr(name, '/');
	VD_FREE char *group = slash ? strndup(name, (size_t)(slash - name)) : NULL;

	if (slash && !group)
		return -ENOMEM;
	if (!slash || !vd_identity_is_name(group) || !slash[1] || strlen(name) >= VD_IDENTITY_SIZE ||
	    strspn(slash + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-/:") != strlen(slash + 1))
		return vd_error_set(error, -EINVAL,
				    "security_group_rule \"%.70s\": a rule is named by its group and name, like web/ingress-tcp-22",
				    name);
	strcpy(ret, name);
	return 0;
}

static int block_normalise(const char *network, const char *cidr, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	struct vd_prefix prefix;
	char text[VD_PREFIX_TEXT];

	if (!vd_identity_is_name(network) || vd_prefix_parse(cidr, &prefix) < 0)
		return vd_error_set(error, -EINVAL,
				    "container_block \"%.70s/%.60s\": a block is named by its container_network and CIDR, like "
				    "apps/10.0.2.0/24",
				    network, cidr);
	vd_prefix_normalise(&prefix);
	snprintf(ret, VD_IDENTITY_SIZE, "%s/%s", network, vd_prefix_format(&prefix, text));
	return 0;
}

int vd_identity_normalise(enum vd_kind kind, const char *name, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	const char *slash = strchr(name, '/');
	VD_FREE char *table = NULL;

	if (kind == VD_KIND_ROUTE) {
		if (!slash)
			return vd_error_set(error, -EINVAL,
					    "route \"%.60s\": a route is named by its table and destination, like demo/10.0.2.0/24",
					    name);
		table = strndup(name, (size_t)(slash - name));
		return table ? route_normalise(table, slash + 1, ret, error) : -ENOMEM;
	}
	if (kind == VD_KIND_POLICY_ROUTE) {
		table = strndup(name, slash ? (size_t)(slash - name) : strlen(name));
		return table ? policy_route_normalise(table, slash ? slash + 1 : "", ret, error) : -ENOMEM;
	}
	if (kind == VD_KIND_CONTAINER_BLOCK) {
		table = strndup(name, slash ? (size_t)(slash - name) : strlen(name));
		return table ? block_normalise(table, slash ? slash + 1 : "", ret, error) : -ENOMEM;
	}
	if (kind == VD_KIND_SECURITY_GROUP_RULE)
		return rule_normalise(name, ret, error);
	if (!vd_identity_is_name(name))
		return vd_error_set(
			error, -EINVAL,
			"%s \"%.70s\": a name has a-z, 0-9, '.', '_' and '-', at most 63, and starts with a letter or digit",
			vd_kind_word(kind), name);
	strcpy(ret, name);
	return 0;
}

static int member_text(const json_t *document, size_t index, const char *member, const char **ret, struct vd_error *error)
{
	const json_t *value = json_object_get(document, member);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return vd_error_set(error, -EINVAL, "document %zu: %s is no text", index + 1, member);
	*ret = json_string_value(value);
	return 0;
}

/* The identity that a route's document stands for: its table, or its VPC's main one, and its destination or priority. */
static int route_name(const json_t *document, enum vd_kind kind, size_t index, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	const json_t *priority = json_object_get(document, "priority");
	const char *table, *vpc, *destination;
	char number[24];
	int r;

	r = member_text(document, index, "table", &table, error);
	if (!r)
		r = member_text(document, index, "vpc", &vpc, error);
	if (!r)
		r = member_text(document, index, "destination", &destination, error);
	if (r)
		return r;
	if (!table || (vpc && !strcmp(table, "main")))
		table = vpc;
	if (!table)
		return vd_error_set(error, -EINVAL, "document %zu: a %s is named by its name, or by its vpc or table and its %s",
				    index + 1, vd_kind_word(kind), kind == VD_KIND_ROUTE ? "destination" : "priority");
	if (kind == VD_KIND_POLICY_ROUTE) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(priority));
		return policy_route_normalise(table, number, ret, error);
	}
	return route_normalise(table, destination ? destination : "0.0.0.0/0", ret, error);
}

/* A rule's document says its group apart from its name, and may have no name. */
static int rule_name(const json_t *document, size_t index, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	struct vd_resource *rule;
	const char *group, *name;
	int r;

	r = member_text(document, index, "group", &group, error);
	if (!r)
		r = member_text(document, index, "name", &name, error);
	if (r)
		return r;
	if (group && name && vd_identity_is_name(group) && vd_identity_is_name(name)) {
		snprintf(ret, VD_IDENTITY_SIZE, "%s/%s", group, name);
		return 0;
	}
	r = vd_resource_parse(document, NULL, &rule, error);
	if (r)
		return vd_error_prefix(error, r, "document %zu", index + 1);
	strcpy(ret, rule->name);
	vd_resource_unref(rule);
	return 0;
}

static int block_name(const json_t *document, size_t index, char ret[VD_IDENTITY_SIZE], struct vd_error *error)
{
	const char *network, *cidr;
	int r;

	r = member_text(document, index, "container_network", &network, error);
	if (!r)
		r = member_text(document, index, "cidr", &cidr, error);
	if (r)
		return r;
	if (!network || !cidr)
		return vd_error_set(error, -EINVAL,
				    "document %zu: a container_block is named by its name, or by its container_network and cidr",
				    index + 1);
	return block_normalise(network, cidr, ret, error);
}

static int identity_parse(const json_t *document, size_t index, const char *project, struct vd_identity *ret,
			  struct vd_error *error)
{
	const char *word, *name, *own;
	char text[VD_IDENTITY_SIZE];
	enum vd_kind kind;
	int r;

	if (!json_is_object(document))
		return vd_error_set(error, -EINVAL, "document %zu: is no object with kind and name", index + 1);
	r = member_text(document, index, "kind", &word, error);
	if (!r)
		r = member_text(document, index, "project", &own, error);
	if (!r)
		r = member_text(document, index, "name", &name, error);
	if (r)
		return r;
	if (!word)
		return vd_error_set(error, -EINVAL, "document %zu: has no kind", index + 1);
	r = vd_identity_kind(word, &kind, error);
	if (r)
		return vd_error_prefix(error, -EINVAL, "document %zu", index + 1);
	if (own && !vd_identity_is_name(own))
		return vd_error_set(error, -EINVAL, "document %zu: project \"%.70s\" is no project's name", index + 1, own);
	if (kind == VD_KIND_SECURITY_GROUP_RULE && json_object_get(document, "group"))
		r = rule_name(document, index, text, error);
	else if (name)
		r = vd_identity_normalise(kind, name, text, error);
	else if (kind == VD_KIND_CONTAINER_BLOCK)
		r = block_name(document, index, text, error);
	else if (kind == VD_KIND_ROUTE || kind == VD_KIND_POLICY_ROUTE)
		r = route_name(document, kind, index, text, error);
	else
		r = vd_error_set(error, -EINVAL, "document %zu: this %s has no name", index + 1, word);
	if (r)
		return r;
	ret->kind = kind;
	if (!own && vd_kind_is_shared(kind))
		project = "default";
	ret->project = strdup(own ? own : project);
	ret->name = strdup(text);
	return ret->project && ret->name ? 0 : -ENOMEM;
}

int vd_identities_parse(const json_t *documents, const char *project, struct vd_identities **ret, struct vd_error *error)
{
	struct vd_identities *identities;
	int r = 0;

	if (!json_is_array(documents))
		return vd_error_set(error, -EINVAL, "what to delete is no list of documents");
	identities = calloc(1, sizeof(*identities));
	if (!identities)
		return -ENOMEM;
	identities->items = calloc(json_array_size(documents) + 1, sizeof(*identities->items));
	if (!identities->items)
		r = -ENOMEM;
	for (size_t i = 0; !r && i < json_array_size(documents); i++)
		r = identity_parse(json_array_get(documents, i), i, project, &identities->items[identities->count++], error);
	if (r) {
		vd_identities_free(identities);
		return r;
	}
	*ret = identities;
	return 0;
}

void vd_identities_free(struct vd_identities *identities)
{
	if (!identities)
		return;
	for (size_t i = 0; i < identities->count; i++) {
		free((char *)identities->items[i].project);
		free((char *)identities->items[i].name);
	}
	free(identities->items);
	free(identities);
}
