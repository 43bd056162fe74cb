// SPDX-License-Identifier: Apache-2.0
#include "provider.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "tag.skel.h"
#include "viaduct.skel.h"

static void put_network(struct provider *provider, uint32_t network, uint16_t vlan, bool has_instances)
{
	struct viaduct_bpf *bpf = provider->fixture->bpf;
	struct vd_network_value value = {.ifindex = provider->uplink, .mtu = 1500, .vlan = vlan};
	struct vd_uplink_key key = {.ifindex = provider->uplink, .vlan = vlan};
	struct vd_uplink_value segment = {.network = network, .domain = network, .subnet = has_instances ? network : 0};

	text_to_mac(MAC_UPLINK, value.mac);
	PUT(bpf->maps.vd_network, network, value);
	PUT(bpf->maps.vd_uplink, key, segment);
}

static void put_vip(struct provider *provider, uint32_t network, const char *address, const char *far_mac)
{
	struct vd_vip_key key = {.network = network};
	struct vd_vip_value value = {.id = 900, .type = VD_VIP_TYPE_ROUTER, .flags = far_mac ? 0 : VD_VIP_FLAG_HERE};

	text_to_address(address, key.address.byte);
	if (far_mac)
		text_to_mac(far_mac, value.mac);
	PUT(provider->fixture->bpf->maps.vd_vip, key, value);
}

static void put_segment(struct provider *provider, uint32_t domain, uint32_t subnet, uint16_t vlan, uint16_t flags,
			const char *gateway4, const char *gateway6)
{
	struct vd_subnet_value value = {
		.domain = domain, .uplink_ifindex = provider->uplink, .vlan = vlan, .flags = VD_SUBNET_FLAG_BRIDGED | flags};
	union vd_addr address;

	text_to_address(gateway4, address.byte);
	value.gateway4 = address.word[0];
	text_to_address(gateway6, value.gateway6.byte);
	PUT(provider->fixture->bpf->maps.vd_subnet, subnet, value);
}

static void put_port(struct provider *provider, uint32_t domain, uint32_t subnet, uint32_t port, uint32_t ifindex, const char *mac,
		     const char *address4, const char *address6)
{
	struct vd_endpoint_value endpoint = {.port_id = port,
					     .subnet = subnet,
					     .ifindex = ifindex,
					     .place = ifindex ? VD_ENDPOINT_PLACE_HERE : VD_ENDPOINT_PLACE_HOST,
					     .host = ifindex ? 0 : 2,
					     .flags = VD_PORT_FLAG_TAP};
	struct vd_port_value value = {
		.id = port, .domain = domain, .subnet = subnet, .mtu = 1500, .flags = VD_PORT_FLAG_SOURCE_CHECK | VD_PORT_FLAG_TAP};
	struct vd_mac_key key = {.domain = domain};
	struct vd_mac_value found = {.ifindex = ifindex, .port_id = port};

	text_to_mac(mac, endpoint.mac);
	text_to_mac(mac, value.mac);
	text_to_mac(mac, key.mac);
	if (ifindex) {
		PUT(provider->fixture->bpf->maps.vd_port, ifindex, value);
		PUT(provider->fixture->bpf->maps.vd_mac, key, found);
	}
	put_endpoint(provider->fixture, domain, address4, &endpoint);
	put_endpoint(provider->fixture, domain, address6, &endpoint);
}

void put_neighbour(struct provider *provider, uint32_t network, const char *address, const char *mac)
{
	struct vd_neighbour_key key = {.network = network};
	struct vd_neighbour_value value = {.known = mac ? 1 : 0};

	value.family = text_to_address(address, key.address.byte);
	if (mac)
		text_to_mac(mac, value.mac);
	PUT(provider->fixture->bpf->maps.vd_neighbour, key, value);
}

static void put_topology(struct provider *provider)
{
	struct vd_domain_value domain = {.mtu = 1500};
	struct vd_share_value share = {.limit = 1000};
	uint32_t network = NETWORK;

	put_network(provider, NETWORK, 0, true);
	put_network(provider, NETWORK_TAGGED, VLAN_NETWORK, false);
	PUT(provider->fixture->bpf->maps.vd_domain, network, domain);
	PUT(provider->fixture->bpf->maps.vd_share, network, share);
	put_vip(provider, NETWORK, "203.0.113.10", NULL);
	put_vip(provider, NETWORK, "2001:db8:1::10", NULL);
	put_vip(provider, NETWORK, "203.0.113.11", MAC_FAR);
	put_vip(provider, NETWORK_TAGGED, "198.51.100.10", NULL);
	put_segment(provider, NETWORK, NETWORK, 0, VD_SUBNET_FLAG_NETWORK, "203.0.113.1", "2001:db8:1::1");
	put_port(provider, NETWORK, NETWORK, PORT_F, provider->f, MAC_F, "203.0.113.21", "2001:db8:1::21");
	put_port(provider, NETWORK, NETWORK, PORT_G, provider->g, MAC_G, "203.0.113.22", "2001:db8:1::22");
	put_port(provider, NETWORK, NETWORK, PORT_H, 0, MAC_H, "203.0.113.23", "2001:db8:1::23");
	put_route(provider->fixture, NETWORK, "203.0.113.0", 24, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(provider->fixture, NETWORK, "0.0.0.0", 0, VD_ROUTE_TYPE_NEXT_HOP, 0, "203.0.113.1");
	put_route(provider->fixture, NETWORK, "2001:db8:1::", 64, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(provider->fixture, NETWORK, "::", 0, VD_ROUTE_TYPE_NEXT_HOP, 0, "2001:db8:1::1");
	put_segment(provider, RED, 13, VLAN_SUBNET, 0, "10.0.3.1", "fd00:0:0:d::1");
	put_port(provider, RED, 13, PORT_V, provider->v, MAC_V, "10.0.3.2", "fd00:0:0:d::2");
	put_endpoint(provider->fixture, RED, "10.0.3.1",
		     &(struct vd_endpoint_value){.subnet = 13, .mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY});
	put_neighbour(provider, NETWORK, "203.0.113.1", NULL);
	put_neighbour(provider, NETWORK, "2001:db8:1::1", NULL);
}

static void put_vlan_segment(struct provider *provider)
{
	struct vd_uplink_key key = {.ifindex = provider->uplink, .vlan = VLAN_SUBNET};
	struct vd_uplink_value segment = {.domain = RED, .subnet = 13};

	PUT(provider->fixture->bpf->maps.vd_uplink, key, segment);
}

int provider_setup(void **state)
{
	struct provider *provider = calloc(1, sizeof(*provider));
	uint32_t zero = 0;
	void *fixture;
	int fd;

	if (fixture_setup(&fixture))
		return -1;
	provider->fixture = fixture;
	provider->uplink = if_nametoindex("uplink");
	provider->f = if_nametoindex("f");
	provider->g = if_nametoindex("g");
	provider->v = if_nametoindex("v");
	provider->tag = tag_bpf__open_and_load();
	if (!provider->tag)
		return -1;
	fd = bpf_program__fd(provider->fixture->bpf->progs.vd_uplink_ingress);
	PUT(provider->tag->maps.next, zero, fd);
	put_topology(provider);
	put_vlan_segment(provider);
	*state = provider;
	return 0;
}

int provider_teardown(void **state)
{
	struct provider *provider = *state;
	void *fixture = provider->fixture;

	tag_bpf__destroy(provider->tag);
	free(provider);
	return fixture_teardown(&fixture);
}

int provider_enter(void)
{
	int error = fixture_enter();

	if (error)
		return error;
	return system("for link in uplink f g v; do ip link add name $link type veth peer name peer-$link || exit 1; done && "
		      "ip link set dev uplink address " MAC_UPLINK " && "
		      "for link in uplink f g v; do ip link set dev $link up && ip link set dev peer-$link up || exit 1; done")
		       ? 1
		       : 0;
}

static int run_tagged(struct provider *provider, uint32_t protocol, uint32_t tag, const struct packet *packet)
{
	provider->tag->bss->protocol = protocol;
	provider->tag->bss->tag = tag;
	return run_program(provider->fixture, bpf_program__fd(provider->tag->progs.tag_push), provider->uplink, packet);
}

int run_uplink(struct provider *provider, uint16_t vlan, const struct packet *packet)
{
	if (vlan)
		return run_tagged(provider, 0x8100, vlan, packet);
	return run_program(provider->fixture, bpf_program__fd(provider->fixture->bpf->progs.vd_uplink_ingress), provider->uplink,
			   packet);
}

int run_uplink_service_tagged(struct provider *provider, uint16_t vlan, const struct packet *packet)
{
	return run_tagged(provider, 0x88a8, vlan, packet);
}

void assert_passes(struct provider *provider, uint16_t vlan, const struct packet *packet)
{
	assert_int_equal(run_uplink(provider, vlan, packet), VERDICT_PASS);
	/* Above one test run, a tag stays beside the frame's data: these are the bytes behind it. */
	assert_int_equal(provider->fixture->out.size, packet->size);
	assert_memory_equal(provider->fixture->out.data, packet->data, packet->size);
}

void assert_uplink_drops(struct provider *provider, uint16_t vlan, const struct packet *packet, enum vd_drop_reason reason)
{
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		new_drops(provider->fixture, i);
	assert_int_equal(run_uplink(provider, vlan, packet), VERDICT_DROP);
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		assert_int_equal(new_drops(provider->fixture, i) ? i : -1, i == (int)reason ? i : -1);
}

bool find_uplink_flow(struct provider *provider, uint16_t vlan, const struct packet_spec *spec, struct vd_flow *ret)
{
	struct vd_flow4_key key4 = {.ingress = provider->uplink,
				    .ingress_type = VD_INGRESS_UPLINK,
				    .vlan = vlan,
				    .protocol = spec->protocol,
				    .source_port = htons(spec->source_port),
				    .destination_port = htons(spec->destination_port)};
	union vd_addr address;

	assert_int_equal(text_to_address(spec->source, address.byte), 4);
	key4.source = address.word[0];
	text_to_address(spec->destination, address.byte);
	key4.destination = address.word[0];
	return find_flow_of(provider->fixture, 4, &key4, ret);
}

bool find_neighbour(struct provider *provider, uint32_t network, const char *address, struct vd_neighbour_value *ret)
{
	struct vd_neighbour_key key = {.network = network};

	text_to_address(address, key.address.byte);
	return bpf_map__lookup_elem(provider->fixture->bpf->maps.vd_neighbour, &key, sizeof(key), ret, sizeof(*ret), 0) == 0;
}

uint32_t read_generation(struct provider *provider, uint32_t slot)
{
	static struct vd_generations generations;
	uint32_t zero = 0;

	assert_int_equal(bpf_map__lookup_elem(provider->fixture->bpf->maps.vd_generation, &zero, sizeof(zero), &generations,
					      sizeof(generations), 0),
			 0);
	return generations.value[slot];
}

struct event_counter {
	size_t count, held_count;
	struct vd_neighbour_event last;
	struct vd_neighbour_packet held;
};

static int count_event(void *context, void *data, size_t size)
{
	struct event_counter *counter = context;

	assert_true(size >= sizeof(counter->last));
	counter->count++;
	memcpy(&counter->last, data, sizeof(counter->last));
	if (counter->last.size) {
		assert_true(size >= sizeof(counter->held));
		memcpy(&counter->held, data, sizeof(counter->held));
		counter->held_count++;
	}
	return 0;
}

static void read_neighbour_events(struct provider *provider, struct event_counter *counter)
{
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(provider->fixture->bpf->maps.vd_neighbour_events), count_event, counter, NULL);

	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
}

size_t count_neighbour_events(struct provider *provider, struct vd_neighbour_event *ret)
{
	struct event_counter counter = {0};

	read_neighbour_events(provider, &counter);
	*ret = counter.last;
	return counter.count;
}

size_t take_held_packet(struct provider *provider, struct vd_neighbour_packet *ret)
{
	struct event_counter counter = {0};

	read_neighbour_events(provider, &counter);
	assert_int_equal(counter.held_count, 1);
	*ret = counter.held;
	return counter.count;
}
