/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_ADDRESS_H
#define VD_DOCKER_ADDRESS_H

#include "docker/private.h"

/* The IPAM driver's methods. A pool is a container network in one family; Docker calls it "<4 or 6>/<project>/<name>". */

int vd_docker_ipam_capabilities(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_ipam_spaces(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_ipam_request_pool(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret, struct vd_error *error);
int vd_docker_ipam_request_address(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret,
				   struct vd_error *error);
int vd_docker_ipam_release_address(const struct vd_docker_daemon *daemon, const json_t *request, json_t **ret,
				   struct vd_error *error);

/* What reservations of Docker's begin with; "<network>/<address>" follows. */
#define VD_DOCKER_ADDRESS_KEY "docker-address/"

#endif
