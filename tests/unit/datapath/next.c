/* SPDX-License-Identifier: Apache-2.0 */
#include "next.h"

#include "abi/maps.h"
#include "viaduct_next.skel.h"

struct vd_object object_next(void)
{
	struct vd_object object;

	object.bytes = viaduct_bpf__elf_bytes(&object.size);
	return object;
}

size_t connection_size_next(void)
{
	return sizeof(struct vd_connection);
}
