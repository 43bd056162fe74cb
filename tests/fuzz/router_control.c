/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int port_check(const struct vd_router_port *port, void *userdata)
{
	const struct vd_router_state *state = userdata;
	const struct vd_router_port *by_mac = vd_router_state_port_by_mac(state, &port->mac);

	if (vd_router_state_port(state, port->id) != port || !by_mac || !vd_mac_equal(&by_mac->mac, &port->mac))
		abort();
	for (size_t i = 0; i < port->address_count; i++)
		if (!vd_router_state_port_by_address(state, &port->addresses[i].address))
			abort();
	return 0;
}

static int subnet_check(const struct vd_router_subnet *subnet, void *userdata)
{
	if (vd_router_state_subnet(userdata, subnet->id) != subnet)
		abort();
	return 0;
}

static void message_apply(struct vd_router_state *state, const json_t *message)
{
	const char *op = json_string_value(json_object_get(message, "op"));
	struct vd_error error = {};
	int result = 0;

	if (!op)
		return;
	if (!strcmp(op, "begin"))
		vd_router_state_begin(state);
	else if (!strcmp(op, "commit"))
		vd_router_state_commit(state);
	else if (!strcmp(op, "remove"))
		result = vd_router_state_remove(state, message, &error);
	else
		result = vd_router_state_put(state, message, &error);
	/* A refusal always says why. */
	if ((result < 0) != (*error.text != '\0'))
		abort();
	for (const struct vd_router_name *name = vd_router_state_addresses_by_name(state, "web1"); name; name = name->next)
		if (vd_router_state_name_by_address(state, &name->address) != name)
			abort();
}

/* Lines of the control protocol: after each, every record is found by each of its keys. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_router_state *state = vd_router_state_new();

	while (state && size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		json_t *message = json_loadb((const char *)data, length, 0, NULL);

		message_apply(state, message);
		json_decref(message);
		data += end ? length + 1 : length;
		size -= end ? length + 1 : length;
		vd_router_state_each_port(state, port_check, state);
		vd_router_state_each_subnet(state, subnet_check, state);
	}
	vd_router_state_free(state);
	return 0;
}
