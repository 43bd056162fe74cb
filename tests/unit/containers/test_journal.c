/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "containers/journal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOT "3f1e5b5c-0000-4000-8000-000000000001"
#define OTHER_BOOT "3f1e5b5c-0000-4000-8000-000000000002"

static char directory[] = "/tmp/vd-test-journal.XXXXXX", path[64];

static struct vd_journal *open_journal(const char *boot)
{
	struct vd_journal *journal = NULL;
	struct vd_error error = {0};

	if (vd_journal_open(path, boot, &journal, &error) < 0)
		fail_msg("%s", error.text);
	return journal;
}

static struct vd_container container(const char *key, const char *address, uint32_t port)
{
	struct vd_container container = {
		.network = "default/net",
		.domain = 7,
		.state = VD_CONTAINER_STATE_UP,
		.port = port,
		.ifindex = 12,
		.netns = "/run/netns/c",
		.netns_device = 4,
		.netns_inode = 4026532000,
		.ifname = "eth0",
		.hostname = "web",
		.rate_in = 1000,
		.burst_out = 5,
		.since = 1700000000,
	};

	snprintf(container.key, sizeof(container.key), "%s", key);
	vd_mac_parse("02:00:00:00:00:07", &container.mac);
	if (address) {
		assert_int_equal(vd_prefix_parse(address, &container.addresses[0].prefix), 0);
		container.addresses[0].gateway = vd_prefix_first(&container.addresses[0].prefix);
	}
	return container;
}

static int put(struct vd_journal *journal, const char *key, const char *address, uint32_t port)
{
	struct vd_container row = container(key, address, port);
	struct vd_error error;

	return vd_journal_put(journal, &row, &error);
}

static struct vd_address address_of(const char *text)
{
	struct vd_address address;

	assert_int_equal(vd_address_parse(text, &address), 0);
	return address;
}

static int setup(void **state)
{
	unlink(path);
	return 0;
}

static void test_a_row_comes_back_whole(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_container row = container("cni/net/c1/eth0", "10.0.2.5/24", VD_CONTAINER_PORT | 1);
	struct vd_address address = address_of("10.0.2.5");
	const struct vd_container *found;
	struct stat status;

	vd_prefix_parse("fd00:2::5/112", &row.addresses[1].prefix);
	row.addresses[1].moved = true;
	assert_int_equal(vd_journal_put(journal, &row, NULL), 0);
	vd_journal_close(journal);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);

	journal = open_journal(BOOT);
	found = vd_journal_find(journal, "cni/net/c1/eth0");
	assert_non_null(found);
	assert_ptr_equal(vd_journal_find_port(journal, VD_CONTAINER_PORT | 1), found);
	assert_ptr_equal(vd_journal_find_address(journal, 7, &address), found);
	assert_null(vd_journal_find_address(journal, 8, &address));
	assert_string_equal(found->network, "default/net");
	assert_string_equal(found->netns, "/run/netns/c");
	assert_string_equal(found->hostname, "web");
	assert_string_equal(found->ifname, "eth0");
	assert_int_equal(found->state, VD_CONTAINER_STATE_UP);
	assert_int_equal(found->netns_inode, 4026532000);
	assert_int_equal(found->ifindex, 12);
	assert_int_equal(found->rate_in, 1000);
	assert_int_equal(found->burst_out, 5);
	assert_int_equal(found->since, 1700000000);
	assert_true(vd_mac_equal(&found->mac, &row.mac));
	assert_memory_equal(found->addresses, row.addresses, sizeof(row.addresses));
	vd_journal_close(journal);
}

static void test_no_address_is_given_twice(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_address address = address_of("10.0.2.5");
	struct vd_error error = {0};
	struct vd_container row;

	assert_int_equal(put(journal, "a", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	row = container("b", "10.0.2.5/32", VD_CONTAINER_PORT | 2);
	assert_int_equal(vd_journal_put(journal, &row, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "address"));
	assert_null(vd_journal_find(journal, "b"));
	/* Another network's address is another one, and its own row may have it again. */
	row.domain = 8;
	assert_int_equal(vd_journal_put(journal, &row, &error), 0);
	assert_int_equal(put(journal, "a", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	/* After what was refused the file takes rows again. */
	assert_int_equal(put(journal, "c", "10.0.2.6/24", VD_CONTAINER_PORT | 3), 0);
	vd_journal_close(journal);

	journal = open_journal(BOOT);
	assert_string_equal(vd_journal_find_address(journal, 7, &address)->key, "a");
	assert_int_equal(vd_journal_remove(journal, "a", NULL), 0);
	assert_null(vd_journal_find_address(journal, 7, &address));
	row = container("d", "10.0.2.5/24", VD_CONTAINER_PORT | 4);
	assert_int_equal(vd_journal_put(journal, &row, &error), 0);
	vd_journal_close(journal);
}

static void test_a_row_that_changes_leaves_its_old_address(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_address address = address_of("10.0.2.5");

	assert_int_equal(put(journal, "a", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	assert_int_equal(put(journal, "a", "10.0.2.6/24", VD_CONTAINER_PORT | 2), 0);
	assert_null(vd_journal_find_address(journal, 7, &address));
	assert_null(vd_journal_find_port(journal, VD_CONTAINER_PORT | 1));
	assert_int_equal(put(journal, "b", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	assert_int_equal(vd_journal_remove(journal, "nobody", NULL), 0);
	vd_journal_close(journal);
}

static void test_what_was_given_last_is_remembered(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_address last, expected = address_of("10.0.2.6");
	struct vd_prefix block, other;

	vd_prefix_parse("10.0.2.0/24", &block);
	vd_prefix_parse("10.0.3.0/24", &other);
	assert_int_equal(vd_journal_last(journal, 7, &block).family, VD_FAMILY_NONE);
	assert_int_equal(put(journal, "a", "10.0.2.5/24", vd_journal_port_choose(journal)), 0);
	assert_int_equal(put(journal, "b", "10.0.2.6/24", vd_journal_port_choose(journal)), 0);
	/* A change is none that gives. */
	assert_int_equal(put(journal, "a", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	assert_int_equal(vd_journal_remove(journal, "b", NULL), 0);
	vd_journal_close(journal);

	journal = open_journal(BOOT);
	last = vd_journal_last(journal, 7, &block);
	assert_true(vd_address_equal(&last, &expected));
	assert_int_equal(vd_journal_last(journal, 7, &other).family, VD_FAMILY_NONE);
	assert_int_equal(vd_journal_port_choose(journal), VD_CONTAINER_PORT | 3);
	vd_journal_close(journal);
}

static void test_a_container_takes_a_reservation_and_leaves_it(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_container row = container("docker-address/default/net/10.0.2.5", "10.0.2.5/24", 0);
	struct vd_address address = address_of("10.0.2.5");

	row.state = VD_CONTAINER_STATE_RESERVED;
	row.netns = row.hostname = NULL;
	assert_int_equal(vd_journal_put(journal, &row, NULL), 0);
	/* Only who names it. */
	assert_int_equal(put(journal, "docker/other", "10.0.2.5/24", VD_CONTAINER_PORT | 1), -EADDRINUSE);
	row = container("docker/endpoint", "10.0.2.5/24", VD_CONTAINER_PORT | 2);
	row.addresses[0].reserved = (char *)"docker-address/default/net/10.0.2.5";
	assert_int_equal(vd_journal_put(journal, &row, NULL), 0);
	assert_null(vd_journal_find(journal, "docker-address/default/net/10.0.2.5"));
	assert_string_equal(vd_journal_find_address(journal, 7, &address)->key, "docker/endpoint");
	vd_journal_close(journal);

	journal = open_journal(BOOT);
	assert_string_equal(vd_journal_find(journal, "docker/endpoint")->addresses[0].reserved,
			    "docker-address/default/net/10.0.2.5");
	assert_int_equal(vd_journal_remove(journal, "docker/endpoint", NULL), 0);
	assert_string_equal(vd_journal_find_address(journal, 7, &address)->key, "docker-address/default/net/10.0.2.5");
	vd_journal_close(journal);
	journal = open_journal(BOOT);
	assert_int_equal(vd_journal_find_address(journal, 7, &address)->state, VD_CONTAINER_STATE_RESERVED);
	assert_int_equal(vd_journal_remove(journal, "docker-address/default/net/10.0.2.5", NULL), 0);
	assert_null(vd_journal_find_address(journal, 7, &address));
	vd_journal_close(journal);
}

/* Both addresses are one port's: the first reservation has it when the container is gone. */
static void test_a_reservation_gets_its_port_back(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);
	struct vd_container row = container("docker/endpoint", "10.0.2.5/24", 77);
	const struct vd_container *first, *second;

	row.native = true;
	row.addresses[0].reserved = (char *)"docker-address/default/net/10.0.2.5";
	assert_int_equal(vd_prefix_parse("fd00::5/64", &row.addresses[1].prefix), 0);
	row.addresses[1].reserved = (char *)"docker-address/6";
	assert_int_equal(vd_journal_put(journal, &row, NULL), 0);
	assert_int_equal(vd_journal_remove(journal, "docker/endpoint", NULL), 0);
	vd_journal_close(journal);
	journal = open_journal(BOOT);
	first = vd_journal_find(journal, "docker-address/default/net/10.0.2.5");
	second = vd_journal_find(journal, "docker-address/6");
	assert_true(first->native && second->native);
	assert_int_equal(first->port, 77);
	assert_int_equal(second->port, 0);
	assert_ptr_equal(vd_journal_find_port(journal, 77), first);
	vd_journal_close(journal);
}

static void test_rows_of_another_boot_are_void(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);

	assert_int_equal(put(journal, "a", "10.0.2.5/24", VD_CONTAINER_PORT | 1), 0);
	vd_journal_close(journal);
	journal = open_journal(OTHER_BOOT);
	assert_null(vd_journal_find(journal, "a"));
	assert_int_equal(vd_journal_port_choose(journal), VD_CONTAINER_PORT | 1);
	vd_journal_close(journal);
	journal = open_journal(BOOT);
	assert_null(vd_journal_find(journal, "a"));
	vd_journal_close(journal);
}

static void test_a_second_process_is_refused(void **state)
{
	struct vd_journal *journal = open_journal(BOOT), *second = NULL;
	struct vd_error error = {0};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(vd_journal_open(path, BOOT, &second, &error) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	vd_journal_close(journal);
}

/* Says each key once its row is promised; until it is killed. */
static void churn(int out, unsigned from)
{
	struct vd_journal *journal = open_journal(BOOT);

	for (unsigned i = from;; i++) {
		char key[32], address[32], line[40];

		snprintf(key, sizeof(key), "c%u", i);
		snprintf(address, sizeof(address), "10.%u.%u.%u/8", i >> 16 & 255, i >> 8 & 255, i & 255);
		if (put(journal, key, address, vd_journal_port_choose(journal)) < 0)
			_exit(1);
		snprintf(line, sizeof(line), "%u\n", i);
		if (write(out, line, strlen(line)) < 0)
			_exit(1);
	}
}

static int address_check(const struct vd_container *row, void *userdata)
{
	const struct vd_container *found = vd_journal_find_address(userdata, row->domain, &row->addresses[0].prefix.address);

	assert_ptr_equal(found, row);
	return 0;
}

/* R-CTR-2, the journal's part: an address that was promised is known after kill -9, whenever that comes. */
static void test_a_promise_outlives_a_kill(void **state)
{
	unsigned next = 1;

	/* On a machine that is busy elsewhere most of them write nothing: more rounds then. */
	for (int round = 0; round < 20 || (next <= 20 && round < 400); round++) {
		struct vd_journal *journal;
		unsigned promised = 0;
		int ends[2], status;
		FILE *lines;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			close(ends[0]);
			churn(ends[1], next);
		}
		close(ends[1]);
		usleep(3000 + 1700 * (unsigned)(round % 20));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		lines = fdopen(ends[0], "r");
		while (fscanf(lines, "%u", &promised) == 1)
			;
		fclose(lines);

		journal = open_journal(BOOT);
		for (unsigned i = 1; i <= promised; i++) {
			char key[32];

			snprintf(key, sizeof(key), "c%u", i);
			assert_non_null(vd_journal_find(journal, key));
		}
		vd_journal_each(journal, address_check, journal);
		/* At most the one that was not said yet. */
		next = promised ? promised + 1 : next;
		for (char key[32];; next++) {
			snprintf(key, sizeof(key), "c%u", next);
			if (!vd_journal_find(journal, key))
				break;
		}
		vd_journal_close(journal);
	}
	assert_true(next > 20);
}

static int remove_odd(const struct vd_container *row, void *userdata)
{
	if (row->port & 1)
		assert_int_equal(vd_journal_remove(userdata, row->key, NULL), 0);
	return 0;
}

static void test_rows_may_go_while_they_are_visited(void **state)
{
	struct vd_journal *journal = open_journal(BOOT);

	for (unsigned i = 0; i < 100; i++) {
		char key[16], address[32];

		snprintf(key, sizeof(key), "c%u", i);
		snprintf(address, sizeof(address), "10.0.2.%u/24", i);
		assert_int_equal(put(journal, key, address, VD_CONTAINER_PORT | i), 0);
	}
	vd_journal_each(journal, remove_odd, journal);
	assert_non_null(vd_journal_find(journal, "c2"));
	assert_null(vd_journal_find(journal, "c3"));
	vd_journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_row_comes_back_whole, setup),
		cmocka_unit_test_setup(test_no_address_is_given_twice, setup),
		cmocka_unit_test_setup(test_a_row_that_changes_leaves_its_old_address, setup),
		cmocka_unit_test_setup(test_what_was_given_last_is_remembered, setup),
		cmocka_unit_test_setup(test_a_container_takes_a_reservation_and_leaves_it, setup),
		cmocka_unit_test_setup(test_a_reservation_gets_its_port_back, setup),
		cmocka_unit_test_setup(test_rows_of_another_boot_are_void, setup),
		cmocka_unit_test_setup(test_a_second_process_is_refused, setup),
		cmocka_unit_test_setup(test_a_promise_outlives_a_kill, setup),
		cmocka_unit_test_setup(test_rows_may_go_while_they_are_visited, setup),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/containers", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(directory);
	return failed;
}
