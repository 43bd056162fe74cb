// SPDX-License-Identifier: Apache-2.0
#include "container.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "viaduct.skel.h"

void put_route_to(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint8_t type, uint32_t id,
		  uint32_t target)
{
	struct vd_route_value value = {.id = id, .type = type, .is_default = !length, .target = target};
	struct vd_route4_key key4 = {.prefix_length = 64 + length, .domain = domain};
	struct vd_route6_key key6 = {.prefix_length = 64 + length, .domain = domain};

	if (text_to_address(prefix, key6.address.byte) == 4) {
		key4.address = key6.address.word[0];
		PUT(fixture->bpf->maps.vd_route4, key4, value);
	} else {
		PUT(fixture->bpf->maps.vd_route6, key6, value);
	}
}

void assert_tunnel_drops(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet *packet,
			 enum vd_drop_reason reason)
{
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		new_drops(fixture, i);
	assert_int_equal(run_tunnel(fixture, vni, vtep, packet), VERDICT_DROP);
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		assert_int_equal(new_drops(fixture, i) ? i : -1, i == (int)reason ? i : -1);
}

static void put_container(struct fixture *fixture, uint32_t port, uint32_t ifindex, const char *mac, const char *address4,
			  const char *address6)
{
	struct vd_endpoint_value endpoint = {.port_id = port, .ifindex = ifindex, .place = VD_ENDPOINT_PLACE_HERE};
	struct vd_port_value value = {.id = port, .domain = PODS, .mtu = MTU, .flags = VD_PORT_FLAG_SOURCE_CHECK};

	text_to_mac(mac, endpoint.mac);
	text_to_mac(mac, value.mac);
	PUT(fixture->bpf->maps.vd_port, ifindex, value);
	put_endpoint(fixture, PODS, address4, &endpoint);
	put_endpoint(fixture, PODS, address6, &endpoint);
}

static void put_host(struct fixture *fixture, uint32_t id, const char *vtep)
{
	struct vd_host_value host = {};
	uint32_t fold, one = 1;

	host.family = text_to_address(vtep, host.vtep.byte);
	fold = vd_vtep_fold(&host.vtep);
	PUT(fixture->bpf->maps.vd_host, id, host);
	PUT(fixture->bpf->maps.vd_vtep, fold, one);
}

static void put_network(struct fixture *fixture, uint32_t host_ifindex)
{
	struct vd_domain_value domain = {.vni = 300,
					 .mtu = MTU,
					 .service_ifindex = host_ifindex,
					 .service_port_id = PODS,
					 .flags = VD_DOMAIN_FLAG_CONTAINER};
	struct vd_port_value port = {
		.id = PODS, .domain = PODS, .mtu = MTU, .mac = VD_GATEWAY_MAC, .flags = VD_PORT_FLAG_SERVICE | VD_PORT_FLAG_HOST};
	struct vd_endpoint_value gateway = {.mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY};
	struct vd_segment_value segment = {.domain = PODS};
	struct vd_share_value share = {.limit = 1000};
	uint32_t id = PODS, vni = 300;

	PUT(fixture->bpf->maps.vd_domain, id, domain);
	PUT(fixture->bpf->maps.vd_segment, vni, segment);
	PUT(fixture->bpf->maps.vd_share, id, share);
	PUT(fixture->bpf->maps.vd_port, host_ifindex, port);
	put_host(fixture, 3, HOST3);
	put_endpoint(fixture, PODS, "10.8.1.1", &gateway);
	put_endpoint(fixture, PODS, "fd08:0:0:1::1", &gateway);
	put_route_to(fixture, PODS, "10.8.1.0", 24, VD_ROUTE_TYPE_LOCAL, 0, 0);
	put_route_to(fixture, PODS, "fd08:0:0:1::", 64, VD_ROUTE_TYPE_LOCAL, 0, 0);
	put_route_to(fixture, PODS, "10.8.2.0", 24, VD_ROUTE_TYPE_TUNNEL, 62, 2);
	put_route_to(fixture, PODS, "fd08:0:0:2::", 64, VD_ROUTE_TYPE_TUNNEL, 62, 2);
	put_route_to(fixture, PODS, "10.8.3.0", 24, VD_ROUTE_TYPE_STACK, 63, 3);
	put_route_to(fixture, PODS, "fd08:0:0:3::", 64, VD_ROUTE_TYPE_STACK, 63, 3);
	put_route_to(fixture, PODS, "0.0.0.0", 0, VD_ROUTE_TYPE_STACK, 0, 0);
	put_route_to(fixture, PODS, "::", 0, VD_ROUTE_TYPE_STACK, 0, 0);
}

int containers_setup(void **state)
{
	struct containers *containers = calloc(1, sizeof(*containers));
	void *fixture = NULL;

	if (!containers || fixture_setup(&fixture))
		return -1;
	containers->fixture = fixture;
	containers->host = if_nametoindex("host");
	containers->k = if_nametoindex("k");
	containers->l = if_nametoindex("l");
	put_network(fixture, containers->host);
	put_container(fixture, CONTAINER_K, containers->k, MAC_K, "10.8.1.2", "fd08:0:0:1::2");
	put_container(fixture, CONTAINER_L, containers->l, MAC_L, "10.8.1.3", "fd08:0:0:1::3");
	*state = containers;
	return 0;
}

int containers_teardown(void **state)
{
	struct containers *containers = *state;
	void *fixture = containers->fixture;
	int r = fixture_teardown(&fixture);

	free(containers);
	return r;
}

int containers_enter(void)
{
	int error = fixture_enter();

	if (error)
		return error;
	return system("for link in host k l; do ip link add name $link type veth peer name peer-$link && ip link set dev $link up "
		      "&& "
		      "ip link set dev peer-$link up || exit 1; done")
		       ? 1
		       : 0;
}

struct vd_flow assert_crosses(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec,
			      const char *source_mac, const char *destination_mac, uint8_t ttl)
{
	struct vd_flow flow = {};
	struct packet packet;
	uint64_t hits = read_hits(fixture);

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		if (type == VD_INGRESS_PORT)
			assert_int_equal(run_port(fixture, ingress, &packet), VERDICT_REDIRECT);
		else
			assert_int_equal(run_tunnel(fixture, ingress, HOST2, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, source_mac, destination_mac));
		assert_int_equal(packet_ttl(&fixture->out), ttl);
		assert_true(packet_checksums_hold(&fixture->out));
	}
	assert_true(read_hits(fixture) > hits);
	assert_true(find_flow(fixture, type, ingress, spec, &flow));
	return flow;
}
