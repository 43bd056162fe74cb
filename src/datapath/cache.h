/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_CACHE_H
#define VD_DATAPATH_CACHE_H

#include "datapath/map.h"

/*
 * The flow cache (bpf/lib/cache.h), read as it stands in the programs' memory while they go on. fd is one of its maps. visit gets a
 * struct vd_flow4_key or vd_flow6_key and a struct vd_flow, both only for the call, and may stop as vd_map_each's does. A flow that was
 * written while it was read is left out. 0, what visit returned, or a negative errno.
 */
int vd_cache_each(int fd, vd_map_visit *visit, void *userdata);
int vd_cache_count(int fd, size_t *ret);

#endif
