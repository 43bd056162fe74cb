/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_PLACE_H
#define VD_SERVICES_DNS_PLACE_H

/*
 * A thread that stays in a network namespace, for work whose own threads shall be there: a thread begins where the one that made it is.
 * Entering takes privileges, the work none: make it before they are dropped. It drops its own (libcap's are per thread; changing the user
 * changes it in all) before its first work.
 */
struct vd_place;

/* netns: its descriptor, which the place does not need afterwards. 0 or a negative errno. */
int vd_place_new(int netns, struct vd_place **ret);
void vd_place_free(struct vd_place *place);
/* Does the work there; the calling thread waits. One caller at a time. */
void vd_place_run(struct vd_place *place, void (*work)(void *userdata), void *userdata);

#endif
