/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon of a host: options, and the wiring of store, agent and api. */
#include "agent/agent.h"
#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/token.h"
#include "model/document.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
/* What a store may take to hear that we stop; systemd waits 10 s (packaging/viaductd.service). */
#define FINISH_SECONDS 3

VD_DEFINE_CLEANUP(char, vd_token_free)

struct options {
	char *host, *store, *underlay, *run_directory, *bpf_directory, *listen, *advertise, *tls_cert, *tls_key, *tls_ca,
		*token_file, *config;
	char *vxlan_port;
	bool insecure, purge, verbose;
};

enum {
	OPTION_HOST = 256,
	OPTION_STORE,
	OPTION_UNDERLAY,
	OPTION_RUN_DIR,
	OPTION_BPF_DIR,
	OPTION_VXLAN_PORT,
	OPTION_LISTEN,
	OPTION_ADVERTISE,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_TLS_CA,
	OPTION_TOKEN_FILE,
	OPTION_INSECURE,
	OPTION_PURGE,
	OPTION_VERBOSE,
	OPTION_CONFIG,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"host", required_argument, NULL, OPTION_HOST},
	{"store", required_argument, NULL, OPTION_STORE},
	{"underlay", required_argument, NULL, OPTION_UNDERLAY},
	{"run-dir", required_argument, NULL, OPTION_RUN_DIR},
	{"bpf-dir", required_argument, NULL, OPTION_BPF_DIR},
	{"vxlan-port", required_argument, NULL, OPTION_VXLAN_PORT},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"advertise", required_argument, NULL, OPTION_ADVERTISE},
	{"tls-cert", required_argument, NULL, OPTION_TLS_CERT},
	{"tls-key", required_argument, NULL, OPTION_TLS_KEY},
	{"tls-ca", required_argument, NULL, OPTION_TLS_CA},
	{"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
	{"insecure", no_argument, NULL, OPTION_INSECURE},
	{"purge", no_argument, NULL, OPTION_PURGE},
	{"verbose", no_argument, NULL, OPTION_VERBOSE},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{},
};

static const char help[] =
	"Usage: viaductd --host NAME [OPTION]...\n"
	"\n"
	"Viaduct's daemon: one on each host. It follows the store and keeps this host's data plane as the\n"
	"documents say. Traffic goes on when it stops; a start takes over what stands.\n"
	"\n"
	"  --host NAME            this host's name (default: the machine's)\n"
	"  --store URL            sqlite:///PATH, etcd://ADDR:PORT[,…] or etcds://… (TLS)\n"
	"                         (default: sqlite:///var/lib/viaduct/state.db)\n"
	"  --underlay ADDR        address that tunnels start at (default: that of the default route)\n"
	"  --vxlan-port PORT      UDP port of the tunnels (default: 4789; the same on every host)\n"
	"  --listen ADDR:PORT     serve API and store to other hosts there; needs TLS and a token, or --insecure\n"
	"  --advertise URL        how other hosts reach that (default: from --listen)\n"
	"  --tls-cert FILE --tls-key FILE --tls-ca FILE\n"
	"  --token-file FILE      tokens that are let in, one a line; the first is the one this host shows others\n"
	"  --insecure             plain TCP without tokens; for labs only\n"
	"  --run-dir DIR          socket, lock, namespaces (default: /run/viaduct)\n"
	"  --bpf-dir DIR          where programs and maps are pinned (default: /sys/fs/bpf/viaduct)\n"
	"  --config FILE          the same options as YAML: \"host: h1\", \"bpf-dir: …\"; the command line wins\n"
	"  --purge                remove everything that this host's daemon made in the kernel, then exit\n"
	"  --verbose              log more\n"
	"  --version, --help\n"
	"\n"
	"Example: viaductd --host h1 --listen 10.0.0.1:2379 --token-file /etc/viaduct/tokens \\\n"
	"             --tls-cert h1.pem --tls-key h1.key --tls-ca ca.pem\n"
	"         viaductd --host h2 --store etcds://10.0.0.1:2379 --token-file … --tls-ca ca.pem\n";

static char **option_text(struct options *options, int option)
{
	switch (option) {
	case OPTION_HOST:
		return &options->host;
	case OPTION_STORE:
		return &options->store;
	case OPTION_UNDERLAY:
		return &options->underlay;
	case OPTION_RUN_DIR:
		return &options->run_directory;
	case OPTION_BPF_DIR:
		return &options->bpf_directory;
	case OPTION_VXLAN_PORT:
		return &options->vxlan_port;
	case OPTION_LISTEN:
		return &options->listen;
	case OPTION_ADVERTISE:
		return &options->advertise;
	case OPTION_TLS_CERT:
		return &options->tls_cert;
	case OPTION_TLS_KEY:
		return &options->tls_key;
	case OPTION_TLS_CA:
		return &options->tls_ca;
	case OPTION_TOKEN_FILE:
		return &options->token_file;
	case OPTION_CONFIG:
		return &options->config;
	}
	return NULL;
}

static bool *option_flag(struct options *options, int option)
{
	switch (option) {
	case OPTION_INSECURE:
		return &options->insecure;
	case OPTION_PURGE:
		return &options->purge;
	case OPTION_VERBOSE:
		return &options->verbose;
	}
	return NULL;
}

/* Sets what was not set yet. */
static int option_set(struct options *options, int option, const char *value)
{
	char **text = option_text(options, option);
	bool *flag = option_flag(options, option);

	if (flag)
		*flag = true;
	else if (text && !*text) {
		*text = strdup(value);
		if (!*text)
			return -ENOMEM;
	}
	return 0;
}

static int config_read(struct options *options, struct vd_error *error)
{
	VD_FCLOSE FILE *file = fopen(options->config, "re");
	VD_FREE char *text = NULL;
	json_t *documents = NULL, *value;
	const char *name;
	size_t size = 0;
	int r;

	if (!file)
		return vd_error_set(error, -errno, "%s: cannot be read: %m", options->config);
	if (getdelim(&text, &size, '\0', file) < 0)
		return vd_error_set(error, -EINVAL, "%s: is empty", options->config);
	r = vd_documents_parse(text, strlen(text), &documents, error);
	if (r < 0)
		return vd_error_prefix(error, r, "%s", options->config);
	if (json_array_size(documents) > 1) {
		json_decref(documents);
		return vd_error_set(error, -EINVAL, "%s: holds more than one document: write all options in one", options->config);
	}

	json_object_foreach (json_array_get(documents, 0), name, value) {
		const struct option *option = long_options;
		VD_FREE char *number = NULL;
		const char *word = json_string_value(value);

		if (name[0] == '#')
			continue;
		while (option->name && strcmp(option->name, name) != 0)
			option++;
		if (json_is_integer(value) && asprintf(&number, "%lld", (long long)json_integer_value(value)) > 0)
			word = number;
		if (!option->name || option->val == OPTION_CONFIG || option->val == OPTION_HELP || option->val == OPTION_VERSION)
			r = vd_error_set(error, -EINVAL, "%s: unknown option \"%s\"", options->config, name);
		else if (option->has_arg == required_argument ? !word : !json_is_boolean(value))
			r = vd_error_set(error, -EINVAL, "%s: %s takes %s", options->config, name,
					 option->has_arg == required_argument ? "a text" : "true or false");
		else if (!json_is_false(value))
			r = option_set(options, option->val, word);
		if (r < 0)
			break;
	}
	json_decref(documents);
	return r;
}

static int defaults_set(struct options *options)
{
	char name[64] = "localhost";
	struct vd_place place;
	int r = option_set(options, OPTION_RUN_DIR, "/run/viaduct");

	/* A purge is for what the last daemon left, wherever that was. */
	if (r == 0 && options->purge && vd_place_read(options->run_directory, &place) == 0) {
		r = option_set(options, OPTION_HOST, place.host);
		if (r == 0)
			r = option_set(options, OPTION_BPF_DIR, place.pin_directory);
	}
	if (r < 0)
		return r;
	gethostname(name, sizeof(name) - 1);
	name[strcspn(name, ".")] = '\0';
	r = option_set(options, OPTION_HOST, name);
	if (r == 0)
		r = option_set(options, OPTION_STORE, "sqlite:///var/lib/viaduct/state.db");
	if (r == 0)
		r = option_set(options, OPTION_BPF_DIR, "/sys/fs/bpf/viaduct");
	if (r == 0)
		r = option_set(options, OPTION_VXLAN_PORT, "4789");
	if (r == 0 && options->listen && !options->advertise)
		r = asprintf(&options->advertise, "http%s://%s", options->tls_cert ? "s" : "", options->listen) < 0 ? -ENOMEM : 0;
	return r;
}

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
		CAP_NET_RAW,            /* frames of DHCP clients, who have no address yet */
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
	};
	if (*end || port == 0 || port > 65535)
		return vd_error_set(error, -EINVAL, "--vxlan-port %s: a number from 1 to 65535", options->vxlan_port);
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
	VD_CLEANUP(vd_token_free_cleanup) char *token = NULL; /* the first one: what this host shows others */
	VD_CLOSE int lock = -1;
	int r;

	r = agent_options_fill(options, &agent_options, error);
	if (r == 0)
		r = options->token_file ? vd_token_read(options->token_file, &token, error) : 0;
	if (r == 0)
		r = vd_identity_acquire(options->run_directory, &identity, &lock, error);
	if (r < 0)
		return r;
	agent_options.identity = &identity;
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

static void options_done(struct options *options)
{
	for (int option = OPTION_HOST; option <= OPTION_HELP; option++) {
		char **text = option_text(options, option);

		if (text)
			free(*text);
	}
}

int main(int argc, char **argv)
{
	VD_CLEANUP(options_done) struct options options = {};
	struct vd_error error = {};
	int option, r;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			return EXIT_SUCCESS;
		}
		if (option == OPTION_VERSION) {
			puts("viaductd " VD_VERSION);
			return EXIT_SUCCESS;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (option_set(&options, option, optarg) < 0)
			return EXIT_FAILURE;
	}
	if (optind < argc) {
		fprintf(stderr, "viaductd: unexpected \"%s\": see viaductd --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);

	r = options.config ? config_read(&options, &error) : 0;
	if (options.verbose)
		vd_log_level_set(VD_LOG_LEVEL_DEBUG);
	if (r == 0)
		r = defaults_set(&options);
	if (r == 0)
		r = run(&options, &error);
	if (r < 0) {
		fprintf(stderr, "viaductd: %s\n", error.text[0] ? error.text : strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
