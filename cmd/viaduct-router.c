/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a VPC's router on a host: options, privileges, and the loop of src/services/router. */
#include "base/log.h"
#include "services/router/router.h"

#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_USAGE 2
/* "nobody": owns no file, and its processes may not look at each other once they changed to it. */
#define NOBODY 65534

static const struct option long_options[] = {
	{"netns", required_argument, NULL, 'n'},
	{"interface", required_argument, NULL, 'i'},
	{"socket", required_argument, NULL, 's'},
	{"resolv-conf", required_argument, NULL, 'r'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{},
};

static const char help[] = "Usage: viaduct-router --netns PATH --interface IFNAME --socket PATH [--resolv-conf FILE]\n"
			   "\n"
			   "DHCP, DNS and metadata of one VPC on one host. viaductd starts it, feeds it through the socket\n"
			   "and takes it over again after a restart; by hand it is of use for tests only.\n"
			   "\n"
			   "  --netns PATH           the network namespace of the VPC's router\n"
			   "  --interface IFNAME     the service port, inside that namespace\n"
			   "  --socket PATH          where viaductd talks to it\n"
			   "  --resolv-conf FILE     name servers of subnets that name none (default: /etc/resolv.conf)\n"
			   "  --version, --help\n";

/* Every socket is open: nothing that comes over them finds a privilege. */
static void privileges_drop(void)
{
	cap_t none;

	if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		vd_log_warning("the user could not be changed to nobody: %m");
	none = cap_init();
	if (!none || cap_set_proc(none) < 0)
		vd_log_warning("capabilities could not be dropped: %m");
	cap_free(none);
}

/* libunbound asks from many ports. */
static void files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct vd_router_process_options *options)
{
	struct vd_router_process *process = NULL;
	struct vd_error error = {};

	/* Before the first thread, which takes it over. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (vd_router_process_new(options, &process, &error) < 0) {
		vd_log_error("viaduct-router: %s", error.text);
		return EXIT_FAILURE;
	}
	privileges_drop();
	vd_router_process_run(process);
	vd_router_process_free(process);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct vd_router_process_options options = {.resolv_conf = "/etc/resolv.conf"};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			options.netns_path = optarg;
			break;
		case 'i':
			options.ifname = optarg;
			break;
		case 's':
			options.socket_path = optarg;
			break;
		case 'r':
			options.resolv_conf = optarg;
			break;
		case 'V':
			puts("viaduct-router " VD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc || !options.netns_path || !options.ifname || !options.socket_path) {
		fprintf(stderr, "viaduct-router: --netns, --interface and --socket are needed: see viaduct-router --help\n");
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	files_raise();
	return run(&options);
}
