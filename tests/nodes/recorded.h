/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_NODES_RECORDED_H
#define VD_TESTS_NODES_RECORDED_H

/*
 * Many agents in one process: store, leases, compile and difference are the real ones, only what they would do to a kernel is
 * written down. One JSON object a line on standard output: {"time": seconds since 1970, "host", "event", …}.
 */

#include <jansson.h>

/* Takes event. host: NULL when the thread's agent is meant (recorded_thread_is). */
void recorded(const char *host, json_t *event);
/* What the calling thread does is this host's. host must stay. */
void recorded_thread_is(const char *host);
const char *recorded_thread(void);

#endif
