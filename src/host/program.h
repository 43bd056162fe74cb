/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_PROGRAM_H
#define VD_HOST_PROGRAM_H

#include "base/error.h"

/*
 * Runs a program of the system, looked for in PATH and where administrators' programs lie, in the network namespace of the calling
 * thread, with input as its standard input (NULL: none). ret_output: what it printed on standard output, a string to free; NULL:
 * not wanted.
 * Waits for its end, ten seconds at most. -ENOENT: there is no such program; -ETIMEDOUT; -EIO: it failed, the sentence has its words.
 */
int vd_program_run(const char *const *arguments, const char *input, char **ret_output, struct vd_error *error);

#endif
