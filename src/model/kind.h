/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_KIND_H
#define VD_MODEL_KIND_H

/* Inside src/model only: how a kind describes itself, and what field.c does with the rows. */

#include "model/field.h"

#include <stddef.h>

#define VD_PROJECT_DEFAULT "default"
#define VD_VNI_MAX 16777214u
/* "<kind> <project>/<name>" */
#define VD_OBJECT_SIZE (32 + VD_NAME_SIZE + VD_IDENTITY_SIZE)

struct vd_validation;

struct vd_kind_type {
	const char *word, *plural, *help;
	enum vd_naming naming;
	size_t size;
	const struct vd_field *fields;
	size_t field_count;
	/* Before the fields are read: which of them apply. */
	int (*prepare)(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error);
	/* After them: what needs several fields at once; the name of a kind that has none of its own. */
	int (*complete)(struct vd_resource *resource, const char *object, struct vd_error *error);
	/* What a change may not do to it, and what it keeps of what it was assigned. */
	int (*succeed)(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error);
	/* Takes what is given or kept; refuses what another one holds. References are known to exist. */
	int (*claim)(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error);
	/* Gives what is still missing, after all claimed. */
	int (*assign)(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error);
	/* The model as it will be, around this change. before NULL: created. */
	int (*check)(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		     const char *object, struct vd_error *error);
};

extern const struct vd_kind_type vd_kind_type_host, vd_kind_type_vxlan_pool, vd_kind_type_vpc, vd_kind_type_route_table,
	vd_kind_type_subnet, vd_kind_type_port, vd_kind_type_route, vd_kind_type_claim, vd_kind_type_attachment,
	vd_kind_type_router_profile, vd_kind_type_security_group, vd_kind_type_security_group_rule, vd_kind_type_network,
	vd_kind_type_virtual_ip, vd_kind_type_elastic_ip, vd_kind_type_port_forward, vd_kind_type_policy_route,
	vd_kind_type_gateway, vd_kind_type_container_network, vd_kind_type_node, vd_kind_type_container_block, vd_kind_type_peering;

const struct vd_kind_type *vd_kind_type(enum vd_kind kind);

/* "subnet nodes", "subnet acme/nodes"; returns text. */
const char *vd_object_text(enum vd_kind kind, const char *project, const char *name, char text[VD_OBJECT_SIZE]);
const char *vd_resource_text(const struct vd_resource *resource, char text[VD_OBJECT_SIZE]);
bool vd_name_is_valid(const char *name);
/* Names that keys use beside projects. */
bool vd_project_is_reserved(const char *project);
bool vd_kind_is_fact(enum vd_kind kind);
/* Where a reference to this kind from that project leads: hosts and networks are of no project but the default one. */
const char *vd_reference_project(enum vd_kind kind, const char *project);

struct vd_field_reading {
	const char *object; /* begins each sentence */
	bool is_record;     /* from the store: no limits but those of memory */
	json_t *notes;      /* may be NULL */
	struct vd_error *error;
};

#define VD_FIELD_TEXT_SIZE 128
/* What the value must be: its type's text, or its words. Returns text. */
const char *vd_field_text(const struct vd_field *field, char text[VD_FIELD_TEXT_SIZE]);
int vd_field_read(const struct vd_field *field, const json_t *value, struct vd_resource *resource,
		  const struct vd_field_reading *reading);
int vd_field_set_default(const struct vd_field *field, struct vd_resource *resource);
/* NULL when it is not set. */
json_t *vd_field_write(const struct vd_field *field, const struct vd_resource *resource);
bool vd_field_equal(const struct vd_field *field, const struct vd_resource *a, const struct vd_resource *b);
/* resource is a byte copy of another: makes what it points to its own. On failure the member is empty. */
int vd_field_own(const struct vd_field *field, struct vd_resource *resource);
void vd_field_clear(const struct vd_field *field, struct vd_resource *resource);

/* An empty resource with one reference: the kind is set, nothing else. */
struct vd_resource *vd_resource_new(enum vd_kind kind);
/* The kind's own fields from a document, defaults and all; into an object: those of documents, or those that are assigned. */
int vd_resource_read_fields(struct vd_resource *resource, const json_t *document, const struct vd_field_reading *reading);
void vd_resource_write_fields(const struct vd_resource *resource, bool assigned, json_t *object);

/* Calls visit for each name in a reference field, until it returns non-zero; returns that. */
typedef int vd_reference_visit(const struct vd_field *field, const char *name, void *userdata);
int vd_resource_each_reference(const struct vd_resource *resource, vd_reference_visit *visit, void *userdata);

/* The types that a noun's file reads and writes. Both refuse with the object and field in the sentence. */
int vd_vni_range_read(const json_t *value, uint32_t range[2]);
json_t *vd_vni_range_write(const uint32_t range[2]);
/* "public" or {network: public, address: 10.0.1.5}. What was read of it before it is refused is in its place already. */
int vd_vpc_network_read(const json_t *value, struct vd_vpc_network *network, const struct vd_field_reading *reading);
json_t *vd_vpc_network_write(const struct vd_vpc_network *network);
bool vd_vpc_network_equal(const struct vd_vpc_network *a, const struct vd_vpc_network *b);
int vd_uplink_read(const json_t *value, struct vd_uplink *uplink);
json_t *vd_uplink_write(const struct vd_uplink *uplink);
bool vd_uplink_equal(const struct vd_uplink *a, const struct vd_uplink *b);
/* {name: docker0, prefix: 172.17.0.0/16}; as for vd_vpc_network_read(). */
int vd_occupied_read(const json_t *value, struct vd_occupied *occupied);
json_t *vd_occupied_write(const struct vd_occupied *occupied);
bool vd_occupied_equal(const struct vd_occupied *a, const struct vd_occupied *b);
/* {vpc: b, cidr: 192.168.0.0/16, as: 100.65.0.0/16}; as for vd_vpc_network_read(). */
int vd_translation_read(const json_t *value, struct vd_translation *translation, const struct vd_field_reading *reading);
json_t *vd_translation_write(const struct vd_translation *translation);
bool vd_translation_equal(const struct vd_translation *a, const struct vd_translation *b);
int vd_next_hop_read(const json_t *value, struct vd_next_hop *hop, const struct vd_field_reading *reading);
json_t *vd_next_hop_write(const struct vd_next_hop *hop);

#endif
