/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/status.h"

#include "compile/elastic.h"
#include "compile/forward.h"
#include "compile/gateway.h"
#include "model/change.h"

#include <string.h>

/* Provider networks, and what stands on them. */

json_t *vd_addresses_status(const struct vd_address *addresses, size_t count)
{
	json_t *list = json_array();
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(vd_address_format(&addresses[i], text)));
	return list;
}

static json_t *unusable(json_t *reason)
{
	return json_pack("{s:s, s:o}", "state", "unusable", "reason", reason);
}

static json_t *no_gateway_reason(const char *vpc, const struct vd_network *network)
{
	return json_sprintf("no host holds the address of VPC %s on network %s: start viaductd with an --uplink to %s", vpc,
			    network->head.name, network->physnet);
}

/* "active" through that host, unless it does not report. */
static json_t *active(const json_t *alive, const char *host)
{
	json_t *reason = vd_silence_reason(alive, host);

	return json_pack("{s:s, s:s, s:o*}", "state", reason ? "uncertain" : "active", "host", host, "reason", reason);
}

/* ---- network ---- */

struct uplinks {
	const struct vd_network *network;
	json_t *hosts; /* an object: the interface of each */
};

static int take_uplink(const struct vd_resource *claim, void *userdata)
{
	const struct uplinks *uplinks = userdata;
	const struct vd_uplink *uplink = vd_claim_uplink((const struct vd_claim *)claim, uplinks->network->physnet);

	return uplink ? json_object_set_new(uplinks->hosts, claim->name, json_string(uplink->ifname)) : 0;
}

static int count_one(const struct vd_resource *resource, void *userdata)
{
	++*(json_int_t *)userdata;
	return 0;
}

json_t *vd_network_status(const struct vd_view *view, const struct vd_network *network)
{
	struct uplinks uplinks = {network, json_object()};
	const char *name = network->head.name;
	json_int_t vpcs = 0, vips = 0, ports = 0;
	json_t *reason = NULL;

	vd_model_each(view->model, VD_KIND_CLAIM, NULL, take_uplink, &uplinks);
	vd_model_each_vpc_of_network(view->model, name, count_one, &vpcs);
	vd_model_each_vip_of_network(view->model, name, count_one, &vips);
	vd_model_each_port_of_network(view->model, name, count_one, &ports);
	if (json_object_size(uplinks.hosts) == 0)
		reason = json_sprintf("no host has an uplink to %s: start viaductd with --uplink %s=INTERFACE", network->physnet,
				      network->physnet);
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o*}", "state", reason ? "unusable" : "active", "uplinks", uplinks.hosts,
			 "vpcs", vpcs, "virtual_ips", vips, "ports", ports, "reason", reason);
}

/* ---- vpc: its attachments ---- */

json_t *vd_vpc_networks_status(const struct vd_view *view, const json_t *alive, const struct vd_vpc *vpc)
{
	json_t *networks = vpc->network_count > 0 ? json_object() : NULL;

	for (size_t i = 0; i < vpc->network_count; i++) {
		const char *name = vpc->networks[i].network;
		const struct vd_network *network = vd_view_network(view, name);
		const struct vd_virtual_ip *vip = vd_view_system_vip(view, vpc->head.project, vpc->head.name, name);
		const char *host = network ? vd_view_gateway_host(view, vpc->head.project, vpc->head.name, network) : NULL;
		json_t *status;

		if (!network || !vip)
			continue;
		status = host ? active(alive, host) : unusable(no_gateway_reason(vpc->head.name, network));
		json_object_set_new(status, "addresses", vd_addresses_status(vip->assigned_addresses, vip->assigned_address_count));
		json_object_set_new(networks, name, status);
	}
	return networks;
}

/* ---- virtual_ip ---- */

static json_t *private_status(const struct vd_view *view, const json_t *alive, const struct vd_virtual_ip *vip)
{
	const struct vd_attachment *attachment = vip->port ? vd_view_attachment(view, vip->head.project, vip->port) : NULL;

	if (!vip->port)
		return json_pack("{s:s, s:s}", "state", "unused", "reason", "no port holds it: set its port");
	if (!attachment)
		return unusable(json_sprintf("port %s, which holds it, is not attached: attach it", vip->port));
	return active(alive, attachment->host);
}

static int take_vpc_of_forward(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port_forward *forward = (const struct vd_port_forward *)resource, **bound = userdata;

	if (forward->port && (!*bound || strcmp(resource->name, (*bound)->head.name) < 0))
		*bound = forward;
	return 0;
}

static int take_first_by_name(const struct vd_resource *resource, void *userdata)
{
	const struct vd_resource **first = userdata;

	if (!*first || strcmp(resource->name, (*first)->name) < 0)
		*first = resource;
	return 0;
}

json_t *vd_virtual_ip_status(const struct vd_view *view, const json_t *alive, const struct vd_virtual_ip *vip)
{
	const char *project = vip->head.project, *name = vip->head.name;
	const struct vd_network *network = vip->network ? vd_view_network(view, vip->network) : NULL;
	const struct vd_resource *elastic = NULL;
	const struct vd_port_forward *forward = NULL;
	const char *host;

	if (vip->subnet)
		return private_status(view, alive, vip);
	if (!network)
		return unusable(json_sprintf("network %s does not exist", vip->network));
	if (vip->vpc) {
		host = vd_view_gateway_host(view, project, vip->vpc, network);
		return host ? active(alive, host) : unusable(no_gateway_reason(vip->vpc, network));
	}
	vd_model_each_elastic_ip_of_vip(view->model, project, name, take_first_by_name, &elastic);
	if (elastic)
		return vd_elastic_ip_status(view, alive, (const struct vd_elastic_ip *)elastic);
	vd_model_each_forward_of_vip(view->model, project, name, take_vpc_of_forward, &forward);
	if (forward)
		return vd_port_forward_status(view, alive, forward);
	return json_pack("{s:s, s:s}", "state", "unused", "reason", "no elastic_ip and no port_forward uses it");
}

/* ---- elastic_ip ---- */

static json_t *elastic_reason(const struct vd_elastic_ip *elastic, const struct vd_elastic_standing *standing)
{
	const char *network = standing->network ? standing->network->head.name : "";
	const char *port = standing->port ? standing->port->head.name : "";

	switch (standing->state) {
	case VD_ELASTIC_STATE_ACTIVE:
	case VD_ELASTIC_STATE_UNBOUND:
		break;
	case VD_ELASTIC_STATE_GONE:
		return json_sprintf("virtual_ip %s, or what it is bound to, does not exist or serves something else", elastic->vip);
	case VD_ELASTIC_STATE_NOT_HELD:
		return json_sprintf("no port holds virtual_ip %s: set its port", elastic->private_vip);
	case VD_ELASTIC_STATE_NO_ADDRESS:
		return json_sprintf("port %s has no such address of the family of the virtual_ip",
				    elastic->port ? elastic->port : port);
	case VD_ELASTIC_STATE_DETACHED:
		return json_sprintf("port %s is not attached: attach it", port);
	case VD_ELASTIC_STATE_NO_UPLINK:
		if (standing->vpc)
			return json_sprintf("host %s has no uplink to %s, and VPC %s is not attached to network %s: attach it",
					    standing->port_host, standing->network->physnet, standing->vpc->head.name, network);
		return json_sprintf("host %s, where port %s is attached, has no uplink to %s: attach it where there is one",
				    standing->port_host, port, standing->network->physnet);
	case VD_ELASTIC_STATE_NO_GATEWAY:
		return json_sprintf("host %s has no uplink to %s, and no host holds the address of VPC %s on network %s",
				    standing->port_host, standing->network->physnet, standing->vpc->head.name, network);
	}
	return NULL;
}

json_t *vd_elastic_ip_status(const struct vd_view *view, const json_t *alive, const struct vd_elastic_ip *elastic)
{
	struct vd_elastic_standing standing;
	json_t *status, *reason;

	vd_elastic_stand(view, elastic, &standing);
	reason = elastic_reason(elastic, &standing);
	if (standing.state == VD_ELASTIC_STATE_UNBOUND)
		status = json_pack("{s:s}", "state", "unbound");
	else if (reason)
		status = unusable(reason);
	else
		status = active(alive, standing.host);
	if (standing.vip)
		json_object_set_new(status, "addresses",
				    vd_addresses_status(standing.vip->assigned_addresses, standing.vip->assigned_address_count));
	if (standing.port && standing.inner.family != VD_FAMILY_NONE) {
		char text[VD_ADDRESS_TEXT];

		json_object_set_new(status, "port", json_string(standing.port->head.name));
		json_object_set_new(status, "inner", json_string(vd_address_format(&standing.inner, text)));
	}
	return status;
}

/* ---- port_forward ---- */

static json_t *forward_reason(const struct vd_port_forward *forward, const struct vd_forward_standing *standing)
{
	const char *vpc = standing->subnet ? standing->subnet->vpc : "";

	switch (standing->state) {
	case VD_FORWARD_STATE_ACTIVE:
	case VD_FORWARD_STATE_UNBOUND:
		break;
	case VD_FORWARD_STATE_GONE:
		return json_sprintf("virtual_ip %s, or what it is bound to, does not exist", forward->vip);
	case VD_FORWARD_STATE_NO_ADDRESS:
		return json_sprintf("port %s has no such address of the family of virtual_ip %s", forward->port, forward->vip);
	case VD_FORWARD_STATE_NO_ROUTER:
		return json_sprintf("VPC %s is not attached to network %s: attach it", vpc, standing->network->head.name);
	case VD_FORWARD_STATE_NO_GATEWAY:
		return no_gateway_reason(vpc, standing->network);
	case VD_FORWARD_STATE_OTHER_ROUTER:
		return json_sprintf("virtual_ip %s is the own address of VPC %s, and port %s is of VPC %s", forward->vip,
				    standing->vip->vpc, forward->port, vpc);
	}
	return NULL;
}

json_t *vd_port_forward_status(const struct vd_view *view, const json_t *alive, const struct vd_port_forward *forward)
{
	struct vd_forward_standing standing;
	json_t *reason;

	vd_forward_stand(view, forward, &standing);
	reason = forward_reason(forward, &standing);
	if (standing.state == VD_FORWARD_STATE_UNBOUND)
		return json_pack("{s:s}", "state", "unbound");
	if (reason)
		return unusable(reason);
	if (!vd_view_attachment(view, standing.port->head.project, standing.port->head.name))
		return unusable(json_sprintf("port %s is not attached: attach it", standing.port->head.name));
	return active(alive, standing.host);
}
