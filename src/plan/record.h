/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_PLAN_RECORD_H
#define VD_PLAN_RECORD_H

#include "plan/plan.h"

/* Bytes that a record of this kind needs: what a plan keeps of it. A multiple of its alignment: records may lie side by side. */
size_t vd_plan_record_size(enum vd_plan_kind kind);

#endif
