/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/endpoint.h"

#include "base/address.h"
#include "base/cleanup.h"
#include "docker/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int key_read(const json_t *request, char **ret, struct vd_error *error)
{
	const char *id;
	int r = vd_docker_text(request, "EndpointID", &id, error);

	if (r < 0)
		return r;
	return asprintf(ret, VD_DOCKER_ENDPOINT_KEY "%s", id) < 0 ? -ENOMEM : 0;
}

/* ---- create ---- */

/* What the daemon is to make: addresses[] and, of their reservations, reserved[]; the network is that of the first. */
struct wish {
	json_t *addresses, *reserved;
	const char *network; /* borrowed of the list */
};

/* The reservation whose key ends with the address. */
static const json_t *reservation_find(const json_t *containers, const char *address)
{
	const json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const char *key = json_string_value(json_object_get(container, "key"));
		const char *slash = key ? strrchr(key, '/') : NULL;

		if (slash && !strncmp(key, VD_DOCKER_ADDRESS_KEY, strlen(VD_DOCKER_ADDRESS_KEY)) && !strcmp(slash + 1, address))
			return container;
	}
	return NULL;
}

static int address_add(const json_t *containers, const char *given, struct wish *wish, struct vd_error *error)
{
	char address[VD_ADDRESS_TEXT];
	const json_t *reservation;
	struct vd_prefix prefix;

	if (vd_prefix_parse(given, &prefix) < 0)
		return vd_error_set(error, -EINVAL, "address \"%s\": that is none", given);
	vd_address_format(&prefix.address, address);
	reservation = reservation_find(containers, address);
	if (!reservation)
		return vd_error_set(
			error, -ENOENT,
			"address %s: the IPAM driver viaduct did not give it: create the network with --ipam-driver viaduct",
			address);
	if (!wish->network)
		wish->network = json_string_value(json_object_get(reservation, "network"));
	json_array_append_new(wish->addresses, json_string(address));
	json_array_append(wish->reserved, json_object_get(reservation, "key"));
	return 0;
}

static int wish_fill(const json_t *containers, const json_t *interface, struct wish *wish, struct vd_error *error)
{
	static const char *const fields[] = {"Address", "AddressIPv6"};
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		const char *given = json_string_value(json_object_get(interface, fields[i]));

		if (given && *given)
			r = address_add(containers, given, wish, error);
	}
	if (r == 0 && !wish->network)
		r = vd_error_set(error, -EINVAL, "driver viaduct: the endpoint has no address");
	return r;
}

static int endpoint_add(const struct vd_docker_daemon *daemon, const char *key, const json_t *containers, const json_t *interface,
			json_t **ret, struct vd_error *error)
{
	struct wish wish = {.addresses = json_array(), .reserved = json_array()};
	int r = wish_fill(containers, interface, &wish, error);

	if (r == 0)
		r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_ADD,
				  json_pack("{s:s, s:s, s:O, s:O, s:b}", "network", wish.network, "key", key, "addresses",
					    wish.addresses, "reserved", wish.reserved, "move", 1),
				  ret, error);
	json_decref(wish.addresses);
	json_decref(wish.reserved);
	return r;
}

int vd_docker_endpoint_create(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	const json_t *interface = json_object_get(request, "Interface");
	const char *mac = json_string_value(json_object_get(interface, "MacAddress"));
	json_t *list = NULL, *reply = NULL;
	VD_FREE char *key = NULL;
	int r = key_read(request, &key, error);

	if (r == 0 && mac && *mac)
		r = vd_error_set(error, -EINVAL,
				 "driver viaduct: a container's MAC is made by the daemon: leave --mac-address away");
	if (r == 0)
		r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_LIST, json_object(), &list, error);
	if (r == 0)
		r = endpoint_add(daemon, key, json_object_get(list, "containers"), interface, &reply, error);
	if (r == 0)
		*ret = json_pack("{s:{s:s*}}", "Interface", "MacAddress", json_string_value(json_object_get(reply, "mac")));
	json_decref(list);
	json_decref(reply);
	return r;
}

/* ---- join ---- */

static const json_t *container_find(const json_t *containers, const char *key)
{
	const json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const char *its = json_string_value(json_object_get(container, "key"));

		if (its && !strcmp(its, key))
			return container;
	}
	return NULL;
}

static json_t *join_answer(const json_t *container)
{
	json_t *answer = json_pack("{s:{s:s*, s:s}}", "InterfaceName", "SrcName",
				   json_string_value(json_object_get(container, "peer_ifname")), "DstPrefix", "eth");
	json_t *routes = json_array();
	const json_t *value;
	size_t i;

	json_array_foreach (json_object_get(container, "gateways"), i, value)
		if (json_is_string(value))
			json_object_set(answer, strchr(json_string_value(value), ':') ? "GatewayIPv6" : "Gateway", (json_t *)value);
	json_array_foreach (json_object_get(container, "routes"), i, value)
		json_array_append_new(routes, json_pack("{s:s*, s:i, s:s*}", "Destination",
							json_string_value(json_object_get(value, "destination")), "RouteType", 0,
							"NextHop", json_string_value(json_object_get(value, "gateway"))));
	if (json_array_size(routes) > 0)
		json_object_set(answer, "StaticRoutes", routes);
	json_decref(routes);
	return answer;
}

int vd_docker_endpoint_join(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	const json_t *container;
	VD_FREE char *key = NULL;
	json_t *list = NULL;
	int r = key_read(request, &key, error);

	if (r == 0)
		r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_LIST, json_object(), &list, error);
	if (r < 0)
		return r;
	container = container_find(json_object_get(list, "containers"), key);
	if (container)
		*ret = join_answer(container);
	else
		r = vd_error_set(error, -ENOENT, "endpoint %s: the daemon does not know it (any more): start the container again",
				 key + strlen(VD_DOCKER_ENDPOINT_KEY));
	json_decref(list);
	return r;
}

/* ---- the rest ---- */

int vd_docker_endpoint_info(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_pack("{s:{}}", "Value");
	return 0;
}

int vd_docker_endpoint_delete(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	VD_FREE char *key = NULL;
	int r = key_read(request, &key, error);

	if (r == 0)
		r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_DELETE, json_pack("{s:s}", "key", key), NULL, error);
	if (r == 0)
		*ret = json_object();
	return r;
}
