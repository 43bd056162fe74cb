/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/cache.h"

#include "abi/maps.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* False: nothing stands there, or it is being written. As a seqcount's reader does (Linux, include/linux/seqlock.h). */
static bool slot_read(const struct vd_flow_slot *slot, struct vd_flow_slot *ret)
{
	uint32_t sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

	if (!sequence || (sequence & 1))
		return false;
	memcpy(ret, slot, sizeof(*ret));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == sequence;
}

int vd_cache_each(int fd, vd_map_visit *visit, void *userdata)
{
	struct vd_map_definition definition;
	const struct vd_flow_slot *slots;
	struct vd_flow_slot slot;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;
	int r;

	r = vd_map_definition_read(fd, &definition);
	if (r)
		return r;
	if (definition.value_size != sizeof(*slots))
		return -EINVAL;
	size = (definition.max_entries * sizeof(*slots) + page - 1) / page * page;
	slots = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (slots == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; i < definition.max_entries && !r; i++)
		if (slot_read(&slots[i], &slot))
			r = visit(slot.key, &slot.flow, userdata);
	munmap((void *)slots, size);
	return r;
}

int vd_cache_count(int fd, size_t *ret)
{
	*ret = 0;
	return vd_cache_each(fd, vd_map_count_visit, ret);
}
