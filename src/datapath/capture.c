/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/change.h"
#include "datapath/reason.h"
#include "datapath/state.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

bool vd_datapath_is_captured(const struct vd_datapath *datapath, uint32_t port)
{
	for (size_t i = 0; i < datapath->captured_count; i++)
		if (datapath->captured[i] == port)
			return true;
	return false;
}

static int captured_add(struct vd_datapath *datapath, uint32_t port)
{
	uint32_t *captured;

	if (vd_datapath_is_captured(datapath, port))
		return 0;
	captured = reallocarray(datapath->captured, datapath->captured_count + 1, sizeof(*captured));
	if (!captured)
		return -ENOMEM;
	datapath->captured = captured;
	datapath->captured[datapath->captured_count++] = port;
	return 0;
}

static void captured_remove(struct vd_datapath *datapath, uint32_t port)
{
	for (size_t i = 0; i < datapath->captured_count; i++) {
		if (datapath->captured[i] != port)
			continue;
		datapath->captured[i] = datapath->captured[--datapath->captured_count];
		return;
	}
}

/* Of a port's entries as they stand (before) and as they shall be (after). True: the entry is one of the port's. */
static bool flag_set(struct vd_entry *entry, uint32_t port, bool on)
{
	struct vd_port_value value;
	struct vd_endpoint_value endpoint;

	if (entry->map == VD_MAP_PORT) {
		memcpy(&value, entry->value, sizeof(value));
		value.flags = (uint16_t)(on ? value.flags | VD_PORT_FLAG_CAPTURE : value.flags & ~VD_PORT_FLAG_CAPTURE);
		memcpy(entry->value, &value, sizeof(value));
		return value.id == port;
	}
	memcpy(&endpoint, entry->value, sizeof(endpoint));
	endpoint.flags = (uint8_t)(on ? endpoint.flags | VD_PORT_FLAG_CAPTURE : endpoint.flags & ~VD_PORT_FLAG_CAPTURE);
	memcpy(entry->value, &endpoint, sizeof(endpoint));
	return endpoint.port_id == port && endpoint.place == VD_ENDPOINT_PLACE_HERE;
}

int vd_datapath_capture_set(struct vd_datapath *datapath, uint32_t port, bool on, struct vd_error *error)
{
	static const enum vd_map maps[] = {VD_MAP_PORT, VD_MAP_ENDPOINT4, VD_MAP_ENDPOINT6};
	VD_ENTRIES struct vd_entries all = {}, before = {}, after = {};
	int r = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !r; i++)
		r = vd_entries_read(&all, maps[i], datapath->maps[maps[i]]);
	for (size_t i = 0; i < all.count && !r; i++) {
		struct vd_entry changed = all.items[i];

		if (!flag_set(&changed, port, on))
			continue;
		r = vd_entries_add(&before, changed.map, all.items[i].key, VD_ENTRY_KEY_SIZE, all.items[i].value,
				   VD_ENTRY_VALUE_SIZE);
		if (!r)
			r = vd_entries_add(&after, changed.map, changed.key, VD_ENTRY_KEY_SIZE, changed.value, VD_ENTRY_VALUE_SIZE);
	}
	if (!r && on && !after.count)
		return vd_error_set(error, -ENOENT, "port %u is not attached to this host: capture it where it is", port);
	if (!r && on)
		r = captured_add(datapath, port);
	else if (!r)
		captured_remove(datapath, port);
	if (r)
		return vd_error_set(error, r, "cannot capture port %u: %s", port, strerror(-r));
	return vd_change_carry_out(datapath, &before, &after, VD_CHANGE_SCOPE_PART, error);
}

static int capture_event(void *context, void *data, size_t size)
{
	struct vd_datapath *datapath = context;
	const struct vd_capture_event *event = data;
	struct vd_captured_packet packet;

	if (size < sizeof(*event) || event->captured > sizeof(event->data) || !datapath->captured_packet)
		return 0;
	packet = (struct vd_captured_packet){
		.time_ns = vd_time_real(event->time),
		.port = event->port_id,
		.size = event->size,
		.captured = event->captured,
		.to_instance = event->is_egress,
		.data = event->data,
	};
	datapath->captured_packet(&packet, datapath->event_userdata);
	return 0;
}

int vd_datapath_capture_fd(struct vd_datapath *datapath)
{
	if (!datapath->capture_events)
		datapath->capture_events = ring_buffer__new(datapath->maps[VD_MAP_CAPTURE], capture_event, datapath, NULL);
	return datapath->capture_events ? ring_buffer__epoll_fd(datapath->capture_events) : -errno;
}

int vd_datapath_capture_events(struct vd_datapath *datapath,
			       void (*packet)(const struct vd_captured_packet *packet, void *userdata), void *userdata)
{
	int r = vd_datapath_capture_fd(datapath);

	if (r < 0)
		return r;
	datapath->captured_packet = packet;
	datapath->event_userdata = userdata;
	r = ring_buffer__consume(datapath->capture_events);
	datapath->captured_packet = NULL;
	return r < 0 ? r : 0;
}
