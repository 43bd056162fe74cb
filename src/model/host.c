/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include <errno.h>
#include <string.h>

static int host_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	if (strcmp(resource->project, VD_PROJECT_DEFAULT) == 0)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: a host belongs to every project; leave out project: %s", object,
			    resource->project);
}

const struct vd_kind_type vd_kind_type_host = {
	.word = "host",
	.plural = "hosts",
	.help = "A machine that runs viaductd; its name is the one given to viaductd --host.",
	.size = sizeof(struct vd_host),
	.complete = host_complete,
};
