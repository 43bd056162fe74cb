/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses must print as what parses to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';

	struct vd_address address, address_again;
	char address_text[VD_ADDRESS_TEXT];
	if (!vd_address_parse(text, &address) && (vd_address_parse(vd_address_format(&address, address_text), &address_again) ||
						  !vd_address_equal(&address, &address_again)))
		abort();

	struct vd_prefix prefix, prefix_again;
	char prefix_text[VD_PREFIX_TEXT];
	if (!vd_prefix_parse(text, &prefix) &&
	    (vd_prefix_parse(vd_prefix_format(&prefix, prefix_text), &prefix_again) || !vd_prefix_equal(&prefix, &prefix_again) ||
	     !vd_prefix_covers(&prefix, &prefix_again)))
		abort();

	struct vd_mac mac, mac_again;
	char mac_text[VD_MAC_TEXT];
	if (!vd_mac_parse(text, &mac) &&
	    (vd_mac_parse(vd_mac_format(&mac, mac_text), &mac_again) || !vd_mac_equal(&mac, &mac_again)))
		abort();
	free(text);
	return 0;
}
