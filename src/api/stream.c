/* SPDX-License-Identifier: Apache-2.0 */
#include "api/stream.h"

#include "api/server.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* How long the end of the daemon or of the client may go unnoticed. */
#define POLL_MS 500
/* Bytes that wait for a slow client before its stream ends. */
#define QUEUE_SIZE_MAX (64u << 20)

struct stream {
	struct vd_api *api;
	struct vd_stream_source source;
	int fd; /* the connection's, borrowed */
	char *text;
	size_t size, offset;
};

static bool client_gone(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static ssize_t stream_read(void *userdata, uint64_t position, char *buffer, size_t size)
{
	struct stream *stream = userdata;
	size_t part;
	int r;

	while (!stream->text) {
		if (atomic_load(&stream->api->stopping))
			return MHD_CONTENT_READER_END_OF_STREAM;
		r = stream->source.next(stream->source.userdata, &stream->text, POLL_MS);
		if (r == -ETIMEDOUT) {
			if (client_gone(stream->fd))
				return MHD_CONTENT_READER_END_WITH_ERROR;
			continue;
		}
		if (r)
			return MHD_CONTENT_READER_END_OF_STREAM;
		stream->size = strlen(stream->text);
		stream->offset = 0;
		if (!stream->size) {
			free(stream->text);
			stream->text = NULL;
		}
	}
	part = stream->size - stream->offset < size ? stream->size - stream->offset : size;
	memcpy(buffer, stream->text + stream->offset, part);
	stream->offset += part;
	if (stream->offset == stream->size) {
		free(stream->text);
		stream->text = NULL;
	}
	return (ssize_t)part;
}

static void stream_free(void *userdata)
{
	struct stream *stream = userdata;

	stream->source.release(stream->source.userdata);
	free(stream->text);
	free(stream);
}

int vd_request_reply_stream(struct vd_request *request, const char *type, const struct vd_stream_source *source)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response;

	if (!stream) {
		source->release(source->userdata);
		return -ENOMEM;
	}
	stream->api = request->api;
	stream->source = *source;
	stream->fd = info ? info->connect_fd : -1;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, stream, stream_free);
	if (!response) {
		stream_free(stream);
		return -ENOMEM;
	}
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	request->response = response;
	request->status = MHD_HTTP_OK;
	return 0;
}

struct piece {
	struct piece *next;
	char *text;
};

struct vd_queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct piece *first, **last;
	size_t size;
	unsigned references;
	bool ended, abandoned;
};

struct vd_queue *vd_queue_new(void)
{
	struct vd_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	pthread_mutex_init(&queue->lock, NULL);
	vd_clock_cond_init(&queue->filled);
	queue->last = &queue->first;
	queue->references = 1;
	return queue;
}

struct vd_queue *vd_queue_ref(struct vd_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->references++;
	pthread_mutex_unlock(&queue->lock);
	return queue;
}

static char *queue_take(struct vd_queue *queue)
{
	struct piece *piece = queue->first;
	char *text = piece->text;

	queue->first = piece->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->size -= strlen(text);
	free(piece);
	return text;
}

void vd_queue_unref(struct vd_queue *queue)
{
	bool last;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	last = --queue->references == 0;
	pthread_mutex_unlock(&queue->lock);
	if (!last)
		return;
	while (queue->first)
		free(queue_take(queue));
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->filled);
	free(queue);
}

static int queue_put(struct vd_queue *queue, char *text)
{
	size_t size = strlen(text);
	struct piece *piece;

	if (queue->abandoned)
		return -EPIPE;
	if (queue->ended || queue->size + size > QUEUE_SIZE_MAX)
		return -ENOBUFS;
	piece = calloc(1, sizeof(*piece));
	if (!piece)
		return -ENOMEM;
	piece->text = text;
	*queue->last = piece;
	queue->last = &piece->next;
	queue->size += size;
	pthread_cond_signal(&queue->filled);
	return 0;
}

int vd_queue_push(struct vd_queue *queue, char *text)
{
	int r;

	if (!text)
		return -ENOMEM;
	pthread_mutex_lock(&queue->lock);
	r = queue_put(queue, text);
	if (r == -ENOBUFS || r == -ENOMEM) {
		queue->ended = true;
		pthread_cond_signal(&queue->filled);
	}
	pthread_mutex_unlock(&queue->lock);
	if (r)
		free(text);
	return r;
}

void vd_queue_end(struct vd_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->ended = true;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

void vd_queue_abandon(struct vd_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->abandoned = true;
	pthread_mutex_unlock(&queue->lock);
}

int vd_queue_next(struct vd_queue *queue, char **ret_text, unsigned timeout_ms)
{
	struct timespec until;
	int r = 0;

	until = vd_clock_after(timeout_ms);
	pthread_mutex_lock(&queue->lock);
	while (!r && !queue->first && !queue->ended)
		r = -pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
	if (queue->first) {
		*ret_text = queue_take(queue);
		r = 0;
	} else if (queue->ended) {
		r = -EPIPE;
	}
	pthread_mutex_unlock(&queue->lock);
	return r;
}

char *vd_stream_format(const json_t *object, bool events)
{
	VD_FREE char *json = json_dumps(object, JSON_COMPACT);
	char *text;

	if (!json || asprintf(&text, events ? "data: %s\n\n" : "%s\n", json) < 0)
		return NULL;
	return text;
}

char *vd_stream_format_idle(bool events)
{
	return strdup(events ? ":\n\n" : "\n");
}
