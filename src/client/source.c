/* SPDX-License-Identifier: Apache-2.0 */
#include "client/source.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SEPARATOR "\n---\n"

static int text_append(struct vd_sources *sources, const char *data, size_t size)
{
	char *text = realloc(sources->text, sources->size + size + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text + sources->size, data, size);
	sources->text = text;
	sources->size += size;
	text[sources->size] = '\0';
	return 0;
}

static size_t text_lines(const struct vd_sources *sources)
{
	size_t lines = 1;

	for (size_t i = 0; i < sources->size; i++)
		lines += sources->text[i] == '\n';
	return lines;
}

static int file_begin(struct vd_sources *sources, const char *path)
{
	void *files = reallocarray(sources->files, sources->count + 1, sizeof(*sources->files));

	if (!files)
		return -ENOMEM;
	sources->files = files;
	if (sources->count && text_append(sources, SEPARATOR, strlen(SEPARATOR)))
		return -ENOMEM;
	sources->files[sources->count].path = strdup(path);
	sources->files[sources->count].line = text_lines(sources);
	return sources->files[sources->count++].path ? 0 : -ENOMEM;
}

static int file_add(struct vd_sources *sources, const char *path, FILE *file, struct vd_error *error)
{
	char buffer[65536];
	size_t size;
	int r = file_begin(sources, path);

	while (!r && (size = fread(buffer, 1, sizeof(buffer), file)) > 0)
		r = text_append(sources, buffer, size);
	if (!r && ferror(file))
		r = vd_error_set(error, -EIO, "%s: %m", path);
	return r;
}

static int path_add(struct vd_sources *sources, const char *path, struct vd_error *error)
{
	VD_FCLOSE FILE *file = fopen(path, "re");

	return file ? file_add(sources, path, file, error) : vd_error_set(error, -errno, "%s: %m", path);
}

static int is_document(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && entry->d_name[0] != '.' && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int directory_add(struct vd_sources *sources, const char *path, struct vd_error *error)
{
	struct dirent **entries;
	char *inner;
	int count, r = 0;

	count = scandir(path, &entries, is_document, alphasort);
	if (count < 0)
		return vd_error_set(error, -errno, "%s: %m", path);
	if (count == 0)
		r = vd_error_set(error, -ENOENT, "%s: there is no .yaml, .yml or .json file in this directory", path);
	for (int i = 0; i < count; i++) {
		inner = NULL;
		if (!r && asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
			r = -ENOMEM;
		if (!r)
			r = path_add(sources, inner, error);
		free(inner);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int vd_sources_add(struct vd_sources *sources, const char *path, struct vd_error *error)
{
	struct stat status;

	if (!strcmp(path, "-"))
		return file_add(sources, "standard input", stdin, error);
	if (stat(path, &status) < 0)
		return vd_error_set(error, -errno, "%s: %m", path);
	return S_ISDIR(status.st_mode) ? directory_add(sources, path, error) : path_add(sources, path, error);
}

void vd_sources_clear(struct vd_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free(sources->files[i].path);
	free(sources->files);
	free(sources->text);
	*sources = (struct vd_sources){0};
}

void vd_sources_locate(const struct vd_sources *sources, struct vd_error *error)
{
	char *word = strstr(error->text, "line "), *end;
	struct vd_error located = {0};
	size_t line, file = 0;

	if (!word || sources->count < 2)
		return;
	line = strtoul(word + 5, &end, 10);
	if (end == word + 5 || !line)
		return;
	while (file + 1 < sources->count && sources->files[file + 1].line <= line)
		file++;
	vd_error_set(&located, -EINVAL, "%.*s%s line %zu%s", (int)(word - error->text), error->text, sources->files[file].path,
		     line - sources->files[file].line + 1, end);
	*error = located;
}
