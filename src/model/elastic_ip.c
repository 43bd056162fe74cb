/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

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

const struct vd_kind_type vd_kind_type_elastic_ip = {
	.word = "elastic_ip",
	.plural = "elastic_ips",
	.help = "A virtual_ip of a network that is one port's, both ways, and moves between ports.",
	.size = sizeof(struct vd_elastic_ip),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = elastic_prepare,
	.complete = elastic_complete,
};
