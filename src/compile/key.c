/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/key.h"

enum fact {
	FACT_RESOURCE, /* plus the kind: the last of them */
	FACT_ADDRESS = VD_KIND_COUNT,
	FACT_INSTANCE,
	FACT_CLAIMS,
	FACT_PRESENCE,
	FACT_VPCS_OF_HOST,
	FACT_TABLES_OF_VPC,
	FACT_USERS_OF_TABLE,
	FACT_IDENTITIES,
	FACT_IDENTITIES_HERE,
	FACT_MTU,
	FACT_REACH,
};

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

uint64_t vd_key_presence(const char *project, const char *vpc, const char *host)
{
	return hash3(FACT_PRESENCE, project, vpc, host);
}

uint64_t vd_key_vpcs_of_host(const char *host)
{
	return hash3(FACT_VPCS_OF_HOST, host, "", "");
}

uint64_t vd_key_tables_of_vpc(const char *project, const char *vpc)
{
	return hash3(FACT_TABLES_OF_VPC, project, vpc, "");
}

uint64_t vd_key_users_of_table(const char *project, const char *table)
{
	return hash3(FACT_USERS_OF_TABLE, project, table, "");
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
