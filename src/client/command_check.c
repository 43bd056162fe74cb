/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "?";
}

static int arguments_build(const struct vd_invocation *invocation, json_t **ret)
{
	const char *const *given = invocation->arguments;
	size_t count = invocation->argument_count;
	const char *protocol = count > 2 ? given[2] : "icmp";
	json_t *arguments;
	long port = 0;
	char *end;

	if (strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 && strcmp(protocol, "icmp") != 0)
		return vd_fail_usage(invocation, "\"%s\" is none of tcp, udp, icmp", protocol);
	if (count > 3 && !strcmp(protocol, "icmp"))
		return vd_fail_usage(invocation, "icmp has no port");
	if (count > 3) {
		port = strtol(given[3], &end, 10);
		if (!*given[3] || *end || port < 1 || port > 65535)
			return vd_fail_usage(invocation, "port \"%s\": is no number from 1 to 65535", given[3]);
	}
	arguments = json_pack("{s:s, s:s, s:s, s:s}", "project", vd_invocation_project(invocation), "from", given[0], "to",
			      given[1], "protocol", protocol);
	if (port)
		json_object_set_new(arguments, "port", json_integer(port));
	*ret = arguments;
	return VD_EXIT_DONE;
}

/* A line for each, what to do below it, and the answer last. */
static int answer_print(const json_t *answer)
{
	const json_t *checks = json_object_get(answer, "checks"), *check;
	bool is_reachable = json_is_true(json_object_get(answer, "reachable"));
	size_t i, blocked = 0;

	json_array_foreach (checks, i, check) {
		printf("%-8s %-10s  %s\n", text_of(check, "verdict"), text_of(check, "what"), text_of(check, "text"));
		if (json_object_get(check, "advice"))
			printf("%21s-> %s\n", "", text_of(check, "advice"));
		blocked += !strcmp(text_of(check, "verdict"), "blocked");
	}
	if (!is_reachable && !blocked)
		printf("unproven: nothing is known to be between %s and %s, but not every host on the way could be asked\n",
		       text_of(answer, "from"), text_of(answer, "to"));
	else if (!is_reachable)
		printf("blocked: %s does not reach %s: %zu %s in the way\n", text_of(answer, "from"), text_of(answer, "to"),
		       blocked, blocked == 1 ? "thing is" : "things are");
	else if (json_object_get(answer, "seen_as"))
		printf("reachable: %s is seen as %s at %s; a firewall or an allow list of its own must let that in\n",
		       text_of(answer, "from"), text_of(answer, "seen_as"), text_of(answer, "to"));
	else
		printf("reachable: %s reaches %s\n", text_of(answer, "from"), text_of(answer, "to"));
	return is_reachable ? VD_EXIT_DONE : VD_EXIT_FAILED;
}

int vd_command_check(struct vd_invocation *invocation)
{
	json_t *arguments = NULL, *answer = NULL;
	struct vd_error error = {0};
	int status, r;

	status = arguments_build(invocation, &arguments);
	if (status)
		return status;
	r = vd_client_call(invocation->client, "POST", "/v1/check", arguments, &answer, &error);
	json_decref(arguments);
	if (r)
		return vd_fail(&error);
	if (!vd_invocation_json(invocation)) {
		status = answer_print(answer);
		json_decref(answer);
		return status;
	}
	status = json_is_true(json_object_get(answer, "reachable")) ? VD_EXIT_DONE : VD_EXIT_FAILED;
	vd_print_json(answer);
	return status;
}
