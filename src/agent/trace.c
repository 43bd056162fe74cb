/* SPDX-License-Identifier: Apache-2.0 */
/* "What would the next packet meet?", in the user's names: resolves them, asks the data plane, says who can tell the rest. */
#include "agent/private.h"
#include "compile/compile.h"
#include "containers/journal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct trace {
	struct vd_trace_request request;
	const char *project, *from;
	uint32_t container_domain; /* from a container: its network's id */
	json_t *reply;
};

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static int number_read(const json_t *arguments, const char *member, json_int_t maximum, json_int_t *value, struct vd_error *error)
{
	const json_t *number = json_object_get(arguments, member);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > maximum)
		return vd_error_set(error, -EINVAL, "trace: %s is a number from 0 to %lld", member, (long long)maximum);
	*value = json_integer_value(number);
	return 0;
}

static int protocol_read(const json_t *arguments, struct vd_trace_request *request, struct vd_error *error)
{
	const char *protocol = text_of(arguments, "protocol");
	json_int_t port = 0, source_port = 40000, ttl = 64, size = 56;
	int r = 0;

	if (!protocol || strcmp(protocol, "icmp") == 0)
		request->protocol = request->destination.family == VD_FAMILY_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else if (strcmp(protocol, "tcp") == 0)
		request->protocol = IPPROTO_TCP;
	else if (strcmp(protocol, "udp") == 0)
		request->protocol = IPPROTO_UDP;
	else
		return vd_error_set(error, -EINVAL, "trace: protocol \"%.20s\" is none of icmp, tcp, udp", protocol);

	if (request->protocol == IPPROTO_TCP)
		port = 80;
	else if (request->protocol == IPPROTO_UDP)
		port = 53;
	else
		source_port = 0;
	r = number_read(arguments, "port", 65535, &port, error);
	if (r == 0)
		r = number_read(arguments, "source_port", 65535, &source_port, error);
	if (r == 0)
		r = number_read(arguments, "ttl", 255, &ttl, error);
	if (r == 0)
		r = number_read(arguments, "size", 65000, &size, error);
	request->destination_port = (uint16_t)port;
	request->source_port = (uint16_t)source_port;
	request->ttl = (uint8_t)ttl;
	request->size = (uint16_t)size;
	return r;
}

/* An address, or a port of the same project. */
static int end_resolve(const struct vd_model *model, const struct trace *trace, const char *text, uint8_t family,
		       struct vd_address *ret, struct vd_error *error)
{
	const struct vd_port *port;

	if (!text)
		return vd_error_set(error, -EINVAL, "trace: to where? Name a port or an address");
	if (vd_address_parse(text, ret) == 0)
		return 0;
	port = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, trace->project, text);
	if (!port)
		return vd_error_set(error, -ENOENT, "%s: neither an address nor a port", text);
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (family == VD_FAMILY_NONE || port->assigned_addresses[i].family == family) {
			*ret = port->assigned_addresses[i];
			return 0;
		}
	return vd_error_set(error, -EINVAL, "port %s: it has no IPv%u address", text, family);
}

static const char *vpc_of(const struct vd_model *model, const char *project, const char *name)
{
	const struct vd_port *port = name ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, project, name) : NULL;
	const struct vd_subnet *subnet =
		port && port->subnet ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, project, port->subnet) : NULL;

	return subnet ? subnet->vpc : NULL;
}

/* A port of a peer, as the one who sends sees it. */
static void destination_see(const struct vd_model *model, struct trace *trace, const char *to)
{
	const char *vpc = vpc_of(model, trace->project, to), *by = vpc_of(model, trace->project, trace->from);

	if (vpc && by)
		trace->request.destination = vd_model_address_as_seen(model, trace->project, vpc, by, &trace->request.destination);
}

static int tunnel_read(const json_t *tunnel, struct vd_trace_request *request, struct vd_error *error)
{
	const char *vtep = text_of(tunnel, "vtep"), *destination_mac = text_of(tunnel, "destination_mac"),
		   *source_mac = text_of(tunnel, "source_mac");

	request->vni = (uint32_t)json_integer_value(json_object_get(tunnel, "vni"));
	if (!vtep || vd_address_parse(vtep, &request->vtep) < 0 || !destination_mac ||
	    vd_mac_parse(destination_mac, &request->destination_mac) < 0 ||
	    (source_mac && vd_mac_parse(source_mac, &request->source_mac) < 0))
		return vd_error_set(error, -EINVAL, "trace: tunnel needs vni, vtep and destination_mac");
	return 0;
}

/* "network:NAME:ADDRESS": an outside host, by the uplink that this host has to the network. */
static int outside_read(const struct vd_model *model, const char *from, struct vd_trace_request *request, struct vd_error *error)
{
	const char *name = from + strlen(VD_LIVE_FROM_NETWORK), *colon = strchr(name, ':');
	char network_name[VD_NAME_SIZE];
	const struct vd_resource *network;

	if (!colon || (size_t)(colon - name) >= sizeof(network_name) || vd_address_parse(colon + 1, &request->source) < 0)
		return vd_error_set(error, -EINVAL,
				    "trace: from outside is network:NAME:ADDRESS, an address beyond that network, not %.80s", from);
	snprintf(network_name, sizeof(network_name), "%.*s", (int)(colon - name), name);
	network = vd_model_get(model, VD_KIND_NETWORK, "default", network_name);
	if (!network)
		return vd_error_set(error, -ENOENT, "network %s: there is no such network", network_name);
	if (request->source.family != request->destination.family)
		return vd_error_set(error, -EINVAL, "trace: source and destination are of one family");
	request->from_network = network->id;
	return 0;
}

/* "NETWORK:ADDRESS" or "NETWORK": a container network of the project, and what follows its name. */
static const struct vd_container_network *network_find(const struct vd_model *model, const char *project, const char *text,
						       const char **ret_rest, struct vd_error *error)
{
	const struct vd_resource *network;
	char name[VD_NAME_SIZE];
	size_t size = strcspn(text, ":");

	snprintf(name, sizeof(name), "%.*s", size < sizeof(name) ? (int)size : 0, text);
	network = vd_model_get(model, VD_KIND_CONTAINER_NETWORK, project, name);
	if (!network)
		vd_error_set(error, -ENOENT, "container_network %.*s: there is none of that name", (int)size, text);
	*ret_rest = text[size] ? text + size + 1 : "";
	return (const struct vd_container_network *)network;
}

/* "container:NETWORK:ADDRESS": which port it has, the loop knows. */
static int container_read(const struct vd_model *model, struct trace *trace, struct vd_error *error)
{
	const struct vd_container_network *network;
	const char *address;

	network = network_find(model, trace->project, trace->from + strlen(VD_LIVE_FROM_CONTAINER), &address, error);
	if (!network)
		return -ENOENT;
	if (vd_address_parse(address, &trace->request.source) < 0)
		return vd_error_set(error, -EINVAL, "trace: from a container is container:NETWORK:ADDRESS, not %.80s", trace->from);
	trace->container_domain = network->head.id;
	return 0;
}

/* "kernel:NETWORK": what the node's kernel sends into the network. */
static int kernel_read(const struct vd_model *model, struct trace *trace, struct vd_error *error)
{
	const struct vd_container_network *network;
	const char *rest;

	network = network_find(model, trace->project, trace->from + strlen(VD_LIVE_FROM_KERNEL), &rest, error);
	if (!network)
		return -ENOENT;
	if (trace->request.source.family == VD_FAMILY_NONE)
		return vd_error_set(error, -EINVAL, "trace: from a node's kernel needs a source");
	trace->request.from_port = network->head.id;
	return 0;
}

static bool is_from(const struct trace *trace, const char *kind)
{
	return trace->from && strncmp(trace->from, kind, strlen(kind)) == 0;
}

static int ends_read(struct vd_agent *agent, const struct vd_model *model, const json_t *arguments, struct trace *trace,
		     struct vd_error *error)
{
	const json_t *tunnel = json_object_get(arguments, "tunnel");
	const char *source = text_of(arguments, "source");
	const struct vd_attachment *attachment;
	const struct vd_port *port;
	int r;

	r = end_resolve(model, trace, text_of(arguments, "to"), VD_FAMILY_NONE, &trace->request.destination, error);
	if (r < 0)
		return r;
	destination_see(model, trace, text_of(arguments, "to"));
	if (source) {
		r = end_resolve(model, trace, source, trace->request.destination.family, &trace->request.source, error);
		if (r < 0)
			return r;
	}
	if (tunnel)
		return tunnel_read(tunnel, &trace->request, error);
	if (is_from(trace, VD_LIVE_FROM_NETWORK))
		return outside_read(model, trace->from, &trace->request, error);
	if (is_from(trace, VD_LIVE_FROM_CONTAINER))
		return container_read(model, trace, error);
	if (is_from(trace, VD_LIVE_FROM_KERNEL))
		return kernel_read(model, trace, error);

	port = trace->from ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, trace->project, trace->from) : NULL;
	if (!port)
		return vd_error_set(error, -ENOENT, "port %s: there is no such port", trace->from ? trace->from : "?");
	attachment = (const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, trace->project, trace->from);
	if (!attachment)
		return vd_error_set(error, -ENOENT, "port %s: it is not attached, so nothing leaves it", trace->from);
	if (strcmp(attachment->host, agent->options.host) != 0)
		return vd_error_set(error, -EINVAL, "port %s: it is attached on host %s: ask there", trace->from, attachment->host);
	trace->request.from_port = port->head.id;
	trace->request.source_mac = port->assigned_mac;
	return source ? 0
		      : end_resolve(model, trace, trace->from, trace->request.destination.family, &trace->request.source, error);
}

static int name_find(uint32_t id, char *text, size_t size, void *userdata)
{
	struct vd_agent *agent = userdata;
	const struct vd_resource *resource = vd_model_get_by_id(vd_replica_lock(agent->replica, NULL, NULL, NULL), id);
	bool is_default = resource && strcmp(resource->project, "default") == 0;

	if (resource)
		snprintf(text, size, "%s%s%s", is_default ? "" : resource->project, is_default ? "" : "/", resource->name);
	vd_replica_unlock(agent->replica);
	return resource ? 0 : -ENOENT;
}

static int container_resolve(struct vd_agent *agent, struct trace *trace, struct vd_error *error)
{
	const struct vd_address *address = &trace->request.source;
	const struct vd_container *container = vd_journal_find_address(agent->journal, trace->container_domain, address);
	char text[VD_ADDRESS_TEXT];

	if (!container || container->state != VD_CONTAINER_STATE_UP)
		return vd_error_set(error, -ENOENT, "address %s: no container that Viaduct attached on host %s has it",
				    vd_address_format(address, text), agent->options.host);
	trace->request.from_port = container->port;
	trace->request.source_mac = container->mac;
	return 0;
}

static int trace_run(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct trace *trace = userdata;
	int r = trace->container_domain ? container_resolve(agent, trace, error) : 0;

	if (r < 0)
		return r;
	trace->request.name = name_find;
	trace->request.name_userdata = agent;
	return vd_datapath_trace(agent->datapath, &trace->request, &trace->reply, error);
}

/* Our tunnel address towards whom this VNI belongs to: a VPC, by its own or a subnet's, or a container network. */
static int vtep_find(struct vd_agent *agent, const struct vd_model *model, uint32_t vni, struct vd_address *ret)
{
	const struct vd_claim *claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", agent->options.host);
	const struct vd_resource *owner = vd_model_get_by_vni(model, vni);
	const struct vd_vxlan_pool *pool;
	const char *name;

	if (owner && owner->kind == VD_KIND_SUBNET)
		owner = vd_model_get(model, VD_KIND_VPC, owner->project, ((const struct vd_subnet *)owner)->vpc);
	if (!owner)
		return -ENOENT;
	name = owner->kind == VD_KIND_VPC ? ((const struct vd_vpc *)owner)->vxlan_pool
					  : ((const struct vd_container_network *)owner)->vxlan_pool;
	pool = vd_model_vxlan_pool(model, owner->project, name);
	return pool && claim ? vd_claim_vtep(claim, pool, ret) : -ENOENT;
}

/* The packet as it goes on is what the next host is asked about: it may have been translated here. */
static json_t *packet_forward(const json_t *arguments, const struct trace *trace, const struct vd_address *vtep)
{
	const json_t *packet = json_object_get(trace->reply, "packet");
	json_t *forwarded = json_copy((json_t *)arguments);
	char text[VD_ADDRESS_TEXT];

	json_object_del(forwarded, "from");
	json_object_set(forwarded, "source", json_object_get(packet, "source"));
	json_object_set(forwarded, "to", json_object_get(packet, "destination"));
	json_object_set(forwarded, "source_port", json_object_get(packet, "source_port"));
	if (trace->request.protocol == IPPROTO_TCP || trace->request.protocol == IPPROTO_UDP)
		json_object_set(forwarded, "port", json_object_get(packet, "destination_port"));
	json_object_set_new(forwarded, "tunnel",
			    json_pack("{s:O?, s:s, s:O?, s:O?}", "vni", json_object_get(trace->reply, "vni"), "vtep",
				      vd_address_format(vtep, text), "destination_mac",
				      json_object_get(trace->reply, "destination_mac"), "source_mac",
				      json_object_get(trace->reply, "source_mac")));
	return forwarded;
}

static void next_add(struct vd_agent *agent, const json_t *arguments, const struct trace *trace)
{
	const json_t *to_host = json_object_get(trace->reply, "to_host");
	uint32_t vni = (uint32_t)json_integer_value(json_object_get(trace->reply, "vni"));
	const struct vd_model *model;
	const struct vd_resource *host;
	struct vd_address vtep;

	if (!json_is_integer(to_host))
		return;
	model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	host = vd_model_get_by_id(model, (uint32_t)json_integer_value(to_host));
	if (host && host->kind == VD_KIND_HOST && vtep_find(agent, model, vni, &vtep) == 0)
		json_object_set_new(
			trace->reply, "next",
			json_pack("{s:s, s:o}", "host", host->name, "arguments", packet_forward(arguments, trace, &vtep)));
	vd_replica_unlock(agent->replica);
}

/* ---- what the node's kernel makes of it ---- */

struct leaving {
	const struct trace *trace;
	bool masquerade, is_exempt;
};

static int block_look(const struct vd_plan_record *record, void *userdata)
{
	struct leaving *leaving = userdata;

	if (record->block.domain == leaving->trace->container_domain &&
	    vd_prefix_contains(&record->block.prefix, &leaving->trace->request.source))
		leaving->masquerade = record->block.masquerade;
	return 0;
}

static int exempt_look(const struct vd_plan_record *record, void *userdata)
{
	struct leaving *leaving = userdata;

	leaving->is_exempt |= record->exempt.domain == leaving->trace->container_domain &&
			      vd_prefix_contains(&record->exempt.prefix, &leaving->trace->request.destination);
	return 0;
}

/* Whether a container's packet takes the node's address when its kernel sends it on: as the keeper's rules are, by the same records. */
static void masquerade_add(struct vd_agent *agent, const struct trace *trace)
{
	struct leaving leaving = {.trace = trace};
	const struct vd_plan *plan;

	if (!trace->container_domain || !json_is_true(json_object_get(trace->reply, "to_kernel")))
		return;
	vd_replica_lock(agent->replica, NULL, NULL, NULL);
	plan = vd_compiler_plan(agent->compiler);
	vd_plan_each(plan, VD_PLAN_KIND_BLOCK, block_look, &leaving);
	vd_plan_each(plan, VD_PLAN_KIND_EXEMPT, exempt_look, &leaving);
	vd_replica_unlock(agent->replica);
	json_object_set_new(trace->reply, "masquerade", json_boolean(leaving.masquerade && !leaving.is_exempt));
}

int vd_live_trace(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct trace trace = {.project = text_of(arguments, "project"), .from = text_of(arguments, "from")};
	const struct vd_model *model;
	int r;

	if (!trace.project)
		trace.project = "default";
	trace.request.goes_on = json_is_true(json_object_get(arguments, "goes_on"));
	model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	r = ends_read(agent, model, arguments, &trace, error);
	vd_replica_unlock(agent->replica);
	if (r == 0)
		r = protocol_read(arguments, &trace.request, error);
	if (r == 0)
		r = vd_agent_on_loop(agent, trace_run, &trace, error);
	if (r < 0)
		return r;
	json_object_set_new(trace.reply, "host", json_string(agent->options.host));
	next_add(agent, arguments, &trace);
	masquerade_add(agent, &trace);
	*ret = trace.reply;
	return 0;
}
