/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sentry.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct vd_sentry {
	struct vd_alive *alive;
	uint64_t (*look)(void *userdata);
	void *userdata;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t due;
	bool woken, stopping;
};

uint64_t vd_sentry_now(void)
{
	return (uint64_t)vd_clock_ms();
}

/* False: the sentry shall end. */
static bool wait_until(struct vd_sentry *sentry, uint64_t next)
{
	const struct timespec until = {.tv_sec = (time_t)(next / 1000), .tv_nsec = (long)(next % 1000) * 1000000};
	bool stopping;

	pthread_mutex_lock(&sentry->lock);
	while (!sentry->woken && !sentry->stopping && vd_sentry_now() < next)
		if (pthread_cond_timedwait(&sentry->due, &sentry->lock, &until) == ETIMEDOUT)
			break;
	sentry->woken = false;
	stopping = sentry->stopping;
	pthread_mutex_unlock(&sentry->lock);
	return !stopping;
}

static void *sentry_run(void *userdata)
{
	struct vd_sentry *sentry = userdata;
	struct vd_error error;
	uint64_t next = 0;

	while (wait_until(sentry, next))
		next = vd_alive_refresh(sentry->alive, &error) < 0 ? vd_sentry_now() + VD_SENTRY_AWAY_MS
								   : sentry->look(sentry->userdata);
	return NULL;
}

static void alive_changed(void *userdata)
{
	vd_sentry_wake(userdata);
}

int vd_sentry_new(struct vd_store *store, uint64_t (*look)(void *userdata), void *userdata, struct vd_sentry **ret,
		  struct vd_error *error)
{
	struct vd_sentry *sentry = calloc(1, sizeof(*sentry));
	int r;

	if (!sentry)
		return -ENOMEM;
	sentry->look = look;
	sentry->userdata = userdata;
	pthread_mutex_init(&sentry->lock, NULL);
	vd_clock_cond_init(&sentry->due);
	r = vd_alive_new(store, alive_changed, sentry, &sentry->alive, error);
	if (r < 0) {
		vd_sentry_free(sentry);
		return r;
	}
	*ret = sentry;
	return 0;
}

int vd_sentry_start(struct vd_sentry *sentry, struct vd_error *error)
{
	int r;

	vd_sentry_wake(sentry);
	r = -pthread_create(&sentry->thread, NULL, sentry_run, sentry);
	sentry->running = r == 0;
	return r < 0 ? vd_error_set(error, r, "no thread could be started: %s", strerror(-r)) : 0;
}

void vd_sentry_free(struct vd_sentry *sentry)
{
	if (!sentry)
		return;
	pthread_mutex_lock(&sentry->lock);
	sentry->stopping = true;
	pthread_cond_signal(&sentry->due);
	pthread_mutex_unlock(&sentry->lock);
	if (sentry->running)
		pthread_join(sentry->thread, NULL);
	vd_alive_free(sentry->alive);
	pthread_mutex_destroy(&sentry->lock);
	pthread_cond_destroy(&sentry->due);
	free(sentry);
}

void vd_sentry_wake(struct vd_sentry *sentry)
{
	pthread_mutex_lock(&sentry->lock);
	sentry->woken = true;
	pthread_cond_signal(&sentry->due);
	pthread_mutex_unlock(&sentry->lock);
}

struct vd_alive *vd_sentry_alive(struct vd_sentry *sentry)
{
	return sentry->alive;
}
