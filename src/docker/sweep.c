/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/sweep.h"

#include "base/address.h"
#include "base/cleanup.h"
#include "docker/address.h"
#include "docker/endpoint.h"
#include "docker/engine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OUR_NETWORKS "/networks?filters=%7B%22driver%22%3A%5B%22viaduct%22%5D%7D"

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static const char *key_of(const json_t *container)
{
	const char *key = json_string_value(json_object_get(container, "key"));

	return key ? key : "";
}

static bool is_old(const json_t *container, int64_t now)
{
	const json_t *since = json_object_get(container, "since");

	return json_is_integer(since) && now - json_integer_value(since) > VD_DOCKER_SWEEP_SECONDS;
}

/* The part of the key that Docker has a name for; false: the key is none of ours. */
static bool is_known(const char *key, const json_t *known, bool *ret_is_address)
{
	if (begins(key, VD_DOCKER_ENDPOINT_KEY)) {
		*ret_is_address = false;
		return json_object_get(json_object_get(known, "endpoints"), key + strlen(VD_DOCKER_ENDPOINT_KEY));
	}
	if (begins(key, VD_DOCKER_ADDRESS_KEY)) {
		*ret_is_address = true;
		return json_object_get(json_object_get(known, "addresses"), strrchr(key, '/') + 1);
	}
	return true;
}

int vd_docker_sweep_rest(const struct vd_docker_daemon *daemon, const json_t *containers, const json_t *known, int64_t now,
			 struct vd_error *error)
{
	const json_t *container;
	bool is_address = false;
	size_t i;
	int r = 0;

	json_array_foreach (containers, i, container) {
		if (r < 0 || !is_old(container, now) || is_known(key_of(container), known, &is_address))
			continue;
		r = vd_docker_ask(daemon, is_address ? VD_DOCKER_QUESTION_RELEASE : VD_DOCKER_QUESTION_DELETE,
				  json_pack("{s:s, s:O}", "key", key_of(container), "since", json_object_get(container, "since")),
				  NULL, error);
	}
	return r;
}

/* ---- what Docker has ---- */

static void address_note(const json_t *endpoint, const char *field, json_t *addresses)
{
	const char *text = json_string_value(json_object_get(endpoint, field));
	char address[VD_ADDRESS_TEXT];
	struct vd_prefix prefix;

	if (text && *text && vd_prefix_parse(text, &prefix) == 0)
		json_object_set_new(addresses, vd_address_format(&prefix.address, address), json_true());
}

static int network_note(const char *engine, const char *id, json_t *known, struct vd_error *error)
{
	VD_FREE char *path = NULL;
	json_t *network = NULL, *endpoint;
	const char *container;
	int r;

	if (asprintf(&path, "/networks/%s", id) < 0)
		return -ENOMEM;
	r = vd_docker_engine_call(engine, "GET", path, NULL, &network, error);
	if (r < 0)
		return r;
	json_object_foreach (json_object_get(network, "Containers"), container, endpoint) {
		const char *its = json_string_value(json_object_get(endpoint, "EndpointID"));

		if (its)
			json_object_set_new(json_object_get(known, "endpoints"), its, json_true());
		address_note(endpoint, "IPv4Address", json_object_get(known, "addresses"));
		address_note(endpoint, "IPv6Address", json_object_get(known, "addresses"));
	}
	json_decref(network);
	return 0;
}

static int known_read(const char *engine, json_t *known, struct vd_error *error)
{
	json_t *networks = NULL, *network;
	size_t i;
	int r = vd_docker_engine_call(engine, "GET", OUR_NETWORKS, NULL, &networks, error);

	json_array_foreach (networks, i, network) {
		const char *id = json_string_value(json_object_get(network, "Id"));

		if (r == 0 && id)
			r = network_note(engine, id, known, error);
	}
	json_decref(networks);
	return r;
}

static bool has_old(const json_t *containers, int64_t now)
{
	const json_t *container;
	bool is_address;
	size_t i;

	json_array_foreach (containers, i, container)
		if (is_old(container, now) && !is_known(key_of(container), NULL, &is_address))
			return true;
	return false;
}

int vd_docker_sweep(const struct vd_docker_daemon *daemon, const char *engine, int64_t now, struct vd_error *error)
{
	json_t *list = NULL, *known = json_pack("{s:{}, s:{}}", "endpoints", "addresses");
	const json_t *containers;
	int r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_LIST, json_object(), &list, error);

	containers = json_object_get(list, "containers");
	if (r == 0 && has_old(containers, now)) {
		r = known_read(engine, known, error);
		if (r == 0)
			r = vd_docker_sweep_rest(daemon, containers, known, now, error);
	}
	json_decref(list);
	json_decref(known);
	return r;
}
