/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"

#include "api/auth.h"
#include "api/listen.h"
#include "api/status.h"
#include "api/watch.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
/* Seconds that a connection may be silent between two requests, or in the middle of one. */
#define IDLE_SECONDS 60
#define CONNECTION_MEMORY (64u << 10)
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

const struct vd_path vd_paths[] = {
	{VD_METHOD_GET, "/v1/version", "", vd_answer_version},
	{VD_METHOD_GET, "/v1/status", "", vd_answer_status},
	{VD_METHOD_GET, "/metrics", "", vd_answer_metrics},
	{VD_METHOD_GET, "/v1/kinds", "", vd_answer_kinds},
	{VD_METHOD_POST, "/v1/apply", "project dry_run wait timeout request", vd_answer_apply},
	{VD_METHOD_POST, "/v1/delete", "project dry_run wait timeout request", vd_answer_delete},
	{VD_METHOD_POST, "/v1/diff", "project", vd_answer_diff},
	{VD_METHOD_GET, "/v1/watch", "kind project", vd_answer_watch},
	{VD_METHOD_POST, "/v1/check", "", vd_answer_check},
	{VD_METHOD_POST, "/v1/live/{verb}", "stream", vd_answer_live_call},
	{VD_METHOD_GET, "/v1/live/{verb}", "host project port ports", vd_answer_live_stream},
	{VD_METHOD_GET, "/v1/containers", "host", vd_answer_containers},
	{VD_METHOD_POST, "/v1/containers/{verb}", "", vd_answer_container_call},
	{VD_METHOD_POST, "/v3/{call}", "", vd_answer_gateway},
	{VD_METHOD_GET, "/v1/{kinds}", "project format", vd_answer_list},
	{VD_METHOD_GET, "/v1/{kinds}/{name}", "project format", vd_answer_get},
	{VD_METHOD_PUT, "/v1/{kinds}/{name}", "project wait timeout request", vd_answer_put},
	{VD_METHOD_DELETE, "/v1/{kinds}/{name}", "project wait timeout request", vd_answer_remove},
	{0},
};

/* Whether path is what the pattern says; the parts that stand for {…} into ret (to free). */
static bool path_match(const char *pattern, const char *path, char *ret[2])
{
	size_t count = 0, size;

	while (*pattern && *path) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				break;
			continue;
		}
		size = !strncmp(pattern, "{name}", 6) || !strncmp(pattern, "{call}", 6) ? strlen(path) : strcspn(path, "/");
		ret[count++] = strndup(path, size);
		pattern += strcspn(pattern, "}") + 1;
		path += size;
		if (!size)
			break;
	}
	if (!*pattern && !*path)
		return true;
	for (size_t i = 0; i < 2; i++) {
		free(ret[i]);
		ret[i] = NULL;
	}
	return false;
}

static int method_parse(const char *text, enum vd_method *ret)
{
	static const char *const names[] = {
		[VD_METHOD_GET] = "GET",
		[VD_METHOD_PUT] = "PUT",
		[VD_METHOD_POST] = "POST",
		[VD_METHOD_DELETE] = "DELETE",
	};

	if (!strcmp(text, "HEAD"))
		text = "GET";
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i])) {
			*ret = (enum vd_method)i;
			return 0;
		}
	return -EINVAL;
}

/* The row that answers; the sentence tells a wrong method from a wrong path. */
static int path_find(struct vd_request *request, const char *method_text, const char *path, struct vd_error *error)
{
	bool known = false;
	enum vd_method method = VD_METHOD_GET;
	int r = method_parse(method_text, &method);

	for (const struct vd_path *row = vd_paths; row->pattern; row++) {
		if (!path_match(row->pattern, path, request->parameter))
			continue;
		if (!r && row->method == method) {
			request->path = row;
			return 0;
		}
		known = true;
		free(VD_TAKE(request->parameter[0]));
		free(VD_TAKE(request->parameter[1]));
	}
	if (known)
		return vd_error_set(error, -ENOTSUP, "%s is not possible at %.100s", method_text, path);
	return vd_error_set(error, -ENOENT, "there is no %.100s: see /v1/kinds, and openapi.yaml for the rest", path);
}

static int request_authenticate(const struct vd_door *door, struct vd_request *request, struct vd_error *error)
{
	const union MHD_ConnectionInfo *info;
	const struct vd_api *api = door->api;

	if (!door->is_tcp) {
		info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		return vd_auth_socket(info->connect_fd, error);
	}
	if (!api->tls_cert && !vd_tokens_count(api->tokens))
		return 0;
	return vd_auth_tcp(request->connection, api->tokens, error);
}

static int request_check_length(const struct vd_request *request, struct vd_error *error)
{
	const char *length = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (!request->discarded && (!length || strtoull(length, NULL, 10) <= VD_REQUEST_BODY_MAX))
		return 0;
	return vd_error_set(error, -E2BIG, "the body is larger than the %u MiB that a request may have: split it",
			    VD_REQUEST_BODY_MAX >> 20);
}

static enum MHD_Result request_send(struct vd_request *request, int r, const struct vd_error *error)
{
	enum MHD_Result queued;

	if (r && vd_request_reply_error(request, r, error))
		return MHD_NO;
	if (r == -ENOTSUP)
		request->status = MHD_HTTP_METHOD_NOT_ALLOWED;
	queued = MHD_queue_response(request->connection, request->status, request->response);
	MHD_destroy_response(VD_TAKE(request->response));
	return queued;
}

static enum MHD_Result request_begin(const struct vd_door *door, struct MHD_Connection *connection, void **context)
{
	struct vd_request *request = calloc(1, sizeof(*request));
	struct vd_error error = {0};
	int r;

	if (!request)
		return MHD_NO;
	request->api = door->api;
	request->connection = connection;
	*context = request;
	/* Who may not ask is told so before his body is read. */
	r = request_authenticate(door, request, &error);
	if (!r)
		r = request_check_length(request, &error);
	return r ? request_send(request, r, &error) : MHD_YES;
}

static enum MHD_Result request_answer(struct vd_request *request, const char *url, const char *method)
{
	struct vd_error error = {0};
	int r;

	r = request_check_length(request, &error);
	if (!r)
		r = path_find(request, method, url, &error);
	if (!r)
		r = vd_request_check_queries(request, &error);
	if (!r)
		r = request->path->answer(request, &error);
	return request_send(request, r, &error);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **context)
{
	struct vd_request *request = *context;
	int r;

	if (!request)
		return request_begin(userdata, connection, context);
	if (*size) {
		r = vd_request_receive(request, data, *size);
		*size = 0;
		return r ? MHD_NO : MHD_YES;
	}
	return request_answer(request, url, method);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
	vd_request_free(*context);
	*context = NULL;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *userdata, const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	vd_log_debug("http: %s", text);
}

/* fd is taken over when it starts. */
static struct MHD_Daemon *daemon_start(struct vd_door *door, int fd, bool tls)
{
	struct vd_api *api = door->api;
	struct MHD_OptionItem options[8];
	size_t count = 0;

	if (tls) {
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, api->tls_cert};
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, api->tls_key};
		options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES};
		if (api->tls_ca)
			options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, api->tls_ca};
	}
	options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ERROR_LOG |
					(tls ? MHD_USE_TLS : 0),
				0, NULL, NULL, on_request, door, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
				fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

static int socket_start(struct vd_api *api, struct vd_error *error)
{
	VD_CLOSE int fd = -1;
	int r;

	r = vd_listen_unix(api->options.socket_path, &fd, error);
	if (r)
		return r;
	api->socket_daemon = daemon_start(&api->socket_door, fd, false);
	if (!api->socket_daemon)
		return vd_error_set(error, -EIO, "socket %s: the HTTP server does not start", api->options.socket_path);
	(void)VD_TAKE_FD(fd);
	return 0;
}

/* TCP is either TLS with someone to let in, or plain because the user says so. */
static int tcp_check(struct vd_api *api, struct vd_error *error)
{
	const struct vd_api_options *options = &api->options;

	if (options->tls_cert || options->tls_key) {
		if (!options->tls_cert || !options->tls_key)
			return vd_error_set(error, -EINVAL, "listen %s: TLS needs both --tls-cert and --tls-key", options->listen);
		if (!options->tls_ca && !vd_tokens_count(api->tokens))
			return vd_error_set(
				error, -EINVAL,
				"listen %s: nobody could be let in: give --token-file, or --tls-ca for client certificates",
				options->listen);
		return 0;
	}
	if (!options->insecure)
		return vd_error_set(error, -EINVAL, "listen %s: TCP needs --tls-cert and --tls-key (or --insecure, in a lab)",
				    options->listen);
	if (!vd_tokens_count(api->tokens))
		vd_log_warning("INSECURE: whoever reaches %s rules this network: no TLS, no token; use it in a lab only",
			       options->listen);
	else
		vd_log_warning("INSECURE: tokens cross %s in clear text; use it in a lab only", options->listen);
	return 0;
}

static int tcp_start(struct vd_api *api, struct vd_error *error)
{
	const struct vd_api_options *options = &api->options;
	VD_CLOSE int fd = -1;
	int r;

	r = tcp_check(api, error);
	if (!r && options->tls_cert)
		r = vd_listen_read_file("certificate", options->tls_cert, &api->tls_cert, error);
	if (!r && options->tls_key)
		r = vd_listen_read_file("key", options->tls_key, &api->tls_key, error);
	if (!r && options->tls_ca && options->tls_cert)
		r = vd_listen_read_file("CA", options->tls_ca, &api->tls_ca, error);
	if (!r)
		r = vd_listen_tcp(options->listen, &fd, error);
	if (r)
		return r;
	api->tcp_daemon = daemon_start(&api->tcp_door, fd, options->tls_cert != NULL);
	if (!api->tcp_daemon)
		return vd_error_set(error, -EIO,
				    "listen %s: the HTTPS server does not start: do --tls-cert and --tls-key belong together?",
				    options->listen);
	(void)VD_TAKE_FD(fd);
	return 0;
}

static int option_keep(struct vd_api *api, const char **option)
{
	char *copy;

	if (!*option)
		return 0;
	copy = strdup(*option);
	if (!copy)
		return -ENOMEM;
	api->strings[api->string_count++] = copy;
	*option = copy;
	return 0;
}

static int options_keep(struct vd_api *api)
{
	struct vd_api_options *options = &api->options;
	const char **strings[] = {&options->host,       &options->socket_path, &options->listen,
				  &options->tls_cert,   &options->tls_key,     &options->tls_ca,
				  &options->token_file, &options->peer_token,  &options->peer_ca};

	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		if (option_keep(api, strings[i]))
			return -ENOMEM;
	return 0;
}

static int api_prepare(struct vd_api *api, struct vd_error *error)
{
	int r;

	r = options_keep(api);
	if (!r && api->options.token_file)
		r = vd_tokens_load(api->options.token_file, &api->tokens, error);
	if (r)
		return r;
	api->watchers = vd_watchers_new();
	if (!api->watchers)
		return -ENOMEM;
	r = vd_replica_new(api->options.store, vd_watchers_tell, api->watchers, &api->replica, error);
	if (!r)
		r = vd_statuses_new(api->options.store, &api->statuses, error);
	return r;
}

int vd_api_start(const struct vd_api_options *options, struct vd_api **ret, struct vd_error *error)
{
	struct vd_api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->options = *options;
	api->socket_door = (struct vd_door){.api = api};
	api->tcp_door = (struct vd_door){.api = api, .is_tcp = true};
	pthread_mutex_init(&api->lock, NULL);
	pthread_cond_init(&api->idle, NULL);
	r = api_prepare(api, error);
	if (!r)
		r = socket_start(api, error);
	if (!r && api->options.listen)
		r = tcp_start(api, error);
	if (r) {
		vd_api_stop(api);
		return r;
	}
	*ret = api;
	return 0;
}

void vd_api_stop(struct vd_api *api)
{
	if (!api)
		return;
	atomic_store(&api->stopping, true);
	if (api->statuses)
		vd_statuses_stop(api->statuses);
	if (api->socket_daemon) {
		MHD_stop_daemon(api->socket_daemon);
		unlink(api->options.socket_path);
	}
	if (api->tcp_daemon)
		MHD_stop_daemon(api->tcp_daemon);
	pthread_mutex_lock(&api->lock);
	while (api->feeders)
		pthread_cond_wait(&api->idle, &api->lock);
	pthread_mutex_unlock(&api->lock);
	if (api->replica)
		vd_replica_free(api->replica);
	vd_statuses_free(api->statuses);
	vd_watchers_free(api->watchers);
	vd_tokens_free(api->tokens);
	for (size_t i = 0; i < api->string_count; i++)
		free(api->strings[i]);
	free(api->tls_cert);
	free(api->tls_key);
	free(api->tls_ca);
	pthread_cond_destroy(&api->idle);
	pthread_mutex_destroy(&api->lock);
	free(api);
}
