/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "api/peer.h"

#define WHAT "collisions"
#define ADVICE "remove that network or route there, or give it another prefix: what is sent to the address ends in it"

/*
 * The third of seed 001's checks: a Docker network, or a route, of the machine at one end that covers the other end's address. The
 * machine's own kernel then keeps what it should send. A node says what it has in its claim; into an instance without viaductd its
 * host can look, where it is a namespace.
 */

struct looking {
	struct vd_check *check;
	const struct vd_model *model;
	const struct vd_check_end *near, *far;
	size_t found;
	json_t *nodes; /* those that were looked at, as an object */
};

/* The link by which it reaches everything is in nobody's way. */
static bool is_own_link(const struct looking *looking, const struct vd_prefix *prefix, const struct vd_claim *claim)
{
	const struct vd_resource *port =
		looking->near->port[0] ? vd_model_get(looking->model, VD_KIND_PORT, looking->check->project, looking->near->port)
				       : NULL;
	const struct vd_port *own = (const struct vd_port *)port;

	for (size_t i = 0; own && i < own->assigned_address_count; i++)
		if (vd_prefix_contains(prefix, &own->assigned_addresses[i]))
			return true;
	return claim && vd_prefix_contains(prefix, &claim->underlay);
}

static void occupied_look(struct looking *looking, const char *where, const char *name, const struct vd_prefix *prefix,
			  const struct vd_claim *claim)
{
	const struct vd_check_end *far = looking->far;
	char text[VD_PREFIX_TEXT], address[VD_ADDRESS_TEXT];

	if (prefix->length == 0 || !vd_prefix_contains(prefix, &far->address) || is_own_link(looking, prefix, claim))
		return;
	looking->found++;
	vd_check_say(looking->check, VD_CHECK_BLOCKED, WHAT, ADVICE, "%s (%s) on %s covers %s, the address of %s", name,
		     vd_prefix_format(prefix, text), where, vd_address_format(&far->address, address), far->text);
}

static void node_look(struct looking *looking, const char *host)
{
	const struct vd_claim *claim = (const struct vd_claim *)vd_model_get(looking->model, VD_KIND_CLAIM, "default", host);
	char where[VD_NAME_SIZE + 8];

	if (!claim || json_object_get(looking->nodes, host))
		return;
	json_object_set_new(looking->nodes, host, json_true());
	snprintf(where, sizeof(where), "node %s", host);
	for (size_t i = 0; i < claim->occupied_count; i++)
		occupied_look(looking, where, claim->occupied[i].name, &claim->occupied[i].prefix, claim);
}

static int node_visit(const struct vd_resource *node, void *userdata)
{
	node_look(userdata, node->name);
	return 0;
}

static void end_look(struct looking *looking)
{
	if (looking->near->node[0])
		node_look(looking, looking->near->node);
	if (looking->near->port[0])
		vd_model_each_node_of_port(looking->model, looking->check->project, looking->near->port, node_visit, looking);
}

/* ---- an instance that runs no viaductd ---- */

static json_t *guest_ask(const struct vd_check *check, const struct vd_check_end *end)
{
	json_t *arguments = json_pack("{s:s, s:s}", "project", check->project, "port", end->port), *reply = NULL;
	struct vd_error error;
	int r = vd_peer_ask(check->api, end->host, "guest", arguments, &reply, &error);

	json_decref(arguments);
	return r ? NULL : reply;
}

static void guest_look(struct looking *looking, const json_t *guest)
{
	const json_t *occupied;
	struct vd_prefix prefix;
	char where[VD_NAME_SIZE + 32];
	size_t i;

	snprintf(where, sizeof(where), "the instance of port %s", looking->near->port);
	json_array_foreach (json_object_get(guest, "occupied"), i, occupied) {
		const char *name = json_string_value(json_object_get(occupied, "name"));
		const char *text = json_string_value(json_object_get(occupied, "prefix"));

		if (name && text && vd_prefix_parse(text, &prefix) == 0)
			occupied_look(looking, where, name, &prefix, NULL);
	}
}

static void end_check(struct vd_check *check, const struct vd_check_end *near, const struct vd_check_end *far, size_t *found)
{
	struct looking looking = {.check = check, .near = near, .far = far, .nodes = json_object()};
	json_t *guest = near->port[0] && near->host[0] ? guest_ask(check, near) : NULL;

	looking.model = vd_replica_lock(check->api->replica, NULL, NULL, NULL);
	end_look(&looking);
	/* A node has said all of that already. */
	if (json_object_size(looking.nodes) == 0)
		guest_look(&looking, guest);
	vd_replica_unlock(check->api->replica);
	*found += looking.found;
	json_decref(looking.nodes);
	json_decref(guest);
}

void vd_check_collisions(struct vd_check *check)
{
	size_t found = 0;

	end_check(check, &check->from, &check->to, &found);
	end_check(check, &check->to, &check->from, &found);
	if (!found)
		vd_check_say(check, VD_CHECK_OK, WHAT, NULL,
			     "no Docker network and no route of either end covers the other's address");
}
