/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/token.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECT_SECONDS 5L
/* Longer than the server lets anybody wait. */
#define CALL_SECONDS 3700L
#define PROGRESS_AFTER 2
#define ANSWER_MAX ((size_t)1 << 30)

struct vd_client {
	CURL *curl;
	struct curl_slist *headers;
	char *server; /* as given, for sentences */
	char *base;   /* the URL's begin */
	const char *progress;
	time_t begun;
	atomic_bool stopped;
	bool said; /* the progress line stands on standard error */
	char problem[CURL_ERROR_SIZE];
};

/* One call under way. */
struct transfer {
	struct vd_client *client;
	struct vd_reply reply;
	size_t capacity;
	bool (*take)(const json_t *object, void *userdata); /* NULL: no stream */
	void *userdata;
	bool stop;
	struct vd_error error; /* a stream's last object */
};

static const char *setting(const char *given, const char *variable)
{
	const char *value = given ? given : getenv(variable);

	return value && *value ? value : NULL;
}

static int header_add(struct vd_client *client, const char *header)
{
	struct curl_slist *headers = curl_slist_append(client->headers, header);

	if (!headers)
		return -ENOMEM;
	client->headers = headers;
	return 0;
}

static int token_add(struct vd_client *client, const char *path, struct vd_error *error)
{
	VD_FREE char *header = NULL;
	char *token = NULL;
	int r;

	r = vd_token_read(path, &token, error);
	if (r)
		return r;
	if (asprintf(&header, "Authorization: Bearer %s", token) < 0)
		header = NULL;
	vd_token_free(token);
	return header ? header_add(client, header) : -ENOMEM;
}

static int server_set(struct vd_client *client, const struct vd_client_options *options, struct vd_error *error)
{
	const char *server = setting(options->server, "VIADUCT_SERVER");

	client->server = strdup(server ? server : VD_CLIENT_SERVER_DEFAULT);
	if (!client->server)
		return -ENOMEM;
	if (!strncmp(client->server, "unix:", 5) || client->server[0] == '/') {
		curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->server + (client->server[0] == '/' ? 0 : 5));
		client->base = strdup("http://localhost");
		return client->base ? 0 : -ENOMEM;
	}
	if (!strncmp(client->server, "http://", 7) && !options->insecure)
		return vd_error_set(error, -EPERM, "server %s: is plain TCP; use https://, or --insecure in a lab", client->server);
	if (strncmp(client->server, "https://", 8) != 0 && strncmp(client->server, "http://", 7) != 0)
		return vd_error_set(error, -EINVAL, "server \"%s\": write unix:PATH or https://ADDRESS:PORT", client->server);
	client->base = strdup(client->server);
	if (!client->base)
		return -ENOMEM;
	while (*client->base && client->base[strlen(client->base) - 1] == '/')
		client->base[strlen(client->base) - 1] = '\0';
	return 0;
}

static int progress_tell(void *userdata, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now)
{
	struct vd_client *client = userdata;
	long seconds = (long)(time(NULL) - client->begun);

	if (atomic_load(&client->stopped))
		return 1;
	if (!client->progress || seconds < PROGRESS_AFTER)
		return 0;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s … %ld s", client->progress, seconds);
	else if (!client->said)
		fprintf(stderr, "%s …\n", client->progress);
	client->said = true;
	return 0;
}

int vd_client_open(const struct vd_client_options *options, struct vd_client **ret, struct vd_error *error)
{
	struct vd_client *client = calloc(1, sizeof(*client));
	const char *token = setting(options->token_file, "VIADUCT_TOKEN_FILE");
	const char *ca = setting(options->ca, "VIADUCT_CA"), *cert = setting(options->cert, "VIADUCT_CERT");
	const char *key = setting(options->key, "VIADUCT_KEY");
	int r;

	if (!client)
		return -ENOMEM;
	client->curl = curl_easy_init();
	r = client->curl ? server_set(client, options, error) : -ENOMEM;
	if (!r && token)
		r = token_add(client, token, error);
	if (r) {
		vd_client_close(client);
		return r;
	}
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->problem);
	curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, progress_tell);
	curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
	if (ca)
		curl_easy_setopt(client->curl, CURLOPT_CAINFO, ca);
	if (cert)
		curl_easy_setopt(client->curl, CURLOPT_SSLCERT, cert);
	if (key)
		curl_easy_setopt(client->curl, CURLOPT_SSLKEY, key);
	*ret = client;
	return 0;
}

void vd_client_close(struct vd_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	free(client->server);
	free(client->base);
	free(client);
}

void vd_client_stop(struct vd_client *client)
{
	atomic_store(&client->stopped, true);
}

void vd_client_set_progress(struct vd_client *client, const char *text)
{
	client->progress = text;
}

void vd_reply_clear(struct vd_reply *reply)
{
	free(reply->text);
	*reply = (struct vd_reply){0};
}

static int reply_append(struct transfer *transfer, const char *data, size_t size)
{
	struct vd_reply *reply = &transfer->reply;
	size_t capacity = transfer->capacity ? transfer->capacity : 4096;
	char *text;

	if (size > ANSWER_MAX - reply->size)
		return -E2BIG;
	while (capacity < reply->size + size + 1)
		capacity *= 2;
	if (capacity > transfer->capacity) {
		text = realloc(reply->text, capacity);
		if (!text)
			return -ENOMEM;
		reply->text = text;
		transfer->capacity = capacity;
	}
	memcpy(reply->text + reply->size, data, size);
	reply->size += size;
	reply->text[reply->size] = '\0';
	return 0;
}

static void line_take(struct transfer *transfer, const char *line, size_t size)
{
	json_t *object = json_loadb(line, size, 0, NULL);
	const char *sentence = json_string_value(json_object_get(object, "error"));

	if (sentence) {
		vd_error_set(&transfer->error, -EIO, "%s", sentence);
		transfer->stop = true;
	} else if (object) {
		transfer->stop = !transfer->take(object, transfer->userdata);
	}
	json_decref(object);
}

static void lines_take(struct transfer *transfer)
{
	struct vd_reply *reply = &transfer->reply;
	char *line = reply->text, *end;

	while (!transfer->stop && (end = memchr(line, '\n', reply->size - (size_t)(line - reply->text)))) {
		if (end > line)
			line_take(transfer, line, (size_t)(end - line));
		line = end + 1;
	}
	reply->size -= (size_t)(line - reply->text);
	memmove(reply->text, line, reply->size);
}

static size_t transfer_write(char *data, size_t one, size_t size, void *userdata)
{
	struct transfer *transfer = userdata;
	long status = 0;

	if (reply_append(transfer, data, size))
		return 0;
	curl_easy_getinfo(transfer->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->take && status == 200)
		lines_take(transfer);
	return transfer->stop ? 0 : size;
}

static int refusal_code(long status)
{
	switch (status) {
	case 404:
		return -ENOENT;
	case 409:
		return -EBUSY;
	case 504:
		return -ETIMEDOUT;
	default:
		return status < 500 ? -EINVAL : -EIO;
	}
}

static int refusal_read(const struct transfer *transfer, struct vd_error *error)
{
	const struct vd_reply *reply = &transfer->reply;
	json_t *answer = reply->size ? json_loadb(reply->text, reply->size, 0, NULL) : NULL;
	const char *sentence = json_string_value(json_object_get(answer, "error"));
	int code = refusal_code(reply->status);

	if (sentence)
		vd_error_set(error, code, "%s", sentence);
	else
		vd_error_set(error, code, "%s answered with status %ld and no reason: is it a viaductd?", transfer->client->server,
			     reply->status);
	json_decref(answer);
	return code;
}

static int failure_read(const struct vd_client *client, CURLcode code, struct vd_error *error)
{
	if (code == CURLE_COULDNT_CONNECT && !strcmp(client->base, "http://localhost"))
		return vd_error_set(error, -ECONNREFUSED,
				    "no daemon answers at %s: is viaductd running, and may you use its socket?", client->server);
	if (code == CURLE_COULDNT_CONNECT)
		return vd_error_set(error, -ECONNREFUSED, "no daemon answers at %s: %s", client->server,
				    client->problem[0] ? client->problem : curl_easy_strerror(code));
	return vd_error_set(error, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, "%s: %s", client->server,
			    client->problem[0] ? client->problem : curl_easy_strerror(code));
}

static int transfer_perform(struct transfer *transfer, struct vd_error *error)
{
	struct vd_client *client = transfer->client;
	CURLcode code;

	client->begun = time(NULL);
	client->said = false;
	client->problem[0] = '\0';
	code = curl_easy_perform(client->curl);
	if (client->said && isatty(STDERR_FILENO))
		fputs("\n", stderr);
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &transfer->reply.status);
	if (transfer->error.text[0])
		return vd_error_set(error, -EIO, "%s", transfer->error.text);
	if (transfer->stop || (transfer->take && atomic_load(&client->stopped)))
		return 0;
	/* A server that refuses early may close before it has read the whole body: its answer counts. */
	if (code != CURLE_OK && !(code == CURLE_SEND_ERROR && transfer->reply.status >= 400))
		return failure_read(client, code, error);
	return transfer->reply.status == 200 ? 0 : refusal_read(transfer, error);
}

static int transfer_prepare(struct transfer *transfer, const char *method, const char *path, const char *body, size_t size)
{
	struct vd_client *client = transfer->client;
	VD_FREE char *url = NULL;

	if (asprintf(&url, "%s%s", client->base, path) < 0)
		return -ENOMEM;
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	curl_easy_setopt(client->curl, CURLOPT_HTTPGET, 1L);
	if (body || !strcmp(method, "POST")) {
		curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? size : 0));
	}
	curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, transfer->take ? 0L : CALL_SECONDS);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, transfer_write);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, transfer);
	return 0;
}

/* The headers of this call: those of every call, what comes back, and what goes. */
static int transfer_run(struct transfer *transfer, const char *method, const char *path, const char *body, size_t size,
			struct vd_error *error)
{
	struct vd_client *client = transfer->client;
	struct curl_slist *headers = NULL;
	int r = 0;

	for (struct curl_slist *header = client->headers; header; header = header->next)
		headers = curl_slist_append(headers, header->data);
	headers = curl_slist_append(headers, transfer->take ? "Accept: application/x-ndjson" : "Accept: application/json");
	headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
	if (!headers)
		return -ENOMEM;
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	r = transfer_prepare(transfer, method, path, body, size);
	if (!r)
		r = transfer_perform(transfer, error);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return r;
}

int vd_client_request(struct vd_client *client, const char *method, const char *path, const char *body, size_t size,
		      struct vd_reply *ret, struct vd_error *error)
{
	struct transfer transfer = {.client = client};
	int r = transfer_run(&transfer, method, path, body, size, error);

	if (!transfer.reply.text)
		transfer.reply.text = strdup("");
	*ret = transfer.reply;
	return r;
}

int vd_client_call(struct vd_client *client, const char *method, const char *path, const json_t *body, json_t **ret,
		   struct vd_error *error)
{
	VD_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	VD_CLEANUP(vd_reply_clear) struct vd_reply reply = {0};
	json_t *answer;
	int r;

	if (body && !text)
		return vd_error_set(error, -EINVAL, "an argument is no UTF-8 text");
	r = vd_client_request(client, method, path, text, text ? strlen(text) : 0, &reply, error);
	if (r || !ret)
		return r;
	answer = json_loadb(reply.text, reply.size, 0, NULL);
	if (!answer)
		return vd_error_set(error, -EPROTO, "%s answered with something that is no JSON: is it a viaductd?",
				    client->server);
	*ret = answer;
	return 0;
}

int vd_client_stream(struct vd_client *client, const char *method, const char *path, const json_t *body,
		     bool (*take)(const json_t *object, void *userdata), void *userdata, struct vd_error *error)
{
	VD_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct transfer transfer = {.client = client, .take = take, .userdata = userdata};
	int r;

	if (body && !text)
		return vd_error_set(error, -EINVAL, "an argument is no UTF-8 text");
	r = transfer_run(&transfer, method, path, text, text ? strlen(text) : 0, error);
	vd_reply_clear(&transfer.reply);
	return r;
}

char *vd_client_escape(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char *escaped = malloc(3 * strlen(text) + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++) {
		if (strchr(plain, *text))
			*to++ = *text;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*text);
	}
	*to = '\0';
	return escaped;
}
