/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"
#include "docker/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The blocks of this host, and Docker's own bridges on them. */

const struct vd_option vd_block_options[] = {
	{0, "host", "HOST", "that host's blocks (default: of the one that is asked)"},
	{0},
};

const struct vd_option vd_docker_options[] = {
	{0, "container-network", "NAME", "whose block it gets (default: the one that this host has blocks of)"},
	{0, "docker-host", "unix:PATH", "where Docker listens (DOCKER_HOST; default " VD_DOCKER_ENGINE_HOST ")"},
	{0, "opt", "KEY=VALUE", "an option of Docker's bridge driver; repeatable"},
	{0},
};

static void json_cleanup(json_t **value)
{
	json_decref(*value);
}

#define JSON VD_CLEANUP(json_cleanup) json_t

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* ---- blocks ---- */

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

/* What the host holds, of one network or (NULL) of any; documents, in the order of their names. Single addresses left out. */
static int blocks_of(struct vd_invocation *invocation, const char *host, const char *network, json_t **ret, struct vd_error *error)
{
	VD_FREE char *path = vd_path_build("/v1/container_blocks", NULL, "project", vd_invocation_project(invocation), NULL);
	JSON *reply = NULL;
	const json_t *item;
	size_t i;
	int r = path ? vd_client_call(invocation->client, "GET", path, NULL, &reply, error) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = json_array();
	json_array_foreach (json_object_get(reply, "items"), i, item) {
		const json_t *document = json_object_get(item, "document");
		struct vd_prefix prefix;

		if (strcmp(member(document, "node"), host) == 0 &&
		    strcmp(member(json_object_get(item, "assigned"), "state"), "held") == 0 &&
		    (!network || strcmp(member(document, "container_network"), network) == 0) &&
		    vd_prefix_parse(member(document, "cidr"), &prefix) == 0 && prefix.length < vd_address_bits(&prefix.address))
			json_array_append(*ret, (json_t *)document);
	}
	return 0;
}

/* -ENOENT and a sentence when it holds none. */
static int blocks_read(struct vd_invocation *invocation, const char *network, json_t **ret, struct vd_error *error)
{
	VD_FREE char *host = host_name(invocation, error);
	int r = host ? blocks_of(invocation, host, network, ret, error) : -ENOMEM;

	if (r < 0 || json_array_size(*ret) > 0)
		return r;
	if (network)
		return vd_error_set(error, -ENOENT,
				    "host %s holds no block of container_network %s: let it take part with \"viaduct join %s\"",
				    host, network, network);
	return vd_error_set(error, -ENOENT, "host %s holds no block of a container network: let it take part with \"viaduct join\"",
			    host);
}

int vd_command_block(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	JSON *blocks = NULL;
	const json_t *block;
	size_t i;

	if (blocks_read(invocation, invocation->argument_count ? invocation->arguments[0] : NULL, &blocks, &error))
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(json_incref(blocks));
	json_array_foreach (blocks, i, block)
		puts(member(block, "cidr"));
	return VD_EXIT_DONE;
}

/* ---- Docker ---- */

struct network_wish {
	struct vd_invocation *invocation;
	const char *name, *docker_host;
	const char *container_network;
	const json_t *blocks;
};

/* The container network is said, or there is but one. */
static int container_network_find(struct network_wish *wish, struct vd_error *error)
{
	const json_t *block;
	size_t i;

	json_array_foreach (wish->blocks, i, block) {
		const char *network = member(block, "container_network");

		if (wish->container_network && strcmp(wish->container_network, network) != 0)
			return vd_error_set(error, -EINVAL,
					    "this host has blocks of %s and %s: say which with --container-network NAME",
					    wish->container_network, network);
		wish->container_network = network;
	}
	return 0;
}

/* The Docker network that has the subnet; NULL: none. */
static const char *subnet_user(const json_t *networks, const char *subnet)
{
	const json_t *network, *config;
	size_t i, j;

	json_array_foreach (networks, i, network)
		json_array_foreach (json_object_get(json_object_get(network, "IPAM"), "Config"), j, config)
			if (strcmp(member(config, "Subnet"), subnet) == 0)
				return member(network, "Name");
	return NULL;
}

static json_t *subnet_config(const struct vd_prefix *prefix, const char *subnet)
{
	struct vd_address first = vd_prefix_first(prefix), gateway = vd_address_add(&first, 1);
	char text[VD_ADDRESS_TEXT];

	return json_pack("{s:s, s:s}", "Subnet", subnet, "Gateway", vd_address_format(&gateway, text));
}

/* One block of each family: the first that no Docker network has. ret_stands: the network itself has it already. */
static int subnets_choose(const struct network_wish *wish, const json_t *networks, json_t *config, bool *ret_has_ipv6,
			  bool *ret_stands, struct vd_error *error)
{
	bool has[2] = {false, false}, stands = false;
	const char *other = NULL;
	const json_t *block;
	size_t i;

	json_array_foreach (wish->blocks, i, block) {
		const char *subnet = member(block, "cidr"), *user = subnet_user(networks, subnet);
		struct vd_prefix prefix;
		bool *is_taken;

		if (vd_prefix_parse(subnet, &prefix) < 0)
			continue;
		is_taken = &has[prefix.address.family == VD_FAMILY_IPV6];
		stands |= user && strcmp(user, wish->name) == 0;
		other = user ? user : other;
		if (user || *is_taken)
			continue;
		*is_taken = true;
		json_array_append_new(config, subnet_config(&prefix, subnet));
	}
	*ret_has_ipv6 = has[1];
	*ret_stands = stands;
	if (stands || has[0])
		return 0;
	if (!other)
		return vd_error_set(error, -ENOENT,
				    "container_network %s gives this host no IPv4 block, which a bridge of Docker's needs",
				    wish->container_network);
	return vd_error_set(error, -EEXIST, "the Docker network %s stands on this host's block of container_network %s already",
			    other, wish->container_network);
}

/* So that nothing has to be cut in pieces on its way through a tunnel. 0: not known. */
static json_int_t mtu_read(const struct network_wish *wish)
{
	JSON *arguments = json_object(), *status = NULL;
	const json_t *network;
	json_int_t mtu = 0;
	size_t i;

	if (vd_client_call(wish->invocation->client, "POST", "/v1/live/status", arguments, &status, NULL))
		return 0;
	json_array_foreach (json_object_get(json_object_get(status, "nodes"), "networks"), i, network)
		if (strcmp(member(network, "network"), wish->container_network) == 0 &&
		    strcmp(member(network, "project"), vd_invocation_project(wish->invocation)) == 0)
			mtu = json_integer_value(json_object_get(network, "mtu"));
	return mtu;
}

static int driver_options(const struct network_wish *wish, json_t *options, struct vd_error *error)
{
	json_int_t mtu = mtu_read(wish);

	if (mtu > 0)
		json_object_set_new(options, "com.docker.network.driver.mtu", json_sprintf("%" JSON_INTEGER_FORMAT, mtu));
	for (size_t i = 0; i < wish->invocation->given_count; i++) {
		const char *value = wish->invocation->given[i].value, *equals;

		if (strcmp(wish->invocation->given[i].option->name, "opt") != 0)
			continue;
		equals = strchr(value, '=');
		if (!equals || equals == value)
			return vd_error_set(error, -EINVAL, "--opt %s: give KEY=VALUE", value);
		VD_FREE char *key = strndup(value, (size_t)(equals - value));

		if (!key || json_object_set_new(options, key, json_string(equals + 1)) < 0)
			return vd_error_set(error, -EINVAL, "--opt %s: no UTF-8 text", value);
	}
	return 0;
}

static int network_create(const struct network_wish *wish, const json_t *config, bool has_ipv6, struct vd_error *error)
{
	JSON *options = json_object(), *answer = NULL;
	int r = driver_options(wish, options, error);
	JSON *body = json_pack("{s:s, s:b, s:s, s:b, s:{s:s, s:O}, s:O, s:{s:s}}", "Name", wish->name, "CheckDuplicate", 1,
			       "Driver", "bridge", "EnableIPv6", (int)has_ipv6, "IPAM", "Driver", "default", "Config", config,
			       "Options", options, "Labels", "viaduct.container_network", wish->container_network);

	if (r < 0)
		return r;
	if (!body)
		return vd_error_set(error, -EINVAL, "%s: no UTF-8 text", wish->name);
	return vd_docker_engine_call(wish->docker_host, "POST", "/networks/create", body, &answer, error);
}

static int network_ensure(struct network_wish *wish, struct vd_error *error)
{
	JSON *networks = NULL, *config = json_array();
	bool has_ipv6 = false, stands = false;
	const json_t *entry;
	size_t i;
	int r = container_network_find(wish, error);

	if (r == 0)
		r = vd_docker_engine_call(wish->docker_host, "GET", "/networks", NULL, &networks, error);
	if (r == 0)
		r = subnets_choose(wish, networks, config, &has_ipv6, &stands, error);
	if (r < 0)
		return r;
	if (stands) {
		printf("Docker network %s stands on this host's block of container_network %s already\n", wish->name,
		       wish->container_network);
		return 0;
	}
	r = network_create(wish, config, has_ipv6, error);
	if (r < 0)
		return r;
	json_array_foreach (config, i, entry)
		printf("Docker network %s has %s of container_network %s\n", wish->name, member(entry, "Subnet"),
		       wish->container_network);
	return 0;
}

int vd_command_docker(struct vd_invocation *invocation)
{
	const char *docker_host = vd_invocation_option(invocation, "docker-host");
	struct network_wish wish = {
		.invocation = invocation,
		.name = invocation->arguments[1],
		.docker_host = docker_host ? docker_host : getenv("DOCKER_HOST"),
	};
	struct vd_error error = {0};
	JSON *blocks = NULL;

	if (strcmp(invocation->arguments[0], "network") != 0)
		return vd_fail_usage(invocation, "what shall Docker have? \"viaduct docker network NAME\"");
	if (blocks_read(invocation, vd_invocation_option(invocation, "container-network"), &blocks, &error))
		return vd_fail(&error);
	wish.blocks = blocks;
	return network_ensure(&wish, &error) < 0 ? vd_fail(&error) : VD_EXIT_DONE;
}
