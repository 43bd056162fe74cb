/* SPDX-License-Identifier: Apache-2.0 */
#include "model/quantity.h"
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_security_group_rule, member)

static const char *const directions[] = {"ingress", "egress", NULL};
static const char *const protocols[] = {"all", "tcp", "udp", "icmp", NULL};

static const struct vd_field fields[] = {
	{"group", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(group), .is_reference = true,
	 .reference = VD_KIND_SECURITY_GROUP, .help = "The group that allows it."},
	{"direction", .type = VD_FIELD_TYPE_WORD, .required = true, .offset = OFFSET(direction), .words = directions,
	 .help = "ingress: to the group's ports; egress: from them."},
	{"protocol", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(protocol), .words = protocols, .value = "all",
	 .help = "all, tcp, udp or icmp."},
	{"ports", "port", VD_FIELD_TYPE_PORTS, .offset = OFFSET(port_first),
	 .help = "The destination ports of tcp or udp: one like 22, or a range like 23-1024; without it all."},
	{"icmp_type", .type = VD_FIELD_TYPE_ICMP_TYPE, .offset = OFFSET(icmp_type), .value = "-1",
	 .help = "The type of icmp; -1: all."},
	{"remote_cidr", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(remote_cidr),
	 .help = "The addresses of the other side; without it any."},
	{"remote_group", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(remote_group), .is_reference = true,
	 .reference = VD_KIND_SECURITY_GROUP,
	 .help = "The group of the other side: addresses of its ports in the same VPC; with remote_cidr both must hold."},
	{"default", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(is_default), .value = "false",
	 .help = "Whether it was made with its group; such a rule for egress closes nothing."},
};

/* What it is called when nobody said: what it says. */
static void derive_name(const struct vd_security_group_rule *rule, char text[VD_IDENTITY_SIZE])
{
	char ports[16], type[16] = "", cidr[VD_PREFIX_TEXT] = "";

	if (rule->is_default) {
		snprintf(text, VD_IDENTITY_SIZE, "%s/default-%s", rule->group, directions[rule->direction - 1]);
		return;
	}
	vd_ports_format(rule->port_first, rule->port_last, ports);
	if (rule->icmp_type >= 0)
		snprintf(type, sizeof(type), "-type%d", rule->icmp_type);
	if (rule->remote_cidr.address.family != VD_FAMILY_NONE)
		vd_prefix_format(&rule->remote_cidr, cidr);
	snprintf(text, VD_IDENTITY_SIZE, "%s/%s-%s%s%s%s%s%s%s%s", rule->group, directions[rule->direction - 1],
		 protocols[rule->protocol - 1], *ports ? "-" : "", ports, type, *cidr ? "-" : "", cidr,
		 rule->remote_group ? "-" : "", rule->remote_group ? rule->remote_group : "");
}

const char *vd_security_group_rule_own_name(const struct vd_security_group_rule *rule)
{
	char derived[VD_IDENTITY_SIZE];

	derive_name(rule, derived);
	return strcmp(derived, rule->head.name) == 0 ? NULL : strchr(rule->head.name, '/') + 1;
}

static int complete_name(struct vd_security_group_rule *rule, const char *object, struct vd_error *error)
{
	struct vd_resource *resource = &rule->head;
	size_t size = strlen(rule->group);
	char name[VD_IDENTITY_SIZE];

	/* A record's name is the identity already. */
	if (resource->name && strncmp(resource->name, rule->group, size) == 0 && resource->name[size] == '/')
		return 0;
	derive_name(rule, name);
	if (resource->name && rule->is_default && strcmp(strchr(name, '/') + 1, resource->name) != 0)
		return vd_error_set(error, -EINVAL, "%s: the default rule's name is %s; leave name out", object,
				    strchr(name, '/') + 1);
	if (resource->name && !rule->is_default)
		snprintf(name, sizeof(name), "%s/%s", rule->group, resource->name);
	free(resource->name);
	resource->name = strdup(name);
	return resource->name ? 0 : -ENOMEM;
}

static int check_content(const struct vd_security_group_rule *rule, const char *object, struct vd_error *error)
{
	const char *protocol = protocols[rule->protocol - 1];
	bool has_ports = rule->protocol == VD_RULE_PROTOCOL_TCP || rule->protocol == VD_RULE_PROTOCOL_UDP;

	if (rule->port_first != 0 && !has_ports)
		return vd_error_set(error, -EINVAL, "%s: ports mean nothing with protocol %s; leave them out, or say tcp or udp",
				    object, protocol);
	if (rule->port_last < rule->port_first)
		return vd_error_set(error, -EINVAL, "%s: ports %u-%u end below their start; write %u-%u", object, rule->port_first,
				    rule->port_last, rule->port_last, rule->port_first);
	if (rule->icmp_type >= 0 && rule->protocol != VD_RULE_PROTOCOL_ICMP)
		return vd_error_set(error, -EINVAL, "%s: icmp_type means nothing with protocol %s; leave it out, or say icmp",
				    object, protocol);
	if (rule->is_default && (rule->protocol != VD_RULE_PROTOCOL_ALL || rule->remote_cidr.address.family != VD_FAMILY_NONE ||
				 !rule->remote_group || strcmp(rule->remote_group, rule->group) != 0))
		return vd_error_set(
			error, -EINVAL,
			"%s: a default rule allows everything from or to its own group and nothing else; leave default out",
			object);
	return 0;
}

static int rule_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_security_group_rule *rule = (struct vd_security_group_rule *)resource;
	int r = check_content(rule, object, error);

	return r < 0 ? r : complete_name(rule, object, error);
}

const struct vd_kind_type vd_kind_type_security_group_rule = {
	.word = "security_group_rule",
	.plural = "security_group_rules",
	.help = "Something that a security group allows. What answers is allowed with it.",
	.naming = VD_NAMING_OPTIONAL,
	.size = sizeof(struct vd_security_group_rule),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = rule_complete,
};
