/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CNI_RESULT_H
#define VD_CNI_RESULT_H

#include "cni/call.h"

/* What a plugin prints: section 5 of the CNI specification, in the words of the version that the caller speaks. */

/*
 * answer: what the daemon said to container_add {"addresses": ["10.0.2.5/24"], "gateways", "routes": [{"destination", "gateway"}],
 * "mac", "mtu", "ifname", "dns": {…}}. What earlier plugins of the chain made (prevResult) stays in front. A new reference; NULL
 * without memory.
 */
json_t *vd_cni_result(const struct vd_cni_call *call, const json_t *answer);
/* Did what the runtime remembers of ADD (prevResult) come true: every address of its result on our interface is in the daemon's
 * answer to container_check {"addresses"}? */
int vd_cni_result_check(const struct vd_cni_call *call, const json_t *answer, struct vd_cni_error *error);
/* {"cniVersion", "supportedVersions"} */
json_t *vd_cni_result_versions(enum vd_cni_version version);
/* {"cniVersion", "code", "msg"} */
json_t *vd_cni_result_error(enum vd_cni_version version, const struct vd_cni_error *error);

#endif
