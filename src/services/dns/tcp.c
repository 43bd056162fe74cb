/* SPDX-License-Identifier: Apache-2.0 */
/* Queries by TCP (RFC 7766): many on one connection, answered in whatever order the answers come. */
#include "services/dns/runner.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#define IDLE_MS 10000
#define BACKLOG 128
/* A connection with so many queries under way, or bytes not taken, is not read any further until they are answered. */
#define PIPELINE_MAX 64
#define UNSENT_MAX (256 * 1024)
#define LENGTH_SIZE 2

struct vd_dns_connection {
	struct vd_dns_connection *prev, *next;
	struct vd_dns_runner *runner;
	struct vd_dns_client *client;
	struct vd_address address;
	uv_tcp_t tcp;
	uv_timer_t idle;
	unsigned waiting; /* queries under way */
	int handles;      /* not closed yet */
	bool closed, stopped, taking;
	size_t filled; /* of buffer */
	uint8_t buffer[LENGTH_SIZE + UINT16_MAX];
};

struct writing {
	uv_write_t request;
	struct vd_dns_connection *connection;
	uint8_t *data;
	uint8_t length[LENGTH_SIZE];
};

/* ---- a connection's end ---- */

static void connection_free_when_done(struct vd_dns_connection *connection)
{
	if (connection->closed && connection->handles == 0 && connection->waiting == 0)
		free(connection);
}

static void handle_closed(uv_handle_t *handle)
{
	struct vd_dns_connection *connection = handle->data;
	struct vd_dns_runner *runner = connection->runner;

	connection->handles--;
	connection_free_when_done(connection);
	vd_dns_runner_handle_closed(runner);
}

static void connection_close(struct vd_dns_connection *connection)
{
	if (connection->closed)
		return;
	connection->closed = true;
	DL_DELETE(connection->runner->open, connection);
	connection->runner->connections--;
	if (connection->client) {
		connection->client->connections--;
		vd_dns_client_settle(connection->runner, connection->client);
		connection->client = NULL;
	}
	uv_close((uv_handle_t *)&connection->tcp, handle_closed);
	uv_close((uv_handle_t *)&connection->idle, handle_closed);
}

static void idle_passed(uv_timer_t *timer)
{
	struct vd_dns_connection *connection = timer->data;

	/* Also one whose peer takes nothing: its answers wait, it does not. */
	connection_close(connection);
}

/* ---- reading ---- */

static void buffer_get(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct vd_dns_connection *connection = handle->data;

	*ret = uv_buf_init((char *)connection->buffer + connection->filled,
			   (unsigned)(sizeof(connection->buffer) - connection->filled));
}

static bool is_full(const struct vd_dns_connection *connection)
{
	return connection->waiting >= PIPELINE_MAX || uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) > UNSENT_MAX;
}

/* Whole queries in the buffer, until the connection has enough under way. */
static void queries_take(struct vd_dns_connection *connection)
{
	struct vd_dns_origin origin = {.connection = connection, .client = connection->address};
	size_t at = 0;

	/* What is answered at once comes back here. */
	if (connection->taking)
		return;
	connection->taking = true;
	while (!connection->closed && !is_full(connection) && connection->filled - at >= LENGTH_SIZE) {
		size_t size = (size_t)(connection->buffer[at] << 8 | connection->buffer[at + 1]);

		if (connection->filled - at < LENGTH_SIZE + size)
			break;
		vd_dns_runner_take(connection->runner, connection->buffer + at + LENGTH_SIZE, size, &origin);
		at += LENGTH_SIZE + size;
	}
	memmove(connection->buffer, connection->buffer + at, connection->filled - at);
	connection->filled -= at;
	connection->taking = false;
}

static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Reads on, or lets the kernel hold the peer back. */
static void flow_control(struct vd_dns_connection *connection)
{
	bool full = connection->closed || is_full(connection);

	if (!connection->closed && full && !connection->stopped)
		uv_read_stop((uv_stream_t *)&connection->tcp);
	else if (!full && connection->stopped)
		uv_read_start((uv_stream_t *)&connection->tcp, buffer_get, received);
	connection->stopped = full;
}

static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct vd_dns_connection *connection = stream->data;

	if (size < 0) {
		connection_close(connection);
		return;
	}
	connection->filled += (size_t)size;
	/* Held while its queries are taken: one of them may end it. */
	vd_dns_tcp_hold(connection);
	if (size > 0)
		uv_timer_again(&connection->idle);
	queries_take(connection);
	vd_dns_tcp_release(connection);
}

void vd_dns_tcp_hold(struct vd_dns_connection *connection)
{
	connection->waiting++;
}

void vd_dns_tcp_release(struct vd_dns_connection *connection)
{
	connection->waiting--;
	if (connection->closed) {
		connection_free_when_done(connection);
		return;
	}
	/* What was read already and had to wait. */
	if (connection->filled > 0 && !connection->taking && !is_full(connection)) {
		connection->waiting++;
		queries_take(connection);
		connection->waiting--;
	}
	if (connection->closed)
		connection_free_when_done(connection);
	else
		flow_control(connection);
}

/* ---- writing ---- */

static void written(uv_write_t *request, int status)
{
	struct writing *writing = request->data;
	struct vd_dns_connection *connection = writing->connection;

	free(writing->data);
	free(writing);
	if (status < 0)
		connection_close(connection);
	else if (!connection->closed)
		uv_timer_again(&connection->idle);
	vd_dns_tcp_release(connection);
}

void vd_dns_tcp_send(struct vd_dns_connection *connection, uint8_t *data, size_t size)
{
	struct writing *writing = connection->closed ? NULL : calloc(1, sizeof(*writing));
	uv_buf_t buffers[2];

	if (!writing) {
		free(data);
		return;
	}
	writing->connection = connection;
	writing->data = data;
	writing->length[0] = (uint8_t)(size >> 8);
	writing->length[1] = (uint8_t)size;
	writing->request.data = writing;
	buffers[0] = uv_buf_init((char *)writing->length, LENGTH_SIZE);
	buffers[1] = uv_buf_init((char *)data, (unsigned)size);
	vd_dns_tcp_hold(connection);
	if (uv_write(&writing->request, (uv_stream_t *)&connection->tcp, buffers, 2, written) < 0) {
		free(writing);
		free(data);
		connection->waiting--;
		connection_close(connection);
	}
}

/* ---- a connection's beginning ---- */

static bool is_welcome(struct vd_dns_connection *connection)
{
	struct vd_dns_runner *runner = connection->runner;
	struct sockaddr_storage peer;
	int size = sizeof(peer);

	if (runner->connections > VD_DNS_CONNECTIONS_MAX ||
	    uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&peer, &size) < 0)
		return false;
	connection->address = vd_dns_address_of((struct sockaddr *)&peer);
	connection->client = vd_dns_client_get(runner, &connection->address);
	if (!connection->client)
		return false;
	return ++connection->client->connections <= VD_DNS_CLIENT_CONNECTIONS_MAX;
}

static void connected(uv_stream_t *listener, int status)
{
	struct vd_dns_runner *runner = listener->data;
	struct vd_dns_connection *connection = status < 0 ? NULL : calloc(1, sizeof(*connection));

	if (!connection)
		return;
	connection->runner = runner;
	uv_tcp_init(runner->loop, &connection->tcp);
	uv_timer_init(runner->loop, &connection->idle);
	connection->handles = 2;
	runner->handles += 2;
	runner->connections++;
	connection->tcp.data = connection->idle.data = connection;
	DL_APPEND(runner->open, connection);
	if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0 || !is_welcome(connection)) {
		runner->counters.limited++;
		connection_close(connection);
		return;
	}
	uv_tcp_nodelay(&connection->tcp, 1);
	uv_timer_start(&connection->idle, idle_passed, IDLE_MS, IDLE_MS);
	uv_read_start((uv_stream_t *)&connection->tcp, buffer_get, received);
}

int vd_dns_tcp_start(struct vd_dns_runner *runner, int sockets[2])
{
	for (int i = 0; i < 2; i++) {
		int r;

		if (sockets[i] < 0)
			continue;
		uv_tcp_init(runner->loop, &runner->tcp[i]);
		runner->handles++;
		runner->has_tcp[i] = true;
		runner->tcp[i].data = runner;
		r = uv_tcp_open(&runner->tcp[i], sockets[i]);
		if (r < 0)
			return r;
		sockets[i] = -1;
		r = uv_listen((uv_stream_t *)&runner->tcp[i], BACKLOG, connected);
		if (r < 0)
			return r;
	}
	return 0;
}

void vd_dns_tcp_close_all(struct vd_dns_runner *runner)
{
	while (runner->open)
		connection_close(runner->open);
}
