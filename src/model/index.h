/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_INDEX_H
#define VD_MODEL_INDEX_H

/* Inside src/model only: what validation asks of a model besides model.h. */

#include "model/model.h"

/* Room for the text that VD_GROUP_GROUPS goes by. */
#define VD_GROUPS_HASH_SIZE 17
/* And for that which VD_GROUP_PHYSNET goes by. */
#define VD_PHYSNET_VLAN_SIZE (VD_NAME_SIZE + 12)

/* What brings resources together: a kind (its resource named so is referred to), or one of these. */
enum vd_group {
	VD_GROUP_INSTANCE = VD_KIND_COUNT, /* ports that name this instance */
	VD_GROUP_NEXT_HOP,                 /* routes and policy routes whose next hop is this address, as text */
	VD_GROUP_RULES,                    /* rules of this security group */
	VD_GROUP_REMOTE,                   /* rules whose remote_group is this one */
	VD_GROUP_IDENTITY,                 /* ports with this identity, as text; of no project */
	VD_GROUP_PHYSNET,                  /* networks and subnets of this physnet and VLAN, as vd_physnet_vlan(); of no project */
	VD_GROUP_GROUPS,                   /* ports whose set of security groups has this hash; see vd_port_groups_hash() */
};

typedef int vd_model_visit(const struct vd_resource *resource, void *userdata);

/*
 * A model that shows base with changes put over it; base is not changed and must stay as it is. O(1) to make, and what is put or
 * removed costs only itself.
 */
struct vd_model *vd_model_overlay(const struct vd_model *base);

/* The resources of a kind that refer to another one (group: an enum vd_kind or enum vd_group). */
int vd_model_each_referrer(const struct vd_model *model, enum vd_kind referrer, int group, const char *project, const char *name,
			   vd_model_visit *visit, void *userdata);
/* What ports with the same groups have in common, and others hardly ever. Returns text. */
const char *vd_port_groups_hash(const struct vd_port *port, char text[VD_GROUPS_HASH_SIZE]);
const struct vd_port *vd_model_port_by_mac(const struct vd_model *model, const char *project, const char *vpc,
					   const struct vd_mac *mac);
const struct vd_port *vd_model_port_by_network_mac(const struct vd_model *model, const char *network, const struct vd_mac *mac);
/* "physnet1/100"; returns text. */
const char *vd_physnet_vlan(const char *physnet, uint32_t vlan, char text[VD_PHYSNET_VLAN_SIZE]);

#endif
