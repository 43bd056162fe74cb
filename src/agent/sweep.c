/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting right what a crash or somebody else left: attachments whose link is gone leave the store, links and routers that no plan
 * knows leave the kernel. Only what carries our mark is looked at.
 */
#include "agent/container.h"
#include "agent/node.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct sweep {
	struct vd_agent *agent;
	const struct vd_model *model;
	uint32_t *attached; /* the links of this host's attachments, sorted */
	size_t attached_count;
};

static int attachment_check(const struct vd_resource *resource, void *userdata)
{
	const struct vd_attachment *attachment = (const struct vd_attachment *)resource;
	struct sweep *sweep = userdata;
	struct vd_agent *agent = sweep->agent;
	const struct vd_resource *port = vd_model_get(sweep->model, VD_KIND_PORT, resource->project, resource->name);

	if (strcmp(attachment->host, agent->options.host) != 0)
		return 0;
	if (port && strcmp(attachment->boot_id, agent->identity.boot_id) == 0 &&
	    vd_host_link_is_port(agent->net, attachment->ifindex, port->id))
		return 0;
	if (vd_reporter_detach(agent->reporter, attachment))
		vd_log_info("port %s: its interface %s is gone, so it is detached", resource->name, attachment->ifname);
	return 0;
}

/* Other hosts' links have their own numbers. */
static int attachment_note(const struct vd_resource *resource, void *userdata)
{
	const struct vd_attachment *attachment = (const struct vd_attachment *)resource;
	struct sweep *sweep = userdata;
	uint32_t *grown;

	if (strcmp(attachment->host, sweep->agent->options.host) != 0)
		return 0;
	grown = reallocarray(sweep->attached, sweep->attached_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sweep->attached = grown;
	grown[sweep->attached_count++] = attachment->ifindex;
	return 0;
}

static int number_compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static void link_check(const char *what, uint32_t ifindex, const char *ifname, void *userdata)
{
	struct sweep *sweep = userdata;
	struct vd_agent *agent = sweep->agent;
	const struct vd_container *container;
	struct vd_pending *pending;
	struct vd_error error;
	uint32_t port = 0;

	if (strncmp(what, "port", 4) != 0)
		return;
	sscanf(what, "port/%x", &port);
	container = vd_journal_find_port(agent->journal, port);
	if (container && container->ifindex == ifindex && !container->native)
		return;
	DL_SEARCH_SCALAR(agent->pending, pending, ifindex, ifindex);
	if (pending ||
	    (sweep->attached_count && bsearch(&ifindex, sweep->attached, sweep->attached_count, sizeof(ifindex), number_compare)))
		return;
	vd_log_info("interface %s belongs to no attached port: removed", ifname);
	if (vd_host_link_remove(agent->net, ifindex, &error) < 0)
		vd_log_warning("%s", error.text);
}

static void links_check(struct sweep *sweep)
{
	struct vd_error error = {};

	if (vd_model_each(sweep->model, VD_KIND_ATTACHMENT, NULL, attachment_note, sweep) < 0)
		return;
	if (sweep->attached_count)
		qsort(sweep->attached, sweep->attached_count, sizeof(*sweep->attached), number_compare);
	vd_host_link_each_ours(sweep->agent->net, link_check, sweep);
	/* On the loop nothing is half way. */
	if (vd_host_half_made_remove(sweep->agent->net, &error) < 0)
		vd_log_warning("%s", error.text);
}

static void router_check(uint32_t domain, void *userdata)
{
	struct sweep *sweep = userdata;
	struct vd_plan_record key, record;
	struct vd_error error;

	vd_plan_record_init(&key, VD_PLAN_KIND_DOMAIN);
	key.domain.domain = domain;
	if (vd_plan_get(vd_compiler_plan(sweep->agent->compiler), &key, &record) == 0 &&
	    record.domain.type != VD_PLAN_DOMAIN_TYPE_CONTAINER && record.domain.type != VD_PLAN_DOMAIN_TYPE_PEER)
		return;
	if (vd_host_router_remove(sweep->agent->net, domain, &error) < 0)
		vd_log_warning("%s", error.text);
}

void vd_agent_sweep(struct vd_agent *agent)
{
	struct sweep sweep = {.agent = agent};

	sweep.model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	vd_model_each(sweep.model, VD_KIND_ATTACHMENT, NULL, attachment_check, &sweep);
	links_check(&sweep);
	vd_agent_routers_sweep(agent);
	vd_host_router_each(agent->net, router_check, &sweep);
	vd_agent_nodes_sweep(agent);
	vd_agent_returns_wake(agent);
	vd_replica_unlock(agent->replica);
	free(sweep.attached);
}
