/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/viaductd_options.h"

#include "agent/identity.h"
#include "base/cleanup.h"
#include "model/document.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

const char options_help[] =
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
	"  --uplink PHYSNET=IF    interface IF leads to the physical network PHYSNET, where networks (viaduct explain\n"
	"                         network) and VLAN subnets may lie; repeatable; its own traffic stays as it is\n"
	"  --docker-host unix:PATH  the Docker engine that knows the names of this host's bridges\n"
	"                         (default: unix:///var/run/docker.sock)\n"
	"  --connections N        connections tracked and translated at most (default: 262144)\n"
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

enum type {
	TYPE_FLAG,
	TYPE_TEXT,
	TYPE_LIST, /* of texts: may be said several times */
};

/* Every option once: its name in both places, and where it goes. */
static const struct known {
	const char *name;
	size_t offset; /* of a bool, a char *, or a char ** with its count behind it */
	enum type type;
} known_options[] = {
	{"host", offsetof(struct options, host), TYPE_TEXT},
	{"store", offsetof(struct options, store), TYPE_TEXT},
	{"underlay", offsetof(struct options, underlay), TYPE_TEXT},
	{"run-dir", offsetof(struct options, run_directory), TYPE_TEXT},
	{"bpf-dir", offsetof(struct options, bpf_directory), TYPE_TEXT},
	{"vxlan-port", offsetof(struct options, vxlan_port), TYPE_TEXT},
	{"uplink", offsetof(struct options, uplinks), TYPE_LIST},
	{"docker-host", offsetof(struct options, docker_host), TYPE_TEXT},
	{"connections", offsetof(struct options, connections), TYPE_TEXT},
	{"listen", offsetof(struct options, listen), TYPE_TEXT},
	{"advertise", offsetof(struct options, advertise), TYPE_TEXT},
	{"tls-cert", offsetof(struct options, tls_cert), TYPE_TEXT},
	{"tls-key", offsetof(struct options, tls_key), TYPE_TEXT},
	{"tls-ca", offsetof(struct options, tls_ca), TYPE_TEXT},
	{"token-file", offsetof(struct options, token_file), TYPE_TEXT},
	{"config", offsetof(struct options, config), TYPE_TEXT},
	{"insecure", offsetof(struct options, insecure), TYPE_FLAG},
	{"purge", offsetof(struct options, purge), TYPE_FLAG},
	{"verbose", offsetof(struct options, verbose), TYPE_FLAG},
	{"help", offsetof(struct options, help), TYPE_FLAG},
	{"version", offsetof(struct options, version), TYPE_FLAG},
};

#define KNOWN_COUNT (sizeof(known_options) / sizeof(*known_options))

static const struct known *known_find(const char *name)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (strcmp(known_options[i].name, name) == 0)
			return &known_options[i];
	return NULL;
}

/* What was said first wins. */
static int text_set(char **text, const char *value)
{
	if (!*text)
		*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static int uplink_add(struct options *options, const char *value)
{
	char **grown = reallocarray(options->uplinks, options->uplink_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	options->uplinks = grown;
	grown[options->uplink_count] = strdup(value);
	return grown[options->uplink_count++] ? 0 : -ENOMEM;
}

static int option_set(struct options *options, const struct known *known, const char *value)
{
	void *field = (char *)options + known->offset;

	switch (known->type) {
	case TYPE_TEXT:
		return text_set(field, value);
	case TYPE_LIST:
		return uplink_add(options, value);
	case TYPE_FLAG:
		*(bool *)field = true;
		break;
	}
	return 0;
}

static int line_read(struct options *options, int argc, char **argv)
{
	struct option words[KNOWN_COUNT + 1] = {};
	int index, word, r = 0;

	for (size_t i = 0; i < KNOWN_COUNT; i++)
		words[i] = (struct option){known_options[i].name,
					   known_options[i].type != TYPE_FLAG ? required_argument : no_argument, NULL, 1};
	while (r == 0 && (word = getopt_long(argc, argv, "", words, &index)) != -1)
		r = word == 1 ? option_set(options, &known_options[index], optarg) : -EINVAL;
	if (r == 0 && optind < argc) {
		fprintf(stderr, "viaductd: unexpected \"%s\": see viaductd --help\n", argv[optind]);
		r = -EINVAL;
	}
	return r;
}

/* One text, or a list of them. */
static int list_read(struct options *options, const char *name, const json_t *value, struct vd_error *error)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const char *text = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);

		if (!text)
			return vd_error_set(error, -EINVAL, "%s: %s takes texts like \"ext=eth1\"", options->config, name);
		r = uplink_add(options, text);
	}
	return r;
}

static int config_read(struct options *options, struct vd_error *error)
{
	bool uplinks_given = options->uplink_count > 0; /* on the command line, which wins */
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
		const struct known *known = known_find(name);
		VD_FREE char *number = NULL;
		const char *word = json_string_value(value);

		if (name[0] == '#')
			continue;
		if (json_is_integer(value) && asprintf(&number, "%lld", (long long)json_integer_value(value)) > 0)
			word = number;
		if (!known || strcmp(name, "config") == 0 || strcmp(name, "help") == 0 || strcmp(name, "version") == 0)
			r = vd_error_set(error, -EINVAL, "%s: unknown option \"%s\"", options->config, name);
		else if (known->type == TYPE_LIST)
			r = uplinks_given ? 0 : list_read(options, name, value, error);
		else if (known->type == TYPE_TEXT ? !word : !json_is_boolean(value))
			r = vd_error_set(error, -EINVAL, "%s: %s takes %s", options->config, name,
					 known->type == TYPE_TEXT ? "a text" : "true or false");
		else if (!json_is_false(value))
			r = option_set(options, known, word);
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
	int r = text_set(&options->run_directory, "/run/viaduct");

	/* A purge is for what the last daemon left, wherever that was. */
	if (r == 0 && options->purge && vd_place_read(options->run_directory, &place) == 0) {
		r = text_set(&options->host, place.host);
		if (r == 0)
			r = text_set(&options->bpf_directory, place.pin_directory);
	}
	if (r < 0)
		return r;
	gethostname(name, sizeof(name) - 1);
	name[strcspn(name, ".")] = '\0';
	r = text_set(&options->host, name);
	if (r == 0)
		r = text_set(&options->store, "sqlite:///var/lib/viaduct/state.db");
	if (r == 0)
		r = text_set(&options->bpf_directory, "/sys/fs/bpf/viaduct");
	if (r == 0)
		r = text_set(&options->vxlan_port, "4789");
	if (r == 0 && options->listen && !options->advertise)
		r = asprintf(&options->advertise, "http%s://%s", options->tls_cert ? "s" : "", options->listen) < 0 ? -ENOMEM : 0;
	return r;
}

int options_read(int argc, char **argv, struct options *ret, struct vd_error *error)
{
	struct options options = {};
	int r = line_read(&options, argc, argv);

	if (r == 0 && options.config)
		r = config_read(&options, error);
	if (r == 0)
		r = defaults_set(&options);
	if (r < 0) {
		options_done(&options);
		return r;
	}
	*ret = options;
	return 0;
}

void options_done(struct options *options)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known_options[i].type == TYPE_TEXT)
			free(*(char **)((char *)options + known_options[i].offset));
	for (size_t i = 0; i < options->uplink_count; i++)
		free(options->uplinks[i]);
	free(options->uplinks);
}
