/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/reason.h"

#include "abi/reason.h"
#include "base/clock.h"
#include "datapath/encode.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *name, *sentence;
} reasons[VD_DROP_REASON_COUNT] = {
#define X(enumerator, reason_name, reason_sentence) [VD_DROP_REASON_##enumerator] = {reason_name, reason_sentence},
	VD_DROP_REASONS(X)
#undef X
};

static const char *const stages[VD_STAGE_COUNT] = {
#define X(enumerator, name) [VD_STAGE_##enumerator] = name,
	VD_STAGES(X)
#undef X
};

const char *vd_reason_name(uint32_t reason)
{
	return reason < VD_DROP_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *vd_reason_sentence(uint32_t reason)
{
	return reason < VD_DROP_REASON_COUNT ? reasons[reason].sentence : "a reason that this version does not know";
}

const char *vd_stage_name(uint32_t stage)
{
	return stage < VD_STAGE_COUNT ? stages[stage] : "unknown";
}

const char *vd_protocol_name(uint8_t protocol, char text[4])
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	}
	snprintf(text, 4, "%u", (unsigned)protocol);
	return text;
}

/* text: room for a name. */
static const char *name_find(const struct vd_datapath *datapath, uint32_t id, char text[VD_PORT_TEXT])
{
	const struct vd_datapath_naming *naming = &datapath->naming;

	if ((id & VD_PORT_LOCAL) && naming->container && naming->container(id, text, VD_PORT_TEXT, naming->userdata))
		return text;
	return vd_names_find(datapath->names, id);
}

void vd_json_set_name(json_t *object, const char *key, const struct vd_datapath *datapath, uint32_t id)
{
	char container[VD_PORT_TEXT];
	const char *name = name_find(datapath, id, container);

	if (name)
		json_object_set_new(object, key, json_string(name));
	else if (id)
		json_object_set_new(object, key, json_integer(id));
}

const char *vd_port_name(const struct vd_datapath *datapath, uint32_t id, char text[VD_PORT_TEXT])
{
	char container[VD_PORT_TEXT];
	const char *name = name_find(datapath, id, container);
	struct vd_entry domain = {.map = VD_MAP_DOMAIN};
	struct vd_domain_value value;

	memcpy(domain.key, &id, sizeof(id)); /* a service port's id is its domain's */
	if (name && !vd_datapath_lookup(datapath, &domain)) {
		memcpy(&value, domain.value, sizeof(value));
		snprintf(text, VD_PORT_TEXT, "%s%s",
			 value.flags & VD_DOMAIN_FLAG_CONTAINER ? "this node's kernel, network " : "router of ", name);
	} else if (name)
		snprintf(text, VD_PORT_TEXT, "%s", name);
	else
		snprintf(text, VD_PORT_TEXT, "#%u", id);
	return text;
}

const char *vd_rule_name(const struct vd_datapath *datapath, uint32_t rule, char text[VD_RULE_TEXT])
{
	if (!datapath->naming.rule || !datapath->naming.rule(rule, text, VD_RULE_TEXT, datapath->naming.userdata))
		snprintf(text, VD_RULE_TEXT, "#%u", rule);
	return text;
}

const char *vd_port_groups(const struct vd_datapath *datapath, uint32_t port, char text[VD_RULE_TEXT])
{
	if (!datapath->naming.groups || !datapath->naming.groups(port, text, VD_RULE_TEXT, datapath->naming.userdata))
		return NULL;
	return text;
}

void vd_json_set_port(json_t *object, const char *key, const struct vd_datapath *datapath, uint32_t id)
{
	char text[VD_PORT_TEXT];

	if (id)
		json_object_set_new(object, key, json_string(vd_port_name(datapath, id, text)));
}

void vd_json_set_address(json_t *object, const char *key, const union vd_addr *address, unsigned family)
{
	struct vd_address decoded = vd_decode_address(address, family);
	char text[VD_ADDRESS_TEXT];

	if (family)
		json_object_set_new(object, key, json_string(vd_address_format(&decoded, text)));
}

void vd_json_set_tuple(json_t *object, const union vd_addr *source, const union vd_addr *destination, unsigned family,
		       uint8_t protocol, uint16_t source_port, uint16_t destination_port)
{
	char text[4];

	if (!family)
		return;
	vd_json_set_address(object, "source", source, family);
	vd_json_set_address(object, "destination", destination, family);
	json_object_set_new(object, "protocol", json_string(vd_protocol_name(protocol, text)));
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		json_object_set_new(object, "source_port", json_integer(ntohs(source_port)));
		json_object_set_new(object, "destination_port", json_integer(ntohs(destination_port)));
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		json_object_set_new(object, "identifier", json_integer(ntohs(source_port)));
	}
}

uint64_t vd_time_real(uint64_t monotonic)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - vd_clock_ns() + monotonic;
}
