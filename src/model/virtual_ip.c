/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/segment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_virtual_ip, member)

static const struct vd_field fields[] = {
	{"network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(network), .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The public or flat network that it is taken from; either this or subnet. Cannot change."},
	{"subnet", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(subnet), .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "The subnet that it is taken from: a second address that moves between instances. Cannot change."},
	{"addresses", "address", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(addresses), .count_offset = OFFSET(address_count),
	 .max = 2, .help = "Its address; without it the lowest free one, of IPv4 where there is IPv4."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "Who holds a subnet's virtual_ip now."},
	{"vpc", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "Whose router's own address it is: made with the VPC's attachment to the network, and gone with it."},
	{"addresses", .type = VD_FIELD_TYPE_ADDRESSES, .is_assigned = true, .offset = OFFSET(assigned_addresses),
	 .count_offset = OFFSET(assigned_address_count), .help = "The addresses that it has."},
};

static int vip_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)resource;

	if (!vip->network == !vip->subnet)
		return vd_error_set(error, -EINVAL, "%s: name either network: (a public or flat one) or subnet: (inside a VPC)",
				    object);
	if (vip->port && vip->network)
		return vd_error_set(
			error, -EINVAL,
			"%s: a port holds a subnet's virtual_ip only; bind this one with an elastic_ip or a port_forward", object);
	if (vip->vpc && vip->subnet)
		return vd_error_set(error, -EINVAL, "%s: vpc is of a router's own address on a network; leave it out", object);
	if (!vip->vpc && vip->address_count > 1)
		return vd_error_set(error, -EINVAL, "%s: it has %zu addresses; make a second virtual_ip", object,
				    vip->address_count);
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int copy_addresses(struct vd_virtual_ip *vip, const struct vd_address *addresses, size_t count)
{
	/* One more per family may be assigned. */
	struct vd_address *copy = calloc(count + 2, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		copy[i] = addresses[i];
	free(vip->assigned_addresses);
	vip->assigned_addresses = copy;
	vip->assigned_address_count = count;
	return 0;
}

static int vip_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_virtual_ip *old = (const struct vd_virtual_ip *)before;
	struct vd_virtual_ip *vip = (struct vd_virtual_ip *)after;

	if (!same_text(old->network, vip->network) || !same_text(old->subnet, vip->subnet))
		return vd_error_set(error, -EINVAL,
				    "%s: it is of %s %s and cannot move to another network while it stands; delete it first",
				    object, old->network ? "network" : "subnet", old->network ? old->network : old->subnet);
	if (!same_text(old->vpc, vip->vpc))
		return vd_error_set(error, -EEXIST, "%s: %s; choose another name", object,
				    old->vpc ? "a router's own address on a network is called so"
					     : "it is no router's own address, and cannot become one");
	return copy_addresses(vip, old->assigned_addresses, old->assigned_address_count);
}

/* --- its addresses --- */

static bool has_family(const struct vd_address *addresses, size_t count, unsigned family)
{
	for (size_t i = 0; i < count; i++)
		if (addresses[i].family == family)
			return true;
	return false;
}

/* What is asked for, and of what it had, a router's of the other family or all when nothing is asked for. */
static int keep_addresses(struct vd_virtual_ip *vip)
{
	struct vd_address kept[4];
	size_t count = 0;

	for (size_t i = 0; i < vip->address_count && count < 2; i++)
		kept[count++] = vip->addresses[i];
	for (size_t i = 0; i < vip->assigned_address_count && count < 2; i++)
		if ((vip->vpc || vip->address_count == 0) && !has_family(kept, count, vip->assigned_addresses[i].family))
			kept[count++] = vip->assigned_addresses[i];
	return copy_addresses(vip, kept, count);
}

static int check_place(const struct vd_validation *validation, const struct vd_virtual_ip *vip, const char *object)
{
	const struct vd_network *network;
	const struct vd_vpc *vpc;
	bool is_attached = false;

	if (!vip->network)
		return 0;
	network = (const struct vd_network *)vd_model_get(validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, vip->network);
	if (network->role == VD_NETWORK_ROLE_MANAGEMENT)
		return vd_error_set(validation->error, -EINVAL,
				    "%s: network %s is a management network, for hosts only; choose a public or flat one", object,
				    vip->network);
	if (!vip->vpc)
		return 0;
	vpc = (const struct vd_vpc *)vd_model_get(validation->model, VD_KIND_VPC, vip->head.project, vip->vpc);
	for (size_t i = 0; i < vpc->network_count; i++)
		is_attached |= strcmp(vpc->networks[i].network, vip->network) == 0;
	if (is_attached)
		return 0;
	return vd_error_set(validation->error, -EINVAL,
			    "%s: vpc %s is not attached to network %s, which is what makes its router's address there; attach it",
			    object, vip->vpc, vip->network);
}

static int vip_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_virtual_ip *vip = (struct vd_virtual_ip *)resource;
	struct vd_address_request request = {vip->addresses, vip->assigned_addresses, vip->address_count,
					     vip->assigned_address_count};
	char name[2 * VD_NAME_SIZE];
	struct vd_segment segment;
	int r;

	if (vip->vpc) {
		vd_system_vip_name(vip->vpc, vip->network, name);
		if (strcmp(name, resource->name) != 0)
			return vd_error_set(
				error, -EINVAL,
				"%s: it names a vpc, but its router's own address on network %s is called %s; leave vpc out",
				object, vip->network, name);
	}
	vd_segment_find(validation->model, resource->project, vip->subnet, vip->network, &segment);
	r = check_place(validation, vip, object);
	if (r == 0)
		r = vd_segment_check_ranges(validation, &segment, &request, object);
	if (r == 0)
		r = keep_addresses(vip);
	for (size_t i = 0; r == 0 && i < vip->assigned_address_count; i++)
		r = vd_segment_check_address(validation, &segment, resource, &vip->assigned_addresses[i], object);
	return r;
}

static int vip_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_virtual_ip *vip = (struct vd_virtual_ip *)resource;
	struct vd_segment segment;
	int r = 0;

	vd_segment_find(validation->model, resource->project, vip->subnet, vip->network, &segment);
	/* IPv4 first, whatever the order of the CIDRs. */
	for (unsigned family = VD_FAMILY_IPV4; r == 0 && family <= VD_FAMILY_IPV6; family += 2)
		for (size_t i = 0; r == 0 && i < segment.cidr_count; i++) {
			bool has = vip->vpc ? has_family(vip->assigned_addresses, vip->assigned_address_count, family)
					    : vip->assigned_address_count > 0;

			if (segment.cidrs[i].address.family != family || has)
				continue;
			r = vd_segment_allocate(validation, &segment, i, object,
						&vip->assigned_addresses[vip->assigned_address_count]);
			if (r == 0)
				vip->assigned_address_count++;
		}
	return r;
}

static int vip_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		     const char *object, struct vd_error *error)
{
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)after;
	const struct vd_subnet *ours, *theirs;
	const struct vd_port *port;

	if (before) {
		int r = vd_virtual_ip_check_users(validation, vip);

		if (r < 0)
			return r;
	}
	if (!vip->port)
		return 0;
	port = (const struct vd_port *)vd_model_get(validation->model, VD_KIND_PORT, after->project, vip->port);
	ours = (const struct vd_subnet *)vd_model_get(validation->model, VD_KIND_SUBNET, after->project, vip->subnet);
	theirs = vd_port_subnet(validation->model, port);
	if (theirs && strcmp(ours->head.name, theirs->head.name) == 0)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: port %s is not in its subnet %s; choose a port of that", object, vip->port,
			    vip->subnet);
}

const char *vd_system_vip_name(const char *vpc, const char *network, char text[2 * VD_NAME_SIZE])
{
	snprintf(text, 2 * VD_NAME_SIZE, "%s.%s", vpc, network);
	return text;
}

const struct vd_kind_type vd_kind_type_virtual_ip = {
	.word = "virtual_ip",
	.plural = "virtual_ips",
	.help = "An address that may move: of a network, for elastic IPs and port forwards, or of a subnet.",
	.size = sizeof(struct vd_virtual_ip),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = vip_complete,
	.succeed = vip_succeed,
	.claim = vip_claim,
	.assign = vip_assign,
	.check = vip_check,
};
