/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK(name, more) "{kind: network, name: " name ", physnet: site, " more "}"
#define PUBLIC(name, more) NETWORK(name, "role: public, " more)
#define FLAT(name, more) NETWORK(name, "role: flat, " more)
#define VPC(more) "{kind: vpc, name: v, cidr: 192.168.0.0/16" more "}"
#define SUBNET(name, more) "{kind: subnet, name: " name ", vpc: v, " more "}"
#define PORT(name, more) "{kind: port, name: " name ", " more "}"
#define VIP(name, more) "{kind: virtual_ip, name: " name ", " more "}"
#define FORWARD "{kind: port_forward, name: ssh, vip: v.public, protocol: tcp, ports: 24, to_ports: 22, port: p}"
#define RANGES "range: 10.108.10.0-10.108.11.255, netmask: 255.0.0.0"

static void put_claim(struct vd_model *model, const char *host, const char *record)
{
	struct vd_resource *claim = NULL;
	struct vd_error error;

	assert_int_equal(vd_resource_decode(VD_KIND_CLAIM, "default", host, record, strlen(record), &claim, &error), 0);
	assert_int_equal(vd_model_put(model, claim), 0);
	vd_resource_unref(claim);
}

static void assert_document(const struct vd_model *model, enum vd_kind kind, const char *name, const char *expected)
{
	const struct vd_resource *resource = vd_model_get(model, kind, "default", name);
	json_t *document;
	char *text;

	assert_non_null(resource);
	document = vd_resource_document(resource);
	text = json_dumps(document, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(document);
}

static void assert_addresses(const struct vd_model *model, const char *vip, const char *first, const char *second)
{
	const struct vd_virtual_ip *found = (const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, "default", vip);
	char text[VD_ADDRESS_TEXT];

	assert_non_null(found);
	assert_int_equal(found->assigned_address_count, second ? 2 : 1);
	assert_string_equal(vd_address_format(&found->assigned_addresses[0], text), first);
	if (second)
		assert_string_equal(vd_address_format(&found->assigned_addresses[1], text), second);
}

/* R-NET-1, R-NET-3, R-NET-5: the notation of each; documents come back as they were meant. */
static void test_networks_are_given_by_ranges_or_cidr(void **state)
{
	struct vd_model *model = vd_model_new();

	apply(model, PUBLIC("a", RANGES ", gateway: 10.0.0.1"), 1);
	assert_document(model, VD_KIND_NETWORK, "a",
			"{\"kind\":\"network\",\"name\":\"a\",\"role\":\"public\",\"physnet\":\"site\",\"sriov\":false,\"cidrs\":["
			"\"10.0.0.0/"
			"8\"],\"gateways\":[\"10.0.0.1\"],\"ranges\":[\"10.108.10.0-10.108.11.255\"],\"dhcp\":false,\"dhcp_lease\":"
			"86400,\"domain\":\"a.internal\"}");
	apply(model, FLAT("b", "vlan: 4094, cidr: 172.18.0.10/24"), 2);
	assert_document(model, VD_KIND_NETWORK, "b",
			"{\"kind\":\"network\",\"name\":\"b\",\"role\":\"flat\",\"physnet\":\"site\",\"vlan\":4094,\"sriov\":false,"
			"\"cidrs\":[\"172.18.0.0/24\"],\"gateways\":[\"172.18.0.1\"],\"dhcp\":true,\"dhcp_lease\":86400,\"domain\":"
			"\"b.internal\"}");
	assert_assigned(model, VD_KIND_NETWORK, "default", "b", "{\"id\":2,\"dhcp_address\":\"172.18.0.254\"}");
	/* Nobody leads out of it; IPv6 beside ranges with a netmask. */
	apply(model,
	      FLAT("c", "vlan: 1, gateway: none, ranges: [10.1.0.4-10.1.0.9, 'fd00::4-fd00::9'], netmask: 255.255.255.0, "
			"cidr: 'fd00::/64', dhcp: false"),
	      3);
	assert_document(
		model, VD_KIND_NETWORK, "c",
		"{\"kind\":\"network\",\"name\":\"c\",\"role\":\"flat\",\"physnet\":\"site\",\"vlan\":1,\"sriov\":false,\"cidrs\":"
		"[\"10.1.0.0/24\",\"fd00::/64\"],\"gateways\":[\"none\",\"none\"],\"ranges\":[\"10.1.0.4-10.1.0.9\","
		"\"fd00::4-fd00::9\"],\"dhcp\":false,\"dhcp_lease\":86400,\"domain\":\"c.internal\"}");
	/* Applied again, in whatever project, nothing changes. */
	assert_int_equal(apply_as(model, PUBLIC("a", "cidr: 10.0.0.0/8, range: 10.108.10.0-10.108.11.255"), "acme", 4), 4);
	apply(model, NETWORK("m", "vlan: 2, role: management, cidr: 10.2.0.0/24"), 4);
	vd_model_free(model);
}

static void test_bad_networks_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *sentence;
	} cases[] = {
		{FLAT("n", "vlan: 0, cidr: 10.0.0.0/24"), -EINVAL,
		 "line 1: network n: vlan 0 is reserved (IEEE 802.1Q); choose one from 1 to 4094, or leave it out for untagged "
		 "frames"},
		{FLAT("n", "vlan: 4095, cidr: 10.0.0.0/24"), -EINVAL,
		 "line 1: network n: vlan 4095 is reserved (IEEE 802.1Q); choose one from 1 to 4094, or leave it out for untagged "
		 "frames"},
		{FLAT("n", "vlan: 5000, cidr: 10.0.0.0/24"), -EINVAL, "line 1: network n: vlan must be from 1 to 4094, not 5000"},
		{FLAT("n", "range: 169.253.255.0-169.254.0.9, netmask: 255.0.0.0"), -EINVAL,
		 "line 1: network n: range 169.253.255.0-169.254.0.9 holds link-local addresses (169.254.0.0/16), which no "
		 "instance can "
		 "use; "
		 "choose another"},
		{FLAT("n", "cidr: 169.254.0.0/24"), -EINVAL,
		 "line 1: network n: CIDR 169.254.0.0/24 overlaps 169.254.0.0/16 (link-local), which no instance can use; take "
		 "another"},
		{FLAT("n", "range: 10.0.0.1-10.0.0.9"), -EINVAL,
		 "line 1: network n: its addresses are missing; give it a cidr, or ranges and a netmask"},
		{FLAT("n", "netmask: 255.0.0.0"), -EINVAL,
		 "line 1: network n: netmask is given without a range of IPv4; add one, or say cidr"},
		{FLAT("n", "range: 10.0.0.1-10.0.0.9, netmask: 255.0.255.0"), -EINVAL,
		 "line 1: network n: netmask must be a netmask like 255.255.255.0, not \"255.0.255.0\""},
		{FLAT("n", "cidr: 10.0.0.0/8, range: 10.0.0.1-10.0.0.9, netmask: 255.0.0.0"), -EINVAL,
		 "line 1: network n: it has a netmask and the CIDR 10.0.0.0/8; leave one out"},
		{FLAT("n", "ranges: [10.0.0.1-10.0.0.9, 11.0.0.1-11.0.0.2], netmask: 255.0.0.0"), -EINVAL,
		 "line 1: network n: by its netmask range 11.0.0.1-… is on another link than 10.0.0.0/8; make it another network"},
		{FLAT("n", "cidr: 10.0.0.0/24, gateway: 10.0.1.1"), -EINVAL,
		 "line 1: network n: gateway 10.0.1.1 lies outside its CIDRs; choose an address inside"},
		{FLAT("n", "cidr: 10.0.0.0/24, dhcp_address: 10.0.0.1"), -EINVAL,
		 "line 1: network n: dhcp_address 10.0.0.1 is its gateway; choose another"},
		{FLAT("n", "cidr: 10.0.0.0/24, dhcp: false, dhcp_address: 10.0.0.2"), -EINVAL,
		 "line 1: network n: dhcp_address 10.0.0.2 is given while dhcp is false; leave one out"},
		{PUBLIC("n", "cidr: 10.0.0.0/24, gateway: none"), -EINVAL,
		 "line 1: network n: a public network needs a gateway; give it one, or make it flat"},
		{NETWORK("n", "role: management, cidr: 10.0.0.0/24, dhcp: true"), -EINVAL,
		 "line 1: network n: a management network has no instances to serve; leave dhcp out"},
		{FLAT("n", "project: acme, cidr: 10.0.0.0/24"), -EINVAL,
		 "line 1: network acme/n: a network belongs to every project; leave out project: acme"},
		/* One address in two networks of a physical network. */
		{FLAT("n", "cidr: 10.9.0.128/25"), -EEXIST,
		 "network n: CIDR 10.9.0.128/25 overlaps 10.9.0.0/24 of network taken on the same physnet and vlan; give that "
		 "another "
		 "range in place of a second network, or choose another CIDR"},
		{SUBNET("s", "cidr: 192.168.0.0/24, physnet: site"), -EEXIST,
		 "subnet s: physnet site, untagged, has network taken already; choose another vlan"},
		{FLAT("n", "vlan: 7, cidr: 10.0.0.0/24"), -EEXIST,
		 "network n: physnet site, vlan 7, has subnet seven already; choose another vlan"},
		{SUBNET("s", "cidr: 192.168.0.0/24, physnet: site, vlan: 7"), -EEXIST,
		 "subnet s: physnet site, vlan 7, has subnet seven already; choose another vlan"},
		{SUBNET("s", "cidr: 192.168.0.0/24, vlan: 8"), -EINVAL,
		 "line 1: subnet s: vlan is given without physnet; name the physical network that it is of"},
		{SUBNET("s", "cidr: 192.168.0.0/24, physnet: site, vlan: 4095"), -EINVAL,
		 "line 1: subnet s: vlan 4095 is reserved (IEEE 802.1Q); choose one from 1 to 4094, or leave it out for untagged "
		 "frames"},
		{SUBNET("s", "cidr: 192.168.0.0/24, physnet: site, vlan: 8, vni: 9"), -EINVAL,
		 "line 1: subnet s: it has a physnet and a vni; leave one out, a VNI is of a VXLAN"},
		{SUBNET("seven", "cidr: 192.168.7.0/24, physnet: site, vlan: 8"), -EINVAL,
		 "subnet seven: its segment cannot move to another physnet or vlan while it stands; delete it first"},
		{PUBLIC("taken", "cidr: 10.9.0.0/24"), -EINVAL,
		 "network taken: its role is flat and cannot become public while it stands; delete it first"},
		{FLAT("taken", "vlan: 3, cidr: 10.9.0.0/24"), -EINVAL,
		 "network taken: it cannot move to another physnet or vlan while it stands; delete it first"},
		{FLAT("taken", "cidr: 10.8.0.0/24"), -EINVAL,
		 "port i: it has address 10.9.0.2, which network taken would not contain; delete the port first"},
		{PORT("q", "network: taken, address: 10.9.0.2"), -EADDRINUSE,
		 "port q: address 10.9.0.2 is taken by port i; choose another or leave it out"},
		{PORT("q", "network: taken, subnet: seven"), -EINVAL,
		 "line 1: port q: name either subnet: (of a VPC) or network: (flat or public)"},
		{PORT("q", "network: mgmt"), -EINVAL,
		 "port q: network mgmt is a management network, for hosts only; choose a flat or public one"},
		{PORT("i", "subnet: seven"), -EINVAL,
		 "port i: its network is taken and cannot become subnet seven while it stands; delete it first"},
		{VIP("x", "network: taken, address: 10.9.0.2"), -EADDRINUSE,
		 "virtual_ip x: address 10.9.0.2 is taken by port i; choose another or leave it out"},
		{VIP("x", "network: taken, address: 10.9.0.1"), -EINVAL,
		 "virtual_ip x: address 10.9.0.1 is the gateway of network taken; choose another"},
		{VIP("x", "network: taken, address: 10.10.0.1"), -EINVAL,
		 "virtual_ip x: address 10.10.0.1 lies outside network taken (10.9.0.0/24); choose one inside"},
		{VIP("x", "network: mgmt"), -EINVAL,
		 "virtual_ip x: network mgmt is a management network, for hosts only; choose a public or flat one"},
		{VIP("x", "network: taken, port: i"), -EINVAL,
		 "line 1: virtual_ip x: a port holds a subnet's virtual_ip only; bind this one with an elastic_ip or a "
		 "port_forward"},
		{VIP("x", "subnet: seven, port: i"), -EINVAL,
		 "virtual_ip x: port i is not in its subnet seven; choose a port of that"},
		{VIP("x", "network: taken, subnet: seven"), -EINVAL,
		 "line 1: virtual_ip x: name either network: (a public or flat one) or subnet: (inside a VPC)"},
		{VIP("x", "network: taken, vpc: v"), -EINVAL,
		 "virtual_ip x: it names a vpc, but its router's own address on network taken is called v.taken; leave vpc out"},
		{VIP("v.taken", "network: taken, vpc: v"), -EINVAL,
		 "virtual_ip v.taken: vpc v is not attached to network taken, which is what makes its router's address there; "
		 "attach it"},
		{VPC(", networks: [taken, {network: taken, address: 10.9.0.9}]"), -EINVAL,
		 "line 1: vpc v: networks names taken twice"},
		{VPC(", network: mgmt"), -EINVAL,
		 "vpc v: network mgmt is a management network, where no router leads; choose a public or flat one"},
		{VPC(", network: nowhere"), -ENOENT, "vpc v: network nowhere does not exist; apply it too, or correct networks"},
		{VPC(", networks: [{network: taken, port: 1}]"), -EINVAL,
		 "line 1: vpc v: networks must be a list of networks' names, or of {network: NAME, address: ADDRESS}"},
		{"{kind: router_profile, name: r, network: mgmt}", -EINVAL,
		 "router_profile r: network mgmt is a management network; choose a public or flat one"},
		{"{kind: router_profile, name: r, management_network: taken}", -EINVAL,
		 "router_profile r: management_network taken is a flat network, for instances; choose a management or public one"},
	};
	struct vd_model *model = vd_model_new();

	apply(model,
	      FLAT("taken", "cidr: 10.9.0.0/24") AND NETWORK("mgmt", "role: management, vlan: 9, cidr: 10.1.0.0/24") AND VPC("")
		      AND SUBNET("seven", "cidr: 192.168.7.0/24, physnet: site, vlan: 7") AND PORT("i", "network: taken"),
	      1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(model, cases[i].text, cases[i].code, cases[i].sentence);
	vd_model_free(model);
}

/* R-NET-7 */
static void test_sriov_needs_virtual_functions(void **state)
{
	struct vd_model *model = vd_model_new();

	apply(model, VPC(""), 1);
	assert_refused(model, FLAT("n", "cidr: 10.0.0.0/24, sriov: true"), -EINVAL,
		       "network n: sriov: no host has an uplink to physnet site; start viaductd with --uplink site=IFNAME first");
	put_claim(model, "h1",
		  "{\"uplinks\":[{\"physnet\":\"other\",\"ifname\":\"eth1\",\"vf_count\":4},{\"physnet\":\"site\",\"ifname\":"
		  "\"eth2\"}]}");
	assert_refused(
		model, FLAT("n", "cidr: 10.0.0.0/24, sriov: true"), -EINVAL,
		"network n: sriov: the uplink eth2 of host h1 to physnet site has no virtual functions, and no other host has "
		"one with them; leave sriov out or enable them (sriov_numvfs)");
	assert_refused(
		model, SUBNET("s", "cidr: 192.168.0.0/24, physnet: site, sriov: true"), -EINVAL,
		"subnet s: sriov: the uplink eth2 of host h1 to physnet site has no virtual functions, and no other host has "
		"one with them; leave sriov out or enable them (sriov_numvfs)");
	assert_refused(model, SUBNET("s", "cidr: 192.168.0.0/24, sriov: true"), -EINVAL,
		       "line 1: subnet s: sriov needs a physnet, whose uplink has the virtual functions; name it");
	put_claim(model, "h2", "{\"uplinks\":[{\"physnet\":\"site\",\"ifname\":\"eth2\",\"vf_count\":8}]}");
	apply(model, FLAT("n", "cidr: 10.0.0.0/24, sriov: true"), 2);
	/* What it was allowed stays allowed. */
	vd_model_remove(model, VD_KIND_CLAIM, "default", "h2");
	apply(model, FLAT("n", "cidr: 10.0.0.0/24, sriov: true, dhcp_lease: 60"), 3);
	vd_model_free(model);
}

/* R-NET-5: instances on a network have addresses of its ranges; two projects share them. */
static void test_instances_sit_on_networks(void **state)
{
	struct vd_model *model = vd_model_new();
	struct vd_address address;
	const struct vd_port *port;

	apply(model, FLAT("n", RANGES ", gateway: 10.0.0.1"), 1);
	apply(model, PORT("p", "network: n"), 2);
	apply_as(model, PORT("p", "network: n"), "acme", 3);
	assert_assigned(model, VD_KIND_PORT, "default", "p",
			"{\"id\":2,\"addresses\":[\"10.108.10.0\"],\"mac\":\"02:76:00:00:00:02\"}");
	assert_assigned(model, VD_KIND_PORT, "acme", "p",
			"{\"id\":3,\"addresses\":[\"10.108.10.1\"],\"mac\":\"02:76:00:00:00:03\"}");
	assert_refused(model, PORT("q", "network: n, mac: '02:76:00:00:00:03'"), -EADDRINUSE,
		       "port q: mac 02:76:00:00:00:03 is taken by port acme/p in the same network; choose another or leave it out");
	vd_address_parse("10.108.10.1", &address);
	port = vd_model_port_by_network_address(model, "n", &address);
	assert_non_null(port);
	assert_string_equal(port->head.project, "acme");
	assert_not_deleted(model, VD_KIND_NETWORK, "n",
			   "network n is needed by port acme/p and 1 more; delete that first, or all together");
	vd_model_free(model);
}

/* R-VIP-1, R-NET-3: around the ranges others have their addresses, even inside the netmask. Who has one keeps it. */
static void test_what_is_given_on_a_network_lies_in_its_ranges(void **state)
{
	struct vd_model *model = vd_model_new();

	apply(model, PUBLIC("n", RANGES ", gateway: 10.0.0.1") AND VPC("") AND VIP("a", "network: n, address: 10.108.11.255"), 1);
	assert_refused(
		model, VIP("b", "network: n, address: 10.108.12.0"), -EINVAL,
		"virtual_ip b: address 10.108.12.0 lies outside the ranges of network n, where others have theirs; choose one "
		"inside");
	assert_refused(
		model, "{kind: elastic_ip, name: b, network: n, address: 10.108.9.255}", -EINVAL,
		"virtual_ip b: address 10.108.9.255 lies outside the ranges of network n, where others have theirs; choose one "
		"inside");
	assert_refused(
		model, VPC(", networks: [{network: n, address: 10.0.0.9}]"), -EINVAL,
		"virtual_ip v.n: address 10.0.0.9 lies outside the ranges of network n, where others have theirs; choose one "
		"inside");
	assert_refused(
		model, PORT("p", "network: n, address: 10.0.0.9"), -EINVAL,
		"port p: address 10.0.0.9 lies outside the ranges of network n, where others have theirs; choose one inside");
	apply(model,
	      PUBLIC("n", "ranges: [10.108.10.0-10.108.10.255], netmask: 255.0.0.0, gateway: 10.0.0.1")
		      AND VIP("a", "network: n, addresses: [10.108.11.255]"),
	      10);
	assert_addresses(model, "a", "10.108.11.255", NULL);
	vd_model_free(model);
}

/* R-VIP-1: from a network or a subnet, given or allocated, beside ports. */
static void test_virtual_ips_have_addresses_of_their_own(void **state)
{
	struct vd_model *model = vd_model_new();
	struct vd_address address;

	apply(model,
	      PUBLIC("n", "cidrs: ['fd00:1::/64', 10.0.0.0/29]") AND VPC("") AND SUBNET("s", "cidr: 192.168.0.0/29, dhcp: false")
		      AND PORT("p", "subnet: s"),
	      1);
	apply(model, VIP("a", "network: n") AND VIP("b", "network: n, address: 'fd00:1::9'") AND VIP("c", "subnet: s, port: p"),
	      10);
	assert_addresses(model, "a", "10.0.0.2", NULL);
	assert_addresses(model, "b", "fd00:1::9", NULL);
	assert_addresses(model, "c", "192.168.0.3", NULL);
	apply(model, PORT("q", "subnet: s"), 20);
	assert_assigned(model, VD_KIND_PORT, "default", "q",
			"{\"id\":20,\"addresses\":[\"192.168.0.4\"],\"mac\":\"02:76:00:00:00:14\"}");
	assert_refused(model, PORT("r", "subnet: s, address: 192.168.0.3"), -EADDRINUSE,
		       "port r: address 192.168.0.3 is taken by virtual_ip c; choose another or leave it out");
	vd_address_parse("192.168.0.3", &address);
	assert_non_null(vd_model_vip_by_address(model, "default", "v", &address));
	assert_null(vd_model_port_by_address(model, "default", "v", &address));
	assert_not_deleted(model, VD_KIND_PORT, "p", "port p is needed by virtual_ip c; unbind that first, or delete all together");
	/* It moves, and keeps its address. */
	apply(model, VIP("c", "subnet: s, port: q"), 30);
	assert_addresses(model, "c", "192.168.0.3", NULL);
	discard(model, VD_KIND_PORT, "p");
	assert_refused(model, SUBNET("s", "cidr: 192.168.9.0/29, dhcp: false"), -EINVAL,
		       "port q: it has address 192.168.0.4, which subnet s would not contain; delete the port first");
	vd_model_free(model);
}

/* R-RTR-4, R-NET-5: the router's own address comes and goes with the attachment. */
static void test_attachments_make_and_remove_the_routers_addresses(void **state)
{
	struct vd_model *model = vd_model_new();
	struct vd_changes *changes;

	apply(model, PUBLIC("public", "cidrs: [10.0.0.0/24, 'fd00:1::/64']") AND PUBLIC("public2", "vlan: 2, cidr: 10.2.0.0/24"),
	      1);
	apply(model, VPC(", networks: [public, {network: public2, address: 10.2.0.9}]"), 10);
	assert_addresses(model, "v.public", "10.0.0.2", "fd00:1::2");
	assert_addresses(model, "v.public2", "10.2.0.9", NULL);
	assert_document(model, VD_KIND_VIRTUAL_IP, "v.public",
			"{\"kind\":\"virtual_ip\",\"name\":\"v.public\",\"network\":\"public\",\"vpc\":\"v\"}");
	assert_not_deleted(
		model, VD_KIND_VIRTUAL_IP, "v.public",
		"virtual_ip v.public is the address of the router of vpc v on network public; detach the VPC from the network");
	assert_not_deleted(model, VD_KIND_NETWORK, "public",
			   "network public is needed by vpc v and 1 more; delete that first, or all together");
	/* Nothing said, nothing changed; said again as it is, neither. */
	assert_int_equal(apply(model, VPC(", route_quota: 60"), 20), 20);
	assert_int_equal(vd_model_count(model, VD_KIND_VIRTUAL_IP), 2);
	changes = change(model, VPC(", route_quota: 60, networks: [public, {network: public2, address: 10.2.0.9}]"), "default", 20);
	for (size_t i = 0; i < changes->count; i++)
		assert_ptr_equal(changes->items[i].before, changes->items[i].after);
	vd_changes_free(changes);
	/* Another address is asked for; the other family's stays. */
	apply(model, VPC(", networks: [{network: public, address: 10.0.0.7}, public2]"), 20);
	assert_addresses(model, "v.public", "10.0.0.7", "fd00:1::2");
	assert_addresses(model, "v.public2", "10.2.0.9", NULL);
	apply(model, VPC(", networks: [public2]"), 20);
	assert_null(vd_model_get(model, VD_KIND_VIRTUAL_IP, "default", "v.public"));
	discard(model, VD_KIND_NETWORK, "public");
	assert_int_equal(discard(model, VD_KIND_VPC, "v"), 2);
	assert_int_equal(vd_model_count(model, VD_KIND_VIRTUAL_IP), 0);
	vd_model_free(model);
}

/* R-RTR-3: the profile says where a new router leads; [] is nowhere. What is written can be applied elsewhere. */
static void test_a_profile_gives_a_new_vpc_its_network(void **state)
{
	struct vd_model *model = vd_model_new();
	const struct vd_vpc *vpc;

	apply(model, PUBLIC("public", "cidr: 10.0.0.0/24") AND "{kind: router_profile, name: default, network: public}" AND VPC(""),
	      1);
	vpc = (const struct vd_vpc *)vd_model_get(model, VD_KIND_VPC, "default", "v");
	assert_int_equal(vpc->network_count, 1);
	assert_string_equal(vpc->networks[0].network, "public");
	assert_addresses(model, "v.public", "10.0.0.2", NULL);
	apply(model, VPC(", networks: []"), 10);
	assert_int_equal(vd_model_count(model, VD_KIND_VIRTUAL_IP), 0);
	apply(model, VPC(""), 10);
	assert_int_equal(vd_model_count(model, VD_KIND_VIRTUAL_IP), 0);
	vd_model_free(model);

	model = vd_model_new();
	apply(model,
	      PUBLIC("public", "cidr: 10.0.0.0/24") AND VPC(", network: public")
		      AND VIP("v.public", "network: public, vpc: v, address: 10.0.0.8"),
	      1);
	assert_addresses(model, "v.public", "10.0.0.8", NULL);
	vd_model_free(model);

	model = vd_model_new();
	apply(model, PUBLIC("public", "cidr: 10.0.0.0/24") AND VPC("") AND VIP("v.public", "network: public"), 1);
	assert_refused(model, VPC(", network: public"), -EEXIST,
		       "vpc v: its router's address on network public would be called as virtual_ip v.public is, which is another; "
		       "rename that");
	assert_refused(model, VIP("v.public", "network: public, vpc: v"), -EEXIST,
		       "virtual_ip v.public: it is no router's own address, and cannot become one; choose another name");
	vd_model_free(model);
}

/* R-RTR-4: not while it is in use. */
static void test_a_network_in_use_is_not_detached(void **state)
{
	struct vd_model *model = vd_model_new();

	apply(model,
	      PUBLIC("public", "cidr: 10.0.0.0/24") AND PUBLIC("public2", "vlan: 2, cidr: 10.2.0.0/24")
		      AND VPC(", networks: [public, public2]") AND SUBNET("s", "cidr: 192.168.0.0/24") AND PORT("p", "subnet: s"),
	      1);
	apply(model, FORWARD, 20);
	assert_refused(model, VPC(", networks: [public2]"), -EBUSY,
		       "vpc v: network public cannot be detached while port_forward ssh uses it; delete or unbind that first");
	discard(model, VD_KIND_PORT_FORWARD, "ssh");
	apply(model, "{kind: elastic_ip, name: e, network: public, port: p}", 20);
	assert_refused(model, VPC(", networks: [public2]"), -EBUSY,
		       "vpc v: network public cannot be detached while elastic_ip e uses it; delete or unbind that first");
	/* The next hop's network stays. */
	apply(model, "{kind: route, vpc: v, next_hop: {gateway: 10.2.0.5}}", 30);
	assert_refused(model, VPC(", networks: [public]"), -EBUSY,
		       "vpc v: network public2 cannot be detached while route v/0.0.0.0/0 uses it; delete or unbind that first");
	/* The virtual_ip that was made for it goes with it. */
	assert_addresses(model, "e", "10.0.0.3", NULL);
	assert_int_equal(discard(model, VD_KIND_ELASTIC_IP, "e"), 2);
	assert_null(vd_model_get(model, VD_KIND_VIRTUAL_IP, "default", "e"));
	discard(model, VD_KIND_ROUTE, "v/0.0.0.0/0");
	apply(model, VPC(", networks: []"), 30);
	vd_model_free(model);
}

/* A record that an older build wrote has none of the new fields. */
static void test_old_records_are_read_with_defaults(void **state)
{
	static const char subnet_record[] =
		"{\"spec\":{\"kind\":\"subnet\",\"name\":\"s\",\"vpc\":\"v\",\"cidrs\":[\"10.0.0.0/24\"],"
		"\"gateways\":[\"10.0.0.1\"],\"dhcp\":true,\"dhcp_lease\":86400,\"domain\":\"v.internal\"},"
		"\"assigned\":{\"id\":2,\"vni\":5,\"dhcp_address\":\"10.0.0.254\"}}";
	static const char vpc_record[] =
		"{\"spec\":{\"kind\":\"vpc\",\"name\":\"v\",\"cidrs\":[\"10.0.0.0/16\"],\"vxlan_pool\":"
		"\"default\",\"router_profile\":\"default\",\"route_quota\":50},\"assigned\":{\"id\":1,\"vni\":4}}";
	struct vd_resource *resource = NULL;
	struct vd_error error;

	assert_int_equal(
		vd_resource_decode(VD_KIND_SUBNET, "default", "s", subnet_record, strlen(subnet_record), &resource, &error), 0);
	assert_true(((struct vd_subnet *)resource)->snat);
	assert_null(((struct vd_subnet *)resource)->physnet);
	vd_resource_unref(resource);
	assert_int_equal(vd_resource_decode(VD_KIND_VPC, "default", "v", vpc_record, strlen(vpc_record), &resource, &error), 0);
	assert_int_equal(((struct vd_vpc *)resource)->network_count, 0);
	vd_resource_unref(resource);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks_are_given_by_ranges_or_cidr),
		cmocka_unit_test(test_bad_networks_are_refused_with_a_sentence),
		cmocka_unit_test(test_sriov_needs_virtual_functions),
		cmocka_unit_test(test_instances_sit_on_networks),
		cmocka_unit_test(test_what_is_given_on_a_network_lies_in_its_ranges),
		cmocka_unit_test(test_virtual_ips_have_addresses_of_their_own),
		cmocka_unit_test(test_attachments_make_and_remove_the_routers_addresses),
		cmocka_unit_test(test_a_profile_gives_a_new_vpc_its_network),
		cmocka_unit_test(test_a_network_in_use_is_not_detached),
		cmocka_unit_test(test_old_records_are_read_with_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
