/* SPDX-License-Identifier: Apache-2.0 */
#include "router_state.h"

#include "services/dhcp/dhcp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame with a DHCPv4 message; sender and client are the port, and its checksum is passed over. */
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
	if (size >= 76)
		memcpy(bytes + 70, port_mac, 6); /* chaddr, behind headers without options */
	if (!vd_frame_parse(bytes, size, false, &frame) && frame.protocol == VD_FRAME_UDP)
		answer_check(answer, vd_dhcp4_answer(router_state(), &frame, &counters, answer));
	free(bytes);
	return 0;
}
