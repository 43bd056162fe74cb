/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CONTAINERS_ROW_H
#define VD_CONTAINERS_ROW_H

#include "containers/journal.h"

/* A container as the journal's text: JSON, so that another version's fields do no harm. NULL: out of memory. */
char *vd_row_encode(const struct vd_container *container);
/* ret is to be cleared. -EINVAL when it is no such text, or holds what cannot be. */
int vd_row_decode(const char *text, struct vd_container *ret);

#endif
