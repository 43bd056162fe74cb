/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/code.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
	int number;
	const char *word;
} codes[] = {
#define X(number, word) {number, word},
	VD_CONTAINER_CODES(X)
#undef X
};

const char *vd_container_code_word(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].number == -code)
			return codes[i].word;
	return NULL;
}

int vd_container_code_parse(const char *word)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (!strcmp(codes[i].word, word))
			return -codes[i].number;
	return 0;
}
