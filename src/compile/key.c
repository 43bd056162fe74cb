/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/key.h"

enum fact {
	FACT_RESOURCE, /* plus the kind: the last of them */
	FACT_ADDRESS = VD_KIND_COUNT,
	FACT_INSTANCE,
	FACT_CLAIMS,
	FACT_VIP_ADDRESS,
	FACT_IDENTITIES,
	FACT_IDENTITIES_HERE,
	FACT_MTU,
	FACT_REACH,
	FACT_UPLINK,
	FACT_LINK,
	FACT_STATION,
	FACT_NODE_MTU,
	FACT_ALLOTMENT,
	FACT_NODES,
	FACT_PAIR,
	FACT_PAIRS_OF_VPC = FACT_PAIR + VD_RELATION_TYPE_COUNT,
	FACT_PAIRS_OF_OTHER = FACT_PAIRS_OF_VPC + VD_RELATION_TYPE_COUNT,
	FACT_MEMBERS = FACT_PAIRS_OF_OTHER + VD_RELATION_TYPE_COUNT, /* plus the kind */
	FACT_COUNT = FACT_MEMBERS + VD_KIND_COUNT,
};

_Static_assert(FACT_COUNT <= 256, "a fact is one byte of what is hashed");

static uint64_t hash3(int fact, const char *a, const char *b, const char *c)
{
	uint8_t byte = (uint8_t)fact;

	return vd_hash_text(vd_hash_text(vd_hash_text(vd_hash_bytes(VD_HASH_START, &byte, 1), a), b), c);
}

uint64_t vd_key_resource(enum vd_kind kind, const char *project, const char *name)
{
	return hash3(FACT_RESOURCE + (int)kind, project, name, "");
}

uint64_t vd_key_address(const char *project, const char *vpc, const struct vd_address *address)
{
	return vd_hash_bytes(hash3(FACT_ADDRESS, project, vpc, ""), address->bytes, sizeof(address->bytes));
}

uint64_t vd_key_instance(const char *project, const char *instance)
{
	return hash3(FACT_INSTANCE, project, instance, "");
}

uint64_t vd_key_claims(void)
{
	return hash3(FACT_CLAIMS, "", "", "");
}

uint64_t vd_key_pair(enum vd_relation_type type, const char *project, const char *vpc, const char *other)
{
	return hash3(FACT_PAIR + (int)type, project, vpc, other);
}

uint64_t vd_key_pairs_of_vpc(enum vd_relation_type type, const char *project, const char *vpc)
{
	return hash3(FACT_PAIRS_OF_VPC + (int)type, project, vpc, "");
}

uint64_t vd_key_pairs_of_other(enum vd_relation_type type, const char *other)
{
	return hash3(FACT_PAIRS_OF_OTHER + (int)type, other, "", "");
}

uint64_t vd_key_members(enum vd_kind kind, const char *field, const char *project, const char *name)
{
	return hash3(FACT_MEMBERS + (int)kind, field, project, name);
}

uint64_t vd_key_vip_address(const char *network, const struct vd_address *address)
{
	return vd_hash_bytes(hash3(FACT_VIP_ADDRESS, network, "", ""), address->bytes, sizeof(address->bytes));
}

uint64_t vd_key_identities(const char *project, const char *group)
{
	return hash3(FACT_IDENTITIES, project, group, "");
}

uint64_t vd_key_identities_here(const char *project, const char *group)
{
	return hash3(FACT_IDENTITIES_HERE, project, group, "");
}

uint64_t vd_key_mtu(const char *project, const char *pool)
{
	return hash3(FACT_MTU, project, pool, "");
}

uint64_t vd_key_reach(const char *project, const char *pool, const char *host)
{
	return hash3(FACT_REACH, project, pool, host);
}

uint64_t vd_key_uplink(const char *physnet, const char *host)
{
	return hash3(FACT_UPLINK, physnet, host, "");
}

uint64_t vd_key_link(const char *physnet, const char *vlan)
{
	return hash3(FACT_LINK, physnet, vlan, "");
}

uint64_t vd_key_station(const char *host)
{
	return hash3(FACT_STATION, host, "", "");
}

uint64_t vd_key_node_mtu(const char *project, const char *network)
{
	return hash3(FACT_NODE_MTU, project, network, "");
}

uint64_t vd_key_allotment(const char *project, const char *vpc, const struct vd_prefix *block)
{
	uint64_t hash = hash3(FACT_ALLOTMENT, project, vpc, "");

	hash = vd_hash_bytes(hash, block->address.bytes, sizeof(block->address.bytes));
	return vd_hash_bytes(hash, &block->length, sizeof(block->length));
}

uint64_t vd_key_nodes(void)
{
	return hash3(FACT_NODES, "", "", "");
}
