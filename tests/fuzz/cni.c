/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/result.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a runtime gets for it must be complete: a result, or an error with a code and a sentence. */
static void answer(const struct vd_cni_call *call, const json_t *reply)
{
	struct vd_cni_error error = {};
	json_t *arguments, *result;

	if (call->command == VD_CNI_COMMAND_VERSION) {
		json_decref(vd_cni_result_versions(call->version));
		return;
	}
	arguments = vd_cni_call_arguments(call);
	if (!arguments)
		abort();
	json_decref(arguments);
	if (call->command == VD_CNI_COMMAND_ADD) {
		result = vd_cni_result(call, reply);
		if (!result)
			abort();
		json_decref(result);
	}
	if (call->command == VD_CNI_COMMAND_CHECK && vd_cni_result_check(call, reply, &error) < 0 && !error.sentence.text[0])
		abort();
}

/* The first byte chooses the command; CNI_ARGS up to a line's end, the configuration behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const commands[] = {"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"};
	static json_t *reply;
	struct vd_cni_environment environment = {.container_id = "c1", .netns = "/run/netns/c1", .ifname = "eth0"};
	struct vd_cni_error error = {};
	const uint8_t *line;
	struct vd_cni_call call;
	char *arguments;

	if (!reply)
		reply = json_loads("{\"addresses\": [\"10.0.2.5/24\"], \"gateways\": [\"10.0.2.1\"], \"mac\": "
				   "\"02:00:00:00:00:05\", \"mtu\": 1450}",
				   0, NULL);
	if (size < 1)
		return 0;
	environment.command = commands[data[0] % 6];
	line = memchr(data + 1, '\n', size - 1);
	if (!line)
		return 0;
	arguments = strndup((const char *)data + 1, (size_t)(line - data) - 1);
	environment.args = arguments;
	if (vd_cni_call_parse(&environment, (const char *)line + 1, size - (size_t)(line - data) - 1, &call, &error) < 0) {
		if (!error.code || !error.sentence.text[0])
			abort();
	} else {
		answer(&call, reply);
		vd_cni_call_clear(&call);
	}
	free(arguments);
	return 0;
}
