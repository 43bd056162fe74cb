/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/address.h"

#include "base/address.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GATEWAY_TYPE "com.docker.network.gateway"

int vd_docker_ipam_capabilities(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_pack("{s:b, s:b}", "RequiresMACAddress", 0, "RequiresRequestReplay", 1);
	return 0;
}

int vd_docker_ipam_spaces(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_pack("{s:s, s:s}", "LocalDefaultAddressSpace", VD_DOCKER_ADDRESS_SPACE, "GlobalDefaultAddressSpace",
			 VD_DOCKER_ADDRESS_SPACE);
	return 0;
}

/* ---- pools ---- */

/* The network's CIDR of the family; NULL: it has none. */
static const char *network_cidr(const json_t *network, uint8_t family)
{
	const json_t *value;
	struct vd_prefix cidr;
	size_t i;

	json_array_foreach (json_object_get(network, "cidrs"), i, value)
		if (json_is_string(value) && vd_prefix_parse(json_string_value(value), &cidr) == 0 && cidr.address.family == family)
			return json_string_value(value);
	return NULL;
}

static bool is_called(const json_t *network, const char *name)
{
	const char *whole = json_string_value(json_object_get(network, "name"));
	const char *slash = whole ? strchr(whole, '/') : NULL;

	return whole && (!strcmp(whole, name) || (slash && !strncmp(whole, "default/", 8) && !strcmp(slash + 1, name)));
}

static bool holds(const json_t *network, const char *pool)
{
	const json_t *value;
	struct vd_prefix outer, inner;
	size_t i;

	json_array_foreach (json_object_get(network, "cidrs"), i, value)
		if (json_is_string(value) && vd_prefix_parse(json_string_value(value), &outer) == 0 &&
		    vd_prefix_parse(pool, &inner) == 0 && vd_prefix_covers(&outer, &inner))
			return true;
	return false;
}

/* The one that is named, that holds the pool asked for, or that there is. */
static int network_choose(const json_t *networks, const char *name, const char *pool, const json_t **ret, struct vd_error *error)
{
	const json_t *network, *found = NULL;
	size_t i, count = 0;

	json_array_foreach (networks, i, network)
		if (name ? is_called(network, name) : pool ? holds(network, pool) : true) {
			found = network;
			count++;
		}
	if (count == 1) {
		*ret = found;
		return 0;
	}
	if (name)
		return vd_error_set(error, -ENOENT, "container_network %s: there is none of that name", name);
	if (pool)
		return vd_error_set(error, -ENOENT, "subnet %s: no container_network holds it", pool);
	return vd_error_set(error, -EINVAL, "driver viaduct: say which container_network: --ipam-opt network=NAME");
}

/* Empty means: not given. */
static const char *optional(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text && *text ? text : NULL;
}

static int pool_of(const json_t *networks, const json_t *request, json_t **ret, struct vd_error *error)
{
	uint8_t family = json_is_true(json_object_get(request, "V6")) ? VD_FAMILY_IPV6 : VD_FAMILY_IPV4;
	const char *cidr, *name, *wanted = optional(request, "Pool");
	const json_t *network = NULL;
	char id[512];
	int r;

	r = network_choose(networks, optional(json_object_get(request, "Options"), "network"), wanted, &network, error);
	if (r < 0)
		return r;
	name = json_string_value(json_object_get(network, "name"));
	cidr = network_cidr(network, family);
	if (!name || !cidr)
		return vd_error_set(error, -EINVAL, "container_network %s: it has no IPv%u CIDR", name ? name : "", family);
	if (wanted && strcmp(wanted, cidr) != 0)
		return vd_error_set(error, -EINVAL, "container_network %s: its subnet is %s, not %s: leave --subnet away", name,
				    cidr, wanted);
	snprintf(id, sizeof(id), "%u/%s", family, name);
	*ret = json_pack("{s:s, s:s, s:{}}", "PoolID", id, "Pool", cidr, "Data");
	return 0;
}

int vd_docker_ipam_request_pool(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	json_t *reply = NULL;
	int r;

	if (optional(request, "SubPool"))
		return vd_error_set(error, -EINVAL, "driver viaduct: addresses come from the node's block: leave --ip-range away");
	r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_NETWORKS, json_object(), &reply, error);
	if (r == 0)
		r = pool_of(json_object_get(reply, "networks"), request, ret, error);
	json_decref(reply);
	return r;
}

/* ---- addresses ---- */

struct pool {
	uint8_t family;
	const char *network;
};

static int pool_read(const json_t *request, struct pool *ret, struct vd_error *error)
{
	const char *id;
	int r = vd_docker_text(request, "PoolID", &id, error);

	if (r < 0)
		return r;
	if ((*id != '4' && *id != '6') || id[1] != '/' || !id[2])
		return vd_error_set(error, -EINVAL, "PoolID \"%s\": that is none of ours", id);
	ret->family = *id == '4' ? VD_FAMILY_IPV4 : VD_FAMILY_IPV6;
	ret->network = id + 2;
	return 0;
}

static int address_read(const char *text, uint8_t family, char ret[VD_ADDRESS_TEXT], struct vd_error *error)
{
	struct vd_prefix prefix;

	if (vd_prefix_parse(text, &prefix) < 0 || prefix.address.family != family)
		return vd_error_set(error, -EINVAL, "address \"%s\": that is no IPv%u address", text, family);
	vd_address_format(&prefix.address, ret);
	return 0;
}

static json_t *reservation(const struct pool *pool, bool is_gateway)
{
	VD_FREE char *key = NULL;

	if (is_gateway)
		return json_pack("{s:s, s:s, s:i, s:b}", "network", pool->network, "key", "docker-gateway", "family", pool->family,
				 "gateway", 1);
	/* The daemon puts the address that it gives behind a key that ends so. */
	if (asprintf(&key, VD_DOCKER_ADDRESS_KEY "%s/", pool->network) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:i}", "network", pool->network, "key", key, "family", pool->family);
}

int vd_docker_ipam_request_address(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret,
				   struct vd_error *error)
{
	const char *type = optional(json_object_get(request, "Options"), "RequestAddressType"),
		   *given = optional(request, "Address");
	bool is_gateway = type && !strcmp(type, GATEWAY_TYPE);
	char wanted[VD_ADDRESS_TEXT] = "";
	json_t *arguments, *reply = NULL;
	const char *address;
	struct pool pool;
	int r = pool_read(request, &pool, error);

	if (r == 0 && given)
		r = address_read(given, pool.family, wanted, error);
	if (r < 0)
		return r;
	arguments = reservation(&pool, is_gateway);
	if (arguments && given && !is_gateway)
		json_object_set_new(arguments, "address", json_string(wanted));
	r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_RESERVE, arguments, &reply, error);
	address = r == 0 ? json_string_value(json_object_get(reply, "address")) : NULL;
	if (r == 0 && !address)
		r = vd_error_set(error, -EPROTO, "container_network %s: the daemon gave no address", pool.network);
	if (r == 0 && is_gateway && given && strncmp(address, wanted, strcspn(address, "/")) != 0)
		r = vd_error_set(error, -EINVAL, "container_network %s: its gateway here is %s: leave --gateway away", pool.network,
				 address);
	if (r == 0)
		*ret = json_pack("{s:s, s:{}}", "Address", address, "Data");
	json_decref(reply);
	return r;
}

int vd_docker_ipam_release_address(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret,
				   struct vd_error *error)
{
	char address[VD_ADDRESS_TEXT];
	VD_FREE char *key = NULL;
	const char *given;
	struct pool pool;
	int r = pool_read(request, &pool, error);

	if (r == 0)
		r = vd_docker_text(request, "Address", &given, error);
	if (r == 0)
		r = address_read(given, pool.family, address, error);
	if (r == 0 && asprintf(&key, VD_DOCKER_ADDRESS_KEY "%s/%s", pool.network, address) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = vd_docker_ask(daemon, VD_DOCKER_QUESTION_RELEASE, json_pack("{s:s}", "key", key), NULL, error);
	if (r == 0)
		*ret = json_object();
	return r;
}
