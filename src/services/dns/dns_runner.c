/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/dns_runner.h"

#include "base/cleanup.h"
#include "base/netns.h"
#include "services/dns/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A query that waits for an upstream server. */
struct waiting {
	struct vd_dns_runner *runner;
	struct vd_dns_client *client;
	struct vd_dns_query *query;
	struct vd_dns_origin origin;
};

/* ---- clients ---- */

struct vd_address vd_dns_address_of(const struct sockaddr *from)
{
	struct vd_address address = {};

	if (from->sa_family == AF_INET) {
		address.family = VD_FAMILY_IPV4;
		memcpy(address.bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		address.family = VD_FAMILY_IPV6;
		memcpy(address.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	}
	return address;
}

struct vd_dns_client *vd_dns_client_get(struct vd_dns_runner *runner, const struct vd_address *address)
{
	struct vd_dns_client *client;

	HASH_FIND(hh, runner->clients, address, sizeof(*address), client);
	if (client)
		return client;
	client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->address = *address;
	HASH_ADD(hh, runner->clients, address, sizeof(client->address), client);
	return client;
}

void vd_dns_client_settle(struct vd_dns_runner *runner, struct vd_dns_client *client)
{
	if (client->waiting > 0 || client->connections > 0)
		return;
	HASH_DEL(runner->clients, client);
	free(client);
}

/* ---- answers ---- */

static void answer_send(struct vd_dns_runner *runner, const struct vd_dns_origin *origin, const struct vd_dns_answer *answer)
{
	if (origin->connection) {
		vd_dns_tcp_send(origin->connection, answer->data, answer->size);
		return;
	}
	if (vd_dns_udp_send(origin, answer->data, answer->size) < 0)
		runner->counters.send_failed++;
	free(answer->data);
}

static void failure_send(struct vd_dns_runner *runner, const struct vd_dns_query *query, const struct vd_dns_origin *origin)
{
	struct vd_dns_answer answer;

	if (vd_dns_query_fail(query, VD_DNS_CODE_SERVER_FAILURE, &answer) == 0)
		answer_send(runner, origin, &answer);
}

static void waiting_end(struct waiting *waiting)
{
	struct vd_dns_runner *runner = waiting->runner;

	runner->waiting--;
	waiting->client->waiting--;
	vd_dns_client_settle(runner, waiting->client);
	vd_dns_query_free(waiting->query);
	if (waiting->origin.connection)
		vd_dns_tcp_release(waiting->origin.connection);
	free(waiting);
}

static void upstream_answered(const void *data, size_t size, void *userdata)
{
	struct waiting *waiting = userdata;
	struct vd_dns_runner *runner = waiting->runner;
	struct vd_dns_answer answer;

	if (data && vd_dns_query_adopt(waiting->query, data, size, &answer) == 0) {
		answer_send(runner, &waiting->origin, &answer);
	} else {
		runner->counters.upstream_failed++;
		failure_send(runner, waiting->query, &waiting->origin);
	}
	waiting_end(waiting);
}

/* Takes the query over. */
static void forward(struct vd_dns_runner *runner, struct vd_dns_query *query, const struct vd_dns_origin *origin)
{
	struct vd_dns_client *client = vd_dns_client_get(runner, &origin->client);
	struct waiting *waiting = client ? calloc(1, sizeof(*waiting)) : NULL;
	const struct vd_address *servers = NULL;
	const char *name;
	uint16_t type, class;
	size_t count;
	int r;

	if (!waiting || runner->waiting >= VD_DNS_WAITING_MAX || client->waiting >= VD_DNS_CLIENT_WAITING_MAX) {
		runner->counters.limited++;
		failure_send(runner, query, origin);
		if (client)
			vd_dns_client_settle(runner, client);
		vd_dns_query_free(query);
		free(waiting);
		return;
	}
	*waiting = (struct waiting){.runner = runner, .client = client, .query = query, .origin = *origin};
	runner->waiting++;
	client->waiting++;
	if (origin->connection)
		vd_dns_tcp_hold(origin->connection);
	runner->counters.forwarded++;
	vd_dns_query_question(query, &name, &type, &class);
	count = vd_dns_servers(runner->state, &origin->client, &servers);
	r = vd_upstreams_ask(runner->upstreams, servers, count, name, type, class, upstream_answered, waiting);
	if (r < 0)
		upstream_answered(NULL, 0, waiting);
	else
		runner->counters.through_vpc += (uint64_t)r;
}

void vd_dns_runner_take(struct vd_dns_runner *runner, const void *packet, size_t size, const struct vd_dns_origin *origin)
{
	struct vd_dns_query *query = NULL;
	struct vd_dns_answer answer;
	int r = vd_dns_query_new(packet, size, origin->connection != NULL, &query);

	if (r < 0) {
		runner->counters.malformed++;
		return;
	}
	runner->counters.queries++;
	if (origin->connection)
		runner->counters.tcp++;
	r = vd_dns_query_answer(query, runner->state, &answer);
	if (r == 0) {
		forward(runner, query, origin);
		return;
	}
	runner->counters.own++;
	if (r > 0)
		answer_send(runner, origin, &answer);
	vd_dns_query_free(query);
}

/* ---- life ---- */

struct sockets {
	int udp[2], tcp[2];
};

static int sockets_open(void *userdata)
{
	struct sockets *sockets = userdata;
	int r = vd_dns_sockets_open(SOCK_DGRAM, sockets->udp);

	return r < 0 ? r : vd_dns_sockets_open(SOCK_STREAM, sockets->tcp);
}

/* What takes privileges: port 53 in the namespace, and a thread that stays there to ask from. */
static int inside_open(struct vd_dns_runner *runner, const char *netns_path, const char *resolv_conf, struct sockets *sockets,
		       struct vd_error *error)
{
	VD_CLOSE int netns = open(netns_path, O_RDONLY | O_CLOEXEC);
	int r = netns < 0 ? -errno : vd_upstreams_new(runner->loop, resolv_conf, netns, &runner->upstreams);

	if (r < 0)
		return vd_error_set(error, r, "DNS: the network namespace %s cannot be entered: %s", netns_path, strerror(-r));
	r = vd_netns_run(netns, sockets_open, sockets);
	if (r < 0)
		return vd_error_set(error, r, "DNS: port 53 in the network namespace %s cannot be opened: %s", netns_path,
				    strerror(-r));
	return 0;
}

static void sockets_close(int sockets[2])
{
	for (int i = 0; i < 2; i++) {
		vd_cleanup_close(&sockets[i]);
		sockets[i] = -1;
	}
}

int vd_dns_runner_new(uv_loop_t *loop, const struct vd_router_state *state, const char *netns_path, const char *resolv_conf,
		      struct vd_dns_runner **ret, struct vd_error *error)
{
	struct vd_dns_runner *runner = calloc(1, sizeof(*runner));
	struct sockets sockets = {{-1, -1}, {-1, -1}};
	int r;

	if (!runner)
		return vd_error_set(error, -ENOMEM, "out of memory");
	runner->loop = loop;
	runner->state = state;
	r = inside_open(runner, netns_path, resolv_conf, &sockets, error);
	memcpy(runner->udp_sockets, sockets.udp, sizeof(sockets.udp));
	if (r == 0) {
		r = vd_dns_udp_start(runner);
		if (r == 0)
			r = vd_dns_tcp_start(runner, sockets.tcp);
		if (r < 0)
			vd_error_set(error, r, "DNS: its sockets cannot be used: %s", uv_strerror(r));
	}
	sockets_close(sockets.tcp);
	if (r < 0) {
		vd_dns_runner_free(runner);
		return r;
	}
	*ret = runner;
	return 0;
}

void vd_dns_runner_handle_closed(struct vd_dns_runner *runner)
{
	if (--runner->handles == 0 && runner->closing)
		free(runner);
}

static void handle_closed(uv_handle_t *handle)
{
	vd_dns_runner_handle_closed(handle->data);
}

void vd_dns_runner_free(struct vd_dns_runner *runner)
{
	if (!runner)
		return;
	/* Clients hear that it failed, and their next server is asked. */
	vd_upstreams_free(runner->upstreams);
	vd_dns_tcp_close_all(runner);
	runner->closing = true;
	runner->handles++; /* until everything is asked to close */
	for (int i = 0; i < 2; i++) {
		if (runner->udp[i].data)
			uv_close((uv_handle_t *)&runner->udp[i], handle_closed);
		if (runner->has_tcp[i])
			uv_close((uv_handle_t *)&runner->tcp[i], handle_closed);
	}
	sockets_close(runner->udp_sockets);
	vd_dns_runner_handle_closed(runner);
}

/* ---- what changes, and what is counted ---- */

static int list_check(const struct vd_router_subnet *subnet, void *userdata)
{
	VD_FREE char *list = subnet->dns_count > 0 ? vd_upstreams_list(subnet->dns, subnet->dns_count) : NULL;

	return list && strcmp(list, userdata) == 0;
}

static bool is_wanted(const char *list, void *userdata)
{
	const struct vd_dns_runner *runner = userdata;

	return vd_router_state_each_subnet(runner->state, list_check, (void *)list) != 0;
}

void vd_dns_runner_changed(struct vd_dns_runner *runner)
{
	static const struct vd_router nothing;
	const struct vd_router *router = vd_router_state_router(runner->state);

	if (!router)
		router = &nothing;
	vd_upstreams_lead(runner->upstreams, &router->service4, &router->service6);
	vd_upstreams_sweep(runner->upstreams, is_wanted, runner);
}

struct ways {
	const struct vd_upstreams *upstreams;
	bool vpc, host;
};

static int way_note(const struct vd_router_subnet *subnet, void *userdata)
{
	struct ways *ways = userdata;

	*(vd_upstreams_are_inside(ways->upstreams, subnet->dns, subnet->dns_count) ? &ways->vpc : &ways->host) = true;
	return 0;
}

/* How the subnets' servers are asked. */
static const char *way_word(const struct vd_dns_runner *runner)
{
	struct ways ways = {.upstreams = runner->upstreams};

	vd_router_state_each_subnet(runner->state, way_note, &ways);
	return !ways.vpc ? "host" : ways.host ? "vpc, host" : "vpc";
}

json_t *vd_dns_runner_counters(const struct vd_dns_runner *runner)
{
	json_t *counters = json_object();

#define X(word) json_object_set_new(counters, #word, json_integer((json_int_t)runner->counters.word));
	VD_DNS_COUNTERS(X)
#undef X
	json_object_set_new(counters, "way", json_string(way_word(runner)));
	json_object_set_new(counters, "waiting", json_integer(runner->waiting));
	json_object_set_new(counters, "connections", json_integer(runner->connections));
	json_object_set_new(counters, "upstream_lists", json_integer((json_int_t)vd_upstreams_count(runner->upstreams)));
	return counters;
}
