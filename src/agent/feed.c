/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the routers' processes must know, as lines of their control protocol (services/router/control.h): made from the difference of
 * the plan, and for ports also from the model, on the store's thread.
 */
#include "agent/private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

void vd_feed_free(struct vd_feed *feed)
{
	free(feed->key);
	free(feed->line);
	free(feed);
}

/* Takes the record over: an object without "op". */
static int feed_add(struct vd_batch *batch, uint32_t domain, json_t *record, bool remove, const char *key)
{
	struct vd_feed *feed = calloc(1, sizeof(*feed));

	if (feed && record) {
		json_object_set_new(record, "op", json_string(remove ? "remove" : "put"));
		feed->domain = domain;
		feed->remove = remove;
		feed->key = strdup(key);
		feed->line = json_dumps(record, JSON_COMPACT);
	}
	json_decref(record);
	if (!feed || !feed->key || !feed->line) {
		if (feed)
			vd_feed_free(feed);
		return -ENOMEM;
	}
	DL_APPEND(batch->feeds, feed);
	return 0;
}

static void address_set(json_t *object, const char *name, const struct vd_address *address)
{
	char text[VD_ADDRESS_TEXT];

	if (address->family != VD_FAMILY_NONE)
		json_object_set_new(object, name, json_string(vd_address_format(address, text)));
}

static void prefix_set(json_t *object, const char *name, const struct vd_prefix *prefix)
{
	char text[VD_PREFIX_TEXT];

	if (prefix->address.family != VD_FAMILY_NONE)
		json_object_set_new(object, name, json_string(vd_prefix_format(prefix, text)));
}

static json_t *prefixes(const struct vd_prefix *all, size_t count)
{
	json_t *array = json_array();
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(vd_prefix_format(&all[i], text)));
	return array;
}

static int domain_add(struct vd_batch *batch, const struct vd_plan_domain *domain)
{
	json_t *record = json_pack("{s:s, s:s, s:s, s:I}", "kind", "router", "vpc", domain->name, "project", domain->project, "mtu",
				   (json_int_t)domain->mtu);

	address_set(record, "service4", &domain->service4);
	address_set(record, "service6", &domain->service6);
	return feed_add(batch, domain->domain, record, false, "router");
}

static int subnet_add(struct vd_batch *batch, const struct vd_plan_subnet *subnet, bool remove)
{
	json_t *record = json_pack("{s:s, s:I}", "kind", "subnet", "id", (json_int_t)subnet->subnet), *dns = json_array();
	char key[32], text[VD_ADDRESS_TEXT];

	snprintf(key, sizeof(key), "subnet/%" PRIu32, subnet->subnet);
	for (size_t i = 0; i < VD_PLAN_DNS_SERVERS && subnet->dns[i].family != VD_FAMILY_NONE; i++)
		json_array_append_new(dns, json_string(vd_address_format(&subnet->dns[i], text)));
	json_object_set_new(record, "name", json_string(subnet->name));
	prefix_set(record, "cidr4", &subnet->cidr4);
	address_set(record, "gateway4", &subnet->gateway4);
	prefix_set(record, "cidr6", &subnet->cidr6);
	address_set(record, "gateway6", &subnet->gateway6);
	json_object_set_new(record, "outside", json_boolean(subnet->is_network));
	json_object_set_new(record, "dhcp", json_boolean(subnet->dhcp));
	address_set(record, "dhcp_address", &subnet->dhcp_address);
	json_object_set_new(record, "lease", json_integer(subnet->lease));
	json_object_set_new(record, "dns", dns);
	json_object_set_new(record, "domain", json_string(subnet->domain_name));
	return feed_add(batch, subnet->domain, record, remove, key);
}

static void port_extras_set(json_t *record, const struct vd_port *port)
{
	json_t *keys = json_array();

	if (port->hostname)
		json_object_set_new(record, "hostname", json_string(port->hostname));
	if (port->user_data)
		json_object_set_new(record, "user_data", json_string(port->user_data));
	for (size_t i = 0; i < port->ssh_key_count; i++)
		json_array_append_new(keys, json_string(port->ssh_keys[i]));
	json_object_set_new(record, "ssh_keys", keys);
}

static int port_add(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan_port *port, bool remove)
{
	const struct vd_port *resource = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, port->project, port->name);
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get_by_id(model, port->domain);
	json_t *record = json_pack("{s:s, s:I}", "kind", "port", "id", (json_int_t)port->port);
	char key[32], text[VD_MAC_TEXT];

	snprintf(key, sizeof(key), "port/%" PRIu32, port->port);
	json_object_set_new(record, "name", json_string(port->name));
	json_object_set_new(record, "mac", json_string(vd_mac_format(&port->mac, text)));
	json_object_set_new(record, "subnet", json_integer(port->subnet));
	json_object_set_new(record, "addresses", prefixes(port->addresses, port->address_count));
	json_object_set_new(record, "default", json_boolean(port->is_default));
	json_object_set_new(record, "mtu", json_integer(port->mtu));
	if (vpc && vpc->head.kind == VD_KIND_VPC)
		json_object_set_new(record, "vpc_cidrs", prefixes(vpc->cidrs, vpc->cidr_count));
	if (resource && !remove)
		port_extras_set(record, resource);
	return feed_add(batch, port->domain, record, remove, key);
}

static int name_add(struct vd_batch *batch, const struct vd_plan_name *name, bool remove)
{
	json_t *record = json_pack("{s:s, s:s, s:I}", "kind", "name", "name", name->name, "port", (json_int_t)name->port);
	char key[VD_ADDRESS_TEXT + 8], text[VD_ADDRESS_TEXT];

	snprintf(key, sizeof(key), "name/%s", vd_address_format(&name->address, text));
	address_set(record, "address", &name->address);
	return feed_add(batch, name->domain, record, remove, key);
}

int vd_feed_step(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan_step *step)
{
	const struct vd_plan_record *record = step->after ? step->after : step->before;

	switch (record->kind) {
	case VD_PLAN_KIND_DOMAIN:
		return step->after ? domain_add(batch, &record->domain) : 0;
	case VD_PLAN_KIND_SUBNET:
		return subnet_add(batch, &record->subnet, !step->after);
	case VD_PLAN_KIND_PORT:
		return port_add(batch, model, &record->port, !step->after);
	case VD_PLAN_KIND_NAME:
		return name_add(batch, &record->name, !step->after);
	case VD_PLAN_KIND_TUNNEL_HOST:
	case VD_PLAN_KIND_POLICY:
	case VD_PLAN_KIND_POLICY_REMOTE:
	case VD_PLAN_KIND_POLICY_PORT:
	case VD_PLAN_KIND_POLICY_SPAN:
	case VD_PLAN_KIND_SOURCE:
	case VD_PLAN_KIND_ENDPOINT:
	case VD_PLAN_KIND_ROUTE:
	case VD_PLAN_KIND_NETWORK:
	case VD_PLAN_KIND_SEGMENT:
	case VD_PLAN_KIND_EXIT:
	case VD_PLAN_KIND_BLOCK:
	case VD_PLAN_KIND_EXEMPT:
	case VD_PLAN_KIND_HOST_ROUTE:
	case VD_PLAN_KIND_VIP:
	case VD_PLAN_KIND_FORWARD:
	case VD_PLAN_KIND_POLICY_ROUTE:
	case VD_PLAN_KIND_INWARD:
	case VD_PLAN_KIND_ALIAS:
	case VD_PLAN_KIND_NEXT_HOP:
	case VD_PLAN_KIND_COUNT:
		break;
	}
	return 0;
}

/* ---- what a plan's port record does not hold: user data, keys, host name, the VPC's CIDRs ---- */

struct refresh {
	struct vd_batch *batch;
	const struct vd_model *model;
	uint32_t domain; /* 0: all */
};

static int port_refresh(const struct vd_plan_record *record, void *userdata)
{
	const struct refresh *refresh = userdata;

	if (refresh->domain && record->port.domain != refresh->domain)
		return 0;
	return port_add(refresh->batch, refresh->model, &record->port, false);
}

static int change_follow(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan *plan,
			 const struct vd_change *change)
{
	const struct vd_resource *resource = vd_model_get(model, change->kind, change->project, change->name);
	struct refresh refresh = {.batch = batch, .model = model};
	struct vd_plan_record key, record;

	if (!resource || (change->kind != VD_KIND_PORT && change->kind != VD_KIND_VPC))
		return 0;
	if (change->kind == VD_KIND_VPC) {
		refresh.domain = resource->id;
		return vd_plan_each(plan, VD_PLAN_KIND_PORT, port_refresh, &refresh);
	}
	vd_plan_record_init(&key, VD_PLAN_KIND_PORT);
	key.port.port = resource->id;
	return vd_plan_get(plan, &key, &record) == 0 ? port_add(batch, model, &record.port, false) : 0;
}

int vd_feed_changes(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan *plan,
		    const struct vd_changes *changes)
{
	struct refresh refresh = {.batch = batch, .model = model};
	int r = 0;

	if (!changes)
		return vd_plan_each(plan, VD_PLAN_KIND_PORT, port_refresh, &refresh);
	for (size_t i = 0; i < changes->count && r == 0; i++)
		r = change_follow(batch, model, plan, &changes->items[i]);
	return r;
}
