/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cgroup.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PERIOD_US 100000 /* the kernel's default: a router that is over its share pauses for less than this */
#define REMOVE_TRIES 20  /* of a daemon, which has other things to do */
#define PURGE_TRIES 500
#define REMOVE_PAUSE_NS 10000000

/* Where the controllers are; with version 2 both are the same place. */
struct hierarchy {
	bool is_unified;
	char cpu[PATH_MAX], memory[PATH_MAX]; /* empty: none */
};

static int text_write(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;

	VD_FCLOSE FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	setbuf(file, NULL);
	return fputs(text, file) < 0 ? -errno : 0;
}

static bool has_controllers(const char *directory)
{
	char path[PATH_MAX], line[512] = "";

	if (snprintf(path, sizeof(path), "%s/cgroup.controllers", directory) >= (int)sizeof(path))
		return false;

	VD_FCLOSE FILE *file = fopen(path, "re");

	if (!file || !fgets(line, sizeof(line), file))
		return false;
	line[strcspn(line, "\n")] = ' ';
	return (strncmp(line, "cpu ", 4) == 0 || strstr(line, " cpu ")) &&
	       (strncmp(line, "memory ", 7) == 0 || strstr(line, " memory "));
}

static int hierarchy_find(struct hierarchy *ret)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct hierarchy found = {};
	struct mntent *mount;

	if (!mounts)
		return -errno;
	while (!found.is_unified && (mount = getmntent(mounts))) {
		bool is_version1 = strcmp(mount->mnt_type, "cgroup") == 0;

		if (strcmp(mount->mnt_type, "cgroup2") == 0 && has_controllers(mount->mnt_dir)) {
			found.is_unified = true;
			snprintf(found.cpu, sizeof(found.cpu), "%s", mount->mnt_dir);
			snprintf(found.memory, sizeof(found.memory), "%s", mount->mnt_dir);
		}
		if (is_version1 && hasmntopt(mount, "cpu") && !found.cpu[0])
			snprintf(found.cpu, sizeof(found.cpu), "%s", mount->mnt_dir);
		if (is_version1 && hasmntopt(mount, "memory") && !found.memory[0])
			snprintf(found.memory, sizeof(found.memory), "%s", mount->mnt_dir);
	}
	endmntent(mounts);
	if (!found.cpu[0] || !found.memory[0])
		return -ENOTSUP;
	*ret = found;
	return 0;
}

/* Goes down to <root>/viaduct/<tag>/<domain>, making what is missing; the unified hierarchy hands its controllers down step by step. */
static int group_make(const char *root, bool is_unified, const char *tag, uint32_t domain, char ret[PATH_MAX])
{
	char last[16];
	const char *const steps[] = {"viaduct", tag, last};
	size_t length = (size_t)snprintf(ret, PATH_MAX, "%s", root);

	snprintf(last, sizeof(last), "%" PRIu32, domain);
	for (size_t i = 0; i < 3; i++) {
		if (is_unified)
			text_write(ret, "cgroup.subtree_control", "+cpu +memory");
		length += (size_t)snprintf(ret + length, PATH_MAX - length, "/%s", steps[i]);
		if (length >= PATH_MAX)
			return -ENAMETOOLONG;
		if (mkdir(ret, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int limits_write(const struct hierarchy *hierarchy, const char *cpu, const char *memory, uint32_t cpu_milli, uint64_t bytes)
{
	uint64_t quota = (uint64_t)cpu_milli * PERIOD_US / 1000;
	char text[64];
	int r;

	if (hierarchy->is_unified) {
		if (cpu_milli)
			snprintf(text, sizeof(text), "%" PRIu64 " %d", quota, PERIOD_US);
		r = text_write(cpu, "cpu.max", cpu_milli ? text : "max");
		snprintf(text, sizeof(text), "%" PRIu64, bytes);
		return r < 0 ? r : text_write(memory, "memory.max", bytes ? text : "max");
	}
	snprintf(text, sizeof(text), "%d", PERIOD_US);
	r = text_write(cpu, "cpu.cfs_period_us", text);
	snprintf(text, sizeof(text), "%" PRIu64, quota);
	if (r == 0)
		r = text_write(cpu, "cpu.cfs_quota_us", cpu_milli ? text : "-1");
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	return r < 0 ? r : text_write(memory, "memory.limit_in_bytes", bytes ? text : "-1");
}

static int group_ensure(const char *tag, uint32_t domain, uint32_t cpu_milli, uint64_t memory, pid_t pid)
{
	char cpu_path[PATH_MAX], memory_path[PATH_MAX], text[16];
	struct hierarchy hierarchy;
	int r = hierarchy_find(&hierarchy);

	if (r == 0)
		r = group_make(hierarchy.cpu, hierarchy.is_unified, tag, domain, cpu_path);
	if (r == 0)
		r = group_make(hierarchy.memory, hierarchy.is_unified, tag, domain, memory_path);
	if (r == 0)
		r = limits_write(&hierarchy, cpu_path, memory_path, cpu_milli, memory);
	snprintf(text, sizeof(text), "%d", (int)pid);
	if (r == 0)
		r = text_write(cpu_path, "cgroup.procs", text);
	if (r == 0 && !hierarchy.is_unified)
		r = text_write(memory_path, "cgroup.procs", text);
	return r;
}

int vd_host_cgroup_ensure(const char *tag, uint32_t domain, uint32_t cpu_milli, uint64_t memory, pid_t pid, struct vd_error *error)
{
	int r = group_ensure(tag, domain, cpu_milli, memory, pid);

	if (r < 0)
		return vd_error_set(error, r, "the router of domain %" PRIu32 ": its CPU and memory cannot be limited: %s", domain,
				    r == -ENOTSUP ? "no control groups for cpu and memory are mounted" : strerror(-r));
	return 0;
}

static int group_remove(const char *path, int tries)
{
	const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};

	for (int i = 0; rmdir(path) < 0; i++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || i == tries)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int groups_remove(const char *root, const char *tag, uint32_t domain, int tries)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/viaduct/%s/%" PRIu32, root, tag, domain) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = group_remove(path, tries);
	/* The last one out; while others are in, these fail. */
	*strrchr(path, '/') = '\0';
	if (rmdir(path) == 0) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	return r;
}

static int domain_remove(const char *tag, uint32_t domain, int tries, struct vd_error *error)
{
	struct hierarchy hierarchy;
	int r = hierarchy_find(&hierarchy);

	if (r < 0)
		return 0; /* none were made */
	r = groups_remove(hierarchy.cpu, tag, domain, tries);
	if (r == 0 && !hierarchy.is_unified)
		r = groups_remove(hierarchy.memory, tag, domain, tries);
	return r < 0 ? vd_error_set(error, r, "the control group of domain %" PRIu32 " cannot be removed: %s", domain, strerror(-r))
		     : 0;
}

int vd_host_cgroup_remove(const char *tag, uint32_t domain, struct vd_error *error)
{
	return domain_remove(tag, domain, REMOVE_TRIES, error);
}

static int root_each(const char *root, const char *tag, vd_host_cgroup_visit *visit, void *userdata)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/viaduct/%s", root, tag) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	directory = opendir(path);
	if (!directory)
		return 0;
	while (r == 0 && (entry = readdir(directory)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			r = visit((uint32_t)strtoul(entry->d_name, NULL, 10), userdata);
	closedir(directory);
	return r;
}

int vd_host_cgroup_each(const char *tag, vd_host_cgroup_visit *visit, void *userdata)
{
	struct hierarchy hierarchy;
	int r;

	if (hierarchy_find(&hierarchy) < 0)
		return 0;
	r = root_each(hierarchy.cpu, tag, visit, userdata);
	return r < 0 || hierarchy.is_unified ? r : root_each(hierarchy.memory, tag, visit, userdata);
}

struct purge {
	const char *tag;
	struct vd_error *error;
};

static int domain_purge(uint32_t domain, void *userdata)
{
	const struct purge *purge = userdata;

	return domain_remove(purge->tag, domain, PURGE_TRIES, purge->error);
}

int vd_host_cgroup_purge(const char *tag, struct vd_error *error)
{
	struct purge purge = {.tag = tag, .error = error};

	return vd_host_cgroup_each(tag, domain_purge, &purge);
}
