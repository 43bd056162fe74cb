/* SPDX-License-Identifier: Apache-2.0 */
#include "client/container.h"

#include "base/cleanup.h"
#include "containers/code.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Longer than any order waits for a block and for another host's consent. */
#define TIMEOUT_MS 120000
#define ANSWER_MAX ((size_t)64 << 20)
#define ANSWER_PART 16384

static const char *const words[] = {
	[VD_CONTAINER_VERB_ADD] = "/add",     [VD_CONTAINER_VERB_RESERVE] = "/reserve", [VD_CONTAINER_VERB_RELEASE] = "/release",
	[VD_CONTAINER_VERB_CHECK] = "/check", [VD_CONTAINER_VERB_DELETE] = "/delete",   [VD_CONTAINER_VERB_LIST] = "",
	[VD_CONTAINER_VERB_GC] = "/gc",
};

/* One question under way. */
struct asking {
	const char *path; /* of the socket */
	int fd;
	int64_t deadline; /* ms, CLOCK_MONOTONIC */
	char *answer;     /* head and body, a NUL behind */
	size_t size;
};

static void asking_cleanup(struct asking *asking)
{
	vd_cleanup_close(&asking->fd);
	free(asking->answer);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A daemon of another host could not look at what paths here mean. */
static int socket_find(const char *server, const char **ret, struct vd_error *error)
{
	if (!server || !*server)
		server = getenv("VIADUCT_SERVER");
	if (!server || !*server)
		server = VD_CONTAINER_SERVER_DEFAULT;
	if (strncmp(server, "unix:", 5) != 0 && *server != '/')
		return vd_error_set(error, -EINVAL,
				    "server \"%s\": containers are asked of their own host's daemon: write unix:PATH", server);
	*ret = *server == '/' ? server : server + 5;
	return 0;
}

static int asking_connect(struct asking *asking, struct vd_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(asking->path) >= sizeof(address.sun_path))
		return vd_error_set(error, -ENAMETOOLONG, "socket %s: the path is too long for a socket", asking->path);
	strcpy(address.sun_path, asking->path);
	asking->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (asking->fd < 0)
		return vd_error_set(error, -errno, "cannot make a socket: %m");
	if (connect(asking->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vd_error_set(error, -ECONNREFUSED,
				    "no daemon answers at %s (%s): is viaductd running, and may you use its socket?", asking->path,
				    strerror(errno));
	return 0;
}

static int asking_wait(const struct asking *asking, short events, struct vd_error *error)
{
	struct pollfd poller = {.fd = asking->fd, .events = events};
	int64_t left = asking->deadline - now_ms();
	int ready = left > 0 ? poll(&poller, 1, (int)left) : 0;

	if (ready < 0 && errno != EINTR)
		return vd_error_set(error, -errno, "socket %s: %m", asking->path);
	if (!ready)
		return vd_error_set(error, -ETIMEDOUT, "the daemon at %s does not answer", asking->path);
	return 0;
}

/* A daemon that refuses early may close before it has read everything: its answer counts. */
static int asking_send(const struct asking *asking, const char *text, size_t size, struct vd_error *error)
{
	while (size) {
		ssize_t sent = send(asking->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return vd_error_set(error, -EIO, "socket %s: %m", asking->path);
		r = sent < 0 ? asking_wait(asking, POLLOUT, error) : 0;
		if (r)
			return r;
		if (sent > 0) {
			text += sent;
			size -= (size_t)sent;
		}
	}
	return 0;
}

static int asking_receive(struct asking *asking, struct vd_error *error)
{
	size_t capacity = 0;

	for (;;) {
		ssize_t received;
		char *grown;
		int r;

		if (capacity - asking->size < ANSWER_PART + 1) {
			capacity = 2 * capacity + ANSWER_PART + 1;
			grown = capacity < ANSWER_MAX ? realloc(asking->answer, capacity) : NULL;
			if (!grown)
				return vd_error_set(error, -ENOMEM, "the answer of %s is too large", asking->path);
			asking->answer = grown;
		}
		r = asking_wait(asking, POLLIN, error);
		if (r)
			return r;
		received = recv(asking->fd, asking->answer + asking->size, ANSWER_PART, MSG_DONTWAIT);
		if (received < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (received < 0)
			return vd_error_set(error, -EIO, "the daemon at %s broke the connection off: %m", asking->path);
		asking->size += (size_t)received;
		asking->answer[asking->size] = '\0';
		if (!received)
			return 0;
	}
}

static int asking_perform(struct asking *asking, enum vd_container_verb verb, const json_t *arguments, struct vd_error *error)
{
	VD_FREE char *body = arguments ? json_dumps(arguments, JSON_COMPACT) : strdup(""), *text = NULL;
	int r, size;

	if (!body)
		return vd_error_set(error, -EINVAL, "an argument is no UTF-8 text");
	/* 1.0: the answer ends where the connection does. */
	size = asprintf(&text,
			"%s /v1/containers%s HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			verb == VD_CONTAINER_VERB_LIST ? "GET" : "POST", words[verb], strlen(body), body);
	if (size < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	r = asking_connect(asking, error);
	if (!r)
		r = asking_send(asking, text, (size_t)size, error);
	return r ? r : asking_receive(asking, error);
}

static int refusal_read(const json_t *object, long status, struct vd_error *error)
{
	const char *word = json_string_value(json_object_get(object, "code"));
	const char *sentence = json_string_value(json_object_get(object, "error"));
	int code = word ? vd_container_code_parse(word) : 0;

	if (!code)
		code = status == 503 ? -ESHUTDOWN : status == 504 ? -ETIMEDOUT : status < 500 ? -EINVAL : -EIO;
	return sentence ? vd_error_set(error, code, "%s", sentence)
			: vd_error_set(error, code, "the daemon answered with status %ld and no reason: is it a viaductd?", status);
}

static int answer_read(const struct asking *asking, json_t **ret, struct vd_error *error)
{
	const char *body = asking->size ? strstr(asking->answer, "\r\n\r\n") : NULL;
	long status = 0;
	json_t *object;

	if (!body || sscanf(asking->answer, "HTTP/1.%*1[01] %ld", &status) != 1)
		return vd_error_set(error, -EIO, "the daemon at %s broke the connection off", asking->path);
	object = json_loads(body + 4, 0, NULL);
	if (status != 200) {
		int r = refusal_read(object, status, error);

		json_decref(object);
		return r;
	}
	if (!object)
		return vd_error_set(error, -EIO, "%s answered with something that is no JSON: is it a viaductd?", asking->path);
	if (ret)
		*ret = object;
	else
		json_decref(object);
	return 0;
}

int vd_client_container(const char *server, enum vd_container_verb verb, const json_t *arguments, json_t **ret,
			struct vd_error *error)
{
	VD_CLEANUP(asking_cleanup) struct asking asking = {.fd = -1};
	int r = socket_find(server, &asking.path, error);

	asking.deadline = now_ms() + TIMEOUT_MS;
	if (r == 0)
		r = asking_perform(&asking, verb, arguments, error);
	return r ? r : answer_read(&asking, ret, error);
}
