/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#define COLUMNS 6

static void resources_print(const json_t *status)
{
	VD_FREE char *revision = vd_json_text(status, "resources_revision");
	const char *plural;
	bool any = false;
	json_t *count;

	printf("revision %s", revision ? revision : "?");
	json_object_foreach (json_object_get(status, "resources"), plural, count) {
		if (json_integer_value(count) == 0)
			continue;
		printf("%s %s %" JSON_INTEGER_FORMAT, any ? "," : ":", plural, json_integer_value(count));
		any = true;
	}
	putchar('\n');
}

static void host_add(struct vd_text_table *table, const json_t *host)
{
	static const char *const paths[COLUMNS] = {"name", NULL, "revision", "underlay", "version", "api"};
	char *cells[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = paths[i] ? vd_json_text(host, paths[i]) : NULL;
	if (!json_is_true(json_object_get(host, "alive")))
		cells[1] = (char *)"daemon is away (traffic goes on)";
	else if (json_is_true(json_object_get(host, "behind")))
		cells[1] = (char *)"behind";
	else
		cells[1] = (char *)"up to date";
	vd_text_table_add(table, (const char *const *)cells);
	for (size_t i = 0; i < COLUMNS; i++)
		if (paths[i])
			free(cells[i]);
}

/* The routers' processes of one host: the one that is asked, or --host. One that cannot tell leaves the rest as it is. */
static void routers_print(struct vd_invocation *invocation)
{
	static const char *const headers[] = {"ROUTER", "PROJECT", "HOST", "PROCESS", "PID", "DNS QUERIES", "METADATA REQUESTS"};
	static const char *const paths[] = {"vpc", "project", NULL, "state", "pid", "dns.queries", "metadata.requests"};
	enum { ROUTER_COLUMNS = sizeof(paths) / sizeof(paths[0]) };
	const char *host = vd_invocation_option(invocation, "host");
	json_t *arguments = json_object(), *status = NULL, *router;
	struct vd_text_table *table;
	struct vd_error error = {0};
	size_t i;

	if (host)
		json_object_set_new(arguments, "host", json_string(host));
	if (vd_client_call(invocation->client, "POST", "/v1/live/status", arguments, &status, &error) == 0 &&
	    json_array_size(json_object_get(status, "routers")) > 0 && (table = vd_text_table_new(ROUTER_COLUMNS, headers))) {
		json_array_foreach (json_object_get(status, "routers"), i, router) {
			char *cells[ROUTER_COLUMNS];

			for (size_t column = 0; column < ROUTER_COLUMNS; column++)
				cells[column] = paths[column] ? vd_json_text(router, paths[column]) : vd_json_text(status, "host");
			vd_text_table_add(table, (const char *const *)cells);
			for (size_t column = 0; column < ROUTER_COLUMNS; column++)
				free(cells[column]);
		}
		putchar('\n');
		vd_text_table_print(table, stdout);
		vd_text_table_free(table);
	}
	json_decref(arguments);
	json_decref(status);
}

int vd_command_status(struct vd_invocation *invocation)
{
	static const char *const headers[COLUMNS] = {"HOST", "STATE", "REVISION", "UNDERLAY", "VERSION", "API"};
	struct vd_error error = {0};
	struct vd_text_table *table;
	json_t *status, *host;
	size_t i;

	if (vd_client_call(invocation->client, "GET", "/v1/status", NULL, &status, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(status);
	table = vd_text_table_new(COLUMNS, headers);
	if (!table)
		return vd_fail(&error);
	resources_print(status);
	json_array_foreach (json_object_get(status, "hosts"), i, host)
		host_add(table, host);
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	json_decref(status);
	routers_print(invocation);
	return VD_EXIT_DONE;
}

int vd_command_version(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	json_t *version = NULL;
	int r = vd_client_call(invocation->client, "GET", "/v1/version", NULL, &version, &error);

	if (vd_invocation_json(invocation)) {
		vd_print_json(json_pack("{s:s, s:o*}", "client", VD_VERSION, "server", version));
		return r ? vd_fail(&error) : VD_EXIT_DONE;
	}
	printf("viaduct %s\n", VD_VERSION);
	if (r)
		return vd_fail(&error);
	printf("viaductd %s on host %s\n", json_string_value(json_object_get(version, "version")),
	       json_string_value(json_object_get(version, "host")));
	json_decref(version);
	return VD_EXIT_DONE;
}
