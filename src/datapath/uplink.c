/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/uplink.h"

#include "base/cleanup.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>

static void names_free(struct if_nameindex **names)
{
	if (*names)
		if_freenameindex(*names);
}

/* The ids of the versions' uplink programs into ids; a version of a build that knew no uplinks has none. */
static int program_ids(const struct vd_version *versions, size_t count, uint32_t *ids, size_t *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		char path[PATH_MAX];
		VD_CLOSE int fd = -1;
		int r;

		snprintf(path, sizeof(path), "%s/%s", versions[i].path, vd_function_name(VD_FUNCTION_UPLINK));
		fd = bpf_obj_get(path);
		if (fd < 0 && errno == ENOENT)
			continue;
		r = fd < 0 ? -errno : vd_program_id(fd, &ids[found]);
		if (r)
			return r;
		found++;
	}
	*ret = found;
	return 0;
}

int vd_uplinks_each(const struct vd_version *versions, size_t count, int (*visit)(uint32_t ifindex, void *userdata), void *userdata)
{
	VD_CLEANUP(names_free) struct if_nameindex *names = if_nameindex();
	VD_FREE uint32_t *ids = calloc(count + 1, sizeof(*ids));
	size_t id_count = 0;
	int r;

	if (!names || !ids)
		return -ENOMEM;
	r = program_ids(versions, count, ids, &id_count);
	for (size_t i = 0; id_count && names[i].if_index && !r; i++) {
		bool is_ours = false;
		uint32_t id;

		if (vd_program_attached(names[i].if_index, &id))
			continue;
		for (size_t k = 0; k < id_count; k++)
			is_ours |= ids[k] == id;
		if (is_ours)
			r = visit(names[i].if_index, userdata);
	}
	return r;
}

int vd_datapath_uplink_attach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error)
{
	uint32_t id;
	int r;

	if (!vd_program_attached(ifindex, &id) && id == datapath->program_ids[VD_FUNCTION_UPLINK])
		return 0;
	r = vd_program_attach(ifindex, datapath->programs[VD_FUNCTION_UPLINK]);
	return r ? vd_error_set(error, r, "cannot attach the data plane to the uplink (interface %u): %s", ifindex, strerror(-r))
		 : 0;
}

int vd_datapath_uplink_detach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error)
{
	uint32_t id;
	int r;

	/* What else has our handle there is a port, or somebody else's. */
	if (vd_program_attached(ifindex, &id) || id != datapath->program_ids[VD_FUNCTION_UPLINK])
		return 0;
	r = vd_program_detach(ifindex);
	return r && r != -ENODEV ? vd_error_set(error, r, "cannot take the data plane off the uplink (interface %u): %s", ifindex,
						strerror(-r))
				 : 0;
}

struct keeping {
	struct vd_datapath *datapath;
	const uint32_t *ifindexes;
	size_t count;
	struct vd_error *error;
};

static int keep_visit(uint32_t ifindex, void *userdata)
{
	const struct keeping *keeping = userdata;

	for (size_t i = 0; i < keeping->count; i++)
		if (keeping->ifindexes[i] == ifindex)
			return 0;
	return vd_datapath_uplink_detach(keeping->datapath, ifindex, keeping->error);
}

int vd_datapath_uplinks_keep(struct vd_datapath *datapath, const uint32_t *ifindexes, size_t count, struct vd_error *error)
{
	const struct vd_version version = {.path = datapath->path};
	struct keeping keeping = {datapath, ifindexes, count, error};
	int r = vd_uplinks_each(&version, 1, keep_visit, &keeping);

	return r == -ENOMEM ? vd_error_set(error, r, "out of memory") : r;
}
