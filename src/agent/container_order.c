/* SPDX-License-Identifier: Apache-2.0 */
/* Orders about containers: what api threads ask, and what of it is done on the loop. */
#include "agent/container.h"
#include "agent/keeper.h"
#include "agent/node.h"
#include "agent/removal.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long an order waits for a block, and for this host to learn of what the store has. */
#define BLOCK_SECONDS 20
#define AGAIN_MS 50

/* ---- on the loop ---- */

/* The port's number makes the MAC: nobody else on this host has it, and nobody else sees it. */
static struct vd_mac mac_of(uint32_t port)
{
	return (struct vd_mac){{0x02, 0x76, (uint8_t)(port >> 24), (uint8_t)(port >> 16), (uint8_t)(port >> 8), (uint8_t)port}};
}

static int row_fill(struct vd_agent *agent, struct vd_container_request *request, struct vd_container *row, struct vd_error *error)
{
	int r;

	snprintf(row->key, sizeof(row->key), "%s", request->key);
	snprintf(row->network, sizeof(row->network), "%s/%s", request->project, request->network);
	row->domain = request->domain;
	row->state = VD_CONTAINER_STATE_MAKING;
	row->since = (int64_t)time(NULL);
	row->rate_in = request->rate_in;
	row->burst_in = request->burst_in;
	row->rate_out = request->rate_out;
	row->burst_out = request->burst_out;
	r = vd_container_addresses_choose(agent, request, row, error);
	if (r < 0)
		return r;
	row->port = vd_journal_port_choose(agent->journal);
	row->mac = mac_of(row->port);
	row->netns = request->netns ? strdup(request->netns) : NULL;
	row->netns_device = request->netns_id.device;
	row->netns_inode = request->netns_id.inode;
	row->hostname = request->hostname ? strdup(request->hostname) : NULL;
	if (request->netns)
		snprintf(row->ifname, sizeof(row->ifname), "%s", request->ifname);
	else
		snprintf(row->ifname, sizeof(row->ifname), "vdp%x", row->port);
	return (request->netns && !row->netns) || (request->hostname && !row->hostname) ? -ENOMEM : 0;
}

/* 1 when it stands already. */
static int standing_find(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error)
{
	const struct vd_container *row = vd_journal_find(agent->journal, request->key);

	if (!row)
		return 0;
	/* Its namespace is gone, and the kernel has not told us yet. */
	if (row->state == VD_CONTAINER_STATE_MAKING ||
	    (row->state == VD_CONTAINER_STATE_UP && !vd_host_link_is_port(agent->net, row->ifindex, row->port)))
		return vd_container_unmake(agent, row, error);
	if (!vd_container_is_same(row, request))
		return vd_error_set(error, -EEXIST,
				    "container %s: that key stands for another order already: delete that one first", request->key);
	return vd_container_copy(row, &request->container) < 0 ? -ENOMEM : 1;
}

static int add_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;
	struct vd_container row = {0};
	int r = standing_find(agent, request, error);

	request->mtu = vd_container_mtu(agent, request->domain);
	if (r != 0)
		return r < 0 ? r : 0;
	r = row_fill(agent, request, &row, error);
	if (r == 0)
		r = vd_journal_put(agent->journal, &row, error);
	if (r == 0) {
		r = vd_container_make(agent, &row, request->mtu, error);
		if (r < 0)
			vd_container_unmake(agent, &row, NULL);
	}
	if (r < 0)
		vd_container_clear(&row);
	else
		request->container = row;
	return r < 0 ? vd_error_prefix(error, r, "container %s", request->key) : 0;
}

static int reserve_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;
	struct vd_container row = {0};
	int r;

	snprintf(row.network, sizeof(row.network), "%s/%s", request->project, request->network);
	row.domain = request->domain;
	row.state = VD_CONTAINER_STATE_RESERVED;
	row.since = (int64_t)time(NULL);
	r = vd_container_addresses_choose(agent, request, &row, error);
	if (r == 0)
		r = vd_container_reservation_name(&row, request->key, error);
	if (r == 0 && vd_journal_find(agent->journal, row.key))
		r = vd_error_set(error, -EEXIST, "reservation %s: it stands already", row.key);
	if (r == 0)
		r = vd_journal_put(agent->journal, &row, error);
	request->container = row;
	return r;
}

static int gateway_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct vd_container_request *request = userdata;
	int r;

	/* Nothing is taken: what would be next says which block, and with it the gateway. */
	r = vd_container_addresses_choose(agent, request, &request->container, error);
	if (r == 0)
		request->container.addresses[0].prefix.address = request->container.addresses[0].gateway;
	return r;
}

struct named {
	const char *key;
	uint64_t ticket;  /* of the link that goes; 0: none */
	char native[160]; /* its network, when it is a port and goes as one; "": no */
	const char *netns, *ifname;
	int64_t since; /* vd_container_is_since */
	const struct vd_container *found;
	json_t *reply;
};

static int delete_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct named *named = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, named->key);

	if (!row || !vd_container_is_since(row, named->since))
		return 0;
	if (row->state == VD_CONTAINER_STATE_RESERVED)
		return vd_error_set(error, -EEXIST, "container %s: that key is a reservation's: release it", named->key);
	if (row->native) {
		memcpy(named->native, row->network, sizeof(named->native));
		return 0;
	}
	return vd_container_condemn(agent, row, &named->ticket, error);
}

static int taken_release(const struct vd_container *row, void *userdata)
{
	struct {
		struct vd_agent *agent;
		const char *key;
	} *releasing = userdata;
	struct vd_container changed = *row;
	bool is_taken = false;

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		if (!row->addresses[i].reserved || strcmp(row->addresses[i].reserved, releasing->key) != 0)
			continue;
		changed.addresses[i].reserved = NULL;
		is_taken = true;
	}
	if (!is_taken)
		return 0;
	return vd_journal_put(releasing->agent->journal, &changed, NULL) < 0 ? -EIO : 1;
}

static int release_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct named *named = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, named->key);
	struct {
		struct vd_agent *agent;
		const char *key;
	} releasing = {agent, named->key};
	int r;

	if (row && !vd_container_is_since(row, named->since))
		return 0;
	if (row && row->state != VD_CONTAINER_STATE_RESERVED)
		return vd_error_set(error, -EEXIST, "container %s: that key is no reservation's: delete it", named->key);
	if (row && row->native) {
		memcpy(named->native, row->network, sizeof(named->native));
		return 0;
	}
	if (row)
		return vd_journal_remove(agent->journal, named->key, error);
	/* A container has it: then it is free when that one goes. */
	r = vd_journal_each(agent->journal, taken_release, &releasing);
	return r < 0 ? vd_error_set(error, r, "reservation %s: the journal cannot be written", named->key) : 0;
}

static int check_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct named *named = userdata;
	const struct vd_container *row = vd_journal_find(agent->journal, named->key);
	struct vd_host_netns netns;
	VD_FREE char *path = NULL;
	int r = 0;

	if (!row || row->state != VD_CONTAINER_STATE_UP)
		return vd_error_set(error, -ENOENT, "container %s: this host knows none of that key", named->key);
	if (named->ifname && row->netns && strcmp(named->ifname, row->ifname) != 0)
		return vd_error_set(error, -EEXIST, "container %s: its interface is %s, not %s", named->key, row->ifname,
				    named->ifname);
	if (named->netns)
		r = vd_host_netns_resolve(named->netns, &path, &netns, error);
	if (r < 0)
		return vd_error_prefix(error, -ENXIO, "container %s", named->key);
	if (named->netns && row->netns && (netns.device != row->netns_device || netns.inode != row->netns_inode))
		return vd_error_set(error, -EEXIST, "container %s: it is in another namespace than %s", named->key, named->netns);
	r = vd_container_check(agent, row, error);
	if (r == 0)
		named->reply = vd_container_answer(row, vd_container_mtu(agent, row->domain));
	vd_container_dns_set(agent, row, named->reply);
	return r;
}

/* ---- many ---- */

struct listing {
	struct vd_agent *agent;
	const char *network; /* "project/name", NULL: all */
	const char *prefix;  /* of keys, NULL: all */
	json_t *list;        /* of descriptions … */
	json_t *keys;        /* … or of keys */
};

/* Beside the limits, what they have dropped. */
static json_t *description(struct vd_agent *agent, const struct vd_container *row)
{
	json_t *described = vd_container_describe(row, vd_container_mtu(agent, row->domain));
	json_t *bandwidth = json_object_get(described, "bandwidth");
	struct vd_port_limited limited;

	if (!bandwidth)
		return described;
	limited = vd_datapath_limited(agent->datapath, row->port);
	if (row->rate_in)
		json_object_set_new(bandwidth, "ingress_dropped", json_integer((json_int_t)limited.in));
	if (row->rate_out)
		json_object_set_new(bandwidth, "egress_dropped", json_integer((json_int_t)limited.out));
	return described;
}

static int list_visit(const struct vd_container *row, void *userdata)
{
	struct listing *listing = userdata;

	if ((listing->network && strcmp(listing->network, row->network) != 0) ||
	    (listing->prefix && strncmp(listing->prefix, row->key, strlen(listing->prefix)) != 0))
		return 0;
	if (listing->keys)
		return json_array_append_new(listing->keys, json_string(row->key));
	return json_array_append_new(listing->list, description(listing->agent, row));
}

static int list_on_loop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	return vd_journal_each(agent->journal, list_visit, userdata) < 0 ? -ENOMEM : 0;
}

/* ---- verbs, on api threads ---- */

static int key_of(const json_t *arguments, const char **ret, struct vd_error *error)
{
	*ret = json_string_value(json_object_get(arguments, "key"));
	return *ret && **ret ? 0 : vd_error_set(error, -EINVAL, "key: text that says which container");
}

/* "project/name" of the argument network, "" when there is none. */
static int network_of(const json_t *arguments, char ret[2 * VD_NAME_SIZE], struct vd_error *error)
{
	const char *text = json_string_value(json_object_get(arguments, "network"));

	ret[0] = '\0';
	if (!text)
		return 0;
	if (snprintf(ret, 2 * VD_NAME_SIZE, "%s%s", strchr(text, '/') ? "" : "default/", text) >= 2 * VD_NAME_SIZE)
		return vd_error_set(error, -EINVAL, "network: \"%.70s\" is no container_network's name", text);
	return 0;
}

/*
 * Carries an order out that needs addresses. What the store has and the loop has not taken in yet is waited for; when the blocks are
 * full, one more is asked of the store.
 */
static int order_carry_out(struct vd_agent *agent, struct vd_container_request *request,
			   int (*function)(struct vd_agent *agent, void *userdata, struct vd_error *error), struct vd_error *error)
{
	int64_t revision = 0;
	time_t until = time(NULL) + BLOCK_SECONDS;
	int r = vd_container_request_resolve(agent, request, &revision, error);

	if (r < 0)
		return r;
	for (;;) {
		r = vd_agent_on_loop(agent, function, request, error);
		if ((r != -ENOMEDIUM && r != -ENOSPC) || time(NULL) >= until)
			return r;
		if (vd_agent_wait_applied(agent, revision, BLOCK_SECONDS) < 0)
			return r;
		r = vd_agent_on_loop(agent, function, request, error);
		if (r != -ENOMEDIUM && r != -ENOSPC)
			return r;
		r = vd_container_block_claim(agent, request, &revision, error);
		if (r < 0)
			return r;
		if (vd_agent_wait_applied(agent, revision, BLOCK_SECONDS) < 0)
			return vd_error_set(error, -ENOMEDIUM,
					    "container_network %s: a block is there, but host %s has not taken it in within %d s",
					    request->network, agent->options.host, BLOCK_SECONDS);
	}
}

/* Brings the address here that the request wants; ret: a question for its holder instead. */
static int address_bring(struct vd_agent *agent, struct vd_container_request *request, json_t **ret, struct vd_error *error)
{
	time_t until = time(NULL) + BLOCK_SECONDS;
	int64_t revision = 0;
	int r;

	if (!request->move)
		return vd_error_prefix(error, -EINVAL, "container %s (may it come from another node? Then say move)", request->key);
	while ((r = vd_container_borrow(agent, request, &revision, ret, error)) == -EAGAIN && time(NULL) < until)
		usleep(AGAIN_MS * 1000);
	if (r < 0)
		return r == -EAGAIN ? -EADDRINUSE : r;
	if (!*ret && vd_agent_wait_applied(agent, revision, BLOCK_SECONDS) < 0)
		return vd_error_set(error, -ENOMEDIUM,
				    "container %s: its address is this host's, but host %s has not taken it in within %d s",
				    request->key, agent->options.host, BLOCK_SECONDS);
	return 0;
}

static int verb_add(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_container_request_clear) struct vd_container_request request = {0};
	json_t *question = NULL;
	int64_t revision = 0;
	int r = vd_container_request_read_add(arguments, &request, error);

	if (r == 0)
		r = vd_container_request_resolve(agent, &request, &revision, error);
	if (r == 0 && request.mode == VD_CONTAINER_MODE_NATIVE)
		r = vd_container_native_add(agent, &request, error);
	else if (r == 0)
		r = order_carry_out(agent, &request, add_on_loop, error);
	if (r == -EXDEV) {
		r = address_bring(agent, &request, &question, error);
		if (r == 0 && !question)
			r = order_carry_out(agent, &request, add_on_loop, error);
	}
	vd_container_settle(agent, &request);
	if (r == 0 && !question && request.mode != VD_CONTAINER_MODE_NATIVE)
		vd_agent_keeper_wait(agent);
	if (r == 0)
		*ret = question ? question : vd_container_answer(&request.container, request.mtu);
	if (r == 0)
		vd_container_dns_set(agent, &request.container, *ret);
	return r == -EXDEV ? -EINVAL : r;
}

static int verb_reserve(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_container_request_clear) struct vd_container_request request = {0};
	bool is_gateway = json_is_true(json_object_get(arguments, "gateway"));
	char address[VD_PREFIX_TEXT], gateway[VD_ADDRESS_TEXT];
	int64_t revision = 0;
	int r = vd_container_request_read_reserve(arguments, &request, error);

	if (r == 0)
		r = vd_container_request_resolve(agent, &request, &revision, error);
	if (r == 0 && request.mode == VD_CONTAINER_MODE_NATIVE)
		r = vd_container_native_reserve(agent, &request, is_gateway, error);
	else if (r == 0)
		r = order_carry_out(agent, &request, is_gateway ? gateway_on_loop : reserve_on_loop, error);
	if (r == -EXDEV)
		r = -EINVAL;
	if (r == 0)
		*ret = json_pack("{s:s, s:s, s:s}", "address", vd_prefix_format(&request.container.addresses[0].prefix, address),
				 "gateway", vd_address_format(&request.container.addresses[0].gateway, gateway), "key",
				 request.container.key);
	return r;
}

static int verb_by_key(struct vd_agent *agent, const json_t *arguments,
		       int (*function)(struct vd_agent *agent, void *userdata, struct vd_error *error), json_t **ret,
		       struct vd_error *error)
{
	const json_t *since = json_object_get(arguments, "since");
	struct named named = {.netns = json_string_value(json_object_get(arguments, "netns")),
			      .ifname = json_string_value(json_object_get(arguments, "ifname")),
			      .since = json_integer_value(since)};
	int r = key_of(arguments, &named.key, error);

	if (r == 0 && since && !json_is_integer(since))
		r = vd_error_set(error, -EINVAL, "since: unix seconds, as container_list tells them");
	if (r == 0)
		r = vd_agent_on_loop(agent, function, &named, error);
	if (r == 0 && named.ticket)
		r = vd_agent_removal_wait(agent, named.ticket, error);
	if (r == 0 && named.native[0])
		r = function == release_on_loop ? vd_container_native_release(agent, named.key, named.native, named.since, error)
						: vd_container_native_remove(agent, named.key, named.native, error);
	if (r == 0)
		*ret = named.reply ? named.reply : json_object();
	return r;
}

static int verb_list(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct listing listing = {.agent = agent, .list = json_array()};
	char network[2 * VD_NAME_SIZE];
	int r = network_of(arguments, network, error);

	listing.network = network[0] ? network : NULL;
	if (r == 0)
		r = vd_agent_on_loop(agent, list_on_loop, &listing, error);
	if (r < 0) {
		json_decref(listing.list);
		return r;
	}
	*ret = json_pack("{s:o}", "containers", listing.list);
	return 0;
}

static bool is_valid(const json_t *valid, const char *key)
{
	for (size_t i = 0; i < json_array_size(valid); i++) {
		const char *one = json_string_value(json_array_get(valid, i));

		if (one && strcmp(one, key) == 0)
			return true;
	}
	return false;
}

/* One by one, so that others come in between. */
static int verb_gc(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	const json_t *valid = json_object_get(arguments, "valid");
	struct listing listing = {.agent = agent, .prefix = json_string_value(json_object_get(arguments, "prefix"))};
	char network[2 * VD_NAME_SIZE];
	json_t *removed, *key;
	uint64_t ticket = 0;
	size_t i;
	int r;

	if (!listing.prefix || !*listing.prefix || !json_is_array(valid))
		return vd_error_set(error, -EINVAL, "gc: say what the keys begin with (prefix), and which are valid");
	r = network_of(arguments, network, error);
	listing.network = network[0] ? network : NULL;
	listing.keys = json_array();
	removed = json_array();
	if (r == 0)
		r = vd_agent_on_loop(agent, list_on_loop, &listing, error);
	json_array_foreach (listing.keys, i, key) {
		struct named named = {.key = json_string_value(key)};

		if (r < 0 || is_valid(valid, named.key))
			continue;
		r = vd_agent_on_loop(agent, delete_on_loop, &named, error);
		if (r == 0 && named.native[0])
			r = vd_container_native_remove(agent, named.key, named.native, error);
		if (r == 0)
			json_array_append(removed, key);
		ticket = named.ticket ? named.ticket : ticket;
	}
	if (r == 0)
		r = vd_agent_removal_wait(agent, ticket, error);
	json_decref(listing.keys);
	if (r < 0)
		json_decref(removed);
	else
		*ret = json_pack("{s:o}", "removed", removed);
	return r;
}

int vd_live_container(struct vd_agent *agent, const char *verb, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	if (strcmp(verb, "container_add") == 0)
		return verb_add(agent, arguments, ret, error);
	if (strcmp(verb, "container_reserve") == 0)
		return verb_reserve(agent, arguments, ret, error);
	if (strcmp(verb, "container_release") == 0)
		return verb_by_key(agent, arguments, release_on_loop, ret, error);
	if (strcmp(verb, "container_check") == 0)
		return verb_by_key(agent, arguments, check_on_loop, ret, error);
	if (strcmp(verb, "container_delete") == 0)
		return verb_by_key(agent, arguments, delete_on_loop, ret, error);
	if (strcmp(verb, "container_lend") == 0)
		return vd_container_lend(agent, arguments, ret, error);
	if (strcmp(verb, "container_list") == 0)
		return verb_list(agent, arguments, ret, error);
	if (strcmp(verb, "container_gc") == 0)
		return verb_gc(agent, arguments, ret, error);
	return vd_error_set(error, -ENOENT, "%s: there is no such question to a host", verb);
}
