/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_ROUTER_STATE_H
#define TEST_FUZZ_ROUTER_STATE_H

#include "services/dhcp/counters.h"
#include "services/dhcp/frame.h"
#include "services/router/state.h"

#include <stdlib.h>
#include <string.h>

/* A router with one port, for the targets that answer its messages. */

static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 7}, gateway_mac[6] = VD_ROUTER_MAC;

static inline const struct vd_router_state *router_state(void)
{
	static const char *const records[] = {
		"{\"kind\":\"subnet\",\"id\":3,\"name\":\"nodes\",\"cidr4\":\"10.0.0.0/"
		"24\",\"gateway4\":\"10.0.0.1\",\"cidr6\":\"fd00::/64\","
		"\"gateway6\":\"fd00::1\",\"dhcp\":true,\"dhcp_address\":\"10.0.0.254\",\"lease\":600,\"domain\":\"demo."
		"internal\"}",
		"{\"kind\":\"port\",\"id\":7,\"name\":\"web1\",\"mac\":\"02:00:00:00:00:07\",\"subnet\":3,\"mtu\":1450,"
		"\"addresses\":[\"10.0.0.2/24\",\"fd00::2/64\",\"fd00::3/64\"],\"vpc_cidrs\":[\"10.0.0.0/8\",\"fd00::/48\"]}",
	};
	static struct vd_router_state *state;

	if (state)
		return state;
	state = vd_router_state_new();
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		json_t *record = json_loads(records[i], 0, NULL);

		if (vd_router_state_put(state, record, NULL) < 0)
			abort();
		json_decref(record);
	}
	return state;
}

/* What is answered is a whole frame with right checksums, from the gateway to the port. */
static inline void answer_check(const uint8_t *answer, size_t size)
{
	struct vd_frame frame;

	if (!size)
		return;
	if (size > VD_FRAME_SIZE || vd_frame_parse(answer, size, true, &frame) < 0)
		abort();
	if (memcmp(frame.source.bytes, gateway_mac, 6) || memcmp(frame.destination.bytes, port_mac, 6))
		abort();
}

#endif
