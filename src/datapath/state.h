/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_STATE_H
#define VD_DATAPATH_STATE_H

#include "datapath/barrier.h"
#include "datapath/datapath.h"
#include "datapath/generation.h"
#include "datapath/group.h"
#include "datapath/map.h"
#include "datapath/name.h"
#include "datapath/program.h"

struct ring_buffer;
struct vd_tracer;

/* What the files of this folder share. */
struct vd_datapath {
	char *pin_directory;
	struct vd_program_settings settings;
	uint32_t connection_share;
	char build[VD_BUILD_TEXT];
	char *path; /* of our version */

	int maps[VD_MAP_COUNT];
	struct vd_map_definition definitions[VD_MAP_COUNT];
	int programs[VD_FUNCTION_COUNT];
	uint32_t program_ids[VD_FUNCTION_COUNT];

	struct vd_generation *generation;
	struct vd_barrier barrier;
	struct vd_names *names;
	struct vd_groups *groups; /* of the plan last given */
	uint64_t writes;
	struct vd_datapath_naming naming;

	uint32_t *captured; /* port ids, for as long as this process captures */
	size_t captured_count;

	uint64_t lost_packets, lost_bytes; /* that waited for a MAC in vain */

	/* Opened when first asked for. */
	struct ring_buffer *drop_events, *capture_events, *neighbour_events;
	struct vd_tracer *tracer;
	/* Whom drop_events and capture_events call while they read. */
	void (*drop_event)(json_t *drop, void *userdata);
	void (*captured_packet)(const struct vd_captured_packet *packet, void *userdata);
	void (*neighbour_heard)(const struct vd_neighbour_news *news, void *userdata);
	void *event_userdata;
};

/* One counted map write; value is as long as our headers say, a longer one in the map is zero behind it. flags: BPF_ANY … */
int vd_datapath_update(struct vd_datapath *datapath, const struct vd_entry *entry, uint64_t flags);
/* -ENOENT counts as done. */
int vd_datapath_delete(struct vd_datapath *datapath, const struct vd_entry *entry);
/* The value that the map holds for entry's key, into entry. -ENOENT. */
int vd_datapath_lookup(const struct vd_datapath *datapath, struct vd_entry *entry);
bool vd_datapath_is_captured(const struct vd_datapath *datapath, uint32_t port);

void vd_tracer_free(struct vd_tracer *tracer);

#endif
