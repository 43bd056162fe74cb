/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/record.h"

#include "base/cleanup.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/*
 * Every record is an entry in one list; trees (tsearch(3), balanced in glibc) hold pointers to entries, one tree for each question.
 * Where a key need not be unique (MAC, a port's address), the port's id is the last part of it, and a wanted id of 0 matches any.
 */
struct item {
	union vd_router_record record; /* first: a record's address is its entry's */
	enum vd_router_kind kind;
	uint64_t set; /* the full set that it was last put in */
	struct item *previous, *next;
	struct address_key *keys; /* of a port: one for each address */
};

struct address_key {
	struct vd_address address;
	uint32_t id;
	const struct item *port;
};

/* All addresses of one name. */
struct group {
	const char *name; /* of the first entry */
	struct vd_router_name *first;
};

struct vd_router_state {
	struct item *entries;
	struct item *router;
	void *subnets, *ports, *names;                /* by key */
	void *ports_by_mac, *port_addresses, *groups; /* struct item, struct address_key, struct group */
	uint64_t set, revision;
	bool begun;
};

VD_DEFINE_CLEANUP(struct item, free)

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_subnets(const void *a, const void *b)
{
	return compare_numbers(((const struct item *)a)->record.subnet.id, ((const struct item *)b)->record.subnet.id);
}

static int compare_ports(const void *a, const void *b)
{
	return compare_numbers(((const struct item *)a)->record.port.id, ((const struct item *)b)->record.port.id);
}

static int compare_names(const void *a, const void *b)
{
	return vd_address_compare(&((const struct item *)a)->record.name.address, &((const struct item *)b)->record.name.address);
}

static int compare_macs(const void *a, const void *b)
{
	const struct vd_router_port *first = &((const struct item *)a)->record.port,
				    *second = &((const struct item *)b)->record.port;
	int order = memcmp(first->mac.bytes, second->mac.bytes, sizeof(first->mac.bytes));

	return order || !first->id || !second->id ? order : compare_numbers(first->id, second->id);
}

static int compare_address_keys(const void *a, const void *b)
{
	const struct address_key *first = a, *second = b;
	int order = vd_address_compare(&first->address, &second->address);

	return order || !first->id || !second->id ? order : compare_numbers(first->id, second->id);
}

static int compare_groups(const void *a, const void *b)
{
	return strcasecmp(((const struct group *)a)->name, ((const struct group *)b)->name);
}

static void *find(void *const *tree, const void *key, int (*compare)(const void *, const void *))
{
	void *const *node = tfind(key, tree, compare);

	return node ? *node : NULL;
}

/* The tree of a kind by key, with its order; NULL for the router, of which there is one. */
static void **tree_of(struct vd_router_state *state, enum vd_router_kind kind, int (**ret_compare)(const void *, const void *))
{
	switch (kind) {
	case VD_ROUTER_KIND_ROUTER:
		break;
	case VD_ROUTER_KIND_SUBNET:
		*ret_compare = compare_subnets;
		return &state->subnets;
	case VD_ROUTER_KIND_PORT:
		*ret_compare = compare_ports;
		return &state->ports;
	case VD_ROUTER_KIND_NAME:
		*ret_compare = compare_names;
		return &state->names;
	}
	return NULL;
}

static struct item *entry_find(struct vd_router_state *state, enum vd_router_kind kind, const struct item *key)
{
	int (*compare)(const void *, const void *);
	void **tree = tree_of(state, kind, &compare);

	return tree ? find(tree, key, compare) : state->router;
}

static bool insert(void **tree, const void *value, int (*compare)(const void *, const void *))
{
	return tsearch(value, tree, compare) != NULL;
}

static int port_index(struct vd_router_state *state, struct item *entry)
{
	const struct vd_router_port *port = &entry->record.port;

	if (!insert(&state->ports_by_mac, entry, compare_macs))
		return -ENOMEM;
	if (!port->address_count)
		return 0;
	entry->keys = calloc(port->address_count, sizeof(*entry->keys));
	for (size_t i = 0; entry->keys && i < port->address_count; i++) {
		entry->keys[i] = (struct address_key){.address = port->addresses[i].address, .id = port->id, .port = entry};
		if (!insert(&state->port_addresses, &entry->keys[i], compare_address_keys))
			return -ENOMEM;
	}
	return entry->keys ? 0 : -ENOMEM;
}

static void port_unindex(struct vd_router_state *state, struct item *entry)
{
	tdelete(entry, &state->ports_by_mac, compare_macs);
	for (size_t i = 0; entry->keys && i < entry->record.port.address_count; i++)
		tdelete(&entry->keys[i], &state->port_addresses, compare_address_keys);
	free(entry->keys);
}

static int name_index(struct vd_router_state *state, struct item *entry)
{
	struct vd_router_name *name = &entry->record.name;
	struct group key = {.name = name->name};
	struct group *group = find(&state->groups, &key, compare_groups);

	if (!group) {
		group = calloc(1, sizeof(*group));
		if (!group)
			return -ENOMEM;
		*group = key;
		if (!insert(&state->groups, group, compare_groups)) {
			free(group);
			return -ENOMEM;
		}
	}
	name->next = group->first;
	group->first = name;
	group->name = name->name;
	return 0;
}

static void name_unindex(struct vd_router_state *state, struct item *entry)
{
	const struct vd_router_name *name = &entry->record.name;
	struct group key = {.name = name->name};
	struct group *group = find(&state->groups, &key, compare_groups);

	if (!group)
		return;
	if (group->first == name) {
		group->first = (struct vd_router_name *)name->next;
	} else {
		struct vd_router_name *before = group->first;

		while (before && before->next != name)
			before = (struct vd_router_name *)before->next;
		if (before)
			before->next = name->next;
	}
	if (group->first) {
		group->name = group->first->name;
	} else {
		tdelete(&key, &state->groups, compare_groups);
		free(group);
	}
}

static int entry_index(struct vd_router_state *state, struct item *entry)
{
	int (*compare)(const void *, const void *);
	void **tree = tree_of(state, entry->kind, &compare);

	if (!tree)
		state->router = entry;
	else if (!insert(tree, entry, compare))
		return -ENOMEM;
	if (entry->kind == VD_ROUTER_KIND_PORT)
		return port_index(state, entry);
	return entry->kind == VD_ROUTER_KIND_NAME ? name_index(state, entry) : 0;
}

static void entry_unindex(struct vd_router_state *state, struct item *entry)
{
	int (*compare)(const void *, const void *);
	void **tree = tree_of(state, entry->kind, &compare);

	if (!tree)
		state->router = NULL;
	else
		tdelete(entry, tree, compare);
	if (entry->kind == VD_ROUTER_KIND_PORT)
		port_unindex(state, entry);
	else if (entry->kind == VD_ROUTER_KIND_NAME)
		name_unindex(state, entry);
}

static void entry_remove(struct vd_router_state *state, struct item *entry)
{
	entry_unindex(state, entry);
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		state->entries = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	vd_router_record_clear(entry->kind, &entry->record);
	free(entry);
	state->revision++;
}

static int entry_add(struct vd_router_state *state, struct item *entry)
{
	entry->set = state->set;
	entry->next = state->entries;
	if (entry->next)
		entry->next->previous = entry;
	state->entries = entry;
	state->revision++;
	return entry_index(state, entry);
}

struct vd_router_state *vd_router_state_new(void)
{
	return calloc(1, sizeof(struct vd_router_state));
}

void vd_router_state_free(struct vd_router_state *state)
{
	if (!state)
		return;
	while (state->entries)
		entry_remove(state, state->entries);
	free(state);
}

/* A port without a host name is called as the port is. */
static int complete(struct vd_router_port *port)
{
	if (*port->hostname)
		return 0;
	free(port->hostname);
	port->hostname = strdup(port->name);
	return port->hostname ? 0 : -ENOMEM;
}

int vd_router_state_put(struct vd_router_state *state, const json_t *record, struct vd_error *error)
{
	VD_CLEANUP(free_cleanup) struct item *entry = calloc(1, sizeof(*entry));
	struct item *old, *added;
	int result;

	if (!entry)
		return vd_error_set(error, -ENOMEM, "no memory for a record");
	result = vd_router_kind_parse(record, &entry->kind, error);
	if (!result)
		result = vd_router_record_parse(entry->kind, record, &entry->record, error);
	if (result < 0)
		return result;
	if (entry->kind == VD_ROUTER_KIND_PORT && complete(&entry->record.port) < 0) {
		vd_router_record_clear(entry->kind, &entry->record);
		return vd_error_set(error, -ENOMEM, "no memory for a record");
	}
	old = entry_find(state, entry->kind, entry);
	if (old)
		entry_remove(state, old);
	added = VD_TAKE(entry);
	result = entry_add(state, added);
	if (result < 0) {
		entry_remove(state, added);
		return vd_error_set(error, result, "no memory for a record");
	}
	return 0;
}

int vd_router_state_remove(struct vd_router_state *state, const json_t *record, struct vd_error *error)
{
	struct item key = {}, *entry;
	int result = vd_router_kind_parse(record, &key.kind, error);

	if (!result)
		result = vd_router_key_parse(key.kind, record, &key.record, error);
	if (result < 0)
		return result;
	entry = entry_find(state, key.kind, &key);
	if (entry)
		entry_remove(state, entry);
	return 0;
}

void vd_router_state_begin(struct vd_router_state *state)
{
	state->set++;
	state->begun = true;
}

void vd_router_state_commit(struct vd_router_state *state)
{
	for (struct item *entry = state->entries, *next; state->begun && entry; entry = next) {
		next = entry->next;
		if (entry->set != state->set)
			entry_remove(state, entry);
	}
	state->begun = false;
}

uint64_t vd_router_state_revision(const struct vd_router_state *state)
{
	return state->revision;
}

const struct vd_address *vd_router_subnet_server(const struct vd_router_subnet *subnet, enum vd_family family)
{
	static const struct vd_address none;

	if (family == VD_FAMILY_IPV6)
		return subnet->outside ? &none : &subnet->gateway6;
	return subnet->outside ? &subnet->dhcp_address : &subnet->gateway4;
}

const struct vd_router *vd_router_state_router(const struct vd_router_state *state)
{
	return state->router ? &state->router->record.router : NULL;
}

const struct vd_router_subnet *vd_router_state_subnet(const struct vd_router_state *state, uint32_t id)
{
	struct item key = {.record.subnet.id = id};
	const struct item *entry = find(&state->subnets, &key, compare_subnets);

	return entry ? &entry->record.subnet : NULL;
}

const struct vd_router_port *vd_router_state_port(const struct vd_router_state *state, uint32_t id)
{
	struct item key = {.record.port.id = id};
	const struct item *entry = find(&state->ports, &key, compare_ports);

	return entry ? &entry->record.port : NULL;
}

const struct vd_router_port *vd_router_state_port_by_mac(const struct vd_router_state *state, const struct vd_mac *mac)
{
	struct item key = {.record.port.mac = *mac};
	const struct item *entry = find(&state->ports_by_mac, &key, compare_macs);

	return entry ? &entry->record.port : NULL;
}

const struct vd_router_port *vd_router_state_port_by_address(const struct vd_router_state *state, const struct vd_address *address)
{
	struct address_key key = {.address = *address};
	const struct address_key *found = find(&state->port_addresses, &key, compare_address_keys);

	return found ? &found->port->record.port : NULL;
}

const struct vd_router_name *vd_router_state_name_by_address(const struct vd_router_state *state, const struct vd_address *address)
{
	struct item key = {.record.name.address = *address};
	const struct item *entry = find(&state->names, &key, compare_names);

	return entry ? &entry->record.name : NULL;
}

const struct vd_router_name *vd_router_state_addresses_by_name(const struct vd_router_state *state, const char *name)
{
	struct group key = {.name = name};
	const struct group *group = find(&state->groups, &key, compare_groups);

	return group ? group->first : NULL;
}

struct walk {
	int (*visit_port)(const struct vd_router_port *port, void *userdata);
	int (*visit_subnet)(const struct vd_router_subnet *subnet, void *userdata);
	void *userdata;
	int result;
};

static void walk_visit(const void *node, VISIT order, void *closure)
{
	const struct item *entry = *(const struct item *const *)node;
	struct walk *walk = closure;

	if ((order != postorder && order != leaf) || walk->result)
		return;
	walk->result = walk->visit_port ? walk->visit_port(&entry->record.port, walk->userdata)
					: walk->visit_subnet(&entry->record.subnet, walk->userdata);
}

int vd_router_state_each_port(const struct vd_router_state *state, int (*visit)(const struct vd_router_port *port, void *userdata),
			      void *userdata)
{
	struct walk walk = {.visit_port = visit, .userdata = userdata};

	twalk_r(state->ports, walk_visit, &walk);
	return walk.result;
}

int vd_router_state_each_subnet(const struct vd_router_state *state,
				int (*visit)(const struct vd_router_subnet *subnet, void *userdata), void *userdata)
{
	struct walk walk = {.visit_subnet = visit, .userdata = userdata};

	twalk_r(state->subnets, walk_visit, &walk);
	return walk.result;
}
