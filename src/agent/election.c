/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/election.h"

#include "model/change.h"

#include <string.h>

#define SECOND 1000000000ull /* ns */

bool vd_election_concerns(const struct vd_resource *resource)
{
	return resource->kind == VD_KIND_VIRTUAL_IP && ((const struct vd_virtual_ip *)resource)->vpc;
}

/* FNV-1a over both, so that each virtual IP has an order of the hosts of its own. */
static uint32_t weight(const struct vd_virtual_ip *vip, const char *host)
{
	uint32_t hash = 2166136261u ^ vip->head.id * 0x9e3779b1u;

	for (const char *at = host; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return hash ^ hash >> 15;
}

struct search {
	const struct vd_model *model;
	const char *host;
};

static int port_is_there(const struct vd_resource *port, void *userdata)
{
	const struct search *search = userdata;
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(search->model, VD_KIND_ATTACHMENT, port->project, port->name);

	return attachment && strcmp(attachment->host, search->host) == 0;
}

static int subnet_is_there(const struct vd_resource *subnet, void *userdata)
{
	const struct search *search = userdata;

	return vd_model_each_port_of_subnet(search->model, subnet->project, subnet->name, port_is_there, userdata);
}

static bool has_ports(const struct vd_model *model, const struct vd_virtual_ip *vip, const char *host)
{
	struct search search = {model, host};

	return vd_model_each_subnet_of_vpc(model, vip->head.project, vip->vpc, subnet_is_there, &search) > 0;
}

static const char *physnet_of(const struct vd_model *model, const struct vd_virtual_ip *vip)
{
	const struct vd_network *network = (const struct vd_network *)vd_model_get(model, VD_KIND_NETWORK, "default", vip->network);

	return network ? network->physnet : NULL;
}

static bool has_uplink(const struct vd_model *model, const char *host, const char *physnet)
{
	const struct vd_claim *claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", host);

	return physnet && claim && vd_claim_uplink(claim, physnet);
}

struct ranking {
	const struct vd_electorate *electorate;
	const struct vd_virtual_ip *vip;
	const char *physnet;
	bool we_have_ports;
	uint32_t our_weight;
	unsigned before; /* us */
};

static int candidate_rank(const struct vd_resource *claim, void *userdata)
{
	struct ranking *ranking = userdata;
	const struct vd_electorate *electorate = ranking->electorate;
	uint32_t its_weight = weight(ranking->vip, claim->name);
	bool ports;

	if (strcmp(claim->name, electorate->host) == 0 || !vd_claim_uplink((const struct vd_claim *)claim, ranking->physnet) ||
	    !electorate->is_alive(claim->name, electorate->userdata))
		return 0;
	ports = has_ports(electorate->model, ranking->vip, claim->name);
	if (ports != ranking->we_have_ports)
		ranking->before += ports;
	else if (its_weight != ranking->our_weight)
		ranking->before += its_weight > ranking->our_weight;
	else
		ranking->before += strcmp(claim->name, electorate->host) < 0;
	return 0;
}

static unsigned rank(const struct vd_electorate *electorate, const struct vd_virtual_ip *vip, const char *physnet)
{
	struct ranking ranking = {
		.electorate = electorate,
		.vip = vip,
		.physnet = physnet,
		.we_have_ports = has_ports(electorate->model, vip, electorate->host),
		.our_weight = weight(vip, electorate->host),
	};

	vd_model_each(electorate->model, VD_KIND_CLAIM, NULL, candidate_rank, &ranking);
	return ranking.before;
}

enum vd_election vd_election_of_vip(const struct vd_electorate *electorate, const struct vd_virtual_ip *vip, unsigned *ret_rank)
{
	const struct vd_model *model = electorate->model;
	const char *physnet = physnet_of(model, vip);
	const struct vd_gateway *fact =
		(const struct vd_gateway *)vd_model_get(model, VD_KIND_GATEWAY, vip->head.project, vip->head.name);
	bool can = has_uplink(model, electorate->host, physnet);
	bool ours = fact && strcmp(fact->host, electorate->host) == 0;

	if (ours && !can)
		return VD_ELECTION_RESIGN;
	/* Of an earlier boot: as good as held by nobody, and nobody else takes it while we live. */
	if (ours && strcmp(fact->boot_id, electorate->boot_id) != 0) {
		*ret_rank = 0;
		return VD_ELECTION_TAKE;
	}
	if (!can || ours || (fact && electorate->is_alive(fact->host, electorate->userdata)))
		return VD_ELECTION_NOTHING;
	*ret_rank = rank(electorate, vip, physnet);
	return VD_ELECTION_TAKE;
}

struct nearest {
	const struct vd_electorate *electorate;
	bool other;
};

static int nearer(const struct vd_resource *claim, void *userdata)
{
	struct nearest *nearest = userdata;

	nearest->other = strcmp(claim->name, nearest->electorate->host) < 0 &&
			 nearest->electorate->is_alive(claim->name, nearest->electorate->userdata);
	return nearest->other;
}

enum vd_election vd_election_of_fact(const struct vd_electorate *electorate, const struct vd_gateway *fact)
{
	struct nearest nearest = {electorate, false};

	if (vd_model_get(electorate->model, VD_KIND_VIRTUAL_IP, fact->head.project, fact->head.name))
		return VD_ELECTION_NOTHING;
	if (strcmp(fact->host, electorate->host) == 0)
		return VD_ELECTION_RESIGN;
	if (electorate->is_alive(fact->host, electorate->userdata))
		return VD_ELECTION_NOTHING;
	vd_model_each(electorate->model, VD_KIND_CLAIM, NULL, nearer, &nearest);
	return nearest.other ? VD_ELECTION_NOTHING : VD_ELECTION_RESIGN;
}

uint64_t vd_gateway_deadline(uint64_t sent, int64_t ttl)
{
	return ttl > 1 ? sent + (uint64_t)(ttl - 1) * SECOND : sent;
}
