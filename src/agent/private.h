/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_PRIVATE_H
#define VD_AGENT_PRIVATE_H

/* What the files of this folder share. */

#include "agent/agent.h"
#include "agent/block.h"
#include "agent/channel.h"
#include "agent/gateway.h"
#include "compile/compile.h"
#include "containers/journal.h"
#include "datapath/datapath.h"
#include "host/host.h"
#include "store/replica.h"

#include <pthread.h>
#include <uv.h>

/* What a tunnel takes of a packet's room, until the plan says better (compile). */
#define VD_AGENT_VXLAN_OVERHEAD 50

/* The router of a VPC, as it must be after a batch. */
struct vd_router_job {
	struct vd_router_job *prev, *next;
	uint32_t domain, mtu;
	uint32_t cpu_milli; /* what its process may use */
	uint64_t memory;
	char name[VD_PLAN_NAME_SIZE], project[VD_PLAN_NAME_SIZE]; /* the VPC's */
	bool remove;
	struct vd_address *gateways; /* and whatever else it answers for or asks with */
	size_t gateway_count;
};

/* An instance's interface to be configured in its namespace. */
struct vd_guest_job {
	struct vd_guest_job *prev, *next;
	uint32_t port;
	char *netns;
	char ifname[16];
	struct vd_prefix *addresses, *others; /* what guest points to */
	struct vd_host_guest guest;
};

/* A record of a router's process, as the line that says it (services/router/control.h). */
struct vd_feed {
	struct vd_feed *prev, *next;
	uint32_t domain;
	bool remove;
	char *key; /* tells records of one router apart */
	char *line;
};

/* What one revision (or several) asks of the kernel: made on a store thread, carried out on the loop. */
struct vd_batch {
	struct vd_batch *prev, *next;
	int64_t revision;
	struct vd_plan_difference *difference;
	struct vd_router_job *routers;
	struct vd_guest_job *guests;
	struct vd_feed *feeds;
};

/* Something an api thread wants done on the loop while it waits. */
struct vd_task {
	struct vd_task *prev, *next;
	int (*function)(struct vd_agent *agent, void *userdata, struct vd_error *error);
	void *userdata;
	struct vd_error *error;
	int result;
	bool done;
};

/* A link that attach made and that no fact knows yet: not to be swept. */
struct vd_pending {
	struct vd_pending *prev, *next;
	uint32_t ifindex;
};

struct vd_capture_port; /* capture.c */

struct vd_agent {
	struct vd_agent_options options; /* strings owned */
	struct vd_identity_of_host identity;
	struct vd_host_net *net;
	struct vd_host_underlay underlay;
	struct vd_datapath *datapath;
	struct vd_replica *replica;
	struct vd_compiler *compiler; /* under the replica's lock */
	struct vd_reporter *reporter;

	uv_loop_t loop;
	uv_async_t wake;
	uv_signal_t terminate, interrupt;
	uv_poll_t drops_poll, capture_poll, monitor_poll, neighbour_poll;
	uv_timer_t retry, announce_timer, question_timer, care_timer, node_timer;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct vd_batch *batches;
	struct vd_task *tasks;
	int64_t applied;   /* the last revision that the data plane obeys */
	uint64_t deadline; /* ns, CLOCK_MONOTONIC: until when this host may translate as a gateway */
	bool deadline_due; /* the data plane does not have it yet */
	bool stopping;

	/* Set and read under the replica's lock, or by who made it. */
	struct vd_gateways *gateways;
	struct vd_blocks *blocks;

	int64_t obeyed;  /* loop only: the last revision that was carried out */
	bool needs_sync; /* loop only: make everything as the plan says, not just the difference */
	unsigned retries;
	struct vd_channel *drops, *captures;
	json_t *recent_drops;                   /* loop only: array of the last sampled ones */
	struct vd_capture_port *capture_ports;  /* loop only */
	struct vd_pending *pending;             /* loop only */
	struct vd_agent_router *routers;        /* loop only */
	struct vd_uplinks *uplinks;             /* uplink.h */
	struct vd_announcements *announcements; /* announce.h */
	struct vd_neighbours *neighbours;       /* neighbour.h */
	struct vd_nodes *nodes;                 /* node.h */
	struct vd_keeper *keeper;               /* keeper.h */
	struct vd_journal *journal;             /* loop only: containers of this host (container.h) */
	bool block_awaited;                     /* loop only: a block goes back when its containers are gone (block.h) */
	struct vd_container_request *movers;    /* loop only: orders under way that write to the store */
	struct vd_returns *returns;             /* container.h */
	struct vd_removals *removals;           /* removal.h */
};

/* ---- follow.c: store thread ---- */
vd_replica_callback vd_agent_follow;
void vd_batch_free(struct vd_batch *batch);

/* ---- naming.c ---- */
/* Tells the data plane, which stands, whom to ask for names of rules and groups. */
void vd_agent_naming_start(struct vd_agent *agent);

/* ---- feed.c: store thread ---- */
/* Adds what a step of the plan's difference means for the routers' processes. */
int vd_feed_step(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan_step *step);
/* Adds what changed beside the plan; changes NULL: everything of that. */
int vd_feed_changes(struct vd_batch *batch, const struct vd_model *model, const struct vd_plan *plan,
		    const struct vd_changes *changes);
void vd_feed_free(struct vd_feed *feed);

/* ---- router.c: loop; the process that serves DHCP, DNS and metadata to a VPC ---- */
struct vd_agent_router;
/* It shall run: an old one is taken over, a missing one started. Idempotent; the namespace stands already. */
void vd_agent_router_want(struct vd_agent *agent, const struct vd_router_job *job);
/* It shall not: ends it and forgets what it was fed. */
void vd_agent_router_end(struct vd_agent *agent, uint32_t domain);
/* Remembers the record, and passes it on when the process does not have it yet. */
void vd_agent_router_feed(struct vd_agent *agent, const struct vd_feed *feed);
/* Ends processes that nobody wants, left by an earlier daemon. */
void vd_agent_routers_sweep(struct vd_agent *agent);
/* [{"vpc", "project", "domain", "state", "pid"?, "dhcp"?, "dns"?, "metadata"?}]. */
json_t *vd_agent_routers_status(const struct vd_agent *agent);
/* The daemon stops; the processes go on. Before the loop's handles are closed. */
void vd_agent_routers_leave(struct vd_agent *agent);
/* Ends every process below the run directory, and removes their control groups. */
int vd_agent_routers_purge(const struct vd_agent_options *options, struct vd_error *error);

/* ---- apply.c: loop ---- */
/* Carries out what is queued; on failure logs and asks for a retry. */
void vd_agent_apply(struct vd_agent *agent);
/* Says that what was carried out is obeyed. */
void vd_agent_applied(struct vd_agent *agent);
/* Removes links, routers and attachments that no plan knows any more (left by a crash in the middle of attach or detach). */
void vd_agent_sweep(struct vd_agent *agent);

/* ---- agent.c ---- */
/* Runs function on the loop and waits for its result; -ESHUTDOWN when the loop has ended. Not from the loop itself. */
int vd_agent_on_loop(struct vd_agent *agent, int (*function)(struct vd_agent *agent, void *userdata, struct vd_error *error),
		     void *userdata, struct vd_error *error);
/* Takes in the drops sampled up to now. On the loop. */
void vd_agent_drops_take(struct vd_agent *agent);
/* This host may translate as a gateway until then. From any thread. */
void vd_agent_deadline_move(struct vd_agent *agent, uint64_t deadline);
/* Waits until the data plane obeys revision. 0 or -ETIMEDOUT. */
int vd_agent_wait_applied(struct vd_agent *agent, int64_t revision, unsigned seconds);

/* ---- reporter.c: the thread that writes to the store ---- */
struct vd_reporter;
/* Takes the host's name with a lease (-EEXIST when another daemon holds it), then keeps it. */
int vd_reporter_new(struct vd_agent *agent, struct vd_reporter **ret, struct vd_error *error);
/* Ends the thread and gives the name free; then the replica may go. */
void vd_reporter_stop(struct vd_reporter *reporter);
void vd_reporter_free(struct vd_reporter *reporter);
/* This revision is obeyed here. */
void vd_reporter_applied(struct vd_reporter *reporter, int64_t revision);
/* The host's claim is not true any more: write it anew. */
void vd_reporter_claim(struct vd_reporter *reporter);
/* Elections can be followed: from now on the deadline is kept too. Called once, when the model is there. */
void vd_reporter_lead(struct vd_reporter *reporter);
/* This very attachment is gone from the kernel: take it out of the store too. False: that is to be done already, or memory ran out. */
bool vd_reporter_detach(struct vd_reporter *reporter, const struct vd_attachment *attachment);

/* ---- claim.c ---- */
/* Declares the host when nobody did, checks the claim against the pools and writes it. */
int vd_agent_claim(struct vd_agent *agent, struct vd_error *error);
/* Writes it again, when it says something new. */
int vd_agent_claim_renew(struct vd_agent *agent, struct vd_error *error);

/* ---- live.c and its verbs ---- */
int vd_live_attach(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error); /* attach.c */
int vd_live_detach(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error);
int vd_live_trace(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error); /* trace.c */
int vd_live_guest(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error); /* guest.c */
int vd_live_capture(struct vd_agent *agent, const json_t *arguments, bool (*emit)(const json_t *, void *), void *userdata,
		    struct vd_error *error); /* capture.c */
/* Ends every capture; for vd_agent_free. */
void vd_capture_free(struct vd_agent *agent);
void vd_capture_packet(const struct vd_captured_packet *packet, void *userdata);

#endif
