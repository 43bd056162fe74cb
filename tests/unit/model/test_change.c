/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_claim(struct vd_model *model, const char *host, const char *address)
{
	struct vd_resource *claim = NULL;
	struct vd_error error = {};
	char record[128];

	snprintf(record, sizeof(record), "{\"underlay\":\"172.16.0.1\",\"addresses\":[\"172.16.0.1\",\"%s\"]}", address);
	assert_int_equal(vd_resource_decode(VD_KIND_CLAIM, "default", host, record, strlen(record), &claim, &error), 0);
	assert_int_equal(vd_model_put(model, claim), 0);
	vd_resource_unref(claim);
}

/* ids: demo 3, shared 4, nodes 5, pods 6, ecs1 7, ecs2 8, the route 9 (host 1, pool 2). */
static struct vd_model *example(void)
{
	struct vd_model *model = vd_model_new();
	uint32_t next_id = apply(model,
				 "{kind: route, vpc: demo, destination: 10.0.2.0/24, next_hop: {address: 192.168.0.2}}\n"
				 "---\n{kind: port, name: ecs2, subnet: nodes}\n"
				 "---\n{kind: port, name: ecs1, subnet: nodes, address: 192.168.0.2, instance: vm}\n"
				 "---\n{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24, fd00:10::/64]}\n"
				 "---\n{kind: subnet, name: pods, vpc: demo, cidr: 192.168.1.0/24, vni: 100}\n"
				 "---\n{kind: vpc, name: demo, cidrs: [192.168.0.0/16, fd00:10::/48], vxlan_pool: pool}\n"
				 "---\n{kind: route_table, name: shared, vpc: demo}\n"
				 "---\n{kind: vxlan_pool, name: pool, vnis: 100-110}\n"
				 "---\n{kind: host, name: h1}\n",
				 1);

	assert_int_equal(next_id, 10);
	return model;
}

static const struct vd_port *port(const struct vd_model *model, const char *name)
{
	const struct vd_resource *resource = vd_model_get(model, VD_KIND_PORT, "default", name);

	assert_non_null(resource);
	return (const struct vd_port *)resource;
}

static void test_what_is_not_given_is_allocated(void **state)
{
	struct vd_model *model = example();

	assert_assigned(model, VD_KIND_HOST, "default", "h1", "{\"id\":1}");
	/* 100 was asked for by a subnet, so the VPC gets the next. */
	assert_assigned(model, VD_KIND_VPC, "default", "demo", "{\"id\":3,\"vni\":101}");
	assert_assigned(model, VD_KIND_SUBNET, "default", "nodes", "{\"id\":5,\"vni\":102,\"dhcp_address\":\"192.168.0.254\"}");
	assert_assigned(model, VD_KIND_SUBNET, "default", "pods", "{\"id\":6,\"vni\":100,\"dhcp_address\":\"192.168.1.254\"}");
	assert_assigned(model, VD_KIND_PORT, "default", "ecs1",
			"{\"id\":7,\"addresses\":[\"192.168.0.2\",\"fd00:10::2\"],\"mac\":\"02:76:00:00:00:07\"}");
	assert_assigned(model, VD_KIND_PORT, "default", "ecs2",
			"{\"id\":8,\"addresses\":[\"192.168.0.3\",\"fd00:10::3\"],\"mac\":\"02:76:00:00:00:08\"}");
	assert_assigned(model, VD_KIND_ROUTE, "default", "demo/10.0.2.0/24", "{\"id\":9}");
	vd_model_free(model);
}

static void test_applying_again_changes_nothing(void **state)
{
	struct vd_model *model = example();
	struct vd_changes *changes =
		change(model,
		       "{kind: port, name: ecs2, subnet: nodes}\n---\n{kind: vpc, name: demo, cidrs: [192.168.0.0/16, "
		       "fd00:10::/48], vxlan_pool: pool}\n---\n{kind: port, name: ecs3, subnet: nodes}\n",
		       "default", 10);

	assert_int_equal(changes->count, 3);
	assert_int_equal(changes->items[0].kind, VD_KIND_VPC);
	assert_ptr_equal(changes->items[0].before, changes->items[0].after);
	assert_string_equal(changes->items[1].name, "ecs2");
	assert_ptr_equal(changes->items[1].before, changes->items[1].after);
	assert_null(changes->items[2].before);
	assert_int_equal(changes->items[2].after->id, 10);
	assert_int_equal(changes->next_id, 11);
	vd_changes_free(changes);
	vd_model_free(model);
}

static void test_what_is_held_is_kept_when_the_request_goes(void **state)
{
	struct vd_model *model = example();

	apply(model, "{kind: port, name: ecs1, subnet: nodes, description: changed}\n---\n{kind: port, name: a, subnet: nodes}\n",
	      10);
	assert_assigned(model, VD_KIND_PORT, "default", "ecs1",
			"{\"id\":7,\"addresses\":[\"192.168.0.2\",\"fd00:10::2\"],\"mac\":\"02:76:00:00:00:07\"}");
	assert_assigned(model, VD_KIND_PORT, "default", "a",
			"{\"id\":10,\"addresses\":[\"192.168.0.4\",\"fd00:10::4\"],\"mac\":\"02:76:00:00:00:0a\"}");
	vd_model_free(model);
}

static void test_two_ports_swap_their_addresses_in_one_apply(void **state)
{
	struct vd_model *model = example();

	apply(model,
	      "{kind: port, name: ecs1, subnet: nodes, address: 192.168.0.3}\n---\n{kind: port, name: ecs2, subnet: nodes, "
	      "address: "
	      "192.168.0.2}\n",
	      10);
	assert_assigned(model, VD_KIND_PORT, "default", "ecs2",
			"{\"id\":8,\"addresses\":[\"192.168.0.2\",\"fd00:10::3\"],\"mac\":\"02:76:00:00:00:08\"}");
	vd_model_free(model);
}

/* R-NET-4: a subnet of IPv4 becomes dual stack, and its ports with it. */
static void test_a_subnet_that_gets_a_second_family_gives_its_ports_addresses(void **state)
{
	struct vd_model *model = example();

	apply(model, "{kind: port, name: pod, subnet: pods}", 10);
	assert_int_equal(port(model, "pod")->assigned_address_count, 1);
	apply(model, "{kind: subnet, name: pods, vpc: demo, cidrs: [192.168.1.0/24, fd00:10:0:1::/64]}", 11);
	assert_assigned(model, VD_KIND_PORT, "default", "pod",
			"{\"id\":10,\"addresses\":[\"192.168.1.2\",\"fd00:10:0:1::2\"],\"mac\":\"02:76:00:00:00:0a\"}");
	vd_model_free(model);
}

/* R-NET-6 (the model's part): the same names and CIDRs in two projects, and the same CIDR in two VPCs, with VNIs of their own. */
static void test_tenants_may_use_the_same_names_and_cidrs(void **state)
{
	static const char text[] =
		"{kind: vpc, name: net, cidr: 10.0.0.0/16}\n---\n{kind: subnet, name: a, vpc: net, cidr: 10.0.0.0/24}\n"
		"---\n{kind: port, name: web1, subnet: a}\n---\n{kind: vpc, name: other, cidr: 10.0.0.0/16}\n"
		"---\n{kind: subnet, name: b, vpc: other, cidr: 10.0.0.0/24}\n---\n{kind: port, name: web2, subnet: b}\n"
		"---\n{kind: host, name: h1}\n";
	struct vd_model *model = vd_model_new();
	uint32_t next_id = apply_as(model, text, "acme", 1);

	next_id = apply_as(model, text, "umbrella", next_id);
	assert_assigned(model, VD_KIND_VPC, "acme", "net", "{\"id\":2,\"vni\":1}");
	assert_assigned(model, VD_KIND_VPC, "umbrella", "net", "{\"id\":8,\"vni\":5}");
	assert_assigned(model, VD_KIND_PORT, "umbrella", "web2",
			"{\"id\":13,\"addresses\":[\"10.0.0.2\"],\"mac\":\"02:76:00:00:00:0d\"}");
	assert_int_equal(vd_model_count(model, VD_KIND_HOST), 1);
	vd_model_free(model);
}

static void test_notes_say_what_was_normalised(void **state)
{
	struct vd_model *model = example();
	struct vd_changes *changes = change(model, "{kind: subnet, name: more, vpc: demo, cidr: 192.168.7.9/24}", "default", 10);

	assert_int_equal(json_array_size(changes->notes), 1);
	assert_string_equal(json_string_value(json_array_get(changes->notes, 0)),
			    "subnet more: host bits of 192.168.7.9/24 dropped: 192.168.7.0/24");
	vd_changes_free(changes);
	vd_model_free(model);
}

#define VPC(name, cidr) "{kind: vpc, name: " name ", cidr: " cidr "}\n"
#define SUBNET(name, vpc, cidr) "{kind: subnet, name: " name ", vpc: " vpc ", cidr: " cidr "}\n"
#define PORT(name, subnet, more) "{kind: port, name: " name ", subnet: " subnet more "}\n"
#define ROUTE(where, destination, hop) "{kind: route, " where ", destination: " destination ", next_hop: {" hop "}}\n"

static const struct {
	const char *text, *sentence;
} bad[] = {
	/* identities and references */
	{PORT("a", "nodes", "") AND PORT("a", "nodes", ""), "port a stands twice in what is applied; leave one out"},
	{SUBNET("s", "absent", "10.0.0.0/24"), "subnet s: vpc absent does not exist; apply it too, or correct vpc"},
	{PORT("a", "absent", ""), "port a: subnet absent does not exist; apply it too, or correct subnet"},
	{PORT("a", "nodes", ", host: h9"), "port a: host h9 does not exist; apply it too, or correct host"},
	{"{kind: vpc, name: v, cidr: 10.0.0.0/8, vxlan_pool: none}",
	 "vpc v: vxlan_pool none does not exist; apply it too, or correct vxlan_pool"},
	{"{kind: vxlan_pool, name: p, vnis: 5-6, hosts: [h1, h9]}",
	 "vxlan_pool p: host h9 does not exist; apply it too, or correct hosts"},
	{"{kind: route_table, name: t, vpcs: [demo, absent]}",
	 "route_table t: vpc absent does not exist; apply it too, or correct vpcs"},
	{"{kind: subnet, name: s, vpc: demo, cidr: 192.168.9.0/24, route_table: demo}",
	 "subnet s: route_table demo does not exist; apply it too, or correct route_table"},
	{ROUTE("vpc: shared", "10.0.9.0/24", "blackhole: true"),
	 "route shared/10.0.9.0/24: vpc shared does not exist; apply it too, or correct vpc"},
	{ROUTE("table: demo", "10.0.9.0/24", "blackhole: true"),
	 "route demo/10.0.9.0/24: route_table demo does not exist; apply it too, or correct table"},
	{"{kind: route_table, name: demo}", "route_table demo: a VPC is called so, and so is its main table; choose another name"},
	{VPC("shared", "10.0.0.0/8"),
	 "vpc shared: a route_table is called so, as the VPC's main table would be; choose another name"},
	{"{kind: port, name: a, project: acme, subnet: nodes}",
	 "port acme/a: subnet acme/nodes does not exist; apply it too, or correct subnet"},
	/* subnets: R-RTR-1 */
	{SUBNET("s", "demo", "192.168.0.128/25"),
	 "subnet s: CIDR 192.168.0.128/25 overlaps 192.168.0.0/24 of subnet nodes in the same VPC; choose another"},
	{SUBNET("s", "demo", "192.168.0.0/23"),
	 "subnet nodes: CIDR 192.168.0.0/24 overlaps 192.168.0.0/23 of subnet s in the same VPC; choose another"},
	{SUBNET("s", "demo", "192.168.8.0/23") AND SUBNET("t", "demo", "192.168.9.0/24"),
	 "subnet t: CIDR 192.168.9.0/24 overlaps 192.168.8.0/23 of subnet s in the same VPC; choose another"},
	{SUBNET("s", "demo", "10.0.0.0/24"),
	 "subnet s: CIDR 10.0.0.0/24 lies outside VPC demo (192.168.0.0/16, fd00:10::/48); choose one inside or add it to the VPC"},
	{SUBNET("s", "demo", "192.168.0.0/15"), "subnet s: CIDR 192.168.0.0/15 lies outside VPC demo (192.168.0.0/16, "
						"fd00:10::/48); choose one inside or add it to the VPC"},
	{"{kind: vpc, name: demo, cidr: 192.168.0.0/16, vxlan_pool: pool}",
	 "subnet nodes: CIDR fd00:10::/64 lies outside VPC demo (192.168.0.0/16); choose one inside or add it to the VPC"},
	/* addresses */
	{PORT("a", "nodes", ", address: 192.168.1.5"),
	 "port a: address 192.168.1.5 lies outside subnet nodes (192.168.0.0/24, fd00:10::/64); choose one inside"},
	{PORT("a", "nodes", ", address: 192.168.0.2"),
	 "port a: address 192.168.0.2 is taken by port ecs1; choose another or leave it out"},
	{PORT("a", "nodes", ", address: 192.168.0.9") AND PORT("b", "nodes", ", address: 192.168.0.9"),
	 "port b: address 192.168.0.9 is taken by port a; choose another or leave it out"},
	{PORT("a", "nodes", ", address: 192.168.0.1"),
	 "port a: address 192.168.0.1 is the gateway of subnet nodes; choose another"},
	{PORT("a", "nodes", ", address: 'fd00:10::1'"),
	 "port a: address fd00:10::1 is the gateway of subnet nodes; choose another"},
	{PORT("a", "nodes", ", address: 192.168.0.0"),
	 "port a: address 192.168.0.0 is the network or broadcast address of subnet nodes; choose another"},
	{PORT("a", "nodes", ", address: 192.168.0.255"),
	 "port a: address 192.168.0.255 is the network or broadcast address of subnet nodes; choose another"},
	{PORT("a", "nodes", ", mac: '02:76:00:00:00:07'"),
	 "port a: mac 02:76:00:00:00:07 is taken by port ecs1 in the same VPC; choose another or leave it out"},
	{"{kind: subnet, name: nodes, vpc: demo, cidrs: [192.168.0.0/24, fd00:10::/64], gateway: 192.168.0.2}",
	 "port ecs1: address 192.168.0.2 is the gateway of subnet nodes; choose another"},
	{"{kind: subnet, name: nodes, vpc: demo, cidr: 192.168.0.0/24}",
	 "port ecs2: it has address fd00:10::3, which subnet nodes would not contain; delete the port first"},
	{SUBNET("s", "demo", "192.168.9.0/30") AND PORT("a", "s", "") AND PORT("b", "s", ""),
	 "port b: subnet s has no free address left in 192.168.9.0/30; delete ports or use another subnet"},
	/* what cannot change */
	{PORT("ecs1", "pods", ""), "port ecs1: its subnet is nodes and cannot become pods while it stands; delete it first"},
	{VPC("v", "192.168.0.0/16") AND SUBNET("nodes", "v", "192.168.0.0/24"),
	 "subnet nodes: its vpc is demo and cannot become v while it stands; delete it first"},
	{VPC("demo", "192.168.0.0/16"),
	 "vpc demo: its vxlan_pool is pool and cannot become default while it stands; delete it first"},
	{"{kind: vpc, name: demo, cidr: 192.168.0.0/16, vxlan_pool: pool, vni: 105}",
	 "vpc demo: its VNI is 101 and cannot become 105 while it stands; delete it first, or leave vni out"},
	{"{kind: subnet, name: pods, vpc: demo, cidr: 192.168.1.0/24, vni: 105}",
	 "subnet pods: its VNI is 100 and cannot become 105 while it stands; delete it first, or leave vni out"},
	/* VNIs: R-NET-2 */
	{"{kind: vpc, name: v, cidr: 10.0.0.0/8, vni: 101}", "vpc v: VNI 101 is used by vpc demo; choose another or leave vni out"},
	{"{kind: vpc, name: v, cidr: 10.0.0.0/8, vni: 100}",
	 "vpc v: VNI 100 is used by subnet pods; choose another or leave vni out"},
	{"{kind: vpc, name: v, cidr: 10.0.0.0/8, vni: 9}" AND "{kind: subnet, name: s, vpc: v, cidr: 10.0.0.0/24, vni: 9}",
	 "subnet s: VNI 9 is used by vpc v; choose another or leave vni out"},
	{"{kind: vpc, name: v, cidr: 10.0.0.0/8, vxlan_pool: pool, vni: 111}",
	 "vpc v: VNI 111 lies outside 100-110 of vxlan_pool pool; choose one inside"},
	{"{kind: vxlan_pool, name: tiny, vnis: 7}" AND
	 "{kind: vpc, name: v, cidr: 10.0.0.0/8, vxlan_pool: tiny}" AND SUBNET("s", "v", "10.0.0.0/24"),
	 "subnet s: vxlan_pool tiny has no free VNI in 7-7; give it a wider range"},
	{"{kind: vxlan_pool, name: pool, vnis: 101-110}",
	 "vxlan_pool pool: subnet pods has VNI 100, outside 101-110; keep it inside or delete that first"},
	{"{kind: vxlan_pool, name: pool, vnis: 100-110, vtep_cidr: 192.168.29.0/24}",
	 "vxlan_pool pool: host h2 has no address inside the VTEP CIDR 192.168.29.0/24; give it one, or name the pool's hosts "
	 "without it"},
	/* routes: R-RTR-5, R-RTR-6, R-RTR-8 */
	{ROUTE("vpc: demo", "10.0.9.0/24", "blackhole: true") AND ROUTE("vpc: demo", "10.0.9.1/24", "blackhole: true"),
	 "route demo/10.0.9.0/24 stands twice in what is applied; leave one out"},
	{ROUTE("table: shared", "10.0.2.0/24", "blackhole: true"),
	 "route shared/10.0.2.0/24: table demo has a route to 10.0.2.0/24 too, and VPC demo uses both; leave one out"},
	{"{kind: route_table, name: t, vpc: demo}" AND ROUTE("table: t", "10.0.9.0/24", "blackhole: true")
		 AND ROUTE("table: shared", "10.0.9.0/24", "blackhole: true"),
	 "route t/10.0.9.0/24: table shared has a route to 10.0.9.0/24 too, and VPC demo uses both; leave one out"},
	{ROUTE("vpc: demo", "10.0.9.0/24", "address: 192.168.0.9"),
	 "route demo/10.0.9.0/24: next hop 192.168.0.9 is no address of a port in VPC demo; choose one or apply its port"},
	{ROUTE("vpc: demo", "10.0.9.0/24", "address: 192.168.0.1"),
	 "route demo/10.0.9.0/24: next hop 192.168.0.1 is no address of a port in VPC demo; choose one or apply its port"},
	{ROUTE("table: shared", "10.0.9.0/24", "address: 192.168.0.9"),
	 "route shared/10.0.9.0/24: next hop 192.168.0.9 is no address of a port in any VPC of route_table shared; choose one or "
	 "apply its port"},
	{"{kind: route_table, name: t}" AND ROUTE("table: t", "10.0.9.0/24", "address: 192.168.0.9") AND
	 "{kind: subnet, name: s, vpc: demo, cidr: 192.168.9.0/24, route_table: t}",
	 "route t/10.0.9.0/24: next hop 192.168.0.9 is no address of a port in any VPC of route_table t; choose one or apply its "
	 "port"},
	{PORT("ecs1", "nodes", ", address: 192.168.0.9"),
	 "route demo/10.0.2.0/24: next hop 192.168.0.2 is no address of a port in VPC demo; choose one or apply its port"},
	{ROUTE("vpc: demo", "8.8.8.0/24", "address: 192.168.0.2"),
	 "route demo/8.8.8.0/24: 8.8.8.0/24 is public; to reach the Internet through an instance the destination is 0.0.0.0/0, and "
	 "a block of its own stands in its port's allowed_sources"},
	{ROUTE("vpc: demo", "'2001:db8::/32'", "address: 'fd00:10::2'"),
	 "route demo/2001:db8::/32: 2001:db8::/32 is public; to reach the Internet through an instance the destination is ::/0, "
	 "and a block of its own stands in its port's allowed_sources"},
	{"{kind: vpc, name: demo, cidrs: [192.168.0.0/16, fd00:10::/48], vxlan_pool: pool, route_quota: 1}" AND ROUTE(
		 "table: shared", "10.0.9.0/24", "blackhole: true"),
	 "vpc demo: 2 routes are more than its route_quota of 1; raise it or delete routes"},
	/* instances: R-NET-9 */
	{VPC("v", "192.168.128.0/17") AND SUBNET("s", "v", "192.168.128.0/24") AND PORT("a", "s", ", instance: vm"),
	 "port ecs1: instance vm has ports in VPCs v (192.168.128.0/17) and demo (192.168.0.0/16), which overlap; use VPCs that do "
	 "not"},
	{PORT("a", "nodes", ", instance: x, default: true") AND PORT("b", "nodes", ", instance: x, default: true"),
	 "port a: instance x has its default route from port b too; let one say default: true"},
};

static void test_bad_input_is_refused_with_a_sentence_and_changes_nothing(void **state)
{
	struct vd_model *model = example();

	put_claim(model, "h2", "172.16.0.2");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *array = documents(bad[i].text);
		struct vd_changes *changes = (void *)1;
		struct vd_error error = {};
		int r = vd_changes_from_documents(model, array, "default", 10, &changes, &error);

		if (r >= 0)
			fail_msg("accepted: %s", bad[i].text);
		if (strcmp(error.text, bad[i].sentence) != 0)
			print_error("for: %s", bad[i].text);
		assert_string_equal(error.text, bad[i].sentence);
		assert_ptr_equal(changes, (void *)1);
		json_decref(array);
	}
	assert_int_equal(vd_model_count(model, VD_KIND_PORT), 2);
	assert_int_equal(vd_model_count(model, VD_KIND_ROUTE), 1);
	assert_null(vd_model_get(model, VD_KIND_PORT, "default", "a"));
	vd_model_free(model);
}

static void test_what_looks_alike_but_is_right_is_accepted(void **state)
{
	static const char *const good[] = {
		SUBNET("s", "demo", "192.168.2.0/23"),
		PORT("a", "nodes", ", host: h2"), /* it runs, though nobody declared it */
		ROUTE("vpc: demo", "0.0.0.0/0", "address: 192.168.0.2"),
		ROUTE("vpc: demo", "'::/0'", "address: 'fd00:10::2'"),
		ROUTE("vpc: demo", "8.8.8.0/24", "blackhole: true"),
		ROUTE("vpc: demo", "100.64.0.0/16", "address: 192.168.0.2"),
		ROUTE("vpc: demo", "192.168.5.0/24", "address: 192.168.0.2"), /* inert, since connected wins */
		ROUTE("vpc: demo", "10.0.2.0/24", "blackhole: true"),         /* the same route, changed */
		"{kind: route_table, name: t}" AND ROUTE("table: t", "10.0.2.0/24", "address: 192.168.9.9"), /* nobody uses it */
		"{kind: route_table, name: t}" AND ROUTE("table: t", "10.0.2.0/24", "blackhole: true") AND
		"{kind: subnet, name: s, vpc: demo, cidr: 192.168.9.0/24, route_table: t}", /* instead of the VPC's */
		"{kind: vxlan_pool, name: pool, vnis: 100-110, vtep_cidr: 192.168.29.1/24, host: h1}",
		VPC("v", "10.0.0.0/16") AND SUBNET("s", "v", "10.0.0.0/24") AND PORT("a", "s", ", instance: vm, default: true"),
		SUBNET("s", "demo", "192.168.9.0/31") AND PORT("a", "s", ""),
		"{kind: vpc, name: demo, cidrs: [192.168.0.0/17, fd00:10::/48], vxlan_pool: pool, vni: 101}",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct vd_model *model = example();

		put_claim(model, "h2", "172.16.0.2");
		apply(model, good[i], 10);
		vd_model_free(model);
	}
}

/* R-RTR-8: 50 unless raised. */
static void test_the_route_quota_is_50_by_default_and_can_be_raised(void **state)
{
	struct vd_model *model = example();
	char text[64 * 128] = "", one[128];
	struct vd_changes *changes;
	struct vd_error error = {};
	json_t *array;

	for (int i = 0; i < 50; i++) {
		snprintf(one, sizeof(one),
			 "---\n{kind: route, vpc: demo, destination: 10.9.%d.0/24, next_hop: {blackhole: true}}\n", i);
		strcat(text, one);
	}
	array = documents(text);
	assert_int_equal(vd_changes_from_documents(model, array, "default", 10, &changes, &error), -EDQUOT);
	assert_string_equal(error.text, "vpc demo: 51 routes are more than its route_quota of 50; raise it or delete routes");
	json_decref(array);
	strcat(text, "---\n{kind: vpc, name: demo, cidrs: [192.168.0.0/16, fd00:10::/48], vxlan_pool: pool, route_quota: 51}\n");
	apply(model, text, 10);
	vd_model_free(model);
}

static void test_a_claim_needs_an_address_inside_the_vtep_cidr(void **state)
{
	struct vd_model *model = example();
	struct vd_error error = {};
	struct vd_address vtep;
	const struct vd_claim *claim;
	char text[VD_ADDRESS_TEXT];

	apply(model, "{kind: vxlan_pool, name: pool, vnis: 100-110, vtep_cidr: 192.168.29.1/24, host: h1}", 10);
	put_claim(model, "h1", "172.16.0.2");
	claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", "h1");
	assert_int_equal(vd_claim_validate(model, claim, &error), -EADDRNOTAVAIL);
	assert_string_equal(
		error.text,
		"vxlan_pool pool: host h1 has no address inside the VTEP CIDR 192.168.29.0/24; give it one, or name the "
		"pool's hosts without it");
	put_claim(model, "h2", "172.16.0.2");
	claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", "h2");
	assert_int_equal(vd_claim_validate(model, claim, &error), 0);
	put_claim(model, "h1", "192.168.29.7");
	claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", "h1");
	assert_int_equal(vd_claim_validate(model, claim, &error), 0);
	assert_int_equal(vd_claim_vtep(claim, vd_model_vxlan_pool(model, "default", "pool"), &vtep), 0);
	assert_string_equal(vd_address_format(&vtep, text), "192.168.29.7");
	assert_int_equal(vd_claim_vtep(claim, vd_model_vxlan_pool(model, "default", "default"), &vtep), 0);
	assert_string_equal(vd_address_format(&vtep, text), "172.16.0.1");
	assert_null(vd_model_vxlan_pool(model, "default", "absent"));
	vd_model_free(model);
}

static uint32_t claimed_mtu(const char *record, const char *text)
{
	struct vd_resource *claim = NULL;
	struct vd_error error = {};
	struct vd_address address;
	uint32_t mtu;

	assert_int_equal(vd_resource_decode(VD_KIND_CLAIM, "default", "h1", record, strlen(record), &claim, &error), 0);
	assert_int_equal(vd_address_parse(text, &address), 0);
	mtu = vd_claim_mtu((const struct vd_claim *)claim, &address);
	vd_resource_unref(claim);
	return mtu;
}

static void test_a_claim_knows_what_each_of_its_addresses_links_carries(void **state)
{
	static const char said[] =
		"{\"underlay\":\"172.16.0.1\",\"underlay_mtu\":9000,\"addresses\":[\"172.16.0.1\",\"192.168.29.7\","
		"\"fd00::1\"],\"address_mtus\":\"9000 1400 1280\"}";
	static const char short_list[] = "{\"underlay\":\"172.16.0.1\",\"underlay_mtu\":9000,\"addresses\":[\"172.16.0.1\","
					 "\"192.168.29.7\"],\"address_mtus\":\"1500 x\"}";
	static const char of_old[] = "{\"underlay\":\"172.16.0.1\",\"underlay_mtu\":9000,\"addresses\":[\"192.168.29.7\"]}";

	assert_int_equal(claimed_mtu(said, "172.16.0.1"), 9000);
	assert_int_equal(claimed_mtu(said, "192.168.29.7"), 1400);
	assert_int_equal(claimed_mtu(said, "fd00::1"), 1280);
	assert_int_equal(claimed_mtu(said, "fd00::2"), 9000);
	assert_int_equal(claimed_mtu(short_list, "192.168.29.7"), 9000);
	assert_int_equal(claimed_mtu(of_old, "192.168.29.7"), 9000);
}

static void test_what_others_need_is_not_deleted(void **state)
{
	static const struct {
		struct vd_identity identity;
		int code;
		const char *sentence;
	} cases[] = {
		{{VD_KIND_PORT, "default", "absent"}, -ENOENT, "port absent does not exist"},
		{{VD_KIND_PORT, "acme", "ecs1"}, -ENOENT, "port acme/ecs1 does not exist"},
		{{VD_KIND_SUBNET, "default", "nodes"},
		 -EBUSY,
		 "subnet nodes is needed by port ecs1 and 1 more; delete that first, or all together"},
		{{VD_KIND_PORT, "default", "ecs1"},
		 -EBUSY,
		 "port ecs1 is needed by route demo/10.0.2.0/24; delete that first, or all together"},
		{{VD_KIND_VPC, "default", "demo"},
		 -EBUSY,
		 "vpc demo is needed by route_table shared and 3 more; delete that first, or all together"},
		{{VD_KIND_VXLAN_POOL, "default", "pool"},
		 -EBUSY,
		 "vxlan_pool pool is needed by vpc demo; delete that first, or all together"},
	};
	struct vd_model *model = example();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_changes *changes = (void *)1;
		struct vd_error error = {};

		assert_int_equal(vd_changes_from_deletion(model, &cases[i].identity, 1, &changes, &error), cases[i].code);
		assert_string_equal(error.text, cases[i].sentence);
		assert_ptr_equal(changes, (void *)1);
	}
	vd_model_free(model);
}

/* A table that two VPCs' subnets name has its next hop in one of them: nothing may take that away unseen. */
static void test_a_next_hop_is_not_lost_by_changes_elsewhere(void **state)
{
	static const struct vd_identity subnet = {VD_KIND_SUBNET, "default", "s"};
	struct vd_model *model = example();
	struct vd_changes *changes = NULL;
	struct vd_error error = {};
	json_t *array = documents(SUBNET("s", "v", "10.0.0.0/24"));

	apply(model,
	      VPC("v", "10.0.0.0/16") AND
	      "{kind: route_table, name: t}" AND
	      "{kind: subnet, name: s, vpc: v, cidr: 10.0.0.0/24, route_table: t}" AND SUBNET("other", "v", "10.0.1.0/24")
		      AND PORT("a", "other", ", address: 10.0.1.2") AND
	      "{kind: subnet, name: s2, vpc: demo, cidr: 192.168.9.0/24, route_table: t}" AND ROUTE("table: t", "10.9.0.0/24",
												    "address: 10.0.1.2"),
	      10);
	assert_int_equal(vd_changes_from_documents(model, array, "default", 30, &changes, &error), -EINVAL);
	assert_string_equal(error.text,
			    "route t/10.9.0.0/24: next hop 10.0.1.2 is no address of a port in any VPC of route_table t; "
			    "choose one or apply its port");
	assert_int_equal(vd_changes_from_deletion(model, &subnet, 1, &changes, &error), -EBUSY);
	assert_string_equal(error.text, "subnet s is needed by route t/10.9.0.0/24; delete that first, or all together");
	json_decref(array);
	vd_model_free(model);
}

/* R-NET-9 holds for CIDRs that come later, too. */
static void test_a_vpc_does_not_grow_into_another_of_an_instance(void **state)
{
	struct vd_model *model = example();
	struct vd_changes *changes = NULL;
	struct vd_error error = {};
	json_t *array = documents("{kind: vpc, name: v, cidrs: [10.0.0.0/16, 192.168.200.0/24]}");

	apply(model, VPC("v", "10.0.0.0/16") AND SUBNET("s", "v", "10.0.0.0/24") AND PORT("a", "s", ", instance: vm"), 10);
	assert_int_equal(vd_changes_from_documents(model, array, "default", 30, &changes, &error), -EINVAL);
	assert_string_equal(error.text,
			    "port ecs1: instance vm has ports in VPCs v (192.168.200.0/24) and demo (192.168.0.0/16), which "
			    "overlap; use VPCs that do not");
	json_decref(array);
	vd_model_free(model);
}

static void test_what_belongs_together_is_deleted_together(void **state)
{
	static const struct vd_identity all[] = {
		{VD_KIND_VPC, "default", "demo"},        {VD_KIND_SUBNET, "default", "nodes"},
		{VD_KIND_SUBNET, "default", "pods"},     {VD_KIND_PORT, "default", "ecs1"},
		{VD_KIND_PORT, "default", "ecs2"},       {VD_KIND_ROUTE, "default", "demo/10.0.2.0/24"},
		{VD_KIND_PORT, "default", "ecs1"},       {VD_KIND_ROUTE_TABLE, "default", "shared"},
		{VD_KIND_VXLAN_POOL, "default", "pool"}, {VD_KIND_HOST, "default", "h1"},
	};
	struct vd_model *model = example();
	struct vd_changes *changes = NULL;
	struct vd_error error = {};

	assert_int_equal(vd_changes_from_deletion(model, all, sizeof(all) / sizeof(all[0]), &changes, &error), 0);
	assert_int_equal(changes->count, 9);
	assert_int_equal(changes->items[0].kind, VD_KIND_HOST);
	assert_non_null(changes->items[0].before);
	assert_null(changes->items[0].after);
	assert_int_equal(vd_changes_apply(changes, model), 0);
	for (int kind = 0; kind < VD_KIND_COUNT; kind++)
		assert_int_equal(vd_model_count(model, (enum vd_kind)kind), 0);
	vd_changes_free(changes);
	vd_model_free(model);
}

static void test_a_free_address_is_given_again(void **state)
{
	static const struct vd_identity ecs2 = {VD_KIND_PORT, "default", "ecs2"};
	struct vd_model *model = example();
	struct vd_changes *changes = NULL;

	assert_int_equal(vd_changes_from_deletion(model, &ecs2, 1, &changes, NULL), 0);
	vd_changes_apply(changes, model);
	vd_changes_free(changes);
	apply(model, "{kind: port, name: new, subnet: nodes}", 10);
	assert_assigned(model, VD_KIND_PORT, "default", "new",
			"{\"id\":10,\"addresses\":[\"192.168.0.3\",\"fd00:10::3\"],\"mac\":\"02:76:00:00:00:0a\"}");
	vd_model_free(model);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One port more among 10,000 costs milliseconds, and 10,000 at once are not 10,000 times as dear as that. */
static void test_a_port_among_ten_thousand_is_cheap(void **state)
{
	struct vd_model *model = vd_model_new();
	size_t size = 10000 * 64;
	char *text = malloc(size);
	uint32_t next_id = apply(model, VPC("big", "10.0.0.0/8") AND SUBNET("s", "big", "10.0.0.0/16"), 1);
	size_t used = 0;
	double before, bulk, one;

	for (int i = 0; i < 10000; i++)
		used += (size_t)snprintf(text + used, size - used, "---\n{kind: port, name: p%d, subnet: s}\n", i);
	before = seconds();
	next_id = apply(model, text, next_id);
	bulk = seconds() - before;
	before = seconds();
	apply(model, "{kind: port, name: one, subnet: s}", next_id);
	one = seconds() - before;
	print_message("10,000 ports: %.0f ms; one more: %.1f ms\n", bulk * 1e3, one * 1e3);
	assert_true(bulk < 5.0);
	assert_true(one < 0.1);
	free(text);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_given_is_allocated),
		cmocka_unit_test(test_applying_again_changes_nothing),
		cmocka_unit_test(test_what_is_held_is_kept_when_the_request_goes),
		cmocka_unit_test(test_two_ports_swap_their_addresses_in_one_apply),
		cmocka_unit_test(test_a_subnet_that_gets_a_second_family_gives_its_ports_addresses),
		cmocka_unit_test(test_tenants_may_use_the_same_names_and_cidrs),
		cmocka_unit_test(test_notes_say_what_was_normalised),
		cmocka_unit_test(test_bad_input_is_refused_with_a_sentence_and_changes_nothing),
		cmocka_unit_test(test_what_looks_alike_but_is_right_is_accepted),
		cmocka_unit_test(test_the_route_quota_is_50_by_default_and_can_be_raised),
		cmocka_unit_test(test_a_claim_needs_an_address_inside_the_vtep_cidr),
		cmocka_unit_test(test_a_claim_knows_what_each_of_its_addresses_links_carries),
		cmocka_unit_test(test_what_others_need_is_not_deleted),
		cmocka_unit_test(test_a_next_hop_is_not_lost_by_changes_elsewhere),
		cmocka_unit_test(test_a_vpc_does_not_grow_into_another_of_an_instance),
		cmocka_unit_test(test_what_belongs_together_is_deleted_together),
		cmocka_unit_test(test_a_free_address_is_given_again),
		cmocka_unit_test(test_a_port_among_ten_thousand_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
