/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_ROUTER_STATE_H
#define VD_SERVICES_ROUTER_STATE_H

#include "base/address.h"
#include "base/error.h"

#include <jansson.h>

/*
 * What one VPC's router on this host answers from: the records that the agent sends (the kinds "router", "subnet", "port" and "name"),
 * in memory and nowhere else. Pure: no I/O. What a lookup returns is owned by the state and stands until its next change.
 */
struct vd_router_state;

/* The MAC address of every gateway, the same on every host: VD_GATEWAY_MAC of bpf/abi, which services do not know. */
#define VD_ROUTER_MAC \
	{ \
		0x02, 0x76, 0x69, 0x61, 0x64, 0x01 \
	}

/* Upstream name servers of a subnet. */
#define VD_ROUTER_DNS_MAX 4

struct vd_router {
	char *vpc;
	char *project;
	uint32_t mtu;
	/* What name servers are asked with through the VPC's own ways out; NONE: it has none in that family. */
	struct vd_address service4, service6;
};

struct vd_router_subnet {
	uint32_t id; /* key; from 1 */
	char *name;
	struct vd_prefix cidr4, cidr6;        /* family NONE: the subnet has none */
	struct vd_address gateway4, gateway6; /* likewise */
	bool outside;                   /* of a provider network: the gateways are somebody else's, see vd_router_subnet_server */
	bool dhcp;                      /* false: nothing is answered to its ports */
	struct vd_address dhcp_address; /* IPv4; the server identifier. NONE: none */
	uint32_t lease;                 /* seconds */
	struct vd_address *dns;         /* upstreams; none: the host's */
	size_t dns_count;               /* at most VD_ROUTER_DNS_MAX */
	char *domain;                   /* "" when there is none */
};

/* Where the router itself answers (names, metadata) to this family: its gateway address, or on a provider network its DHCP address. */
const struct vd_address *vd_router_subnet_server(const struct vd_router_subnet *subnet, enum vd_family family);

/* A port that is attached on this host. */
struct vd_router_port {
	uint32_t id; /* key; from 1 */
	char *name;
	char *hostname; /* the name when none was given */
	struct vd_mac mac;
	uint32_t subnet;             /* its id; the subnet's record may come later */
	struct vd_prefix *addresses; /* with the length of the subnet's CIDR */
	size_t address_count;
	bool is_default; /* the one port of its instance that has the default route */
	struct vd_prefix *vpc_cidrs;
	size_t vpc_cidr_count;
	uint32_t mtu;
	char *user_data; /* "" when there is none */
	char **ssh_keys;
	size_t ssh_key_count;
};

/* An address of the VPC, on whatever host, and the name of the port that has it. */
struct vd_router_name {
	struct vd_address address; /* key */
	char *name;
	uint32_t port;
	const struct vd_router_name *next; /* another address of the same name, or NULL */
};

/* NULL: no memory. */
struct vd_router_state *vd_router_state_new(void);
void vd_router_state_free(struct vd_router_state *state);

/*
 * One record, as in {"op":"put","kind":"port",…}: a new one, or instead of the one with the same key. Fields that are not known are
 * passed over. On failure nothing has changed and error holds the sentence. 0, -EINVAL or -ENOMEM.
 */
int vd_router_state_put(struct vd_router_state *state, const json_t *record, struct vd_error *error);
/* The record with this kind and key; one that is not there is removed already. 0 or -EINVAL. */
int vd_router_state_remove(struct vd_router_state *state, const json_t *record, struct vd_error *error);
/* A full set follows; until commit, what was there before stays. A second begin starts again. */
void vd_router_state_begin(struct vd_router_state *state);
/* Takes away what has not been put since begin. Without a begin: nothing. */
void vd_router_state_commit(struct vd_router_state *state);
/* Grows with every change; equal revisions: nothing changed. */
uint64_t vd_router_state_revision(const struct vd_router_state *state);

/* NULL until the agent has sent it. */
const struct vd_router *vd_router_state_router(const struct vd_router_state *state);
/* NULL when there is none. Should two ports share a MAC or an address for a moment, either is found. */
const struct vd_router_subnet *vd_router_state_subnet(const struct vd_router_state *state, uint32_t id);
const struct vd_router_port *vd_router_state_port(const struct vd_router_state *state, uint32_t id);
const struct vd_router_port *vd_router_state_port_by_mac(const struct vd_router_state *state, const struct vd_mac *mac);
const struct vd_router_port *vd_router_state_port_by_address(const struct vd_router_state *state, const struct vd_address *address);
/* The name of an address. */
const struct vd_router_name *vd_router_state_name_by_address(const struct vd_router_state *state, const struct vd_address *address);
/* The first address of a name (upper and lower case are one); the others follow by next. */
const struct vd_router_name *vd_router_state_addresses_by_name(const struct vd_router_state *state, const char *name);

/* Calls visit for each, by rising id, until it returns other than 0; returns that. visit must not change the state. */
int vd_router_state_each_port(const struct vd_router_state *state, int (*visit)(const struct vd_router_port *port, void *userdata),
			      void *userdata);
int vd_router_state_each_subnet(const struct vd_router_state *state,
				int (*visit)(const struct vd_router_subnet *subnet, void *userdata), void *userdata);

#endif
