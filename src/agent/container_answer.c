/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/container.h"

#include <string.h>

static void addresses_set(json_t *answer, const struct vd_container *container)
{
	json_t *addresses = json_array(), *gateways = json_array();
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_container_address *address = &container->addresses[i];

		if (address->prefix.address.family == VD_FAMILY_NONE)
			continue;
		json_array_append_new(addresses, json_string(vd_prefix_format(&address->prefix, text)));
		if (address->gateway.family != VD_FAMILY_NONE)
			json_array_append_new(gateways, json_string(vd_address_format(&address->gateway, text)));
	}
	json_object_set_new(answer, "addresses", addresses);
	json_object_set_new(answer, "gateways", gateways);
	json_object_set_new(answer, "routes", json_array());
}

static void link_set(json_t *answer, const struct vd_container *container, uint32_t mtu)
{
	char mac[VD_MAC_TEXT], ifname[16];

	snprintf(ifname, sizeof(ifname), "vd%x", container->port);
	json_object_set_new(answer, "mac", json_string(vd_mac_format(&container->mac, mac)));
	json_object_set_new(answer, "mtu", json_integer(mtu));
	json_object_set_new(answer, "ifname", json_string(ifname));
	json_object_set_new(answer, "peer_ifname", json_string(container->ifname));
}

json_t *vd_container_answer(const struct vd_container *container, uint32_t mtu)
{
	json_t *answer = json_pack("{s:s, s:s, s:{}}", "key", container->key, "network", container->network, "dns");

	if (!answer)
		return NULL;
	addresses_set(answer, container);
	if (container->port && container->state != VD_CONTAINER_STATE_RESERVED)
		link_set(answer, container, mtu);
	return answer;
}

/* The subnet's gateways are its name servers, for those families that the container has. */
static json_t *dns_of(const struct vd_subnet *subnet, const struct vd_container *container)
{
	json_t *servers = json_array();
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (container->addresses[i].gateway.family != VD_FAMILY_NONE)
			json_array_append_new(servers, json_string(vd_address_format(&container->addresses[i].gateway, text)));
	return json_pack("{s:o, s:s, s:[s]}", "nameservers", servers, "domain", subnet->domain, "search", subnet->domain);
}

void vd_container_dns_set(struct vd_agent *agent, const struct vd_container *container, json_t *answer)
{
	const struct vd_model *model;
	const struct vd_resource *port;
	const struct vd_subnet *subnet = NULL;

	if (!container->native || !answer)
		return;
	model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	port = vd_model_get_by_id(model, container->port);
	if (port && port->kind == VD_KIND_PORT)
		subnet = (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, port->project,
								((const struct vd_port *)port)->subnet);
	if (subnet)
		json_object_set_new(answer, "dns", dns_of(subnet, container));
	vd_replica_unlock(agent->replica);
}

static void bandwidth_set(json_t *answer, const struct vd_container *container)
{
	json_t *bandwidth;

	if (!container->rate_in && !container->rate_out)
		return;
	bandwidth = json_object();
	if (container->rate_in) {
		json_object_set_new(bandwidth, "ingress_rate", json_integer((json_int_t)container->rate_in * 8));
		json_object_set_new(bandwidth, "ingress_burst", json_integer((json_int_t)container->burst_in * 8));
	}
	if (container->rate_out) {
		json_object_set_new(bandwidth, "egress_rate", json_integer((json_int_t)container->rate_out * 8));
		json_object_set_new(bandwidth, "egress_burst", json_integer((json_int_t)container->burst_out * 8));
	}
	json_object_set_new(answer, "bandwidth", bandwidth);
}

json_t *vd_container_describe(const struct vd_container *container, uint32_t mtu)
{
	json_t *answer = vd_container_answer(container, mtu);

	if (!answer)
		return NULL;
	json_object_set_new(answer, "state", json_string(container->state == VD_CONTAINER_STATE_RESERVED ? "reserved" : "up"));
	json_object_set_new(answer, "since", json_integer(container->since));
	if (container->netns)
		json_object_set_new(answer, "netns", json_string(container->netns));
	if (container->hostname)
		json_object_set_new(answer, "hostname", json_string(container->hostname));
	bandwidth_set(answer, container);
	return answer;
}
