/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/generation.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void vd_slots_done(struct vd_slots *slots)
{
	free(slots->items);
	*slots = (struct vd_slots){};
}

void vd_slots_add(struct vd_slots *slots, uint32_t slot)
{
	if (slots->all)
		return;
	if (slots->count == slots->capacity) {
		size_t capacity = slots->capacity ? slots->capacity * 2 : 16;
		uint32_t *items = reallocarray(slots->items, capacity, sizeof(*items));

		if (!items) {
			slots->all = true;
			return;
		}
		slots->items = items;
		slots->capacity = capacity;
	}
	slots->items[slots->count++] = slot;
}

/* The slot of the one thing that an entry of these maps speaks of; 0: none. */
static uint32_t entry_slot(const struct vd_entry *entry)
{
	union {
		struct vd_endpoint4_key endpoint4;
		struct vd_endpoint6_key endpoint6;
		struct vd_route4_key route4;
		struct vd_route6_key route6;
		struct vd_source4_key source4;
		struct vd_source6_key source6;
		struct vd_policy_key policy;
		struct vd_allow_key allow; /* a remote's key is its beginning */
		struct vd_forward_key forward;
		struct vd_exit_key exit;
		struct vd_policy_routes_key policy_routes;
		struct vd_neighbour_key neighbour;
	} key;
	union {
		struct vd_port_value port;
		struct vd_mac_value mac;
		uint32_t domain;
	} value;
	union vd_addr address = {};

	memcpy(&key, entry->key, sizeof(key));
	memcpy(&value, entry->value, sizeof(value));
	switch (entry->map) {
	case VD_MAP_PORT:
		return vd_slot_port(value.port.id);
	case VD_MAP_MAC:
		return vd_slot_port(value.mac.port_id);
	case VD_MAP_SOURCE4:
		return vd_slot_port(key.source4.port_id);
	case VD_MAP_SOURCE6:
		return vd_slot_port(key.source6.port_id);
	case VD_MAP_ALLOW:
	case VD_MAP_SPAN:
	case VD_MAP_REMOTE:
		return vd_slot_policy(key.allow.remote.identity);
	case VD_MAP_POLICY:
		return vd_slot_policy(key.policy.identity);
	case VD_MAP_ENDPOINT4:
		address.word[0] = key.endpoint4.address;
		return vd_slot_endpoint(key.endpoint4.domain, &address);
	case VD_MAP_ENDPOINT6:
		return vd_slot_endpoint(key.endpoint6.domain, &key.endpoint6.address);
	case VD_MAP_ROUTE4:
		return vd_slot_table(key.route4.domain, key.route4.table);
	case VD_MAP_ROUTE6:
		return vd_slot_table(key.route6.domain, key.route6.table);
	case VD_MAP_POLICY_ROUTES:
		return vd_slot_domain(key.policy_routes.domain); /* they lead into other tables, too */
	case VD_MAP_FORWARD:
		return vd_slot_vip(key.forward.network, &key.forward.vip);
	case VD_MAP_EXIT:
		return vd_slot_domain(key.exit.domain);
	case VD_MAP_INWARD4:
	case VD_MAP_INWARD6:
		return vd_slot_domain(value.domain);
	case VD_MAP_NEIGHBOUR:
		return vd_slot_endpoint(key.neighbour.network, &key.neighbour.address);
	case VD_MAP_ALIAS4: /* two slots */
	case VD_MAP_ALIAS6:
	case VD_MAP_VTEP:
	case VD_MAP_HOST:
	case VD_MAP_SHARE:
	case VD_MAP_DOMAIN:
	case VD_MAP_SEGMENT:
	case VD_MAP_SUBNET:
	case VD_MAP_NETWORK:
	case VD_MAP_UPLINK:
	case VD_MAP_ELASTIC:
	case VD_MAP_VIP:
	case VD_MAP_NAT4:
	case VD_MAP_NAT6:
	case VD_MAP_NAT_CURSOR:
	case VD_MAP_QUESTION:
	case VD_MAP_RATE: /* a packet of a flow asks it by itself */
	case VD_MAP_DEADLINE:
	case VD_MAP_NEIGHBOUR_EVENTS:
	case VD_MAP_CONNECTION4:
	case VD_MAP_CONNECTION6:
	case VD_MAP_PREVIOUS4:
	case VD_MAP_PREVIOUS6:
	case VD_MAP_PREVIOUS_NAT4:
	case VD_MAP_PREVIOUS_NAT6:
	case VD_MAP_EXPIRE4:
	case VD_MAP_EXPIRE6:
	case VD_MAP_GENERATION:
	case VD_MAP_DROP_COUNT:
	case VD_MAP_COUNTERS:
	case VD_MAP_FLOW4:
	case VD_MAP_FLOW6:
	case VD_MAP_FLOW4_INDEX:
	case VD_MAP_FLOW6_INDEX:
	case VD_MAP_FLOW_HEAD:
	case VD_MAP_FRAGMENT:
	case VD_MAP_DROP_EVENTS:
	case VD_MAP_CAPTURE:
	case VD_MAP_TRACE:
	case VD_MAP_CLOCK:
	case VD_MAP_PROGRAMS:
	case VD_MAP_COUNT:
		break;
	}
	return 0;
}

/* A service port that appears concerns nobody: without one nothing was installed to it. */
static void add_domain_change(struct vd_slots *slots, const struct vd_entry *before, const struct vd_entry *after)
{
	struct vd_domain_value was, is = {};
	uint32_t key;

	memcpy(&key, before->key, sizeof(key));
	memcpy(&was, before->value, sizeof(was));
	if (after)
		memcpy(&is, after->value, sizeof(is));
	if (was.vni != is.vni || was.mtu != is.mtu || was.flags != is.flags ||
	    (was.service_ifindex && was.service_ifindex != is.service_ifindex)) {
		vd_slots_add(slots, vd_slot_domain(key));
		vd_slots_add(slots, vd_slot_table(key, 0));
	}
}

static void add_subnet_change(struct vd_slots *slots, const struct vd_entry *before, const struct vd_entry *after)
{
	struct vd_subnet_value was, is;

	if (!after)
		return; /* its ports and endpoints went before it */
	memcpy(&was, before->value, sizeof(was));
	memcpy(&is, after->value, sizeof(is));
	/* Gateways are endpoints, with slots of their own. */
	if (was.vni != is.vni || was.domain != is.domain || was.uplink_ifindex != is.uplink_ifindex || was.vlan != is.vlan ||
	    was.flags != is.flags) {
		vd_slots_add(slots, vd_slot_domain(was.domain));
		vd_slots_add(slots, vd_slot_domain(is.domain));
	}
}

/* A VNI that means something else now. */
static void add_segment_change(struct vd_slots *slots, const struct vd_entry *before, const struct vd_entry *after)
{
	struct vd_segment_value was, is;

	if (!after)
		return;
	memcpy(&was, before->value, sizeof(was));
	memcpy(&is, after->value, sizeof(is));
	vd_slots_add(slots, vd_slot_domain(was.domain));
	vd_slots_add(slots, vd_slot_domain(is.domain));
}

/* What is behind a virtual IP, and, for who sends to it on its network, whether it is one of ours. */
static void add_vip_change(struct vd_slots *slots, const struct vd_entry *entry)
{
	struct vd_vip_key key;

	memcpy(&key, entry->key, sizeof(key));
	vd_slots_add(slots, vd_slot_vip(key.network, &key.address));
	vd_slots_add(slots, vd_slot_endpoint(key.network, &key.address));
}

/* Who sends from the inner address may have left by another way. */
static void add_elastic_change(struct vd_slots *slots, const struct vd_entry *entry)
{
	struct vd_elastic_value value;
	struct vd_elastic_key key;

	memcpy(&key, entry->key, sizeof(key));
	memcpy(&value, entry->value, sizeof(value));
	vd_slots_add(slots, vd_slot_endpoint(key.domain, &key.inner));
	vd_slots_add(slots, vd_slot_vip(value.network, &value.vip));
}

/* What leaves either VPC for the other depends on the other's main table; what arrives by tunnel, on the sender's. */
static void add_alias_change(struct vd_slots *slots, const struct vd_entry *entry)
{
	struct vd_alias6_key key; /* the other one differs in its address */

	memcpy(&key, entry->key, sizeof(key));
	vd_slots_add(slots, vd_slot_table(key.domain, 0));
	vd_slots_add(slots, vd_slot_table(key.peer, 0));
}

/*
 * What comes from a peer depends on the receiver's table, whichever it is, and says so of the main one. 0: the main one itself, or no
 * route.
 */
static uint32_t main_table_slot(const struct vd_entry *entry)
{
	struct vd_route4_key key; /* of IPv6 it is the beginning, too */

	if (entry->map != VD_MAP_ROUTE4 && entry->map != VD_MAP_ROUTE6)
		return 0;
	memcpy(&key, entry->key, sizeof(key));
	return key.table ? vd_slot_table(key.domain, 0) : 0;
}

/*
 * Its first limit, or none any more; or another table, which has to lead back to who sends: that depends on its endpoints, and nothing here
 * says which.
 */
static bool concerns_senders(const struct vd_entry *before, const struct vd_entry *after)
{
	struct vd_port_value was, is;

	memcpy(&was, before->value, sizeof(was));
	memcpy(&is, after->value, sizeof(is));
	return ((was.flags ^ is.flags) & VD_PORT_FLAG_RATE_IN) || was.table != is.table;
}

/* A container's address: to one that nobody had, packets went to the node's kernel. */
static bool is_container_endpoint(const struct vd_entry *entry)
{
	struct vd_endpoint_value value;

	if (entry->map != VD_MAP_ENDPOINT4 && entry->map != VD_MAP_ENDPOINT6)
		return false;
	memcpy(&value, entry->value, sizeof(value));
	return value.place == VD_ENDPOINT_PLACE_HERE && !value.subnet;
}

/* Maps whose entries concern packets that had another way without them: routes, and what stands beside routes. */
static bool matters_when_new(enum vd_map map)
{
	return map == VD_MAP_ROUTE4 || map == VD_MAP_ROUTE6 || map == VD_MAP_POLICY_ROUTES || map == VD_MAP_FORWARD ||
	       map == VD_MAP_INWARD4 || map == VD_MAP_INWARD6;
}

void vd_slots_add_change(struct vd_slots *slots, const struct vd_entry *before, const struct vd_entry *after)
{
	const struct vd_entry *either = before ? before : after;
	enum vd_map map = either->map;

	if (map == VD_MAP_VIP || map == VD_MAP_ELASTIC) {
		for (const struct vd_entry *entry = either; entry; entry = entry == after ? NULL : after)
			(map == VD_MAP_VIP ? add_vip_change : add_elastic_change)(slots, entry);
		return;
	}
	if (map == VD_MAP_ALIAS4 || map == VD_MAP_ALIAS6) {
		add_alias_change(slots, either);
		return;
	}
	if (main_table_slot(either))
		vd_slots_add(slots, main_table_slot(either));
	if (!before) {
		if (matters_when_new(map) || is_container_endpoint(after))
			vd_slots_add(slots, entry_slot(after));
		return;
	}
	if (map == VD_MAP_DOMAIN) {
		add_domain_change(slots, before, after);
	} else if (map == VD_MAP_SUBNET) {
		add_subnet_change(slots, before, after);
	} else if (map == VD_MAP_SEGMENT) {
		add_segment_change(slots, before, after);
	} else if (map == VD_MAP_HOST || map == VD_MAP_NETWORK || map == VD_MAP_UPLINK) {
		/*
		 * Another VTEP, or none: any flow may lead there. Those that came from there are not all known by their source:
		 * what an instance forwards has addresses that are no endpoints. The same goes for an uplink.
		 */
		slots->all = true;
	} else if (map == VD_MAP_PORT && after && concerns_senders(before, after)) {
		slots->all = true;
	} else if (entry_slot(before)) {
		vd_slots_add(slots, entry_slot(before));
		if (after && entry_slot(after) != entry_slot(before))
			vd_slots_add(slots, entry_slot(after));
	}
}

struct vd_generation {
	struct vd_generations *slots;
	size_t size;
};

int vd_generation_open(int fd, struct vd_generation **ret)
{
	VD_FREE struct vd_generation *generation = calloc(1, sizeof(*generation));
	struct vd_map_definition definition;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory;
	int r;

	if (!generation)
		return -ENOMEM;
	r = vd_map_definition_read(fd, &definition);
	if (r)
		return r;
	generation->size = (definition.value_size + page - 1) / page * page;
	if (definition.value_size < sizeof(struct vd_generations))
		return -EINVAL;
	memory = mmap(NULL, generation->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	generation->slots = memory;
	*ret = VD_TAKE(generation);
	return 0;
}

void vd_generation_close(struct vd_generation *generation)
{
	munmap(generation->slots, generation->size);
	free(generation);
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Each bump is atomic and ordered after the map writes, which are system calls. Slot 0 is nobody's and stands still. */
size_t vd_generation_bump(struct vd_generation *generation, struct vd_slots *slots)
{
	size_t writes = 0;

	if (slots->all) {
		for (size_t i = 1; i < VD_GENERATION_SLOTS; i++)
			__atomic_fetch_add(&generation->slots->value[i], 1, __ATOMIC_SEQ_CST);
		return 1;
	}
	if (slots->count)
		qsort(slots->items, slots->count, sizeof(*slots->items), compare_slots);
	for (size_t i = 0; i < slots->count; i++) {
		if (!slots->items[i] || (i && slots->items[i] == slots->items[i - 1]))
			continue;
		__atomic_fetch_add(&generation->slots->value[slots->items[i]], 1, __ATOMIC_SEQ_CST);
		writes++;
	}
	return writes;
}

uint64_t vd_generation_sum(const struct vd_generation *generation, const uint32_t *slots, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (slots[i] < VD_GENERATION_SLOTS)
			sum += __atomic_load_n(&generation->slots->value[slots[i]], __ATOMIC_RELAXED);
	return sum;
}
