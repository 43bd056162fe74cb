/* SPDX-License-Identifier: Apache-2.0 */
#include "model/change.h"
#include "model/kind.h"

#include <errno.h>
#include <string.h>

static int copy_text(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(ret, text);
	return 0;
}

/* A number that is not there is 0. */
static int read_number(const json_t *object, const char *key, uint32_t *ret)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	if (number < 0 || number > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

int vd_uplink_read(const json_t *value, struct vd_uplink *ret)
{
	const char *mac = json_string_value(json_object_get(value, "mac"));
	struct vd_uplink uplink = {};

	if (copy_text(value, "physnet", uplink.physnet, sizeof(uplink.physnet)) < 0 ||
	    copy_text(value, "ifname", uplink.ifname, sizeof(uplink.ifname)) < 0 ||
	    read_number(value, "ifindex", &uplink.ifindex) < 0 || read_number(value, "mtu", &uplink.mtu) < 0 ||
	    read_number(value, "vf_count", &uplink.vf_count) < 0 || (mac && vd_mac_parse(mac, &uplink.mac) < 0))
		return -EINVAL;
	*ret = uplink;
	return 0;
}

json_t *vd_uplink_write(const struct vd_uplink *uplink)
{
	char mac[VD_MAC_TEXT];

	return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}", "physnet", uplink->physnet, "ifname", uplink->ifname, "ifindex",
			 (json_int_t)uplink->ifindex, "mac", vd_mac_format(&uplink->mac, mac), "mtu", (json_int_t)uplink->mtu,
			 "vf_count", (json_int_t)uplink->vf_count);
}

bool vd_uplink_equal(const struct vd_uplink *a, const struct vd_uplink *b)
{
	return strcmp(a->physnet, b->physnet) == 0 && strcmp(a->ifname, b->ifname) == 0 && a->ifindex == b->ifindex &&
	       vd_mac_equal(&a->mac, &b->mac) && a->mtu == b->mtu && a->vf_count == b->vf_count;
}

const struct vd_uplink *vd_claim_uplink(const struct vd_claim *claim, const char *physnet)
{
	for (size_t i = 0; i < claim->uplink_count; i++)
		if (strcmp(claim->uplinks[i].physnet, physnet) == 0)
			return &claim->uplinks[i];
	return NULL;
}
