/* SPDX-License-Identifier: Apache-2.0 */
#include "host/program.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PATIENCE_MS 10000
#define ADMINISTRATORS_PATH "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

/* A daemon may be started without the directories of administrators in its PATH. */
static int program_find(const char *name, char ret[PATH_MAX])
{
	const char *path = getenv("PATH");
	VD_FREE char *places = NULL;
	char *rest = NULL;

	if (asprintf(&places, "%s:" ADMINISTRATORS_PATH, path ? path : "") < 0)
		return -ENOMEM;
	for (char *place = strtok_r(places, ":", &rest); place; place = strtok_r(NULL, ":", &rest))
		if (snprintf(ret, PATH_MAX, "%s/%s", place, name) < PATH_MAX && access(ret, X_OK) == 0)
			return 0;
	return -ENOENT;
}

/* Its input as a file, so that writing never waits for its reading. */
static int input_open(const char *input)
{
	VD_CLOSE int fd = memfd_create("input", MFD_CLOEXEC);
	size_t size = input ? strlen(input) : 0;

	if (fd < 0 || write(fd, input ? input : "", size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return VD_TAKE_FD(fd);
}

static int start(const char *path, const char *const *arguments, int input, int output, int complaints, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
	/* Not what this daemon blocks or ignores. */
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attributes, &signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	result = posix_spawn(ret, path, &actions, &attributes, (char *const *)arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -result;
}

/* Both to their ends, since one that is full stops the program. */
static int read_both(const int fds[2], FILE *const files[2])
{
	struct pollfd polled[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
	int64_t end = vd_clock_ms() + PATIENCE_MS, left;
	char part[4096];

	while (polled[0].fd >= 0 || polled[1].fd >= 0) {
		left = end - vd_clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(polled, 2, (int)left) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < 2; i++) {
			ssize_t size;

			if (polled[i].fd < 0 || !polled[i].revents)
				continue;
			size = read(polled[i].fd, part, sizeof(part));
			if (size > 0)
				fwrite(part, 1, (size_t)size, files[i]);
			else if (size == 0 || errno != EINTR)
				polled[i].fd = -1;
		}
	}
	return 0;
}

static int finish(pid_t pid, int result)
{
	int status = 0;

	if (result < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (result < 0)
		return result;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* The first line is the reason. */
static const char *reason_of(char *complaints)
{
	complaints[strcspn(complaints, "\n")] = '\0';
	return complaints[0] ? complaints : "it does not say why";
}

static int run(const char *path, const char *const *arguments, int input, FILE *const files[2])
{
	int output[2] = {-1, -1}, complaints[2] = {-1, -1};
	pid_t pid;
	int result;

	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(complaints, O_CLOEXEC) < 0) {
		result = -errno;
		close(output[0]);
		close(output[1]);
		return result;
	}
	result = start(path, arguments, input, output[1], complaints[1], &pid);
	close(output[1]);
	close(complaints[1]);
	if (result == 0)
		result = finish(pid, read_both((const int[2]){output[0], complaints[0]}, files));
	close(output[0]);
	close(complaints[0]);
	return result;
}

int vd_program_run(const char *const *arguments, const char *input, char **ret_output, struct vd_error *error)
{
	VD_FREE char *output = NULL, *complaints = NULL;
	char path[PATH_MAX];
	VD_CLOSE int in = -1;
	size_t sizes[2];
	FILE *files[2];
	int result = program_find(arguments[0], path);

	if (result < 0)
		return vd_error_set(error, result, "there is no program %s on this host: install it", arguments[0]);
	in = input_open(input);
	files[0] = open_memstream(&output, &sizes[0]);
	files[1] = open_memstream(&complaints, &sizes[1]);
	result = in < 0 ? in : !files[0] || !files[1] ? -ENOMEM : run(path, arguments, in, files);
	for (int i = 0; i < 2; i++)
		if (files[i])
			fclose(files[i]);
	if (result == -EIO)
		return vd_error_set(error, result, "%s fails: %s", arguments[0], complaints ? reason_of(complaints) : "");
	if (result < 0)
		return vd_error_set(error, result, "%s cannot be run: %s", arguments[0], strerror(-result));
	if (ret_output)
		*ret_output = VD_TAKE(output);
	return 0;
}
