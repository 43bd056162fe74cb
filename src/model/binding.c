/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"

#include "model/next_hop.h"

#include <errno.h>
#include <string.h>

bool vd_virtual_ip_has_family(const struct vd_virtual_ip *vip, unsigned family)
{
	bool has = family == VD_FAMILY_NONE;

	for (size_t i = 0; i < vip->assigned_address_count; i++)
		has |= vip->assigned_addresses[i].family == family;
	return has;
}

bool vd_vpc_is_attached(const struct vd_model *model, const char *project, const char *name, const char *network)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get(model, VD_KIND_VPC, project, name);

	for (size_t i = 0; vpc && i < vpc->network_count; i++)
		if (strcmp(vpc->networks[i].network, network) == 0)
			return true;
	return false;
}

static const char *subnet_vpc(const struct vd_model *model, const char *project, const char *name)
{
	const struct vd_subnet *subnet = name ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, project, name) : NULL;

	return subnet ? subnet->vpc : NULL;
}

const char *vd_port_vpc(const struct vd_model *model, const struct vd_port *port)
{
	return subnet_vpc(model, port->head.project, port->subnet);
}

const char *vd_virtual_ip_vpc(const struct vd_model *model, const struct vd_virtual_ip *vip)
{
	return subnet_vpc(model, vip->head.project, vip->subnet);
}

static bool has_address(const struct vd_port *port, const struct vd_address *address)
{
	for (size_t i = 0; i < port->assigned_address_count; i++)
		if (vd_address_equal(&port->assigned_addresses[i], address))
			return true;
	return false;
}

static int check_address(struct vd_validation *validation, const struct vd_virtual_ip *vip, const struct vd_port *port,
			 const struct vd_address *address, const char *object)
{
	char text[VD_ADDRESS_TEXT];

	if (address->family == VD_FAMILY_NONE) {
		for (size_t i = 0; i < port->assigned_address_count; i++)
			if (vd_virtual_ip_has_family(vip, port->assigned_addresses[i].family))
				return 0;
		return vd_error_set(validation->error, -EINVAL,
				    "%s: virtual_ip %s is %s and port %s has no address of that family; choose another virtual_ip "
				    "or port",
				    object, vip->head.name, vd_address_format(&vip->assigned_addresses[0], text), port->head.name);
	}
	vd_address_format(address, text);
	if (!has_address(port, address))
		return vd_error_set(validation->error, -EINVAL, "%s: port %s does not have address %s; give one that it has",
				    object, port->head.name, text);
	if (vd_virtual_ip_has_family(vip, address->family))
		return 0;
	return vd_error_set(validation->error, -EINVAL, "%s: virtual_ip %s has no IPv%u address to lead to %s; give another",
			    object, vip->head.name, address->family, text);
}

int vd_binding_check(struct vd_validation *validation, const struct vd_virtual_ip *vip, const struct vd_port *port,
		     const struct vd_address *address, const char *object)
{
	const char *vpc = vd_port_vpc(validation->model, port);
	int r = check_address(validation, vip, port, address, object);

	if (r == 0 && port->network && strcmp(port->network, vip->network) == 0)
		return vd_error_set(validation->error, -EINVAL,
				    "%s: port %s is on network %s itself, and virtual_ip %s is of the same; choose a virtual_ip of "
				    "another network",
				    object, port->head.name, vip->network, vip->head.name);
	if (r < 0 || !vpc || vd_vpc_is_attached(validation->model, port->head.project, vpc, vip->network))
		return r;
	return vd_error_set(validation->error, -EINVAL,
			    "%s: VPC %s of port %s is not attached to network %s of virtual_ip %s; add it to the VPC's networks",
			    object, vpc, port->head.name, vip->network, vip->head.name);
}
