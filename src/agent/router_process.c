/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/router_process.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "viaduct-router"
/* Of the service port, inside the router's namespace (src/host/router.c). */
#define INTERFACE "viaduct"

int vd_router_socket_path(const char *run_directory, uint32_t domain, char ret[VD_ROUTER_SOCKET_SIZE], struct vd_error *error)
{
	char path[VD_ROUTER_SOCKET_SIZE];

	if (snprintf(path, sizeof(path), "%s/router/%" PRIu32 ".sock", run_directory, domain) >= (int)sizeof(path))
		return vd_error_set(error, -ENAMETOOLONG, "the run directory %s has too long a name for sockets in it",
				    run_directory);
	*strrchr(path, '/') = '\0';
	/* The process looks after its socket as nobody; who may not list the directory may still pass. */
	if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0)
		return vd_error_set(error, -errno, "the directory %s cannot be made: %m", path);
	path[strlen(path)] = '/';
	memcpy(ret, path, sizeof(path));
	return 0;
}

/* The one beside this daemon: of the same build. Else where packages put it. */
static int program_find(char ret[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret, PATH_MAX - sizeof("/" PROGRAM));
	char *slash;

	if (length > 0) {
		ret[length] = '\0';
		slash = strrchr(ret, '/');
		strcpy(slash ? slash + 1 : ret, PROGRAM);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	snprintf(ret, PATH_MAX, "%s/" PROGRAM, VD_LIBEXEC);
	return access(ret, X_OK) < 0 ? -errno : 0;
}

int vd_router_process_start(uv_loop_t *loop, const char *run_directory, uint32_t domain, const char *socket_path, uv_exit_cb ended,
			    void *userdata, uv_process_t **ret, struct vd_error *error)
{
	char program[PATH_MAX], netns[PATH_MAX];
	char *arguments[] = {program, "--netns", netns, "--interface", INTERFACE, "--socket", (char *)socket_path, NULL};
	uv_stdio_container_t streams[] = {
		{.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
	uv_process_options_t options = {
		.exit_cb = ended,
		.file = program,
		.args = arguments,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = streams,
		.cwd = "/",
	};
	uv_process_t *process;
	int r = program_find(program);

	if (r < 0)
		return vd_error_set(error, r, PROGRAM " is neither beside viaductd nor in " VD_LIBEXEC ": install it");
	snprintf(netns, sizeof(netns), "%s/netns/%" PRIu32, run_directory, domain);
	process = calloc(1, sizeof(*process));
	if (!process)
		return vd_error_set(error, -ENOMEM, "out of memory");
	process->data = userdata;
	r = uv_spawn(loop, process, &options);
	if (r < 0) {
		uv_close((uv_handle_t *)process, (uv_close_cb)free);
		return vd_error_set(error, r, "%s cannot be started: %s", program, uv_strerror(r));
	}
	*ret = process;
	return 0;
}

pid_t vd_router_socket_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0 ? -1 : peer.pid;
}

bool vd_router_socket_kill(const char *socket_path)
{
	VD_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	pid_t pid;

	if (fd < 0 || strlen(socket_path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	pid = vd_router_socket_peer(fd);
	return pid > 0 && kill(pid, SIGKILL) == 0;
}

void vd_router_socket_remove(const char *socket_path)
{
	char lock[VD_ROUTER_SOCKET_SIZE + sizeof(".lock")];

	unlink(socket_path);
	snprintf(lock, sizeof(lock), "%s.lock", socket_path);
	unlink(lock);
}

void vd_router_sockets_each(const char *run_directory, void (*socket)(uint32_t domain, const char *socket_path, void *userdata),
			    void *userdata)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/router", run_directory);
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		char *end;
		unsigned long domain = strtoul(entry->d_name, &end, 10);

		if (end == entry->d_name || strcmp(end, ".sock") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/router/%lu.sock", run_directory, domain);
		socket((uint32_t)domain, path, userdata);
	}
	closedir(directory);
}
