// SPDX-License-Identifier: Apache-2.0
/* What a VPC's router asks name servers with: out by the VPC's way, back to the host that asked, and nobody else's (R-SVC-3). */
#include "outside.h"

#include <netinet/in.h>

#define MAC_EXIT "02:77:00:00:00:64" /* NETWORK's */
#define MAC_EXIT_0 "02:77:00:00:00:00"
#define HOST2 "192.0.2.2"
#define OWN "240.0.0.1"
#define OWN6 "fd76:6961:6475:6374::1"
#define FAR "240.0.0.2"
#define FAR6 "fd76:6961:6475:6374::2"

static int setup(void **state)
{
	struct vd_endpoint_value own = {.place = VD_ENDPOINT_PLACE_GATEWAY, .mac = {0x02, 0x76, 0x69, 0x61, 0x64, 0x01}}, far = own;
	struct provider *provider;

	if (outside_setup(state))
		return -1;
	provider = *state;
	far.place = VD_ENDPOINT_PLACE_HOST;
	far.host = 2;
	put_endpoint(provider->fixture, RED, OWN, &own);
	put_endpoint(provider->fixture, RED, OWN6, &own);
	put_endpoint(provider->fixture, RED, FAR, &far);
	put_endpoint(provider->fixture, RED, FAR6, &far);
	return 0;
}

static struct packet_spec question(const char *source, const char *destination)
{
	return (struct packet_spec){.source_mac = MAC_GATEWAY,
				    .source = source,
				    .destination = destination,
				    .protocol = IPPROTO_UDP,
				    .source_port = 4000,
				    .destination_port = 53,
				    .payload = 40};
}

static void turn(struct packet_spec *spec)
{
	const char *source = spec->source;
	uint16_t port = spec->source_port;

	spec->source = spec->destination;
	spec->destination = source;
	spec->source_port = spec->destination_port;
	spec->destination_port = port;
}

/* This host is the gateway, and its own router asks. */
static void test_question_leaves_translated_and_the_answer_comes_back(void **state)
{
	const char *families[][4] = {{OWN, OUTSIDE, VIP, OWN}, {OWN6, OUTSIDE6, VIP6, OWN6}};
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;

	for (int i = 0; i < 2; i++) {
		struct packet_spec spec = question(families[i][0], families[i][1]), reply;
		struct packet packet;

		packet_build(&spec, &packet);
		assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, families[i][2]));
		assert_true(packet_has_macs(&fixture->out, MAC_UPLINK, MAC_OUTSIDE));
		assert_true(packet_checksums_hold(&fixture->out));
		reply = in_spec(&spec, families[i][2], source_port(&fixture->out, IPPROTO_UDP));
		packet_build(&reply, &packet);
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_destination(&fixture->out, families[i][3]));
		assert_true(packet_checksums_hold(&fixture->out));
	}
}

/* This host is the gateway, host 2's router asks: the answer goes to host 2, as what came from outside and for the router there. */
static void test_answer_goes_to_the_host_that_asked(void **state)
{
	const char *families[][4] = {{FAR, OUTSIDE, VIP, FAR}, {FAR6, OUTSIDE6, VIP6, FAR6}};
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;

	for (int i = 0; i < 2; i++) {
		struct packet_spec spec = question(families[i][0], families[i][1]), reply;
		struct packet packet;

		spec.destination_mac = MAC_EXIT;
		packet_build(&spec, &packet);
		assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_source(&fixture->out, families[i][2]));
		reply = in_spec(&spec, families[i][2], source_port(&fixture->out, IPPROTO_UDP));
		packet_build(&reply, &packet);
		assert_int_equal(run_uplink(provider, 0, &packet), VERDICT_REDIRECT);
		assert_true(packet_has_destination(&fixture->out, families[i][3]));
		assert_true(packet_has_macs(&fixture->out, MAC_EXIT_0, MAC_GATEWAY));
	}
}

/* Host 2 is the gateway: by tunnel there, untranslated, and by tunnel back to the router here. */
static void test_question_goes_by_the_gateway(void **state)
{
	struct provider *provider = *state;
	struct fixture *fixture = provider->fixture;
	struct packet_spec spec = question(OWN, OUTSIDE);
	struct packet packet;

	put_exit(provider, NETWORK, VD_EXIT_FLAG_TRANSLATE, 2);
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	assert_true(packet_has_source(&fixture->out, OWN));
	assert_true(packet_has_macs(&fixture->out, MAC_GATEWAY, MAC_EXIT));
	turn(&spec);
	spec.source_mac = MAC_EXIT_0;
	spec.destination_mac = MAC_GATEWAY;
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_TUNNEL, 100, &spec, fixture->ifindex_service);
	/* Not what nobody asked for. */
	spec.destination_port++;
	packet_build(&spec, &packet);
	assert_int_equal(run_tunnel(fixture, 100, HOST2, &packet), VERDICT_DROP);
	assert_int_equal(new_drops(fixture, VD_DROP_REASON_SERVICE_ADDRESS), 1);
}

static void test_instances_do_not_reach_them(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	const char *destinations[] = {OWN, FAR, OWN6, FAR6};
	struct packet_spec spec;
	struct packet packet;

	for (int i = 0; i < 4; i++) {
		spec = question(i < 2 ? "10.0.0.2" : "fd00:0:0:a::2", destinations[i]);
		spec.source_mac = MAC_A;
		packet_build(&spec, &packet);
		assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SERVICE_ADDRESS);
	}
	/* Those of no host are not on the way out either. */
	spec = question("10.0.0.2", "240.9.9.9");
	spec.source_mac = MAC_A;
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_NO_ENDPOINT);
}

/* Whatever the source check says. */
static void test_instances_do_not_send_from_them(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	const char *families[][2] = {{OWN, OUTSIDE}, {FAR, OUTSIDE}, {"240.9.9.9", OUTSIDE}, {OWN6, OUTSIDE6}};

	for (int check = 0; check < 2; check++) {
		for (int i = 0; i < 4; i++) {
			struct packet_spec spec = question(families[i][0], families[i][1]);
			struct packet packet;

			spec.source_mac = MAC_A;
			packet_build(&spec, &packet);
			assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SOURCE_ADDRESS);
		}
		change_port_flags(fixture, fixture->ifindex_a, 0, VD_PORT_FLAG_SOURCE_CHECK);
	}
}

/* A name server in the VPC itself may be asked: its answers pass, and nothing else of it. */
static void test_instance_answers_what_it_is_asked(void **state)
{
	struct fixture *fixture = ((struct provider *)*state)->fixture;
	struct packet_spec spec = question(OWN, "10.0.0.2");
	struct packet packet;

	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_service, &packet), VERDICT_REDIRECT);
	turn(&spec);
	spec.source_mac = MAC_A;
	packet_build(&spec, &packet);
	assert_int_equal(run_port(fixture, fixture->ifindex_a, &packet), VERDICT_REDIRECT);
	assert_output(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &spec, fixture->ifindex_service);
	spec.destination_port++;
	packet_build(&spec, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_SERVICE_ADDRESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, provider_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_question_leaves_translated_and_the_answer_comes_back),
		TEST(test_answer_goes_to_the_host_that_asked),
		TEST(test_question_goes_by_the_gateway),
		TEST(test_instances_do_not_reach_them),
		TEST(test_instances_do_not_send_from_them),
		TEST(test_instance_answers_what_it_is_asked),
	};
	int skip = provider_enter();

	return skip ? skip : cmocka_run_group_tests(tests, NULL, NULL);
}
