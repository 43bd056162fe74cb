/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/dns.h"

#include "base/cleanup.h"
#include "services/dns/zone.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdbool.h>
#include <string.h>

/* What a name of ours may be remembered for: a port that moves keeps its address, one that is deleted is forgotten this soon. */
#define NAME_TTL 30
/* How long it may be remembered that there is no such name (RFC 2308): short, as it is the first thing asked of a new instance. */
#define NEGATIVE_TTL 5

#define HEADER_SIZE 12
#define UDP_SIZE_MIN 512    /* RFC 1035 */
#define UDP_SIZE_MAX 4096   /* what a client may ask for at most; its packets stay on this host */
#define EDNS_SIZE_OURS 1232 /* what we say that we take */

struct vd_dns_query {
	uint16_t id;
	uint8_t opcode;
	bool recursion_desired, checking_disabled;
	bool has_edns, dnssec_ok;
	uint8_t edns_version;
	size_t limit;     /* bytes of an answer */
	ldns_pkt *packet; /* NULL: what follows the header cannot be read */
	char *name;       /* of the one question; NULL when there is not just one */
	uint16_t type, class;
};

static void packet_free(ldns_pkt **packet)
{
	if (*packet)
		ldns_pkt_free(*packet);
}

/* ---- reading ---- */

/*
 * Whether one of the records that a message has once at most (RFC 6891, 6.1.1; RFC 8945, 5.2) is there twice. ldns 1.8 keeps the second
 * and loses the first: NLnetLabs/ldns issue 317.
 */
static bool has_twice(const uint8_t *bytes, size_t size)
{
	unsigned before = 0, additional = (unsigned)(bytes[10] << 8 | bytes[11]), options = 0, signatures = 0;
	const unsigned questions = (unsigned)(bytes[4] << 8 | bytes[5]);
	size_t position = HEADER_SIZE;

	if (additional < 2)
		return false;
	for (size_t i = 4; i < 10; i += 2)
		before += (unsigned)(bytes[i] << 8 | bytes[i + 1]);
	for (unsigned i = 0; i < before + additional; i++) {
		ldns_rr *record = NULL;

		/* What cannot be read ends ldns_wire2pkt, too. */
		if (ldns_wire2rr(&record, bytes, size, &position, i < questions ? LDNS_SECTION_QUESTION : LDNS_SECTION_ANSWER) !=
		    LDNS_STATUS_OK)
			return false;
		options += i >= before && ldns_rr_get_type(record) == LDNS_RR_TYPE_OPT;
		signatures += i >= before && ldns_rr_get_type(record) == LDNS_RR_TYPE_TSIG;
		ldns_rr_free(record);
		if (options > 1 || signatures > 1)
			return true;
	}
	return false;
}

/* At least a header. NULL: what follows it cannot be read. */
static ldns_pkt *packet_read(const uint8_t *bytes, size_t size)
{
	ldns_pkt *packet = NULL;

	return !has_twice(bytes, size) && ldns_wire2pkt(&packet, bytes, size) == LDNS_STATUS_OK ? packet : NULL;
}

static void read_edns(struct vd_dns_query *query, bool stream)
{
	uint16_t size = ldns_pkt_edns_udp_size(query->packet);

	query->has_edns = ldns_pkt_edns(query->packet);
	query->dnssec_ok = ldns_pkt_edns_do(query->packet);
	query->edns_version = ldns_pkt_edns_version(query->packet);
	if (stream || !query->has_edns || size < UDP_SIZE_MIN)
		return;
	query->limit = size < UDP_SIZE_MAX ? size : UDP_SIZE_MAX;
}

static int read_question(struct vd_dns_query *query)
{
	const ldns_rr_list *questions = ldns_pkt_question(query->packet);
	const ldns_rr *question;

	if (!questions || ldns_rr_list_rr_count(questions) != 1)
		return 0;
	question = ldns_rr_list_rr(questions, 0);
	query->type = (uint16_t)ldns_rr_get_type(question);
	query->class = (uint16_t)ldns_rr_get_class(question);
	query->name = ldns_rdf2str(ldns_rr_owner(question));
	return query->name ? 0 : -ENOMEM;
}

int vd_dns_query_new(const void *packet, size_t size, bool stream, struct vd_dns_query **ret)
{
	const uint8_t *bytes = packet;
	struct vd_dns_query *query;
	int r = 0;

	if (size < HEADER_SIZE || bytes[2] & 0x80)
		return -EBADMSG;
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->id = (uint16_t)(bytes[0] << 8 | bytes[1]);
	query->opcode = bytes[2] >> 3 & 0xf;
	query->recursion_desired = bytes[2] & 0x01;
	query->checking_disabled = bytes[3] & 0x10;
	query->limit = stream ? UINT16_MAX : UDP_SIZE_MIN;
	query->packet = packet_read(bytes, size);
	if (query->packet) {
		read_edns(query, stream);
		r = read_question(query);
	}
	if (r < 0) {
		vd_dns_query_free(query);
		return r;
	}
	*ret = query;
	return 0;
}

void vd_dns_query_free(struct vd_dns_query *query)
{
	if (!query)
		return;
	packet_free(&query->packet);
	free(query->name);
	free(query);
}

void vd_dns_query_question(const struct vd_dns_query *query, const char **ret_name, uint16_t *ret_type, uint16_t *ret_class)
{
	*ret_name = query->name;
	*ret_type = query->type;
	*ret_class = query->class;
}

/* ---- writing ---- */

/* Our side's header, the question as the client wrote it, and EDNS when the client has it. */
static ldns_pkt *reply_new(const struct vd_dns_query *query, unsigned code)
{
	ldns_pkt *reply = ldns_pkt_new();
	ldns_rr_list *question;

	if (!reply)
		return NULL;
	ldns_pkt_set_id(reply, query->id);
	ldns_pkt_set_qr(reply, true);
	ldns_pkt_set_opcode(reply, query->opcode);
	ldns_pkt_set_rd(reply, query->recursion_desired);
	ldns_pkt_set_cd(reply, query->checking_disabled);
	ldns_pkt_set_ra(reply, true);
	ldns_pkt_set_rcode(reply, code & 0xf);
	if (query->packet && query->name) {
		question = ldns_rr_list_clone(ldns_pkt_question(query->packet));
		ldns_rr_list_deep_free(ldns_pkt_question(reply));
		ldns_pkt_set_question(reply, question);
		ldns_pkt_set_qdcount(reply, 1);
	}
	if (query->has_edns) {
		ldns_pkt_set_edns_udp_size(reply, EDNS_SIZE_OURS);
		ldns_pkt_set_edns_do(reply, query->dnssec_ok);
		ldns_pkt_set_edns_extended_rcode(reply, (uint8_t)(code >> 4));
	}
	return reply;
}

static void section_clear(ldns_pkt *packet, ldns_pkt_section section)
{
	ldns_rr_list *empty = ldns_rr_list_new();

	if (section == LDNS_SECTION_ANSWER) {
		ldns_rr_list_deep_free(ldns_pkt_answer(packet));
		ldns_pkt_set_answer(packet, empty);
	} else if (section == LDNS_SECTION_AUTHORITY) {
		ldns_rr_list_deep_free(ldns_pkt_authority(packet));
		ldns_pkt_set_authority(packet, empty);
	} else {
		ldns_rr_list_deep_free(ldns_pkt_additional(packet));
		ldns_pkt_set_additional(packet, empty);
	}
	ldns_pkt_set_section_count(packet, section, 0);
}

static int reply_write(const ldns_pkt *reply, uint8_t **ret, size_t *ret_size)
{
	if (ldns_pkt2wire(ret, reply, ret_size) != LDNS_STATUS_OK)
		return -ENOMEM;
	return 0;
}

/*
 * What does not fit goes: first what nobody asked for, then everything, with TC, so that the client comes again over TCP. Half an
 * answer would tempt some clients to be content with it (RFC 2181, section 9).
 */
static int reply_finish(const struct vd_dns_query *query, ldns_pkt *reply, struct vd_dns_answer *ret)
{
	uint8_t *data = NULL;
	size_t size = 0;
	int r = reply_write(reply, &data, &size);

	if (r == 0 && size > query->limit) {
		free(data);
		data = NULL;
		section_clear(reply, LDNS_SECTION_ADDITIONAL);
		r = reply_write(reply, &data, &size);
	}
	if (r == 0 && size > query->limit) {
		free(data);
		data = NULL;
		section_clear(reply, LDNS_SECTION_ANSWER);
		section_clear(reply, LDNS_SECTION_AUTHORITY);
		ldns_pkt_set_tc(reply, true);
		r = reply_write(reply, &data, &size);
	}
	if (r < 0)
		return r;
	*ret = (struct vd_dns_answer){.data = data, .size = size};
	return 0;
}

static int code_answer(const struct vd_dns_query *query, unsigned code, struct vd_dns_answer *ret)
{
	VD_CLEANUP(packet_free) ldns_pkt *reply = reply_new(query, code);

	return reply ? reply_finish(query, reply, ret) : -ENOMEM;
}

int vd_dns_query_fail(const struct vd_dns_query *query, enum vd_dns_code code, struct vd_dns_answer *ret)
{
	return code_answer(query, code, ret);
}

/* ---- the VPC's own names ---- */

static ldns_rr *record_new(const struct vd_dns_query *query, ldns_rr_type type)
{
	ldns_rr *record = ldns_rr_new();

	if (!record)
		return NULL;
	ldns_rr_set_owner(record, ldns_rdf_clone(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(query->packet), 0))));
	ldns_rr_set_type(record, type);
	ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(record, NAME_TTL);
	return record;
}

static bool is_asked(const struct vd_dns_query *query, ldns_rr_type type)
{
	return query->type == type || query->type == LDNS_RR_TYPE_ANY;
}

static int addresses_add(const struct vd_dns_query *query, ldns_pkt *reply, const struct vd_router_name *name)
{
	for (; name; name = name->next) {
		bool is_ipv6 = name->address.family == VD_FAMILY_IPV6;
		ldns_rr_type type = is_ipv6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A;
		ldns_rr *record;

		if (!is_asked(query, type))
			continue;
		record = record_new(query, type);
		if (!record)
			return -ENOMEM;
		ldns_rr_push_rdf(record, ldns_rdf_new_frm_data(is_ipv6 ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, is_ipv6 ? 16 : 4,
							       name->address.bytes));
		ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, record);
	}
	return 0;
}

static int pointer_add(const struct vd_dns_query *query, ldns_pkt *reply, const char *zone, const char *name)
{
	char text[VD_ZONE_NAME_SIZE + VD_ZONE_NAME_SIZE];
	ldns_rdf *target;
	ldns_rr *record;

	if (!is_asked(query, LDNS_RR_TYPE_PTR))
		return 0;
	snprintf(text, sizeof(text), "%s.%s", name, zone);
	target = ldns_dname_new_frm_str(text);
	record = record_new(query, LDNS_RR_TYPE_PTR);
	if (!target || !record) {
		ldns_rdf_deep_free(target);
		ldns_rr_free(record);
		return -ENOMEM;
	}
	ldns_rr_push_rdf(record, target);
	ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, record);
	return 0;
}

/* Says who speaks for the zone, and how long a "no" holds. The serial number serves nobody: there are no transfers. */
static int soa_add(ldns_pkt *reply, const char *zone, ldns_pkt_section section)
{
	char text[4 * VD_ZONE_NAME_SIZE];
	ldns_rr *record = NULL;

	snprintf(text, sizeof(text), "%s %d IN SOA ns.%s hostmaster.%s 1 3600 600 86400 %d", zone, NEGATIVE_TTL, zone, zone,
		 NEGATIVE_TTL);
	if (ldns_rr_new_frm_str(&record, text, NEGATIVE_TTL, NULL, NULL) != LDNS_STATUS_OK)
		return -ENOMEM;
	ldns_pkt_push_rr(reply, section, record);
	return 0;
}

static int own_answer(const struct vd_dns_query *query, const struct vd_router_state *state, const struct vd_zone_answer *known,
		      struct vd_dns_answer *ret)
{
	VD_CLEANUP(packet_free)
	ldns_pkt *reply = reply_new(query, known->result == VD_ZONE_RESULT_UNKNOWN ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_NOERROR);
	char zone[VD_ZONE_NAME_SIZE];
	int r = 0;

	if (!reply)
		return -ENOMEM;
	vd_zone_name(state, zone);
	ldns_pkt_set_aa(reply, true);
	switch (known->result) {
	case VD_ZONE_RESULT_ADDRESSES:
		r = addresses_add(query, reply, known->record);
		break;
	case VD_ZONE_RESULT_REVERSE:
		r = pointer_add(query, reply, zone, known->record->name);
		break;
	case VD_ZONE_RESULT_APEX:
		if (is_asked(query, LDNS_RR_TYPE_SOA))
			r = soa_add(reply, zone, LDNS_SECTION_ANSWER);
		break;
	case VD_ZONE_RESULT_UNKNOWN:
	case VD_ZONE_RESULT_ELSEWHERE:
		break;
	}
	if (r == 0 && ldns_pkt_ancount(reply) == 0 && zone[0])
		r = soa_add(reply, zone, LDNS_SECTION_AUTHORITY);
	return r < 0 ? r : reply_finish(query, reply, ret);
}

/* What no server should be asked for a client; 0 when there is nothing against it. */
static unsigned objection(const struct vd_dns_query *query)
{
	if (query->opcode != LDNS_PACKET_QUERY)
		return LDNS_RCODE_NOTIMPL;
	if (!query->packet || !query->name)
		return LDNS_RCODE_FORMERR;
	if (query->edns_version > 0)
		return 16; /* BADVERS, RFC 6891 */
	if (query->class != LDNS_RR_CLASS_IN || query->type == LDNS_RR_TYPE_AXFR || query->type == LDNS_RR_TYPE_IXFR ||
	    query->type == LDNS_RR_TYPE_MAILA || query->type == LDNS_RR_TYPE_MAILB || query->type == 0 ||
	    query->type == LDNS_RR_TYPE_OPT)
		return LDNS_RCODE_REFUSED;
	return 0;
}

int vd_dns_query_answer(const struct vd_dns_query *query, const struct vd_router_state *state, struct vd_dns_answer *ret)
{
	struct vd_zone_answer known;
	unsigned code = objection(query);
	int r;

	if (code) {
		r = code_answer(query, code, ret);
		return r < 0 ? r : 1;
	}
	known = vd_zone_find(state, query->name);
	if (known.result == VD_ZONE_RESULT_ELSEWHERE)
		return 0;
	r = own_answer(query, state, &known, ret);
	return r < 0 ? r : 1;
}

/* ---- what comes from upstream ---- */

static bool is_signature(ldns_rr_type type)
{
	return type == LDNS_RR_TYPE_RRSIG || type == LDNS_RR_TYPE_NSEC || type == LDNS_RR_TYPE_NSEC3;
}

static int section_take(const struct vd_dns_query *query, ldns_pkt *reply, const ldns_pkt *upstream, ldns_pkt_section section)
{
	ldns_rr_list *records = ldns_pkt_get_section_clone(upstream, section);
	int r = records ? 0 : -ENOMEM;

	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		ldns_rr *record = ldns_rr_list_rr(records, i);

		if (is_signature(ldns_rr_get_type(record)) && !query->dnssec_ok && ldns_rr_get_type(record) != query->type &&
		    query->type != LDNS_RR_TYPE_ANY)
			ldns_rr_free(record);
		else
			ldns_pkt_push_rr(reply, section, record);
	}
	ldns_rr_list_free(records);
	return r;
}

int vd_dns_query_adopt(const struct vd_dns_query *query, const void *packet, size_t size, struct vd_dns_answer *ret)
{
	static const ldns_pkt_section sections[] = {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY, LDNS_SECTION_ADDITIONAL};
	VD_CLEANUP(packet_free) ldns_pkt *upstream = size < HEADER_SIZE ? NULL : packet_read(packet, size), *reply = NULL;
	int r = 0;

	if (!upstream)
		return -EBADMSG;
	reply = reply_new(query, ldns_pkt_get_rcode(upstream));
	if (!reply)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && r == 0; i++)
		r = section_take(query, reply, upstream, sections[i]);
	return r < 0 ? r : reply_finish(query, reply, ret);
}

/* ---- whom to ask ---- */

struct servers {
	const struct vd_address *client;
	const struct vd_router_subnet *subnet;
};

static int subnet_check(const struct vd_router_subnet *subnet, void *userdata)
{
	struct servers *servers = userdata;

	if (!vd_prefix_contains(&subnet->cidr4, servers->client) && !vd_prefix_contains(&subnet->cidr6, servers->client))
		return 0;
	servers->subnet = subnet;
	return 1;
}

size_t vd_dns_servers(const struct vd_router_state *state, const struct vd_address *client, const struct vd_address **ret)
{
	struct servers servers = {.client = client};

	if (!vd_router_state_each_subnet(state, subnet_check, &servers))
		return 0;
	*ret = servers.subnet->dns;
	return servers.subnet->dns_count;
}
