/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/place.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <uv.h>

struct vd_place {
	pthread_t thread;
	uv_sem_t wanted, done;
	int netns, result; /* of entering it */
	bool dropped;
	void (*work)(void *userdata); /* NULL: the end */
	void *userdata;
};

/* The user is nobody by now, which takes them already; should that have failed, this does. */
static void privileges_drop(struct vd_place *place)
{
	cap_t none = place->dropped ? NULL : cap_init();

	if (none)
		cap_set_proc(none);
	cap_free(none);
	place->dropped = true;
}

static void *stay(void *data)
{
	struct vd_place *place = data;

	place->result = setns(place->netns, CLONE_NEWNET) < 0 ? -errno : 0;
	uv_sem_post(&place->done);
	while (place->result == 0) {
		uv_sem_wait(&place->wanted);
		if (!place->work)
			break;
		privileges_drop(place);
		place->work(place->userdata);
		uv_sem_post(&place->done);
	}
	return NULL;
}

static void place_end(struct vd_place *place)
{
	uv_sem_destroy(&place->wanted);
	uv_sem_destroy(&place->done);
	free(place);
}

int vd_place_new(int netns, struct vd_place **ret)
{
	struct vd_place *place = calloc(1, sizeof(*place));
	int r;

	if (!place)
		return -ENOMEM;
	place->netns = netns;
	uv_sem_init(&place->wanted, 0);
	uv_sem_init(&place->done, 0);
	r = -pthread_create(&place->thread, NULL, stay, place);
	if (r == 0) {
		uv_sem_wait(&place->done);
		r = place->result;
		if (r < 0)
			pthread_join(place->thread, NULL);
	}
	if (r < 0) {
		place_end(place);
		return r;
	}
	*ret = place;
	return 0;
}

void vd_place_free(struct vd_place *place)
{
	if (!place)
		return;
	place->work = NULL;
	uv_sem_post(&place->wanted);
	pthread_join(place->thread, NULL);
	place_end(place);
}

void vd_place_run(struct vd_place *place, void (*work)(void *userdata), void *userdata)
{
	place->work = work;
	place->userdata = userdata;
	uv_sem_post(&place->wanted);
	uv_sem_wait(&place->done);
}
