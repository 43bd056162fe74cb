/* SPDX-License-Identifier: Apache-2.0 */
#include "recorded.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local const char *thread_host = "";

void recorded_thread_is(const char *host)
{
	thread_host = host;
}

const char *recorded_thread(void)
{
	return thread_host;
}

void recorded(const char *host, json_t *event)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(event, "time", json_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
	json_object_set_new(event, "host", json_string(host ? host : thread_host));
	pthread_mutex_lock(&lock);
	json_dumpf(event, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	fflush(stdout);
	pthread_mutex_unlock(&lock);
	json_decref(event);
}
