/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "base/cleanup.h"
#include "compile/compile.h"

#include <string.h>

#define WHAT "ends"

static void copy(char ret[VD_NAME_SIZE], const char *text)
{
	snprintf(ret, VD_NAME_SIZE, "%s", text ? text : "");
}

/* ---- a port ---- */

static const struct vd_address *port_address(const struct vd_port *port, uint8_t family)
{
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (family == VD_FAMILY_NONE || port->assigned_addresses[i].family == family)
			return &port->assigned_addresses[i];
	return NULL;
}

static const struct vd_vpc *port_vpc(const struct vd_model *model, const struct vd_port *port)
{
	const struct vd_subnet *subnet =
		port->subnet ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, port->head.project, port->subnet)
			     : NULL;

	return subnet ? (const struct vd_vpc *)vd_model_get(model, VD_KIND_VPC, subnet->head.project, subnet->vpc) : NULL;
}

static int is_of_subnet(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;

	return network->mode == VD_CONTAINER_MODE_NATIVE && network->subnet && !strcmp(network->subnet, userdata);
}

/* A native container's neighbours are in one subnet, and come and go: groups name the subnet. Of another port, it alone. */
static void port_show(const struct vd_model *model, const struct vd_port *port, struct vd_check_end *end)
{
	const struct vd_subnet *subnet;

	end->show = vd_prefix_of_address(&end->address);
	if (!port->subnet ||
	    !vd_model_each(model, VD_KIND_CONTAINER_NETWORK, port->head.project, is_of_subnet, (void *)port->subnet))
		return;
	subnet = (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, port->head.project, port->subnet);
	for (size_t i = 0; subnet && i < subnet->cidr_count; i++)
		if (vd_prefix_contains(&subnet->cidrs[i], &end->address))
			end->show = subnet->cidrs[i];
}

/* Where its packets come from and go to. */
static void port_place(const struct vd_model *model, const struct vd_port *port, struct vd_check_end *end)
{
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, port->head.project, port->head.name);
	const struct vd_vpc *vpc = port_vpc(model, port);
	const struct vd_claim *claim;

	copy(end->port, port->head.name);
	end->mac = port->assigned_mac;
	end->vni = vpc ? vpc->assigned_vni : 0;
	copy(end->vpc, vpc ? vpc->head.name : NULL);
	if (!attachment)
		return;
	copy(end->host, attachment->host);
	claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", attachment->host);
	if (claim)
		end->vtep = claim->underlay;
}

static bool port_take(const struct vd_model *model, const struct vd_port *port, uint8_t family, struct vd_check_end *end)
{
	const struct vd_address *address = port_address(port, family);

	if (!address)
		return false;
	end->type = VD_CHECK_TYPE_PORT;
	end->address = *address;
	port_place(model, port, end);
	port_show(model, port, end);
	return true;
}

/* ---- an address ---- */

struct search {
	const struct vd_address *address;
	const struct vd_container_block *block;
	const struct vd_container_network *network;
	const struct vd_port *port;
	size_t ports;
};

static int find_block(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct search *search = userdata;

	if (vd_prefix_contains(&block->cidr, search->address) &&
	    (!search->block || block->cidr.length > search->block->cidr.length))
		search->block = block;
	return 0;
}

static int find_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;
	struct search *search = userdata;

	for (size_t i = 0; i < network->cidr_count; i++)
		if (vd_prefix_contains(&network->cidrs[i], search->address))
			search->network = network;
	return 0;
}

static int find_port(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource;
	struct search *search = userdata;

	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (vd_address_equal(&port->assigned_addresses[i], search->address)) {
			search->port = port;
			search->ports++;
		}
	return 0;
}

static int find_peer(const struct vd_resource *resource, void *userdata)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;
	struct {
		const struct vd_model *model;
		const struct vd_vpc *vpc;
		struct search *search;
	} *look = userdata;
	const char *other = !strcmp(peering->vpc, look->vpc->head.name) ? peering->peer : peering->vpc;
	const struct vd_port *port = vd_model_port_by_address(look->model, peering->head.project, other, look->search->address);

	if (port)
		look->search->port = port;
	return port != NULL;
}

/* As seen from the other end: in its VPC, in a peer's, anywhere where there is but one. */
static const struct vd_port *address_port(const struct vd_model *model, const char *project, const struct vd_check_end *other,
					  struct search *search)
{
	const struct vd_port *near =
		other->port[0] ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, project, other->port) : NULL;
	struct {
		const struct vd_model *model;
		const struct vd_vpc *vpc;
		struct search *search;
	} look = {model, near ? port_vpc(model, near) : NULL, search};

	if (look.vpc) {
		search->port = vd_model_port_by_address(model, project, look.vpc->head.name, search->address);
		if (!search->port)
			vd_model_each_peering_of_vpc(model, project, look.vpc->head.name, find_peer, &look);
		if (search->port)
			return search->port;
	}
	search->ports = 0;
	vd_model_each(model, VD_KIND_PORT, project, find_port, search);
	return search->ports == 1 ? search->port : NULL;
}

/* What of the network a group should let in: all of it that holds the address. */
static void container_take(const struct vd_model *model, const char *project, const struct search *search, struct vd_check_end *end)
{
	const struct vd_container_network *network = search->network;
	const struct vd_container_block *block = search->block;
	const struct vd_resource *node;
	const char *port = NULL;

	end->type = VD_CHECK_TYPE_CONTAINER;
	copy(end->network, network->head.name);
	for (size_t i = 0; i < network->cidr_count; i++)
		if (vd_prefix_contains(&network->cidrs[i], &end->address))
			end->show = network->cidrs[i];
	if (!block)
		return;
	copy(end->node, block->node);
	node = block->node ? vd_model_get(model, VD_KIND_NODE, project, block->node) : NULL;
	port = block->node ? node ? ((const struct vd_node *)node)->port : NULL : block->port;
	node = port ? vd_model_get(model, VD_KIND_PORT, project, port) : NULL;
	if (node)
		port_place(model, (const struct vd_port *)node, end);
}

static void address_take(const struct vd_model *model, const char *project, const struct vd_check_end *other,
			 struct vd_check_end *end)
{
	struct search search = {.address = &end->address};
	const struct vd_port *port;

	vd_model_each(model, VD_KIND_CONTAINER_BLOCK, project, find_block, &search);
	vd_model_each(model, VD_KIND_CONTAINER_NETWORK, project, find_network, &search);
	port = search.network ? NULL : address_port(model, project, other, &search);
	if (search.network)
		container_take(model, project, &search, end);
	else if (port)
		port_take(model, port, end->address.family, end);
	else
		end->type = VD_CHECK_TYPE_OUTSIDE;
}

/* ---- either ---- */

static const struct vd_port *named_port(const struct vd_model *model, const char *project, const char *text)
{
	return (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, project, text);
}

static void end_read(struct vd_check *check, const struct vd_model *model, const char *text, uint8_t family,
		     const struct vd_check_end *other, struct vd_check_end *end)
{
	const struct vd_port *port = named_port(model, check->project, text);
	const char *colon = strrchr(text, ':');

	if (port && port_take(model, port, family, end)) {
		/* A port of a peer, as the one who asks sees it. */
		if (end == &check->to && end->vpc[0] && other->vpc[0])
			end->address = vd_model_address_as_seen(model, check->project, end->vpc, other->vpc, &end->address);
		if (!vd_address_equal(&end->show.address, &end->address) && end->show.length == vd_address_bits(&end->address))
			end->show = vd_prefix_of_address(&end->address);
		return;
	}
	if (port) {
		vd_check_say(check, VD_CHECK_BLOCKED, WHAT, "give it one, or check the other family",
			     "port %s has no IPv%u address, which the other end has", text, family);
		return;
	}
	if (!strncmp(text, VD_LIVE_FROM_NETWORK, strlen(VD_LIVE_FROM_NETWORK)) && end == &check->from) {
		end->type = VD_CHECK_TYPE_OUTSIDE;
		if (colon)
			vd_address_parse(colon + 1, &end->address);
		return;
	}
	if (vd_address_parse(text, &end->address)) {
		vd_check_say(check, VD_CHECK_BLOCKED, WHAT, "viaduct get ports lists those there are",
			     "%s: neither a port of project %s nor an address", text, check->project);
		return;
	}
	address_take(model, check->project, other, end);
	if (end->type == VD_CHECK_TYPE_OUTSIDE && end == &check->from) {
		vd_check_say(check, VD_CHECK_BLOCKED, WHAT, "name the port, or network:NAME:ADDRESS for a host beyond a network",
			     "%s: no port, or several, and no container network of project %s has the address", text,
			     check->project);
		end->type = VD_CHECK_TYPE_NOBODY;
	}
}

/* The family that the other end's text prescribes; of two ports, one that both have. */
static uint8_t family_of(const struct vd_model *model, const char *project, const char *text, const char *other)
{
	const struct vd_port *port = named_port(model, project, text), *peer = named_port(model, project, other);
	const char *colon = strncmp(other, VD_LIVE_FROM_NETWORK, strlen(VD_LIVE_FROM_NETWORK)) ? NULL : strchr(other, ':');
	struct vd_address address;

	if (colon && (colon = strchr(colon + 1, ':')))
		other = colon + 1;
	if (!peer && !vd_address_parse(other, &address))
		return address.family;
	if (!port || !peer)
		return VD_FAMILY_NONE;
	return port_address(port, VD_FAMILY_IPV4) && port_address(peer, VD_FAMILY_IPV4) ? VD_FAMILY_IPV4 : VD_FAMILY_IPV6;
}

/* ---- what their status says ---- */

/* bad: states in which nothing passes; all others with a reason are warnings. */
static void status_say(struct vd_check *check, const struct vd_model *model, const struct vd_resource *resource,
		       const char *const *bad, const char *what, const char *advice)
{
	json_t *status = vd_compile_status_alive(model, resource, check->alive);
	const char *state = vd_check_text(status, "state"), *reason = vd_check_text(status, "reason");
	enum vd_check_verdict verdict = *reason ? VD_CHECK_WARNING : VD_CHECK_OK;

	for (; *bad; bad++)
		if (!strcmp(state, *bad))
			verdict = VD_CHECK_BLOCKED;
	vd_check_say(check, verdict, what, verdict == VD_CHECK_OK ? NULL : advice, "%s %s: %s%s%s%s%s",
		     vd_kind_word(resource->kind), resource->name, state, *vd_check_text(status, "host") ? " on host " : "",
		     vd_check_text(status, "host"), *reason ? ": " : "", reason);
	json_decref(status);
}

static void port_status_say(struct vd_check *check, const struct vd_model *model, const char *port)
{
	static const char *const bad[] = {"detached", "misplaced", NULL};
	const struct vd_resource *resource = vd_model_get(model, VD_KIND_PORT, check->project, port);
	VD_FREE char *advice = NULL;

	if (asprintf(&advice, "viaduct attach %s on the host where the instance is; viaduct status shows the hosts", port) < 0)
		advice = NULL;
	if (resource)
		status_say(check, model, resource, bad, WHAT, advice);
}

static void container_status_say(struct vd_check *check, const struct vd_model *model, const struct vd_check_end *end)
{
	static const char *const bad_nodes[] = {"absent", "detached", NULL}, *const bad_blocks[] = {"chosen", "quarantined",
												    "colliding", "inert", NULL};
	const struct vd_resource *node = end->node[0] ? vd_model_get(model, VD_KIND_NODE, check->project, end->node) : NULL;
	struct search search = {.address = &end->address};
	bool is_colliding;
	json_t *status;

	vd_model_each(model, VD_KIND_CONTAINER_BLOCK, check->project, find_block, &search);
	if (!search.block) {
		vd_check_say(check, VD_CHECK_BLOCKED, WHAT, "viaduct get container_blocks shows who holds which",
			     "%s: container_network %s has the address, but no node holds a block with it", end->text,
			     end->network);
		return;
	}
	if (node)
		status_say(check, model, node, bad_nodes, WHAT, "start its viaductd, and attach its port");
	if (end->port[0])
		port_status_say(check, model, end->port);
	status = vd_compile_status_alive(model, &search.block->head, check->alive);
	is_colliding = !strcmp(vd_check_text(status, "state"), "colliding");
	json_decref(status);
	status_say(check, model, &search.block->head, bad_blocks, is_colliding ? "collisions" : WHAT,
		   is_colliding ? "remove the one, or let the node leave and join again for another block"
				: "viaduct describe container_block says more");
}

static void end_say(struct vd_check *check, const struct vd_model *model, const struct vd_check_end *end)
{
	switch (end->type) {
	case VD_CHECK_TYPE_NOBODY:
		break;
	case VD_CHECK_TYPE_PORT:
		port_status_say(check, model, end->port);
		break;
	case VD_CHECK_TYPE_CONTAINER:
		container_status_say(check, model, end);
		break;
	case VD_CHECK_TYPE_OUTSIDE:
		vd_check_say(check, VD_CHECK_OK, WHAT, NULL, "%s: no port's and no container's: the routes decide where it is",
			     end->text);
		break;
	}
}

/* ---- what stands between them, as far as its status complains ---- */

struct between {
	struct vd_check *check;
	const struct vd_model *model;
};

static void complaint_say(const struct between *between, const struct vd_resource *resource, const char *advice)
{
	json_t *status = vd_compile_status_alive(between->model, resource, between->check->alive);
	const char *reason = vd_check_text(status, "reason");

	if (*reason)
		vd_check_say(between->check, VD_CHECK_WARNING, "routes", advice, "%s %s: %s: %s", vd_kind_word(resource->kind),
			     resource->name, vd_check_text(status, "state"), reason);
	json_decref(status);
}

static int peering_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;
	const struct between *between = userdata;
	const char *vpc = between->check->from.vpc, *peer = between->check->to.vpc;

	if ((!strcmp(peering->vpc, vpc) && !strcmp(peering->peer, peer)) ||
	    (!strcmp(peering->vpc, peer) && !strcmp(peering->peer, vpc)))
		complaint_say(between, resource, "viaduct describe peering shows the routes that lead by it");
	return 0;
}

static int route_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_route *route = (const struct vd_route *)resource;
	const struct between *between = userdata;

	if (vd_prefix_contains(&route->destination, &between->check->from.address) ||
	    vd_prefix_contains(&route->destination, &between->check->to.address))
		complaint_say(between, resource, "viaduct describe route says more");
	return 0;
}

static void between_say(struct vd_check *check, const struct vd_model *model)
{
	struct between between = {check, model};

	vd_model_each(model, VD_KIND_PEERING, check->project, peering_look, &between);
	vd_model_each(model, VD_KIND_ROUTE, check->project, route_look, &between);
}

void vd_check_ends(struct vd_check *check, const char *from, const char *to)
{
	const struct vd_model *model = vd_replica_lock(check->api->replica, NULL, NULL, NULL);

	check->from.text = from;
	check->to.text = to;
	end_read(check, model, from, family_of(model, check->project, from, to), &check->to, &check->from);
	end_read(check, model, to, check->from.address.family, &check->from, &check->to);
	if (check->to.type != VD_CHECK_TYPE_NOBODY && check->from.address.family != check->to.address.family) {
		vd_check_say(check, VD_CHECK_BLOCKED, WHAT, "name addresses of one family",
			     "%s and %s: one is IPv4, the other IPv6", from, to);
		check->to.type = VD_CHECK_TYPE_NOBODY;
	}
	end_say(check, model, &check->from);
	end_say(check, model, &check->to);
	between_say(check, model);
	vd_replica_unlock(check->api->replica);
}
