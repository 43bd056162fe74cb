/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_SEGMENT_H
#define VD_MODEL_SEGMENT_H

/* Inside src/model only: what a subnet and a network have in common, for what stands on either. */

#include "model/validation.h"

/* A view of one; what it points to is the resource's. */
struct vd_segment {
	const struct vd_resource *resource;
	const char *vpc; /* where addresses and MACs are unique; NULL: in the network */
	const struct vd_prefix *cidrs;
	size_t cidr_count;
	const struct vd_address *gateways;
	size_t gateway_count;
	const struct vd_address_range *ranges;
	size_t range_count;
	bool dhcp;
	struct vd_address dhcp_address, assigned_dhcp_address;
	const struct vd_address *dns;
	size_t dns_count;
};

struct vd_segment vd_segment_of(const struct vd_resource *resource);
/* That of a port or virtual_ip, which names one of the two. False: it does not exist. */
bool vd_segment_find(const struct vd_model *model, const char *project, const char *subnet, const char *network,
		     struct vd_segment *ret);
/* "subnet nodes", "network public"; returns text. */
const char *vd_segment_text(const struct vd_segment *segment, char text[VD_OBJECT_SIZE]);

/* The CIDR that has this address, or their count. */
size_t vd_segment_cidr(const struct vd_segment *segment, const struct vd_address *address);
/* Is this address the router's own in it (its gateway, or from where DHCP answers)? NULL when it is not. */
const char *vd_segment_role_of(const struct vd_segment *segment, const struct vd_address *address);
/* The port or virtual_ip that has this address, or NULL. */
const struct vd_resource *vd_segment_holder(const struct vd_model *model, const struct vd_segment *segment,
					    const struct vd_address *address);
const struct vd_port *vd_segment_holder_of_mac(const struct vd_model *model, const struct vd_segment *segment,
					       const struct vd_mac *mac);
/* Whether this resource may have the address. */
int vd_segment_check_address(const struct vd_validation *validation, const struct vd_segment *segment,
			     const struct vd_resource *resource, const struct vd_address *address, const char *object);
/* Addresses of one resource: those asked for, and those it has already. */
struct vd_address_request {
	const struct vd_address *asked, *had;
	size_t asked_count, had_count;
};

/* Whether what is asked for is ours to give: outside a network's ranges others have theirs. Who has an address keeps it. */
int vd_segment_check_ranges(const struct vd_validation *validation, const struct vd_segment *segment,
			    const struct vd_address_request *request, const char *object);
/* The lowest free address of a CIDR. */
int vd_segment_allocate(struct vd_validation *validation, const struct vd_segment *segment, size_t cidr, const char *object,
			struct vd_address *ret);

/* range.c: what is allocated from. */
int vd_ranges_validate(const struct vd_segment *segment, const char *object, struct vd_error *error);
/* The first and last address of the index-th range in this CIDR (the whole CIDR when no range was given); false behind the last. */
bool vd_segment_range(const struct vd_segment *segment, size_t cidr, size_t index, struct vd_address_range *ret);

/* gateway_address.c: puts the gateways given into the order of the CIDRs and adds the missing ones, unless one is "none". */
int vd_gateways_complete(const struct vd_prefix *cidrs, size_t cidr_count, struct vd_address **gateways, size_t *gateway_count,
			 const char *object, struct vd_error *error);

/* dhcp.c */
int vd_domain_complete(char **domain, const char *name, const char *object, struct vd_error *error);
/* The address that was given for DHCP, and the name servers. */
int vd_dhcp_check(const struct vd_segment *segment, const char *object, struct vd_error *error);
/* What is kept of what DHCP answered from before. */
int vd_dhcp_succeed(const struct vd_segment *before, const struct vd_segment *after, const char *object, struct vd_address *ret,
		    struct vd_error *error);
/* Takes what is given or kept. */
int vd_dhcp_claim(const struct vd_validation *validation, const struct vd_segment *segment, const char *object,
		  struct vd_address *ret);
int vd_dhcp_assign(struct vd_validation *validation, const struct vd_segment *segment, const char *object, struct vd_address *ret);

/* physnet.c: a physical network's VLAN is one VPC's, or networks'; vlan beside physnet in documents. */
int vd_physnet_prepare(const json_t *document, const char *object, struct vd_error *error);
int vd_physnet_check(const struct vd_validation *validation, const struct vd_resource *resource, const char *object);
/* SR-IOV needs virtual functions on the uplinks. */
int vd_sriov_check(const struct vd_validation *validation, const char *physnet, const char *object);

#endif
