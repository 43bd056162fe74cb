/* SPDX-License-Identifier: Apache-2.0 */
/* R-CTR-6: what Docker asks its driver "viaduct", and what the driver asks the daemon for it. */
#include "docker/driver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* One question is expected, with these arguments (NULL: whatever they are), and answered so. */
struct script {
	enum vd_docker_question question;
	const char *arguments, *reply;
};

struct daemon {
	const struct script *scripts;
	size_t at;
};

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static int ask(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct daemon *daemon = userdata;
	const struct script *script = &daemon->scripts[daemon->at++];

	assert_int_equal(question, script->question);
	if (script->arguments) {
		json_t *wanted = load(script->arguments);

		if (!json_equal((json_t *)arguments, wanted))
			fail_msg("asked %s", json_dumps(arguments, JSON_SORT_KEYS));
		json_decref(wanted);
	}
	if (!script->reply)
		return vd_error_set(error, -EADDRINUSE, "address 10.0.2.5: a container has it");
	*ret = load(script->reply);
	return 0;
}

static void assert_answer(const struct script *scripts, const char *path, const char *request, unsigned status, const char *answer)
{
	struct daemon state = {scripts};
	const struct vd_docker_daemon daemon = {ask, &state};
	unsigned is_status = 0;
	json_t *is = vd_docker_answer(&daemon, path, request, strlen(request), &is_status), *wanted = load(answer);

	assert_int_equal(is_status, status);
	if (!json_equal(is, wanted))
		fail_msg("answered %s", json_dumps(is, JSON_SORT_KEYS));
	json_decref(is);
	json_decref(wanted);
}

#define NETWORKS \
	"{\"networks\": [{\"name\": \"default/pods\", \"cidrs\": [\"10.0.0.0/16\", \"fd00::/48\"]}, {\"name\": \"acme/web\", " \
	"\"cidrs\": " \
	"[\"10.9.0.0/16\"]}]}"

static void test_plugin_says_what_it_is(void **state)
{
	assert_answer(NULL, "/Plugin.Activate", "", 200, "{\"Implements\": [\"NetworkDriver\", \"IpamDriver\"]}");
	assert_answer(NULL, "/NetworkDriver.GetCapabilities", "", 200, "{\"Scope\": \"local\", \"ConnectivityScope\": \"global\"}");
	assert_answer(NULL, "/NetworkDriver.Unheard", "{}", 404, "{\"Err\": \"viaduct: there is no such method\"}");
	assert_answer(NULL, "/NetworkDriver.Join", "[", 400, "{\"Err\": \"viaduct: the request is no JSON object\"}");
}

static void test_pool_is_the_named_network(void **state)
{
	const struct script networks = {VD_DOCKER_QUESTION_NETWORKS, "{}", NETWORKS};

	assert_answer(&networks, "/IpamDriver.RequestPool", "{\"Pool\": \"\", \"Options\": {\"network\": \"pods\"}, \"V6\": false}",
		      200, "{\"PoolID\": \"4/default/pods\", \"Pool\": \"10.0.0.0/16\", \"Data\": {}}");
	assert_answer(&networks, "/IpamDriver.RequestPool", "{\"Options\": {\"network\": \"pods\"}, \"V6\": true}", 200,
		      "{\"PoolID\": \"6/default/pods\", \"Pool\": \"fd00::/48\", \"Data\": {}}");
	assert_answer(&networks, "/IpamDriver.RequestPool", "{\"Options\": {\"network\": \"acme/web\"}}", 200,
		      "{\"PoolID\": \"4/acme/web\", \"Pool\": \"10.9.0.0/16\", \"Data\": {}}");
	assert_answer(&networks, "/IpamDriver.RequestPool", "{\"Pool\": \"10.9.0.0/16\"}", 200,
		      "{\"PoolID\": \"4/acme/web\", \"Pool\": \"10.9.0.0/16\", \"Data\": {}}");
	assert_answer(&networks, "/IpamDriver.RequestPool", "{}", 500,
		      "{\"Err\": \"driver viaduct: say which container_network: --ipam-opt network=NAME\"}");
	assert_answer(&networks, "/IpamDriver.RequestPool", "{\"Options\": {\"network\": \"db\"}}", 500,
		      "{\"Err\": \"container_network db: there is none of that name\"}");
}

static void test_address_is_reserved_and_released(void **state)
{
	const struct script any = {VD_DOCKER_QUESTION_RESERVE,
				   "{\"network\": \"default/pods\", \"key\": \"docker-address/default/pods/\", \"family\": 4}",
				   "{\"address\": \"10.0.2.5/24\"}"};
	const struct script one = {
		VD_DOCKER_QUESTION_RESERVE,
		"{\"network\": \"default/pods\", \"key\": \"docker-address/default/pods/\", \"family\": 4, \"address\": "
		"\"10.0.2.5\"}",
		NULL};
	const struct script release = {VD_DOCKER_QUESTION_RELEASE, "{\"key\": \"docker-address/default/pods/10.0.2.5\"}", "{}"};

	assert_answer(&any, "/IpamDriver.RequestAddress", "{\"PoolID\": \"4/default/pods\", \"Address\": \"\"}", 200,
		      "{\"Address\": \"10.0.2.5/24\", \"Data\": {}}");
	assert_answer(&one, "/IpamDriver.RequestAddress", "{\"PoolID\": \"4/default/pods\", \"Address\": \"10.0.2.5\"}", 500,
		      "{\"Err\": \"address 10.0.2.5: a container has it\"}");
	assert_answer(&release, "/IpamDriver.ReleaseAddress", "{\"PoolID\": \"4/default/pods\", \"Address\": \"10.0.2.5\"}", 200,
		      "{}");
}

static void test_gateway_is_the_blocks_own(void **state)
{
	const struct script gateway = {
		VD_DOCKER_QUESTION_RESERVE,
		"{\"network\": \"default/pods\", \"key\": \"docker-gateway\", \"family\": 4, \"gateway\": true}",
		"{\"address\": \"10.0.2.1/24\"}"};

	assert_answer(&gateway, "/IpamDriver.RequestAddress",
		      "{\"PoolID\": \"4/default/pods\", \"Options\": {\"RequestAddressType\": \"com.docker.network.gateway\"}}",
		      200, "{\"Address\": \"10.0.2.1/24\", \"Data\": {}}");
	assert_answer(&gateway, "/IpamDriver.RequestAddress",
		      "{\"PoolID\": \"4/default/pods\", \"Address\": \"10.0.2.9\", \"Options\": {\"RequestAddressType\": "
		      "\"com.docker.network.gateway\"}}",
		      500, "{\"Err\": \"container_network default/pods: its gateway here is 10.0.2.1/24: leave --gateway away\"}");
}

static void test_network_needs_our_addresses(void **state)
{
	assert_answer(NULL, "/NetworkDriver.CreateNetwork",
		      "{\"NetworkID\": \"n\", \"IPv4Data\": [{\"AddressSpace\": \"viaduct\"}]}", 200, "{}");
	assert_answer(
		NULL, "/NetworkDriver.CreateNetwork",
		"{\"NetworkID\": \"n\", \"IPv4Data\": [{\"AddressSpace\": \"LocalDefault\"}]}", 500,
		"{\"Err\": \"driver viaduct: addresses come from the node's block: create the network with --ipam-driver viaduct "
		"--ipam-opt network=NAME\"}");
}

#define LIST \
	"{\"containers\": [{\"key\": \"docker-address/default/pods/10.0.2.5\", \"network\": \"default/pods\", \"addresses\": " \
	"[\"10.0.2.5/24\"]}, {\"key\": \"docker/e1\", \"network\": \"default/pods\", \"peer_ifname\": \"vdp1\", \"gateways\": " \
	"[\"10.0.2.1\"], \"routes\": []}]}"

static void test_endpoint_uses_its_reservation(void **state)
{
	const struct script scripts[] = {
		{VD_DOCKER_QUESTION_LIST, "{}", LIST},
		{VD_DOCKER_QUESTION_ADD,
		 "{\"network\": \"default/pods\", \"key\": \"docker/e1\", \"addresses\": [\"10.0.2.5\"], \"reserved\": "
		 "[\"docker-address/default/pods/10.0.2.5\"], \"move\": true}",
		 "{\"mac\": \"02:00:00:00:00:05\"}"},
	};

	assert_answer(scripts, "/NetworkDriver.CreateEndpoint",
		      "{\"NetworkID\": \"n\", \"EndpointID\": \"e1\", \"Interface\": {\"Address\": \"10.0.2.5/24\", "
		      "\"AddressIPv6\": \"\"}}",
		      200, "{\"Interface\": {\"MacAddress\": \"02:00:00:00:00:05\"}}");
	assert_answer(
		scripts, "/NetworkDriver.CreateEndpoint",
		"{\"EndpointID\": \"e1\", \"Interface\": {\"Address\": \"172.18.0.2/16\"}}", 500,
		"{\"Err\": \"address 172.18.0.2: the IPAM driver viaduct did not give it: create the network with --ipam-driver "
		"viaduct\"}");
	assert_answer(NULL, "/NetworkDriver.CreateEndpoint",
		      "{\"EndpointID\": \"e1\", \"Interface\": {\"MacAddress\": \"02:00:00:00:00:09\"}}", 500,
		      "{\"Err\": \"driver viaduct: a container's MAC is made by the daemon: leave --mac-address away\"}");
}

static void test_join_hands_over_the_interface(void **state)
{
	const struct script list = {VD_DOCKER_QUESTION_LIST, "{}", LIST};

	assert_answer(&list, "/NetworkDriver.Join", "{\"EndpointID\": \"e1\"}", 200,
		      "{\"InterfaceName\": {\"SrcName\": \"vdp1\", \"DstPrefix\": \"eth\"}, \"Gateway\": \"10.0.2.1\"}");
	assert_answer(&list, "/NetworkDriver.Join", "{\"EndpointID\": \"e2\"}", 500,
		      "{\"Err\": \"endpoint e2: the daemon does not know it (any more): start the container again\"}");
}

static void test_delete_ends_the_endpoint(void **state)
{
	const struct script end = {VD_DOCKER_QUESTION_DELETE, "{\"key\": \"docker/e1\"}", "{}"};

	assert_answer(&end, "/NetworkDriver.DeleteEndpoint", "{\"EndpointID\": \"e1\"}", 200, "{}");
	assert_answer(NULL, "/NetworkDriver.DeleteEndpoint", "{}", 500, "{\"Err\": \"viaduct: the request has no EndpointID\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin_says_what_it_is),           cmocka_unit_test(test_pool_is_the_named_network),
		cmocka_unit_test(test_address_is_reserved_and_released), cmocka_unit_test(test_gateway_is_the_blocks_own),
		cmocka_unit_test(test_network_needs_our_addresses),      cmocka_unit_test(test_endpoint_uses_its_reservation),
		cmocka_unit_test(test_join_hands_over_the_interface),    cmocka_unit_test(test_delete_ends_the_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
