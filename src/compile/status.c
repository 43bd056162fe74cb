/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/compile.h"

#include "base/cleanup.h"
#include "compile/derive.h"
#include "compile/gateway.h"
#include "compile/status.h"

#include <stdlib.h>
#include <string.h>

/* What people read about a resource. Worked out from the model, the same on every host. */

static json_t *status_of(const char *state)
{
	return json_pack("{s:s}", "state", state);
}

json_t *vd_silence_reason(const json_t *alive, const char *host)
{
	if (!alive || json_object_get(alive, host))
		return NULL;
	return json_sprintf("host %s does not report: it is down, or only its viaductd is", host);
}

/* ---- host ---- */

static json_t *host_status(const struct vd_view *view, const json_t *alive, const struct vd_host *host)
{
	const struct vd_claim *claim = (const void *)vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, host->head.name);
	char text[VD_ADDRESS_TEXT];
	json_t *reason;

	if (!claim)
		return json_pack("{s:s, s:o}", "state", "absent", "reason",
				 json_sprintf("no daemon has run as host %s yet: start viaductd --host %s there", host->head.name,
					      host->head.name));
	reason = vd_silence_reason(alive, host->head.name);
	return json_pack("{s:s, s:s, s:i, s:s*, s:o*}", "state", reason ? "silent" : "joined", "underlay",
			 vd_address_format(&claim->underlay, text), "underlay_mtu", (int)claim->underlay_mtu, "version",
			 claim->version, "reason", reason);
}

/* ---- vpc ---- */

struct hosts {
	const struct vd_view *view;
	json_t *names; /* an object, its keys are the hosts: values how many ports */
};

static int count_port_of_host(const struct vd_resource *port, void *userdata)
{
	struct hosts *hosts = userdata;
	const struct vd_attachment *attachment = vd_view_attachment(hosts->view, port->project, port->name);

	if (attachment) {
		json_int_t count = json_integer_value(json_object_get(hosts->names, attachment->host));

		json_object_set_new(hosts->names, attachment->host, json_integer(count + 1));
	}
	return 0;
}

static int count_ports_of_subnet(const struct vd_resource *subnet, void *userdata)
{
	struct hosts *hosts = userdata;

	return vd_model_each_port_of_subnet(hosts->view->model, subnet->project, subnet->name, count_port_of_host, hosts);
}

static json_t *vpc_status(const struct vd_view *view, const json_t *alive, const struct vd_vpc *vpc)
{
	struct hosts hosts = {view, json_object()};

	vd_model_each_subnet_of_vpc(view->model, vpc->head.project, vpc->head.name, count_ports_of_subnet, &hosts);
	return json_pack("{s:s, s:o, s:i, s:i, s:o*}", "state", json_object_size(hosts.names) ? "active" : "idle", "hosts",
			 hosts.names, "mtu", (int)vd_view_mtu(view, vpc), "vni", (int)vpc->assigned_vni, "networks",
			 vd_vpc_networks_status(view, alive, vpc));
}

/* ---- route_table ---- */

/* As main table it is in those that it names itself. */
static int list_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	return table ? json_array_append_new(userdata, json_string(vpc->head.name)) : 0;
}

static int stop_at_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	return 1;
}

static json_t *route_table_status(const struct vd_view *view, const struct vd_route_table *table)
{
	struct vd_table_name name = {table->head.project, table->head.name, false};
	json_t *subnets_of = json_array();

	vd_table_each_vpc(view, &name, false, list_vpc, subnets_of);
	if (!vd_table_each_vpc(view, &name, true, stop_at_vpc, NULL)) {
		json_decref(subnets_of);
		return json_pack(
			"{s:s, s:o}", "state", "unused", "reason",
			json_sprintf("no VPC and no subnet uses route table %s: name VPCs in its vpcs, or it in a subnet's "
				     "route_table",
				     table->head.name));
	}
	return json_pack("{s:s, s:o}", "state", "active", "used_by_subnets_of", subnets_of);
}

/* ---- subnet ---- */

struct usage {
	const struct vd_prefix *cidr;
	json_int_t used;
};

static int count_addresses(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource;
	struct usage *usage = userdata;

	for (size_t i = 0; i < port->assigned_address_count; i++)
		usage->used += vd_prefix_contains(usage->cidr, &port->assigned_addresses[i]);
	return 0;
}

/* How many addresses ports can have: an IPv4 subnet's first and last are the network's and broadcast's, one is the gateway. */
static json_int_t capacity(const struct vd_prefix *cidr)
{
	unsigned bits = vd_address_bits(&cidr->address) - cidr->length;

	if (cidr->address.family == VD_FAMILY_IPV4)
		return bits < 2 ? 1 : ((json_int_t)1 << bits) - 3;
	return bits < 62 ? ((json_int_t)1 << bits) - 2 : (json_int_t)1 << 62;
}

static json_t *cidr_status(const struct vd_view *view, const struct vd_subnet *subnet, size_t i)
{
	struct usage usage = {.cidr = &subnet->cidrs[i]};
	json_int_t free_addresses;
	char cidr[VD_PREFIX_TEXT], gateway[VD_ADDRESS_TEXT];

	vd_model_each_port_of_subnet(view->model, subnet->head.project, subnet->head.name, count_addresses, &usage);
	free_addresses = capacity(usage.cidr) - usage.used;
	if (vd_prefix_contains(usage.cidr, &subnet->assigned_dhcp_address))
		free_addresses--;
	return json_pack("{s:s, s:s*, s:I, s:I}", "cidr", vd_prefix_format(usage.cidr, cidr), "gateway",
			 i < subnet->gateway_count ? vd_address_format(&subnet->gateways[i], gateway) : NULL, "used", usage.used,
			 "free", free_addresses > 0 ? free_addresses : (json_int_t)0);
}

/* What is on the hosts themselves is not asked beside what is reached through the VPC. */
static json_t *dns_status_without_hosts(json_t *all)
{
	const char *server;
	json_t *way;

	json_object_foreach (all, server, way)
		if (strcmp(json_string_value(way), "host") == 0)
			json_object_set_new(all, server, json_string("not asked"));
	return all;
}

/* How each name server is asked, as services/dns/upstream.h says it: {"198.51.100.53": "network public"}; NULL: the hosts' own are. */
static json_t *dns_status(const struct vd_view *view, const struct vd_subnet *subnet)
{
	const struct vd_vpc *vpc = vd_view_vpc(view, subnet->head.project, subnet->vpc);
	json_t *all = subnet->dns_count > 0 ? json_object() : NULL;
	char text[VD_ADDRESS_TEXT];
	bool is_any = false;

	for (size_t i = 0; vpc && i < subnet->dns_count; i++) {
		const struct vd_address *server = &subnet->dns[i];
		const struct vd_network *network =
			vd_address_is_unicast(server) ? vd_view_default_network(view, vpc, server->family) : NULL;

		is_any |= network != NULL;
		json_object_set_new(all, vd_address_format(server, text),
				    network ? json_sprintf("network %s", network->head.name) : json_string("host"));
	}
	return is_any ? dns_status_without_hosts(all) : all;
}

static json_t *subnet_status(const struct vd_view *view, const struct vd_subnet *subnet)
{
	json_t *addresses = json_array(), *dns = dns_status(view, subnet);

	for (size_t i = 0; i < subnet->cidr_count; i++)
		json_array_append_new(addresses, cidr_status(view, subnet, i));
	if (subnet->physnet)
		return json_pack("{s:s, s:s, s:i, s:o, s:o*}", "state", "active", "physnet", subnet->physnet, "vlan",
				 (int)subnet->vlan, "addresses", addresses, "dns", dns);
	return json_pack("{s:s, s:i, s:o, s:o*}", "state", "active", "vni", (int)subnet->assigned_vni, "addresses", addresses,
			 "dns", dns);
}

/* ---- port ---- */

/* On a segment of a physical network that its host has no uplink to, it is alone; NULL: it is not so. */
static json_t *lonely_reason(const struct vd_view *view, const struct vd_port *port, const char *host)
{
	const struct vd_subnet *subnet = port->subnet ? vd_view_subnet(view, port->head.project, port->subnet) : NULL;
	const struct vd_network *network = port->network ? vd_view_network(view, port->network) : NULL;
	const char *physnet = network ? network->physnet : subnet ? subnet->physnet : NULL;

	if (!physnet || vd_view_uplink(view, host, physnet))
		return NULL;
	return json_sprintf("host %s has no uplink to %s: start viaductd there with --uplink %s=INTERFACE", host, physnet, physnet);
}

static json_t *port_status(const struct vd_view *view, const json_t *alive, const struct vd_port *port)
{
	const struct vd_attachment *attachment = vd_view_attachment(view, port->head.project, port->head.name);
	json_t *reason;

	if (!attachment && port->host)
		return json_pack("{s:s, s:o}", "state", "detached", "reason",
				 json_sprintf("attach it on host %s: viaduct attach %s --netns NAME", port->host, port->head.name));
	if (!attachment)
		return status_of("detached");
	if (port->host && strcmp(port->host, attachment->host) != 0)
		return json_pack("{s:s, s:s, s:o}", "state", "misplaced", "host", attachment->host, "reason",
				 json_sprintf("attached on host %s, but the port says host %s: detach it there, or change the port",
					      attachment->host, port->host));
	reason = vd_silence_reason(alive, attachment->host);
	if (!reason)
		reason = lonely_reason(view, port, attachment->host);
	return json_pack("{s:s, s:s, s:o*}", "state", "attached", "host", attachment->host, "reason", reason);
}

/* ---- router_profile, security_group, security_group_rule ---- */

static int list_name(const struct vd_resource *resource, void *userdata)
{
	return json_array_append_new(userdata, json_string(resource->name));
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The model visits in no order, people read in that of names. */
json_t *vd_sorted_status(json_t *names)
{
	size_t count = json_array_size(names);
	VD_FREE json_t **items = calloc(count + 1, sizeof(json_t *));
	json_t *result = items ? json_array() : NULL;

	for (size_t i = 0; result && i < count; i++)
		items[i] = json_array_get(names, i);
	if (result)
		qsort(items, count, sizeof(json_t *), compare_text);
	for (size_t i = 0; result && i < count; i++)
		json_array_append(result, items[i]);
	json_decref(names);
	return result;
}

static json_t *router_profile_status(const struct vd_view *view, const struct vd_router_profile *profile)
{
	json_t *vpcs = json_array();

	vd_model_each_vpc_of_profile(view->model, profile->head.project, profile->head.name, list_name, vpcs);
	vpcs = vd_sorted_status(vpcs);
	return json_pack("{s:s, s:o}", "state", json_array_size(vpcs) ? "active" : "unused", "vpcs", vpcs);
}

static int count_one(const struct vd_resource *resource, void *userdata)
{
	++*(json_int_t *)userdata;
	return 0;
}

static int stop_at_first(const struct vd_resource *resource, void *userdata)
{
	return 1;
}

static bool has_port(const struct vd_view *view, const char *project, const char *group)
{
	return vd_model_each_port_of_group(view->model, project, group, stop_at_first, NULL);
}

static json_t *security_group_status(const struct vd_view *view, const struct vd_security_group *group)
{
	json_t *ports = json_array();
	json_int_t rules = 0;

	vd_model_each_port_of_group(view->model, group->head.project, group->head.name, list_name, ports);
	vd_model_each_rule_of_group(view->model, group->head.project, group->head.name, count_one, &rules);
	ports = vd_sorted_status(ports);
	return json_pack("{s:s, s:I, s:o}", "state", json_array_size(ports) ? "active" : "unused", "rules", rules, "ports", ports);
}

static json_t *security_group_rule_status(const struct vd_view *view, const struct vd_security_group_rule *rule)
{
	const char *project = rule->head.project;

	if (!has_port(view, project, rule->group))
		return json_pack("{s:s, s:o}", "state", "unused", "reason",
				 json_sprintf("no port is in security group %s", rule->group));
	if (rule->remote_group && !has_port(view, project, rule->remote_group))
		return json_pack("{s:s, s:o}", "state", "inert", "reason",
				 json_sprintf("it allows no one, because no port is in security group %s", rule->remote_group));
	return status_of("active");
}

json_t *vd_compile_status(const struct vd_model *model, const struct vd_resource *resource)
{
	return vd_compile_status_alive(model, resource, NULL);
}

json_t *vd_compile_status_alive(const struct vd_model *model, const struct vd_resource *resource, const json_t *alive)
{
	struct vd_view view = {.model = model};

	switch (resource->kind) {
	case VD_KIND_HOST:
		return host_status(&view, alive, (const struct vd_host *)resource);
	case VD_KIND_VPC:
		return vpc_status(&view, alive, (const struct vd_vpc *)resource);
	case VD_KIND_ROUTE_TABLE:
		return route_table_status(&view, (const struct vd_route_table *)resource);
	case VD_KIND_SUBNET:
		return subnet_status(&view, (const struct vd_subnet *)resource);
	case VD_KIND_PORT:
		return port_status(&view, alive, (const struct vd_port *)resource);
	case VD_KIND_ROUTE:
		return vd_route_status(&view, alive, (const struct vd_route *)resource);
	case VD_KIND_POLICY_ROUTE:
		return vd_policy_route_status(&view, alive, (const struct vd_policy_route *)resource);
	case VD_KIND_NETWORK:
		return vd_network_status(&view, (const struct vd_network *)resource);
	case VD_KIND_VIRTUAL_IP:
		return vd_virtual_ip_status(&view, alive, (const struct vd_virtual_ip *)resource);
	case VD_KIND_ELASTIC_IP:
		return vd_elastic_ip_status(&view, alive, (const struct vd_elastic_ip *)resource);
	case VD_KIND_PORT_FORWARD:
		return vd_port_forward_status(&view, alive, (const struct vd_port_forward *)resource);
	case VD_KIND_ROUTER_PROFILE:
		return router_profile_status(&view, (const struct vd_router_profile *)resource);
	case VD_KIND_SECURITY_GROUP:
		return security_group_status(&view, (const struct vd_security_group *)resource);
	case VD_KIND_SECURITY_GROUP_RULE:
		return security_group_rule_status(&view, (const struct vd_security_group_rule *)resource);
	case VD_KIND_PEERING:
		return vd_peering_status(&view, (const struct vd_peering *)resource);
	case VD_KIND_CONTAINER_NETWORK:
		return vd_container_network_status(&view, alive, (const struct vd_container_network *)resource);
	case VD_KIND_NODE:
		return vd_node_status(&view, alive, (const struct vd_node *)resource);
	case VD_KIND_CONTAINER_BLOCK:
		return vd_container_block_status(&view, alive, (const struct vd_container_block *)resource);
	case VD_KIND_VXLAN_POOL:
	case VD_KIND_CLAIM:
	case VD_KIND_ATTACHMENT:
	case VD_KIND_GATEWAY:
	case VD_KIND_COUNT:
		break;
	}
	return NULL;
}
