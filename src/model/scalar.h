/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_SCALAR_H
#define VD_MODEL_SCALAR_H

#include <jansson.h>
#include <stdbool.h>

/* What a plain (unquoted) YAML scalar means, by the core schema of YAML 1.2: null, a boolean, a number, or text. A new reference. */
json_t *vd_scalar_resolve(const char *text);
/* Can this text stand unquoted anywhere in YAML and still be read as this text? */
bool vd_scalar_is_plain(const char *text);

#endif
