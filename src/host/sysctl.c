/* SPDX-License-Identifier: Apache-2.0 */
#include "host/sysctl.h"

#include "base/cleanup.h"
#include "base/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

struct job {
	const struct vd_host_sysctl *sysctls;
	size_t count;
	struct vd_error *error;
};

static bool is_value(int fd, const char *value)
{
	char text[128];
	ssize_t size = read(fd, text, sizeof(text) - 1);

	if (size <= 0)
		return false;
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, value);
}

static int write_one(const struct vd_host_sysctl *sysctl, struct vd_error *error)
{
	VD_CLOSE int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "/proc/sys/net/%s", sysctl->name) >= (int)sizeof(path))
		return vd_error_set(error, -ENAMETOOLONG, "the sysctl net/%s has too long a name", sysctl->name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && sysctl->optional)
		return 0;
	if (fd < 0)
		return vd_error_set(error, -errno, "cannot open %s: %m", path);
	if (is_value(fd, sysctl->value))
		return 0;
	if (pwrite(fd, sysctl->value, strlen(sysctl->value), 0) < 0)
		return vd_error_set(error, -errno, "cannot write '%s' to %s: %m", sysctl->value, path);
	return 0;
}

/* /proc/sys/net shows the namespace of the thread that opens a file there. */
static int write_all(void *userdata)
{
	const struct job *job = userdata;

	for (size_t i = 0; i < job->count; i++) {
		int result = write_one(&job->sysctls[i], job->error);

		if (result < 0)
			return result;
	}
	return 0;
}

int vd_host_sysctl_ensure(int netns, const struct vd_host_sysctl *sysctls, size_t count, struct vd_error *error)
{
	struct vd_error reason = {"cannot enter the network namespace"};
	struct job job = {sysctls, count, &reason};
	int result = vd_netns_run(netns, write_all, &job);

	return result < 0 ? vd_error_set(error, result, "%s", reason.text) : 0;
}
