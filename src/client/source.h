/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_SOURCE_H
#define VD_CLIENT_SOURCE_H

#include "base/error.h"

#include <stddef.h>

/* Documents from files, directories and standard input, joined to one text that the server reads. */
struct vd_sources {
	char *text;
	size_t size;
	struct {
		char *path;
		size_t line; /* of the text, on which this file begins; from 1 */
	} * files;
	size_t count;
};

/* Adds "-", a file, or what a directory holds of *.yaml, *.yml and *.json, by name. */
int vd_sources_add(struct vd_sources *sources, const char *path, struct vd_error *error);
void vd_sources_clear(struct vd_sources *sources);
/* Turns "line 17" of the joined text, in a sentence of the server, into the file and its own line. */
void vd_sources_locate(const struct vd_sources *sources, struct vd_error *error);

#endif
