/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of the routers: one for each VPC that is present here. Each is taken over or started, told everything once, then what
 * changes. What it must know is remembered here as lines, so that one that starts anew can be told without asking store or plan.
 */
#include "agent/private.h"
#include "agent/router_process.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <uthash.h>

#define CONNECT_MS 50        /* until a process that starts listens */
#define RESTART_FIRST_MS 100 /* after one that ended; doubles */
#define RESTART_LAST_MS 5000
#define STABLE_MS 10000 /* one that lived so long is started again at once */
#define STATUS_MS 5000
#define LINE_SIZE 65536
#define STATUS_QUESTION "{\"op\":\"status\"}\n"

struct record {
	char *key, *line;
	UT_hash_handle hh;
};

/* A connection to a process. Its end may outlive the router that it was for. */
struct link {
	uv_pipe_t pipe;
	uv_connect_t connect;
	struct vd_agent_router *router; /* NULL: given up */
	size_t filled;
	char buffer[LINE_SIZE];
};

enum stage {
	STAGE_AWAY,  /* no connection */
	STAGE_ASKED, /* who are you? */
	STAGE_FED,   /* everything was sent */
	STAGE_UP,    /* and obeyed */
};

struct vd_agent_router {
	uint32_t domain;
	struct vd_agent *agent;
	char name[VD_PLAN_NAME_SIZE], project[VD_PLAN_NAME_SIZE];
	uint32_t cpu_milli;
	uint64_t memory;
	char socket_path[VD_ROUTER_SOCKET_SIZE];
	struct record *records;
	enum stage stage;
	struct link *link;
	uv_process_t *process; /* one that we started and that has not ended */
	uv_timer_t *timer;
	pid_t pid;
	uint64_t since; /* uv_now, of the connection */
	unsigned failures;
	json_t *status; /* what it said last */
	UT_hash_handle hh;
};

static void router_connect(struct vd_agent_router *router);

/* Tags of two daemons on one machine differ, also when their hosts have one name (laboratories). */
static void tag_write(const struct vd_agent_options *options, const struct vd_identity_of_host *identity, char ret[128])
{
	snprintf(ret, 128, "%s-%.8s", options->host, identity->run_id);
}

/* ---- lines ---- */

struct writing {
	uv_write_t request;
	char *text;
};

static void written(uv_write_t *request, int status)
{
	struct writing *writing = request->data;

	free(writing->text);
	free(writing);
}

/* Takes text over. What cannot be written ends the connection, and a new one is told everything. */
static void text_send(struct vd_agent_router *router, char *text)
{
	struct writing *writing = text ? calloc(1, sizeof(*writing)) : NULL;
	uv_buf_t buffer;

	if (!writing) {
		free(text);
		return;
	}
	writing->text = text;
	writing->request.data = writing;
	buffer = uv_buf_init(text, (unsigned)strlen(text));
	if (uv_write(&writing->request, (uv_stream_t *)&router->link->pipe, &buffer, 1, written) < 0) {
		free(text);
		free(writing);
	}
}

static void everything_send(struct vd_agent_router *router)
{
	struct record *record, *next;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	fputs("{\"op\":\"begin\"}\n", file);
	HASH_ITER (hh, router->records, record, next)
		fprintf(file, "%s\n", record->line);
	fputs("{\"op\":\"commit\"}\n", file);
	fclose(file);
	router->stage = STAGE_FED;
	text_send(router, text);
}

/* ---- a connection ---- */

static void link_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void timer_due(uv_timer_t *timer)
{
	struct vd_agent_router *router = timer->data;

	if (!router->link)
		router_connect(router);
	else if (router->stage == STAGE_UP)
		text_send(router, strdup(STATUS_QUESTION));
}

static void link_end(struct vd_agent_router *router)
{
	struct link *link = router->link;

	if (!link)
		return;
	router->link = NULL;
	router->stage = STAGE_AWAY;
	router->pid = 0;
	link->router = NULL;
	uv_close((uv_handle_t *)&link->pipe, link_closed);
}

static void restart_later(struct vd_agent_router *router)
{
	uint64_t delay = RESTART_FIRST_MS << (router->failures < 6 ? router->failures : 6);

	uv_timer_start(router->timer, timer_due, delay < RESTART_LAST_MS ? delay : RESTART_LAST_MS, 0);
}

/* The process is gone, or does not say what it should. */
static void link_lost(struct vd_agent_router *router)
{
	bool was_stable = router->stage == STAGE_UP && uv_now(&router->agent->loop) - router->since > STABLE_MS;

	link_end(router);
	router->failures = was_stable ? 0 : router->failures + 1;
	restart_later(router);
}

/* It is ours and of our version: it gets its limits and its records. */
static void router_adopt(struct vd_agent_router *router)
{
	struct vd_error error = {};
	char tag[128];

	tag_write(&router->agent->options, &router->agent->identity, tag);
	if (vd_host_cgroup_ensure(tag, router->domain, router->cpu_milli, router->memory, router->pid, &error) < 0)
		vd_log_warning("%s", error.text);
	everything_send(router);
}

static void answer_take(struct vd_agent_router *router, json_t *answer)
{
	const char *version = json_string_value(json_object_get(answer, "version"));
	const char *refusal = json_string_value(json_object_get(answer, "error"));

	if (refusal) {
		vd_log_warning("router of VPC %s: %s", router->name, refusal);
	} else if (router->stage == STAGE_ASKED) {
		if (version && strcmp(version, VD_VERSION) == 0) {
			router_adopt(router);
			return;
		}
		vd_log_info("router of VPC %s: version %s is replaced", router->name, version ? version : "unknown");
		if (router->pid > 0)
			kill(router->pid, SIGKILL);
		link_lost(router);
	} else if (json_object_get(answer, "dns")) {
		json_decref(router->status);
		router->status = json_incref(answer);
	} else if (router->stage == STAGE_FED) {
		router->stage = STAGE_UP;
		text_send(router, strdup(STATUS_QUESTION));
		uv_timer_start(router->timer, timer_due, STATUS_MS, STATUS_MS);
	}
}

static void lines_take(struct link *link)
{
	size_t at = 0;
	char *end;

	while (link->router && (end = memchr(link->buffer + at, '\n', link->filled - at))) {
		json_t *answer = json_loadb(link->buffer + at, (size_t)(end - (link->buffer + at)), 0, NULL);

		if (answer)
			answer_take(link->router, answer);
		json_decref(answer);
		at = (size_t)(end - link->buffer) + 1;
	}
	memmove(link->buffer, link->buffer + at, link->filled - at);
	link->filled -= at;
}

static void buffer_get(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct link *link = handle->data;

	*ret = uv_buf_init(link->buffer + link->filled, (unsigned)(sizeof(link->buffer) - link->filled));
}

static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct link *link = stream->data;

	if (!link->router)
		return;
	if (size < 0) {
		link_lost(link->router);
		return;
	}
	link->filled += (size_t)size;
	lines_take(link);
}

/* ---- from nothing to a connection ---- */

static void process_closed(uv_handle_t *handle)
{
	free(handle);
}

static void process_ended(uv_process_t *process, int64_t status, int number)
{
	struct vd_agent_router *router = process->data;

	if (router) {
		vd_log_warning("router of VPC %s: its process ended (%s %d), starting it again", router->name,
			       number ? "signal" : "status", number ? number : (int)status);
		router->process = NULL;
	}
	uv_close((uv_handle_t *)process, process_closed);
}

static void router_start(struct vd_agent_router *router)
{
	struct vd_agent *agent = router->agent;
	struct vd_error error = {};

	if (vd_router_process_start(&agent->loop, agent->options.run_directory, router->domain, router->socket_path, process_ended,
				    router, &router->process, &error) < 0) {
		/* Once: it will be as it is for as long as nobody installs it. */
		if (router->failures == 0)
			vd_log_error("router of VPC %s: %s", router->name, error.text);
		router->failures++;
		restart_later(router);
		return;
	}
	uv_timer_start(router->timer, timer_due, CONNECT_MS, 0);
}

static void connected(uv_connect_t *request, int status)
{
	struct link *link = request->data;
	struct vd_agent_router *router = link->router;
	uv_os_fd_t fd = -1;

	if (!router)
		return;
	if (status < 0) {
		link_end(router);
		if (router->process)
			uv_timer_start(router->timer, timer_due, CONNECT_MS, 0);
		else
			router_start(router);
		return;
	}
	uv_timer_stop(router->timer);
	uv_fileno((uv_handle_t *)&link->pipe, &fd);
	router->pid = vd_router_socket_peer(fd);
	router->since = uv_now(&router->agent->loop);
	router->stage = STAGE_ASKED;
	uv_read_start((uv_stream_t *)&link->pipe, buffer_get, received);
	text_send(router, strdup(STATUS_QUESTION));
}

static void router_connect(struct vd_agent_router *router)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link) {
		restart_later(router);
		return;
	}
	link->router = router;
	link->connect.data = link->pipe.data = link;
	uv_pipe_init(&router->agent->loop, &link->pipe, 0);
	router->link = link;
	uv_pipe_connect(&link->connect, &link->pipe, router->socket_path, connected);
}

/* ---- what apply asks ---- */

static struct vd_agent_router *router_find(const struct vd_agent *agent, uint32_t domain)
{
	struct vd_agent_router *router;

	HASH_FIND(hh, agent->routers, &domain, sizeof(domain), router);
	return router;
}

static void limits_follow(struct vd_agent_router *router, const struct vd_router_job *job)
{
	bool changed = router->cpu_milli != job->cpu_milli || router->memory != job->memory;
	struct vd_error error = {};
	char tag[128];

	router->cpu_milli = job->cpu_milli;
	router->memory = job->memory;
	tag_write(&router->agent->options, &router->agent->identity, tag);
	if (changed && router->pid > 0 &&
	    vd_host_cgroup_ensure(tag, router->domain, router->cpu_milli, router->memory, router->pid, &error) < 0)
		vd_log_warning("%s", error.text);
}

void vd_agent_router_want(struct vd_agent *agent, const struct vd_router_job *job)
{
	struct vd_agent_router *router = router_find(agent, job->domain);
	struct vd_error error = {};

	if (router) {
		limits_follow(router, job);
		return;
	}
	router = calloc(1, sizeof(*router));
	if (router)
		router->timer = calloc(1, sizeof(*router->timer));
	if (!router || !router->timer ||
	    vd_router_socket_path(agent->options.run_directory, job->domain, router->socket_path, &error) < 0) {
		vd_log_error("router of VPC %s: %s", job->name, error.text[0] ? error.text : "out of memory");
		if (router)
			free(router->timer);
		free(router);
		return;
	}
	router->domain = job->domain;
	router->agent = agent;
	router->cpu_milli = job->cpu_milli;
	router->memory = job->memory;
	memcpy(router->name, job->name, sizeof(router->name));
	memcpy(router->project, job->project, sizeof(router->project));
	uv_timer_init(&agent->loop, router->timer);
	router->timer->data = router;
	HASH_ADD(hh, agent->routers, domain, sizeof(router->domain), router);
	/* With the loop's next turn: by then its records have come. */
	uv_timer_start(router->timer, timer_due, 0, 0);
}

static void record_free(struct vd_agent_router *router, struct record *record)
{
	HASH_DEL(router->records, record);
	free(record->key);
	free(record->line);
	free(record);
}

void vd_agent_router_feed(struct vd_agent *agent, const struct vd_feed *feed)
{
	struct vd_agent_router *router = router_find(agent, feed->domain);
	struct record *record;
	VD_FREE char *line = NULL;

	if (!router)
		return;
	HASH_FIND_STR(router->records, feed->key, record);
	if (feed->remove ? !record : record && strcmp(record->line, feed->line) == 0)
		return;
	if (record)
		record_free(router, record);
	record = feed->remove ? NULL : calloc(1, sizeof(*record));
	if (record) {
		record->key = strdup(feed->key);
		record->line = strdup(feed->line);
		HASH_ADD_KEYPTR(hh, router->records, record->key, strlen(record->key), record);
	}
	/* How it asks name servers is part of its status, and follows from these. */
	if (router->stage >= STAGE_FED &&
	    asprintf(&line, "%s\n%s", feed->line,
		     strncmp(feed->key, "router", 6) == 0 || strncmp(feed->key, "subnet", 6) == 0 ? STATUS_QUESTION : "") > 0)
		text_send(router, VD_TAKE(line));
}

/* ---- the end ---- */

static void timer_closed(uv_handle_t *handle)
{
	free(handle);
}

/* The process, if there is one, goes on. */
static void router_free(struct vd_agent_router *router)
{
	struct record *record, *next;

	HASH_DEL(router->agent->routers, router);
	link_end(router);
	if (router->process)
		router->process->data = NULL;
	uv_close((uv_handle_t *)router->timer, timer_closed);
	HASH_ITER (hh, router->records, record, next)
		record_free(router, record);
	json_decref(router->status);
	free(router);
}

static void process_end(const struct vd_agent_options *options, const struct vd_identity_of_host *identity, uint32_t domain,
			const char *socket_path)
{
	struct vd_error error = {};
	char tag[128];

	tag_write(options, identity, tag);
	vd_router_socket_kill(socket_path);
	vd_router_socket_remove(socket_path);
	if (vd_host_cgroup_remove(tag, domain, &error) < 0)
		vd_log_warning("%s", error.text);
}

void vd_agent_router_end(struct vd_agent *agent, uint32_t domain)
{
	struct vd_agent_router *router = router_find(agent, domain);
	char socket_path[VD_ROUTER_SOCKET_SIZE];
	struct vd_error error;

	if (router) {
		if (router->process)
			uv_process_kill(router->process, SIGKILL);
		router_free(router);
	}
	if (vd_router_socket_path(agent->options.run_directory, domain, socket_path, &error) == 0)
		process_end(&agent->options, &agent->identity, domain, socket_path);
}

static void socket_check(uint32_t domain, const char *socket_path, void *userdata)
{
	struct vd_agent *agent = userdata;

	if (!router_find(agent, domain))
		process_end(&agent->options, &agent->identity, domain, socket_path);
}

/* Of a process that died too slowly for process_end. */
static int group_check(uint32_t domain, void *userdata)
{
	struct vd_agent *agent = userdata;
	struct vd_error error = {};
	char tag[128];

	tag_write(&agent->options, &agent->identity, tag);
	if (!router_find(agent, domain) && vd_host_cgroup_remove(tag, domain, &error) < 0)
		vd_log_warning("%s", error.text);
	return 0;
}

void vd_agent_routers_sweep(struct vd_agent *agent)
{
	char tag[128];

	/* Before the first plan is in place nobody knows who is wanted. */
	if (agent->needs_sync)
		return;
	vd_router_sockets_each(agent->options.run_directory, socket_check, agent);
	tag_write(&agent->options, &agent->identity, tag);
	vd_host_cgroup_each(tag, group_check, agent);
}

static void process_handle_close(uv_handle_t *handle, void *userdata)
{
	if (handle->type == UV_PROCESS && !uv_is_closing(handle))
		uv_close(handle, process_closed);
}

void vd_agent_routers_leave(struct vd_agent *agent)
{
	struct vd_agent_router *router, *next;

	HASH_ITER (hh, agent->routers, router, next)
		router_free(router);
	uv_walk(&agent->loop, process_handle_close, NULL);
}

static void socket_purge(uint32_t domain, const char *socket_path, void *userdata)
{
	const struct vd_agent_options *options = userdata;

	process_end(options, options->identity, domain, socket_path);
}

int vd_agent_routers_purge(const struct vd_agent_options *options, struct vd_error *error)
{
	VD_FREE char *directory = NULL;
	char tag[128];

	vd_router_sockets_each(options->run_directory, socket_purge, (void *)options);
	if (asprintf(&directory, "%s/router", options->run_directory) > 0)
		rmdir(directory);
	tag_write(options, options->identity, tag);
	return vd_host_cgroup_purge(tag, error);
}

/* ---- what a person sees ---- */

static const char *stage_word(enum stage stage)
{
	switch (stage) {
	case STAGE_AWAY:
		return "away";
	case STAGE_ASKED:
	case STAGE_FED:
		return "starting";
	case STAGE_UP:
		return "up";
	}
	return "unknown";
}

json_t *vd_agent_routers_status(const struct vd_agent *agent)
{
	static const char *const parts[] = {"dhcp", "dns", "metadata"};
	struct vd_agent_router *router, *next;
	json_t *all = json_array();

	HASH_ITER (hh, agent->routers, router, next) {
		json_t *one = json_pack("{s:s, s:s, s:I, s:s}", "vpc", router->name, "project", router->project, "domain",
					(json_int_t)router->domain, "state", stage_word(router->stage));

		if (router->pid > 0)
			json_object_set_new(one, "pid", json_integer(router->pid));
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && router->status; i++)
			json_object_set(one, parts[i], json_object_get(router->status, parts[i]));
		json_array_append_new(all, one);
	}
	return all;
}
