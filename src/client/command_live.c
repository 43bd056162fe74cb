/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define RECENT_MAX 20

const struct vd_option vd_drops_options[] = {
	{'f', "follow", NULL, "show drops as they happen (sampled)"},
	{0, "host", "HOST", "ask that host (default: the one that is asked)"},
	{0},
};

const struct vd_option vd_flows_options[] = {
	{'f', "follow", NULL, "show new flows as they come"},
	{0, "port", "PORT", "only those from or to this port, on its host"},
	{0, "limit", "N", "at most so many (default 1000)"},
	{0, "host", "HOST", "ask that host (default: where the port is, else the one that is asked)"},
	{0},
};

/* "10.0.0.2:4000 -> 10.0.1.2:80 tcp" */
static char *tuple_text(const json_t *object)
{
	VD_FREE char *source = vd_json_text(object, "source"), *destination = vd_json_text(object, "destination");
	VD_FREE char *protocol = vd_json_text(object, "protocol");
	const json_t *from = json_object_get(object, "source_port"), *to = json_object_get(object, "destination_port");
	char *text = NULL;
	int r;

	if (!source || !*source || !destination)
		return strdup("");
	if (json_is_integer(from) && json_is_integer(to))
		r = asprintf(&text, strchr(source, ':') ? "[%s]:%d -> [%s]:%d %s" : "%s:%d -> %s:%d %s", source,
			     (int)json_integer_value(from), destination, (int)json_integer_value(to), protocol);
	else
		r = asprintf(&text, "%s -> %s %s", source, destination, protocol);
	return r < 0 ? NULL : text;
}

static char *time_text(const json_t *object)
{
	json_int_t nanoseconds = json_integer_value(json_object_get(object, "time"));
	time_t seconds = (time_t)(nanoseconds / 1000000000);
	char *text = NULL, clock[16];
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	return asprintf(&text, "%s.%03d", clock, (int)(nanoseconds / 1000000 % 1000)) < 0 ? NULL : text;
}

/* Whose security groups refused it. */
static void policy_print(const json_t *drop)
{
	VD_FREE char *port = vd_json_text(drop, "policy_port"), *direction = vd_json_text(drop, "direction");
	VD_FREE char *groups = vd_json_text(drop, "groups");

	if (!port || !*port)
		return;
	printf(" by %s of port %s", direction && *direction ? direction : "?", port);
	if (groups && *groups)
		printf(" (%s)", groups);
}

/* 12:00:00.123 source_check at port web1: 10.0.0.9 -> 10.0.1.2 icmp: sentence */
static void drop_print(const json_t *drop)
{
	VD_FREE char *clock = time_text(drop), *tuple = tuple_text(drop), *reason = vd_json_text(drop, "reason");
	VD_FREE char *port = vd_json_text(drop, "port"), *interface = vd_json_text(drop, "host_interface");
	VD_FREE char *route = vd_json_text(drop, "route"), *sentence = vd_json_text(drop, "sentence");
	VD_FREE char *network = vd_json_text(drop, "network"), *vip = vd_json_text(drop, "vip");

	if (json_object_get(drop, "lost")) {
		printf("(%" JSON_INTEGER_FORMAT " more were not shown)\n", json_integer_value(json_object_get(drop, "lost")));
		return;
	}
	printf("%s %s", clock, reason);
	if (port && *port)
		printf(" at port %s", port);
	else if (interface && *interface)
		printf(" at %s", interface);
	if (route && *route)
		printf(" by route %s", route);
	if (network && *network)
		printf(" on network %s%s%s", network, vip && *vip ? " as " : "", vip ? vip : "");
	policy_print(drop);
	printf(": %s%s%s\n", tuple, *tuple && *sentence ? ": " : "", sentence);
}

static bool drop_take(const json_t *drop, void *userdata)
{
	const struct vd_invocation *invocation = userdata;

	if (vd_invocation_json(invocation)) {
		json_dumpf(drop, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		drop_print(drop);
	}
	return fflush(stdout) == 0;
}

static int drops_print(const json_t *reply)
{
	static const char *const headers[] = {"REASON", "PACKETS", "BYTES", "WHY"}, *const paths[] = {"reason", "packets", "bytes",
												      "sentence"};
	const json_t *recent = json_object_get(reply, "recent"), *drop;
	struct vd_text_table *table = vd_text_table_new(4, headers);
	struct vd_error error = {0};
	char *cells[4];
	size_t i, count = json_array_size(recent);

	if (!table)
		return vd_fail(&error);
	json_array_foreach (json_object_get(reply, "drops"), i, drop) {
		for (size_t column = 0; column < 4; column++)
			cells[column] = vd_json_text(drop, paths[column]);
		vd_text_table_add(table, (const char *const *)cells);
		for (size_t column = 0; column < 4; column++)
			free(cells[column]);
	}
	if (!json_array_size(json_object_get(reply, "drops")))
		puts("nothing was dropped");
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	if (json_integer_value(json_object_get(reply, "kernel")))
		printf("\nThe kernel dropped %" JSON_INTEGER_FORMAT " more on Viaduct's interfaces.\n",
		       json_integer_value(json_object_get(reply, "kernel")));
	if (count)
		puts("\nThe last ones:");
	for (i = count > RECENT_MAX ? count - RECENT_MAX : 0; i < count; i++)
		drop_print(json_array_get(recent, i));
	return VD_EXIT_DONE;
}

static int ask(struct vd_invocation *invocation, const char *path, json_t *arguments, json_t **ret)
{
	struct vd_error error = {0};
	int r = vd_client_call(invocation->client, "POST", path, arguments, ret, &error);

	json_decref(arguments);
	return r ? vd_fail(&error) : VD_EXIT_DONE;
}

static int follow(struct vd_invocation *invocation, const char *path, json_t *arguments,
		  bool (*take)(const json_t *object, void *userdata))
{
	struct vd_error error = {0};
	int r = vd_client_stream(invocation->client, "POST", path, arguments, take, invocation, &error);

	json_decref(arguments);
	return r ? vd_fail(&error) : VD_EXIT_DONE;
}

int vd_command_drops(struct vd_invocation *invocation)
{
	json_t *arguments = json_pack("{s:s*}", "host", vd_invocation_option(invocation, "host")), *reply;
	int status;

	if (vd_invocation_has(invocation, "follow"))
		return follow(invocation, "/v1/live/drops?stream=true", arguments, drop_take);
	status = ask(invocation, "/v1/live/drops", arguments, &reply);
	if (status)
		return status;
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	status = drops_print(reply);
	json_decref(reply);
	return status;
}

static bool flow_take(const json_t *flow, void *userdata)
{
	const struct vd_invocation *invocation = userdata;
	VD_FREE char *tuple = tuple_text(flow), *from = vd_json_text(flow, "from_port|from_vni"),
		     *to = vd_json_text(flow, "to_port|to_vtep");

	if (vd_invocation_json(invocation)) {
		json_dumpf(flow, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		printf("%s from %s to %s\n", tuple, from && *from ? from : "?", to && *to ? to : "?");
	}
	return fflush(stdout) == 0;
}

static int rows_print(const json_t *rows, const char *const *headers, const char *const *paths, size_t columns)
{
	struct vd_text_table *table = vd_text_table_new(columns, headers);
	struct vd_error error = {0};
	const json_t *row;
	char *cells[8];
	size_t i;

	if (!table)
		return vd_fail(&error);
	json_array_foreach (rows, i, row) {
		for (size_t column = 0; column < columns; column++)
			cells[column] = column ? vd_json_text(row, paths[column]) : tuple_text(row);
		vd_text_table_add(table, (const char *const *)cells);
		for (size_t column = 0; column < columns; column++)
			free(cells[column]);
	}
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	return VD_EXIT_DONE;
}

static int flows_print(const json_t *reply)
{
	static const char *const flow_headers[] = {"FLOW", "FROM", "TO", "PACKETS", "BYTES", "IDLE"};
	static const char *const flow_paths[] = {NULL,  "from_port|from_vni", "to_port|to_vtep|to_interface", "packets", "bytes",
						 "idle"};
	static const char *const connection_headers[] = {"CONNECTION", "VPC", "STATE", "AGE", "IDLE"};
	static const char *const connection_paths[] = {NULL, "vpc", "state", "age", "idle"};
	const json_t *flows = json_object_get(reply, "flows"), *connections = json_object_get(reply, "connections");
	int status;

	if (!json_array_size(flows) && !json_array_size(connections)) {
		puts("there are none");
		return VD_EXIT_DONE;
	}
	status = rows_print(flows, flow_headers, flow_paths, sizeof(flow_paths) / sizeof(*flow_paths));
	if (status || !json_array_size(connections))
		return status;
	putchar('\n');
	return rows_print(connections, connection_headers, connection_paths, sizeof(connection_paths) / sizeof(*connection_paths));
}

int vd_command_flows(struct vd_invocation *invocation)
{
	const char *limit = vd_invocation_option(invocation, "limit");
	json_t *arguments, *reply;
	char *end = NULL;
	long most = limit ? strtol(limit, &end, 10) : 1000;
	int status;

	if (limit && (*end || most < 1))
		return vd_fail_usage(invocation, "--limit %s: is no number", limit);
	arguments = json_pack("{s:s, s:I, s:s*, s:s*}", "project", vd_invocation_project(invocation), "limit", (json_int_t)most,
			      "port", vd_invocation_option(invocation, "port"), "host", vd_invocation_option(invocation, "host"));
	if (vd_invocation_has(invocation, "follow"))
		return follow(invocation, "/v1/live/flows?stream=true", arguments, flow_take);
	status = ask(invocation, "/v1/live/flows", arguments, &reply);
	if (status)
		return status;
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	status = flows_print(reply);
	json_decref(reply);
	return status;
}

int vd_command_neighbours(struct vd_invocation *invocation)
{
	static const char *const headers[] = {"NETWORK", "ADDRESS", "MAC", "STATE", "HEARD", "NEXT HOP"};
	static const char *const paths[] = {"network", "address", "mac", "state", "confirmed", "next_hop"};
	enum { COLUMNS = sizeof(paths) / sizeof(paths[0]) };
	json_t *arguments = json_pack("{s:s*}", "host", vd_invocation_option(invocation, "host")), *reply;
	int status = ask(invocation, "/v1/live/neighbours", arguments, &reply);

	if (status)
		return status;
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	if (json_array_size(json_object_get(reply, "neighbours")) == 0)
		puts("there are none");
	else
		status = vd_print_rows(json_object_get(reply, "neighbours"), NULL, headers, paths, COLUMNS);
	json_decref(reply);
	return status;
}

int vd_command_plan(struct vd_invocation *invocation)
{
	json_t *arguments = json_pack("{s:s*}", "host", vd_invocation_option(invocation, "host")), *reply;
	const char *text;
	int status = ask(invocation, "/v1/live/plan", arguments, &reply);

	if (status)
		return status;
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	text = json_string_value(json_object_get(reply, "text"));
	fputs(text ? text : "", stdout);
	json_decref(reply);
	return VD_EXIT_DONE;
}
