/* SPDX-License-Identifier: Apache-2.0 */
#include "api/identity.h"
#include "api/peer.h"
#include "api/server.h"
#include "api/stream.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* What api knows of a verb of api/live.h: how it may be asked for, and which argument says the host. */
struct verb {
	const char *name;
	bool call, stream;
	const char *port; /* the argument that names a port, or a list of them: who asks is led to its host; NULL: none */
};

static const struct verb verbs[] = {
	{"attach", true, false, NULL},
	{"detach", true, false, "port"},
	{"status", true, false, NULL},
	{"drops", true, true, NULL},
	{"flows", true, true, "port"},
	{"trace", true, false, "from"},
	{"capture", false, true, "ports"},
	{"plan", true, false, NULL},
	{"guest", true, false, "port"},
	{"neighbours", true, false, NULL},
	{"container_add", true, false, NULL},
	{"container_reserve", true, false, NULL},
	{"container_release", true, false, NULL},
	{"container_check", true, false, NULL},
	{"container_delete", true, false, NULL},
	{"container_list", true, false, NULL},
	{"container_gc", true, false, NULL},
	{"container_lend", true, false, NULL},
};

#define CONTAINER_PREFIX "container_"

struct question {
	const struct verb *verb;
	json_t *arguments;
	char host[VD_NAME_SIZE]; /* whose daemon answers; "": ours */
};

static void question_cleanup(struct question *question)
{
	json_decref(question->arguments);
}

static int verb_find(const char *name, const struct verb **ret, struct vd_error *error)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name)) {
			*ret = &verbs[i];
			return 0;
		}
	return vd_error_set(error, -ENOENT, "there is no question \"%.40s\" to a host", name);
}

static enum MHD_Result argument_add(void *userdata, enum MHD_ValueKind kind, const char *key, const char *value)
{
	json_t *arguments = userdata, *list;

	if (!value || !strcmp(key, "stream"))
		return MHD_YES;
	if (strcmp(key, "ports") != 0) {
		json_object_set_new(arguments, key, json_string(value));
		return MHD_YES;
	}
	list = json_array();
	for (size_t size; *value; value += size, value += *value == ',') {
		size = strcspn(value, ",");
		json_array_append_new(list, json_stringn(value, size));
	}
	json_object_set_new(arguments, key, list);
	return MHD_YES;
}

/* Where the port is attached, into host; "" when it is here or nowhere. */
static int port_host(struct vd_api *api, const char *project, const char *port, char host[VD_NAME_SIZE])
{
	const struct vd_attachment *attachment;
	const struct vd_model *model;

	host[0] = '\0';
	model = vd_replica_lock(api->replica, NULL, NULL, NULL);
	attachment = (const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, project, port);
	if (attachment && strcmp(attachment->host, api->options.host) != 0)
		snprintf(host, VD_NAME_SIZE, "%s", attachment->host);
	vd_replica_unlock(api->replica);
	return 0;
}

/* Several ports must be of one host: their packets come from one place. */
static int ports_host(struct vd_api *api, const char *project, const json_t *ports, char host[VD_NAME_SIZE], struct vd_error *error)
{
	char other[VD_NAME_SIZE];
	const char *name;

	for (size_t i = 0; i < json_array_size(ports); i++) {
		name = json_string_value(json_array_get(ports, i));
		if (!name)
			return vd_error_set(error, -EINVAL, "ports: a port's name is text");
		port_host(api, project, name, i ? other : host);
		if (i && strcmp(other, host) != 0)
			return vd_error_set(error, -EINVAL,
					    "port %s is attached on %s, the first port on %s: name ports of one host", name,
					    other[0] ? other : api->options.host, host[0] ? host : api->options.host);
	}
	return 0;
}

static int question_host(const struct vd_request *request, struct question *question, struct vd_error *error)
{
	const char *given = json_string_value(json_object_get(question->arguments, "host"));
	const char *project = json_string_value(json_object_get(question->arguments, "project"));
	const json_t *port = question->verb->port ? json_object_get(question->arguments, question->verb->port) : NULL;
	int r = 0;

	if (!project)
		project = "default";
	if (given && !vd_identity_is_name(given))
		return vd_error_set(error, -EINVAL, "host: \"%.70s\" is no host's name", given);
	/* A trace that came through a tunnel is of the host that was asked, wherever the port is. */
	if (given)
		snprintf(question->host, sizeof(question->host), "%s", strcmp(given, request->api->options.host) != 0 ? given : "");
	else if (json_is_string(port) && !json_object_get(question->arguments, "tunnel"))
		r = port_host(request->api, project, json_string_value(port), question->host);
	else if (json_is_array(port))
		r = ports_host(request->api, project, port, question->host, error);
	if (!r && question->host[0] && vd_request_has_header(request, VD_PEER_HEADER))
		return vd_error_set(error, -ELOOP,
				    "host %s was asked by another host, but it is host %s that must answer: try again",
				    request->api->options.host, question->host);
	json_object_del(question->arguments, "host");
	return r;
}

/* The verb's arguments from body or query, and who answers. ret is to be cleaned up also on failure. */
static int question_fill(const struct vd_request *request, struct question *ret, struct vd_error *error)
{
	int r = 0;

	if (request->path->method == VD_METHOD_POST)
		r = vd_request_object(request, &ret->arguments, error);
	else
		ret->arguments = json_object();
	if (r)
		return r;
	if (request->path->method == VD_METHOD_GET)
		MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, argument_add, ret->arguments);
	return question_host(request, ret, error);
}

static int question_read(const struct vd_request *request, struct question *ret, struct vd_error *error)
{
	int r = verb_find(request->parameter[0], &ret->verb, error);

	return r ? r : question_fill(request, ret, error);
}

/*
 * A stream's maker runs on a thread of its own, for the connection's thread asks for pieces. It owns the feed together with the
 * request that waits for its first sign, so that a refusal still gets its status.
 */
struct feed {
	struct vd_api *api;
	struct question question;
	struct vd_queue *queue;
	bool events;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started, finished;
	unsigned references;
	int result;
	struct vd_error error;
};

static void feed_unref(struct feed *feed)
{
	bool last;

	pthread_mutex_lock(&feed->lock);
	last = --feed->references == 0;
	pthread_mutex_unlock(&feed->lock);
	if (!last)
		return;
	vd_queue_unref(feed->queue);
	question_cleanup(&feed->question);
	pthread_cond_destroy(&feed->changed);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

static bool feed_emit(const json_t *object, void *userdata)
{
	struct feed *feed = userdata;

	if (!feed->started) {
		pthread_mutex_lock(&feed->lock);
		feed->started = true;
		pthread_cond_signal(&feed->changed);
		pthread_mutex_unlock(&feed->lock);
	}
	if (atomic_load(&feed->api->stopping))
		return false;
	return vd_queue_push(feed->queue, object ? vd_stream_format(object, feed->events) : vd_stream_format_idle(feed->events)) ==
	       0;
}

static void *feed_run(void *userdata)
{
	struct feed *feed = userdata;
	const struct vd_live *live = &feed->api->options.live;
	struct vd_api *api = feed->api;
	struct vd_error error = {0};
	json_t *last;
	int r;

	if (feed->question.host[0])
		r = vd_peer_stream(api, feed->question.host, feed->question.verb->name, feed->question.arguments, feed_emit, feed,
				   &error);
	else
		r = live->stream(live->userdata, feed->question.verb->name, feed->question.arguments, feed_emit, feed, &error);
	if (r && feed->started) {
		last = json_pack("{s:s}", "error", error.text[0] ? error.text : strerror(-r));
		if (last)
			vd_queue_push(feed->queue, vd_stream_format(last, feed->events));
		json_decref(last);
	}
	vd_queue_end(feed->queue);
	pthread_mutex_lock(&feed->lock);
	feed->finished = true;
	feed->result = r;
	feed->error = error;
	pthread_cond_signal(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
	feed_unref(feed);
	pthread_mutex_lock(&api->lock);
	api->feeders--;
	pthread_cond_broadcast(&api->idle);
	pthread_mutex_unlock(&api->lock);
	return NULL;
}

static int feed_start(struct feed *feed, struct vd_error *error)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_mutex_lock(&feed->api->lock);
	feed->api->feeders++;
	pthread_mutex_unlock(&feed->api->lock);
	feed->references = 2;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, feed_run, feed);
	pthread_attr_destroy(&attributes);
	if (!r)
		return 0;
	feed->references = 1;
	pthread_mutex_lock(&feed->api->lock);
	feed->api->feeders--;
	pthread_mutex_unlock(&feed->api->lock);
	return vd_error_set(error, -r, "no thread for the stream: %s", strerror(r));
}

/* Takes the question over. */
static int feed_new(struct vd_request *request, struct question *question, struct feed **ret)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return -ENOMEM;
	feed->api = request->api;
	feed->question = *question;
	question->arguments = NULL;
	feed->events = vd_request_accepts(request, VD_STREAM_TYPE_EVENTS);
	feed->queue = vd_queue_new();
	feed->references = 1;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->changed, NULL);
	if (!feed->queue) {
		feed_unref(feed);
		return -ENOMEM;
	}
	*ret = feed;
	return 0;
}

static int feed_next(void *userdata, char **ret_text, unsigned timeout_ms)
{
	return vd_queue_next(userdata, ret_text, timeout_ms);
}

static void feed_release(void *userdata)
{
	vd_queue_abandon(userdata);
	vd_queue_unref(userdata);
}

/* Until it has begun, or ended. */
static int feed_wait(struct feed *feed, struct vd_error *error)
{
	int r = 0;

	pthread_mutex_lock(&feed->lock);
	while (!feed->started && !feed->finished)
		pthread_cond_wait(&feed->changed, &feed->lock);
	if (!feed->started && feed->result) {
		r = feed->result;
		*error = feed->error;
	}
	pthread_mutex_unlock(&feed->lock);
	return r;
}

static int question_stream(struct vd_request *request, struct question *question, struct vd_error *error)
{
	struct vd_stream_source source = {.next = feed_next, .release = feed_release};
	struct feed *feed;
	bool events;
	int r;

	if (!question->verb->stream)
		return vd_error_set(error, -EINVAL, "%s is no stream: ask by POST, without stream", question->verb->name);
	r = feed_new(request, question, &feed);
	if (r)
		return r;
	source.userdata = vd_queue_ref(feed->queue);
	events = feed->events;
	r = feed_start(feed, error);
	if (!r)
		r = feed_wait(feed, error);
	feed_unref(feed);
	if (r) {
		feed_release(source.userdata);
		return r;
	}
	return vd_request_reply_stream(request, events ? VD_STREAM_TYPE_EVENTS : VD_STREAM_TYPE_LINES, &source);
}

/* The order needs another host's consent: that one is asked, then the order is given again. */
static int question_lend(struct vd_request *request, struct question *question, json_t **reply, struct vd_error *error)
{
	const struct vd_live *live = &request->api->options.live;
	const json_t *lend = json_object_get(*reply, "lend");
	const char *host = json_string_value(json_object_get(lend, "host"));
	json_t *consent = NULL, *again = NULL;
	int r;

	r = vd_peer_call(request->api, host ? host : "", "container_lend", json_object_get(lend, "arguments"), &consent, error);
	json_decref(consent);
	if (r)
		return r;
	json_object_set_new(question->arguments, "lent", json_true());
	r = live->call(live->userdata, question->verb->name, question->arguments, &again, error);
	if (r)
		return r;
	json_decref(*reply);
	*reply = again;
	return 0;
}

static int question_call(struct vd_request *request, struct question *question, struct vd_error *error)
{
	json_t *reply = NULL;
	int r;

	request->has_code = !strncmp(question->verb->name, CONTAINER_PREFIX, strlen(CONTAINER_PREFIX));
	r = vd_peer_ask(request->api, question->host, question->verb->name, question->arguments, &reply, error);
	if (!r && json_object_get(reply, "lend"))
		r = question_lend(request, question, &reply, error);
	return r ? r : vd_request_reply(request, MHD_HTTP_OK, reply ? reply : json_object());
}

int vd_answer_live_call(struct vd_request *request, struct vd_error *error)
{
	VD_CLEANUP(question_cleanup) struct question question = {0};
	bool stream;
	int r;

	r = vd_request_flag(request, "stream", &stream, error);
	if (!r)
		r = question_read(request, &question, error);
	if (r)
		return r;
	if (stream || !question.verb->call)
		return question_stream(request, &question, error);
	return question_call(request, &question, error);
}

/* The container verbs by paths of their own: what CNI and Docker programs ask for. */
static int container_verb(const struct vd_request *request, const char *word, const struct verb **ret, struct vd_error *error)
{
	char name[64];

	if (snprintf(name, sizeof(name), CONTAINER_PREFIX "%s", word) >= (int)sizeof(name))
		return vd_error_set(error, -ENOENT, "there is no /v1/containers/%.40s", word);
	return verb_find(name, ret, error);
}

static int container_answer(struct vd_request *request, const char *word, struct vd_error *error)
{
	VD_CLEANUP(question_cleanup) struct question question = {0};
	int r;

	r = container_verb(request, word, &question.verb, error);
	if (!r)
		r = question_fill(request, &question, error);
	return r ? r : question_call(request, &question, error);
}

int vd_answer_containers(struct vd_request *request, struct vd_error *error)
{
	return container_answer(request, "list", error);
}

int vd_answer_container_call(struct vd_request *request, struct vd_error *error)
{
	return container_answer(request, request->parameter[0], error);
}

int vd_answer_live_stream(struct vd_request *request, struct vd_error *error)
{
	VD_CLEANUP(question_cleanup) struct question question = {0};
	int r;

	r = question_read(request, &question, error);
	return r ? r : question_stream(request, &question, error);
}
