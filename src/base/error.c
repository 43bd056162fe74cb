/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int vd_error_set(struct vd_error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}

int vd_error_prefix(struct vd_error *error, int code, const char *format, ...)
{
	struct vd_error before;
	va_list arguments;
	size_t size;

	if (!error)
		return code;
	before = *error;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	size = strlen(error->text);
	snprintf(error->text + size, sizeof(error->text) - size, ": %s", before.text);
	return code;
}
