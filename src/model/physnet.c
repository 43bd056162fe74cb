/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/segment.h"

#include <errno.h>
#include <string.h>

int vd_physnet_prepare(const json_t *document, const char *object, struct vd_error *error)
{
	const json_t *vlan = json_object_get(document, "vlan");
	json_int_t number = json_integer_value(vlan);

	if (vlan && !json_object_get(document, "physnet"))
		return vd_error_set(error, -EINVAL, "%s: vlan is given without physnet; name the physical network that it is of",
				    object);
	if (!json_object_get(document, "physnet") && json_is_true(json_object_get(document, "sriov")))
		return vd_error_set(error, -EINVAL, "%s: sriov needs a physnet, whose uplink has the virtual functions; name it",
				    object);
	if (json_is_integer(vlan) && (number == 0 || number == 4095))
		return vd_error_set(error, -EINVAL,
				    "%s: vlan %" JSON_INTEGER_FORMAT
				    " is reserved (IEEE 802.1Q); choose one from 1 to 4094, or leave it "
				    "out for untagged frames",
				    object, number);
	return 0;
}

struct sharing {
	const struct vd_validation *validation;
	const struct vd_resource *resource;
	const char *object;
};

static const char *segment_name(const char *physnet, uint32_t vlan, char text[VD_PHYSNET_VLAN_SIZE + 16])
{
	if (vlan == 0)
		snprintf(text, VD_PHYSNET_VLAN_SIZE + 16, "physnet %s, untagged,", physnet);
	else
		snprintf(text, VD_PHYSNET_VLAN_SIZE + 16, "physnet %s, vlan %u,", physnet, vlan);
	return text;
}

static bool is_same(const struct vd_resource *a, const struct vd_resource *b)
{
	return a->kind == b->kind && strcmp(a->project, b->project) == 0 && strcmp(a->name, b->name) == 0;
}

/* One of them is a subnet: nobody else may be on its segment. */
static int refuse_other(const struct vd_resource *other, void *userdata)
{
	const struct sharing *sharing = userdata;
	const struct vd_network *network = (const struct vd_network *)sharing->resource;
	const struct vd_subnet *subnet = (const struct vd_subnet *)sharing->resource;
	bool is_network = sharing->resource->kind == VD_KIND_NETWORK;
	char segment[VD_PHYSNET_VLAN_SIZE + 16], text[VD_OBJECT_SIZE];

	if (is_same(other, sharing->resource))
		return 0;
	return vd_error_set(
		sharing->validation->error, -EEXIST, "%s: %s has %s already; choose another vlan", sharing->object,
		segment_name(is_network ? network->physnet : subnet->physnet, is_network ? network->vlan : subnet->vlan, segment),
		vd_resource_text(other, text));
}

/* Several networks on one segment are possible, with addresses of their own. */
static int refuse_overlap(const struct vd_resource *resource, void *userdata)
{
	const struct sharing *sharing = userdata;
	const struct vd_network *network = (const struct vd_network *)sharing->resource,
				*other = (const struct vd_network *)resource;
	char text[VD_PREFIX_TEXT], other_cidr[VD_PREFIX_TEXT], other_text[VD_OBJECT_SIZE];
	const struct vd_prefix *ours, *theirs;

	if (is_same(resource, sharing->resource) ||
	    !vd_prefixes_overlap(network->cidrs, network->cidr_count, other->cidrs, other->cidr_count, &ours, &theirs))
		return 0;
	return vd_error_set(
		sharing->validation->error, -EEXIST,
		"%s: CIDR %s overlaps %s of %s on the same physnet and vlan; give that another range in place of a second "
		"network, or choose another CIDR",
		sharing->object, vd_prefix_format(ours, text), vd_prefix_format(theirs, other_cidr),
		vd_resource_text(resource, other_text));
}

int vd_physnet_check(const struct vd_validation *validation, const struct vd_resource *resource, const char *object)
{
	const struct vd_network *network = (const struct vd_network *)resource;
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;
	struct sharing sharing = {validation, resource, object};
	int r;

	if (resource->kind == VD_KIND_NETWORK) {
		r = vd_model_each_subnet_of_physnet(validation->model, network->physnet, network->vlan, refuse_other, &sharing);
		return r < 0 ? r
			     : vd_model_each_network_of_physnet(validation->model, network->physnet, network->vlan, refuse_overlap,
								&sharing);
	}
	if (!subnet->physnet)
		return 0;
	r = vd_model_each_subnet_of_physnet(validation->model, subnet->physnet, subnet->vlan, refuse_other, &sharing);
	return r < 0 ? r
		     : vd_model_each_network_of_physnet(validation->model, subnet->physnet, subnet->vlan, refuse_other, &sharing);
}

struct functions {
	const char *physnet, *host; /* host: one that has the uplink, without virtual functions */
	char ifname[16];
	bool found;
};

static int look_for_functions(const struct vd_resource *resource, void *userdata)
{
	const struct vd_uplink *uplink;
	struct functions *functions = userdata;

	uplink = vd_claim_uplink((const struct vd_claim *)resource, functions->physnet);
	if (!uplink)
		return 0;
	functions->found |= uplink->vf_count > 0;
	if (uplink->vf_count > 0 || (functions->host && strcmp(functions->host, resource->name) < 0))
		return 0;
	functions->host = resource->name;
	memcpy(functions->ifname, uplink->ifname, sizeof(functions->ifname));
	return 0;
}

int vd_sriov_check(const struct vd_validation *validation, const char *physnet, const char *object)
{
	struct functions functions = {.physnet = physnet};

	vd_model_each(validation->model, VD_KIND_CLAIM, NULL, look_for_functions, &functions);
	if (functions.found)
		return 0;
	if (functions.host)
		return vd_error_set(
			validation->error, -EINVAL,
			"%s: sriov: the uplink %s of host %s to physnet %s has no virtual functions, and no other host has "
			"one with them; leave sriov out or enable them (sriov_numvfs)",
			object, functions.ifname, functions.host, physnet);
	return vd_error_set(validation->error, -EINVAL,
			    "%s: sriov: no host has an uplink to physnet %s; start viaductd with --uplink %s=IFNAME first", object,
			    physnet, physnet);
}
