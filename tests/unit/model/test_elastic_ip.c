/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#define EIP(name, more) "{kind: elastic_ip, name: " name ", " more "}"
#define VIP(name, more) "{kind: virtual_ip, name: " name ", " more "}"

static const struct vd_elastic_ip *elastic(const struct vd_model *model, const char *name)
{
	return (const struct vd_elastic_ip *)vd_model_get(model, VD_KIND_ELASTIC_IP, "default", name);
}

static const struct vd_virtual_ip *vip(const struct vd_model *model, const char *name)
{
	return (const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, "default", name);
}

static void assert_address(const struct vd_model *model, const char *name, const char *expected)
{
	char text[VD_ADDRESS_TEXT];

	assert_non_null(vip(model, name));
	assert_string_equal(vd_address_format(&vip(model, name)->assigned_addresses[0], text), expected);
}

/* R-EIP-1 (the model's part): bound, unbound, bound to another, to a private VIP; the address stays all the while. */
static void test_an_elastic_ip_moves_and_keeps_its_address(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(model, EIP("e", "network: public") AND VIP("inside", "subnet: a, port: p2"), SITE_NEXT_ID);

	assert_address(model, "e", "203.0.113.4");
	assert_null(elastic(model, "e")->port);
	next_id = apply(model, EIP("e", "network: public, port: p1"), next_id);
	assert_string_equal(elastic(model, "e")->port, "p1");
	next_id = apply(model, EIP("e", "network: public, port: p3, port_address: 192.168.1.2"), next_id);
	assert_string_equal(elastic(model, "e")->port, "p3");
	/* To an instance of another VPC, or one on a flat network itself. */
	next_id = apply(model, EIP("e", "network: public, port: p4"), next_id);
	next_id = apply(model, EIP("e", "network: public, port: office1"), next_id);
	next_id = apply(model, EIP("e", "network: public, private_vip: inside"), next_id);
	assert_null(elastic(model, "e")->port);
	assert_string_equal(elastic(model, "e")->private_vip, "inside");
	next_id = apply(model, EIP("e", "network: public"), next_id);
	assert_address(model, "e", "203.0.113.4");
	assert_int_equal(vd_model_count(model, VD_KIND_VIRTUAL_IP), 5);
	vd_model_free(model);
}

/* R-EIP-3 (the model's part): an address of one flat network leads to an instance of another. */
static void test_an_elastic_ip_of_a_flat_network_leads_to_an_instance_of_another(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      "{kind: network, name: lab, role: flat, physnet: lan, vlan: 5, cidr: 10.8.0.0/24}" AND EIP(
		      "e", "network: lab, port: office1"),
	      SITE_NEXT_ID);
	assert_string_equal(elastic(model, "e")->port, "office1");
	assert_refused(model, EIP("n", "network: office, port: office1"), -EINVAL,
		       "elastic_ip n: port office1 is on network office itself, and virtual_ip n is of the same; choose a "
		       "virtual_ip of another network");
	vd_model_free(model);
}

/* Beside one that came with it, one can stand on a virtual_ip that was there before, and leave it behind. */
static void test_its_own_virtual_ip_goes_with_it_and_a_named_one_stays(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id =
		apply(model,
		      EIP("own", "network: public, address: 203.0.113.50, port: p1")
			      AND VIP("kept", "network: public, address: 203.0.113.60") AND EIP("named", "vip: kept, port: p2"),
		      SITE_NEXT_ID);

	assert_address(model, "own", "203.0.113.50");
	next_id = apply(model, EIP("own", "network: public, address: 203.0.113.51, port: p1"), next_id);
	assert_address(model, "own", "203.0.113.51");
	assert_refused(model, EIP("own", "network: second, port: p1"), -EINVAL,
		       "elastic_ip own: its network is public and cannot become second while it stands; delete it first");
	assert_refused(model, EIP("kept", "network: public"), -EEXIST,
		       "elastic_ip kept: virtual_ip kept exists; say vip: kept in place of network, or choose another name");
	assert_not_deleted(model, VD_KIND_VIRTUAL_IP, "own",
			   "virtual_ip own is needed by elastic_ip own; delete that first, or all together");
	assert_int_equal(discard(model, VD_KIND_ELASTIC_IP, "own"), 2);
	assert_null(vip(model, "own"));
	assert_int_equal(discard(model, VD_KIND_ELASTIC_IP, "named"), 1);
	assert_non_null(vip(model, "kept"));
	vd_model_free(model);
}

/* R-VIP-1: the router's own address serves no elastic IP; a virtual_ip that serves one serves nothing else. */
static void test_an_elastic_ip_has_a_virtual_ip_of_a_network_for_itself(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      VIP("x", "network: public") AND VIP("y", "network: public") AND VIP("inside", "subnet: a") AND EIP("e", "vip: x") AND
	      "{kind: port_forward, name: ssh, vip: y, protocol: tcp, ports: 22, port: p1}",
	      SITE_NEXT_ID);
	assert_refused(model, EIP("n", "vip: v.public, port: p1"), -EINVAL,
		       "elastic_ip n: virtual_ip v.public is the router's own address of VPC v, which serves no elastic IP; name "
		       "network: public to take a new one");
	assert_refused(
		model, EIP("n", "vip: inside, port: p1"), -EINVAL,
		"elastic_ip n: virtual_ip inside is of subnet a; an elastic IP is one of a network (private_vip: binds it to "
		"one of a subnet)");
	assert_refused(model, EIP("n", "vip: x, port: p1"), -EBUSY,
		       "elastic_ip n: virtual_ip x is that of elastic_ip e already; choose another, or bind that one");
	assert_refused(model, EIP("n", "vip: y, port: p1"), -EBUSY,
		       "elastic_ip n: virtual_ip y serves port_forward ssh, and one with an elastic IP serves nothing else; choose "
		       "another virtual_ip");
	assert_refused(model, "{kind: port_forward, name: web, vip: x, protocol: tcp, ports: 80, port: p2}", -EBUSY,
		       "port_forward web: virtual_ip x is that of elastic_ip e and serves nothing else; choose another");
	vd_model_free(model);
}

static void test_what_it_leads_to_is_reachable_from_its_network(void **state)
{
	struct vd_model *model = site();

	apply(model,
	      "{kind: network, name: six, role: public, physnet: wan, vlan: 6, cidr: 2001:db8::/64}" AND VIP("inside", "subnet: c")
		      AND VIP("outside", "network: public"),
	      SITE_NEXT_ID);
	assert_refused(model, EIP("n", "network: second, port: p4"), -EINVAL,
		       "elastic_ip n: VPC w of port p4 is not attached to network second of virtual_ip n; add it to the VPC's "
		       "networks");
	assert_refused(model, EIP("n", "network: second, private_vip: inside"), -EINVAL,
		       "elastic_ip n: VPC w of private_vip inside is not attached to network second; add it to the VPC's networks");
	assert_refused(model, EIP("n", "network: public, private_vip: outside"), -EINVAL,
		       "elastic_ip n: private_vip outside is of network public; it leads to one of a subnet, or to a port");
	assert_refused(model, EIP("n", "network: public, port: p1, port_address: 192.168.0.3"), -EINVAL,
		       "elastic_ip n: port p1 does not have address 192.168.0.3; give one that it has");
	assert_refused(model, EIP("n", "network: six, port: office1"), -EINVAL,
		       "elastic_ip n: virtual_ip n is 2001:db8::2 and port office1 has no address of that family; choose another "
		       "virtual_ip or port");
	assert_refused(model, EIP("n", "network: public, port: p9"), -ENOENT,
		       "elastic_ip n: port p9 does not exist; apply it too, or correct port");
	vd_model_free(model);
}

/* Its virtual_ip may get another address, but none of a family that the instance does not have. */
static void test_a_virtual_ip_in_use_keeps_its_family(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(
		model,
		"{kind: network, name: both, role: public, physnet: wan, vlan: 8, cidrs: [192.0.2.0/24, '2001:db8::/64']}" AND VIP(
			"x", "network: both") AND EIP("e", "vip: x, port: office1"),
		SITE_NEXT_ID);

	apply(model, VIP("x", "network: both, address: 192.0.2.77"), next_id);
	assert_address(model, "x", "192.0.2.77");
	assert_refused(model, VIP("x", "network: both, address: '2001:db8::77'"), -EINVAL,
		       "elastic_ip e: virtual_ip x is 2001:db8::77 and port office1 has no address of that family; choose another "
		       "virtual_ip or port");
	vd_model_free(model);
}

static void test_what_it_leads_to_stays_while_it_is_bound(void **state)
{
	static const struct vd_identity both[] = {{VD_KIND_PORT, "default", "p1"}, {VD_KIND_ELASTIC_IP, "default", "e"}};
	struct vd_model *model = site();
	struct vd_changes *changes;

	apply(model,
	      "{kind: port, name: p1, subnet: a, addresses: [192.168.0.2, 192.168.0.9]}" AND EIP(
		      "e", "network: public, port: p1, port_address: 192.168.0.9") AND VIP("inside", "subnet: a")
		      AND EIP("f", "network: second, private_vip: inside"),
	      SITE_NEXT_ID);
	assert_not_deleted(model, VD_KIND_PORT, "p1",
			   "port p1 is needed by elastic_ip e; unbind that first, or delete all together");
	assert_not_deleted(model, VD_KIND_VIRTUAL_IP, "inside",
			   "virtual_ip inside is needed by elastic_ip f; delete that first, or all together");
	assert_refused(model, "{kind: port, name: p1, subnet: a, address: 192.168.0.2}", -EINVAL,
		       "elastic_ip e: port p1 does not have address 192.168.0.9; give one that it has");
	assert_refused(model, "{kind: vpc, name: v, cidr: 192.168.0.0/16, networks: [public]}", -EBUSY,
		       "vpc v: network second cannot be detached while elastic_ip f uses it; delete or unbind that first");
	assert_int_equal(vd_changes_from_deletion(model, both, 2, &changes, NULL), 0);
	assert_int_equal(changes->count, 3);
	vd_changes_apply(changes, model);
	vd_changes_free(changes);
	assert_null(vip(model, "e"));
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_elastic_ip_moves_and_keeps_its_address),
		cmocka_unit_test(test_an_elastic_ip_of_a_flat_network_leads_to_an_instance_of_another),
		cmocka_unit_test(test_its_own_virtual_ip_goes_with_it_and_a_named_one_stays),
		cmocka_unit_test(test_an_elastic_ip_has_a_virtual_ip_of_a_network_for_itself),
		cmocka_unit_test(test_what_it_leads_to_is_reachable_from_its_network),
		cmocka_unit_test(test_a_virtual_ip_in_use_keeps_its_family),
		cmocka_unit_test(test_what_it_leads_to_stays_while_it_is_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
