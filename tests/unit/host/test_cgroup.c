/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"
#include "host/cgroup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOMAIN 4242

/* Another process of this test, which waits to be ended. */
static pid_t waiting_start(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void waiting_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void tag_write(char ret[32])
{
	snprintf(ret, 32, "vdtest%d", (int)getpid());
}

/* R-RTR-3: whichever version this machine has, the kernel's own files say what was asked for. */
static void test_process_is_limited(void **state)
{
	struct vd_error error = {};
	pid_t pid = waiting_start();
	char tag[32];

	tag_write(tag);
	if (vd_host_cgroup_ensure(tag, DOMAIN, 500, 64 << 20, pid, &error) < 0) {
		waiting_end(pid);
		fail_msg("%s", error.text);
	}
	run("grep -q 'viaduct/%s/%d$' /proc/%d/cgroup", tag, DOMAIN, pid);
	run("d=$(find /sys/fs/cgroup -path '*viaduct/%s/%d' -type d); "
	    "cat $(for g in $d; do ls $g/cpu.max $g/cpu.cfs_quota_us 2>/dev/null; done) | grep -q '^50000'",
	    tag, DOMAIN);
	run("d=$(find /sys/fs/cgroup -path '*viaduct/%s/%d' -type d); "
	    "cat $(for g in $d; do ls $g/memory.max $g/memory.limit_in_bytes 2>/dev/null; done) | grep -q '^67108864$'",
	    tag, DOMAIN);
	/* Again, with other limits, and none. */
	assert_int_equal(vd_host_cgroup_ensure(tag, DOMAIN, 250, 128 << 20, pid, &error), 0);
	run("d=$(find /sys/fs/cgroup -path '*viaduct/%s/%d' -type d); "
	    "cat $(for g in $d; do ls $g/cpu.max $g/cpu.cfs_quota_us 2>/dev/null; done) | grep -q '^25000'",
	    tag, DOMAIN);
	assert_int_equal(vd_host_cgroup_ensure(tag, DOMAIN, 0, 0, pid, &error), 0);
	assert_true(vd_host_cgroup_remove(tag, DOMAIN, &error) < 0);
	waiting_end(pid);
	assert_int_equal(vd_host_cgroup_remove(tag, DOMAIN, &error), 0);
	assert_false(succeeds("find /sys/fs/cgroup -name '%s' | grep -q .", tag));
}

static int domain_note(uint32_t domain, void *userdata)
{
	bool *seen = userdata;

	assert_true(domain == DOMAIN || domain == DOMAIN + 1);
	seen[domain - DOMAIN] = true;
	return 0;
}

/* Ends somebody a moment from now: longer than a daemon waits, and shorter than a purge does. */
static void *late_end(void *userdata)
{
	usleep(600000);
	waiting_end(*(pid_t *)userdata);
	return NULL;
}

static void test_purge_takes_all_of_a_tag(void **state)
{
	struct vd_error error = {};
	pid_t pid = waiting_start();
	bool seen[2] = {};
	pthread_t thread;
	char tag[32];

	tag_write(tag);
	assert_int_equal(vd_host_cgroup_ensure(tag, DOMAIN, 500, 64 << 20, pid, &error), 0);
	assert_int_equal(vd_host_cgroup_ensure(tag, DOMAIN + 1, 500, 64 << 20, pid, &error), 0);
	assert_int_equal(vd_host_cgroup_each(tag, domain_note, seen), 0);
	assert_true(seen[0] && seen[1]);
	assert_int_equal(vd_host_cgroup_remove(tag, DOMAIN + 1, &error), -EBUSY);
	assert_int_equal(pthread_create(&thread, NULL, late_end, &pid), 0);
	assert_int_equal(vd_host_cgroup_purge(tag, &error), 0);
	pthread_join(thread, NULL);
	assert_false(succeeds("find /sys/fs/cgroup -name '%s' | grep -q .", tag));
	assert_int_equal(vd_host_cgroup_purge(tag, &error), 0);
	assert_int_equal(vd_host_cgroup_remove(tag, DOMAIN, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process_is_limited),
		cmocka_unit_test(test_purge_takes_all_of_a_tag),
	};

	fixture_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
