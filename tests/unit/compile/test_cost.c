/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <malloc.h>

/*
 * What a change costs in a VPC of 10,000 ports, counted, not timed: h1 and h2 hold half of them each, h3 holds a port of another
 * VPC. A derived unit is one resource looked at; a step is one record that datapath and host put or remove.
 */
#define PORTS 10000

static void load_port(struct world *world, unsigned i, bool is_change)
{
	void (*put)(struct world *, enum vd_kind, const char *, const char *, const char *) = is_change ? world_change : world_load;
	const char *name = text_of("p%u", i);

	put(world, VD_KIND_PORT, "default", name,
	    text_of("{'spec':{'subnet':'big'},'assigned':{'id':%u,'mac':'02:00:00:00:%02x:%02x','addresses':['10.1.%u.%u']}}",
		    1000 + i, i / 256, i % 256, i / 250, 2 + i % 250));
	put(world, VD_KIND_ATTACHMENT, "default", name,
	    text_of("{'host':'%s','boot_id':'b','type':'netns','ifindex':%u}", i % 2 ? "h2" : "h1", 100 + i));
}

static void load_world(struct world *world)
{
	world_init(world);
	for (unsigned i = 0; i < WORLD_HOSTS; i++) {
		world_load(world, VD_KIND_HOST, "default", world_hosts[i], text_of("{'spec':{},'assigned':{'id':%u}}", 1 + i));
		world_load(world, VD_KIND_CLAIM, "default", world_hosts[i],
			   text_of("{'machine_id':'m','boot_id':'b','underlay':'172.16.0.%u','underlay_mtu':1500}", 1 + i));
	}
	world_load(world, VD_KIND_VPC, "default", "demo", "{'spec':{'cidrs':['10.0.0.0/8']},'assigned':{'id':10,'vni':10}}");
	world_load(world, VD_KIND_SUBNET, "default", "big",
		   "{'spec':{'vpc':'demo','cidrs':['10.1.0.0/16']},'assigned':{'id':11,'vni':11}}");
	world_load(world, VD_KIND_VPC, "default", "else", "{'spec':{'cidrs':['10.0.0.0/8']},'assigned':{'id':12,'vni':12}}");
	world_load(world, VD_KIND_SUBNET, "default", "small",
		   "{'spec':{'vpc':'else','cidrs':['10.1.0.0/16']},'assigned':{'id':13,'vni':13}}");
	world_load(world, VD_KIND_PORT, "default", "elsewhere",
		   "{'spec':{'subnet':'small'},'assigned':{'id':14,'mac':'02:00:00:00:00:01','addresses':['10.1.0.2']}}");
	world_load(world, VD_KIND_ATTACHMENT, "default", "elsewhere", "{'host':'h3','boot_id':'b','type':'netns','ifindex':9}");
	for (unsigned i = 0; i < PORTS; i++)
		load_port(world, i, false);
}

static int setup(void **state)
{
	struct world *world = malloc(sizeof(*world));

	load_world(world);
	for (int i = 0; i < WORLD_HOSTS; i++)
		assert_int_equal(vd_compiler_update(world->compilers[i], world->model, NULL, NULL), 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	free(*state);
	return 0;
}

static void test_one_more_port_costs_one_port(void **state)
{
	struct world *world = *state;

	/* h1: port, endpoint and name; h2: endpoint and name; h3 has nothing of this VPC. Everywhere one unit is looked at, the port. */
	load_port(world, PORTS, true);
	world_assert_cost(world, (size_t[]){3, 2, 0}, (uint64_t[]){1, 1, 1});
	/* The name stays with the port. */
	world_change(world, VD_KIND_ATTACHMENT, "default", "p10000", NULL);
	world_assert_cost(world, (size_t[]){2, 1, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_PORT, "default", "p10000", NULL);
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){1, 1, 1});
}

static void test_a_port_that_moves_costs_one_port(void **state)
{
	struct world *world = *state;

	world_change(world, VD_KIND_ATTACHMENT, "default", "p0", "{'host':'h2','boot_id':'b','type':'netns','ifindex':100}");
	world_assert_cost(world, (size_t[]){2, 2, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_ATTACHMENT, "default", "p0", "{'host':'h1','boot_id':'b','type':'netns','ifindex':100}");
	world_assert_cost(world, (size_t[]){2, 2, 0}, (uint64_t[]){1, 1, 1});
}

static void test_one_more_route_costs_one_route(void **state)
{
	struct world *world = *state;

	world_change(
		world, VD_KIND_ROUTE, "default", "demo/172.30.0.0/16",
		"{'spec':{'vpc':'demo','destination':'172.30.0.0/16','next_hop':{'address':'10.1.0.3'}},'assigned':{'id':900}}");
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){1, 1, 1});
	/* Its next hop goes: the port and the route that reads it. */
	world_change(world, VD_KIND_ATTACHMENT, "default", "p1", NULL);
	world_assert_cost(world, (size_t[]){2, 3, 0}, (uint64_t[]){2, 2, 1});
}

#define ELASTICS 1000

static void load_elastic(struct world *world, unsigned i)
{
	world_load(world, VD_KIND_VIRTUAL_IP, "default", text_of("e%u", i),
		   text_of("{'spec':{'network':'public'},'assigned':{'id':%u,'addresses':['100.64.%u.%u']}}", 30000 + i, i / 250,
			   1 + i % 250));
	world_load(world, VD_KIND_ELASTIC_IP, "default", text_of("x%u", i),
		   text_of("{'spec':{'vip':'e%u','port':'p%u'},'assigned':{'id':%u}}", i, i, 40000 + i));
}

/* Binding one among 1,000 others; ports are on h1 and h2 in turn, h1 has the uplink, h3 is h2's gateway and sees all. */
static void test_binding_an_elastic_ip_costs_one(void **state)
{
	struct world world;

	load_world(&world);
	for (unsigned i = 1; i <= 3; i += 2)
		world_load(&world, VD_KIND_CLAIM, "default", world_hosts[i - 1],
			   text_of("{'machine_id':'m','boot_id':'b','underlay':'172.16.0.%u','underlay_mtu':1500,'uplinks':"
				   "[{'physnet':'site','ifname':'up0','ifindex':5,'mac':'02:aa:00:00:00:0%u','mtu':1500}]}",
				   i, i));
	world_load(&world, VD_KIND_NETWORK, "default", "public",
		   "{'spec':{'role':'public','physnet':'site','cidrs':['100.64.0.0/10'],'gateways':['100.127.0.1']},"
		   "'assigned':{'id':20}}");
	world_load(&world, VD_KIND_VPC, "default", "demo",
		   "{'spec':{'cidrs':['10.0.0.0/8'],'networks':['public']},'assigned':{'id':10,'vni':10}}");
	world_load(&world, VD_KIND_VIRTUAL_IP, "default", "demo.public",
		   "{'spec':{'network':'public','vpc':'demo'},'assigned':{'id':21,'addresses':['100.127.0.2']}}");
	world_load(&world, VD_KIND_GATEWAY, "default", "demo.public", "{'host':'h3','boot_id':'b'}");
	for (unsigned i = 0; i < ELASTICS; i++)
		load_elastic(&world, i);
	world_load(&world, VD_KIND_VIRTUAL_IP, "default", "new",
		   "{'spec':{'network':'public'},'assigned':{'id':22,'addresses':['100.65.0.1']}}");
	for (int i = 0; i < WORLD_HOSTS; i++)
		assert_int_equal(vd_compiler_update(world.compilers[i], world.model, NULL, NULL), 0);

	/* Its record where it stands and on the other host of the network; looked at: it, its virtual IP, and where it stands the network. */
	world_change(&world, VD_KIND_ELASTIC_IP, "default", "x", "{'spec':{'vip':'new','port':'p4000'},'assigned':{'id':50000}}");
	world_assert_cost(&world, (size_t[]){1, 0, 1}, (uint64_t[]){3, 2, 2});
	/* To h2, which has no uplink: h3 answers for it. */
	world_change(&world, VD_KIND_ELASTIC_IP, "default", "x", "{'spec':{'vip':'new','port':'p4001'},'assigned':{'id':50000}}");
	world_assert_cost(&world, (size_t[]){1, 1, 1}, (uint64_t[]){3, 2, 3});
	world_change(&world, VD_KIND_ELASTIC_IP, "default", "x", "{'spec':{'vip':'new'},'assigned':{'id':50000}}");
	world_assert_cost(&world, (size_t[]){1, 1, 1}, (uint64_t[]){2, 2, 3});
	world_free(&world);
}

static void test_a_host_that_boots_again_disturbs_no_port(void **state)
{
	struct world *world = *state;

	/* Looked at: the host, its reach, the MTU; the 5,000 ports on it read only those results. */
	world_change(world, VD_KIND_CLAIM, "default", "h2",
		     "{'machine_id':'m','boot_id':'c','underlay':'172.16.0.2','underlay_mtu':1500}");
	world_assert_cost(world, (size_t[]){0, 0, 0}, (uint64_t[]){3, 1, 1});
}

static void test_the_first_port_of_a_vpc_brings_it_here(void **state)
{
	struct world *world = *state;
	struct vd_plan_difference *differences[WORLD_HOSTS];

	/* p1 lost its attachment above. */
	world_change(world, VD_KIND_ATTACHMENT, "default", "p1", "{'host':'h3','boot_id':'b','type':'netns','ifindex':7}");
	world_commit(world, differences);
	/* Two tunnel hosts, domain, subnet, port, local routes, every endpoint: in each VPC also a gateway and the metadata service. */
	assert_int_equal(vd_plan_count(vd_compiler_plan(world->compilers[2]), VD_PLAN_KIND_ENDPOINT), PORTS + 1 + 4);
	assert_int_equal(vd_plan_count(vd_compiler_plan(world->compilers[2]), VD_PLAN_KIND_TUNNEL_HOST), 2);
	for (int i = 0; i < WORLD_HOSTS; i++)
		vd_plan_difference_free(differences[i]);
}

/* A daemon with 10,000 ports has 150 MiB for everything. */
static void test_compiling_ten_thousand_ports_takes_little_memory(void **state)
{
	size_t before = mallinfo2().uordblks, taken;
	struct vd_compiler *compiler = world_compile(*state, "h1");

	taken = mallinfo2().uordblks - before;
	print_message("%zu bytes per port\n", taken / PORTS);
	assert_true(taken < PORTS * 1550);
	vd_compiler_free(compiler);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_more_port_costs_one_port),
		cmocka_unit_test(test_a_port_that_moves_costs_one_port),
		cmocka_unit_test(test_one_more_route_costs_one_route),
		cmocka_unit_test(test_binding_an_elastic_ip_costs_one),
		cmocka_unit_test(test_a_host_that_boots_again_disturbs_no_port),
		cmocka_unit_test(test_the_first_port_of_a_vpc_brings_it_here),
		cmocka_unit_test(test_compiling_ten_thousand_ports_takes_little_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
