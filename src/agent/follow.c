/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the model to what the kernel needs, on the store's thread and under the replica's lock: compile, then put beside the
 * difference what netlink must do (routers, guests). The loop needs no model for that.
 */
#include "agent/private.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

/* Every router has it; instances know it from every cloud. */
#define METADATA_ADDRESS "169.254.169.254"

static void router_job_free(struct vd_router_job *job)
{
	free(job->gateways);
	free(job);
}

static void guest_job_free(struct vd_guest_job *job)
{
	free(job->netns);
	free(job->addresses);
	free(job->others);
	free(job);
}

void vd_batch_free(struct vd_batch *batch)
{
	struct vd_router_job *router, *next_router;
	struct vd_guest_job *guest, *next_guest;
	struct vd_feed *feed, *next_feed;

	if (!batch)
		return;
	DL_FOREACH_SAFE (batch->routers, router, next_router)
		router_job_free(router);
	DL_FOREACH_SAFE (batch->guests, guest, next_guest)
		guest_job_free(guest);
	DL_FOREACH_SAFE (batch->feeds, feed, next_feed)
		vd_feed_free(feed);
	if (batch->difference)
		vd_plan_difference_free(batch->difference);
	free(batch);
}

static int gateway_append(struct vd_router_job *job, const struct vd_address *gateway)
{
	struct vd_address *grown;

	if (gateway->family == VD_FAMILY_NONE)
		return 0;
	grown = realloc(job->gateways, (job->gateway_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[job->gateway_count++] = *gateway;
	job->gateways = grown;
	return 0;
}

static int gateways_of_subnet(const struct vd_plan_record *record, void *userdata)
{
	struct vd_router_job *job = userdata;
	int r = 0;

	if (record->subnet.domain != job->domain)
		return 0;
	/* A network's gateway is somebody else's. */
	if (!record->subnet.is_network)
		r = gateway_append(job, &record->subnet.gateway4);
	if (r == 0 && !record->subnet.is_network)
		r = gateway_append(job, &record->subnet.gateway6);
	return r < 0 ? r : gateway_append(job, &record->subnet.dhcp_address);
}

/* The router answers for its own addresses on provider networks where it is the gateway. */
static int address_of_vip(const struct vd_plan_record *record, void *userdata)
{
	struct vd_router_job *job = userdata;

	if (!record->vip.system || !record->vip.here || record->vip.domain != job->domain)
		return 0;
	return gateway_append(job, &record->vip.address);
}

/* The router of the domain as the plan has it now; once per batch. */
static int router_job_add(struct vd_batch *batch, const struct vd_plan *plan, uint32_t domain)
{
	struct vd_plan_record key, record;
	struct vd_address metadata;
	struct vd_router_job *job;
	int r;

	DL_SEARCH_SCALAR(batch->routers, job, domain, domain);
	if (job)
		return 0;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	DL_APPEND(batch->routers, job);
	job->domain = domain;

	vd_plan_record_init(&key, VD_PLAN_KIND_DOMAIN);
	key.domain.domain = domain;
	r = vd_plan_get(plan, &key, &record);
	if (r == -ENOENT) {
		job->remove = true;
		return 0;
	}
	if (r < 0)
		return r;
	switch (record.domain.type) {
	case VD_PLAN_DOMAIN_TYPE_CONTAINER:
	case VD_PLAN_DOMAIN_TYPE_PEER:
		job->remove = true;
		return 0;
	case VD_PLAN_DOMAIN_TYPE_VPC:
	case VD_PLAN_DOMAIN_TYPE_NETWORK:
		break;
	}
	job->mtu = record.domain.mtu;
	job->cpu_milli = record.domain.cpu_milli;
	job->memory = record.domain.memory;
	memcpy(job->name, record.domain.name, sizeof(job->name));
	memcpy(job->project, record.domain.project, sizeof(job->project));
	vd_address_parse(METADATA_ADDRESS, &metadata);
	r = gateway_append(job, &metadata);
	if (r == 0)
		r = gateway_append(job, &record.domain.service4);
	if (r == 0)
		r = gateway_append(job, &record.domain.service6);
	if (r == 0)
		r = vd_plan_each(plan, VD_PLAN_KIND_SUBNET, gateways_of_subnet, job);
	return r < 0 ? r : vd_plan_each(plan, VD_PLAN_KIND_VIP, address_of_vip, job);
}

/*
 * Who asks with a service address that goes has not heard so yet, and would lose what it asks: the address stays on the link until
 * something else changes there. Nothing comes for it any more.
 */
static int services_keep(struct vd_batch *batch, const struct vd_plan_step *step)
{
	const struct vd_plan_domain *before = step->before ? &step->before->domain : NULL;
	const struct vd_plan_domain *after = step->after ? &step->after->domain : NULL;
	struct vd_router_job *job;
	int r = 0;

	if (!before || !after)
		return 0;
	DL_SEARCH_SCALAR(batch->routers, job, domain, after->domain);
	if (!vd_address_equal(&before->service4, &after->service4))
		r = gateway_append(job, &before->service4);
	return r < 0 || vd_address_equal(&before->service6, &after->service6) ? r : gateway_append(job, &before->service6);
}

/* A virtual IP of a router that came, went or moved. */
static int router_of_vip(struct vd_batch *batch, const struct vd_plan *plan, const struct vd_plan_step *step)
{
	int r = 0;

	if (step->before && step->before->vip.system && step->before->vip.domain)
		r = router_job_add(batch, plan, step->before->vip.domain);
	if (r == 0 && step->after && step->after->vip.system && step->after->vip.domain)
		r = router_job_add(batch, plan, step->after->vip.domain);
	return r;
}

/* The interface of a port attached here to a namespace. */
static int guest_job_add(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan *plan,
			 const struct vd_plan_port *port)
{
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, port->project, port->name);
	const struct vd_resource *owner = vd_model_get_by_id(model, port->domain);
	const struct vd_vpc *vpc = owner && owner->kind == VD_KIND_VPC ? (const struct vd_vpc *)owner : NULL;
	size_t other_count = vpc ? vpc->cidr_count : 0; /* on a network itself everything else is on the link */
	struct vd_plan_record key, subnet;
	struct vd_guest_job *job;
	int r;

	if (!attachment || attachment->type != VD_ATTACHMENT_TYPE_NETNS || !owner || (!vpc && owner->kind != VD_KIND_NETWORK))
		return 0;
	vd_plan_record_init(&key, VD_PLAN_KIND_SUBNET);
	key.subnet.subnet = port->subnet;
	r = vd_plan_get(plan, &key, &subnet);
	if (r < 0)
		return r == -ENOENT ? 0 : r;

	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	DL_APPEND(batch->guests, job);
	job->port = port->port;
	job->netns = strdup(attachment->netns);
	memcpy(job->ifname, attachment->guest_ifname, sizeof(job->ifname));
	job->addresses = calloc(port->address_count + 1, sizeof(*job->addresses));
	job->others = calloc(other_count + 1, sizeof(*job->others));
	if (!job->netns || !job->addresses || !job->others)
		return -ENOMEM;
	memcpy(job->addresses, port->addresses, port->address_count * sizeof(*job->addresses));
	if (vpc)
		memcpy(job->others, vpc->cidrs, other_count * sizeof(*job->others));
	job->guest = (struct vd_host_guest){
		.addresses = job->addresses,
		.address_count = port->address_count,
		.gateway4 = subnet.subnet.gateway4,
		.gateway6 = subnet.subnet.gateway6,
		.others = job->others,
		.other_count = other_count,
		.mtu = port->mtu,
		.is_default = port->is_default,
		.dhcp = attachment->dhcp,
	};
	return 0;
}

static int batch_fill(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < batch->difference->count && r == 0; i++) {
		const struct vd_plan_step *step = &batch->difference->steps[i];
		const struct vd_plan_record *record = step->after ? step->after : step->before;

		r = vd_feed_step(batch, model, step);
		if (r < 0)
			return r;
		switch (record->kind) {
		case VD_PLAN_KIND_DOMAIN:
			r = router_job_add(batch, plan, record->domain.domain);
			if (r == 0)
				r = services_keep(batch, step);
			break;
		case VD_PLAN_KIND_SUBNET:
			r = router_job_add(batch, plan, record->subnet.domain);
			break;
		case VD_PLAN_KIND_PORT:
			if (step->after)
				r = guest_job_add(batch, model, plan, &step->after->port);
			break;
		case VD_PLAN_KIND_VIP:
			r = router_of_vip(batch, plan, step);
			break;
		case VD_PLAN_KIND_TUNNEL_HOST:
		case VD_PLAN_KIND_POLICY:
		case VD_PLAN_KIND_POLICY_REMOTE:
		case VD_PLAN_KIND_POLICY_PORT:
		case VD_PLAN_KIND_POLICY_SPAN:
		case VD_PLAN_KIND_SOURCE:
		case VD_PLAN_KIND_ENDPOINT:
		case VD_PLAN_KIND_ROUTE:
		case VD_PLAN_KIND_NETWORK:
		case VD_PLAN_KIND_SEGMENT:
		case VD_PLAN_KIND_EXIT:
		case VD_PLAN_KIND_BLOCK:
		case VD_PLAN_KIND_EXEMPT:
		case VD_PLAN_KIND_HOST_ROUTE:
		case VD_PLAN_KIND_FORWARD:
		case VD_PLAN_KIND_POLICY_ROUTE:
		case VD_PLAN_KIND_INWARD:
		case VD_PLAN_KIND_ALIAS:
		case VD_PLAN_KIND_NEXT_HOP:
		case VD_PLAN_KIND_NAME:
		case VD_PLAN_KIND_COUNT:
			break;
		}
	}
	return r;
}

/* The instances of deleted ports: nobody else can take their attachments away. */
static void detach_deleted(struct vd_agent *agent, const struct vd_model *model, const struct vd_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct vd_change *change = &changes->items[i];
		const struct vd_attachment *attachment;

		if (change->kind != VD_KIND_PORT || change->after || !agent->reporter)
			continue;
		attachment = (const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, change->project, change->name);
		if (attachment && strcmp(attachment->host, agent->options.host) == 0)
			vd_reporter_detach(agent->reporter, attachment);
	}
}

void vd_agent_follow(const struct vd_model *model, const struct vd_changes *changes, int64_t revision, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_batch *batch = calloc(1, sizeof(*batch));
	int r = batch ? 0 : -ENOMEM;

	if (r == 0) {
		batch->revision = revision;
		r = vd_compiler_update(agent->compiler, model, changes, &batch->difference);
	}
	if (r == 0)
		r = batch_fill(batch, model, vd_compiler_plan(agent->compiler));
	if (r == 0)
		r = vd_feed_changes(batch, model, vd_compiler_plan(agent->compiler), changes);
	if (changes)
		detach_deleted(agent, model, changes);
	if (r < 0) {
		/* The plan is behind now; the loop's retry compiles nothing, so say it: only memory can run out here. */
		vd_log_error("revision %lld could not be compiled: %s", (long long)revision, strerror(-r));
		vd_batch_free(batch);
		return;
	}

	if (agent->gateways && vd_gateways_concern(changes))
		vd_gateways_wake(agent->gateways);
	if (agent->blocks && vd_blocks_concern(changes))
		vd_blocks_wake(agent->blocks);
	pthread_mutex_lock(&agent->lock);
	DL_APPEND(agent->batches, batch);
	pthread_mutex_unlock(&agent->lock);
	uv_async_send(&agent->wake);
}
