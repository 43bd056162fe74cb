/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/neighbour.h"

#include "agent/announce.h"
#include "agent/private.h"
#include "agent/uplink.h"
#include "base/clock.h"
#include "host/held.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

#define CARE_MS 5000 /* the table is looked through so often */
#define SECOND 1000000000ull
#define SETTLE_MS 1000 /* a revision is told to be obeyed no later than this after its next hops began to be asked for */
#define HELD_MAX 256

/* How long after the one before, in ms; those of the plan are asked for again with the table. */
static const unsigned schedule[] = {0, 100, 300, 1000};
#define TIMES (sizeof(schedule) / sizeof(schedule[0]))

struct key {
	uint32_t network;
	struct vd_address address;
	uint8_t zero[3];
};

/* One that is not known yet. */
struct question {
	struct key key;
	size_t asked;
	uint64_t due;              /* ms, of the loop */
	uint64_t settles;          /* ms: a new one of the plan, which may be waited for until then */
	struct vd_host_held *held; /* the packet that wanted it, NULL: none */
	UT_hash_handle hh;
};

struct next_hop {
	struct key key;
	struct vd_address asker; /* family none: whatever we have */
	UT_hash_handle hh;
};

struct vd_neighbours {
	struct question *questions;
	struct next_hop *next_hops;
	size_t held_count;
};

static struct key key_of(uint32_t network, const struct vd_address *address)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.network = network;
	key.address = *address;
	return key;
}

static struct next_hop *next_hop_find(const struct vd_agent *agent, const struct key *key)
{
	struct next_hop *next_hop;

	HASH_FIND(hh, agent->neighbours->next_hops, key, sizeof(*key), next_hop);
	return next_hop;
}

/* known: NULL: everyone. */
static void ask(struct vd_agent *agent, const struct key *key, const struct vd_mac *known)
{
	const struct next_hop *next_hop = next_hop_find(agent, key);
	struct vd_address asker = next_hop ? next_hop->asker : (struct vd_address){};
	struct vd_host_frame frame;
	struct vd_agent_wire wire;

	if (vd_agent_wire_find(agent, key->network, &key->address, &wire) < 0)
		return;
	if (asker.family == VD_FAMILY_NONE)
		vd_agent_announcements_asker(agent, key->network, key->address.family, &asker);
	vd_host_frame_solicit(&(struct vd_host_wire){wire.mac, wire.vlan}, &asker, &key->address, known, &frame);
	vd_agent_wire_send(agent, &wire, &frame);
}

/* ---- questions ---- */

static void held_drop(struct vd_agent *agent, struct question *question)
{
	if (!question->held)
		return;
	vd_datapath_neighbour_lost(agent->datapath, question->held->size);
	free(question->held);
	question->held = NULL;
	agent->neighbours->held_count--;
}

static void held_send(struct vd_agent *agent, struct question *question, const struct vd_mac *mac)
{
	const struct key *key = &question->key;
	struct vd_agent_wire wire;

	if (!question->held)
		return;
	if (vd_agent_wire_find(agent, key->network, &key->address, &wire) == 0) {
		vd_host_held_finish(question->held, &(struct vd_host_wire){wire.mac, wire.vlan}, mac);
		if (vd_host_held_send(agent->net, wire.ifindex, question->held) == 0) {
			free(question->held);
			question->held = NULL;
			agent->neighbours->held_count--;
		}
	}
	held_drop(agent, question);
}

static void question_remove(struct vd_agent *agent, struct question *question)
{
	held_drop(agent, question);
	HASH_DEL(agent->neighbours->questions, question);
	free(question);
}

static int answer_note(const struct vd_neighbour *neighbour, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct key key = key_of(neighbour->network, &neighbour->address);
	struct question *question;

	HASH_FIND(hh, agent->neighbours->questions, &key, sizeof(key), question);
	if (!question || !neighbour->known)
		return 0;
	held_send(agent, question, &neighbour->mac);
	question_remove(agent, question);
	return 0;
}

static void questions_due(uv_timer_t *timer)
{
	struct vd_agent *agent = timer->data;
	struct vd_neighbours *neighbours = agent->neighbours;
	uint64_t now = uv_now(&agent->loop), next_due = UINT64_MAX;
	struct question *question, *next;

	vd_datapath_neighbour_each(agent->datapath, answer_note, agent);
	HASH_ITER (hh, neighbours->questions, question, next) {
		if (question->due <= now) {
			ask(agent, &question->key, NULL);
			question->asked++;
			if (question->asked == TIMES) {
				question_remove(agent, question);
				continue;
			}
			question->due = now + schedule[question->asked];
		}
		if (question->due < next_due)
			next_due = question->due;
		if (question->settles > now && question->settles < next_due)
			next_due = question->settles;
	}
	if (next_due != UINT64_MAX)
		uv_timer_start(timer, questions_due, next_due > now ? next_due - now : 0, 0);
	if (vd_agent_neighbours_are_settled(agent))
		vd_agent_applied(agent);
}

bool vd_agent_neighbours_are_settled(const struct vd_agent *agent)
{
	uint64_t now = uv_now(&agent->loop);
	struct question *question, *next;

	HASH_ITER (hh, agent->neighbours->questions, question, next)
		if (question->settles > now)
			return false;
	return true;
}

/* One that is being asked for is: the data plane says so every second as long as packets come. NULL: no memory. */
static struct question *question_begin(struct vd_agent *agent, const struct key *key)
{
	struct question *question;

	HASH_FIND(hh, agent->neighbours->questions, key, sizeof(*key), question);
	if (question)
		return question;
	question = calloc(1, sizeof(*question));
	if (!question)
		return NULL;
	question->key = *key;
	question->due = uv_now(&agent->loop);
	HASH_ADD(hh, agent->neighbours->questions, key, sizeof(question->key), question);
	uv_timer_start(&agent->question_timer, questions_due, 0, 0);
	return question;
}

static void hold(struct vd_agent *agent, struct question *question, const struct vd_neighbour_news *news)
{
	struct vd_host_held *held = NULL;

	if (question && !question->held && agent->neighbours->held_count < HELD_MAX)
		held = vd_host_held_new(news->frame, news->frame_size);
	if (!held) {
		vd_datapath_neighbour_lost(agent->datapath, news->frame_size);
		return;
	}
	question->held = held;
	agent->neighbours->held_count++;
}

static void heard(const struct vd_neighbour_news *news, void *userdata)
{
	struct key key = key_of(news->network, &news->address);
	struct vd_agent *agent = userdata;
	struct question *question;

	if (news->known) {
		uv_timer_start(&agent->question_timer, questions_due, 0, 0);
		return;
	}
	question = question_begin(agent, &key);
	if (news->frame)
		hold(agent, question, news);
}

void vd_agent_neighbours_read(struct vd_agent *agent)
{
	vd_datapath_neighbour_read(agent->datapath, heard, agent);
}

/* What was allowed to leave may not be any more. */
static void held_drop_all(struct vd_agent *agent)
{
	struct question *question, *next;

	if (!agent->neighbours->held_count)
		return;
	HASH_ITER (hh, agent->neighbours->questions, question, next)
		held_drop(agent, question);
}

/* ---- the table ---- */

struct forgetting {
	struct vd_agent *agent;
	uint64_t now;
	struct key *keys; /* to be forgotten: not while the table is read */
	size_t count;
};

static uint64_t seconds_since(uint64_t now, uint64_t then)
{
	return now > then ? (now - then) / SECOND : 0;
}

static int neighbour_care(const struct vd_neighbour *neighbour, void *userdata)
{
	struct forgetting *forgetting = userdata;
	struct key key = key_of(neighbour->network, &neighbour->address), *grown;
	bool is_next_hop = next_hop_find(forgetting->agent, &key);

	switch (vd_neighbour_care(is_next_hop, neighbour->known, seconds_since(forgetting->now, neighbour->confirmed),
				  seconds_since(forgetting->now, neighbour->asked))) {
	case VD_NEIGHBOUR_CARE_NOTHING:
		break;
	case VD_NEIGHBOUR_CARE_REFRESH:
		ask(forgetting->agent, &key, &neighbour->mac);
		break;
	case VD_NEIGHBOUR_CARE_ASK:
		ask(forgetting->agent, &key, NULL);
		break;
	case VD_NEIGHBOUR_CARE_FORGET:
		grown = reallocarray(forgetting->keys, forgetting->count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		forgetting->keys = grown;
		grown[forgetting->count++] = key;
		break;
	}
	return 0;
}

static void care_due(uv_timer_t *timer)
{
	struct forgetting forgetting = {.agent = timer->data, .now = vd_clock_coarse_ns()};

	vd_datapath_neighbour_each(forgetting.agent->datapath, neighbour_care, &forgetting);
	for (size_t i = 0; i < forgetting.count; i++)
		vd_datapath_neighbour_forget(forgetting.agent->datapath, forgetting.keys[i].network, &forgetting.keys[i].address);
	free(forgetting.keys);
}

void vd_agent_neighbours_start(struct vd_agent *agent)
{
	uv_timer_start(&agent->care_timer, care_due, CARE_MS, CARE_MS);
}

/* ---- the plan ---- */

static int next_hop_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	const struct vd_plan_next_hop *plan = step->after ? &step->after->next_hop : &step->before->next_hop;
	struct key key = key_of(plan->network, &plan->address);
	struct next_hop *next_hop = next_hop_find(agent, &key);
	struct question *question;
	bool is_new = !next_hop;

	if (!step->after) {
		if (next_hop)
			HASH_DEL(agent->neighbours->next_hops, next_hop);
		free(next_hop);
		return 0;
	}
	if (!next_hop) {
		next_hop = calloc(1, sizeof(*next_hop));
		if (!next_hop)
			return -ENOMEM;
		next_hop->key = key;
		HASH_ADD(hh, agent->neighbours->next_hops, key, sizeof(next_hop->key), next_hop);
	}
	next_hop->asker = plan->asker;
	question = question_begin(agent, &key);
	if (question && is_new)
		question->settles = uv_now(&agent->loop) + SETTLE_MS;
	return 0;
}

int vd_agent_neighbours_step(struct vd_agent *agent, const struct vd_plan_step *step)
{
	if ((step->after ? step->after : step->before)->kind == VD_PLAN_KIND_NEXT_HOP)
		return next_hop_step(agent, step);
	held_drop_all(agent);
	return 0;
}

/* ---- what a person sees ---- */

struct listing {
	struct vd_agent *agent;
	const struct vd_model *model;
	uint64_t now;
	json_t *all;
};

static const char *state_word(const struct vd_neighbour *neighbour, bool is_asked)
{
	if (neighbour->known)
		return "known";
	return is_asked ? "asked" : "silent";
}

static int neighbour_list(const struct vd_neighbour *neighbour, void *userdata)
{
	struct listing *listing = userdata;
	struct key key = key_of(neighbour->network, &neighbour->address);
	const struct vd_resource *network = vd_model_get_by_id(listing->model, neighbour->network);
	char address[VD_ADDRESS_TEXT], mac[VD_MAC_TEXT];
	struct question *question;
	json_t *one;

	HASH_FIND(hh, listing->agent->neighbours->questions, &key, sizeof(key), question);
	one = json_pack("{s:s, s:s, s:s, s:b}", "network", network ? network->name : "", "address",
			vd_address_format(&neighbour->address, address), "state", state_word(neighbour, question), "next_hop",
			next_hop_find(listing->agent, &key) != NULL);
	if (neighbour->known) {
		json_object_set_new(one, "mac", json_string(vd_mac_format(&neighbour->mac, mac)));
		json_object_set_new(one, "confirmed", json_integer((json_int_t)seconds_since(listing->now, neighbour->confirmed)));
	}
	return json_array_append_new(listing->all, one) < 0 ? -ENOMEM : 0;
}

json_t *vd_agent_neighbours_status(struct vd_agent *agent)
{
	struct listing listing = {.agent = agent, .now = vd_clock_coarse_ns(), .all = json_array()};

	listing.model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	vd_datapath_neighbour_each(agent->datapath, neighbour_list, &listing);
	vd_replica_unlock(agent->replica);
	return json_pack("{s:s, s:o}", "host", agent->options.host, "neighbours", listing.all);
}

int vd_agent_neighbours_new(struct vd_agent *agent)
{
	agent->neighbours = calloc(1, sizeof(*agent->neighbours));
	return agent->neighbours ? 0 : -ENOMEM;
}

void vd_agent_neighbours_free(struct vd_agent *agent)
{
	struct vd_neighbours *neighbours = agent->neighbours;
	struct question *question, *next_question;
	struct next_hop *next_hop, *next;

	if (!neighbours)
		return;
	HASH_ITER (hh, neighbours->questions, question, next_question) {
		HASH_DEL(neighbours->questions, question);
		free(question->held);
		free(question);
	}
	HASH_ITER (hh, neighbours->next_hops, next_hop, next) {
		HASH_DEL(neighbours->next_hops, next_hop);
		free(next_hop);
	}
	free(neighbours);
	agent->neighbours = NULL;
}
