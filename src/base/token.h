/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_TOKEN_H
#define VD_BASE_TOKEN_H

#include "base/error.h"

#include <stdio.h>

/*
 * Files of tokens: one a line, up to the first space; empty lines and those that begin with # do not count. A file that others
 * may read or change is refused (-EPERM): its tokens are no secret.
 */
int vd_token_file_open(const char *path, FILE **ret, struct vd_error *error);
/* The next token, a string to free (with vd_token_free); -ENOENT at the file's end, -EIO. */
int vd_token_file_next(FILE *file, char **ret);
/* The first token of a file: the one that is shown to others. -EINVAL when there is none. */
int vd_token_read(const char *path, char **ret, struct vd_error *error);
/* Leaves nothing of it in memory. NULL is fine. */
void vd_token_free(char *token);

#endif
