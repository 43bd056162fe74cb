/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SUBNET \
	"{'kind':'subnet','id':3,'name':'nodes','cidr4':'10.0.0.0/24','gateway4':'10.0.0.1','cidr6':'fd00::/" \
	"64','gateway6':'fd00::1'," \
	"'dhcp':true,'dhcp_address':'10.0.0.254','lease':600,'dns':['192.0.2.53','2001:db8::53'],'domain':'demo.internal'}"
#define PORT \
	"{'kind':'port','id':7,'name':'web1','hostname':'','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/" \
	"24','fd00::2/64']," \
	"'default':true,'vpc_cidrs':['10.0.0.0/8'],'mtu':1450,'ssh_keys':['a','b'],'of_a_later_version':[]}"

/* JSON with apostrophes for quotation marks. */
static json_t *json(const char *text)
{
	char copy[1024];
	json_t *value;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	return value;
}

static int put(struct vd_router_state *state, const char *text, struct vd_error *error)
{
	json_t *value = json(text);
	int result = vd_router_state_put(state, value, error);

	json_decref(value);
	return result;
}

static int take(struct vd_router_state *state, const char *text, struct vd_error *error)
{
	json_t *value = json(text);
	int result = vd_router_state_remove(state, value, error);

	json_decref(value);
	return result;
}

static struct vd_address address(const char *text)
{
	struct vd_address parsed;

	assert_int_equal(vd_address_parse(text, &parsed), 0);
	return parsed;
}

static int setup(void **ret)
{
	*ret = vd_router_state_new();
	return !*ret;
}

static int teardown(void **state)
{
	vd_router_state_free(*state);
	return 0;
}

static void test_records_are_found_by_each_key(void **data)
{
	struct vd_router_state *state = *data;
	struct vd_mac mac = {{2, 0, 0, 0, 0, 7}};
	struct vd_address address6 = address("fd00::2");

	assert_int_equal(put(state, "{'kind':'router','vpc':'demo','project':'default','mtu':1450}", NULL), 0);
	assert_int_equal(put(state, PORT, NULL), 0);
	assert_int_equal(put(state, SUBNET, NULL), 0);
	assert_string_equal(vd_router_state_router(state)->vpc, "demo");

	const struct vd_router_port *port = vd_router_state_port(state, 7);
	assert_non_null(port);
	assert_string_equal(port->hostname, "web1");
	assert_string_equal(port->user_data, "");
	assert_int_equal(port->ssh_key_count, 2);
	assert_int_equal(port->vpc_cidr_count, 1);
	assert_true(port->is_default);
	assert_ptr_equal(vd_router_state_port_by_mac(state, &mac), port);
	assert_ptr_equal(vd_router_state_port_by_address(state, &address6), port);

	const struct vd_router_subnet *subnet = vd_router_state_subnet(state, port->subnet);
	assert_non_null(subnet);
	assert_int_equal(subnet->dns_count, 2);
	assert_int_equal(subnet->cidr6.length, 64);
	assert_int_equal(subnet->lease, 600);

	mac.bytes[5] = 8;
	assert_null(vd_router_state_port_by_mac(state, &mac));
	assert_null(vd_router_state_subnet(state, 4));
}

static void test_a_new_put_replaces_all_keys(void **data)
{
	struct vd_router_state *state = *data;
	struct vd_mac old_mac = {{2, 0, 0, 0, 0, 7}}, new_mac = {{2, 0, 0, 0, 0, 9}};
	struct vd_address old_address = address("10.0.0.2"), new_address = address("10.0.0.9");

	assert_int_equal(put(state, PORT, NULL), 0);
	uint64_t revision = vd_router_state_revision(state);
	assert_int_equal(put(state,
			     "{'kind':'port','id':7,'name':'web1','mac':'02:00:00:00:00:09','subnet':3,'addresses':['10.0.0.9/24'],"
			     "'mtu':1450}",
			     NULL),
			 0);
	assert_true(vd_router_state_revision(state) > revision);
	assert_null(vd_router_state_port_by_mac(state, &old_mac));
	assert_null(vd_router_state_port_by_address(state, &old_address));
	assert_non_null(vd_router_state_port_by_mac(state, &new_mac));
	assert_non_null(vd_router_state_port_by_address(state, &new_address));
}

/* A MAC that goes from one port to another in whatever order the two messages come. */
static void test_a_mac_may_be_of_two_for_a_moment(void **data)
{
	struct vd_router_state *state = *data;
	struct vd_mac mac = {{2, 0, 0, 0, 0, 7}};
	struct vd_address ip = address("10.0.0.2");

	assert_int_equal(put(state, PORT, NULL), 0);
	assert_int_equal(put(state,
			     "{'kind':'port','id':8,'name':'web2','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/24'],"
			     "'mtu':1450}",
			     NULL),
			 0);
	assert_int_equal(take(state, "{'kind':'port','id':7}", NULL), 0);
	assert_int_equal(vd_router_state_port_by_mac(state, &mac)->id, 8);
	assert_int_equal(vd_router_state_port_by_address(state, &ip)->id, 8);
}

static void test_names_go_both_ways(void **data)
{
	struct vd_router_state *state = *data;
	struct vd_address ip = address("10.0.0.2");
	const struct vd_router_name *name;

	assert_int_equal(put(state, "{'kind':'name','address':'10.0.0.2','name':'web1','port':7}", NULL), 0);
	assert_int_equal(put(state, "{'kind':'name','address':'fd00::2','name':'web1','port':7}", NULL), 0);
	assert_int_equal(put(state, "{'kind':'name','address':'10.0.0.3','name':'db1','port':8}", NULL), 0);
	assert_string_equal(vd_router_state_name_by_address(state, &ip)->name, "web1");
	name = vd_router_state_addresses_by_name(state, "WEB1");
	assert_non_null(name);
	assert_non_null(name->next);
	assert_null(name->next->next);

	/* The address changes hands; then it goes. */
	assert_int_equal(put(state, "{'kind':'name','address':'10.0.0.2','name':'db1','port':8}", NULL), 0);
	name = vd_router_state_addresses_by_name(state, "web1");
	assert_int_equal(name->address.family, VD_FAMILY_IPV6);
	assert_null(name->next);
	assert_int_equal(take(state, "{'kind':'name','address':'fd00::2'}", NULL), 0);
	assert_int_equal(take(state, "{'kind':'name','address':'fd00::2'}", NULL), 0);
	assert_null(vd_router_state_addresses_by_name(state, "web1"));
	assert_non_null(vd_router_state_addresses_by_name(state, "db1")->next);
}

static void test_what_is_not_in_a_full_set_goes(void **data)
{
	struct vd_router_state *state = *data;

	assert_int_equal(put(state, PORT, NULL), 0);
	assert_int_equal(put(state, SUBNET, NULL), 0);
	vd_router_state_commit(state);
	assert_non_null(vd_router_state_port(state, 7));

	vd_router_state_begin(state);
	assert_int_equal(put(state, SUBNET, NULL), 0);
	assert_non_null(vd_router_state_port(state, 7));
	vd_router_state_commit(state);
	assert_null(vd_router_state_port(state, 7));
	assert_non_null(vd_router_state_subnet(state, 3));
}

static int count_port(const struct vd_router_port *port, void *userdata)
{
	uint32_t *last = userdata;

	assert_true(port->id > *last);
	*last = port->id;
	return port->id == 12;
}

static void test_ports_are_visited_in_order(void **data)
{
	struct vd_router_state *state = *data;
	uint32_t last = 0;

	for (int id = 15; id > 0; id--) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{'kind':'port','id':%d,'name':'p','mac':'02:00:00:00:00:%02x','subnet':3,'addresses':[],'mtu':1450}", id,
			 id);
		assert_int_equal(put(state, text, NULL), 0);
	}
	assert_int_equal(vd_router_state_each_port(state, count_port, &last), 1);
	assert_int_equal(last, 12);
}

static void test_bad_records_are_refused_with_a_sentence(void **data)
{
	static const struct {
		const char *text, *sentence;
	} bad[] = {
		{"{}", "the field 'kind' is missing: it is router, subnet, port or name"},
		{"[]", "the field 'kind' is missing: it is router, subnet, port or name"},
		{"{'kind':'listener'}", "unknown kind 'listener': it is router, subnet, port or name"},
		{"{'kind':'router','vpc':'demo','project':'default'}", "router: the field 'mtu' is missing"},
		{"{'kind':'router','vpc':'demo','project':7,'mtu':1450}", "router: the field 'project' must be a text"},
		{"{'kind':'router','vpc':'demo','project':'p','mtu':65536}",
		 "router: the field 'mtu' must be a number in its range"},
		{"{'kind':'subnet','id':0}", "subnet: the field 'id' must be a number in its range"},
		{"{'kind':'subnet','id':4294967296}", "subnet: the field 'id' must be a number in its range"},
		{"{'kind':'subnet','id':1,'name':'n','cidr4':'fd00::/64'}", "subnet: the field 'cidr4' must be an IPv4 CIDR"},
		{"{'kind':'subnet','id':1,'name':'n','dhcp':1}", "subnet: the field 'dhcp' must be true or false"},
		{"{'kind':'subnet','id':1,'name':'n','dhcp':true,'lease':60,'dns':['a']}",
		 "subnet: the field 'dns' must be a list of addresses"},
		{"{'kind':'subnet','id':1,'name':'n','dhcp':true,'lease':60,'dns':['::1','::1','::1','::1','::1']}",
		 "subnet: the field 'dns' must be a list of addresses"},
		{"{'kind':'port','id':1,'name':'n','mac':'x'}",
		 "port: the field 'mac' must be a MAC address like 02:00:00:00:00:01"},
		{"{'kind':'port','id':1,'name':'n','mac':'02:00:00:00:00:01','subnet':1,'addresses':['10.0.0.1/24','10.0.0.1/33']}",
		 "port: the field 'addresses' must be a list of addresses like 10.0.0.2/24"},
		{"{'kind':'port','id':1,'name':'n','mac':'02:00:00:00:00:01','subnet':1,'addresses':[],'mtu':1450,'ssh_keys':['a',"
		 "1]}",
		 "port: the field 'ssh_keys' must be a list of texts"},
		{"{'kind':'name','name':'n'}", "name: the field 'address' is missing"},
	};
	struct vd_router_state *state = *data;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vd_error error = {};

		assert_int_equal(put(state, bad[i].text, &error), -EINVAL);
		assert_string_equal(error.text, bad[i].sentence);
	}
	assert_int_equal(vd_router_state_revision(state), 0);
	struct vd_error error = {};
	assert_int_equal(take(state, "{'kind':'port'}", &error), -EINVAL);
	assert_string_equal(error.text, "port: the field 'id' is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records_are_found_by_each_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_put_replaces_all_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_mac_may_be_of_two_for_a_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_go_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_in_a_full_set_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports_are_visited_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_records_are_refused_with_a_sentence, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
