/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/pcap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

const struct vd_option vd_capture_options[] = {
	{'w', "write", "FILE", "write there (default: standard output, which must not be a terminal)"},
	{'c', "count", "N", "stop after so many packets"},
	{0, "host", "HOST", "ask that host (default: where the ports are)"},
	{0},
};

struct capture {
	FILE *file;
	long left; /* 0: no end */
	int result;
};

static bool packet_take(const json_t *packet, void *userdata)
{
	const char *text = json_string_value(json_object_get(packet, "data"));
	struct capture *capture = userdata;
	VD_FREE uint8_t *data = NULL;
	size_t size;

	if (json_object_get(packet, "lost")) {
		fprintf(stderr, "viaduct: %" JSON_INTEGER_FORMAT " packets were too fast and are missing\n",
			json_integer_value(json_object_get(packet, "lost")));
		return true;
	}
	if (!text || vd_base64_decode(text, &data, &size))
		return true;
	capture->result = vd_pcap_packet(capture->file, (uint64_t)json_integer_value(json_object_get(packet, "time")), data,
					 (uint32_t)size, (uint32_t)json_integer_value(json_object_get(packet, "size")));
	if (!capture->result && fflush(capture->file))
		capture->result = -EIO;
	return !capture->result && (!capture->left || --capture->left > 0);
}

static json_t *capture_arguments(const struct vd_invocation *invocation)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < invocation->argument_count; i++)
		json_array_append_new(ports, json_string(invocation->arguments[i]));
	return json_pack("{s:s, s:o, s:s*}", "project", vd_invocation_project(invocation), "ports", ports, "host",
			 vd_invocation_option(invocation, "host"));
}

static int capture_run(struct vd_invocation *invocation, struct capture *capture)
{
	struct vd_error error = {0};
	json_t *arguments;
	int r;

	if (vd_pcap_begin(capture->file)) {
		vd_error_set(&error, -EIO, "the capture cannot be written: %m");
		return vd_fail(&error);
	}
	arguments = capture_arguments(invocation);
	r = vd_client_stream(invocation->client, "POST", "/v1/live/capture?stream=true", arguments, packet_take, capture, &error);
	json_decref(arguments);
	if (!r && capture->result)
		r = vd_error_set(&error, capture->result, "the capture cannot be written: %m");
	return r ? vd_fail(&error) : VD_EXIT_DONE;
}

int vd_command_capture(struct vd_invocation *invocation)
{
	const char *path = vd_invocation_option(invocation, "write"), *count = vd_invocation_option(invocation, "count");
	VD_FCLOSE FILE *opened = NULL;
	struct capture capture = {.file = stdout};
	struct vd_error error = {0};
	char *end = NULL;

	capture.left = count ? strtol(count, &end, 10) : 0;
	if (count && (*end || capture.left < 1))
		return vd_fail_usage(invocation, "--count %s: is no number", count);
	if (!path && isatty(STDOUT_FILENO))
		return vd_fail_usage(invocation,
				     "a capture is no text for a terminal: give -w FILE, or pipe it into \"tcpdump -nr -\"");
	if (path && strcmp(path, "-") != 0) {
		opened = fopen(path, "we");
		if (!opened) {
			vd_error_set(&error, -errno, "%s: %m", path);
			return vd_fail(&error);
		}
		capture.file = opened;
	}
	return capture_run(invocation, &capture);
}
