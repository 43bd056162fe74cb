/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_JSON_H
#define VD_MODEL_JSON_H

#include <jansson.h>
#include <stddef.h>

/* vd_documents_parse() for text that is JSON, an object or an array of objects, and sound; -EINVAL for any other, without a reason. */
int vd_documents_parse_json(const char *text, size_t size, unsigned depth_max, json_t **ret);

#endif
