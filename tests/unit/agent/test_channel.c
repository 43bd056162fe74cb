/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/channel.h"

static void test_every_listener_hears_everything_in_order(void **state)
{
	struct vd_channel *channel = vd_channel_new();
	struct vd_listener *listeners[2];
	bool closed;

	assert_false(vd_channel_has_listeners(channel));
	for (int i = 0; i < 2; i++)
		listeners[i] = vd_listener_new(channel);
	assert_true(vd_channel_has_listeners(channel));
	for (int i = 0; i < 10; i++) {
		json_t *object = json_integer(i);

		vd_channel_say(channel, object);
		json_decref(object);
	}
	for (int l = 0; l < 2; l++) {
		for (int i = 0; i < 10; i++) {
			json_t *object = vd_listener_next(listeners[l], &closed);

			assert_int_equal(json_integer_value(object), i);
			assert_false(closed);
			json_decref(object);
		}
		vd_listener_free(listeners[l]);
	}
	vd_channel_free(channel);
}

static void test_a_slow_listener_is_told_how_much_it_lost(void **state)
{
	struct vd_channel *channel = vd_channel_new();
	struct vd_listener *listener = vd_listener_new(channel);
	json_t *object = json_true(), *lost = NULL;
	size_t heard = 0;
	bool closed;

	for (int i = 0; i < 5000; i++)
		vd_channel_say(channel, object);
	while (!lost) {
		object = vd_listener_next(listener, &closed);
		if (json_is_object(object))
			lost = object;
		else
			heard++;
	}
	assert_int_equal(heard + json_integer_value(json_object_get(lost, "lost")), 5000);
	json_decref(lost);
	vd_listener_free(listener);
	vd_channel_free(channel);
}

static void test_closing_ends_listeners(void **state)
{
	struct vd_channel *channel = vd_channel_new();
	struct vd_listener *listener = vd_listener_new(channel);
	bool closed = false;

	vd_channel_close(channel);
	assert_null(vd_listener_next(listener, &closed));
	assert_true(closed);
	vd_listener_free(listener);
	vd_channel_free(channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_listener_hears_everything_in_order),
		cmocka_unit_test(test_a_slow_listener_is_told_how_much_it_lost),
		cmocka_unit_test(test_closing_ends_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
