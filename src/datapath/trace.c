/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/state.h"

void vd_tracer_free(struct vd_tracer *tracer)
{
}
