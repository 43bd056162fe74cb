/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_BLOCK_H
#define VD_COMPILE_BLOCK_H

#include <stdint.h>

#define VD_PORT_BITS 16

/*
 * Ranges of ports become blocks of a power of two, aligned to their size, so that the kernel can look them up: a range is cut into
 * the fewest. Walk: for (uint32_t first = …; first < end; first += vd_block_size(length)) { length = vd_block_length(first, end); … }
 */

/* How many leading bits the first block of first … end - 1 fixes. */
static inline uint8_t vd_block_length(uint32_t first, uint32_t end)
{
	unsigned bits = 0;

	while (bits < VD_PORT_BITS && (first & ((2u << bits) - 1)) == 0 && first + (2u << bits) <= end)
		bits++;
	return (uint8_t)(VD_PORT_BITS - bits);
}

static inline uint32_t vd_block_size(uint8_t length)
{
	return 1u << (VD_PORT_BITS - length);
}

#endif
