/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/barrier.h"

#include "base/cleanup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

int vd_barrier_open(struct vd_barrier *ret)
{
	VD_CLOSE int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vd_nothing", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = (uint32_t)inner);
	VD_CLOSE int outer = -1;

	if (inner < 0)
		return -errno;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "vd_barrier", sizeof(uint32_t), sizeof(uint32_t), 1, &options);
	if (outer < 0)
		return -errno;
	*ret = (struct vd_barrier){VD_TAKE_FD(inner), VD_TAKE_FD(outer)};
	return 0;
}

/*
 * The kernel does not return from a write to a map of maps before all programs that might have seen the old one are done (Linux 4.20,
 * commit 1ae80cf31938: synchronize_rcu). A membarrier waits likewise, but not on a machine with nohz_full.
 */
int vd_barrier_wait(const struct vd_barrier *barrier)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(barrier->outer, &zero, &barrier->inner, BPF_ANY) ? -errno : 0;
}

void vd_barrier_close(struct vd_barrier *barrier)
{
	vd_cleanup_close(&barrier->inner);
	vd_cleanup_close(&barrier->outer);
}
