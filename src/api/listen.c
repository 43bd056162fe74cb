/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listen.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 128
#define GROUP "viaduct"
/* Of a PEM file. */
#define FILE_MAX (1u << 20)

static void socket_give_to_group(const char *path)
{
	char buffer[16384];
	struct group group, *found = NULL;

	if (getgrnam_r(GROUP, &group, buffer, sizeof(buffer), &found) || !found)
		return;
	if (chown(path, (uid_t)-1, found->gr_gid) < 0)
		vd_log_warning("socket %s: cannot be given to the group " GROUP ": %m", path);
}

/* Removes a socket that nobody listens on any more. */
static int socket_clear(const char *path, const struct sockaddr_un *address, struct vd_error *error)
{
	VD_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : vd_error_set(error, -errno, "socket %s: %m", path);
	if (!S_ISSOCK(status.st_mode))
		return vd_error_set(error, -EEXIST, "socket %s: there is something that is no socket; remove it", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return vd_error_set(error, -EADDRINUSE, "socket %s: another daemon listens there", path);
	if (unlink(path) < 0)
		return vd_error_set(error, -errno, "socket %s: a leftover cannot be removed: %m", path);
	return 0;
}

int vd_listen_unix(const char *path, int *ret, struct vd_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	VD_CLOSE int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return vd_error_set(error, -ENAMETOOLONG, "socket %s: the path is longer than the %zu bytes that a socket may have",
				    path, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	r = socket_clear(path, &address, error);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return vd_error_set(error, -errno, "socket %s: %m", path);
	socket_give_to_group(path);
	/* Nobody can connect before listen, so nobody meets the mode that the umask gave it. */
	if (chmod(path, 0660) < 0 || listen(fd, BACKLOG) < 0)
		return vd_error_set(error, -errno, "socket %s: %m", path);
	*ret = VD_TAKE_FD(fd);
	return 0;
}

static int listen_split(const char *text, char **ret_address, const char **ret_port, struct vd_error *error)
{
	const char *colon = strrchr(text, ':');
	size_t size;

	if (!colon || colon == text || !colon[1])
		return vd_error_set(error, -EINVAL, "listen \"%s\": write ADDRESS:PORT, like 10.0.0.1:8443 or [fd00::1]:8443",
				    text);
	size = (size_t)(colon - text);
	if (text[0] == '[' && text[size - 1] == ']')
		*ret_address = strndup(text + 1, size - 2);
	else
		*ret_address = strndup(text, size);
	*ret_port = colon + 1;
	return *ret_address ? 0 : -ENOMEM;
}

static int listen_at(const struct addrinfo *info, int *ret)
{
	VD_CLOSE int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = VD_TAKE_FD(fd);
	return 0;
}

int vd_listen_tcp(const char *listen, int *ret, struct vd_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	VD_FREE char *address = NULL;
	struct addrinfo *info;
	const char *port = NULL;
	int r;

	r = listen_split(listen, &address, &port, error);
	if (r)
		return r;
	r = getaddrinfo(address, port, &hints, &info);
	if (r)
		return vd_error_set(error, -EINVAL, "listen \"%s\": %s", listen, gai_strerror(r));
	r = listen_at(info, ret);
	freeaddrinfo(info);
	return r ? vd_error_set(error, r, "listen \"%s\": %s", listen, strerror(-r)) : 0;
}

int vd_listen_read_file(const char *what, const char *path, char **ret, struct vd_error *error)
{
	VD_FCLOSE FILE *file = fopen(path, "re");
	VD_FREE char *text = NULL;
	size_t size;

	if (!file)
		return vd_error_set(error, -errno, "%s %s: %m", what, path);
	text = malloc(FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	size = fread(text, 1, FILE_MAX + 1, file);
	if (ferror(file))
		return vd_error_set(error, -EIO, "%s %s cannot be read", what, path);
	if (size > FILE_MAX)
		return vd_error_set(error, -E2BIG, "%s %s: is larger than a PEM file", what, path);
	text[size] = '\0';
	*ret = VD_TAKE(text);
	return 0;
}
