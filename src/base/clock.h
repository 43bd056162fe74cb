/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_CLOCK_H
#define VD_BASE_CLOCK_H

#include <stdint.h>

/* Time since some moment before the machine's start, that nobody sets: for deadlines and ages, not for dates. CLOCK_MONOTONIC. */
int64_t vd_clock_ms(void);
uint64_t vd_clock_ns(void);
/* The same, a few ms behind: what the data plane's programs stamp (bpf_ktime_get_coarse_ns). */
uint64_t vd_clock_coarse_ns(void);

#endif
