/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_network, member)

static const char *const roles[] = {"public", "management", "flat", NULL};

static const struct vd_field fields[] = {
	{"role", .type = VD_FIELD_TYPE_WORD, .required = true, .offset = OFFSET(role), .words = roles,
	 .help = "public: routers lead to it; management: hosts and the control plane; flat: instances sit on it. Cannot change."},
	{"physnet", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(physnet),
	 .help = "The physical network that it lives on, as hosts name it: viaductd --uplink PHYSNET=IFNAME. Cannot change."},
	{"vlan", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vlan), .min = 1, .max = 4094,
	 .help = "Its VLAN there; without it, untagged. Cannot change."},
	{"sriov", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(sriov), .value = "false",
	 .help = "Whether its instances may use virtual functions (SR-IOV) of the uplink."},
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count), .max = 2,
	 .help = "What is on the link: one CIDR of IPv4, one of IPv6, or both; or ranges and netmask say it."},
	{"netmask", .type = VD_FIELD_TYPE_NETMASK, .offset = OFFSET(netmask),
	 .help = "Of ranges without a CIDR: what is on the link around them."},
	{"gateways", "gateway", VD_FIELD_TYPE_GATEWAYS, .offset = OFFSET(gateways), .count_offset = OFFSET(gateway_count), .max = 2,
	 .help = "Who leads out of each CIDR, on the link; without it the first address, with none nobody."},
	{"ranges", "range", VD_FIELD_TYPE_RANGES, .offset = OFFSET(ranges), .count_offset = OFFSET(range_count), .max = 64,
	 .help = "What is ours of it: where virtual IPs, ports and DHCP have their addresses; without it the whole CIDR."},
	{"dhcp", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(dhcp),
	 .help = "Whether its instances get their addresses by DHCP; without it true on a flat network and false on others."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(dhcp_address),
	 .help = "From where DHCP answers: an IPv4 address of it that nobody has; without it the highest free one. Cannot change."},
	{"dhcp_lease", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(dhcp_lease), .min = 60, .max = 31536000, .value = "86400",
	 .help = "For how many seconds an instance may keep what DHCP told it."},
	{"dns", .type = VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(dns), .count_offset = OFFSET(dns_count), .max = 4,
	 .help = "The name servers that its instances are told; without it those of the host are asked."},
	{"domain", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(domain), .max = 253,
	 .help = "The domain of its instances' names; without it <network>.internal."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .is_assigned = true, .offset = OFFSET(assigned_dhcp_address),
	 .help = "From where DHCP answers."},
};

const struct vd_kind_type vd_kind_type_network = {
	.word = "network",
	.plural = "networks",
	.help = "A network of the site, on a physical network that hosts have an uplink to: public, management or flat.",
	.size = sizeof(struct vd_network),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
