/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * What purge takes away stands when no daemon runs, so it is not the daemon that is asked: "viaductd --purge" does the work, and
 * refuses while a daemon holds the run directory.
 */
const struct vd_option vd_purge_options[] = {
	{'y', "yes", NULL, "do not ask"},
	{0, "host", "NAME", "the name that the daemon ran with (default: what the run directory says)"},
	{0, "run-dir", "DIR", "the daemon's (default /run/viaduct)"},
	{0, "bpf-dir", "DIR", "the daemon's (default: what the run directory says)"},
	{0, "config", "FILE", "the daemon's"},
	{0},
};

static bool confirmed(const struct vd_invocation *invocation)
{
	char answer[16];

	if (vd_invocation_has(invocation, "yes"))
		return true;
	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "Take everything of Viaduct away from this host? Its instances lose their network. Type yes: ");
	return fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "yes\n");
}

/* viaductd beside this program, or in PATH. */
static void daemon_exec(char **arguments)
{
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof("viaductd"));
	char *slash;

	if (size > 0) {
		path[size] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			strcpy(slash + 1, "viaductd");
			execv(path, arguments);
		}
	}
	execvp("viaductd", arguments);
}

int vd_command_purge(struct vd_invocation *invocation)
{
	char *arguments[2 * (sizeof(vd_purge_options) / sizeof(*vd_purge_options)) + 3] = {(char *)"viaductd", (char *)"--purge"};
	VD_FREE char *names = NULL;
	struct vd_error error = {0};
	size_t count = 2, used = 0;
	const char *value;

	if (!confirmed(invocation))
		return vd_fail_usage(invocation, "purge was not confirmed: give --yes");
	names = malloc(1024);
	if (!names)
		return vd_fail(&error);
	for (const struct vd_option *option = vd_purge_options; option->name; option++) {
		value = vd_invocation_option(invocation, option->name);
		if (!option->argument || !value)
			continue;
		arguments[count++] = names + used;
		used += (size_t)snprintf(names + used, 1024 - used, "--%s", option->name) + 1;
		arguments[count++] = (char *)value;
	}
	fflush(stdout);
	daemon_exec(arguments);
	vd_error_set(&error, -errno, "viaductd cannot be run: %m");
	return vd_fail(&error);
}
