/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_DOCUMENT_H
#define VD_MODEL_DOCUMENT_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

/* Bytes of text that are read at most; more is refused with -E2BIG. */
#define VD_DOCUMENTS_SIZE_MAX (64u << 20)

/*
 * Text (YAML documents separated by ---, or JSON: one object or an array of objects) to a JSON array of objects; a new reference.
 * Each object gets the member "#line" (its first line, from 1), which vd_resource_parse ignores and error sentences use.
 * Refused with -EINVAL and a sentence with line and column: anything that is not YAML, a duplicate key, a document that is no
 * mapping, an alias bomb, nesting deeper than 32. Pure; fuzzed.
 */
int vd_documents_parse(const char *text, size_t size, json_t **ret, struct vd_error *error);
/* JSON array of objects to YAML documents (a string to free), fields in the order they stand in, kind and name first. */
char *vd_documents_format(const json_t *documents);

#endif
