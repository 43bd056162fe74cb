/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_SWEEP_H
#define VD_DOCKER_SWEEP_H

#include "docker/driver.h"

#include <stdint.h>

/*
 * Docker says once that an endpoint or an address is not needed any more. When driver or daemon are killed at that moment it is lost,
 * so what Docker does not know of is taken back here: what is older than VD_DOCKER_SWEEP_SECONDS, for an endpoint that is being made
 * is not in Docker's lists yet.
 */
#define VD_DOCKER_SWEEP_SECONDS 60

/*
 * engine: where Docker's own API is (docker/engine.h), NULL: the usual place. now: seconds since 1970. What Docker has is asked for
 * only when something is old enough. 0, or a negative errno and a sentence; then nothing was taken away.
 */
int vd_docker_sweep(const struct vd_docker_daemon *daemon, const char *engine, int64_t now, struct vd_error *error);

/* The same with what Docker has: {"endpoints": {id: …}, "addresses": {"10.0.2.5": …}}. */
int vd_docker_sweep_rest(const struct vd_docker_daemon *daemon, const json_t *containers, const json_t *known, int64_t now,
			 struct vd_error *error);

#endif
