/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_RUNNER_H
#define VD_SERVICES_DNS_RUNNER_H

#include "services/dns/dns.h"
#include "services/dns/dns_runner.h"
#include "services/dns/upstream.h"

#include <netinet/in.h>
#include <uthash.h>

/* What the files of the name server's runner share. */

#define VD_DNS_PORT 53
/* Questions waiting for an upstream server: of all, and of one client, so that one instance cannot take the others' share. */
#define VD_DNS_WAITING_MAX 2048
#define VD_DNS_CLIENT_WAITING_MAX 256
#define VD_DNS_CONNECTIONS_MAX 256
#define VD_DNS_CLIENT_CONNECTIONS_MAX 16

/* X(word): what is counted. */
#define VD_DNS_COUNTERS(X) \
	X(queries)         /* all that were understood to be queries */ \
	X(tcp)             /* of these, over TCP */ \
	X(own)             /* answered here: names of the VPC, and refusals */ \
	X(forwarded)       /* asked upstream */ \
	X(through_vpc)     /* of these, through the VPC's own way out */ \
	X(upstream_failed) /* of these, without an answer in time */ \
	X(limited)         /* turned away: too many under way */ \
	X(malformed)       /* no query at all */ \
	X(send_failed)

struct vd_dns_counters {
#define X(word) uint64_t word;
	VD_DNS_COUNTERS(X)
#undef X
};

/* Someone who has something under way. */
struct vd_dns_client {
	struct vd_address address;
	unsigned waiting, connections;
	UT_hash_handle hh;
};

/* Where an answer goes. */
struct vd_dns_origin {
	struct vd_address client;
	struct vd_dns_connection *connection; /* NULL: UDP */
	int socket;
	struct sockaddr_in6 peer; /* or the smaller sockaddr_in */
	uint32_t ifindex;         /* what the query came in by, and the address that it came to */
	struct vd_address local;
};

struct vd_dns_runner {
	uv_loop_t *loop;
	const struct vd_router_state *state;
	struct vd_upstreams *upstreams;
	struct vd_dns_counters counters;
	struct vd_dns_client *clients;
	unsigned waiting, connections;
	struct vd_dns_connection *open; /* connections */
	uv_poll_t udp[2];               /* IPv4, IPv6 */
	uv_tcp_t tcp[2];
	int udp_sockets[2];
	bool has_tcp[2];
	int handles; /* not closed yet */
	bool closing;
};

/* ---- dns_runner.c ---- */
/* Answers the query, now or later, to where it came from. */
void vd_dns_runner_take(struct vd_dns_runner *runner, const void *packet, size_t size, const struct vd_dns_origin *origin);
/* Found or made; NULL: no memory. Gone by itself when it has nothing under way any more: vd_dns_client_settle. */
struct vd_dns_client *vd_dns_client_get(struct vd_dns_runner *runner, const struct vd_address *address);
void vd_dns_client_settle(struct vd_dns_runner *runner, struct vd_dns_client *client);
/* For each handle's uv_close. */
void vd_dns_runner_handle_closed(struct vd_dns_runner *runner);
struct vd_address vd_dns_address_of(const struct sockaddr *from);

/* ---- socket.c ---- */
/*
 * Sockets of both families (SOCK_DGRAM, SOCK_STREAM) in the calling thread's namespace; -1: that family is not there. 0 or a negative
 * errno.
 */
int vd_dns_sockets_open(int type, int ret_sockets[2]);

/* ---- udp.c ---- */
int vd_dns_udp_start(struct vd_dns_runner *runner);
int vd_dns_udp_send(const struct vd_dns_origin *origin, const void *data, size_t size);

/* ---- tcp.c ---- */
/* Takes the sockets over. */
int vd_dns_tcp_start(struct vd_dns_runner *runner, int sockets[2]);
/* Takes data over. */
void vd_dns_tcp_send(struct vd_dns_connection *connection, uint8_t *data, size_t size);
/* The connection has one more query under way: it is there, open or closed, until released. */
void vd_dns_tcp_hold(struct vd_dns_connection *connection);
void vd_dns_tcp_release(struct vd_dns_connection *connection);
void vd_dns_tcp_close_all(struct vd_dns_runner *runner);

#endif
