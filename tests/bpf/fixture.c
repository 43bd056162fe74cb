// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tunnel.skel.h"
#include "viaduct.skel.h"

/* Without memory at this moment; it is back at the next (src/datapath/memory.h). */
#define MEMORY_TRIES 1000

void put_element(struct bpf_map *map, const void *key, size_t key_size, const void *value, size_t value_size)
{
	int r = -ENOMEM;

	for (unsigned i = 0; r == -ENOMEM && i < MEMORY_TRIES; i++) {
		if (i)
			usleep(1000);
		r = bpf_map__update_elem(map, key, key_size, value, value_size, BPF_ANY);
	}
	assert_int_equal(r, 0);
}

static void put_domain(struct fixture *fixture, uint32_t domain, uint32_t vni, uint32_t service_ifindex)
{
	struct vd_domain_value value = {
		.vni = vni, .mtu = MTU, .service_ifindex = service_ifindex, .service_port_id = service_ifindex ? PORT_SERVICE : 0};
	struct vd_segment_value segment = {.domain = domain};
	struct vd_share_value share = {.limit = 1000};

	PUT(fixture->bpf->maps.vd_domain, domain, value);
	PUT(fixture->bpf->maps.vd_segment, vni, segment);
	PUT(fixture->bpf->maps.vd_share, domain, share);
}

static void put_subnet(struct fixture *fixture, uint32_t domain, uint32_t subnet, uint32_t vni, const char *gateway4,
		       const char *gateway6)
{
	struct vd_endpoint_value gateway = {.subnet = subnet, .mac = VD_GATEWAY_MAC, .place = VD_ENDPOINT_PLACE_GATEWAY};
	struct vd_subnet_value value = {.domain = domain, .vni = vni};
	struct vd_segment_value segment = {.domain = domain, .subnet = subnet};
	uint8_t address[16];

	text_to_address(gateway4, address);
	memcpy(&value.gateway4, address, 4);
	text_to_address(gateway6, value.gateway6.byte);
	PUT(fixture->bpf->maps.vd_subnet, subnet, value);
	PUT(fixture->bpf->maps.vd_segment, vni, segment);
	put_endpoint(fixture, domain, gateway4, &gateway);
	put_endpoint(fixture, domain, gateway6, &gateway);
}

static void put_instance(struct fixture *fixture, uint32_t domain, uint32_t subnet, uint32_t port, uint32_t ifindex,
			 const char *mac, const char *address4, const char *address6)
{
	struct vd_endpoint_value endpoint = {
		.port_id = port, .subnet = subnet, .ifindex = ifindex, .place = VD_ENDPOINT_PLACE_HERE};
	struct vd_port_value value = {
		.id = port, .domain = domain, .subnet = subnet, .mtu = MTU, .flags = VD_PORT_FLAG_SOURCE_CHECK};
	struct vd_mac_key mac_key = {.domain = domain};
	struct vd_mac_value mac_value = {.ifindex = ifindex, .port_id = port};

	text_to_mac(mac, endpoint.mac);
	text_to_mac(mac, value.mac);
	text_to_mac(mac, mac_key.mac);
	if (ifindex) {
		PUT(fixture->bpf->maps.vd_port, ifindex, value);
		PUT(fixture->bpf->maps.vd_mac, mac_key, mac_value);
	} else {
		endpoint.place = VD_ENDPOINT_PLACE_HOST;
		endpoint.host = 2;
	}
	put_endpoint(fixture, domain, address4, &endpoint);
	put_endpoint(fixture, domain, address6, &endpoint);
}

static void put_topology(struct fixture *fixture)
{
	struct vd_port_value service = {
		.id = PORT_SERVICE, .domain = RED, .mtu = MTU, .mac = VD_GATEWAY_MAC, .flags = VD_PORT_FLAG_SERVICE};
	struct vd_host_value host = {.family = 4};
	uint32_t host_id = 2, one = 1, fold;

	put_domain(fixture, RED, 100, fixture->ifindex_service);
	put_domain(fixture, BLUE, 200, 0);
	PUT(fixture->bpf->maps.vd_port, fixture->ifindex_service, service);
	put_subnet(fixture, RED, 10, 1010, "10.0.0.1", "fd00:0:0:a::1");
	put_subnet(fixture, RED, 11, 1011, "10.0.1.1", "fd00:0:0:b::1");
	put_subnet(fixture, BLUE, 12, 1012, "10.0.0.1", "fd00:0:0:a::1");
	put_instance(fixture, RED, 10, PORT_A, fixture->ifindex_a, MAC_A, "10.0.0.2", "fd00:0:0:a::2");
	put_instance(fixture, RED, 10, PORT_B, fixture->ifindex_b, MAC_B, "10.0.0.3", "fd00:0:0:a::3");
	put_instance(fixture, RED, 11, PORT_C, fixture->ifindex_c, MAC_C, "10.0.1.2", "fd00:0:0:b::2");
	put_instance(fixture, RED, 10, PORT_D, 0, MAC_D, "10.0.0.4", "fd00:0:0:a::4");
	put_instance(fixture, RED, 11, PORT_E, 0, MAC_E, "10.0.1.4", "fd00:0:0:b::4");
	put_instance(fixture, BLUE, 12, PORT_X, fixture->ifindex_x, MAC_X, "10.0.0.2", "fd00:0:0:a::2");
	text_to_address("192.0.2.2", host.vtep.byte);
	fold = vd_vtep_fold(&host.vtep);
	PUT(fixture->bpf->maps.vd_host, host_id, host);
	PUT(fixture->bpf->maps.vd_vtep, fold, one);
	put_route(fixture, RED, "10.0.0.0", 16, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(fixture, RED, "fd00::", 32, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(fixture, BLUE, "10.0.0.0", 16, VD_ROUTE_TYPE_LOCAL, 0, NULL);
	put_route(fixture, RED, "172.16.0.0", 24, VD_ROUTE_TYPE_NEXT_HOP, 50, "10.0.0.3");
	put_route(fixture, RED, "172.16.1.0", 24, VD_ROUTE_TYPE_NEXT_HOP, 51, "10.0.1.2");
	put_route(fixture, RED, "172.16.2.0", 24, VD_ROUTE_TYPE_BLACKHOLE, 52, NULL);
	put_route(fixture, RED, "172.16.3.0", 24, VD_ROUTE_TYPE_UNUSABLE, 53, NULL);
	put_route(fixture, RED, "172.16.4.0", 24, VD_ROUTE_TYPE_NEXT_HOP, 54, "10.0.0.4");
	put_route(fixture, RED, "fd01::", 64, VD_ROUTE_TYPE_NEXT_HOP, 55, "fd00:0:0:a::3");
}

/* Always the same one (Knuth's MMIX generator): of those that a loader draws, one in thirty has 64 flows overflow one of nine buckets. */
static void put_seed(struct fixture *fixture)
{
	struct vd_flow_head head = {};
	uint64_t random = 0;
	uint32_t zero = 0;

	for (unsigned i = 0; i < VD_FLOW_KEY_WORDS + 1; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		head.seed[i] = random;
	}
	PUT(fixture->bpf->maps.vd_flow_head, zero, head);
}

static void put_programs(struct fixture *fixture)
{
	uint32_t decide = VD_PROGRAM_DECIDE, neighbour = VD_PROGRAM_NEIGHBOUR, uplink = VD_PROGRAM_UPLINK, zero = 0;
	int fd = bpf_program__fd(fixture->bpf->progs.vd_decide);

	PUT(fixture->bpf->maps.vd_programs, decide, fd);
	fd = bpf_program__fd(fixture->bpf->progs.vd_answer);
	PUT(fixture->bpf->maps.vd_programs, neighbour, fd);
	fd = bpf_program__fd(fixture->bpf->progs.vd_uplink_decide);
	PUT(fixture->bpf->maps.vd_programs, uplink, fd);
	fd = bpf_program__fd(fixture->bpf->progs.vd_overlay_ingress);
	PUT(fixture->tunnel->maps.next, zero, fd);
}

uint32_t fixture_flow_slots = 4096;

/* The real sizes would make every test wait for memory. */
static void shrink_maps(struct fixture *fixture)
{
	struct vd_flow_size size = vd_flow_size_of(fixture_flow_slots);
	struct bpf_map *map;

	bpf_object__for_each_map(map, fixture->bpf->obj)
	{
		if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF && bpf_map__max_entries(map) > 4096)
			bpf_map__set_max_entries(map, map == fixture->bpf->maps.vd_nat4 ? 65536 : 4096); /* all ports */
	}
	bpf_map__set_max_entries(fixture->bpf->maps.vd_flow4, size.slots);
	bpf_map__set_max_entries(fixture->bpf->maps.vd_flow6, size.slots);
	bpf_map__set_max_entries(fixture->bpf->maps.vd_flow4_index, size.buckets);
	bpf_map__set_max_entries(fixture->bpf->maps.vd_flow6_index, size.buckets);
	fixture->bpf->rodata->vd_flow4_size = fixture->bpf->rodata->vd_flow6_size = size;
}

/* What a test's packets left behind. The size of a value may be that of all CPUs. */
static void empty_array(struct bpf_map *map)
{
	bool is_percpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
	size_t size =
		is_percpu ? (size_t)libbpf_num_possible_cpus() * ((bpf_map__value_size(map) + 7) & ~7U) : bpf_map__value_size(map);
	void *zero = calloc(1, size);

	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++)
		assert_int_equal(bpf_map__update_elem(map, &i, sizeof(i), zero, size, BPF_ANY), 0);
	free(zero);
}

static void empty_table(struct bpf_map *map)
{
	uint8_t key[512];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

static void empty_queue(struct bpf_map *map)
{
	uint8_t value[512];

	while (bpf_map_lookup_and_delete_elem(bpf_map__fd(map), NULL, value) == 0)
		;
}

static int let_pass(void *context, void *data, size_t size)
{
	return 0;
}

static void empty_ring(struct bpf_map *map)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), let_pass, NULL, NULL);

	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
}

static void empty_maps(const struct viaduct_bpf *bpf)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, bpf->obj)
	{
		assert_true(bpf_map__key_size(map) <= 512 && (bpf_map__key_size(map) || bpf_map__value_size(map) <= 512));
		if (bpf_map__is_internal(map))
			continue;
		switch ((int)bpf_map__type(map)) {
		case BPF_MAP_TYPE_ARRAY:
		case BPF_MAP_TYPE_PERCPU_ARRAY:
			empty_array(map);
			break;
		case BPF_MAP_TYPE_QUEUE:
			empty_queue(map);
			break;
		case BPF_MAP_TYPE_RINGBUF:
			empty_ring(map);
			break;
		case BPF_MAP_TYPE_PROG_ARRAY:
		case BPF_MAP_TYPE_ARRAY_OF_MAPS: /* of the build before: there is none here */
			break;
		default:
			empty_table(map);
		}
	}
}

/* The verifier takes a quarter of a second over the object: the tests of a program share it, and each finds its maps empty. */
static struct viaduct_bpf *loaded;

static bool load(struct fixture *fixture)
{
	fixture->bpf = loaded;
	if (loaded) {
		empty_maps(loaded);
		return true;
	}
	fixture->bpf = viaduct_bpf__open();
	if (!fixture->bpf)
		return false;
	shrink_maps(fixture);
	fixture->bpf->rodata->vd_overlay_ifindex = fixture->ifindex_overlay;
	if (viaduct_bpf__load(fixture->bpf))
		return false;
	loaded = fixture->bpf;
	return true;
}

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->ifindex_service = if_nametoindex("service");
	fixture->ifindex_a = if_nametoindex("a");
	fixture->ifindex_b = if_nametoindex("b");
	fixture->ifindex_c = if_nametoindex("c");
	fixture->ifindex_x = if_nametoindex("x");
	fixture->ifindex_overlay = if_nametoindex("overlay");
	fixture->tunnel = tunnel_bpf__open_and_load();
	if (!load(fixture) || !fixture->tunnel)
		return -1;
	put_programs(fixture);
	put_seed(fixture);
	put_topology(fixture);
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	tunnel_bpf__destroy(fixture->tunnel);
	free(fixture);
	return 0;
}

int fixture_enter(void)
{
	if (geteuid() != 0)
		return 77;
	if (unshare(CLONE_NEWNET))
		return 1;
	/* The peers stay here: nothing is ever sent, the verdict is what counts. */
	return system("for link in service a b c x overlay; do "
		      "ip link add name $link type veth peer name peer-$link && ip link set dev $link up && ip link set dev "
		      "peer-$link up || exit 1; done")
		       ? 1
		       : 0;
}

void start_expiry(struct fixture *fixture)
{
	uint8_t data[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data, .data_size_in = sizeof(data), .repeat = 1);

	options.retval = ENOMEM;
	for (unsigned i = 0; options.retval == ENOMEM && i < MEMORY_TRIES; i++) {
		if (i)
			usleep(1000);
		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(fixture->bpf->progs.vd_expire_start), &options), 0);
	}
	assert_int_equal(options.retval, 0);
}

int run_program(struct fixture *fixture, int program, uint32_t ifindex, const struct packet *packet)
{
	struct __sk_buff context = {.ifindex = ifindex, .gso_size = fixture->gso_size};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->size,
		    .data_out = fixture->out.data, .data_size_out = sizeof(fixture->out.data), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	memset(&fixture->out, 0, sizeof(fixture->out));
	assert_int_equal(bpf_prog_test_run_opts(program, &options), 0);
	fixture->out.size = options.data_size_out;
	fixture->out.l4 = packet->l4;
	return options.retval;
}

int run_port(struct fixture *fixture, uint32_t ifindex, const struct packet *packet)
{
	return run_program(fixture, bpf_program__fd(fixture->bpf->progs.vd_port_ingress), ifindex, packet);
}

int run_tunnel(struct fixture *fixture, uint32_t vni, const char *vtep, const struct packet *packet)
{
	uint8_t address[16];

	fixture->tunnel->bss->vni = vni;
	fixture->tunnel->bss->sender = 0;
	if (text_to_address(vtep, address) == 4)
		fixture->tunnel->bss->sender = (uint32_t)address[0] << 24 | address[1] << 16 | address[2] << 8 | address[3];
	else
		memcpy(fixture->tunnel->bss->sender6, address, sizeof(address));
	return run_program(fixture, bpf_program__fd(fixture->tunnel->progs.tunnel), fixture->ifindex_overlay, packet);
}

uint64_t new_drops(struct fixture *fixture, enum vd_drop_reason reason)
{
	int cpus = libbpf_num_possible_cpus();
	struct vd_drop_count counts[cpus];
	uint32_t key = reason;
	uint64_t sum = 0, before = fixture->drops[reason];

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_drop_count, &key, sizeof(key), counts, sizeof(counts), 0), 0);
	for (int i = 0; i < cpus; i++)
		sum += counts[i].packets;
	fixture->drops[reason] = sum;
	return sum - before;
}

void assert_dropped(struct fixture *fixture, uint32_t ifindex, const struct packet *packet, enum vd_drop_reason reason)
{
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		new_drops(fixture, i);
	assert_int_equal(run_port(fixture, ifindex, packet), VERDICT_DROP);
	for (int i = 0; i < VD_DROP_REASON_COUNT; i++)
		assert_int_equal(new_drops(fixture, i) ? i : -1, i == (int)reason ? i : -1);
}

static uint64_t read_counter(struct fixture *fixture, size_t offset)
{
	int cpus = libbpf_num_possible_cpus();
	struct vd_counters counters[cpus];
	uint32_t zero = 0;
	uint64_t sum = 0;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_counters, &zero, sizeof(zero), counters, sizeof(counters), 0),
			 0);
	for (int i = 0; i < cpus; i++)
		sum += *(uint64_t *)((char *)&counters[i] + offset);
	return sum;
}

uint64_t read_hits(struct fixture *fixture)
{
	return read_counter(fixture, offsetof(struct vd_counters, hits));
}

uint64_t read_misses(struct fixture *fixture)
{
	return read_counter(fixture, offsetof(struct vd_counters, misses));
}

bool find_flow_of(struct fixture *fixture, unsigned family, const void *key, struct vd_flow *ret)
{
	struct bpf_map *map = family == 4 ? fixture->bpf->maps.vd_flow4 : fixture->bpf->maps.vd_flow6;
	size_t size = family == 4 ? sizeof(struct vd_flow4_key) : sizeof(struct vd_flow6_key);
	struct vd_flow_slot slot;

	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++) {
		assert_int_equal(bpf_map__lookup_elem(map, &i, sizeof(i), &slot, sizeof(slot), 0), 0);
		assert_int_equal(slot.sequence & 1, 0);
		if (slot.sequence && !memcmp(slot.key, key, size)) {
			*ret = slot.flow;
			return true;
		}
	}
	return false;
}

void age_flows(struct fixture *fixture)
{
	struct bpf_map *maps[] = {fixture->bpf->maps.vd_flow4, fixture->bpf->maps.vd_flow6};
	struct vd_flow_slot slot;

	for (unsigned i = 0; i < 2; i++)
		for (uint32_t index = 0; index < bpf_map__max_entries(maps[i]); index++) {
			assert_int_equal(bpf_map__lookup_elem(maps[i], &index, sizeof(index), &slot, sizeof(slot), 0), 0);
			if (!slot.sequence)
				continue;
			slot.flow.touched -= 120000000000ULL; /* also of a machine that was just started */
			PUT(maps[i], index, slot);
		}
}

bool find_flow(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec, struct vd_flow *ret)
{
	struct vd_flow4_key key4 = {.ingress = ingress, .ingress_type = type, .protocol = spec->protocol};
	struct vd_flow6_key key6 = {.ingress = ingress, .ingress_type = type, .protocol = spec->protocol};
	uint8_t address[16];

	if (text_to_address(spec->source, address) == 4) {
		memcpy(&key4.source, address, 4);
		text_to_address(spec->destination, address);
		memcpy(&key4.destination, address, 4);
		key4.source_port = htons(spec->source_port);
		key4.destination_port = htons(spec->destination_port);
		return find_flow_of(fixture, 4, &key4, ret);
	}
	text_to_address(spec->source, key6.source.byte);
	text_to_address(spec->destination, key6.destination.byte);
	key6.source_port = htons(spec->source_port);
	key6.destination_port = htons(spec->destination_port);
	return find_flow_of(fixture, 6, &key6, ret);
}

void assert_output(struct fixture *fixture, enum vd_ingress type, uint32_t ingress, const struct packet_spec *spec,
		   uint32_t ifindex)
{
	struct vd_flow flow;

	assert_true(find_flow(fixture, type, ingress, spec, &flow));
	assert_int_equal(flow.output_ifindex, ifindex);
}

static bool is_high(const uint8_t *source, const uint8_t *destination, size_t size, uint16_t source_port, uint16_t destination_port)
{
	int order = memcmp(source, destination, size);

	return order ? order > 0 : source_port > destination_port;
}

bool find_connection(struct fixture *fixture, uint32_t domain, const struct packet_spec *spec, struct vd_connection *ret)
{
	struct vd_connection4_key key4 = {.domain = domain, .protocol = spec->protocol};
	struct vd_connection6_key key6 = {.domain = domain, .protocol = spec->protocol};
	bool is_icmp = spec->protocol == IPPROTO_ICMP || spec->protocol == IPPROTO_ICMPV6;
	uint16_t source_port = spec->source_port, destination_port = is_icmp ? spec->source_port : spec->destination_port;
	uint8_t source[16], destination[16];
	bool ipv4 = text_to_address(spec->source, source) == 4, high;

	text_to_address(spec->destination, destination);
	high = is_high(source, destination, sizeof(source), source_port, destination_port);
	if (ipv4) {
		memcpy(&key4.low, high ? destination : source, 4);
		memcpy(&key4.high, high ? source : destination, 4);
		key4.low_port = htons(high ? destination_port : source_port);
		key4.high_port = htons(high ? source_port : destination_port);
		return bpf_map__lookup_elem(fixture->bpf->maps.vd_conn4, &key4, sizeof(key4), ret, sizeof(*ret), 0) == 0;
	}
	memcpy(&key6.low, high ? destination : source, 16);
	memcpy(&key6.high, high ? source : destination, 16);
	key6.low_port = htons(high ? destination_port : source_port);
	key6.high_port = htons(high ? source_port : destination_port);
	return bpf_map__lookup_elem(fixture->bpf->maps.vd_conn6, &key6, sizeof(key6), ret, sizeof(*ret), 0) == 0;
}

void put_endpoint(struct fixture *fixture, uint32_t domain, const char *address, const struct vd_endpoint_value *value)
{
	struct vd_endpoint4_key key4 = {.domain = domain};
	struct vd_endpoint6_key key6 = {.domain = domain};

	if (text_to_address(address, key6.address.byte) == 4) {
		key4.address = key6.address.word[0];
		PUT(fixture->bpf->maps.vd_endpoint4, key4, *value);
	} else {
		PUT(fixture->bpf->maps.vd_endpoint6, key6, *value);
	}
}

void delete_endpoint(struct fixture *fixture, uint32_t domain, const char *address)
{
	struct vd_endpoint4_key key = {.domain = domain};
	uint8_t bytes[16];

	assert_int_equal(text_to_address(address, bytes), 4);
	memcpy(&key.address, bytes, 4);
	assert_int_equal(bpf_map__delete_elem(fixture->bpf->maps.vd_endpoint4, &key, sizeof(key), 0), 0);
}

void put_route(struct fixture *fixture, uint32_t domain, const char *prefix, uint8_t length, uint8_t type, uint32_t id,
	       const char *next_hop)
{
	struct vd_route_value value = {.id = id, .type = type, .is_default = !length};
	struct vd_route4_key key4 = {.prefix_length = 64 + length, .domain = domain};
	struct vd_route6_key key6 = {.prefix_length = 64 + length, .domain = domain};

	if (next_hop)
		text_to_address(next_hop, value.next_hop.byte);
	if (text_to_address(prefix, key6.address.byte) == 4) {
		key4.address = key6.address.word[0];
		PUT(fixture->bpf->maps.vd_route4, key4, value);
	} else {
		PUT(fixture->bpf->maps.vd_route6, key6, value);
	}
}

void open_source(struct fixture *fixture, uint32_t port, const char *prefix, uint8_t length)
{
	struct vd_source4_key key = {.prefix_length = 32 + length, .port_id = port};
	uint8_t address[16];
	uint32_t one = 1;

	assert_int_equal(text_to_address(prefix, address), 4);
	memcpy(&key.address, address, 4);
	PUT(fixture->bpf->maps.vd_source4, key, one);
	bump(fixture, vd_slot_port(port));
}

void change_port_flags(struct fixture *fixture, uint32_t ifindex, uint16_t set, uint16_t clear)
{
	struct vd_port_value value;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_port, &ifindex, sizeof(ifindex), &value, sizeof(value), 0), 0);
	value.flags = (value.flags & ~clear) | set;
	PUT(fixture->bpf->maps.vd_port, ifindex, value);
	bump(fixture, vd_slot_port(value.id));
}

void set_service(struct fixture *fixture, uint32_t domain, uint32_t ifindex)
{
	struct vd_domain_value value;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_domain, &domain, sizeof(domain), &value, sizeof(value), 0), 0);
	value.service_ifindex = ifindex;
	PUT(fixture->bpf->maps.vd_domain, domain, value);
	bump(fixture, vd_slot_domain(domain));
}

void bump(struct fixture *fixture, uint32_t slot)
{
	static struct vd_generations generations;
	uint32_t zero = 0;

	assert_int_equal(
		bpf_map__lookup_elem(fixture->bpf->maps.vd_generation, &zero, sizeof(zero), &generations, sizeof(generations), 0),
		0);
	generations.value[slot]++;
	PUT(fixture->bpf->maps.vd_generation, zero, generations);
}

uint32_t endpoint_slot(uint32_t domain, const char *address)
{
	union vd_addr bytes;

	text_to_address(address, bytes.byte);
	return vd_slot_endpoint(domain, &bytes);
}

static int count_sample(void *context, void *data, size_t size)
{
	struct sample_counter *counter = context;

	counter->count++;
	counter->last = *(const struct vd_drop_event *)data;
	return size < sizeof(struct vd_drop_event) ? -EINVAL : 0;
}

size_t count_drop_samples(struct fixture *fixture)
{
	struct ring_buffer *ring;

	fixture->samples.count = 0;
	ring = ring_buffer__new(bpf_map__fd(fixture->bpf->maps.vd_drop_events), count_sample, &fixture->samples, NULL);
	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
	return fixture->samples.count;
}
