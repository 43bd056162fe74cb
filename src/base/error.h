/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_ERROR_H
#define VD_BASE_ERROR_H

/*
 * What went wrong, for a person: one sentence that says what, which object and what to do about it.
 * For the program there is the negative errno that the function returns.
 */
struct vd_error {
	char text[512];
};

/*
 * Writes the sentence (when error is not NULL) and returns code, so that a function can end with
 * `return vd_error_set(error, -EINVAL, "subnet %s: …", name);`
 * A sentence too long is cut at the buffer's end. code is a negative errno.
 */
int vd_error_set(struct vd_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before a sentence already set; returns code. */
int vd_error_prefix(struct vd_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
