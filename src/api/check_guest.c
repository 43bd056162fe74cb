/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "api/peer.h"

#include <string.h>

/*
 * What lies behind the data plane cannot be asked. But who has just tried left a connection where the far end is: when the newest one
 * was never answered, its packets were delivered, and it is the guest that is silent. No connection: nobody tried, nothing is said.
 * A warning, for what was wrong then may be right now.
 */

#define AGE_MAX 60.0 /* seconds: what is older tells of another time */

static json_t *connections_ask(const struct vd_check *check, const char *host)
{
	json_t *arguments = json_object(), *reply = NULL;
	struct vd_error error;
	int r = vd_peer_ask(check->api, host, "flows", arguments, &reply, &error);

	json_decref(arguments);
	return r ? NULL : reply;
}

/* As the far end's host sees it: from whom, to whom, and what for. */
static bool is_asked_for(const struct vd_check *check, const json_t *connection)
{
	char seen[VD_ADDRESS_TEXT], to[VD_ADDRESS_TEXT];
	const char *port = vd_check_text(connection, "to_port");
	size_t size = strlen(check->project);

	if (!strncmp(port, check->project, size) && port[size] == '/')
		port += size + 1;
	if (check->to.type == VD_CHECK_TYPE_PORT
		    ? strcmp(port, check->to.port) != 0
		    : strcmp(vd_check_text(connection, "destination"), vd_address_format(&check->to.address, to)) != 0)
		return false;
	return !strcmp(vd_check_text(connection, "source"), vd_address_format(&check->seen, seen)) &&
	       !strncmp(vd_check_text(connection, "protocol"), check->protocol, strlen(check->protocol)) &&
	       (!check->port || json_integer_value(json_object_get(connection, "destination_port")) == check->port);
}

/* Borrowed of the reply; NULL: none. */
static const json_t *newest_find(const struct vd_check *check, const json_t *reply)
{
	const json_t *connection, *newest = NULL;
	double age, least = AGE_MAX;
	size_t i;

	json_array_foreach (json_object_get(reply, "connections"), i, connection) {
		age = json_number_value(json_object_get(connection, "age"));
		if (age >= least || !is_asked_for(check, connection))
			continue;
		newest = connection;
		least = age;
	}
	return newest;
}

void vd_check_guest(struct vd_check *check)
{
	const char *host = check->to.type == VD_CHECK_TYPE_CONTAINER ? check->to.node : check->to.host;
	json_t *reply = *host ? connections_ask(check, host) : NULL;
	const json_t *newest = newest_find(check, reply);
	double age = json_number_value(json_object_get(newest, "age"));

	if (newest && !strcmp(vd_check_text(newest, "state"), "new"))
		vd_check_say(check, VD_CHECK_WARNING, "guest",
			     "look at its own firewall, at its routes, and whether anybody listens there; then try again",
			     "what %s began %.0f s ago was delivered to %s, and the guest is silent", check->from.text, age,
			     check->to.text);
	else if (newest)
		vd_check_say(check, VD_CHECK_OK, "guest", NULL, "what %s began %.0f s ago was answered by %s", check->from.text,
			     age, check->to.text);
	json_decref(reply);
}
