/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_CLEANUP_H
#define VD_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Ownership ends with the scope: `VD_FREE char *name = NULL;`, `VD_CLOSE int fd = -1;`.
 * To hand something on, return VD_TAKE(name): the variable becomes NULL and nothing is freed.
 */
#define VD_CLEANUP(function) __attribute__((cleanup(function)))
#define VD_FREE VD_CLEANUP(vd_cleanup_free)
#define VD_CLOSE VD_CLEANUP(vd_cleanup_close)
#define VD_FCLOSE VD_CLEANUP(vd_cleanup_fclose)

#define VD_TAKE(pointer) \
	({ \
		__typeof__(pointer) vd_taken = (pointer); \
		(pointer) = NULL; \
		vd_taken; \
	})

#define VD_TAKE_FD(fd) \
	({ \
		int vd_taken = (fd); \
		(fd) = -1; \
		vd_taken; \
	})

/* Defines NAME_cleanup(TYPE **) that calls FUNCTION on a pointer that is not NULL. */
#define VD_DEFINE_CLEANUP(type, function) \
	static inline void function##_cleanup(type **pointer) \
	{ \
		if (*pointer) \
			function(*pointer); \
	}

static inline void vd_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void vd_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void vd_cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#endif
