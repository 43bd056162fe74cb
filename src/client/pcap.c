/* SPDX-License-Identifier: Apache-2.0 */
#include "client/pcap.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define MAGIC_NANOSECONDS 0xa1b23c4du
#define LINKTYPE_ETHERNET 1
#define SNAP 262144

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap, link_type;
};

struct packet_header {
	uint32_t seconds, nanoseconds, captured, original;
};

int vd_pcap_begin(FILE *file)
{
	struct file_header header = {
		.magic = MAGIC_NANOSECONDS, .major = 2, .minor = 4, .snap = SNAP, .link_type = LINKTYPE_ETHERNET};

	return fwrite(&header, sizeof(header), 1, file) == 1 && fflush(file) == 0 ? 0 : -EIO;
}

int vd_pcap_packet(FILE *file, uint64_t time_ns, const uint8_t *data, uint32_t size, uint32_t original)
{
	struct packet_header header = {
		.seconds = (uint32_t)(time_ns / 1000000000u),
		.nanoseconds = (uint32_t)(time_ns % 1000000000u),
		.captured = size,
		.original = original > size ? original : size,
	};

	if (fwrite(&header, sizeof(header), 1, file) != 1 || (size && fwrite(data, size, 1, file) != 1))
		return -EIO;
	return 0;
}

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

int vd_base64_decode(const char *text, uint8_t **ret, size_t *ret_size)
{
	size_t length = strlen(text), padding = 0, size = 0;
	VD_FREE uint8_t *data = NULL;
	uint32_t group = 0;

	if (length % 4)
		return -EINVAL;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	data = malloc(length / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		int value = i < length - padding ? digit(text[i]) : 0;

		if (value < 0)
			return -EINVAL;
		group = group << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		data[size++] = (uint8_t)(group >> 16);
		data[size++] = (uint8_t)(group >> 8);
		data[size++] = (uint8_t)group;
		group = 0;
	}
	*ret_size = size - padding;
	*ret = VD_TAKE(data);
	return 0;
}
