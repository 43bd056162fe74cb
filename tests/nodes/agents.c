/* SPDX-License-Identifier: Apache-2.0 */
/*
 * viaduct-agents STORE DIRECTORY PREFIX FIRST COUNT: the agents of hosts PREFIX<FIRST> … in one process, with underlay addresses
 * 10.60.0.0/16 by their numbers. Ends as a host does that loses its power: killed.
 */
#include "recorded.h"

#include "agent/agent.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS 6

struct node {
	pthread_t thread;
	const char *store, *directory;
	unsigned number;
	char host[64], run_directory[256];
};

static void fail(const struct node *node, const char *sentence)
{
	fprintf(stderr, "%s: %s\n", node->host, sentence);
	exit(EXIT_FAILURE);
}

static void *node_run(void *userdata)
{
	struct node *node = userdata;
	const struct vd_store_options store_options = {.insecure = true};
	struct vd_identity_of_host identity;
	struct vd_agent_options options = {
		.host = node->host,
		.run_directory = node->run_directory,
		.pin_directory = node->run_directory,
		.identity = &identity,
		.vxlan_port = 4789,
	};
	struct vd_agent *agent = NULL;
	struct vd_error error = {};
	int lock = -1;

	recorded_thread_is(node->host);
	options.underlay = (struct vd_address){VD_FAMILY_IPV4, {10, 60, (uint8_t)(node->number >> 8), (uint8_t)node->number}};
	if (vd_identity_acquire(node->run_directory, &identity, &lock, &error) < 0 ||
	    vd_store_open(node->store, &store_options, &options.store, &error) < 0 || vd_agent_new(&options, &agent, &error) < 0)
		fail(node, error.text);
	recorded(NULL, json_pack("{s:s}", "event", "ready"));
	if (vd_agent_run(agent) < 0)
		fail(node, "its loop ended");
	return NULL;
}

static void node_start(struct node *node, const char *prefix)
{
	snprintf(node->host, sizeof(node->host), "%s%u", prefix, node->number);
	snprintf(node->run_directory, sizeof(node->run_directory), "%s/%s", node->directory, node->host);
	if (mkdir(node->run_directory, 0755) < 0 && errno != EEXIST)
		fail(node, strerror(errno));
	if (pthread_create(&node->thread, NULL, node_run, node) != 0)
		fail(node, "no thread");
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	unsigned first, count;
	struct node *nodes;

	if (argc != ARGUMENTS) {
		fprintf(stderr, "viaduct-agents STORE DIRECTORY PREFIX FIRST COUNT\n");
		return 2;
	}
	first = (unsigned)atoi(argv[4]);
	count = (unsigned)atoi(argv[5]);
	nodes = calloc(count, sizeof(*nodes));
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	vd_log_level_set(VD_LOG_LEVEL_WARNING);
	for (unsigned i = 0; i < count; i++) {
		nodes[i] = (struct node){.store = argv[1], .directory = argv[2], .number = first + i};
		node_start(&nodes[i], argv[3]);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(nodes[i].thread, NULL);
	free(nodes);
	return EXIT_SUCCESS;
}
