/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A host as a node of container networks, and the containers on it. */

#define LOOK_MS 100
/* How long join waits for blocks, and leave for their end, where nothing else is said: seconds. */
#define JOIN_SECONDS 10
#define LEAVE_SECONDS 3

const struct vd_option vd_join_options[] = {
	{0, "port", "PORT", "the port that this host has as an instance inside a VPC"},
	{0, "lan", "TEXT", "nodes with the same text reach each other without a gateway (default: the underlay's prefix)"},
	{0, "host", "HOST", "let that host join (default: the one that is asked)"},
	{0, "timeout", "SECONDS", "how long it waits for blocks (default 10)"},
	{0},
};

const struct vd_option vd_leave_options[] = {
	{0, "host", "HOST", "let that host leave (default: the one that is asked)"},
	{0, "timeout", "SECONDS", "how long it waits until the blocks are given back (default 3)"},
	{0},
};

static void json_cleanup(json_t **value)
{
	json_decref(*value);
}

#define JSON VD_CLEANUP(json_cleanup) json_t

static int get(struct vd_invocation *invocation, const char *begin, const char *name, json_t **ret, struct vd_error *error)
{
	VD_FREE char *path = vd_path_build(begin, name, "project", vd_invocation_project(invocation), NULL);

	return path ? vd_client_call(invocation->client, "GET", path, NULL, ret, error) : -ENOMEM;
}

static int post(struct vd_invocation *invocation, const char *begin, const json_t *document, struct vd_error *error)
{
	VD_FREE char *path = vd_path_build(begin, NULL, "project", vd_invocation_project(invocation), NULL);
	JSON *documents = json_pack("[O]", document);

	return path && documents ? vd_client_call(invocation->client, "POST", path, documents, NULL, error) : -ENOMEM;
}

/* --host, or whom we ask; a string to free. */
static char *host_name(struct vd_invocation *invocation, struct vd_error *error)
{
	const char *given = vd_invocation_option(invocation, "host");
	JSON *version = NULL;

	if (given)
		return strdup(given);
	if (vd_client_call(invocation->client, "GET", "/v1/version", NULL, &version, error))
		return NULL;
	return vd_json_text(version, "host");
}

/* The node's document as it stands; an empty object when there is none. */
static int node_document(struct vd_invocation *invocation, const char *host, json_t **ret, struct vd_error *error)
{
	JSON *item = NULL;
	int r = get(invocation, "/v1/nodes", host, &item, error);

	if (r == -ENOENT) {
		*ret = json_object();
		return *ret ? 0 : -ENOMEM;
	}
	if (r == 0)
		*ret = json_deep_copy(json_object_get(item, "document"));
	return r;
}

static bool list_has(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
			return true;
	return false;
}

static bool is_named(const struct vd_invocation *invocation, const char *network)
{
	for (size_t i = 0; i < invocation->argument_count; i++)
		if (strcmp(invocation->arguments[i], network) == 0)
			return true;
	return false;
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* The blocks that the host holds of the networks named on the command line (none named: of any); an array of items. */
static int blocks_of(struct vd_invocation *invocation, const char *host, json_t **ret, struct vd_error *error)
{
	JSON *reply = NULL;
	const json_t *item;
	size_t i;
	int r = get(invocation, "/v1/container_blocks", NULL, &reply, error);

	if (r < 0)
		return r;
	*ret = json_array();
	json_array_foreach (json_object_get(reply, "items"), i, item) {
		const json_t *document = json_object_get(item, "document");

		if (strcmp(member(document, "node"), host) == 0 &&
		    strcmp(member(json_object_get(item, "assigned"), "state"), "held") == 0 &&
		    (invocation->argument_count == 0 || is_named(invocation, member(document, "container_network"))))
			json_array_append(*ret, (json_t *)item);
	}
	return 0;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
}

/* How often to look before it is said what is still missing. */
static unsigned long looks(const struct vd_invocation *invocation, unsigned long seconds)
{
	const char *given = vd_invocation_option(invocation, "timeout");

	return (given ? strtoul(given, NULL, 10) : seconds) * 1000 / LOOK_MS + 1;
}

/* ---- join ---- */

static int join_document(struct vd_invocation *invocation, const char *host, json_t *document)
{
	const char *port = vd_invocation_option(invocation, "port"), *lan = vd_invocation_option(invocation, "lan");
	json_t *networks = json_object_get(document, "container_networks");

	if (!networks) {
		networks = json_array();
		json_object_set_new(document, "container_networks", networks);
	}
	json_object_set_new(document, "kind", json_string("node"));
	json_object_set_new(document, "name", json_string(host));
	if (port)
		json_object_set_new(document, "port", json_string(port));
	if (lan)
		json_object_set_new(document, "lan", json_string(lan));
	for (size_t i = 0; i < invocation->argument_count; i++)
		if (!list_has(networks, invocation->arguments[i]))
			json_array_append_new(networks, json_string(invocation->arguments[i]));
	return networks ? 0 : -ENOMEM;
}

/* How the node stands in one network: "" when it has what it needs there. ret_reason: why not, to free. */
static bool stands_in(const json_t *node, const char *network, char **ret_reason)
{
	const json_t *part = json_object_get(json_object_get(json_object_get(node, "status"), "container_networks"), network);

	*ret_reason = vd_json_text(part, "reason");
	return strcmp(member(part, "state"), "waiting") != 0 && strcmp(member(part, "state"), "silent") != 0;
}

static bool all_stand(const struct vd_invocation *invocation, const json_t *node)
{
	bool all = true;

	for (size_t i = 0; i < invocation->argument_count; i++) {
		VD_FREE char *reason = NULL;

		all &= stands_in(node, invocation->arguments[i], &reason);
	}
	return all;
}

static void blocks_print(const char *host, const json_t *blocks)
{
	const json_t *item;
	size_t i;

	json_array_foreach (blocks, i, item) {
		const json_t *document = json_object_get(item, "document");

		printf("node %s holds %s of container_network %s\n", host, member(document, "cidr"),
		       member(document, "container_network"));
	}
}

/* Says what it has, and what it still waits for. */
static int join_report(struct vd_invocation *invocation, const char *host, const json_t *node)
{
	struct vd_error error = {0};
	JSON *blocks = NULL;
	int status = VD_EXIT_DONE;

	if (blocks_of(invocation, host, &blocks, &error))
		return vd_fail(&error);
	blocks_print(host, blocks);
	for (size_t i = 0; i < invocation->argument_count; i++) {
		VD_FREE char *reason = NULL;

		if (stands_in(node, invocation->arguments[i], &reason))
			continue;
		vd_error_set(&error, -EAGAIN, "container_network %s: %s", invocation->arguments[i],
			     reason && *reason ? reason : "this node has no part in it yet");
		status = vd_fail(&error);
	}
	return status;
}

int vd_command_join(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	VD_FREE char *host = host_name(invocation, &error);
	JSON *document = NULL, *node = NULL;

	if (!host || node_document(invocation, host, &document, &error) || join_document(invocation, host, document) ||
	    post(invocation, "/v1/apply", document, &error))
		return vd_fail(&error);
	for (unsigned long left = looks(invocation, JOIN_SECONDS); left > 0; left--) {
		json_decref(node);
		node = NULL;
		if (get(invocation, "/v1/nodes", host, &node, &error))
			return vd_fail(&error);
		if (all_stand(invocation, node))
			break;
		if (left > 1)
			pause_shortly();
	}
	if (vd_invocation_json(invocation))
		return vd_print_json(json_incref(node));
	printf("node %s takes part in %s", host, invocation->arguments[0]);
	for (size_t i = 1; i < invocation->argument_count; i++)
		printf(", %s", invocation->arguments[i]);
	putchar('\n');
	return join_report(invocation, host, node);
}

/* ---- leave ---- */

/* Takes the named networks out; false when it was in none of them. */
static bool leave_document(const struct vd_invocation *invocation, json_t *document)
{
	json_t *networks = json_object_get(document, "container_networks");
	size_t before = json_array_size(networks);

	for (size_t i = before; i > 0; i--)
		if (invocation->argument_count == 0 || is_named(invocation, json_string_value(json_array_get(networks, i - 1))))
			json_array_remove(networks, i - 1);
	return json_array_size(networks) < before;
}

static int leave_write(struct vd_invocation *invocation, const json_t *document, struct vd_error *error)
{
	bool any = json_array_size(json_object_get(document, "container_networks")) > 0;

	return post(invocation, any ? "/v1/apply" : "/v1/delete", document, error);
}

/* Why the blocks are still there: the host itself counts its containers. */
static void leaving_print(struct vd_invocation *invocation, const char *host, const json_t *blocks)
{
	JSON *arguments = json_pack("{s:s}", "host", host), *status = NULL;
	struct vd_error error = {0};
	const json_t *item;
	size_t i;

	vd_client_call(invocation->client, "POST", "/v1/live/status", arguments, &status, &error);
	json_array_foreach (json_object_get(status, "leaving"), i, item)
		printf("leaving: %" JSON_INTEGER_FORMAT " containers still stand in %s of container_network %s\n",
		       json_integer_value(json_object_get(item, "containers")), member(item, "block"),
		       member(item, "container_network"));
	printf("node %s gives %zu %s back when nothing stands there any more\n", host, json_array_size(blocks),
	       json_array_size(blocks) == 1 ? "block" : "blocks");
}

int vd_command_leave(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	VD_FREE char *host = host_name(invocation, &error);
	JSON *document = NULL, *blocks = NULL;

	if (!host || node_document(invocation, host, &document, &error))
		return vd_fail(&error);
	if (!leave_document(invocation, document)) {
		vd_error_set(&error, -ENOENT, "node %s takes part in %s; \"viaduct get nodes\" lists who does", host,
			     invocation->argument_count ? "none of these networks" : "no container network");
		return vd_fail(&error);
	}
	if (leave_write(invocation, document, &error))
		return vd_fail(&error);
	printf("node %s leaves\n", host);
	for (unsigned long left = looks(invocation, LEAVE_SECONDS); left > 0; left--) {
		json_decref(blocks);
		blocks = NULL;
		if (blocks_of(invocation, host, &blocks, &error))
			return vd_fail(&error);
		if (json_array_size(blocks) == 0)
			return VD_EXIT_DONE;
		if (left > 1)
			pause_shortly();
	}
	leaving_print(invocation, host, blocks);
	return VD_EXIT_DONE;
}

/* ---- containers ---- */

/* For people: for how long, and the side of the link that there is. */
static void row_complete(json_t *row, time_t now)
{
	json_int_t since = json_integer_value(json_object_get(row, "since"));

	json_object_set_new(row, "age", json_sprintf("%lld s", (long long)now - (long long)since));
}

int vd_command_containers(struct vd_invocation *invocation)
{
	static const char *const headers[] = {"NETWORK", "ADDRESSES", "STATE", "INTERFACE", "NAMESPACE", "AGE", "KEY"};
	static const char *const paths[] = {"network", "addresses", "state", "ifname", "netns|peer_ifname", "age", "key"};
	VD_FREE char *path = vd_path_build("/v1/containers", NULL, "host", vd_invocation_option(invocation, "host"), NULL);
	struct vd_error error = {0};
	JSON *reply = NULL;
	json_t *rows, *row;
	size_t i;

	if (!path || vd_client_call(invocation->client, "GET", path, NULL, &reply, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(json_incref(reply));
	rows = json_object_get(reply, "containers");
	if (json_array_size(rows) == 0) {
		fputs("there are none\n", stderr);
		return VD_EXIT_DONE;
	}
	json_array_foreach (rows, i, row)
		row_complete(row, time(NULL));
	return vd_print_rows(rows, NULL, headers, paths, sizeof(paths) / sizeof(*paths));
}
