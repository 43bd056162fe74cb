/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

/*
 * Whatever changes, and however several changes come together: the incremental plan is the plan of a new compiler, and the
 * difference leads from the old plan to the new one. Random sequences from printed seeds; VD_SEED=n runs that one alone.
 * The names are few, so that things meet: one name goes and comes, moves between VPCs, or refers to what is not there.
 */
#define SEQUENCES 1000
#define STEPS 10

static uint64_t state;

/* xorshift64*: the same numbers everywhere. */
static unsigned number(unsigned below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)(state * 2685821657736338717u >> 33) % below;
}

static bool is_starting; /* only come, never go */

/* Once in n times, when it is not the start, something goes. */
static bool stays(unsigned n)
{
	return number(n) > 0 || is_starting;
}

static const char *const projects[] = {"default", "other"};

static const char *one_of(const char *const *words, unsigned count)
{
	return words[number(count)];
}

#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static unsigned id_of(enum vd_kind kind, const char *project, unsigned index)
{
	return 1 + (unsigned)kind * 1000 + (strcmp(project, "default") ? 500 : 0) + index;
}

static void change_host(struct world *world, const char *project)
{
	unsigned i = number(3);

	world_change(world, VD_KIND_HOST, "default", world_hosts[i],
		     stays(4) ? text_of("{'spec':{},'assigned':{'id':%u}}", id_of(VD_KIND_HOST, "default", i)) : NULL);
}

static const char *uplinks_of(unsigned i)
{
	return text_of(ONE_OF("", "{'physnet':'p0','ifname':'up0','ifindex':%u,'mac':'02:aa:00:00:00:0%u','mtu':1500}",
			      "{'physnet':'p0','ifname':'up0','ifindex':%u,'mac':'02:aa:00:00:00:0%u','mtu':1500},"
			      "{'physnet':'p1','ifname':'up1','ifindex':60,'mac':'02:aa:00:00:01:00','mtu':9000}"),
		       50 + i, i);
}

static void change_claim(struct world *world, const char *project)
{
	unsigned i = number(3);
	const char *underlay = number(4) ? text_of("172.16.0.%u", i + 1) : text_of("fd16::%u", i + 1);
	const char *addresses = number(2) ? text_of("'172.17.0.%u'", i + 1) : "";

	world_change(world, VD_KIND_CLAIM, "default", world_hosts[i],
		     stays(5) ? text_of("{'machine_id':'m%u','boot_id':'b%u','underlay':'%s','underlay_mtu':%s,'addresses':[%s],"
					"'uplinks':[%s]%s}",
					i, number(2), underlay, ONE_OF("1500", "1500", "9000", "1400", "40"), addresses,
					uplinks_of(i),
					ONE_OF("", ",'lan':'172.16.0.0/24'", ",'lan':'172.16.0.0/24'", ",'lan':'172.17.0.0/24'"))
			      : NULL);
}

/* Their addresses are of one prefix each, whatever VLAN they move to. */
static const char *const prefixes[] = {"203.0.113", "198.51.100", "192.0.2", "100.64.0"};
static const char *const networks[] = {"n0", "n1", "n2", "n3"};

/* Two of them may meet on one VLAN, and part again. */
static void change_network(struct world *world, const char *project)
{
	unsigned i = number(4);
	bool is_dual = i == 1;
	const char *vlan = i == 0 || number(3) == 0 ? "" : text_of(",'vlan':%u", i);

	world_change(world, VD_KIND_NETWORK, "default", networks[i],
		     stays(8) ? text_of("{'spec':{'role':'%s','physnet':'%s'%s,'cidrs':['%s.0/24'%s],'gateways':['%s.%u'%s],"
					"'dhcp':%s},'assigned':{'id':%u%s}}",
					i == 2 ? "flat" : "public", i == 3 ? "p1" : "p0", vlan, prefixes[i],
					is_dual ? ",'2001:db8::/64'" : "", prefixes[i], 1 + number(2),
					is_dual ? ",'2001:db8::1'" : "", i == 2 ? "true" : "false",
					id_of(VD_KIND_NETWORK, "default", i), i == 2 ? ",'dhcp_address':'192.0.2.253'" : "")
			      : NULL);
}

static void change_pool(struct world *world, const char *project)
{
	const char *name = ONE_OF("default", "pool");
	unsigned i = strcmp(name, "pool") == 0;

	world_change(
		world, VD_KIND_VXLAN_POOL, project, name,
		stays(4)
			? text_of("{'spec':{'vnis':'1-1000'%s%s},'assigned':{'id':%u}}", ONE_OF("", ",'vtep_cidr':'172.17.0.0/16'"),
				  ONE_OF("", "", ",'hosts':['h1','h2']", ",'hosts':['h3']"), id_of(VD_KIND_VXLAN_POOL, project, i))
			: NULL);
}

static void change_profile(struct world *world, const char *project)
{
	world_change(world, VD_KIND_ROUTER_PROFILE, project, "small",
		     stays(4) ? text_of("{'spec':{'cpu':%s,'memory':'64M'},'assigned':{'id':%u}}", ONE_OF("0.5", "2"),
					id_of(VD_KIND_ROUTER_PROFILE, project, 0))
			      : NULL);
}

static void change_vpc(struct world *world, const char *project)
{
	unsigned i = number(3);

	world_change(world, VD_KIND_VPC, project, text_of("v%u", i),
		     stays(6) ? text_of("{'spec':{'cidrs':[%s]%s%s%s},'assigned':{'id':%u,'vni':%u}}",
					ONE_OF("'10.0.0.0/8'", "'10.0.0.0/16'", "'10.0.0.0/14','fd00::/32'", "'192.168.0.0/16'"),
					ONE_OF("", "", ",'vxlan_pool':'pool'"), ONE_OF("", ",'router_profile':'small'"),
					text_of("%s%s",
						ONE_OF("", ",'networks':['n0']", ",'networks':['n0']", ",'networks':['n1','n0']",
						       ",'networks':['n0','n1','n3']"),
						ONE_OF("", "", ",'route_quota':3", ",'route_quota':6")),
					id_of(VD_KIND_VPC, project, i), 100 + i)
			      : NULL);
}

static void change_table(struct world *world, const char *project)
{
	unsigned i = number(3);

	world_change(world, VD_KIND_ROUTE_TABLE, project, text_of("t%u", i),
		     stays(5)
			     ? text_of("{'spec':{'vpcs':[%s]},'assigned':{'id':%u}}",
				       ONE_OF("", "'v0'", "'v1'", "'v0','v1'", "'v2','v0'"), id_of(VD_KIND_ROUTE_TABLE, project, i))
			     : NULL);
}

static void change_subnet(struct world *world, const char *project)
{
	unsigned i = number(4);
	const char *cidrs = number(3) ? text_of("'10.%u.0.0/24'", i) : text_of("'10.%u.0.0/24','fd00:0:%u::/64'", i, i);

	world_change(world, VD_KIND_SUBNET, project, text_of("s%u", i),
		     stays(6) ? text_of("{'spec':{'vpc':'v%u','cidrs':[%s]%s%s%s},'assigned':{'id':%u,'vni':%u%s}}", number(3),
					cidrs, ONE_OF("", "", ",'route_table':'t0'", ",'route_table':'t1'"),
					ONE_OF("", ",'dhcp':false", ",'dhcp_lease':600,'dns':['9.9.9.9','2620:fe::9']"),
					number(4) ? ""
						  : text_of(",'physnet':'p0','vlan':%u,'snat':false",
							    300 + i + (strcmp(project, "default") ? 10 : 0)),
					id_of(VD_KIND_SUBNET, project, i), 200 + i,
					number(3) ? "" : text_of(",'dhcp_address':'10.%u.0.%u'", i, 253 + number(2)))
			      : NULL);
}

static void change_group(struct world *world, const char *project)
{
	unsigned i = number(3);

	world_change(world, VD_KIND_SECURITY_GROUP, project, text_of("g%u", i),
		     stays(5) ? text_of("{'spec':{},'assigned':{'id':%u}}", id_of(VD_KIND_SECURITY_GROUP, project, i)) : NULL);
}

/* Few ports and prefixes, so that rules overlap: the same block, the same remote, from several rules and groups. */
static void change_rule(struct world *world, const char *project)
{
	unsigned i = number(3), j = number(6);
	bool is_default = j == 0;
	const char *what = is_default ? ""
				      : ONE_OF("", ",'protocol':'tcp','ports':'22'", ",'protocol':'tcp','ports':'16-24'",
					       ",'protocol':'tcp'", ",'protocol':'udp','ports':'23-1024'", ",'protocol':'icmp'",
					       ",'protocol':'icmp','icmp_type':8");
	const char *cidr = number(2) || is_default ? ""
						   : ONE_OF(",'remote_cidr':'10.0.0.0/8'", ",'remote_cidr':'10.1.0.0/16'",
							    ",'remote_cidr':'0.0.0.0/0'", ",'remote_cidr':'fd00::/16'");
	const char *group = is_default  ? text_of(",'remote_group':'g%u','default':true", i)
			    : number(2) ? ""
					: text_of(",'remote_group':'g%u'", number(3));

	world_change(world, VD_KIND_SECURITY_GROUP_RULE, project, text_of("g%u/r%u", i, j),
		     stays(4) ? text_of("{'spec':{'group':'g%u','name':'r%u','direction':'%s'%s%s%s},'assigned':{'id':%u}}", i, j,
					ONE_OF("ingress", "egress"), what, cidr, group,
					id_of(VD_KIND_SECURITY_GROUP_RULE, project, i * 10 + j))
			      : NULL);
}

/* A set of groups has its identity, of its project, for ever. */
static const char *groups_of(unsigned set)
{
	static const char *const sets[] = {"", "'g0'", "'g1'", "'g0','g1'", "'g2'", "'g0','g2'", "'g1','g2'", "'g0','g1','g2'"};

	return sets[set];
}

static void change_port_of_network(struct world *world, const char *project)
{
	unsigned i = number(8), set = number(8), network = 1 + number(2);

	world_change(world, VD_KIND_PORT, project, text_of("p%u", i),
		     text_of("{'spec':{'network':'n%u','security_groups':[%s]},'assigned':{'id':%u,'identity':%u,"
			     "'mac':'02:00:00:00:00:%02x','addresses':['%s.%u']}}",
			     network, groups_of(set), id_of(VD_KIND_PORT, project, i), set ? 20000 + id_of(0, project, set) : 0, i,
			     prefixes[network], 200 + i + (strcmp(project, "default") ? 20 : 0)));
}

static unsigned host_part(const char *project, unsigned i)
{
	return 10 + i + (strcmp(project, "default") ? 50 : 0);
}

/* Of networks, of routers, of subnets: e0-e3, v0.n0 …, w0-w1. */
static void change_virtual_ip(struct world *world, const char *project)
{
	unsigned i = number(4), network = number(4);

	world_change(world, VD_KIND_VIRTUAL_IP, project, text_of("e%u", i),
		     stays(5) ? text_of("{'spec':{'network':'n%u'},'assigned':{'id':%u,'addresses':['%s.%u']}}", network,
					id_of(VD_KIND_VIRTUAL_IP, project, i), prefixes[network], host_part(project, i))
			      : NULL);
}

static void change_system_vip(struct world *world, const char *project)
{
	unsigned i = number(3), network = ONE_OF("0", "1", "3")[0] - '0';
	const char *second = network == 1 ? text_of(",'2001:db8::%u'", host_part(project, i)) : "";

	world_change(world, VD_KIND_VIRTUAL_IP, project, text_of("v%u.n%u", i, network),
		     stays(6) ? text_of("{'spec':{'network':'n%u','vpc':'v%u'},'assigned':{'id':%u,'addresses':['%s.%u'%s]}}",
					network, i, id_of(VD_KIND_VIRTUAL_IP, project, 10 + i * 4 + network), prefixes[network],
					100 + host_part(project, i), second)
			      : NULL);
}

static void change_private_vip(struct world *world, const char *project)
{
	unsigned i = number(2), subnet = number(4);

	world_change(world, VD_KIND_VIRTUAL_IP, project, text_of("w%u", i),
		     stays(5) ? text_of("{'spec':{'subnet':'s%u'%s},'assigned':{'id':%u,'addresses':['10.%u.0.%u']}}", subnet,
					number(4) ? text_of(",'port':'p%u'", number(8)) : "",
					id_of(VD_KIND_VIRTUAL_IP, project, 40 + i), subnet, 40 + i)
			      : NULL);
}

static void change_elastic_ip(struct world *world, const char *project)
{
	unsigned i = number(4);
	const char *bound =
		number(5) ? text_of(",'port':'p%u'", number(8)) : ONE_OF("", ",'private_vip':'w0'", ",'private_vip':'w1'");

	world_change(world, VD_KIND_ELASTIC_IP, project, text_of("x%u", i),
		     stays(5) ? text_of("{'spec':{'vip':'e%u'%s},'assigned':{'id':%u}}", number(6) ? i : number(4), bound,
					id_of(VD_KIND_ELASTIC_IP, project, i))
			      : NULL);
}

static void change_forward(struct world *world, const char *project)
{
	unsigned i = number(4), first = 1000 * (1 + i);

	world_change(world, VD_KIND_PORT_FORWARD, project, text_of("f%u", i),
		     stays(5) ? text_of("{'spec':{'vip':'%s','protocol':'%s','ports':'%u-%u'%s%s},'assigned':{'id':%u}}",
					ONE_OF("e0", "e3", "v0.n0", "v1.n1"), ONE_OF("tcp", "udp"), first, first + number(200),
					number(5) ? text_of(",'port':'p%u'", number(8)) : "",
					ONE_OF("", "", ",'allowed_cidr':'192.0.2.0/24'"), id_of(VD_KIND_PORT_FORWARD, project, i))
			      : NULL);
}

static void change_gateway(struct world *world, const char *project)
{
	unsigned i = number(3), network = ONE_OF("0", "1", "3")[0] - '0';

	world_change(world, VD_KIND_GATEWAY, project, text_of("v%u.n%u", i, network),
		     stays(6) ? text_of("{'host':'h%u','boot_id':'b'}", 1 + number(3)) : NULL);
}

/* The first VPC on the first network more often than others, for what needs the two of them. */
static void change_gateway_of_first(struct world *world, const char *project)
{
	world_change(world, VD_KIND_VIRTUAL_IP, "default", "v0.n0",
		     text_of("{'spec':{'network':'n0','vpc':'v0'},'assigned':{'id':%u,'addresses':['203.0.113.110']}}",
			     id_of(VD_KIND_VIRTUAL_IP, "default", 10)));
	world_change(world, VD_KIND_GATEWAY, "default", "v0.n0", text_of("{'host':'h%u','boot_id':'b'}", 1 + number(3)));
}

static void change_route_of_first(struct world *world, const char *project)
{
	world_change(world, VD_KIND_ROUTE, "default", "v0/172.31.0.0/16",
		     stays(4) ? text_of("{'spec':{'vpc':'v0','destination':'172.31.0.0/16','next_hop':{'public':'203.0.113.%u'}},"
					"'assigned':{'id':%u}}",
					20 + number(2), id_of(VD_KIND_ROUTE, "default", 400))
			      : NULL);
}

static void change_policy_route(struct world *world, const char *project)
{
	const char *table = ONE_OF("v0", "v1", "t0", "t1", "t2");
	unsigned priority = 1 + number(3);
	const char *action = ONE_OF("'set_mark':7", "'lookup_table':'t0'", "'lookup_table':'t2'", "'next_hop':{'blackhole':true}",
				    "'next_hop':{'peering':'q'}", "'next_hop':{'gateway':'203.0.113.7'}",
				    "'next_hop':{'gateway':'2001:db8::7'}", "'next_hop':{'vip':'w0'}");
	const char *source = strstr(action, "2001:") ? ",'source':'fd00::/8'" : ",'source':'10.0.0.0/8'";

	world_change(world, VD_KIND_POLICY_ROUTE, project, text_of("%s/%u", table, priority),
		     stays(4) ? text_of("{'spec':{'%s':'%s','priority':%u%s,%s},'assigned':{'id':%u}}",
					table[0] == 'v' ? "vpc" : "table", table, priority,
					ONE_OF("", ",'protocol':'udp','destination_ports':'53'", source, ",'mark':7"), action,
					id_of(VD_KIND_POLICY_ROUTE, project,
					      (table[0] == 'v' ? 0 : 20) + (unsigned)(table[1] - '0') * 4 + priority))
			      : NULL);
}

static void change_port(struct world *world, const char *project)
{
	unsigned i = number(8), subnet = number(4), set = number(8);
	const char *second = number(3) ? "" : text_of(",'fd00:0:%u::%u'", subnet, 10 + i);

	world_change(world, VD_KIND_PORT, project, text_of("p%u", i),
		     stays(5) ? text_of("{'spec':{'subnet':'s%u','security_groups':[%s]%s%s%s%s},'assigned':{'id':%u,'identity':%u,"
					"'mac':'02:00:00:00:00:%02x','addresses':"
					"['10.%u.0.%u'%s]}}",
					subnet, groups_of(set), ONE_OF("", "", ",'instance':'a'", ",'instance':'b'"),
					ONE_OF("", "", ",'default':true"), ONE_OF("", ",'source_check':false"),
					ONE_OF("", ",'allowed_sources':['10.200.0.0/16','fd02::/48']",
					       ",'allowed_sources':['172.20.1.0/24']"),
					id_of(VD_KIND_PORT, project, i), set ? 20000 + id_of(0, project, set) : 0, i, subnet,
					10 + number(2) * 10 + i, second)
			      : NULL);
}

static void change_attachment(struct world *world, const char *project)
{
	unsigned i = number(8);

	world_change(world, VD_KIND_ATTACHMENT, project, text_of("p%u", i),
		     stays(4) ? text_of("{'host':'h%u','boot_id':'b','type':'%s','ifindex':%u}", 1 + number(3),
					ONE_OF("netns", "netns", "tap"), 10 + i + number(2))
			      : NULL);
}

/* Destinations differ from table to table, as validation wants it of tables that meet in a VPC. */
static const char *destination_of(unsigned i, bool is_main, unsigned j)
{
	switch (i) {
	case 0:
		return is_main ? "0.0.0.0/0" : text_of("64.%u.0.0/16", j);
	case 1:
		return text_of("10.1.%u.0/24", j);
	case 2:
		return text_of("10.%u.0.0/16", 200 + j);
	default:
		return text_of("fd02:0:%u::/48", j + 1);
	}
}

/* Another router's address: of one VPC only, since two of the same CIDR could not both be routed to. */
static const char *hop_outside(const char *table, const char *project, bool is_ipv6)
{
	bool is_public = strcmp(table, "v0") == 0 && strcmp(project, "default") == 0 && number(8);

	if (number(6) == 0)
		return "{'peering':'q'}";
	return text_of("{'%s':'%s%u'}", is_public ? "public" : "gateway",
		       is_ipv6 ? "2001:db8::" : text_of("%s.", prefixes[number(2) ? 0 : number(4)]), 1 + number(14));
}

static void change_route(struct world *world, const char *project)
{
	const char *table = ONE_OF("v0", "v1", "t0", "t1", "t2");
	bool is_main = table[0] == 'v';
	unsigned i = number(4), j = (is_main ? 0 : 2) + (unsigned)(table[1] - '0');
	const char *destination = destination_of(i, is_main, j);
	const char *hop = number(2)        ? hop_outside(table, project, i == 3)
			  : number(4) == 0 ? ONE_OF("{'vip':'w0'}", "{'vip':'w1'}")
			  : i == 3         ? text_of("{'address':'fd00:0:%u::%u'}", number(4), 10 + number(8))
					   : text_of("{'address':'10.%u.0.%u'}", number(4), 10 + number(2) * 10 + number(8));

	world_change(world, VD_KIND_ROUTE, project, text_of("%s/%s", table, destination),
		     stays(4) ? text_of("{'spec':{'%s':'%s','destination':'%s','next_hop':%s},'assigned':{'id':%u}}",
					is_main ? "vpc" : "table", table, destination, number(5) ? hop : "{'blackhole':true}",
					id_of(VD_KIND_ROUTE, project, j * 4 + i))
			      : NULL);
}

/* A container network's prefix is its project's and its own. */
static unsigned second_byte(const char *project, unsigned i)
{
	return 20 + i + (strcmp(project, "default") ? 4 : 0);
}

/* CIDRs of either VPC and of container networks, whether or not they are there. */
static const char *translation(const char *project, unsigned one, unsigned other)
{
	unsigned network = second_byte(project, number(3));

	switch (number(6)) {
	case 0:
		return text_of(",'translate':[{'vpc':'v%u','cidr':'10.0.0.0/16','as':'100.64.0.0/16'}]", one);
	case 1:
		return text_of(",'translate':[{'vpc':'v%u','cidr':'10.0.0.0/8','as':'44.0.0.0/8'},"
			       "{'vpc':'v%u','cidr':'fd00::/32','as':'fd64::/32'}]",
			       one, other);
	case 2:
		return text_of(",'translate':[{'vpc':'v%u','cidr':'172.%u.0.0/16','as':'100.65.0.0/16'},"
			       "{'vpc':'v%u','cidr':'192.168.0.0/16','as':'100.66.0.0/16'}]",
			       one, network, other);
	}
	return "";
}

/* One at a time: of two, both with the same CIDR, a VPC could not tell the addresses apart. */
static void change_peering(struct world *world, const char *project)
{
	unsigned one = number(3), other = (one + 1 + number(2)) % 3;

	world_change(world, VD_KIND_PEERING, project, "q",
		     stays(4) ? text_of("{'spec':{'vpc':'v%u','peer':'v%u'%s%s},'assigned':{'id':%u}}", one, other,
					ONE_OF("", "", ",'routes':'manual'"), translation(project, one, other),
					id_of(VD_KIND_PEERING, project, 0))
			      : NULL);
}

static void change_container_network(struct world *world, const char *project)
{
	unsigned i = number(3);
	const char *mode = ONE_OF("'mode':'routed','provider':'vpc','vpc':'v0'", "'mode':'routed','provider':'vpc','vpc':'v1'",
				  "'mode':'routed','provider':'vpc','vpc':'v0'", "'mode':'routed','provider':'host'",
				  "'mode':'routed','provider':'gateway','gateways':['h1']",
				  "'mode':'routed','provider':'gateway','gateways':['h3','h2']", "'mode':'tunnel'");

	world_change(world, VD_KIND_CONTAINER_NETWORK, project, text_of("c%u", i),
		     stays(6) ? text_of("{'spec':{'cidrs':['172.%u.0.0/16','fd20:%u::/48'],%s%s%s},'assigned':{'id':%u,'vni':%u}}",
					second_byte(project, i), second_byte(project, i), mode,
					ONE_OF("", "", ",'vxlan_pool':'pool'"), ONE_OF("", ",'masquerade':false"),
					id_of(VD_KIND_CONTAINER_NETWORK, project, i), 300 + second_byte(project, i))
			      : NULL);
}

static void change_node(struct world *world, const char *project)
{
	unsigned i = number(3);

	world_change(world, VD_KIND_NODE, project, world_hosts[i],
		     stays(5) ? text_of("{'spec':{'container_networks':[%s]%s%s},'assigned':{'id':%u}}",
					ONE_OF("'c0'", "'c0','c1'", "'c0','c1','c2'", "'c2'"),
					number(3) ? text_of(",'port':'p%u'", number(8)) : "",
					ONE_OF("", "", ",'lan':'site'", ",'lan':'172.16.0.0/24'"), id_of(VD_KIND_NODE, project, i))
			      : NULL);
}

/* Blocks, those behind ports, and addresses that moved. */
static void change_container_block(struct world *world, const char *project)
{
	unsigned network = number(3), kind = number(8), j = number(4), byte = second_byte(project, network);
	const char *cidr = kind == 0   ? text_of("172.%u.%u.7/32", byte, j)
			   : kind == 1 ? text_of("fd20:%u::%u:0/112", byte, j + 1)
				       : text_of("172.%u.%u.0/24", byte, j);
	const char *holder = kind == 2 ? text_of("'port':'p%u'", number(8)) : text_of("'node':'h%u'", 1 + number(3));

	world_change(world, VD_KIND_CONTAINER_BLOCK, project, text_of("c%u/%s", network, cidr),
		     stays(5) ? text_of("{'spec':{'container_network':'c%u','cidr':'%s',%s},'assigned':{'id':%u,'state':'%s'}}",
					network, cidr, holder,
					id_of(VD_KIND_CONTAINER_BLOCK, project,
					      network * 12 + j * 3 +
						      (kind == 0   ? 0
						       : kind == 1 ? 1
								   : 2)),
					ONE_OF("held", "held", "held", "chosen", "quarantined"))
			      : NULL);
}

/* Ports and attachments more often than the rest, as in life. */
static void change_something(struct world *world)
{
	static void (*const changes[])(struct world *, const char *) = {
		change_host,
		change_claim,
		change_pool,
		change_vpc,
		change_vpc,
		change_table,
		change_subnet,
		change_subnet,
		change_port,
		change_port,
		change_attachment,
		change_attachment,
		change_route,
		change_route,
		change_profile,
		change_group,
		change_rule,
		change_rule,
		change_rule,
		change_port,
		change_network,
		change_network,
		change_virtual_ip,
		change_virtual_ip,
		change_system_vip,
		change_system_vip,
		change_private_vip,
		change_elastic_ip,
		change_elastic_ip,
		change_forward,
		change_gateway,
		change_gateway,
		change_policy_route,
		change_port_of_network,
		change_claim,
		change_forward,
		change_gateway_of_first,
		change_route_of_first,
		change_gateway_of_first,
		change_forward,
		change_peering,
		change_peering,
		change_container_network,
		change_container_network,
		change_node,
		change_node,
		change_container_block,
		change_container_block,
		change_container_block,
		change_container_block,
	};

	changes[number(sizeof(changes) / sizeof(changes[0]))](world, projects[number(12) == 0]);
}

/* Most things there, so that a short sequence has something to disturb. */
static void start_world(struct world *world)
{
	is_starting = true;
	for (unsigned i = 0; i < 380; i++)
		change_something(world);
	is_starting = false;
}

static void assert_same(const struct vd_plan *plan, const struct vd_plan *expected, const char *what, uint64_t seed, int step,
			const char *host)
{
	struct vd_plan_difference *difference;

	assert_int_equal(vd_plan_compare(plan, expected, &difference), 0);
	if (difference->count > 0) {
		vd_plan_difference_print(difference, stderr);
		fail_msg("VD_SEED=%lu step %d host %s: %s (-: it has, +: it should have)", (unsigned long)seed, step, host, what);
	}
	vd_plan_difference_free(difference);
}

static size_t records_seen, steps_seen, seen_of_kind[VD_PLAN_KIND_COUNT];
static size_t seen_of_route[VD_PLAN_ROUTE_TYPE_PEER + 1], seen_of_domain[VD_PLAN_DOMAIN_TYPE_PEER + 1], seen_aggregates;

static int see_route(const struct vd_plan_record *record, void *userdata)
{
	seen_of_route[record->route.type]++;
	/* Blocks are /24. */
	seen_aggregates += record->route.type == VD_PLAN_ROUTE_TYPE_NEXT_HOP && record->route.table_name[0] == 'c' &&
			   record->route.destination.length == 23;
	return 0;
}

static int see_domain(const struct vd_plan_record *record, void *userdata)
{
	seen_of_domain[record->domain.type]++;
	return 0;
}

static void check_host(const struct world *world, int i, struct vd_plan *shadow, struct vd_plan_difference *difference,
		       uint64_t seed, int step)
{
	const struct vd_plan *plan = vd_compiler_plan(world->compilers[i]);
	struct vd_compiler *full = world_compile(world, world_hosts[i]);

	assert_same(plan, vd_compiler_plan(full), "incremental differs from full", seed, step, world_hosts[i]);
	if (vd_plan_apply(shadow, difference) != 0)
		fail_msg("VD_SEED=%lu step %d host %s: the difference does not fit the plan before", (unsigned long)seed, step,
			 world_hosts[i]);
	assert_same(shadow, plan, "the difference leads elsewhere", seed, step, world_hosts[i]);

	for (enum vd_plan_kind kind = 0; kind < VD_PLAN_KIND_COUNT; kind++) {
		seen_of_kind[kind] += vd_plan_count(plan, kind);
		records_seen += vd_plan_count(plan, kind);
	}
	vd_plan_each(plan, VD_PLAN_KIND_ROUTE, see_route, NULL);
	vd_plan_each(plan, VD_PLAN_KIND_DOMAIN, see_domain, NULL);
	steps_seen += difference->count;
	vd_plan_difference_free(difference);
	vd_compiler_free(full);
}

static void run_sequence(uint64_t seed)
{
	struct vd_plan *shadows[WORLD_HOSTS];
	struct world world;

	state = seed * 0x9e3779b97f4a7c15u + 1;
	world_init(&world);
	for (int i = 0; i < WORLD_HOSTS; i++)
		shadows[i] = vd_plan_new();

	for (int step = 0; step < STEPS; step++) {
		struct vd_plan_difference *differences[WORLD_HOSTS];

		if (step == 0)
			start_world(&world);
		for (unsigned i = 0, count = 1 + number(4); i < count; i++)
			change_something(&world);
		world_commit(&world, differences);
		for (int i = 0; i < WORLD_HOSTS; i++)
			check_host(&world, i, shadows[i], differences[i], seed, step);
	}
	for (int i = 0; i < WORLD_HOSTS; i++)
		vd_plan_free(shadows[i]);
	world_free(&world);
}

static void test_incremental_is_full_on_random_changes(void **unused)
{
	const char *seed = getenv("VD_SEED");

	if (seed) {
		run_sequence(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= SEQUENCES; i++)
		run_sequence(i);
	print_message("seeds 1-%d, %d steps each; %zu records compared, %zu difference steps\n", SEQUENCES, STEPS, records_seen,
		      steps_seen);
	/* Guards the generator: a world in which nothing is ever present would prove nothing. */
	assert_true(records_seen > SEQUENCES * STEPS * WORLD_HOSTS * 10);
	for (enum vd_plan_kind kind = 0; kind < VD_PLAN_KIND_COUNT; kind++)
		if (seen_of_kind[kind] <= SEQUENCES * STEPS / 2)
			fail_msg("only %zu records of kind %d in all plans", seen_of_kind[kind], (int)kind);
	for (enum vd_plan_route_type type = VD_PLAN_ROUTE_TYPE_LOCAL; type <= VD_PLAN_ROUTE_TYPE_PEER; type++)
		if (seen_of_route[type] <= SEQUENCES * STEPS / 2)
			fail_msg("only %zu routes of type %d in all plans", seen_of_route[type], (int)type);
	for (enum vd_plan_domain_type type = VD_PLAN_DOMAIN_TYPE_VPC; type <= VD_PLAN_DOMAIN_TYPE_PEER; type++)
		if (seen_of_domain[type] <= SEQUENCES * STEPS / 2)
			fail_msg("only %zu domains of type %d in all plans", seen_of_domain[type], (int)type);
	print_message("%zu routes for several blocks\n", seen_aggregates);
	assert_true(seen_aggregates > SEQUENCES / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_incremental_is_full_on_random_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
