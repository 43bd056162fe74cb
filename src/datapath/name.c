/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/name.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <uthash.h>
#pragma GCC diagnostic pop

struct name {
	UT_hash_handle hh;
	uint32_t id;
	uint32_t uses;
	char text[];
};

struct vd_names {
	struct name *table;
};

struct vd_names *vd_names_new(void)
{
	return calloc(1, sizeof(struct vd_names));
}

void vd_names_clear(struct vd_names *names)
{
	struct name *name, *next;

	HASH_ITER (hh, names->table, name, next) {
		HASH_DEL(names->table, name);
		free(name);
	}
}

void vd_names_free(struct vd_names *names)
{
	vd_names_clear(names);
	free(names);
}

static void qualified(const char *project, const char *name, char *text, size_t size)
{
	if (!project[0] || !strcmp(project, "default"))
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%s/%s", project, name);
}

/* The id and text of a record's name; 0: it has none. */
static uint32_t record_name(const struct vd_plan_record *record, char *text, size_t size)
{
	char prefix[VD_PREFIX_TEXT];

	switch (record->kind) {
	case VD_PLAN_KIND_TUNNEL_HOST:
		snprintf(text, size, "%s", record->tunnel_host.name);
		return record->tunnel_host.host;
	case VD_PLAN_KIND_DOMAIN:
		qualified(record->domain.project, record->domain.name, text, size);
		return record->domain.domain;
	case VD_PLAN_KIND_SUBNET:
		snprintf(text, size, "%s", record->subnet.name);
		return record->subnet.subnet;
	case VD_PLAN_KIND_PORT:
		qualified(record->port.project, record->port.name, text, size);
		return record->port.port;
	case VD_PLAN_KIND_ROUTE:
		snprintf(text, size, "%s/%s", record->route.table_name, vd_prefix_format(&record->route.destination, prefix));
		return record->route.route;
	case VD_PLAN_KIND_NETWORK:
		snprintf(text, size, "%s", record->network.name);
		return record->network.network;
	case VD_PLAN_KIND_VIP:
		snprintf(text, size, "%s", record->vip.name);
		return record->vip.vip;
	case VD_PLAN_KIND_FORWARD:
		snprintf(text, size, "%s", record->forward.name);
		return record->forward.forward;
	case VD_PLAN_KIND_POLICY:
	case VD_PLAN_KIND_POLICY_REMOTE:
	case VD_PLAN_KIND_POLICY_PORT:
	case VD_PLAN_KIND_POLICY_SPAN:
	case VD_PLAN_KIND_SOURCE:
	case VD_PLAN_KIND_ENDPOINT:
	case VD_PLAN_KIND_SEGMENT:
	case VD_PLAN_KIND_EXIT:
	case VD_PLAN_KIND_BLOCK:
	case VD_PLAN_KIND_EXEMPT:
	case VD_PLAN_KIND_HOST_ROUTE:
	case VD_PLAN_KIND_POLICY_ROUTE:
	case VD_PLAN_KIND_INWARD:
	case VD_PLAN_KIND_ALIAS:
	case VD_PLAN_KIND_NEXT_HOP:
	case VD_PLAN_KIND_NAME:
	case VD_PLAN_KIND_COUNT:
		break;
	}
	return 0;
}

int vd_names_add(struct vd_names *names, const struct vd_plan_record *record)
{
	char text[2 * VD_PLAN_NAME_SIZE + 1];
	uint32_t id = record_name(record, text, sizeof(text));
	struct name *name;

	if (!id)
		return 0;
	HASH_FIND(hh, names->table, &id, sizeof(id), name);
	if (name) {
		name->uses++;
		return 0;
	}
	name = malloc(sizeof(*name) + strlen(text) + 1);
	if (!name)
		return -ENOMEM;
	memset(name, 0, sizeof(*name));
	name->id = id;
	name->uses = 1;
	strcpy(name->text, text);
	HASH_ADD(hh, names->table, id, sizeof(name->id), name);
	return 0;
}

void vd_names_remove(struct vd_names *names, const struct vd_plan_record *record)
{
	char text[2 * VD_PLAN_NAME_SIZE + 1];
	uint32_t id = record_name(record, text, sizeof(text));
	struct name *name;

	HASH_FIND(hh, names->table, &id, sizeof(id), name);
	if (!name || --name->uses)
		return;
	HASH_DEL(names->table, name);
	free(name);
}

const char *vd_names_find(const struct vd_names *names, uint32_t id)
{
	struct name *name;

	HASH_FIND(hh, names->table, &id, sizeof(id), name);
	return name ? name->text : NULL;
}
