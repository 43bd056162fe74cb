/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#define ROUTE(destination, hop) "{kind: route, vpc: v, destination: " destination ", next_hop: {" hop "}}"
#define TABLE_ROUTE(destination, hop) "{kind: route, table: t, destination: " destination ", next_hop: {" hop "}}"
#define VIP(name, more) "{kind: virtual_ip, name: " name ", " more "}"

/* R-RTR-5 (the model's part): what leads to the outside, in the VPC's own table and in one of several VPCs. */
static void test_routes_lead_through_instances_virtual_ips_and_networks(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      VIP("hop", "subnet: a, port: p1") AND "{kind: route_table, name: t, vpcs: [v, w]}" AND ROUTE("0.0.0.0/0", "vip: hop")
		      AND ROUTE("10.1.0.0/16", "address: 192.168.0.2") AND ROUTE("172.16.0.0/16", "public: 203.0.113.3")
			      AND ROUTE("10.2.0.0/16", "public: 203.0.113.77")
				      AND TABLE_ROUTE("8.8.8.0/24", "gateway: 198.51.100.1")
					      AND TABLE_ROUTE("9.9.9.0/24", "blackhole: true"),
	      SITE_NEXT_ID);
	assert_int_equal(vd_model_count(model, VD_KIND_ROUTE), 6);
	assert_refused(model, ROUTE("10.3.0.0/16", "public: 192.0.2.1"), -EINVAL,
		       "route v/10.3.0.0/16: next hop 192.0.2.1 lies on no network of VPC v; attach the VPC to its network, or "
		       "choose another");
	assert_refused(model, ROUTE("10.3.0.0/16", "gateway: 192.168.0.1"), -EINVAL,
		       "route v/10.3.0.0/16: next hop 192.168.0.1 lies on no network of VPC v; attach the VPC to its network, or "
		       "choose another");
	assert_refused(model, "{kind: route, vpc: w, next_hop: {gateway: 198.51.100.1}}", -EINVAL,
		       "route w/0.0.0.0/0: next hop 198.51.100.1 lies on no network of VPC w; attach the VPC to its network, or "
		       "choose another");
	assert_refused(model, ROUTE("10.3.0.0/16", "public: 203.0.113.2"), -EINVAL,
		       "route v/10.3.0.0/16: next hop 203.0.113.2 is the router's own address; give another's");
	assert_refused(model, "{kind: route, vpc: w, next_hop: {vip: hop}}", -EINVAL,
		       "route w/0.0.0.0/0: virtual_ip hop is of no subnet of VPC w; choose one that is");
	assert_refused(
		model, ROUTE("10.3.0.0/16", "vip: v.public"), -EINVAL,
		"route v/10.3.0.0/16: virtual_ip v.public is of network public; a next hop is one of a subnet in the same VPC");
	assert_refused(model, ROUTE("fd00::/8", "vip: hop"), -EINVAL,
		       "route v/fd00::/8: virtual_ip hop has no IPv6 address; choose one that has");
	assert_refused(model, ROUTE("fd00::/8", "gateway: 203.0.113.1"), -EINVAL,
		       "line 1: route v/fd00::/8: next hop 203.0.113.1 is not of the destination's family; give one of IPv6");
	vd_model_free(model);
}

/* R-RTR-6: the Internet through an instance is 0.0.0.0/0; blocks behind it are private, or declared on its port. */
static void test_a_public_destination_through_an_instance_is_refused_but_the_default(void **state)
{
	const char *sentence =
		"route v/8.8.0.0/16: 8.8.0.0/16 is public; to reach the Internet through an instance the destination is "
		"0.0.0.0/0, and a block of its own stands in its port's allowed_sources";
	struct vd_model *model = site();
	uint32_t next_id = apply(model,
				 VIP("hop", "subnet: a, port: p1") AND ROUTE("0.0.0.0/0", "address: 192.168.0.2")
					 AND ROUTE("100.64.0.0/10", "vip: hop"),
				 SITE_NEXT_ID);

	assert_refused(model, ROUTE("8.8.0.0/16", "address: 192.168.0.2"), -EINVAL, sentence);
	assert_refused(model, ROUTE("8.8.0.0/16", "vip: hop"), -EINVAL, sentence);
	next_id = apply(model, "{kind: port, name: p1, subnet: a, address: 192.168.0.2, allowed_sources: [8.8.0.0/16]}", next_id);
	next_id = apply(model, ROUTE("8.8.0.0/16", "vip: hop") AND ROUTE("8.8.8.0/24", "address: 192.168.0.2"), next_id);
	assert_refused(model, "{kind: port, name: p1, subnet: a, address: 192.168.0.2}", -EINVAL,
		       "route v/8.8.8.0/24: 8.8.8.0/24 is public; to reach the Internet through an instance the destination is "
		       "0.0.0.0/0, and a block of its own stands in its port's allowed_sources");
	assert_int_equal(discard(model, VD_KIND_ROUTE, "v/8.8.8.0/24"), 1);
	assert_refused(model, "{kind: port, name: p1, subnet: a, address: 192.168.0.2}", -EINVAL, sentence);
	/* A network is no instance. */
	next_id = apply(model, ROUTE("8.8.0.0/16", "gateway: 203.0.113.1"), next_id);

	next_id = apply(model,
			"{kind: container_network, name: pods, cidr: 9.9.0.0/16, mode: routed, vpc: v}" AND
			"{kind: container_block, container_network: pods, cidr: 9.9.1.0/24, port: p1}",
			next_id);
	apply(model, ROUTE("9.9.1.128/25", "address: 192.168.0.2"), next_id);
	assert_refused(model, ROUTE("9.9.2.0/24", "address: 192.168.0.2"), -EINVAL,
		       "route v/9.9.2.0/24: 9.9.2.0/24 is public; to reach the Internet through an instance the destination is "
		       "0.0.0.0/0, and a block of its own stands in its port's allowed_sources");
	vd_model_free(model);
}

static void test_what_is_a_next_hop_stays(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      VIP("hop", "subnet: a, port: p1") AND ROUTE("10.1.0.0/16", "vip: hop")
		      AND ROUTE("10.2.0.0/16", "gateway: 198.51.100.1"),
	      SITE_NEXT_ID);
	assert_not_deleted(model, VD_KIND_VIRTUAL_IP, "hop",
			   "virtual_ip hop is needed by route v/10.1.0.0/16; delete that first, or all together");
	assert_not_deleted(model, VD_KIND_PORT, "p1",
			   "port p1 is needed by virtual_ip hop; unbind that first, or delete all together");
	assert_refused(model, "{kind: vpc, name: v, cidr: 192.168.0.0/16, networks: [public]}", -EBUSY,
		       "vpc v: network second cannot be detached while route v/10.2.0.0/16 uses it; delete or unbind that first");
	/* Nobody need hold it: the route is unusable meanwhile. */
	apply(model, VIP("hop", "subnet: a"), SITE_NEXT_ID + 10);
	vd_model_free(model);
}

/* R-RTR-10 (the model's part): untranslated, so the private addresses on both sides differ. */
static void test_vpcs_with_public_routes_on_one_network_have_distinct_cidrs(void **state)
{
	const char *sentence = "vpc twin: its CIDR 192.168.0.0/16 overlaps 192.168.0.0/16 of vpc v, and both have routes to public "
			       "addresses on network public, where private ones would be mixed up; delete one's routes, or give it "
			       "other CIDRs";
	struct vd_model *model = site();
	uint32_t next_id = apply(model,
				 "{kind: vpc, name: twin, cidr: 192.168.0.0/16, networks: [public]}" AND ROUTE(
					 "172.16.0.0/16", "public: 203.0.113.3") AND
				 "{kind: route, vpc: w, destination: 192.168.0.0/16, next_hop: {public: 203.0.113.2}}",
				 SITE_NEXT_ID);

	assert_refused(model, "{kind: route, vpc: twin, destination: 172.16.0.0/16, next_hop: {public: 203.0.113.3}}", -EEXIST,
		       sentence);
	assert_refused(model, "{kind: route_table, name: t, vpcs: [twin]}" AND TABLE_ROUTE("172.16.0.0/16", "public: 203.0.113.3"),
		       -EEXIST, sentence);
	assert_refused(model,
		       "{kind: policy_route, vpc: twin, priority: 1, destination: 172.16.0.0/16, next_hop: {public: 203.0.113.3}}",
		       -EEXIST, sentence);
	assert_refused(model,
		       "{kind: route_table, name: t}" AND
		       "{kind: subnet, name: s, vpc: twin, cidr: 192.168.9.0/24, route_table: t}" AND TABLE_ROUTE(
			       "172.16.0.0/16", "public: 203.0.113.3"),
		       -EEXIST, sentence);
	/* With addresses of its own it may; growing into another's may not. */
	next_id = apply(model,
			"{kind: vpc, name: twin, cidr: 10.0.0.0/16, networks: [public]}" AND
			"{kind: route, vpc: twin, destination: 172.16.0.0/16, next_hop: {public: 203.0.113.3}}",
			next_id);
	assert_refused(
		model, "{kind: vpc, name: twin, cidrs: [10.0.0.0/16, 172.16.8.0/24]}", -EEXIST,
		"vpc twin: its CIDR 172.16.8.0/24 overlaps 172.16.0.0/16 of vpc w, and both have routes to public addresses on "
		"network public, where private ones would be mixed up; delete one's routes, or give it other CIDRs");
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_lead_through_instances_virtual_ips_and_networks),
		cmocka_unit_test(test_a_public_destination_through_an_instance_is_refused_but_the_default),
		cmocka_unit_test(test_what_is_a_next_hop_stays),
		cmocka_unit_test(test_vpcs_with_public_routes_on_one_network_have_distinct_cidrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
