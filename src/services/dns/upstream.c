/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/upstream.h"

#include "base/cleanup.h"
#include "services/dns/place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unbound.h>
#include <utlist.h>

/* Resolvers in instances wait five seconds: one that hears SERVFAIL before tries its next server, or again. */
#define ANSWER_MS 4500
#define SERVERS_MAX 8 /* of a list; those of resolv.conf beyond it are not asked */
/* Lists in use at the same time; each costs a thread and a cache. */
#define CONTEXTS_MAX 16

struct servers {
	struct vd_address items[SERVERS_MAX];
	size_t count;
};

struct question {
	struct question *prev, *next;
	struct context *context;
	int id;            /* libunbound's */
	uint64_t deadline; /* uv_now */
	vd_upstream_callback *callback;
	void *userdata;
	uint16_t type, class;
	char name[];
};

struct context {
	struct context *prev, *next;
	struct vd_upstreams *upstreams;
	struct servers servers;
	char *list;                           /* as text */
	bool is_own;                          /* the host's own */
	bool is_inside;                       /* asked in the router's namespace … */
	struct vd_address service4, service6; /* … with these */
	bool has_begun;                       /* libunbound's thread is there */
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
	bool has_own;
	struct servers own;     /* what it said */
	struct vd_place *place; /* the router's namespace */
	struct vd_address service4, service6;
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

/* ---- ways ---- */

/* What the server can be asked with through the VPC; family none: nothing. What is on the host itself, or on its link, is the host's. */
static const struct vd_address *source_of(const struct vd_upstreams *upstreams, const struct vd_address *server)
{
	static const struct vd_address none;

	if (!vd_address_is_unicast(server))
		return &none;
	return server->family == VD_FAMILY_IPV4 ? &upstreams->service4 : &upstreams->service6;
}

/* Whom to ask through the VPC; none of them: the whole list is asked from the host. */
static void inside_servers(const struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count,
			   struct servers *ret)
{
	ret->count = 0;
	for (size_t i = 0; i < count && i < SERVERS_MAX; i++)
		if (source_of(upstreams, &servers[i])->family != VD_FAMILY_NONE)
			ret->items[ret->count++] = servers[i];
}

bool vd_upstreams_are_inside(const struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count)
{
	struct servers inside;

	inside_servers(upstreams, servers, count, &inside);
	return inside.count > 0;
}

/* ---- questions ---- */

static void resolved(void *userdata, int error, struct ub_result *result);

struct beginning {
	struct question *question;
	int result;
};

static void question_begin(void *userdata)
{
	struct beginning *beginning = userdata;
	struct question *question = beginning->question;

	beginning->result = ub_resolve_async(question->context->unbound, question->name, question->type, question->class, question,
					     resolved, &question->id);
}

/* With the first question libunbound makes its thread, which opens all its sockets. 0, -ENOMEM or -EIO. */
static int question_ask(struct question *question)
{
	struct context *context = question->context;
	struct beginning beginning = {.question = question};

	if (context->is_inside && !context->has_begun)
		vd_place_run(context->upstreams->place, question_begin, &beginning);
	else
		question_begin(&beginning);
	if (beginning.result != 0)
		return beginning.result == UB_NOMEM ? -ENOMEM : -EIO;
	context->has_begun = true;
	DL_APPEND(context->questions, question);
	return 0;
}

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

static int source_set(struct ub_ctx *unbound, const struct vd_address *source)
{
	char text[VD_ADDRESS_TEXT];

	return source->family == VD_FAMILY_NONE
		       ? 0
		       : ub_ctx_set_option(unbound, "outgoing-interface:", vd_address_format(source, text));
}

static int unbound_configure(const struct context *context, const struct servers *asked)
{
	struct ub_ctx *unbound = context->unbound;
	char text[VD_ADDRESS_TEXT];
	int r = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && r == 0; i++)
		r = ub_ctx_set_option(unbound, options[i].name, options[i].value);
	if (r == 0 && context->is_inside)
		r = source_set(unbound, &context->service4);
	if (r == 0 && context->is_inside)
		r = source_set(unbound, &context->service6);
	for (size_t i = 0; i < asked->count && r == 0; i++)
		r = ub_ctx_set_fwd(unbound, vd_address_format(&asked->items[i], text));
	if (r == 0)
		r = ub_ctx_async(unbound, 1);
	/* What it takes for nobody's is somebody's in a private network. */
	if (r == 0)
		r = ub_ctx_zone_remove(unbound, "test.");
	if (r == 0)
		r = ub_ctx_zone_remove(unbound, "home.arpa.");
	return r == 0 ? 0 : r == UB_NOMEM ? -ENOMEM : -EIO;
}

static int context_new(struct vd_upstreams *upstreams, const struct servers *servers, bool is_own, struct context **ret)
{
	struct context *context = calloc(1, sizeof(*context));
	struct servers inside = {};
	int r = -ENOMEM;

	if (!context)
		return -ENOMEM;
	if (!is_own)
		inside_servers(upstreams, servers->items, servers->count, &inside);
	context->upstreams = upstreams;
	context->servers = *servers;
	context->is_own = is_own;
	context->is_inside = inside.count > 0;
	context->service4 = upstreams->service4;
	context->service6 = upstreams->service6;
	context->list = vd_upstreams_list(servers->items, servers->count);
	context->unbound = ub_ctx_create();
	if (context->list && context->unbound)
		r = unbound_configure(context, context->is_inside ? &inside : servers);
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

static bool servers_equal(const struct servers *a, const struct servers *b)
{
	bool equal = a->count == b->count;

	for (size_t i = 0; equal && i < a->count; i++)
		equal = vd_address_equal(&a->items[i], &b->items[i]);
	return equal;
}

static int context_get(struct vd_upstreams *upstreams, const struct servers *servers, bool is_own, struct context **ret)
{
	struct context *context;
	int r;

	DL_FOREACH (upstreams->contexts, context)
		if (context->is_own == is_own && servers_equal(&context->servers, servers))
			break;
	if (context) {
		*ret = context;
		return 0;
	}
	r = context_make_room(upstreams);
	return r < 0 ? r : context_new(upstreams, servers, is_own, ret);
}

/* Made for another way than that of today. */
static bool is_stale(const struct context *context)
{
	const struct vd_upstreams *upstreams = context->upstreams;

	if (vd_address_equal(&upstreams->service4, &context->service4) &&
	    vd_address_equal(&upstreams->service6, &context->service6))
		return false;
	return context->is_inside ||
	       (!context->is_own && vd_upstreams_are_inside(upstreams, context->servers.items, context->servers.count));
}

/* Another one in its place, whose way is what it is now. What waits is asked again: nobody may ever answer the old way. */
static void context_renew(struct context *context)
{
	struct question *question, *next;
	struct context *renewed = NULL;
	int r = context_new(context->upstreams, &context->servers, context->is_own, &renewed);

	DL_FOREACH_SAFE (context->questions, question, next) {
		if (r < 0)
			break;
		ub_cancel(context->unbound, question->id);
		DL_DELETE(context->questions, question);
		question->context = renewed;
		if (question_ask(question) < 0) {
			question->callback(NULL, 0, question->userdata);
			free(question);
		}
	}
	context_free(context);
	if (renewed)
		timer_set(renewed);
}

/* ---- the host's own servers ---- */

static void resolv_conf_read(const char *path, struct servers *ret)
{
	VD_FCLOSE FILE *file = fopen(path, "re");
	char line[512], text[VD_ADDRESS_TEXT];

	ret->count = 0;
	while (file && ret->count < SERVERS_MAX && fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %45s", text) == 1 && vd_address_parse(text, &ret->items[ret->count]) == 0)
			ret->count++;
}

/* Looked at once a second at most. */
static void own_look(struct vd_upstreams *upstreams)
{
	uint64_t now = uv_now(upstreams->loop);
	struct stat status = {};

	if (upstreams->has_own && now < upstreams->checked + 1000)
		return;
	upstreams->checked = now;
	if (stat(upstreams->resolv_conf, &status) == 0 && upstreams->has_own &&
	    memcmp(&status.st_mtim, &upstreams->modified, sizeof(status.st_mtim)) == 0)
		return;
	upstreams->modified = status.st_mtim;
	upstreams->has_own = true;
	resolv_conf_read(upstreams->resolv_conf, &upstreams->own);
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

int vd_upstreams_new(uv_loop_t *loop, const char *resolv_conf, int netns, struct vd_upstreams **ret)
{
	struct vd_upstreams *upstreams = calloc(1, sizeof(*upstreams));
	int r = -ENOMEM;

	if (!upstreams)
		return -ENOMEM;
	upstreams->loop = loop;
	upstreams->resolv_conf = strdup(resolv_conf);
	if (upstreams->resolv_conf)
		r = vd_place_new(netns, &upstreams->place);
	if (r < 0) {
		vd_upstreams_free(upstreams);
		return r;
	}
	*ret = upstreams;
	return 0;
}

void vd_upstreams_free(struct vd_upstreams *upstreams)
{
	if (!upstreams)
		return;
	while (upstreams->contexts)
		context_free(upstreams->contexts);
	vd_place_free(upstreams->place);
	free(upstreams->resolv_conf);
	free(upstreams);
}

void vd_upstreams_lead(struct vd_upstreams *upstreams, const struct vd_address *service4, const struct vd_address *service6)
{
	struct context *context, *next;

	upstreams->service4 = *service4;
	upstreams->service6 = *service6;
	DL_FOREACH_SAFE (upstreams->contexts, context, next)
		if (is_stale(context))
			context_renew(context);
}

static int context_of(struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count, struct context **ret)
{
	struct servers given = {.count = count < SERVERS_MAX ? count : SERVERS_MAX};

	if (count > 0) {
		memcpy(given.items, servers, given.count * sizeof(*servers));
		return context_get(upstreams, &given, false, ret);
	}
	own_look(upstreams);
	return upstreams->own.count > 0 ? context_get(upstreams, &upstreams->own, true, ret) : -ENOENT;
}

int vd_upstreams_ask(struct vd_upstreams *upstreams, const struct vd_address *servers, size_t count, const char *name,
		     uint16_t type, uint16_t class, vd_upstream_callback *callback, void *userdata)
{
	VD_FREE struct question *question = calloc(1, sizeof(*question) + strlen(name) + 1);
	struct context *context = NULL;
	int r = question ? context_of(upstreams, servers, count, &context) : -ENOMEM;

	if (r < 0)
		return r;
	question->context = context;
	question->deadline = uv_now(upstreams->loop) + ANSWER_MS;
	question->callback = callback;
	question->userdata = userdata;
	question->type = type;
	question->class = class;
	strcpy(question->name, name);
	r = question_ask(question);
	if (r < 0)
		return r;
	if (VD_TAKE(question) == context->questions)
		timer_set(context);
	return context->is_inside;
}

void vd_upstreams_sweep(struct vd_upstreams *upstreams, bool (*is_wanted)(const char *list, void *userdata), void *userdata)
{
	struct context *context, *next;

	DL_FOREACH_SAFE (upstreams->contexts, context, next)
		if (context->is_own ? !servers_equal(&context->servers, &upstreams->own) : !is_wanted(context->list, userdata))
			context_free(context);
}

size_t vd_upstreams_count(const struct vd_upstreams *upstreams)
{
	struct context *context;
	size_t count;

	DL_COUNT(upstreams->contexts, context, count);
	return count;
}
