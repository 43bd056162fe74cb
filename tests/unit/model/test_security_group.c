/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP(name) "{kind: security_group, name: " name "}"
#define RULE(group, direction, more) "{kind: security_group_rule, group: " group ", direction: " direction more "}"
#define PORT(name, subnet, groups) "{kind: port, name: " name ", subnet: " subnet ", security_groups: [" groups "]}"

/* ids: v 1, a 2, b 3, db 4, web 5, their default rules 6-9, p1 10 with identity 13, p2 11 with 14, p3 12 in none. */
static struct vd_model *example(void)
{
	struct vd_model *model = vd_model_new();
	uint32_t next_id =
		apply(model,
		      "{kind: vpc, name: v, cidr: 10.0.0.0/16}" AND "{kind: subnet, name: a, vpc: v, cidr: 10.0.0.0/24}" AND
		      "{kind: subnet, name: b, vpc: v, cidr: 10.0.1.0/24}" AND GROUP("web") AND GROUP("db")
			      AND PORT("p1", "a", "web") AND PORT("p2", "b", "web, db") AND "{kind: port, name: p3, subnet: a}",
		      1);

	assert_int_equal(next_id, 15);
	return model;
}

static uint32_t identity_of(const struct vd_model *model, const char *name)
{
	const struct vd_resource *port = vd_model_get(model, VD_KIND_PORT, "default", name);

	assert_non_null(port);
	return ((const struct vd_port *)port)->assigned_identity;
}

static int count(const struct vd_resource *resource, void *userdata)
{
	(*(size_t *)userdata)++;
	return 0;
}

static size_t rules_of(const struct vd_model *model, const char *group)
{
	size_t n = 0;

	vd_model_each_rule_of_group(model, "default", group, count, &n);
	return n;
}

static size_t remote_rules_of(const struct vd_model *model, const char *group)
{
	size_t n = 0;

	vd_model_each_rule_of_remote_group(model, "default", group, count, &n);
	return n;
}

static size_t ports_of(const struct vd_model *model, const char *group)
{
	size_t n = 0;

	vd_model_each_port_of_group(model, "default", group, count, &n);
	return n;
}

static size_t ports_with(const struct vd_model *model, uint32_t identity)
{
	size_t n = 0;

	vd_model_each_port_of_identity(model, identity, count, &n);
	return n;
}

/* R-SG-2: a new group has two rules; they can be deleted, and applying the group again does not bring them back. */
static void test_a_new_group_has_two_rules_that_can_be_deleted(void **state)
{
	static const char *const names[] = {"web/default-ingress", "web/default-egress"};
	struct vd_model *model = example();
	struct vd_changes *changes;

	for (size_t i = 0; i < 2; i++) {
		const struct vd_security_group_rule *rule =
			(const void *)vd_model_get(model, VD_KIND_SECURITY_GROUP_RULE, "default", names[i]);

		assert_non_null(rule);
		assert_int_equal(rule->direction, i == 0 ? VD_DIRECTION_INGRESS : VD_DIRECTION_EGRESS);
		assert_int_equal(rule->protocol, VD_RULE_PROTOCOL_ALL);
		assert_string_equal(rule->remote_group, "web");
		assert_int_equal(rule->remote_cidr.address.family, VD_FAMILY_NONE);
		assert_int_equal(rule->icmp_type, -1);
		assert_true(rule->is_default);
		assert_true(rule->head.id != 0);
	}
	assert_int_equal(rules_of(model, "web"), 2);
	assert_int_equal(discard(model, VD_KIND_SECURITY_GROUP_RULE, "web/default-egress"), 1);
	changes = change(model, "{kind: security_group, name: web, description: again}", "default", 20);
	assert_int_equal(changes->count, 1);
	assert_int_equal(changes->next_id, 20);
	vd_changes_free(changes);
	assert_int_equal(rules_of(model, "web"), 1);
	/* Brought back by hand it is the same rule again. */
	apply(model, RULE("web", "egress", ", remote_group: web, default: true"), 20);
	assert_non_null(vd_model_get(model, VD_KIND_SECURITY_GROUP_RULE, "default", "web/default-egress"));
	vd_model_free(model);
}

/* What was exported comes in again: the default rules among the documents are those that the group would get. */
static void test_a_group_is_applied_with_its_default_rules(void **state)
{
	struct vd_model *model = vd_model_new();
	struct vd_changes *changes = change(
		model, RULE("g", "ingress", ", remote_group: g, default: true, description: mine") AND GROUP("g"), "default", 1);

	assert_int_equal(changes->count, 3);
	assert_string_equal(changes->items[1].name, "g/default-egress");
	assert_string_equal(changes->items[2].name, "g/default-ingress");
	assert_string_equal(changes->items[2].after->description, "mine");
	vd_changes_free(changes);
	changes = change(model, "{kind: security_group, name: g}", "acme", 1);
	assert_string_equal(changes->items[2].project, "acme");
	vd_changes_free(changes);
	vd_model_free(model);
}

static void test_a_group_takes_its_rules_with_it_and_nothing_that_others_need(void **state)
{
	static const struct vd_identity both[] = {
		{VD_KIND_SECURITY_GROUP_RULE, "default", "db/ingress-all-web"},
		{VD_KIND_SECURITY_GROUP, "default", "web"},
		{VD_KIND_SECURITY_GROUP_RULE, "default", "web/ssh"},
	};
	struct vd_model *model = example();
	struct vd_changes *changes;
	uint32_t next_id = 15;

	next_id = apply(model,
			RULE("db", "ingress", ", remote_group: web")
				AND RULE("web", "ingress", ", name: ssh, protocol: tcp, port: 22"),
			next_id);
	assert_int_equal(rules_of(model, "web"), 3);
	assert_int_equal(remote_rules_of(model, "web"), 3);
	assert_not_deleted(
		model, VD_KIND_SECURITY_GROUP, "web",
		"security_group web is needed by security_group_rule db/ingress-all-web and 2 more; delete that first, or "
		"all together");
	next_id = apply(model, PORT("p1", "a", "") AND PORT("p2", "b", "db"), next_id);
	assert_not_deleted(
		model, VD_KIND_SECURITY_GROUP, "web",
		"security_group web is needed by security_group_rule db/ingress-all-web; delete that first, or all together");
	assert_not_deleted(model, VD_KIND_SECURITY_GROUP, "db",
			   "security_group db is needed by port p2; take that out of the group first");
	assert_int_equal(vd_changes_from_deletion(model, both, 3, &changes, NULL), 0);
	assert_int_equal(changes->count, 5);
	vd_changes_apply(changes, model);
	vd_changes_free(changes);
	assert_int_equal(vd_model_count(model, VD_KIND_SECURITY_GROUP_RULE), 2);
	assert_int_equal(rules_of(model, "web") + remote_rules_of(model, "web"), 0);
	apply(model, PORT("p2", "b", ""), next_id);
	assert_int_equal(discard(model, VD_KIND_SECURITY_GROUP, "db"), 3);
	assert_int_equal(vd_model_count(model, VD_KIND_SECURITY_GROUP_RULE), 0);
	vd_model_free(model);
}

/* R-SG-4 (the model's part): a port in many groups, a group with ports of many networks. */
static void test_ports_in_the_same_groups_share_an_identity(void **state)
{
	struct vd_model *model = example();
	uint32_t next_id;

	assert_assigned(model, VD_KIND_PORT, "default", "p1",
			"{\"id\":10,\"addresses\":[\"10.0.0.2\"],\"mac\":\"02:76:00:00:00:0a\",\"identity\":13}");
	assert_int_equal(identity_of(model, "p2"), 14);
	assert_int_equal(identity_of(model, "p3"), 0);
	assert_int_equal(ports_of(model, "web"), 2);
	assert_int_equal(ports_of(model, "db"), 1);

	/* The order of the list means nothing, and two that come together share one as well. */
	next_id = apply(model, PORT("p4", "a", "db, web") AND PORT("p5", "a", "db") AND PORT("p6", "b", "db"), 15);
	assert_int_equal(identity_of(model, "p4"), 14);
	assert_int_equal(identity_of(model, "p5"), identity_of(model, "p6"));
	assert_int_equal(identity_of(model, "p5"), 18);
	assert_int_equal(next_id, 19);
	assert_int_equal(ports_with(model, 14), 2);

	/* It stays with the groups, through other changes and through a change of groups. */
	next_id = apply(model, "{kind: port, name: p1, subnet: a, security_groups: [web], description: d}", next_id);
	assert_int_equal(identity_of(model, "p1"), 13);
	next_id = apply(model, PORT("p1", "a", "web, db"), next_id);
	assert_int_equal(identity_of(model, "p1"), 14);
	assert_int_equal(next_id, 19);
	assert_int_equal(ports_with(model, 13), 0);
	/* The identity of groups that nobody was in is never given again. */
	next_id = apply(model, PORT("p1", "a", "web"), next_id);
	assert_int_equal(identity_of(model, "p1"), 19);
	next_id = apply(model, PORT("p1", "a", ""), next_id);
	assert_int_equal(identity_of(model, "p1"), 0);
	/* Two ports that swap their groups swap their identities; each set keeps its own when one stays in it. */
	next_id = apply(model, PORT("p2", "b", "db") AND PORT("p6", "b", "web, db"), next_id);
	assert_int_equal(identity_of(model, "p2"), 18);
	assert_int_equal(identity_of(model, "p6"), 14);
	vd_model_free(model);
}

static void test_tenants_do_not_share_identities(void **state)
{
	static const char text[] = "{kind: vpc, name: v, cidr: 10.0.0.0/16}" AND
				   "{kind: subnet, name: a, vpc: v, cidr: 10.0.0.0/24}" AND GROUP("web") AND PORT("p", "a", "web");
	struct vd_model *model = vd_model_new();
	const struct vd_port *first, *second;

	apply_as(model, text, "umbrella", apply_as(model, text, "acme", 1));
	first = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, "acme", "p");
	second = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, "umbrella", "p");
	assert_true(first->assigned_identity != 0 && second->assigned_identity != 0);
	assert_int_not_equal(first->assigned_identity, second->assigned_identity);
	vd_model_free(model);
}

/* R-SG-4: the group's networks say which ports may join. */
static void test_the_networks_of_a_group_say_whose_ports_may_join(void **state)
{
	struct vd_model *model = example();

	assert_refused(
		model, "{kind: security_group, name: web, network: a}", -EINVAL,
		"port p2: it is in security_group web, whose networks (a) do not name its subnet b; add that to them or leave "
		"the group out");
	apply(model, "{kind: security_group, name: web, networks: [a, b]}" AND "{kind: security_group, name: only, network: a}",
	      15);
	assert_int_equal(ports_of(model, "only"), 0);
	apply(model, PORT("p3", "a", "only"), 30);
	assert_refused(
		model, PORT("p2", "b", "only"), -EINVAL,
		"port p2: it is in security_group only, whose networks (a) do not name its subnet b; add that to them or leave "
		"the group out");
	/* Both at once. */
	apply(model, PORT("p2", "b", "only") AND "{kind: security_group, name: only, networks: [a, b]}", 31);
	assert_not_deleted(model, VD_KIND_SUBNET, "a",
			   "subnet a is needed by security_group only and 3 more; delete that first, or all together");
	vd_model_free(model);
}

static void test_bad_groups_and_rules_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *sentence;
	} cases[] = {
		{RULE("none", "ingress", ""), -ENOENT,
		 "security_group_rule none/ingress-all: security_group none does not exist; apply it too, or correct group"},
		{RULE("web", "ingress", ", remote_group: none"), -ENOENT,
		 "security_group_rule web/ingress-all-none: security_group none does not exist; apply it too, or correct "
		 "remote_group"},
		{PORT("p1", "a", "web, none"), -ENOENT,
		 "port p1: security_group none does not exist; apply it too, or correct security_groups"},
		{"{kind: security_group, name: g, networks: [none]}", -ENOENT,
		 "security_group g: subnet none does not exist; apply it too, or correct networks"},
		{RULE("web", "ingress", "") AND RULE("web", "ingress", ", protocol: all"), -EEXIST,
		 "security_group_rule web/ingress-all stands twice in what is applied; leave one out"},
		{"{kind: vpc, name: w, cidr: 10.9.0.0/16, router_profile: none}", -ENOENT,
		 "vpc w: router_profile none does not exist; apply it too, or correct router_profile"},
	};
	struct vd_model *model = example();
	struct vd_changes *changes;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(model, cases[i].text, cases[i].code, cases[i].sentence);
	/* Host bits are no mistake, but said. */
	changes = change(model, RULE("web", "ingress", ", remote_cidr: 10.1.2.3/8"), "default", 20);
	assert_int_equal(json_array_size(changes->notes), 1);
	assert_string_equal(json_string_value(json_array_get(changes->notes, 0)),
			    "security_group_rule web/ingress: host bits of 10.1.2.3/8 dropped: 10.0.0.0/8");
	assert_string_equal(changes->items[0].name, "web/ingress-all-10.0.0.0/8");
	vd_changes_free(changes);
	vd_model_free(model);
}

/* R-RTR-3 (the model's part): a profile limits; "default" is there without being made. */
static void test_a_router_profile_is_found_by_name(void **state)
{
	struct vd_model *model = example();
	const struct vd_router_profile *profile = vd_model_router_profile(model, "default", "default");

	assert_int_equal(profile->cpu_milli, 1000);
	assert_int_equal(profile->memory, 256 << 20);
	assert_null(vd_model_router_profile(model, "default", "small"));
	apply(model,
	      "{kind: router_profile, name: small, cpu: 0.25, memory: 64M}" AND
	      "{kind: vpc, name: v, cidr: 10.0.0.0/16, router_profile: small}" AND "{kind: router_profile, name: default, cpu: 2}",
	      20);
	profile = vd_model_router_profile(model, "default", "small");
	assert_int_equal(profile->cpu_milli, 250);
	assert_int_equal(profile->memory, 64 << 20);
	assert_int_equal(vd_model_router_profile(model, "default", "default")->cpu_milli, 2000);
	assert_not_deleted(model, VD_KIND_ROUTER_PROFILE, "small",
			   "router_profile small is needed by vpc v; delete that first, or all together");
	assert_int_equal(discard(model, VD_KIND_ROUTER_PROFILE, "default"), 1);
	assert_int_equal(vd_model_router_profile(model, "default", "default")->cpu_milli, 1000);
	vd_model_free(model);
}

/* Ten thousand ports in one group, and one more: the identity is found, not searched for. */
static void test_joining_a_large_group_is_cheap(void **state)
{
	struct vd_model *model = vd_model_new();
	size_t size = 10000 * 96, used = 0;
	char *text = malloc(size);
	uint32_t next_id = apply(model,
				 "{kind: vpc, name: v, cidr: 10.0.0.0/8}" AND
				 "{kind: subnet, name: s, vpc: v, cidr: 10.0.0.0/16}" AND GROUP("g"),
				 1);

	for (int i = 0; i < 10000; i++)
		used += (size_t)snprintf(text + used, size - used,
					 "---\n{kind: port, name: p%d, subnet: s, security_groups: [g]}\n", i);
	assert_int_equal(apply(model, text, next_id), next_id + 10001);
	assert_int_equal(identity_of(model, "p0"), identity_of(model, "p9999"));
	assert_int_equal(ports_with(model, identity_of(model, "p0")), 10000);
	free(text);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_group_has_two_rules_that_can_be_deleted),
		cmocka_unit_test(test_a_group_is_applied_with_its_default_rules),
		cmocka_unit_test(test_a_group_takes_its_rules_with_it_and_nothing_that_others_need),
		cmocka_unit_test(test_ports_in_the_same_groups_share_an_identity),
		cmocka_unit_test(test_tenants_do_not_share_identities),
		cmocka_unit_test(test_the_networks_of_a_group_say_whose_ports_may_join),
		cmocka_unit_test(test_bad_groups_and_rules_are_refused_with_a_sentence),
		cmocka_unit_test(test_a_router_profile_is_found_by_name),
		cmocka_unit_test(test_joining_a_large_group_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
