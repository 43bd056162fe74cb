/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

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
