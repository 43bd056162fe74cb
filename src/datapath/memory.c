/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/memory.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define WAITS_MAX 9 /* 1, 2, 4, … ms: 511 in all */
#define VAIN_MS 5000

/* Until when nobody waits. CLOCK_MONOTONIC. */
static _Atomic int64_t vain_until;

bool vd_memory_wait(struct vd_memory_wait *wait)
{
	struct timespec pause = {.tv_nsec = 1000000l << wait->count};

	if (vd_clock_ms() < vain_until)
		return false;
	if (wait->count == WAITS_MAX) {
		vain_until = vd_clock_ms() + VAIN_MS;
		return false;
	}
	wait->count++;
	nanosleep(&pause, NULL);
	return true;
}
