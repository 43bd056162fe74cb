/* SPDX-License-Identifier: Apache-2.0 */
#include "client/command.h"
#include "client/text_table.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const struct vd_option vd_common_options[] = {
	{0, "server", "URL",
	 "unix:PATH or https://ADDRESS:PORT of the daemon to ask (VIADUCT_SERVER; default " VD_CLIENT_SERVER_DEFAULT ")"},
	{'p', "project", "NAME", "the project that names are looked up in (VIADUCT_PROJECT; default \"default\")"},
	{'o', "output", "FORMAT", "table, yaml or json, where the command has a choice"},
	{0, "json", NULL, "the same as -o json"},
	{0, "token-file", "FILE", "a file with the token to show to an https:// server (VIADUCT_TOKEN_FILE)"},
	{0, "ca", "FILE", "whom to trust (PEM), instead of the system's CAs (VIADUCT_CA)"},
	{0, "cert", "FILE", "a client certificate (PEM; VIADUCT_CERT)"},
	{0, "key", "FILE", "its key (PEM; VIADUCT_KEY)"},
	{0, "insecure", NULL, "allow http:// without TLS; for labs"},
	{'h', "help", NULL, "this text"},
	{0},
};

const struct vd_command vd_commands[] = {
	{
		.name = "apply",
		.arguments = "-f FILE…",
		.summary = "create and change resources, all of them together or none",
		.text = "FILE holds YAML or JSON documents; a directory stands for the .yaml, .yml and .json files in it, - for "
			"standard input.\n"
			"What the documents do not mention stays as it is.",
		.example = "viaduct apply -f vpc.yaml --wait\nviaduct apply -f network/ --dry-run",
		.options = vd_apply_options,
		.run = vd_command_apply,
	},
	{
		.name = "diff",
		.arguments = "-f FILE…",
		.summary = "show what apply would change, line by line",
		.example = "viaduct diff -f vpc.yaml",
		.options = vd_diff_options,
		.run = vd_command_diff,
	},
	{
		.name = "get",
		.arguments = "KIND [NAME]",
		.summary = "list resources, or show one",
		.text = "KIND is the singular or the plural: port, ports. \"viaduct explain\" lists the kinds. -o yaml prints "
			"documents that can be\n"
			"applied again. -p '*' lists those of every project. A route's NAME is its table and destination: "
			"demo/10.0.2.0/24.",
		.example = "viaduct get ports\nviaduct get port web1 -o yaml\nviaduct get routes --watch",
		.options = vd_get_options,
		.minimum = 1,
		.maximum = 2,
		.completes = "kind name",
		.run = vd_command_get,
	},
	{
		.name = "describe",
		.arguments = "KIND NAME",
		.summary = "show all that is known of a resource: its document, what was assigned, its state",
		.example = "viaduct describe port web1",
		.minimum = 2,
		.maximum = 2,
		.completes = "kind name",
		.run = vd_command_describe,
	},
	{
		.name = "explain",
		.arguments = "[KIND]",
		.summary = "list the kinds, or the fields of one with their types and defaults",
		.example = "viaduct explain subnet",
		.maximum = 1,
		.completes = "kind",
		.run = vd_command_explain,
	},
	{
		.name = "delete",
		.arguments = "[KIND NAME…]",
		.summary = "delete resources, all of them together or none",
		.text = "Either KIND and names, or -f FILE: then the resources that its documents name. What something else still "
			"needs is refused.",
		.example = "viaduct delete port web1 web2 --wait\nviaduct delete -f vpc.yaml",
		.options = vd_delete_options,
		.maximum = 1000,
		.completes = "kind name",
		.run = vd_command_delete,
	},
	{
		.name = "attach",
		.arguments = "PORT",
		.summary = "plug a port into a network namespace or a tap on this host",
		.text = "NETNS is a name below /run/netns, a path, or pid:N for the namespace of a process. The interface gets the "
			"port's MAC,\n"
			"addresses, MTU and routes, unless --dhcp leaves that to the instance.",
		.example = "viaduct attach web1 --netns web1\nviaduct attach web1 --netns pid:4711 --ifname eth0\nviaduct attach "
			   "vm1 --tap tap0",
		.options = vd_attach_options,
		.minimum = 1,
		.maximum = 1,
		.completes = "port",
		.run = vd_command_attach,
	},
	{
		.name = "detach",
		.arguments = "PORT",
		.summary = "unplug a port, on whichever host it is",
		.example = "viaduct detach web1",
		.options = vd_host_options,
		.minimum = 1,
		.maximum = 1,
		.completes = "port",
		.run = vd_command_detach,
	},
	{
		.name = "join",
		.arguments = "NETWORK…",
		.summary = "let this host take part in container networks, and wait for its blocks",
		.text = "NETWORK is a container_network. The host's node is made, or changed; nothing else has to be planned. An "
			"instance inside a VPC names the port that it is.",
		.example = "viaduct join apps\nviaduct join apps --port ecs1",
		.options = vd_join_options,
		.minimum = 1,
		.maximum = 64,
		.completes = "network",
		.run = vd_command_join,
	},
	{
		.name = "leave",
		.arguments = "[NETWORK…]",
		.summary = "let this host leave container networks, all of them when none is named",
		.text = "Its blocks go back when no container stands in them any more; until then those go on.",
		.example = "viaduct leave apps\nviaduct leave",
		.options = vd_leave_options,
		.maximum = 64,
		.completes = "network",
		.run = vd_command_leave,
	},
	{
		.name = "block",
		.arguments = "[NETWORK]",
		.summary = "print the blocks of container networks that this host holds",
		.text = "One CIDR a line, for other programs: docker network create --subnet $(viaduct block apps) my-net",
		.example = "viaduct block\nviaduct block apps --host n2",
		.options = vd_block_options,
		.maximum = 1,
		.completes = "network",
		.run = vd_command_block,
	},
	{
		.name = "docker",
		.arguments = "network NAME",
		.summary = "make a bridge network of Docker's on this host's block of a container network",
		.text = "The same as docker network create with the block's subnet, and the container network's MTU. Docker is "
			"asked on "
			"the machine where this command runs, so that must be the host itself. A network that stands is left as it "
			"is.",
		.example = "viaduct docker network my-net\nviaduct docker network my-net --container-network apps",
		.options = vd_docker_options,
		.minimum = 2,
		.maximum = 2,
		.completes = "words:network",
		.run = vd_command_docker,
	},
	{
		.name = "containers",
		.arguments = "",
		.summary = "list the containers of a host, and the addresses that are reserved there",
		.example = "viaduct containers --host n2",
		.options = vd_host_options,
		.run = vd_command_containers,
	},
	{
		.name = "status",
		.arguments = "",
		.summary = "show the hosts: which live, and whether they obey the last change; and a host's routers, uplinks, "
			   "gateways and SNAT ports",
		.example = "viaduct status --host h2",
		.options = vd_host_options,
		.run = vd_command_status,
	},
	{
		.name = "check",
		.arguments = "FROM TO [tcp|udp|icmp [PORT]]",
		.summary = "say why one does not reach the other: everything that is in the way, and what to do about it",
		.text = "FROM and TO are ports or addresses, those of containers too; FROM may also be network:NAME:ADDRESS, a "
			"host\n"
			"outside. It looks whether both ends are there, at Docker networks and routes that cover an address, at\n"
			"routes there and back, at security groups for the address that the far end sees, and asks the installed\n"
			"data plane of every host on the way. Each line is ok, warning or blocked. Nothing is sent. The exit\n"
			"status is 1 when something is in the way.",
		.example = "viaduct check web1 db1 tcp 5432\nviaduct check 10.0.2.5 192.168.10.52",
		.minimum = 2,
		.maximum = 4,
		.completes = "port port words:tcp,udp,icmp none",
		.run = vd_command_check,
	},
	{
		.name = "trace",
		.arguments = "FROM TO [tcp|udp|icmp [PORT]]",
		.summary = "say what the next packet from a port would meet, stage by stage",
		.text = "FROM is a port, network:NAME:ADDRESS for a host outside that sends to a public address, or, with --host,\n"
			"container:NETWORK:ADDRESS for a container of that node; TO is a port or an address.\n"
			"The installed data plane of every host on the way is asked. The last line is the\nverdict; the exit "
			"status is 1 when the packet would be dropped.",
		.example = "viaduct trace web1 db1 tcp 5432\nviaduct trace web1 10.0.3.2\n"
			   "viaduct trace network:public:198.51.100.9 203.0.113.10 tcp 24 --host h2",
		.options = vd_trace_options,
		.minimum = 2,
		.maximum = 4,
		.completes = "port port words:tcp,udp,icmp none",
		.run = vd_command_trace,
	},
	{
		.name = "drops",
		.arguments = "",
		.summary = "show what a host dropped, and why",
		.example = "viaduct drops\nviaduct drops --follow",
		.options = vd_drops_options,
		.run = vd_command_drops,
	},
	{
		.name = "flows",
		.arguments = "",
		.summary = "show the flows that a host forwards",
		.example = "viaduct flows --port web1\nviaduct flows --follow",
		.options = vd_flows_options,
		.run = vd_command_flows,
	},
	{
		.name = "neighbours",
		.arguments = "",
		.summary = "show who a host knows on its provider networks: gateways and other next hops, and their MACs",
		.text = "STATE is known, asked (an answer is waited for) or silent (nobody answered). HEARD is how many seconds "
			"ago.",
		.example = "viaduct neighbours --host h2",
		.options = vd_host_options,
		.run = vd_command_neighbours,
	},
	{
		.name = "capture",
		.arguments = "PORT…",
		.summary = "record a port's packets, as pcap",
		.text = "tcpdump on the host misses packets that are redirected past it; this does not. The ports may be on "
			"several hosts. Ends with Ctrl-C or after --count packets.",
		.example = "viaduct capture web1 -w web1.pcap\nviaduct capture web1 | tcpdump -nr -",
		.options = vd_capture_options,
		.minimum = 1,
		.maximum = 64,
		.completes = "port",
		.run = vd_command_capture,
	},
	{
		.name = "plan",
		.arguments = "",
		.summary = "print what a host's data plane must look like",
		.example = "viaduct plan\nviaduct plan --host h2",
		.options = vd_host_options,
		.run = vd_command_plan,
	},
	{
		.name = "purge",
		.arguments = "",
		.summary = "take everything that Viaduct made away from this host; the declared resources stay",
		.text = "Traffic of the instances on this host ends. The daemon must be stopped.",
		.example = "viaduct purge --yes",
		.options = vd_purge_options,
		.run = vd_command_purge,
	},
	{
		.name = "version",
		.arguments = "",
		.summary = "print the versions of this program and of the daemon",
		.example = "viaduct version",
		.run = vd_command_version,
	},
	{
		.name = "completion",
		.arguments = "bash|zsh|fish",
		.summary = "print a script that completes commands, kinds and names in your shell",
		.example = "source <(viaduct completion bash)\nviaduct completion fish > ~/.config/fish/completions/viaduct.fish",
		.minimum = 1,
		.maximum = VD_GIVEN_MAX,
		.completes = "words:bash,zsh,fish none",
		.run = vd_command_completion,
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "explain a command; \"help manual\" prints viaduct(1)",
		.example = "viaduct help apply",
		.maximum = 1,
		.completes = "command",
		.run = vd_command_help,
	},
	{0},
};

const struct vd_command *vd_command_find(const char *name)
{
	for (const struct vd_command *command = vd_commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

int vd_fail(const struct vd_error *error)
{
	fprintf(stderr, "viaduct: %s\n", error->text[0] ? error->text : "out of memory");
	return VD_EXIT_FAILED;
}

int vd_fail_usage(const struct vd_invocation *invocation, const char *format, ...)
{
	va_list arguments;

	fputs("viaduct: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (invocation->command)
		fprintf(stderr, "; see \"viaduct %s --help\"\n", invocation->command->name);
	else
		fputs("; see \"viaduct --help\"\n", stderr);
	return VD_EXIT_USAGE;
}

int vd_print_rows(const json_t *rows, const char *fallback, const char *const *headers, const char *const *paths, size_t columns)
{
	struct vd_text_table *table = vd_text_table_new(columns, headers);
	VD_FREE char **cells = calloc(columns, sizeof(*cells));
	struct vd_error error = {0};
	const json_t *row;
	size_t i;

	if (!table || !cells) {
		vd_text_table_free(table);
		return vd_fail(&error);
	}
	json_array_foreach (rows, i, row) {
		for (size_t column = 0; column < columns; column++)
			cells[column] = paths[column] ? vd_json_text(row, paths[column]) : strdup(fallback ? fallback : "");
		vd_text_table_add(table, (const char *const *)cells);
		for (size_t column = 0; column < columns; column++)
			free(cells[column]);
	}
	vd_text_table_print(table, stdout);
	vd_text_table_free(table);
	return VD_EXIT_DONE;
}

int vd_print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
	return VD_EXIT_DONE;
}

const char *vd_invocation_option(const struct vd_invocation *invocation, const char *name)
{
	for (size_t i = invocation->given_count; i > 0; i--)
		if (!strcmp(invocation->given[i - 1].option->name, name))
			return invocation->given[i - 1].value;
	return NULL;
}

bool vd_invocation_has(const struct vd_invocation *invocation, const char *name)
{
	return vd_invocation_option(invocation, name) != NULL;
}

bool vd_invocation_json(const struct vd_invocation *invocation)
{
	const char *output = vd_invocation_option(invocation, "output");

	return vd_invocation_has(invocation, "json") || (output && !strcmp(output, "json"));
}

const char *vd_invocation_project(const struct vd_invocation *invocation)
{
	const char *project = vd_invocation_option(invocation, "project");

	if (!project)
		project = getenv("VIADUCT_PROJECT");
	return project && *project ? project : "default";
}

char *vd_path_build(const char *begin, const char *segment, ...)
{
	VD_FREE char *escaped = segment ? vd_client_escape(segment) : NULL;
	char *path = NULL, *value;
	size_t size, count = 0;
	const char *name, *text;
	va_list pairs;
	FILE *file;

	file = open_memstream(&path, &size);
	if (!file)
		return NULL;
	fprintf(file, "%s%s%s", begin, escaped ? "/" : "", escaped ? escaped : "");
	va_start(pairs, segment);
	while ((name = va_arg(pairs, const char *))) {
		text = va_arg(pairs, const char *);
		value = text ? vd_client_escape(text) : NULL;
		if (value)
			fprintf(file, "%c%s=%s", count++ ? '&' : '?', name, value);
		free(value);
	}
	va_end(pairs);
	if (fclose(file)) {
		free(path);
		return NULL;
	}
	return path;
}

/* The option that an argument like "--name", "--name=value", "-n" or "-nvalue" means; *ret_value points behind its name, or NULL.
 */
static const struct vd_option *option_find(const struct vd_option *options, const char *argument, const char **ret_value)
{
	size_t size;

	for (; options && options->name; options++) {
		size = strlen(options->name);
		if (argument[1] == '-' && !strncmp(argument + 2, options->name, size) &&
		    (!argument[2 + size] || argument[2 + size] == '=')) {
			*ret_value = argument[2 + size] ? argument + 3 + size : NULL;
			return options;
		}
		if (argument[1] != '-' && options->letter && argument[1] == options->letter) {
			*ret_value = argument[2] ? argument + 2 : NULL;
			return options;
		}
	}
	return NULL;
}

struct parsing {
	struct vd_invocation *invocation;
	char **argv;
	int argc, at;
	bool only_arguments; /* "--" was seen */
	size_t argument_count;
	const char **arguments;
};

static int option_parse(struct parsing *parsing, const char *argument)
{
	struct vd_invocation *invocation = parsing->invocation;
	const struct vd_option *option = NULL;
	const char *value = NULL;

	if (invocation->command)
		option = option_find(invocation->command->options, argument, &value);
	if (!option)
		option = option_find(vd_common_options, argument, &value);
	if (!option)
		return vd_fail_usage(invocation, "unknown option %s", argument);
	if (!option->argument && value)
		return vd_fail_usage(invocation, "--%s takes no value", option->name);
	if (option->argument && !value) {
		if (parsing->at + 1 >= parsing->argc)
			return vd_fail_usage(invocation, "--%s needs a value: %s", option->name, option->argument);
		value = parsing->argv[++parsing->at];
	}
	if (invocation->given_count == VD_GIVEN_MAX)
		return vd_fail_usage(invocation, "more than %d options", VD_GIVEN_MAX);
	invocation->given[invocation->given_count].option = option;
	invocation->given[invocation->given_count++].value = value ? value : "";
	return VD_EXIT_DONE;
}

static int argument_parse(struct parsing *parsing, const char *argument)
{
	struct vd_invocation *invocation = parsing->invocation;

	if (invocation->command) {
		parsing->arguments[parsing->argument_count++] = argument;
		return VD_EXIT_DONE;
	}
	invocation->command = vd_command_find(argument);
	return invocation->command ? VD_EXIT_DONE : vd_fail_usage(invocation, "unknown command \"%s\"", argument);
}

static int parse(struct parsing *parsing)
{
	const char *argument;
	int status = VD_EXIT_DONE;

	for (parsing->at = 1; !status && parsing->at < parsing->argc; parsing->at++) {
		argument = parsing->argv[parsing->at];
		/* What the shell asks to complete is not ours to read. */
		if (!parsing->only_arguments && !strcmp(argument, "--") && parsing->invocation->command)
			parsing->only_arguments = true;
		else if (!parsing->only_arguments && argument[0] == '-' && argument[1])
			status = option_parse(parsing, argument);
		else
			status = argument_parse(parsing, argument);
	}
	parsing->invocation->arguments = parsing->arguments;
	parsing->invocation->argument_count = parsing->argument_count;
	return status;
}

static int check(const struct vd_invocation *invocation)
{
	const struct vd_command *command = invocation->command;
	const char *output = vd_invocation_option(invocation, "output");

	if (invocation->argument_count < command->minimum)
		return vd_fail_usage(invocation, "%s needs %s", command->name, command->arguments);
	if (invocation->argument_count > command->maximum)
		return vd_fail_usage(invocation, "%s: \"%s\" is one argument too many", command->name,
				     invocation->arguments[command->maximum]);
	if (output && strcmp(output, "table") != 0 && strcmp(output, "yaml") != 0 && strcmp(output, "json") != 0)
		return vd_fail_usage(invocation, "-o %s: write table, yaml or json", output);
	return VD_EXIT_DONE;
}

int vd_invocation_connect(const struct vd_invocation *invocation, struct vd_client **ret, struct vd_error *error)
{
	struct vd_client_options options = {
		.server = vd_invocation_option(invocation, "server"),
		.token_file = vd_invocation_option(invocation, "token-file"),
		.ca = vd_invocation_option(invocation, "ca"),
		.cert = vd_invocation_option(invocation, "cert"),
		.key = vd_invocation_option(invocation, "key"),
		.insecure = vd_invocation_has(invocation, "insecure"),
	};

	return vd_client_open(&options, ret, error);
}

static int run(struct vd_invocation *invocation)
{
	struct vd_error error = {0};
	int status;

	if (vd_invocation_connect(invocation, &invocation->client, &error))
		return vd_fail(&error);
	status = invocation->command->run(invocation);
	vd_client_close(invocation->client);
	/* What could not be written was not said. */
	if ((fflush(stdout) || ferror(stdout)) && !status) {
		vd_error_set(&error, -EIO, "standard output: %m");
		return vd_fail(&error);
	}
	return status;
}

int vd_command_main(int argc, char **argv)
{
	struct vd_invocation invocation = {0};
	struct parsing parsing = {.invocation = &invocation, .argv = argv, .argc = argc};
	VD_FREE const char **arguments = calloc((size_t)argc + 1, sizeof(*arguments));
	int status;

	if (!arguments)
		return VD_EXIT_FAILED;
	parsing.arguments = arguments;
	status = parse(&parsing);
	if (status)
		return status;
	if (vd_invocation_has(&invocation, "help")) {
		if (invocation.command)
			vd_command_print_help(invocation.command, stdout);
		else
			vd_command_print_overview(stdout);
		return VD_EXIT_DONE;
	}
	if (!invocation.command)
		return vd_fail_usage(&invocation, "what is to be done? A command is missing");
	status = check(&invocation);
	return status ? status : run(&invocation);
}
