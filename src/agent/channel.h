/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_CHANNEL_H
#define VD_AGENT_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Something said once on the loop and heard by any number of api threads: sampled drops, captured packets. A listener that is too
 * slow loses the newest and is told how many. Thread-safe; objects that were said are not changed any more.
 */
struct vd_channel;
struct vd_listener;

struct vd_channel *vd_channel_new(void);
/* No listener may be left. */
void vd_channel_free(struct vd_channel *channel);
/* Wakes every listener for good: they end. */
void vd_channel_close(struct vd_channel *channel);
/* Takes a reference of its own. */
void vd_channel_say(struct vd_channel *channel, json_t *object);
bool vd_channel_has_listeners(struct vd_channel *channel);

struct vd_listener *vd_listener_new(struct vd_channel *channel);
void vd_listener_free(struct vd_listener *listener);
/* The next object (a new reference), NULL after a second without one; *ret_closed is set when the channel closed. */
json_t *vd_listener_next(struct vd_listener *listener, bool *ret_closed);

#endif
