/* SPDX-License-Identifier: Apache-2.0 */
/* What this host says of itself, so that others can send to it: its resource, its addresses, its MTU. */
#include "agent/keeper.h"
#include "agent/private.h"
#include "agent/uplink.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MTU_TEXT sizeof(" 4294967295")

/* Every host is a resource, declared by hand or, the first time that its daemon starts, by itself. */
static int host_decide(const struct vd_model *model, uint32_t next_id, void *userdata, struct vd_changes **ret,
		       struct vd_error *error)
{
	const struct vd_agent *agent = userdata;
	json_t *documents;
	int r;

	if (vd_model_get(model, VD_KIND_HOST, "default", agent->options.host))
		documents = json_array();
	else
		documents = json_pack("[{s:s, s:s}]", "kind", "host", "name", agent->options.host);
	r = vd_changes_from_documents(model, documents, "default", next_id, ret, error);
	json_decref(documents);
	return r;
}

static int claim_build(struct vd_agent *agent, struct vd_resource **ret, struct vd_error *error)
{
	char text[VD_ADDRESS_TEXT], lan[VD_PREFIX_TEXT];
	VD_FREE char *encoded = NULL;
	VD_FREE char *mtus = calloc(agent->underlay.count, MTU_TEXT);
	json_t *addresses, *object;
	size_t used = 0;
	int r;

	if (!mtus)
		return -ENOMEM;
	addresses = json_array();
	for (size_t i = 0; i < agent->underlay.count; i++) {
		json_array_append_new(addresses, json_string(vd_address_format(&agent->underlay.addresses[i], text)));
		used += (size_t)snprintf(mtus + used, MTU_TEXT, "%s%u", i ? " " : "", agent->underlay.mtus[i]);
	}
	object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:s*, s:s, s:o, s:s*, s:o}", "kind", "claim", "machine_id",
			   agent->identity.machine_id, "boot_id", agent->identity.boot_id, "underlay",
			   vd_address_format(&agent->underlay.address, text), "underlay_mtu", (json_int_t)agent->underlay.mtu,
			   "addresses", addresses, "address_mtus", mtus, "api", agent->options.api, "version", VD_VERSION,
			   "uplinks", vd_agent_uplinks_claim(agent), "lan",
			   agent->underlay.lan.address.family ? vd_prefix_format(&agent->underlay.lan, lan) : NULL, "occupied",
			   vd_agent_keeper_occupied(agent));
	encoded = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!encoded)
		return -ENOMEM;
	r = vd_resource_decode(VD_KIND_CLAIM, "default", agent->options.host, encoded, strlen(encoded), ret, error);
	return r;
}

int vd_agent_claim_renew(struct vd_agent *agent, struct vd_error *error)
{
	struct vd_resource *claim = NULL;
	const struct vd_resource *standing;
	const struct vd_model *model;
	bool same;
	int r;

	r = claim_build(agent, &claim, error);
	if (r < 0)
		return r;

	model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	r = vd_claim_validate(model, (const struct vd_claim *)claim, error);
	standing = vd_model_get(model, VD_KIND_CLAIM, "default", agent->options.host);
	same = standing && vd_resource_equal(standing, claim);
	vd_replica_unlock(agent->replica);

	if (r == 0 && !same)
		r = vd_replica_write_fact(agent->replica, claim, false, NULL, NULL, NULL, error);
	vd_resource_unref(claim);
	return r;
}

int vd_agent_claim(struct vd_agent *agent, struct vd_error *error)
{
	VD_FREE char *request = NULL;
	struct timespec now;
	int r;

	/* Of this start: one that was answered before the host was deleted must not stand for this one. */
	clock_gettime(CLOCK_REALTIME, &now);
	if (asprintf(&request, "host-%s-%lld.%09ld", agent->identity.run_id, (long long)now.tv_sec, now.tv_nsec) < 0)
		return -ENOMEM;
	r = vd_replica_write(agent->replica, request, host_decide, agent, NULL, NULL, error);
	return r < 0 ? r : vd_agent_claim_renew(agent, error);
}
