/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/channel.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

#define LISTENER_QUEUE 4096

struct vd_listener {
	struct vd_channel *channel;
	struct vd_listener *prev, *next;
	json_t *queue[LISTENER_QUEUE];
	size_t head, count, lost;
};

struct vd_channel {
	pthread_mutex_t lock;
	pthread_cond_t said;
	struct vd_listener *listeners;
	bool closed;
};

struct vd_channel *vd_channel_new(void)
{
	struct vd_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	pthread_mutex_init(&channel->lock, NULL);
	vd_clock_cond_init(&channel->said);
	return channel;
}

void vd_channel_free(struct vd_channel *channel)
{
	if (!channel)
		return;
	pthread_mutex_destroy(&channel->lock);
	pthread_cond_destroy(&channel->said);
	free(channel);
}

void vd_channel_close(struct vd_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	channel->closed = true;
	pthread_cond_broadcast(&channel->said);
	pthread_mutex_unlock(&channel->lock);
}

void vd_channel_say(struct vd_channel *channel, json_t *object)
{
	struct vd_listener *listener;

	pthread_mutex_lock(&channel->lock);
	DL_FOREACH (channel->listeners, listener) {
		if (listener->count == LISTENER_QUEUE) {
			listener->lost++;
			continue;
		}
		listener->queue[(listener->head + listener->count++) % LISTENER_QUEUE] = json_incref(object);
	}
	pthread_cond_broadcast(&channel->said);
	pthread_mutex_unlock(&channel->lock);
}

bool vd_channel_has_listeners(struct vd_channel *channel)
{
	bool has;

	pthread_mutex_lock(&channel->lock);
	has = channel->listeners != NULL;
	pthread_mutex_unlock(&channel->lock);
	return has;
}

struct vd_listener *vd_listener_new(struct vd_channel *channel)
{
	struct vd_listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->channel = channel;
	pthread_mutex_lock(&channel->lock);
	DL_APPEND(channel->listeners, listener);
	pthread_mutex_unlock(&channel->lock);
	return listener;
}

void vd_listener_free(struct vd_listener *listener)
{
	if (!listener)
		return;
	pthread_mutex_lock(&listener->channel->lock);
	DL_DELETE(listener->channel->listeners, listener);
	pthread_mutex_unlock(&listener->channel->lock);
	for (; listener->count > 0; listener->count--)
		json_decref(listener->queue[listener->head++ % LISTENER_QUEUE]);
	free(listener);
}

json_t *vd_listener_next(struct vd_listener *listener, bool *ret_closed)
{
	struct vd_channel *channel = listener->channel;
	struct timespec until;
	json_t *object = NULL;

	until = vd_clock_after(1000);

	pthread_mutex_lock(&channel->lock);
	while (listener->count == 0 && listener->lost == 0 && !channel->closed)
		if (pthread_cond_timedwait(&channel->said, &channel->lock, &until) != 0)
			break;
	if (listener->count > 0) {
		object = listener->queue[listener->head];
		listener->head = (listener->head + 1) % LISTENER_QUEUE;
		listener->count--;
	} else if (listener->lost > 0) {
		object = json_pack("{s:I}", "lost", (json_int_t)listener->lost);
		listener->lost = 0;
	}
	*ret_closed = channel->closed;
	pthread_mutex_unlock(&channel->lock);
	return object;
}
