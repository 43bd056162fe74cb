/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/compile.h"

#include "compile/derive.h"
#include "compile/key.h"
#include "compile/locate.h"
#include "compile/member.h"

#include "base/cleanup.h"
#include "plan/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_plan, vd_plan_free)
VD_DEFINE_CLEANUP(struct vd_plan_difference, vd_plan_difference_free)

struct vd_compiler {
	char *host;
	struct vd_graph graph;
	struct vd_plan *plan;
	bool is_valid; /* graph and plan belong to the model of the last call */
};

struct vd_compiler *vd_compiler_new(const char *host)
{
	struct vd_compiler *compiler = calloc(1, sizeof(*compiler));

	if (!compiler)
		return NULL;
	compiler->host = strdup(host);
	compiler->plan = vd_plan_new();
	if (!compiler->host || !compiler->plan) {
		vd_compiler_free(compiler);
		return NULL;
	}
	return compiler;
}

void vd_compiler_free(struct vd_compiler *compiler)
{
	if (!compiler)
		return;
	vd_graph_clear(&compiler->graph);
	vd_plan_free(compiler->plan);
	free(compiler->host);
	free(compiler);
}

const struct vd_plan *vd_compiler_plan(const struct vd_compiler *compiler)
{
	return compiler->plan;
}

uint64_t vd_compiler_derived(const struct vd_compiler *compiler)
{
	return compiler->graph.derived;
}

/* ---- what a change touches ---- */

/* The unit that a resource of this kind is; false for kinds that only others read. */
static bool unit_type_of(enum vd_kind kind, enum vd_unit_type *ret)
{
	switch (kind) {
	case VD_KIND_HOST:
		*ret = VD_UNIT_TYPE_HOST;
		return true;
	case VD_KIND_VPC:
		*ret = VD_UNIT_TYPE_VPC;
		return true;
	case VD_KIND_SUBNET:
		*ret = VD_UNIT_TYPE_SUBNET;
		return true;
	case VD_KIND_PORT:
		*ret = VD_UNIT_TYPE_PORT;
		return true;
	case VD_KIND_ROUTE:
		*ret = VD_UNIT_TYPE_ROUTE;
		return true;
	case VD_KIND_SECURITY_GROUP_RULE:
		*ret = VD_UNIT_TYPE_RULE;
		return true;
	case VD_KIND_NETWORK:
		*ret = VD_UNIT_TYPE_NETWORK;
		return true;
	case VD_KIND_VIRTUAL_IP:
		*ret = VD_UNIT_TYPE_VIRTUAL_IP;
		return true;
	case VD_KIND_ELASTIC_IP:
		*ret = VD_UNIT_TYPE_ELASTIC_IP;
		return true;
	case VD_KIND_PORT_FORWARD:
		*ret = VD_UNIT_TYPE_PORT_FORWARD;
		return true;
	case VD_KIND_POLICY_ROUTE:
		*ret = VD_UNIT_TYPE_POLICY_ROUTE;
		return true;
	case VD_KIND_GATEWAY:
		*ret = VD_UNIT_TYPE_GATEWAY;
		return true;
	case VD_KIND_PEERING:
		*ret = VD_UNIT_TYPE_PEERING;
		return true;
	case VD_KIND_CONTAINER_NETWORK:
		*ret = VD_UNIT_TYPE_CONTAINER_NETWORK;
		return true;
	case VD_KIND_NODE:
		*ret = VD_UNIT_TYPE_NODE;
		return true;
	case VD_KIND_CONTAINER_BLOCK:
		*ret = VD_UNIT_TYPE_CONTAINER_BLOCK;
		return true;
	case VD_KIND_VXLAN_POOL:
	case VD_KIND_ROUTER_PROFILE:
	case VD_KIND_SECURITY_GROUP:
	case VD_KIND_ROUTE_TABLE:
	case VD_KIND_CLAIM:
	case VD_KIND_ATTACHMENT:
	case VD_KIND_COUNT:
		break;
	}
	return false;
}

static int mark_resource(struct vd_graph *graph, enum vd_kind kind, const char *project, const char *name)
{
	enum vd_unit_type type;

	vd_graph_touch(graph, vd_key_resource(kind, project, name));
	if (kind == VD_KIND_CLAIM)
		vd_graph_touch(graph, vd_key_claims());
	if (unit_type_of(kind, &type)) {
		struct vd_unit *unit = vd_graph_unit(graph, type, project, name, "");

		if (!unit)
			return -ENOMEM;
		vd_graph_mark(graph, unit);
	}
	return graph->error;
}

static int mark_changes(struct vd_graph *graph, const struct vd_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct vd_change *change = &changes->items[i];
		int r;

		if (change->before && change->after && vd_resource_equal(change->before, change->after))
			continue;
		if (change->before)
			vd_member_touch(graph, change->before);
		if (change->after)
			vd_member_touch(graph, change->after);
		r = mark_resource(graph, change->kind, change->project, change->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mark_each(const struct vd_resource *resource, void *userdata)
{
	return mark_resource(userdata, resource->kind, resource->project, resource->name);
}

static int mark_everything(struct vd_graph *graph, const struct vd_model *model)
{
	for (enum vd_kind kind = 0; kind < VD_KIND_COUNT; kind++) {
		enum vd_unit_type type;
		int r;

		if (!unit_type_of(kind, &type))
			continue;
		r = vd_model_each(model, kind, NULL, mark_each, graph);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- deriving ---- */

static int derive_records(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	switch ((enum vd_unit_type)unit->type) {
	case VD_UNIT_TYPE_HOST:
		return vd_derive_host(view, unit, ret);
	case VD_UNIT_TYPE_VPC:
		return vd_derive_vpc(view, unit, ret);
	case VD_UNIT_TYPE_SUBNET:
		return vd_derive_subnet(view, unit, ret);
	case VD_UNIT_TYPE_PORT:
		return vd_derive_port(view, unit, ret);
	case VD_UNIT_TYPE_ROUTE:
		return vd_derive_route(view, unit, ret);
	case VD_UNIT_TYPE_NETWORK:
		return vd_derive_network(view, unit, ret);
	case VD_UNIT_TYPE_VIRTUAL_IP:
		return vd_derive_virtual_ip(view, unit, ret);
	case VD_UNIT_TYPE_ELASTIC_IP:
		return vd_derive_elastic_ip(view, unit, ret);
	case VD_UNIT_TYPE_PORT_FORWARD:
		return vd_derive_port_forward(view, unit, ret);
	case VD_UNIT_TYPE_POLICY_ROUTE:
		return vd_derive_policy_route(view, unit, ret);
	case VD_UNIT_TYPE_GATEWAY:
		return vd_derive_gateway(view, unit, ret);
	case VD_UNIT_TYPE_PEERING:
		return vd_derive_peering(view, unit, ret);
	case VD_UNIT_TYPE_CONTAINER_NETWORK:
		return vd_derive_container_network(view, unit, ret);
	case VD_UNIT_TYPE_CONTAINER_BLOCK:
		return vd_derive_container_block(view, unit, ret);
	case VD_UNIT_TYPE_NODE:
		return vd_derive_node(view, unit, ret);
	case VD_UNIT_TYPE_MTU:
	case VD_UNIT_TYPE_REACH:
	case VD_UNIT_TYPE_UPLINK:
	case VD_UNIT_TYPE_LINK:
	case VD_UNIT_TYPE_STATION:
	case VD_UNIT_TYPE_NODE_MTU:
	case VD_UNIT_TYPE_RULE:
		break;
	}
	return 0;
}

/* Puts the records of a unit into a plan of what goes or what comes. */
static int collect(const void *records, size_t size, struct vd_plan *plan)
{
	for (size_t offset = 0; offset < size;) {
		const struct vd_plan_record *record = (const void *)((const uint8_t *)records + offset);
		int r = vd_plan_put(plan, record);

		if (r < 0)
			return r;
		offset += vd_plan_record_size(record->kind);
	}
	return 0;
}

static bool same_records(const struct vd_unit *unit, const struct vd_records *records)
{
	if (unit->records_size != records->size)
		return false;
	for (size_t offset = 0; offset < records->size;) {
		const struct vd_plan_record *old = (const void *)((const uint8_t *)unit->records + offset);
		const struct vd_plan_record *new = (const void *)(records->bytes + offset);

		if (!vd_plan_record_equal(old, new))
			return false;
		offset += vd_plan_record_size(new->kind);
	}
	return true;
}

/* What the units derived anew had, and what they have now. */
struct turnover {
	struct vd_plan *gone, *come;
};

static int replace_records(struct vd_unit *unit, const struct vd_records *records, const struct turnover *turnover)
{
	VD_FREE void *kept = NULL;
	int r;

	if (same_records(unit, records))
		return 0;
	r = collect(unit->records, unit->records_size, turnover->gone);
	if (r < 0)
		return r;
	r = collect(records->bytes, records->size, turnover->come);
	if (r < 0)
		return r;

	if (records->size > 0) {
		kept = malloc(records->size);
		if (!kept)
			return -ENOMEM;
		memcpy(kept, records->bytes, records->size);
	}
	free(unit->records);
	unit->records = VD_TAKE(kept);
	unit->records_size = records->size;
	return 0;
}

/* A rule has no records of its own: its grants are counted, and what they make is collected when all are. */
static int derive_grants(const struct vd_view *view, struct vd_unit *unit)
{
	VD_CLEANUP(vd_grants_free) struct vd_grants after = {};
	struct vd_grants before = {.items = unit->records, .count = unit->records_size / sizeof(*before.items)};
	size_t start = view->graph->read_count;
	int r;

	view->graph->derived++;
	r = vd_derive_rule(view, unit, &after);
	if (r < 0)
		return r;
	r = vd_graph_settle(view->graph, unit, start);
	if (r < 0)
		return r;
	r = vd_policies_replace(&view->graph->policies, &before, &after);
	if (r < 0)
		return r;
	free(unit->records);
	unit->records_size = after.count * sizeof(*after.items);
	unit->records = VD_TAKE(after.items);
	return 0;
}

static int derive_unit(const struct vd_view *view, struct vd_unit *unit, const struct turnover *turnover)
{
	VD_CLEANUP(vd_records_free) struct vd_records records = {};
	size_t start = view->graph->read_count;
	int r;

	if (unit->type == VD_UNIT_TYPE_RULE)
		return derive_grants(view, unit);
	view->graph->derived++;
	r = derive_records(view, unit, &records);
	if (r < 0)
		return r;
	r = vd_graph_settle(view->graph, unit, start);
	return r < 0 ? r : replace_records(unit, &records, turnover);
}

/* Where things are, of all units that are marked, also of those that this marks in turn. */
static int locate_marked(const struct vd_view *view)
{
	struct vd_graph *graph = view->graph;
	int r = 0;

	for (enum vd_locate_phase phase = 0; phase < VD_LOCATE_PHASE_COUNT; phase++)
		for (size_t i = 0; i < graph->dirty_count && r == 0; i++)
			r = vd_locate(view, graph->dirty[i], phase);
	return r < 0 ? r : graph->error;
}

static void touch_block(const struct vd_allotment *allotment, const struct vd_fit_block *block, void *userdata)
{
	vd_graph_touch(userdata, vd_key_allotment(allotment->project, allotment->vpc, &block->prefix));
}

static int derive_values(const struct vd_view *view)
{
	struct vd_graph *graph = view->graph;

	for (size_t i = 0; i < graph->dirty_count; i++) {
		int r;

		if (!vd_unit_is_value(graph->dirty[i]))
			continue;
		r = vd_view_derive_value(view, graph->dirty[i]);
		if (r < 0)
			return r;
		if (r > 0)
			vd_graph_touch(graph, vd_view_value_key(graph->dirty[i]));
	}
	return graph->error;
}

static int derive_marked(const struct vd_view *view, const struct turnover *turnover)
{
	struct vd_graph *graph = view->graph;
	int r;

	/* Values are made of resources only, and what is counted depends on them. */
	r = derive_values(view);
	if (r < 0)
		return r;
	r = locate_marked(view);
	if (r < 0)
		return r;
	r = vd_allotments_settle(&graph->allotments, touch_block, graph);
	if (r < 0)
		return r;
	graph->derived += (uint64_t)r;
	for (size_t i = 0; i < graph->dirty_count; i++) {
		if (vd_unit_is_value(graph->dirty[i]))
			continue;
		r = derive_unit(view, graph->dirty[i], turnover);
		if (r < 0)
			return r;
	}
	return graph->error;
}

static bool has_resource(const struct vd_model *model, const struct vd_unit *unit)
{
	for (enum vd_kind kind = 0; kind < VD_KIND_COUNT; kind++) {
		enum vd_unit_type type;

		if (unit_type_of(kind, &type) && type == unit->type)
			return vd_model_get(model, kind, unit->project, unit->name);
	}
	return true; /* values stay: there are few, and they are asked for again */
}

static void forget_marks(struct vd_graph *graph, const struct vd_model *model)
{
	for (size_t i = 0; i < graph->dirty_count; i++) {
		graph->dirty[i]->is_dirty = false;
		if (!has_resource(model, graph->dirty[i]))
			vd_graph_remove_unit(graph, graph->dirty[i]);
	}
	graph->dirty_count = 0;
}

/* ---- update ---- */

/* Derives what is marked and brings plan to it. */
static int update_plan(struct vd_compiler *compiler, const struct vd_model *model, struct vd_plan *plan,
		       struct vd_plan_difference **ret)
{
	struct vd_view view = {.model = model, .host = compiler->host, .graph = &compiler->graph};
	VD_CLEANUP(vd_plan_free_cleanup) struct vd_plan *gone = vd_plan_new(), *come = vd_plan_new();
	struct turnover turnover = {gone, come};
	VD_CLEANUP(vd_plan_difference_free_cleanup) struct vd_plan_difference *difference = NULL;
	int r;

	if (!gone || !come)
		return -ENOMEM;
	r = derive_marked(&view, &turnover);
	if (r < 0)
		return r;
	r = vd_policies_collect(&compiler->graph.policies, plan, gone, come);
	if (r < 0)
		return r;
	forget_marks(&compiler->graph, model);
	r = vd_plan_compare(gone, come, &difference);
	if (r < 0)
		return r;
	r = vd_plan_apply(plan, difference);
	if (r < 0)
		return r;
	*ret = VD_TAKE(difference);
	return 0;
}

static int compile_everything(struct vd_compiler *compiler, const struct vd_model *model, struct vd_plan_difference **ret)
{
	VD_CLEANUP(vd_plan_free_cleanup) struct vd_plan *plan = vd_plan_new();
	VD_CLEANUP(vd_plan_difference_free_cleanup) struct vd_plan_difference *built = NULL, *difference = NULL;
	int r;

	if (!plan)
		return -ENOMEM;
	vd_graph_clear(&compiler->graph);
	r = mark_everything(&compiler->graph, model);
	if (r < 0)
		return r;
	r = update_plan(compiler, model, plan, &built);
	if (r < 0)
		return r;
	/* As large as the plan: gone before the next one is made. */
	vd_plan_difference_free(VD_TAKE(built));
	r = vd_plan_compare(compiler->plan, plan, &difference);
	if (r < 0)
		return r;

	vd_plan_free(compiler->plan);
	compiler->plan = VD_TAKE(plan);
	*ret = VD_TAKE(difference);
	return 0;
}

static int compile_changes(struct vd_compiler *compiler, const struct vd_model *model, const struct vd_changes *changes,
			   struct vd_plan_difference **ret)
{
	int r = mark_changes(&compiler->graph, changes);

	return r < 0 ? r : update_plan(compiler, model, compiler->plan, ret);
}

int vd_compiler_update(struct vd_compiler *compiler, const struct vd_model *model, const struct vd_changes *changes,
		       struct vd_plan_difference **ret)
{
	VD_CLEANUP(vd_plan_difference_free_cleanup) struct vd_plan_difference *difference = NULL;
	bool is_incremental = changes && compiler->is_valid;
	int r;

	/* Until this has gone through, the next call starts anew. */
	compiler->is_valid = false;
	r = is_incremental ? compile_changes(compiler, model, changes, &difference)
			   : compile_everything(compiler, model, &difference);
	/* The changes were not what lies between the two models. */
	if (r == -ESTALE)
		r = compile_everything(compiler, model, &difference);
	if (r < 0)
		return r;
	compiler->is_valid = true;
	if (ret)
		*ret = VD_TAKE(difference);
	return 0;
}
