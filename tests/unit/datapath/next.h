/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DATAPATH_NEXT_H
#define TESTS_UNIT_DATAPATH_NEXT_H

#include "datapath/program.h"

/* The build of the programs whose flows, connections and endpoints are longer. */
struct vd_object object_next(void);
size_t connection_size_next(void);

#endif
