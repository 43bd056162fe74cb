/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/reason.h"
#include "base/cleanup.h"
#include "datapath/reason.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

/* Adds up the words of one entry over all CPUs. sum: words 64-bit numbers. */
static int per_cpu_sum(const struct vd_datapath *datapath, enum vd_map map, uint32_t key, uint64_t *sum, size_t words)
{
	const struct vd_map_definition *definition = &datapath->definitions[map];
	size_t lane = ((definition->value_size + 7u) & ~7u) / sizeof(uint64_t),
	       total = vd_map_value_bytes(definition) / sizeof(uint64_t);
	VD_FREE uint64_t *values = calloc(total, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(datapath->maps[map], &key, values))
		return -errno;
	memset(sum, 0, words * sizeof(*sum));
	for (size_t i = 0; i < total; i += lane)
		for (size_t word = 0; word < words && word < lane; word++)
			sum[word] += values[i + word];
	return 0;
}

json_t *vd_datapath_counters(struct vd_datapath *datapath)
{
	struct vd_counters sum = {};

	per_cpu_sum(datapath, VD_MAP_COUNTERS, 0, (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "hits", (json_int_t)sum.hits, "misses", (json_int_t)sum.misses,
			 "decided", (json_int_t)sum.decided, "installed", (json_int_t)sum.installed, "touched",
			 (json_int_t)sum.touched, "neighbour_answers", (json_int_t)sum.neighbour_answers);
}

json_t *vd_datapath_drops(struct vd_datapath *datapath)
{
	json_t *drops = json_array();

	for (uint32_t reason = VD_DROP_REASON_NONE + 1; reason < VD_DROP_REASON_COUNT; reason++) {
		struct vd_drop_count sum = {};

		if (per_cpu_sum(datapath, VD_MAP_DROP_COUNT, reason, (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t)))
			continue;
		if (reason == VD_DROP_REASON_NEXT_HOP_UNKNOWN) {
			sum.packets += datapath->lost_packets;
			sum.bytes += datapath->lost_bytes;
		}
		if (!sum.packets)
			continue;
		json_array_append_new(drops, json_pack("{s:s, s:s, s:I, s:I}", "reason", vd_reason_name(reason), "sentence",
						       vd_reason_sentence(reason), "packets", (json_int_t)sum.packets, "bytes",
						       (json_int_t)sum.bytes));
	}
	return drops;
}

/* Whose groups refused it. */
static void set_policy(json_t *drop, const struct vd_datapath *datapath, const struct vd_drop_event *event)
{
	char text[VD_RULE_TEXT];
	const char *groups;

	if (!event->policy_port_id)
		return;
	vd_json_set_port(drop, "policy_port", datapath, event->policy_port_id);
	json_object_set_new(drop, "direction",
			    json_string(event->policy_direction == VD_POLICY_DIRECTION_EGRESS ? "egress" : "ingress"));
	groups = vd_port_groups(datapath, event->policy_port_id, text);
	if (groups)
		json_object_set_new(drop, "groups", json_string(groups));
}

static json_t *event_json(const struct vd_datapath *datapath, const struct vd_drop_event *event)
{
	json_t *drop = json_pack("{s:I, s:s, s:s, s:I}", "time", (json_int_t)vd_time_real(event->time), "reason",
				 vd_reason_name(event->reason), "sentence", vd_reason_sentence(event->reason), "size",
				 (json_int_t)event->size);
	char interface[IF_NAMESIZE];

	vd_json_set_port(drop, "port", datapath, event->port_id);
	set_policy(drop, datapath, event);
	vd_json_set_name(drop, "vpc", datapath, event->domain);
	vd_json_set_name(drop, "route", datapath, event->route_id);
	vd_json_set_name(drop, "network", datapath, event->network);
	if (event->vip.word[0] | event->vip.word[1] | event->vip.word[2] | event->vip.word[3])
		vd_json_set_address(drop, "vip", &event->vip, event->family);
	if (event->vni)
		json_object_set_new(drop, "vni", json_integer(event->vni));
	if (if_indextoname(event->ifindex, interface))
		json_object_set_new(drop, "host_interface", json_string(interface));
	vd_json_set_tuple(drop, &event->source, &event->destination, event->family, event->protocol, event->source_port,
			  event->destination_port);
	return drop;
}

static int drop_event(void *context, void *data, size_t size)
{
	struct vd_datapath *datapath = context;
	json_t *drop;

	if (size < sizeof(struct vd_drop_event) || !datapath->drop_event)
		return 0;
	drop = event_json(datapath, data);
	datapath->drop_event(drop, datapath->event_userdata);
	json_decref(drop);
	return 0;
}

int vd_datapath_drop_fd(struct vd_datapath *datapath)
{
	if (!datapath->drop_events)
		datapath->drop_events = ring_buffer__new(datapath->maps[VD_MAP_DROP_EVENTS], drop_event, datapath, NULL);
	return datapath->drop_events ? ring_buffer__epoll_fd(datapath->drop_events) : -errno;
}

int vd_datapath_drop_events(struct vd_datapath *datapath, void (*event)(json_t *drop, void *userdata), void *userdata)
{
	int r = vd_datapath_drop_fd(datapath);

	if (r < 0)
		return r;
	datapath->drop_event = event;
	datapath->event_userdata = userdata;
	r = ring_buffer__consume(datapath->drop_events);
	datapath->drop_event = NULL;
	return r < 0 ? r : 0;
}
