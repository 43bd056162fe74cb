/* SPDX-License-Identifier: Apache-2.0 */
#include "api/peer.h"

#include "api/server.h"
#include "base/cleanup.h"
#include "containers/code.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define CONNECT_SECONDS 5L
#define CALL_SECONDS 60L
/* Bytes of an answer, or of one line of a stream. */
#define ANSWER_MAX (64u << 20)

/* One question under way. */
struct asking {
	struct vd_api *api;
	CURL *curl;
	struct curl_slist *headers;
	char *url, *body, *authorization;
	char *text; /* what has come: the answer, or of a stream the line begun */
	size_t size, capacity;
	bool stop;                                               /* the taker wants no more */
	bool (*emit)(const json_t *object, void *emit_userdata); /* NULL: a call */
	void *emit_userdata;
	char problem[CURL_ERROR_SIZE];
};

static void asking_cleanup(struct asking *asking)
{
	curl_easy_cleanup(asking->curl);
	curl_slist_free_all(asking->headers);
	free(asking->url);
	free(asking->body);
	free(asking->authorization);
	free(asking->text);
}

static int text_append(struct asking *asking, const char *data, size_t size)
{
	size_t capacity = asking->capacity ? asking->capacity : 4096;
	char *text;

	if (size > ANSWER_MAX - asking->size)
		return -E2BIG;
	while (capacity < asking->size + size + 1)
		capacity *= 2;
	if (capacity > asking->capacity) {
		text = realloc(asking->text, capacity);
		if (!text)
			return -ENOMEM;
		asking->text = text;
		asking->capacity = capacity;
	}
	memcpy(asking->text + asking->size, data, size);
	asking->size += size;
	asking->text[asking->size] = '\0';
	return 0;
}

/* Hands on every whole line; an empty one is the other side's sign of life. */
static void lines_emit(struct asking *asking)
{
	char *line = asking->text, *end;
	json_t *object;

	while (!asking->stop && (end = memchr(line, '\n', asking->size - (size_t)(line - asking->text)))) {
		object = end > line ? json_loadb(line, (size_t)(end - line), 0, NULL) : NULL;
		if (object || end == line)
			asking->stop = !asking->emit(object, asking->emit_userdata);
		json_decref(object);
		line = end + 1;
	}
	asking->size -= (size_t)(line - asking->text);
	memmove(asking->text, line, asking->size);
}

static size_t asking_write(char *data, size_t one, size_t size, void *userdata)
{
	struct asking *asking = userdata;
	long status = 0;

	if (text_append(asking, data, size))
		return 0;
	curl_easy_getinfo(asking->curl, CURLINFO_RESPONSE_CODE, &status);
	if (asking->emit && status == 200)
		lines_emit(asking);
	return asking->stop ? 0 : size;
}

/* Ends what we ask of others when we stop ourselves. */
static int asking_progress(void *userdata, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now)
{
	struct asking *asking = userdata;

	return atomic_load(&asking->api->stopping) || asking->stop;
}

/* The URL that the host's claim names. */
static int peer_url(struct vd_api *api, const char *host, const char *verb, bool stream, char **ret, struct vd_error *error)
{
	const struct vd_claim *claim;
	const struct vd_model *model;
	VD_FREE char *base = NULL;

	model = vd_replica_lock(api->replica, NULL, NULL, NULL);
	claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, "default", host);
	if (claim && claim->api)
		base = strdup(claim->api);
	vd_replica_unlock(api->replica);
	if (!claim)
		return vd_error_set(error, -ENOENT, "host %s is not known: no daemon of that name ever started", host);
	if (!base)
		return vd_error_set(error, -EHOSTUNREACH,
				    "host %s cannot be asked from here: its daemon has no --listen; ask on that host itself", host);
	if (strncmp(base, "https://", 8) != 0 && !api->options.insecure)
		return vd_error_set(error, -EHOSTUNREACH,
				    "host %s is reached without TLS (%s): start this daemon with --insecure too, or %s with TLS",
				    host, base, host);
	if (asprintf(ret, "%s/v1/live/%s%s", base, verb, stream ? "?stream=true" : "") < 0)
		return -ENOMEM;
	return 0;
}

static int asking_prepare(struct asking *asking, const char *host, const char *verb, const json_t *arguments,
			  struct vd_error *error)
{
	const struct vd_api_options *options = &asking->api->options;
	VD_FREE char *asked_by = NULL;
	int r;

	r = peer_url(asking->api, host, verb, asking->emit != NULL, &asking->url, error);
	if (r)
		return r;
	asking->body = json_dumps(arguments, JSON_COMPACT);
	asking->curl = curl_easy_init();
	if (!asking->body || !asking->curl || asprintf(&asked_by, VD_PEER_HEADER ": %s", options->host) < 0)
		return -ENOMEM;
	asking->headers = curl_slist_append(asking->headers, asked_by);
	asking->headers = curl_slist_append(asking->headers, "Content-Type: application/json");
	asking->headers = curl_slist_append(asking->headers, "Accept: application/x-ndjson, application/json");
	if (options->peer_token && asprintf(&asking->authorization, "Authorization: Bearer %s", options->peer_token) >= 0)
		asking->headers = curl_slist_append(asking->headers, asking->authorization);
	curl_easy_setopt(asking->curl, CURLOPT_URL, asking->url);
	curl_easy_setopt(asking->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(asking->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(asking->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(asking->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	if (!asking->emit)
		curl_easy_setopt(asking->curl, CURLOPT_TIMEOUT, CALL_SECONDS);
	curl_easy_setopt(asking->curl, CURLOPT_HTTPHEADER, asking->headers);
	curl_easy_setopt(asking->curl, CURLOPT_POSTFIELDS, asking->body);
	curl_easy_setopt(asking->curl, CURLOPT_WRITEFUNCTION, asking_write);
	curl_easy_setopt(asking->curl, CURLOPT_WRITEDATA, asking);
	curl_easy_setopt(asking->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(asking->curl, CURLOPT_XFERINFOFUNCTION, asking_progress);
	curl_easy_setopt(asking->curl, CURLOPT_XFERINFODATA, asking);
	curl_easy_setopt(asking->curl, CURLOPT_ERRORBUFFER, asking->problem);
	if (options->peer_ca)
		curl_easy_setopt(asking->curl, CURLOPT_CAINFO, options->peer_ca);
	if (options->tls_cert && options->tls_key) {
		curl_easy_setopt(asking->curl, CURLOPT_SSLCERT, options->tls_cert);
		curl_easy_setopt(asking->curl, CURLOPT_SSLKEY, options->tls_key);
	}
	return 0;
}

/* What the other daemon refused, in its own words. */
static int answer_refusal(const struct asking *asking, const char *host, long status, struct vd_error *error)
{
	json_t *answer = asking->size ? json_loadb(asking->text, asking->size, 0, NULL) : NULL;
	const char *sentence = json_string_value(json_object_get(answer, "error"));
	const char *word = json_string_value(json_object_get(answer, "code"));
	int code = status == 404 ? -ENOENT : status == 409 ? -EBUSY : status < 500 ? -EINVAL : -EHOSTUNREACH;

	if (status == 401 || status == 403)
		code = -EHOSTUNREACH;
	else if (word && vd_container_code_parse(word))
		code = vd_container_code_parse(word);
	if (sentence)
		vd_error_set(error, code, "host %s: %s", host, sentence);
	else
		vd_error_set(error, code, "host %s answered with status %ld and no reason", host, status);
	json_decref(answer);
	return code;
}

static int asking_perform(struct asking *asking, const char *host, struct vd_error *error)
{
	CURLcode code = curl_easy_perform(asking->curl);
	long status = 0;

	curl_easy_getinfo(asking->curl, CURLINFO_RESPONSE_CODE, &status);
	if (asking->stop)
		return 0;
	if (atomic_load(&asking->api->stopping))
		return vd_error_set(error, -ESHUTDOWN, "this daemon stops");
	if (code == CURLE_OPERATION_TIMEDOUT)
		return vd_error_set(error, -ETIMEDOUT, "host %s does not answer at %s", host, asking->url);
	if (code != CURLE_OK)
		return vd_error_set(error, -EHOSTUNREACH, "host %s cannot be asked at %s: %s", host, asking->url,
				    asking->problem[0] ? asking->problem : curl_easy_strerror(code));
	return status == 200 ? 0 : answer_refusal(asking, host, status, error);
}

int vd_peer_call(struct vd_api *api, const char *host, const char *verb, const json_t *arguments, json_t **ret,
		 struct vd_error *error)
{
	VD_CLEANUP(asking_cleanup) struct asking asking = {.api = api};
	json_t *answer;
	int r;

	r = asking_prepare(&asking, host, verb, arguments, error);
	if (!r)
		r = asking_perform(&asking, host, error);
	if (r)
		return r;
	answer = asking.size ? json_loadb(asking.text, asking.size, 0, NULL) : NULL;
	if (!answer)
		return vd_error_set(error, -EPROTO, "host %s answered with something that is no JSON", host);
	*ret = answer;
	return 0;
}

int vd_peer_ask(struct vd_api *api, const char *host, const char *verb, const json_t *arguments, json_t **ret,
		struct vd_error *error)
{
	const struct vd_live *live = &api->options.live;

	if (host[0] && strcmp(host, api->options.host) != 0)
		return vd_peer_call(api, host, verb, arguments, ret, error);
	return live->call(live->userdata, verb, arguments, ret, error);
}

int vd_peer_stream(struct vd_api *api, const char *host, const char *verb, const json_t *arguments,
		   bool (*emit)(const json_t *object, void *emit_userdata), void *emit_userdata, struct vd_error *error)
{
	VD_CLEANUP(asking_cleanup) struct asking asking = {.api = api, .emit = emit, .emit_userdata = emit_userdata};
	int r;

	r = asking_prepare(&asking, host, verb, arguments, error);
	if (!r)
		r = asking_perform(&asking, host, error);
	return r;
}
