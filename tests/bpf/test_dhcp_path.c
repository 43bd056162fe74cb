// SPDX-License-Identifier: Apache-2.0
/* How instances reach the router's servers, and that none of them may play one. */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <string.h>

#include "viaduct.skel.h"

static struct packet_spec discover(void)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .destination_mac = "ff:ff:ff:ff:ff:ff",
				    .source = "0.0.0.0",
				    .destination = "255.255.255.255",
				    .protocol = IPPROTO_UDP,
				    .source_port = 68,
				    .destination_port = 67,
				    .payload = 240};
}

static struct packet_spec solicit(void)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .destination_mac = "33:33:00:01:00:02",
				    .source = "fe80::ff:fe00:a",
				    .destination = "ff02::1:2",
				    .protocol = IPPROTO_UDP,
				    .source_port = 546,
				    .destination_port = 547,
				    .payload = 60};
}

static struct packet_spec router_message(uint8_t type)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .destination_mac = "33:33:00:00:00:02",
				    .source = "fe80::ff:fe00:a",
				    .destination = "ff02::2",
				    .protocol = IPPROTO_ICMPV6,
				    .destination_port = type << 8,
				    .ttl = 255};
}

/* From the router, to a's MAC. */
static struct packet_spec answer(struct packet_spec spec, uint16_t source_port, uint16_t port)
{
	spec.source_mac = MAC_GATEWAY;
	spec.destination_mac = MAC_A;
	spec.source = strchr(spec.source, ':') ? "fe80::76:69ff:fe61:6401" : "10.0.0.1";
	spec.destination = strchr(spec.source, ':') ? "fe80::ff:fe00:a" : "10.0.0.2";
	spec.source_port = source_port;
	spec.destination_port = port;
	return spec;
}

/* Goes on as it came, and leaves nothing behind. */
static void assert_unchanged(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec)
{
	struct vd_connection connection;
	struct packet packet;
	struct vd_flow flow;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
	assert_int_equal(fixture->out.size, packet.size);
	assert_memory_equal(fixture->out.data, packet.data, packet.size);
	assert_false(find_flow(fixture, VD_INGRESS_PORT, ifindex, spec, &flow));
	assert_false(find_connection(fixture, RED, spec, &connection));
}

static void drop(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec, enum vd_drop_reason reason)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_dropped(fixture, ifindex, &packet, reason);
}

static void test_questions_reach_the_router(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec dhcp4 = discover(), dhcp6 = solicit(), solicitation = router_message(133), renew = dhcp4;

	renew.destination_mac = MAC_GATEWAY;
	renew.source = "10.0.0.2";
	renew.destination = "10.0.0.1";
	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_DHCP, 0);
	assert_unchanged(fixture, fixture->ifindex_a, &dhcp4);
	assert_unchanged(fixture, fixture->ifindex_a, &renew);
	assert_unchanged(fixture, fixture->ifindex_a, &dhcp6);
	assert_unchanged(fixture, fixture->ifindex_a, &solicitation);
}

/* No policy stands in the way, whatever it says. */
static void test_groups_do_not_close_dhcp(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = discover(), reply = answer(discover(), 67, 68);
	struct vd_port_value value;
	uint32_t ifindex = fixture->ifindex_a;

	change_port_flags(fixture, ifindex, VD_PORT_FLAG_DHCP, 0);
	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_port, &ifindex, sizeof(ifindex), &value, sizeof(value), 0), 0);
	value.policy = 777; /* has no entry: nothing passes */
	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_port, &ifindex, sizeof(ifindex), &value, sizeof(value), 0), 0);
	assert_unchanged(fixture, ifindex, &question);
	assert_unchanged(fixture, fixture->ifindex_service, &reply);
}

static void test_mac_must_be_the_ports(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = discover();

	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_DHCP, VD_PORT_FLAG_SOURCE_CHECK);
	spec.source_mac = MAC_B;
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_SOURCE_MAC);
}

/* R-SVC-2: off means no answers. What every guest sends anyway is no event. */
static void test_dhcp_is_off(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec dhcp4 = discover(), dhcp6 = solicit(), solicitation = router_message(133);

	drop(fixture, fixture->ifindex_a, &solicitation, VD_DROP_REASON_DHCP_OFF);
	assert_int_equal(count_drop_samples(fixture), 0);
	drop(fixture, fixture->ifindex_a, &dhcp4, VD_DROP_REASON_DHCP_OFF);
	drop(fixture, fixture->ifindex_a, &dhcp6, VD_DROP_REASON_DHCP_OFF);
	assert_int_equal(count_drop_samples(fixture), 2);
}

static void test_no_router_no_way(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = discover();

	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_DHCP, 0);
	set_service(fixture, RED, 0);
	drop(fixture, fixture->ifindex_a, &spec, VD_DROP_REASON_INTERNAL);
}

static void test_answers_reach_the_mac(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec offer = answer(discover(), 67, 68), reply = answer(solicit(), 547, 546);
	struct packet_spec broadcast = offer, advertisement = answer(router_message(134), 0, 134 << 8), nobody = offer;

	broadcast.destination = "255.255.255.255";
	assert_unchanged(fixture, fixture->ifindex_service, &offer);
	assert_unchanged(fixture, fixture->ifindex_service, &broadcast);
	assert_unchanged(fixture, fixture->ifindex_service, &reply);
	assert_unchanged(fixture, fixture->ifindex_service, &advertisement);
	nobody.destination_mac = MAC_D; /* on another host: answered there */
	drop(fixture, fixture->ifindex_service, &nobody, VD_DROP_REASON_UNREACHABLE_PORT);
	nobody.destination_mac = MAC_X; /* another VPC's */
	drop(fixture, fixture->ifindex_service, &nobody, VD_DROP_REASON_UNREACHABLE_PORT);
}

static void test_rogue_servers_are_named(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec offer = answer(discover(), 67, 68), reply = answer(solicit(), 547, 546);
	struct packet_spec advertisement = router_message(134);

	offer.source_mac = reply.source_mac = MAC_B;
	offer.source = "10.0.0.3";
	reply.source = "fe80::ff:fe00:b";
	drop(fixture, fixture->ifindex_b, &offer, VD_DROP_REASON_ROGUE_DHCP);
	assert_int_equal(count_drop_samples(fixture), 1);
	assert_int_equal(fixture->samples.last.port_id, PORT_B);
	offer.destination_mac = MAC_GATEWAY; /* routed or bridged, it is the same */
	offer.destination = "10.0.1.2";
	drop(fixture, fixture->ifindex_b, &offer, VD_DROP_REASON_ROGUE_DHCP);
	drop(fixture, fixture->ifindex_b, &reply, VD_DROP_REASON_ROGUE_DHCP);
	advertisement.source_mac = MAC_B;
	advertisement.destination_mac = "33:33:00:00:00:01";
	advertisement.destination = "ff02::1";
	drop(fixture, fixture->ifindex_b, &advertisement, VD_DROP_REASON_ROGUE_ROUTER);
}

/* The router's link-local address: ND finds it, packets reach it, also from an instance's own link-local address. */
static void test_router_has_a_link_local_address(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec ping = {.source_mac = MAC_A,
				   .source = "fe80::ff:fe00:a",
				   .destination = "fe80::76:69ff:fe61:6401",
				   .protocol = IPPROTO_ICMPV6,
				   .source_port = 5,
				   .destination_port = 128 << 8};
	struct packet_spec pong = {.source_mac = MAC_GATEWAY,
				   .destination_mac = MAC_A,
				   .source = "fe80::76:69ff:fe61:6401",
				   .destination = "fe80::ff:fe00:a",
				   .protocol = IPPROTO_ICMPV6,
				   .source_port = 5,
				   .destination_port = 129 << 8};
	struct packet packet;

	packet_build_solicitation(MAC_A, MAC_A, "fd00:0:0:a::2", "fe80::76:69ff:fe61:6401", &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_A));
	packet_build(&ping, &packet);
	for (int i = 0; i < 2; i++)
		assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &ping, fixture->ifindex_service);
	packet_build(&pong, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	/* Anybody else's link-local address leads nowhere, and the router's is not to be borrowed. */
	ping.destination = "fe80::ff:fe00:b";
	drop(fixture, fixture->ifindex_a, &ping, VD_DROP_REASON_SOURCE_ADDRESS);
	ping.destination = ping.source = "fe80::76:69ff:fe61:6401";
	drop(fixture, fixture->ifindex_a, &ping, VD_DROP_REASON_SOURCE_ADDRESS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_questions_reach_the_router), TEST(test_groups_do_not_close_dhcp),
		TEST(test_mac_must_be_the_ports),      TEST(test_dhcp_is_off),
		TEST(test_no_router_no_way),           TEST(test_answers_reach_the_mac),
		TEST(test_rogue_servers_are_named),    TEST(test_router_has_a_link_local_address),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
