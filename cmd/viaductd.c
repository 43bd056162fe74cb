/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon of a host: the wiring of store, agent and api. */
#include "cmd/viaductd_options.h"

#include "agent/agent.h"
#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/token.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
/* Of the connection table: the least that a busy host can do with, and what fits into a map (some 40 GB). */
#define CONNECTIONS_MIN 1024u
#define CONNECTIONS_MAX (1u << 26)
/* What a store may take to hear that we stop; systemd waits 10 s (packaging/viaductd.service). */
#define FINISH_SECONDS 3

VD_DEFINE_CLEANUP(char, vd_token_free)

/* Only what the daemon's work needs is kept, here and in what it starts. */
static void privileges_drop(void)
{
	static const cap_value_t kept[] = {
		CAP_NET_ADMIN,    /* links, addresses, routes, tc */
		CAP_BPF,          /* programs and maps */
		CAP_PERFMON,      /* pointer arithmetic in programs */
		CAP_SYS_ADMIN,    /* setns, namespaces' bind mounts */
		CAP_SYS_PTRACE,   /* /proc/PID/ns/net of instances */
		CAP_DAC_OVERRIDE, /* namespaces and sockets of other users' directories */
		CAP_CHOWN,        /* the socket's group */
		CAP_NET_BIND_SERVICE,
		/* of viaduct-router, until its sockets are open: */
		CAP_NET_RAW,            /* frames of DHCP clients, who have no address yet; and for us: ARP on uplinks */
		CAP_SETUID, CAP_SETGID, /* to become nobody; and for us: */
		CAP_KILL,               /* to end it then */
	};
	cap_t wanted = cap_init();

	for (cap_value_t value = 0; cap_get_bound(value) >= 0; value++) {
		bool keep = false;

		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			keep |= kept[i] == value;
		if (!keep)
			cap_drop_bound(value);
	}
	if (!wanted || cap_set_flag(wanted, CAP_PERMITTED, sizeof(kept) / sizeof(*kept), kept, CAP_SET) < 0 ||
	    cap_set_flag(wanted, CAP_EFFECTIVE, sizeof(kept) / sizeof(*kept), kept, CAP_SET) < 0 || cap_set_proc(wanted) < 0)
		vd_log_warning("privileges could not be dropped: %m");
	cap_free(wanted);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int store_directory_make(const char *url)
{
	VD_FREE char *path = NULL;
	char *slash;

	if (strncmp(url, "sqlite://", 9) != 0)
		return 0;
	path = strdup(url + 9);
	slash = path ? strrchr(path, '/') : NULL;
	if (!slash || slash == path)
		return 0;
	*slash = '\0';
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Splits "PHYSNET=IFNAME" in place. */
static int uplinks_fill(const struct options *options, struct vd_agent_uplink **ret, struct vd_error *error)
{
	VD_FREE struct vd_agent_uplink *uplinks = calloc(options->uplink_count + 1, sizeof(*uplinks));

	if (!uplinks)
		return -ENOMEM;
	for (size_t i = 0; i < options->uplink_count; i++) {
		char *text = options->uplinks[i], *equals = strchr(text, '=');

		if (!equals || equals == text || !equals[1] || (size_t)(equals - text) >= VD_NAME_SIZE)
			return vd_error_set(error, -EINVAL, "--uplink %s: PHYSNET=INTERFACE, like ext=eth1", text);
		*equals = '\0';
		uplinks[i] = (struct vd_agent_uplink){text, equals + 1};
		for (size_t n = 0; n < i; n++) {
			if (strcmp(uplinks[n].physnet, text) == 0)
				return vd_error_set(
					error, -EINVAL,
					"--uplink: the physical network %s is given twice, by %s and %s: a host has one "
					"uplink to each",
					text, uplinks[n].ifname, uplinks[i].ifname);
			if (strcmp(uplinks[n].ifname, uplinks[i].ifname) == 0)
				return vd_error_set(error, -EINVAL,
						    "--uplink: the interface %s is given for two physical networks, %s and %s: "
						    "it leads to one",
						    uplinks[i].ifname, uplinks[n].physnet, text);
		}
	}
	*ret = VD_TAKE(uplinks);
	return 0;
}

static int connections_fill(const char *text, uint32_t *ret, struct vd_error *error)
{
	char *end;
	unsigned long count = text ? strtoul(text, &end, 10) : 0;

	if (text && (*text < '0' || *text > '9' || *end || count < CONNECTIONS_MIN || count > CONNECTIONS_MAX))
		return vd_error_set(error, -EINVAL, "--connections %s: a number from %u to %u", text, CONNECTIONS_MIN,
				    CONNECTIONS_MAX);
	*ret = (uint32_t)count;
	return 0;
}

static int agent_options_fill(const struct options *options, struct vd_agent_options *ret, struct vd_error *error)
{
	char *end;
	unsigned long port = strtoul(options->vxlan_port, &end, 10);

	*ret = (struct vd_agent_options){
		.host = options->host,
		.run_directory = options->run_directory,
		.pin_directory = options->bpf_directory,
		.vxlan_port = (uint16_t)port,
		.api = options->advertise,
		.docker_host = options->docker_host,
	};
	if (*end || port == 0 || port > 65535)
		return vd_error_set(error, -EINVAL, "--vxlan-port %s: a number from 1 to 65535", options->vxlan_port);
	if (connections_fill(options->connections, &ret->connections, error) < 0)
		return -EINVAL;
	if (options->underlay && vd_address_parse(options->underlay, &ret->underlay) < 0)
		return vd_error_set(error, -EINVAL, "--underlay %s: not an address", options->underlay);
	return 0;
}

static int serve(const struct options *options, struct vd_agent_options *agent_options, const char *token, struct vd_error *error)
{
	struct vd_store_options store_options = {
		.tls_cert = options->tls_cert,
		.tls_key = options->tls_key,
		.tls_ca = options->tls_ca,
		.token = token,
		.insecure = options->insecure,
	};
	struct vd_store *store = NULL;
	struct vd_agent *agent = NULL;
	struct vd_api *api = NULL;
	VD_FREE char *socket_path = NULL;
	int r;

	r = store_directory_make(options->store);
	if (r < 0)
		return vd_error_set(error, r, "store %s: its directory cannot be made: %s", options->store, strerror(-r));
	if (asprintf(&socket_path, "%s/viaduct.sock", options->run_directory) < 0)
		return -ENOMEM;
	r = vd_store_open(options->store, &store_options, &store, error);
	if (r == 0) {
		agent_options->store = store;
		r = vd_agent_new(agent_options, &agent, error);
	}
	if (r == 0) {
		struct vd_api_options api_options = {
			.host = options->host,
			.socket_path = socket_path,
			.listen = options->listen,
			.tls_cert = options->tls_cert,
			.tls_key = options->tls_key,
			.tls_ca = options->tls_ca,
			.token_file = options->token_file,
			.insecure = options->insecure,
			.gateway = strncmp(options->store, "sqlite:", 7) == 0,
			.store = store,
			.live = vd_agent_live(agent),
			.peer_token = token,
			.peer_ca = options->tls_ca,
		};
		r = vd_api_start(&api_options, &api, error);
	}
	if (r == 0) {
		vd_log_info("host %s is ready: store %s, socket %s%s%s", options->host, options->store, socket_path,
			    options->listen ? ", listening on " : "", options->listen ? options->listen : "");
		r = vd_agent_run(agent);
		vd_store_finish(store, FINISH_SECONDS);
	}
	if (api)
		vd_api_stop(api);
	vd_agent_free(agent);
	if (store)
		vd_store_close(store);
	return r;
}

static int place_take(const struct options *options, struct vd_error *error)
{
	struct vd_place place;

	if ((size_t)snprintf(place.host, sizeof(place.host), "%s", options->host) >= sizeof(place.host) ||
	    (size_t)snprintf(place.pin_directory, sizeof(place.pin_directory), "%s", options->bpf_directory) >=
		    sizeof(place.pin_directory))
		return vd_error_set(error, -ENAMETOOLONG, "--host takes up to 63 characters, --bpf-dir up to 255");
	return vd_place_take(options->run_directory, &place, error);
}

static int run(struct options *options, struct vd_error *error)
{
	struct vd_agent_options agent_options;
	struct vd_identity_of_host identity;
	VD_FREE struct vd_agent_uplink *uplinks = NULL;
	VD_CLEANUP(vd_token_free_cleanup) char *token = NULL; /* the first one: what this host shows others */
	VD_CLOSE int lock = -1;
	int r;

	r = agent_options_fill(options, &agent_options, error);
	if (r == 0)
		r = uplinks_fill(options, &uplinks, error);
	if (r == 0)
		r = options->token_file ? vd_token_read(options->token_file, &token, error) : 0;
	if (r == 0)
		r = vd_identity_acquire(options->run_directory, &identity, &lock, error);
	if (r < 0)
		return r;
	agent_options.identity = &identity;
	agent_options.uplinks = uplinks;
	agent_options.uplink_count = options->uplink_count;
	agent_options.store_is_ours = strncmp(options->store, "sqlite:", 7) == 0;
	if (options->purge) {
		r = vd_agent_purge(&agent_options, error);
		if (r == 0)
			vd_place_leave(options->run_directory);
		return r;
	}
	r = place_take(options, error);
	if (r < 0)
		return r;
	privileges_drop();
	return serve(options, &agent_options, token, error);
}

int main(int argc, char **argv)
{
	VD_CLEANUP(options_done) struct options options = {};
	struct vd_error error = {};
	int r = options_read(argc, argv, &options, &error);

	if (r == -EINVAL && !error.text[0])
		return EXIT_USAGE; /* getopt has said it */
	if (r == 0 && options.help) {
		fputs(options_help, stdout);
		return EXIT_SUCCESS;
	}
	if (r == 0 && options.version) {
		puts("viaductd " VD_VERSION);
		return EXIT_SUCCESS;
	}
	if (r == 0) {
		signal(SIGPIPE, SIG_IGN);
		if (options.verbose)
			vd_log_level_set(VD_LOG_LEVEL_DEBUG);
		r = run(&options, &error);
	}
	if (r < 0) {
		fprintf(stderr, "viaductd: %s\n", error.text[0] ? error.text : strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
