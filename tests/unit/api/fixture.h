/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_API_FIXTURE_H
#define VD_TESTS_API_FIXTURE_H

#include "api/api.h"
#include "client/client.h"

#include <stdatomic.h>

/*
 * A daemon's API as it is, on a store in a temporary directory. What only a running host can answer comes from a double that says
 * what it was asked; everything else is real.
 */
struct fixture {
	char directory[32];
	char host[16];
	char *socket, *server, *url; /* url: of the store */
	bool owns_store;
	struct vd_store *store;
	struct vd_api_options options; /* change before fixture_start */
	struct vd_api *api;
	struct vd_client *client;
	atomic_uint streams; /* of the double, that run */
};

/* Directory and store; the API with fixture_start. with: share its store (NULL: one of its own). */
struct fixture *fixture_new(const char *host, struct fixture *with);
void fixture_start(struct fixture *fixture);
void fixture_free(struct fixture *fixture);
/* cmocka's: state becomes a started fixture of host h1. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Sends it; returns the HTTP status, and the body as JSON into ret (may be NULL; a new reference, json_null() for none). */
long fixture_ask(struct fixture *fixture, const char *method, const char *path, const char *body, json_t **ret);
/* The same, and status must be 200. */
json_t *fixture_get(struct fixture *fixture, const char *method, const char *path, const char *body);
/* The text of a member, by a path like "changes.0.action"; "" when it is not there. Valid as long as object is. */
const char *fixture_text(const json_t *object, const char *path);
const json_t *fixture_at(const json_t *object, const char *path);
/* One key of the store, as a host would write it. value NULL: deletes. */
int64_t fixture_put(struct fixture *fixture, const char *key, const char *value);
/* A TCP port on 127.0.0.1 that nobody listens on. */
unsigned fixture_port(void);
/* Three documents: vpc demo, subnet nodes, port web1. */
extern const char fixture_documents[];

#endif
