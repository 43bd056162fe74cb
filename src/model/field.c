/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"
#include "model/quantity.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Items of a list for which its field sets no limit; keeps the search for doubles short. */
#define LIST_MAX 4096
/* Bytes of one text in a list. */
#define ITEM_TEXT_MAX 16384

#define MEMBER(type, resource, member_offset) ((type *)(void *)((char *)(resource) + (member_offset)))
#define CONST_MEMBER(type, resource, member_offset) ((const type *)(const void *)((const char *)(resource) + (member_offset)))

const char *vd_field_type_text(enum vd_field_type type)
{
	switch (type) {
	case VD_FIELD_TYPE_BOOL:
		return "true or false";
	case VD_FIELD_TYPE_NUMBER:
	case VD_FIELD_TYPE_NUMBER64:
		return "a whole number";
	case VD_FIELD_TYPE_WORD:
		return "one of its words";
	case VD_FIELD_TYPE_TEXT:
	case VD_FIELD_TYPE_BUFFER:
		return "a text";
	case VD_FIELD_TYPE_NAME:
		return "a name (1-63 of a-z 0-9 . _ -, a letter or digit first)";
	case VD_FIELD_TYPE_ADDRESS:
		return "an address like 192.168.0.2 or fd00::2";
	case VD_FIELD_TYPE_PREFIX:
		return "a CIDR like 192.168.0.0/24";
	case VD_FIELD_TYPE_MAC:
		return "a MAC address like 02:00:00:00:00:01";
	case VD_FIELD_TYPE_VNI_RANGE:
		return "a range of VNIs like 5000-5999";
	case VD_FIELD_TYPE_NEXT_HOP:
		return "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or "
		       "{blackhole: true}";
	case VD_FIELD_TYPE_CORES:
		return "a number of cores like 0.5, at least 0.01";
	case VD_FIELD_TYPE_MEMORY:
		return "an amount of memory like 64M or 1G, at least 32M";
	case VD_FIELD_TYPE_PORTS:
		return "a port like 22 or a range like 23-1024, from 1 to 65535";
	case VD_FIELD_TYPE_ICMP_TYPE:
		return "an ICMP type from 0 to 255, or -1 for all";
	case VD_FIELD_TYPE_NETMASK:
		return "a netmask like 255.255.255.0";
	case VD_FIELD_TYPE_NAMES:
		return "a list of names";
	case VD_FIELD_TYPE_ADDRESSES:
		return "a list of addresses like 192.168.0.2 or fd00::2";
	case VD_FIELD_TYPE_PREFIXES:
		return "a list of CIDRs like 192.168.0.0/24";
	case VD_FIELD_TYPE_RANGES:
		return "a list of ranges like 192.168.0.10-192.168.0.99";
	case VD_FIELD_TYPE_TEXTS:
		return "a list of texts";
	case VD_FIELD_TYPE_GATEWAYS:
		return "a list of addresses like 10.0.0.1, or none";
	case VD_FIELD_TYPE_VPC_NETWORKS:
		return "a list of networks' names, or of {network: NAME, address: ADDRESS}";
	case VD_FIELD_TYPE_UPLINKS:
		return "a list of uplinks";
	case VD_FIELD_TYPE_OCCUPIED:
		return "a list of prefixes with names";
	case VD_FIELD_TYPE_TRANSLATIONS:
		return "a list of {vpc: NAME, cidr: CIDR, as: CIDR}";
	}
	return "";
}

/* What one item of a list must be; other types are their own item. */
static enum vd_field_type item_type(enum vd_field_type type)
{
	if (type == VD_FIELD_TYPE_NAMES)
		return VD_FIELD_TYPE_NAME;
	if (type == VD_FIELD_TYPE_ADDRESSES)
		return VD_FIELD_TYPE_ADDRESS;
	if (type == VD_FIELD_TYPE_PREFIXES)
		return VD_FIELD_TYPE_PREFIX;
	if (type == VD_FIELD_TYPE_TEXTS)
		return VD_FIELD_TYPE_TEXT;
	return type;
}

static bool is_list(enum vd_field_type type)
{
	return item_type(type) != type || type == VD_FIELD_TYPE_RANGES || type == VD_FIELD_TYPE_GATEWAYS ||
	       type == VD_FIELD_TYPE_VPC_NETWORKS || type == VD_FIELD_TYPE_UPLINKS || type == VD_FIELD_TYPE_OCCUPIED ||
	       type == VD_FIELD_TYPE_TRANSLATIONS;
}

/* Lists whose items are strings, and those whose items begin with the pointer to one. */
static bool has_strings(enum vd_field_type type)
{
	return type == VD_FIELD_TYPE_NAMES || type == VD_FIELD_TYPE_TEXTS;
}

static bool owns_strings(enum vd_field_type type)
{
	return has_strings(type) || type == VD_FIELD_TYPE_VPC_NETWORKS || type == VD_FIELD_TYPE_OCCUPIED ||
	       type == VD_FIELD_TYPE_TRANSLATIONS;
}

static size_t item_size(enum vd_field_type type)
{
	if (has_strings(type))
		return sizeof(char *);
	if (type == VD_FIELD_TYPE_RANGES)
		return sizeof(struct vd_address_range);
	if (type == VD_FIELD_TYPE_VPC_NETWORKS)
		return sizeof(struct vd_vpc_network);
	if (type == VD_FIELD_TYPE_UPLINKS)
		return sizeof(struct vd_uplink);
	if (type == VD_FIELD_TYPE_OCCUPIED)
		return sizeof(struct vd_occupied);
	if (type == VD_FIELD_TYPE_TRANSLATIONS)
		return sizeof(struct vd_translation);
	return type == VD_FIELD_TYPE_ADDRESSES || type == VD_FIELD_TYPE_GATEWAYS ? sizeof(struct vd_address)
										 : sizeof(struct vd_prefix);
}

/* A value as a sentence shows it. */
static const char *show(const json_t *value, char text[64])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		snprintf(text, 64, "\"%.40s\"%s", json_string_value(value), json_string_length(value) > 40 ? "…" : "");
		return text;
	case JSON_INTEGER:
		snprintf(text, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return text;
	case JSON_REAL:
		snprintf(text, 64, "%g", json_real_value(value));
		return text;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "empty";
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	}
	return "";
}

static int refuse(const struct vd_field *field, enum vd_field_type type, const json_t *value,
		  const struct vd_field_reading *reading)
{
	char text[64];

	return vd_error_set(reading->error, -EINVAL, "%s: %s must be %s, not %s", reading->object, field->name,
			    vd_field_type_text(type), show(value, text));
}

static int read_number(const struct vd_field *field, const json_t *value, uint32_t *ret, const struct vd_field_reading *reading)
{
	json_int_t number = json_integer_value(value);
	uint32_t max = field->max != 0 ? field->max : UINT32_MAX;

	if (!json_is_integer(value))
		return refuse(field, field->type, value, reading);
	if (number < field->min || number > max)
		return vd_error_set(reading->error, -EINVAL, "%s: %s must be from %u to %u, not %" JSON_INTEGER_FORMAT,
				    reading->object, field->name, field->min, max, number);
	*ret = (uint32_t)number;
	return 0;
}

const char *vd_field_text(const struct vd_field *field, char text[VD_FIELD_TEXT_SIZE])
{
	size_t size = 0;

	if (field->type != VD_FIELD_TYPE_WORD) {
		snprintf(text, VD_FIELD_TEXT_SIZE, "%s", vd_field_type_text(field->type));
		return text;
	}
	for (int i = 0; field->words[i] && size < VD_FIELD_TEXT_SIZE; i++)
		size += (size_t)snprintf(text + size, VD_FIELD_TEXT_SIZE - size, "%s%s",
					 i == 0                ? ""
					 : field->words[i + 1] ? ", "
							       : " or ",
					 field->words[i]);
	return text;
}

static int refuse_word(const struct vd_field *field, const json_t *value, const struct vd_field_reading *reading)
{
	char words[VD_FIELD_TEXT_SIZE], text[64];

	return vd_error_set(reading->error, -EINVAL, "%s: %s must be %s, not %s", reading->object, field->name,
			    vd_field_text(field, words), show(value, text));
}

static int read_word(const struct vd_field *field, const json_t *value, int *ret, const struct vd_field_reading *reading)
{
	const char *word = json_string_value(value);

	for (int i = 0; word && field->words[i]; i++) {
		if (strcmp(field->words[i], word) == 0) {
			*ret = i + 1;
			return 0;
		}
	}
	return refuse_word(field, value, reading);
}

static int read_text(const struct vd_field *field, enum vd_field_type type, const json_t *value, char **place,
		     const struct vd_field_reading *reading)
{
	const char *text = json_string_value(value);
	/* max is how many items a list may have. */
	size_t max = is_list(field->type) ? ITEM_TEXT_MAX : field->max;

	if (!text || (type == VD_FIELD_TYPE_NAME && !vd_name_is_valid(text)))
		return refuse(field, type, value, reading);
	if (!reading->is_record && max != 0 && strlen(text) > max)
		return vd_error_set(reading->error, -EINVAL, "%s: %s has %zu bytes, %zu are possible", reading->object, field->name,
				    strlen(text), max);
	free(*place);
	*place = strdup(text);
	return *place ? 0 : -ENOMEM;
}

static int read_prefix(const struct vd_field *field, const json_t *value, struct vd_prefix *ret,
		       const struct vd_field_reading *reading)
{
	const char *text = json_string_value(value);
	struct vd_prefix prefix;
	char before[VD_PREFIX_TEXT], after[VD_PREFIX_TEXT];

	if (!text || vd_prefix_parse(text, &prefix) < 0)
		return refuse(field, VD_FIELD_TYPE_PREFIX, value, reading);
	vd_prefix_format(&prefix, before);
	if (vd_prefix_normalise(&prefix) && reading->notes)
		json_array_append_new(reading->notes, json_sprintf("%s: host bits of %s dropped: %s", reading->object, before,
								   vd_prefix_format(&prefix, after)));
	*ret = prefix;
	return 0;
}

/* One value into its place: a member of the struct, or an item of a list. */
static int read_item(const struct vd_field *field, const json_t *value, void *place, const struct vd_field_reading *reading)
{
	enum vd_field_type type = item_type(field->type);
	const char *text = json_string_value(value);

	switch (type) {
	case VD_FIELD_TYPE_BOOL:
		if (!json_is_boolean(value))
			return refuse(field, type, value, reading);
		*(bool *)place = json_is_true(value);
		return 0;
	case VD_FIELD_TYPE_NUMBER:
		return read_number(field, value, place, reading);
	case VD_FIELD_TYPE_NUMBER64:
		if (!json_is_integer(value))
			return refuse(field, type, value, reading);
		*(uint64_t *)place = (uint64_t)json_integer_value(value);
		return 0;
	case VD_FIELD_TYPE_WORD:
		return read_word(field, value, place, reading);
	case VD_FIELD_TYPE_BUFFER:
		if (!text || strlen(text) >= field->max)
			return refuse(field, type, value, reading);
		strcpy(place, text);
		return 0;
	case VD_FIELD_TYPE_TEXT:
	case VD_FIELD_TYPE_NAME:
		return read_text(field, type, value, place, reading);
	case VD_FIELD_TYPE_ADDRESS:
		if (!text || vd_address_parse(text, place) < 0)
			return refuse(field, type, value, reading);
		return 0;
	case VD_FIELD_TYPE_PREFIX:
		return read_prefix(field, value, place, reading);
	case VD_FIELD_TYPE_MAC:
		if (!text || vd_mac_parse(text, place) < 0)
			return refuse(field, type, value, reading);
		return 0;
	case VD_FIELD_TYPE_VNI_RANGE:
		if (vd_vni_range_read(value, place) < 0)
			return refuse(field, type, value, reading);
		return 0;
	case VD_FIELD_TYPE_NEXT_HOP:
		return vd_next_hop_read(value, place, reading);
	case VD_FIELD_TYPE_CORES:
	case VD_FIELD_TYPE_MEMORY:
	case VD_FIELD_TYPE_PORTS:
	case VD_FIELD_TYPE_ICMP_TYPE:
	case VD_FIELD_TYPE_NETMASK:
	case VD_FIELD_TYPE_RANGES:
		return vd_quantity_read(type, value, place) < 0 ? refuse(field, type, value, reading) : 0;
	case VD_FIELD_TYPE_GATEWAYS:
		if (text && strcmp(text, "none") == 0)
			return 0;
		if (!text || vd_address_parse(text, place) < 0)
			return refuse(field, type, value, reading);
		return 0;
	case VD_FIELD_TYPE_VPC_NETWORKS:
		return vd_vpc_network_read(value, place, reading);
	case VD_FIELD_TYPE_UPLINKS:
		return vd_uplink_read(value, place) < 0 ? refuse(field, type, value, reading) : 0;
	case VD_FIELD_TYPE_OCCUPIED:
		return vd_occupied_read(value, place) < 0 ? refuse(field, type, value, reading) : 0;
	case VD_FIELD_TYPE_TRANSLATIONS:
		return vd_translation_read(value, place, reading);
	case VD_FIELD_TYPE_NAMES:
	case VD_FIELD_TYPE_ADDRESSES:
	case VD_FIELD_TYPE_PREFIXES:
	case VD_FIELD_TYPE_TEXTS:
		break;
	}
	return -EINVAL;
}

static bool item_equal(enum vd_field_type type, const void *a, const void *b)
{
	if (has_strings(type))
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	if (type == VD_FIELD_TYPE_RANGES)
		return vd_quantity_equal(type, a, b);
	if (type == VD_FIELD_TYPE_VPC_NETWORKS)
		return vd_vpc_network_equal(a, b);
	if (type == VD_FIELD_TYPE_UPLINKS)
		return vd_uplink_equal(a, b);
	if (type == VD_FIELD_TYPE_OCCUPIED)
		return vd_occupied_equal(a, b);
	if (type == VD_FIELD_TYPE_TRANSLATIONS)
		return vd_translation_equal(a, b);
	if (type == VD_FIELD_TYPE_ADDRESSES || type == VD_FIELD_TYPE_GATEWAYS)
		return vd_address_equal(a, b);
	return vd_prefix_equal(a, b);
}

/* A list, or one value in its place. */
static int read_list(const struct vd_field *field, const json_t *value, struct vd_resource *resource,
		     const struct vd_field_reading *reading)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1, size = item_size(field->type);
	size_t max = field->max != 0 ? field->max : LIST_MAX;
	char **items = MEMBER(char *, resource, field->offset);
	size_t *items_count = MEMBER(size_t, resource, field->count_offset);
	int r;

	vd_field_clear(field, resource);
	if (count == 0)
		return 0;
	if (!reading->is_record && count > max)
		return vd_error_set(reading->error, -EINVAL, "%s: %s has %zu items, %zu are possible", reading->object, field->name,
				    count, max);
	*items = calloc(count, size);
	if (!*items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

		/* Counted first, so that what was read of it is freed with the rest. */
		(*items_count)++;
		r = read_item(field, item, *items + i * size, reading);
		if (r < 0)
			return r;
		/* Nobody may lead out of two CIDRs. */
		for (size_t j = 0; !reading->is_record && field->type != VD_FIELD_TYPE_GATEWAYS && j < i; j++) {
			char text[64];

			if (item_equal(field->type, *items + i * size, *items + j * size))
				return vd_error_set(reading->error, -EINVAL, "%s: %s names %s twice", reading->object, field->name,
						    show(item, text));
		}
	}
	return 0;
}

int vd_field_read(const struct vd_field *field, const json_t *value, struct vd_resource *resource,
		  const struct vd_field_reading *reading)
{
	if (json_is_null(value))
		return vd_error_set(reading->error, -EINVAL, "%s: %s is empty; give it a value or leave it out", reading->object,
				    field->name);
	if (is_list(field->type))
		return read_list(field, value, resource, reading);
	return read_item(field, value, (char *)resource + field->offset, reading);
}

int vd_field_set_default(const struct vd_field *field, struct vd_resource *resource)
{
	struct vd_field_reading reading = {.object = "default", .is_record = true};
	json_t *value;
	int r;

	if (!field->value)
		return 0;
	if (field->type == VD_FIELD_TYPE_BOOL)
		value = json_boolean(strcmp(field->value, "true") == 0);
	else if (field->type == VD_FIELD_TYPE_NUMBER || field->type == VD_FIELD_TYPE_ICMP_TYPE ||
		 field->type == VD_FIELD_TYPE_CORES)
		value = json_integer(strtol(field->value, NULL, 10));
	else
		value = json_string(field->value);
	if (!value)
		return -ENOMEM;
	r = vd_field_read(field, value, resource, &reading);
	json_decref(value);
	return r;
}

static json_t *write_address(const struct vd_address *address)
{
	char text[VD_ADDRESS_TEXT];

	return address->family == VD_FAMILY_NONE ? NULL : json_string(vd_address_format(address, text));
}

static json_t *write_prefix(const struct vd_prefix *prefix)
{
	char text[VD_PREFIX_TEXT];

	return prefix->address.family == VD_FAMILY_NONE ? NULL : json_string(vd_prefix_format(prefix, text));
}

static json_t *write_mac(const struct vd_mac *mac)
{
	char text[VD_MAC_TEXT];

	return vd_mac_is_zero(mac) ? NULL : json_string(vd_mac_format(mac, text));
}

static json_t *write_list(const struct vd_field *field, const struct vd_resource *resource)
{
	const char *items = *CONST_MEMBER(char *, resource, field->offset);
	size_t count = *CONST_MEMBER(size_t, resource, field->count_offset), size = item_size(field->type);
	char text[VD_ADDRESS_TEXT];
	json_t *list;

	if (count == 0)
		return NULL;
	list = json_array();
	for (size_t i = 0; i < count; i++) {
		const void *item = items + i * size;

		if (has_strings(field->type))
			json_array_append_new(list, json_string(*(char *const *)item));
		else if (field->type == VD_FIELD_TYPE_RANGES)
			json_array_append_new(list, vd_quantity_write(field->type, item));
		else if (field->type == VD_FIELD_TYPE_ADDRESSES)
			json_array_append_new(list, write_address(item));
		else if (field->type == VD_FIELD_TYPE_GATEWAYS)
			json_array_append_new(list, json_string(vd_address_format(item, text)));
		else if (field->type == VD_FIELD_TYPE_VPC_NETWORKS)
			json_array_append_new(list, vd_vpc_network_write(item));
		else if (field->type == VD_FIELD_TYPE_UPLINKS)
			json_array_append_new(list, vd_uplink_write(item));
		else if (field->type == VD_FIELD_TYPE_OCCUPIED)
			json_array_append_new(list, vd_occupied_write(item));
		else if (field->type == VD_FIELD_TYPE_TRANSLATIONS)
			json_array_append_new(list, vd_translation_write(item));
		else
			json_array_append_new(list, write_prefix(item));
	}
	return list;
}

json_t *vd_field_write(const struct vd_field *field, const struct vd_resource *resource)
{
	const void *place = (const char *)resource + field->offset;
	const char *text;
	json_t *value;

	switch (field->type) {
	case VD_FIELD_TYPE_BOOL:
		return json_boolean(*(const bool *)place);
	case VD_FIELD_TYPE_NUMBER:
		return *(const uint32_t *)place != 0 ? json_integer(*(const uint32_t *)place) : NULL;
	case VD_FIELD_TYPE_NUMBER64:
		return *(const uint64_t *)place != 0 ? json_integer((json_int_t) * (const uint64_t *)place) : NULL;
	case VD_FIELD_TYPE_WORD:
		return *(const int *)place != 0 ? json_string(field->words[*(const int *)place - 1]) : NULL;
	case VD_FIELD_TYPE_BUFFER:
		return *(const char *)place != '\0' ? json_string(place) : NULL;
	case VD_FIELD_TYPE_TEXT:
	case VD_FIELD_TYPE_NAME:
		text = *(char *const *)place;
		return text ? json_string(text) : NULL;
	case VD_FIELD_TYPE_ADDRESS:
		return write_address(place);
	case VD_FIELD_TYPE_PREFIX:
		return write_prefix(place);
	case VD_FIELD_TYPE_MAC:
		return write_mac(place);
	case VD_FIELD_TYPE_VNI_RANGE:
		return vd_vni_range_write(place);
	case VD_FIELD_TYPE_NEXT_HOP:
		return vd_next_hop_write(place);
	case VD_FIELD_TYPE_CORES:
	case VD_FIELD_TYPE_MEMORY:
	case VD_FIELD_TYPE_PORTS:
	case VD_FIELD_TYPE_ICMP_TYPE:
	case VD_FIELD_TYPE_NETMASK:
		return vd_quantity_write(field->type, place);
	case VD_FIELD_TYPE_NAMES:
	case VD_FIELD_TYPE_ADDRESSES:
	case VD_FIELD_TYPE_PREFIXES:
	case VD_FIELD_TYPE_RANGES:
	case VD_FIELD_TYPE_TEXTS:
	case VD_FIELD_TYPE_GATEWAYS:
	case VD_FIELD_TYPE_UPLINKS:
	case VD_FIELD_TYPE_OCCUPIED:
	case VD_FIELD_TYPE_TRANSLATIONS:
		return write_list(field, resource);
	case VD_FIELD_TYPE_VPC_NETWORKS:
		/* None is said: left out, a new VPC would take its profile's. */
		value = write_list(field, resource);
		return value ? value : json_array();
	}
	return NULL;
}

static bool list_equal(const struct vd_field *field, const struct vd_resource *a, const struct vd_resource *b)
{
	const char *left = *CONST_MEMBER(char *, a, field->offset), *right = *CONST_MEMBER(char *, b, field->offset);
	size_t count = *CONST_MEMBER(size_t, a, field->count_offset), size = item_size(field->type);

	if (count != *CONST_MEMBER(size_t, b, field->count_offset))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!item_equal(field->type, left + i * size, right + i * size))
			return false;
	return true;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool vd_field_equal(const struct vd_field *field, const struct vd_resource *a, const struct vd_resource *b)
{
	const void *left = (const char *)a + field->offset, *right = (const char *)b + field->offset;
	const struct vd_next_hop *hop = left, *other = right;

	switch (field->type) {
	case VD_FIELD_TYPE_BOOL:
		return *(const bool *)left == *(const bool *)right;
	case VD_FIELD_TYPE_NUMBER:
		return *(const uint32_t *)left == *(const uint32_t *)right;
	case VD_FIELD_TYPE_NUMBER64:
		return *(const uint64_t *)left == *(const uint64_t *)right;
	case VD_FIELD_TYPE_WORD:
		return *(const int *)left == *(const int *)right;
	case VD_FIELD_TYPE_BUFFER:
		return strcmp(left, right) == 0;
	case VD_FIELD_TYPE_TEXT:
	case VD_FIELD_TYPE_NAME:
		return text_equal(*(char *const *)left, *(char *const *)right);
	case VD_FIELD_TYPE_ADDRESS:
		return vd_address_equal(left, right);
	case VD_FIELD_TYPE_PREFIX:
		return vd_prefix_equal(left, right);
	case VD_FIELD_TYPE_MAC:
		return vd_mac_equal(left, right);
	case VD_FIELD_TYPE_VNI_RANGE:
		return memcmp(left, right, 2 * sizeof(uint32_t)) == 0;
	case VD_FIELD_TYPE_NEXT_HOP:
		return hop->type == other->type && vd_address_equal(&hop->address, &other->address) &&
		       text_equal(hop->vip, other->vip) && text_equal(hop->peering, other->peering);
	case VD_FIELD_TYPE_CORES:
	case VD_FIELD_TYPE_MEMORY:
	case VD_FIELD_TYPE_PORTS:
	case VD_FIELD_TYPE_ICMP_TYPE:
	case VD_FIELD_TYPE_NETMASK:
		return vd_quantity_equal(field->type, left, right);
	case VD_FIELD_TYPE_NAMES:
	case VD_FIELD_TYPE_ADDRESSES:
	case VD_FIELD_TYPE_PREFIXES:
	case VD_FIELD_TYPE_RANGES:
	case VD_FIELD_TYPE_TEXTS:
	case VD_FIELD_TYPE_GATEWAYS:
	case VD_FIELD_TYPE_VPC_NETWORKS:
	case VD_FIELD_TYPE_UPLINKS:
	case VD_FIELD_TYPE_OCCUPIED:
	case VD_FIELD_TYPE_TRANSLATIONS:
		return list_equal(field, a, b);
	}
	return false;
}

static char **string_of(char *items, size_t size, size_t index)
{
	return (char **)(void *)(items + index * size);
}

static int own_list(const struct vd_field *field, struct vd_resource *resource)
{
	char **items = MEMBER(char *, resource, field->offset), *theirs = *items;
	size_t *count = MEMBER(size_t, resource, field->count_offset), their_count = *count, size = item_size(field->type);

	*items = NULL;
	*count = 0;
	if (their_count == 0)
		return 0;
	*items = calloc(their_count, size);
	if (!*items)
		return -ENOMEM;
	if (!owns_strings(field->type)) {
		*count = their_count;
		memcpy(*items, theirs, their_count * size);
		return 0;
	}
	for (size_t i = 0; i < their_count; i++) {
		memcpy(*items + i * size, theirs + i * size, size);
		*string_of(*items, size, i) = strdup(*string_of(theirs, size, i));
		(*count)++;
		if (!*string_of(*items, size, i))
			return -ENOMEM;
	}
	return 0;
}

int vd_field_own(const struct vd_field *field, struct vd_resource *resource)
{
	char **text = MEMBER(char *, resource, field->offset);

	if (is_list(field->type))
		return own_list(field, resource);
	if ((field->type != VD_FIELD_TYPE_TEXT && field->type != VD_FIELD_TYPE_NAME) || !*text)
		return 0;
	*text = strdup(*text);
	return *text ? 0 : -ENOMEM;
}

void vd_field_clear(const struct vd_field *field, struct vd_resource *resource)
{
	char **pointer = MEMBER(char *, resource, field->offset);

	if (is_list(field->type)) {
		size_t *count = MEMBER(size_t, resource, field->count_offset);

		for (size_t i = 0; owns_strings(field->type) && i < *count; i++)
			free(*string_of(*pointer, item_size(field->type), i));
		*count = 0;
	} else if (field->type != VD_FIELD_TYPE_TEXT && field->type != VD_FIELD_TYPE_NAME) {
		return;
	}
	free(*pointer);
	*pointer = NULL;
}
