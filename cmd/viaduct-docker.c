/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's network and IPAM driver "viaduct": Docker's questions in, the host's daemon's answers out. */
#include "base/cleanup.h"
#include "base/log.h"
#include "client/client.h"
#include "client/container.h"
#include "docker/server.h"
#include "docker/sweep.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_USAGE 2
/* How often Docker is asked what it still has. */
#define SWEEP_SECONDS 20
#define SOCKET_DEFAULT "/run/docker/plugins/viaduct.sock"

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'}, {"server", required_argument, NULL, 'S'},
	{"version", no_argument, NULL, 'V'},      {"docker-host", required_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},         {},
};

static const char help[] =
	"Usage: viaduct-docker [--socket PATH] [--server unix:PATH] [--docker-host unix:PATH]\n"
	"\n"
	"Docker's network and IPAM driver \"viaduct\": containers get addresses of the node's block of a container_network,\n"
	"or of a native one's subnet.\n"
	"\n"
	"  docker network create -d viaduct --ipam-driver viaduct --ipam-opt network=NAME my-net\n"
	"  docker run --net my-net ...\n"
	"\n"
	"  --socket PATH       where Docker looks for the plugin (default: " SOCKET_DEFAULT ")\n"
	"  --server unix:PATH  the viaductd of this host (default: " VD_CLIENT_SERVER_DEFAULT ")\n"
	"  --docker-host unix:PATH  Docker's own API, to find what it has forgotten (default: unix:/var/run/docker.sock)\n"
	"  --version, --help\n";

/* ---- what the driver asks ---- */

/* A native network has the CIDRs of its subnet. item: as the API lists it; a new reference, NULL without any. */
static json_t *network_cidrs(struct vd_client *client, const json_t *item)
{
	const json_t *document = json_object_get(item, "document");
	const char *project = json_string_value(json_object_get(item, "project"));
	const char *subnet = json_string_value(json_object_get(document, "subnet"));
	json_t *reply = NULL, *cidrs;
	VD_FREE char *path = NULL;

	if (!subnet)
		return json_incref(json_object_get(document, "cidrs"));
	if (asprintf(&path, "/v1/subnets/%s?project=%s", subnet, project ? project : "default") < 0 ||
	    vd_client_call(client, "GET", path, NULL, &reply, NULL) < 0)
		return NULL;
	cidrs = json_incref(json_object_get(json_object_get(reply, "document"), "cidrs"));
	json_decref(reply);
	return cidrs;
}

static json_t *networks_convert(struct vd_client *client, const json_t *items)
{
	json_t *networks = json_array(), *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const char *project = json_string_value(json_object_get(item, "project"));
		const char *name = json_string_value(json_object_get(item, "name"));
		VD_FREE char *whole = NULL;

		if (project && name && asprintf(&whole, "%s/%s", project, name) >= 0)
			json_array_append_new(networks,
					      json_pack("{s:s, s:o*}", "name", whole, "cidrs", network_cidrs(client, item)));
	}
	return json_pack("{s:o}", "networks", networks);
}

static int networks_list(const char *server, json_t **ret, struct vd_error *error)
{
	const struct vd_client_options options = {.server = server};
	struct vd_client *client = NULL;
	json_t *reply = NULL;
	int r = vd_client_open(&options, &client, error);

	if (r == 0)
		r = vd_client_call(client, "GET", "/v1/container_networks?project=*", NULL, &reply, error);
	if (r == 0)
		*ret = networks_convert(client, json_object_get(reply, "items"));
	json_decref(reply);
	vd_client_close(client);
	return r;
}

static int ask(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	static const enum vd_container_verb verbs[] = {
		[VD_DOCKER_QUESTION_ADD] = VD_CONTAINER_VERB_ADD,         [VD_DOCKER_QUESTION_DELETE] = VD_CONTAINER_VERB_DELETE,
		[VD_DOCKER_QUESTION_RESERVE] = VD_CONTAINER_VERB_RESERVE, [VD_DOCKER_QUESTION_RELEASE] = VD_CONTAINER_VERB_RELEASE,
		[VD_DOCKER_QUESTION_LIST] = VD_CONTAINER_VERB_LIST,
	};

	if (question == VD_DOCKER_QUESTION_NETWORKS)
		return networks_list(userdata, ret, error);
	return vd_client_container(userdata, verbs[question], arguments, ret, error);
}

/* ---- life ---- */

/* Until a signal comes. */
static void sweep_and_wait(const struct vd_docker_daemon *daemon, const char *engine, const sigset_t *signals)
{
	const struct timespec pause = {.tv_sec = SWEEP_SECONDS};
	struct vd_error error = {};

	while (sigtimedwait(signals, NULL, &pause) < 0)
		if (vd_docker_sweep(daemon, engine, time(NULL), &error) < 0)
			vd_log_debug("what Docker has forgotten cannot be looked for: %s", error.text);
}

static int serve(const char *path, const char *server, const char *engine)
{
	const struct vd_docker_daemon daemon = {ask, (void *)server};
	struct vd_docker_server *http = NULL;
	struct vd_error error = {};
	sigset_t signals;

	/* Before any thread is there: each of them has them blocked, too. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (vd_docker_server_new(path, &daemon, &http, &error) < 0) {
		vd_log_error("viaduct-docker: %s", error.text[0] ? error.text : "out of memory");
		return EXIT_FAILURE;
	}
	vd_log_info("Docker's driver \"viaduct\" answers at %s", path);
	sweep_and_wait(&daemon, engine, &signals);
	vd_docker_server_free(http);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *path = SOCKET_DEFAULT, *server = NULL, *engine = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			path = optarg;
			break;
		case 'S':
			server = optarg;
			break;
		case 'd':
			engine = optarg;
			break;
		case 'V':
			puts("viaduct-docker " VD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "viaduct-docker: \"%s\" is too much: see viaduct-docker --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return serve(path, server, engine);
}
