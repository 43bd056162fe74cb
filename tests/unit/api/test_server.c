/* SPDX-License-Identifier: Apache-2.0 */
/* What a user meets over HTTP, R-OPS-3: declarative documents, single resources, refusals, waiting. */
#include "fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_version_names_the_host(void **state)
{
	json_t *reply = fixture_get(*state, "GET", "/v1/version", NULL);

	assert_string_equal(fixture_text(reply, "host"), "h1");
	assert_string_equal(fixture_text(reply, "version"), VD_VERSION);
	json_decref(reply);
}

static void test_apply_creates_and_then_changes_nothing(void **state)
{
	json_t *reply = fixture_get(*state, "POST", "/v1/apply", fixture_documents);
	json_int_t revision = json_integer_value(json_object_get(reply, "revision"));

	assert_int_equal(json_array_size(json_object_get(reply, "changes")), 3);
	assert_string_equal(fixture_text(reply, "changes.0.kind"), "vpc");
	assert_string_equal(fixture_text(reply, "changes.0.action"), "created");
	assert_true(json_integer_value(fixture_at(reply, "changes.0.assigned.id")) > 0);
	json_decref(reply);

	reply = fixture_get(*state, "POST", "/v1/apply", fixture_documents);
	assert_string_equal(fixture_text(reply, "changes.2.action"), "unchanged");
	assert_int_equal(json_integer_value(json_object_get(reply, "revision")), revision);
	json_decref(reply);

	reply = fixture_get(*state, "GET", "/v1/ports/web1", NULL);
	assert_string_equal(fixture_text(reply, "document.subnet"), "nodes");
	assert_string_equal(fixture_text(reply, "assigned.addresses.0"), "192.168.0.2");
	assert_string_equal(fixture_text(reply, "project"), "default");
	json_decref(reply);
}

static void test_a_file_with_a_wrong_end_changes_nothing(void **state)
{
	char documents[1024];
	json_t *reply;

	snprintf(documents, sizeof(documents), "%s---\nkind: port\nname: web2\nsubnet: nowhere\n", fixture_documents);
	assert_int_equal(fixture_ask(*state, "POST", "/v1/apply", documents, &reply), 400);
	assert_non_null(strstr(fixture_text(reply, "error"), "web2"));
	json_decref(reply);
	reply = fixture_get(*state, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_array_size(json_object_get(reply, "items")), 0);
	json_decref(reply);
}

static void test_bad_requests_get_a_sentence(void **state)
{
	static const struct {
		const char *method, *path, *body;
		long status;
		const char *says;
	} cases[] = {
		{"GET", "/v1/nonsense", NULL, 404, "nonsense"},
		{"GET", "/v2/ports", NULL, 404, "/v2/ports"},
		{"GET", "/", NULL, 404, "there is no"},
		{"DELETE", "/v1/status", NULL, 405, "DELETE"},
		{"PATCH", "/v1/ports/web1", NULL, 405, "PATCH"},
		{"GET", "/v1/apply", NULL, 404, "apply"},
		{"GET", "/v1/ports/web1", NULL, 404, "web1"},
		{"GET", "/v1/ports/WEB", NULL, 400, "WEB"},
		{"GET", "/v1/ports/a%2Fb", NULL, 400, "a/b"},
		{"GET", "/v1/claims", NULL, 404, "claims"},
		{"GET", "/v1/ports?project=A", NULL, 400, "project"},
		{"GET", "/v1/ports/web1?project=*", NULL, 400, "project"},
		{"GET", "/v1/ports?colour=red", NULL, 400, "colour"},
		{"GET", "/v1/ports?format=xml", NULL, 400, "xml"},
		{"POST", "/v1/apply", NULL, 400, "no body"},
		{"POST", "/v1/apply?wait=perhaps", "kind: vpc", 400, "perhaps"},
		{"POST", "/v1/apply?timeout=0", "kind: vpc", 400, "timeout"},
		{"POST", "/v1/apply?timeout=-1", "kind: vpc", 400, "timeout"},
		{"POST", "/v1/apply?request=a%20b", "kind: vpc", 400, "request"},
		{"POST", "/v1/apply", "kind: [", 400, "line"},
		{"POST", "/v1/apply", "kind: unicorn\nname: a\n", 400, "unicorn"},
		{"POST", "/v1/apply", "kind: vpc\nname: a\ncidrs: [10.0.0.0/8]\ncolour: red\n", 400, "colour"},
		{"POST", "/v1/apply", "kind: vpc\nname: a\nname: b\ncidrs: [10.0.0.0/8]\n", 400, "name"},
		{"POST", "/v1/apply", "kind: vpc\nname: \xff\xfe\n", 400, ""},
		{"POST", "/v1/delete", "kind: vpc\nname: nobody\n", 404, "nobody"},
		{"POST", "/v1/delete", "kind: vpc\n", 400, "name"},
		{"DELETE", "/v1/vpcs/nobody", NULL, 404, "nobody"},
		{"PUT", "/v1/vpcs/a", "kind: port\nname: a\nsubnet: s\n", 400, "kind"},
		{"PUT", "/v1/vpcs/a", "name: b\ncidrs: [10.0.0.0/8]\n", 400, "name"},
		{"PUT", "/v1/vpcs/a", "cidrs: [10.0.0.0/8]\n---\ncidrs: [10.0.0.0/8]\n", 400, "2 documents"},
		{"PUT", "/v1/vpcs/a?project=acme", "project: other\ncidrs: [10.0.0.0/8]\n", 400, "project"},
		{"PUT", "/v1/routes/demo/10.0.0.0/8", "vpc: demo\ndestination: 11.0.0.0/8\nnext_hop: {blackhole: true}\n", 400,
		 "11.0.0.0/8"},
		{"PUT", "/v1/security_group_rules/web/ssh", "direction: sideways\n", 400, "sideways"},
		{"PUT", "/v1/security_group_rules/web/ssh", "group: db\ndirection: ingress\n", 400, "db/ssh"},
		{"PUT", "/v1/security_group_rules/web/ingress-tcp-22/x", "direction: ingress\n", 400, "web/ingress-all"},
		{"GET", "/v1/security_group_rules/web", NULL, 400, "web"},
		{"POST", "/v1/delete", "kind: security_group_rule\ngroup: web\n", 400, "direction"},
		{"POST", "/v1/delete", "kind: security_group_rule\ngroup: web\nname: ssh\n", 404, "web/ssh"},
		{"POST", "/v1/live/dance", NULL, 404, "dance"},
		{"POST", "/v1/live/attach", "[]", 400, "object"},
		{"POST", "/v1/live/attach", "{", 400, "JSON"},
		{"POST", "/v3/kv/range", "{}", 404, "store"},
	};
	json_t *reply;
	long status;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		status = fixture_ask(*state, cases[i].method, cases[i].path, cases[i].body, &reply);
		if (status != cases[i].status || !*fixture_text(reply, "error") ||
		    !strstr(fixture_text(reply, "error"), cases[i].says))
			fail_msg("%s %s (case %zu): %ld %s", cases[i].method, cases[i].path, i, status,
				 fixture_text(reply, "error"));
		json_decref(reply);
	}
	reply = fixture_get(*state, "GET", "/v1/status", NULL);
	assert_int_equal(json_integer_value(fixture_at(reply, "resources.vpcs")), 0);
	json_decref(reply);
}

static void test_garbage_and_oversize_are_refused(void **state)
{
	size_t size = (10 << 20), over = (65 << 20);
	char *text = malloc(over + 1);
	json_t *reply;

	assert_non_null(text);
	for (size_t i = 0; i < over; i++)
		text[i] = (char)(1 + rand() % 255);
	text[over] = '\0';
	assert_int_equal(fixture_ask(*state, "POST", "/v1/apply", text, &reply), 413);
	assert_non_null(strstr(fixture_text(reply, "error"), "64 MiB"));
	json_decref(reply);
	text[size] = '\0';
	assert_int_equal(fixture_ask(*state, "POST", "/v1/apply", text, &reply), 400);
	assert_true(strlen(fixture_text(reply, "error")) > 10);
	json_decref(reply);
	free(text);
	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
}

static void test_dry_run_and_diff_change_nothing(void **state)
{
	json_t *reply = fixture_get(*state, "POST", "/v1/apply?dry_run=true", fixture_documents);

	assert_string_equal(fixture_text(reply, "changes.0.action"), "created");
	assert_true(json_is_true(json_object_get(reply, "dry_run")));
	json_decref(reply);
	assert_int_equal(fixture_ask(*state, "GET", "/v1/vpcs/demo", NULL, NULL), 404);

	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
	reply = fixture_get(*state, "POST", "/v1/diff", "kind: vpc\nname: demo\ncidrs: [192.168.0.0/16, 10.9.0.0/16]\n");
	assert_string_equal(fixture_text(reply, "changes.0.action"), "changed");
	assert_null(strstr(fixture_text(reply, "changes.0.before"), "10.9.0.0/16"));
	assert_non_null(strstr(fixture_text(reply, "changes.0.after"), "10.9.0.0/16"));
	json_decref(reply);
	reply = fixture_get(*state, "GET", "/v1/vpcs/demo", NULL);
	assert_int_equal(json_array_size(fixture_at(reply, "document.cidrs")), 1);
	json_decref(reply);

	reply = fixture_get(*state, "POST", "/v1/delete?dry_run", fixture_documents);
	assert_string_equal(fixture_text(reply, "changes.0.action"), "deleted");
	json_decref(reply);
	json_decref(fixture_get(*state, "GET", "/v1/ports/web1", NULL));
}

static void test_single_resources(void **state)
{
	json_t *reply;

	json_decref(fixture_get(*state, "PUT", "/v1/vpcs/demo", "{\"cidrs\": [\"192.168.0.0/16\"]}"));
	json_decref(fixture_get(*state, "PUT", "/v1/subnets/nodes", "vpc: demo\ncidr: 192.168.0.0/24\n"));
	json_decref(fixture_get(*state, "PUT", "/v1/ports/web1", "subnet: nodes\naddress: 192.168.0.9\n"));
	reply = fixture_get(*state, "PUT", "/v1/routes/demo/10.0.2.0/24",
			    "vpc: demo\ndestination: 10.0.2.0/24\nnext_hop: {address: 192.168.0.9}\n");
	assert_string_equal(fixture_text(reply, "changes.0.name"), "demo/10.0.2.0/24");
	json_decref(reply);
	reply = fixture_get(*state, "GET", "/v1/routes/demo%2F10.0.2.0%2F24", NULL);
	assert_string_equal(fixture_text(reply, "document.next_hop.address"), "192.168.0.9");
	json_decref(reply);

	assert_int_equal(fixture_ask(*state, "DELETE", "/v1/subnets/nodes", NULL, &reply), 409);
	assert_non_null(strstr(fixture_text(reply, "error"), "nodes"));
	json_decref(reply);
	json_decref(fixture_get(*state, "DELETE", "/v1/routes/demo/10.0.2.0/24", NULL));
	json_decref(fixture_get(*state, "DELETE", "/v1/port/web1", NULL));
	assert_int_equal(fixture_ask(*state, "GET", "/v1/ports/web1", NULL, NULL), 404);
}

static void test_deletion_takes_all_or_nothing(void **state)
{
	json_t *reply;

	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
	assert_int_equal(fixture_ask(*state, "POST", "/v1/delete",
				     "[{\"kind\":\"port\",\"name\":\"web1\"},{\"kind\":\"vpc\",\"name\":\"demo\"}]", &reply),
			 409);
	json_decref(reply);
	json_decref(fixture_get(*state, "GET", "/v1/ports/web1", NULL));
	reply = fixture_get(*state, "POST", "/v1/delete", fixture_documents);
	assert_int_equal(json_array_size(json_object_get(reply, "changes")), 3);
	json_decref(reply);
	reply = fixture_get(*state, "GET", "/v1/status", NULL);
	assert_int_equal(json_integer_value(fixture_at(reply, "resources.ports")), 0);
	json_decref(reply);
}

static void test_projects_do_not_meet(void **state)
{
	json_t *reply;

	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
	json_decref(fixture_get(*state, "POST", "/v1/apply?project=acme", fixture_documents));
	reply = fixture_get(*state, "GET", "/v1/ports", NULL);
	assert_int_equal(json_array_size(json_object_get(reply, "items")), 1);
	json_decref(reply);
	reply = fixture_get(*state, "GET", "/v1/ports?project=*", NULL);
	assert_int_equal(json_array_size(json_object_get(reply, "items")), 2);
	assert_string_equal(fixture_text(reply, "items.0.project"), "acme");
	json_decref(reply);
	json_decref(fixture_get(*state, "DELETE", "/v1/ports/web1?project=acme", NULL));
	json_decref(fixture_get(*state, "GET", "/v1/ports/web1", NULL));
}

static void test_a_repeated_request_is_done_once(void **state)
{
	json_t *first = fixture_get(*state, "POST", "/v1/apply?request=r-1", fixture_documents), *second;

	json_decref(fixture_get(*state, "DELETE", "/v1/ports/web1", NULL));
	second = fixture_get(*state, "POST", "/v1/apply?request=r-1", fixture_documents);
	assert_int_equal(json_integer_value(json_object_get(first, "revision")),
			 json_integer_value(json_object_get(second, "revision")));
	assert_int_equal(fixture_ask(*state, "GET", "/v1/ports/web1", NULL, NULL), 404);
	json_decref(first);
	json_decref(second);
}

static void test_yaml_can_be_applied_again(void **state)
{
	struct fixture *fixture = *state;
	struct vd_reply reply = {0};
	struct vd_error error;
	json_t *again;

	json_decref(fixture_get(fixture, "POST", "/v1/apply", fixture_documents));
	assert_int_equal(vd_client_request(fixture->client, "GET", "/v1/ports?format=yaml", NULL, 0, &reply, &error), 0);
	assert_non_null(strstr(reply.text, "kind: port"));
	again = fixture_get(fixture, "POST", "/v1/apply", reply.text);
	assert_string_equal(fixture_text(again, "changes.0.action"), "unchanged");
	json_decref(again);
	vd_reply_clear(&reply);
}

#define STATUS_KEY "/viaduct/v1/status/host/"
#define ALIVE_KEY "/viaduct/v1/status/alive/"

static void *obey(void *userdata)
{
	struct fixture *fixture = userdata;

	usleep(300000);
	fixture_put(fixture, STATUS_KEY "h2", "{\"revision\": 1000000}");
	return NULL;
}

static void test_wait_is_for_living_hosts(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;
	json_t *reply;

	/* A host that is known but not alive is not waited for. */
	fixture_put(fixture, STATUS_KEY "dead", "{\"revision\": 1}");
	fixture_put(fixture, STATUS_KEY "h1", "{\"revision\": 1000000}");
	fixture_put(fixture, ALIVE_KEY "h1", "{\"version\": \"9\"}");
	json_decref(fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", fixture_documents));
	/* The reply says so when it is a host of ours. */
	fixture_put(fixture, STATUS_KEY "dead", "{\"revision\": 1, \"time\": 1700000000}");
	reply = fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", "kind: host\nname: dead\n");
	assert_string_equal(fixture_text(reply, "notes.0"),
			    "host dead has not been heard of since 2023-11-14 22:13:20 UTC: not waited for");
	assert_int_equal(json_array_size(json_object_get(reply, "notes")), 1);
	json_decref(reply);

	/* One that lives and does not obey is named, and the change stands. */
	fixture_put(fixture, ALIVE_KEY "h2", "{\"version\": \"9\"}");
	assert_int_equal(fixture_ask(fixture, "DELETE", "/v1/ports/web1?wait=true&timeout=1", NULL, &reply), 504);
	assert_non_null(strstr(fixture_text(reply, "error"), "h2"));
	assert_null(strstr(fixture_text(reply, "error"), "h1"));
	assert_string_equal(fixture_text(reply, "changes.0.action"), "deleted");
	json_decref(reply);
	assert_int_equal(fixture_ask(fixture, "GET", "/v1/ports/web1", NULL, NULL), 404);
	reply = fixture_get(fixture, "GET", "/v1/status", NULL);
	assert_int_equal(json_array_size(json_object_get(reply, "hosts")), 3);
	json_decref(reply);

	/* It ends with the host's word; also when the apply had nothing to change. */
	assert_int_equal(pthread_create(&thread, NULL, obey, fixture), 0);
	reply = fixture_get(fixture, "POST", "/v1/delete?wait=true&timeout=20", "kind: subnet\nname: nodes\n");
	pthread_join(thread, NULL);
	json_decref(reply);
	json_decref(
		fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", "kind: vpc\nname: demo\ncidrs: [192.168.0.0/16]\n"));

	/* A host whose lease ends while we wait is waited for no longer. */
	fixture_put(fixture, STATUS_KEY "h2", "{\"revision\": 1}");
	fixture_put(fixture, ALIVE_KEY "h2", NULL);
	reply = fixture_get(fixture, "DELETE", "/v1/vpcs/demo?wait=true&timeout=20", NULL);
	assert_null(strstr(fixture_text(reply, "notes.0"), "h2"));
	json_decref(reply);
	json_decref(fixture_get(fixture, "POST", "/v1/apply", "kind: host\nname: h2\n"));
	reply = fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", "kind: vpc\nname: demo\ncidrs: [192.168.0.0/16]\n");
	assert_int_equal(json_array_size(json_object_get(reply, "notes")), 2);
	json_decref(reply);
}

static const char outside_documents[] = "kind: network\nname: public\nrole: public\nphysnet: em01\ncidrs: [203.0.113.0/24]\n"
					"---\nkind: vpc\nname: demo\ncidrs: [192.168.0.0/16]\nnetworks: [public]\n";

/* An election that takes its time. */
struct election {
	struct fixture *fixture;
	atomic_bool is_over;
};

static void *elect(void *userdata)
{
	struct election *election = userdata;

	usleep(700000);
	atomic_store(&election->is_over, true);
	fixture_put(election->fixture, "/viaduct/v1/fact/gateway/default/demo.public", "{\"host\":\"h1\",\"boot_id\":\"b1\"}");
	return NULL;
}

/* R-RTR-4: who attaches a VPC and waits is answered when somebody leads it out; all hosts having obeyed is not enough. */
static void test_wait_is_for_a_gateway(void **state)
{
	struct election election = {.fixture = *state};
	struct fixture *fixture = *state;
	pthread_t thread;
	json_t *reply;

	fixture_put(fixture, STATUS_KEY "h1", "{\"revision\": 1000000}");
	fixture_put(fixture, ALIVE_KEY "h1", "{\"version\": \"9\"}");
	fixture_put(fixture, "/viaduct/v1/fact/claim/default/h1",
		    "{\"machine_id\":\"m1\",\"boot_id\":\"b1\",\"underlay\":\"10.9.9.1\",\"underlay_mtu\":1500,\"addresses\":[\"10."
		    "9.9.1\"],"
		    "\"version\":\"1\",\"uplinks\":[{\"physnet\":\"em01\",\"ifname\":\"em01\",\"ifindex\":7,\"mac\":\"02:00:00:00:"
		    "00:07\","
		    "\"mtu\":1500,\"vf_count\":0}]}");
	assert_int_equal(fixture_ask(fixture, "POST", "/v1/apply?wait=true&timeout=1", outside_documents, &reply), 504);
	assert_non_null(strstr(fixture_text(reply, "error"), "no host has become the gateway of VPC demo on network public"));
	json_decref(reply);

	assert_int_equal(pthread_create(&thread, NULL, elect, &election), 0);
	json_decref(fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", outside_documents));
	assert_true(atomic_load(&election.is_over));
	pthread_join(thread, NULL);
	/* One is there: nothing to wait for. */
	json_decref(fixture_get(fixture, "POST", "/v1/apply?wait=true&timeout=20", outside_documents));
}

static void test_daemon_stops_while_somebody_waits(void **state)
{
	struct fixture *fixture = fixture_new("h9", NULL);

	fixture_start(fixture);
	fixture_put(fixture, ALIVE_KEY "h2", "{}");
	switch (fork()) {
	case 0: {
		struct vd_client_options options = {.server = fixture->server};
		struct vd_reply reply = {0};
		struct vd_error error;
		struct vd_client *client;

		vd_client_open(&options, &client, &error);
		vd_client_request(client, "POST", "/v1/apply?wait=true&timeout=600", fixture_documents, strlen(fixture_documents),
				  &reply, &error);
		_exit(0);
	}
	default:
		usleep(500000);
	}
	alarm(30); /* a stop that hangs is a failure */
	fixture_free(fixture);
	alarm(0);
}

#define WRITERS 8
#define PORTS_EACH 5

struct writer {
	struct fixture *fixture;
	int number;
	int failed;
};

static void *write_ports(void *userdata)
{
	struct writer *writer = userdata;
	struct vd_client_options options = {.server = writer->fixture->server};
	struct vd_client *client;
	struct vd_error error;
	char document[128];

	vd_client_open(&options, &client, &error);
	for (int i = 0; i < PORTS_EACH; i++) {
		struct vd_reply reply = {0};

		snprintf(document, sizeof(document), "kind: port\nname: p%d-%d\nsubnet: nodes\n", writer->number, i);
		if (vd_client_request(client, "POST", "/v1/apply", document, strlen(document), &reply, &error)) {
			print_error("%s\n", error.text);
			writer->failed++;
		}
		vd_reply_clear(&reply);
	}
	vd_client_close(client);
	return NULL;
}

static void test_applies_at_once_never_give_one_address_twice(void **state)
{
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	json_t *reply, *seen = json_object(), *items, *item;
	size_t i;

	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.fixture = *state, .number = (int)i};
		assert_int_equal(pthread_create(&threads[i], NULL, write_ports, &writers[i]), 0);
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(writers[i].failed, 0);
	}
	reply = fixture_get(*state, "GET", "/v1/ports", NULL);
	items = json_object_get(reply, "items");
	assert_int_equal(json_array_size(items), WRITERS * PORTS_EACH + 1);
	json_array_foreach (items, i, item) {
		json_object_set_new(seen, fixture_text(item, "assigned.addresses.0"), json_true());
		json_object_set_new(seen, fixture_text(item, "assigned.mac"), json_true());
	}
	assert_int_equal(json_object_size(seen), 2 * (WRITERS * PORTS_EACH + 1));
	json_decref(seen);
	json_decref(reply);
}

struct watching {
	struct fixture *fixture;
	char seen[512];
	bool applied;
};

static bool watch_take(const json_t *event, void *userdata)
{
	struct watching *watching = userdata;
	const char *action = fixture_text(event, "action");
	size_t used = strlen(watching->seen);

	snprintf(watching->seen + used, sizeof(watching->seen) - used, "%s%s%s ", action, *fixture_text(event, "name") ? ":" : "",
		 fixture_text(event, "name"));
	if (!strcmp(action, "synced") && !watching->applied) {
		struct vd_client_options options = {.server = watching->fixture->server};
		struct vd_client *client;
		json_t *port, *subnet;
		struct vd_error error;

		watching->applied = true;
		vd_client_open(&options, &client, &error);
		port = json_pack("{s:s}", "subnet", "nodes");
		subnet = json_pack("{s:s, s:s}", "vpc", "demo", "cidr", "192.168.1.0/24");
		vd_client_call(client, "PUT", "/v1/ports/web2", port, NULL, &error);
		vd_client_call(client, "PUT", "/v1/subnets/more", subnet, NULL, &error);
		vd_client_call(client, "DELETE", "/v1/ports/web2", NULL, NULL, &error);
		json_decref(port);
		json_decref(subnet);
		vd_client_close(client);
	}
	return strcmp(action, "deleted") != 0;
}

static void test_watch_shows_what_is_and_what_becomes(void **state)
{
	struct watching watching = {.fixture = *state};
	struct vd_error error = {0};

	json_decref(fixture_get(*state, "POST", "/v1/apply", fixture_documents));
	if (vd_client_stream(watching.fixture->client, "GET", "/v1/watch?kind=port", NULL, watch_take, &watching, &error))
		fail_msg("%s", error.text);
	assert_string_equal(watching.seen, "begin existing:web1 synced created:web2 deleted:web2 ");
}

static void test_metrics_are_prometheus_text(void **state)
{
	struct fixture *fixture = *state;
	struct vd_reply reply = {0};
	struct vd_error error;

	json_decref(fixture_get(fixture, "POST", "/v1/apply", fixture_documents));
	assert_int_equal(vd_client_request(fixture->client, "GET", "/metrics", NULL, 0, &reply, &error), 0);
	assert_non_null(strstr(reply.text, "\nviaduct_counters_hits 5\n"));
	assert_non_null(strstr(reply.text, "viaduct_drop_packets_total{reason=\"source_check\"} 3\n"));
	assert_non_null(strstr(reply.text, "viaduct_drop_packets_total{reason=\"kernel\"} 2\n"));
	assert_non_null(strstr(reply.text, "viaduct_resources{kind=\"port\"} 1\n"));
	assert_non_null(strstr(reply.text, "viaduct_map_entries{map=\"vd_flow4\"} 6\n"));
	vd_reply_clear(&reply);
}

static void test_kinds_explain_themselves(void **state)
{
	json_t *reply = fixture_get(*state, "GET", "/v1/kinds", NULL), *kind;
	bool found = false;
	size_t i;

	json_array_foreach (json_object_get(reply, "kinds"), i, kind) {
		assert_true(strlen(fixture_text(kind, "help")) > 10);
		if (!strcmp(fixture_text(kind, "kind"), "subnet"))
			found = true;
	}
	assert_true(found);
	json_decref(reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_version_names_the_host),
		TEST(test_apply_creates_and_then_changes_nothing),
		TEST(test_a_file_with_a_wrong_end_changes_nothing),
		TEST(test_bad_requests_get_a_sentence),
		TEST(test_garbage_and_oversize_are_refused),
		TEST(test_dry_run_and_diff_change_nothing),
		TEST(test_single_resources),
		TEST(test_deletion_takes_all_or_nothing),
		TEST(test_projects_do_not_meet),
		TEST(test_a_repeated_request_is_done_once),
		TEST(test_yaml_can_be_applied_again),
		TEST(test_wait_is_for_living_hosts),
		TEST(test_wait_is_for_a_gateway),
		cmocka_unit_test(test_daemon_stops_while_somebody_waits),
		TEST(test_applies_at_once_never_give_one_address_twice),
		TEST(test_watch_shows_what_is_and_what_becomes),
		TEST(test_metrics_are_prometheus_text),
		TEST(test_kinds_explain_themselves),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
