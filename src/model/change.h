/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_CHANGE_H
#define VD_MODEL_CHANGE_H

#include "model/model.h"

/*
 * A change set: what one apply or delete does to a model, before it is written anywhere.
 * after == NULL is a deletion, before == NULL a creation; both set and equal: unchanged.
 */
struct vd_change {
	enum vd_kind kind;
	char *project, *name;
	struct vd_resource *before, *after;
};

struct vd_changes {
	struct vd_change *items; /* sorted by kind, project, name */
	size_t count;
	json_t *notes;    /* array of sentences for the user ("host bits of 172.18.0.10/24 dropped: 172.18.0.0/24") */
	uint32_t next_id; /* the first id not given out, after this change; 0 of a deletion: as it was */
};

/*
 * Documents (a JSON array, as vd_documents_parse gives it) against the model: parses every one, completes defaults, validates
 * the model as it would be afterwards as a whole, and assigns what is not given (ids from next_id on, addresses, MACs, VNIs;
 * what a resource already holds it keeps). project is for documents that name none. On an error nothing is returned and the
 * sentence names the object. The model is not changed. Pure and deterministic.
 */
int vd_changes_from_documents(const struct vd_model *model, const json_t *documents, const char *project, uint32_t next_id,
			      struct vd_changes **ret, struct vd_error *error);

/* One resource's identity, for a deletion. */
struct vd_identity {
	enum vd_kind kind;
	const char *project, *name;
};

/*
 * The deletion of these resources together. -ENOENT when one does not exist, -EBUSY when something outside the set still needs
 * one: the sentence names both.
 */
int vd_changes_from_deletion(const struct vd_model *model, const struct vd_identity *identities, size_t count,
			     struct vd_changes **ret, struct vd_error *error);

/* Applies to a model in place. */
int vd_changes_apply(const struct vd_changes *changes, struct vd_model *model);
void vd_changes_free(struct vd_changes *changes);

/* What a host says of itself must fit too: a claim whose host is named in a pool (or whose pool names none, which is every host)
 * but has no address inside its VTEP CIDR is refused with a sentence (-EADDRNOTAVAIL); an already claimed name held by another machine or boot is the store's matter. */
int vd_claim_validate(const struct vd_model *model, const struct vd_claim *claim, struct vd_error *error);
/* The host's address inside the pool's VTEP CIDR (the underlay address when it has none); -EADDRNOTAVAIL when there is none. */
int vd_claim_vtep(const struct vd_claim *claim, const struct vd_vxlan_pool *pool, struct vd_address *ret);
/* What the link of the host's address carries, in bytes; the underlay's MTU when the claim does not say. */
uint32_t vd_claim_mtu(const struct vd_claim *claim, const struct vd_address *address);
/* What the router's own virtual_ip of a VPC on a network is called: "<vpc>.<network>". Returns text. */
const char *vd_system_vip_name(const char *vpc, const char *network, char text[2 * VD_NAME_SIZE]);
/* The host's link to a physical network, or NULL. Borrowed. */
const struct vd_uplink *vd_claim_uplink(const struct vd_claim *claim, const char *physnet);
/* The pool's record, or the implicit pool "default" (VNIs 1-16777214, every host). NULL when it does not exist. Borrowed. */
const struct vd_vxlan_pool *vd_model_vxlan_pool(const struct vd_model *model, const char *project, const char *name);
/* The profile's record, or the implicit profile "default" (1 core, 256 MiB). NULL when it does not exist. Borrowed. */
const struct vd_router_profile *vd_model_router_profile(const struct vd_model *model, const char *project, const char *name);

#endif
