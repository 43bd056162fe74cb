/* SPDX-License-Identifier: Apache-2.0 */
#include "services/metadata/metadata.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SUBNET(dhcp) \
	"{\"kind\":\"subnet\",\"id\":3,\"name\":\"nodes\",\"cidr4\":\"10.0.0.0/24\",\"gateway4\":\"10.0.0.1\",\"dhcp\":" dhcp \
	",\"lease\":600,\"dns\":[],\"domain\":\"demo.internal\"}"

static void put(struct vd_router_state *state, const char *text)
{
	json_t *record = json_loads(text, 0, NULL);
	struct vd_error error = {};

	assert_non_null(record);
	if (vd_router_state_put(state, record, &error) < 0)
		fail_msg("%s", error.text);
	json_decref(record);
}

static int setup(void **state)
{
	*state = vd_router_state_new();
	put(*state, SUBNET("true"));
	put(*state,
	    "{\"kind\":\"port\",\"id\":7,\"name\":\"web1\",\"hostname\":\"web-one\",\"mac\":\"02:00:00:00:00:07\",\"subnet\":3,"
	    "\"addresses\":[\"10.0.0.2/24\"],\"default\":true,\"vpc_cidrs\":[\"10.0.0.0/8\"],\"mtu\":1450,\"user_data\":\"#!/bin/"
	    "sh\\n\","
	    "\"ssh_keys\":[\"ssh-rsa A \\\"me\\\"\",\"b\"]}");
	put(*state, "{\"kind\":\"port\",\"id\":8,\"name\":\"web2\",\"mac\":\"02:00:00:00:00:08\",\"subnet\":3,\"addresses\":[\"10."
		    "0.0.3/24\"],"
		    "\"default\":false,\"vpc_cidrs\":[\"10.0.0.0/8\"],\"mtu\":1450,\"ssh_keys\":[]}");
	return 0;
}

static int teardown(void **state)
{
	vd_router_state_free(*state);
	return 0;
}

static unsigned get(struct vd_router_state *state, const char *client, const char *path, char ret[1024])
{
	struct vd_metadata answer;
	struct vd_address address;

	assert_int_equal(vd_address_parse(client, &address), 0);
	assert_int_equal(vd_metadata_get(state, &address, path, &answer), 0);
	assert_int_equal(strlen(answer.body), answer.size);
	snprintf(ret, 1024, "%s", answer.body);
	free(answer.body);
	return answer.status;
}

static void assert_body(struct vd_router_state *state, const char *client, const char *path, const char *body)
{
	char said[1024];

	assert_int_equal(get(state, client, path, said), 200);
	assert_string_equal(said, body);
}

static void assert_absent(struct vd_router_state *state, const char *client, const char *path)
{
	char said[1024];

	assert_int_equal(get(state, client, path, said), 404);
}

static void test_each_instance_reads_its_own(void **state)
{
	assert_body(*state, "10.0.0.2", "/meta-data",
		    "instance-id: i-00000007\nlocal-hostname: \"web-one\"\nlocal-ipv4: 10.0.0.2\nmac: \"02:00:00:00:00:07\"\n"
		    "public-keys:\n  - \"ssh-rsa A \\\"me\\\"\"\n  - \"b\"\n");
	assert_body(*state, "10.0.0.2", "/user-data", "#!/bin/sh\n");
	assert_body(*state, "10.0.0.2", "/vendor-data", "");
	assert_body(*state, "10.0.0.3", "/user-data", "");
	assert_body(*state, "10.0.0.3", "/latest/meta-data/local-hostname", "web2");
	assert_absent(*state, "10.0.0.3", "/latest/user-data");
	assert_absent(*state, "10.0.0.3", "/latest/meta-data/public-keys/");
	assert_absent(*state, "10.0.0.4", "/meta-data");
	assert_absent(*state, "fd00::2", "/meta-data");
}

static void test_paths_of_ec2(void **state)
{
	assert_body(*state, "10.0.0.2", "/latest/meta-data/instance-id", "i-00000007");
	assert_body(*state, "10.0.0.2", "/latest/meta-data/local-ipv4", "10.0.0.2");
	assert_body(*state, "10.0.0.2", "/latest/meta-data/mac", "02:00:00:00:00:07");
	assert_body(*state, "10.0.0.2", "/latest/meta-data/public-keys/", "0=key0\n1=key1");
	assert_body(*state, "10.0.0.2", "/latest/meta-data/public-keys/0/", "openssh-key");
	assert_body(*state, "10.0.0.2", "/latest/meta-data/public-keys/1/openssh-key", "b");
	assert_body(*state, "10.0.0.2", "/latest/user-data", "#!/bin/sh\n");
	assert_absent(*state, "10.0.0.2", "/latest/meta-data/public-keys/2/openssh-key");
	assert_absent(*state, "10.0.0.2", "/latest/meta-data/public-keys/99999999999999999999/openssh-key");
	assert_absent(*state, "10.0.0.2", "/latest/meta-data/public-keys/0/other");
	assert_absent(*state, "10.0.0.2", "/latest/meta-data/ipv6");
	assert_absent(*state, "10.0.0.2", "");
}

static void test_network_follows_dhcp(void **state)
{
	assert_body(*state, "10.0.0.2", "/network-config",
		    "version: 2\nethernets:\n  primary:\n    match:\n      macaddress: \"02:00:00:00:00:07\"\n    mtu: 1450\n    "
		    "dhcp4: true\n"
		    "    dhcp6: false\n");
	put(*state, SUBNET("false"));
	assert_body(*state, "10.0.0.3", "/network-config",
		    "version: 2\nethernets:\n  primary:\n    match:\n      macaddress: \"02:00:00:00:00:08\"\n    mtu: 1450\n    "
		    "addresses:\n"
		    "      - \"10.0.0.3/24\"\n    routes:\n      - {to: \"10.0.0.0/8\", via: \"10.0.0.1\"}\n    nameservers:\n"
		    "      addresses: [\"10.0.0.1\"]\n      search: [\"demo.internal\"]\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_instance_reads_its_own),
		TEST(test_paths_of_ec2),
		TEST(test_network_follows_dhcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
