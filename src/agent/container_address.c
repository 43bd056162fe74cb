/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"
#include "agent/node.h"
#include "containers/address.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

/* ---- which address ---- */

struct choosing {
	const struct vd_agent *agent;
	struct vd_node_network *network;
};

static bool is_used(const struct vd_address *address, void *userdata)
{
	const struct choosing *choosing = userdata;

	return vd_journal_find_address(choosing->agent->journal, choosing->network->domain, address) ||
	       vd_node_is_lent(choosing->network, address);
}

static bool is_moved_in(const struct vd_node_block *block)
{
	return block->plan.prefix.length == vd_address_bits(&block->plan.prefix.address);
}

static void address_set(const struct vd_node_block *block, const struct vd_container_request *request,
			const struct vd_address *address, struct vd_container_address *ret)
{
	*ret = (struct vd_container_address){
		.prefix = {.address = *address, .length = block->plan.prefix.length},
		.gateway = block->plan.gateway,
	};
	if (!is_moved_in(block))
		return;
	/* A container that moved keeps the network that it saw: whatever is in it, the data plane answers for. */
	ret->moved = true;
	ret->prefix.length = request->around.length;
	ret->gateway = request->around_gateway;
}

/* The first block with room, in the order of their prefixes. */
static int next_choose(struct vd_agent *agent, const struct vd_container_request *request, struct vd_node_network *network,
		       uint8_t family, struct vd_container_address *ret)
{
	struct choosing choosing = {agent, network};
	const struct vd_node_block *block;
	int r = -ENOMEDIUM;

	DL_FOREACH (network->blocks, block) {
		struct vd_address last = vd_journal_last(agent->journal, network->domain, &block->plan.prefix), address;

		if (block->plan.prefix.address.family != family || block->bridge[0] || block->closed || is_moved_in(block))
			continue;
		r = vd_container_address_choose(&block->plan.prefix, &block->plan.gateway, &last, is_used, &choosing, &address);
		if (r == 0) {
			address_set(block, request, &address, ret);
			return 0;
		}
	}
	return r;
}

/* The one of the request's reservations that holds the address. */
static const char *reservation_of(const struct vd_agent *agent, const struct vd_container_request *request,
				  const struct vd_container *holder)
{
	for (size_t i = 0; i < request->reserved_count; i++)
		if (holder->state == VD_CONTAINER_STATE_RESERVED && strcmp(holder->key, request->reserved[i]) == 0)
			return request->reserved[i];
	return NULL;
}

static int free_check(struct vd_agent *agent, struct vd_node_network *network, const struct vd_container_request *request,
		      const struct vd_address *address, struct vd_container_address *ret, struct vd_error *error)
{
	const struct vd_container *holder = vd_journal_find_address(agent->journal, network->domain, address);
	const char *reservation = holder ? reservation_of(agent, request, holder) : NULL;
	char text[VD_ADDRESS_TEXT];

	if (holder && !reservation)
		return vd_error_set(error, -EADDRINUSE, "address %s: container %s has it: ask for another one, or for none",
				    vd_address_format(address, text), holder->key);
	if (vd_node_is_lent(network, address))
		return vd_error_set(error, -EADDRINUSE, "address %s: a container on another node has taken it along",
				    vd_address_format(address, text));
	if (reservation && !(ret->reserved = strdup(reservation)))
		return -ENOMEM;
	return 0;
}

static int given_choose(struct vd_agent *agent, struct vd_node_network *network, struct vd_container_request *request,
			const struct vd_address *address, struct vd_container_address *ret, struct vd_error *error)
{
	const struct vd_node_block *block = vd_node_block_of(network, address);
	char text[VD_ADDRESS_TEXT];

	vd_address_format(address, text);
	if (!request->has_family[address->family == VD_FAMILY_IPV6])
		return vd_error_set(error, -EINVAL, "address %s: container_network %s has no CIDR of its family", text,
				    request->network);
	/* A moved one is given to the order that has it brought here. */
	if (!block || block->closed || (is_moved_in(block) && !vd_address_equal(&request->brought, address))) {
		request->elsewhere = *address;
		return vd_error_set(error, -EXDEV, "address %s: it is in no block of host %s", text, agent->options.host);
	}
	if (block->bridge[0])
		return vd_error_set(error, -EEXIST, "address %s: block %s is that of interface %s: ask who made that one", text,
				    block->plan.name, block->bridge);
	if (!vd_container_address_is_good(&block->plan.prefix, &block->plan.gateway, address))
		return vd_error_set(error, -EINVAL,
				    "address %s: it is the network's, the gateway's or the broadcast address of block %s", text,
				    block->plan.name);
	address_set(block, request, address, ret);
	return free_check(agent, network, request, address, ret, error);
}

static const struct vd_address *given_of(const struct vd_container_request *request, uint8_t family)
{
	for (size_t i = 0; i < request->address_count; i++)
		if (request->addresses[i].family == family)
			return &request->addresses[i];
	return NULL;
}

int vd_container_addresses_choose(struct vd_agent *agent, struct vd_container_request *request, struct vd_container *row,
				  struct vd_error *error)
{
	static const uint8_t families[] = {VD_FAMILY_IPV4, VD_FAMILY_IPV6};
	struct vd_node_network *network = vd_agent_node_network(agent, request->domain);
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		const struct vd_address *given = given_of(request, families[i]);

		/* Who brings reservations has all that it shall have. */
		if (!given && (!request->has_family[i] || request->reserved_count))
			continue;
		request->lacking = families[i];
		if (!network)
			r = -ENOMEDIUM;
		else if (given)
			r = given_choose(agent, network, request, given, &row->addresses[count++], error);
		else
			r = next_choose(agent, request, network, families[i], &row->addresses[count++]);
	}
	if (r == -ENOMEDIUM)
		return vd_error_set(error, r, "container_network %s: host %s has no IPv%u block yet", request->network,
				    agent->options.host, request->lacking);
	if (r == -ENOSPC)
		return vd_error_set(error, r, "container_network %s: all addresses of the IPv%u blocks of host %s are used",
				    request->network, request->lacking, agent->options.host);
	return r;
}
