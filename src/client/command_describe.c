/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#include <errno.h>
#include <string.h>

/* "name: value" lines; what holds more is indented below its name. */
static void members_print(const json_t *object, int indent)
{
	VD_FREE char *text = NULL;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value) {
		if (json_is_object(value)) {
			printf("%*s%s:\n", indent, "", name);
			members_print(value, indent + 2);
			continue;
		}
		text = vd_json_text(object, name);
		printf("%*s%s: %s\n", indent, "", name, text ? text : "");
		free(text);
		text = NULL;
	}
}

static void section_print(const json_t *item, const char *member, const char *title)
{
	const json_t *section = json_object_get(item, member);

	if (!json_object_size(section))
		return;
	printf("%s:\n", title);
	members_print(section, 2);
}

/* Rows of an array, with the columns that paths lead to. */
static void table_print(const json_t *array, size_t columns, const char *const *headers, const char *const *paths)
{
	struct vd_text_table *table = vd_text_table_new(columns, headers);
	const json_t *row;
	size_t i;

	if (!table)
		return;
	json_array_foreach (array, i, row) {
		char *cells[8] = {NULL};

		for (size_t j = 0; j < columns; j++)
			cells[j] = vd_json_text(row, paths[j]);
		vd_text_table_add(table, (const char *const *)cells);
		for (size_t j = 0; j < columns; j++)
			free(cells[j]);
	}
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
}

static void rules_print(const json_t *rules)
{
	static const char *const headers[] = {"DIRECTION", "PROTOCOL", "PORTS", "TYPE", "REMOTE CIDR", "REMOTE GROUP", "RULE"};
	static const char *const paths[] = {"direction", "protocol", "ports", "icmp_type", "remote_cidr", "remote_group", "name"};

	table_print(rules, sizeof(headers) / sizeof(*headers), headers, paths);
}

static bool has_ingress(const json_t *rules)
{
	const char *direction;
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		direction = json_string_value(json_object_get(rule, "direction"));
		if (direction && !strcmp(direction, "ingress"))
			return true;
	}
	return false;
}

/* What a port's groups allow together. */
static void policy_print(const json_t *policy)
{
	const json_t *rules = json_object_get(policy, "rules");

	if (!policy)
		return;
	if (!json_is_true(json_object_get(policy, "filtered"))) {
		puts("security: unfiltered (it is in no security group)");
		return;
	}
	printf("security:\n  ingress: %s\n  egress: %s\n",
	       has_ingress(rules) ? "what these rules allow" : "closed (none of its groups has a rule for it)",
	       json_is_true(json_object_get(policy, "egress_open")) ? "open (none of its groups has a rule for it but default ones)"
								    : "what these rules allow");
	rules_print(rules);
}

static void members_of_group_print(const json_t *item)
{
	static const char *const headers[] = {"PORT", "SUBNET", "ADDRESSES"};
	static const char *const paths[] = {"name", "subnet|network", "addresses"};
	const json_t *rules = json_object_get(item, "rules"), *ports = json_object_get(item, "ports");

	if (!rules || !ports)
		return;
	puts(json_array_size(rules) ? "rules:" : "rules: none");
	rules_print(rules);
	puts(json_array_size(ports) ? "ports:" : "ports: none");
	table_print(ports, sizeof(headers) / sizeof(*headers), headers, paths);
}

int vd_command_describe(struct vd_invocation *invocation)
{
	VD_FREE char *kind = vd_client_escape(invocation->arguments[0]), *begin = NULL, *path = NULL;
	struct vd_error error = {0};
	json_t *item;

	if (!kind || asprintf(&begin, "/v1/%s", kind) < 0)
		return vd_fail(&error);
	path = vd_path_build(begin, invocation->arguments[1], "project", vd_invocation_project(invocation), NULL);
	if (!path || vd_client_call(invocation->client, "GET", path, NULL, &item, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(item);
	printf("%s %s (project %s)\n", json_string_value(json_object_get(item, "kind")),
	       json_string_value(json_object_get(item, "name")), json_string_value(json_object_get(item, "project")));
	section_print(item, "document", "document");
	section_print(item, "assigned", "assigned");
	section_print(item, "attachment", "attached");
	section_print(item, "claim", "reported by the host");
	section_print(item, "gateway", "held by the gateway host");
	section_print(item, "status", "status");
	policy_print(json_object_get(item, "policy"));
	members_of_group_print(item);
	json_decref(item);
	return VD_EXIT_DONE;
}

static int kinds_print(const json_t *kinds)
{
	const char *headers[] = {"KIND", "WHAT IT IS"};
	struct vd_text_table *table = vd_text_table_new(2, headers);
	struct vd_error error = {0};
	const json_t *kind;
	size_t i;

	if (!table)
		return vd_fail(&error);
	json_array_foreach (kinds, i, kind) {
		const char *cells[] = {json_string_value(json_object_get(kind, "kind")),
				       json_string_value(json_object_get(kind, "help"))};

		vd_text_table_add(table, cells);
	}
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	return VD_EXIT_DONE;
}

static void field_print(const json_t *field)
{
	VD_FREE char *values = vd_json_text(field, "values");
	const char *value = json_string_value(json_object_get(field, "default"));
	const char *singular = json_string_value(json_object_get(field, "singular"));

	printf("  %s%s%s: %s%s%s", json_string_value(json_object_get(field, "name")), singular ? " or " : "",
	       singular ? singular : "", values && *values ? "one of " : "",
	       values && *values ? values : json_string_value(json_object_get(field, "type")),
	       json_is_true(json_object_get(field, "required")) ? " (needed)" : "");
	if (value)
		printf(" (default %s)", value);
	printf("\n      %s\n", json_string_value(json_object_get(field, "help")));
}

static void fields_print(const json_t *kind, bool assigned, const char *title)
{
	const json_t *fields = json_object_get(kind, "fields"), *field;
	bool first = true;
	size_t i;

	json_array_foreach (fields, i, field) {
		if (json_is_true(json_object_get(field, "assigned")) != assigned)
			continue;
		if (first)
			printf("\n%s:\n", title);
		first = false;
		field_print(field);
	}
}

static const json_t *kind_find(const json_t *kinds, const char *word)
{
	const char *own, *plural;
	const json_t *kind;
	size_t i;

	json_array_foreach (kinds, i, kind) {
		own = json_string_value(json_object_get(kind, "kind"));
		plural = json_string_value(json_object_get(kind, "plural"));
		if (own && plural && (!strcmp(own, word) || !strcmp(plural, word)))
			return kind;
	}
	return NULL;
}

static int kind_print(const json_t *kinds, const char *word)
{
	const json_t *kind = kind_find(kinds, word);
	struct vd_error error = {0};

	if (!kind) {
		vd_error_set(&error, -ENOENT, "unknown kind \"%s\": \"viaduct explain\" lists them", word);
		return vd_fail(&error);
	}
	printf("%s: %s\n", json_string_value(json_object_get(kind, "kind")), json_string_value(json_object_get(kind, "help")));
	fields_print(kind, false, "Fields of its documents");
	fields_print(kind, true, "Assigned to it");
	return VD_EXIT_DONE;
}

int vd_command_explain(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	const json_t *kinds;
	json_t *reply;
	int status;

	if (vd_client_call(invocation->client, "GET", "/v1/kinds", NULL, &reply, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	kinds = json_object_get(reply, "kinds");
	status = invocation->argument_count ? kind_print(kinds, invocation->arguments[0]) : kinds_print(kinds);
	json_decref(reply);
	return status;
}
