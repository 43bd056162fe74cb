/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp_runner.h"

#include "base/cleanup.h"
#include "services/dhcp/advertisement.h"
#include "services/dhcp/dhcp4.h"
#include "services/dhcp/dhcp6.h"
#include "services/dhcp/dhcp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define FRAMES_PER_TURN 64   /* then the loop's other business has its turn */
#define RECEIVE_SIZE 2048    /* more than any of these messages; what is longer is malformed */
#define REOPEN_INTERVAL 1000 /* milliseconds */
#define INTERVAL (VD_ADVERTISEMENT_INTERVAL * 1000ull)

/* What a port was last told: a hash of the frame, 0 for none. By rising id. */
struct told {
	uint32_t port;
	uint64_t hash;
};

/* Handles are memory of their own, so that they can outlive the runner until the loop has closed them. */
struct vd_dhcp_runner {
	struct vd_router_state *state;
	uv_loop_t *loop;
	int netns;
	char *ifname;
	struct vd_dhcp_sockets sockets;
	uv_poll_t *poll; /* NULL: the interface is gone, reopen tries for a new one */
	uv_timer_t *advertise, *reopen;
	struct told *told;
	size_t told_count;
	struct vd_dhcp_counters counters;
};

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void close_handle(void *handle)
{
	if (handle)
		uv_close(handle, free_handle);
}

static bool frame_send(struct vd_dhcp_runner *runner, const uint8_t *frame, size_t size)
{
	bool sent = runner->sockets.packet >= 0 && send(runner->sockets.packet, frame, size, 0) == (ssize_t)size;

	if (!sent)
		runner->counters.send_failed++;
	return sent;
}

static void frame_handle(struct vd_dhcp_runner *runner, const uint8_t *data, size_t size, bool checksum_ready)
{
	uint8_t answer[VD_FRAME_SIZE];
	struct vd_frame frame;
	size_t answer_size = 0;

	if (vd_frame_parse(data, size, checksum_ready, &frame) < 0)
		runner->counters.malformed++;
	else if (frame.protocol == VD_FRAME_ICMPV6)
		answer_size = vd_advertisement_answer(runner->state, &frame, &runner->counters, answer);
	else if (frame.from.family == VD_FAMILY_IPV4)
		answer_size = vd_dhcp4_answer(runner->state, &frame, &runner->counters, answer);
	else
		answer_size = vd_dhcp6_answer(runner->state, &frame, &runner->counters, answer);
	if (answer_size)
		frame_send(runner, answer, answer_size);
}

static void sockets_lose(struct vd_dhcp_runner *runner);

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct vd_dhcp_runner *runner = poll->data;
	uint8_t data[RECEIVE_SIZE];
	bool checksum_ready;

	if (status < 0) {
		sockets_lose(runner);
		return;
	}
	for (int i = 0; i < FRAMES_PER_TURN; i++) {
		ssize_t size = vd_dhcp_socket_receive(runner->sockets.packet, data, sizeof(data), &checksum_ready);

		if (size == -EAGAIN)
			return;
		/* ENETDOWN: the interface went down, or away. */
		if (size < 0) {
			sockets_lose(runner);
			return;
		}
		frame_handle(runner, data, (size_t)size, checksum_ready);
	}
}

static int sockets_open(struct vd_dhcp_runner *runner, struct vd_error *error)
{
	VD_FREE uv_poll_t *poll = calloc(1, sizeof(*poll));
	int result = poll ? vd_dhcp_sockets_open(runner->netns, runner->ifname, &runner->sockets, error)
			  : vd_error_set(error, -ENOMEM, "no memory for the DHCP service");

	if (result < 0)
		return result;
	result = uv_poll_init(runner->loop, poll, runner->sockets.packet);
	if (result < 0) {
		vd_dhcp_sockets_close(&runner->sockets);
		return vd_error_set(error, result, "cannot watch the interface %s: %s", runner->ifname, uv_strerror(result));
	}
	poll->data = runner;
	runner->poll = VD_TAKE(poll);
	uv_poll_start(runner->poll, UV_READABLE, on_readable);
	return 0;
}

static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return size ? hash : 0;
}

struct round {
	struct vd_dhcp_runner *runner;
	bool all; /* also to those who know */
	struct told *told;
	size_t count, seen; /* of the new list; of the old one */
};

static int port_count(const struct vd_router_port *port, void *userdata)
{
	++*(size_t *)userdata;
	return 0;
}

static int port_tell(const struct vd_router_port *port, void *userdata)
{
	struct round *round = userdata;
	struct vd_dhcp_runner *runner = round->runner;
	uint8_t frame[VD_FRAME_SIZE];
	size_t size = vd_advertisement_write(runner->state, port, frame);
	struct told *told = &round->told[round->count++];
	bool known;

	while (round->seen < runner->told_count && runner->told[round->seen].port < port->id)
		round->seen++;
	*told = (struct told){.port = port->id, .hash = hash_of(frame, size)};
	known = round->seen < runner->told_count && runner->told[round->seen].port == port->id &&
		runner->told[round->seen].hash == told->hash;
	if (!size || (known && !round->all))
		return 0;
	if (frame_send(runner, frame, size))
		runner->counters.router_advertisement++;
	else
		told->hash = 0; /* the next change or interval tries again */
	return 0;
}

static void tell(struct vd_dhcp_runner *runner, bool all)
{
	struct round round = {.runner = runner, .all = all};
	size_t count = 0;

	vd_router_state_each_port(runner->state, port_count, &count);
	round.told = calloc(count + 1, sizeof(*round.told));
	if (!round.told)
		return;
	vd_router_state_each_port(runner->state, port_tell, &round);
	free(runner->told);
	runner->told = round.told;
	runner->told_count = round.count;
}

/* A little earlier or later each time, so that the routers of a host do not beat in time. */
static void on_interval(uv_timer_t *timer)
{
	struct vd_dhcp_runner *runner = timer->data;
	uint64_t jitter = uv_hrtime() / 1000 % (INTERVAL / 10);

	tell(runner, true);
	uv_timer_start(timer, on_interval, INTERVAL - INTERVAL / 20 + jitter, 0);
}

static void on_reopen(uv_timer_t *timer)
{
	struct vd_dhcp_runner *runner = timer->data;

	if (sockets_open(runner, NULL) < 0)
		return;
	uv_timer_stop(timer);
	tell(runner, true);
}

static void sockets_lose(struct vd_dhcp_runner *runner)
{
	close_handle(VD_TAKE(runner->poll));
	vd_dhcp_sockets_close(&runner->sockets);
	uv_timer_start(runner->reopen, on_reopen, REOPEN_INTERVAL, REOPEN_INTERVAL);
}

static uv_timer_t *timer_new(struct vd_dhcp_runner *runner)
{
	uv_timer_t *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	uv_timer_init(runner->loop, timer);
	timer->data = runner;
	return timer;
}

VD_DEFINE_CLEANUP(struct vd_dhcp_runner, vd_dhcp_runner_free)

int vd_dhcp_runner_new(uv_loop_t *loop, struct vd_router_state *state, const char *netns_path, const char *ifname,
		       struct vd_dhcp_runner **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_dhcp_runner_free_cleanup) struct vd_dhcp_runner *runner = calloc(1, sizeof(*runner));
	int result;

	if (!runner)
		return vd_error_set(error, -ENOMEM, "no memory for the DHCP service");
	*runner = (struct vd_dhcp_runner){.state = state, .loop = loop, .netns = -1, .sockets = {-1, -1, -1}};
	runner->ifname = strdup(ifname);
	runner->advertise = timer_new(runner);
	runner->reopen = timer_new(runner);
	if (!runner->ifname || !runner->advertise || !runner->reopen)
		return vd_error_set(error, -ENOMEM, "no memory for the DHCP service");
	runner->netns = open(netns_path, O_RDONLY | O_CLOEXEC);
	if (runner->netns < 0)
		return vd_error_set(error, -errno, "cannot open the network namespace %s: %m", netns_path);
	result = sockets_open(runner, error);
	if (result < 0)
		return result;
	on_interval(runner->advertise);
	*ret = VD_TAKE(runner);
	return 0;
}

void vd_dhcp_runner_free(struct vd_dhcp_runner *runner)
{
	if (!runner)
		return;
	close_handle(runner->poll);
	close_handle(runner->advertise);
	close_handle(runner->reopen);
	vd_dhcp_sockets_close(&runner->sockets);
	vd_cleanup_close(&runner->netns);
	free(runner->ifname);
	free(runner->told);
	free(runner);
}

void vd_dhcp_runner_changed(struct vd_dhcp_runner *runner)
{
	tell(runner, false);
}

json_t *vd_dhcp_runner_counters(const struct vd_dhcp_runner *runner)
{
	const struct vd_dhcp_counters *counters = &runner->counters;
	json_t *object = json_object();

#define X(name) json_object_set_new(object, #name, json_integer((json_int_t)counters->name));
	VD_DHCP_COUNTERS(X)
#undef X
	return object;
}
