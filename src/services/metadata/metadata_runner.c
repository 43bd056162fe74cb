/* SPDX-License-Identifier: Apache-2.0 */
#include "services/metadata/metadata_runner.h"

#include "base/cleanup.h"
#include "base/netns.h"
#include "services/metadata/metadata.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESS "169.254.169.254"
#define PORT 80
#define BACKLOG 64
#define CONNECTIONS_MAX 256
#define CONNECTIONS_PER_ADDRESS_MAX 16
#define IDLE_SECONDS 10

struct vd_metadata_runner {
	const struct vd_router_state *state;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uint64_t requests, not_found;
	int handles; /* not closed yet */
};

static struct vd_address client_address(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct vd_address address = {};

	if (info && info->client_addr->sa_family == AF_INET) {
		address.family = VD_FAMILY_IPV4;
		memcpy(address.bytes, &((const struct sockaddr_in *)info->client_addr)->sin_addr, 4);
	}
	return address;
}

static enum MHD_Result body_send(struct MHD_Connection *connection, unsigned status, const char *type, char *body, size_t size)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result = MHD_NO;

	if (!response) {
		free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "Viaduct");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result requested(void *userdata, struct MHD_Connection *connection, const char *url, const char *method,
				 const char *version, const char *upload, size_t *upload_size, void **ret_request)
{
	static int seen;
	struct vd_metadata_runner *runner = userdata;
	struct vd_address client = client_address(connection);
	struct vd_metadata answer;

	/* The first call is for the headers alone; a body is read and forgotten. */
	if (!*ret_request) {
		*ret_request = &seen;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		*upload_size = 0;
		return MHD_YES;
	}
	runner->requests++;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return body_send(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", strdup("read only\n"),
				 strlen("read only\n"));
	if (vd_metadata_get(runner->state, &client, url, &answer) < 0)
		return MHD_NO;
	if (answer.status == MHD_HTTP_NOT_FOUND)
		runner->not_found++;
	return body_send(connection, answer.status, answer.content_type, answer.body, answer.size);
}

/* ---- in the loop ---- */

static void daemon_run(struct vd_metadata_runner *runner);

static void timer_due(uv_timer_t *timer)
{
	daemon_run(timer->data);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	daemon_run(poll->data);
}

static void daemon_run(struct vd_metadata_runner *runner)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	MHD_run(runner->daemon);
	if (MHD_get_timeout(runner->daemon, &timeout) == MHD_YES)
		uv_timer_start(&runner->timer, timer_due, timeout, 0);
	else
		uv_timer_stop(&runner->timer);
}

/* ---- life ---- */

/* The address may come to the namespace later than we do, hence the free bind. */
static int socket_open(void *userdata)
{
	static const int one = 1;
	VD_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	inet_pton(AF_INET, ADDRESS, &address.sin_addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*(int *)userdata = VD_TAKE_FD(fd);
	return 0;
}

static struct MHD_Daemon *daemon_start(struct vd_metadata_runner *runner, int listen_socket)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, requested, runner, MHD_OPTION_LISTEN_SOCKET, listen_socket,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
				CONNECTIONS_PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
}

int vd_metadata_runner_new(uv_loop_t *loop, const struct vd_router_state *state, const char *netns_path,
			   struct vd_metadata_runner **ret, struct vd_error *error)
{
	VD_FREE struct vd_metadata_runner *runner = calloc(1, sizeof(*runner));
	VD_CLOSE int netns = open(netns_path, O_RDONLY | O_CLOEXEC);
	VD_CLOSE int listen_socket = -1;
	int r = netns < 0 ? -errno : vd_netns_run(netns, socket_open, &listen_socket);

	if (!runner)
		return vd_error_set(error, -ENOMEM, "out of memory");
	if (r < 0)
		return vd_error_set(error, r, "metadata: %s:%d in the network namespace %s cannot be opened: %s", ADDRESS, PORT,
				    netns_path, strerror(-r));
	runner->state = state;
	runner->daemon = daemon_start(runner, listen_socket);
	if (!runner->daemon)
		return vd_error_set(error, -EIO, "metadata: the HTTP server cannot be started");
	listen_socket = -1; /* the server's now */
	uv_poll_init(loop, &runner->poll, MHD_get_daemon_info(runner->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	uv_timer_init(loop, &runner->timer);
	runner->handles = 2;
	runner->poll.data = runner->timer.data = runner;
	uv_poll_start(&runner->poll, UV_READABLE, readable);
	*ret = VD_TAKE(runner);
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct vd_metadata_runner *runner = handle->data;

	if (--runner->handles == 0)
		free(runner);
}

void vd_metadata_runner_free(struct vd_metadata_runner *runner)
{
	if (!runner)
		return;
	uv_poll_stop(&runner->poll);
	MHD_stop_daemon(runner->daemon);
	uv_close((uv_handle_t *)&runner->poll, handle_closed);
	uv_close((uv_handle_t *)&runner->timer, handle_closed);
}

json_t *vd_metadata_runner_counters(const struct vd_metadata_runner *runner)
{
	return json_pack("{s:I, s:I}", "requests", (json_int_t)runner->requests, "not_found", (json_int_t)runner->not_found);
}
