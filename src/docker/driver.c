/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/driver.h"

#include "base/cleanup.h"
#include "docker/address.h"
#include "docker/endpoint.h"
#include "docker/private.h"

#include <errno.h>
#include <string.h>

static int activate(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_pack("{s:[s, s]}", "Implements", "NetworkDriver", "IpamDriver");
	return 0;
}

/* Each host's Docker has networks of its own; that their containers reach each other is known to the container network. */
static int capabilities(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_pack("{s:s, s:s}", "Scope", "local", "ConnectivityScope", "global");
	return 0;
}

static int nothing(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	*ret = json_object();
	return 0;
}

/* An address that Docker's own IPAM gave is in no block: nobody would have a route to it. */
static int network_create(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	static const char *const fields[] = {"IPv4Data", "IPv6Data"};
	const json_t *pool;
	size_t j;

	for (size_t i = 0; i < 2; i++)
		json_array_foreach (json_object_get(request, fields[i]), j, pool) {
			const char *space = json_string_value(json_object_get(pool, "AddressSpace"));

			if (!space || strcmp(space, VD_DOCKER_ADDRESS_SPACE) != 0)
				return vd_error_set(error, -EINVAL,
						    "driver viaduct: addresses come from the node's block: create the network with "
						    "--ipam-driver viaduct --ipam-opt network=NAME");
		}
	*ret = json_object();
	return 0;
}

/* Ports are published by Docker's bridge driver itself, not by its library: another driver would have to do it. */
static int connectivity(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error)
{
	const json_t *ports = json_object_get(json_object_get(request, "Options"), "com.docker.network.portmap");

	if (json_array_size(ports) > 0)
		return vd_error_set(
			error, -ENOTSUP,
			"driver viaduct: it does not publish ports (-p): the container's own address is reached from every "
			"node; use a port_forward to reach it from outside");
	*ret = json_object();
	return 0;
}

static const struct {
	const char *path;
	int (*method)(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
} methods[] = {
	{"/Plugin.Activate", activate},
	{"/NetworkDriver.GetCapabilities", capabilities},
	{"/NetworkDriver.CreateNetwork", network_create},
	{"/NetworkDriver.DeleteNetwork", nothing},
	{"/NetworkDriver.CreateEndpoint", vd_docker_endpoint_create},
	{"/NetworkDriver.EndpointOperInfo", vd_docker_endpoint_info},
	{"/NetworkDriver.DeleteEndpoint", vd_docker_endpoint_delete},
	{"/NetworkDriver.Join", vd_docker_endpoint_join},
	{"/NetworkDriver.Leave", nothing}, /* Docker brings the interface back; it goes with the endpoint */
	{"/NetworkDriver.DiscoverNew", nothing},
	{"/NetworkDriver.DiscoverDelete", nothing},
	{"/NetworkDriver.ProgramExternalConnectivity", connectivity},
	{"/NetworkDriver.RevokeExternalConnectivity", nothing},
	{"/IpamDriver.GetCapabilities", vd_docker_ipam_capabilities},
	{"/IpamDriver.GetDefaultAddressSpaces", vd_docker_ipam_spaces},
	{"/IpamDriver.RequestPool", vd_docker_ipam_request_pool},
	{"/IpamDriver.ReleasePool", nothing}, /* the block is the node's */
	{"/IpamDriver.RequestAddress", vd_docker_ipam_request_address},
	{"/IpamDriver.ReleaseAddress", vd_docker_ipam_release_address},
};

static json_t *refuse(unsigned status, const char *sentence, unsigned *ret_status)
{
	*ret_status = status;
	return json_pack("{s:s}", "Err", sentence);
}

static json_t *method_run(const struct vd_docker_daemon *daemon, size_t i, const json_t *request, unsigned *ret_status)
{
	struct vd_error error = {};
	json_t *answer = NULL;

	if (methods[i].method(daemon, request, &answer, &error) < 0)
		return refuse(500, error.text[0] ? error.text : "viaduct: out of memory", ret_status);
	*ret_status = 200;
	return answer;
}

json_t *vd_docker_answer(const struct vd_docker_daemon *daemon, const char *path, const char *body, size_t size,
			 unsigned *ret_status)
{
	json_t *request, *answer;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].path, path) != 0)
			continue;
		/* Docker sends no body, or "null", where a method takes nothing. */
		request = size == 0 ? json_object() : json_loadb(body, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(request) && !json_is_null(request)) {
			json_decref(request);
			return refuse(400, "viaduct: the request is no JSON object", ret_status);
		}
		answer = method_run(daemon, i, request, ret_status);
		json_decref(request);
		return answer;
	}
	return refuse(404, "viaduct: there is no such method", ret_status);
}

int vd_docker_text(const json_t *request, const char *field, const char **ret, struct vd_error *error)
{
	const char *text = json_string_value(json_object_get(request, field));

	if (!text || !*text)
		return vd_error_set(error, -EINVAL, "viaduct: the request has no %s", field);
	*ret = text;
	return 0;
}

int vd_docker_ask(const struct vd_docker_daemon *daemon, enum vd_docker_question question, json_t *arguments, json_t **ret,
		  struct vd_error *error)
{
	json_t *reply = NULL;
	int r = arguments ? daemon->ask(daemon->userdata, question, arguments, &reply, error)
			  : vd_error_set(error, -EINVAL, "viaduct: the request is no UTF-8 text");

	json_decref(arguments);
	if (r == 0 && ret)
		*ret = reply;
	else
		json_decref(reply);
	return r;
}
