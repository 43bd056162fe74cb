/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/wire.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/* Bounds of one call to one endpoint, in milliseconds. A TLS handshake is part of the connect. */
#define CONNECT_MS 1000
#define CONNECT_TLS_MS 3000
#define CALL_MS 5000

/* Pairs asked for at once. */
#define PAGE 200
/* A range whose revision is compacted between two pages begins anew so often. */
#define RANGE_TRIES 3

int vd_etcd_buffer_add(struct vd_etcd_buffer *buffer, const char *bytes, size_t size)
{
	if (size > VD_ETCD_ANSWER_SIZE_MAX - buffer->size)
		return -EMSGSIZE;
	if (buffer->size + size + 1 > buffer->room) {
		size_t room = (buffer->size + size + 1) * 2;
		char *data = realloc(buffer->data, room);

		if (!data)
			return -ENOMEM;
		buffer->data = data;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->size, bytes, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
	return 0;
}

static size_t on_write(char *bytes, size_t one, size_t size, void *userdata)
{
	/* Anything but size ends the transfer. */
	return vd_etcd_buffer_add(userdata, bytes, size) < 0 ? 0 : size;
}

/* libcurl asks once a second at least. */
static int on_progress(void *userdata, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now)
{
	const struct vd_etcd *etcd = userdata;
	int64_t deadline = atomic_load(&etcd->deadline);

	return deadline && vd_clock_ms() >= deadline;
}

CURL *vd_etcd_curl_new(struct vd_etcd *etcd)
{
	CURL *curl = curl_easy_init();

	if (!curl)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* also not the environment's */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, etcd->tls ? "https" : "http");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, etcd->headers);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, etcd->tls ? (long)CONNECT_TLS_MS : (long)CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, etcd);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, 5L);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 2L);
	if (etcd->tls_ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, etcd->tls_ca);
	if (etcd->tls_cert)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, etcd->tls_cert);
	if (etcd->tls_key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, etcd->tls_key);
	return curl;
}

int vd_etcd_curl_aim(struct vd_etcd *etcd, CURL *curl, size_t endpoint, const char *path)
{
	VD_FREE char *url = NULL;

	if (asprintf(&url, "%s%s", etcd->endpoints[endpoint], path) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

size_t vd_etcd_endpoint(struct vd_etcd *etcd)
{
	size_t endpoint;

	pthread_mutex_lock(&etcd->lock);
	endpoint = etcd->current;
	pthread_mutex_unlock(&etcd->lock);
	return endpoint;
}

void vd_etcd_endpoint_failed(struct vd_etcd *etcd, size_t endpoint)
{
	pthread_mutex_lock(&etcd->lock);
	if (etcd->current == endpoint)
		etcd->current = (endpoint + 1) % etcd->endpoint_count;
	pthread_mutex_unlock(&etcd->lock);
}

static struct vd_etcd_handle *handle_take(struct vd_etcd *etcd)
{
	struct vd_etcd_handle *handle;

	pthread_mutex_lock(&etcd->lock);
	handle = etcd->idle;
	if (handle)
		etcd->idle = handle->next;
	pthread_mutex_unlock(&etcd->lock);
	if (handle)
		return handle;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return NULL;
	handle->curl = vd_etcd_curl_new(etcd);
	if (!handle->curl) {
		free(handle);
		return NULL;
	}
	return handle;
}

static void handle_give(struct vd_etcd *etcd, struct vd_etcd_handle *handle)
{
	pthread_mutex_lock(&etcd->lock);
	handle->next = etcd->idle;
	etcd->idle = handle;
	pthread_mutex_unlock(&etcd->lock);
}

/* A body that can be read once: libcurl cannot send it again by itself, and we know whether it began to. */
struct upload {
	const char *body;
	size_t size, sent;
	bool begun;
};

static size_t on_read(char *bytes, size_t one, size_t room, void *userdata)
{
	struct upload *upload = userdata;
	size_t size = upload->size - upload->sent;

	if (size > room)
		size = room;
	memcpy(bytes, upload->body + upload->sent, size);
	upload->sent += size;
	upload->begun = true;
	return size;
}

/* What a call is, over its tries at several endpoints. */
struct call {
	const char *path, *body;
	/*
	 * May be done twice. Else libcurl must not repeat it either, which it does on a kept-alive connection that died: it gets
	 * its body by a callback and cannot rewind it.
	 */
	bool idempotent;
	struct vd_etcd_buffer answer;
};

/* What came of one try. */
enum outcome {
	OUTCOME_DONE,    /* answered, well or with a refusal */
	OUTCOME_NOTHING, /* never sent */
	OUTCOME_UNKNOWN, /* sent; done or not */
};

/* Trying again does not help then: a certificate or key is wrong, ours or theirs. */
static bool is_mistrust(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM;
}

/* One try at one endpoint; r and error get what the call returns should it be the last. */
static enum outcome call_try(struct vd_etcd *etcd, struct call *call, CURL *curl, size_t endpoint, int *ret_r,
			     struct vd_error *error)
{
	struct upload upload = {.body = call->body, .size = strlen(call->body)};
	char reason[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	call->answer.size = 0;
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)CALL_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call->answer);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)upload.size);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->idempotent ? call->body : NULL);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
	code = vd_etcd_curl_aim(etcd, curl, endpoint, call->path) < 0 ? CURLE_OUT_OF_MEMORY : curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK && status == 200) {
		*ret_r = 0;
		return OUTCOME_DONE;
	}
	if (code == CURLE_OK) {
		*ret_r = vd_wire_error_decode(etcd->endpoints[endpoint], (int)status, call->answer.data ? call->answer.data : "",
					      call->answer.size, error);
		return *ret_r == -ETIMEDOUT ? OUTCOME_UNKNOWN : OUTCOME_DONE;
	}
	if (is_mistrust(code)) {
		*ret_r = vd_error_set(error, -EACCES,
				      "store %s: %s and this host do not trust each other: %s; check the certificates", etcd->name,
				      etcd->endpoints[endpoint], reason[0] ? reason : curl_easy_strerror(code));
		return OUTCOME_NOTHING;
	}
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		*ret_r = vd_error_set(error, -ECANCELED, "store %s: this daemon stops and waits no longer", etcd->name);
		return OUTCOME_DONE;
	}
	*ret_r = vd_error_set(error, upload.begun || call->idempotent ? -ETIMEDOUT : -ECONNREFUSED,
			      "store %s: %s does not answer: %s; check that it runs and is reachable", etcd->name,
			      etcd->endpoints[endpoint], reason[0] ? reason : curl_easy_strerror(code));
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		*ret_r = -ECONNREFUSED;
	return upload.begun ? OUTCOME_UNKNOWN : OUTCOME_NOTHING;
}

/* The body is consumed. On 0 call->answer has the answer. */
static int call_run(struct vd_etcd *etcd, struct call *call, struct vd_error *error)
{
	struct vd_etcd_handle *handle = handle_take(etcd);
	size_t first = vd_etcd_endpoint(etcd);
	int r = -ENOMEM;

	for (size_t i = 0; handle && i < etcd->endpoint_count; i++) {
		size_t endpoint = (first + i) % etcd->endpoint_count;
		enum outcome outcome = call_try(etcd, call, handle->curl, endpoint, &r, error);

		if (outcome == OUTCOME_DONE)
			break;
		vd_etcd_endpoint_failed(etcd, endpoint);
		if (outcome == OUTCOME_UNKNOWN && !call->idempotent)
			break;
	}
	if (handle)
		handle_give(etcd, handle);
	return r;
}

/* Makes the call with a body that it frees (NULL: out of memory). The answer's data is to be freed, also on failure. */
static int call_make(struct vd_etcd *etcd, const char *path, char *body, bool idempotent, struct vd_etcd_buffer *answer,
		     struct vd_error *error)
{
	struct call call = {.path = path, .body = body, .idempotent = idempotent};
	int r = body ? call_run(etcd, &call, error) : -ENOMEM;

	free(body);
	*answer = call.answer;
	return r;
}

static int page_read(struct vd_etcd *etcd, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		     struct vd_kvs **ret, struct vd_error *error)
{
	struct vd_etcd_buffer answer = {0};
	int r = call_make(etcd, "/v3/kv/range", vd_wire_range_encode(from, end, end_size, revision, limit), true, &answer, error);

	if (r == 0)
		r = vd_wire_kvs_decode(answer.data ? answer.data : "", answer.size, ret, error);
	free(answer.data);
	return r;
}

/* Moves the pairs of page behind those of kvs, but not the first when it is what kvs ends with. */
static int page_append(struct vd_kvs *kvs, struct vd_kvs *page)
{
	size_t skip = page->count && !strcmp(page->items[0].key, kvs->items[kvs->count - 1].key) ? 1 : 0;

	for (size_t i = skip; i < page->count; i++) {
		struct vd_kv *kv = vd_kvs_append(kvs, "", 0, "", 0);

		if (!kv)
			return -ENOMEM;
		free(kv->key);
		free(kv->value);
		*kv = page->items[i];
		page->items[i].key = page->items[i].value = NULL;
	}
	return 0;
}

/* All pairs (or limit of them) page by page, of the first page's revision. */
static int range_read(struct vd_etcd *etcd, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		      struct vd_kvs **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	int r = page_read(etcd, from, end, end_size, revision, limit && limit < PAGE ? limit : PAGE, &kvs, error);

	while (r == 0 && kvs->more && kvs->count && (!limit || kvs->count < limit)) {
		VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *page = NULL;
		size_t want = limit && limit - kvs->count < PAGE ? limit - kvs->count : PAGE;

		/* From the last key on, which comes once more. */
		r = page_read(etcd, kvs->items[kvs->count - 1].key, end, end_size, revision ? revision : kvs->revision, want + 1,
			      &page, error);
		if (r < 0)
			return r;
		kvs->more = page->more;
		r = page_append(kvs, page);
	}
	if (r == 0)
		*ret = VD_TAKE(kvs);
	return r;
}

static int etcd_range(struct vd_store *store, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		      struct vd_kvs **ret, struct vd_error *error)
{
	struct vd_etcd *etcd = (struct vd_etcd *)store;
	int r = -ESTALE;

	for (unsigned i = 0; r == -ESTALE && i < (revision ? 1 : RANGE_TRIES); i++)
		r = range_read(etcd, from, end, end_size, revision, limit, ret, error);
	return r;
}

static int etcd_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error)
{
	struct vd_etcd_buffer answer = {0};
	int r = call_make((struct vd_etcd *)store, "/v3/kv/txn", vd_wire_txn_encode(txn), false, &answer, error);

	if (r == 0)
		r = vd_wire_txn_result_decode(answer.data ? answer.data : "", answer.size, ret, error);
	free(answer.data);
	return r;
}

/* A call whose answer is one number (name NULL: none is wanted). */
static int number_call(struct vd_store *store, const char *path, char *body, const char *name, int64_t *ret, struct vd_error *error)
{
	struct vd_etcd_buffer answer = {0};
	int r = call_make((struct vd_etcd *)store, path, body, true, &answer, error);

	if (r == 0 && name)
		r = vd_wire_answer_number(name, answer.data ? answer.data : "", answer.size, ret, error);
	free(answer.data);
	return r;
}

static int etcd_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error)
{
	/* Granted twice when a reply is lost: the first runs out by itself. */
	return number_call(store, "/v3/lease/grant", vd_wire_number_encode("TTL", ttl), "ID", ret_lease, error);
}

static int etcd_lease_keepalive(struct vd_store *store, int64_t lease, int64_t *ret_ttl, struct vd_error *error)
{
	int64_t ttl = 0;
	int r = number_call(store, "/v3/lease/keepalive", vd_wire_number_encode("ID", lease), "TTL", &ttl, error);

	if (r < 0)
		return r;
	if (ttl <= 0)
		return vd_error_set(error, -ENOENT, "store %s: lease %lld has ended", ((struct vd_etcd *)store)->name,
				    (long long)lease);
	*ret_ttl = ttl;
	return 0;
}

static int etcd_lease_revoke(struct vd_store *store, int64_t lease, struct vd_error *error)
{
	return number_call(store, "/v3/lease/revoke", vd_wire_number_encode("ID", lease), NULL, NULL, error);
}

static void etcd_finish(struct vd_store *store, unsigned seconds)
{
	atomic_store(&((struct vd_etcd *)store)->deadline, vd_clock_ms() + seconds * 1000);
}

static int etcd_compact(struct vd_store *store, int64_t revision, struct vd_error *error)
{
	int r = number_call(store, "/v3/kv/compaction", vd_wire_number_encode("revision", revision), NULL, NULL, error);

	/* Already forgotten: what was asked for. */
	return r == -ESTALE ? 0 : r;
}

static void etcd_close(struct vd_store *store)
{
	struct vd_etcd *etcd = (struct vd_etcd *)store;

	while (etcd->idle) {
		struct vd_etcd_handle *handle = etcd->idle;

		etcd->idle = handle->next;
		curl_easy_cleanup(handle->curl);
		free(handle);
	}
	for (size_t i = 0; i < etcd->endpoint_count; i++)
		free(etcd->endpoints[i]);
	free(etcd->endpoints);
	curl_slist_free_all(etcd->headers);
	free(etcd->tls_cert);
	free(etcd->tls_key);
	free(etcd->tls_ca);
	free(etcd->name);
	pthread_mutex_destroy(&etcd->lock);
	free(etcd);
}

static const struct vd_store_engine engine = {
	.close = etcd_close,
	.range = etcd_range,
	.txn = etcd_txn,
	.watch = vd_etcd_watch,
	.watch_free = vd_etcd_watch_free,
	.lease_grant = etcd_lease_grant,
	.lease_keepalive = etcd_lease_keepalive,
	.lease_revoke = etcd_lease_revoke,
	.finish = etcd_finish,
	.compact = etcd_compact,
};

/* "host:port,host:port" to URLs. A host without a port has etcd's, 2379. */
static int endpoints_parse(struct vd_etcd *etcd, const char *hosts, struct vd_error *error)
{
	VD_FREE char *copy = strdup(hosts);
	char *rest = NULL;

	if (!copy)
		return -ENOMEM;
	for (char *host = strtok_r(copy, ",", &rest); host; host = strtok_r(NULL, ",", &rest)) {
		const char *bracket = strchr(host, ']'), *colon = strchr(bracket ? bracket : host, ':');
		char **endpoints = reallocarray(etcd->endpoints, etcd->endpoint_count + 1, sizeof(*endpoints));

		if (!endpoints)
			return -ENOMEM;
		etcd->endpoints = endpoints;
		if (strpbrk(host, "/@?# ") || host == colon)
			return vd_error_set(error, -EINVAL, "store %s: \"%s\" is no HOST:PORT", etcd->name, host);
		if (asprintf(&endpoints[etcd->endpoint_count], "%s://%s%s", etcd->tls ? "https" : "http", host,
			     colon ? "" : ":2379") < 0)
			return -ENOMEM;
		etcd->endpoint_count++;
	}
	return etcd->endpoint_count ? 0 : vd_error_set(error, -EINVAL, "store %s: it names no HOST:PORT", etcd->name);
}

static int header_add(struct vd_etcd *etcd, const char *header)
{
	struct curl_slist *headers = curl_slist_append(etcd->headers, header);

	if (!headers)
		return -ENOMEM;
	etcd->headers = headers;
	return 0;
}

static int option_copy(const char *option, char **ret)
{
	*ret = option ? strdup(option) : NULL;
	return option && !*ret ? -ENOMEM : 0;
}

static int etcd_fill(struct vd_etcd *etcd, const char *hosts, const struct vd_store_options *options, struct vd_error *error)
{
	VD_FREE char *authorization = NULL;
	int r;

	if (asprintf(&etcd->name, "%s://%s", etcd->tls ? "etcds" : "etcd", hosts) < 0) {
		etcd->name = NULL;
		return -ENOMEM;
	}
	/* "Expect:" stops libcurl from asking first whether a large body may be sent. */
	if (header_add(etcd, "Content-Type: application/json") < 0 || header_add(etcd, "Expect:") < 0)
		return -ENOMEM;
	if (options->token) {
		if (strpbrk(options->token, "\r\n"))
			return vd_error_set(error, -EINVAL, "store %s: the token has a line break in it", etcd->name);
		if (asprintf(&authorization, "Authorization: Bearer %s", options->token) < 0) {
			authorization = NULL;
			return -ENOMEM;
		}
		if (header_add(etcd, authorization) < 0)
			return -ENOMEM;
	}
	r = option_copy(options->tls_cert, &etcd->tls_cert);
	if (r == 0)
		r = option_copy(options->tls_key, &etcd->tls_key);
	if (r == 0)
		r = option_copy(options->tls_ca, &etcd->tls_ca);
	return r < 0 ? r : endpoints_parse(etcd, hosts, error);
}

static void curl_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Does not connect: a daemon may start before its store, and the first call says what is wrong. */
int vd_etcd_open(const char *hosts, bool tls, const struct vd_store_options *options, struct vd_store **ret, struct vd_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct vd_etcd *etcd = calloc(1, sizeof(*etcd));
	int r;

	if (!etcd)
		return -ENOMEM;
	pthread_once(&once, curl_init);
	etcd->store.engine = &engine;
	etcd->tls = tls;
	pthread_mutex_init(&etcd->lock, NULL);
	r = etcd_fill(etcd, hosts, options, error);
	if (r < 0) {
		etcd_close(&etcd->store);
		return r;
	}
	*ret = &etcd->store;
	return 0;
}
