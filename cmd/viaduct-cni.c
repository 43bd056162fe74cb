/* SPDX-License-Identifier: Apache-2.0 */
/* The CNI plugin: one question of a container runtime, asked of the host's daemon, and its answer on standard output. */
#include "base/cleanup.h"
#include "client/container.h"
#include "cni/result.h"
#include "containers/code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A configuration of a few hundred bytes is usual; a GC names every attachment of the host. */
#define INPUT_MAX ((size_t)16 << 20)

static int input_read(char **ret, size_t *ret_size, struct vd_cni_error *error)
{
	size_t size = 0, capacity = 4096;
	VD_FREE char *text = malloc(capacity);
	ssize_t more;

	while (text && (more = read(STDIN_FILENO, text + size, capacity - size)) != 0) {
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return vd_cni_fail(error, VD_CNI_CODE_INPUT, "standard input cannot be read: %s", strerror(errno));
		size += (size_t)more;
		if (size == capacity) {
			char *grown = capacity < INPUT_MAX ? realloc(text, 2 * capacity) : NULL;

			if (!grown)
				return vd_cni_fail(error, VD_CNI_CODE_INPUT, "the configuration on standard input is too large");
			text = grown;
			capacity *= 2;
		}
	}
	*ret = VD_TAKE(text);
	*ret_size = size;
	return *ret ? 0 : vd_cni_fail(error, VD_CNI_CODE_FAILED, "out of memory");
}

/* The specification's code for what the daemon said. */
static int refused(const struct vd_cni_call *call, int code, const struct vd_error *sentence, struct vd_cni_error *error)
{
	enum vd_cni_code said = VD_CNI_CODE_FAILED;

	if (code == -ECONNREFUSED || code == -ETIMEDOUT || code == -ESHUTDOWN || code == -ENOMEDIUM || code == -ENOSPC ||
	    code == -EIO || code == -EPROTO)
		said = VD_CNI_CODE_LATER;
	else if (code == -ENONET || code == -ENOLINK || code == -EINVAL)
		said = VD_CNI_CODE_CONFIGURATION;
	else if (code == -ENXIO)
		said = VD_CNI_CODE_ENVIRONMENT;
	else if (code == -ENOENT)
		said = VD_CNI_CODE_CONTAINER;
	if (call->command == VD_CNI_COMMAND_STATUS)
		said = code == -ECONNREFUSED ? VD_CNI_CODE_LIMITED : VD_CNI_CODE_UNAVAILABLE;
	error->code = said;
	error->sentence = *sentence;
	return -EINVAL;
}

static int ask(const struct vd_cni_call *call, enum vd_container_verb verb, json_t *arguments, json_t **ret,
	       struct vd_cni_error *error)
{
	struct vd_error sentence = {"out of memory"};
	int r = arguments ? vd_client_container(call->server, verb, arguments, ret, &sentence) : -ENOMEM;

	json_decref(arguments);
	return r < 0 ? refused(call, r, &sentence, error) : 0;
}

static int add(const struct vd_cni_call *call, json_t **ret, struct vd_cni_error *error)
{
	json_t *answer = NULL, *arguments = vd_cni_call_arguments(call);
	int r;

	/* An address that is asked for may be that of a container which ran elsewhere before. */
	if (arguments && call->addresses)
		json_object_set_new(arguments, "move", json_true());
	r = ask(call, VD_CONTAINER_VERB_ADD, arguments, &answer, error);
	if (r == 0)
		*ret = vd_cni_result(call, answer);
	json_decref(answer);
	return r;
}

static int check(const struct vd_cni_call *call, struct vd_cni_error *error)
{
	json_t *answer = NULL;
	int r = ask(call, VD_CONTAINER_VERB_CHECK, vd_cni_call_arguments(call), &answer, error);

	if (r == 0)
		r = vd_cni_result_check(call, answer, error);
	json_decref(answer);
	return r;
}

/* Asks for nothing but the gateway's own address: whoever can say it could give another one. */
static int status(const struct vd_cni_call *call, struct vd_cni_error *error)
{
	return ask(call, VD_CONTAINER_VERB_RESERVE,
		   json_pack("{s:s, s:s, s:b}", "network", call->network, "key", "cni-status", "gateway", 1), NULL, error);
}

/* ret stays NULL where success prints nothing. */
static int run(const struct vd_cni_call *call, json_t **ret, struct vd_cni_error *error)
{
	switch (call->command) {
	case VD_CNI_COMMAND_VERSION:
		*ret = vd_cni_result_versions(call->version);
		return 0;
	case VD_CNI_COMMAND_ADD:
		return add(call, ret, error);
	case VD_CNI_COMMAND_CHECK:
		return check(call, error);
	case VD_CNI_COMMAND_DEL:
		return ask(call, VD_CONTAINER_VERB_DELETE, vd_cni_call_arguments(call), NULL, error);
	case VD_CNI_COMMAND_GC:
		return ask(call, VD_CONTAINER_VERB_GC, vd_cni_call_arguments(call), NULL, error);
	case VD_CNI_COMMAND_STATUS:
		return status(call, error);
	}
	return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_COMMAND: unknown");
}

static int print(json_t *result)
{
	int r = result ? json_dumpf(result, stdout, JSON_INDENT(2)) : 0;

	if (result)
		fputc('\n', stdout);
	json_decref(result);
	return r < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct vd_cni_environment environment = {getenv("CNI_COMMAND"), getenv("CNI_CONTAINERID"), getenv("CNI_NETNS"),
						       getenv("CNI_IFNAME"), getenv("CNI_ARGS")};
	struct vd_cni_call call = {.version = VD_CNI_VERSION_1_1_0};
	struct vd_cni_error error = {};
	VD_FREE char *input = NULL;
	json_t *result = NULL;
	size_t size = 0;
	int r;

	if (!environment.command) {
		fputs("viaduct-cni " VD_VERSION ": CNI plugin of Viaduct; a container runtime runs it (see docs/user/cni.md)\n",
		      stderr);
		r = vd_cni_fail(&error, VD_CNI_CODE_ENVIRONMENT, "CNI_COMMAND is not set");
	} else {
		r = input_read(&input, &size, &error);
	}
	if (r == 0)
		r = vd_cni_call_parse(&environment, input, size, &call, &error);
	if (r == 0)
		r = run(&call, &result, &error);
	if (r < 0)
		result = vd_cni_result_error(call.version, &error);
	vd_cni_call_clear(&call);
	return print(result) == EXIT_SUCCESS && r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
