/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/pcap.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

const struct vd_option vd_capture_options[] = {
	{'w', "write", "FILE", "write there (default: standard output, which must not be a terminal)"},
	{'c', "count", "N", "stop after so many packets"},
	{0, "host", "HOST", "ask that host (default: where the ports are)"},
	{0},
};

struct capture;

/* Packets of one host's ports, on a thread of their own when there are several hosts. */
struct source {
	struct capture *capture;
	struct vd_client *client;
	json_t *arguments;
	pthread_t thread;
	bool running;
};

struct capture {
	FILE *file;
	long left; /* 0: no end */
	struct source *sources;
	size_t count;
	pthread_mutex_t lock; /* guards the file, left and what follows */
	bool done;
	int result;
	struct vd_error error; /* of the first source that failed */
};

/* No more packets are wanted, or none can be had. Locked. */
static void capture_finish(struct capture *capture)
{
	capture->done = true;
	for (size_t i = 0; i < capture->count; i++)
		vd_client_stop(capture->sources[i].client);
}

/* Locked. */
static void packet_write(struct capture *capture, const json_t *packet, const uint8_t *data, size_t size)
{
	uint64_t time = (uint64_t)json_integer_value(json_object_get(packet, "time"));
	uint32_t whole = (uint32_t)json_integer_value(json_object_get(packet, "size"));

	capture->result = vd_pcap_packet(capture->file, time, data, (uint32_t)size, whole);
	if (!capture->result && fflush(capture->file))
		capture->result = -EIO;
	if (capture->result)
		vd_error_set(&capture->error, capture->result, "the capture cannot be written: %m");
	if (capture->result || (capture->left && --capture->left == 0))
		capture_finish(capture);
}

static bool packet_take(const json_t *packet, void *userdata)
{
	const char *text = json_string_value(json_object_get(packet, "data"));
	struct capture *capture = ((struct source *)userdata)->capture;
	VD_FREE uint8_t *data = NULL;
	size_t size;
	bool done;

	if (json_object_get(packet, "lost")) {
		fprintf(stderr, "viaduct: %" JSON_INTEGER_FORMAT " packets were too fast and are missing\n",
			json_integer_value(json_object_get(packet, "lost")));
		return true;
	}
	if (!text || vd_base64_decode(text, &data, &size))
		return true;
	pthread_mutex_lock(&capture->lock);
	if (!capture->done)
		packet_write(capture, packet, data, size);
	done = capture->done;
	pthread_mutex_unlock(&capture->lock);
	return !done;
}

static void *source_run(void *userdata)
{
	struct source *source = userdata;
	struct capture *capture = source->capture;
	struct vd_error error = {0};
	int r;

	r = vd_client_stream(source->client, "POST", "/v1/live/capture?stream=true", source->arguments, packet_take, source,
			     &error);
	pthread_mutex_lock(&capture->lock);
	if (r && !capture->done) {
		capture->result = r;
		capture->error = error;
		capture_finish(capture);
	}
	pthread_mutex_unlock(&capture->lock);
	return NULL;
}

/* The host that the port is attached to, a string to free; "" when it is not, which the daemon refuses in its own words. */
static int port_host(const struct vd_invocation *invocation, const char *port, char **ret, struct vd_error *error)
{
	VD_FREE char *path = vd_path_build("/v1/ports", port, "project", vd_invocation_project(invocation), NULL);
	json_t *reply = NULL;
	const char *host;
	int r;

	r = path ? vd_client_call(invocation->client, "GET", path, NULL, &reply, error) : -ENOMEM;
	if (r)
		return r;
	host = json_string_value(json_object_get(json_object_get(reply, "status"), "host"));
	*ret = strdup(host ? host : "");
	json_decref(reply);
	return *ret ? 0 : -ENOMEM;
}

/* host -> its ports. Without need to know it, everything is of "", the host that the daemon finds. */
static int hosts_find(const struct vd_invocation *invocation, json_t *hosts, struct vd_error *error)
{
	const char *given = vd_invocation_option(invocation, "host");
	int r;

	for (size_t i = 0; i < invocation->argument_count; i++) {
		VD_FREE char *host = NULL;
		json_t *ports;

		if (given || invocation->argument_count == 1) {
			host = strdup(given ? given : "");
		} else {
			r = port_host(invocation, invocation->arguments[i], &host, error);
			if (r)
				return r;
		}
		ports = host ? json_object_get(hosts, host) : NULL;
		if (!ports) {
			ports = json_array();
			json_object_set_new(hosts, host ? host : "", ports);
		}
		json_array_append_new(ports, json_string(invocation->arguments[i]));
	}
	return 0;
}

static int sources_open(const struct vd_invocation *invocation, struct capture *capture, json_t *hosts, struct vd_error *error)
{
	const char *host;
	json_t *ports;
	int r;

	capture->sources = calloc(json_object_size(hosts) + 1, sizeof(*capture->sources));
	if (!capture->sources)
		return -ENOMEM;
	json_object_foreach (hosts, host, ports) {
		struct source *source = &capture->sources[capture->count];

		source->capture = capture;
		r = vd_invocation_connect(invocation, &source->client, error);
		if (r)
			return r;
		source->arguments = json_pack("{s:s, s:O, s:s*}", "project", vd_invocation_project(invocation), "ports", ports,
					      "host", *host ? host : NULL);
		capture->count++;
	}
	return 0;
}

static int sources_run(struct capture *capture, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; i < capture->count && !r; i++) {
		r = -pthread_create(&capture->sources[i].thread, NULL, source_run, &capture->sources[i]);
		capture->sources[i].running = !r;
	}
	if (r) {
		pthread_mutex_lock(&capture->lock);
		capture_finish(capture);
		pthread_mutex_unlock(&capture->lock);
		vd_error_set(error, r, "no thread could be started: %s", strerror(-r));
	}
	for (size_t i = 0; i < capture->count; i++)
		if (capture->sources[i].running)
			pthread_join(capture->sources[i].thread, NULL);
	if (!r && capture->result) {
		r = capture->result;
		*error = capture->error;
	}
	return r;
}

static int capture_run(struct vd_invocation *invocation, struct capture *capture)
{
	struct vd_error error = {0};
	json_t *hosts;
	int r;

	if (vd_pcap_begin(capture->file)) {
		vd_error_set(&error, -EIO, "the capture cannot be written: %m");
		return vd_fail(&error);
	}
	hosts = json_object();
	r = hosts_find(invocation, hosts, &error);
	if (!r)
		r = sources_open(invocation, capture, hosts, &error);
	if (!r)
		r = sources_run(capture, &error);
	for (size_t i = 0; i < capture->count; i++) {
		vd_client_close(capture->sources[i].client);
		json_decref(capture->sources[i].arguments);
	}
	free(capture->sources);
	json_decref(hosts);
	return r ? vd_fail(&error) : VD_EXIT_DONE;
}

int vd_command_capture(struct vd_invocation *invocation)
{
	const char *path = vd_invocation_option(invocation, "write"), *count = vd_invocation_option(invocation, "count");
	VD_FCLOSE FILE *opened = NULL;
	struct capture capture = {.file = stdout, .lock = PTHREAD_MUTEX_INITIALIZER};
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
