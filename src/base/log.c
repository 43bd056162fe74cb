/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static enum vd_log_level log_level = VD_LOG_LEVEL_INFO;

void vd_log_level_set(enum vd_log_level level)
{
	log_level = level;
}

void vd_log(enum vd_log_level level, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	if (level > log_level)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);

	/* One write, so that lines of two threads never mix. The prefix is for journald only: a terminal shows it too. */
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	else
		fprintf(stderr, "%s\n", line);
}
