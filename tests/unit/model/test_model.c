/* SPDX-License-Identifier: Apache-2.0 */
#include "model/index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void put(struct vd_model *model, enum vd_kind kind, const char *name, const char *record)
{
	struct vd_resource *resource = NULL;
	struct vd_error error = {};

	if (vd_resource_decode(kind, "default", name, record, strlen(record), &resource, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(vd_model_put(model, resource), 0);
	vd_resource_unref(resource);
}

static void put_port(struct vd_model *model, const char *name, const char *subnet, unsigned id, const char *address)
{
	char record[256];

	snprintf(record, sizeof(record),
		 "{\"spec\":{\"subnet\":\"%s\",\"instance\":\"vm\"},\"assigned\":{\"id\":%u,\"addresses\":[\"%s\"],\"mac\":\"02:76:"
		 "00:00:00:%02x\"}}",
		 subnet, id, address, id);
	put(model, VD_KIND_PORT, name, record);
}

/* In the order a store is read in: by key, so ports come before their subnets. */
static struct vd_model *example(void)
{
	struct vd_model *model = vd_model_new();

	put_port(model, "ecs1", "nodes", 4, "192.168.0.2");
	put_port(model, "ecs2", "nodes", 5, "192.168.0.3");
	put(model, VD_KIND_ROUTE, "demo/10.0.2.0/24",
	    "{\"spec\":{\"vpc\":\"demo\",\"destination\":\"10.0.2.0/"
	    "24\",\"next_hop\":{\"address\":\"192.168.0.2\"}},\"assigned\":{\"id\":6}}");
	put(model, VD_KIND_SUBNET, "nodes",
	    "{\"spec\":{\"vpc\":\"demo\",\"cidrs\":[\"192.168.0.0/24\"]},\"assigned\":{\"id\":2,\"vni\":12}}");
	put(model, VD_KIND_VPC, "demo", "{\"spec\":{\"cidrs\":[\"192.168.0.0/16\"]},\"assigned\":{\"id\":1,\"vni\":11}}");
	return model;
}

static int count_visit(const struct vd_resource *resource, void *userdata)
{
	(*(int *)userdata)++;
	return 0;
}

static int ports_of(const struct vd_model *model, const char *subnet)
{
	int count = 0;

	assert_int_equal(vd_model_each_port_of_subnet(model, "default", subnet, count_visit, &count), 0);
	return count;
}

static const char *owner(const struct vd_model *model, const char *vpc, const char *text)
{
	struct vd_address address;
	const struct vd_port *port;

	assert_int_equal(vd_address_parse(text, &address), 0);
	port = vd_model_port_by_address(model, "default", vpc, &address);
	return port ? port->head.name : "nobody";
}

static void assert_example(const struct vd_model *model)
{
	int count = 0;

	assert_int_equal(vd_model_count(model, VD_KIND_PORT), 2);
	assert_string_equal(owner(model, "demo", "192.168.0.2"), "ecs1");
	assert_string_equal(owner(model, "demo", "192.168.0.3"), "ecs2");
	assert_string_equal(owner(model, "demo", "192.168.0.4"), "nobody");
	assert_string_equal(owner(model, "other", "192.168.0.2"), "nobody");
	assert_string_equal(vd_model_get_by_id(model, 2)->name, "nodes");
	assert_null(vd_model_get_by_id(model, 9));
	assert_string_equal(vd_model_get_by_vni(model, 11)->name, "demo");
	assert_int_equal(ports_of(model, "nodes"), 2);
	vd_model_each_subnet_of_vpc(model, "default", "demo", count_visit, &count);
	assert_int_equal(count, 1);
	vd_model_each_route_of_table(model, "default", "demo", count_visit, &count);
	assert_int_equal(count, 2);
	vd_model_each_port_of_instance(model, "default", "vm", count_visit, &count);
	assert_int_equal(count, 4);
	vd_model_each(model, VD_KIND_PORT, "acme", count_visit, &count);
	assert_int_equal(count, 4);
	vd_model_each(model, VD_KIND_PORT, NULL, count_visit, &count);
	assert_int_equal(count, 6);
}

static void test_indexes_do_not_depend_on_the_order_of_putting(void **state)
{
	struct vd_model *model = example(), *copy = vd_model_copy(model);

	assert_example(model);
	vd_model_free(model);
	assert_example(copy);
	vd_model_free(copy);
}

static void test_replacing_and_removing_moves_the_indexes(void **state)
{
	struct vd_model *model = example();

	/* ecs2 takes over ecs1's address before ecs1 gives it up, as within one change. */
	put_port(model, "ecs2", "nodes", 5, "192.168.0.2");
	put_port(model, "ecs1", "nodes", 4, "192.168.0.9");
	assert_string_equal(owner(model, "demo", "192.168.0.2"), "ecs2");
	assert_string_equal(owner(model, "demo", "192.168.0.3"), "nobody");
	assert_string_equal(owner(model, "demo", "192.168.0.9"), "ecs1");
	assert_true(vd_model_remove(model, VD_KIND_PORT, "default", "ecs1"));
	assert_false(vd_model_remove(model, VD_KIND_PORT, "default", "ecs1"));
	assert_string_equal(owner(model, "demo", "192.168.0.9"), "nobody");
	assert_null(vd_model_get_by_id(model, 4));
	assert_int_equal(ports_of(model, "nodes"), 1);
	assert_int_equal(vd_model_count(model, VD_KIND_PORT), 1);
	assert_true(vd_model_remove(model, VD_KIND_SUBNET, "default", "nodes"));
	assert_string_equal(owner(model, "demo", "192.168.0.2"), "nobody");
	vd_model_free(model);
}

static void test_an_overlay_shows_changes_and_leaves_its_base(void **state)
{
	struct vd_model *model = example(), *overlay = vd_model_overlay(model);

	assert_example(overlay);
	assert_true(vd_model_remove(overlay, VD_KIND_PORT, "default", "ecs1"));
	assert_false(vd_model_remove(overlay, VD_KIND_PORT, "default", "ecs1"));
	assert_string_equal(owner(overlay, "demo", "192.168.0.2"), "nobody");
	put_port(overlay, "ecs3", "nodes", 7, "192.168.0.2");
	assert_string_equal(owner(overlay, "demo", "192.168.0.2"), "ecs3");
	put_port(overlay, "ecs2", "nodes", 5, "192.168.0.8");
	assert_string_equal(owner(overlay, "demo", "192.168.0.3"), "nobody");
	assert_int_equal(ports_of(overlay, "nodes"), 2);
	assert_int_equal(vd_model_count(overlay, VD_KIND_PORT), 2);
	put_port(overlay, "ecs1", "nodes", 4, "192.168.0.10");
	assert_int_equal(vd_model_count(overlay, VD_KIND_PORT), 3);
	vd_model_free(overlay);
	assert_example(model);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indexes_do_not_depend_on_the_order_of_putting),
		cmocka_unit_test(test_replacing_and_removing_moves_the_indexes),
		cmocka_unit_test(test_an_overlay_shows_changes_and_leaves_its_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
