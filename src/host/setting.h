/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_SETTING_H
#define VD_HOST_SETTING_H

#include "host/host.h"

/*
 * Settings of this host's kernel (net.*) that a node needs otherwise than they were. What they were is remembered in a file, so that
 * they can be given back, also by a later daemon; at a reboot it goes, as the settings themselves do.
 */
struct vd_settings;

/* path: of that file; the directory exists. Changes nothing. */
int vd_settings_open(const char *path, struct vd_settings **ret, struct vd_error *error);
void vd_settings_close(struct vd_settings *settings);
/* Whether none is other than it was. */
bool vd_settings_are_own(const struct vd_settings *settings);

/* What a node needs: forwarding of the families, and no strict filter of the reverse path on the links. */
struct vd_settings_need {
	bool ipv4, ipv6;
	const char *const *ifnames; /* those that do not exist are left out */
	size_t ifname_count;
};
/*
 * Sets what is not so. changed is called with a sentence for each ("net.ipv4.ip_forward was 0: set to 1"). Where IPv6 is forwarded,
 * links that took router advertisements go on doing so.
 */
int vd_settings_ensure(struct vd_settings *settings, struct vd_host_net *net, const struct vd_settings_need *need,
		       void (*changed)(const char *what, void *userdata), void *userdata, struct vd_error *error);
/*
 * Gives back what was, where nobody has set it otherwise since, and forgets it. Forwarding stays on when there is somebody else's
 * bridge, which needs it by now.
 */
int vd_settings_restore(struct vd_settings *settings, struct vd_host_net *net, struct vd_error *error);

#endif
