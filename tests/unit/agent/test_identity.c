/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int directory_make(void **state)
{
	static char directory[64];

	strcpy(directory, "/tmp/viaduct-test-identity-XXXXXX");
	*state = mkdtemp(directory);
	return *state ? 0 : -1;
}

static int directory_remove(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	return system(command);
}

static void test_a_restart_is_the_same_daemon(void **state)
{
	struct vd_identity_of_host first, second;
	struct vd_error error;
	int lock = -1;

	assert_int_equal(vd_identity_acquire(*state, &first, &lock, &error), 0);
	close(lock);
	assert_int_equal(vd_identity_acquire(*state, &second, &lock, &error), 0);
	close(lock);
	assert_memory_equal(&first, &second, sizeof(first));
	assert_int_equal(strlen(first.run_id), 32);
}

static void test_a_second_daemon_on_the_directory_is_told_so(void **state)
{
	struct vd_identity_of_host identity;
	struct vd_error error = {};
	char process[32];
	int lock = -1, second = -1;

	assert_int_equal(vd_identity_acquire(*state, &identity, &lock, &error), 0);
	assert_int_equal(vd_identity_acquire(*state, &identity, &second, &error), -EBUSY);
	assert_int_equal(second, -1);
	snprintf(process, sizeof(process), "(process %d)", getpid());
	assert_non_null(strstr(error.text, process));
	close(lock);
}

static void test_missing_directories_are_made(void **state)
{
	struct vd_identity_of_host identity;
	struct vd_error error;
	char path[128];
	int lock = -1;

	snprintf(path, sizeof(path), "%s/a/b", (char *)*state);
	assert_int_equal(vd_identity_acquire(path, &identity, &lock, &error), 0);
	close(lock);
}

static void test_the_place_is_found_again_until_a_purge(void **state)
{
	struct vd_place place = {.host = "h1", .pin_directory = "/sys/fs/bpf/my programs"}, found,
			other = {.host = "h2", .pin_directory = "/p"};
	struct vd_error error = {};

	assert_int_equal(vd_place_read(*state, &found), -ENOENT);
	assert_int_equal(vd_place_take(*state, &place, &error), 0);
	assert_int_equal(vd_place_take(*state, &place, &error), 0);
	assert_int_equal(vd_place_read(*state, &found), 0);
	assert_string_equal(found.host, "h1");
	assert_string_equal(found.pin_directory, "/sys/fs/bpf/my programs");
	assert_int_equal(vd_place_take(*state, &other, &error), -EEXIST);
	assert_non_null(strstr(error.text, "host h1"));
	vd_place_leave(*state);
	assert_int_equal(vd_place_take(*state, &other, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_restart_is_the_same_daemon, directory_make, directory_remove),
		cmocka_unit_test_setup_teardown(test_a_second_daemon_on_the_directory_is_told_so, directory_make, directory_remove),
		cmocka_unit_test_setup_teardown(test_the_place_is_found_again_until_a_purge, directory_make, directory_remove),
		cmocka_unit_test_setup_teardown(test_missing_directories_are_made, directory_make, directory_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
