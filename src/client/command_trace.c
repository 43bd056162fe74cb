/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

#include <errno.h>
#include <string.h>

/* Hosts on one packet's way: more are a loop. */
#define HOSTS_MAX 8

const struct vd_option vd_trace_options[] = {
	{0, "source", "ADDRESS", "the packet's source, if not the port's own address (an instance that forwards for others)"},
	{0, "host", "HOST",
	 "from outside: the host whose uplink it comes in by; from a container: its node (default: the one that is asked)"},
	{0, "ttl", "N", "its TTL or hop limit (default 64)"},
	{0, "size", "BYTES", "of its payload (default 56)"},
	{0},
};

static int number_add(const struct vd_invocation *invocation, json_t *arguments, const char *name, const char *text, long maximum)
{
	char *end;
	long number;

	if (!text)
		return VD_EXIT_DONE;
	number = strtol(text, &end, 10);
	if (!*text || *end || number < 0 || number > maximum)
		return vd_fail_usage(invocation, "%s \"%s\": is no number from 0 to %ld", name, text, maximum);
	json_object_set_new(arguments, name, json_integer(number));
	return VD_EXIT_DONE;
}

static int arguments_build(const struct vd_invocation *invocation, json_t *arguments)
{
	const char *const *given = invocation->arguments;
	size_t count = invocation->argument_count;
	const char *protocol = count > 2 ? given[2] : NULL;
	int status;

	if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 && strcmp(protocol, "icmp") != 0)
		return vd_fail_usage(invocation, "\"%s\" is none of tcp, udp, icmp", protocol);
	if (count > 3 && !strcmp(protocol, "icmp"))
		return vd_fail_usage(invocation, "icmp has no port");
	status = number_add(invocation, arguments, "port", count > 3 ? given[3] : NULL, 65535);
	if (!status)
		status = number_add(invocation, arguments, "ttl", vd_invocation_option(invocation, "ttl"), 255);
	if (!status)
		status = number_add(invocation, arguments, "size", vd_invocation_option(invocation, "size"), 65000);
	if (status)
		return status;
	json_object_update_new(arguments, json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*}", "project",
						    vd_invocation_project(invocation), "from", given[0], "to", given[1], "protocol",
						    protocol, "source", vd_invocation_option(invocation, "source"), "host",
						    vd_invocation_option(invocation, "host")));
	return VD_EXIT_DONE;
}

static void steps_print(const json_t *reply)
{
	const json_t *steps = json_object_get(reply, "steps"), *step;
	const char *host = json_string_value(json_object_get(reply, "host"));
	size_t i;

	printf("host %s\n", host ? host : "?");
	json_array_foreach (steps, i, step) {
		const char *stage = json_string_value(json_object_get(step, "stage")),
			   *text = json_string_value(json_object_get(step, "text"));

		printf("  %-14s %s\n", stage ? stage : "?", text ? text : "");
	}
}

/* The last line. */
static int verdict_print(const json_t *reply)
{
	VD_FREE char *verdict = vd_json_text(reply, "verdict"), *reason = vd_json_text(reply, "reason");
	VD_FREE char *sentence = vd_json_text(reply, "sentence"), *port = vd_json_text(reply, "to_port");
	VD_FREE char *interface = vd_json_text(reply, "to_interface"), *network = vd_json_text(reply, "network");
	bool dropped = verdict && !strcmp(verdict, "dropped");

	fputs(verdict && *verdict ? verdict : "unknown", stdout);
	if (dropped)
		printf(": %s: %s", reason, sentence);
	else if (port && *port)
		printf(" to port %s", port);
	else if (interface && *interface)
		printf(" by uplink %s to network %s", interface, network);
	else if (sentence && *sentence)
		printf(": %s", sentence);
	putchar('\n');
	return dropped ? VD_EXIT_FAILED : VD_EXIT_DONE;
}

/* The arguments for the next host on the way, a new reference; NULL: the packet's way ends here. */
static json_t *next_arguments(const json_t *reply)
{
	const json_t *next = json_object_get(reply, "next");
	json_t *arguments = json_object_get(next, "arguments");

	if (!json_is_object(arguments))
		return NULL;
	arguments = json_deep_copy(arguments);
	json_object_set(arguments, "host", json_object_get(next, "host"));
	return arguments;
}

/* Asks host after host; replies collects what they said. */
static int hosts_ask(struct vd_invocation *invocation, json_t *arguments, json_t *replies, struct vd_error *error)
{
	json_t *reply;
	int r = 0;

	for (int host = 0; !r && arguments; host++) {
		r = host == HOSTS_MAX ? vd_error_set(error, -ELOOP, "the packet crosses more than %d hosts: it loops", HOSTS_MAX)
				      : vd_client_call(invocation->client, "POST", "/v1/live/trace", arguments, &reply, error);
		json_decref(arguments);
		if (r)
			break;
		arguments = next_arguments(reply);
		json_array_append_new(replies, reply);
	}
	return r;
}

int vd_command_trace(struct vd_invocation *invocation)
{
	json_t *arguments = json_object(), *replies = json_array();
	struct vd_error error = {0};
	int status, r;

	status = arguments_build(invocation, arguments);
	if (status) {
		json_decref(arguments);
		json_decref(replies);
		return status;
	}
	r = hosts_ask(invocation, arguments, replies, &error);
	if (vd_invocation_json(invocation)) {
		vd_print_json(replies);
		return r ? vd_fail(&error) : VD_EXIT_DONE;
	}
	for (size_t i = 0; i < json_array_size(replies); i++)
		steps_print(json_array_get(replies, i));
	if (!r)
		status = verdict_print(json_array_get(replies, json_array_size(replies) - 1));
	json_decref(replies);
	return r ? vd_fail(&error) : status;
}
