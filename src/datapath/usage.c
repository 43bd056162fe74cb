/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/reason.h"
#include "datapath/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* How much of what is shared is in use: SNAT's ports, the connection table. */

/* One claim: its virtual IP, and what stands for its destination. */
struct claim {
	struct vd_vip_key vip;
	uint8_t family;
	uint64_t destination;
};

struct claims {
	struct claim *items;
	size_t count, capacity;
};

static void claims_done(struct claims *claims)
{
	free(claims->items);
}

/* Destinations that fall together make a wrong maximum once in four billion times. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull; /* FNV-1a */
	return hash;
}

static int claim_add(struct claims *claims, const struct vd_nat6_key *key, uint8_t family)
{
	bool is_icmp = key->vip_port == key->remote_port && key->protocol != IPPROTO_TCP && key->protocol != IPPROTO_UDP;
	uint64_t destination = mix(0xcbf29ce484222325ull, &key->remote, sizeof(key->remote));
	struct claim *claim;

	if (claims->count == claims->capacity) {
		size_t capacity = claims->capacity ? 2 * claims->capacity : 1024;
		struct claim *items = reallocarray(claims->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		claims->items = items;
		claims->capacity = capacity;
	}
	if (!is_icmp) /* an identifier is no port of the destination's */
		destination = mix(destination, &key->remote_port, sizeof(key->remote_port));
	claim = &claims->items[claims->count++];
	*claim = (struct claim){{key->network, key->vip}, family, mix(destination, &key->protocol, sizeof(key->protocol))};
	return 0;
}

static int claim4_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct vd_nat4_key key;
	struct vd_nat6_key wide = {};

	memcpy(&key, key_bytes, sizeof(key));
	wide.network = key.network;
	wide.vip.word[0] = key.vip;
	wide.remote.word[0] = key.remote;
	wide.vip_port = key.vip_port;
	wide.remote_port = key.remote_port;
	wide.protocol = key.protocol;
	return claim_add(userdata, &wide, VD_FAMILY_IPV4);
}

static int claim6_visit(const void *key_bytes, const void *value, void *userdata)
{
	struct vd_nat6_key key;

	memcpy(&key, key_bytes, sizeof(key));
	return claim_add(userdata, &key, VD_FAMILY_IPV6);
}

static int vip_compare(const struct claim *a, const struct claim *b)
{
	int order = memcmp(&a->vip, &b->vip, sizeof(a->vip));

	return order ? order : (int)a->family - b->family;
}

static int claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = vip_compare(x, y);

	return order ? order : x->destination < y->destination ? -1 : x->destination > y->destination;
}

/* Of the claims from first on that are of one virtual IP; returns how many. */
static size_t vip_count(const struct claims *claims, size_t first, size_t *ret_busiest)
{
	size_t i = first, run = 0;

	*ret_busiest = 0;
	for (; i < claims->count && !vip_compare(&claims->items[first], &claims->items[i]); i++) {
		run = i > first && claims->items[i].destination == claims->items[i - 1].destination ? run + 1 : 1;
		*ret_busiest = run > *ret_busiest ? run : *ret_busiest;
	}
	return i - first;
}

json_t *vd_datapath_translations(struct vd_datapath *datapath)
{
	VD_CLEANUP(claims_done) struct claims claims = {};
	json_t *list = json_array();

	if (vd_map_each(datapath->maps[VD_MAP_NAT4], claim4_visit, &claims) ||
	    vd_map_each(datapath->maps[VD_MAP_NAT6], claim6_visit, &claims))
		return list;
	if (claims.count)
		qsort(claims.items, claims.count, sizeof(*claims.items), claim_compare);
	for (size_t i = 0, count, busiest; i < claims.count; i += count) {
		const struct claim *claim = &claims.items[i];
		json_t *item = json_object();

		count = vip_count(&claims, i, &busiest);
		vd_json_set_name(item, "network", datapath, claim->vip.network);
		vd_json_set_address(item, "vip", &claim->vip.address, claim->family);
		json_object_set_new(item, "used", json_integer((json_int_t)count));
		json_object_set_new(item, "busiest", json_integer((json_int_t)busiest));
		json_object_set_new(item, "limit", json_integer(VD_NAT_PORT_LAST - VD_NAT_PORT_FIRST + 1));
		json_array_append_new(list, item);
	}
	return list;
}

struct sharing {
	struct vd_datapath *datapath;
	json_t *object;
};

static int share_visit(const void *key, const void *value, void *userdata)
{
	const struct sharing *sharing = userdata;
	struct vd_share_value share;
	uint32_t domain;
	const char *name;
	char number[16];

	memcpy(&domain, key, sizeof(domain));
	memcpy(&share, value, sizeof(share));
	name = vd_names_find(sharing->datapath->names, domain);
	snprintf(number, sizeof(number), "#%u", domain);
	json_object_set_new(sharing->object, name ? name : number,
			    json_pack("{s:I, s:I}", "used", (json_int_t)share.used, "limit", (json_int_t)share.limit));
	return 0;
}

static uint64_t limited_packets(const struct vd_datapath *datapath, uint32_t port, uint32_t direction)
{
	struct vd_rate_key key = {port, direction};
	struct vd_entry entry = {.map = VD_MAP_RATE};
	struct vd_rate_value rate;

	memcpy(entry.key, &key, sizeof(key));
	if (vd_datapath_lookup(datapath, &entry))
		return 0;
	memcpy(&rate, entry.value, sizeof(rate));
	return rate.packets;
}

struct vd_port_limited vd_datapath_limited(const struct vd_datapath *datapath, uint32_t port)
{
	return (struct vd_port_limited){
		.in = limited_packets(datapath, port, VD_RATE_DIRECTION_IN),
		.out = limited_packets(datapath, port, VD_RATE_DIRECTION_OUT),
	};
}

json_t *vd_datapath_shares(struct vd_datapath *datapath)
{
	struct sharing sharing = {datapath, json_object()};

	vd_map_each(datapath->maps[VD_MAP_SHARE], share_visit, &sharing);
	return sharing.object;
}
