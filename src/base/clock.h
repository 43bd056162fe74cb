/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_CLOCK_H
#define VD_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Time since some moment before the machine's start, that nobody sets: for deadlines and ages, not for dates. CLOCK_MONOTONIC. */
int64_t vd_clock_ms(void);
uint64_t vd_clock_ns(void);
/* The same, a few ms behind: what the data plane's programs stamp (bpf_ktime_get_coarse_ns). */
uint64_t vd_clock_coarse_ns(void);
/* A condition whose waits end by this clock, and the moment in so many ms, for pthread_cond_timedwait. */
void vd_clock_cond_init(pthread_cond_t *condition);
struct timespec vd_clock_after(uint64_t ms);

#endif
