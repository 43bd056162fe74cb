/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_COMMAND_H
#define VD_CLIENT_COMMAND_H

#include "client/client.h"

#include <stdio.h>

/*
 * The command line of viaduct. A command is a row: parsing, --help, completion and the man page follow it.
 * Exit statuses: 0 done, 1 refused or failed, 2 usage.
 */
#define VD_EXIT_DONE 0
#define VD_EXIT_FAILED 1
#define VD_EXIT_USAGE 2

struct vd_option {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: it takes none */
	const char *help;
};

struct vd_invocation;

struct vd_command {
	const char *name;
	const char *arguments;           /* "KIND [NAME]"; what is in brackets may be missing, "…" may be repeated */
	const char *summary;             /* one line */
	const char *text;                /* what --help says besides; NULL: nothing */
	const char *example;             /* lines to be copied, without indentation */
	const struct vd_option *options; /* its own; ends with name NULL */
	unsigned minimum, maximum;       /* how many arguments */
	const char *
		completes; /* per argument: "kind", "name" (of the kind before it), "port", "network" (a container_network), "words:a,b"; the last one repeats */
	int (*run)(struct vd_invocation *invocation);
};

#define VD_GIVEN_MAX 128

struct vd_invocation {
	const struct vd_command *command;
	struct {
		const struct vd_option *option;
		const char *value;
	} given[VD_GIVEN_MAX];
	size_t given_count;
	const char *const *arguments;
	size_t argument_count;
	struct vd_client *client;
};

/* Parses, runs, returns the exit status. */
int vd_command_main(int argc, char **argv);

/* All commands, in the order of --help; ends with name NULL. And the options that all of them take. */
extern const struct vd_command vd_commands[];
extern const struct vd_option vd_common_options[];
const struct vd_command *vd_command_find(const char *name);
void vd_command_print_help(const struct vd_command *command, FILE *file);
void vd_command_print_overview(FILE *file);
/* The command's manual page, viaduct(1), as man(7) text. */
void vd_command_print_manual(FILE *file);

/* The option's value, "" for one that takes none; NULL when not given. The last one counts. */
const char *vd_invocation_option(const struct vd_invocation *invocation, const char *name);
bool vd_invocation_has(const struct vd_invocation *invocation, const char *name);
/* "--json" or "-o json". */
bool vd_invocation_json(const struct vd_invocation *invocation);
/* "project", from --project, VIADUCT_PROJECT, or "default". */
const char *vd_invocation_project(const struct vd_invocation *invocation);

/* Another client to the same server, to be closed; invocation->client is the first. */
int vd_invocation_connect(const struct vd_invocation *invocation, struct vd_client **ret, struct vd_error *error);

/* Says the sentence on standard error and returns the exit status. */
int vd_fail(const struct vd_error *error);
int vd_fail_usage(const struct vd_invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The object as indented JSON on standard output; takes the reference over. */
int vd_print_json(json_t *object);
/* A table of rows (an array of objects) by paths as of vd_json_text; a column without a path shows fallback. An exit status. */
int vd_print_rows(const json_t *rows, const char *fallback, const char *const *headers, const char *const *paths, size_t columns);

/* A path with its query: vd_path(&ret, "/v1/ports/%s", name, "project", project, NULL) escapes name and each value. To free. */
char *vd_path_build(const char *begin, const char *segment, ...) __attribute__((sentinel));

/* command_apply.c */
extern const struct vd_option vd_apply_options[], vd_diff_options[], vd_delete_options[];
int vd_command_apply(struct vd_invocation *invocation);
int vd_command_diff(struct vd_invocation *invocation);
int vd_command_delete(struct vd_invocation *invocation);
/* command_get.c */
extern const struct vd_option vd_get_options[];
int vd_command_get(struct vd_invocation *invocation);
/* command_describe.c */
int vd_command_describe(struct vd_invocation *invocation);
int vd_command_explain(struct vd_invocation *invocation);
/* command_attach.c */
extern const struct vd_option vd_attach_options[], vd_host_options[];
int vd_command_attach(struct vd_invocation *invocation);
int vd_command_detach(struct vd_invocation *invocation);
/* command_live.c */
extern const struct vd_option vd_drops_options[], vd_flows_options[];
int vd_command_drops(struct vd_invocation *invocation);
int vd_command_flows(struct vd_invocation *invocation);
int vd_command_neighbours(struct vd_invocation *invocation);
int vd_command_plan(struct vd_invocation *invocation);
/* command_node.c */
extern const struct vd_option vd_join_options[], vd_leave_options[];
int vd_command_join(struct vd_invocation *invocation);
int vd_command_leave(struct vd_invocation *invocation);
int vd_command_containers(struct vd_invocation *invocation);
/* command_docker.c */
extern const struct vd_option vd_block_options[], vd_docker_options[];
int vd_command_block(struct vd_invocation *invocation);
int vd_command_docker(struct vd_invocation *invocation);
/* command_purge.c */
extern const struct vd_option vd_purge_options[];
int vd_command_purge(struct vd_invocation *invocation);
/* command_status.c */
int vd_command_status(struct vd_invocation *invocation);
int vd_command_version(struct vd_invocation *invocation);
/* command_check.c */
int vd_command_check(struct vd_invocation *invocation);
/* command_trace.c */
extern const struct vd_option vd_trace_options[];
int vd_command_trace(struct vd_invocation *invocation);
/* command_capture.c */
extern const struct vd_option vd_capture_options[];
int vd_command_capture(struct vd_invocation *invocation);
/* command_completion.c */
int vd_command_completion(struct vd_invocation *invocation);
/* help.c */
int vd_command_help(struct vd_invocation *invocation);

#endif
