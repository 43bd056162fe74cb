/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address that a container brings along from another node (R-SCN-11). It becomes a block of one address, of this host, inside the
 * block that it comes from, so that routes follow as they do for any block; when the container goes, it goes back. The node that holds
 * the block around it is asked first (container_lend), for only its journal knows who has the address; one that is dead cannot be asked:
 * then its block must be in quarantine.
 */
#include "agent/container.h"
#include "agent/node.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "model/block.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

/* For so long nobody is given an address that another node was promised; longer than its write to the store may take. */
#define LEND_SECONDS 60

/* ---- the node that lends ---- */

struct lending {
	uint32_t domain;
	struct vd_address address;
};

static int lend_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	const struct lending *lending = userdata;
	const struct vd_container *holder = vd_journal_find_address(agent->journal, lending->domain, &lending->address);
	struct vd_node_network *network = vd_agent_node_network(agent, lending->domain);
	char text[VD_ADDRESS_TEXT];

	vd_address_format(&lending->address, text);
	if (holder)
		return vd_error_set(error, -EADDRINUSE, "address %s: container %s has it, on host %s: delete that one first", text,
				    holder->key, agent->options.host);
	if (!network || !vd_node_block_of(network, &lending->address))
		return vd_error_set(error, -ENOMEDIUM, "address %s: it is in no block of host %s any more: try again", text,
				    agent->options.host);
	return vd_node_lend(network, &lending->address, LEND_SECONDS);
}

int vd_container_lend(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_container_request_clear) struct vd_container_request request = {0};
	struct lending lending;
	int r = vd_container_request_read_reserve(arguments, &request, error);

	if (r == 0 && !request.address_count)
		r = vd_error_set(error, -EINVAL, "container_lend: which address?");
	if (r == 0)
		r = vd_container_request_resolve(agent, &request, NULL, error);
	if (r < 0)
		return r;
	lending = (struct lending){request.domain, request.addresses[0]};
	r = vd_agent_on_loop(agent, lend_on_loop, &lending, error);
	if (r == 0)
		*ret = json_object();
	return r;
}

/* ---- the node that borrows ---- */

struct borrowing {
	struct vd_agent *agent;
	struct vd_container_request *request;
	struct vd_prefix prefix; /* the address alone */
	bool is_asked;           /* its holder has agreed */

	/* As the model has it. */
	const struct vd_container_block *around, *itself;
	char holder[VD_NAME_SIZE];
};

static int around_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct borrowing *borrowing = userdata;

	if (vd_prefix_equal(&block->cidr, &borrowing->prefix))
		borrowing->itself = block;
	else if (vd_prefix_covers(&block->cidr, &borrowing->prefix))
		borrowing->around = block;
	return 0;
}

/* Who must agree: 0: nobody (any more), 1: the node whose name is in holder. */
static int holder_find(const struct vd_model *model, struct borrowing *borrowing, struct vd_error *error)
{
	struct vd_container_request *request = borrowing->request;
	const struct vd_container_block *block;
	char text[VD_ADDRESS_TEXT];

	vd_address_format(&borrowing->prefix.address, text);
	borrowing->around = borrowing->itself = NULL;
	vd_model_each_block_of_container_network(model, request->project, request->network, around_look, borrowing);
	if (!borrowing->around)
		return vd_error_set(error, -EINVAL, "address %s: it is in no block of container_network %s that a node holds", text,
				    request->network);
	block = borrowing->itself ? borrowing->itself : borrowing->around;
	if (!block->node)
		return vd_error_set(error, -EADDRINUSE, "address %s: it is behind port %s, which has no daemon", text, block->port);
	request->around = borrowing->around->cidr;
	request->around_gateway = vd_block_gateway(borrowing->around);
	if (strcmp(block->node, borrowing->agent->options.host) == 0)
		return vd_error_set(error, -EAGAIN, "address %s: host %s has it, but is giving it back at this moment", text,
				    block->node);
	if (borrowing->itself)
		return vd_error_set(error, -EADDRINUSE,
				    "address %s: a container on host %s has taken it along: delete that one first", text,
				    block->node);
	snprintf(borrowing->holder, sizeof(borrowing->holder), "%s", block->node);
	return borrowing->is_asked || block->assigned_state == VD_BLOCK_STATE_QUARANTINED ? 0 : 1;
}

static int borrow_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			 struct vd_error *error)
{
	struct borrowing *borrowing = userdata;
	struct vd_block_write write = {
		.project = borrowing->request->project,
		.container_network = borrowing->request->network,
		.cidr = borrowing->prefix,
		.node = borrowing->agent->options.host,
		.state = VD_BLOCK_STATE_HELD,
	};
	struct vd_block_writes writes = {
		.host = borrowing->agent->options.host, .now = (int64_t)time(NULL), .items = &write, .count = 1};
	int r = holder_find(model, borrowing, error);

	/* It came back from its quarantine meanwhile, or another node has the block now. */
	if (r == 1)
		r = vd_error_set(error, -EAGAIN, "host %s must be asked first", borrowing->holder);
	return r < 0 ? r : vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

/* What the api asks the holder, before it gives the order again (api/live.h). */
static json_t *lend_question(const struct borrowing *borrowing)
{
	char network[2 * VD_NAME_SIZE + 2], address[VD_ADDRESS_TEXT];

	snprintf(network, sizeof(network), "%s/%s", borrowing->request->project, borrowing->request->network);
	return json_pack("{s:{s:s, s:{s:s, s:s, s:s}}}", "lend", "host", borrowing->holder, "arguments", "network", network, "key",
			 borrowing->request->key, "address", vd_address_format(&borrowing->prefix.address, address));
}

static int brought_hold(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;

	if (request->brought.family != VD_FAMILY_NONE)
		return 0;
	request->brought = request->elsewhere;
	DL_APPEND(agent->movers, request);
	return 0;
}

static int brought_settle(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;

	DL_DELETE(agent->movers, request);
	return 0;
}

void vd_container_settle(struct vd_agent *agent, struct vd_container_request *request)
{
	if (request->brought.family == VD_FAMILY_NONE)
		return;
	/* A loop that has ended looks at nothing any more. */
	vd_agent_on_loop(agent, brought_settle, request, NULL);
	/* What did not come to be goes back. */
	vd_agent_returns_wake(agent);
}

int vd_container_borrow(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision, json_t **ret_question,
			struct vd_error *error)
{
	struct borrowing borrowing = {
		.agent = agent,
		.request = request,
		.prefix = vd_prefix_of_address(&request->elsewhere),
		.is_asked = json_is_true(json_object_get(request->arguments, "lent")),
	};
	char id[VD_CONTAINER_WRITE_SIZE];
	int r = holder_find(vd_replica_lock(agent->replica, NULL, NULL, NULL), &borrowing, error);

	vd_replica_unlock(agent->replica);
	if (r == 1) {
		*ret_question = lend_question(&borrowing);
		return *ret_question ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = vd_agent_on_loop(agent, brought_hold, request, error);
	if (r == 0)
		r = vd_replica_write(agent->replica, vd_container_write_request(agent, id), borrow_decide, &borrowing, NULL,
				     ret_revision, error);
	return r;
}
