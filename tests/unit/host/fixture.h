/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TEST_HOST_FIXTURE_H
#define VD_TEST_HOST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/host.h"

/*
 * A host for each test: network and mount namespaces of its own, an empty run directory and an empty /run/netns, all of which end
 * with the process. The real kernel does the rest.
 */
struct fixture {
	struct vd_host_net *net;
	struct vd_error error;
	char run_directory[64];
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Ends the test program with meson's "skipped" unless namespaces may be made. Call it first in main. */
void fixture_require(void);

/* Runs a shell command, which must succeed; what it printed, a string to free. */
char *output_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether the command succeeds. */
bool succeeds(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Everything that there is to see of the namespace ("": the host's own), without counters and times. A string to free. */
char *dump_of(const char *netns);

struct vd_address address(const char *text);
struct vd_prefix prefix(const char *text);
struct vd_mac mac(const char *text);

#define assert_done(fixture, result) \
	do { \
		int vd_result = (result); \
		if (vd_result < 0) \
			fail_msg("%s: %d, %s", #result, vd_result, (fixture)->error.text); \
	} while (0)

#endif
