/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include "plan/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vd_records_add(struct vd_records *records, const struct vd_plan_record *record)
{
	size_t size = vd_plan_record_size(record->kind);

	if (records->size + size > records->capacity) {
		size_t capacity = records->capacity ? records->capacity * 2 : 256;
		uint8_t *bytes;

		while (capacity < records->size + size)
			capacity *= 2;
		bytes = realloc(records->bytes, capacity);
		if (!bytes)
			return -ENOMEM;
		records->bytes = bytes;
		records->capacity = capacity;
	}
	memcpy(records->bytes + records->size, record, size);
	records->size += size;
	return 0;
}

void vd_records_free(struct vd_records *records)
{
	free(records->bytes);
}

void vd_record_name(char field[VD_PLAN_NAME_SIZE], const char *name)
{
	size_t size = strnlen(name, VD_PLAN_NAME_SIZE - 1);

	memcpy(field, name, size);
	field[size] = '\0';
}
