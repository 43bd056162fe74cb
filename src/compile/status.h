/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_STATUS_H
#define VD_COMPILE_STATUS_H

#include "compile/view.h"

#include <jansson.h>

/* What people read about a resource, one function for each kind; the view has neither host nor graph. A new reference. */
json_t *vd_route_status(const struct vd_view *view, const json_t *alive, const struct vd_route *route);
json_t *vd_policy_route_status(const struct vd_view *view, const json_t *alive, const struct vd_policy_route *policy);
json_t *vd_network_status(const struct vd_view *view, const struct vd_network *network);
json_t *vd_virtual_ip_status(const struct vd_view *view, const json_t *alive, const struct vd_virtual_ip *vip);
json_t *vd_elastic_ip_status(const struct vd_view *view, const json_t *alive, const struct vd_elastic_ip *elastic);
json_t *vd_port_forward_status(const struct vd_view *view, const json_t *alive, const struct vd_port_forward *forward);
json_t *vd_peering_status(const struct vd_view *view, const struct vd_peering *peering);
json_t *vd_container_network_status(const struct vd_view *view, const json_t *alive, const struct vd_container_network *network);
json_t *vd_node_status(const struct vd_view *view, const json_t *alive, const struct vd_node *node);
json_t *vd_container_block_status(const struct vd_view *view, const json_t *alive, const struct vd_container_block *block);
/* How a VPC is attached to its networks: {"<network>": {"host": …, "addresses": […]}}; NULL: to none. */
json_t *vd_vpc_networks_status(const struct vd_view *view, const json_t *alive, const struct vd_vpc *vpc);

/* NULL when the host reports, or when it is not known (alive NULL). */
json_t *vd_silence_reason(const json_t *alive, const char *host);
json_t *vd_prefix_status(const struct vd_prefix *prefix);
/* What a prefix of a container network collides with on a host; NULL: nothing. */
json_t *vd_collision_reason(const struct vd_view *view, const char *host, const struct vd_prefix *prefix);
/* A list of texts in their order; takes the reference, NULL: out of memory. */
json_t *vd_sorted_status(json_t *texts);
/* "10.0.0.1", a list of them. */
json_t *vd_addresses_status(const struct vd_address *addresses, size_t count);

#endif
