/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp_runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The DHCP runner alone, for tests with real clients: dhcp_server NETNS-PATH INTERFACE FILE. FILE holds the records, one a line.
 * SIGHUP reads it again, SIGUSR1 prints the counters, SIGTERM ends.
 */
struct server {
	struct vd_router_state *state;
	struct vd_dhcp_runner *runner;
	const char *path;
};

static void state_read(struct server *server)
{
	FILE *file = fopen(server->path, "r");
	struct vd_error error;
	json_t *record;

	if (!file) {
		perror(server->path);
		exit(1);
	}
	vd_router_state_begin(server->state);
	while ((record = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
		if (vd_router_state_put(server->state, record, &error) < 0) {
			fprintf(stderr, "%s\n", error.text);
			exit(1);
		}
		json_decref(record);
	}
	vd_router_state_commit(server->state);
	fclose(file);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct server *server = handle->data;
	json_t *counters;

	switch (number) {
	case SIGHUP:
		state_read(server);
		vd_dhcp_runner_changed(server->runner);
		break;
	case SIGUSR1:
		counters = vd_dhcp_runner_counters(server->runner);
		json_dumpf(counters, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(counters);
		break;
	case SIGTERM:
		vd_dhcp_runner_free(server->runner);
		uv_stop(handle->loop);
		break;
	}
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGHUP, SIGUSR1, SIGTERM};
	struct server server = {.state = vd_router_state_new()};
	uv_signal_t handles[3];
	struct vd_error error;
	uv_loop_t loop;

	if (argc != 4 || !server.state) {
		fprintf(stderr, "usage: %s NETNS-PATH INTERFACE FILE\n", argv[0]);
		return 2;
	}
	server.path = argv[3];
	state_read(&server);
	uv_loop_init(&loop);
	if (vd_dhcp_runner_new(&loop, server.state, argv[1], argv[2], &server.runner, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&loop, &handles[i]);
		handles[i].data = &server;
		uv_signal_start(&handles[i], on_signal, signals[i]);
	}
	printf("ready\n");
	fflush(stdout);
	uv_run(&loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&handles[i], NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	vd_router_state_free(server.state);
	return uv_loop_close(&loop) ? 1 : 0;
}
