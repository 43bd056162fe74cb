/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "api/status.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const char *const verdicts[] = {
	[VD_CHECK_OK] = "ok",
	[VD_CHECK_WARNING] = "warning",
	[VD_CHECK_BLOCKED] = "blocked",
};

void vd_check_say(struct vd_check *check, enum vd_check_verdict verdict, const char *what, const char *advice, const char *format,
		  ...)
{
	VD_FREE char *text = NULL;
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0) {
		text = NULL;
		return;
	}
	check->is_blocked |= verdict == VD_CHECK_BLOCKED;
	json_array_append_new(check->lines, json_pack("{s:s, s:s, s:s, s:s*}", "what", what, "verdict", verdicts[verdict], "text",
						      text, "advice", advice));
}

const char *vd_check_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* Those hosts whose daemons live. */
static json_t *alive_hosts(struct vd_api *api)
{
	json_t *all = vd_statuses_all(api->statuses), *status;
	const char *host;
	void *next;

	json_object_foreach_safe (all, next, host, status)
		if (!json_is_true(json_object_get(status, "alive")))
			json_object_del(all, host);
	return all;
}

static const char *text_of(const json_t *arguments, const char *member)
{
	return json_string_value(json_object_get(arguments, member));
}

static int arguments_read(const json_t *arguments, struct vd_check *check, struct vd_error *error)
{
	const char *protocol = text_of(arguments, "protocol");
	const json_t *port = json_object_get(arguments, "port");

	check->project = text_of(arguments, "project") ? text_of(arguments, "project") : "default";
	check->protocol = protocol ? protocol : "icmp";
	if (!text_of(arguments, "from") || !text_of(arguments, "to"))
		return vd_error_set(error, -EINVAL, "check: from whom, to whom? Name ports or addresses as from and to");
	if (strcmp(check->protocol, "icmp") != 0 && strcmp(check->protocol, "tcp") != 0 && strcmp(check->protocol, "udp") != 0)
		return vd_error_set(error, -EINVAL, "check: protocol \"%.20s\" is none of icmp, tcp, udp", check->protocol);
	if (port && (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > 65535))
		return vd_error_set(error, -EINVAL, "check: port is a number from 1 to 65535");
	if (port && !strcmp(check->protocol, "icmp"))
		return vd_error_set(error, -EINVAL, "check: icmp has no port");
	check->port = json_integer_value(port);
	return 0;
}

static json_t *answer_of(const struct vd_check *check)
{
	char seen[VD_ADDRESS_TEXT];
	bool is_seen = check->seen.family != VD_FAMILY_NONE;

	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s*, s:O}", "from", check->from.text, "to", check->to.text, "protocol",
			 check->protocol, "reachable", !check->is_blocked && !check->is_unproven, "blocked", check->is_blocked,
			 "seen_as", is_seen ? vd_address_format(&check->seen, seen) : NULL, "checks", check->lines);
}

int vd_answer_check(struct vd_request *request, struct vd_error *error)
{
	struct vd_check check = {.api = request->api};
	json_t *arguments = NULL, *answer;
	int r;

	r = vd_request_object(request, &arguments, error);
	if (!r)
		r = arguments_read(arguments, &check, error);
	if (r) {
		json_decref(arguments);
		return r;
	}
	check.alive = alive_hosts(request->api);
	check.lines = json_array();
	vd_check_ends(&check, text_of(arguments, "from"), text_of(arguments, "to"));
	if (check.from.type != VD_CHECK_TYPE_NOBODY && check.to.type != VD_CHECK_TYPE_NOBODY) {
		vd_check_collisions(&check);
		vd_check_ways(&check);
		if (!check.is_blocked)
			vd_check_guest(&check);
	}
	answer = answer_of(&check);
	json_decref(check.alive);
	json_decref(check.lines);
	json_decref(arguments);
	return answer ? vd_request_reply(request, MHD_HTTP_OK, answer) : -ENOMEM;
}
