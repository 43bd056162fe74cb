/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

/* The first line of a file, without its end; 0 or -errno. */
static int line_read(const char *path, char *text, size_t size)
{
	VD_FCLOSE FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(text, (int)size, file))
		return -ENODATA;
	text[strcspn(text, "\n")] = '\0';
	return text[0] ? 0 : -ENODATA;
}

static int directories_make(const char *path)
{
	VD_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* Puts text into the file whole or not at all. */
static int file_replace(const char *path, const char *text)
{
	VD_FREE char *temporary = NULL;
	int r = 0;

	if (asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;

	VD_FCLOSE FILE *file = fopen(temporary, "we");

	if (!file)
		return -errno;
	if (fputs(text, file) < 0 || fflush(file) != 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	return r;
}

static int run_id_create(const char *path, char run_id[40])
{
	uint8_t random[16];
	char line[48];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(run_id + 2 * i, 3, "%02x", random[i]);
	snprintf(line, sizeof(line), "%s\n", run_id);
	return file_replace(path, line);
}

static int lock_take(const char *run_directory, int *ret_lock, struct vd_error *error)
{
	VD_FREE char *path = NULL;
	VD_CLOSE int fd = -1;
	char holder[32] = "";
	ssize_t size;

	if (asprintf(&path, "%s/lock", run_directory) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return vd_error_set(error, -errno, "run directory %s: cannot be written: %m", run_directory);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		size = pread(fd, holder, sizeof(holder) - 1, 0);
		holder[size > 0 ? strcspn(holder, "\n") : 0] = '\0';
		return vd_error_set(
			error, -EBUSY,
			"run directory %s is held by another viaductd (process %s): stop it, or give this one --run-dir",
			run_directory, holder[0] ? holder : "unknown");
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		return vd_error_set(error, -EIO, "run directory %s: cannot be written: %m", run_directory);
	*ret_lock = VD_TAKE_FD(fd);
	return 0;
}

int vd_identity_acquire(const char *run_directory, struct vd_identity_of_host *ret, int *ret_lock, struct vd_error *error)
{
	struct vd_identity_of_host identity = {};
	VD_FREE char *id_path = NULL;
	VD_CLOSE int lock = -1;
	int r;

	r = directories_make(run_directory);
	if (r < 0)
		return vd_error_set(error, r, "run directory %s: cannot be made: %s", run_directory, strerror(-r));
	r = lock_take(run_directory, &lock, error);
	if (r < 0)
		return r;

	r = line_read("/proc/sys/kernel/random/boot_id", identity.boot_id, sizeof(identity.boot_id));
	if (r < 0)
		return vd_error_set(error, r, "the boot id cannot be read: %s: is /proc mounted?", strerror(-r));
	/* Without one (minimal images) the boot tells machines apart. */
	if (line_read("/etc/machine-id", identity.machine_id, sizeof(identity.machine_id)) < 0)
		memcpy(identity.machine_id, identity.boot_id, sizeof(identity.machine_id));

	if (asprintf(&id_path, "%s/id", run_directory) < 0)
		return -ENOMEM;
	r = line_read(id_path, identity.run_id, sizeof(identity.run_id));
	if (r < 0)
		r = run_id_create(id_path, identity.run_id);
	if (r < 0)
		return vd_error_set(error, r, "run directory %s: cannot be written: %s", run_directory, strerror(-r));

	*ret = identity;
	*ret_lock = VD_TAKE_FD(lock);
	return 0;
}

int vd_place_read(const char *run_directory, struct vd_place *ret)
{
	VD_FREE char *path = NULL;
	struct vd_place place = {};

	if (asprintf(&path, "%s/place", run_directory) < 0)
		return -ENOMEM;

	VD_FCLOSE FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (fscanf(file, "%63s %255[^\n]", place.host, place.pin_directory) != 2)
		return -ENOENT;
	*ret = place;
	return 0;
}

int vd_place_take(const char *run_directory, const struct vd_place *place, struct vd_error *error)
{
	VD_FREE char *path = NULL, *text = NULL;
	struct vd_place standing;
	int r;

	if (vd_place_read(run_directory, &standing) == 0) {
		if (strcmp(standing.host, place->host) == 0 && strcmp(standing.pin_directory, place->pin_directory) == 0)
			return 0;
		return vd_error_set(error, -EEXIST,
				    "run directory %s is that of host %s with --bpf-dir %s, whose things are still in the kernel: "
				    "start it so, or take them "
				    "away first with viaductd --purge --run-dir %s",
				    run_directory, standing.host, standing.pin_directory, run_directory);
	}
	if (asprintf(&path, "%s/place", run_directory) < 0 || asprintf(&text, "%s %s\n", place->host, place->pin_directory) < 0)
		return -ENOMEM;
	r = file_replace(path, text);
	return r < 0 ? vd_error_set(error, r, "run directory %s: cannot be written: %s", run_directory, strerror(-r)) : 0;
}

void vd_place_leave(const char *run_directory)
{
	VD_FREE char *path = NULL;

	if (asprintf(&path, "%s/place", run_directory) >= 0)
		unlink(path);
}
