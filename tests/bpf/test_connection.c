// SPDX-License-Identifier: Apache-2.0
/* The connection table: who initiated, TCP's states, shares, expiry. */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#include "viaduct.skel.h"

static struct packet_spec from_a(uint8_t protocol, uint16_t source_port, uint16_t destination_port)
{
	return (struct packet_spec){.source_mac = MAC_A,
				    .source = "10.0.0.2",
				    .destination = "10.0.1.2",
				    .protocol = protocol,
				    .source_port = source_port,
				    .destination_port = destination_port};
}

static struct packet_spec from_c(uint8_t protocol, uint16_t source_port, uint16_t destination_port)
{
	return (struct packet_spec){.source_mac = MAC_C,
				    .source = "10.0.1.2",
				    .destination = "10.0.0.2",
				    .protocol = protocol,
				    .source_port = source_port,
				    .destination_port = destination_port};
}

static void pass(struct fixture *fixture, uint32_t ifindex, const struct packet_spec *spec)
{
	struct packet packet;

	packet_build(spec, &packet);
	assert_int_equal(run_port(fixture, ifindex, &packet), VERDICT_REDIRECT);
}

static uint32_t share_used(struct fixture *fixture, uint32_t domain)
{
	struct vd_share_value share;

	assert_int_equal(bpf_map__lookup_elem(fixture->bpf->maps.vd_share, &domain, sizeof(domain), &share, sizeof(share), 0), 0);
	return share.used;
}

static void set_share_limit(struct fixture *fixture, uint32_t domain, uint32_t limit)
{
	struct vd_share_value share = {.limit = limit};

	assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_share, &domain, sizeof(domain), &share, sizeof(share), BPF_ANY),
			 0);
}

static void test_initiator_is_recorded(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec low = from_a(IPPROTO_UDP, 1000, 53), low_reply = from_c(IPPROTO_UDP, 53, 1000);
	struct packet_spec high = from_c(IPPROTO_UDP, 2000, 53);
	struct vd_connection connection;

	pass(fixture, fixture->ifindex_a, &low);
	assert_true(find_connection(fixture, RED, &low, &connection));
	assert_int_equal(connection.initiator_is_high, 0);
	assert_int_equal(connection.state, VD_CONNECTION_STATE_NEW);
	assert_int_equal(connection.source_port_id, PORT_A);
	assert_int_equal(connection.destination_port_id, PORT_C);
	pass(fixture, fixture->ifindex_c, &low_reply);
	assert_true(find_connection(fixture, RED, &low, &connection));
	assert_int_equal(connection.state, VD_CONNECTION_STATE_ESTABLISHED);
	assert_int_equal(connection.initiator_is_high, 0);
	pass(fixture, fixture->ifindex_c, &high);
	assert_true(find_connection(fixture, RED, &high, &connection));
	assert_int_equal(connection.initiator_is_high, 1);
	assert_int_equal(share_used(fixture, RED), 2);
	assert_int_equal(share_used(fixture, BLUE), 0);
}

static void send_tcp(struct fixture *fixture, bool from_initiator, uint8_t flags)
{
	struct packet_spec spec = from_initiator ? from_a(IPPROTO_TCP, 1000, 80) : from_c(IPPROTO_TCP, 80, 1000);

	spec.tcp_flags = flags;
	pass(fixture, from_initiator ? fixture->ifindex_a : fixture->ifindex_c, &spec);
}

static uint8_t tcp_state(struct fixture *fixture)
{
	struct packet_spec spec = from_a(IPPROTO_TCP, 1000, 80);
	struct vd_connection connection;

	assert_true(find_connection(fixture, RED, &spec, &connection));
	return connection.state;
}

static void test_tcp_lives_and_dies(void **state)
{
	struct fixture *fixture = *state;

	send_tcp(fixture, true, TH_SYN);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_NEW);
	send_tcp(fixture, false, TH_SYN | TH_ACK);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_ESTABLISHED);
	send_tcp(fixture, true, TH_ACK);
	send_tcp(fixture, true, TH_FIN | TH_ACK);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_CLOSING);
	send_tcp(fixture, false, TH_FIN | TH_ACK);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_CLOSED);
	/* The same ports again. */
	send_tcp(fixture, true, TH_SYN);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_NEW);
	send_tcp(fixture, false, TH_RST | TH_ACK);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_CLOSED);
	assert_int_equal(share_used(fixture, RED), 1);
}

static void test_tcp_met_in_its_middle_is_established(void **state)
{
	struct fixture *fixture = *state;

	send_tcp(fixture, true, TH_ACK);
	assert_int_equal(tcp_state(fixture), VD_CONNECTION_STATE_ESTABLISHED);
}

static void test_full_share_refuses_new_and_keeps_old(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec first = from_a(IPPROTO_UDP, 1, 53), second = from_a(IPPROTO_UDP, 2, 53),
			   third = from_a(IPPROTO_UDP, 3, 53);
	struct vd_connection connection;
	struct packet packet;
	struct vd_flow flow;

	set_share_limit(fixture, RED, 2);
	pass(fixture, fixture->ifindex_a, &first);
	pass(fixture, fixture->ifindex_a, &second);
	packet_build(&third, &packet);
	assert_dropped(fixture, fixture->ifindex_a, &packet, VD_DROP_REASON_CONNECTION_TABLE_FULL);
	assert_int_equal(count_drop_samples(fixture), 1);
	assert_int_equal(fixture->samples.last.domain, RED);
	assert_int_equal(fixture->samples.last.port_id, PORT_A);
	assert_false(find_connection(fixture, RED, &third, &connection));
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &third, &flow));
	assert_int_equal(share_used(fixture, RED), 2);
	pass(fixture, fixture->ifindex_a, &first);
	bump(fixture, vd_slot_port(PORT_A));
	pass(fixture, fixture->ifindex_a, &second);
}

/* A connection's first packet has no flow in the cache yet, but a SYN: that one is answered. */
static void test_first_packet_leaves_no_flow(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec question = from_a(IPPROTO_UDP, 1000, 53), syn = from_a(IPPROTO_TCP, 1000, 53);
	struct vd_connection connection;
	struct vd_flow flow;

	syn.tcp_flags = TH_SYN;
	pass(fixture, fixture->ifindex_a, &question);
	assert_true(find_connection(fixture, RED, &question, &connection));
	assert_false(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &question, &flow));
	pass(fixture, fixture->ifindex_a, &question);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &question, &flow));
	pass(fixture, fixture->ifindex_a, &syn);
	assert_true(find_flow(fixture, VD_INGRESS_PORT, fixture->ifindex_a, &syn, &flow));
}

/* A flow that hits for long tells its connection; and when that is gone, decide makes it anew. */
static void test_cached_flow_touches_its_connection(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec spec = from_a(IPPROTO_UDP, 1000, 53);
	struct vd_connection connection, before;

	pass(fixture, fixture->ifindex_a, &spec);
	pass(fixture, fixture->ifindex_a, &spec);
	assert_true(find_connection(fixture, RED, &spec, &before));
	usleep(20000);
	pass(fixture, fixture->ifindex_a, &spec);
	assert_true(find_connection(fixture, RED, &spec, &connection));
	assert_int_equal(connection.last_seen, before.last_seen);
	age_flows(fixture);
	pass(fixture, fixture->ifindex_a, &spec);
	assert_true(find_connection(fixture, RED, &spec, &connection));
	assert_true(connection.last_seen > before.last_seen);
}

static void age_connection(struct fixture *fixture, const struct packet_spec *spec, uint64_t seconds)
{
	struct vd_connection4_key key = {0}, next;
	struct vd_connection connection;
	void *previous = NULL;

	while (bpf_map__get_next_key(fixture->bpf->maps.vd_conn4, previous, &next, sizeof(next)) == 0) {
		key = next;
		previous = &key;
		if (key.low_port != htons(spec->source_port) && key.high_port != htons(spec->source_port))
			continue;
		assert_int_equal(
			bpf_map__lookup_elem(fixture->bpf->maps.vd_conn4, &key, sizeof(key), &connection, sizeof(connection), 0),
			0);
		connection.last_seen -= seconds * 1000000000ULL;
		assert_int_equal(bpf_map__update_elem(fixture->bpf->maps.vd_conn4, &key, sizeof(key), &connection,
						      sizeof(connection), BPF_ANY),
				 0);
	}
}

static void test_idle_connections_expire_and_give_their_share_back(void **state)
{
	struct fixture *fixture = *state;
	struct packet_spec idle = from_a(IPPROTO_UDP, 1111, 53), busy = from_a(IPPROTO_UDP, 2222, 53),
			   tcp = from_a(IPPROTO_TCP, 3333, 80);
	struct vd_connection connection;

	pass(fixture, fixture->ifindex_a, &idle);
	pass(fixture, fixture->ifindex_a, &busy);
	tcp.tcp_flags = TH_ACK;
	pass(fixture, fixture->ifindex_a, &tcp);
	age_connection(fixture, &idle, 91);
	age_connection(fixture, &busy, 60);
	age_connection(fixture, &tcp, 7000);
	start_expiry(fixture);
	/* Again, as a newer build would take the timer over. */
	start_expiry(fixture);
	for (int i = 0; i < 200 && share_used(fixture, RED) != 2; i++)
		usleep(50000);
	assert_false(find_connection(fixture, RED, &idle, &connection));
	assert_true(find_connection(fixture, RED, &busy, &connection));
	assert_true(find_connection(fixture, RED, &tcp, &connection));
	assert_int_equal(share_used(fixture, RED), 2);
	/* What stays is looked at again. */
	age_connection(fixture, &busy, 35);
	for (int i = 0; i < 200 && share_used(fixture, RED) != 1; i++)
		usleep(50000);
	assert_false(find_connection(fixture, RED, &busy, &connection));
	assert_int_equal(share_used(fixture, RED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_initiator_is_recorded, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tcp_lives_and_dies, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_tcp_met_in_its_middle_is_established, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_full_share_refuses_new_and_keeps_old, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_first_packet_leaves_no_flow, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_cached_flow_touches_its_connection, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_idle_connections_expire_and_give_their_share_back, fixture_setup,
						fixture_teardown),
	};
	int error = fixture_enter();

	return error ? error : cmocka_run_group_tests(tests, NULL, NULL);
}
