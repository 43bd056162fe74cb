/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DOCKER_PRIVATE_H
#define VD_DOCKER_PRIVATE_H

/* What the files of this folder share. */

#include "docker/driver.h"

/* A field that must be a text and not empty; borrowed of the request. */
int vd_docker_text(const json_t *request, const char *field, const char **ret, struct vd_error *error);
/* Asks, and lets go of arguments (NULL: they could not be made). ret may be NULL. */
int vd_docker_ask(const struct vd_docker_daemon *daemon, enum vd_docker_question question, json_t *arguments, json_t **ret,
		  struct vd_error *error);

#endif
