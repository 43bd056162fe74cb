/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/keeper_worker.h"

#include "agent/keeper_rules.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "host/host.h"
#include "host/node.h"
#include "host/occupied.h"
#include "host/refusal.h"
#include "host/setting.h"
#include "host/translation.h"
#include "host/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS 250      /* for what has no events: the older iptables */
#define SETTLE_MS 30     /* one look does for what comes in a burst */
#define GAP_MS 250       /* between two looks: who changes things all the time does not keep this host busy */
#define REFUSED_MS 60000 /* for so long a drop by others is told of, after the last one */
#define REFUSED_CHANGED_MS 3000
#define RETRY_FIRST_MS 1000 /* doubled up to … */
#define RETRY_LAST_MS 16000

enum due {
	DUE_LINKS = 1,
	DUE_SETTINGS = 2,
	DUE_FIREWALL = 4,
	DUE_OCCUPIED = 8,
	DUE_RULES = 16,
	DUE_TRANSLATION = 32,
	DUE_ALL = DUE_LINKS | DUE_SETTINGS | DUE_FIREWALL | DUE_OCCUPIED,
};

struct vd_keeper_worker {
	struct vd_keeper_worker_options options; /* strings owned */
	char *settings_path, *mark_path;
	pthread_t thread;
	int wake, watch;

	pthread_mutex_t lock; /* guards what follows */
	struct vd_firewall_rules given;
	uint64_t given_number;
	bool is_given, stopping;

	/* The thread's own. */
	struct vd_host_net *net;
	struct vd_firewall *firewall; /* NULL: this host is no node, nothing of ours stands */
	struct vd_refusals *refusals; /* NULL: nobody else has chains where packets might be dropped */
	struct vd_refusal refusal;    /* the one that is told of */
	int64_t refused;              /* until when; 0: none is */
	struct vd_settings *settings;
	struct vd_firewall_rules rules; /* blocks with their links */
	uint64_t number;
	json_t *occupied;
	bool was_node; /* our table has stood, perhaps an earlier daemon's */
	unsigned due, failures;
	int64_t not_before, looked; /* ms, CLOCK_MONOTONIC */
};

static bool is_node(const struct vd_firewall_rules *rules)
{
	return rules->block_count || rules->transit_count;
}

/* ---- doing ---- */

/* A mark that something of ours may stand: who has none need not be cleaned up after. */
static int mark_set(const struct vd_keeper_worker *worker, struct vd_error *error)
{
	VD_CLOSE int fd = open(worker->mark_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? vd_error_set(error, -errno, "%s: cannot be written: %m", worker->mark_path) : 0;
}

static int firewall_open(struct vd_keeper_worker *worker, struct vd_error *error)
{
	int r = worker->firewall ? 0 : vd_firewall_open(worker->options.tag, &worker->firewall, error);

	return r < 0 ? r : mark_set(worker, error);
}

/* A block is behind the bridge that has its address, or behind our host port. */
static void links_find(struct vd_keeper_worker *worker)
{
	for (size_t i = 0; i < worker->rules.block_count; i++) {
		struct vd_firewall_block *block = (struct vd_firewall_block *)&worker->rules.blocks[i];

		if (vd_host_bridge_find(worker->net, &block->prefix, block->ifname) <= 0)
			snprintf(block->ifname, sizeof(block->ifname), "vdh%x", block->domain);
	}
}

/* Links whose packets may come from where the kernel itself would send otherwise: by route today and by tunnel tomorrow. */
struct link_names {
	char (*names)[16];
	size_t count;
};

static void link_add(struct link_names *links, const char *ifname)
{
	if (ifname[0])
		snprintf(links->names[links->count++], sizeof(*links->names), "%s", ifname);
}

static bool is_exempt(const struct vd_firewall_rules *rules, const struct vd_prefix *prefix)
{
	for (size_t i = 0; i < rules->exempt_count; i++)
		if (vd_prefix_overlaps(&rules->exempt[i].prefix, prefix))
			return true;
	return false;
}

/* The underlay's, those of the networks that containers speak with, and those of the blocks. */
static int links_list(const struct vd_keeper_worker *worker, struct link_names *ret, struct vd_error *error)
{
	const struct vd_firewall_rules *rules = &worker->rules;
	VD_FREE struct vd_host_occupied *networks = NULL;
	struct link_names links = {0};
	char port[16];
	size_t count = 0;
	int r = vd_host_occupied_read(worker->net, &networks, &count, error);

	if (r < 0)
		return r;
	links.names = calloc(2 * rules->block_count + count + 1, sizeof(*links.names));
	if (!links.names)
		return vd_error_set(error, -ENOMEM, "out of memory");
	link_add(&links, worker->options.underlay_ifname);
	for (size_t i = 0; i < count; i++)
		if (is_exempt(rules, &networks[i].prefix))
			link_add(&links, networks[i].ifname);
	for (size_t i = 0; i < rules->block_count; i++) {
		/* Also where a bridge has it: from other nodes' tunnels packets come by the port. */
		snprintf(port, sizeof(port), "vdh%x", rules->blocks[i].domain);
		link_add(&links, port);
		link_add(&links, rules->blocks[i].ifname);
	}
	*ret = links;
	return 0;
}

static int settings_ensure(struct vd_keeper_worker *worker, struct vd_error *error)
{
	const struct vd_firewall_rules *rules = &worker->rules;
	VD_FREE const char **ifnames = NULL;
	struct vd_settings_need need = {0};
	struct link_names links = {0};
	int r = links_list(worker, &links, error);

	if (r < 0)
		return r;
	ifnames = calloc(links.count + 1, sizeof(*ifnames));
	for (size_t i = 0; i < links.count && ifnames; i++)
		ifnames[need.ifname_count++] = links.names[i];
	need.ifnames = ifnames;
	for (size_t i = 0; i < rules->block_count; i++) {
		need.ipv4 |= rules->blocks[i].prefix.address.family == VD_FAMILY_IPV4;
		need.ipv6 |= rules->blocks[i].prefix.address.family == VD_FAMILY_IPV6;
	}
	for (size_t i = 0; i < rules->transit_count; i++) {
		need.ipv4 |= rules->transit[i].prefix.address.family == VD_FAMILY_IPV4;
		need.ipv6 |= rules->transit[i].prefix.address.family == VD_FAMILY_IPV6;
	}
	r = ifnames ? vd_settings_ensure(worker->settings, worker->net, &need, worker->options.changed, worker->options.userdata,
					 error)
		    : vd_error_set(error, -ENOMEM, "out of memory");
	free(links.names);
	return r;
}

static int occupied_look(struct vd_keeper_worker *worker, struct vd_error *error)
{
	json_t *occupied = NULL;
	int r = vd_keeper_occupied_read(worker->net, worker->options.docker_host, &worker->rules, &occupied, error);

	if (r < 0)
		return r;
	if (worker->occupied && json_equal(worker->occupied, occupied)) {
		json_decref(occupied);
		return 0;
	}
	json_decref(worker->occupied);
	worker->occupied = occupied;
	worker->options.occupied(occupied, worker->options.userdata);
	return 0;
}

/* ---- what others drop ---- */

/* Between a block and what it speaks with: the rest is not ours to let pass. */
static bool is_ours(const struct vd_firewall_rules *rules, const struct vd_address *one, const struct vd_address *other)
{
	for (size_t i = 0; i < rules->block_count; i++) {
		if (!vd_prefix_contains(&rules->blocks[i].prefix, one))
			continue;
		for (size_t j = 0; j < rules->exempt_count; j++)
			if (rules->exempt[j].domain == rules->blocks[i].domain &&
			    vd_prefix_contains(&rules->exempt[j].prefix, other))
				return true;
	}
	return false;
}

static void refused(const struct vd_refusal *refusal, void *userdata)
{
	struct vd_keeper_worker *worker = userdata;
	char sentence[512], source[VD_ADDRESS_TEXT], destination[VD_ADDRESS_TEXT];
	bool is_same;

	if (!is_ours(&worker->rules, &refusal->source, &refusal->destination) &&
	    !is_ours(&worker->rules, &refusal->destination, &refusal->source))
		return;
	is_same =
		worker->refused && !strcmp(worker->refusal.table, refusal->table) && !strcmp(worker->refusal.chain, refusal->chain);
	worker->refused = vd_clock_ms() + REFUSED_MS;
	if (is_same)
		return;
	worker->refusal = *refusal;
	snprintf(sentence, sizeof(sentence),
		 "the chain %s of the nftables table %s drops packets of containers (%s to %s): let them through there",
		 refusal->chain, refusal->table, vd_address_format(&refusal->source, source),
		 vd_address_format(&refusal->destination, destination));
	worker->options.refused(sentence, worker->options.userdata);
}

static void refusals_forget(struct vd_keeper_worker *worker)
{
	if (worker->refused)
		worker->options.refused(NULL, worker->options.userdata);
	worker->refused = 0;
}

static void refusals_close(struct vd_keeper_worker *worker)
{
	if (worker->refusals)
		vd_refusals_close(worker->refusals);
	worker->refusals = NULL;
}

/* Somebody changed something: what was dropped before may not be any more, and is told of no longer unless it is seen again. */
static int refusals_follow(struct vd_keeper_worker *worker, struct vd_error *error)
{
	int64_t soon = vd_clock_ms() + REFUSED_CHANGED_MS;

	if (!vd_firewall_is_watching(worker->firewall)) {
		refusals_forget(worker);
		refusals_close(worker);
		return 0;
	}
	if (worker->refused > soon)
		worker->refused = soon;
	return worker->refusals ? 0 : vd_refusals_open(&worker->refusals, error);
}

/* ---- doing, all of it ---- */

/* As if this host had never been one. */
static int leave(struct vd_keeper_worker *worker, struct vd_error *error)
{
	int r;

	if (!worker->firewall && access(worker->mark_path, F_OK) < 0)
		return 0;
	r = firewall_open(worker, error);
	if (r == 0)
		r = vd_firewall_set(worker->firewall, &(struct vd_firewall_rules){0});
	if (r >= 0)
		r = vd_firewall_check(worker->firewall, NULL, NULL, error);
	if (r == 0)
		r = vd_settings_restore(worker->settings, worker->net, error);
	if (r < 0)
		return r;
	refusals_forget(worker);
	refusals_close(worker);
	vd_firewall_close(worker->firewall);
	worker->firewall = NULL;
	worker->was_node = false;
	unlink(worker->mark_path);
	return 0;
}

/* Who joins ends nothing that works: only what began while a table that had stood was missing. */
static int firewall_check(struct vd_keeper_worker *worker, struct vd_error *error)
{
	int r = vd_firewall_check(worker->firewall, worker->options.changed, worker->options.userdata, error);

	if (worker->was_node && vd_firewall_was_lost(worker->firewall))
		worker->due |= DUE_TRANSLATION;
	worker->was_node = true;
	return r;
}

static int translation_correct(struct vd_keeper_worker *worker, struct vd_error *error)
{
	unsigned ended = 0;
	int r = vd_translation_correct(&worker->rules, &ended, error);

	if (r < 0)
		return r;
	worker->due &= ~DUE_TRANSLATION;
	if (ended)
		worker->options.changed("conntrack: connections that were translated for want of our rules were ended",
					worker->options.userdata);
	return 0;
}

/* Of two things that are both done, the first that fails is said. */
static int first_failure(int r, int second, const struct vd_error *reason, struct vd_error *error)
{
	return r < 0 || second >= 0 ? r : vd_error_set(error, second, "%s", reason->text);
}

static int keep(struct vd_keeper_worker *worker, struct vd_error *error)
{
	struct vd_error reason = {};
	int r = firewall_open(worker, error);

	if (r < 0)
		return r;
	if (worker->due & (DUE_LINKS | DUE_RULES)) {
		links_find(worker);
		r = vd_firewall_set(worker->firewall, &worker->rules);
		if (r < 0)
			return vd_error_set(error, r, "out of memory");
		if (r > 0)
			worker->due |= DUE_FIREWALL;
		worker->due |= DUE_SETTINGS;
	}
	if (worker->due & DUE_FIREWALL) {
		r = firewall_check(worker, error);
		r = first_failure(r, refusals_follow(worker, &reason), &reason, error);
	}
	/* Rules that fail keep nothing else from being done. */
	if (worker->due & DUE_TRANSLATION)
		r = first_failure(r, translation_correct(worker, &reason), &reason, error);
	if (worker->due & DUE_SETTINGS)
		r = first_failure(r, settings_ensure(worker, &reason), &reason, error);
	return r < 0 ? r : 0;
}

/* True when there are new ones. */
static bool rules_take(struct vd_keeper_worker *worker)
{
	bool is_given;

	pthread_mutex_lock(&worker->lock);
	is_given = worker->is_given;
	if (is_given) {
		vd_keeper_rules_done(&worker->rules);
		worker->rules = worker->given;
		worker->rules.vxlan_port = worker->options.vxlan_port;
		worker->number = worker->given_number;
		worker->given = (struct vd_firewall_rules){0};
		worker->is_given = false;
	}
	pthread_mutex_unlock(&worker->lock);
	return is_given;
}

static void round_do(struct vd_keeper_worker *worker)
{
	struct vd_error error = {"the kernel refused it"};
	int r = 0;

	worker->looked = vd_clock_ms();
	if (worker->due & (DUE_OCCUPIED | DUE_RULES))
		r = occupied_look(worker, &error);
	if (r == 0)
		r = is_node(&worker->rules) ? keep(worker, &error) : worker->due & DUE_RULES ? leave(worker, &error) : 0;
	worker->options.problem(r < 0 ? error.text : NULL, worker->options.userdata);
	worker->options.settled(worker->number, worker->options.userdata);
	if (r < 0) {
		int64_t pause = RETRY_FIRST_MS << (worker->failures < 4 ? worker->failures : 4);

		worker->failures++;
		worker->due |= DUE_ALL;
		worker->not_before = vd_clock_ms() + (pause < RETRY_LAST_MS ? pause : RETRY_LAST_MS);
		return;
	}
	worker->failures = 0;
	worker->due = 0;
}

/* ---- hearing ---- */

static void due_add(struct vd_keeper_worker *worker, unsigned due)
{
	int64_t now = vd_clock_ms(), next = worker->looked + GAP_MS;

	if (!due)
		return;
	/* What failed is not tried more often because something happens. */
	if (!worker->due)
		worker->not_before = now + SETTLE_MS > next ? now + SETTLE_MS : next;
	worker->due |= due;
}

static void watch_read(struct vd_keeper_worker *worker)
{
	struct vd_host_watched watched;

	vd_host_watch_read(worker->watch, &watched);
	due_add(worker, (watched.addresses ? DUE_LINKS | DUE_OCCUPIED : 0) | (watched.routes ? DUE_OCCUPIED : 0) |
				(watched.settings && is_node(&worker->rules) ? DUE_SETTINGS : 0));
}

static void wait_for_news(struct vd_keeper_worker *worker)
{
	struct pollfd polled[] = {
		{.fd = worker->wake, .events = POLLIN},
		{.fd = worker->watch, .events = POLLIN},
		{.fd = worker->firewall ? vd_firewall_fd(worker->firewall) : -1, .events = POLLIN},
		{.fd = worker->refusals ? vd_refusals_fd(worker->refusals) : -1, .events = POLLIN},
	};
	int64_t now = vd_clock_ms();
	int timeout = worker->due        ? (int)(worker->not_before > now ? worker->not_before - now : 0)
		      : worker->firewall ? TICK_MS
					 : -1;
	uint64_t count;

	poll(polled, 4, timeout);
	if (polled[0].revents && read(worker->wake, &count, sizeof(count)) > 0 && rules_take(worker)) {
		worker->due |= DUE_RULES;
		worker->not_before = vd_clock_ms();
	}
	if (polled[1].revents)
		watch_read(worker);
	if (polled[2].revents && vd_firewall_read(worker->firewall))
		due_add(worker, DUE_FIREWALL);
	if (polled[3].revents)
		vd_refusals_read(worker->refusals, refused, worker);
	if (worker->refused && now > worker->refused)
		refusals_forget(worker);
	if (worker->firewall && !worker->due && vd_firewall_differs(worker->firewall))
		due_add(worker, DUE_FIREWALL);
}

static bool is_stopping(struct vd_keeper_worker *worker)
{
	bool stopping;

	pthread_mutex_lock(&worker->lock);
	stopping = worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	return stopping;
}

static void *worker_run(void *userdata)
{
	struct vd_keeper_worker *worker = userdata;

	while (!is_stopping(worker)) {
		if (worker->due && vd_clock_ms() >= worker->not_before)
			round_do(worker);
		wait_for_news(worker);
	}
	return NULL;
}

/* ---- life ---- */

static void worker_free(struct vd_keeper_worker *worker)
{
	refusals_close(worker);
	if (worker->firewall)
		vd_firewall_close(worker->firewall);
	if (worker->settings)
		vd_settings_close(worker->settings);
	vd_host_net_close(worker->net);
	vd_cleanup_close(&worker->wake);
	vd_cleanup_close(&worker->watch);
	vd_keeper_rules_done(&worker->rules);
	vd_keeper_rules_done(&worker->given);
	json_decref(worker->occupied);
	pthread_mutex_destroy(&worker->lock);
	free((char *)worker->options.tag);
	free((char *)worker->options.run_directory);
	free((char *)worker->options.docker_host);
	free((char *)worker->options.underlay_ifname);
	free(worker->settings_path);
	free(worker->mark_path);
	free(worker);
}

static int options_copy(struct vd_keeper_worker *worker, const struct vd_keeper_worker_options *options)
{
	worker->options = *options;
	worker->options.tag = strdup(options->tag);
	worker->options.run_directory = strdup(options->run_directory);
	worker->options.docker_host = options->docker_host ? strdup(options->docker_host) : NULL;
	worker->options.underlay_ifname = strdup(options->underlay_ifname);
	if (asprintf(&worker->settings_path, "%s/settings", options->run_directory) < 0)
		worker->settings_path = NULL;
	if (asprintf(&worker->mark_path, "%s/node", options->run_directory) < 0)
		worker->mark_path = NULL;
	return worker->options.tag && worker->options.run_directory && worker->options.underlay_ifname &&
			       (worker->options.docker_host || !options->docker_host) && worker->settings_path && worker->mark_path
		       ? 0
		       : -ENOMEM;
}

static int worker_open(struct vd_keeper_worker *worker, struct vd_error *error)
{
	int r;

	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake < 0)
		return vd_error_set(error, -errno, "out of memory");
	r = worker->watch = vd_host_watch_open(error);
	if (r >= 0)
		r = vd_host_net_open(worker->options.tag, worker->options.run_directory, &worker->net, error);
	if (r < 0)
		return r;
	vd_host_monitor_stop(worker->net);
	worker->was_node = access(worker->mark_path, F_OK) == 0;
	return vd_settings_open(worker->settings_path, &worker->settings, error);
}

static struct vd_keeper_worker *worker_new(const struct vd_keeper_worker_options *options)
{
	struct vd_keeper_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->wake = worker->watch = -1;
	pthread_mutex_init(&worker->lock, NULL);
	if (options_copy(worker, options) == 0)
		return worker;
	worker_free(worker);
	return NULL;
}

int vd_keeper_worker_start(const struct vd_keeper_worker_options *options, struct vd_keeper_worker **ret, struct vd_error *error)
{
	struct vd_keeper_worker *worker = worker_new(options);
	int r;

	if (!worker)
		return vd_error_set(error, -ENOMEM, "out of memory");
	worker->due = DUE_OCCUPIED;
	r = worker_open(worker, error);
	if (r >= 0) {
		r = -pthread_create(&worker->thread, NULL, worker_run, worker);
		if (r < 0)
			vd_error_set(error, r, "no thread could be started: %s", strerror(-r));
	}
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	*ret = worker;
	return 0;
}

static void worker_wake(struct vd_keeper_worker *worker)
{
	uint64_t one = 1;

	/* Fails only when it is awake anyway. */
	if (write(worker->wake, &one, sizeof(one)) < 0)
		return;
}

void vd_keeper_worker_stop(struct vd_keeper_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	pthread_mutex_unlock(&worker->lock);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

void vd_keeper_worker_give(struct vd_keeper_worker *worker, struct vd_firewall_rules *rules, uint64_t number)
{
	pthread_mutex_lock(&worker->lock);
	vd_keeper_rules_done(&worker->given);
	worker->given = *rules;
	worker->given_number = number;
	*rules = (struct vd_firewall_rules){0};
	worker->is_given = true;
	pthread_mutex_unlock(&worker->lock);
	worker_wake(worker);
}

int vd_keeper_worker_purge(const char *tag, const char *run_directory, struct vd_error *error)
{
	struct vd_keeper_worker *worker =
		worker_new(&(struct vd_keeper_worker_options){.tag = tag, .run_directory = run_directory, .underlay_ifname = ""});
	int r;

	if (!worker)
		return vd_error_set(error, -ENOMEM, "out of memory");
	r = worker_open(worker, error);
	if (r == 0)
		r = leave(worker, error);
	worker_free(worker);
	return r;
}
