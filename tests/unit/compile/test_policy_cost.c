/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <malloc.h>
#include <time.h>

/*
 * What a change of security groups costs, counted: records that datapath puts or removes, resources looked at. Group
 * "many" has 10,000 rules, group "crowd" 1,000 ports and rules that name it; ports of both are on h1, of crowd also on h2.
 */
#define RULES 10000
#define PORTS 1000

enum identity {
	IDENTITY_MANY = 20000,
	IDENTITY_CROWD,
	IDENTITY_WATCH,
	IDENTITY_NEW,
};

static void put_rule(struct world *world, bool is_change, unsigned i)
{
	void (*put)(struct world *, enum vd_kind, const char *, const char *, const char *) = is_change ? world_change : world_load;

	put(world, VD_KIND_SECURITY_GROUP_RULE, "default", text_of("many/r%u", i),
	    text_of("{'spec':{'group':'many','name':'r%u','direction':'ingress','protocol':'tcp','ports':'%u',"
		    "'remote_cidr':'10.%u.%u.0/24'},'assigned':{'id':%u}}",
		    i, 1 + i % 1000, i / 256 % 256, i % 256, 30000 + i));
}

static void put_port(struct world *world, bool is_change, unsigned i, const char *groups, unsigned identity, const char *host)
{
	void (*put)(struct world *, enum vd_kind, const char *, const char *, const char *) = is_change ? world_change : world_load;
	const char *name = text_of("p%u", i);

	put(world, VD_KIND_PORT, "default", name,
	    text_of("{'spec':{'subnet':'big','security_groups':[%s]},'assigned':{'id':%u,'identity':%u,'mac':'02:00:00:00:%02x:%"
		    "02x',"
		    "'addresses':['10.1.%u.%u']}}",
		    groups, 1000 + i, identity, i / 256, i % 256, i / 250, 2 + i % 250));
	put(world, VD_KIND_ATTACHMENT, "default", name,
	    text_of("{'host':'%s','boot_id':'b','type':'netns','ifindex':%u}", host, 100 + i));
}

static void load_rule(struct world *world, const char *group, const char *name, unsigned id, const char *what)
{
	world_load(world, VD_KIND_SECURITY_GROUP_RULE, "default", text_of("%s/%s", group, name),
		   text_of("{'spec':{'group':'%s','name':'%s',%s},'assigned':{'id':%u}}", group, name, what, id));
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
	for (unsigned i = 0; i < RULES; i++)
		put_rule(world, false, i);
	load_rule(world, "crowd", "default-ingress", 101, "'direction':'ingress','remote_group':'crowd','default':true");
	load_rule(world, "crowd", "default-egress", 102, "'direction':'egress','remote_group':'crowd','default':true");
	load_rule(world, "watch", "in", 103, "'direction':'ingress','protocol':'udp','ports':'53','remote_group':'crowd'");

	put_port(world, false, 0, "'many'", IDENTITY_MANY, "h1");
	put_port(world, false, 1, "'watch'", IDENTITY_WATCH, "h1");
	for (unsigned i = 2; i < 2 + PORTS; i++)
		put_port(world, false, i, "'crowd'", IDENTITY_CROWD, i % 2 ? "h2" : "h1");
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

static void test_one_more_rule_costs_one_rule(void **state)
{
	struct world *world = *state;

	/* h1: its remote, its port and the port's span; elsewhere no port is in the group. */
	put_rule(world, true, RULES);
	world_assert_cost(world, (size_t[]){3, 0, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_SECURITY_GROUP_RULE, "default", text_of("many/r%u", RULES), NULL);
	world_assert_cost(world, (size_t[]){3, 0, 0}, (uint64_t[]){1, 1, 1});
	/* A length that no rule had changes the policy's masks as well, for anyone in both families. */
	world_change(world, VD_KIND_SECURITY_GROUP_RULE, "default", "many/any",
		     "{'spec':{'group':'many','name':'any','direction':'ingress'},'assigned':{'id':99999}}");
	world_assert_cost(world, (size_t[]){3, 0, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_SECURITY_GROUP_RULE, "default", "many/any", NULL);
	world_assert_cost(world, (size_t[]){3, 0, 0}, (uint64_t[]){1, 1, 1});
}

static void test_one_more_port_of_a_group_costs_one_port(void **state)
{
	struct world *world = *state;

	/* h1: port, endpoint, name; h2: endpoint, name. No rule is looked at. */
	put_port(world, true, 5000, "'crowd'", IDENTITY_CROWD, "h1");
	world_assert_cost(world, (size_t[]){3, 2, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_ATTACHMENT, "default", "p5000", NULL);
	world_change(world, VD_KIND_PORT, "default", "p5000", NULL);
	world_assert_cost(world, (size_t[]){3, 2, 0}, (uint64_t[]){1, 1, 1});
}

static void test_a_new_set_of_groups_costs_what_names_one_of_them(void **state)
{
	struct world *world = *state;

	/*
	 * A port in crowd and another group. Crowd's own two rules and watch's name crowd. h1 has ports of both: for each rule the
	 * remote in two families, for watch's its port and span in them too, and the port's name; h2 has crowd alone. Looked at: port, rules.
	 */
	world_change(world, VD_KIND_PORT, "default", "p5001",
		     text_of("{'spec':{'subnet':'big','security_groups':['crowd','new']},'assigned':{'id':9001,'identity':%u,"
			     "'mac':'02:00:00:00:ff:01','addresses':['10.1.200.1']}}",
			     IDENTITY_NEW));
	world_assert_cost(world, (size_t[]){2 + 2 + 6 + 1, 2 + 2 + 1, 0}, (uint64_t[]){4, 3, 1});
	/* One more in that set costs no policy anything. */
	world_change(world, VD_KIND_PORT, "default", "p5002",
		     text_of("{'spec':{'subnet':'big','security_groups':['crowd','new']},'assigned':{'id':9002,'identity':%u,"
			     "'mac':'02:00:00:00:ff:02','addresses':['10.1.200.2']}}",
			     IDENTITY_NEW));
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_PORT, "default", "p5001", NULL);
	world_assert_cost(world, (size_t[]){1, 1, 0}, (uint64_t[]){1, 1, 1});
	world_change(world, VD_KIND_PORT, "default", "p5002", NULL);
	world_assert_cost(world, (size_t[]){2 + 2 + 6 + 1, 2 + 2 + 1, 0}, (uint64_t[]){4, 3, 1});
}

/* The same in time and memory; far from the limits, which are for the slowest machine and sanitizers. */
static void test_ten_thousand_rules_compile_at_once(void **state)
{
	size_t before = mallinfo2().uordblks, taken;
	struct timespec start, end;
	struct vd_compiler *compiler;
	double milliseconds;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	compiler = world_compile(*state, "h1");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	milliseconds = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	taken = mallinfo2().uordblks - before;
	print_message("%.0f ms, %zu bytes per rule\n", milliseconds, taken / RULES);
	assert_int_equal(vd_plan_count(vd_compiler_plan(compiler), VD_PLAN_KIND_POLICY_PORT), RULES + 2);
	assert_true(milliseconds < 1000);
	assert_true(taken < RULES * 2000);
	vd_compiler_free(compiler);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_more_rule_costs_one_rule),
		cmocka_unit_test(test_one_more_port_of_a_group_costs_one_port),
		cmocka_unit_test(test_a_new_set_of_groups_costs_what_names_one_of_them),
		cmocka_unit_test(test_ten_thousand_rules_compile_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
