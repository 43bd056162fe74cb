/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_CONTAINER_H
#define VD_AGENT_CONTAINER_H

#include "agent/private.h"
#include "containers/journal.h"

/*
 * Containers of this host's networks: addresses out of its blocks by the journal, links, and records that join those of compile's
 * plan on their way to the data plane. In this order, so that a death between two steps leaves nothing behind that the next start does
 * not take away: the row with its addresses, the link, the maps, the row as "up". On the loop, unless it says otherwise.
 */

/* What an api thread asks for: read and checked, with what the model knows of the network. Strings are borrowed of the arguments. */
struct vd_container_request {
	struct vd_container_request *prev, *next; /* of those under way that write to the store; loop only */
	const json_t *arguments;
	const char *key;
	char project[VD_NAME_SIZE], network[VD_NAME_SIZE];
	const char *hostname;
	char *netns; /* owned; NULL: the caller moves the other end */
	struct vd_host_netns netns_id;
	char ifname[16]; /* the container's end; "": none given */
	struct vd_address addresses[VD_CONTAINER_ADDRESSES];
	size_t address_count;
	const char *reserved[VD_CONTAINER_ADDRESSES]; /* keys of reservations that may be taken */
	size_t reserved_count;
	/* Of a native network: what holds these addresses; family none: no such reservation. */
	uint32_t reserved_ports[VD_CONTAINER_ADDRESSES];
	struct vd_address reserved_addresses[VD_CONTAINER_ADDRESSES];
	uint64_t rate_in, burst_in, rate_out, burst_out;
	bool move;
	bool is_single; /* one address only: of family, unless one is given */
	uint8_t family; /* 0: whatever the network has, IPv4 first */

	/* Of the model. */
	uint32_t domain;
	enum vd_container_mode mode;
	bool has_family[2]; /* IPv4, IPv6 */

	/* What came of it; to be cleared. */
	struct vd_container container;
	uint32_t mtu;
	enum vd_family lacking;      /* after -ENOSPC, -ENOMEDIUM: of which family another block is needed */
	struct vd_address elsewhere; /* after -EXDEV: an address of another node's block */

	/* An address that is brought here (container_move.c): itself, and the block that it comes from. */
	struct vd_address brought;
	struct vd_prefix around;
	struct vd_address around_gateway;
};

/* ---- container_request.c: any thread ---- */
/* ret is to be cleared, also on failure. */
int vd_container_request_read_add(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error);
int vd_container_request_read_reserve(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error);
/* Whether this host may have containers of the network; what the model says goes into the request. ret_revision: of its last change. */
int vd_container_request_resolve(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision,
				 struct vd_error *error);
/* The subnet of a native network; NULL: of any other, or there is none. The model is locked by the caller, who borrows of it. */
const struct vd_subnet *vd_container_request_subnet(const struct vd_model *model, const struct vd_container_request *request);
void vd_container_request_clear(struct vd_container_request *request);
/* Whether the row is of the same order, rather than of another one by the same key. */
bool vd_container_is_same(const struct vd_container *row, const struct vd_container_request *request);

/* ---- container_address.c ---- */
/*
 * Addresses for the request's row, as asked for or the next ones. -ENOMEDIUM: no block; -ENOSPC: all are used; -EXDEV: of another
 * node's block.
 */
int vd_container_addresses_choose(struct vd_agent *agent, struct vd_container_request *request, struct vd_container *row,
				  struct vd_error *error);

/* ---- container_block.c: any thread but the loop; writes to the store ---- */
/* One more block of the lacking family for this host, unless the model has one that the loop does not know yet. */
int vd_container_block_claim(struct vd_agent *agent, const struct vd_container_request *request, int64_t *ret_revision,
			     struct vd_error *error);
/* A name for a write, which no other one has (store/replica.h). */
#define VD_CONTAINER_WRITE_SIZE 100
const char *vd_container_write_request(const struct vd_agent *agent, char text[VD_CONTAINER_WRITE_SIZE]);
/*
 * A block is about to be given back (userdata: the agent): how many containers and reservations have addresses of it. When none has, no
 * address of it is given until it is opened again.
 */
size_t vd_agent_block_close(uint32_t network, const struct vd_prefix *cidr, void *userdata);
void vd_agent_block_open(uint32_t network, const struct vd_prefix *cidr, void *userdata);

/* ---- container_move.c: any thread but the loop ---- */
/* container_lend of api/live.h: another node may take this address of ours along. */
int vd_container_lend(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error);
/*
 * The request's address becomes this host's: 0 with its revision, or with ret_question when its holder must be asked first. -EAGAIN: it
 * is on its way, try again. The request then holds it (brought) until vd_container_settle, so that nobody gives it back meanwhile.
 */
int vd_container_borrow(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision, json_t **ret_question,
			struct vd_error *error);
void vd_container_settle(struct vd_agent *agent, struct vd_container_request *request);
/* Addresses that were brought here and that no container has any more go back: by a thread of its own, woken whenever one may be. */
int vd_agent_returns_new(struct vd_agent *agent);
void vd_agent_returns_wake(struct vd_agent *agent);
void vd_agent_returns_free(struct vd_agent *agent);

/* ---- container_native.c: any thread but the loop ---- */
int vd_container_native_add(struct vd_agent *agent, struct vd_container_request *request, struct vd_error *error);
/* network: "project/name". One of which nothing stands is success. */
int vd_container_native_remove(struct vd_agent *agent, const char *key, const char *network, struct vd_error *error);

/* ---- container_reservation.c: any thread but the loop ---- */
/* An address of a native network without a link, or only its gateway's; into the request's container. */
int vd_container_native_reserve(struct vd_agent *agent, struct vd_container_request *request, bool is_gateway,
				struct vd_error *error);
/*
 * Names a reservation: by key, with the first address behind one that ends with '/'. Who names reservations by their addresses cannot
 * know the name before. -EINVAL: too long.
 */
int vd_container_reservation_name(struct vd_container *row, const char *key, struct vd_error *error);
/* Whether a row is the one that a list spoke of: since as it was said there, 0: whichever stands. */
static inline bool vd_container_is_since(const struct vd_container *row, int64_t since)
{
	return !since || row->since == since;
}

/* Of one that no container has taken. since: as above. */
int vd_container_native_release(struct vd_agent *agent, const char *key, const char *network, int64_t since,
				struct vd_error *error);

/* ---- container_leftover.c: any thread but the loop ---- */
/* Takes away what crashes and reboots have left of containers of native networks. */
int vd_container_natives_return(struct vd_agent *agent, struct vd_error *error);

/* ---- container_record.c ---- */
/* A port of the model that is a container's, as compile has it: it gets its limits. */
void vd_container_limit(const struct vd_agent *agent, struct vd_plan_record *record);
/* The data plane knows the container, or not any more. mtu: of its interface. */
int vd_container_publish(struct vd_agent *agent, const struct vd_container *container, uint32_t mtu, struct vd_error *error);
int vd_container_withdraw(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);
/* Puts the records of all containers that are up beside those of the plan. */
int vd_containers_join(struct vd_agent *agent, struct vd_plan *plan);

/* ---- container_answer.c ---- */
/* What add answers, and, with more fields, what list has of a row; a new reference. */
json_t *vd_container_answer(const struct vd_container *container, uint32_t mtu);
/* Name server and domain of a native one's subnet into the answer; for others nobody says anything. */
void vd_container_dns_set(struct vd_agent *agent, const struct vd_container *container, json_t *answer);
json_t *vd_container_describe(const struct vd_container *container, uint32_t mtu);

/* ---- container.c ---- */
/* The bytes of a packet on the containers' interfaces. */
uint32_t vd_container_mtu(const struct vd_agent *agent, uint32_t domain);
/* Behind the row that holds its addresses: link, maps, and the row again. What it has made when it fails, unmake takes away. */
int vd_container_make(struct vd_agent *agent, struct vd_container *row, uint32_t mtu, struct vd_error *error);
/* What was made of it goes, and its row; one of which nothing stands is success. */
int vd_container_unmake(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);
/* The same, but for the link, which goes soon: ret_ticket is for vd_agent_removal_wait. */
int vd_container_condemn(struct vd_agent *agent, const struct vd_container *container, uint64_t *ret_ticket,
			 struct vd_error *error);
/* Does all stand that make has made? The sentence says what does not. */
int vd_container_check(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);

/* Opens the journal; what was not finished, and what lost its link, is taken back. Before the first sync. */
int vd_agent_containers_open(struct vd_agent *agent, struct vd_error *error);
void vd_agent_containers_close(struct vd_agent *agent);
/* Forgets all of them; their links are taken away by whoever purges the host. */
int vd_agent_containers_purge(const char *run_directory, struct vd_error *error);
/* A link went by itself, with its namespace. False: it was no container's. */
bool vd_agent_container_gone(struct vd_agent *agent, uint32_t ifindex);
/* How many containers and reservations have addresses of the block. */
size_t vd_agent_containers_in(struct vd_agent *agent, uint32_t domain, const struct vd_prefix *block);
/* The network's containers learn a new MTU, or are there again: the data plane gets their records. */
int vd_agent_containers_refresh(struct vd_agent *agent, uint32_t domain, struct vd_error *error);

/* ---- container_order.c ---- */
/* A verb container_… of api/live.h. From any thread but the loop. */
int vd_live_container(struct vd_agent *agent, const char *verb, const json_t *arguments, json_t **ret, struct vd_error *error);

#endif
