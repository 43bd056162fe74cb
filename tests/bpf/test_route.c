// SPDX-License-Identifier: Apache-2.0
/* Where packets go: subnets, custom routes, the gateway, and what makes a cached flow stale. */
#include "fixture.h"

#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "viaduct.skel.h"

static struct packet_spec udp(const char *source_mac, const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = source_mac,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 1000,
				    .destination_port = 53,
				    .payload = 22};
}

/* Sends spec three times from a: twice by decide, then by the cache. All must leave alike, with these MACs and TTL. */
static void assert_forwarded(struct fixture *fixture, const struct packet_spec *spec, const char *source_mac,
			     const char *destination_mac, uint8_t ttl)
{
	struct packet packet;
	uint64_t hits;

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		hits = read_hits(fixture);
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
		assert_int_equal(read_hits(fixture) - hits, i == 2);
		assert_true(packet_has_macs(&fixture->out, source_mac, destination_mac));
		assert_int_equal(packet_ttl(&fixture->out), ttl);
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

static void test_same_subnet_is_bridged(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp(MAC_A, "10.0.0.2", "10.0.0.3");
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::2", "fd00:0:0:a::3");

	assert_forwarded(fixture, &v4, MAC_A, MAC_B, 64);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v4, fixture->ifindex_b);
	assert_forwarded(fixture, &v6, MAC_A, MAC_B, 64);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v6, fixture->ifindex_b);
}

static void test_other_subnet_is_routed(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec v4 = udp(MAC_A, "10.0.0.2", "10.0.1.2");
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::2", "fd00:0:0:b::2");

	assert_forwarded(fixture, &v4, MAC_GATEWAY, MAC_C, 63);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v4, fixture->ifindex_c);
	assert_forwarded(fixture, &v6, MAC_GATEWAY, MAC_C, 63);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &v6, fixture->ifindex_c);
}

/* R-RTR-7: delivery to a custom route's next hop is no hop, in whichever subnet it is. */
static void test_custom_route_adds_no_hop(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec same = udp(MAC_A, "10.0.0.2", "172.16.0.9");
	struct packet_spec other = udp(MAC_A, "10.0.0.2", "172.16.1.9");
	struct packet_spec v6 = udp(MAC_A, "fd00:0:0:a::2", "fd01::9");

	assert_forwarded(fixture, &same, MAC_GATEWAY, MAC_B, 64);
	assert_forwarded(fixture, &other, MAC_GATEWAY, MAC_C, 64);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &other, fixture->ifindex_c);
	assert_forwarded(fixture, &v6, MAC_GATEWAY, MAC_B, 64);
	same.ttl = 1;
	same.source_port = 1001;
	assert_forwarded(fixture, &same, MAC_GATEWAY, MAC_B, 1);
}

/* R-RTR-13: the guest sends it to some neighbour's MAC; the table decides all the same. */
static void test_guest_routes_do_not_matter(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "172.16.1.9");

	spec.destination_mac = MAC_B;
	assert_forwarded(fixture, &spec, MAC_GATEWAY, MAC_C, 64);
}

static void test_routes_that_lead_nowhere_drop(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "172.16.2.9");
	struct vd_connection connection;
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_BLACKHOLE);
	assert_false(find_connection(fixture, RED, &spec, &connection));
	spec.destination = "172.16.3.9";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEXT_HOP_UNUSABLE);
	spec.destination = "172.17.0.1";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_ROUTE);
	spec.destination = "10.0.0.77";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_ENDPOINT);
	spec.destination = "224.0.0.251";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	spec.destination = "255.255.255.255";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_MULTICAST);
	/* A default route must not carry these away. */
	put_route(fixture, RED, "0.0.0.0", 0, VD_ROUTE_TYPE_NEXT_HOP, 60, "10.0.0.3");
	spec.destination = "169.254.169.254";
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_ROUTE);
}

static void test_nothing_goes_back_where_it_came_from(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_B, "10.0.0.3", "172.16.0.9");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_LOOP);
}

/* One of table 0 in RED that matches a protocol, 0: any, and leads to an address. */
static void put_policy_route(struct fixture *fixture, struct vd_policy_routes_value *routes, uint8_t protocol, uint32_t id,
			     const char *next_hop)
{
	struct vd_policy_routes_key key = {.domain = RED};
	struct vd_policy_route *route = &routes->route[routes->count++];

	*route = (struct vd_policy_route){
		.id = id, .protocol = protocol, .family = 4, .route = {.id = id, .type = VD_ROUTE_TYPE_NEXT_HOP}};
	text_to_address(next_hop, route->route.next_hop.byte);
	assert_int_equal(
		bpf_map__update_elem(fixture->bpf->maps.vd_policy_routes, &key, sizeof(key), routes, sizeof(*routes), BPF_ANY), 0);
	bump(fixture, vd_slot_domain(RED));
}

static void assert_goes(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, const char *mac, uint8_t ttl)
{
	struct packet packet;

	packet_build(spec, &packet);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, mac));
		assert_int_equal(packet_ttl(&fixture->out), ttl);
	}
}

/* R-RTR-9: before the routes, connected ones too; the next hop sends on by what comes behind, or it would never get rid of it. */
static void test_policy_route_leads_through_an_instance(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec from_a = udp(MAC_A, "10.0.0.2", "10.0.1.2"), from_b = udp(MAC_B, "10.0.0.3", "10.0.1.2");
	struct vd_policy_routes_value *routes = calloc(1, sizeof(*routes));
	struct packet packet;

	assert_non_null(routes);
	put_policy_route(fixture, routes, IPPROTO_TCP, 80, "10.0.0.3");
	assert_goes(fixture, fixture->ifindex_a, &from_a, MAC_C, 63);
	put_policy_route(fixture, routes, IPPROTO_UDP, 81, "10.0.0.3");
	assert_goes(fixture, fixture->ifindex_a, &from_a, MAC_B, 64);
	assert_goes(fixture, fixture->ifindex_b, &from_b, MAC_C, 63);
	/* A later one is asked in its place. */
	put_policy_route(fixture, routes, 0, 82, "10.0.0.2");
	assert_goes(fixture, fixture->ifindex_b, &from_b, MAC_A, 64);
	/* A route leads back all the same, and that is told. */
	routes->count = 0;
	put_policy_route(fixture, routes, IPPROTO_UDP, 81, "10.0.0.3");
	from_b.destination = "172.16.0.9";
	packet_build(&from_b, &packet);
	assert_dropped(fixture, fixture->ifindex_b, &packet, VD_DROP_REASON_LOOP);
	free(routes);
}

static void test_unknown_interface_drops(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_B, "10.0.0.3", "10.0.0.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_dropped(fixture, 1, &packet, VD_DROP_REASON_UNKNOWN_PORT);
}

/* R-NET-6: the same addresses in another VPC lead nowhere near ours. */
static void test_vpcs_do_not_meet(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec red = udp(MAC_A, "10.0.0.2", "10.0.0.3"), blue = udp(MAC_X, "10.0.0.2", "10.0.0.3");
	struct packet packet;

	packet_build(&red, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	packet_build(&blue, &packet);
	assert_dropped(fixture, fixture->ifindex_x, &packet, VD_DROP_REASON_NO_ENDPOINT);
}

static void test_gateway_is_the_service_port(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = {.source_mac = MAC_A,
				   .source = "10.0.0.2",
				   .destination = "10.0.1.1",
				   .protocol = IPPROTO_ICMP,
				   .source_port = 7,
				   .destination_port = 8 << 8};
	struct packet_spec reply = {.source_mac = MAC_GATEWAY,
				    .source = "10.0.1.1",
				    .destination = "10.0.0.2",
				    .protocol = IPPROTO_ICMP,
				    .source_port = 7};
	struct packet packet;

	assert_forwarded(fixture, &spec, MAC_A, MAC_GATEWAY, 64);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, fixture->ifindex_service);
	packet_build(&reply, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_service, &reply, fixture->ifindex_a);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	assert_int_equal(packet_ttl(&fixture->out), 64);
	/* The router goes away: nothing stays cached. And comes back. */
	set_service(fixture, RED, 0);
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_UNREACHABLE_PORT);
	set_service(fixture, RED, fixture->ifindex_service);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
}

static void test_change_reaches_the_next_packet(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "172.16.0.9");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	put_route(fixture, RED, "172.16.0.0", 24, VD_ROUTE_TYPE_BLACKHOLE, 50, NULL);
	bump(fixture, vd_slot_table(RED, 0));
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_BLACKHOLE);
	put_route(fixture, RED, "172.16.0.0", 24, VD_ROUTE_TYPE_NEXT_HOP, 50, "10.0.1.2");
	bump(fixture, vd_slot_table(RED, 0));
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_C));
	delete_endpoint(fixture, RED, "10.0.1.2");
	bump(fixture, endpoint_slot(RED, "10.0.1.2"));
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NEXT_HOP_UNUSABLE);
}

static void test_change_elsewhere_keeps_flows_hitting(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = udp(MAC_A, "10.0.0.2", "10.0.0.3");
	struct packet packet;
	uint64_t misses;

	packet_build(&spec, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	misses = read_misses(fixture);
	bump(fixture, vd_slot_port(999));
	bump(fixture, endpoint_slot(RED, "10.0.1.2"));
	bump(fixture, vd_slot_table(BLUE, 0));
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_int_equal(read_misses(fixture), misses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_subnet_is_bridged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_other_subnet_is_routed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_custom_route_adds_no_hop, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_guest_routes_do_not_matter, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_routes_that_lead_nowhere_drop, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_goes_back_where_it_came_from, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_policy_route_leads_through_an_instance, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_unknown_interface_drops, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_vpcs_do_not_meet, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_is_the_service_port, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_change_reaches_the_next_packet, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_change_elsewhere_keeps_flows_hitting, fixture_setup, fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
