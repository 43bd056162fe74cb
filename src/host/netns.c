/* SPDX-License-Identifier: Apache-2.0 */
#include "host/netns.h"

#include "base/cleanup.h"
#include "base/netns.h"
#include "host/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SELF_PATH "/proc/thread-self/ns/net"

static int is_netns(int fd)
{
	struct statfs file_system;

	if (fstatfs(fd, &file_system) < 0)
		return -errno;
	if (file_system.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EINVAL;
	return 0;
}

static int identify(int fd, struct vd_host_netns *ret)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	*ret = (struct vd_host_netns){.device = status.st_dev, .inode = status.st_ino};
	return 0;
}

int vd_host_netns_open(const char *path, int *ret_fd, struct vd_host_netns *ret_netns, struct vd_error *error)
{
	VD_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return vd_error_set(error, -errno, "network namespace %s: %m", path);
	result = is_netns(fd);
	if (result < 0)
		return vd_error_set(error, result,
				    "%s is no network namespace: give a name that `ip netns` lists, a path, or pid:N", path);
	result = identify(fd, ret_netns);
	if (result < 0)
		return vd_error_set(error, result, "network namespace %s: %s", path, strerror(-result));
	*ret_fd = VD_TAKE_FD(fd);
	return 0;
}

int vd_host_netns_self(struct vd_host_netns *ret)
{
	VD_CLOSE int fd = open(SELF_PATH, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : identify(fd, ret);
}

bool vd_host_netns_equal(const struct vd_host_netns *a, const struct vd_host_netns *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static int open_socket(void *userdata)
{
	return vd_host_socket_open(userdata);
}

int vd_host_netns_socket(int fd, struct nl_sock **ret, struct vd_error *error)
{
	int result = vd_netns_run(fd, open_socket, ret);

	if (result < 0)
		return vd_error_set(error, result, "cannot enter the network namespace: %s", strerror(-result));
	return 0;
}

static int pid_path(const char *text, char **ret)
{
	char *end;
	unsigned long pid;

	errno = 0;
	pid = strtoul(text, &end, 10);
	if (errno || *text < '1' || *text > '9' || *end || pid > INT_MAX)
		return -EINVAL;
	return asprintf(ret, "/proc/%lu/ns/net", pid) < 0 ? -ENOMEM : 0;
}

int vd_host_netns_resolve(const char *text, char **ret_path, struct vd_host_netns *ret_netns, struct vd_error *error)
{
	VD_FREE char *path = NULL;
	VD_CLOSE int fd = -1;
	int result;

	if (!strncmp(text, "pid:", 4))
		result = pid_path(text + 4, &path);
	else if (*text == '/')
		result = asprintf(&path, "%s", text) < 0 ? -ENOMEM : 0;
	else if (!*text || strchr(text, '/') || !strcmp(text, ".") || !strcmp(text, ".."))
		result = -EINVAL;
	else
		result = asprintf(&path, "/run/netns/%s", text) < 0 ? -ENOMEM : 0;
	if (result < 0)
		return vd_error_set(error, result,
				    "network namespace '%s': give a name that `ip netns` lists, an absolute path, or pid:N", text);
	result = vd_host_netns_open(path, &fd, ret_netns, error);
	if (result < 0)
		return result;
	*ret_path = VD_TAKE(path);
	return 0;
}

static int mount_self(void *userdata)
{
	return mount(SELF_PATH, userdata, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int vd_host_netns_pin(const char *path, struct vd_error *error)
{
	VD_CLOSE int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0400);
	int result = fd < 0 ? -errno : vd_netns_run(-1, mount_self, (void *)path);

	if (result < 0)
		return vd_error_set(error, result, "cannot make a network namespace at %s: %s", path, strerror(-result));
	return 0;
}

int vd_host_netns_unpin(const char *path, struct vd_error *error)
{
	/* A mount can lie on another after a crash between the two; EINVAL: none is left. */
	while (!umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
		;
	if (errno != EINVAL && errno != ENOENT)
		return vd_error_set(error, -errno, "cannot unmount %s: %m", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return vd_error_set(error, -errno, "cannot remove %s: %m", path);
	return 0;
}
