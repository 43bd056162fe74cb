/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_STEP_H
#define VD_DATAPATH_STEP_H

#include "abi/maps.h"
#include "datapath/state.h"

/*
 * One step of a trace in the user's words: {"stage", "text"}. What the numbers of each stage are stands in bpf/lib/trace.h; the
 * request knows names and the packet as it came, flow what becomes of it.
 */
json_t *vd_step_json(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_flow *flow,
		     const struct vd_trace_step *step);

#endif
