/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/next_hop.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_port_forward, member)

/* The words of enum vd_rule_protocol; a forward takes two of them. */
static const char *const protocols[] = {"all", "tcp", "udp", "icmp", NULL};

static const struct vd_field fields[] = {
	{"vip", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP, .help = "The virtual_ip of a public network, or a router's own."},
	{"protocol", .type = VD_FIELD_TYPE_WORD, .required = true, .offset = OFFSET(protocol), .words = protocols,
	 .help = "tcp or udp."},
	{"ports", .type = VD_FIELD_TYPE_PORTS, .required = true, .offset = OFFSET(port_first),
	 .help = "On the virtual_ip: one port like 24, or a range like 22-80."},
	{"to_ports", .type = VD_FIELD_TYPE_PORTS, .offset = OFFSET(to_first),
	 .help = "At the instance: one port, or the same range; without it the same."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The port of the instance; without it the forward is unbound."},
	{"port_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(port_address),
	 .help = "Which of the port's addresses; without it the first of the virtual_ip's family."},
	{"allowed_cidr", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(allowed_cidr),
	 .help = "Who may use it; without it anyone."},
	{"subnet", .type = VD_FIELD_TYPE_NAME, .is_assigned = true, .offset = OFFSET(assigned_subnet),
	 .help = "The subnet of its instance, remembered while it is unbound."},
};

#define RANGE_TEXT 16

static const char *format_range(uint32_t first, uint32_t last, char text[RANGE_TEXT])
{
	if (first == last)
		snprintf(text, RANGE_TEXT, "%u", first);
	else
		snprintf(text, RANGE_TEXT, "%u-%u", first, last);
	return text;
}

static int forward_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port_forward *forward = (struct vd_port_forward *)resource;
	char text[RANGE_TEXT], to[RANGE_TEXT];

	if (forward->to_first == 0) {
		forward->to_first = forward->port_first;
		forward->to_last = forward->port_last;
	}
	if (forward->protocol != VD_RULE_PROTOCOL_TCP && forward->protocol != VD_RULE_PROTOCOL_UDP)
		return vd_error_set(error, -EINVAL, "%s: protocol is %s; a forward is of tcp or udp", object,
				    protocols[forward->protocol - 1]);
	if (forward->port_address.family != VD_FAMILY_NONE && !forward->port)
		return vd_error_set(error, -EINVAL, "%s: port_address is given without port; name the port that has it", object);
	if (forward->port_first == forward->port_last && forward->to_first == forward->to_last)
		return 0;
	if (forward->port_first == forward->to_first && forward->port_last == forward->to_last)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: ports %s lead to %s; a range leads to the same range only: leave to_ports out",
			    object, format_range(forward->port_first, forward->port_last, text),
			    format_range(forward->to_first, forward->to_last, to));
}

static int forward_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_port_forward *old = (const struct vd_port_forward *)before;
	struct vd_port_forward *forward = (struct vd_port_forward *)after;

	free(forward->assigned_subnet);
	forward->assigned_subnet = old->assigned_subnet ? strdup(old->assigned_subnet) : NULL;
	return old->assigned_subnet && !forward->assigned_subnet ? -ENOMEM : 0;
}

/* It stays in the network of its first instance, also while it has none. */
static int forward_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port_forward *forward = (struct vd_port_forward *)resource;
	const struct vd_port *port;

	if (!forward->port)
		return 0;
	port = (const struct vd_port *)vd_model_get(validation->model, VD_KIND_PORT, resource->project, forward->port);
	if (!port->subnet)
		return vd_error_set(error, -EINVAL,
				    "%s: port %s is on network %s itself, behind no router; give it an elastic_ip instead", object,
				    forward->port, port->network);
	if (forward->assigned_subnet && strcmp(forward->assigned_subnet, port->subnet) != 0 &&
	    vd_model_get(validation->model, VD_KIND_SUBNET, resource->project, forward->assigned_subnet))
		return vd_error_set(
			error, -EINVAL,
			"%s: it belongs to subnet %s, and port %s is on subnet %s; choose a port of the first, or delete "
			"it and make a new one",
			object, forward->assigned_subnet, forward->port, port->subnet);
	free(forward->assigned_subnet);
	forward->assigned_subnet = strdup(port->subnet);
	return forward->assigned_subnet ? 0 : -ENOMEM;
}

/* --- the model around it --- */

struct check {
	struct vd_validation *validation;
	const struct vd_port_forward *forward;
	const char *object;
	const char *vpc;      /* that it leads into; NULL: unbound */
	const char *subnet;   /* that it is bound to, also while it is unbound; NULL: none */
	bool compares_subnet; /* once for all forwards of its virtual_ip */
};

static const struct vd_port *forward_port(const struct vd_model *model, const struct vd_port_forward *forward)
{
	return forward->port ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, forward->head.project, forward->port)
			     : NULL;
}

static int refuse_elastic(const struct vd_resource *resource, void *userdata)
{
	const struct check *check = userdata;

	return vd_error_set(check->validation->error, -EBUSY,
			    "%s: virtual_ip %s is that of elastic_ip %s and serves nothing else; choose another", check->object,
			    check->forward->vip, resource->name);
}

/* The subnet of its first instance, while that exists. */
static const char *forward_subnet(const struct vd_model *model, const struct vd_port_forward *forward)
{
	const char *subnet = forward->assigned_subnet;

	return subnet && vd_model_get(model, VD_KIND_SUBNET, forward->head.project, subnet) ? subnet : NULL;
}

/* Another one on the same virtual_ip. */
static int check_beside(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port_forward *other = (const struct vd_port_forward *)resource;
	const struct check *check = userdata;
	const struct vd_port_forward *forward = check->forward;
	const char *subnet;
	char text[RANGE_TEXT], other_text[RANGE_TEXT];

	if (strcmp(resource->name, forward->head.name) == 0)
		return 0;
	if (other->protocol == forward->protocol && other->port_first <= forward->port_last &&
	    forward->port_first <= other->port_last)
		return vd_error_set(check->validation->error, -EEXIST,
				    "%s: %s %s overlaps %s of port_forward %s on virtual_ip %s; choose other ports", check->object,
				    protocols[forward->protocol - 1], format_range(forward->port_first, forward->port_last, text),
				    format_range(other->port_first, other->port_last, other_text), resource->name, forward->vip);
	if (!check->compares_subnet)
		return 0;
	subnet = forward_subnet(check->validation->model, other);
	if (!subnet || strcmp(subnet, check->subnet) == 0)
		return 0;
	return vd_error_set(check->validation->error, -EINVAL,
			    "%s: it leads to subnet %s, and port_forward %s leads virtual_ip %s to subnet %s; choose another "
			    "virtual_ip",
			    check->object, check->subnet, resource->name, forward->vip, subnet);
}

/* Another one to the same instance. */
static int check_other_vip(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port_forward *other = (const struct vd_port_forward *)resource;
	const struct check *check = userdata;

	if (strcmp(other->vip, check->forward->vip) == 0)
		return 0;
	return vd_error_set(check->validation->error, -EINVAL,
			    "%s: port %s is reached on virtual_ip %s by port_forward %s, and one instance uses one virtual_ip for "
			    "forwards; put it on that one",
			    check->object, other->port, other->vip, resource->name);
}

static int check_port_of_instance(const struct vd_resource *resource, void *userdata)
{
	const struct check *check = userdata;
	const char *vpc = vd_port_vpc(check->validation->model, (const struct vd_port *)resource);

	if (!vpc || strcmp(vpc, check->vpc) != 0)
		return 0;
	return vd_model_each_forward_of_port(check->validation->model, resource->project, resource->name, check_other_vip,
					     userdata);
}

static int check_vip(const struct check *check, const struct vd_virtual_ip *vip)
{
	const struct vd_network *network;
	const struct vd_prefix *allowed = &check->forward->allowed_cidr;
	char text[VD_PREFIX_TEXT];

	if (vip->subnet)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: virtual_ip %s is of subnet %s; a forward stands on one of a public network", check->object,
				    vip->head.name, vip->subnet);
	network = (const struct vd_network *)vd_model_get(check->validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT,
							  vip->network);
	if (network->role == VD_NETWORK_ROLE_FLAT)
		return vd_error_set(
			check->validation->error, -EINVAL,
			"%s: virtual_ip %s is of flat network %s, which has no router to forward; choose one of a public "
			"network, or use an elastic_ip",
			check->object, vip->head.name, vip->network);
	if (vip->vpc && check->vpc && strcmp(vip->vpc, check->vpc) != 0)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: virtual_ip %s is the router's own address of VPC %s, and port %s is in VPC %s; choose a "
				    "virtual_ip or a port of the same",
				    check->object, vip->head.name, vip->vpc, check->forward->port, check->vpc);
	if (vd_virtual_ip_has_family(vip, allowed->address.family))
		return 0;
	return vd_error_set(check->validation->error, -EINVAL,
			    "%s: allowed_cidr %s is of IPv%u, and virtual_ip %s has no such address; give another", check->object,
			    vd_prefix_format(allowed, text), allowed->address.family, vip->head.name);
}

int vd_port_forward_check(struct vd_validation *validation, const struct vd_port_forward *forward)
{
	const struct vd_model *model = validation->model;
	const char *project = forward->head.project;
	const struct vd_virtual_ip *vip =
		(const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, project, forward->vip);
	const struct vd_port *port = forward_port(model, forward);
	char object[VD_OBJECT_SIZE];
	struct check check = {.validation = validation,
			      .forward = forward,
			      .object = vd_resource_text(&forward->head, object),
			      .vpc = port ? vd_port_vpc(model, port) : NULL,
			      .subnet = forward_subnet(model, forward)};
	int r;

	check.compares_subnet = check.subnet && vd_validation_once(validation, "subnet of forwards", project, forward->vip);
	r = check_vip(&check, vip);
	if (r == 0)
		r = vd_model_each_elastic_ip_of_vip(model, project, forward->vip, refuse_elastic, &check);
	if (r == 0)
		r = vd_model_each_forward_of_vip(model, project, forward->vip, check_beside, &check);
	if (r < 0 || !port)
		return r;
	r = vd_binding_check(validation, vip, port, &forward->port_address, check.object);
	if (r == 0)
		r = vd_model_each_forward_of_port(model, project, forward->port, check_other_vip, &check);
	if (r < 0 || !port->instance)
		return r;
	return vd_model_each_port_of_instance(model, project, port->instance, check_port_of_instance, &check);
}

static int forward_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			 const char *object, struct vd_error *error)
{
	return vd_port_forward_check(validation, (const struct vd_port_forward *)after);
}

const struct vd_kind_type vd_kind_type_port_forward = {
	.word = "port_forward",
	.plural = "port_forwards",
	.help = "One port, or a range of them, of a virtual_ip that leads to an instance.",
	.size = sizeof(struct vd_port_forward),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = forward_complete,
	.succeed = forward_succeed,
	.claim = forward_claim,
	.check = forward_check,
};
