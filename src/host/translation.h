/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_TRANSLATION_H
#define VD_HOST_TRANSLATION_H

#include "host/firewall.h"

/*
 * A connection keeps for life the source address that it was given by the rules which its first packet met. What begins while our
 * rules are missing, because somebody flushed them, is therefore wrong also when they are back. Ends such connections, so that their
 * next packet begins them anew: those of blocks that were translated (by Docker's masquerade, say) and must not be; and those that
 * should have been and were not, as long as nobody has answered. The kernel's conntrack of the calling thread's network namespace.
 *
 * ret_ended: how many of the first kind there were.
 */
int vd_translation_correct(const struct vd_firewall_rules *rules, unsigned *ret_ended, struct vd_error *error);

#endif
