/* SPDX-License-Identifier: Apache-2.0 */
#include "api/holder.h"

#include "api/server.h"
#include "api/status.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define LOOK_MS 500 /* who lives changes without a revision of the model */

/* The names of both, and a word. */
#define KEY_SIZE (3 * VD_NAME_SIZE)

static const char *key_of(enum vd_kind kind, const char *project, const char *name, char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%s/%s/%s", vd_kind_word(kind), project, name);
	return key;
}

json_t *vd_holders_asked(const struct vd_changes *changes)
{
	json_t *asked = json_object();
	char key[KEY_SIZE];

	for (size_t i = 0; i < changes->count; i++) {
		const struct vd_change *change = &changes->items[i];

		if (change->after && (change->kind == VD_KIND_VPC || change->kind == VD_KIND_NETWORK))
			json_object_set_new(asked, key_of(change->kind, change->project, change->name, key), json_true());
	}
	return asked;
}

struct search {
	struct vd_api *api;
	const struct vd_model *model;
	const json_t *asked;
	const char *physnet;
	size_t vacant;                                 /* somebody could hold them, and nobody does */
	char vpc[VD_NAME_SIZE], network[VD_NAME_SIZE]; /* of one of them */
	json_t *hopeless;                              /* sentences */
};

static int candidate_find(const struct vd_resource *claim, void *userdata)
{
	const struct search *search = userdata;

	return vd_claim_uplink((const struct vd_claim *)claim, search->physnet) &&
	       vd_statuses_is_alive(search->api->statuses, claim->name);
}

static bool is_asked(const struct search *search, const struct vd_virtual_ip *vip)
{
	char key[KEY_SIZE];

	return json_object_get(search->asked, key_of(VD_KIND_VPC, vip->head.project, vip->vpc, key)) ||
	       json_object_get(search->asked, key_of(VD_KIND_NETWORK, "default", vip->network, key));
}

static int vip_look(const struct vd_resource *resource, void *userdata)
{
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)resource;
	const struct vd_network *network;
	struct search *search = userdata;

	if (!vip->vpc || !is_asked(search, vip) || vd_model_get(search->model, VD_KIND_GATEWAY, resource->project, resource->name))
		return 0;
	network = (const struct vd_network *)vd_model_get(search->model, VD_KIND_NETWORK, "default", vip->network);
	if (!network)
		return 0;
	search->physnet = network->physnet;
	if (vd_model_each(search->model, VD_KIND_CLAIM, NULL, candidate_find, search) > 0) {
		search->vacant++;
		snprintf(search->vpc, sizeof(search->vpc), "%s", vip->vpc);
		snprintf(search->network, sizeof(search->network), "%s", vip->network);
		return 0;
	}
	json_array_append_new(
		search->hopeless,
		json_sprintf("no living host has an uplink to the physical network %s: nothing of VPC %s leaves to network "
			     "%s until one has",
			     network->physnet, vip->vpc, vip->network));
	return 0;
}

/* Each look has its own list of what is hopeless: a host may come or go meanwhile. */
static int vacancies_wait(struct search *search, int64_t deadline, int64_t *ret_epoch)
{
	struct vd_api *api = search->api;

	for (;;) {
		int64_t revision, left = deadline - vd_clock_ms();

		search->vacant = 0;
		json_array_clear(search->hopeless);
		search->model = vd_replica_lock(api->replica, &revision, ret_epoch, NULL);
		vd_model_each(search->model, VD_KIND_VIRTUAL_IP, NULL, vip_look, search);
		vd_replica_unlock(api->replica);
		if (!search->vacant)
			return 0;
		if (api->stopping)
			return -ESHUTDOWN;
		if (left <= 0)
			return -ETIMEDOUT;
		vd_replica_wait(api->replica, revision + 1, left < LOOK_MS ? (unsigned)left : LOOK_MS);
	}
}

int vd_holders_wait(struct vd_api *api, const json_t *asked, unsigned seconds, json_t *notes, struct vd_error *error)
{
	struct search search = {.api = api, .asked = asked, .hopeless = json_array()};
	int64_t deadline = vd_clock_ms() + (int64_t)seconds * 1000, epoch = 0, left;
	int r;

	r = vacancies_wait(&search, deadline, &epoch);
	json_array_extend(notes, search.hopeless);
	json_decref(search.hopeless);
	if (r == -ESHUTDOWN)
		return vd_error_set(error, r, "the change stands, but this daemon stops and cannot wait");
	if (r)
		return vd_error_set(
			error, r,
			"the change stands, but after %u s no host has become the gateway of VPC %s on network %s yet; see "
			"\"viaduct status\"",
			seconds, search.vpc, search.network);
	/* Who holds one is known; now their data planes. */
	left = (deadline - vd_clock_ms() + 999) / 1000;
	return vd_statuses_wait(api->statuses, epoch, left > 1 ? (unsigned)left : 1, error);
}
