/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_ABI_REASON_H
#define VD_ABI_REASON_H

/*
 * Why a packet was dropped, the one list of it: X(ENUMERATOR, name, sentence). Codes are positions and part of the pinned state:
 * append only.
 */
#define VD_DROP_REASONS(X) \
	X(NONE, "none", "not dropped") \
	X(MALFORMED, "malformed", "the packet's headers are cut short or contradict each other") \
	X(NOT_IP, "not_ip", "neither IPv4, IPv6 nor ARP") \
	X(MULTICAST, "multicast", "multicast and broadcast do not leave an instance in a VPC") \
	X(UNKNOWN_PORT, "unknown_port", "the interface belongs to no port") \
	X(SOURCE_MAC, "source_mac", "the source MAC is not the port's (source check)") \
	X(SOURCE_ADDRESS, "source_address", "the source address is not the port's and not opened for it (source check)") \
	X(NEIGHBOUR_UNKNOWN, "neighbour_unknown", "asked for the MAC of an address that no one has") \
	X(NEIGHBOUR_SPOOFED, "neighbour_spoofed", \
	  "an ARP or neighbour discovery packet claims an address or MAC that is not the port's") \
	X(NO_ROUTE, "no_route", "no route leads to the destination") \
	X(NO_ENDPOINT, "no_endpoint", "no one has the destination address") \
	X(BLACKHOLE, "blackhole", "a blackhole route") \
	X(NEXT_HOP_UNUSABLE, "next_hop_unusable", "the route's next hop is not attached or its host is down") \
	X(LOOP, "loop", "the packet would go back to the port that it came from") \
	X(HOP_LIMIT, "hop_limit", "time to live ran out and there is no service port to answer") \
	X(TOO_BIG, "too_big", "larger than the path's MTU and there is no service port to answer") \
	X(FRAGMENT, "fragment", "a fragment whose first one was not seen") \
	X(CONNECTION_TABLE_FULL, "connection_table_full", "the VPC's share of the connection table, or the table, is full") \
	X(ICMP_UNRELATED, "icmp_unrelated", "an ICMP error about a connection that does not exist") \
	X(UNKNOWN_SEGMENT, "unknown_segment", "a tunnel packet with a VNI that is not used here") \
	X(UNKNOWN_VTEP, "unknown_vtep", "a tunnel packet from a host that is not one of ours") \
	X(NO_TUNNEL, "no_tunnel", "the destination's host has no tunnel address") \
	X(UNREACHABLE_PORT, "unreachable_port", "a tunnel packet for a MAC that is not attached here") \
	X(INTERNAL, "internal", "the data plane could not rewrite or redirect the packet") \
	X(POLICY_EGRESS, "policy_egress", "no egress rule of the sending port's security groups allows it") \
	X(POLICY_INGRESS, "policy_ingress", "no ingress rule of the receiving port's security groups allows it") \
	X(CONNECTION_REFUSED, "connection_refused", \
	  "a reply in a connection that the security groups no longer allow its initiator") \
	X(ROGUE_DHCP, "rogue_dhcp", "an instance answers as a DHCP server") \
	X(ROGUE_ROUTER, "rogue_router", "an instance advertises itself as a router") \
	X(DHCP_OFF, "dhcp_off", "asks for DHCP in a subnet that has it off") \
	X(NO_EXIT, "no_exit", "no host is the VPC's gateway on that network now") \
	X(GATEWAY_DEADLINE, "gateway_deadline", "this host's lease as a gateway ran out: another one may translate by now") \
	X(NO_SNAT, "no_snat", "the subnet has SNAT off and the port no elastic IP on that network") \
	X(NO_VIP, "no_vip", "the router has no address of that family on the network") \
	X(SNAT_PORTS, "snat_ports", "all ports of the router's virtual IP are taken for that destination") \
	X(NAT_TABLE_FULL, "nat_table_full", "the table of translations is full") \
	X(NAT_CONFLICT, "nat_conflict", "two public addresses lead to the same connection of an instance") \
	X(VIP_MOVED, "vip_moved", "the connection's public address belongs to someone else by now") \
	X(VIP_UNSERVED, "vip_unserved", "nobody serves that port of the virtual IP") \
	X(FORWARD_SOURCE, "forward_source", "the port forward does not allow that source") \
	X(NEXT_HOP_UNKNOWN, "next_hop_unknown", "the MAC of the next hop on the provider network is not known yet") \
	X(UNTRANSLATABLE, "untranslatable", "the packet cannot be translated, and must not leave as it is") \
	X(NO_UPLINK, "no_uplink", "this host has no uplink to the segment") \
	X(TURNED_TOO_OFTEN, "turned_too_often", "the packet keeps coming back to an address of ours") \
	X(NEXT_HOP_LIMIT, "next_hop_limit", \
	  "more next hops are asked for on the provider network than the VPC, or the host, may in a second") \
	X(RATE_LIMIT, "rate_limit", "more than the port's bandwidth limit allows") \
	X(SOURCE_HOST, "source_host", "a tunnel packet whose source address belongs to another host than the sender") \
	X(SERVICE_ADDRESS, "service_address", \
	  "the destination is what a router asks name servers with: it is answered, and never asked") \
	X(FOREIGN_ALIAS, "foreign_alias", \
	  "an address that stands for another one in the peered VPC, which translates: it cannot cross as it is") \
	X(FLOW_REPLACED, "flow_replaced", "its cached flow was replaced by another CPU while the packet was being sent")

enum vd_drop_reason {
#define X(enumerator, name, sentence) VD_DROP_REASON_##enumerator,
	VD_DROP_REASONS(X)
#undef X
		VD_DROP_REASON_COUNT,
};

/* The stages a packet goes through, for the trace: X(ENUMERATOR, name). Append only. */
#define VD_STAGES(X) \
	X(PARSE, "parse") \
	X(NEIGHBOUR, "neighbour") \
	X(FLOW, "flow cache") \
	X(SOURCE_CHECK, "source check") \
	X(CONNECTION, "connection") \
	X(ROUTE, "route") \
	X(ENDPOINT, "endpoint") \
	X(TTL, "ttl") \
	X(MTU, "mtu") \
	X(OUTPUT, "output") \
	X(EGRESS_POLICY, "egress policy") \
	X(INGRESS_POLICY, "ingress policy") \
	X(VIP, "virtual ip") \
	X(POLICY_ROUTE, "policy route") \
	X(EXIT, "exit") \
	X(TRANSLATION, "translation") \
	X(NEXT_HOP, "next hop") \
	X(PEERING, "peering") \
	X(RATE, "rate limit") \
	X(PEER_SOURCE, "source") \
	X(PEER_DESTINATION, "destination")

enum vd_stage {
#define X(enumerator, name) VD_STAGE_##enumerator,
	VD_STAGES(X)
#undef X
		VD_STAGE_COUNT,
};

#endif
