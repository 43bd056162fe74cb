/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_ENDPOINT_H
#define VD_DOCKER_ENDPOINT_H

#include "docker/private.h"

/* The network driver's methods of an endpoint: a container's interface, called "docker/<endpoint id>" with the daemon. */

/* What they are called begins so; Docker's id follows. */
#define VD_DOCKER_ENDPOINT_KEY "docker/"

int vd_docker_endpoint_create(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_endpoint_info(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_endpoint_delete(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_endpoint_join(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);

#endif
