/* SPDX-License-Identifier: Apache-2.0 */
#include "base/token.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int vd_token_file_open(const char *path, FILE **ret, struct vd_error *error)
{
	VD_FCLOSE FILE *file = fopen(path, "re");
	struct stat status;

	if (!file || fstat(fileno(file), &status) < 0)
		return vd_error_set(error, -errno, "token file %s: %m", path);
	if (status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
		return vd_error_set(error, -EPERM, "token file %s: others may read or change it; chmod 600 it", path);
	*ret = VD_TAKE(file);
	return 0;
}

int vd_token_file_next(FILE *file, char **ret)
{
	char *line = NULL, *token = NULL;
	size_t capacity = 0, size;
	int r = -ENOENT;

	while (r == -ENOENT && getline(&line, &capacity, file) >= 0) {
		token = line + strspn(line, " \t");
		size = strcspn(token, " \t\r\n");
		if (!size || *token == '#')
			continue;
		token = strndup(token, size);
		r = token ? 0 : -ENOMEM;
	}
	if (line)
		explicit_bzero(line, capacity);
	free(line);
	if (r == -ENOENT && ferror(file))
		return -EIO;
	if (r == 0)
		*ret = token;
	return r;
}

int vd_token_read(const char *path, char **ret, struct vd_error *error)
{
	VD_FCLOSE FILE *file = NULL;
	int r;

	r = vd_token_file_open(path, &file, error);
	if (r < 0)
		return r;
	r = vd_token_file_next(file, ret);
	if (r == -ENOENT)
		return vd_error_set(error, -EINVAL, "token file %s: there is no token in it", path);
	return r < 0 ? vd_error_set(error, r, "token file %s cannot be read: %s", path, strerror(-r)) : 0;
}

void vd_token_free(char *token)
{
	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
}
