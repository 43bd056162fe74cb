// SPDX-License-Identifier: Apache-2.0
/* What waited for a next hop's MAC leaves whole: to that MAC, with the network's tag, and with a checksum. */
#include "host/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vd_mac to = {{2, 2, 2, 2, 2, 2}};

/* 192.0.2.1:1024 to 192.0.2.2:53, "hi!". */
static const uint8_t datagram[] = {
	0,  0, 0, 0,   0, 0, 4, 4,   4, 4, 4, 4, 8, 0, 0x45, 0, 0,  31,   0,    0,   0x40, 0,   64,
	17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 4, 0, 0, 53,   0, 11, 0x84, 0x1f, 'h', 'i',  '!',
};
#define CHECKSUM 40

static uint16_t sum_of_udp(const uint8_t *ip)
{
	uint32_t sum = 17 + 11;

	for (size_t i = 12; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	for (size_t i = 20; i < 31; i++)
		sum += i % 2 ? ip[i] : (uint32_t)(ip[i] << 8);
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static uint16_t pseudo_sum(void)
{
	uint32_t sum = 17 + 11;

	for (size_t i = 26; i < 34; i += 2)
		sum += (uint32_t)(datagram[i] << 8 | datagram[i + 1]);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

static struct vd_host_held *held_new(uint16_t checksum)
{
	struct vd_host_held *held = vd_host_held_new(datagram, sizeof(datagram));

	assert_non_null(held);
	held->frame[CHECKSUM] = (uint8_t)(checksum >> 8);
	held->frame[CHECKSUM + 1] = (uint8_t)checksum;
	return held;
}

static void test_a_checksum_that_was_left_open_is_finished(void **state)
{
	struct vd_host_wire wire = {};
	struct vd_host_held *held = held_new(pseudo_sum());

	vd_host_held_finish(held, &wire, &to);
	assert_int_equal(held->size, sizeof(datagram));
	assert_memory_equal(held->frame, to.bytes, 6);
	assert_memory_equal(held->frame + 6, datagram + 6, 6);
	assert_int_equal(sum_of_udp(held->frame + 14), 0xffff);
	free(held);
}

static void test_others_stay_as_they_are(void **state)
{
	static const uint16_t checksums[] = {0, 1, 0x1234};
	struct vd_host_wire wire = {};

	for (size_t i = 0; i < sizeof(checksums) / sizeof(checksums[0]); i++) {
		struct vd_host_held *held = held_new(checksums[i]);

		vd_host_held_finish(held, &wire, &to);
		assert_int_equal(held->frame[CHECKSUM] << 8 | held->frame[CHECKSUM + 1], checksums[i]);
		free(held);
	}
}

static void test_a_tag_goes_between(void **state)
{
	static const uint8_t tag[] = {0x81, 0, 0, 101, 8, 0};
	struct vd_host_wire wire = {.vlan = 101};
	struct vd_host_held *held = held_new(pseudo_sum());

	vd_host_held_finish(held, &wire, &to);
	assert_int_equal(held->size, sizeof(datagram) + 4);
	assert_memory_equal(held->frame + 12, tag, sizeof(tag));
	assert_int_equal(sum_of_udp(held->frame + 18), 0xffff);
	assert_memory_equal(held->frame + sizeof(datagram) + 1, "hi!", 3);
	free(held);
}

/* Lengths that lie about the frame, and frames that end anywhere. */
static void test_no_length_is_believed(void **state)
{
	struct vd_host_wire wire = {};

	for (size_t size = 0; size <= sizeof(datagram); size++)
		for (unsigned version = 0; version < 2; version++) {
			struct vd_host_held *held = vd_host_held_new(datagram, size);

			assert_int_equal(held != NULL, size >= 14);
			if (!held)
				continue;
			if (version) {
				held->frame[12] = 0x86;
				held->frame[13] = 0xdd;
			}
			vd_host_held_finish(held, &wire, &to);
			free(held);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_checksum_that_was_left_open_is_finished),
		cmocka_unit_test(test_others_stay_as_they_are),
		cmocka_unit_test(test_a_tag_goes_between),
		cmocka_unit_test(test_no_length_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
