/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_STREAM_H
#define VD_API_STREAM_H

#include "api/request.h"

/*
 * An answer without an end. The connection's own thread asks for the next piece and blocks meanwhile; it stops when the client is
 * gone or the daemon stops, both noticed within half a second.
 */
struct vd_stream_source {
	/* 0 and a string to free; -ETIMEDOUT: nothing yet, ask again; anything else ends the answer. */
	int (*next)(void *userdata, char **ret_text, unsigned timeout_ms);
	void (*release)(void *userdata);
	void *userdata;
};

/* The source is taken over, also on failure. */
int vd_request_reply_stream(struct vd_request *request, const char *type, const struct vd_stream_source *source);

/*
 * A queue of texts between a thread that makes them and a stream's. Counted references: the last to let go frees it.
 */
struct vd_queue;

struct vd_queue *vd_queue_new(void);
struct vd_queue *vd_queue_ref(struct vd_queue *queue);
void vd_queue_unref(struct vd_queue *queue);
/* Takes text over, also on failure. -EPIPE: the other side is gone; -ENOBUFS: it is too slow, nothing more is taken. */
int vd_queue_push(struct vd_queue *queue, char *text);
/* The maker has no more: what is queued is still handed out. */
void vd_queue_end(struct vd_queue *queue);
/* The taker has gone: push fails from now on. */
void vd_queue_abandon(struct vd_queue *queue);
/* As vd_stream_source.next. */
int vd_queue_next(struct vd_queue *queue, char **ret_text, unsigned timeout_ms);

/* How objects are written: as lines of JSON, or as server-sent events. A string to free. */
char *vd_stream_format(const json_t *object, bool events);
/* What is sent so that both ends see that the other is there; readers skip it. A string to free. */
char *vd_stream_format_idle(bool events);
#define VD_STREAM_TYPE_EVENTS "text/event-stream"
#define VD_STREAM_TYPE_LINES "application/x-ndjson"

#endif
