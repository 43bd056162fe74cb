/* SPDX-License-Identifier: Apache-2.0 */
#include "client/pcap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_base64(void **state)
{
	static const struct {
		const char *text, *data;
	} good[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYmFy", "foobar"}}; /* RFC 4648, section 10 */
	static const char *const bad[] = {"Z", "Zg", "Zg=", "=", "====", "Zg==Zg==", "Zm9 ", "Zm9\n", "Z=9v"};
	uint8_t *data = NULL;
	size_t size;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(vd_base64_decode(good[i].text, &data, &size), 0);
		assert_int_equal(size, strlen(good[i].data));
		assert_memory_equal(data, good[i].data, size);
		free(data);
	}
	data = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (vd_base64_decode(bad[i], &data, &size) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_null(data);
}

static void test_file_is_pcap_with_nanoseconds(void **state)
{
	static const uint8_t packet[] = {1, 2, 3, 4};
	uint32_t words[11];
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(vd_pcap_begin(file), 0);
	assert_int_equal(vd_pcap_packet(file, 5000000007u, packet, sizeof(packet), 1500), 0);
	fclose(file);
	assert_int_equal(size, 24 + 16 + 4);
	memcpy(words, text, sizeof(words));
	assert_int_equal(words[0], 0xa1b23c4d);
	assert_int_equal(words[5], 1);
	assert_int_equal(words[6], 5);
	assert_int_equal(words[7], 7);
	assert_int_equal(words[8], 4);
	assert_int_equal(words[9], 1500);
	assert_memory_equal(text + 40, packet, 4);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_file_is_pcap_with_nanoseconds),
	};

	return cmocka_run_group_tests_name("pcap", tests, NULL, NULL);
}
