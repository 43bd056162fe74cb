/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

const struct vd_mac client_mac = {{2, 0, 0, 0, 0, 7}};

void fixture_put(struct fixture *fixture, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	struct vd_error error = {};
	json_t *record;

	assert_non_null(copy);
	memcpy(copy, text, size);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	record = json_loads(copy, 0, NULL);
	assert_non_null(record);
	if (vd_router_state_put(fixture->state, record, &error) < 0)
		fail_msg("%s", error.text);
	json_decref(record);
	free(copy);
}

int fixture_setup(void **ret)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->state = vd_router_state_new();
	fixture_put(fixture, SUBNET);
	fixture_put(fixture, PORT);
	*ret = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	vd_router_state_free(fixture->state);
	free(fixture);
	return 0;
}

struct vd_address address(const char *text)
{
	struct vd_address parsed;

	assert_int_equal(vd_address_parse(text, &parsed), 0);
	return parsed;
}

size_t unhex(const char *text, uint8_t *bytes, size_t limit)
{
	size_t size = strlen(text) / 2;

	assert_true(size <= limit);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)strtoul((char[]){text[2 * i], text[2 * i + 1], '\0'}, NULL, 16);
	return size;
}

struct vd_frame frame_of(const uint8_t *data, size_t size)
{
	struct vd_frame frame;

	assert_int_equal(vd_frame_parse(data, size, true, &frame), 0);
	return frame;
}

void assert_answer(const struct fixture *fixture, const char *hex)
{
	uint8_t wanted[VD_FRAME_SIZE];
	size_t size = unhex(hex, wanted, sizeof(wanted));

	assert_int_equal(fixture->size, size);
	assert_memory_equal(fixture->answer, wanted, size);
}
