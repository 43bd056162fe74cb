/* SPDX-License-Identifier: Apache-2.0 */
#include "api/item.h"

#include "base/cleanup.h"
#include "compile/compile.h"
#include "model/document.h"

static json_t *attachment_item(const struct vd_attachment *attachment)
{
	static const char *const types[] = {
		[VD_ATTACHMENT_TYPE_NETNS] = "netns",
		[VD_ATTACHMENT_TYPE_TAP] = "tap",
		[VD_ATTACHMENT_TYPE_LINK] = "link",
	};
	json_t *item = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:b}", "host", attachment->host, "type", types[attachment->type],
				 "ifname", attachment->ifname, "netns", attachment->netns, "guest_ifname",
				 attachment->guest_ifname[0] ? attachment->guest_ifname : NULL, "dhcp", attachment->dhcp);

	return item;
}

/* {"physnet1": {"ifname", "mac", "mtu", "vf_count"}}; NULL without any. */
static json_t *uplinks_item(const struct vd_claim *claim)
{
	json_t *uplinks = claim->uplink_count > 0 ? json_object() : NULL;
	char mac[VD_MAC_TEXT];

	for (size_t i = 0; i < claim->uplink_count; i++) {
		const struct vd_uplink *uplink = &claim->uplinks[i];

		json_object_set_new(uplinks, uplink->physnet,
				    json_pack("{s:s, s:s, s:I, s:I}", "ifname", uplink->ifname, "mac",
					      vd_mac_format(&uplink->mac, mac), "mtu", (json_int_t)uplink->mtu, "vf_count",
					      (json_int_t)uplink->vf_count));
	}
	return uplinks;
}

/* {"docker0": "172.17.0.0/16"}; NULL without any. One name may have several prefixes: then they stand in one text. */
static json_t *occupied_item(const struct vd_claim *claim)
{
	json_t *occupied = claim->occupied_count > 0 ? json_object() : NULL;
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < claim->occupied_count; i++) {
		const char *name = claim->occupied[i].name, *before = json_string_value(json_object_get(occupied, name));

		vd_prefix_format(&claim->occupied[i].prefix, text);
		json_object_set_new(occupied, name, before ? json_sprintf("%s, %s", before, text) : json_string(text));
	}
	return occupied;
}

static json_t *claim_item(const struct vd_claim *claim)
{
	char text[VD_ADDRESS_TEXT], lan[VD_PREFIX_TEXT];
	bool has_lan = claim->lan.address.family != VD_FAMILY_NONE;

	return json_pack("{s:s, s:i, s:s, s:s*, s:s*, s:s*, s:o*, s:o*}", "underlay", vd_address_format(&claim->underlay, text),
			 "underlay_mtu", (int)claim->underlay_mtu, "boot_id", claim->boot_id, "api", claim->api, "version",
			 claim->version, "lan", has_lan ? vd_prefix_format(&claim->lan, lan) : NULL, "uplinks", uplinks_item(claim),
			 "occupied", occupied_item(claim));
}

/* What hosts report about the resource. */
static int item_add_facts(json_t *item, const struct vd_model *model, const struct vd_resource *resource)
{
	const struct vd_resource *fact;

	if (resource->kind == VD_KIND_PORT) {
		fact = vd_model_get(model, VD_KIND_ATTACHMENT, resource->project, resource->name);
		if (fact)
			return json_object_set_new(item, "attachment", attachment_item((const struct vd_attachment *)fact));
	}
	if (resource->kind == VD_KIND_HOST) {
		fact = vd_model_get(model, VD_KIND_CLAIM, "default", resource->name);
		if (fact)
			return json_object_set_new(item, "claim", claim_item((const struct vd_claim *)fact));
	}
	if (resource->kind == VD_KIND_VIRTUAL_IP) {
		fact = vd_model_get(model, VD_KIND_GATEWAY, resource->project, resource->name);
		if (fact)
			return json_object_set_new(item, "gateway",
						   json_pack("{s:s}", "host", ((const struct vd_gateway *)fact)->host));
	}
	return 0;
}

json_t *vd_item_new(const struct vd_model *model, const struct vd_resource *resource)
{
	json_t *item =
		json_pack("{s:s, s:s, s:s, s:o, s:o}", "kind", vd_kind_word(resource->kind), "project", resource->project, "name",
			  resource->name, "document", vd_resource_document(resource), "assigned", vd_resource_assigned(resource));
	json_t *status;

	if (!item)
		return NULL;
	status = vd_compile_status(model, resource);
	if ((status && json_object_set_new(item, "status", status)) || item_add_facts(item, model, resource)) {
		json_decref(item);
		return NULL;
	}
	return item;
}

const char *vd_item_action(const struct vd_change *change)
{
	if (!change->before)
		return "created";
	if (!change->after)
		return "deleted";
	return vd_resource_equal(change->before, change->after) ? "unchanged" : "changed";
}

char *vd_item_yaml(const struct vd_resource *resource)
{
	json_t *documents = json_pack("[o]", vd_resource_document(resource));
	char *text = documents ? vd_documents_format(documents) : NULL;

	json_decref(documents);
	return text;
}

static int item_add_yaml(json_t *item, const char *member, const struct vd_resource *resource)
{
	VD_FREE char *text = NULL;

	if (!resource)
		return 0;
	text = vd_item_yaml(resource);
	return text ? json_object_set_new(item, member, json_string(text)) : -1;
}

json_t *vd_item_change(const struct vd_change *change, bool documents)
{
	json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "kind", vd_kind_word(change->kind), "project", change->project, "name",
				 change->name, "action", vd_item_action(change));
	int r = 0;

	if (!item)
		return NULL;
	if (change->after)
		r = json_object_set_new(item, "assigned", vd_resource_assigned(change->after));
	if (!r && documents)
		r = item_add_yaml(item, "before", change->before);
	if (!r && documents)
		r = item_add_yaml(item, "after", change->after);
	if (r) {
		json_decref(item);
		return NULL;
	}
	return item;
}
