/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keeper_worker.h"
#include "base/cleanup.h"
#include "docker/engine.h"
#include "host/occupied.h"

#include <errno.h>
#include <string.h>

#define OCCUPIED_MAX 64 /* of a claim (VD_OCCUPIED_MAX) */
#define NAME_SIZE 128
#define DOCKER_BRIDGE "docker0"

static bool is_block(const struct vd_firewall_rules *rules, const struct vd_prefix *prefix)
{
	for (size_t i = 0; i < rules->block_count; i++)
		if (vd_prefix_equal(&rules->blocks[i].prefix, prefix))
			return true;
	return false;
}

static bool has_subnet(const json_t *network, const struct vd_prefix *prefix)
{
	const json_t *config;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(network, "IPAM"), "Config"), i, config) {
		const char *text = json_string_value(json_object_get(config, "Subnet"));
		struct vd_prefix subnet;

		if (text && vd_prefix_parse(text, &subnet) == 0 && vd_prefix_equal(&subnet, prefix))
			return true;
	}
	return false;
}

/*
 * A bridge on a block of ours is a plain Docker network's, made for it. Not so Docker's own: whoever asks Docker for no network gets an
 * address there, and most machines have one with the same prefix.
 */
static bool is_for_block(const struct vd_host_occupied *occupied, const struct vd_firewall_rules *rules)
{
	return occupied->is_bridge && strcmp(occupied->ifname, DOCKER_BRIDGE) != 0 && is_block(rules, &occupied->prefix);
}

/* Its own bridge has the name that everybody knows: docker0. */
static void name_find(const json_t *networks, const struct vd_host_occupied *occupied, char ret[NAME_SIZE])
{
	const json_t *network;
	size_t i;

	snprintf(ret, NAME_SIZE, "%s", occupied->ifname);
	json_array_foreach (networks, i, network) {
		const char *name = json_string_value(json_object_get(network, "Name"));

		if (name && strcmp(name, "bridge") != 0 && has_subnet(network, &occupied->prefix)) {
			snprintf(ret, NAME_SIZE, "Docker network %s", name);
			return;
		}
	}
}

/* Where no engine answers, bridges have the names of their links. */
static json_t *networks_read(const char *docker_host, const struct vd_host_occupied *list, size_t count)
{
	json_t *networks = NULL;
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= list[i].is_bridge;
	if (docker_host && any)
		vd_docker_engine_call(docker_host, "GET", "/networks", NULL, &networks, NULL);
	return networks;
}

int vd_keeper_occupied_read(struct vd_host_net *net, const char *docker_host, const struct vd_firewall_rules *rules, json_t **ret,
			    struct vd_error *error)
{
	VD_FREE struct vd_host_occupied *list = NULL;
	char name[NAME_SIZE], text[VD_PREFIX_TEXT];
	json_t *networks, *all;
	size_t count = 0;
	int r = vd_host_occupied_read(net, &list, &count, error);

	if (r < 0)
		return r;
	networks = networks_read(docker_host, list, count);
	all = json_array();
	for (size_t i = 0; i < count && json_array_size(all) < OCCUPIED_MAX; i++) {
		if (is_for_block(&list[i], rules))
			continue;
		name_find(list[i].is_bridge ? networks : NULL, &list[i], name);
		json_array_append_new(all,
				      json_pack("{s:s, s:s}", "name", name, "prefix", vd_prefix_format(&list[i].prefix, text)));
	}
	json_decref(networks);
	if (!all)
		return vd_error_set(error, -ENOMEM, "out of memory");
	*ret = all;
	return 0;
}
