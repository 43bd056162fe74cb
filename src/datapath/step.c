/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/step.h"

#include "abi/reason.h"
#include "datapath/encode.h"
#include "datapath/reason.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#define TEXT_SIZE 640

/* A name to print; an id without one as a number. text: room for the latter, 16 bytes. */
static const char *name_of(const struct vd_datapath *datapath, uint32_t id, char *text)
{
	const char *name = vd_names_find(datapath->names, id);

	if (name)
		return name;
	snprintf(text, 16, "#%u", id);
	return text;
}

static void parse_text(const uint32_t *detail, char *text)
{
	char number[4];

	snprintf(text, TEXT_SIZE, "IPv%u %s, %u bytes%s", detail[0], vd_protocol_name((uint8_t)detail[1], number), detail[2],
		 detail[3] ? ", a fragment" : "");
}

static void source_check_text(const struct vd_datapath *datapath, const uint32_t *detail, char *text)
{
	static const char *const verdicts[] = {"source check is off", "its own address", "an address opened for it"};
	char port[VD_PORT_TEXT];

	snprintf(text, TEXT_SIZE, "%s: %s", vd_port_name(datapath, detail[0], port), detail[1] < 3 ? verdicts[detail[1]] : "?");
}

static void connection_text(const uint32_t *detail, char *text)
{
	static const char *const kinds[] = {"?", "belongs to a known connection", "begins a new connection",
					    "an error about a known connection"};

	snprintf(text, TEXT_SIZE, "%s", detail[0] < 4 ? kinds[detail[0]] : kinds[0]);
}

static void route_text(const struct vd_datapath *datapath, const uint32_t *detail, char *text)
{
	char route[16], table[16], host[16];
	const char *where = detail[2] ? name_of(datapath, detail[2], table) : "main";

	switch (detail[1]) {
	case VD_ROUTE_TYPE_LOCAL:
		if (detail[3])
			snprintf(text, TEXT_SIZE, "in a block of this node");
		else
			snprintf(text, TEXT_SIZE, "table %s: inside the VPC", where);
		return;
	case VD_ROUTE_TYPE_TUNNEL:
		snprintf(text, TEXT_SIZE, "in a block of node %s, by tunnel", name_of(datapath, detail[3], host));
		return;
	case VD_ROUTE_TYPE_STACK:
		if (detail[3])
			snprintf(text, TEXT_SIZE, "in a block of node %s, by this node's own routes",
				 name_of(datapath, detail[3], host));
		else
			snprintf(text, TEXT_SIZE, "in no block: the node's kernel knows the way");
		return;
	case VD_ROUTE_TYPE_PEER:
		snprintf(text, TEXT_SIZE, "table %s: %s%s, to the peer %s", where, detail[0] ? "route " : "by peering",
			 detail[0] ? name_of(datapath, detail[0], route) : "", name_of(datapath, detail[3], host));
		return;
	case VD_ROUTE_TYPE_NEXT_HOP:
		snprintf(text, TEXT_SIZE, "table %s: route %s, to its next hop", where, name_of(datapath, detail[0], route));
		return;
	case VD_ROUTE_TYPE_BLACKHOLE:
		snprintf(text, TEXT_SIZE, "table %s: route %s, a blackhole", where, name_of(datapath, detail[0], route));
		return;
	case VD_ROUTE_TYPE_UNUSABLE:
		snprintf(text, TEXT_SIZE, "table %s: route %s, whose next hop is unusable", where,
			 name_of(datapath, detail[0], route));
		return;
	case VD_ROUTE_TYPE_EXIT:
		snprintf(text, TEXT_SIZE, "table %s: %s%s, to a provider network", where,
			 detail[0] ? "route " : "the default route", detail[0] ? name_of(datapath, detail[0], route) : "");
		return;
	}
	snprintf(text, TEXT_SIZE, "table %s: no route", where);
}

/* A port of another host: this host's plan has no name for it. */
static const char *remote_name(const struct vd_datapath *datapath, const struct vd_trace_request *request, uint32_t id,
			       char text[VD_PORT_TEXT])
{
	if (request->name && request->name(id, text, VD_PORT_TEXT, request->name_userdata) == 0)
		return text;
	return name_of(datapath, id, text);
}

static void endpoint_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const uint32_t *detail,
			  char *text)
{
	char port[VD_PORT_TEXT], host[16], subnet[16];
	const char *subnet_name = name_of(datapath, detail[2], subnet);

	switch (detail[1]) {
	case VD_ENDPOINT_PLACE_HERE:
		snprintf(text, TEXT_SIZE, "port %s on this host, subnet %s", name_of(datapath, detail[0], port), subnet_name);
		return;
	case VD_ENDPOINT_PLACE_HOST:
		snprintf(text, TEXT_SIZE, "port %s on host %s, subnet %s", remote_name(datapath, request, detail[0], port),
			 name_of(datapath, detail[3], host), subnet_name);
		return;
	case VD_ENDPOINT_PLACE_KERNEL:
		snprintf(text, TEXT_SIZE, "no container of ours here: the node's kernel may know who has it");
		return;
	case VD_ENDPOINT_PLACE_GATEWAY:
		snprintf(text, TEXT_SIZE, "the gateway of subnet %s", subnet_name);
		return;
	}
	snprintf(text, TEXT_SIZE, "no one has the address");
}

static void ttl_text(const uint32_t *detail, char *text)
{
	if (detail[2])
		snprintf(text, TEXT_SIZE, "ran out; the router answers \"time exceeded\"");
	else if (detail[0] == detail[1])
		snprintf(text, TEXT_SIZE, "stays %u", detail[0]);
	else
		snprintf(text, TEXT_SIZE, "%u becomes %u", detail[0], detail[1]);
}

static void mtu_text(const uint32_t *detail, char *text)
{
	if (detail[1] == UINT32_MAX)
		snprintf(text, TEXT_SIZE, "%u bytes, no limit", detail[0]);
	else
		snprintf(text, TEXT_SIZE, "%u bytes of %u%s", detail[0], detail[1],
			 detail[2] ? "; the router answers that it is too big" : "");
}

static void output_text(const struct vd_datapath *datapath, const uint32_t *detail, char *text)
{
	char interface[IF_NAMESIZE], port[VD_PORT_TEXT];

	if (detail[0] == VD_OUTPUT_TUNNEL)
		snprintf(text, TEXT_SIZE, "through the tunnel, VNI %u", detail[2]);
	else if (detail[0] == VD_OUTPUT_UPLINK)
		snprintf(text, TEXT_SIZE, "out by uplink %s", if_indextoname(detail[1], interface) ? interface : "(gone)");
	else if (detail[0] == VD_OUTPUT_TURN)
		snprintf(text, TEXT_SIZE, "to an address of ours on the same network: comes in again as from uplink %s",
			 if_indextoname(detail[1], interface) ? interface : "(gone)");
	else if (detail[0])
		snprintf(text, TEXT_SIZE, "to %s by interface %s", vd_port_name(datapath, detail[3], port),
			 if_indextoname(detail[1], interface) ? interface : "(gone)");
	else
		snprintf(text, TEXT_SIZE, "nowhere");
}

static void policy_text(const struct vd_datapath *datapath, const struct vd_trace_step *step, char *text)
{
	char port[16], rule[VD_RULE_TEXT], groups[VD_RULE_TEXT];
	const char *port_name = name_of(datapath, step->detail[3], port);
	const char *of = vd_port_groups(datapath, step->detail[3], groups);
	int length = snprintf(text, TEXT_SIZE, "%s%s%s%s: ", port_name, of ? " (" : "", of ? of : "", of ? ")" : "");

	if (length >= TEXT_SIZE)
		return;
	if (step->detail[0])
		snprintf(text + length, TEXT_SIZE - (size_t)length, "rule %s allows it",
			 vd_rule_name(datapath, step->detail[0], rule));
	else
		snprintf(text + length, TEXT_SIZE - (size_t)length, "%s", step->reason ? "no rule allows it" : "no rule closes it");
}

/* ---- provider networks ---- */

static void vip_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const uint32_t *detail, char *text)
{
	char vip[16], network[16], forward[VD_PORT_TEXT];

	if (!detail[0]) {
		snprintf(text, TEXT_SIZE, "network %s: no virtual IP; addresses of a VPC that are routed to from there",
			 name_of(datapath, detail[3], network));
		return;
	}
	snprintf(text, TEXT_SIZE, "%s virtual IP %s on network %s%s%s",
		 detail[1] == VD_VIP_TYPE_ELASTIC ? "elastic" : "the router's", name_of(datapath, detail[0], vip),
		 name_of(datapath, detail[3], network), detail[2] ? ", forward " : "",
		 detail[2] ? remote_name(datapath, request, detail[2], forward) : "");
}

static void policy_route_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const uint32_t *detail,
			      char *text)
{
	char route[VD_PORT_TEXT], table[VD_PORT_TEXT];

	if (detail[3])
		snprintf(text, TEXT_SIZE, "policy route %s: look up table %s", remote_name(datapath, request, detail[0], route),
			 remote_name(datapath, request, detail[3], table));
	else
		snprintf(text, TEXT_SIZE, "policy route %s decides", remote_name(datapath, request, detail[0], route));
}

static void exit_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const uint32_t *detail,
		      char *text)
{
	char network[16], host[16], route[VD_PORT_TEXT];
	bool by_route = detail[0] && detail[0] != detail[1];
	const char *way = detail[3]   ? ", back the way that its connection came"
			  : detail[2] ? ", through host "
				      : ", from this host";

	snprintf(text, TEXT_SIZE, "to network %s%s%s%s%s", name_of(datapath, detail[1], network), by_route ? " by route " : "",
		 by_route ? remote_name(datapath, request, detail[0], route) : "", way,
		 !detail[3] && detail[2] ? name_of(datapath, detail[2], host) : "");
}

#define TUPLE_TEXT (2 * VD_ADDRESS_TEXT + 40)

static const char *tuple_format(const struct vd_trace_request *request, const struct vd_address *source,
				const struct vd_address *destination, uint16_t source_port, uint16_t destination_port,
				char text[TUPLE_TEXT])
{
	char from[VD_ADDRESS_TEXT], to[VD_ADDRESS_TEXT];
	bool has_ports = request->protocol == IPPROTO_TCP || request->protocol == IPPROTO_UDP;

	vd_address_format(source, from);
	vd_address_format(destination, to);
	if (has_ports)
		snprintf(text, TUPLE_TEXT, "%s port %u to %s port %u", from, source_port, to, destination_port);
	else
		snprintf(text, TUPLE_TEXT, "%s to %s, identifier %u", from, to, source_port);
	return text;
}

static void translation_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_flow *flow,
			     const uint32_t *detail, char *text)
{
	static const char *const kinds[] = {"as it is", "SNAT", "elastic IP", "port forward", "the router itself"};
	bool is_source = flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE,
	     is_destination = flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION;
	struct vd_address translated = vd_decode_address(&flow->translated_address, request->source.family);
	uint16_t port = ntohs(flow->translated_port);
	char network[16], before[TUPLE_TEXT], after[TUPLE_TEXT];
	const char *kind = detail[0] < sizeof(kinds) / sizeof(kinds[0]) ? kinds[detail[0]] : "?";

	if (!is_source && !is_destination) {
		snprintf(text, TEXT_SIZE, "%s on network %s", kind, name_of(datapath, detail[3], network));
		return;
	}
	tuple_format(request, &request->source, &request->destination, request->source_port, request->destination_port, before);
	if (is_source)
		tuple_format(request, &translated, &request->destination, port, request->destination_port, after);
	else
		tuple_format(request, &request->source, &translated, request->source_port, port, after);
	snprintf(text, TEXT_SIZE, "%s on network %s: %s becomes %s", kind, name_of(datapath, detail[3], network), before, after);
}

static void next_hop_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const uint32_t *detail,
			  char *text)
{
	static const char *const kinds[] = {"unknown", "a virtual IP of ours", "an instance on the network", "a neighbour"};
	const union vd_addr word = {{detail[3]}};
	const struct vd_address address = vd_decode_address(&word, VD_FAMILY_IPV4);
	char network[16], hop[VD_ADDRESS_TEXT] = "";

	if (request->source.family == VD_FAMILY_IPV4)
		vd_address_format(&address, hop);
	snprintf(text, TEXT_SIZE, "network %s: %s%s%s", name_of(datapath, detail[0], network), hop, *hop ? ", " : "",
		 detail[1] < sizeof(kinds) / sizeof(kinds[0]) ? kinds[detail[1]] : "?");
}

/* ---- VPCs that are peered ---- */

static void peering_text(const struct vd_datapath *datapath, const uint32_t *detail, char *text)
{
	char from[16], to[16], route[16];

	snprintf(text, TEXT_SIZE, "from VPC %s to its peer %s%s%s", name_of(datapath, detail[0], from),
		 name_of(datapath, detail[1], to), detail[2] ? ", where route " : "",
		 detail[2] ? name_of(datapath, detail[2], route) : "");
}

/* As the other VPC sees one end; a drop says why. */
static void peer_address_text(const struct vd_trace_request *request, const struct vd_address *address,
			      const struct vd_trace_step *step, char *text)
{
	const union vd_addr words = {{step->detail[0], step->detail[1], step->detail[2], step->detail[3]}};
	const struct vd_address other = vd_decode_address(&words, request->source.family);
	char before[VD_ADDRESS_TEXT], after[VD_ADDRESS_TEXT];

	if (step->reason == VD_DROP_REASON_NO_ROUTE) {
		snprintf(text, TEXT_SIZE, "the receiver's table does not lead back to %s in this VPC",
			 vd_address_format(&other, after));
		return;
	}
	snprintf(text, TEXT_SIZE, "%s is %s in the peer", vd_address_format(address, before), vd_address_format(&other, after));
}

/* ---- bandwidth ---- */

static void rate_text(const struct vd_datapath *datapath, const uint32_t *detail, char *text)
{
	char port[VD_PORT_TEXT];

	snprintf(text, TEXT_SIZE, "%s may %s %u kB/s%s", vd_port_name(datapath, detail[0], port),
		 detail[1] == VD_RATE_DIRECTION_IN ? "receive" : "send", detail[2],
		 detail[3] ? "; that is used up at the moment" : "");
}

static void step_text(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_flow *flow,
		      const struct vd_trace_step *step, char *text)
{
	text[0] = 0;
	switch ((enum vd_stage)step->stage) {
	case VD_STAGE_PARSE:
		parse_text(step->detail, text);
		return;
	case VD_STAGE_NEIGHBOUR:
		snprintf(text, TEXT_SIZE, "%s", step->detail[0] ? "the data plane answers" : "swallowed");
		return;
	case VD_STAGE_FLOW:
		snprintf(text, TEXT_SIZE, "%s", step->detail[0] ? "a cached flow is valid" : "no cached flow");
		return;
	case VD_STAGE_SOURCE_CHECK:
		source_check_text(datapath, step->detail, text);
		return;
	case VD_STAGE_CONNECTION:
		connection_text(step->detail, text);
		return;
	case VD_STAGE_ROUTE:
		route_text(datapath, step->detail, text);
		return;
	case VD_STAGE_ENDPOINT:
		endpoint_text(datapath, request, step->detail, text);
		return;
	case VD_STAGE_TTL:
		ttl_text(step->detail, text);
		return;
	case VD_STAGE_MTU:
		mtu_text(step->detail, text);
		return;
	case VD_STAGE_OUTPUT:
		output_text(datapath, step->detail, text);
		return;
	case VD_STAGE_EGRESS_POLICY:
	case VD_STAGE_INGRESS_POLICY:
		policy_text(datapath, step, text);
		return;
	case VD_STAGE_VIP:
		vip_text(datapath, request, step->detail, text);
		return;
	case VD_STAGE_POLICY_ROUTE:
		policy_route_text(datapath, request, step->detail, text);
		return;
	case VD_STAGE_EXIT:
		exit_text(datapath, request, step->detail, text);
		return;
	case VD_STAGE_TRANSLATION:
		translation_text(datapath, request, flow, step->detail, text);
		return;
	case VD_STAGE_NEXT_HOP:
		next_hop_text(datapath, request, step->detail, text);
		return;
	case VD_STAGE_PEERING:
		peering_text(datapath, step->detail, text);
		return;
	case VD_STAGE_PEER_SOURCE:
		peer_address_text(request, &request->source, step, text);
		return;
	case VD_STAGE_PEER_DESTINATION:
		peer_address_text(request, &request->destination, step, text);
		return;
	case VD_STAGE_RATE:
		rate_text(datapath, step->detail, text);
		return;
	case VD_STAGE_COUNT:
		break;
	}
}

json_t *vd_step_json(const struct vd_datapath *datapath, const struct vd_trace_request *request, const struct vd_flow *flow,
		     const struct vd_trace_step *step)
{
	char text[TEXT_SIZE];

	step_text(datapath, request, flow, step, text);
	/* A stage that drops says why; what it knew of the packet may be half of it. Groups know all of it. */
	if (step->reason && step->stage != VD_STAGE_EGRESS_POLICY && step->stage != VD_STAGE_INGRESS_POLICY)
		return json_pack("{s:s, s:s, s:s}", "stage", vd_stage_name(step->stage), "text", vd_reason_sentence(step->reason),
				 "detail", text);
	return json_pack("{s:s, s:s}", "stage", vd_stage_name(step->stage), "text", text);
}
