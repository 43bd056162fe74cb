/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/next_hop.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_elastic_ip, member)

static bool has_network(const struct vd_resource *resource)
{
	return ((const struct vd_elastic_ip *)resource)->network != NULL;
}

static bool has_no_network(const struct vd_resource *resource)
{
	return !has_network(resource);
}

/* vip stands behind network, which says whether a document names it. */
static const struct vd_field fields[] = {
	{NULL, "vip", VD_FIELD_TYPE_NAME, .offset = OFFSET(vip), .applies = has_network, .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP},
	{"vip", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vip), .applies = has_no_network, .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP, .help = "The virtual_ip of a network that it is; either this or network."},
	{"network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(network), .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The network that its virtual_ip is taken from: one is made that is called as this is, and goes with it."},
	{"address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(address),
	 .help = "Beside network: its address; without it the lowest free one."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The port that it leads to; without it, and without private_vip, it is unbound."},
	{"port_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(port_address),
	 .help = "Which of the port's addresses; without it the first of the family."},
	{"private_vip", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(private_vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP, .help = "In place of port: a virtual_ip of a subnet, whoever holds it."},
};

static int elastic_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	bool vip = json_object_get(document, "vip"), network = json_object_get(document, "network");

	if (vip == network)
		return vd_error_set(error, -EINVAL,
				    "%s: name either vip: (a virtual_ip that exists) or network: (to take a new one)", object);
	if (json_object_get(document, "address") && !network)
		return vd_error_set(error, -EINVAL, "%s: address is given beside vip, which has one; leave it out", object);
	return 0;
}

static int elastic_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_elastic_ip *elastic = (struct vd_elastic_ip *)resource;

	if (elastic->port && elastic->private_vip)
		return vd_error_set(error, -EINVAL, "%s: it names a port and a private_vip; leave one out", object);
	if (elastic->port_address.family != VD_FAMILY_NONE && !elastic->port)
		return vd_error_set(error, -EINVAL, "%s: port_address is given without port; name the port that has it", object);
	if (!elastic->network)
		return 0;
	elastic->vip = strdup(resource->name);
	return elastic->vip ? 0 : -ENOMEM;
}

static int elastic_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_elastic_ip *old = (const struct vd_elastic_ip *)before, *elastic = (const struct vd_elastic_ip *)after;
	if (!old->network || !elastic->network || strcmp(old->network, elastic->network) == 0)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: its network is %s and cannot become %s while it stands; delete it first", object,
			    old->network, elastic->network);
}

struct check {
	struct vd_validation *validation;
	const struct vd_elastic_ip *elastic;
	const char *object;
};

static int refuse_other(const struct vd_resource *resource, void *userdata)
{
	const struct check *check = userdata;

	if (strcmp(resource->name, check->elastic->head.name) == 0)
		return 0;
	return vd_error_set(check->validation->error, -EBUSY,
			    "%s: virtual_ip %s is that of elastic_ip %s already; choose another, or bind that one", check->object,
			    check->elastic->vip, resource->name);
}

static int refuse_forward(const struct vd_resource *resource, void *userdata)
{
	const struct check *check = userdata;

	return vd_error_set(check->validation->error, -EBUSY,
			    "%s: virtual_ip %s serves port_forward %s, and one with an elastic IP serves nothing else; choose "
			    "another virtual_ip",
			    check->object, check->elastic->vip, resource->name);
}

static int check_vip(struct check *check, const struct vd_virtual_ip *vip)
{
	const struct vd_elastic_ip *elastic = check->elastic;
	const char *project = elastic->head.project;
	char text[VD_ADDRESS_TEXT], other[VD_ADDRESS_TEXT];
	int r;

	if (vip->vpc)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: virtual_ip %s is the router's own address of VPC %s, which serves no elastic IP; name "
				    "network: %s to take a new one",
				    check->object, vip->head.name, vip->vpc, vip->network);
	if (vip->subnet)
		return vd_error_set(
			check->validation->error, -EINVAL,
			"%s: virtual_ip %s is of subnet %s; an elastic IP is one of a network (private_vip: binds it to "
			"one of a subnet)",
			check->object, vip->head.name, vip->subnet);
	if (elastic->network && strcmp(elastic->network, vip->network) != 0)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: virtual_ip %s, which is called as it is, is of network %s; choose another name",
				    check->object, vip->head.name, vip->network);
	if (elastic->address.family != VD_FAMILY_NONE && vip->assigned_address_count > 0 &&
	    !vd_address_equal(&elastic->address, &vip->assigned_addresses[0]))
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: its address is %s, and that of its virtual_ip %s is %s; give both the same", check->object,
				    vd_address_format(&elastic->address, text), vip->head.name,
				    vd_address_format(&vip->assigned_addresses[0], other));
	r = vd_model_each_elastic_ip_of_vip(check->validation->model, project, elastic->vip, refuse_other, check);
	return r < 0 ? r : vd_model_each_forward_of_vip(check->validation->model, project, elastic->vip, refuse_forward, check);
}

/* In place of a port: an address that moves inside a VPC. */
static int check_private(const struct check *check, const struct vd_virtual_ip *vip, const struct vd_virtual_ip *private)
{
	const char *vpc = vd_virtual_ip_vpc(check->validation->model, private);
	bool fits = false;

	if (!private->subnet)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: private_vip %s is of network %s; it leads to one of a subnet, or to a port", check->object,
				    private->head.name, private->network);
	for (size_t i = 0; i < private->assigned_address_count; i++)
		fits |= vd_virtual_ip_has_family(vip, private->assigned_addresses[i].family);
	if (!fits)
		return vd_error_set(check->validation->error, -EINVAL,
				    "%s: private_vip %s has no address of the family of virtual_ip %s; choose another",
				    check->object, private->head.name, vip->head.name);
	if (vd_vpc_is_attached(check->validation->model, private->head.project, vpc, vip->network))
		return 0;
	return vd_error_set(check->validation->error, -EINVAL,
			    "%s: VPC %s of private_vip %s is not attached to network %s; add it to the VPC's networks",
			    check->object, vpc, private->head.name, vip->network);
}

int vd_elastic_ip_check(struct vd_validation *validation, const struct vd_elastic_ip *elastic)
{
	const struct vd_model *model = validation->model;
	const char *project = elastic->head.project;
	const struct vd_virtual_ip *vip =
		(const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, project, elastic->vip);
	char object[VD_OBJECT_SIZE];
	struct check check = {.validation = validation, .elastic = elastic, .object = vd_resource_text(&elastic->head, object)};
	int r = check_vip(&check, vip);

	if (r < 0)
		return r;
	if (elastic->port)
		return vd_binding_check(validation, vip,
					(const struct vd_port *)vd_model_get(model, VD_KIND_PORT, project, elastic->port),
					&elastic->port_address, check.object);
	if (!elastic->private_vip)
		return 0;
	return check_private(&check, vip,
			     (const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, project, elastic->private_vip));
}

static int elastic_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			 const char *object, struct vd_error *error)
{
	return vd_elastic_ip_check(validation, (const struct vd_elastic_ip *)after);
}

const struct vd_kind_type vd_kind_type_elastic_ip = {
	.word = "elastic_ip",
	.plural = "elastic_ips",
	.help = "A virtual_ip of a network that is one port's, both ways, and moves between ports.",
	.size = sizeof(struct vd_elastic_ip),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = elastic_prepare,
	.complete = elastic_complete,
	.succeed = elastic_succeed,
	.check = elastic_check,
};
