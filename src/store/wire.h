/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_WIRE_H
#define VD_STORE_WIRE_H

#include "store/store.h"

#include <jansson.h>

/*
 * etcd's v3 messages in the JSON of its gateway: bytes in base64, 64-bit numbers as strings, zero fields left out. Both
 * directions: the engine etcd writes requests and reads answers, the gateway of src/api reads requests and writes answers.
 * Pure; fuzzed.
 *
 * Encoding returns a string to free, NULL: out of memory. Decoding returns 0, -ENOMEM, or -EINVAL (a request) or -EBADMSG (an
 * answer) with a sentence. Requests with fields that we do not serve are refused; answers may have fields we do not know.
 */

/* Requests. */

/* Keys >= key and below end (vd_key_end; size 0: key alone). revision and limit 0: not said. */
char *vd_wire_range_encode(const char *key, const char *end, size_t end_size, int64_t revision, size_t limit);
char *vd_wire_txn_encode(const struct vd_txn *txn);
char *vd_wire_watch_encode(const char *prefix, int64_t start);
/* {"name": "number"}: what lease calls ("TTL", "ID") and compaction ("revision") are made of. */
char *vd_wire_number_encode(const char *name, int64_t number);

/* prefix NULL: key alone; else all keys with prefix that are not before key. */
struct vd_wire_range {
	char *key, *prefix;
	int64_t revision;
	size_t limit;
};

/* The txn's memory is the struct's. */
struct vd_wire_txn {
	struct vd_txn txn;
	struct vd_compare *compares;
	struct vd_operation *success, *failure;
};

struct vd_wire_watch {
	char *prefix;
	int64_t start;
	bool progress;
};

int vd_wire_range_decode(const char *body, size_t size, struct vd_wire_range *ret, struct vd_error *error);
int vd_wire_txn_decode(const char *body, size_t size, struct vd_wire_txn *ret, struct vd_error *error);
/* A put or a deleterange alone, as a txn of one operation. */
int vd_wire_operation_decode(enum vd_operation_type type, const char *body, size_t size, struct vd_wire_txn *ret,
			     struct vd_error *error);
int vd_wire_watch_decode(const char *body, size_t size, struct vd_wire_watch *ret, struct vd_error *error);
int vd_wire_number_decode(const char *name, const char *body, size_t size, int64_t *ret, struct vd_error *error);
/* Free what is inside; zeroed structs are fine. */
void vd_wire_range_clear(struct vd_wire_range *range);
void vd_wire_txn_clear(struct vd_wire_txn *txn);
void vd_wire_watch_clear(struct vd_wire_watch *watch);

/* Answers. */

char *vd_wire_kvs_encode(const struct vd_kvs *kvs);
/* txn tells what kind each answer is. */
char *vd_wire_txn_result_encode(const struct vd_txn *txn, const struct vd_txn_result *result);
/* The header alone. */
char *vd_wire_header_encode(int64_t revision);
char *vd_wire_lease_encode(int64_t revision, int64_t lease, int64_t ttl);
/* {"result": {"ID", "TTL"}}; ttl 0: there is no such lease. */
char *vd_wire_keepalive_encode(int64_t lease, int64_t ttl);
char *vd_wire_status_encode(int64_t revision);

/* A line of a watch's answer. */
struct vd_wire_line {
	bool created, canceled;
	int64_t compact_revision; /* with canceled: the reason, unless 0 */
	int64_t revision;         /* of the header */
	struct vd_event *events;
	size_t count;
	struct vd_kvs *kvs; /* the events' memory when decoded */
	char *reason;       /* with canceled, decoded; may be NULL */
};

/* Ends with a newline. */
char *vd_wire_line_encode(const struct vd_wire_line *line);
int vd_wire_line_decode(const char *text, size_t size, struct vd_wire_line *ret, struct vd_error *error);
void vd_wire_line_clear(struct vd_wire_line *line);

int vd_wire_kvs_decode(const char *body, size_t size, struct vd_kvs **ret, struct vd_error *error);
int vd_wire_txn_result_decode(const char *body, size_t size, struct vd_txn_result **ret, struct vd_error *error);
/* The number called name, in the answer or in its "result" (a stream's first line); absent: 0. */
int vd_wire_answer_number(const char *name, const char *body, size_t size, int64_t *ret, struct vd_error *error);

/* A refusal: code (a negative errno) and its sentence as a body and an HTTP status, and back. */
char *vd_wire_error_encode(int code, const struct vd_error *error, int *ret_status);
/* Never 0. -ETIMEDOUT: the outcome is unknown. from: who answered, for the sentence. */
int vd_wire_error_decode(const char *from, int status, const char *body, size_t size, struct vd_error *error);

/* Parts, for wire_request.c and wire_answer.c. New references; NULL: out of memory. */
json_t *vd_wire_bytes(const char *bytes, size_t size);
json_t *vd_wire_number(int64_t number);
/* Adds the field unless the number is 0; 0 or -ENOMEM. */
int vd_wire_set_number(json_t *object, const char *name, int64_t number);
int vd_wire_set_bytes(json_t *object, const char *name, const char *bytes, size_t size);
/* Dumps and drops the object (may be NULL); NULL: out of memory. */
char *vd_wire_dump(json_t *object);
/* Absent: 0 and nothing: ret NULL with size 0, or number 0. -EINVAL when it is no such thing. */
int vd_wire_get_bytes(const json_t *object, const char *name, char **ret, size_t *ret_size);
int vd_wire_get_number(const json_t *object, const char *name, int64_t *ret);

#endif
