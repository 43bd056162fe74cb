// SPDX-License-Identifier: Apache-2.0
/*
 * Empties the connection tables of a host where nothing flows, claims, queues and cached flows included, so that a measured run finds
 * what conntrack is after a flush. For benchmarks: nobody else may forget a connection that lives.
 * usage: forget PIN-DIRECTORY
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH 4096
#define SIZE_MAX_OF_ONE 512 /* of a key, or a value */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "forget: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int map_open(const char *directory, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = bpf_obj_get(path);
	if (fd < 0)
		die(path);
	return fd;
}

static void map_empty(const char *directory, const char *name)
{
	static unsigned char keys[BATCH][SIZE_MAX_OF_ONE];
	int fd = map_open(directory, name);

	for (;;) {
		unsigned count = 0;
		while (count < BATCH && !bpf_map_get_next_key(fd, count ? keys[count - 1] : NULL, keys[count]))
			count++;
		for (unsigned i = 0; i < count; i++)
			bpf_map_delete_elem(fd, keys[i]);
		if (!count)
			return;
	}
}

static void cache_empty(const char *directory, const char *name)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);
	int fd = map_open(directory, name);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		die(name);
	size_t room = (size_t)info.max_entries * info.value_size;
	void *slots = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slots == MAP_FAILED)
		die(name);
	memset(slots, 0, room);
	munmap(slots, room);
}

static void queue_empty(const char *directory, const char *name)
{
	unsigned char value[SIZE_MAX_OF_ONE];
	int fd = map_open(directory, name);

	while (!bpf_map_lookup_and_delete_elem(fd, NULL, value))
		;
}

/* No domain has any connection. */
static void shares_clear(const char *directory)
{
	struct {
		uint32_t used, limit;
	} value;
	int fd = map_open(directory, "vd_share");
	uint32_t key, *previous = NULL;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		if (bpf_map_lookup_elem(fd, &key, &value))
			die("vd_share");
		value.used = 0;
		if (bpf_map_update_elem(fd, &key, &value, BPF_EXIST))
			die("vd_share");
		previous = &key;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: forget PIN-DIRECTORY\n");
		return 2;
	}
	cache_empty(argv[1], "vd_flow4_index");
	cache_empty(argv[1], "vd_flow4");
	map_empty(argv[1], "vd_conn4");
	map_empty(argv[1], "vd_nat4");
	queue_empty(argv[1], "vd_expire4");
	shares_clear(argv[1]);
	return 0;
}
