/* SPDX-License-Identifier: Apache-2.0 */
#include "model/index.h"
#include "model/kind.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <uthash.h>

/* One resource of a group, in its list. */
struct link {
	struct link *next, *previous; /* in the group */
	struct link *sibling;         /* of the same entry */
	struct group *group;
	struct entry *entry;
};

/* Resources that have something in common: the VPC that they name, say. Goes with its last member. */
struct group {
	UT_hash_handle hh;
	struct link *first;
	char key[];
};

/* Something that only one resource can have: an id, a VNI, an address or a MAC in a VPC. */
struct unique {
	UT_hash_handle hh;
	struct unique *sibling; /* of the same entry */
	struct entry *entry;
	char key[];
};

struct entry {
	UT_hash_handle hh;
	struct vd_resource *resource; /* NULL in an overlay: removed */
	struct link *links;
	struct unique *uniques;
	char key[]; /* "project/name" */
};

struct vd_model {
	const struct vd_model *base; /* of an overlay: what is not in here is looked up there */
	struct entry *kinds[VD_KIND_COUNT];
	size_t counts[VD_KIND_COUNT]; /* as seen from outside */
	struct group *groups;
	struct unique *uniques;
};

/* A key of the groups or uniques: a tag, then what it is about. Never longer than its parts together. */
struct key {
	size_t size;
	char bytes[4 + 2 * VD_NAME_SIZE + VD_IDENTITY_SIZE];
};

static void key_add(struct key *key, const void *bytes, size_t size)
{
	if (key->size + size > sizeof(key->bytes))
		size = sizeof(key->bytes) - key->size;
	memcpy(key->bytes + key->size, bytes, size);
	key->size += size;
}

static struct key group_key(enum vd_kind referrer, int group, const char *project, const char *name)
{
	struct key key = {.size = 2, .bytes = {(char)referrer, (char)group}};

	key_add(&key, project, strlen(project));
	key_add(&key, "/", 1);
	key_add(&key, name, strlen(name));
	return key;
}

static struct key number_key(char tag, uint32_t number)
{
	struct key key = {.size = 1, .bytes = {tag}};

	key_add(&key, &number, sizeof(number));
	return key;
}

/* What is unique in a place: a VPC, or a network (whose project is the default one). */
static struct key place_key(char tag, const char *project, const char *place, const void *bytes, size_t size)
{
	struct key key = {.size = 1, .bytes = {tag}};

	key_add(&key, project, strlen(project));
	key_add(&key, "/", 1);
	key_add(&key, place, strlen(place));
	key_add(&key, "/", 1);
	key_add(&key, bytes, size);
	return key;
}

/* Tags of unique things: those of ports, then of virtual IPs, in a VPC and in a network. */
#define TAG_ADDRESS 'a'
#define TAG_MAC 'm'
#define TAG_NETWORK_ADDRESS 'n'
#define TAG_NETWORK_MAC 'N'
#define TAG_VIP 'p'
#define TAG_NETWORK_VIP 'w'

static struct key address_key(char tag, const char *project, const char *place, const struct vd_address *address)
{
	return place_key(tag, project, place, address, sizeof(*address));
}

static struct entry *find_entry(const struct vd_model *model, enum vd_kind kind, const char *key)
{
	struct entry *entry;

	HASH_FIND(hh, model->kinds[kind], key, strlen(key), entry);
	return entry;
}

/* The identity's key into text; false when no resource can be called so. */
static bool identity_key(const char *project, const char *name, char text[VD_NAME_SIZE + VD_IDENTITY_SIZE])
{
	int size = snprintf(text, VD_NAME_SIZE + VD_IDENTITY_SIZE, "%s/%s", project, name);

	return size >= 0 && size < VD_NAME_SIZE + VD_IDENTITY_SIZE;
}

/* Is what the base of an overlay has under this identity replaced or removed by the overlay? */
static bool is_hidden(const struct vd_model *model, const struct entry *base_entry, enum vd_kind kind)
{
	return find_entry(model, kind, base_entry->key) != NULL;
}

/* --- indexes --- */

static int add_unique(struct vd_model *model, struct entry *entry, const struct key *key)
{
	struct unique *unique, *old;

	/* Of two that claim the same the later one is found; the earlier is being replaced or removed by the same change. */
	HASH_FIND(hh, model->uniques, key->bytes, key->size, old);
	if (old) {
		struct unique **place = &old->entry->uniques;

		while (*place != old)
			place = &(*place)->sibling;
		*place = old->sibling;
		HASH_DEL(model->uniques, old);
		free(old);
	}
	unique = calloc(1, sizeof(*unique) + key->size);
	if (!unique)
		return -ENOMEM;
	memcpy(unique->key, key->bytes, key->size);
	unique->entry = entry;
	unique->sibling = entry->uniques;
	entry->uniques = unique;
	HASH_ADD_KEYPTR(hh, model->uniques, unique->key, key->size, unique);
	return 0;
}

static void drop_uniques(struct vd_model *model, struct entry *entry)
{
	while (entry->uniques) {
		struct unique *unique = entry->uniques;

		entry->uniques = unique->sibling;
		HASH_DEL(model->uniques, unique);
		free(unique);
	}
}

/* The place whose addresses and MACs a port or virtual_ip shares: a VPC by its subnet, or a network. NULL when it is not known. */
static const char *place_of(const struct vd_model *model, const char *subnet_project, const char *subnet_name, const char *network,
			    const char **ret_project)
{
	const struct vd_subnet *subnet;

	*ret_project = network ? VD_PROJECT_DEFAULT : subnet_project;
	if (network)
		return network;
	/* A store is read in any order: the subnet, when it comes, makes up for it. */
	subnet = subnet_name ? (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, subnet_project, subnet_name) : NULL;
	return subnet ? subnet->vpc : NULL;
}

static int add_addresses(struct vd_model *model, struct entry *entry, char tag, const char *project, const char *place,
			 const struct vd_address *addresses, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct key key = address_key(tag, project, place, &addresses[i]);

		r = add_unique(model, entry, &key);
	}
	return r;
}

static int add_port_uniques(struct vd_model *model, struct entry *entry, const struct vd_port *port)
{
	const char *project, *place = place_of(model, port->head.project, port->subnet, port->network, &project);
	struct key key;
	int r;

	if (!place)
		return 0;
	r = add_addresses(model, entry, port->network ? TAG_NETWORK_ADDRESS : TAG_ADDRESS, project, place, port->assigned_addresses,
			  port->assigned_address_count);
	if (r < 0 || vd_mac_is_zero(&port->assigned_mac))
		return r;
	key = place_key(port->network ? TAG_NETWORK_MAC : TAG_MAC, project, place, &port->assigned_mac, sizeof(port->assigned_mac));
	return add_unique(model, entry, &key);
}

static int add_vip_uniques(struct vd_model *model, struct entry *entry, const struct vd_virtual_ip *vip)
{
	const char *project, *place = place_of(model, vip->head.project, vip->subnet, vip->network, &project);

	if (!place)
		return 0;
	return add_addresses(model, entry, vip->network ? TAG_NETWORK_VIP : TAG_VIP, project, place, vip->assigned_addresses,
			     vip->assigned_address_count);
}

static int add_uniques(struct vd_model *model, struct entry *entry)
{
	const struct vd_resource *resource = entry->resource;
	struct key key;
	uint32_t vni = 0;
	int r = 0;

	if (resource->id != 0) {
		key = number_key('i', resource->id);
		r = add_unique(model, entry, &key);
	}
	if (resource->kind == VD_KIND_VPC)
		vni = ((const struct vd_vpc *)resource)->assigned_vni;
	else if (resource->kind == VD_KIND_SUBNET)
		vni = ((const struct vd_subnet *)resource)->assigned_vni;
	else if (resource->kind == VD_KIND_CONTAINER_NETWORK)
		vni = ((const struct vd_container_network *)resource)->assigned_vni;
	if (r == 0 && vni != 0) {
		key = number_key('v', vni);
		r = add_unique(model, entry, &key);
	}
	if (r == 0 && resource->kind == VD_KIND_PORT)
		r = add_port_uniques(model, entry, (const struct vd_port *)resource);
	if (r == 0 && resource->kind == VD_KIND_VIRTUAL_IP)
		r = add_vip_uniques(model, entry, (const struct vd_virtual_ip *)resource);
	return r;
}

static int add_link(struct vd_model *model, struct entry *entry, const struct key *key)
{
	struct link *link = calloc(1, sizeof(*link));
	struct group *group;

	if (!link)
		return -ENOMEM;
	HASH_FIND(hh, model->groups, key->bytes, key->size, group);
	if (!group) {
		group = calloc(1, sizeof(*group) + key->size);
		if (!group) {
			free(link);
			return -ENOMEM;
		}
		memcpy(group->key, key->bytes, key->size);
		HASH_ADD_KEYPTR(hh, model->groups, group->key, key->size, group);
	}
	link->group = group;
	link->entry = entry;
	link->sibling = entry->links;
	entry->links = link;
	link->next = group->first;
	if (link->next)
		link->next->previous = link;
	group->first = link;
	return 0;
}

static void drop_links(struct vd_model *model, struct entry *entry)
{
	while (entry->links) {
		struct link *link = entry->links;
		struct group *group = link->group;

		entry->links = link->sibling;
		if (link->next)
			link->next->previous = link->previous;
		if (link->previous)
			link->previous->next = link->next;
		else
			group->first = link->next;
		if (!group->first) {
			HASH_DEL(model->groups, group);
			free(group);
		}
		free(link);
	}
}

struct linking {
	struct vd_model *model;
	struct entry *entry;
};

static int link_reference(const struct vd_field *field, const char *name, void *userdata)
{
	struct linking *linking = userdata;
	const struct vd_resource *resource = linking->entry->resource;
	struct key key =
		group_key(resource->kind, field->reference, vd_reference_project(field->reference, resource->project), name);

	return add_link(linking->model, linking->entry, &key);
}

static struct key identity_group_key(uint32_t identity)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", identity);
	return group_key(VD_KIND_PORT, VD_GROUP_IDENTITY, "", text);
}

const char *vd_port_groups_hash(const struct vd_port *port, char text[VD_GROUPS_HASH_SIZE])
{
	uint64_t hash = 0xcbf29ce484222325;

	/* FNV-1a over the names with their ends. */
	for (size_t i = 0; i < port->security_group_count; i++)
		for (const char *c = port->security_groups[i];; c++) {
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
			if (!*c)
				break;
		}
	snprintf(text, VD_GROUPS_HASH_SIZE, "%016" PRIx64, hash);
	return text;
}

static int add_port_links(struct vd_model *model, struct entry *entry, const struct vd_port *port)
{
	const char *project = port->head.project;
	char text[VD_GROUPS_HASH_SIZE];
	struct key key;
	int r = 0;

	if (port->instance) {
		key = group_key(VD_KIND_PORT, VD_GROUP_INSTANCE, project, port->instance);
		r = add_link(model, entry, &key);
	}
	if (r == 0 && port->assigned_identity != 0) {
		key = identity_group_key(port->assigned_identity);
		r = add_link(model, entry, &key);
	}
	if (r == 0 && port->security_group_count > 0) {
		key = group_key(VD_KIND_PORT, VD_GROUP_GROUPS, project, vd_port_groups_hash(port, text));
		r = add_link(model, entry, &key);
	}
	return r;
}

static int add_rule_links(struct vd_model *model, struct entry *entry, const struct vd_security_group_rule *rule)
{
	const char *project = rule->head.project;
	struct key key = group_key(VD_KIND_SECURITY_GROUP_RULE, VD_GROUP_RULES, project, rule->group);
	int r = add_link(model, entry, &key);

	if (r < 0 || !rule->remote_group)
		return r;
	key = group_key(VD_KIND_SECURITY_GROUP_RULE, VD_GROUP_REMOTE, project, rule->remote_group);
	return add_link(model, entry, &key);
}

/* Those of a route or policy route: who asks for the address of a port, of a host on a network. */
static int add_next_hop_link(struct vd_model *model, struct entry *entry, const struct vd_next_hop *hop)
{
	char text[VD_ADDRESS_TEXT];
	struct key key;

	if (hop->address.family == VD_FAMILY_NONE)
		return 0;
	key = group_key(entry->resource->kind, VD_GROUP_NEXT_HOP, entry->resource->project, vd_address_format(&hop->address, text));
	return add_link(model, entry, &key);
}

const char *vd_physnet_vlan(const char *physnet, uint32_t vlan, char text[VD_PHYSNET_VLAN_SIZE])
{
	snprintf(text, VD_PHYSNET_VLAN_SIZE, "%s/%u", physnet, vlan);
	return text;
}

static int add_physnet_link(struct vd_model *model, struct entry *entry, const char *physnet, uint32_t vlan)
{
	char text[VD_PHYSNET_VLAN_SIZE];
	struct key key;

	if (!physnet)
		return 0;
	key = group_key(entry->resource->kind, VD_GROUP_PHYSNET, "", vd_physnet_vlan(physnet, vlan, text));
	return add_link(model, entry, &key);
}

static int add_links(struct vd_model *model, struct entry *entry)
{
	const struct vd_resource *resource = entry->resource;
	struct linking linking = {.model = model, .entry = entry};
	const struct vd_network *network = (const struct vd_network *)resource;
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;
	int r;

	r = vd_resource_each_reference(resource, link_reference, &linking);
	if (r < 0)
		return r;
	if (resource->kind == VD_KIND_PORT)
		return add_port_links(model, entry, (const struct vd_port *)resource);
	if (resource->kind == VD_KIND_SECURITY_GROUP_RULE)
		return add_rule_links(model, entry, (const struct vd_security_group_rule *)resource);
	if (resource->kind == VD_KIND_NETWORK)
		return add_physnet_link(model, entry, network->physnet, network->vlan);
	if (resource->kind == VD_KIND_SUBNET)
		return add_physnet_link(model, entry, subnet->physnet, subnet->vlan);
	if (resource->kind == VD_KIND_ROUTE)
		return add_next_hop_link(model, entry, &((const struct vd_route *)resource)->next_hop);
	if (resource->kind == VD_KIND_POLICY_ROUTE)
		return add_next_hop_link(model, entry, &((const struct vd_policy_route *)resource)->next_hop);
	return 0;
}

static int reindex_members(struct vd_model *model, enum vd_kind member, const char *project, const char *subnet)
{
	struct key key = group_key(member, VD_KIND_SUBNET, project, subnet);
	struct group *group;
	int r = 0;

	HASH_FIND(hh, model->groups, key.bytes, key.size, group);
	for (struct link *link = group ? group->first : NULL; r == 0 && link; link = link->next) {
		drop_uniques(model, link->entry);
		r = add_uniques(model, link->entry);
	}
	return r;
}

/*
 * A subnet came or went: what its ports and virtual IPs have is in another VPC now, or in none. Only those in this container
 * itself.
 */
static int reindex_subnet(struct vd_model *model, const char *project, const char *subnet)
{
	int r = reindex_members(model, VD_KIND_PORT, project, subnet);

	return r < 0 ? r : reindex_members(model, VD_KIND_VIRTUAL_IP, project, subnet);
}

/* --- the container --- */

struct vd_model *vd_model_new(void)
{
	return calloc(1, sizeof(struct vd_model));
}

struct vd_model *vd_model_overlay(const struct vd_model *base)
{
	struct vd_model *model = vd_model_new();

	if (!model)
		return NULL;
	model->base = base;
	memcpy(model->counts, base->counts, sizeof(model->counts));
	return model;
}

static void empty_entry(struct vd_model *model, struct entry *entry)
{
	drop_uniques(model, entry);
	drop_links(model, entry);
	vd_resource_unref(entry->resource);
	entry->resource = NULL;
}

void vd_model_free(struct vd_model *model)
{
	if (!model)
		return;
	for (int kind = 0; kind < VD_KIND_COUNT; kind++) {
		struct entry *entry, *next;

		HASH_ITER (hh, model->kinds[kind], entry, next) {
			empty_entry(model, entry);
			HASH_DEL(model->kinds[kind], entry);
			free(entry);
		}
	}
	free(model);
}

VD_DEFINE_CLEANUP(struct vd_model, vd_model_free)

struct vd_model *vd_model_copy(const struct vd_model *model)
{
	VD_CLEANUP(vd_model_free_cleanup) struct vd_model *copy = vd_model_new();

	if (!copy)
		return NULL;
	for (int kind = 0; kind < VD_KIND_COUNT; kind++)
		for (const struct entry *entry = model->kinds[kind]; entry; entry = entry->hh.next)
			if (vd_model_put(copy, entry->resource) < 0)
				return NULL;
	return VD_TAKE(copy);
}

/* The entry of an identity, made when there is none; in an overlay it hides what base has. */
static struct entry *make_entry(struct vd_model *model, enum vd_kind kind, const char *project, const char *name)
{
	char key[VD_NAME_SIZE + VD_IDENTITY_SIZE];
	struct entry *entry;

	if (!identity_key(project, name, key))
		return NULL;
	entry = find_entry(model, kind, key);
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry) + strlen(key) + 1);
	if (!entry)
		return NULL;
	strcpy(entry->key, key);
	HASH_ADD_KEYPTR(hh, model->kinds[kind], entry->key, strlen(entry->key), entry);
	return entry;
}

int vd_model_put(struct vd_model *model, struct vd_resource *resource)
{
	bool existed = vd_model_get(model, resource->kind, resource->project, resource->name) != NULL;
	struct entry *entry = make_entry(model, resource->kind, resource->project, resource->name);
	char *vpc = NULL;
	int r;

	if (!entry)
		return -ENOMEM;
	vd_resource_ref(resource);
	if (resource->kind == VD_KIND_SUBNET && entry->resource)
		vpc = strdup(((const struct vd_subnet *)entry->resource)->vpc);
	empty_entry(model, entry);
	entry->resource = resource;
	if (!existed)
		model->counts[resource->kind]++;
	r = add_links(model, entry);
	if (r == 0)
		r = add_uniques(model, entry);
	if (r == 0 && resource->kind == VD_KIND_SUBNET && (!vpc || strcmp(vpc, ((const struct vd_subnet *)resource)->vpc) != 0))
		r = reindex_subnet(model, resource->project, resource->name);
	free(vpc);
	return r;
}

bool vd_model_remove(struct vd_model *model, enum vd_kind kind, const char *project, const char *name)
{
	struct entry *entry;
	char key[VD_NAME_SIZE + VD_IDENTITY_SIZE];

	if (!vd_model_get(model, kind, project, name) || !identity_key(project, name, key))
		return false;
	entry = make_entry(model, kind, project, name);
	if (!entry)
		return false;
	empty_entry(model, entry);
	model->counts[kind]--;
	if (kind == VD_KIND_SUBNET)
		reindex_subnet(model, project, name);
	/* In an overlay the empty entry stays, to hide the base's. */
	if (model->base)
		return true;
	HASH_DEL(model->kinds[kind], entry);
	free(entry);
	return true;
}

const struct vd_resource *vd_model_get(const struct vd_model *model, enum vd_kind kind, const char *project, const char *name)
{
	char key[VD_NAME_SIZE + VD_IDENTITY_SIZE];

	if (!identity_key(project, name, key))
		return NULL;
	for (; model; model = model->base) {
		const struct entry *entry = find_entry(model, kind, key);

		if (entry)
			return entry->resource;
	}
	return NULL;
}

size_t vd_model_count(const struct vd_model *model, enum vd_kind kind)
{
	return model->counts[kind];
}

int vd_model_each(const struct vd_model *model, enum vd_kind kind, const char *project, vd_model_visit *visit, void *userdata)
{
	for (const struct vd_model *layer = model; layer; layer = layer->base) {
		const struct entry *entry, *next;

		for (entry = layer->kinds[kind]; entry; entry = next) {
			int r;

			next = entry->hh.next;
			if (!entry->resource || (project && strcmp(entry->resource->project, project) != 0))
				continue;
			if (layer != model && is_hidden(model, entry, kind))
				continue;
			r = visit(entry->resource, userdata);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

static const struct vd_resource *get_unique(const struct vd_model *model, const struct key *key)
{
	for (const struct vd_model *layer = model; layer; layer = layer->base) {
		struct unique *unique;

		HASH_FIND(hh, layer->uniques, key->bytes, key->size, unique);
		if (unique && (layer == model || !is_hidden(model, unique->entry, unique->entry->resource->kind)))
			return unique->entry->resource;
	}
	return NULL;
}

const struct vd_port *vd_model_port_by_address(const struct vd_model *model, const char *project, const char *vpc,
					       const struct vd_address *address)
{
	struct key key = address_key(TAG_ADDRESS, project, vpc, address);

	return (const struct vd_port *)get_unique(model, &key);
}

const struct vd_port *vd_model_port_by_network_address(const struct vd_model *model, const char *network,
						       const struct vd_address *address)
{
	struct key key = address_key(TAG_NETWORK_ADDRESS, VD_PROJECT_DEFAULT, network, address);

	return (const struct vd_port *)get_unique(model, &key);
}

const struct vd_virtual_ip *vd_model_vip_by_address(const struct vd_model *model, const char *project, const char *vpc,
						    const struct vd_address *address)
{
	struct key key = address_key(TAG_VIP, project, vpc, address);

	return (const struct vd_virtual_ip *)get_unique(model, &key);
}

const struct vd_virtual_ip *vd_model_vip_by_network_address(const struct vd_model *model, const char *network,
							    const struct vd_address *address)
{
	struct key key = address_key(TAG_NETWORK_VIP, VD_PROJECT_DEFAULT, network, address);

	return (const struct vd_virtual_ip *)get_unique(model, &key);
}

const struct vd_port *vd_model_port_by_mac(const struct vd_model *model, const char *project, const char *vpc,
					   const struct vd_mac *mac)
{
	struct key key = place_key(TAG_MAC, project, vpc, mac, sizeof(*mac));

	return (const struct vd_port *)get_unique(model, &key);
}

const struct vd_port *vd_model_port_by_network_mac(const struct vd_model *model, const char *network, const struct vd_mac *mac)
{
	struct key key = place_key(TAG_NETWORK_MAC, VD_PROJECT_DEFAULT, network, mac, sizeof(*mac));

	return (const struct vd_port *)get_unique(model, &key);
}

const struct vd_resource *vd_model_get_by_id(const struct vd_model *model, uint32_t id)
{
	struct key key = number_key('i', id);

	return get_unique(model, &key);
}

const struct vd_resource *vd_model_get_by_vni(const struct vd_model *model, uint32_t vni)
{
	struct key key = number_key('v', vni);

	return get_unique(model, &key);
}

int vd_model_each_referrer(const struct vd_model *model, enum vd_kind referrer, int group, const char *project, const char *name,
			   vd_model_visit *visit, void *userdata)
{
	struct key key = group_key(referrer, group, project, name);

	for (const struct vd_model *layer = model; layer; layer = layer->base) {
		struct group *found;
		const struct link *next;

		HASH_FIND(hh, layer->groups, key.bytes, key.size, found);
		for (const struct link *link = found ? found->first : NULL; link; link = next) {
			int r;

			next = link->next;
			if (layer != model && is_hidden(model, link->entry, referrer))
				continue;
			r = visit(link->entry->resource, userdata);
			if (r != 0)
				return r;
		}
	}
	return 0;
}
