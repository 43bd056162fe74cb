/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/engine.h"

#include "base/cleanup.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define PATIENCE_SECONDS 5L
#define ANSWER_MAX ((size_t)16 << 20)

VD_DEFINE_CLEANUP(CURL, curl_easy_cleanup)

struct answer {
	char *text;
	size_t size;
};

static size_t answer_take(char *data, size_t one, size_t size, void *userdata)
{
	struct answer *answer = userdata;
	char *grown = size <= ANSWER_MAX - answer->size ? realloc(answer->text, answer->size + size + 1) : NULL;

	if (!grown)
		return 0;
	memcpy(grown + answer->size, data, size);
	answer->text = grown;
	answer->size += size;
	return size;
}

static int socket_path(const char *host, const char **ret, struct vd_error *error)
{
	const char *path = host ? host : VD_DOCKER_ENGINE_HOST;

	if (strncmp(path, "unix:", 5) != 0)
		return vd_error_set(error, -EINVAL, "%s: Docker is asked by a Unix socket: give unix:PATH", path);
	path += 5;
	if (!strncmp(path, "//", 2))
		path += 2;
	if (path[0] != '/')
		return vd_error_set(error, -EINVAL, "%s: this is no path of a Unix socket", path);
	*ret = path;
	return 0;
}

static int failure(CURLcode code, const char *socket, struct vd_error *error)
{
	if (code == CURLE_COULDNT_CONNECT)
		return vd_error_set(error, -ENOENT,
				    "no Docker engine answers at %s: is dockerd running there? Another place: --docker-host",
				    socket);
	return vd_error_set(error, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EPROTO,
			    "the Docker engine at %s does not answer: %s", socket, curl_easy_strerror(code));
}

/* The body as JSON; what it says in place of it when the status is no success. */
static int answer_read(const struct answer *answer, long status, json_t **ret, struct vd_error *error)
{
	json_t *object = answer->size ? json_loadb(answer->text, answer->size, 0, NULL) : NULL;
	const char *sentence = json_string_value(json_object_get(object, "message"));
	int r = 0;

	if (status < 200 || status > 299)
		r = vd_error_set(error, -EREMOTEIO, "Docker refuses: %s (status %ld)", sentence ? sentence : "it does not say why",
				 status);
	if (r == 0)
		*ret = object;
	else
		json_decref(object);
	return r;
}

int vd_docker_engine_call(const char *host, const char *method, const char *path, const json_t *body, json_t **ret_answer,
			  struct vd_error *error)
{
	VD_CLEANUP(curl_easy_cleanup_cleanup) CURL *curl = curl_easy_init();
	VD_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL, *url = NULL;
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct answer answer = {};
	const char *socket = NULL;
	long status = 0;
	CURLcode code;
	int r = socket_path(host, &socket, error);

	if (r == 0 && (!curl || !headers || (body && !text) || asprintf(&url, "http://docker%s", path) < 0))
		r = vd_error_set(error, -ENOMEM, "out of memory");
	if (r == 0) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, PATIENCE_SECONDS);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		if (text)
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		r = code == CURLE_OK ? answer_read(&answer, status, ret_answer, error) : failure(code, socket, error);
	}
	curl_slist_free_all(headers);
	free(answer.text);
	return r;
}
