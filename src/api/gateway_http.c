/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gateway.h"
#include "api/server.h"
#include "api/stream.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static int watch_next(void *userdata, char **ret_text, unsigned timeout_ms)
{
	return vd_gateway_watch_next(userdata, ret_text, timeout_ms);
}

static void watch_release(void *userdata)
{
	vd_gateway_watch_free(userdata);
}

int vd_answer_gateway(struct vd_request *request, struct vd_error *error)
{
	struct vd_stream_source source = {.next = watch_next, .release = watch_release};
	const char *body = request->body ? request->body : "";
	struct vd_gateway_watch *watch;
	VD_FREE char *path = NULL;
	char *reply = NULL;
	int status, r;

	if (!request->api->options.gateway)
		return vd_error_set(error, -ENOENT, "this daemon does not serve its store: its --store is not a local one");
	if (request->size > VD_GATEWAY_BODY_SIZE_MAX)
		return vd_error_set(error, -E2BIG, "the body is larger than the %u bytes that a store request may have",
				    VD_GATEWAY_BODY_SIZE_MAX);
	if (asprintf(&path, "/v3/%s", request->parameter[0]) < 0)
		return -ENOMEM;
	if (strcmp(path, VD_GATEWAY_PATH_WATCH) != 0) {
		r = vd_gateway_call(request->api->options.store, path, body, request->size, &reply, &status);
		return r ? r : vd_request_reply_text(request, (unsigned)status, "application/json", reply);
	}
	r = vd_gateway_watch_new(request->api->options.store, body, request->size, &watch, &reply, &status);
	if (r == -ENOMEM)
		return r;
	if (r)
		return vd_request_reply_text(request, (unsigned)status, "application/json", reply);
	source.userdata = watch;
	return vd_request_reply_stream(request, "application/json", &source);
}
