/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SUBNET(more) "{kind: subnet, name: s, vpc: v, " more "}"
#define PORT(name, more) "{kind: port, name: " name ", subnet: s" more "}"

static struct vd_model *with_subnet(const char *subnet)
{
	struct vd_model *model = vd_model_new();

	apply(model, "{kind: vpc, name: v, cidrs: [10.0.0.0/16, 'fd00::/48']}", 1);
	apply(model, subnet, 2);
	return model;
}

static void assert_dhcp_address(const struct vd_model *model, const char *expected)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, "default", "s");
	char text[VD_ADDRESS_TEXT] = "none";

	assert_non_null(subnet);
	if (subnet->assigned_dhcp_address.family != VD_FAMILY_NONE)
		vd_address_format(&subnet->assigned_dhcp_address, text);
	assert_string_equal(text, expected);
}

static void assert_address(const struct vd_model *model, const char *name, const char *expected)
{
	const struct vd_port *port = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, "default", name);
	char text[VD_ADDRESS_TEXT];

	assert_non_null(port);
	assert_string_equal(vd_address_format(&port->assigned_addresses[0], text), expected);
}

/* R-SVC-2: on by default, with the highest address; off has none. */
static void test_dhcp_has_an_address_while_it_is_on(void **state)
{
	struct vd_model *model = with_subnet(SUBNET("cidrs: [10.0.0.0/24, 'fd00::/64']"));

	assert_dhcp_address(model, "10.0.0.254");
	apply(model, SUBNET("cidrs: [10.0.0.0/24, 'fd00::/64'], dhcp: false"), 10);
	assert_dhcp_address(model, "none");
	apply(model, PORT("p", ", address: 10.0.0.254"), 10);
	apply(model, SUBNET("cidrs: [10.0.0.0/24, 'fd00::/64']"), 11);
	assert_dhcp_address(model, "10.0.0.253");
	vd_model_free(model);

	model = with_subnet(SUBNET("cidr: 'fd00::/64'"));
	assert_dhcp_address(model, "none");
	vd_model_free(model);
	/* Nothing to spare: the gateway answers. */
	model = with_subnet(SUBNET("cidr: 10.0.0.0/30") AND PORT("p", ""));
	assert_dhcp_address(model, "none");
	assert_address(model, "p", "10.0.0.2");
	vd_model_free(model);
}

/* R-SVC-2: given in or outside the ranges, inside the CIDR; nobody's; fixed once set, also when ranges are added. */
static void test_the_dhcp_address_is_given_or_allocated_and_then_fixed(void **state)
{
	struct vd_model *model =
		with_subnet(SUBNET("cidr: 10.0.0.0/24, dhcp_address: 10.0.0.3") AND PORT("p", "") AND PORT("q", ""));

	assert_dhcp_address(model, "10.0.0.3");
	assert_address(model, "p", "10.0.0.2");
	assert_address(model, "q", "10.0.0.4");
	assert_refused(model, SUBNET("cidr: 10.0.0.0/24, dhcp_address: 10.0.0.5"), -EINVAL,
		       "subnet s: its dhcp_address is 10.0.0.3 and cannot become 10.0.0.5 while DHCP is on; leave it out");
	assert_refused(model, PORT("r", ", address: 10.0.0.3"), -EINVAL,
		       "port r: address 10.0.0.3 is the DHCP address of subnet s; choose another");
	apply(model, SUBNET("cidr: 10.0.0.0/24, ranges: [10.0.0.100-10.0.0.199]"), 10);
	assert_dhcp_address(model, "10.0.0.3");
	/* With DHCP off in between it is free again. */
	apply(model, SUBNET("cidr: 10.0.0.0/24, dhcp: false"), 10);
	assert_refused(model, SUBNET("cidr: 10.0.0.0/24, dhcp_address: 10.0.0.2"), -EADDRINUSE,
		       "subnet s: dhcp_address 10.0.0.2 is taken by port p; choose another or leave it out");
	assert_refused(model, SUBNET("cidr: 10.0.0.0/24, dhcp_address: 10.0.0.9") AND PORT("r", ", address: 10.0.0.9"), -EINVAL,
		       "port r: address 10.0.0.9 is the DHCP address of subnet s; choose another");
	apply(model, SUBNET("cidr: 10.0.0.0/24, dhcp_address: 10.0.0.5"), 10);
	assert_dhcp_address(model, "10.0.0.5");
	/* A CIDR that no longer has it gives another. */
	apply(model, SUBNET("cidr: 10.0.0.0/29"), 10);
	assert_dhcp_address(model, "10.0.0.5");
	vd_model_free(model);

	model = with_subnet(SUBNET("cidr: 10.0.0.0/24"));
	apply(model, SUBNET("cidr: 10.0.0.0/25"), 10);
	assert_dhcp_address(model, "10.0.0.126");
	apply(model, SUBNET("cidr: 10.0.0.0/25, gateway: 10.0.0.126"), 10);
	assert_dhcp_address(model, "10.0.0.125");
	vd_model_free(model);

	model = with_subnet(SUBNET("cidr: 10.0.0.0/29, dhcp: false") AND PORT("a", "") AND PORT("b", "") AND PORT("c", "")
				    AND PORT("d", "") AND PORT("e", ""));
	assert_refused(model, SUBNET("cidr: 10.0.0.0/29"), -ENOSPC,
		       "subnet s: no address of 10.0.0.0/29 is free for DHCP; delete a port, add a range, or say dhcp: false");
	vd_model_free(model);
}

/* R-NET-3: ranges, several, in place of the whole CIDR; given addresses may lie outside them. */
static void test_allocation_takes_from_the_ranges_only(void **state)
{
	struct vd_model *model =
		with_subnet(SUBNET("cidrs: [10.0.0.0/24, 'fd00::/64'], ranges: [10.0.0.0-10.0.0.2, 10.0.0.20-10.0.0.22]")
				    AND PORT("a", "") AND PORT("b", ""));

	/* 10.0.0.0 is the network's own, 10.0.0.1 the gateway, the highest is DHCP's. */
	assert_dhcp_address(model, "10.0.0.22");
	assert_address(model, "a", "10.0.0.2");
	assert_address(model, "b", "10.0.0.20");
	apply(model, PORT("c", ", address: 10.0.0.99"), 10);
	assert_address(model, "c", "10.0.0.99");
	apply(model, PORT("d", ""), 11);
	assert_address(model, "d", "10.0.0.21");
	assert_refused(model, PORT("e", ""), -ENOSPC,
		       "port e: subnet s has no free address left in its ranges of 10.0.0.0/24; add a range or give an address");
	apply(model,
	      SUBNET("cidrs: [10.0.0.0/24, 'fd00::/64'], ranges: [10.0.0.40-10.0.0.40, 'fd00::1:0-fd00::1:9']") AND PORT("e", ""),
	      12);
	assert_assigned(model, VD_KIND_PORT, "default", "e",
			"{\"id\":12,\"addresses\":[\"10.0.0.40\",\"fd00::1:0\"],\"mac\":\"02:76:00:00:00:0c\"}");
	/* Who has an address keeps it. */
	assert_address(model, "a", "10.0.0.2");
	assert_dhcp_address(model, "10.0.0.22");
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dhcp_has_an_address_while_it_is_on),
		cmocka_unit_test(test_the_dhcp_address_is_given_or_allocated_and_then_fixed),
		cmocka_unit_test(test_allocation_takes_from_the_ranges_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
