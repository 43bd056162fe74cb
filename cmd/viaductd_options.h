/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIADUCTD_OPTIONS_H
#define VIADUCTD_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What viaductd is told: by the command line, else by --config, else the default. Texts are owned. */
struct options {
	char *host, *store, *underlay, *run_directory, *bpf_directory, *vxlan_port;
	char *listen, *advertise, *tls_cert, *tls_key, *tls_ca, *token_file;
	char *config;
	char *connections, *docker_host;
	char **uplinks; /* "PHYSNET=IFNAME" */
	size_t uplink_count;
	bool insecure, purge, verbose;
	bool help, version; /* of the command line only */
};

/*
 * Reads the command line, the file that it names, and fills in defaults (a purge's: where the run directory says that a daemon was).
 * 0; -EINVAL after getopt has told standard error what is wrong with the words; other errors with a sentence.
 */
int options_read(int argc, char **argv, struct options *ret, struct vd_error *error);
void options_done(struct options *options);

extern const char options_help[];

#endif
