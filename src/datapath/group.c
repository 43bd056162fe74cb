/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/group.h"

#include "base/cleanup.h"
#include "datapath/encode.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>
#pragma GCC diagnostic pop

#define LENGTHS 17 /* of a block of ports: 0-16 fixed bits */

/* An address, and the forwards behind it. */
struct vip {
	UT_hash_handle hh;
	struct vd_vip_key key;
	bool is_there; /* forwards may be known before their virtual IP */
	struct vd_vip_value value;
	uint32_t tcp[LENGTHS], udp[LENGTHS]; /* forwards with blocks of that length */
};

/* An inner address that elastic IPs lead to: those of one network, or (network 0) the one for default routes. */
struct elastic {
	UT_hash_handle hh;
	struct vd_elastic_key key;
	struct vd_elastic_value *values; /* by virtual IP: the first counts */
	size_t count;
};

struct policy {
	uint32_t priority;
	struct vd_policy_route route;
};

/* Policy routes of one table or, in a VPC's main one, of several: by priority, then id. The data plane looks at the first 64. */
struct table {
	UT_hash_handle hh;
	struct vd_policy_routes_key key;
	struct policy *policies;
	size_t count;
};

struct vd_groups {
	struct vip *vips;
	struct elastic *elastics;
	struct table *tables;
};

/* uthash's macros make a page out of a line: each has one function of its own. */
static struct vip *vip_find(const struct vd_groups *groups, const struct vd_vip_key *key)
{
	struct vip *vip;

	HASH_FIND(hh, groups->vips, key, sizeof(*key), vip);
	return vip;
}

static struct vip *vip_ensure(struct vd_groups *groups, const struct vd_vip_key *key)
{
	struct vip *vip = vip_find(groups, key);

	if (vip)
		return vip;
	vip = calloc(1, sizeof(*vip));
	if (!vip)
		return NULL;
	vip->key = *key;
	HASH_ADD(hh, groups->vips, key, sizeof(vip->key), vip);
	return vip;
}

static void vip_drop(struct vd_groups *groups, struct vip *vip)
{
	HASH_DEL(groups->vips, vip);
	free(vip);
}

static struct elastic *elastic_find(const struct vd_groups *groups, const struct vd_elastic_key *key)
{
	struct elastic *elastic;

	HASH_FIND(hh, groups->elastics, key, sizeof(*key), elastic);
	return elastic;
}

static struct elastic *elastic_ensure(struct vd_groups *groups, const struct vd_elastic_key *key)
{
	struct elastic *elastic = elastic_find(groups, key);

	if (elastic)
		return elastic;
	elastic = calloc(1, sizeof(*elastic));
	if (!elastic)
		return NULL;
	elastic->key = *key;
	HASH_ADD(hh, groups->elastics, key, sizeof(elastic->key), elastic);
	return elastic;
}

static void elastic_drop(struct vd_groups *groups, struct elastic *elastic)
{
	HASH_DEL(groups->elastics, elastic);
	free(elastic->values);
	free(elastic);
}

static struct table *table_find(const struct vd_groups *groups, const struct vd_policy_routes_key *key)
{
	struct table *table;

	HASH_FIND(hh, groups->tables, key, sizeof(*key), table);
	return table;
}

static struct table *table_ensure(struct vd_groups *groups, const struct vd_policy_routes_key *key)
{
	struct table *table = table_find(groups, key);

	if (table)
		return table;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->key = *key;
	HASH_ADD(hh, groups->tables, key, sizeof(table->key), table);
	return table;
}

static void table_drop(struct vd_groups *groups, struct table *table)
{
	HASH_DEL(groups->tables, table);
	free(table->policies);
	free(table);
}

struct vd_groups *vd_groups_new(void)
{
	return calloc(1, sizeof(struct vd_groups));
}

void vd_groups_clear(struct vd_groups *groups)
{
	struct vip *vip, *next_vip;
	struct elastic *elastic, *next_elastic;
	struct table *table, *next_table;

	HASH_ITER (hh, groups->vips, vip, next_vip)
		vip_drop(groups, vip);
	HASH_ITER (hh, groups->elastics, elastic, next_elastic)
		elastic_drop(groups, elastic);
	HASH_ITER (hh, groups->tables, table, next_table)
		table_drop(groups, table);
}

void vd_groups_free(struct vd_groups *groups)
{
	vd_groups_clear(groups);
	free(groups);
}

/* ---- virtual IPs ---- */

static struct vd_vip_key forward_vip(const struct vd_plan_forward *forward)
{
	return (struct vd_vip_key){forward->network, vd_encode_address(&forward->vip)};
}

static uint32_t *forward_count(struct vip *vip, const struct vd_plan_forward *forward)
{
	return &(forward->protocol == IPPROTO_TCP ? vip->tcp : vip->udp)[forward->length < LENGTHS ? forward->length : LENGTHS - 1];
}

static uint32_t lengths_mask(const uint32_t counts[LENGTHS])
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < LENGTHS; i++)
		mask |= counts[i] ? 1u << i : 0;
	return mask;
}

static void vip_tidy(struct vd_groups *groups, struct vip *vip)
{
	if (!vip->is_there && !lengths_mask(vip->tcp) && !lengths_mask(vip->udp))
		vip_drop(groups, vip);
}

static int vip_encode(const struct vip *vip, struct vd_entries *entries)
{
	struct vd_vip_value value;

	if (!vip || !vip->is_there)
		return 0;
	value = vip->value;
	value.forward_lengths_tcp = lengths_mask(vip->tcp);
	value.forward_lengths_udp = lengths_mask(vip->udp);
	return vd_entries_add(entries, VD_MAP_VIP, &vip->key, sizeof(vip->key), &value, sizeof(value));
}

static int forward_add(struct vd_groups *groups, const struct vd_plan_forward *forward)
{
	struct vd_vip_key key = forward_vip(forward);
	struct vip *vip = vip_ensure(groups, &key);

	if (!vip)
		return -ENOMEM;
	(*forward_count(vip, forward))++;
	return 0;
}

static void forward_remove(struct vd_groups *groups, const struct vd_plan_forward *forward)
{
	struct vd_vip_key key = forward_vip(forward);
	struct vip *vip = vip_find(groups, &key);

	if (!vip || !*forward_count(vip, forward))
		return;
	(*forward_count(vip, forward))--;
	vip_tidy(groups, vip);
}

/* ---- elastic IPs ---- */

/* The keys of the inner address that an elastic IP leads to: of its network, and for default routes. How many. */
static size_t elastic_keys(const struct vd_plan_vip *vip, struct vd_elastic_key keys[2])
{
	if (vip->type != VD_PLAN_VIP_TYPE_ELASTIC || !vip->inner.family)
		return 0;
	keys[0] = (struct vd_elastic_key){vip->domain, vip->network, vd_encode_address(&vip->inner)};
	keys[1] = keys[0];
	keys[1].network = 0;
	return vip->is_primary ? 2 : 1;
}

static int value_compare(const void *a, const void *b)
{
	const struct vd_elastic_value *x = a, *y = b;
	int order = memcmp(&x->vip, &y->vip, sizeof(x->vip));

	return order ? order : x->network < y->network ? -1 : x->network > y->network;
}

static int elastic_add(struct vd_groups *groups, const struct vd_elastic_key *key, const struct vd_elastic_value *value)
{
	struct elastic *elastic = elastic_ensure(groups, key);
	struct vd_elastic_value *values = elastic ? reallocarray(elastic->values, elastic->count + 1, sizeof(*values)) : NULL;

	if (!values)
		return -ENOMEM;
	elastic->values = values;
	values[elastic->count++] = *value;
	qsort(values, elastic->count, sizeof(*values), value_compare);
	return 0;
}

static void elastic_remove(struct vd_groups *groups, const struct vd_elastic_key *key, const struct vd_elastic_value *value)
{
	struct elastic *elastic = elastic_find(groups, key);
	struct vd_elastic_value *found =
		elastic ? bsearch(value, elastic->values, elastic->count, sizeof(*value), value_compare) : NULL;

	if (!found)
		return;
	memmove(found, found + 1, (size_t)(elastic->values + elastic->count - found - 1) * sizeof(*found));
	if (!--elastic->count)
		elastic_drop(groups, elastic);
}

static int elastic_encode(const struct elastic *elastic, struct vd_entries *entries)
{
	return elastic && elastic->count ? vd_entries_add(entries, VD_MAP_ELASTIC, &elastic->key, sizeof(elastic->key),
							  &elastic->values[0], sizeof(elastic->values[0]))
					 : 0;
}

static struct vd_elastic_value elastic_value(const struct vd_plan_vip *vip)
{
	return (struct vd_elastic_value){
		.network = vip->network,
		.host = vip->here ? 0 : vip->host,
		.vip = vd_encode_address(&vip->address),
	};
}

static int vip_add(struct vd_groups *groups, const struct vd_plan_vip *record)
{
	struct vd_vip_key key = vd_encode_vip_key(record);
	struct vip *vip = vip_ensure(groups, &key);
	struct vd_elastic_value value = elastic_value(record);
	struct vd_elastic_key keys[2];
	size_t count = elastic_keys(record, keys);
	int r = vip ? 0 : -ENOMEM;

	if (r)
		return r;
	vip->is_there = true;
	vip->value = vd_encode_vip(record);
	for (size_t i = 0; i < count && !r; i++)
		r = elastic_add(groups, &keys[i], &value);
	return r;
}

static void vip_remove(struct vd_groups *groups, const struct vd_plan_vip *record)
{
	struct vd_vip_key key = vd_encode_vip_key(record);
	struct vip *vip = vip_find(groups, &key);
	struct vd_elastic_value value = elastic_value(record);
	struct vd_elastic_key keys[2];
	size_t count = elastic_keys(record, keys);

	for (size_t i = 0; i < count; i++)
		elastic_remove(groups, &keys[i], &value);
	if (!vip)
		return;
	vip->is_there = false;
	vip_tidy(groups, vip);
}

/* ---- policy routes ---- */

static struct vd_policy_routes_key policy_key(const struct vd_plan_policy_route *route)
{
	return (struct vd_policy_routes_key){route->domain, route->table};
}

/* Two tables that meet in one VPC may use a priority each: the id tells them apart. */
static int policy_compare(const void *a, const void *b)
{
	const struct policy *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->route.id < y->route.id ? -1 : x->route.id > y->route.id;
}

static struct policy *policy_find(const struct table *table, const struct vd_plan_policy_route *route)
{
	const struct policy sought = {.priority = route->priority, .route.id = route->policy_route};

	return table && table->count ? bsearch(&sought, table->policies, table->count, sizeof(sought), policy_compare) : NULL;
}

static int policy_add(struct vd_groups *groups, const struct vd_plan_policy_route *route)
{
	struct vd_policy_routes_key key = policy_key(route);
	struct table *table = table_ensure(groups, &key);
	struct policy *policies = table ? reallocarray(table->policies, table->count + 1, sizeof(*policies)) : NULL;

	if (!policies)
		return -ENOMEM;
	table->policies = policies;
	policies[table->count++] = (struct policy){route->priority, vd_encode_policy_route(route)};
	qsort(policies, table->count, sizeof(*policies), policy_compare);
	return 0;
}

static void policy_remove(struct vd_groups *groups, const struct vd_plan_policy_route *route)
{
	struct vd_policy_routes_key key = policy_key(route);
	struct table *table = table_find(groups, &key);
	struct policy *found = policy_find(table, route);

	if (!found)
		return;
	memmove(found, found + 1, (size_t)(table->policies + table->count - found - 1) * sizeof(*found));
	if (!--table->count)
		table_drop(groups, table);
}

static int table_encode(const struct table *table, struct vd_entries *entries)
{
	struct vd_policy_routes_value value = {};

	if (!table || !table->count)
		return 0;
	for (; value.count < table->count && value.count < VD_POLICY_ROUTES; value.count++)
		value.route[value.count] = table->policies[value.count].route;
	return vd_entries_add(entries, VD_MAP_POLICY_ROUTES, &table->key, sizeof(table->key), &value, sizeof(value));
}

/* ---- all of them ---- */

int vd_groups_add(struct vd_groups *groups, const struct vd_plan_record *record)
{
	if (record->kind == VD_PLAN_KIND_VIP)
		return vip_add(groups, &record->vip);
	if (record->kind == VD_PLAN_KIND_FORWARD)
		return forward_add(groups, &record->forward);
	if (record->kind == VD_PLAN_KIND_POLICY_ROUTE)
		return policy_add(groups, &record->policy_route);
	return 0;
}

void vd_groups_remove(struct vd_groups *groups, const struct vd_plan_record *record)
{
	if (record->kind == VD_PLAN_KIND_VIP)
		vip_remove(groups, &record->vip);
	else if (record->kind == VD_PLAN_KIND_FORWARD)
		forward_remove(groups, &record->forward);
	else if (record->kind == VD_PLAN_KIND_POLICY_ROUTE)
		policy_remove(groups, &record->policy_route);
}

int vd_groups_encode(const struct vd_groups *groups, const struct vd_plan_record *record, struct vd_entries *entries)
{
	int r = 0;

	if (record->kind == VD_PLAN_KIND_VIP) {
		struct vd_vip_key key = vd_encode_vip_key(&record->vip);
		struct vd_elastic_key keys[2];
		size_t count = elastic_keys(&record->vip, keys);

		r = vip_encode(vip_find(groups, &key), entries);
		for (size_t i = 0; i < count && !r; i++)
			r = elastic_encode(elastic_find(groups, &keys[i]), entries);
	} else if (record->kind == VD_PLAN_KIND_FORWARD) {
		struct vd_vip_key key = forward_vip(&record->forward);

		r = vip_encode(vip_find(groups, &key), entries);
	} else if (record->kind == VD_PLAN_KIND_POLICY_ROUTE) {
		struct vd_policy_routes_key key = policy_key(&record->policy_route);

		r = table_encode(table_find(groups, &key), entries);
	}
	return r;
}

int vd_groups_encode_all(const struct vd_groups *groups, struct vd_entries *entries)
{
	int r = 0;

	for (const struct vip *vip = groups->vips; vip && !r; vip = vip->hh.next)
		r = vip_encode(vip, entries);
	for (const struct elastic *elastic = groups->elastics; elastic && !r; elastic = elastic->hh.next)
		r = elastic_encode(elastic, entries);
	for (const struct table *table = groups->tables; table && !r; table = table->hh.next)
		r = table_encode(table, entries);
	return r;
}
