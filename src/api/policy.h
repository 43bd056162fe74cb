/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_POLICY_H
#define VD_API_POLICY_H

#include "model/model.h"

#include <jansson.h>

/*
 * What security groups mean, for people. Into a port's item: "policy": {"filtered", "egress_open"?, "rules"?: what its groups
 * allow together, ingress first, each with its group and name}. Into a group's: "rules" and "ports", its members. Other kinds get
 * nothing. The model must stay locked meanwhile. 0 or -ENOMEM.
 */
int vd_policy_add(const struct vd_model *model, const struct vd_resource *resource, json_t *item);

#endif
