/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/server.h"

#include "base/cleanup.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 64
#define BODY_MAX ((size_t)1 << 20)
/* What Docker expects, and what it says in its own requests. */
#define CONTENT_TYPE "application/vnd.docker.plugins.v1.2+json"

struct vd_docker_server {
	struct vd_docker_daemon daemon;
	struct MHD_Daemon *http;
	char *path;
};

struct body {
	char *text;
	size_t size;
	bool is_too_large;
};

static void body_append(struct body *body, const char *data, size_t size)
{
	char *grown = size <= BODY_MAX - body->size ? realloc(body->text, body->size + size) : NULL;

	if (!grown) {
		body->is_too_large = true;
		return;
	}
	memcpy(grown + body->size, data, size);
	body->text = grown;
	body->size += size;
}

static enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned status, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	struct MHD_Response *response;
	enum MHD_Result result;

	json_decref(answer);
	if (!text)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result requested(void *userdata, struct MHD_Connection *connection, const char *url, const char *method,
				 const char *version, const char *upload, size_t *upload_size, void **ret_request)
{
	struct vd_docker_server *server = userdata;
	struct body *body = *ret_request;
	unsigned status = MHD_HTTP_OK;
	json_t *answer;

	if (!body) {
		*ret_request = calloc(1, sizeof(*body));
		return *ret_request ? MHD_YES : MHD_NO;
	}
	if (*upload_size > 0) {
		if (!body->is_too_large)
			body_append(body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		return answer_send(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				   json_pack("{s:s}", "Err", "viaduct: every method is a POST"));
	if (body->is_too_large)
		return answer_send(connection, MHD_HTTP_CONTENT_TOO_LARGE,
				   json_pack("{s:s}", "Err", "viaduct: the request is too large"));
	answer = vd_docker_answer(&server->daemon, url, body->text, body->size, &status);
	return answer_send(connection, status, answer);
}

static void completed(void *userdata, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code)
{
	struct body *body = *request;

	if (!body)
		return;
	free(body->text);
	free(body);
	*request = NULL;
}

/* ---- the socket ---- */

static bool is_listening(const struct sockaddr_un *address)
{
	VD_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

/* Its directory is made, as Docker would. */
static int directory_ensure(const char *path, struct vd_error *error)
{
	VD_FREE char *directory = strdup(path);

	for (char *slash = directory ? strchr(directory + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(directory, 0755) < 0 && errno != EEXIST)
			return vd_error_set(error, -errno, "directory %s: cannot be made: %m", directory);
		*slash = '/';
	}
	return directory ? 0 : -ENOMEM;
}

static int socket_open(const char *path, int *ret, struct vd_error *error)
{
	VD_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return vd_error_set(error, -ENAMETOOLONG, "socket %s: the path is too long for a socket", path);
	strcpy(address.sun_path, path);
	r = directory_ensure(path, error);
	if (r < 0)
		return r;
	if (is_listening(&address))
		return vd_error_set(error, -EADDRINUSE, "socket %s: another viaduct-docker listens there already", path);
	unlink(path);
	mask = umask(0177);
	r = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return vd_error_set(error, r, "socket %s: cannot be listened at: %s", path, strerror(-r));
	*ret = VD_TAKE_FD(fd);
	return 0;
}

int vd_docker_server_new(const char *path, const struct vd_docker_daemon *daemon, struct vd_docker_server **ret,
			 struct vd_error *error)
{
	struct vd_docker_server *server = calloc(1, sizeof(*server));
	VD_CLOSE int fd = -1;
	int r;

	if (!server)
		return -ENOMEM;
	server->daemon = *daemon;
	r = socket_open(path, &fd, error);
	if (r == 0)
		server->path = strdup(path);
	if (r == 0)
		server->http = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0,
						NULL, NULL, requested, server, MHD_OPTION_LISTEN_SOCKET, fd,
						MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
	if (r == 0 && !server->http)
		r = vd_error_set(error, -EIO, "socket %s: the HTTP server cannot be started", path);
	if (r < 0) {
		free(server->path);
		free(server);
		return r;
	}
	fd = -1; /* the server's now */
	*ret = server;
	return 0;
}

void vd_docker_server_free(struct vd_docker_server *server)
{
	if (!server)
		return;
	unlink(server->path);
	MHD_stop_daemon(server->http);
	free(server->path);
	free(server);
}
