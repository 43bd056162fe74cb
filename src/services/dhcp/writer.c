/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/writer.h"

#include <string.h>

/* Limits of RFC 1035 section 2.3.4. */
#define LABEL_MAX 63
#define DOMAIN_MAX 255

/* Room for size bytes, or NULL. */
static uint8_t *reserve(struct vd_writer *writer, size_t size)
{
	uint8_t *place = writer->data + writer->size;

	if (writer->full || size > writer->limit - writer->size) {
		writer->full = true;
		return NULL;
	}
	writer->size += size;
	return place;
}

void vd_writer_bytes(struct vd_writer *writer, const void *bytes, size_t size)
{
	uint8_t *place = reserve(writer, size);

	if (place && size)
		memcpy(place, bytes, size);
}

void vd_writer_zeros(struct vd_writer *writer, size_t size)
{
	uint8_t *place = reserve(writer, size);

	if (place)
		memset(place, 0, size);
}

void vd_writer_u8(struct vd_writer *writer, uint8_t value)
{
	vd_writer_bytes(writer, &value, 1);
}

void vd_writer_u16(struct vd_writer *writer, uint16_t value)
{
	vd_writer_bytes(writer, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

void vd_writer_u32(struct vd_writer *writer, uint32_t value)
{
	vd_writer_u16(writer, (uint16_t)(value >> 16));
	vd_writer_u16(writer, (uint16_t)value);
}

void vd_writer_address(struct vd_writer *writer, const struct vd_address *address)
{
	vd_writer_bytes(writer, address->bytes, vd_address_bits(address) / 8);
}

static bool is_domain(const char *domain)
{
	size_t length = strlen(domain);

	if (!length || length > DOMAIN_MAX - 2)
		return false;
	for (const char *label = domain; *label;) {
		size_t size = strcspn(label, ".");

		if (!size || size > LABEL_MAX)
			return false;
		label += size + (label[size] == '.');
	}
	return true;
}

bool vd_writer_domain(struct vd_writer *writer, const char *domain)
{
	if (!is_domain(domain))
		return false;
	for (const char *label = domain; *label;) {
		size_t size = strcspn(label, ".");

		vd_writer_u8(writer, (uint8_t)size);
		vd_writer_bytes(writer, label, size);
		label += size + (label[size] == '.');
	}
	vd_writer_u8(writer, 0);
	return true;
}
