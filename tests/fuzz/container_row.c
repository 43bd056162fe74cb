/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/row.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken as a row is one: it has a key and a state, and comes back the same from what it is written as. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *again, *twice;
	struct vd_container row, copy;

	if (text && vd_row_decode(text, &row) == 0) {
		if (!row.key[0] || row.state < VD_CONTAINER_STATE_RESERVED || row.state > VD_CONTAINER_STATE_UP)
			abort();
		again = vd_row_encode(&row);
		if (!again || vd_row_decode(again, &copy) < 0)
			abort();
		twice = vd_row_encode(&copy);
		if (!twice || strcmp(again, twice) != 0)
			abort();
		free(again);
		free(twice);
		vd_container_clear(&row);
		vd_container_clear(&copy);
	}
	free(text);
	return 0;
}
