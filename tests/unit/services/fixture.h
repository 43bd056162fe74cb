/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SERVICES_FIXTURE_H
#define TEST_SERVICES_FIXTURE_H

#include "services/dhcp/counters.h"
#include "services/dhcp/frame.h"
#include "services/router/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SUBNET \
	"{'kind':'subnet','id':3,'name':'nodes','cidr4':'10.0.0.0/24','gateway4':'10.0.0.1','cidr6':'fd00::/" \
	"64','gateway6':'fd00::1'," \
	"'dhcp':true,'dhcp_address':'10.0.0.254','lease':600,'dns':['192.0.2.53'],'domain':'demo.internal'}"
#define SUBNET_OFF \
	"{'kind':'subnet','id':3,'name':'nodes','cidr4':'10.0.0.0/24','gateway4':'10.0.0.1','cidr6':'fd00::/" \
	"64','gateway6':'fd00::1'," \
	"'dhcp':false,'dhcp_address':'10.0.0.254','lease':600}"
#define PORT \
	"{'kind':'port','id':7,'name':'web1','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/24','fd00::2/64']," \
	"'default':true,'vpc_cidrs':['10.0.0.0/16','fd00::/48'],'mtu':1430}"
/* The same instance could have another port, which is the default. */
#define SECOND_PORT \
	"{'kind':'port','id':7,'name':'web1','mac':'02:00:00:00:00:07','subnet':3,'addresses':['10.0.0.2/24','fd00::2/64']," \
	"'default':false,'vpc_cidrs':['10.0.0.0/16','fd00::/48'],'mtu':1430}"

extern const struct vd_mac client_mac; /* of PORT */

/* A state with SUBNET and PORT, and what came back. */
struct fixture {
	struct vd_router_state *state;
	struct vd_dhcp_counters counters;
	uint8_t answer[VD_FRAME_SIZE];
	size_t size;
};

int fixture_setup(void **ret);
int fixture_teardown(void **state);
/* One record, with apostrophes for quotation marks. */
void fixture_put(struct fixture *fixture, const char *text);
struct vd_address address(const char *text);
/* Bytes of a hex text; returns how many. */
size_t unhex(const char *text, uint8_t *bytes, size_t limit);
/* The frame of these bytes, with its checksums checked. */
struct vd_frame frame_of(const uint8_t *data, size_t size);
/* The answer is this frame, byte for byte. */
void assert_answer(const struct fixture *fixture, const char *hex);

#endif
