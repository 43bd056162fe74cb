/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are compared as bytes, and values must mean the same in every build: what kernel and user space share has no hole that a
 * compiler could fill or move. This file does not compile otherwise.
 */
#pragma GCC diagnostic push
#ifndef VD_ABI_NEXT /* what the next build's values grow by in tests may be padded */
#pragma GCC diagnostic error "-Wpadded"
#endif
#include "abi/maps.h"
#pragma GCC diagnostic pop

/* The pads of keys are zero fields with names, and a key never changes its size (docs/dev/upgrade.md). */
#define KEY_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "the key " #type " has changed its size")
KEY_SIZE(vd_flow4_key, 20);
KEY_SIZE(vd_flow6_key, 44);
KEY_SIZE(vd_connection4_key, 20);
KEY_SIZE(vd_connection6_key, 44);
KEY_SIZE(vd_endpoint4_key, 8);
KEY_SIZE(vd_endpoint6_key, 20);
KEY_SIZE(vd_mac_key, 12);
KEY_SIZE(vd_route4_key, 16);
KEY_SIZE(vd_route6_key, 28);
KEY_SIZE(vd_source4_key, 12);
KEY_SIZE(vd_source6_key, 24);
KEY_SIZE(vd_rate_key, 8);
KEY_SIZE(vd_policy_key, 8);
KEY_SIZE(vd_remote_key, 32);
KEY_SIZE(vd_allow_key, 36);
KEY_SIZE(vd_uplink_key, 8);
KEY_SIZE(vd_exit_key, 8);
KEY_SIZE(vd_vip_key, 20);
KEY_SIZE(vd_elastic_key, 24);
KEY_SIZE(vd_forward_key, 24);
KEY_SIZE(vd_nat4_key, 20);
KEY_SIZE(vd_nat6_key, 44);
KEY_SIZE(vd_inward4_key, 12);
KEY_SIZE(vd_inward6_key, 24);
KEY_SIZE(vd_alias4_key, 20);
KEY_SIZE(vd_alias6_key, 32);
KEY_SIZE(vd_neighbour_key, 20);
KEY_SIZE(vd_policy_routes_key, 8);
KEY_SIZE(vd_fragment_key, 44);
