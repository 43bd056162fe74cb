/* SPDX-License-Identifier: Apache-2.0 */
#include "model/change.h"
#include "model/kind.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_claim, member)

static const struct vd_field fields[] = {
	{"machine_id", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(machine_id),
	 .max = sizeof(((struct vd_claim *)0)->machine_id), .help = "The machine's id, machine-id(5)."},
	{"boot_id", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(boot_id), .max = sizeof(((struct vd_claim *)0)->boot_id),
	 .help = "The id of its running boot."},
	{"underlay", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(underlay),
	 .help = "Where tunnels end unless a VTEP CIDR says otherwise."},
	{"underlay_mtu", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(underlay_mtu), .help = "Bytes, of the link that owns it."},
	{"addresses", .type = VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(addresses), .count_offset = OFFSET(address_count),
	 .help = "All of the host's own."},
	{"address_mtus", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(address_mtus),
	 .help = "Bytes, of the link of each of the addresses, in their order and with spaces between."},
	{"api", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(api), .help = "URL for other hosts' questions."},
	{"version", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(version), .help = "Of its viaductd."},
	{"uplinks", .type = VD_FIELD_TYPE_UPLINKS, .offset = OFFSET(uplinks), .count_offset = OFFSET(uplink_count),
	 .help = "Its links to physical networks."},
	{"lan", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(lan), .help = "What is on the link of the underlay address."},
	{"occupied", .type = VD_FIELD_TYPE_OCCUPIED, .offset = OFFSET(occupied), .count_offset = OFFSET(occupied_count),
	 .max = VD_OCCUPIED_MAX, .help = "What it has routes to already, other than ours."},
};

uint32_t vd_claim_mtu(const struct vd_claim *claim, const struct vd_address *address)
{
	const char *text = claim->address_mtus ? claim->address_mtus : "";

	for (size_t i = 0; i < claim->address_count; i++) {
		unsigned long mtu = strtoul(text, NULL, 10);

		if (mtu > 0 && mtu <= UINT32_MAX && vd_address_equal(&claim->addresses[i], address))
			return (uint32_t)mtu;
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return claim->underlay_mtu;
}

const struct vd_kind_type vd_kind_type_claim = {
	.word = "claim",
	.plural = "claim",
	.help = "What a running host says of itself.",
	.size = sizeof(struct vd_claim),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
