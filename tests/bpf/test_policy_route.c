// SPDX-License-Identifier: Apache-2.0
/* R-RTR-9: routes by more than the destination. Without them a's packets to 10.0.1.2 go to c. */
#include "outside.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "viaduct.skel.h"

enum {
	TABLE = 77,
	BY_B = 501,
	BY_D,
};

static struct packet_spec from_a(uint8_t protocol)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = "10.0.0.2",
				    .destination = "10.0.1.2",
				    .protocol = protocol,
				    .source_port = 1000,
				    .destination_port = 2000,
				    .payload = 20};
}

static struct packet_spec from_a6(void)
{
	struct packet_spec spec = from_a(IPPROTO_UDP);

	spec.source = "fd00:0:0:a::2";
	spec.destination = "fd00:0:0:b::2";
	return spec;
}

/* Published as the daemon does: whole, then the domain's generation. */
static void put_routes(struct fixture *fixture, uint32_t table, const struct vd_policy_route *list, uint32_t count)
{
	struct vd_policy_routes_key key = {.domain = RED, .table = table};
	struct vd_policy_routes_value *value = calloc(1, sizeof(*value));

	assert_non_null(value);
	value->count = count;
	memcpy(value->route, list, count * sizeof(*list));
	PUT(fixture->bpf->maps.vd_policy_routes, key, *value);
	free(value);
	bump(fixture, vd_slot_domain(RED));
}

static struct vd_policy_route through(const char *next_hop, uint32_t id)
{
	struct vd_policy_route route = {.id = id, .route = {.id = id, .type = VD_ROUTE_TYPE_NEXT_HOP}};

	text_to_address(next_hop, route.route.next_hop.byte);
	return route;
}

static struct vd_policy_route by_b(void)
{
	return through("10.0.0.3", BY_B);
}

static struct vd_policy_route by_d(void)
{
	return through("10.0.0.4", BY_D);
}

/* To the instance that has mac: by decide, and by the cache. d is on the other host, a tunnel away. */
static void assert_goes(struct fixture *fixture, const struct packet_spec *spec, const char *mac)
{
	struct packet packet;

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, mac));
	}
}

static void assert_drops(struct fixture *fixture, const struct packet_spec *spec, enum vd_drop_reason reason)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, reason);
}

static struct vd_policy_route with_source(struct vd_policy_route route, const char *prefix, uint8_t length)
{
	text_to_address(prefix, route.source.byte);
	route.source_length = length;
	return route;
}

static struct vd_policy_route with_destination(struct vd_policy_route route, const char *prefix, uint8_t length)
{
	text_to_address(prefix, route.destination.byte);
	route.destination_length = length;
	return route;
}

static struct vd_policy_route with_ports(struct vd_policy_route route, uint16_t source_first, uint16_t source_last,
					 uint16_t destination_first, uint16_t destination_last)
{
	route.source_port_first = source_first;
	route.source_port_last = source_last;
	route.destination_port_first = destination_first;
	route.destination_port_last = destination_last;
	return route;
}

static void test_addresses_and_ports_select(void **state)
{
	const struct {
		struct vd_policy_route route;
		bool matches;
	} cases[] = {
		{by_b(), true},
		{with_source(by_b(), "10.0.0.2", 32), true},
		{with_source(by_b(), "10.0.0.0", 24), true},
		{with_source(by_b(), "10.0.0.0", 31), false},
		{with_source(by_b(), "10.0.0.3", 32), false},
		{with_source(by_b(), "10.0.1.0", 24), false},
		{with_destination(by_b(), "10.0.1.0", 24), true},
		{with_destination(by_b(), "10.0.1.2", 32), true},
		{with_destination(by_b(), "10.0.1.3", 32), false},
		{with_destination(by_b(), "10.0.0.0", 24), false},
		{with_ports(by_b(), 1000, 1000, 0, 0), true},
		{with_ports(by_b(), 1, 1000, 0, 0), true},
		{with_ports(by_b(), 1000, 65535, 0, 0), true},
		{with_ports(by_b(), 1, 999, 0, 0), false},
		{with_ports(by_b(), 1001, 65535, 0, 0), false},
		{with_ports(by_b(), 0, 0, 2000, 2000), true},
		{with_ports(by_b(), 0, 0, 1999, 2001), true},
		{with_ports(by_b(), 0, 0, 2001, 2001), false},
		{with_ports(by_b(), 0, 0, 1000, 1999), false},
		{with_ports(by_b(), 1000, 1000, 2001, 2001), false},
		{with_ports(with_source(by_b(), "10.0.0.2", 32), 1000, 1000, 2000, 2000), true},
		{with_ports(with_source(by_b(), "10.0.0.4", 32), 1000, 1000, 2000, 2000), false},
	};
	struct fixture *fixture = ((struct provider *)*state)->fixture;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int is_tcp = 0; is_tcp < 2; is_tcp++) {
			struct packet_spec spec = from_a(is_tcp ? IPPROTO_TCP : IPPROTO_UDP);
			struct vd_policy_route route = cases[i].route;

			put_routes(fixture, 0, &route, 1);
			assert_goes(fixture, &spec, cases[i].matches ? MAC_B : MAC_C);
			/* The same for one protocol, and one family. */
			route.protocol = IPPROTO_TCP;
			put_routes(fixture, 0, &route, 1);
			assert_goes(fixture, &spec, cases[i].matches && is_tcp ? MAC_B : MAC_C);
			route.family = 6;
			put_routes(fixture, 0, &route, 1);
			assert_goes(fixture, &spec, MAC_C);
		}
}

static void test_ipv6_prefixes_select(void **state)
{
	const struct vd_policy_route route = through("fd00:0:0:a::3", BY_B);
	const struct {
		struct vd_policy_route route;
		bool matches;
	} cases[] = {
		{with_source(route, "fd00:0:0:a::", 64), true},        {with_source(route, "fd00:0:0:a::2", 128), true},
		{with_source(route, "fd00:0:0:a::3", 128), false},     {with_source(route, "fd00:0:0:b::", 64), false},
		{with_source(route, "fd00:0:0:8::", 61), true},        {with_source(route, "fd00:0:0:a::2:0:0", 95), false},
		{with_destination(route, "fd00:0:0:b::2", 128), true}, {with_destination(route, "fd00:0:0:b::2:0:0", 96), false},
		{with_destination(route, "fd00:0:0:a::", 63), true},
	};
	struct fixture *fixture = ((struct provider *)*state)->fixture;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet_spec spec = from_a6(), spec4 = from_a(IPPROTO_UDP);
		struct vd_policy_route ipv6 = cases[i].route;

		ipv6.family = 6;
		put_routes(fixture, 0, &ipv6, 1);
		assert_goes(fixture, &spec, cases[i].matches ? MAC_B : MAC_C);
		assert_goes(fixture, &spec4, MAC_C);
	}
}

/* The first one that matches decides; what does not match is passed over. */
static void test_the_first_match_decides(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct packet_spec spec = from_a(IPPROTO_UDP);
	struct vd_policy_route list[VD_POLICY_ROUTES];

	list[0] = by_b();
	list[1] = by_d();
	put_routes(fixture, 0, list, 2);
	assert_goes(fixture, &spec, MAC_B);
	list[0] = by_d();
	list[1] = by_b();
	put_routes(fixture, 0, list, 2);
	assert_goes(fixture, &spec, MAC_D);
	list[0].protocol = IPPROTO_TCP;
	put_routes(fixture, 0, list, 2);
	assert_goes(fixture, &spec, MAC_B);
	/* The last of a full list. */
	for (int i = 0; i < VD_POLICY_ROUTES; i++) {
		list[i] = by_d();
		list[i].protocol = IPPROTO_TCP;
	}
	list[VD_POLICY_ROUTES - 1] = by_b();
	put_routes(fixture, 0, list, VD_POLICY_ROUTES);
	assert_goes(fixture, &spec, MAC_B);
	put_routes(fixture, 0, list, VD_POLICY_ROUTES - 1);
	assert_goes(fixture, &spec, MAC_C);
}

/* A port that had none is remembered as such until its domain's generation moves: the next connection meets the list, and its end. */
static void test_a_list_comes_and_goes(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct vd_policy_routes_key key = {.domain = RED, .table = 0};
	struct packet_spec spec = from_a(IPPROTO_UDP);
	struct vd_policy_route route = by_b();

	for (int i = 0; i < 3; i++) {
		spec.source_port++;
		assert_goes(fixture, &spec, MAC_C);
		spec.source_port++;
		assert_goes(fixture, &spec, MAC_C);
		put_routes(fixture, 0, &route, 1);
		spec.source_port++;
		assert_goes(fixture, &spec, MAC_B);
		assert_int_equal(bpf_map__delete_elem(fixture->bpf->maps.vd_policy_routes, &key, sizeof(key), 0), 0);
		bump(fixture, vd_slot_domain(RED));
	}
}

static struct vd_policy_route marks(uint32_t mark, uint32_t set_mark)
{
	return (struct vd_policy_route){.id = 600, .mark = mark, .set_mark = set_mark};
}

static struct vd_policy_route marked(struct vd_policy_route route, uint32_t mark)
{
	route.mark = mark;
	return route;
}

/* A mark lives from the entry that sets it to the end of the list, and is matched whole. */
static void test_marks_lead_on(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct packet_spec spec = from_a(IPPROTO_UDP), other = from_a(IPPROTO_TCP);
	struct vd_policy_route list[4];

	list[0] = marks(0, 5);
	list[0].protocol = IPPROTO_UDP;
	list[1] = marked(by_d(), 4);
	list[2] = marked(by_b(), 5);
	put_routes(fixture, 0, list, 3);
	assert_goes(fixture, &spec, MAC_B);
	assert_goes(fixture, &other, MAC_C);
	/* Asked before it is set. */
	list[0] = marked(by_b(), 5);
	list[1] = marks(0, 5);
	put_routes(fixture, 0, list, 2);
	assert_goes(fixture, &spec, MAC_C);
	/* Another mark takes its place. */
	list[0] = marks(0, 5);
	list[1] = marks(5, 6);
	list[2] = marked(by_d(), 5);
	list[3] = marked(by_b(), 6);
	put_routes(fixture, 0, list, 4);
	assert_goes(fixture, &spec, MAC_B);
}

static void put_table_route(struct fixture *fixture, const char *prefix, uint8_t length, struct vd_route_value value)
{
	struct vd_route4_key key = {.prefix_length = 64 + length, .domain = RED, .table = TABLE};

	key.address = address_of(prefix).word[0];
	PUT(fixture->bpf->maps.vd_route4, key, value);
	bump(fixture, vd_slot_table(RED, TABLE));
}

/* Another table is looked up, and its routes are what the flow depends on. */
static void test_another_table_is_looked_up(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct vd_policy_route route = {.id = 601, .protocol = IPPROTO_UDP, .has_table = 1, .table = TABLE};
	struct packet_spec spec = from_a(IPPROTO_UDP), other = from_a(IPPROTO_TCP);

	put_routes(fixture, 0, &route, 1);
	assert_drops(fixture, &spec, VD_DROP_REASON_NO_ROUTE);
	put_table_route(fixture, "10.0.0.0", 16, by_b().route);
	assert_goes(fixture, &spec, MAC_B);
	put_table_route(fixture, "10.0.1.0", 24, by_d().route);
	assert_goes(fixture, &spec, MAC_D);
	put_table_route(fixture, "10.0.1.2", 32, (struct vd_route_value){.id = 602, .type = VD_ROUTE_TYPE_BLACKHOLE});
	assert_drops(fixture, &spec, VD_DROP_REASON_BLACKHOLE);
	assert_goes(fixture, &other, MAC_C);
	/* The list of that table is not asked. */
	route = by_b();
	put_routes(fixture, TABLE, &route, 1);
	assert_drops(fixture, &spec, VD_DROP_REASON_BLACKHOLE);
}

/* A subnet's own table has a list of its own. */
static void test_a_table_has_its_own_list(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	uint32_t ifindex = fixture->ifindex_a;
	struct packet_spec spec = from_a(IPPROTO_UDP);
	struct vd_policy_route route = by_b();
	struct vd_port_value port;

	put_routes(fixture, TABLE, &route, 1);
	assert_goes(fixture, &spec, MAC_C);
	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_port, &ifindex, sizeof(ifindex), &port, sizeof(port), 0), 0);
	port.table = TABLE;
	PUT(fixture->bpf->maps.vd_port, ifindex, port);
	bump(fixture, vd_slot_port(PORT_A));
	assert_goes(fixture, &spec, MAC_B);
}

/* Who decides, decides: what leads nowhere is refused by name, and nothing behind it is tried. */
static void test_what_leads_nowhere_is_refused(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct packet_spec spec = from_a(IPPROTO_UDP);
	struct vd_policy_route list[2];

	list[1] = by_d();
	list[0] = (struct vd_policy_route){.id = 603, .route = {.id = 603, .type = VD_ROUTE_TYPE_UNUSABLE}};
	put_routes(fixture, 0, list, 2);
	assert_drops(fixture, &spec, VD_DROP_REASON_NEXT_HOP_UNUSABLE);
	assert_true(count_drop_samples(fixture) > 0);
	assert_int_equal(fixture->samples.last.route_id, 603);
	list[0].route.type = VD_ROUTE_TYPE_BLACKHOLE;
	put_routes(fixture, 0, list, 2);
	assert_drops(fixture, &spec, VD_DROP_REASON_BLACKHOLE);
	list[0] = through("10.0.0.77", 604);
	put_routes(fixture, 0, list, 2);
	assert_drops(fixture, &spec, VD_DROP_REASON_NEXT_HOP_UNUSABLE);
}

/* R-RTR-9: some leave by another way than the table says; who answers what came from outside goes back where that came in. */
static void test_exits_by_policy(void **state)
{
	struct provider *provider = *state;
	struct vd_policy_route route = {
		.id = 605, .protocol = IPPROTO_UDP, .route = {.id = 605, .type = VD_ROUTE_TYPE_EXIT, .exit = NETWORK}};
	struct packet_spec spec = out_spec(IPPROTO_UDP, 4000), other = out_spec(IPPROTO_TCP, 4000), in;

	put_route(provider->fixture, RED, "0.0.0.0", 0, VD_ROUTE_TYPE_NEXT_HOP, 606, "10.0.0.3");
	assert_goes(provider->fixture, &spec, MAC_B);
	put_routes(provider->fixture, 0, &route, 1);
	for (int i = 0; i < 3; i++)
		assert_leaves(provider, &spec, VIP);
	assert_goes(provider->fixture, &other, MAC_B);

	route = by_d();
	put_routes(provider->fixture, 0, &route, 1);
	bind_elastic(provider, EIP, "10.0.0.2");
	spec = out_spec(IPPROTO_UDP, 22);
	in = in_spec(&spec, EIP, 22);
	assert_comes_in(provider, &in, "10.0.0.2", MAC_A);
	for (int i = 0; i < 3; i++)
		assert_leaves(provider, &spec, EIP);
	spec.source_port = 23;
	assert_goes(provider->fixture, &spec, MAC_D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses_and_ports_select, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_ipv6_prefixes_select, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_the_first_match_decides, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_a_list_comes_and_goes, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_marks_lead_on, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_another_table_is_looked_up, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_a_table_has_its_own_list, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_what_leads_nowhere_is_refused, outside_setup, provider_teardown),
		cmocka_unit_test_setup_teardown(test_exits_by_policy, outside_setup, provider_teardown),
	};
	int error = provider_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
