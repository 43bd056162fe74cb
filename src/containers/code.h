/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CONTAINERS_CODE_H
#define VD_CONTAINERS_CODE_H

/*
 * Why a container verb (api/live.h) was refused, for a program: the errno that a function returns and the word that an answer carries
 * beside its sentence ({"error": …, "code": …}). X(errno, word)
 */
#define VD_CONTAINER_CODES(X) \
	X(ENONET, "unknown_network") /* there is no container network of that name */ \
	X(ENOLINK, "not_a_node")     /* this host has not joined it */ \
	X(ENOMEDIUM, "no_block")     /* it has joined, but no block came in time: try again */ \
	X(ENOSPC, "full")            /* its blocks are used up, and so is the network */ \
	X(EADDRINUSE, "in_use")      /* somebody has the address that was asked for */ \
	X(EEXIST, "conflict")        /* the key, or the interface's name, stands for something else */ \
	X(ENOENT, "not_found")       /* no container has that key */ \
	X(ENXIO, "no_namespace")     /* there is no network namespace at netns */ \
	X(EINVAL, "invalid")         /* arguments that make no sense */

/* The word for a negative errno; NULL: it is none of these. */
const char *vd_container_code_word(int code);
/* The negative errno for a word; 0: unknown. */
int vd_container_code_parse(const char *word);

#endif
