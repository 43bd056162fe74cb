/* SPDX-License-Identifier: Apache-2.0 */
/* The port in the store that a container of a native network is, or that holds an address for one. */
#include "agent/container_native.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define APPLY_SECONDS 30

/* FNV-1a: keys are longer than names, and two of one host that come out the same would be refused as a conflict. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash;
}

void vd_native_name(const struct vd_agent *agent, const char *key, char ret[VD_NATIVE_NAME_SIZE])
{
	uint64_t hash = hash_add(hash_add(hash_add(0xcbf29ce484222325u, agent->options.host), "/"), key);

	snprintf(ret, VD_NATIVE_NAME_SIZE, VD_NATIVE_NAME_PREFIX "%016" PRIx64, hash);
}

/* Under the replica's lock. NULL: none that was made here. */
static const struct vd_port *port_find(const struct vd_model *model, const char *project, uint32_t id)
{
	const struct vd_resource *found = id ? vd_model_get_by_id(model, id) : NULL;

	return found && found->kind == VD_KIND_PORT && strcmp(found->project, project) == 0 &&
			       strlen(found->name) == VD_NATIVE_NAME_SIZE - 1
		       ? (const struct vd_port *)found
		       : NULL;
}

int vd_native_name_find(struct vd_agent *agent, const char *project, uint32_t id, char ret[VD_NATIVE_NAME_SIZE])
{
	const struct vd_port *port = port_find(vd_replica_lock(agent->replica, NULL, NULL, NULL), project, id);

	if (port)
		memcpy(ret, port->head.name, VD_NATIVE_NAME_SIZE);
	vd_replica_unlock(agent->replica);
	return port ? 0 : -ENOENT;
}

/* ---- documents ---- */

/* What a runtime calls a host need not be a label of DNS; then the port's name is its name there. */
static bool is_label(const char *hostname)
{
	size_t length = strlen(hostname);

	return length >= 1 && length <= 63 && strspn(hostname, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
	       hostname[0] != '-' && hostname[length - 1] != '-';
}

static void address_append(json_t *document, const struct vd_address *address)
{
	json_t *addresses = json_object_get(document, "addresses");
	char text[VD_ADDRESS_TEXT];

	if (!addresses) {
		addresses = json_array();
		json_object_set_new(document, "addresses", addresses);
	}
	json_array_append_new(addresses, json_string(vd_address_format(address, text)));
}

static json_t *document_new(const struct vd_native_port *port, const struct vd_container_network *network, const char *name)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "port", "project", port->project, "name", name, "subnet",
			 network->subnet, "host", port->agent->options.host);
}

static json_t *document_of_request(const struct vd_native_port *port, const struct vd_container_network *network)
{
	const struct vd_container_request *request = port->request;
	json_t *document = document_new(port, network, port->name);

	for (size_t i = 0; i < request->address_count; i++)
		address_append(document, &request->addresses[i]);
	if (request->hostname && is_label(request->hostname))
		json_object_set_new(document, "hostname", json_string(request->hostname));
	return document;
}

static bool is_wanted(const struct vd_container_request *request, const struct vd_address *address)
{
	for (size_t i = 0; i < request->address_count; i++)
		if (vd_address_equal(&request->addresses[i], address))
			return true;
	return false;
}

static void others_append(json_t *document, const struct vd_container_request *request, const struct vd_port *port)
{
	for (size_t i = 0; port && i < port->assigned_address_count; i++)
		if (!is_wanted(request, &port->assigned_addresses[i]))
			address_append(document, &port->assigned_addresses[i]);
}

/* In one change: what the one gives up the other takes, and nobody else can between. */
static void swap_append(const struct vd_model *model, const struct vd_native_port *port, const struct vd_container_network *network,
			json_t *documents)
{
	const struct vd_port *first = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, port->project, port->name);

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_port *other = port_find(model, port->project, port->request->reserved_ports[i]);
		json_t *document;

		if (!other || strcmp(other->head.name, port->name) == 0)
			continue;
		document = document_new(port, network, other->head.name);
		others_append(document, port->request, other);
		others_append(document, port->request, first);
		json_array_append_new(documents, document);
	}
}

static int write_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
			struct vd_error *error)
{
	struct vd_native_port *port = userdata;
	const struct vd_container_network *network =
		(const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, port->project, port->network);
	struct vd_identity identity = {VD_KIND_PORT, port->project, port->name};
	json_t *documents;
	int r;

	if (!port->request)
		return vd_changes_from_deletion(model, &identity, 1, ret, error);
	if (!network || network->mode != VD_CONTAINER_MODE_NATIVE)
		return vd_error_set(error, -ENONET, "container_network %s: it is gone", port->network);
	documents = json_array();
	json_array_append_new(documents, document_of_request(port, network));
	swap_append(model, port, network, documents);
	r = vd_changes_from_documents(model, documents, port->project, next_id, ret, error);
	json_decref(documents);
	return r;
}

int vd_native_port_write(struct vd_native_port *port, struct vd_error *error)
{
	struct vd_agent *agent = port->agent;
	char id[VD_CONTAINER_WRITE_SIZE];
	int64_t revision = 0;
	int r = vd_replica_write(agent->replica, vd_container_write_request(agent, id), write_decide, port, NULL, &revision, error);

	return r == 0 ? vd_replica_wait(agent->replica, revision, APPLY_SECONDS * 1000) : r;
}

int vd_native_port_gather(struct vd_native_port *port, struct vd_error *error)
{
	const struct vd_container_request *request = port->request;
	int r = request->address_count > 1 ? vd_native_port_write(port, error) : 0;

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		struct vd_native_port other = {.agent = port->agent, .project = port->project, .network = port->network};

		if (vd_native_name_find(port->agent, port->project, request->reserved_ports[i], other.name) == 0 &&
		    strcmp(other.name, port->name) != 0)
			r = vd_native_port_write(&other, error);
	}
	return r;
}

/* ---- what it has ---- */

static int address_take(const struct vd_container_request *request, const struct vd_subnet *subnet,
			const struct vd_address *address, struct vd_container_address *ret)
{
	for (size_t i = 0; i < subnet->cidr_count; i++) {
		if (!vd_prefix_contains(&subnet->cidrs[i], address))
			continue;
		ret->prefix = (struct vd_prefix){*address, subnet->cidrs[i].length};
		ret->gateway = subnet->gateways[i];
	}
	for (size_t i = 0; i < request->reserved_count && !ret->reserved; i++) {
		if (!vd_address_equal(&request->reserved_addresses[i], address))
			continue;
		ret->reserved = strdup(request->reserved[i]);
		if (!ret->reserved)
			return -ENOMEM;
	}
	return 0;
}

int vd_native_port_read(const struct vd_native_port *port, struct vd_container *row, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(port->agent->replica, NULL, NULL, NULL);
	const struct vd_port *found = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, port->project, port->name);
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, port->project, port->name);
	const struct vd_subnet *subnet =
		found ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, port->project, found->subnet) : NULL;
	int r = subnet ? 0 : vd_error_set(error, -ESTALE, "port %s: it was deleted meanwhile", port->name);

	if (r == 0) {
		row->port = found->head.id;
		row->mac = found->assigned_mac;
		row->ifindex = attachment ? attachment->ifindex : 0;
	}
	for (size_t i = 0, count = 0; r == 0 && i < found->assigned_address_count && count < VD_CONTAINER_ADDRESSES; i++)
		if (!port->request->reserved_count || is_wanted(port->request, &found->assigned_addresses[i]))
			r = address_take(port->request, subnet, &found->assigned_addresses[i], &row->addresses[count++]);
	vd_replica_unlock(port->agent->replica);
	return r;
}
