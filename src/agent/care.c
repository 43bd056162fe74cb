/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/neighbour.h"

#define REFRESH_SECONDS 20 /* one that was not heard of for so long is asked for */
#define SUSPECT_SECONDS 40 /* … and after two rounds without an answer, everyone is */
#define IDLE_SECONDS 600   /* nobody wanted it and it said nothing */
#define SILENT_SECONDS 5   /* … or it never answered at all: by then it was asked as often as it is */

enum vd_neighbour_care vd_neighbour_care(bool is_next_hop, bool known, uint64_t confirmed, uint64_t asked)
{
	if (!is_next_hop && (known ? asked >= IDLE_SECONDS && confirmed >= IDLE_SECONDS : asked >= SILENT_SECONDS))
		return VD_NEIGHBOUR_CARE_FORGET;
	if (!known)
		return is_next_hop ? VD_NEIGHBOUR_CARE_ASK : VD_NEIGHBOUR_CARE_NOTHING;
	/* What nobody wanted for long is not kept awake: it stays as long as it speaks by itself. */
	if (confirmed < REFRESH_SECONDS || (!is_next_hop && asked >= IDLE_SECONDS))
		return VD_NEIGHBOUR_CARE_NOTHING;
	return confirmed < SUSPECT_SECONDS ? VD_NEIGHBOUR_CARE_REFRESH : VD_NEIGHBOUR_CARE_ASK;
}
