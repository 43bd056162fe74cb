/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ruleset.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/*
 * Just before Docker's (srcnat, 100) and firewalld's (110): the first that binds a new connection to a source address is the only
 * one, for nftables and iptables-legacy alike (both are called by the kernel's one NAT hook).
 */
#define PRIORITY "95"

void vd_ruleset_list_done(struct vd_ruleset_list *list)
{
	free(list->items);
	*list = (struct vd_ruleset_list){0};
}

static bool same(const struct vd_ruleset_accept *a, const struct vd_ruleset_accept *b)
{
	return !strcmp(a->in, b->in) && !strcmp(a->out, b->out) && vd_prefix_equal(&a->source, &b->source) &&
	       vd_prefix_equal(&a->destination, &b->destination) && a->established == b->established && a->udp_port == b->udp_port;
}

bool vd_ruleset_list_equal(const struct vd_ruleset_list *a, const struct vd_ruleset_list *b)
{
	for (size_t i = 0; a->count == b->count && i < a->count; i++)
		if (!same(&a->items[i], &b->items[i]))
			return false;
	return a->count == b->count;
}

static int add(struct vd_ruleset_list *list, const struct vd_ruleset_accept *item)
{
	struct vd_ruleset_accept *grown;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;

		grown = reallocarray(list->items, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->capacity = capacity;
	}
	list->items[list->count++] = *item;
	return 0;
}

/* Whether another one of the domain says it already: intervals of a set must not overlap. */
static bool is_covered(const struct vd_firewall_rules *rules, size_t index)
{
	const struct vd_firewall_exempt *exempt = &rules->exempt[index];

	for (size_t i = 0; i < rules->exempt_count; i++) {
		const struct vd_firewall_exempt *other = &rules->exempt[i];

		if (i == index || other->domain != exempt->domain || !vd_prefix_covers(&other->prefix, &exempt->prefix))
			continue;
		if (i < index || !vd_prefix_equal(&other->prefix, &exempt->prefix))
			return true;
	}
	return false;
}

/* The next one of the domain and family, from index on; exempt_count: no more. */
static size_t exempt_next(const struct vd_firewall_rules *rules, uint32_t domain, enum vd_family family, size_t index)
{
	while (index < rules->exempt_count && (rules->exempt[index].domain != domain ||
					       rules->exempt[index].prefix.address.family != family || is_covered(rules, index)))
		index++;
	return index;
}

/* ---- what is let through ---- */

static int block_forward(const struct vd_firewall_rules *rules, const struct vd_firewall_block *block, struct vd_ruleset_list *list)
{
	struct vd_ruleset_accept leaving = {.source = block->prefix}, entering = {.destination = block->prefix};
	enum vd_family family = block->prefix.address.family;
	int result;

	memcpy(leaving.in, block->ifname, sizeof(leaving.in));
	memcpy(entering.out, block->ifname, sizeof(entering.out));
	entering.established = block->masquerade;
	result = add(list, &leaving);
	if (result == 0)
		result = add(list, &entering);
	/* Behind a masquerade a container is not for everyone: what is published (-p) is for others to let in. */
	entering.established = false;
	for (size_t i = 0; block->masquerade && result == 0; i++) {
		i = exempt_next(rules, block->domain, family, i);
		if (i == rules->exempt_count)
			break;
		entering.source = rules->exempt[i].prefix;
		result = add(list, &entering);
	}
	return result;
}

static int transit_forward(const struct vd_firewall_rules *rules, const struct vd_firewall_transit *transit,
			   struct vd_ruleset_list *list)
{
	struct vd_ruleset_accept leaving = {.source = transit->prefix}, entering = {.destination = transit->prefix};
	enum vd_family family = transit->prefix.address.family;
	int result = 0;

	/* No node, only a gateway: what containers speak with is not this host's to know. */
	if (exempt_next(rules, transit->domain, family, 0) == rules->exempt_count) {
		result = add(list, &leaving);
		return result < 0 ? result : add(list, &entering);
	}
	for (size_t i = 0; result == 0; i++) {
		i = exempt_next(rules, transit->domain, family, i);
		if (i == rules->exempt_count)
			break;
		leaving.destination = entering.source = rules->exempt[i].prefix;
		result = add(list, &leaving);
		if (result == 0)
			result = add(list, &entering);
	}
	return result;
}

int vd_ruleset_forward(const struct vd_firewall_rules *rules, enum vd_family family, struct vd_ruleset_list *ret)
{
	struct vd_ruleset_list list = {0};
	int result = 0;

	for (size_t i = 0; i < rules->block_count && result == 0; i++)
		if (rules->blocks[i].prefix.address.family == family)
			result = block_forward(rules, &rules->blocks[i], &list);
	for (size_t i = 0; i < rules->transit_count && result == 0; i++)
		if (rules->transit[i].prefix.address.family == family)
			result = transit_forward(rules, &rules->transit[i], &list);
	if (result < 0)
		vd_ruleset_list_done(&list);
	else
		*ret = list;
	return result;
}

int vd_ruleset_input(const struct vd_firewall_rules *rules, struct vd_ruleset_list *ret)
{
	struct vd_ruleset_list list = {0};
	int result = 0;

	if (rules->vxlan_port)
		result = add(&list, &(struct vd_ruleset_accept){.udp_port = rules->vxlan_port});
	if (result == 0)
		*ret = list;
	return result;
}

/* ---- words ---- */

void vd_ruleset_print_iptables(const struct vd_ruleset_list *list, const char *chain, const char *tag, FILE *file)
{
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < list->count; i++) {
		const struct vd_ruleset_accept *item = &list->items[i];

		fprintf(file, "-A %s", chain);
		if (item->source.address.family)
			fprintf(file, " -s %s", vd_prefix_format(&item->source, text));
		if (item->destination.address.family)
			fprintf(file, " -d %s", vd_prefix_format(&item->destination, text));
		if (item->in[0])
			fprintf(file, " -i %s", item->in);
		if (item->out[0])
			fprintf(file, " -o %s", item->out);
		if (item->udp_port)
			fprintf(file, " -p udp -m udp --dport %u", item->udp_port);
		if (item->established)
			fputs(" -m conntrack --ctstate RELATED,ESTABLISHED", file);
		fprintf(file, " -m comment --comment \"viaduct:%s\" -j ACCEPT\n", tag);
	}
}

static const char *family_word(const struct vd_prefix *prefix)
{
	return prefix->address.family == VD_FAMILY_IPV6 ? "ip6" : "ip";
}

void vd_ruleset_print_nftables(const struct vd_ruleset_list *list, const char *table, const char *chain, const char *tag,
			       FILE *file)
{
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < list->count; i++) {
		const struct vd_ruleset_accept *item = &list->items[i];

		fprintf(file, "add rule inet %s %s", table, chain);
		if (item->in[0])
			fprintf(file, " iifname \"%s\"", item->in);
		if (item->out[0])
			fprintf(file, " oifname \"%s\"", item->out);
		if (item->source.address.family)
			fprintf(file, " %s saddr %s", family_word(&item->source), vd_prefix_format(&item->source, text));
		if (item->destination.address.family)
			fprintf(file, " %s daddr %s", family_word(&item->destination), vd_prefix_format(&item->destination, text));
		if (item->udp_port)
			fprintf(file, " udp dport %u", item->udp_port);
		if (item->established)
			fputs(" ct state established,related", file);
		fprintf(file, " accept comment \"viaduct:%s\"\n", tag);
	}
}

/* ---- our table ---- */

static bool is_first_of_domain(const struct vd_firewall_rules *rules, size_t index)
{
	const struct vd_firewall_block *block = &rules->blocks[index];

	for (size_t i = 0; i < index; i++)
		if (rules->blocks[i].domain == block->domain &&
		    rules->blocks[i].prefix.address.family == block->prefix.address.family)
			return false;
	return true;
}

/* The connections of a domain's blocks that keep their source address. */
static void print_exempt(const struct vd_firewall_rules *rules, const struct vd_firewall_block *block, FILE *file)
{
	enum vd_family family = block->prefix.address.family;
	const char *word = family_word(&block->prefix);
	char text[VD_PREFIX_TEXT];
	bool any = false;

	fprintf(file, "\tchain exempt_%" PRIu32 "_%s {\n", block->domain, word);
	for (size_t i = 0;; i++) {
		i = exempt_next(rules, block->domain, family, i);
		if (i == rules->exempt_count)
			break;
		fprintf(file, any ? ", " : "\t\t%s daddr { ", word);
		fputs(vd_prefix_format(&rules->exempt[i].prefix, text), file);
		any = true;
	}
	if (any)
		fprintf(file, " } snat %s to %s saddr\n", word, word);
	fputs("\t}\n", file);
}

static void print_block(const struct vd_firewall_block *block, FILE *file)
{
	const char *word = family_word(&block->prefix);
	char text[VD_PREFIX_TEXT], match[2 * VD_PREFIX_TEXT + 64];

	/* Inside a block nothing is translated, but for who meets itself at its own published port: that is Docker's to do. */
	vd_prefix_format(&block->prefix, text);
	snprintf(match, sizeof(match), "%s saddr %s %s daddr != %s", word, text, word, text);
	if (!block->masquerade) {
		fprintf(file, "\t\t%s snat %s to %s saddr\n", match, word, word);
		return;
	}
	fprintf(file, "\t\t%s jump exempt_%" PRIu32 "_%s\n", match, block->domain, word);
	fprintf(file, "\t\t%s masquerade\n", match);
}

void vd_ruleset_print_translation(const struct vd_firewall_rules *rules, FILE *file)
{
	for (size_t i = 0; i < rules->block_count; i++)
		if (rules->blocks[i].masquerade && is_first_of_domain(rules, i))
			print_exempt(rules, &rules->blocks[i], file);
	fputs("\tchain postrouting {\n\t\ttype nat hook postrouting priority " PRIORITY "; policy accept;\n", file);
	for (size_t i = 0; i < rules->block_count; i++)
		print_block(&rules->blocks[i], file);
	fputs("\t}\n", file);
}

/* The first packets of connections, and now and then another one: enough to see who drops, too few to be felt. */
static void print_traced(const struct vd_firewall_rules *rules, const struct vd_firewall_block *block, const char *side,
			 const char *other_side, FILE *file)
{
	enum vd_family family = block->prefix.address.family;
	const char *word = family_word(&block->prefix);
	char text[VD_PREFIX_TEXT];
	bool any = false;

	for (size_t i = 0;; i++) {
		i = exempt_next(rules, block->domain, family, i);
		if (i == rules->exempt_count)
			break;
		if (!any)
			fprintf(file, "\t\t%s %s %s %s %s { ", word, side, vd_prefix_format(&block->prefix, text), word,
				other_side);
		fprintf(file, any ? ", %s" : "%s", vd_prefix_format(&rules->exempt[i].prefix, text));
		any = true;
	}
	if (any)
		fputs(" } limit rate 4/second burst 4 packets meta nftrace set 1\n", file);
}

void vd_ruleset_print_watch(const struct vd_firewall_rules *rules, FILE *file)
{
	fputs("\tchain watch {\n\t\ttype filter hook prerouting priority mangle - 1; policy accept;\n", file);
	for (size_t i = 0; i < rules->block_count; i++) {
		print_traced(rules, &rules->blocks[i], "saddr", "daddr", file);
		print_traced(rules, &rules->blocks[i], "daddr", "saddr", file);
	}
	fputs("\t}\n", file);
}
