/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The older backend of iptables tells nobody that its rules changed, and has no number that says so: they are read by two system
 * calls and summed up.
 */
#include "base/cleanup.h"
#include "host/xtables.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* Its headers come after the library's. */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#define TABLE "filter"
#define ATTEMPTS 4

/* Reading a table that nobody uses would make it, and put its hooks in every packet's way. */
static FILE *names_open(enum vd_family family)
{
	return fopen(family == VD_FAMILY_IPV6 ? "/proc/thread-self/net/ip6_tables_names" : "/proc/thread-self/net/ip_tables_names",
		     "re");
}

static bool table_exists(enum vd_family family)
{
	VD_FCLOSE FILE *file = names_open(family);
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		if (!strcmp(line, TABLE "\n"))
			return true;
	return false;
}

void vd_xtables_legacy_read(struct vd_xtables_legacy *ret)
{
	struct vd_xtables_legacy legacy = {0};

	for (int i = 0; i < 2; i++) {
		VD_FCLOSE FILE *file = names_open(i ? VD_FAMILY_IPV6 : VD_FAMILY_IPV4);
		char line[64];

		while (file && fgets(line, sizeof(line), file)) {
			legacy.any = true;
			legacy.translate |= !strcmp(line, "nat\n");
		}
	}
	*ret = legacy;
}

/* FNV-1a. */
static uint64_t sum_add(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum;
}

/* An entry without its counters and what the kernel notes in it (comefrom). Where those lie is all that the families differ in. */
struct layout {
	int level, info, entries;
	size_t header;       /* of an entry */
	size_t address;      /* size of what is matched by the entry itself, at its beginning */
	size_t next, target; /* where the offsets of the next entry and of the target lie, 16 bits */
};

static const struct layout layout4 = {
	IPPROTO_IP,
	IPT_SO_GET_INFO,
	IPT_SO_GET_ENTRIES,
	sizeof(struct ipt_entry),
	sizeof(struct ipt_ip),
	offsetof(struct ipt_entry, next_offset),
	offsetof(struct ipt_entry, target_offset),
};
static const struct layout layout6 = {
	IPPROTO_IPV6,
	IP6T_SO_GET_INFO,
	IP6T_SO_GET_ENTRIES,
	sizeof(struct ip6t_entry),
	sizeof(struct ip6t_ip6),
	offsetof(struct ip6t_entry, next_offset),
	offsetof(struct ip6t_entry, target_offset),
};

static uint64_t entries_sum(const struct layout *layout, const unsigned char *entries, size_t size, uint64_t sum)
{
	size_t at = 0;

	while (at + layout->header <= size) {
		uint16_t next;

		memcpy(&next, entries + at + layout->next, sizeof(next));
		if (next < layout->header || next > size - at)
			break;
		sum = sum_add(sum, entries + at, layout->address);
		sum = sum_add(sum, entries + at + layout->target, sizeof(uint16_t));
		sum = sum_add(sum, entries + at + layout->header, next - layout->header);
		at += next;
	}
	return sum;
}

/* 0 when it changed between the two calls. */
static uint64_t table_sum(int fd, const struct layout *layout)
{
	struct ipt_getinfo info = {.name = TABLE}; /* of the same shape in both families, as is ipt_get_entries */
	VD_FREE struct ipt_get_entries *table = NULL;
	socklen_t size = sizeof(info);

	if (getsockopt(fd, layout->level, layout->info, &info, &size) < 0)
		return 0;
	size = (socklen_t)(sizeof(*table) + info.size);
	table = calloc(1, size);
	if (!table)
		return 0;
	strcpy(table->name, TABLE);
	table->size = info.size;
	if (getsockopt(fd, layout->level, layout->entries, table, &size) < 0)
		return 0;
	return entries_sum(layout, (const unsigned char *)table->entrytable, info.size,
			   sum_add(0xcbf29ce484222325, &info.num_entries, sizeof(info.num_entries))) |
	       1;
}

uint64_t vd_xtables_fingerprint(enum vd_family family)
{
	VD_CLOSE int fd = -1;
	uint64_t sum = 0;

	if (!table_exists(family))
		return 0;
	fd = socket(family == VD_FAMILY_IPV6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	for (int i = 0; i < ATTEMPTS && fd >= 0 && !sum; i++)
		sum = table_sum(fd, family == VD_FAMILY_IPV6 ? &layout6 : &layout4);
	return sum;
}
