/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/control.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utlist.h>

/* A port with 64 KiB of user data, every byte of it escaped, and its keys. */
#define LINE_MAX_SIZE (1024 * 1024)
#define READ_SIZE 65536
#define CONNECTIONS_MAX 16
#define BACKLOG 8

struct connection {
	struct connection *prev, *next;
	struct vd_router_control *control;
	uv_pipe_t pipe;
	char *buffer;
	size_t filled, size;
};

struct vd_router_control {
	uv_pipe_t listener;
	struct vd_router_state *state;
	struct vd_router_control_callbacks callbacks;
	uint64_t revision; /* that changed() was told of */
	struct connection *connections;
	unsigned count;
};

struct writing {
	uv_write_t request;
	char *text;
};

/* ---- a line ---- */

static json_t *identify(void)
{
	return json_pack("{s:b, s:s, s:i}", "ok", 1, "version", VD_VERSION, "pid", (int)getpid());
}

static json_t *object_answer(struct vd_router_state *state, const json_t *object,
			     const struct vd_router_control_callbacks *callbacks)
{
	const char *op = json_string_value(json_object_get(object, "op"));
	struct vd_error error = {"there is no memory for it"};
	json_t *answer = NULL;
	int r = 0;

	if (!op) {
		r = vd_error_set(&error, -EINVAL, "a line must be an object with \"op\"");
	} else if (strcmp(op, "begin") == 0) {
		vd_router_state_begin(state);
	} else if (strcmp(op, "put") == 0) {
		r = vd_router_state_put(state, object, &error);
	} else if (strcmp(op, "remove") == 0) {
		r = vd_router_state_remove(state, object, &error);
	} else if (strcmp(op, "commit") == 0) {
		vd_router_state_commit(state);
		answer = identify();
	} else if (strcmp(op, "status") == 0) {
		answer = identify();
		callbacks->status(answer, callbacks->userdata);
	} else {
		r = vd_error_set(&error, -EINVAL, "\"%.64s\" is no op: begin, put, remove, commit or status", op);
	}
	return r < 0 ? json_pack("{s:s}", "error", error.text) : answer;
}

json_t *vd_router_control_answer(struct vd_router_state *state, const char *line, size_t size,
				 const struct vd_router_control_callbacks *callbacks)
{
	json_error_t error;
	json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error), *answer;

	if (!object)
		return json_pack("{s:s}", "error", "the line is no JSON object");
	answer = object_answer(state, object, callbacks);
	json_decref(object);
	return answer;
}

/* ---- a connection ---- */

static void connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;

	free(connection->buffer);
	free(connection);
}

static void connection_close(struct connection *connection)
{
	if (uv_is_closing((uv_handle_t *)&connection->pipe))
		return;
	DL_DELETE(connection->control->connections, connection);
	connection->control->count--;
	uv_close((uv_handle_t *)&connection->pipe, connection_closed);
}

static void written(uv_write_t *request, int status)
{
	struct writing *writing = request->data;

	free(writing->text);
	free(writing);
}

/* Takes the answer over. */
static void answer_write(struct connection *connection, json_t *answer)
{
	struct writing *writing = calloc(1, sizeof(*writing));
	VD_FREE char *text = json_dumps(answer, JSON_COMPACT);
	uv_buf_t buffer;

	json_decref(answer);
	if (!writing || !text || asprintf(&writing->text, "%s\n", text) < 0) {
		free(writing);
		connection_close(connection);
		return;
	}
	writing->request.data = writing;
	buffer = uv_buf_init(writing->text, (unsigned)strlen(writing->text));
	if (uv_write(&writing->request, (uv_stream_t *)&connection->pipe, &buffer, 1, written) < 0) {
		free(writing->text);
		free(writing);
		connection_close(connection);
	}
}

static void lines_take(struct connection *connection)
{
	struct vd_router_control *control = connection->control;
	size_t at = 0;
	char *end;

	while (!uv_is_closing((uv_handle_t *)&connection->pipe) &&
	       (end = memchr(connection->buffer + at, '\n', connection->filled - at))) {
		size_t size = (size_t)(end - (connection->buffer + at));
		json_t *answer = vd_router_control_answer(control->state, connection->buffer + at, size, &control->callbacks);

		if (answer)
			answer_write(connection, answer);
		at += size + 1;
	}
	memmove(connection->buffer, connection->buffer + at, connection->filled - at);
	connection->filled -= at;
	if (control->revision != vd_router_state_revision(control->state)) {
		control->revision = vd_router_state_revision(control->state);
		control->callbacks.changed(control->callbacks.userdata);
	}
}

static void buffer_get(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *connection = handle->data;
	char *grown;

	*ret = uv_buf_init(NULL, 0);
	if (connection->size - connection->filled < READ_SIZE && connection->size < LINE_MAX_SIZE) {
		size_t size = connection->size ? 2 * connection->size : 2 * READ_SIZE;

		grown = realloc(connection->buffer, size);
		if (!grown)
			return;
		connection->buffer = grown;
		connection->size = size;
	}
	*ret = uv_buf_init(connection->buffer + connection->filled, (unsigned)(connection->size - connection->filled));
}

/* A line too long leaves no room to read into (UV_ENOBUFS): who sends that is not our agent. */
static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct connection *connection = stream->data;

	if (size < 0) {
		connection_close(connection);
		return;
	}
	connection->filled += (size_t)size;
	lines_take(connection);
}

static void connected(uv_stream_t *listener, int status)
{
	struct vd_router_control *control = listener->data;
	struct connection *connection = status < 0 ? NULL : calloc(1, sizeof(*connection));

	if (!connection)
		return;
	connection->control = control;
	uv_pipe_init(listener->loop, &connection->pipe, 0);
	connection->pipe.data = connection;
	DL_APPEND(control->connections, connection);
	control->count++;
	if (uv_accept(listener, (uv_stream_t *)&connection->pipe) < 0 || control->count > CONNECTIONS_MAX)
		connection_close(connection);
	else
		uv_read_start((uv_stream_t *)&connection->pipe, buffer_get, received);
}

/* ---- life ---- */

int vd_router_control_new(uv_loop_t *loop, struct vd_router_state *state, const char *socket_path,
			  const struct vd_router_control_callbacks *callbacks, struct vd_router_control **ret,
			  struct vd_error *error)
{
	struct vd_router_control *control = calloc(1, sizeof(*control));
	mode_t mask;
	int r;

	/* libuv would cut it in silence. */
	if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		free(control);
		return vd_error_set(error, -ENAMETOOLONG, "the path %s is too long for a socket", socket_path);
	}
	if (!control)
		return vd_error_set(error, -ENOMEM, "out of memory");
	control->state = state;
	control->callbacks = *callbacks;
	control->listener.data = control;
	uv_pipe_init(loop, &control->listener, 0);
	unlink(socket_path);
	mask = umask(0177);
	r = uv_pipe_bind(&control->listener, socket_path);
	umask(mask);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&control->listener, BACKLOG, connected);
	if (r < 0) {
		vd_router_control_free(control);
		return vd_error_set(error, r, "the socket %s cannot be opened: %s", socket_path, uv_strerror(r));
	}
	*ret = control;
	return 0;
}

static void listener_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void vd_router_control_free(struct vd_router_control *control)
{
	if (!control)
		return;
	while (control->connections)
		connection_close(control->connections);
	uv_close((uv_handle_t *)&control->listener, listener_closed);
}
