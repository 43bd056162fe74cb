/* SPDX-License-Identifier: Apache-2.0 */
#include "services/router/router.h"

#include "base/cleanup.h"
#include "services/dhcp/dhcp_runner.h"
#include "services/dns/dns_runner.h"
#include "services/metadata/metadata_runner.h"
#include "services/router/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_MS 2000

struct vd_router_process {
	struct vd_router_process_options options;
	uv_loop_t loop;
	uv_signal_t terminate, interrupt;
	uv_timer_t watch;
	struct vd_router_state *state;
	struct vd_router_control *control;
	struct vd_dhcp_runner *dhcp;
	struct vd_dns_runner *dns;
	struct vd_metadata_runner *metadata;
	struct stat netns, socket; /* what they were when we came */
	int lock;
};

/* ---- what the control socket asks ---- */

static void status_add(json_t *answer, void *userdata)
{
	struct vd_router_process *process = userdata;

	json_object_set_new(answer, "dhcp", vd_dhcp_runner_counters(process->dhcp));
	json_object_set_new(answer, "dns", vd_dns_runner_counters(process->dns));
	json_object_set_new(answer, "metadata", vd_metadata_runner_counters(process->metadata));
}

static void state_changed(void *userdata)
{
	struct vd_router_process *process = userdata;

	vd_dhcp_runner_changed(process->dhcp);
	vd_dns_runner_changed(process->dns);
}

/* ---- the end ---- */

static void signalled(uv_signal_t *handle, int number)
{
	uv_stop(handle->loop);
}

/* What cannot be looked at (a directory that nobody may search) is taken for standing. */
static bool is_gone(const char *path, const struct stat *before)
{
	struct stat now;

	if (stat(path, &now) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return now.st_dev != before->st_dev || now.st_ino != before->st_ino;
}

/* The VPC has left this host, or somebody else has our place: whoever took it away may not have known of us. */
static void watch_due(uv_timer_t *timer)
{
	struct vd_router_process *process = timer->data;

	if (is_gone(process->options.netns_path, &process->netns) || is_gone(process->options.socket_path, &process->socket))
		uv_stop(timer->loop);
}

/* ---- the beginning ---- */

/* One process a socket: the lock goes with it, however it ends. */
static int lock_take(struct vd_router_process *process, struct vd_error *error)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s.lock", process->options.socket_path) >= (int)sizeof(path))
		return vd_error_set(error, -ENAMETOOLONG, "the path %s is too long", process->options.socket_path);
	process->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (process->lock < 0)
		return vd_error_set(error, -errno, "the lock %s cannot be opened: %m", path);
	if (flock(process->lock, LOCK_EX | LOCK_NB) < 0)
		return vd_error_set(error, -EBUSY, "another router serves %s", process->options.socket_path);
	return 0;
}

static int services_start(struct vd_router_process *process, struct vd_error *error)
{
	const struct vd_router_process_options *options = &process->options;
	int r;

	r = vd_dhcp_runner_new(&process->loop, process->state, options->netns_path, options->ifname, &process->dhcp, error);
	if (r == 0)
		r = vd_dns_runner_new(&process->loop, process->state, options->netns_path, options->resolv_conf, &process->dns,
				      error);
	if (r == 0)
		r = vd_metadata_runner_new(&process->loop, process->state, options->netns_path, &process->metadata, error);
	return r;
}

/* Last, so that who can connect finds everything at work. */
static int control_start(struct vd_router_process *process, struct vd_error *error)
{
	const struct vd_router_control_callbacks callbacks = {.status = status_add, .changed = state_changed, .userdata = process};
	int r = vd_router_control_new(&process->loop, process->state, process->options.socket_path, &callbacks, &process->control,
				      error);

	if (r < 0)
		return r;
	if (stat(process->options.socket_path, &process->socket) < 0)
		return vd_error_set(error, -errno, "the socket %s is gone: %m", process->options.socket_path);
	return 0;
}

int vd_router_process_new(const struct vd_router_process_options *options, struct vd_router_process **ret, struct vd_error *error)
{
	struct vd_router_process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return vd_error_set(error, -ENOMEM, "out of memory");
	process->options = *options;
	process->lock = -1;
	uv_loop_init(&process->loop);
	uv_signal_init(&process->loop, &process->terminate);
	uv_signal_init(&process->loop, &process->interrupt);
	uv_timer_init(&process->loop, &process->watch);
	process->watch.data = process;
	process->state = vd_router_state_new();
	r = process->state ? lock_take(process, error) : vd_error_set(error, -ENOMEM, "out of memory");
	if (r == 0 && stat(options->netns_path, &process->netns) < 0)
		r = vd_error_set(error, -errno, "network namespace %s: %m", options->netns_path);
	if (r == 0)
		r = services_start(process, error);
	if (r == 0)
		r = control_start(process, error);
	if (r < 0) {
		vd_router_process_free(process);
		return r;
	}
	*ret = process;
	return 0;
}

void vd_router_process_run(struct vd_router_process *process)
{
	uv_signal_start(&process->terminate, signalled, SIGTERM);
	uv_signal_start(&process->interrupt, signalled, SIGINT);
	uv_timer_start(&process->watch, watch_due, WATCH_MS, WATCH_MS);
	uv_run(&process->loop, UV_RUN_DEFAULT);
}

void vd_router_process_free(struct vd_router_process *process)
{
	if (!process)
		return;
	vd_router_control_free(process->control);
	vd_metadata_runner_free(process->metadata);
	vd_dns_runner_free(process->dns);
	vd_dhcp_runner_free(process->dhcp);
	uv_close((uv_handle_t *)&process->terminate, NULL);
	uv_close((uv_handle_t *)&process->interrupt, NULL);
	uv_close((uv_handle_t *)&process->watch, NULL);
	uv_run(&process->loop, UV_RUN_DEFAULT);
	uv_loop_close(&process->loop);
	vd_router_state_free(process->state);
	vd_cleanup_close(&process->lock);
	free(process);
}
