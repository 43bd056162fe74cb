/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of an instance from outside: the networks inside it, where it is a namespace of this host. */
#include "agent/private.h"
#include "base/cleanup.h"
#include "host/occupied.h"

#include <errno.h>
#include <string.h>

struct guest {
	char *path; /* NULL: no namespace */
	struct vd_host_netns netns;
};

static int guest_find(struct vd_agent *agent, const char *project, const char *port, struct guest *ret, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(agent->replica, NULL, NULL, NULL);
	const struct vd_attachment *attachment =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, project, port);
	int r = 0;

	if (!attachment || strcmp(attachment->host, agent->options.host) != 0)
		r = vd_error_set(error, -ENOENT, "port %s: it is not attached on host %s", port, agent->options.host);
	else if (attachment->netns && !(ret->path = strdup(attachment->netns)))
		r = -ENOMEM;
	else
		ret->netns = (struct vd_host_netns){attachment->netns_device, attachment->netns_inode};
	vd_replica_unlock(agent->replica);
	return r;
}

int vd_live_guest(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	const char *project = json_string_value(json_object_get(arguments, "project"));
	const char *port = json_string_value(json_object_get(arguments, "port"));
	VD_FREE struct vd_host_occupied *list = NULL;
	struct guest guest = {0};
	char text[VD_PREFIX_TEXT];
	json_t *occupied;
	size_t count = 0;
	int r;

	if (!port)
		return vd_error_set(error, -EINVAL, "guest: of which port?");
	r = guest_find(agent, project ? project : "default", port, &guest, error);
	if (r == 0 && guest.path)
		r = vd_host_occupied_read_guest(guest.path, &guest.netns, &list, &count, error);
	free(guest.path);
	if (r < 0)
		return r;
	occupied = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(occupied, json_pack("{s:s, s:s}", "name", list[i].ifname, "prefix",
							  vd_prefix_format(&list[i].prefix, text)));
	*ret = json_pack("{s:o}", "occupied", occupied);
	return *ret ? 0 : -ENOMEM;
}
