/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Runs a fuzz target once over every file of the directory given, without libFuzzer: what a fuzzer once found stays found, with any
 * compiler. No such directory: only the empty input.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_run(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -1;
	}
	static uint8_t data[1 << 20];
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	/* Of its own size, so that a sanitizer sees a read beyond the end. */
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return -1;
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	DIR *directory = opendir(argv[1]);
	int failed = 0;
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (entry->d_name[0] != '.' && file_run(argv[1], entry->d_name) < 0)
			failed = 1;
	if (directory)
		closedir(directory);
	return failed;
}
