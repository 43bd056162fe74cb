/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/cleanup.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define SKIPPED 77

void fixture_require(void)
{
	if (geteuid()) {
		fprintf(stderr, "skipped: network namespaces need root\n");
		exit(SKIPPED);
	}
}

static FILE *shell(const char *format, va_list arguments)
{
	VD_FREE char *command = NULL;

	if (vasprintf(&command, format, arguments) < 0)
		return NULL;
	return popen(command, "r");
}

static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t size = 0, used;
	FILE *memory = open_memstream(&text, &size);
	char part[4096];

	while ((used = fread(part, 1, sizeof(part), file)) > 0)
		fwrite(part, 1, used, memory);
	fclose(memory);
	return text;
}

static char *finish(FILE *file, int *ret_status)
{
	char *text = read_all(file);

	*ret_status = pclose(file);
	return text;
}

char *output_of(const char *format, ...)
{
	va_list arguments;
	int status;
	char *text;

	va_start(arguments, format);
	text = finish(shell(format, arguments), &status);
	va_end(arguments);
	if (status)
		fail_msg("'%s' ended with %d: %s", format, WEXITSTATUS(status), text);
	return text;
}

void run(const char *format, ...)
{
	va_list arguments;
	int status;

	va_start(arguments, format);
	free(finish(shell(format, arguments), &status));
	va_end(arguments);
	if (status)
		fail_msg("'%s' ended with %d", format, WEXITSTATUS(status));
}

bool succeeds(const char *format, ...)
{
	va_list arguments;
	int status;

	va_start(arguments, format);
	free(finish(shell(format, arguments), &status));
	va_end(arguments);
	return !status;
}

char *dump_of(const char *netns)
{
	return output_of("n='%s'; ip ${n:+-n $n} -d link; ip ${n:+-n $n} -o address; ip ${n:+-n $n} route show table all;"
			 "ip ${n:+-n $n} -6 route show table all; ip ${n:+-n $n} neighbour; ls -i /run/netns; ls -iR %s",
			 netns, "/run/vd-test");
}

struct vd_address address(const char *text)
{
	struct vd_address result;

	assert_int_equal(vd_address_parse(text, &result), 0);
	return result;
}

struct vd_prefix prefix(const char *text)
{
	struct vd_prefix result;

	assert_int_equal(vd_prefix_parse(text, &result), 0);
	return result;
}

struct vd_mac mac(const char *text)
{
	struct vd_mac result;

	assert_int_equal(vd_mac_parse(text, &result), 0);
	return result;
}

static int private_namespaces(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	return system("mkdir -p /run/vd-test /run/netns && ip link set lo up");
}

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture || private_namespaces())
		return -1;
	snprintf(fixture->run_directory, sizeof(fixture->run_directory), "/run/vd-test");
	if (vd_host_net_open("h1", fixture->run_directory, &fixture->net, &fixture->error) < 0)
		return -1;
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	vd_host_net_close(fixture->net);
	free(fixture);
	return 0;
}
