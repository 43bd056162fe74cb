/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/announce.h"

#include "agent/private.h"
#include "agent/uplink.h"
#include "host/solicit.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* When, in ms after the data plane has it. */
static const unsigned schedule[] = {0, 300, 1000};
/* A repetition that is late by more ms than this is put off. */
#define LATE_MS 100
#define TIMES (sizeof(schedule) / sizeof(schedule[0]))

struct key {
	uint32_t network;
	struct vd_address address;
	uint8_t zero[3];
};

struct vip {
	struct key key;
	struct vd_plan_vip plan;
	uint64_t since; /* ms, of the loop */
	size_t told;
	bool pending;
	struct vip *prev, *next; /* of those that are pending */
	UT_hash_handle hh;
};

struct vd_announcements {
	struct vip *vips, *pending;
};

static struct key key_of(uint32_t network, const struct vd_address *address)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.network = network;
	key.address = *address;
	return key;
}

static void vip_tell(struct vd_agent *agent, const struct vip *vip)
{
	struct vd_host_frame frame;
	struct vd_agent_wire wire;

	if (vd_agent_wire_find(agent, vip->key.network, &vip->key.address, &wire) < 0)
		return;
	vd_host_frame_announce(&(struct vd_host_wire){wire.mac, wire.vlan}, &vip->key.address, &frame);
	vd_agent_wire_send(agent, &wire, &frame);
}

static void pending_remove(struct vd_announcements *announcements, struct vip *vip)
{
	if (vip->pending)
		DL_DELETE(announcements->pending, vip);
	vip->pending = false;
}

static void due(uv_timer_t *timer)
{
	struct vd_agent *agent = timer->data;
	struct vd_announcements *announcements = agent->announcements;
	uint64_t now = uv_now(&agent->loop), next = UINT64_MAX;
	struct vip *vip, *after;

	DL_FOREACH_SAFE (announcements->pending, vip, after) {
		/* Who stood still may not have heard yet that the address has moved, and would call everyone back to where it was. */
		if (vip->told && vip->since + schedule[vip->told] + LATE_MS < now)
			vip->since = now - schedule[vip->told - 1];
		if (vip->since + schedule[vip->told] <= now) {
			vip_tell(agent, vip);
			vip->told++;
		}
		if (vip->told == TIMES)
			pending_remove(announcements, vip);
		else if (vip->since + schedule[vip->told] < next)
			next = vip->since + schedule[vip->told];
	}
	if (next != UINT64_MAX)
		uv_timer_start(timer, due, next > now ? next - now : 0, 0);
}

void vd_agent_announcements_begin(struct vd_agent *agent)
{
	due(&agent->announce_timer);
}

static void vip_begin(struct vd_agent *agent, struct vip *vip)
{
	vip->since = uv_now(&agent->loop);
	vip->told = 0;
	if (!vip->pending)
		DL_APPEND(agent->announcements->pending, vip);
	vip->pending = true;
	uv_timer_start(&agent->announce_timer, due, 0, 0);
}

static void vip_remove(struct vd_announcements *announcements, struct vip *vip)
{
	pending_remove(announcements, vip);
	HASH_DEL(announcements->vips, vip);
	free(vip);
}

static int vip_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_vip *plan = step->after ? &step->after->vip : &step->before->vip;
	struct key key = key_of(plan->network, &plan->address);
	struct vip *vip;

	HASH_FIND(hh, agent->announcements->vips, &key, sizeof(key), vip);
	if (!step->after || !plan->here) {
		if (vip)
			vip_remove(agent->announcements, vip);
		return 0;
	}
	if (vip) {
		vip->plan = *plan;
		return 0;
	}
	vip = calloc(1, sizeof(*vip));
	if (!vip)
		return -ENOMEM;
	vip->key = key;
	vip->plan = *plan;
	HASH_ADD(hh, agent->announcements->vips, key, sizeof(vip->key), vip);
	vip_begin(agent, vip);
	return 0;
}

/* The uplink is another one, or has another MAC. */
static void network_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_network *after = &step->after->network;
	struct vip *vip, *next;

	if (step->before && step->before->network.ifindex == after->ifindex && step->before->network.vlan == after->vlan &&
	    vd_mac_equal(&step->before->network.mac, &after->mac))
		return;
	HASH_ITER (hh, agent->announcements->vips, vip, next)
		if (vip->key.network == after->network)
			vip_begin(agent, vip);
}

int vd_agent_announcements_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	enum vd_plan_kind kind = (step->after ? step->after : step->before)->kind;

	if (kind == VD_PLAN_KIND_VIP)
		return vip_step(agent, step);
	if (kind == VD_PLAN_KIND_NETWORK && step->after)
		network_step(agent, step);
	return 0;
}

int vd_agent_announcements_asker(const struct vd_agent *agent, uint32_t network, uint8_t family, struct vd_address *ret)
{
	struct vip *vip, *next;

	HASH_ITER (hh, agent->announcements->vips, vip, next) {
		if (vip->key.network != network || vip->key.address.family != family)
			continue;
		*ret = vip->key.address;
		return 0;
	}
	return -ENOENT;
}

json_t *vd_agent_announcements_status(const struct vd_agent *agent)
{
	struct vip *vip, *next;
	json_t *all = json_array();

	HASH_ITER (hh, agent->announcements->vips, vip, next) {
		const struct vd_plan_network *network = vd_agent_network_find(agent, vip->key.network);
		char address[VD_ADDRESS_TEXT];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", vip->plan.name, "network",
						     network ? network->name : "", "address",
						     vd_address_format(&vip->key.address, address), "type",
						     vip->plan.type == VD_PLAN_VIP_TYPE_ELASTIC ? "elastic" : "router", "announced",
						     (json_int_t)vip->told));
	}
	return all;
}

int vd_agent_announcements_new(struct vd_agent *agent)
{
	agent->announcements = calloc(1, sizeof(*agent->announcements));
	return agent->announcements ? 0 : -ENOMEM;
}

void vd_agent_announcements_free(struct vd_agent *agent)
{
	struct vip *vip, *next;

	if (!agent->announcements)
		return;
	HASH_ITER (hh, agent->announcements->vips, vip, next)
		vip_remove(agent->announcements, vip);
	free(agent->announcements);
	agent->announcements = NULL;
}
