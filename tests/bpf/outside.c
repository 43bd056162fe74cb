// SPDX-License-Identifier: Apache-2.0
#include "outside.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

struct viaduct_bpf *bpf_of(struct provider *provider)
{
	return provider->fixture->bpf;
}

union vd_addr address_of(const char *text)
{
	union vd_addr address;

	text_to_address(text, address.byte);
	return address;
}

void set_deadline(struct provider *provider, uint64_t deadline)
{
	uint32_t zero = 0;

	PUT(bpf_of(provider)->maps.vd_deadline, zero, deadline);
}

void put_exit(struct provider *provider, uint32_t exit, uint32_t flags, uint32_t host)
{
	struct vd_exit_key key = {.domain = RED, .exit = exit};
	struct vd_exit_value value = {.network = NETWORK, .flags = flags, .host = host};

	value.vip4 = address_of(VIP).word[0];
	value.vip6 = address_of(VIP6);
	PUT(bpf_of(provider)->maps.vd_exit, key, value);
	bump(provider->fixture, vd_slot_domain(RED));
}

void put_exit_route(struct provider *provider, const char *prefix, uint8_t length, uint32_t exit)
{
	struct vd_route_value value = {.type = VD_ROUTE_TYPE_EXIT, .exit = exit, .is_default = !length};
	struct vd_route4_key key4 = {.prefix_length = 64 + length, .domain = RED};
	struct vd_route6_key key6 = {.prefix_length = 64 + length, .domain = RED};

	if (text_to_address(prefix, key6.address.byte) == 4) {
		key4.address = key6.address.word[0];
		PUT(bpf_of(provider)->maps.vd_route4, key4, value);
	} else {
		PUT(bpf_of(provider)->maps.vd_route6, key6, value);
	}
}

static void put_vip_of(struct provider *provider, uint32_t network, const char *address, struct vd_vip_value value)
{
	struct vd_vip_key key = {.network = network, .address = address_of(address)};

	value.id = 900;
	PUT(bpf_of(provider)->maps.vd_vip, key, value);
	bump(provider->fixture, vd_slot_vip(network, &key.address));
}

void put_vip(struct provider *provider, const char *address, struct vd_vip_value value)
{
	if (!value.domain)
		value.domain = RED;
	value.flags |= VD_VIP_FLAG_HERE;
	put_vip_of(provider, NETWORK, address, value);
}

void put_elastic(struct provider *provider, const struct elastic *elastic)
{
	struct vd_elastic_key key = {.domain = elastic->domain, .inner = address_of(elastic->inner)};
	struct vd_elastic_value value = {.network = elastic->network, .host = elastic->host, .vip = address_of(elastic->address)};
	struct vd_vip_value vip = {.domain = elastic->domain,
				   .type = VD_VIP_TYPE_ELASTIC,
				   .host = elastic->host,
				   .flags = elastic->host ? 0 : VD_VIP_FLAG_HERE,
				   .inner = key.inner};

	put_vip_of(provider, elastic->network, elastic->address, vip);
	PUT(bpf_of(provider)->maps.vd_elastic, key, value);
	key.network = elastic->network;
	PUT(bpf_of(provider)->maps.vd_elastic, key, value);
	bump(provider->fixture, endpoint_slot(elastic->domain, elastic->inner));
}

void delete_elastic(struct provider *provider, const struct elastic *elastic)
{
	struct vd_elastic_key key = {.domain = elastic->domain, .inner = address_of(elastic->inner)};
	struct vd_vip_key vip = {.network = elastic->network, .address = address_of(elastic->address)};

	bpf_map__delete_elem(bpf_of(provider)->maps.vd_elastic, &key, sizeof(key), 0);
	key.network = elastic->network;
	bpf_map__delete_elem(bpf_of(provider)->maps.vd_elastic, &key, sizeof(key), 0);
	bpf_map__delete_elem(bpf_of(provider)->maps.vd_vip, &vip, sizeof(vip), 0);
	bump(provider->fixture, vd_slot_vip(elastic->network, &vip.address));
	bump(provider->fixture, endpoint_slot(elastic->domain, elastic->inner));
}

void bind_elastic(struct provider *provider, const char *elastic, const char *inner)
{
	put_elastic(provider, &(struct elastic){.domain = RED, .network = NETWORK, .address = elastic, .inner = inner});
}

void put_forward(struct provider *provider, uint16_t port, uint8_t length, const char *inner, uint16_t to_port, const char *allowed,
		 uint8_t allowed_length)
{
	struct vd_forward_key key = {.network = NETWORK, .protocol = IPPROTO_TCP, .length = length, .port = port};
	struct vd_forward_value value = {.id = 700, .port_id = PORT_B, .to_port = to_port, .allowed_length = allowed_length};
	const char *vip = text_to_address(inner, value.inner.byte) == 4 ? VIP : VIP6;

	key.vip = address_of(vip);
	value.allowed = address_of(allowed);
	PUT(bpf_of(provider)->maps.vd_forward, key, value);
	put_vip(provider, vip,
		(struct vd_vip_value){
			.type = VD_VIP_TYPE_ROUTER, .flags = VD_VIP_FLAG_SYSTEM, .forward_lengths_tcp = 1 << 16 | 1 << 14});
}

int outside_setup(void **state)
{
	struct provider *provider;

	if (provider_setup(state))
		return -1;
	provider = *state;
	change_port_flags(provider->fixture, provider->fixture->ifindex_a, VD_PORT_FLAG_SNAT, 0);
	change_port_flags(provider->fixture, provider->fixture->ifindex_b, VD_PORT_FLAG_SNAT, 0);
	set_deadline(provider, ~0ULL);
	put_exit(provider, NETWORK, VD_EXIT_FLAG_HERE | VD_EXIT_FLAG_TRANSLATE, 0);
	put_exit_route(provider, "0.0.0.0", 0, NETWORK);
	put_exit_route(provider, "::", 0, NETWORK);
	put_vip(provider, VIP, (struct vd_vip_value){.type = VD_VIP_TYPE_ROUTER, .flags = VD_VIP_FLAG_SYSTEM});
	put_vip(provider, VIP6, (struct vd_vip_value){.type = VD_VIP_TYPE_ROUTER, .flags = VD_VIP_FLAG_SYSTEM});
	put_neighbour(provider, NETWORK, "203.0.113.1", MAC_OUTSIDE);
	put_neighbour(provider, NETWORK, "2001:db8:1::1", MAC_OUTSIDE);
	return 0;
}

uint16_t source_port(const struct packet *packet, uint8_t protocol)
{
	const uint8_t *at = packet->data + packet->l4 + (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? 4 : 0);

	return (uint16_t)(at[0] << 8 | at[1]);
}

uint16_t destination_port(const struct packet *packet)
{
	return (uint16_t)(packet->data[packet->l4 + 2] << 8 | packet->data[packet->l4 + 3]);
}

struct packet_spec out_spec(uint8_t protocol, uint16_t port)
{
	bool is_icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	bool is_6 = protocol == IPPROTO_ICMPV6;

	return (struct packet_spec){.source_mac = MAC_A,
				    .source = is_6 ? "fd00:0:0:a::2" : "10.0.0.2",
				    .destination = is_6 ? OUTSIDE6 : OUTSIDE,
				    .protocol = protocol,
				    .source_port = port,
				    .destination_port = !is_icmp ? 53
							: is_6   ? 128 << 8
								 : 8 << 8,
				    .payload = 21};
}

struct packet_spec in_spec(const struct packet_spec *spec, const char *vip, uint16_t port)
{
	bool is_icmp = spec->protocol == IPPROTO_ICMP || spec->protocol == IPPROTO_ICMPV6;
	struct packet_spec reply = {.source_mac = MAC_OUTSIDE,
				    .destination_mac = MAC_UPLINK,
				    .source = spec->destination,
				    .destination = vip,
				    .protocol = spec->protocol,
				    .source_port = is_icmp ? port : spec->destination_port,
				    .destination_port = port,
				    .payload = 13};

	if (is_icmp)
		reply.destination_port = spec->protocol == IPPROTO_ICMP ? 0 : 129 << 8;
	return reply;
}

uint16_t assert_leaves(struct provider *provider, const struct packet_spec *spec, const char *vip)
{
	struct fixture *fixture = provider->fixture;
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, vip));
	assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
	assert_true(packet_checksums_hold(&fixture->out));
	assert_int_equal(packet_ttl(&fixture->out), 63);
	return source_port(&fixture->out, spec->protocol);
}

void assert_comes_in(struct provider *provider, const struct packet_spec *spec, const char *inner, const char *mac)
{
	struct fixture *fixture = provider->fixture;
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_destination(&fixture->out, inner));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, mac));
	assert_true(packet_checksums_hold(&fixture->out));
	assert_int_equal(packet_ttl(&fixture->out), 63);
}
