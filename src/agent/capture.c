/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a port to whoever asked for them. tcpdump on the host misses what is redirected past it, so the data plane copies. */
#include "agent/private.h"
#include "base/cleanup.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <utlist.h>

/* A port that somebody captures at; several may. */
struct vd_capture_port {
	struct vd_capture_port *prev, *next;
	uint32_t port;
	char *name;
	unsigned users;
};

struct capture {
	uint32_t *ports;
	char **names; /* borrowed from the arguments */
	size_t count, on;
};

static void capture_port_free(struct vd_capture_port *port)
{
	free(port->name);
	free(port);
}

void vd_capture_free(struct vd_agent *agent)
{
	struct vd_capture_port *port, *next;

	DL_FOREACH_SAFE (agent->capture_ports, port, next)
		capture_port_free(port);
}

void vd_capture_packet(const struct vd_captured_packet *packet, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_capture_port *port;
	VD_FREE char *data = NULL;
	json_t *object;

	DL_SEARCH_SCALAR(agent->capture_ports, port, port, packet->port);
	if (!port || !vd_channel_has_listeners(agent->captures))
		return;
	data = malloc(4 * ((size_t)packet->captured + 2) / 3 + 4);
	if (!data)
		return;
	EVP_EncodeBlock((unsigned char *)data, packet->data, (int)packet->captured);
	object = json_pack("{s:I, s:s, s:I, s:s, s:s}", "time", (json_int_t)packet->time_ns, "port", port->name, "size",
			   (json_int_t)packet->size, "direction", packet->to_instance ? "in" : "out", "data", data);
	if (object)
		vd_channel_say(agent->captures, object);
	json_decref(object);
}

static int capture_start(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct capture *capture = userdata;

	for (; capture->on < capture->count; capture->on++) {
		uint32_t id = capture->ports[capture->on];
		struct vd_capture_port *port;
		int r;

		DL_SEARCH_SCALAR(agent->capture_ports, port, port, id);
		if (!port) {
			port = calloc(1, sizeof(*port));
			if (!port)
				return -ENOMEM;
			port->port = id;
			port->name = strdup(capture->names[capture->on]);
			r = port->name ? vd_datapath_capture_set(agent->datapath, id, true, error) : -ENOMEM;
			if (r < 0) {
				capture_port_free(port);
				return r;
			}
			DL_APPEND(agent->capture_ports, port);
		}
		port->users++;
	}
	return 0;
}

static int capture_end(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct capture *capture = userdata;

	while (capture->on > 0) {
		struct vd_capture_port *port;

		capture->on--;
		DL_SEARCH_SCALAR(agent->capture_ports, port, port, capture->ports[capture->on]);
		if (!port || --port->users > 0)
			continue;
		DL_DELETE(agent->capture_ports, port);
		vd_datapath_capture_set(agent->datapath, port->port, false, NULL);
		capture_port_free(port);
	}
	return 0;
}

static int ports_resolve(struct vd_agent *agent, const json_t *arguments, struct capture *capture, struct vd_error *error)
{
	const char *project = json_string_value(json_object_get(arguments, "project"));
	const json_t *names = json_object_get(arguments, "ports");
	const struct vd_model *model;
	int r = 0;

	if (!json_is_array(names) || json_array_size(names) == 0)
		return vd_error_set(error, -EINVAL, "capture: at which ports? Name one or more");
	capture->ports = calloc(json_array_size(names), sizeof(*capture->ports));
	capture->names = calloc(json_array_size(names), sizeof(*capture->names));
	if (!capture->ports || !capture->names)
		return -ENOMEM;

	model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	for (size_t i = 0; i < json_array_size(names) && r == 0; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const struct vd_resource *port =
			name ? vd_model_get(model, VD_KIND_PORT, project ? project : "default", name) : NULL;
		const struct vd_attachment *attachment =
			port ? (const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, port->project, name) : NULL;

		if (!port)
			r = vd_error_set(error, -ENOENT, "port %s: there is no such port", name ? name : "?");
		else if (!attachment || strcmp(attachment->host, agent->options.host) != 0)
			r = vd_error_set(error, -EINVAL, "port %s: it is not attached on host %s", name, agent->options.host);
		else {
			capture->ports[i] = port->id;
			capture->names[i] = (char *)name;
			capture->count++;
		}
	}
	vd_replica_unlock(agent->replica);
	return r;
}

static bool is_wanted(const struct capture *capture, const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "port"));

	for (size_t i = 0; i < capture->count; i++)
		if (name && strcmp(capture->names[i], name) == 0)
			return true;
	return !name; /* "lost" concerns everybody */
}

int vd_live_capture(struct vd_agent *agent, const json_t *arguments, bool (*emit)(const json_t *, void *), void *userdata,
		    struct vd_error *error)
{
	struct capture capture = {};
	struct vd_listener *listener = NULL;
	bool closed = false, more = true;
	int r;

	r = ports_resolve(agent, arguments, &capture, error);
	if (r == 0) {
		listener = vd_listener_new(agent->captures);
		r = listener ? vd_agent_on_loop(agent, capture_start, &capture, error) : -ENOMEM;
	}
	if (r == 0)
		more = emit(NULL, userdata);
	while (r == 0 && more && !closed) {
		json_t *object = vd_listener_next(listener, &closed);

		if (!object || is_wanted(&capture, object))
			more = emit(object, userdata);
		json_decref(object);
	}
	vd_agent_on_loop(agent, capture_end, &capture, NULL);
	vd_listener_free(listener);
	free(capture.ports);
	free(capture.names);
	return r;
}
