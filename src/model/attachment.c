/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#define OFFSET(member) offsetof(struct vd_attachment, member)
#define SIZE(member) sizeof(((struct vd_attachment *)0)->member)

static const char *const types[] = {"netns", "tap", "link", NULL};

static const struct vd_field fields[] = {
	{"host", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(host), .is_reference = true, .reference = VD_KIND_HOST,
	 .help = "Where the instance is."},
	{"boot_id", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(boot_id), .max = SIZE(boot_id), .help = "Of the host, then."},
	{"type", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(type), .words = types,
	 .help = "netns (a veth pair), tap, or link (a veth pair whose other end somebody else moves)."},
	{"ifindex", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(ifindex), .help = "On the host's side."},
	{"ifname", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(ifname), .max = SIZE(ifname), .help = "On the host's side."},
	{"netns", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(netns), .help = "The namespace's path."},
	{"netns_device", .type = VD_FIELD_TYPE_NUMBER64, .offset = OFFSET(netns_device), .help = "Of that namespace, stat(2)."},
	{"netns_inode", .type = VD_FIELD_TYPE_NUMBER64, .offset = OFFSET(netns_inode), .help = "Of that namespace, stat(2)."},
	{"guest_ifname", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(guest_ifname), .max = SIZE(guest_ifname),
	 .help = "Inside the namespace."},
	{"dhcp", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(dhcp), .help = "The instance configures its interface itself."},
};

const struct vd_kind_type vd_kind_type_attachment = {
	.word = "attachment",
	.plural = "attachment",
	.help = "Where a port's instance is.",
	.size = sizeof(struct vd_attachment),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
