/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#define FORWARD(name, vip, more) "{kind: port_forward, name: " name ", vip: " vip ", " more "}"
#define VIP(name, more) "{kind: virtual_ip, name: " name ", " more "}"

static const struct vd_port_forward *forward(const struct vd_model *model, const char *name)
{
	return (const struct vd_port_forward *)vd_model_get(model, VD_KIND_PORT_FORWARD, "default", name);
}

/* R-PF-1: one port to another, a range to the same range, and nothing else. */
static void test_one_port_leads_to_another_and_a_range_to_itself(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id =
		apply(model,
		      FORWARD("ssh", "v.public", "protocol: tcp, ports: 24, to_ports: 22, port: p1, allowed_cidr: 8.8.8.0/24")
			      AND FORWARD("all", "v.public", "protocol: udp, ports: 1-65535, to_ports: 1-65535, port: p1"),
		      SITE_NEXT_ID);

	assert_int_equal(forward(model, "ssh")->to_first, 22);
	assert_int_equal(forward(model, "all")->to_last, 65535);
	apply(model, FORWARD("web", "v.public", "protocol: tcp, ports: 80-90, port: p2"), next_id);
	assert_int_equal(forward(model, "web")->to_first, 80);
	assert_int_equal(forward(model, "web")->to_last, 90);
	assert_refused(
		model, FORWARD("n", "v.public", "protocol: tcp, ports: 100-110, to_ports: 200-210, port: p1"), -EINVAL,
		"line 1: port_forward n: ports 100-110 lead to 200-210; a range leads to the same range only: leave to_ports out");
	assert_refused(
		model, FORWARD("n", "v.public", "protocol: tcp, ports: 100-110, to_ports: 100, port: p1"), -EINVAL,
		"line 1: port_forward n: ports 100-110 lead to 100; a range leads to the same range only: leave to_ports out");
	assert_refused(
		model, FORWARD("n", "v.public", "protocol: tcp, ports: 100, to_ports: 100-110, port: p1"), -EINVAL,
		"line 1: port_forward n: ports 100 lead to 100-110; a range leads to the same range only: leave to_ports out");
	assert_refused(model, FORWARD("n", "v.public", "protocol: icmp, ports: 100, port: p1"), -EINVAL,
		       "line 1: port_forward n: protocol is icmp; a forward is of tcp or udp");
	assert_refused(model, FORWARD("n", "v.public", "protocol: tcp, ports: 100, port: p1, allowed_cidr: 2001:db8::/32"), -EINVAL,
		       "port_forward n: allowed_cidr 2001:db8::/32 is of IPv6, and virtual_ip v.public has no such address; give "
		       "another");
	vd_model_free(model);
}

/* R-PF-1: behind a router only. */
static void test_a_forward_stands_on_a_public_network_and_leads_behind_a_router(void **state)
{
	struct vd_model *model = site();

	apply(model, VIP("flat", "network: office") AND VIP("inside", "subnet: a") AND VIP("x", "network: second"), SITE_NEXT_ID);
	assert_refused(model, FORWARD("n", "flat", "protocol: tcp, ports: 22, port: p1"), -EINVAL,
		       "port_forward n: virtual_ip flat is of flat network office, which has no router to forward; choose one of a "
		       "public network, or use an elastic_ip");
	assert_refused(model, FORWARD("n", "v.public", "protocol: tcp, ports: 22, port: office1"), -EINVAL,
		       "port_forward n: port office1 is on network office itself, behind no router; give it an elastic_ip instead");
	assert_refused(model, FORWARD("n", "inside", "protocol: tcp, ports: 22, port: p1"), -EINVAL,
		       "port_forward n: virtual_ip inside is of subnet a; a forward stands on one of a public network");
	assert_refused(
		model, FORWARD("n", "v.public", "protocol: tcp, ports: 22, port: p4"), -EINVAL,
		"port_forward n: virtual_ip v.public is the router's own address of VPC v, and port p4 is in VPC w; choose a "
		"virtual_ip or a port of the same");
	assert_refused(model, FORWARD("n", "x", "protocol: tcp, ports: 22, port: p4"), -EINVAL,
		       "port_forward n: VPC w of port p4 is not attached to network second of virtual_ip x; add it to the VPC's "
		       "networks");
	vd_model_free(model);
}

/* R-PF-2 */
static void test_forwards_share_a_virtual_ip_and_do_not_overlap(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      VIP("x", "network: public") AND VIP("y", "network: public")
		      AND FORWARD("web", "x", "protocol: tcp, ports: 80-90, port: p1")
			      AND FORWARD("dns", "x", "protocol: udp, ports: 80-90, port: p2")
				      AND FORWARD("ssh", "x", "protocol: tcp, ports: 22, port: p1"),
	      SITE_NEXT_ID);
	assert_refused(model, FORWARD("n", "x", "protocol: tcp, ports: 85, to_ports: 22, port: p2"), -EEXIST,
		       "port_forward n: tcp 85 overlaps 80-90 of port_forward web on virtual_ip x; choose other ports");
	assert_refused(model, FORWARD("n", "x", "protocol: udp, ports: 1-80, port: p2"), -EEXIST,
		       "port_forward n: udp 1-80 overlaps 80-90 of port_forward dns on virtual_ip x; choose other ports");
	assert_refused(
		model, FORWARD("n", "y", "protocol: tcp, ports: 22, port: p1"), -EINVAL,
		"port_forward n: port p1 is reached on virtual_ip x by port_forward web, and one instance uses one virtual_ip "
		"for forwards; put it on that one");
	assert_refused(model, FORWARD("n", "x", "protocol: tcp, ports: 23, port: p4"), -EINVAL,
		       "port_forward n: it leads to subnet c, and port_forward web leads virtual_ip x to subnet a; choose another "
		       "virtual_ip");
	assert_refused(model, FORWARD("n", "x", "protocol: tcp, ports: 23, port: p3"), -EINVAL,
		       "port_forward n: it leads to subnet b, and port_forward web leads virtual_ip x to subnet a; choose another "
		       "virtual_ip");
	/* Two ports of one machine are one instance. */
	apply(model,
	      "{kind: port, name: p2, subnet: a, address: 192.168.0.3, instance: m}" AND
	      "{kind: port, name: m2, subnet: b, instance: m}",
	      SITE_NEXT_ID + 10);
	assert_refused(
		model, FORWARD("n", "y", "protocol: tcp, ports: 22, port: m2"), -EINVAL,
		"port_forward n: port p2 is reached on virtual_ip x by port_forward dns, and one instance uses one virtual_ip "
		"for forwards; put it on that one");
	/* Two that swap their ports in one apply. */
	apply(model,
	      FORWARD("web", "x", "protocol: tcp, ports: 22, port: p1")
		      AND FORWARD("ssh", "x", "protocol: tcp, ports: 80-90, port: p1"),
	      SITE_NEXT_ID + 20);
	assert_int_equal(forward(model, "web")->port_first, 22);
	/* Unbound ones remember theirs. */
	apply(model,
	      FORWARD("web", "x", "protocol: tcp, ports: 22") AND FORWARD("ssh", "x", "protocol: tcp, ports: 80-90")
		      AND FORWARD("dns", "x", "protocol: udp, ports: 80-90"),
	      SITE_NEXT_ID + 30);
	assert_refused(model, FORWARD("n", "x", "protocol: tcp, ports: 23, port: p3"), -EINVAL,
		       "port_forward n: it leads to subnet b, and port_forward web leads virtual_ip x to subnet a; choose another "
		       "virtual_ip");
	vd_model_free(model);
}

/* R-PF-3 */
static void test_a_forward_stays_in_the_network_of_its_first_instance(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22"), SITE_NEXT_ID);
	const char *sentence = "port_forward f: it belongs to subnet a, and port p3 is on subnet b; choose a port of the first, or "
			       "delete it and make a new one";

	assert_null(forward(model, "f")->assigned_subnet);
	next_id = apply(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22, port: p1"), next_id);
	assert_refused(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22, port: p3"), -EINVAL, sentence);
	next_id = apply(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22"), next_id);
	assert_string_equal(forward(model, "f")->assigned_subnet, "a");
	assert_refused(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22, port: p3"), -EINVAL, sentence);
	apply(model, FORWARD("f", "v.public", "protocol: tcp, ports: 22, port: p2"), next_id);
	assert_string_equal(forward(model, "f")->port, "p2");
	assert_not_deleted(model, VD_KIND_PORT, "p2",
			   "port p2 is needed by port_forward f; unbind that first, or delete all together");
	assert_refused(model, "{kind: vpc, name: v, cidr: 192.168.0.0/16, networks: [second]}", -EBUSY,
		       "vpc v: network public cannot be detached while port_forward f uses it; delete or unbind that first");
	assert_int_equal(discard(model, VD_KIND_PORT_FORWARD, "f"), 1);
	vd_model_free(model);
}

static void test_a_network_with_a_forward_into_the_vpc_is_not_detached(void **state)
{
	struct vd_model *model = site();

	apply(model, VIP("x", "network: second") AND FORWARD("f", "x", "protocol: tcp, ports: 22, port: p1"), SITE_NEXT_ID);
	assert_refused(model, "{kind: vpc, name: v, cidr: 192.168.0.0/16, networks: [public]}", -EBUSY,
		       "vpc v: network second cannot be detached while port_forward f uses it; delete or unbind that first");
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_port_leads_to_another_and_a_range_to_itself),
		cmocka_unit_test(test_a_forward_stands_on_a_public_network_and_leads_behind_a_router),
		cmocka_unit_test(test_forwards_share_a_virtual_ip_and_do_not_overlap),
		cmocka_unit_test(test_a_forward_stays_in_the_network_of_its_first_instance),
		cmocka_unit_test(test_a_network_with_a_forward_into_the_vpc_is_not_detached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
