/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "viaduct.skel.h"

static void put_port(struct fixture *fixture, uint32_t port, const char *mac, const char *const addresses[2], bool here)
{
	struct vd_endpoint_value endpoint = {.port_id = port, .subnet = 14};
	struct vd_port_value value = {
		.id = port, .domain = GREEN, .subnet = 14, .mtu = GREEN_MTU, .flags = VD_PORT_FLAG_SOURCE_CHECK};
	uint32_t y = if_nametoindex("y");
	struct vd_mac_key mac_key = {.domain = GREEN};
	struct vd_mac_value mac_value = {.ifindex = y, .port_id = port};

	text_to_mac(mac, endpoint.mac);
	text_to_mac(mac, value.mac);
	text_to_mac(mac, mac_key.mac);
	endpoint.place = here ? VD_ENDPOINT_PLACE_HERE : VD_ENDPOINT_PLACE_HOST;
	if (here) {
		endpoint.ifindex = y;
		PUT(fixture->bpf->maps.vd_port, y, value);
		PUT(fixture->bpf->maps.vd_mac, mac_key, mac_value);
	} else {
		endpoint.host = 2;
	}
	put_endpoint(fixture, GREEN, addresses[0], &endpoint);
	put_endpoint(fixture, GREEN, addresses[1], &endpoint);
}

void put_peer(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint32_t id, uint32_t peer)
{
	put_route_to(fixture, domain, prefix, length, VD_ROUTE_TYPE_PEER, id, peer);
}

int green_setup(void **state, const struct green *green)
{
	struct vd_domain_value domain = {.vni = 400, .mtu = GREEN_MTU};
	struct vd_subnet_value subnet = {.domain = GREEN, .vni = 1014};
	struct vd_endpoint_value gateway = {.subnet = 14, .mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY};
	struct vd_segment_value segment = {.domain = GREEN};
	struct vd_share_value share = {.limit = 1000};
	struct vd_host_value host = {.family = 4};
	uint32_t id = GREEN, vni = 400, subnet_id = 14, third = 3, fold, one = 1;
	struct fixture *fixture;

	if (fixture_setup(state))
		return -1;
	fixture = *state;
	PUT(fixture->bpf->maps.vd_domain, id, domain);
	PUT(fixture->bpf->maps.vd_segment, vni, segment);
	PUT(fixture->bpf->maps.vd_share, id, share);
	PUT(fixture->bpf->maps.vd_subnet, subnet_id, subnet);
	text_to_address(HOST3, host.vtep.byte);
	fold = vd_vtep_fold(&host.vtep);
	PUT(fixture->bpf->maps.vd_host, third, host);
	PUT(fixture->bpf->maps.vd_vtep, fold, one);
	put_endpoint(fixture, GREEN, green->gateway, &gateway);
	put_port(fixture, PORT_Y, MAC_Y, green->y, true);
	put_port(fixture, PORT_Z, MAC_Z, green->z, false);
	put_route(fixture, GREEN, green->cidr[0], 16, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(fixture, GREEN, green->cidr[1], 32, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	return 0;
}

int green_enter(void)
{
	int error = fixture_enter();

	if (error)
		return error;
	return system("for link in y green; do ip link add name $link type veth peer name peer-$link && ip link set dev $link up "
		      "&& "
		      "ip link set dev peer-$link up || exit 1; done")
		       ? 1
		       : 0;
}

struct packet_spec udp(const char *source_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 5353};
}

struct packet_spec reply_to(const struct packet_spec *spec, const char *source_mac)
{
	struct packet_spec reply = *spec;

	reply.source_mac = source_mac;
	reply.destination_mac = NULL;
	reply.source = spec->destination;
	reply.destination = spec->source;
	reply.source_port = spec->destination_port;
	reply.destination_port = spec->source_port;
	return reply;
}

void pass(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
}

void pass_from_tunnel(struct fixture *fixture, uint32_t vni, const struct packet_spec *spec)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_tunnel(fixture, vni, HOST2, &packet), VERDICT_REDIRECT);
}

void drop(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, enum vd_drop_reason reason)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_dropped(fixture, ifindex, &packet, reason);
}

void drop_from_tunnel(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet_spec *spec,
		      enum vd_drop_reason reason)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_tunnel_drops(fixture, vni, vtep, &packet, reason);
}

struct rule rule(uint32_t identity, enum vd_policy_direction direction, uint32_t remote)
{
	return (struct rule){identity, direction, IPPROTO_UDP, 5353, 5353, NULL, 0, remote, 900};
}
