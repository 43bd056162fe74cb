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
};

/* ---- container_request.c: any thread ---- */
/* ret is to be cleared, also on failure. */
int vd_container_request_read_add(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error);
int vd_container_request_read_reserve(const json_t *arguments, struct vd_container_request *ret, struct vd_error *error);
/* Whether this host may have containers of the network; what the model says goes into the request. ret_revision: of its last change. */
int vd_container_request_resolve(struct vd_agent *agent, struct vd_container_request *request, int64_t *ret_revision,
				 struct vd_error *error);
void vd_container_request_clear(struct vd_container_request *request);

/* ---- container_address.c ---- */
/*
 * Addresses for the request's row, as asked for or the next ones. -ENOMEDIUM: no block; -ENOSPC: all are used; -EXDEV: of another
 * node's block.
 */
int vd_container_addresses_choose(struct vd_agent *agent, struct vd_container_request *request, struct vd_container *row,
				  struct vd_error *error);
/* One more block of the family for this host, when the model still has none with room: any thread but the loop, it writes to the store. */
int vd_container_block_claim(struct vd_agent *agent, const struct vd_container_request *request, int64_t *ret_revision,
			     struct vd_error *error);

/* ---- container_record.c ---- */
/* The data plane knows the container, or not any more. mtu: of its interface. */
int vd_container_publish(struct vd_agent *agent, const struct vd_container *container, uint32_t mtu, struct vd_error *error);
int vd_container_withdraw(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);
/* Puts the records of all containers that are up beside those of the plan. */
int vd_containers_join(struct vd_agent *agent, struct vd_plan *plan);

/* ---- container_answer.c ---- */
/* What add answers, and, with more fields, what list has of a row; a new reference. */
json_t *vd_container_answer(const struct vd_container *container, uint32_t mtu);
json_t *vd_container_describe(const struct vd_container *container, uint32_t mtu);

/* ---- container.c ---- */
/* The bytes of a packet on the containers' interfaces. */
uint32_t vd_container_mtu(const struct vd_agent *agent, uint32_t domain);
/* Behind the row that holds its addresses: link, maps, and the row again. What it has made when it fails, unmake takes away. */
int vd_container_make(struct vd_agent *agent, struct vd_container *row, uint32_t mtu, struct vd_error *error);
/* What was made of it goes, and its row; one of which nothing stands is success. */
int vd_container_unmake(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);
/* Does all stand that make has made? The sentence says what does not. */
int vd_container_check(struct vd_agent *agent, const struct vd_container *container, struct vd_error *error);

/* Opens the journal; what was not finished, and what lost its link, is taken back. Before the first sync. */
int vd_agent_containers_open(struct vd_agent *agent, struct vd_error *error);
void vd_agent_containers_close(struct vd_agent *agent);
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
