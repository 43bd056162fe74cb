/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_DNS_H
#define VD_SERVICES_DNS_DNS_H

#include "services/router/state.h"

/*
 * What a client of the VPC's name server asked, and what it is told. Pure: bytes in, bytes out, over ldns.
 *
 * The router knows the VPC's own names: "<port>.<vpc>.internal", and "<port>.<domain>" where a subnet has a domain of its own; and
 * their addresses backwards. It alone speaks for <vpc>.internal and for the addresses of the VPC's subnets; what a subnet's own
 * domain holds beside the ports is asked upstream, as everything else.
 */
struct vd_dns_query;

/* An answer in wire format. data is to be freed. */
struct vd_dns_answer {
	uint8_t *data;
	size_t size;
};

/* Codes of RFC 1035 and RFC 6891 that a runner may have to say. */
enum vd_dns_code {
	VD_DNS_CODE_SERVER_FAILURE = 2,
	VD_DNS_CODE_REFUSED = 5,
};

/*
 * Reads a query. stream: it came over TCP, so that an answer may have 65,535 bytes; over UDP it may have what the client's EDNS
 * says, or 512. -EBADMSG: nothing that deserves an answer (less than a header, or itself an answer). A header whose rest cannot be
 * read makes a query that vd_dns_query_answer answers with FORMERR.
 */
int vd_dns_query_new(const void *packet, size_t size, bool stream, struct vd_dns_query **ret);
void vd_dns_query_free(struct vd_dns_query *query);

/* 1: answered here and now; 0: the upstream servers must be asked. What the query itself forbids is answered with an error code. */
int vd_dns_query_answer(const struct vd_dns_query *query, const struct vd_router_state *state, struct vd_dns_answer *ret);
/* What to ask upstream: the name in text (borrowed), type and class. Only when vd_dns_query_answer said 0. */
void vd_dns_query_question(const struct vd_dns_query *query, const char **ret_name, uint16_t *ret_type, uint16_t *ret_class);
/*
 * The upstream's answer, made the client's: its id, its question as it wrote it, its flags, its size; signatures only for who asked
 * for them (DO, RFC 3225). -EBADMSG when the packet cannot be read.
 */
int vd_dns_query_adopt(const struct vd_dns_query *query, const void *packet, size_t size, struct vd_dns_answer *ret);
/* An answer that holds a code and nothing else. */
int vd_dns_query_fail(const struct vd_dns_query *query, enum vd_dns_code code, struct vd_dns_answer *ret);

/*
 * Where the client's questions go: the servers of the subnet that its address is in. 0 servers: the host's own. The array is
 * borrowed from the state.
 */
size_t vd_dns_servers(const struct vd_router_state *state, const struct vd_address *client, const struct vd_address **ret);

#endif
