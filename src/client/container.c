/* SPDX-License-Identifier: Apache-2.0 */
#include "client/container.h"

#include "base/cleanup.h"
#include "containers/code.h"

#include <errno.h>
#include <string.h>

static const char *const paths[] = {
	[VD_CONTAINER_VERB_ADD] = "/v1/containers/add",         [VD_CONTAINER_VERB_RESERVE] = "/v1/containers/reserve",
	[VD_CONTAINER_VERB_RELEASE] = "/v1/containers/release", [VD_CONTAINER_VERB_CHECK] = "/v1/containers/check",
	[VD_CONTAINER_VERB_DELETE] = "/v1/containers/delete",   [VD_CONTAINER_VERB_LIST] = "/v1/containers",
	[VD_CONTAINER_VERB_GC] = "/v1/containers/gc",
};

/* The word beside the sentence says more than the status. */
static int refusal_code(const struct vd_reply *reply, int code)
{
	json_t *answer = reply->size ? json_loadb(reply->text, reply->size, 0, NULL) : NULL;
	const char *word = json_string_value(json_object_get(answer, "code"));
	int said = word ? vd_container_code_parse(word) : 0;

	json_decref(answer);
	return said ? said : code;
}

static int ask(struct vd_client *client, enum vd_container_verb verb, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	VD_FREE char *text = arguments ? json_dumps(arguments, JSON_COMPACT) : strdup("{}");
	VD_CLEANUP(vd_reply_clear) struct vd_reply reply = {0};
	bool is_list = verb == VD_CONTAINER_VERB_LIST;
	json_t *answer;
	int r;

	if (!text)
		return vd_error_set(error, -EINVAL, "an argument is no UTF-8 text");
	r = vd_client_request(client, is_list ? "GET" : "POST", paths[verb], is_list ? NULL : text, is_list ? 0 : strlen(text),
			      &reply, error);
	if (r < 0)
		return refusal_code(&reply, r);
	if (!ret)
		return 0;
	answer = json_loadb(reply.text, reply.size, 0, NULL);
	if (!answer)
		return vd_error_set(error, -EPROTO, "the daemon answered with something that is no JSON: is it a viaductd?");
	*ret = answer;
	return 0;
}

int vd_client_container(const char *server, enum vd_container_verb verb, const json_t *arguments, json_t **ret,
			struct vd_error *error)
{
	const struct vd_client_options options = {.server = server};
	const char *named = server ? server : getenv("VIADUCT_SERVER");
	struct vd_client *client = NULL;
	int r;

	/* Containers are those of the host that one is on. */
	if (named && *named && *named != '/' && strncmp(named, "unix:", 5) != 0)
		return vd_error_set(error, -EINVAL, "server \"%s\": containers are asked for by the daemon's socket, unix:PATH",
				    named);
	r = vd_client_open(&options, &client, error);
	if (r < 0)
		return r;
	r = ask(client, verb, arguments, ret, error);
	vd_client_close(client);
	return r;
}
