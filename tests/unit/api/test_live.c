/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to running hosts: asked here, passed on to the host they concern, never in circles. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void test_calls_reach_the_host(void **state)
{
	json_t *reply = fixture_get(*state, "POST", "/v1/live/attach", "{\"port\": \"web1\", \"netns\": \"n1\"}");

	assert_string_equal(fixture_text(reply, "verb"), "attach");
	assert_string_equal(fixture_text(reply, "arguments.netns"), "n1");
	json_decref(reply);
	reply = fixture_get(*state, "POST", "/v1/live/trace", "{\"host\": \"h1\", \"from\": \"web1\"}");
	assert_null(fixture_at(reply, "arguments.host"));
	json_decref(reply);
}

static void test_refusals_pass_through(void **state)
{
	json_t *reply;

	assert_int_equal(fixture_ask(*state, "POST", "/v1/live/plan", "{}", &reply), 409);
	assert_string_equal(fixture_text(reply, "error"), "plan: this host is busy");
	json_decref(reply);
	assert_int_equal(fixture_ask(*state, "POST", "/v1/live/flows?stream=true", "{}", &reply), 404);
	assert_non_null(strstr(fixture_text(reply, "error"), "nobody"));
	json_decref(reply);
	assert_int_equal(fixture_ask(*state, "POST", "/v1/live/attach?stream=true", "{}", &reply), 400);
	json_decref(reply);
}

struct counting {
	int count, until;
	char host[16];
};

static bool count_take(const json_t *object, void *userdata)
{
	struct counting *counting = userdata;

	assert_int_equal(json_integer_value(json_object_get(object, "number")), counting->count);
	snprintf(counting->host, sizeof(counting->host), "%s", fixture_text(object, "host"));
	return ++counting->count != counting->until;
}

static void streams_end(struct fixture *fixture)
{
	for (int i = 0; i < 50 && atomic_load(&fixture->streams); i++)
		usleep(100000);
	assert_int_equal(atomic_load(&fixture->streams), 0);
}

static void test_stream_ends_when_the_client_goes(void **state)
{
	struct fixture *fixture = *state;
	struct counting counting = {.until = 5};
	struct vd_error error = {0};

	assert_int_equal(
		vd_client_stream(fixture->client, "POST", "/v1/live/drops?stream=true", NULL, count_take, &counting, &error), 0);
	assert_int_equal(counting.count, 5);
	streams_end(fixture);
	counting = (struct counting){.until = 2};
	assert_int_equal(vd_client_stream(fixture->client, "GET", "/v1/live/drops?host=h1", NULL, count_take, &counting, &error),
			 0);
	streams_end(fixture);
}

static void test_stream_that_breaks_says_so(void **state)
{
	struct fixture *fixture = *state;
	struct counting counting = {0};
	struct vd_error error = {0};

	assert_true(vd_client_stream(fixture->client, "GET", "/v1/live/capture?ports=a,b", NULL, count_take, &counting, &error) <
		    0);
	assert_int_equal(counting.count, 2);
	assert_string_equal(error.text, "capture: the ring buffer broke");
}

/* h2 beside h1 on the same store, reachable over TCP; port web1 is attached at h2. */
static struct fixture *second_host(struct fixture *first, char *listen, size_t size)
{
	struct fixture *second = fixture_new("h2", first);
	char claim[512];

	snprintf(listen, size, "127.0.0.1:%u", fixture_port());
	second->options.listen = listen;
	second->options.insecure = true;
	fixture_start(second);
	snprintf(claim, sizeof(claim),
		 "{\"machine_id\":\"m2\",\"boot_id\":\"b2\",\"underlay\":\"10.9.9.2\",\"underlay_mtu\":1500,\"addresses\":[\"10.9."
		 "9.2\"],"
		 "\"api\":\"http://%s\",\"version\":\"1\"}",
		 listen);
	fixture_put(first, "/viaduct/v1/fact/claim/default/h2", claim);
	json_decref(fixture_get(first, "POST", "/v1/apply", fixture_documents));
	fixture_put(first, "/viaduct/v1/fact/attachment/default/web1",
		    "{\"host\":\"h2\",\"boot_id\":\"b2\",\"type\":\"netns\",\"ifindex\":7,\"ifname\":\"vp7\",\"netns\":\"/run/"
		    "netns/x\","
		    "\"netns_device\":1,\"netns_inode\":2,\"guest_ifname\":\"eth0\",\"dhcp\":false}");
	for (int i = 0; i < 50; i++) {
		json_t *reply = fixture_get(first, "GET", "/v1/ports/web1", NULL);
		bool seen = !strcmp(fixture_text(reply, "attachment.host"), "h2");

		json_decref(reply);
		if (seen)
			return second;
		usleep(100000);
	}
	fail_msg("the attachment is not seen");
	return NULL;
}

static int pair_setup(void **state)
{
	struct fixture *first = fixture_new("h1", NULL);

	first->options.insecure = true;
	fixture_start(first);
	*state = first;
	return 0;
}

static void test_questions_about_a_port_go_to_its_host(void **state)
{
	struct fixture *first = *state, *second;
	struct counting counting = {.until = 3};
	struct vd_error error = {0};
	char listen[32];
	json_t *reply;

	second = second_host(first, listen, sizeof(listen));
	reply = fixture_get(first, "POST", "/v1/live/detach", "{\"port\": \"web1\"}");
	assert_string_equal(fixture_text(reply, "host"), "h2");
	assert_string_equal(fixture_text(reply, "arguments.port"), "web1");
	json_decref(reply);
	reply = fixture_get(first, "POST", "/v1/live/trace", "{\"from\": \"web1\", \"to\": \"192.168.0.9\"}");
	assert_string_equal(fixture_text(reply, "host"), "h2");
	json_decref(reply);
	reply = fixture_get(first, "POST", "/v1/live/attach", "{\"port\": \"web9\", \"host\": \"h2\"}");
	assert_string_equal(fixture_text(reply, "host"), "h2");
	json_decref(reply);
	reply = fixture_get(first, "POST", "/v1/live/status", "{}");
	assert_string_equal(fixture_text(reply, "host"), "h1");
	json_decref(reply);
	assert_int_equal(fixture_ask(first, "POST", "/v1/live/plan", "{\"host\": \"h2\"}", &reply), 409);
	assert_string_equal(fixture_text(reply, "error"), "host h2: plan: this host is busy");
	json_decref(reply);
	assert_int_equal(vd_client_stream(first->client, "GET", "/v1/live/drops?host=h2", NULL, count_take, &counting, &error), 0);
	assert_string_equal(counting.host, "h2");
	streams_end(second);
	fixture_free(second);

	assert_int_equal(fixture_ask(first, "POST", "/v1/live/detach", "{\"port\": \"web1\"}", &reply), 502);
	assert_non_null(strstr(fixture_text(reply, "error"), "h2"));
	json_decref(reply);
	assert_int_equal(fixture_ask(first, "POST", "/v1/live/plan", "{\"host\": \"h7\"}", &reply), 404);
	json_decref(reply);
}

static void test_hosts_do_not_ask_each_other_in_circles(void **state)
{
	struct fixture *first = *state, *second;
	char listen[32], claim[512];
	json_t *reply;

	second = second_host(first, listen, sizeof(listen));
	/* h3's claim names h2's address: h2 must not pass on what h1 passed to it. */
	snprintf(claim, sizeof(claim),
		 "{\"machine_id\":\"m3\",\"boot_id\":\"b3\",\"underlay\":\"10.9.9.3\",\"underlay_mtu\":1500,\"addresses\":[\"10.9."
		 "9.3\"],"
		 "\"api\":\"http://%s\",\"version\":\"1\"}",
		 listen);
	fixture_put(first, "/viaduct/v1/fact/attachment/default/web1",
		    "{\"host\":\"h3\",\"boot_id\":\"b3\",\"type\":\"tap\",\"ifindex\":7,\"ifname\":\"vp7\",\"dhcp\":false}");
	fixture_put(first, "/viaduct/v1/fact/claim/default/h3", claim);
	sleep(1);
	assert_int_equal(fixture_ask(first, "POST", "/v1/live/detach", "{\"port\": \"web1\"}", &reply), 409);
	assert_non_null(strstr(fixture_text(reply, "error"), "h3"));
	json_decref(reply);
	fixture_free(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls_reach_the_host),
		TEST(test_refusals_pass_through),
		TEST(test_stream_ends_when_the_client_goes),
		TEST(test_stream_that_breaks_says_so),
		cmocka_unit_test_setup_teardown(test_questions_about_a_port_go_to_its_host, pair_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_hosts_do_not_ask_each_other_in_circles, pair_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
