/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keeper_rules.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* ---- the book ---- */

static bool item_of(const struct vd_plan_record *record, struct vd_keeper_item *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->key.kind = record->kind;
	if (record->kind == VD_PLAN_KIND_BLOCK) {
		ret->key.domain = record->block.domain;
		ret->key.prefix = record->block.prefix;
		ret->masquerade = record->block.masquerade;
	} else if (record->kind == VD_PLAN_KIND_EXEMPT) {
		ret->key.domain = record->exempt.domain;
		ret->key.prefix = record->exempt.prefix;
	} else if (record->kind == VD_PLAN_KIND_HOST_ROUTE) {
		ret->key.domain = record->host_route.domain;
		ret->key.prefix = record->host_route.prefix;
		ret->has_next_hop = record->host_route.next_hop.family != VD_FAMILY_NONE;
	} else {
		return false;
	}
	return true;
}

static int item_put(struct vd_keeper_book *book, const struct vd_keeper_item *wanted)
{
	struct vd_keeper_item *item;

	HASH_FIND(hh, book->items, &wanted->key, sizeof(wanted->key), item);
	if (!item) {
		item = malloc(sizeof(*item));
		if (!item)
			return -ENOMEM;
		*item = *wanted;
		HASH_ADD(hh, book->items, key, sizeof(item->key), item);
	}
	item->masquerade = wanted->masquerade;
	item->has_next_hop = wanted->has_next_hop;
	return 0;
}

static void item_remove(struct vd_keeper_book *book, const struct vd_keeper_item *unwanted)
{
	struct vd_keeper_item *item;

	HASH_FIND(hh, book->items, &unwanted->key, sizeof(unwanted->key), item);
	if (item)
		HASH_DEL(book->items, item);
	free(item);
}

/* A route's domain is not of its key in the plan: it may be another one's afterwards. */
int vd_keeper_book_step(struct vd_keeper_book *book, const struct vd_plan_step *step)
{
	struct vd_keeper_item before, after;
	bool was = step->before && item_of(step->before, &before), is = step->after && item_of(step->after, &after);
	int r = 0;

	if (was && (!is || memcmp(&before.key, &after.key, sizeof(before.key))))
		item_remove(book, &before);
	if (is)
		r = item_put(book, &after);
	return r < 0 ? r : was || is;
}

void vd_keeper_book_done(struct vd_keeper_book *book)
{
	struct vd_keeper_item *item, *next;

	HASH_ITER (hh, book->items, item, next) {
		HASH_DEL(book->items, item);
		free(item);
	}
}

/* ---- rules ---- */

/* By what they are and not by when they came, so that the same plan makes the same text. */
static int prefix_order(uint32_t domain, const struct vd_prefix *prefix, uint32_t other_domain, const struct vd_prefix *other)
{
	int order;

	if (domain != other_domain)
		return domain < other_domain ? -1 : 1;
	order = vd_address_compare(&prefix->address, &other->address);
	return order ? order : (int)prefix->length - other->length;
}

static int block_order(const void *a, const void *b)
{
	const struct vd_firewall_block *left = a, *right = b;

	return prefix_order(left->domain, &left->prefix, right->domain, &right->prefix);
}

static int exempt_order(const void *a, const void *b)
{
	const struct vd_firewall_exempt *left = a, *right = b;

	return prefix_order(left->domain, &left->prefix, right->domain, &right->prefix);
}

static int transit_order(const void *a, const void *b)
{
	const struct vd_firewall_transit *left = a, *right = b;

	return prefix_order(left->domain, &left->prefix, right->domain, &right->prefix);
}

/* The widest one that says the domain's containers speak with it; else the route's own. */
static struct vd_prefix transit_prefix(const struct vd_firewall_exempt *exempt, size_t count, const struct vd_keeper_item *route)
{
	struct vd_prefix widest = route->key.prefix;

	for (size_t i = 0; i < count; i++)
		if (exempt[i].domain == route->key.domain && vd_prefix_covers(&exempt[i].prefix, &widest))
			widest = exempt[i].prefix;
	return widest;
}

static size_t transits_unite(struct vd_firewall_transit *transit, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(transit, count, sizeof(*transit), transit_order);
	for (size_t i = 0; i < count; i++)
		if (!kept || transit_order(&transit[kept - 1], &transit[i]))
			transit[kept++] = transit[i];
	return kept;
}

int vd_keeper_book_rules(const struct vd_keeper_book *book, struct vd_firewall_rules *ret)
{
	size_t most = HASH_COUNT(book->items) + 1, blocks = 0, exempts = 0, transits = 0;
	VD_FREE struct vd_firewall_block *block = calloc(most, sizeof(*block));
	VD_FREE struct vd_firewall_exempt *exempt = calloc(most, sizeof(*exempt));
	VD_FREE struct vd_firewall_transit *transit = calloc(most, sizeof(*transit));
	const struct vd_keeper_item *item;

	if (!block || !exempt || !transit)
		return -ENOMEM;
	for (item = book->items; item; item = item->hh.next) {
		if (item->key.kind == VD_PLAN_KIND_BLOCK)
			block[blocks++] = (struct vd_firewall_block){
				.domain = item->key.domain, .prefix = item->key.prefix, .masquerade = item->masquerade};
		if (item->key.kind == VD_PLAN_KIND_EXEMPT)
			exempt[exempts++] = (struct vd_firewall_exempt){item->key.domain, item->key.prefix};
	}
	for (item = book->items; item; item = item->hh.next)
		if (item->key.kind == VD_PLAN_KIND_HOST_ROUTE && item->has_next_hop)
			transit[transits++] = (struct vd_firewall_transit){item->key.domain, transit_prefix(exempt, exempts, item)};
	qsort(block, blocks, sizeof(*block), block_order);
	qsort(exempt, exempts, sizeof(*exempt), exempt_order);
	*ret = (struct vd_firewall_rules){.block_count = blocks, .exempt_count = exempts};
	ret->transit_count = transits_unite(transit, transits);
	ret->blocks = VD_TAKE(block);
	ret->exempt = VD_TAKE(exempt);
	ret->transit = VD_TAKE(transit);
	return 0;
}

void vd_keeper_rules_done(struct vd_firewall_rules *rules)
{
	free((struct vd_firewall_block *)rules->blocks);
	free((struct vd_firewall_exempt *)rules->exempt);
	free((struct vd_firewall_transit *)rules->transit);
	*rules = (struct vd_firewall_rules){0};
}
