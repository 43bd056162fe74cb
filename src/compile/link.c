/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/key.h"
#include "compile/value.h"
#include "model/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *vd_link_text(const struct vd_network *network, char text[VD_LINK_TEXT])
{
	snprintf(text, VD_LINK_TEXT, "%s/%u", network->physnet, network->vlan);
	return text;
}

void vd_derive_uplink(const struct vd_view *view, const char *host, const char *physnet, struct vd_uplink *ret)
{
	const struct vd_resource *claim = vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, host);
	const struct vd_uplink *uplink = claim ? vd_claim_uplink((const void *)claim, physnet) : NULL;

	vd_view_read(view, vd_key_resource(VD_KIND_CLAIM, VD_HOST_PROJECT, host));
	memset(ret, 0, sizeof(*ret));
	if (!uplink)
		return;
	snprintf(ret->physnet, sizeof(ret->physnet), "%s", uplink->physnet);
	snprintf(ret->ifname, sizeof(ret->ifname), "%s", uplink->ifname);
	ret->ifindex = uplink->ifindex;
	ret->mac = uplink->mac;
	ret->mtu = uplink->mtu;
	ret->vf_count = uplink->vf_count;
}

/* The first network, and the first with a gateway of either family, by id. */
struct firsts {
	uint32_t id, id4, id6;
	struct vd_link *link;
};

static void take_gateway(const struct vd_network *network, uint8_t family, uint32_t *id, struct vd_address *gateway)
{
	for (size_t i = 0; i < network->gateway_count; i++)
		if (network->gateways[i].family == family && (*id == 0 || network->head.id < *id)) {
			*id = network->head.id;
			*gateway = network->gateways[i];
		}
}

static int take_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_network *network = (const struct vd_network *)resource;
	struct firsts *firsts = userdata;

	if (firsts->id == 0 || resource->id < firsts->id)
		firsts->id = firsts->link->id = resource->id;
	take_gateway(network, VD_FAMILY_IPV4, &firsts->id4, &firsts->link->gateway4);
	take_gateway(network, VD_FAMILY_IPV6, &firsts->id6, &firsts->link->gateway6);
	return 0;
}

void vd_derive_link(const struct vd_view *view, const char *physnet, const char *vlan, struct vd_link *ret)
{
	struct firsts firsts = {.link = ret};

	vd_view_read(view, vd_key_members(VD_KIND_NETWORK, "physnet", physnet, vlan));
	memset(ret, 0, sizeof(*ret));
	vd_model_each_network_of_physnet(view->model, physnet, (uint32_t)strtoul(vlan, NULL, 10), take_network, &firsts);
}
