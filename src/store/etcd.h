/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_ETCD_H
#define VD_STORE_ETCD_H

#include "store/engine.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

/* The engine etcd, between its own files: etcd.c (calls), etcd_watch.c (streams). */

/* An easy handle between calls, with its open connections. */
struct vd_etcd_handle {
	CURL *curl;
	struct vd_etcd_handle *next;
};

struct vd_etcd {
	struct vd_store store;
	char *name;       /* the URL, for sentences */
	char **endpoints; /* "http://host:port" */
	size_t endpoint_count;
	bool tls;
	char *tls_cert, *tls_key, *tls_ca; /* may be NULL */
	struct curl_slist *headers;
	_Atomic int64_t deadline; /* of every call, CLOCK_MONOTONIC in milliseconds; 0: none */
	pthread_mutex_t lock;     /* guards what follows */
	size_t current;           /* the endpoint that answered last */
	struct vd_etcd_handle *idle;
};

/* What an answer's body is gathered in. Zeroed: empty. */
struct vd_etcd_buffer {
	char *data;
	size_t size, room;
};

/* Bodies larger than this are no answer to what we ask (a page of 200 values). */
#define VD_ETCD_ANSWER_SIZE_MAX (512u << 20)

/* 0 or -ENOMEM; -EMSGSIZE over the limit. Keeps a NUL behind the bytes. */
int vd_etcd_buffer_add(struct vd_etcd_buffer *buffer, const char *bytes, size_t size);

/* A new easy handle with what every request needs; NULL: out of memory. */
CURL *vd_etcd_curl_new(struct vd_etcd *etcd);
/* Its URL: path at the endpoint. 0 or -ENOMEM. */
int vd_etcd_curl_aim(struct vd_etcd *etcd, CURL *curl, size_t endpoint, const char *path);
/* The endpoint to start with, and what was learnt: that this one failed (the next is current then, unless it already moved). */
size_t vd_etcd_endpoint(struct vd_etcd *etcd);
void vd_etcd_endpoint_failed(struct vd_etcd *etcd, size_t endpoint);

int vd_etcd_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		  void *userdata, struct vd_watch **ret, struct vd_error *error);
void vd_etcd_watch_free(struct vd_watch *watch);

#endif
