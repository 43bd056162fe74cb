/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"

#include "agent/node.h"
#include "model/block.h"

#include <errno.h>
#include <string.h>

/* What a limit lets through at once when nobody says: so much of its rate, and no less than a large packet. */
#define BURST_MS 10
#define BURST_LEAST 65536

void vd_container_request_clear(struct vd_container_request *request)
{
	free(request->netns);
	request->netns = NULL;
	vd_container_clear(&request->container);
}

static const char *text_of(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

static int key_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	ret->key = text_of(arguments, "key");
	if (!ret->key || !*ret->key || strlen(ret->key) > VD_CONTAINER_KEY_MAX)
		return vd_error_set(error, -EINVAL, "key: text of 1 to %d characters that says which container",
				    VD_CONTAINER_KEY_MAX);
	return 0;
}

/* "project/name", or a name of the default project. */
static int network_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	const char *text = text_of(arguments, "network"), *slash = text ? strchr(text, '/') : NULL;
	size_t project = slash ? (size_t)(slash - text) : 0;
	const char *name = slash ? slash + 1 : text;

	if (!text || !*name || strlen(name) >= sizeof(ret->network) || project >= sizeof(ret->project) || (slash && !project))
		return vd_error_set(error, -EINVAL, "network: name a container_network, as NAME or PROJECT/NAME");
	snprintf(ret->project, sizeof(ret->project), "%.*s", slash ? (int)project : 7, slash ? text : "default");
	snprintf(ret->network, sizeof(ret->network), "%s", name);
	return 0;
}

static int address_add(const json_t *value, struct vd_container_request *ret, struct vd_error *error)
{
	const char *text = json_string_value(value);
	struct vd_prefix prefix;

	/* A prefix length is the block's: whoever gives one means the address. */
	if (!text || vd_prefix_parse(text, &prefix) < 0)
		return vd_error_set(error, -EINVAL, "container %s: \"%.60s\" is no address", ret->key, text ? text : "");
	for (size_t i = 0; i < ret->address_count; i++)
		if (ret->addresses[i].family == prefix.address.family)
			return vd_error_set(error, -EINVAL, "container %s: ask for one address of a family at most", ret->key);
	ret->addresses[ret->address_count++] = prefix.address;
	return 0;
}

static int addresses_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	const json_t *one = json_object_get(arguments, "address"), *all = json_object_get(arguments, "addresses");
	int r = json_is_string(one) ? address_add(one, ret, error) : 0;

	for (size_t i = 0; i < json_array_size(all) && r == 0; i++)
		r = address_add(json_array_get(all, i), ret, error);
	return r;
}

static int reserved_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	const json_t *keys = json_object_get(arguments, "reserved");
	size_t count = json_array_size(keys);

	if (json_is_string(keys))
		ret->reserved[ret->reserved_count++] = json_string_value(keys);
	if (count > VD_CONTAINER_ADDRESSES)
		return vd_error_set(error, -EINVAL, "container %s: it can take two reservations at most", ret->key);
	for (size_t i = 0; i < count; i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (key)
			ret->reserved[ret->reserved_count++] = key;
	}
	return 0;
}

/* Bits to bytes; a burst that nobody gave is derived from the rate. */
static int rate_read(const json_t *bandwidth, const char *rate_name, const char *burst_name, uint64_t *ret_rate,
		     uint64_t *ret_burst, struct vd_error *error)
{
	const json_t *rate = json_object_get(bandwidth, rate_name), *burst = json_object_get(bandwidth, burst_name);
	uint64_t bytes;

	if ((rate && (!json_is_integer(rate) || json_integer_value(rate) < 0)) ||
	    (burst && (!json_is_integer(burst) || json_integer_value(burst) < 0)))
		return vd_error_set(error, -EINVAL, "bandwidth: %s and %s are whole numbers of bits, 0 or more", rate_name,
				    burst_name);
	if (json_integer_value(rate) == 0)
		return 0;
	bytes = (uint64_t)json_integer_value(rate) / 8;
	*ret_rate = bytes ? bytes : 1;
	*ret_burst = (uint64_t)json_integer_value(burst) / 8;
	if (!*ret_burst)
		*ret_burst = *ret_rate / (1000 / BURST_MS);
	if (!json_integer_value(burst) && *ret_burst < BURST_LEAST)
		*ret_burst = BURST_LEAST;
	return 0;
}

static int netns_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	const char *netns = text_of(arguments, "netns"), *ifname = text_of(arguments, "ifname");
	int r;

	if (netns && !ifname)
		ifname = "eth0";
	if (ifname && (!*ifname || strlen(ifname) >= sizeof(ret->ifname) || strpbrk(ifname, "/ :%")))
		return vd_error_set(error, -EINVAL, "interface name \"%.20s\": 1 to 15 characters, without / : %% and spaces",
				    ifname);
	if (ifname)
		strcpy(ret->ifname, ifname);
	if (!netns)
		return 0;
	r = vd_host_netns_resolve(netns, &ret->netns, &ret->netns_id, error);
	return r < 0 ? vd_error_prefix(error, r == -EINVAL ? r : -ENXIO, "container %s", ret->key) : 0;
}

static int common_read(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	int r = key_read(arguments, ret, error);

	ret->arguments = arguments;
	if (r == 0)
		r = network_read(arguments, ret, error);
	return r == 0 ? addresses_read(arguments, ret, error) : r;
}

int vd_container_request_read_add(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	const json_t *bandwidth = json_object_get(arguments, "bandwidth");
	int r = common_read(arguments, ret, error);

	ret->hostname = text_of(arguments, "hostname");
	ret->move = json_is_true(json_object_get(arguments, "move"));
	if (r == 0)
		r = reserved_read(arguments, ret, error);
	if (r == 0)
		r = rate_read(bandwidth, "ingress_rate", "ingress_burst", &ret->rate_in, &ret->burst_in, error);
	if (r == 0)
		r = rate_read(bandwidth, "egress_rate", "egress_burst", &ret->rate_out, &ret->burst_out, error);
	return r == 0 ? netns_read(arguments, ret, error) : r;
}

int vd_container_request_read_reserve(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error)
{
	json_int_t family = json_integer_value(json_object_get(arguments, "family"));
	int r = common_read(arguments, ret, error);

	if (r == 0 && json_object_get(arguments, "family") && family != VD_FAMILY_IPV4 && family != VD_FAMILY_IPV6)
		r = vd_error_set(error, -EINVAL, "family: 4 or 6");
	if (r == 0 && ret->address_count > 1)
		r = vd_error_set(error, -EINVAL, "reservation %s: it is of one address", ret->key);
	ret->is_single = true;
	ret->family = ret->address_count ? ret->addresses[0].family : (uint8_t)family;
	return r;
}

/* Of a single address the family is clear from here on. */
static int families_settle(const struct vd_prefix *cidrs, size_t count, struct vd_container_request *request,
			   struct vd_error *error)
{
	request->has_family[0] = request->has_family[1] = false;
	for (size_t i = 0; i < count; i++)
		request->has_family[cidrs[i].address.family == VD_FAMILY_IPV6] = true;
	if (!request->is_single)
		return 0;
	if (!request->family)
		request->family = request->has_family[0] ? VD_FAMILY_IPV4 : VD_FAMILY_IPV6;
	if (!request->has_family[request->family == VD_FAMILY_IPV6])
		return vd_error_set(error, -EINVAL, "container_network %s: it has no IPv%u CIDR", request->network,
				    request->family);
	request->has_family[request->family == VD_FAMILY_IPV4] = false;
	return 0;
}

const struct vd_subnet *vd_container_request_subnet(const struct vd_model *model, const struct vd_container_request *request)
{
	const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
		model, VD_KIND_CONTAINER_NETWORK, request->project, request->network);

	return network && network->subnet
		       ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, request->project, network->subnet)
		       : NULL;
}

static int resolve(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(agent->replica, NULL, ret_revision, NULL);
	const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
		model, VD_KIND_CONTAINER_NETWORK, request->project, request->network);
	const struct vd_subnet *subnet = vd_container_request_subnet(model, request);
	int r = 0;

	if (!network)
		r = vd_error_set(error, -ENONET, "container_network %s: there is none of that name in project %s: create it first",
				 request->network, request->project);
	else if (!vd_model_node_in_network(model, network, agent->options.host))
		r = vd_error_set(error, -ENOLINK,
				 "container_network %s: host %s is no node of it: join it with `viaduct join %s` on that host",
				 request->network, agent->options.host, request->network);
	if (r == 0) {
		request->domain = network->head.id;
		request->mode = network->mode;
		r = subnet ? families_settle(subnet->cidrs, subnet->cidr_count, request, error)
			   : families_settle(network->cidrs, network->cidr_count, request, error);
	}
	vd_replica_unlock(agent->replica);
	return r;
}

int vd_container_request_resolve(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision,
				 struct vd_error *error)
{
	int64_t revision = 0;
	int r = resolve(agent, request, &revision, error);

	if (r < 0 && vd_replica_catch_up(agent->replica, revision))
		r = resolve(agent, request, &revision, error);
	if (ret_revision)
		*ret_revision = revision;
	return r;
}

bool vd_container_is_same(const struct vd_container *row, const struct vd_container_request *request)
{
	if (row->state != VD_CONTAINER_STATE_UP || row->domain != request->domain || !row->netns != !request->netns)
		return false;
	return !row->netns || (row->netns_device == request->netns_id.device && row->netns_inode == request->netns_id.inode &&
			       strcmp(row->ifname, request->ifname) == 0);
}
