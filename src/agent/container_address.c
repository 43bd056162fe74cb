/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"
#include "agent/node.h"
#include "containers/address.h"
#include "model/block.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

/* ---- which address ---- */

struct choosing {
	const struct vd_agent *agent;
	const struct vd_node_network *network;
};

static bool is_lent(const struct vd_node_network *network, const struct vd_address *address)
{
	struct vd_node_lent *lent;

	HASH_FIND(hh, network->lent, address, sizeof(*address), lent);
	return lent != NULL;
}

static bool is_used(const struct vd_address *address, void *userdata)
{
	const struct choosing *choosing = userdata;

	return vd_journal_find_address(choosing->agent->journal, choosing->network->domain, address) ||
	       is_lent(choosing->network, address);
}

static bool is_moved_in(const struct vd_node_block *block)
{
	return block->plan.prefix.length == vd_address_bits(&block->plan.prefix.address);
}

static void address_set(const struct vd_node_block *block, const struct vd_address *address, struct vd_container_address *ret)
{
	*ret = (struct vd_container_address){
		.prefix = {.address = *address, .length = block->plan.prefix.length},
		.gateway = block->plan.gateway,
		.moved = is_moved_in(block),
	};
}

/* The first block with room, in the order of their prefixes. */
static int next_choose(struct vd_agent *agent, const struct vd_node_network *network, uint8_t family,
		       struct vd_container_address *ret)
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
			address_set(block, &address, ret);
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

static int free_check(struct vd_agent *agent, const struct vd_node_network *network, const struct vd_container_request *request,
		      const struct vd_address *address, struct vd_container_address *ret, struct vd_error *error)
{
	const struct vd_container *holder = vd_journal_find_address(agent->journal, network->domain, address);
	const char *reservation = holder ? reservation_of(agent, request, holder) : NULL;
	char text[VD_ADDRESS_TEXT];

	if (holder && !reservation)
		return vd_error_set(error, -EADDRINUSE, "address %s: container %s has it: ask for another one, or for none",
				    vd_address_format(address, text), holder->key);
	if (is_lent(network, address))
		return vd_error_set(error, -EADDRINUSE, "address %s: a container on another node has taken it along",
				    vd_address_format(address, text));
	if (reservation && !(ret->reserved = strdup(reservation)))
		return -ENOMEM;
	return 0;
}

static int given_choose(struct vd_agent *agent, const struct vd_node_network *network, struct vd_container_request *request,
			const struct vd_address *address, struct vd_container_address *ret, struct vd_error *error)
{
	const struct vd_node_block *block = vd_node_block_of(network, address);
	char text[VD_ADDRESS_TEXT];

	vd_address_format(address, text);
	if (!request->has_family[address->family == VD_FAMILY_IPV6])
		return vd_error_set(error, -EINVAL, "address %s: container_network %s has no CIDR of its family", text,
				    request->network);
	if (!block) {
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
	address_set(block, address, ret);
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
	const struct vd_node_network *network = vd_agent_node_network(agent, request->domain);
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
			r = next_choose(agent, network, families[i], &row->addresses[count++]);
	}
	if (r == -ENOMEDIUM)
		return vd_error_set(error, r, "container_network %s: host %s has no IPv%u block yet", request->network,
				    agent->options.host, request->lacking);
	if (r == -ENOSPC)
		return vd_error_set(error, r, "container_network %s: all addresses of the IPv%u blocks of host %s are used",
				    request->network, request->lacking, agent->options.host);
	return r;
}

/* ---- one more block ---- */

struct claiming {
	struct vd_agent *agent;
	const struct vd_container_request *request;
	struct vd_prefix *known; /* blocks that the loop has looked at */
	size_t known_count;
	bool is_new;             /* another claim was faster: its block is what we wait for */
	struct vd_prefix chosen; /* a user's choice for this host that it has not taken up yet; family none: none */
};

static int known_note(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct claiming *claiming = userdata;
	const struct vd_node_network *network = vd_agent_node_network(agent, claiming->request->domain);
	const struct vd_node_block *block;

	if (!network)
		return 0;
	DL_COUNT(network->blocks, block, claiming->known_count);
	claiming->known = calloc(claiming->known_count + 1, sizeof(*claiming->known));
	claiming->known_count = 0;
	if (!claiming->known)
		return -ENOMEM;
	DL_FOREACH (network->blocks, block)
		claiming->known[claiming->known_count++] = block->plan.prefix;
	return 0;
}

static int block_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct claiming *claiming = userdata;

	if (strcmp(resource->project, claiming->request->project) != 0 ||
	    strcmp(block->container_network, claiming->request->network) != 0 ||
	    block->cidr.address.family != claiming->request->lacking || vd_block_is_moved(block))
		return 0;
	if (block->assigned_state == VD_BLOCK_STATE_CHOSEN && claiming->chosen.address.family == VD_FAMILY_NONE)
		claiming->chosen = block->cidr;
	if (block->assigned_state != VD_BLOCK_STATE_HELD)
		return 0;
	for (size_t i = 0; i < claiming->known_count; i++)
		if (vd_prefix_equal(&claiming->known[i], &block->cidr))
			return 0;
	claiming->is_new = true;
	return 0;
}

static int claim_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			struct vd_error *error)
{
	struct claiming *claiming = userdata;
	const char *host = claiming->agent->options.host;
	const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
		model, VD_KIND_CONTAINER_NETWORK, claiming->request->project, claiming->request->network);
	struct vd_block_request wanted = {
		.network = network, .host = host, .family = claiming->request->lacking, .now = (int64_t)time(NULL)};
	struct vd_block_write write = {.project = claiming->request->project,
				       .container_network = claiming->request->network,
				       .node = host,
				       .state = VD_BLOCK_STATE_HELD};
	struct vd_block_writes writes = {.host = host, .now = wanted.now, .items = &write};
	int r = 0;

	if (!network || !vd_model_node_in_network(model, network, host))
		return vd_error_set(error, -ENOLINK, "container_network %s: host %s is no node of it any more",
				    claiming->request->network, host);
	claiming->is_new = false;
	claiming->chosen = (struct vd_prefix){0};
	vd_model_each_block_of_host(model, host, block_look, claiming);
	if (!claiming->is_new) {
		write.cidr = claiming->chosen;
		if (write.cidr.address.family == VD_FAMILY_NONE)
			r = vd_block_choose(model, &wanted, &write.cidr, NULL);
		if (r == -ENOSPC)
			return vd_error_set(error, r, "container_network %s: all its IPv%u blocks are taken: give it a larger CIDR",
					    claiming->request->network, claiming->request->lacking);
		writes.count = 1;
	}
	return r < 0 ? r : vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

int vd_container_block_claim(struct vd_agent *agent, const struct vd_container_request *request, int64_t *ret_revision,
			     struct vd_error *error)
{
	static unsigned long long last;
	struct claiming claiming = {.agent = agent, .request = request};
	char id[64];
	int r = vd_agent_on_loop(agent, known_note, &claiming, error);

	/* One for each try of each daemon: host names may be longer than a request's. */
	snprintf(id, sizeof(id), "block-%.16s-%llx-%llx", agent->identity.boot_id, (unsigned long long)time(NULL),
		 __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
	if (r == 0)
		r = vd_replica_write(agent->replica, id, claim_decide, &claiming, NULL, ret_revision, error);
	free(claiming.known);
	return r;
}
