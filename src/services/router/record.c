/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum field_type {
	FIELD_TYPE_BOOL = 1,
	FIELD_TYPE_NUMBER,
	FIELD_TYPE_TEXT,
	FIELD_TYPE_ADDRESS,
	FIELD_TYPE_PREFIX, /* host bits stay: a port's address is written with its subnet's length */
	FIELD_TYPE_MAC,
	FIELD_TYPE_TEXTS, /* a pointer, and a size_t at count_offset; also the types below */
	FIELD_TYPE_ADDRESSES,
	FIELD_TYPE_PREFIXES,
};

struct field {
	const char *name;
	enum field_type type;
	bool required, key;
	size_t offset, count_offset;
	uint32_t min, max; /* of a number; max: the items of a list */
	enum vd_family family;
};

#define LIST_MAX 4096

#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, count) AT(type, member), .count_offset = offsetof(struct type, count)

static const struct field router_fields[] = {
	{"vpc", FIELD_TYPE_TEXT, .required = true, AT(vd_router, vpc)},
	{"project", FIELD_TYPE_TEXT, .required = true, AT(vd_router, project)},
	{"mtu", FIELD_TYPE_NUMBER, .required = true, AT(vd_router, mtu), .min = 68, .max = 65535},
	{"service4", FIELD_TYPE_ADDRESS, AT(vd_router, service4), .family = VD_FAMILY_IPV4},
	{"service6", FIELD_TYPE_ADDRESS, AT(vd_router, service6), .family = VD_FAMILY_IPV6},
	{},
};

static const struct field subnet_fields[] = {
	{"id", FIELD_TYPE_NUMBER, .required = true, .key = true, AT(vd_router_subnet, id), .min = 1, .max = UINT32_MAX},
	{"name", FIELD_TYPE_TEXT, .required = true, AT(vd_router_subnet, name)},
	{"cidr4", FIELD_TYPE_PREFIX, AT(vd_router_subnet, cidr4), .family = VD_FAMILY_IPV4},
	{"gateway4", FIELD_TYPE_ADDRESS, AT(vd_router_subnet, gateway4), .family = VD_FAMILY_IPV4},
	{"cidr6", FIELD_TYPE_PREFIX, AT(vd_router_subnet, cidr6), .family = VD_FAMILY_IPV6},
	{"gateway6", FIELD_TYPE_ADDRESS, AT(vd_router_subnet, gateway6), .family = VD_FAMILY_IPV6},
	{"outside", FIELD_TYPE_BOOL, AT(vd_router_subnet, outside)},
	{"dhcp", FIELD_TYPE_BOOL, .required = true, AT(vd_router_subnet, dhcp)},
	{"dhcp_address", FIELD_TYPE_ADDRESS, AT(vd_router_subnet, dhcp_address), .family = VD_FAMILY_IPV4},
	{"lease", FIELD_TYPE_NUMBER, .required = true, AT(vd_router_subnet, lease), .min = 1, .max = UINT32_MAX},
	{"dns", FIELD_TYPE_ADDRESSES, LIST_AT(vd_router_subnet, dns, dns_count), .max = VD_ROUTER_DNS_MAX},
	{"domain", FIELD_TYPE_TEXT, AT(vd_router_subnet, domain)},
	{},
};

static const struct field port_fields[] = {
	{"id", FIELD_TYPE_NUMBER, .required = true, .key = true, AT(vd_router_port, id), .min = 1, .max = UINT32_MAX},
	{"name", FIELD_TYPE_TEXT, .required = true, AT(vd_router_port, name)},
	{"hostname", FIELD_TYPE_TEXT, AT(vd_router_port, hostname)},
	{"mac", FIELD_TYPE_MAC, .required = true, AT(vd_router_port, mac)},
	{"subnet", FIELD_TYPE_NUMBER, .required = true, AT(vd_router_port, subnet), .min = 1, .max = UINT32_MAX},
	{"addresses", FIELD_TYPE_PREFIXES, .required = true, LIST_AT(vd_router_port, addresses, address_count), .max = LIST_MAX},
	{"default", FIELD_TYPE_BOOL, AT(vd_router_port, is_default)},
	{"vpc_cidrs", FIELD_TYPE_PREFIXES, LIST_AT(vd_router_port, vpc_cidrs, vpc_cidr_count), .max = LIST_MAX},
	{"mtu", FIELD_TYPE_NUMBER, .required = true, AT(vd_router_port, mtu), .min = 68, .max = 65535},
	{"user_data", FIELD_TYPE_TEXT, AT(vd_router_port, user_data)},
	{"ssh_keys", FIELD_TYPE_TEXTS, LIST_AT(vd_router_port, ssh_keys, ssh_key_count), .max = LIST_MAX},
	{},
};

static const struct field name_fields[] = {
	{"address", FIELD_TYPE_ADDRESS, .required = true, .key = true, AT(vd_router_name, address)},
	{"name", FIELD_TYPE_TEXT, .required = true, AT(vd_router_name, name)},
	{"port", FIELD_TYPE_NUMBER, AT(vd_router_name, port), .max = UINT32_MAX},
	{},
};

static const struct {
	const char *name;
	const struct field *fields;
} kinds[] = {
	[VD_ROUTER_KIND_ROUTER] = {"router", router_fields},
	[VD_ROUTER_KIND_SUBNET] = {"subnet", subnet_fields},
	[VD_ROUTER_KIND_PORT] = {"port", port_fields},
	[VD_ROUTER_KIND_NAME] = {"name", name_fields},
};

static bool read_address(const json_t *value, enum vd_family family, struct vd_address *ret)
{
	return json_is_string(value) && !vd_address_parse(json_string_value(value), ret) && (!family || ret->family == family);
}

static bool read_prefix(const json_t *value, enum vd_family family, struct vd_prefix *ret)
{
	return json_is_string(value) && !vd_prefix_parse(json_string_value(value), ret) &&
	       (!family || ret->address.family == family);
}

static bool read_number(const json_t *value, const struct field *field, uint32_t *ret)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < field->min || number > field->max)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static size_t item_size(enum field_type type)
{
	if (type == FIELD_TYPE_TEXTS)
		return sizeof(char *);
	return type == FIELD_TYPE_ADDRESSES ? sizeof(struct vd_address) : sizeof(struct vd_prefix);
}

/* The count grows with each item, so that clear frees what was read when the next one is bad. 1 or 0 as below, or -ENOMEM. */
static int read_list(const json_t *value, const struct field *field, void **items, size_t *count)
{
	size_t size = json_array_size(value);

	if (!json_is_array(value) || size > field->max)
		return 0;
	if (!size)
		return 1;
	*items = calloc(size, item_size(field->type));
	if (!*items)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_array_get(value, i);

		if (field->type == FIELD_TYPE_TEXTS) {
			if (!json_is_string(item))
				return 0;
			((char **)*items)[i] = strdup(json_string_value(item));
			if (!((char **)*items)[i])
				return -ENOMEM;
		} else if (field->type == FIELD_TYPE_ADDRESSES) {
			if (!read_address(item, field->family, (struct vd_address *)*items + i))
				return 0;
		} else if (!read_prefix(item, field->family, (struct vd_prefix *)*items + i)) {
			return 0;
		}
		++*count;
	}
	return 1;
}

static int read_text(const char *text, char **ret)
{
	*ret = strdup(text);
	return *ret ? 1 : -ENOMEM;
}

/* 1: read; 0: not such a value; -ENOMEM. */
static int read_value(const json_t *value, const struct field *field, char *record)
{
	void *member = record + field->offset;

	switch (field->type) {
	case FIELD_TYPE_BOOL:
		*(bool *)member = json_is_true(value);
		return json_is_boolean(value);
	case FIELD_TYPE_NUMBER:
		return read_number(value, field, member);
	case FIELD_TYPE_TEXT:
		return json_is_string(value) ? read_text(json_string_value(value), member) : 0;
	case FIELD_TYPE_ADDRESS:
		return read_address(value, field->family, member);
	case FIELD_TYPE_PREFIX:
		return read_prefix(value, field->family, member);
	case FIELD_TYPE_MAC:
		return json_is_string(value) && !vd_mac_parse(json_string_value(value), member);
	case FIELD_TYPE_TEXTS:
	case FIELD_TYPE_ADDRESSES:
	case FIELD_TYPE_PREFIXES:
		return read_list(value, field, member, (size_t *)(record + field->count_offset));
	}
	return 0;
}

static const char *field_text(const struct field *field)
{
	switch (field->type) {
	case FIELD_TYPE_BOOL:
		return "true or false";
	case FIELD_TYPE_NUMBER:
		return "a number in its range";
	case FIELD_TYPE_TEXT:
		return "a text";
	case FIELD_TYPE_ADDRESS:
		return field->family == VD_FAMILY_IPV4   ? "an IPv4 address"
		       : field->family == VD_FAMILY_IPV6 ? "an IPv6 address"
							 : "an address";
	case FIELD_TYPE_PREFIX:
		return field->family == VD_FAMILY_IPV4 ? "an IPv4 CIDR" : "an IPv6 CIDR";
	case FIELD_TYPE_MAC:
		return "a MAC address like 02:00:00:00:00:01";
	case FIELD_TYPE_TEXTS:
		return "a list of texts";
	case FIELD_TYPE_ADDRESSES:
		return "a list of addresses";
	case FIELD_TYPE_PREFIXES:
		return "a list of addresses like 10.0.0.2/24";
	}
	return "";
}

/* A text that is not given is "", so that nobody has to ask for NULL. */
static int read_field(enum vd_router_kind kind, const struct field *field, const json_t *object, char *record,
		      struct vd_error *error)
{
	const json_t *value = json_object_get(object, field->name);
	int result;

	if (!value && field->required)
		return vd_error_set(error, -EINVAL, "%s: the field '%s' is missing", kinds[kind].name, field->name);
	if (value)
		result = read_value(value, field, record);
	else if (field->type == FIELD_TYPE_TEXT)
		result = read_text("", (char **)(record + field->offset));
	else
		return 0;
	if (result < 0)
		return vd_error_set(error, result, "%s: no memory", kinds[kind].name);
	if (!result)
		return vd_error_set(error, -EINVAL, "%s: the field '%s' must be %s", kinds[kind].name, field->name,
				    field_text(field));
	return 0;
}

int vd_router_kind_parse(const json_t *object, enum vd_router_kind *ret, struct vd_error *error)
{
	const char *name = json_string_value(json_object_get(object, "kind"));

	for (size_t i = VD_ROUTER_KIND_ROUTER; name && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		*ret = (enum vd_router_kind)i;
		return 0;
	}
	if (!name)
		return vd_error_set(error, -EINVAL, "the field 'kind' is missing: it is router, subnet, port or name");
	return vd_error_set(error, -EINVAL, "unknown kind '%.64s': it is router, subnet, port or name", name);
}

static int parse(enum vd_router_kind kind, const json_t *object, bool keys_only, union vd_router_record *ret,
		 struct vd_error *error)
{
	union vd_router_record record = {};

	for (const struct field *field = kinds[kind].fields; field->name; field++) {
		int result = keys_only && !field->key ? 0 : read_field(kind, field, object, (char *)&record, error);

		if (result < 0) {
			vd_router_record_clear(kind, &record);
			return result;
		}
	}
	*ret = record;
	return 0;
}

int vd_router_record_parse(enum vd_router_kind kind, const json_t *object, union vd_router_record *ret, struct vd_error *error)
{
	return parse(kind, object, false, ret, error);
}

int vd_router_key_parse(enum vd_router_kind kind, const json_t *object, union vd_router_record *ret, struct vd_error *error)
{
	return parse(kind, object, true, ret, error);
}

void vd_router_record_clear(enum vd_router_kind kind, union vd_router_record *record)
{
	for (const struct field *field = kinds[kind].fields; field->name; field++) {
		char *member = (char *)record + field->offset;

		switch (field->type) {
		case FIELD_TYPE_TEXTS:
			for (size_t i = 0; i < *(size_t *)((char *)record + field->count_offset); i++)
				free((*(char ***)member)[i]);
			free(*(void **)member);
			break;
		case FIELD_TYPE_TEXT:
		case FIELD_TYPE_ADDRESSES:
		case FIELD_TYPE_PREFIXES:
			free(*(void **)member);
			break;
		case FIELD_TYPE_BOOL:
		case FIELD_TYPE_NUMBER:
		case FIELD_TYPE_ADDRESS:
		case FIELD_TYPE_PREFIX:
		case FIELD_TYPE_MAC:
			break;
		}
	}
}
