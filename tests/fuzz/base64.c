/* SPDX-License-Identifier: Apache-2.0 */
/* The data of captured packets, as another program sends it. */
#include "client/pcap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *decoded = NULL;
	char *text = malloc(size + 1);
	size_t decoded_size;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (vd_base64_decode(text, &decoded, &decoded_size) == 0) {
		if (decoded_size > strlen(text) / 4 * 3)
			abort();
		free(decoded);
	}
	free(text);
	return 0;
}
