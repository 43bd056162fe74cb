/* SPDX-License-Identifier: Apache-2.0 */
#include "model/resource.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Test documents are written with ' for ", to stay readable in C. */
static json_t *json(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *value;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, 0, &error);
	if (!value)
		fail_msg("%s: %s", error.text, text);
	free(copy);
	return value;
}

static struct vd_resource *parse(const char *text, json_t *notes)
{
	json_t *document = json(text);
	struct vd_error error = {};
	struct vd_resource *resource = NULL;
	int r = vd_resource_parse(document, notes, &resource, &error);

	if (r < 0)
		fail_msg("%s", error.text);
	json_decref(document);
	return resource;
}

static struct vd_resource *decode(enum vd_kind kind, const char *project, const char *name, const char *text)
{
	struct vd_resource *resource = NULL;
	struct vd_error error = {};

	if (vd_resource_decode(kind, project, name, text, strlen(text), &resource, &error) < 0)
		fail_msg("%s", error.text);
	return resource;
}

static void assert_document(const struct vd_resource *resource, const char *expected)
{
	json_t *document = vd_resource_document(resource), *wanted = json(expected);
	char *text = json_dumps(document, JSON_COMPACT), *wanted_text = json_dumps(wanted, JSON_COMPACT);

	assert_string_equal(text, wanted_text);
	free(text);
	free(wanted_text);
	json_decref(document);
	json_decref(wanted);
}

/* R-NET-10: every kind takes a description; and every field that a user writes comes back. */
static void test_documents_come_back_normalised(void **state)
{
	static const struct {
		const char *text, *normal;
	} cases[] = {
		{"{'kind':'host','name':'h1','description':'rack 3'}", "{'kind':'host','name':'h1','description':'rack 3'}"},
		{"{'kind':'vxlan_pool','name':'p','description':'d','vnis':'5000-5999','vtep_cidr':'192.168.29.1/24','host':'h1'}",
		 "{'kind':'vxlan_pool','name':'p','description':'d','vnis':'5000-5999','vtep_cidr':'192.168.29.0/"
		 "24','hosts':['h1']}"},
		{"{'kind':'vxlan_pool','name':'p','vnis':7}", "{'kind':'vxlan_pool','name':'p','vnis':'7-7'}"},
		{"{'kind':'vpc','name':'demo','description':'d','cidr':'192.168.0.0/16'}",
		 "{'kind':'vpc','name':'demo','description':'d','cidrs':['192.168.0.0/"
		 "16'],'vxlan_pool':'default','router_profile':'default','route_quota':50,'networks':[]}"},
		{"{'name':'demo','kind':'vpc','project':'acme','cidrs':['192.168.0.0/16','fd00:10::/48'],'vni':12}",
		 "{'kind':'vpc','name':'demo','project':'acme','cidrs':['192.168.0.0/16','fd00:10::/"
		 "48'],'vxlan_pool':'default','router_profile':'default','vni':12,"
		 "'route_quota':50,'networks':[]}"},
		{"{'kind':'route_table','name':'t','description':'d','vpcs':['a','b']}",
		 "{'kind':'route_table','name':'t','description':'d','vpcs':['a','b']}"},
		{"{'kind':'subnet','name':'s','description':'d','vpc':'demo','cidrs':['fd00:10::/64','192.168.0.7/"
		 "24'],'gateway':'192.168.0.254'}",
		 "{'kind':'subnet','name':'s','description':'d','vpc':'demo','cidrs':['fd00:10::/64','192.168.0.0/24'],"
		 "'gateways':['fd00:10::1','192.168.0.254'],'dhcp':true,'dhcp_lease':86400,'domain':'demo.internal','snat':true}"},
		{"{'kind':'subnet','name':'s','vpc':'demo','cidr':'10.0.0.0/"
		 "24','range':'10.0.0.100-10.0.0.199','dhcp_address':'10.0.0.3',"
		 "'dhcp_lease':60,'dns':['9.9.9.9','2620:fe::fe'],'domain':'lab.example'}",
		 "{'kind':'subnet','name':'s','vpc':'demo','cidrs':['10.0.0.0/24'],'gateways':['10.0.0.1'],"
		 "'ranges':['10.0.0.100-10.0.0.199'],'dhcp':true,'dhcp_address':'10.0.0.3','dhcp_lease':60,"
		 "'dns':['9.9.9.9','2620:fe::fe'],'domain':'lab.example','snat':true}"},
		{"{'kind':'router_profile','name':'small','cpu':0.5,'memory':'64M'}",
		 "{'kind':'router_profile','name':'small','cpu':0.5,'memory':'64M'}"},
		{"{'kind':'router_profile','name':'plain','cpu':2,'memory':1073741824}",
		 "{'kind':'router_profile','name':'plain','cpu':2,'memory':'1G'}"},
		{"{'kind':'router_profile','name':'odd','memory':33554433}",
		 "{'kind':'router_profile','name':'odd','cpu':1,'memory':33554433}"},
		{"{'kind':'security_group','name':'web','description':'d','network':'s'}",
		 "{'kind':'security_group','name':'web','description':'d','networks':['s']}"},
		{"{'kind':'security_group_rule','name':'ssh','group':'web','direction':'ingress','protocol':'tcp','port':'22-22'}",
		 "{'kind':'security_group_rule','name':'ssh','group':'web','direction':'ingress','protocol':'tcp','ports':22,"
		 "'default':false}"},
		{"{'kind':'security_group_rule','group':'web','direction':'egress','protocol':'udp','ports':'1-65535','remote_cidr'"
		 ":"
		 "'10.1.2.3/8','remote_group':'db'}",
		 "{'kind':'security_group_rule','group':'web','direction':'egress','protocol':'udp','ports':'1-65535',"
		 "'remote_cidr':'10.0.0.0/8','remote_group':'db','default':false}"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','icmp_type':8}",
		 "{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','icmp_type':8,'default':"
		 "false}"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','icmp_type':-1}",
		 "{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','default':false}"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','remote_group':'web','default':true}",
		 "{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'all','remote_group':'web','default'"
		 ":true}"},
		{"{'kind':'port','name':'a.b_','subnet':'s','security_groups':['web','db'],'user_data':'#!/bin/sh\\n',"
		 "'ssh_key':'ssh-ed25519 AAAA me'}",
		 "{'kind':'port','name':'a.b_','subnet':'s','default':false,'source_check':true,'security_groups':['db','web'],"
		 "'hostname':'a-b','user_data':'#!/bin/sh\\n','ssh_keys':['ssh-ed25519 AAAA me']}"},
		{"{'kind':'port','name':'ecs1','description':'d','subnet':'s','address':'192.168.0.2','mac':'02:00:00:00:00:0A','"
		 "default':true,"
		 "'source_check':false,'allowed_source':'10.0.2.0/24','instance':'vm1','host':'h1'}",
		 "{'kind':'port','name':'ecs1','description':'d','subnet':'s','addresses':['192.168.0.2'],'mac':'02:00:00:00:00:0a'"
		 ",'host':'h1',"
		 "'instance':'vm1','default':true,'source_check':false,'allowed_sources':['10.0.2.0/24'],'hostname':'ecs1'}"},
		{"{'kind':'port','name':'p','subnet':'s'}",
		 "{'kind':'port','name':'p','subnet':'s','default':false,'source_check':true,'hostname':'p'}"},
		{"{'kind':'route','description':'d','vpc':'demo','table':'main','destination':'10.0.2.1/"
		 "24','next_hop':{'address':'192.168.0.2'}}",
		 "{'kind':'route','description':'d','vpc':'demo','destination':'10.0.2.0/"
		 "24','next_hop':{'address':'192.168.0.2'}}"},
		{"{'kind':'route','table':'t','next_hop':{'blackhole':true}}",
		 "{'kind':'route','table':'t','destination':'0.0.0.0/0','next_hop':{'blackhole':true}}"},
		{"{'kind':'route','vpc':'demo','next_hop':{'peering':'p'}}",
		 "{'kind':'route','vpc':'demo','destination':'0.0.0.0/0','next_hop':{'peering':'p'}}"},
		{"{'kind':'peering','name':'p','description':'d','vpc':'a','peer':'b'}",
		 "{'kind':'peering','name':'p','description':'d','vpc':'a','peer':'b','routes':'auto'}"},
		{"{'kind':'container_network','name':'c','description':'d','cidr':'10.0.0.5/16'}",
		 "{'kind':'container_network','name':'c','description':'d','cidrs':['10.0.0.0/"
		 "16'],'block_size':24,'block_size6':112,"
		 "'mode':'tunnel','masquerade':true,'quarantine':300,'vxlan_pool':'default'}"},
		{"{'kind':'container_network','name':'c','cidrs':['10.0.0.0/16','fd00::/64'],'mode':'routed','vpc':'v',"
		 "'masquerade':false,'block_size':26,'block_size6':120,'quarantine':5,'vni':7}",
		 "{'kind':'container_network','name':'c','cidrs':['10.0.0.0/16','fd00::/64'],'block_size':26,'block_size6':120,"
		 "'mode':'routed','vpc':'v','provider':'vpc','masquerade':false,'quarantine':5,'vxlan_pool':'default','vni':7}"},
		{"{'kind':'container_network','name':'c','cidr':'10.0.0.0/16','mode':'routed'}",
		 "{'kind':'container_network','name':'c','cidrs':['10.0.0.0/16'],'block_size':24,'block_size6':112,'mode':'routed',"
		 "'provider':'host','masquerade':true,'quarantine':300,'vxlan_pool':'default'}"},
		{"{'kind':'container_network','name':'c','cidr':'10.0.0.0/16','mode':'routed','provider':'gateway','gateway':'h'}",
		 "{'kind':'container_network','name':'c','cidrs':['10.0.0.0/16'],'block_size':24,'block_size6':112,'mode':'routed',"
		 "'provider':'gateway','gateways':['h'],'masquerade':true,'quarantine':300,'vxlan_pool':'default'}"},
		{"{'kind':'container_network','name':'c','mode':'native','subnet':'s'}",
		 "{'kind':'container_network','name':'c','block_size':24,'block_size6':112,'mode':'native','subnet':'s',"
		 "'masquerade':true,'quarantine':300,'vxlan_pool':'default'}"},
		{"{'kind':'node','name':'n1','description':'d','container_network':'c','port':'p','lan':'rack 3'}",
		 "{'kind':'node','name':'n1','description':'d','container_networks':['c'],'port':'p','lan':'rack 3'}"},
		{"{'kind':'container_block','description':'d','container_network':'c','cidr':'10.0.2.0/24','node':'n1'}",
		 "{'kind':'container_block','description':'d','container_network':'c','cidr':'10.0.2.0/24','node':'n1'}"},
		{"{'kind':'container_block','container_network':'c','cidr':'10.0.2.5','port':'p'}",
		 "{'kind':'container_block','container_network':'c','cidr':'10.0.2.5/32','port':'p'}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_resource *first = parse(cases[i].text, NULL), *second, *clone;

		assert_document(first, cases[i].normal);
		second = parse(cases[i].normal, NULL);
		clone = vd_resource_clone(first);
		assert_true(vd_resource_equal(first, second));
		assert_true(vd_resource_equal(first, clone));
		vd_resource_unref(first);
		assert_true(vd_resource_equal(second, clone));
		vd_resource_unref(second);
		vd_resource_unref(clone);
	}
}

static void test_a_route_is_called_by_its_table_and_destination(void **state)
{
	struct vd_resource *route =
		parse("{'kind':'route','vpc':'demo','destination':'fd00:2::9/64','next_hop':{'address':'fd00::2'}}", NULL);

	assert_string_equal(route->name, "demo/fd00:2::/64");
	assert_true(((struct vd_route *)route)->table_is_vpc);
	vd_resource_unref(route);
}

/* A rule is called by its name, or by what it says; only in the first case a document has a name again. */
static void test_a_rule_is_called_by_its_group_and_name_or_content(void **state)
{
	static const struct {
		const char *fields, *name;
	} cases[] = {
		{"'direction':'ingress'", "web/ingress-all"},
		{"'direction':'ingress','protocol':'tcp','ports':'23-1024'", "web/ingress-tcp-23-1024"},
		{"'direction':'egress','protocol':'udp','port':53,'remote_cidr':'FD00::1/64'", "web/egress-udp-53-fd00::/64"},
		{"'direction':'egress','protocol':'icmp','icmp_type':0,'remote_cidr':'10.0.0.1/24','remote_group':'db'",
		 "web/egress-icmp-type0-10.0.0.0/24-db"},
		{"'direction':'ingress','remote_group':'web'", "web/ingress-all-web"},
		{"'direction':'ingress','remote_group':'web','default':true", "web/default-ingress"},
		{"'direction':'egress','remote_group':'web','default':true,'name':'default-egress'", "web/default-egress"},
		{"'direction':'egress','name':'all.out'", "web/all.out"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		struct vd_resource *rule, *again;
		json_t *document;
		char *record;

		snprintf(text, sizeof(text), "{'kind':'security_group_rule','group':'web',%s}", cases[i].fields);
		rule = parse(text, NULL);
		assert_string_equal(rule->name, cases[i].name);
		document = vd_resource_document(rule);
		if (strcmp(cases[i].name, "web/all.out") == 0)
			assert_string_equal(json_string_value(json_object_get(document, "name")), "all.out");
		else
			assert_null(json_object_get(document, "name"));
		json_decref(document);
		record = vd_resource_encode(rule);
		again = decode(VD_KIND_SECURITY_GROUP_RULE, "default", cases[i].name, record);
		assert_true(vd_resource_equal(rule, again));
		free(record);
		vd_resource_unref(again);
		vd_resource_unref(rule);
	}
}

/* Host bits are accepted, dropped, and said so: half of R-NET-3. */
static void test_host_bits_are_noted(void **state)
{
	json_t *notes = json_array();
	struct vd_resource *resource = parse("{'kind':'subnet','name':'s','vpc':'v','cidr':'172.18.0.10/24'}", notes);

	assert_int_equal(json_array_size(notes), 1);
	assert_string_equal(json_string_value(json_array_get(notes, 0)),
			    "subnet s: host bits of 172.18.0.10/24 dropped: 172.18.0.0/24");
	vd_resource_unref(resource);
	json_decref(notes);
}

static void test_bad_documents_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"[]", "a document must be a mapping that begins with kind: and name:"},
		{"{'name':'x'}", "the document has no kind; begin with kind: vpc, subnet, port, …"},
		{"{'kind':'subnets','name':'x'}", "unknown kind \"subnets\"; did you mean \"subnet\"?"},
		{"{'kind':'firewall','name':'x'}",
		 "unknown kind \"firewall\"; the kinds are host, vxlan_pool, network, router_profile, vpc, route_table, "
		 "subnet, security_group, security_group_rule, port, virtual_ip, elastic_ip, port_forward, peering, route, "
		 "policy_route, container_network, node and container_block"},
		{"{'kind':'claim','name':'x','#line':4}",
		 "line 4: unknown kind \"claim\"; the kinds are host, vxlan_pool, network, router_profile, vpc, route_table, "
		 "subnet, security_group, security_group_rule, port, virtual_ip, elastic_ip, port_forward, peering, route, "
		 "policy_route, container_network, node and container_block"},
		{"{'kind':7}",
		 "unknown kind \"(no text)\"; the kinds are host, vxlan_pool, network, router_profile, vpc, route_table, "
		 "subnet, security_group, security_group_rule, port, virtual_ip, elastic_ip, port_forward, peering, route, "
		 "policy_route, container_network, node and container_block"},
		{"{'kind':'vpc','cidr':'10.0.0.0/8'}",
		 "vpc: name is missing; it must be a name (1-63 of a-z 0-9 . _ -, a letter or digit first)"},
		{"{'kind':'vpc','name':'Demo','cidr':'10.0.0.0/8'}",
		 "vpc Demo: name must be a name (1-63 of a-z 0-9 . _ -, a letter or digit first), not \"Demo\""},
		{"{'kind':'vpc','name':12,'cidr':'10.0.0.0/8'}",
		 "vpc: name must be a name (1-63 of a-z 0-9 . _ -, a letter or digit first), not 12"},
		{"{'kind':'vpc','name':'demo','project':'meta','cidr':'10.0.0.0/8'}",
		 "vpc meta/demo: the project name \"meta\" is reserved; choose another"},
		{"{'kind':'vpc','name':'demo'}", "vpc demo: cidrs is missing; it must be a list of CIDRs like 192.168.0.0/24"},
		{"{'kind':'vpc','name':'demo','cidrs':[]}",
		 "vpc demo: cidrs is missing; it must be a list of CIDRs like 192.168.0.0/24"},
		{"{'kind':'vpc','name':'demo','cidrs':null}", "vpc demo: cidrs is empty; give it a value or leave it out"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','cidrs':['11.0.0.0/8']}",
		 "vpc demo: cidrs and cidr are one field; leave one out"},
		{"{'kind':'vpc','name':'demo','cidr':['10.0.0.0/8']}", "vpc demo: cidr takes one value; for a list write cidrs"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/33'}",
		 "vpc demo: cidrs must be a CIDR like 192.168.0.0/24, not \"10.0.0.0/33\""},
		{"{'kind':'vpc','name':'demo','cidrs':['10.0.0.0/8','10.1.0.0/16']}",
		 "vpc demo: its CIDRs 10.0.0.0/8 and 10.1.0.0/16 overlap; leave one out"},
		{"{'kind':'vpc','name':'demo','cidrs':['10.0.0.1/8','10.0.0.0/8']}", "vpc demo: cidrs names \"10.0.0.0/8\" twice"},
		/* R-NET-3: no range may contain link-local. */
		{"{'kind':'vpc','name':'demo','cidr':'169.254.3.0/24'}",
		 "vpc demo: CIDR 169.254.3.0/24 overlaps 169.254.0.0/16 (link-local), which no instance can use; take another"},
		{"{'kind':'vpc','name':'demo','cidr':'0.0.0.0/0'}",
		 "vpc demo: CIDR 0.0.0.0/0 overlaps 169.254.0.0/16 (link-local), which no instance can use; take another"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','vni':16777215}",
		 "vpc demo: vni must be from 1 to 16777214, not 16777215"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','vni':'12'}", "vpc demo: vni must be a whole number, not \"12\""},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','route_quota':0}",
		 "vpc demo: route_quota must be from 1 to 1000000, not 0"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','vxlanpool':'p'}",
		 "vpc demo: unknown field \"vxlanpool\"; did you mean \"vxlan_pool\"?"},
		{"{'kind':'vpc','name':'demo','cidr':'10.0.0.0/8','firewall':'p'}",
		 "vpc demo: unknown field \"firewall\"; \"viaduct explain vpc\" lists them"},
		{"{'kind':'host','name':'h1','project':'acme'}",
		 "host acme/h1: a host belongs to every project; leave out project: acme"},
		{"{'kind':'vxlan_pool','name':'p','vnis':'200-100'}",
		 "vxlan_pool p: vnis 200-100 end below their start; write the smaller number first"},
		{"{'kind':'vxlan_pool','name':'p','vnis':'1-16777215'}",
		 "vxlan_pool p: vnis 1-16777215 must lie inside 1-16777214 (16777215 and 16777216 are reserved)"},
		{"{'kind':'vxlan_pool','name':'p','vnis':'0-5'}",
		 "vxlan_pool p: vnis 0-5 must lie inside 1-16777214 (16777215 and 16777216 are reserved)"},
		{"{'kind':'vxlan_pool','name':'p','vnis':'few'}",
		 "vxlan_pool p: vnis must be a range of VNIs like 5000-5999, not \"few\""},
		{"{'kind':'vxlan_pool','name':'p','vnis':'1-5','hosts':['h1','h1']}", "vxlan_pool p: hosts names \"h1\" twice"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidrs':['10.0.0.0/24','10.0.1.0/24']}",
		 "subnet s: it has two CIDRs of IPv4; make a second subnet"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','gateway':'10.0.1.1'}",
		 "subnet s: gateway 10.0.1.1 lies outside its CIDRs; choose an address inside"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','gateway':'10.0.0.255'}",
		 "subnet s: gateway 10.0.0.255 is the network or broadcast address of 10.0.0.0/24; choose another"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','gateways':['10.0.0.1','10.0.0.2']}",
		 "subnet s: it has two gateways in 10.0.0.0/24; leave one out"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','firewall':true}",
		 "subnet s: unknown field \"firewall\"; \"viaduct explain subnet\" lists them"},
		/* R-SVC-2: what a DHCP address cannot be. */
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dhcp_address':'10.0.0.1'}",
		 "subnet s: dhcp_address 10.0.0.1 is its gateway; choose another"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dhcp_address':'10.0.0.255'}",
		 "subnet s: dhcp_address 10.0.0.255 is the network or broadcast address of 10.0.0.0/24; choose another"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dhcp_address':'10.0.1.2'}",
		 "subnet s: dhcp_address 10.0.1.2 lies outside its CIDRs (10.0.0.0/24); choose one inside"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidrs':['10.0.0.0/24','fd00::/64'],'dhcp_address':'fd00::5'}",
		 "subnet s: dhcp_address fd00::5 is no IPv4 address; DHCPv6 needs none"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dhcp':false,'dhcp_address':'10.0.0.3'}",
		 "subnet s: dhcp_address 10.0.0.3 is given while dhcp is false; leave one out"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dhcp_lease':59}",
		 "subnet s: dhcp_lease must be from 60 to 31536000, not 59"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/"
		 "24','dns':['1.1.1.1','1.1.1.2','1.1.1.3','1.1.1.4','1.1.1.5']}",
		 "subnet s: dns has 5 items, 4 are possible"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','dns':'10.0.0.1'}",
		 "subnet s: dns 10.0.0.1 is its gateway, which would ask itself; name the server that it asks"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','domain':'a..b'}",
		 "subnet s: domain \"a..b\" is no domain name like demo.internal"},
		/* R-NET-3: ranges. */
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','ranges':['10.0.0.9-10.0.1.9']}",
		 "subnet s: range 10.0.0.9-10.0.1.9 does not lie inside one of its CIDRs; choose one inside"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','ranges':['169.254.0.1-169.254.0.9']}",
		 "subnet s: range 169.254.0.1-169.254.0.9 does not lie inside one of its CIDRs; choose one inside"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','ranges':['10.0.0.9-10.0.0.2']}",
		 "subnet s: range 10.0.0.9-10.0.0.2 ends below its start; write the lower address first"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','ranges':['10.0.0.2-10.0.0.9','10.0.0.9-10.0.0.20']}",
		 "subnet s: ranges 10.0.0.2-10.0.0.9 and 10.0.0.9-10.0.0.20 overlap; make one of them"},
		{"{'kind':'subnet','name':'s','vpc':'v','cidr':'10.0.0.0/24','ranges':['10.0.0.2']}",
		 "subnet s: ranges must be a list of ranges like 192.168.0.10-192.168.0.99, not \"10.0.0.2\""},
		/* R-RTR-3 */
		{"{'kind':'router_profile','name':'p','cpu':0}",
		 "router_profile p: cpu must be a number of cores like 0.5, at least 0.01, not 0"},
		{"{'kind':'router_profile','name':'p','memory':'31M'}",
		 "router_profile p: memory must be an amount of memory like 64M or 1G, at least 32M, not \"31M\""},
		{"{'kind':'router_profile','name':'p','memory':'64MB'}",
		 "router_profile p: memory must be an amount of memory like 64M or 1G, at least 32M, not \"64MB\""},
		/* R-SG-1: what a rule cannot say. */
		{"{'kind':'security_group_rule','direction':'ingress'}",
		 "security_group_rule: group is missing; it must be a name (1-63 of a-z 0-9 . _ -, a letter or digit first)"},
		{"{'kind':'security_group_rule','group':'web'}",
		 "security_group_rule web/…: direction is missing; it must be ingress or egress"},
		{"{'kind':'security_group_rule','group':'web','direction':'in'}",
		 "security_group_rule web/in: direction must be ingress or egress, not \"in\""},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'sctp'}",
		 "security_group_rule web/ingress: protocol must be all, tcp, udp or icmp, not \"sctp\""},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','ports':'23-1024'}",
		 "security_group_rule web/ingress: ports mean nothing with protocol all; leave them out, or say tcp or udp"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','port':8}",
		 "security_group_rule web/ingress: ports mean nothing with protocol icmp; leave them out, or say tcp or udp"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'tcp','ports':0}",
		 "security_group_rule web/ingress: ports must be a port like 22 or a range like 23-1024, from 1 to 65535, not 0"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'tcp','ports':'0-5'}",
		 "security_group_rule web/ingress: ports must be a port like 22 or a range like 23-1024, from 1 to 65535, not "
		 "\"0-5\""},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'udp','ports':65536}",
		 "security_group_rule web/ingress: ports must be a port like 22 or a range like 23-1024, from 1 to 65535, not "
		 "65536"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'udp','ports':'1-65536'}",
		 "security_group_rule web/ingress: ports must be a port like 22 or a range like 23-1024, from 1 to 65535, not "
		 "\"1-65536\""},
		{"{'kind':'security_group_rule','name':'r','group':'web','direction':'ingress','protocol':'tcp','ports':'1024-23'}",
		 "security_group_rule web/r: ports 1024-23 end below their start; write 23-1024"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','icmp_type':256}",
		 "security_group_rule web/ingress: icmp_type must be an ICMP type from 0 to 255, or -1 for all, not 256"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'icmp','icmp_type':-2}",
		 "security_group_rule web/ingress: icmp_type must be an ICMP type from 0 to 255, or -1 for all, not -2"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','protocol':'tcp','icmp_type':8}",
		 "security_group_rule web/ingress: icmp_type means nothing with protocol tcp; leave it out, or say icmp"},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','remote_cidr':'10.0.0.0/33'}",
		 "security_group_rule web/ingress: remote_cidr must be a CIDR like 192.168.0.0/24, not \"10.0.0.0/33\""},
		{"{'kind':'security_group_rule','group':'web','direction':'ingress','remote_group':'db','default':true}",
		 "security_group_rule web/ingress: a default rule allows everything from or to its own group and nothing else; "
		 "leave "
		 "default out"},
		{"{'kind':'security_group_rule','name':'x','group':'web','direction':'ingress','remote_group':'web','default':"
		 "true}",
		 "security_group_rule web/x: the default rule's name is default-ingress; leave name out"},
		{"{'kind':'port','name':'p','subnet':'s','security_groups':['web','web']}",
		 "port p: security_groups names \"web\" twice"},
		{"{'kind':'port','name':'p','subnet':'s','hostname':'a.b'}",
		 "port p: hostname \"a.b\" is no DNS label; use 1-63 of a-z 0-9 -, neither first nor last a -"},
		{"{'kind':'port','name':'p','subnet':'s','address':'10.0.0'}",
		 "port p: addresses must be an address like 192.168.0.2 or fd00::2, not \"10.0.0\""},
		{"{'kind':'port','name':'p','subnet':'s','source_check':'no'}",
		 "port p: source_check must be true or false, not \"no\""},
		{"{'kind':'port','name':'p','subnet':'s','mac':'01:00:00:00:00:01'}",
		 "port p: mac 01:00:00:00:00:01 is a multicast address; its first byte must be even"},
		{"{'kind':'port','name':'p','subnet':'s','mac':'02:76:69:61:64:01'}",
		 "port p: mac 02:76:69:61:64:01 is the router's; choose another"},
		{"{'kind':'port','name':'p','subnet':'s','mac':'02:77:00:00:00:07'}",
		 "port p: mac 02:77:00:00:00:07 begins with 02:77, which ways out have inside tunnels; choose another"},
		{"{'kind':'port','name':'p','subnet':{'name':'s'}}",
		 "port p: subnet must be a name (1-63 of a-z 0-9 . _ -, a letter or digit first), not a mapping"},
		{"{'kind':'route','next_hop':{'blackhole':true}}",
		 "route: it stands in no table; name one with vpc: (its main table) or table:"},
		{"{'kind':'route','table':'main','next_hop':{'blackhole':true}}",
		 "route main/0.0.0.0/0: table: main needs vpc: beside it, to say whose"},
		{"{'kind':'route','vpc':'v','table':'t','next_hop':{'blackhole':true}}",
		 "route v/0.0.0.0/0: it names a vpc (for its main table) and a table; leave one out, a table says itself which "
		 "VPCs use it"},
		{"{'kind':'route','vpc':'v','destination':'10.0.2.0/24'}",
		 "route v/10.0.2.0/24: next_hop is missing; it must be "
		 "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}"},
		{"{'kind':'route','vpc':'v','next_hop':{'vpn':'web'}}",
		 "route v/0.0.0.0/0: next_hop: vpn is not supported yet; write "
		 "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}"},
		{"{'kind':'route','vpc':'v','next_hop':{'address':'10.0.0.2','blackhole':true}}",
		 "route v/0.0.0.0/0: next_hop must be one of "
		 "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}; "
		 "look at "
		 "\"blackhole\""},
		{"{'kind':'route','vpc':'v','next_hop':'10.0.0.2'}",
		 "route v/0.0.0.0/0: next_hop must be one of "
		 "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}"},
		{"{'kind':'route','vpc':'v','next_hop':{'address':'fd00::2'}}",
		 "route v/0.0.0.0/0: next hop fd00::2 is not of the destination's family; give one of IPv4"},
		{"{'kind':'route','name':'r','vpc':'v','next_hop':{'blackhole':true}}",
		 "route v/0.0.0.0/0: unknown field \"name\"; \"viaduct explain route\" lists them"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *document = json(cases[i].text);
		struct vd_resource *resource = (void *)1;
		struct vd_error error = {};

		assert_int_equal(vd_resource_parse(document, NULL, &resource, &error), -EINVAL);
		assert_string_equal(error.text, cases[i].sentence);
		assert_ptr_equal(resource, (void *)1);
		json_decref(document);
	}
}

static void test_records_round_trip_with_what_was_assigned(void **state)
{
	struct vd_resource *resource = parse("{'kind':'port','name':'p','project':'acme','subnet':'s','description':'d'}", NULL),
			   *again;
	struct vd_port *port = (struct vd_port *)resource;
	char *text;

	resource->id = 7;
	port->assigned_addresses = calloc(1, sizeof(*port->assigned_addresses));
	port->assigned_address_count = 1;
	vd_address_parse("fd00::2", &port->assigned_addresses[0]);
	vd_mac_parse("02:76:00:00:00:07", &port->assigned_mac);
	text = vd_resource_encode(resource);
	assert_string_equal(
		text, "{\"spec\":{\"kind\":\"port\",\"name\":\"p\",\"project\":\"acme\",\"description\":\"d\",\"subnet\":\"s\","
		      "\"default\":false,\"source_check\":true,\"hostname\":\"p\"},"
		      "\"assigned\":{\"id\":7,\"addresses\":[\"fd00::2\"],\"mac\":\"02:76:00:00:00:07\"}}");
	again = decode(VD_KIND_PORT, "acme", "p", text);
	assert_true(vd_resource_equal(resource, again));
	free(text);
	vd_resource_unref(again);
	vd_resource_unref(resource);
}

static void test_texts_have_a_limit(void **state)
{
	static const struct {
		const char *field;
		size_t size;
		const char *sentence;
	} cases[] = {
		{"user_data", 65537, "port p: user_data has 65537 bytes, 65536 are possible"},
		{"ssh_keys", 16385, "port p: ssh_keys has 16385 bytes, 16384 are possible"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = calloc(1, cases[i].size + 1);
		struct vd_resource *resource = NULL;
		struct vd_error error = {};
		json_t *document;

		memset(text, 'x', cases[i].size);
		document = json_pack("{s:s, s:s, s:s, s:s}", "kind", "port", "name", "p", "subnet", "s", cases[i].field, text);
		assert_int_equal(vd_resource_parse(document, NULL, &resource, &error), -EINVAL);
		assert_string_equal(error.text, cases[i].sentence);
		text[cases[i].size - 1] = '\0';
		json_object_set_new(document, cases[i].field, json_string(text));
		assert_int_equal(vd_resource_parse(document, NULL, &resource, &error), 0);
		vd_resource_unref(resource);
		json_decref(document);
		free(text);
	}
}

static void test_facts_round_trip(void **state)
{
	static const char claim[] =
		"{\"machine_id\":\"m\",\"boot_id\":\"b\",\"underlay\":\"10.0.0.1\",\"underlay_mtu\":1500,"
		"\"addresses\":[\"10.0.0.1\",\"fd00::1\"],\"api\":\"https://10.0.0.1:7071\",\"version\":\"0.1.0\","
		"\"lan\":\"10.0.0.0/24\",\"occupied\":[{\"name\":\"docker0\",\"prefix\":\"172.17.0.0/16\"}]}";
	static const char attachment[] =
		"{\"host\":\"h1\",\"boot_id\":\"b\",\"type\":\"netns\",\"ifindex\":7,\"ifname\":\"vd7\","
		"\"netns\":\"/run/netns/a\",\"netns_device\":4,\"netns_inode\":4026531840,\"guest_ifname\":\"eth0\","
		"\"dhcp\":false}";
	struct vd_resource *resource = decode(VD_KIND_CLAIM, "default", "h1", claim);
	char *text = vd_resource_encode(resource);

	assert_string_equal(text, claim);
	free(text);
	vd_resource_unref(resource);
	resource = decode(VD_KIND_ATTACHMENT, "acme", "p1", attachment);
	assert_int_equal(((struct vd_attachment *)resource)->type, VD_ATTACHMENT_TYPE_NETNS);
	text = vd_resource_encode(resource);
	assert_string_equal(text, attachment);
	free(text);
	vd_resource_unref(resource);
}

static void test_records_of_a_newer_version_are_read(void **state)
{
	struct vd_resource *resource =
		decode(VD_KIND_VPC, "default", "v",
		       "{\"spec\":{\"cidrs\":[\"10.0.0.0/8\"],\"new\":1},\"assigned\":{\"id\":3,\"vni\":9,\"new\":2},\"new\":3}");

	assert_int_equal(resource->id, 3);
	assert_int_equal(((struct vd_vpc *)resource)->assigned_vni, 9);
	vd_resource_unref(resource);
}

static void test_broken_records_are_refused(void **state)
{
	static const struct {
		enum vd_kind kind;
		const char *name, *text, *sentence;
	} cases[] = {
		{VD_KIND_VPC, "v", "", "vpc v: its record is no JSON: '[' or '{' expected near end of file"},
		{VD_KIND_VPC, "v", "{}", "vpc v: its record is no JSON object"},
		{VD_KIND_VPC, "v", "{\"spec\":{}}", "vpc v: cidrs is missing; it must be a list of CIDRs like 192.168.0.0/24"},
		{VD_KIND_VPC, "v", "{\"spec\":{\"cidr\":\"10.0.0.0/8\"},\"assigned\":{\"id\":-1}}",
		 "vpc v: its id is no 32-bit number"},
		{VD_KIND_ROUTE, "v/10.0.0.0/8", "{\"spec\":{\"vpc\":\"v\",\"next_hop\":{\"blackhole\":true}}}",
		 "route v/10.0.0.0/8: its record is of v/0.0.0.0/0"},
		{VD_KIND_SECURITY_GROUP_RULE, "web/x", "{\"spec\":{\"group\":\"db\",\"direction\":\"egress\"}}",
		 "security_group_rule web/x: its record is of db/web/x"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_resource *resource;
		struct vd_error error = {};

		assert_int_equal(vd_resource_decode(cases[i].kind, "default", cases[i].name, cases[i].text, strlen(cases[i].text),
						    &resource, &error),
				 -EBADMSG);
		assert_string_equal(error.text, cases[i].sentence);
	}
}

static void test_keys_round_trip(void **state)
{
	static const struct {
		enum vd_kind kind;
		const char *project, *name, *key;
	} cases[] = {
		{VD_KIND_HOST, "default", "h1", "/viaduct/v1/default/host/h1"},
		{VD_KIND_ROUTE, "acme", "demo/10.0.2.0/24", "/viaduct/v1/acme/route/demo/10.0.2.0/24"},
		{VD_KIND_SECURITY_GROUP_RULE, "acme", "web/egress-udp-53-fd00::/64",
		 "/viaduct/v1/acme/security_group_rule/web/egress-udp-53-fd00::/64"},
		{VD_KIND_CONTAINER_BLOCK, "acme", "c/10.0.2.0/24", "/viaduct/v1/acme/container_block/c/10.0.2.0/24"},
		{VD_KIND_ATTACHMENT, "acme", "ecs1", "/viaduct/v1/fact/attachment/acme/ecs1"},
		{VD_KIND_CLAIM, "default", "h1", "/viaduct/v1/fact/claim/default/h1"},
	};
	static const char *const others[] = {
		"",
		"/viaduct/v1/",
		"/viaduct/v2/default/host/h1",
		"/viaduct/v1/meta/epoch",
		"/viaduct/v1/meta/host/h1",
		"/viaduct/v1/status/host/h1",
		"/viaduct/v1/default/host/",
		"/viaduct/v1/default/host/H1",
		"/viaduct/v1/default/hosts/h1",
		"/viaduct/v1/default/claim/h1",
		"/viaduct/v1/fact/host/default/h1",
		"/viaduct/v1//host/h1",
		"/viaduct/v1/default/route/demo",
	};
	char project[VD_NAME_SIZE];
	const char *name;
	enum vd_kind kind;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *key = vd_resource_key(cases[i].kind, cases[i].project, cases[i].name);

		assert_string_equal(key, cases[i].key);
		assert_int_equal(vd_resource_key_parse(key, &kind, project, &name), 0);
		assert_int_equal(kind, cases[i].kind);
		assert_string_equal(project, cases[i].project);
		assert_string_equal(name, cases[i].name);
		free(key);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(vd_resource_key_parse(others[i], &kind, project, &name), -ENOENT);
}

static void test_kinds_are_found_by_word_and_plural(void **state)
{
	enum vd_kind kind;

	assert_int_equal(vd_kind_parse("route_tables", false, &kind), 0);
	assert_int_equal(kind, VD_KIND_ROUTE_TABLE);
	assert_string_equal(vd_kind_word(kind), "route_table");
	assert_string_equal(vd_kind_plural(kind), "route_tables");
	assert_int_equal(vd_kind_parse("claim", false, &kind), -ENOENT);
	assert_int_equal(vd_kind_parse("claim", true, &kind), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_come_back_normalised),
		cmocka_unit_test(test_a_route_is_called_by_its_table_and_destination),
		cmocka_unit_test(test_a_rule_is_called_by_its_group_and_name_or_content),
		cmocka_unit_test(test_host_bits_are_noted),
		cmocka_unit_test(test_bad_documents_are_refused_with_a_sentence),
		cmocka_unit_test(test_records_round_trip_with_what_was_assigned),
		cmocka_unit_test(test_texts_have_a_limit),
		cmocka_unit_test(test_facts_round_trip),
		cmocka_unit_test(test_records_of_a_newer_version_are_read),
		cmocka_unit_test(test_broken_records_are_refused),
		cmocka_unit_test(test_keys_round_trip),
		cmocka_unit_test(test_kinds_are_found_by_word_and_plural),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
