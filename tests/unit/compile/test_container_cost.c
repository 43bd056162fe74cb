/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

/*
 * What it costs to have nodes, counted: 100 of them, h1 and h2 among them; h3 is a host of the VPC that the nodes of the network
 * "inside" are instances of. Each holds a block of "beside", whose routes each node has itself, and of "inside".
 */
#define NODES 100

/* One more is the one that comes and goes. */
static const char *node_name(unsigned i)
{
	return i == 0 ? "h1" : i == 1 ? "h2" : text_of("n%u", i);
}

typedef void put_fn(struct world *, enum vd_kind, const char *, const char *, const char *);

static void put_host(struct world *world, unsigned i, put_fn *put)
{
	put(world, VD_KIND_HOST, "default", node_name(i), text_of("{'spec':{},'assigned':{'id':%u}}", 1 + i));
	put(world, VD_KIND_CLAIM, "default", node_name(i),
	    text_of("{'machine_id':'m','boot_id':'b','underlay':'172.16.0.%u','underlay_mtu':1500,'lan':'172.16.0.0/16'}", 1 + i));
	put(world, VD_KIND_PORT, "default", node_name(i),
	    text_of("{'spec':{'subnet':'nodes'},'assigned':{'id':%u,'mac':'02:00:00:00:00:%02x','addresses':['192.168.0.%u']}}",
		    1000 + i, i, 2 + i));
	put(world, VD_KIND_ATTACHMENT, "default", node_name(i),
	    text_of("{'host':'h3','boot_id':'b','type':'netns','ifindex':%u}", 10 + i));
}

static void put_node(struct world *world, unsigned i, put_fn *put)
{
	put(world, VD_KIND_NODE, "default", node_name(i),
	    text_of("{'spec':{'container_networks':['inside','beside'],'port':'%s'},'assigned':{'id':%u}}", node_name(i),
		    2000 + i));
}

static const char *block_name(const char *network, unsigned byte, unsigned i)
{
	return text_of("%s/10.%u.%u.0/24", network, byte, i);
}

static void put_block(struct world *world, const char *network, unsigned byte, unsigned i, const char *state, put_fn *put)
{
	put(world, VD_KIND_CONTAINER_BLOCK, "default", block_name(network, byte, i),
	    text_of("{'spec':{'container_network':'%s','cidr':'10.%u.%u.0/24','node':'%s'},'assigned':{'id':%u,'state':'%s'}}",
		    network, byte, i, node_name(i), 3000 + byte * 200 + i, state));
}

static void load_world(struct world *world, unsigned quota)
{
	world_init(world);
	world_load(world, VD_KIND_HOST, "default", "h3", "{'spec':{},'assigned':{'id':900}}");
	world_load(world, VD_KIND_CLAIM, "default", "h3",
		   "{'machine_id':'m','boot_id':'b','underlay':'172.17.0.1','underlay_mtu':1500}");
	world_load(world, VD_KIND_VPC, "default", "demo",
		   text_of("{'spec':{'cidrs':['192.168.0.0/16'],'route_quota':%u},'assigned':{'id':901,'vni':1}}", quota));
	world_load(world, VD_KIND_SUBNET, "default", "nodes",
		   "{'spec':{'vpc':'demo','cidrs':['192.168.0.0/24']},'assigned':{'id':902,'vni':2}}");
	world_load(
		world, VD_KIND_CONTAINER_NETWORK, "default", "inside",
		"{'spec':{'cidrs':['10.1.0.0/16'],'mode':'routed','vpc':'demo','provider':'vpc'},'assigned':{'id':903,'vni':3}}");
	world_load(world, VD_KIND_CONTAINER_NETWORK, "default", "beside",
		   "{'spec':{'cidrs':['10.2.0.0/16'],'mode':'routed','provider':'host'},'assigned':{'id':904,'vni':4}}");
	for (unsigned i = 0; i < NODES; i++) {
		put_host(world, i, world_load);
		put_node(world, i, world_load);
		put_block(world, "inside", 1, i, "held", world_load);
		put_block(world, "beside", 2, i, "held", world_load);
	}
	put_host(world, NODES, world_load);
	for (int i = 0; i < WORLD_HOSTS; i++)
		assert_int_equal(vd_compiler_update(world->compilers[i], world->model, NULL, NULL), 0);
}

static int setup(void **state)
{
	struct world *world = malloc(sizeof(*world));

	load_world(world, 1000);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	free(*state);
	return 0;
}

/*
 * R-CTR-3: a node that joins costs every other node a constant number of records: its tunnel, and for each of its blocks a route of
 * the domain and, where the provider is the node itself, one of the kernel. However many nodes there are.
 */
static void test_a_node_that_joins_costs_every_other_a_constant_number(void **state)
{
	struct world *world = *state;

	/* Looked at: the node, its host, and the MTUs of both networks; on h3 that of the VPC's pool. */
	put_node(world, NODES, world_change);
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){4, 4, 3});
	/* For the first time: where the node stands, and whether there is a tunnel to it. */
	put_block(world, "beside", 2, NODES, "held", world_change);
	world_assert_cost(world, (size_t[]){2, 2, 0}, (uint64_t[]){3, 3, 1});
	/* h3 routes to it, and lets it send. */
	put_block(world, "inside", 1, NODES, "held", world_change);
	world_assert_cost(world, (size_t[]){1, 1, 2}, (uint64_t[]){1, 1, 1});
}

/* R-CTR-3: what a dead node leaves is as little, and nothing of it stays. */
static void test_a_node_that_dies_costs_as_little(void **state)
{
	struct world *world = *state;

	put_block(world, "beside", 2, NODES, "quarantined", world_change);
	world_assert_cost(world, (size_t[]){2, 2, 0}, (uint64_t[]){1, 1, 1});
	put_block(world, "inside", 1, NODES, "quarantined", world_change);
	world_assert_cost(world, (size_t[]){1, 1, 2}, (uint64_t[]){1, 1, 1});
	/* The records of who it was come to nothing. */
	world_change(world, VD_KIND_CONTAINER_BLOCK, "default", block_name("beside", 2, NODES), NULL);
	world_change(world, VD_KIND_CONTAINER_BLOCK, "default", block_name("inside", 1, NODES), NULL);
	world_assert_cost(world, (size_t[]){0, 0, 0}, (uint64_t[]){2, 2, 2});
	world_change(world, VD_KIND_NODE, "default", node_name(NODES), NULL);
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){4, 4, 3});
}

/* What a plan has about one block. */
struct traces {
	struct vd_prefix prefix;
	size_t found;
	uint32_t host; /* of the route */
};

static int find_route(const struct vd_plan_record *record, void *userdata)
{
	struct traces *traces = userdata;

	if (vd_prefix_equal(&record->route.destination, &traces->prefix)) {
		traces->found++;
		traces->host = record->route.host;
	}
	return 0;
}

static int find_host_route(const struct vd_plan_record *record, void *userdata)
{
	struct traces *traces = userdata;

	traces->found += vd_prefix_equal(&record->host_route.prefix, &traces->prefix);
	return 0;
}

static int find_source(const struct vd_plan_record *record, void *userdata)
{
	struct traces *traces = userdata;

	traces->found += vd_prefix_equal(&record->source.prefix, &traces->prefix);
	return 0;
}

static struct traces traces_of(const struct world *world, int host, unsigned byte, unsigned i)
{
	const struct vd_plan *plan = vd_compiler_plan(world->compilers[host]);
	struct traces traces = {};

	assert_int_equal(vd_prefix_parse(text_of("10.%u.%u.0/24", byte, i), &traces.prefix), 0);
	vd_plan_each(plan, VD_PLAN_KIND_HOST_ROUTE, find_host_route, &traces);
	vd_plan_each(plan, VD_PLAN_KIND_SOURCE, find_source, &traces);
	vd_plan_each(plan, VD_PLAN_KIND_ROUTE, find_route, &traces);
	return traces;
}

#define DEAD 30

/* Those of the nodes from 50 on. */
static void give_blocks(struct world *world, const char *state)
{
	for (unsigned i = 50; i < 50 + DEAD; i++) {
		put_block(world, "beside", 2, i, state, world_change);
		put_block(world, "inside", 1, i, state, world_change);
	}
	world_commit(world, NULL);
}

/* R-CTR-3: 30 of 100 die: no plan has anything of their blocks. Theirs again, they are as they were; others', they lead to those. */
static void test_thirty_nodes_die_and_nothing_leads_to_them(void **state)
{
	struct world *world = *state;

	give_blocks(world, "quarantined");
	for (unsigned i = 50; i < 50 + DEAD; i++)
		for (int host = 0; host < WORLD_HOSTS; host++) {
			assert_int_equal(traces_of(world, host, 1, i).found, 0);
			assert_int_equal(traces_of(world, host, 2, i).found, 0);
		}
	assert_int_equal(traces_of(world, 0, 2, 49).found, 2);

	for (unsigned i = 50; i < 50 + DEAD; i++)
		world_change(world, VD_KIND_CONTAINER_BLOCK, "default", block_name("beside", 2, i),
			     text_of("{'spec':{'container_network':'beside','cidr':'10.2.%u.0/24','node':'%s'},"
				     "'assigned':{'id':%u,'state':'held'}}",
				     i, node_name(i - 30), 5000 + i));
	world_commit(world, NULL);
	for (unsigned i = 50; i < 50 + DEAD; i++) {
		struct traces traces = traces_of(world, 0, 2, i);

		assert_int_equal(traces.found, 2);
		assert_int_equal(traces.host, 1 + i - 30);
	}
	give_blocks(world, "held");
	assert_int_equal(traces_of(world, 1, 2, 79).host, 80);
	assert_int_equal(traces_of(world, 2, 1, 79).found, 2);
}

/* A daemon that comes back says the same of its host as before, and something new of what else is there. */
static void test_what_a_node_says_of_itself_disturbs_no_block(void **state)
{
	struct world *world = *state;

	world_change(world, VD_KIND_CLAIM, "default", "n5",
		     "{'machine_id':'m','boot_id':'c','underlay':'172.16.0.6','underlay_mtu':1500,'lan':'172.16.0.0/16',"
		     "'occupied':[{'name':'docker0','prefix':'172.17.0.0/16'}]}");
	/* Its host, and values: where it stands, whether it can be reached, the MTUs of both networks; on h3 that of the pool. */
	world_assert_cost(world, (size_t[]){0, 0, 0}, (uint64_t[]){5, 5, 1});
}

/* R-CTR-4: at the limit a block more costs what it changes, after looking at all of the VPC's: 50 of the 100 have a route. */
static void test_at_the_quota_only_what_changes_is_looked_at(void **state)
{
	struct world world;

	load_world(&world, 50);
	/* The last by address goes without, as those before it do. */
	put_node(&world, NODES, world_change);
	world_commit(&world, NULL);
	put_block(&world, "inside", 1, NODES, "held", world_change);
	/* By tunnel, which is looked for: a route, and one of the kernel into the host port; h3 only lets it send. And a fitting. */
	world_assert_cost(&world, (size_t[]){2, 2, 1}, (uint64_t[]){3, 3, 2});
	/* The first one's route goes to the first that had none. */
	world_change(&world, VD_KIND_CONTAINER_BLOCK, "default", block_name("inside", 1, 2), NULL);
	world_assert_cost(&world, (size_t[]){3, 3, 3}, (uint64_t[]){3, 3, 3});
	world_free(&world);
}

/* A port in the VPC of a peer makes this one known on its host; a port more there costs that port. */
static void test_a_peer_is_known_and_costs_its_ports(void **state)
{
	struct world *world = *state;

	world_change(world, VD_KIND_VPC, "default", "far", "{'spec':{'cidrs':['192.169.0.0/16']},'assigned':{'id':910,'vni':5}}");
	world_change(world, VD_KIND_SUBNET, "default", "far",
		     "{'spec':{'vpc':'far','cidrs':['192.169.0.0/24'],'gateways':['192.169.0.1']},'assigned':{'id':911,'vni':6}}");
	world_change(world, VD_KIND_PORT, "default", "far",
		     "{'spec':{'subnet':'far'},'assigned':{'id':912,'mac':'02:00:00:00:01:00','addresses':['192.169.0.2']}}");
	world_change(world, VD_KIND_ATTACHMENT, "default", "far", "{'host':'h1','boot_id':'b','type':'netns','ifindex':500}");
	world_commit(world, NULL);
	world_change(world, VD_KIND_PEERING, "default", "q", "{'spec':{'vpc':'demo','peer':'far'},'assigned':{'id':913}}");
	world_commit(world, NULL);
	/* On h3 the peer: domain, local route, gateway, port; and the route to it. On h1 all of demo. */
	assert_int_equal(vd_plan_count(vd_compiler_plan(world->compilers[2]), VD_PLAN_KIND_DOMAIN), 2);
	assert_int_equal(vd_plan_count(vd_compiler_plan(world->compilers[2]), VD_PLAN_KIND_SUBNET), 1);

	world_change(world, VD_KIND_PORT, "default", "far2",
		     "{'spec':{'subnet':'far'},'assigned':{'id':914,'mac':'02:00:00:00:01:01','addresses':['192.169.0.3']}}");
	world_change(world, VD_KIND_ATTACHMENT, "default", "far2", "{'host':'h1','boot_id':'b','type':'netns','ifindex':501}");
	world_assert_cost(world, (size_t[]){3, 0, 1}, (uint64_t[]){1, 1, 1});
	/* A block more of demo is a route in it on both, besides that of the nodes. */
	put_node(world, NODES, world_change);
	world_commit(world, NULL);
	put_block(world, "inside", 1, NODES, "held", world_change);
	world_assert_cost(world, (size_t[]){2, 1, 2}, (uint64_t[]){1, 1, 1});
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_that_joins_costs_every_other_a_constant_number),
		cmocka_unit_test(test_a_node_that_dies_costs_as_little),
		cmocka_unit_test(test_thirty_nodes_die_and_nothing_leads_to_them),
		cmocka_unit_test(test_what_a_node_says_of_itself_disturbs_no_block),
		cmocka_unit_test(test_at_the_quota_only_what_changes_is_looked_at),
		cmocka_unit_test(test_a_peer_is_known_and_costs_its_ports),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
