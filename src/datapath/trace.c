/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "abi/reason.h"
#include "base/cleanup.h"
#include "datapath/packet.h"
#include "datapath/reason.h"
#include "datapath/state.h"
#include "datapath/step.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <string.h>

/* The tracing copy of the programs, over the live maps. Its tail calls stand in the pinned program array, behind the live ones. */
struct vd_tracer {
	int port, overlay;
};

void vd_tracer_free(struct vd_tracer *tracer)
{
	close(tracer->port);
	close(tracer->overlay);
	free(tracer);
}

static int function_take(struct bpf_object *object, enum vd_function function)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, vd_function_name(function));
	int fd = program ? dup(bpf_program__fd(program)) : -1;

	return fd < 0 ? -errno : fd;
}

static int tracer_open(struct vd_datapath *datapath, struct vd_error *error)
{
	const struct vd_object embedded = vd_object_embedded();
	struct bpf_object *object;
	struct vd_tracer *tracer;
	int r;

	if (datapath->tracer)
		return 0;
	tracer = calloc(1, sizeof(*tracer));
	if (!tracer)
		return vd_error_set(error, -ENOMEM, "out of memory");
	r = vd_program_load(&embedded, &datapath->settings, datapath->path, true, &object, error);
	if (r) {
		free(tracer);
		return r;
	}
	tracer->port = function_take(object, VD_FUNCTION_PORT);
	tracer->overlay = function_take(object, VD_FUNCTION_OVERLAY);
	bpf_object__close(object);
	if (tracer->port < 0 || tracer->overlay < 0) {
		vd_tracer_free(tracer);
		return vd_error_set(error, -EMFILE, "cannot keep the tracing programs: %m");
	}
	datapath->tracer = tracer;
	return 0;
}

/* ---- where the packet comes in ---- */

struct port_search {
	uint32_t id, ifindex;
	struct vd_port_value value;
};

static int port_visit(const void *key, const void *value, void *userdata)
{
	struct port_search *search = userdata;

	memcpy(&search->value, value, sizeof(search->value));
	memcpy(&search->ifindex, key, sizeof(search->ifindex));
	return search->value.id == search->id;
}

static int ingress_find(struct vd_datapath *datapath, struct vd_trace_request *request, struct vd_trace *area,
			struct vd_error *error)
{
	struct port_search search = {.id = request->from_port};

	if (vd_mac_is_zero(&request->destination_mac))
		request->destination_mac = (struct vd_mac){VD_GATEWAY_MAC};
	if (!request->from_port) {
		area->ingress = request->vni;
		area->ingress_type = VD_INGRESS_TUNNEL;
		memcpy(area->vtep.byte, request->vtep.bytes, sizeof(area->vtep));
		area->vtep_family = request->vtep.family;
		return 0;
	}
	if (vd_map_each(datapath->maps[VD_MAP_PORT], port_visit, &search) != 1)
		return vd_error_set(error, -ENOENT, "port %u is not attached to this host: trace from the host where it is",
				    request->from_port);
	area->ingress = search.ifindex;
	area->ingress_type = VD_INGRESS_PORT;
	if (vd_mac_is_zero(&request->source_mac))
		memcpy(request->source_mac.bytes, search.value.mac, sizeof(search.value.mac));
	return 0;
}

/* ---- what came of it ---- */

static const struct vd_trace_step *step_find(const struct vd_trace *area, enum vd_stage stage)
{
	for (uint32_t i = 0; i < area->step_count && i < VD_TRACE_STEPS; i++)
		if (area->step[i].stage == stage)
			return &area->step[i];
	return NULL;
}

static uint32_t drop_reason(const struct vd_trace *area)
{
	for (uint32_t i = 0; i < area->step_count && i < VD_TRACE_STEPS; i++)
		if (area->step[i].reason)
			return area->step[i].reason;
	return VD_DROP_REASON_NONE;
}

static void set_mac(json_t *object, const char *key, const uint8_t mac[6])
{
	char text[VD_MAC_TEXT];
	struct vd_mac value;

	memcpy(value.bytes, mac, sizeof(value.bytes));
	json_object_set_new(object, key, json_string(vd_mac_format(&value, text)));
}

static void set_dropped(json_t *object, uint32_t reason)
{
	json_object_set_new(object, "verdict", json_string("dropped"));
	json_object_set_new(object, "reason", json_string(vd_reason_name(reason)));
	json_object_set_new(object, "sentence", json_string(vd_reason_sentence(reason)));
}

/* The router itself takes it: for one of its addresses, or to answer with an ICMP error. */
static bool is_answered(const struct vd_trace *area)
{
	const struct vd_trace_step *ttl = step_find(area, VD_STAGE_TTL), *mtu = step_find(area, VD_STAGE_MTU);
	const struct vd_trace_step *endpoint = step_find(area, VD_STAGE_ENDPOINT);

	return (ttl && ttl->detail[2]) || (mtu && mtu->detail[2]) || (endpoint && endpoint->detail[1] == VD_ENDPOINT_PLACE_GATEWAY);
}

static void set_verdict(json_t *object, const struct vd_datapath *datapath, const struct vd_trace *area, uint32_t verdict)
{
	const struct vd_trace_step *output = step_find(area, VD_STAGE_OUTPUT), *endpoint = step_find(area, VD_STAGE_ENDPOINT);
	uint32_t reason = drop_reason(area);

	if (reason || verdict == TC_ACT_SHOT || !output) {
		set_dropped(object, reason ? reason : VD_DROP_REASON_INTERNAL);
	} else if (is_answered(area)) {
		json_object_set_new(object, "verdict", json_string("answered"));
	} else if (output->detail[0] == VD_OUTPUT_TUNNEL) {
		json_object_set_new(object, "verdict", json_string("sent"));
		json_object_set_new(object, "to_host", json_integer(endpoint ? endpoint->detail[3] : 0));
		json_object_set_new(object, "vni", json_integer(output->detail[2]));
		set_mac(object, "destination_mac", area->flow.destination_mac);
		set_mac(object, "source_mac", area->flow.source_mac);
	} else {
		json_object_set_new(object, "verdict", json_string("delivered"));
		vd_json_set_port(object, "to_port", datapath, output->detail[3]);
	}
}

static json_t *result_json(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_trace *area,
			   uint32_t verdict)
{
	json_t *object = json_object(), *steps = json_array();
	uint32_t reason = 0;

	/* Where a stage said why, the exit says it again. */
	for (uint32_t i = 0; i < area->step_count && i < VD_TRACE_STEPS && !reason; i++) {
		reason = area->step[i].reason;
		json_array_append_new(steps, vd_step_json(datapath, request, &area->step[i]));
	}
	set_verdict(object, datapath, area, verdict);
	json_object_set_new(object, "steps", steps);
	return object;
}

int vd_datapath_trace(struct vd_datapath *datapath, const struct vd_trace_request *request, json_t **ret, struct vd_error *error)
{
	struct vd_trace_request complete = *request;
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet);
	struct vd_trace area = {};
	uint32_t key = 0;
	size_t size;
	int r;

	r = tracer_open(datapath, error);
	if (!r)
		r = ingress_find(datapath, &complete, &area, error);
	if (r)
		return r;
	r = vd_packet_build(&complete, packet, &size);
	if (r == -EMSGSIZE)
		return vd_error_set(error, r, "a traced packet has room for some 2900 bytes of payload, not %u", request->size);
	if (r)
		return vd_error_set(error, r, "a traced packet is TCP, UDP or an echo request between two addresses of one family");
	if (bpf_map_update_elem(datapath->maps[VD_MAP_TRACE], &key, &area, BPF_ANY))
		return vd_error_set(error, -errno, "cannot prepare the trace: %m");
	run.data_size_in = (uint32_t)size;
	if (bpf_prog_test_run_opts(request->from_port ? datapath->tracer->port : datapath->tracer->overlay, &run) ||
	    bpf_map_lookup_elem(datapath->maps[VD_MAP_TRACE], &key, &area))
		return vd_error_set(error, -errno, "cannot run the tracing programs: %m");
	*ret = result_json(datapath, request, &area, run.retval);
	return 0;
}
