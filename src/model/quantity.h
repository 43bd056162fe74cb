/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_QUANTITY_H
#define VD_MODEL_QUANTITY_H

/* Inside src/model only: values that documents say in a notation of their own: CORES, MEMORY, PORTS, ICMP_TYPE, NETMASK, one of RANGES. */

#include "model/field.h"

/* -EINVAL, and place untouched, for what is none. */
int vd_quantity_read(enum vd_field_type type, const json_t *value, void *place);
/* NULL when it is not set. */
json_t *vd_quantity_write(enum vd_field_type type, const void *place);
bool vd_quantity_equal(enum vd_field_type type, const void *a, const void *b);
/* "23-1024", "22"; both ends 0: "". Returns text. */
const char *vd_ports_format(uint32_t first, uint32_t last, char text[16]);

#endif
