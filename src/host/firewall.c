/* SPDX-License-Identifier: Apache-2.0 */
#include "host/firewall.h"

#include "base/cleanup.h"
#include "host/firewalld.h"
#include "host/nftables.h"
#include "host/ruleset.h"
#include "host/stranger.h"
#include "host/xtables.h"

#include <errno.h>
#include <string.h>

#define XTABLES 4
#define OURS VD_NFTABLES_OURS
#define FIREWALLD VD_NFTABLES_FIREWALLD

/* As the last vd_firewall_set has it. */
struct wish {
	/* The chains of our table; NULL: none. Which of them it has depends on what others have. */
	char *translation, *watch;
	bool masquerades; /* translation, whatever others have */
	struct vd_ruleset_list forward4, forward6, input;
};

struct vd_firewall {
	char *tag;
	struct vd_nftables *nftables;
	struct wish wish;
	char *table;                     /* our table's commands, as the last check wanted it; NULL: there shall be none */
	bool is_translating;             /* … and whether it had the chains of translation */
	bool is_due;                     /* our table is not written as it shall be */
	struct vd_xtables_legacy legacy; /* when it was looked at last */
	bool is_watching;
	bool was_lost;  /* the last check found it otherwise than it had been left */
	char *standing; /* our table as nft printed it when it was written; NULL: never */
	struct vd_xtables xtables[XTABLES];
	struct vd_firewalld firewalld;
};

/* ---- what shall be ---- */

static int part_print(const struct vd_firewall_rules *rules, void (*print)(const struct vd_firewall_rules *rules, FILE *file),
		      char **ret)
{
	size_t size = 0;
	FILE *file;

	*ret = NULL;
	if (!rules->block_count)
		return 0;
	file = open_memstream(ret, &size);
	if (!file)
		return -ENOMEM;
	print(rules, file);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

static bool is_masqueraded(const struct vd_firewall_rules *rules)
{
	for (size_t i = 0; i < rules->block_count; i++)
		if (rules->blocks[i].masquerade)
			return true;
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void wish_done(struct wish *wish)
{
	free(wish->translation);
	free(wish->watch);
	vd_ruleset_list_done(&wish->forward4);
	vd_ruleset_list_done(&wish->forward6);
	vd_ruleset_list_done(&wish->input);
	*wish = (struct wish){0};
}

static int wish_print(const struct vd_firewall_rules *rules, struct wish *wish)
{
	bool is_empty = !rules->block_count && !rules->transit_count;
	int result = part_print(rules, vd_ruleset_print_translation, &wish->translation);

	wish->masquerades = is_masqueraded(rules);
	if (result == 0)
		result = part_print(rules, vd_ruleset_print_watch, &wish->watch);
	if (result == 0)
		result = vd_ruleset_forward(rules, VD_FAMILY_IPV4, &wish->forward4);
	if (result == 0)
		result = vd_ruleset_forward(rules, VD_FAMILY_IPV6, &wish->forward6);
	if (result == 0 && !is_empty)
		result = vd_ruleset_input(rules, &wish->input);
	return result;
}

static bool wish_equal(const struct wish *a, const struct wish *b)
{
	return a->masquerades == b->masquerades && same_text(a->translation, b->translation) && same_text(a->watch, b->watch) &&
	       vd_ruleset_list_equal(&a->forward4, &b->forward4) && vd_ruleset_list_equal(&a->forward6, &b->forward6) &&
	       vd_ruleset_list_equal(&a->input, &b->input);
}

/* ---- life ---- */

int vd_firewall_open(const char *tag, struct vd_firewall **ret, struct vd_error *error)
{
	struct vd_firewall *firewall = calloc(1, sizeof(*firewall));
	int result;

	if (!firewall)
		return vd_error_set(error, -ENOMEM, "out of memory");
	for (int i = 0; i < XTABLES; i++) {
		firewall->xtables[i].backend = i & 1 ? VD_XTABLES_BACKEND_LEGACY : VD_XTABLES_BACKEND_NFT;
		firewall->xtables[i].family = i & 2 ? VD_FAMILY_IPV6 : VD_FAMILY_IPV4;
	}
	firewall->tag = strdup(tag);
	result = firewall->tag ? vd_nftables_open(&firewall->nftables, error) : -ENOMEM;
	if (result < 0) {
		vd_firewall_close(firewall);
		return result;
	}
	firewall->is_due = true;
	*ret = firewall;
	return 0;
}

void vd_firewall_close(struct vd_firewall *firewall)
{
	if (firewall->nftables)
		vd_nftables_close(firewall->nftables);
	for (int i = 0; i < XTABLES; i++)
		vd_xtables_done(&firewall->xtables[i]);
	vd_firewalld_done(&firewall->firewalld);
	wish_done(&firewall->wish);
	free(firewall->table);
	free(firewall->standing);
	free(firewall->tag);
	free(firewall);
}

int vd_firewall_set(struct vd_firewall *firewall, const struct vd_firewall_rules *rules)
{
	struct wish wish = {0};
	int result = wish_print(rules, &wish);

	if (result < 0) {
		wish_done(&wish);
		return result;
	}
	result = !wish_equal(&firewall->wish, &wish);
	wish_done(&firewall->wish);
	firewall->wish = wish;
	return result;
}

/* ---- what happens ---- */

int vd_firewall_fd(const struct vd_firewall *firewall)
{
	return vd_nftables_fd(firewall->nftables);
}

bool vd_firewall_read(struct vd_firewall *firewall)
{
	return vd_nftables_read(firewall->nftables, (const char *const[]){OURS, FIREWALLD, "ip filter", "ip6 filter", NULL});
}

bool vd_firewall_differs(struct vd_firewall *firewall)
{
	struct vd_xtables_legacy legacy;

	vd_xtables_legacy_read(&legacy);
	if (legacy.any != firewall->legacy.any || legacy.translate != firewall->legacy.translate)
		return true;
	for (int i = 0; i < XTABLES; i++) {
		const struct vd_xtables *xtables = &firewall->xtables[i];

		if (xtables->backend == VD_XTABLES_BACKEND_LEGACY &&
		    vd_xtables_fingerprint(xtables->family) != xtables->fingerprint)
			return true;
	}
	return false;
}

/* ---- setting right ---- */

struct check {
	struct vd_firewall *firewall;
	void (*repaired)(const char *what, void *userdata);
	void *userdata;
	struct vd_error *error;
	int result; /* the first that failed */
};

/* What failed is said once, the first; what was repaired each time. */
static void note(struct check *check, int result, const struct vd_error *error, const char *changed)
{
	if (result < 0 && check->result == 0) {
		check->result = result;
		vd_error_set(check->error, result, "%s", error->text);
	}
	if (result == 0 && changed[0] && check->repaired)
		check->repaired(changed, check->userdata);
}

/* As it shall be among what others have; NULL: none. */
static int table_compose(const struct vd_firewall *firewall, bool is_translating, bool is_watching, char **ret)
{
	size_t size = 0;
	FILE *file;

	*ret = NULL;
	if (!is_translating && !is_watching)
		return 0;
	file = open_memstream(ret, &size);
	if (!file)
		return -ENOMEM;
	fprintf(file, "add table " OURS "\ndelete table " OURS "\ntable " OURS " {\n\tcomment \"viaduct:%s\"\n%s%s}\n",
		firewall->tag, is_translating ? firewall->wish.translation : "", is_watching ? firewall->wish.watch : "");
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

/*
 * Without a masquerade ours only keeps others' chains from translating. Where there are none it would do nothing but have the kernel
 * follow every connection: a tenth of what a packet costs.
 */
static int table_choose(struct vd_firewall *firewall, const char *standing, struct vd_error *error)
{
	VD_FREE char *chains = NULL, *table = NULL;
	struct vd_strangers strangers;
	bool is_translating;
	int result = vd_nftables_list(firewall->nftables, "list chains", false, &chains);

	if (result < 0)
		return vd_error_set(error, result, "cannot read nftables: %s", strerror(-result));
	vd_strangers_read(chains, &strangers);
	vd_xtables_legacy_read(&firewall->legacy);
	is_translating =
		firewall->wish.translation && (firewall->wish.masquerades || strangers.translate || firewall->legacy.translate);
	/* Where the older iptables has tables, they would write what is traced into the kernel's log. */
	firewall->is_watching = firewall->wish.watch && strangers.forward && !firewall->legacy.any;
	if (table_compose(firewall, is_translating, firewall->is_watching, &table) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	firewall->was_lost = is_translating && (firewall->is_translating ? !same_text(standing, firewall->standing)
									 : !standing || !strstr(standing, "type nat"));
	firewall->is_translating = is_translating;
	firewall->is_due |= !same_text(firewall->table, table);
	free(firewall->table);
	firewall->table = VD_TAKE(table);
	return 0;
}

static int table_ensure(struct vd_firewall *firewall, char ret_changed[128], struct vd_error *error)
{
	VD_FREE char *standing = NULL;
	int result = vd_nftables_list(firewall->nftables, "list table " OURS, false, &standing);

	if (result < 0 && result != -ENOENT)
		return vd_error_set(error, result, "cannot read nftables: %s", strerror(-result));
	result = table_choose(firewall, standing, error);
	if (result < 0)
		return result;
	if (!firewall->is_due && same_text(standing, firewall->standing))
		return 0;
	if (firewall->table)
		result = vd_nftables_run(firewall->nftables, firewall->table, error);
	else
		result = standing ? vd_nftables_run(firewall->nftables, "delete table " OURS, error) : 0;
	if (result < 0)
		return result;
	if (!firewall->is_due && firewall->table)
		snprintf(ret_changed, 128, "nftables: the table " OURS " was put back");
	free(firewall->standing);
	firewall->standing = NULL;
	firewall->is_due = false;
	if (firewall->table && vd_nftables_list(firewall->nftables, "list table " OURS, false, &firewall->standing) < 0)
		firewall->is_due = true;
	return 0;
}

static bool has_table(const char *tables, const char *name)
{
	char line[64];

	snprintf(line, sizeof(line), "table %s\n", name);
	return strstr(tables, line);
}

static void xtables_check(struct check *check, struct vd_xtables *xtables, const char *tables)
{
	struct vd_firewall *firewall = check->firewall;
	bool is_legacy = xtables->backend == VD_XTABLES_BACKEND_LEGACY;
	const struct vd_ruleset_list *forward =
		xtables->family == VD_FAMILY_IPV6 ? &firewall->wish.forward6 : &firewall->wish.forward4;
	struct vd_error error = {};
	char changed[128] = "";
	uint64_t before = is_legacy ? vd_xtables_fingerprint(xtables->family) : 0;
	int result = 0;

	if (is_legacy ? before : has_table(tables, xtables->family == VD_FAMILY_IPV6 ? "ip6 filter" : "ip filter"))
		result = vd_xtables_ensure(xtables, forward, &firewall->wish.input, firewall->tag, changed, &error);
	/* What changed between looking and this is noticed by the next look, unless we changed it. */
	if (is_legacy)
		xtables->fingerprint = changed[0] || !before ? vd_xtables_fingerprint(xtables->family) : before;
	note(check, result, &error, changed);
}

static void firewalld_check(struct check *check, const char *tables)
{
	struct vd_firewall *firewall = check->firewall;
	struct vd_ruleset_list forward = {0};
	struct vd_error error = {};
	char changed[128] = "";
	int result;

	if (!has_table(tables, FIREWALLD))
		return;
	/* One table for both families. */
	forward.count = firewall->wish.forward4.count + firewall->wish.forward6.count;
	forward.items = calloc(forward.count + 1, sizeof(*forward.items));
	result = forward.items ? 0 : vd_error_set(&error, -ENOMEM, "out of memory");
	if (result == 0) {
		if (firewall->wish.forward4.count)
			memcpy(forward.items, firewall->wish.forward4.items,
			       firewall->wish.forward4.count * sizeof(*forward.items));
		if (firewall->wish.forward6.count)
			memcpy(forward.items + firewall->wish.forward4.count, firewall->wish.forward6.items,
			       firewall->wish.forward6.count * sizeof(*forward.items));
		result = vd_firewalld_ensure(&firewall->firewalld, firewall->nftables, &forward, &firewall->wish.input,
					     firewall->tag, changed, &error);
	}
	vd_ruleset_list_done(&forward);
	note(check, result, &error, changed);
}

int vd_firewall_check(struct vd_firewall *firewall, void (*repaired)(const char *what, void *userdata), void *userdata,
		      struct vd_error *error)
{
	struct check check = {firewall, repaired, userdata, error, 0};
	VD_FREE char *tables = NULL;
	struct vd_error sentence = {};
	char changed[128] = "";
	int result = table_ensure(firewall, changed, &sentence);

	note(&check, result, &sentence, changed);
	result = vd_nftables_list(firewall->nftables, "list tables", false, &tables);
	if (result < 0) {
		vd_error_set(&sentence, result, "cannot read nftables: %s", strerror(-result));
		note(&check, result, &sentence, "");
	}
	for (int i = 0; i < XTABLES; i++)
		xtables_check(&check, &firewall->xtables[i], tables ? tables : "");
	firewalld_check(&check, tables ? tables : "");
	return check.result;
}

bool vd_firewall_is_watching(const struct vd_firewall *firewall)
{
	return firewall->is_watching;
}

bool vd_firewall_was_lost(const struct vd_firewall *firewall)
{
	return firewall->was_lost;
}

/* The table of another daemon, which has this host's rules now. */
static bool is_anothers(struct vd_firewall *firewall)
{
	VD_FREE char *standing = NULL;
	char comment[128];

	snprintf(comment, sizeof(comment), "comment \"viaduct:%s\"", firewall->tag);
	return vd_nftables_list(firewall->nftables, "list table " OURS, false, &standing) == 0 && !strstr(standing, comment);
}

int vd_firewall_purge(const char *tag, struct vd_error *error)
{
	struct vd_firewall *firewall = NULL;
	int result = vd_firewall_open(tag, &firewall, error);

	if (result < 0)
		return result;
	if (!is_anothers(firewall))
		result = vd_firewall_check(firewall, NULL, NULL, error);
	vd_firewall_close(firewall);
	return result;
}
