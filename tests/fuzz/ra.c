/* SPDX-License-Identifier: Apache-2.0 */
#include "router_state.h"

#include "services/dhcp/advertisement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame with a router solicitation; its sender is the port, and its checksum is passed over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1), answer[VD_FRAME_SIZE]; /* of its own size: a read beyond its end is seen */
	struct vd_dhcp_counters counters = {};
	struct vd_frame frame;

	if (!bytes)
		return 0;
	if (size)
		memcpy(bytes, data, size);
	if (size >= 12)
		memcpy(bytes + 6, port_mac, 6);
	if (!vd_frame_parse(bytes, size, false, &frame) && frame.protocol == VD_FRAME_ICMPV6)
		answer_check(answer, vd_advertisement_answer(router_state(), &frame, &counters, answer));
	free(bytes);
	return 0;
}
