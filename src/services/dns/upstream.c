/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/upstream.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unbound.h>
#include <utlist.h>

/* Resolvers in instances wait five seconds: one that hears SERVFAIL before tries its next server, or again. */
#define ANSWER_MS 4500
#define RESOLV_CONF_SERVERS 8
/* Lists in use at the same time; each costs a thread and a cache. */
#define CONTEXTS_MAX 16

struct question {
	struct question *prev, *next;
	struct context *context;
	int id;            /* libunbound's */
	uint64_t deadline; /* uv_now */
	vd_upstream_callback *callback;
	void *userdata;
};

struct context {
	struct context *prev, *next;
	struct vd_upstreams *upstreams;
	char *list;
	struct ub_ctx *unbound;
	uv_poll_t poll;
	uv_timer_t timer;
	struct question *questions; /* the oldest first: all have the same time */
	int handles;                /* not closed yet */
};

struct vd_upstreams {
	uv_loop_t *loop;
	char *resolv_conf;
	struct timespec modified; /* of resolv_conf, when it was read */
	uint64_t checked;         /* uv_now, when that was looked at last */
	char *own_list;           /* what it said */
	struct context *contexts;
};

/* Values for a forwarder of one VPC on one host: small caches, and no opinion on which names exist. */
static const struct {
	const char *name, *value;
} options[] = {
	{"module-config:", "iterator"},    /* signatures are passed on; whoever wants to can validate */
	{"do-not-query-localhost:", "no"}, /* systemd-resolved and dnsmasq listen there */
	{"unblock-lan-zones:", "yes"},
	{"insecure-lan-zones:", "yes"},
	{"qname-minimisation:", "no"},
	{"msg-cache-size:", "2m"},
	{"rrset-cache-size:", "4m"},
	{"msg-cache-slabs:", "1"},
	{"rrset-cache-slabs:", "1"},
	{"infra-cache-slabs:", "1"},
	{"outgoing-range:", "512"},
	{"num-queries-per-thread:", "1024"},
	/* A server that was dead is tried again soon. */
	{"infra-host-ttl:", "60"},
	{"infra-keep-probing:", "yes"},
};

/* ---- answers ---- */

/* Takes the question out before it is answered: the callback may ask again. */
static void question_answer(struct question *question, const void *data, size_t size)
{
	DL_DELETE(question->context->questions, question);
	question->callback(data, size, question->userdata);
	free(question);
}

static void resolved(void *userdata, int error, struct ub_result *result)
{
	struct question *question = userdata;

	if (error == 0 && result && result->answer_packet && result->answer_len > 0)
		question_answer(question, result->answer_packet, (size_t)result->answer_len);
	else
		question_answer(question, NULL, 0);
	ub_resolve_free(result);
}

static void timer_set(struct context *context);

static void deadline_passed(uv_timer_t *timer)
{
	struct context *context = timer->data;
	uint64_t now = uv_now(timer->loop);

	while (context->questions && context->questions->deadline <= now) {
		/* libunbound goes on for its cache: the next time the answer may be there. */
		ub_cancel(context->unbound, context->questions->id);
		question_answer(context->questions, NULL, 0);
	}
	timer_set(context);
}

static void timer_set(struct context *context)
{
	uint64_t now = uv_now(context->timer.loop);

	if (!context->questions)
		uv_timer_stop(&context->timer);
	else
		uv_timer_start(&context->timer, deadline_passed,
			       context->questions->deadline > now ? context->questions->deadline - now : 0, 0);
}

static void results_readable(uv_poll_t *poll, int status, int events)
{
	struct context *context = poll->data;

	ub_process(context->unbound);
	timer_set(context);
}

/* ---- contexts ---- */

static void context_closed(uv_handle_t *handle)
{
	struct context *context = handle->data;

	if (--context->handles > 0)
		return;
	free(context->list);
	free(context);
}

static void context_free(struct context *context)
{
	while (context->questions) {
		ub_cancel(context->unbound, context->questions->id);
		question_answer(context->questions, NULL, 0);
	}
	DL_DELETE(context->upstreams->contexts, context);
	/* Before its descriptor is closed with the context. */
	uv_poll_stop(&context->poll);
	ub_ctx_delete(context->unbound);
	uv_close((uv_handle_t *)&context->poll, context_closed);
	uv_close((uv_handle_t *)&context->timer, context_closed);
}

static int unbound_configure(struct ub_ctx *unbound, const char *list)
{
	VD_FREE char *copy = strdup(list);
	char *rest = copy, *server;
	int r = copy ? 0 : UB_NOMEM;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && r == 0; i++)
		r = ub_ctx_set_option(unbound, options[i].name, options[i].value);
	while (r == 0 && (server = strsep(&rest, ",")))
		r = ub_ctx_set_fwd(unbound, server);
	if (r == 0)
		r = ub_ctx_async(unbound, 1);
	/* What it takes for nobody's is somebody's in a private network. */
	if (r == 0)
		r = ub_ctx_zone_remove(unbound, "test.");
	if (r == 0)
		r = ub_ctx_zone_remove(unbound, "home.arpa.");
	return r == 0 ? 0 : r == UB_NOMEM ? -ENOMEM : -EIO;
}

static int context_new(struct vd_upstreams *upstreams, const char *list, struct context **ret)
{
	struct context *context = calloc(1, sizeof(*context));
	int r = -ENOMEM;

	if (!context)
		return -ENOMEM;
	context->upstreams = upstreams;
	context->list = strdup(list);
	context->unbound = ub_ctx_create();
	if (context->list && context->unbound)
		r = unbound_configure(context->unbound, list);
	if (r == 0)
		r = uv_poll_init(upstreams->loop, &context->poll, ub_fd(context->unbound));
	if (r < 0) {
		if (context->unbound)
			ub_ctx_delete(context->unbound);
		free(context->list);
		free(context);
		return r;
	}
	uv_timer_init(upstreams->loop, &context->timer);
	context->handles = 2;
	context->poll.data = context->timer.data = context;
	uv_poll_start(&context->poll, UV_READABLE, results_readable);
	DL_APPEND(upstreams->contexts, context);
	*ret = context;
	return 0;
}

/* The longest unused one makes room; one that is in use does not. */
static int context_make_room(struct vd_upstreams *upstreams)
{
	struct context *context;

	if (vd_upstreams_count(upstreams) < CONTEXTS_MAX)
		return 0;
	DL_FOREACH (upstreams->contexts, context)
		if (!context->questions)
			break;
	if (!context)
		return -EBUSY;
	context_free(context);
	return 0;
}

static int context_get(struct vd_upstreams *upstreams, const char *list, struct context **ret)
{
	struct context *context;
	int r;

	DL_FOREACH (upstreams->contexts, context)
		if (strcmp(context->list, list) == 0)
			break;
	if (context) {
		*ret = context;
		return 0;
	}
	r = context_make_room(upstreams);
	return r < 0 ? r : context_new(upstreams, list, ret);
}

/* ---- the host's own servers ---- */

static size_t resolv_conf_read(const char *path, struct vd_address servers[RESOLV_CONF_SERVERS])
{
	VD_FCLOSE FILE *file = fopen(path, "re");
	char line[512], text[VD_ADDRESS_TEXT];
	size_t count = 0;

	while (file && count < RESOLV_CONF_SERVERS && fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %45s", text) == 1 && vd_address_parse(text, &servers[count]) == 0)
			count++;
	return count;
}

/* Looked at once a second at most. */
static const char *own_list(struct vd_upstreams *upstreams)
{
	struct vd_address servers[RESOLV_CONF_SERVERS];
	uint64_t now = uv_now(upstreams->loop);
	struct stat status = {};

	if (upstreams->own_list && now < upstreams->checked + 1000)
		return upstreams->own_list;
	upstreams->checked = now;
	if (stat(upstreams->resolv_conf, &status) == 0 && upstreams->own_list &&
	    memcmp(&status.st_mtim, &upstreams->modified, sizeof(status.st_mtim)) == 0)
		return upstreams->own_list;
	upstreams->modified = status.st_mtim;
	free(upstreams->own_list);
	upstreams->own_list = vd_upstreams_list(servers, resolv_conf_read(upstreams->resolv_conf, servers));
	return upstreams->own_list;
}

/* ---- what others see ---- */

char *vd_upstreams_list(const struct vd_address *servers, size_t count)
{
	char *list = calloc(count + 1, VD_ADDRESS_TEXT + 1), text[VD_ADDRESS_TEXT];

	for (size_t i = 0; list && i < count; i++) {
		if (i > 0)
			strcat(list, ",");
		strcat(list, vd_address_format(&servers[i], text));
	}
	return list;
}

struct vd_upstreams *vd_upstreams_new(uv_loop_t *loop, const char *resolv_conf)
{
	struct vd_upstreams *upstreams = calloc(1, sizeof(*upstreams));

	if (!upstreams)
		return NULL;
	upstreams->loop = loop;
	upstreams->resolv_conf = strdup(resolv_conf);
	if (!upstreams->resolv_conf) {
		free(upstreams);
		return NULL;
	}
	return upstreams;
}

void vd_upstreams_free(struct vd_upstreams *upstreams)
{
	if (!upstreams)
		return;
	while (upstreams->contexts)
		context_free(upstreams->contexts);
	free(upstreams->own_list);
	free(upstreams->resolv_conf);
	free(upstreams);
}

int vd_upstreams_ask(struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count, const char *name,
		     uint16_t type, uint16_t class, vd_upstream_callback *callback, void *userdata)
{
	VD_FREE char *given = count > 0 ? vd_upstreams_list(servers, count) : NULL;
	const char *list = count > 0 ? given : own_list(upstreams);
	VD_FREE struct question *question = calloc(1, sizeof(*question));
	struct context *context = NULL;
	int r;

	if (!list || !question)
		return -ENOMEM;
	if (!list[0])
		return -ENOENT;
	r = context_get(upstreams, list, &context);
	if (r < 0)
		return r;
	*question = (struct question){
		.context = context,
		.deadline = uv_now(upstreams->loop) + ANSWER_MS,
		.callback = callback,
		.userdata = userdata,
	};
	r = ub_resolve_async(context->unbound, name, type, class, question, resolved, &question->id);
	if (r != 0)
		return r == UB_NOMEM ? -ENOMEM : -EIO;
	DL_APPEND(context->questions, question);
	if (VD_TAKE(question) == context->questions)
		timer_set(context);
	return 0;
}

void vd_upstreams_sweep(struct vd_upstreams *upstreams, bool (*is_wanted)(const char *list, void *userdata), void *userdata)
{
	struct context *context, *next;

	DL_FOREACH_SAFE (upstreams->contexts, context, next)
		if ((!upstreams->own_list || strcmp(context->list, upstreams->own_list) != 0) &&
		    !is_wanted(context->list, userdata))
			context_free(context);
}

size_t vd_upstreams_count(const struct vd_upstreams *upstreams)
{
	struct context *context;
	size_t count;

	DL_COUNT(upstreams->contexts, context, count);
	return count;
}
