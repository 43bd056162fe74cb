/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CNI_CALL_H
#define VD_CNI_CALL_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What a container runtime asks of a CNI plugin: words in the environment and a JSON object on standard input (CNI specification
 * 1.1.0, sections 2 and 3; older ones back to 0.1.0 differ in the result only). Pure: bytes in, a call or an error out.
 */

/* X(ENUMERATOR, word, the first version that has it) */
#define VD_CNI_COMMANDS(X) \
	X(ADD, "ADD", VD_CNI_VERSION_0_1_0) \
	X(DEL, "DEL", VD_CNI_VERSION_0_1_0) \
	X(CHECK, "CHECK", VD_CNI_VERSION_0_4_0) \
	X(GC, "GC", VD_CNI_VERSION_1_1_0) \
	X(STATUS, "STATUS", VD_CNI_VERSION_1_1_0) \
	X(VERSION, "VERSION", VD_CNI_VERSION_0_1_0)

enum vd_cni_command {
#define X(command, ...) VD_CNI_COMMAND_##command,
	VD_CNI_COMMANDS(X)
#undef X
};

/* X(ENUMERATOR, text), oldest first. */
#define VD_CNI_VERSIONS(X) \
	X(0_1_0, "0.1.0") \
	X(0_2_0, "0.2.0") \
	X(0_3_0, "0.3.0") \
	X(0_3_1, "0.3.1") \
	X(0_4_0, "0.4.0") \
	X(1_0_0, "1.0.0") \
	X(1_1_0, "1.1.0")

enum vd_cni_version {
#define X(version, ...) VD_CNI_VERSION_##version,
	VD_CNI_VERSIONS(X)
#undef X
};

/* Section 5 of the specification, "Error". */
enum vd_cni_code {
	VD_CNI_CODE_VERSION = 1,       /* a version, or a command in it, that we do not speak */
	VD_CNI_CODE_FIELD = 2,         /* a field, or a value of one, that we do not support */
	VD_CNI_CODE_CONTAINER = 3,     /* no such container */
	VD_CNI_CODE_ENVIRONMENT = 4,   /* a CNI_ variable is missing or makes no sense */
	VD_CNI_CODE_INPUT = 5,         /* standard input could not be read */
	VD_CNI_CODE_JSON = 6,          /* … or is no JSON */
	VD_CNI_CODE_CONFIGURATION = 7, /* the configuration is refused */
	VD_CNI_CODE_LATER = 11,        /* try again */
	VD_CNI_CODE_UNAVAILABLE = 50,  /* STATUS: nothing can be added now */
	VD_CNI_CODE_LIMITED = 51,      /* STATUS: … and those that are there may not be reached either */
	VD_CNI_CODE_FAILED = 100,      /* ours: the daemon said no */
};

struct vd_cni_error {
	enum vd_cni_code code;
	struct vd_error sentence;
};

/* The environment's words; NULL: not set. */
struct vd_cni_environment {
	const char *command, *container_id, *netns, *ifname, *args;
};

struct vd_cni_call {
	enum vd_cni_command command;
	enum vd_cni_version version;
	const char *container_id, *netns, *ifname; /* borrowed of the environment; NULL where the command has none */
	const char *name;                          /* of the network configuration, borrowed of it */
	const char *network;                       /* the container network: its field "network", else its name */
	const char *server;                        /* where the daemon is, NULL: the client's default */
	json_t *addresses;                         /* asked for, without prefix length; NULL: any */
	json_t *configuration;                     /* whole; an object */
};

/*
 * 0, or -EINVAL with error set. VERSION reads nothing but the version. ret is to be cleared by vd_cni_call_clear; it borrows the
 * environment's strings.
 */
int vd_cni_call_parse(const struct vd_cni_environment *environment, const char *input, size_t size, struct vd_cni_call *ret,
		      struct vd_cni_error *error);
void vd_cni_call_clear(struct vd_cni_call *call);

/* "cni/<configuration>/<container>/<interface>": what the daemon calls this attachment. NULL without memory; to be freed. */
char *vd_cni_call_key(const struct vd_cni_call *call);
/* What the keys of all attachments of this configuration begin with; to be freed. */
char *vd_cni_call_key_prefix(const struct vd_cni_call *call);
/* What the daemon is asked (api/live.h: container_add, …_check, …_delete, …_gc); a new reference, NULL without memory. */
json_t *vd_cni_call_arguments(const struct vd_cni_call *call);

const char *vd_cni_version_text(enum vd_cni_version version);
/* Fills in an error and returns -EINVAL. */
int vd_cni_fail(struct vd_cni_error *error, enum vd_cni_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
