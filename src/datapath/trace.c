/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "abi/maps.h"
#include "abi/reason.h"
#include "base/cleanup.h"
#include "datapath/encode.h"
#include "datapath/packet.h"
#include "datapath/reason.h"
#include "datapath/state.h"
#include "datapath/step.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <string.h>

/* The tracing copy of the programs, over the live maps. Its tail calls stand in the pinned program array, behind the live ones. */
struct vd_tracer {
	int port, overlay, uplink;
};

void vd_tracer_free(struct vd_tracer *tracer)
{
	close(tracer->port);
	close(tracer->overlay);
	close(tracer->uplink);
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
	tracer->uplink = function_take(object, VD_FUNCTION_UPLINK_DECIDE);
	bpf_object__close(object);
	if (tracer->port < 0 || tracer->overlay < 0 || tracer->uplink < 0) {
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

/* Where a packet comes in: which program is run, and what it is told. */
struct ingress {
	int program;
	uint32_t ifindex; /* uplinks */
	uint16_t vlan;
};

/* As a frame to whom the destination belongs on the segment; to a virtual IP, whatever its MAC. */
static int uplink_find(struct vd_datapath *datapath, struct vd_trace_request *request, struct ingress *ret, struct vd_error *error)
{
	bool is_ipv4 = request->destination.family == VD_FAMILY_IPV4;
	struct vd_entry network = {.map = VD_MAP_NETWORK}, endpoint = {.map = is_ipv4 ? VD_MAP_ENDPOINT4 : VD_MAP_ENDPOINT6};
	struct vd_endpoint6_key key = {request->from_network, vd_encode_address(&request->destination)};
	struct vd_endpoint4_key narrow = {request->from_network, key.address.word[0]};
	struct vd_endpoint_value instance;
	struct vd_network_value value;

	memcpy(network.key, &request->from_network, sizeof(request->from_network));
	if (vd_datapath_lookup(datapath, &network))
		return vd_error_set(error, -ENOENT,
				    "this host has no uplink to that network, or nothing that needs it: trace from the host that "
				    "holds the virtual IP");
	memcpy(&value, network.value, sizeof(value));
	*ret = (struct ingress){datapath->tracer->uplink, value.ifindex, value.vlan};
	memcpy(request->destination_mac.bytes, value.mac, sizeof(value.mac));
	memcpy(endpoint.key, is_ipv4 ? (const void *)&narrow : &key, is_ipv4 ? sizeof(narrow) : sizeof(key));
	if (!vd_datapath_lookup(datapath, &endpoint)) {
		memcpy(&instance, endpoint.value, sizeof(instance));
		memcpy(request->destination_mac.bytes, instance.mac, sizeof(instance.mac));
	}
	return 0;
}

static int ingress_find(struct vd_datapath *datapath, struct vd_trace_request *request, struct vd_trace *area, struct ingress *ret,
			struct vd_error *error)
{
	struct port_search search = {.id = request->from_port};

	if (request->from_network)
		return uplink_find(datapath, request, ret, error);
	ret->program = request->from_port ? datapath->tracer->port : datapath->tracer->overlay;

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

/* Of a trace that goes on, the last step alone says why it ended: those before it were passed. */
static uint32_t drop_reason(const struct vd_trace *area)
{
	if (area->goes_on)
		return area->step_count > 0 && area->step_count <= VD_TRACE_STEPS ? area->step[area->step_count - 1].reason : 0;
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

struct host_search {
	union vd_addr vtep;
	uint32_t host;
};

static int host_visit(const void *key, const void *value, void *userdata)
{
	struct host_search *search = userdata;
	struct vd_host_value host;

	memcpy(&host, value, sizeof(host));
	memcpy(&search->host, key, sizeof(search->host));
	return !memcmp(&host.vtep, &search->vtep, sizeof(host.vtep));
}

/* Whom the tunnel leads to: an endpoint's host, or one that is a gateway, known by its tunnel address. */
static uint32_t tunnel_host(const struct vd_datapath *datapath, const struct vd_trace *area)
{
	const struct vd_trace_step *endpoint = step_find(area, VD_STAGE_ENDPOINT);
	struct host_search search = {.vtep = area->flow.vtep};

	if (endpoint && endpoint->detail[3])
		return endpoint->detail[3];
	return vd_map_each(datapath->maps[VD_MAP_HOST], host_visit, &search) == 1 ? search.host : 0;
}

static void set_uplink(json_t *object, const struct vd_datapath *datapath, const struct vd_trace *area)
{
	const struct vd_trace_step *next_hop = step_find(area, VD_STAGE_NEXT_HOP);
	char interface[IF_NAMESIZE];

	json_object_set_new(object, "verdict", json_string("sent"));
	if (if_indextoname(area->flow.output_ifindex, interface))
		json_object_set_new(object, "to_interface", json_string(interface));
	if (next_hop)
		vd_json_set_name(object, "network", datapath, next_hop->detail[0]);
	set_mac(object, "destination_mac", area->flow.destination_mac);
}

/* A container network's service port is the way to the node's kernel; its id is the domain's. */
static bool is_kernel(const struct vd_datapath *datapath, uint32_t port)
{
	struct vd_entry domain = {.map = VD_MAP_DOMAIN};
	struct vd_domain_value value;

	memcpy(domain.key, &port, sizeof(port));
	if (vd_datapath_lookup(datapath, &domain))
		return false;
	memcpy(&value, domain.value, sizeof(value));
	return value.flags & VD_DOMAIN_FLAG_CONTAINER;
}

static void set_verdict(json_t *object, const struct vd_datapath *datapath, const struct vd_trace *area, uint32_t verdict)
{
	const struct vd_trace_step *output = step_find(area, VD_STAGE_OUTPUT);
	uint32_t reason = drop_reason(area);

	if (reason || verdict == TC_ACT_SHOT || !output) {
		set_dropped(object, reason ? reason : VD_DROP_REASON_INTERNAL);
	} else if (is_answered(area)) {
		json_object_set_new(object, "verdict", json_string("answered"));
	} else if (output->detail[0] == VD_OUTPUT_TUNNEL) {
		json_object_set_new(object, "verdict", json_string("sent"));
		json_object_set_new(object, "to_host", json_integer(tunnel_host(datapath, area)));
		json_object_set_new(object, "vni", json_integer(output->detail[2]));
		set_mac(object, "destination_mac", area->flow.destination_mac);
		set_mac(object, "source_mac", area->flow.source_mac);
	} else if (output->detail[0] == VD_OUTPUT_UPLINK || output->detail[0] == VD_OUTPUT_TURN) {
		set_uplink(object, datapath, area);
	} else {
		json_object_set_new(object, "verdict", json_string("delivered"));
		vd_json_set_port(object, "to_port", datapath, output->detail[3]);
		if (is_kernel(datapath, output->detail[3]))
			json_object_set_new(object, "to_kernel", json_true());
	}
}

static uint32_t steps_add(json_t *steps, const struct vd_datapath *datapath, const struct vd_trace_request *request,
			  const struct vd_trace *area)
{
	uint32_t reason = 0;

	/* Where a stage said why, the exit says it again. */
	for (uint32_t i = 0; i < area->step_count && i < VD_TRACE_STEPS && (!reason || area->goes_on); i++) {
		reason = area->step[i].reason;
		json_array_append_new(steps, vd_step_json(datapath, request, &area->flow, &area->step[i]));
	}
	return reason;
}

/* What said no and was passed. Whose policy it is stands in the last detail (bpf/lib/trace.h). */
static json_t *refused_json(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_trace *area,
			    const struct vd_trace_step *step)
{
	bool is_policy = step->stage == VD_STAGE_EGRESS_POLICY || step->stage == VD_STAGE_INGRESS_POLICY;
	uint32_t port = is_policy ? step->detail[3] : step->detail[0];
	json_t *refused = vd_step_json(datapath, request, &area->flow, step);
	char groups[VD_RULE_TEXT];

	json_object_set_new(refused, "reason", json_string(vd_reason_name(step->reason)));
	json_object_set_new(refused, "sentence", json_string(vd_reason_sentence(step->reason)));
	vd_json_set_port(refused, "port", datapath, port);
	if (is_policy && vd_port_groups(datapath, port, groups))
		json_object_set_new(refused, "groups", json_string(groups));
	return refused;
}

static void refused_add(json_t *list, const struct vd_datapath *datapath, const struct vd_trace_request *request,
			const struct vd_trace *area)
{
	for (uint32_t i = 0; i < area->step_count && i < VD_TRACE_STEPS; i++)
		if (area->step[i].reason && (i + 1 < area->step_count || !drop_reason(area)))
			json_array_append_new(list, refused_json(datapath, request, area, &area->step[i]));
}

/* One way through the programs. area is filled in with what they said. */
static int trace_run(struct vd_datapath *datapath, const struct vd_trace_request *request, const struct ingress *ingress,
		     struct vd_trace *area, uint32_t *ret_verdict, struct vd_error *error)
{
	struct __sk_buff context = {.cb = {ingress->ifindex, ingress->vlan, ingress->ifindex ? 1 : 0}};
	uint8_t packet[VD_PACKET_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .ctx_in = &context, .ctx_size_in = sizeof(context));
	uint32_t key = 0;
	size_t size;
	int r;

	r = vd_packet_build(request, packet, &size);
	if (r == -EMSGSIZE)
		return vd_error_set(error, r, "a traced packet has room for some 2900 bytes of payload, not %u", request->size);
	if (r)
		return vd_error_set(error, r, "a traced packet is TCP, UDP or an echo request between two addresses of one family");
	if (bpf_map_update_elem(datapath->maps[VD_MAP_TRACE], &key, area, BPF_ANY))
		return vd_error_set(error, -errno, "cannot prepare the trace: %m");
	run.data_size_in = (uint32_t)size;
	if (bpf_prog_test_run_opts(ingress->program, &run) || bpf_map_lookup_elem(datapath->maps[VD_MAP_TRACE], &key, area))
		return vd_error_set(error, -errno, "cannot run the tracing programs: %m");
	*ret_verdict = run.retval;
	return 0;
}

/* The packet as it goes on. */
static void translate(struct vd_trace_request *request, const struct vd_flow *flow)
{
	struct vd_address translated = vd_decode_address(&flow->translated_address, request->source.family);

	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE) {
		request->source = translated;
		request->source_port = ntohs(flow->translated_port);
		if (flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION)
			request->destination = vd_decode_address(&flow->translated_destination, request->destination.family);
	} else if (flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION) {
		request->destination = translated;
		request->destination_port = ntohs(flow->translated_port);
	}
	if (flow->flags & VD_FLOW_FLAG_TTL)
		request->ttl--;
}

/* As it comes in again after it turned round. */
static void turn(struct vd_datapath *datapath, struct vd_trace_request *request, const struct vd_flow *flow,
		 struct ingress *ingress)
{
	translate(request, flow);
	memcpy(request->source_mac.bytes, flow->source_mac, sizeof(flow->source_mac));
	memcpy(request->destination_mac.bytes, flow->destination_mac, sizeof(flow->destination_mac));
	*ingress = (struct ingress){datapath->tracer->uplink, flow->output_ifindex, flow->vlan};
}

/* For the host that it goes on to, or whoever gets it: it is another packet by now. */
static void set_packet(json_t *object, struct vd_trace_request *request, const struct vd_flow *flow)
{
	char source[VD_ADDRESS_TEXT], destination[VD_ADDRESS_TEXT];

	translate(request, flow);
	json_object_set_new(object, "packet",
			    json_pack("{s:s, s:s, s:i, s:i}", "source", vd_address_format(&request->source, source), "destination",
				      vd_address_format(&request->destination, destination), "source_port", request->source_port,
				      "destination_port", request->destination_port));
}

/* Between two addresses of ours on one network; more is a loop. */
#define TURNS_MAX 4

int vd_datapath_trace(struct vd_datapath *datapath, const struct vd_trace_request *request, json_t **ret, struct vd_error *error)
{
	struct vd_trace_request complete = *request;
	struct vd_trace area = {.goes_on = request->goes_on};
	struct ingress ingress = {};
	json_t *steps, *refused, *object;
	uint32_t verdict = 0;
	int r;

	if (!complete.ttl)
		complete.ttl = 64;
	r = tracer_open(datapath, error);
	if (!r)
		r = ingress_find(datapath, &complete, &area, &ingress, error);
	if (r)
		return r;
	steps = json_array();
	refused = json_array();
	for (unsigned turns = 0; !r && turns < TURNS_MAX; turns++) {
		r = trace_run(datapath, &complete, &ingress, &area, &verdict, error);
		if (r)
			break;
		refused_add(refused, datapath, &complete, &area);
		if (steps_add(steps, datapath, &complete, &area) || area.flow.output != VD_OUTPUT_TURN)
			break;
		turn(datapath, &complete, &area.flow, &ingress);
		if (turns + 1 < TURNS_MAX)
			area = (struct vd_trace){.goes_on = request->goes_on};
	}
	if (r) {
		json_decref(steps);
		json_decref(refused);
		return r;
	}
	object = json_object();
	set_verdict(object, datapath, &area, verdict);
	if (json_object_get(object, "to_host") ||
	    area.flow.flags & (VD_FLOW_FLAG_TRANSLATE_SOURCE | VD_FLOW_FLAG_TRANSLATE_DESTINATION))
		set_packet(object, &complete, &area.flow);
	json_object_set_new(object, "steps", steps);
	if (request->goes_on)
		json_object_set(object, "refused", refused);
	json_decref(refused);
	*ret = object;
	return 0;
}
