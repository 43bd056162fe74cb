/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/fit.h"

#include <stdlib.h>

int vd_fit_compare(const struct vd_prefix *a, const struct vd_prefix *b)
{
	int order = vd_address_compare(&a->address, &b->address);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* The other half of the prefix that is one bit shorter. */
static struct vd_prefix buddy_of(const struct vd_prefix *prefix)
{
	struct vd_prefix buddy = *prefix;
	unsigned bit = prefix->length - 1u;

	buddy.address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	return buddy;
}

/* Behind blocks[i], the first of another route that lies beyond its own: what moved out of its blocks stands in between. */
static size_t after(const struct vd_fit_block *blocks, size_t count, size_t i)
{
	size_t next = i + 1;

	while (next < count && vd_prefix_covers(&blocks[i].route, &blocks[next].prefix))
		next++;
	return next;
}

/* Those of the first route and of the second, up to end, have one. */
static void merge(struct vd_fit_block *blocks, size_t first, size_t second, size_t end)
{
	struct vd_prefix left = blocks[first].route, right = blocks[second].route, whole = left;

	whole.length--;
	blocks[second].is_first = false;
	for (size_t i = first; i < end; i++)
		if (vd_fit_compare(&blocks[i].route, &left) == 0 || vd_fit_compare(&blocks[i].route, &right) == 0)
			blocks[i].route = whole;
}

/* One pass over routes of this length; returns how many are left of all. */
static size_t merge_length(struct vd_fit_block *blocks, size_t count, unsigned length, size_t routes, size_t limit)
{
	for (size_t i = 0; i < count && routes > limit; i++) {
		struct vd_prefix buddy;
		size_t next;

		if (!blocks[i].is_first || blocks[i].route.length != length)
			continue;
		next = after(blocks, count, i);
		buddy = buddy_of(&blocks[i].route);
		if (next == count || !blocks[next].is_first || blocks[next].owner != blocks[i].owner ||
		    vd_fit_compare(&blocks[next].route, &buddy) != 0)
			continue;
		merge(blocks, i, next, after(blocks, count, next));
		routes--;
	}
	return routes;
}

/* A route and how many blocks it stands for. */
struct candidate {
	size_t first, blocks;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->blocks != right->blocks)
		return left->blocks > right->blocks ? -1 : 1;
	return left->first < right->first ? -1 : left->first > right->first;
}

static void drop(struct vd_fit_block *blocks, size_t count, size_t first)
{
	struct vd_prefix route = blocks[first].route;

	for (size_t i = first; i < count && vd_prefix_covers(&route, &blocks[i].prefix); i++)
		if (vd_fit_compare(&blocks[i].route, &route) == 0) {
			blocks[i].route = (struct vd_prefix){};
			blocks[i].is_first = false;
		}
}

static size_t covered(const struct vd_fit_block *blocks, size_t count, size_t first)
{
	size_t covered = 0;

	for (size_t i = first; i < count && vd_prefix_covers(&blocks[first].route, &blocks[i].prefix); i++)
		covered += vd_fit_compare(&blocks[i].route, &blocks[first].route) == 0;
	return covered;
}

/* Without memory for the choice, the lowest stay. */
static void drop_beyond(struct vd_fit_block *blocks, size_t count, size_t routes, size_t limit)
{
	struct candidate *candidates = calloc(routes, sizeof(*candidates));
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!blocks[i].is_first)
			continue;
		if (candidates)
			candidates[found] = (struct candidate){i, covered(blocks, count, i)};
		else if (found >= limit)
			drop(blocks, count, i);
		found++;
	}
	if (candidates)
		qsort(candidates, found, sizeof(*candidates), compare_candidates);
	for (size_t i = limit; candidates && i < found; i++)
		drop(blocks, count, candidates[i].first);
	free(candidates);
}

size_t vd_fit(struct vd_fit_block *blocks, size_t count, size_t limit)
{
	size_t routes = count;

	for (size_t i = 0; i < count; i++) {
		blocks[i].route = blocks[i].prefix;
		blocks[i].is_first = true;
	}
	for (unsigned length = 128; length > 0 && routes > limit; length--)
		routes = merge_length(blocks, count, length, routes, limit);
	if (routes <= limit)
		return routes;
	drop_beyond(blocks, count, routes, limit);
	return limit;
}
