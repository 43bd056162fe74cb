/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/engine.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define PATIENCE_SECONDS 5
#define ANSWER_MAX (16u << 20)

static int socket_path(const char *host, struct sockaddr_un *ret, struct vd_error *error)
{
	const char *path = host ? host : VD_DOCKER_ENGINE_HOST;

	if (strncmp(path, "unix:", 5))
		return vd_error_set(error, -EINVAL, "%s: Docker is asked by a Unix socket: give unix:PATH", path);
	path += 5;
	if (!strncmp(path, "//", 2))
		path += 2;
	if (path[0] != '/' || strlen(path) >= sizeof(ret->sun_path))
		return vd_error_set(error, -EINVAL, "%s: this is no path of a Unix socket", path);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret->sun_path, path);
	return 0;
}

static int engine_connect(const char *host, struct vd_error *error)
{
	VD_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	struct sockaddr_un address;
	int r = socket_path(host, &address, error);

	if (r < 0)
		return r;
	if (fd < 0)
		return vd_error_set(error, -errno, "no socket can be made: %m");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vd_error_set(error, errno == ECONNREFUSED ? -ENOENT : -errno,
				    "no Docker engine answers at %s (%m): is dockerd running there? Another place: --docker-host",
				    address.sun_path);
	return VD_TAKE_FD(fd);
}

static int send_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* In HTTP 1.0 the answer ends with the connection: nothing to be put together. */
static int ask(int fd, const char *method, const char *path, const char *body)
{
	VD_FREE char *request = NULL;
	int size = asprintf(&request,
			    "%s %s HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			    method, path, strlen(body), body);

	return size < 0 ? -ENOMEM : send_all(fd, request, (size_t)size);
}

static int receive_all(int fd, char **ret)
{
	VD_FREE char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	char part[4096];
	ssize_t got = 1;
	int r = file ? 0 : -ENOMEM;

	while (r == 0 && got) {
		got = recv(fd, part, sizeof(part), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = errno == EAGAIN ? -ETIMEDOUT : -errno;
		else if (fwrite(part, 1, (size_t)got, file) != (size_t)got || ftell(file) > ANSWER_MAX)
			r = -EMSGSIZE;
	}
	if (file)
		fclose(file);
	if (r == 0)
		*ret = VD_TAKE(text);
	return r;
}

static int answer_read(const char *text, json_t **ret, struct vd_error *error)
{
	const char *body = strstr(text, "\r\n\r\n"), *words;
	unsigned status = 0;
	json_t *answer;

	if (!body || sscanf(text, "HTTP/1.%*u %u", &status) != 1)
		return vd_error_set(error, -EPROTO, "what listens on Docker's socket does not speak HTTP");
	answer = json_loads(body + 4, JSON_DECODE_ANY, NULL);
	words = json_string_value(json_object_get(answer, "message"));
	if (status < 200 || status > 299) {
		vd_error_set(error, -EREMOTEIO, "Docker refuses: %s (status %u)", words ? words : "it does not say why", status);
		json_decref(answer);
		return -EREMOTEIO;
	}
	*ret = answer;
	return 0;
}

int vd_docker_engine_call(const char *host, const char *method, const char *path, const json_t *body, json_t **ret_answer,
			  struct vd_error *error)
{
	VD_FREE char *text = NULL, *request = body ? json_dumps(body, JSON_COMPACT) : strdup("");
	VD_CLOSE int fd = request ? engine_connect(host, error) : -ENOMEM;
	int r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	r = ask(fd, method, path, request);
	if (r == 0)
		r = receive_all(fd, &text);
	if (r < 0)
		return vd_error_set(error, r, "Docker does not answer: %s", strerror(-r));
	return answer_read(text, ret_answer, error);
}
