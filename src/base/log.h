/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_LOG_H
#define VD_BASE_LOG_H

/* To standard error, one line each, with the syslog priority that journald reads (sd-daemon(3)). Only agent, api and cmd log. */
enum vd_log_level {
	VD_LOG_LEVEL_ERROR = 3,
	VD_LOG_LEVEL_WARNING = 4,
	VD_LOG_LEVEL_INFO = 6,
	VD_LOG_LEVEL_DEBUG = 7,
};

/* Messages above this level are not written. The default is INFO. */
void vd_log_level_set(enum vd_log_level level);
void vd_log(enum vd_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define vd_log_error(...) vd_log(VD_LOG_LEVEL_ERROR, __VA_ARGS__)
#define vd_log_warning(...) vd_log(VD_LOG_LEVEL_WARNING, __VA_ARGS__)
#define vd_log_info(...) vd_log(VD_LOG_LEVEL_INFO, __VA_ARGS__)
#define vd_log_debug(...) vd_log(VD_LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
