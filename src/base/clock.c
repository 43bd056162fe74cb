/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

static uint64_t clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int64_t vd_clock_ms(void)
{
	return (int64_t)(vd_clock_ns() / 1000000);
}

uint64_t vd_clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t vd_clock_coarse_ns(void)
{
	return clock_read(CLOCK_MONOTONIC_COARSE);
}

void vd_clock_cond_init(pthread_cond_t *condition)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct timespec vd_clock_after(uint64_t ms)
{
	uint64_t moment = vd_clock_ns() + ms * 1000000;

	return (struct timespec){.tv_sec = (time_t)(moment / 1000000000), .tv_nsec = (long)(moment % 1000000000)};
}
