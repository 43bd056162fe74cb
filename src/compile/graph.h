/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_GRAPH_H
#define VD_COMPILE_GRAPH_H

#include "compile/allotment.h"
#include "compile/group_set.h"
#include "compile/policy.h"
#include "compile/relation.h"
#include "model/resource.h"

/*
 * What was derived from what. A unit is one resource and what it yields; whatever it asks the model is noted as a key it read
 * (compile/key.h). A change touches keys; the units that read them are derived again, and no others. A key is only a hash: two
 * facts in one key cost a needless derivation, never a wrong plan.
 */
enum vd_unit_type {
	/* Values that others read, derived first: when the value stays, its readers are left alone. */
	VD_UNIT_TYPE_MTU,      /* of a pool */
	VD_UNIT_TYPE_REACH,    /* of a host in a pool: its id, 0 when it cannot be reached */
	VD_UNIT_TYPE_UPLINK,   /* of a host to a physical network */
	VD_UNIT_TYPE_LINK,     /* the networks on one VLAN of a physical network */
	VD_UNIT_TYPE_STATION,  /* of a host: where it stands in the underlay */
	VD_UNIT_TYPE_NODE_MTU, /* of a container network */
	/* What becomes records. */
	VD_UNIT_TYPE_HOST,
	VD_UNIT_TYPE_VPC,
	VD_UNIT_TYPE_SUBNET,
	VD_UNIT_TYPE_PORT,
	VD_UNIT_TYPE_ROUTE,
	VD_UNIT_TYPE_NETWORK,
	VD_UNIT_TYPE_VIRTUAL_IP,
	VD_UNIT_TYPE_ELASTIC_IP,
	VD_UNIT_TYPE_PORT_FORWARD,
	VD_UNIT_TYPE_POLICY_ROUTE,
	VD_UNIT_TYPE_PEERING,
	VD_UNIT_TYPE_CONTAINER_NETWORK,
	VD_UNIT_TYPE_CONTAINER_BLOCK,
	/* What only counts for others. */
	VD_UNIT_TYPE_GATEWAY,
	VD_UNIT_TYPE_NODE,
	/* What becomes grants, and only together with others records. */
	VD_UNIT_TYPE_RULE,
};

/* What units count for, so that "is there still one?" never walks them all. Links and "here" are of no project. */
enum vd_relation_type {
	VD_RELATION_TYPE_PRESENCE, /* (VPC, host): ports attached there; being its gateway */
	VD_RELATION_TYPE_USES,     /* (VPC, route table): subnets that name it */
	VD_RELATION_TYPE_LOOKUPS,  /* (VPC, route table): policy routes that look it up */
	VD_RELATION_TYPE_ROUTES,   /* (VPC, table's id/destination): routes of its own */
	VD_RELATION_TYPE_CUSTOMS,  /* (VPC, route): the same, each once; counts against the quota */
	VD_RELATION_TYPE_BLOCKS,   /* (VPC, vd_allotment_text()): blocks that want a route in it; likewise */
	VD_RELATION_TYPE_PUBLICS,  /* (VPC, network): routes to another router's address there */
	VD_RELATION_TYPE_SERVES,   /* (virtual IP, VPC): forwards */
	VD_RELATION_TYPE_NEEDS,    /* (link, ""): what needs it here */
	VD_RELATION_TYPE_SEATS,    /* (link, ""): ports on it that are attached here */
	VD_RELATION_TYPE_ASKERS,   /* (link, addresses): virtual IPs held here */
	VD_RELATION_TYPE_HOPS,     /* (link, address): next hops of exits here */
	VD_RELATION_TYPE_NEARBY,   /* (VPC, ""): peers of it that are present here */
	VD_RELATION_TYPE_MEMBERS,  /* (container network, host): that it takes part; blocks that it still holds */
	VD_RELATION_TYPE_COUNT,
};

/* One pair that a unit counts for. */
struct vd_holding {
	enum vd_relation_type type;
	struct vd_pair *pair;
};

struct vd_holdings {
	struct vd_holding *items;
	uint32_t count;
};

/* A unit's interest in a key: in the list of the key's readers. */
struct vd_edge {
	struct vd_edge *next, **previous;
	struct vd_unit *unit;
	struct vd_key *key;
};

struct vd_key {
	struct vd_table_node node;
	struct vd_edge *readers;
};

struct vd_unit {
	struct vd_table_node node;
	struct vd_edge *edges;
	/* vd_plan_records one behind the other, each with the bytes of its kind; RULE: vd_grants' items; of values the value. */
	void *records;
	struct vd_holdings holdings;
	uint64_t instance;              /* PORT: key of its instance, 0: none */
	struct vd_group_set *group_set; /* PORT: what it counts for, NULL: in no group */
	size_t records_size;
	uint32_t edge_count;
	uint8_t type; /* enum vd_unit_type */
	bool is_dirty;
	bool is_here;                       /* PORT: attached on this host */
	const char *project, *name, *extra; /* extra: the host of a REACH or UPLINK, the VLAN of a LINK, "" otherwise */
	char text[];
};

struct vd_graph {
	struct vd_table units, keys;
	struct vd_relation relations[VD_RELATION_TYPE_COUNT];
	struct vd_group_sets group_sets;
	struct vd_policies policies;
	struct vd_allotments allotments;
	struct vd_unit **dirty; /* units to derive again, in the order they were marked */
	size_t dirty_count, dirty_size;
	uint64_t *reads; /* keys read by the units being derived: a stack */
	size_t read_count, read_size;
	uint64_t derived; /* derivations since ever */
	int error;        /* a read or mark that failed; looked at once at the end */
};

void vd_graph_clear(struct vd_graph *graph);

/* Finds or makes a unit. NULL: out of memory. */
struct vd_unit *vd_graph_unit(struct vd_graph *graph, enum vd_unit_type type, const char *project, const char *name,
			      const char *extra);
void vd_graph_remove_unit(struct vd_graph *graph, struct vd_unit *unit);
/* Puts it among the dirty ones, once. */
void vd_graph_mark(struct vd_graph *graph, struct vd_unit *unit);
/* Marks all readers of the key. */
void vd_graph_touch(struct vd_graph *graph, uint64_t key);

/* Counts one more pair into holdings, and touches who read of it when it is the first. */
int vd_graph_hold(struct vd_graph *graph, struct vd_holdings *holdings, enum vd_relation_type type, const char *project,
		  const char *vpc, const char *other);
/* Counts them no longer; likewise when one was the last. */
void vd_graph_release(struct vd_graph *graph, struct vd_holdings *holdings);

/* Notes a read of the unit being derived. */
void vd_graph_read(struct vd_graph *graph, uint64_t key);
/* Reads noted since read_count was start become what the unit depends on, in place of what it had. */
int vd_graph_settle(struct vd_graph *graph, struct vd_unit *unit, size_t start);

#endif
