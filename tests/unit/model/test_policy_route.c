/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#define POLICY(priority, more) "{kind: policy_route, vpc: v, priority: " priority ", " more "}"

/* R-RTR-9 (the model's part): protocol, addresses, ports, marks; what they do. */
static void test_policy_routes_match_and_act(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      "{kind: route_table, name: t}" AND "{kind: route, table: t, next_hop: {address: 192.168.1.2}}" AND POLICY(
		      "10", "protocol: tcp, source: 192.168.0.0/24, source_ports: 1024-65535, destination: 8.8.0.0/16, "
			    "destination_ports: 443, set_mark: 7") AND POLICY("20", "mark: 7, lookup_table: t")
		      AND POLICY("30", "protocol: icmp, next_hop: {address: 192.168.0.2}")
			      AND POLICY("40", "next_hop: {blackhole: true}"),
	      SITE_NEXT_ID);
	assert_int_equal(vd_model_count(model, VD_KIND_POLICY_ROUTE), 4);
	assert_non_null(vd_model_get(model, VD_KIND_POLICY_ROUTE, "default", "v/10"));
	assert_not_deleted(model, VD_KIND_ROUTE_TABLE, "t",
			   "route_table t is needed by route t/0.0.0.0/0 and 1 more; delete that first, or all together");
	assert_not_deleted(model, VD_KIND_PORT, "p1", "port p1 is needed by policy_route v/30; delete that first, or all together");
	assert_refused(model, "{kind: port, name: p1, subnet: a, address: 192.168.0.77}", -EINVAL,
		       "policy_route v/30: next hop 192.168.0.2 is no address of a port in VPC v; choose one or apply its port");
	assert_refused(model, POLICY("50", "set_mark: 1, next_hop: {blackhole: true}"), -EINVAL,
		       "line 1: policy_route v/50: it has next_hop and set_mark; leave one out");
	vd_model_free(model);
}

static void test_what_cannot_match_is_refused(void **state)
{
	struct vd_model *model = site();

	assert_refused(model, POLICY("1", "destination_ports: 80, set_mark: 1"), -EINVAL,
		       "line 1: policy_route v/1: it has ports beside protocol all; make the protocol tcp or udp");
	assert_refused(model, POLICY("1", "protocol: icmp, source_ports: 80, set_mark: 1"), -EINVAL,
		       "line 1: policy_route v/1: it has ports beside protocol icmp; make the protocol tcp or udp");
	assert_refused(model, POLICY("1", "source: 10.0.0.0/8, destination: fd00::/8, set_mark: 1"), -EINVAL,
		       "line 1: policy_route v/1: its source is of IPv4 and its destination of IPv6; give both one family");
	assert_refused(model, POLICY("1", "destination: fd00::/8, next_hop: {address: 192.168.0.2}"), -EINVAL,
		       "line 1: policy_route v/1: next hop 192.168.0.2 is not of the destination's family; give one of IPv6");
	assert_refused(model, POLICY("1", "source: fd00::/8, next_hop: {gateway: 203.0.113.1}"), -EINVAL,
		       "line 1: policy_route v/1: next hop 203.0.113.1 is not of the source's family; give one of IPv6");
	assert_refused(model, POLICY("1", "next_hop: {address: 172.16.0.2}"), -EINVAL,
		       "policy_route v/1: next hop 172.16.0.2 is no address of a port in VPC v; choose one or apply its port");
	assert_refused(model, POLICY("1", "next_hop: {gateway: 10.9.0.1}"), -EINVAL,
		       "policy_route v/1: next hop 10.9.0.1 lies on no network of VPC v; attach the VPC to its network, or choose "
		       "another");
	assert_refused(model, POLICY("1", "lookup_table: none"), -ENOENT,
		       "policy_route v/1: route_table none does not exist; apply it too, or correct lookup_table");
	/* What stands in the table that is looked up leads nowhere in this VPC. */
	assert_refused(model,
		       "{kind: route_table, name: t}" AND
		       "{kind: route, table: t, next_hop: {address: 172.16.0.2}}" AND POLICY("1", "lookup_table: t"),
		       -EINVAL,
		       "route t/0.0.0.0/0: next hop 172.16.0.2 is no address of a port in any VPC of route_table t; choose one or "
		       "apply its port");
	apply(model, "{kind: route_table, name: t}" AND "{kind: route, table: t, next_hop: {address: 172.16.0.2}}", SITE_NEXT_ID);
	assert_refused(model, POLICY("1", "lookup_table: t"), -EINVAL,
		       "route t/0.0.0.0/0: next hop 172.16.0.2 is no address of a port in any VPC of route_table t; choose one or "
		       "apply its port");
	/* Nor does a policy route when its table comes to be used by this VPC's subnet, or by the VPC. */
	apply(model,
	      "{kind: route_table, name: u}" AND "{kind: policy_route, table: u, priority: 1, next_hop: {address: 172.16.0.2}}",
	      SITE_NEXT_ID + 10);
	assert_refused(
		model, "{kind: subnet, name: a, vpc: v, cidr: 192.168.0.0/24, route_table: u}", -EINVAL,
		"policy_route u/1: next hop 172.16.0.2 is no address of a port in any VPC of route_table u; choose one or apply "
		"its port");
	assert_refused(
		model, "{kind: route_table, name: u, vpcs: [v]}", -EINVAL,
		"policy_route u/1: next hop 172.16.0.2 is no address of a port in any VPC of route_table u; choose one or apply "
		"its port");
	vd_model_free(model);
}

static void test_a_table_has_64_policy_routes(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = SITE_NEXT_ID;
	char text[128];

	for (int i = 1; i <= 64; i++) {
		snprintf(text, sizeof(text), "{kind: policy_route, vpc: v, priority: %d, set_mark: 1}", i * 500);
		next_id = apply(model, text, next_id);
	}
	assert_refused(model, POLICY("32767", "set_mark: 1"), -EDQUOT,
		       "policy_route v/32767: table v would have 65 policy routes, and at most 64 fit; delete some");
	/* Another table has its own 64. */
	apply(model, "{kind: policy_route, vpc: w, priority: 1, set_mark: 1}", next_id);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy_routes_match_and_act),
		cmocka_unit_test(test_what_cannot_match_is_refused),
		cmocka_unit_test(test_a_table_has_64_policy_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
