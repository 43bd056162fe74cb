/* SPDX-License-Identifier: Apache-2.0 */
/* datapath/datapath.h for a kernel that is written down, not changed: links in the place of src/datapath. */
#include "recorded.h"

#include "datapath/datapath.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vd_datapath {
	int fds[3]; /* never readable */
	uint64_t writes;
};

int vd_datapath_open(const struct vd_datapath_options *options, struct vd_datapath **ret, struct vd_error *error)
{
	struct vd_datapath *datapath = calloc(1, sizeof(*datapath));

	if (!datapath)
		return -ENOMEM;
	for (size_t i = 0; i < 3; i++)
		datapath->fds[i] = eventfd(0, EFD_CLOEXEC);
	*ret = datapath;
	return 0;
}

void vd_datapath_close(struct vd_datapath *datapath)
{
	if (!datapath)
		return;
	for (size_t i = 0; i < 3; i++)
		close(datapath->fds[i]);
	free(datapath);
}

int vd_datapath_purge(const struct vd_datapath_options *options, struct vd_error *error)
{
	return 0;
}

/* Blocks held here are written down whole; the rest is counted. */
static void write_down(struct vd_datapath *datapath, const char *event, const struct vd_plan_record *record)
{
	char prefix[VD_PREFIX_TEXT];

	datapath->writes++;
	if (record->kind == VD_PLAN_KIND_BLOCK)
		recorded(NULL, json_pack("{s:s, s:s, s:s}", "event", event, "kind", "block", "prefix",
					 vd_prefix_format(&record->block.prefix, prefix)));
}

static int add_record(const struct vd_plan_record *record, void *userdata)
{
	write_down(userdata, "add", record);
	return 0;
}

int vd_datapath_sync(struct vd_datapath *datapath, const struct vd_plan *plan, struct vd_error *error)
{
	for (unsigned kind = 0; kind < VD_PLAN_KIND_COUNT; kind++)
		vd_plan_each(plan, (enum vd_plan_kind)kind, add_record, datapath);
	return 0;
}

int vd_datapath_apply(struct vd_datapath *datapath, const struct vd_plan_difference *difference, struct vd_error *error)
{
	for (size_t i = 0; i < difference->count; i++) {
		const struct vd_plan_step *step = &difference->steps[i];

		if (step->after)
			write_down(datapath, step->before ? "change" : "add", step->after);
		else
			write_down(datapath, "remove", step->before);
	}
	recorded(NULL, json_pack("{s:s, s:I}", "event", "applied", "steps", (json_int_t)difference->count));
	return 0;
}

int vd_datapath_service_set(struct vd_datapath *datapath, uint32_t domain, uint32_t ifindex, struct vd_error *error)
{
	return 0;
}

int vd_datapath_uplink_attach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error)
{
	return 0;
}

int vd_datapath_uplink_detach(struct vd_datapath *datapath, uint32_t ifindex, struct vd_error *error)
{
	return 0;
}

int vd_datapath_uplinks_keep(struct vd_datapath *datapath, const uint32_t *ifindexes, size_t count, struct vd_error *error)
{
	return 0;
}

int vd_datapath_deadline_set(struct vd_datapath *datapath, uint64_t ns)
{
	return 0;
}

int vd_datapath_neighbour_fd(struct vd_datapath *datapath)
{
	return datapath->fds[0];
}

int vd_datapath_neighbour_read(struct vd_datapath *datapath, void (*heard)(const struct vd_neighbour_news *news, void *userdata),
			       void *userdata)
{
	return 0;
}

void vd_datapath_neighbour_lost(struct vd_datapath *datapath, size_t size)
{
}

int vd_datapath_neighbour_each(struct vd_datapath *datapath, int (*visit)(const struct vd_neighbour *neighbour, void *userdata),
			       void *userdata)
{
	return 0;
}

int vd_datapath_neighbour_forget(struct vd_datapath *datapath, uint32_t network, const struct vd_address *address)
{
	return 0;
}

uint64_t vd_datapath_writes(const struct vd_datapath *datapath)
{
	return datapath->writes;
}

void vd_datapath_naming_set(struct vd_datapath *datapath, const struct vd_datapath_naming *naming)
{
}

json_t *vd_datapath_counters(struct vd_datapath *datapath)
{
	return json_object();
}

json_t *vd_datapath_drops(struct vd_datapath *datapath)
{
	return json_array();
}

json_t *vd_datapath_flows(struct vd_datapath *datapath, size_t limit)
{
	return json_array();
}

json_t *vd_datapath_connections(struct vd_datapath *datapath, size_t limit)
{
	return json_array();
}

json_t *vd_datapath_status(struct vd_datapath *datapath)
{
	return json_object();
}

json_t *vd_datapath_translations(struct vd_datapath *datapath)
{
	return json_array();
}

json_t *vd_datapath_shares(struct vd_datapath *datapath)
{
	return json_object();
}

struct vd_port_limited vd_datapath_limited(const struct vd_datapath *datapath, uint32_t port)
{
	return (struct vd_port_limited){};
}

int vd_datapath_drop_fd(struct vd_datapath *datapath)
{
	return datapath->fds[1];
}

int vd_datapath_drop_events(struct vd_datapath *datapath, void (*event)(json_t *drop, void *userdata), void *userdata)
{
	return 0;
}

int vd_datapath_capture_set(struct vd_datapath *datapath, uint32_t port, bool on, struct vd_error *error)
{
	return 0;
}

int vd_datapath_capture_fd(struct vd_datapath *datapath)
{
	return datapath->fds[2];
}

int vd_datapath_capture_events(struct vd_datapath *datapath,
			       void (*packet)(const struct vd_captured_packet *packet, void *userdata), void *userdata)
{
	return 0;
}

int vd_datapath_trace(struct vd_datapath *datapath, const struct vd_trace_request *request, json_t **ret, struct vd_error *error)
{
	return vd_error_set(error, -EOPNOTSUPP, "nothing is traced here");
}
