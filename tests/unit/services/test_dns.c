/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/dns.h"

#include "base/cleanup.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const records[] = {
	"{\"kind\":\"router\",\"vpc\":\"demo\",\"project\":\"default\",\"mtu\":1450}",
	"{\"kind\":\"subnet\",\"id\":3,\"name\":\"nodes\",\"cidr4\":\"10.0.0.0/24\",\"gateway4\":\"10.0.0.1\",\"cidr6\":\"fd00::/"
	"64\","
	"\"gateway6\":\"fd00::1\",\"dhcp\":true,\"lease\":600,\"dns\":[\"192.0.2.53\",\"2001:db8::53\"],\"domain\":\"Corp."
	"Example\"}",
	"{\"kind\":\"subnet\",\"id\":4,\"name\":\"others\",\"cidr4\":\"10.0.1.0/"
	"24\",\"gateway4\":\"10.0.1.1\",\"dhcp\":true,\"lease\":600,"
	"\"dns\":[],\"domain\":\"demo.internal\"}",
	"{\"kind\":\"name\",\"address\":\"10.0.0.2\",\"name\":\"web1\",\"port\":7}",
	"{\"kind\":\"name\",\"address\":\"fd00::2\",\"name\":\"web1\",\"port\":7}",
	"{\"kind\":\"name\",\"address\":\"10.0.0.3\",\"name\":\"a.b_c\",\"port\":8}",
};

struct fixture {
	struct vd_router_state *state;
	struct vd_dns_query *query;
	struct vd_dns_answer answer;
	ldns_pkt *said; /* the answer, as another library's client reads it */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct vd_error error;

	fixture->state = vd_router_state_new();
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		json_t *record = json_loads(records[i], 0, NULL);

		assert_non_null(record);
		assert_int_equal(vd_router_state_put(fixture->state, record, &error), 0);
		json_decref(record);
	}
	*state = fixture;
	return 0;
}

static void forget(struct fixture *fixture)
{
	vd_dns_query_free(fixture->query);
	fixture->query = NULL;
	free(fixture->answer.data);
	fixture->answer.data = NULL;
	if (fixture->said)
		ldns_pkt_free(fixture->said);
	fixture->said = NULL;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	forget(fixture);
	vd_router_state_free(fixture->state);
	free(fixture);
	return 0;
}

static void read_answer(struct fixture *fixture)
{
	assert_int_equal(ldns_wire2pkt(&fixture->said, fixture->answer.data, fixture->answer.size), LDNS_STATUS_OK);
}

/* edns: the size that the client takes, 0: it has none. Returns what vd_dns_query_answer said. */
static int ask(struct fixture *fixture, const char *name, ldns_rr_type type, uint16_t edns, bool stream)
{
	ldns_pkt *packet = NULL;
	uint8_t *data = NULL;
	size_t size = 0;
	int r;

	forget(fixture);
	assert_int_equal(ldns_pkt_query_new_frm_str(&packet, name, type, LDNS_RR_CLASS_IN, LDNS_RD), LDNS_STATUS_OK);
	ldns_pkt_set_id(packet, 0x1234);
	ldns_pkt_set_edns_udp_size(packet, edns);
	assert_int_equal(ldns_pkt2wire(&data, packet, &size), LDNS_STATUS_OK);
	ldns_pkt_free(packet);
	assert_int_equal(vd_dns_query_new(data, size, stream, &fixture->query), 0);
	free(data);
	r = vd_dns_query_answer(fixture->query, fixture->state, &fixture->answer);
	if (r == 1)
		read_answer(fixture);
	return r;
}

static void assert_rdata(const struct fixture *fixture, size_t index, const char *text)
{
	const ldns_rr_list *answers = ldns_pkt_answer(fixture->said);
	VD_FREE char *said = NULL;

	assert_true(index < ldns_rr_list_rr_count(answers));
	said = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(answers, index), 0));
	assert_string_equal(said, text);
}

static void test_port_is_found_by_its_name_in_any_case(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(ask(fixture, "WeB1.deMO.internal.", LDNS_RR_TYPE_A, 0, false), 1);
	assert_int_equal(ldns_pkt_id(fixture->said), 0x1234);
	assert_true(ldns_pkt_qr(fixture->said) && ldns_pkt_aa(fixture->said) && ldns_pkt_ra(fixture->said) &&
		    ldns_pkt_rd(fixture->said));
	assert_int_equal(ldns_pkt_ancount(fixture->said), 1);
	assert_rdata(fixture, 0, "10.0.0.2");
	assert_false(ldns_pkt_edns(fixture->said));
	/* The client's own spelling, by which some of them know their answers. */
	assert_memory_equal(fixture->answer.data + 13, "WeB1", 4);

	assert_int_equal(ask(fixture, "web1.demo.internal.", LDNS_RR_TYPE_AAAA, 1232, false), 1);
	assert_rdata(fixture, 0, "fd00::2");
	assert_true(ldns_pkt_edns(fixture->said));
	assert_int_equal(ask(fixture, "web1.demo.internal.", LDNS_RR_TYPE_ANY, 0, false), 1);
	assert_int_equal(ldns_pkt_ancount(fixture->said), 2);
	assert_int_equal(ask(fixture, "a.b_c.demo.internal.", LDNS_RR_TYPE_A, 0, false), 1);
	assert_rdata(fixture, 0, "10.0.0.3");
}

static void test_address_is_found_backwards(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(ask(fixture, "2.0.0.10.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 1);
	assert_rdata(fixture, 0, "web1.demo.internal.");
	assert_int_equal(ask(fixture, "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.IP6.ARPA.", LDNS_RR_TYPE_PTR,
			     0, false),
			 1);
	assert_rdata(fixture, 0, "web1.demo.internal.");
	assert_int_equal(ask(fixture, "9.0.0.10.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 1);
	assert_int_equal(ldns_pkt_get_rcode(fixture->said), LDNS_RCODE_NXDOMAIN);
	/* Not ours: other networks, other names. */
	assert_int_equal(ask(fixture, "9.0.0.11.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 0);
	assert_int_equal(ask(fixture, "02.0.0.10.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 0);
	assert_int_equal(ask(fixture, "256.0.0.10.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 0);
	assert_int_equal(ask(fixture, "1.2.0.0.10.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0, false), 0);
}

static void test_unknown_name_and_unknown_type_differ(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(ask(fixture, "nobody.demo.internal.", LDNS_RR_TYPE_A, 0, false), 1);
	assert_int_equal(ldns_pkt_get_rcode(fixture->said), LDNS_RCODE_NXDOMAIN);
	assert_int_equal(ldns_pkt_nscount(fixture->said), 1);
	assert_int_equal(ask(fixture, "web1.demo.internal.", LDNS_RR_TYPE_MX, 0, false), 1);
	assert_int_equal(ldns_pkt_get_rcode(fixture->said), LDNS_RCODE_NOERROR);
	assert_int_equal(ldns_pkt_ancount(fixture->said), 0);
	assert_int_equal(ldns_pkt_nscount(fixture->said), 1);
	assert_int_equal(ask(fixture, "demo.internal.", LDNS_RR_TYPE_SOA, 0, false), 1);
	assert_int_equal(ldns_pkt_ancount(fixture->said), 1);
	/* Ends alike, and is not ours. */
	assert_int_equal(ask(fixture, "xdemo.internal.", LDNS_RR_TYPE_A, 0, false), 0);
	assert_int_equal(ask(fixture, "web1.other.internal.", LDNS_RR_TYPE_A, 0, false), 0);
}

static void test_subnets_domain_holds_ports_and_more(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(ask(fixture, "web1.corp.example.", LDNS_RR_TYPE_A, 0, false), 1);
	assert_rdata(fixture, 0, "10.0.0.2");
	assert_int_equal(ask(fixture, "printer.corp.example.", LDNS_RR_TYPE_A, 0, false), 0);
}

static void test_servers_are_those_of_the_clients_subnet(void **state)
{
	struct fixture *fixture = *state;
	const struct vd_address *servers = NULL;
	struct vd_address client;

	assert_int_equal(vd_address_parse("10.0.0.77", &client), 0);
	assert_int_equal(vd_dns_servers(fixture->state, &client, &servers), 2);
	assert_int_equal(servers[0].bytes[0], 192);
	assert_int_equal(vd_address_parse("fd00::7", &client), 0);
	assert_int_equal(vd_dns_servers(fixture->state, &client, &servers), 2);
	assert_int_equal(vd_address_parse("10.0.1.77", &client), 0);
	assert_int_equal(vd_dns_servers(fixture->state, &client, &servers), 0);
}

/* An upstream answer of 20 texts of 200 bytes, one with a signature. */
static size_t big_answer(uint8_t **ret)
{
	ldns_pkt *packet = ldns_pkt_new();
	size_t size = 0;

	ldns_pkt_set_id(packet, 0x4321);
	ldns_pkt_set_qr(packet, true);
	for (int i = 0; i < 20; i++) {
		char text[300];
		ldns_rr *record = NULL;

		snprintf(text, sizeof(text), "big.example. 60 IN TXT \"%0200d\"", i);
		assert_int_equal(ldns_rr_new_frm_str(&record, text, 60, NULL, NULL), LDNS_STATUS_OK);
		ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, record);
		if (i == 0) {
			assert_int_equal(
				ldns_rr_new_frm_str(
					&record,
					"big.example. 60 IN RRSIG TXT 8 2 60 20300101000000 20200101000000 1 example. AAAA", 60,
					NULL, NULL),
				LDNS_STATUS_OK);
			ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, record);
		}
	}
	assert_int_equal(ldns_pkt2wire(ret, packet, &size), LDNS_STATUS_OK);
	ldns_pkt_free(packet);
	return size;
}

static void adopt(struct fixture *fixture, uint16_t edns, bool stream)
{
	VD_FREE uint8_t *data = NULL;
	size_t size = big_answer(&data);

	assert_int_equal(ask(fixture, "big.example.", LDNS_RR_TYPE_TXT, edns, stream), 0);
	assert_int_equal(vd_dns_query_adopt(fixture->query, data, size, &fixture->answer), 0);
	read_answer(fixture);
	assert_int_equal(ldns_pkt_id(fixture->said), 0x1234);
}

static void test_large_answer_is_cut_to_what_the_client_takes(void **state)
{
	static const struct {
		uint16_t edns;
		bool stream, whole;
		size_t most;
	} cases[] = {{0, false, false, 512},     {300, false, false, 512}, {1232, false, false, 1232},
		     {4096, false, false, 4096}, {0, true, true, 65535},   {1232, true, true, 65535}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *fixture = *state;

		adopt(fixture, cases[i].edns, cases[i].stream);
		assert_true(fixture->answer.size <= cases[i].most);
		assert_int_equal(ldns_pkt_tc(fixture->said), !cases[i].whole);
		assert_int_equal(ldns_pkt_ancount(fixture->said), cases[i].whole ? 20 : 0);
	}
}

static void test_unreadable_is_refused(void **state)
{
	static const uint8_t query[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1};
	uint8_t bent[sizeof(query)];
	struct fixture *fixture = *state;

	assert_int_equal(vd_dns_query_new(query, 11, false, &fixture->query), -EBADMSG);
	memcpy(bent, query, sizeof(bent));
	bent[2] |= 0x80; /* an answer: two servers must not talk for ever */
	assert_int_equal(vd_dns_query_new(bent, sizeof(bent), false, &fixture->query), -EBADMSG);
	for (size_t size = 12; size < sizeof(query); size++) {
		assert_int_equal(vd_dns_query_new(query, size, false, &fixture->query), 0);
		assert_int_equal(vd_dns_query_answer(fixture->query, fixture->state, &fixture->answer), 1);
		read_answer(fixture);
		assert_int_equal(ldns_pkt_get_rcode(fixture->said), LDNS_RCODE_FORMERR);
		forget(fixture);
	}
	assert_int_equal(ask(fixture, "example.", LDNS_RR_TYPE_AXFR, 0, true), 1);
	assert_int_equal(ldns_pkt_get_rcode(fixture->said), LDNS_RCODE_REFUSED);
}

/* Whether a query with so many of a record behind its question is taken for one that cannot be read. */
static bool is_unreadable(struct fixture *fixture, const uint8_t *record, size_t record_size, uint8_t count)
{
	uint8_t query[128] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, count, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1};
	size_t size = 21;

	for (uint8_t i = 0; i < count; i++, size += record_size)
		memcpy(query + size, record, record_size);
	forget(fixture);
	assert_int_equal(vd_dns_query_new(query, size, false, &fixture->query), 0);
	if (vd_dns_query_answer(fixture->query, fixture->state, &fixture->answer) != 1)
		return false;
	read_answer(fixture);
	return ldns_pkt_get_rcode(fixture->said) == LDNS_RCODE_FORMERR;
}

/* Of either there is one in a message (RFC 6891, RFC 8945). ldns would lose the first of two, as the sanitizers tell. */
static void test_what_is_there_twice_is_refused(void **state)
{
	static const uint8_t option[] = {0, 0, LDNS_RR_TYPE_OPT, 4, 0xd0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0};
	static const uint8_t signature[] = {0, 0, LDNS_RR_TYPE_TSIG, 0, 255, 0, 0, 0, 0, 0, 0};

	assert_false(is_unreadable(*state, option, sizeof(option), 1));
	assert_true(is_unreadable(*state, option, sizeof(option), 2));
	assert_false(is_unreadable(*state, signature, sizeof(signature), 1));
	assert_true(is_unreadable(*state, signature, sizeof(signature), 2));
	assert_true(is_unreadable(*state, signature, sizeof(signature), 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_port_is_found_by_its_name_in_any_case),
		TEST(test_address_is_found_backwards),
		TEST(test_unknown_name_and_unknown_type_differ),
		TEST(test_subnets_domain_holds_ports_and_more),
		TEST(test_servers_are_those_of_the_clients_subnet),
		TEST(test_large_answer_is_cut_to_what_the_client_takes),
		TEST(test_unreadable_is_refused),
		TEST(test_what_is_there_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
