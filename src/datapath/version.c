/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/version.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void directory_close(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}
#define VD_DIRECTORY VD_CLEANUP(directory_close)

void vd_versions_done(struct vd_versions *versions)
{
	for (size_t i = 0; i < versions->count; i++)
		free(versions->items[i].path);
	free(versions->items);
	*versions = (struct vd_versions){};
}

static int make_directories(const char *path)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1;; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
		if (!path[i])
			return 0;
	}
}

int vd_version_directory_ensure(const char *pin_directory, struct vd_error *error)
{
	struct statfs filesystem;
	int r;

	r = make_directories(pin_directory);
	if (r)
		return vd_error_set(error, r,
				    "cannot make the pin directory %s: %s; mount a bpffs there (mount -t bpf bpf /sys/fs/bpf)",
				    pin_directory, strerror(-r));
	if (statfs(pin_directory, &filesystem))
		return vd_error_set(error, -errno, "cannot read the pin directory %s: %m", pin_directory);
	if ((unsigned long)filesystem.f_type != BPF_FS_MAGIC)
		return vd_error_set(error, -EMEDIUMTYPE,
				    "the pin directory %s is not on a bpffs: choose one below a mounted one, or mount it (mount -t "
				    "bpf bpf /sys/fs/bpf)",
				    pin_directory);
	return 0;
}

static int compare_versions(const void *a, const void *b)
{
	const struct vd_version *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int versions_add(struct vd_versions *versions, const char *pin_directory, const char *name)
{
	struct vd_version version = {};
	struct vd_version *items;
	int end = 0;

	if (sscanf(name, "%" SCNu64 "-%16[0-9a-f]%n", &version.sequence, version.build, &end) != 2 || name[end])
		return 0; /* not ours */
	items = reallocarray(versions->items, versions->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	versions->items = items;
	if (asprintf(&version.path, "%s/%s", pin_directory, name) < 0)
		return -ENOMEM;
	versions->items[versions->count++] = version;
	return 0;
}

int vd_versions_list(const char *pin_directory, struct vd_versions *ret, struct vd_error *error)
{
	VD_VERSIONS struct vd_versions versions = {};
	VD_DIRECTORY DIR *directory = opendir(pin_directory);
	struct dirent *entry;

	if (!directory && errno == ENOENT) {
		*ret = (struct vd_versions){};
		return 0;
	}
	if (!directory)
		return vd_error_set(error, -errno, "cannot read the pin directory %s: %m", pin_directory);
	while ((entry = readdir(directory)))
		if (versions_add(&versions, pin_directory, entry->d_name))
			return vd_error_set(error, -ENOMEM, "out of memory");
	if (versions.count)
		qsort(versions.items, versions.count, sizeof(*versions.items), compare_versions);
	*ret = versions;
	versions = (struct vd_versions){};
	return 0;
}

char *vd_version_making(const char *pin_directory)
{
	char *path;

	return asprintf(&path, "%s/making", pin_directory) < 0 ? NULL : path;
}

int vd_version_publish(const char *pin_directory, uint64_t sequence, const char *build, struct vd_error *error)
{
	VD_FREE char *making = vd_version_making(pin_directory);
	VD_FREE char *path = NULL;

	if (!making || asprintf(&path, "%s/%" PRIu64 "-%s", pin_directory, sequence, build) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	if (rename(making, path))
		return vd_error_set(error, -errno, "cannot rename %s to %s: %m", making, path);
	return 0;
}

int vd_version_remove(const char *path, struct vd_error *error)
{
	VD_DIRECTORY DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory && errno == ENOENT)
		return 0;
	if (!directory)
		return vd_error_set(error, -errno, "cannot read %s: %m", path);
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlinkat(dirfd(directory), entry->d_name, 0) &&
		    errno != ENOENT)
			return vd_error_set(error, -errno, "cannot unpin %s/%s: %m", path, entry->d_name);
	if (rmdir(path))
		return vd_error_set(error, -errno, "cannot remove %s: %m", path);
	return 0;
}
