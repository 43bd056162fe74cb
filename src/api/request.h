/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_REQUEST_H
#define VD_API_REQUEST_H

#include "base/error.h"
#include "store/replica.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes of a request's body that are read at most. */
#define VD_REQUEST_BODY_MAX (64u << 20)
/* Seconds that "wait" waits unless the request says otherwise, and may wait. */
#define VD_WAIT_DEFAULT 30
#define VD_WAIT_MAX 3600
#define VD_REQUEST_ID_SIZE 65

struct vd_api;
struct vd_path;

enum vd_method {
	VD_METHOD_GET,
	VD_METHOD_PUT,
	VD_METHOD_POST,
	VD_METHOD_DELETE,
};

/* One HTTP request while it is answered, on one thread. */
struct vd_request {
	struct vd_api *api;
	struct MHD_Connection *connection;
	const struct vd_path *path;
	char *parameter[2]; /* what stood for {kinds}, {name}, {verb}, {call}, in that order; NULL: none */
	char *body;         /* NUL-terminated behind size; NULL: none */
	size_t size, capacity;
	size_t discarded; /* bytes over the limit: read, not kept */
	bool has_code;    /* a refusal carries its word of containers/code.h */
	struct MHD_Response *response;
	unsigned status;
};

void vd_request_free(struct vd_request *request);
/* Adds to the body; -E2BIG when the peer sends so much too much that it is cut off. */
int vd_request_receive(struct vd_request *request, const char *data, size_t size);

/* The parameter of the query, decoded; NULL when absent. */
const char *vd_request_query(const struct vd_request *request, const char *name);
/* A parameter that is there without a value, or "true", "1": true; "false", "0" or absent: false. */
int vd_request_flag(const struct vd_request *request, const char *name, bool *ret, struct vd_error *error);
/* "project", checked; "default" when absent. A "*" only where every project may be meant. */
int vd_request_project(const struct vd_request *request, bool all, const char **ret, struct vd_error *error);
/* "timeout": seconds that "wait" waits. */
int vd_request_timeout(const struct vd_request *request, unsigned *ret, struct vd_error *error);
/* "request": the id that makes a repetition harmless; a random one when absent. */
int vd_request_id(const struct vd_request *request, char ret[VD_REQUEST_ID_SIZE], struct vd_error *error);
/* Refuses parameters that the path does not take. */
int vd_request_check_queries(const struct vd_request *request, struct vd_error *error);
/* The body as documents (YAML or JSON): a new JSON array. */
int vd_request_documents(const struct vd_request *request, json_t **ret, struct vd_error *error);
/* The body as one JSON object; an empty body is an empty object. */
int vd_request_object(const struct vd_request *request, json_t **ret, struct vd_error *error);
bool vd_request_has_header(const struct vd_request *request, const char *name);
/* "Accept" prefers this media type. */
bool vd_request_accepts(const struct vd_request *request, const char *type);

/* Sets the response. The reference to body is taken over. */
int vd_request_reply(struct vd_request *request, unsigned status, json_t *body);
/* text is taken over. */
int vd_request_reply_text(struct vd_request *request, unsigned status, const char *type, char *text);
/* {"error": sentence, "code"?: word} with the status that fits the errno. */
int vd_request_reply_error(struct vd_request *request, int code, const struct vd_error *error);
/* 4xx or 5xx for a negative errno. */
unsigned vd_request_status(int code);

#endif
