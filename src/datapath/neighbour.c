/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/encode.h"
#include "datapath/state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

/* Who has which address on a provider network. */

static int neighbour_event(void *context, void *data, size_t size)
{
	struct vd_datapath *datapath = context;
	const struct vd_neighbour_event *event = data;
	struct vd_neighbour_news news;

	if (size < sizeof(*event) || event->size > size - sizeof(*event) || !datapath->neighbour_heard)
		return 0;
	news = (struct vd_neighbour_news){
		.network = event->network,
		.address = vd_decode_address(&event->address, event->family),
		.known = event->known,
		.frame = event->size ? event + 1 : NULL,
		.frame_size = event->size,
	};
	datapath->neighbour_heard(&news, datapath->event_userdata);
	return 0;
}

int vd_datapath_neighbour_fd(struct vd_datapath *datapath)
{
	if (!datapath->neighbour_events)
		datapath->neighbour_events =
			ring_buffer__new(datapath->maps[VD_MAP_NEIGHBOUR_EVENTS], neighbour_event, datapath, NULL);
	return datapath->neighbour_events ? ring_buffer__epoll_fd(datapath->neighbour_events) : -errno;
}

int vd_datapath_neighbour_read(struct vd_datapath *datapath, void (*heard)(const struct vd_neighbour_news *news, void *userdata),
			       void *userdata)
{
	int r = vd_datapath_neighbour_fd(datapath);

	if (r < 0)
		return r;
	datapath->neighbour_heard = heard;
	datapath->event_userdata = userdata;
	r = ring_buffer__consume(datapath->neighbour_events);
	datapath->neighbour_heard = NULL;
	return r < 0 ? r : 0;
}

void vd_datapath_neighbour_lost(struct vd_datapath *datapath, size_t size)
{
	datapath->lost_packets++;
	datapath->lost_bytes += size;
}

struct visiting {
	int (*visit)(const struct vd_neighbour *neighbour, void *userdata);
	void *userdata;
};

static int neighbour_visit(const void *key_bytes, const void *value_bytes, void *userdata)
{
	const struct visiting *visiting = userdata;
	struct vd_neighbour_value value;
	struct vd_neighbour neighbour;
	struct vd_neighbour_key key;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&value, value_bytes, sizeof(value));
	neighbour = (struct vd_neighbour){
		.network = key.network,
		.address = vd_decode_address(&key.address, value.family),
		.known = value.known,
		.confirmed = value.confirmed,
		.asked = value.asked,
	};
	memcpy(neighbour.mac.bytes, value.mac, sizeof(neighbour.mac.bytes));
	return visiting->visit(&neighbour, visiting->userdata);
}

int vd_datapath_neighbour_each(struct vd_datapath *datapath, int (*visit)(const struct vd_neighbour *neighbour, void *userdata),
			       void *userdata)
{
	struct visiting visiting = {visit, userdata};

	return vd_map_each(datapath->maps[VD_MAP_NEIGHBOUR], neighbour_visit, &visiting);
}

int vd_datapath_neighbour_forget(struct vd_datapath *datapath, uint32_t network, const struct vd_address *address)
{
	VD_SLOTS struct vd_slots slots = {};
	struct vd_entry entry = {.map = VD_MAP_NEIGHBOUR};
	struct vd_neighbour_key key = {network, vd_encode_address(address)};
	struct vd_neighbour_value value;
	int r;

	memcpy(entry.key, &key, sizeof(key));
	r = vd_datapath_lookup(datapath, &entry);
	if (r)
		return r == -ENOENT ? 0 : r;
	memcpy(&value, entry.value, sizeof(value));
	r = vd_datapath_delete(datapath, &entry);
	/* Nothing was sent to one that is not known, so nothing is cached; thousands of them go after a scan. */
	if (!value.known)
		return r;
	vd_slots_add_change(&slots, &entry, NULL);
	datapath->writes += vd_generation_bump(datapath->generation, &slots);
	return r;
}
