/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/call.h"

#include "base/address.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define IFNAME_MAX 15

static const char *const version_texts[] = {
#define X(version, text) [VD_CNI_VERSION_##version] = text,
	VD_CNI_VERSIONS(X)
#undef X
};

static const struct {
	const char *word;
	enum vd_cni_version since;
} commands[] = {
#define X(command, word, since) [VD_CNI_COMMAND_##command] = {word, since},
	VD_CNI_COMMANDS(X)
#undef X
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *vd_cni_version_text(enum vd_cni_version version)
{
	return version_texts[version];
}

int vd_cni_fail(struct vd_cni_error *error, enum vd_cni_code code, const char *format, ...)
{
	va_list arguments;

	error->code = code;
	va_start(arguments, format);
	vsnprintf(error->sentence.text, sizeof(error->sentence.text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", of container ids and names of configurations. */
static bool is_identifier(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	return *text && strchr(first, *text) &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == '\0';
}

static bool is_ifname(const char *text)
{
	return *text && strlen(text) <= IFNAME_MAX && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
	       !strpbrk(text, "/: \t\n\v\f\r");
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* ---- environment ---- */

static int command_read(const char *word, enum vd_cni_command *ret, struct vd_cni_error *error)
{
	if (!is_given(word))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT,
				   "CNI_COMMAND is not set: a container runtime calls this program, not a person");
	for (size_t i = 0; i < COUNT(commands); i++)
		if (!strcmp(commands[i].word, word)) {
			*ret = (enum vd_cni_command)i;
			return 0;
		}
	return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_COMMAND \"%s\": it is one of ADD, DEL, CHECK, GC, STATUS, VERSION",
			   word);
}

/* What speaks of one container: the namespace may be gone when it is deleted. */
static int container_read(const struct vd_cni_environment *environment, struct vd_cni_call *call, struct vd_cni_error *error)
{
	if (!is_given(environment->container_id))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_CONTAINERID is not set");
	if (!is_identifier(environment->container_id))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT,
				   "CNI_CONTAINERID \"%s\": it must be letters, digits, \"_\", \".\" and \"-\", and begin with a "
				   "letter or digit",
				   environment->container_id);
	if (!is_given(environment->ifname))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_IFNAME is not set");
	if (!is_ifname(environment->ifname))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_IFNAME \"%s\": no interface can be called so",
				   environment->ifname);
	if (call->command != VD_CNI_COMMAND_DEL && !is_given(environment->netns))
		return vd_cni_fail(error, VD_CNI_CODE_ENVIRONMENT, "CNI_NETNS is not set");
	call->container_id = environment->container_id;
	call->ifname = environment->ifname;
	call->netns = is_given(environment->netns) ? environment->netns : NULL;
	return 0;
}

/* ---- configuration ---- */

static int version_read(struct vd_cni_call *call, struct vd_cni_error *error)
{
	const json_t *given = json_object_get(call->configuration, "cniVersion");
	const char *text = json_string_value(given);

	if (given && !text)
		return vd_cni_fail(error, VD_CNI_CODE_VERSION, "cniVersion: it is a text, as \"%s\"",
				   version_texts[VD_CNI_VERSION_1_1_0]);
	if (!is_given(text)) {
		call->version = VD_CNI_VERSION_0_1_0; /* who does not say is of the time when there was one version */
		return 0;
	}
	for (size_t i = 0; i < COUNT(version_texts); i++)
		if (!strcmp(version_texts[i], text)) {
			call->version = (enum vd_cni_version)i;
			return 0;
		}
	if (call->command == VD_CNI_COMMAND_VERSION) {
		call->version = VD_CNI_VERSION_1_1_0;
		return 0;
	}
	return vd_cni_fail(error, VD_CNI_CODE_VERSION, "cniVersion \"%s\": viaduct-cni speaks 0.1.0 to 1.1.0", text);
}

static int configuration_load(const char *input, size_t size, struct vd_cni_call *call, struct vd_cni_error *error)
{
	json_error_t problem;

	call->configuration = json_loadb(input, size, JSON_REJECT_DUPLICATES, &problem);
	if (!call->configuration)
		return vd_cni_fail(error, VD_CNI_CODE_JSON, "the configuration on standard input is no JSON: line %d: %s",
				   problem.line, problem.text);
	if (!json_is_object(call->configuration))
		return vd_cni_fail(error, VD_CNI_CODE_JSON, "the configuration on standard input must be a JSON object");
	return 0;
}

/* Optional, and a text when it is there. */
static int text_read(const struct vd_cni_call *call, const char *field, const char **ret, struct vd_cni_error *error)
{
	const json_t *value = json_object_get(call->configuration, field);

	if (value && (!json_is_string(value) || !*json_string_value(value)))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "%s: it must be a text that is not empty", field);
	if (value)
		*ret = json_string_value(value);
	return 0;
}

static int name_read(struct vd_cni_call *call, struct vd_cni_error *error)
{
	int r = text_read(call, "name", &call->name, error);

	if (r == 0 && !call->name)
		r = vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "name: the network configuration needs one");
	if (r == 0 && !is_identifier(call->name))
		r = vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION,
				"name \"%s\": it must be letters, digits, \"_\", \".\" and \"-\", and begin with a letter or digit",
				call->name);
	if (r == 0)
		r = text_read(call, "network", &call->network, error);
	if (r == 0)
		r = text_read(call, "server", &call->server, error);
	if (r == 0 && !call->network)
		call->network = call->name;
	return r;
}

/* Addresses are the daemon's to give: another plugin for them would give them twice. */
static int ipam_check(const struct vd_cni_call *call, struct vd_cni_error *error)
{
	const json_t *ipam = json_object_get(call->configuration, "ipam");
	const char *type = json_string_value(json_object_get(ipam, "type"));

	if (!ipam || (json_is_object(ipam) && json_object_size(ipam) == 0))
		return 0;
	return vd_cni_fail(error, VD_CNI_CODE_FIELD, "ipam%s%s: viaduct-cni gives addresses itself: leave \"ipam\" away",
			   type ? " " : "", type ? type : "");
}

static int address_add(struct vd_cni_call *call, const char *text, size_t size, struct vd_cni_error *error)
{
	char address_text[VD_ADDRESS_TEXT];
	struct vd_prefix prefix;
	char *copy = strndup(text, size);
	int r = copy ? vd_prefix_parse(copy, &prefix) : -EINVAL;

	free(copy);
	if (r < 0)
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "address \"%.*s\": that is none", (int)(size < 64 ? size : 64),
				   text);
	if (!call->addresses)
		call->addresses = json_array();
	json_array_append_new(call->addresses, json_string(vd_address_format(&prefix.address, address_text)));
	return 0;
}

static int addresses_read(struct vd_cni_call *call, const json_t *given, const char *field, struct vd_cni_error *error)
{
	const json_t *value;
	size_t i;
	int r = 0;

	if (given && !json_is_array(given))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "%s: it must be a list of addresses", field);
	json_array_foreach ((json_t *)given, i, value) {
		if (!json_is_string(value))
			return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "%s: it must be a list of addresses", field);
		r = address_add(call, json_string_value(value), strlen(json_string_value(value)), error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* CNI_ARGS is "KEY=VALUE;KEY=VALUE"; of them only IP is for us. */
static int arguments_read(struct vd_cni_call *call, const char *text, struct vd_cni_error *error)
{
	while (text && *text) {
		size_t size = strcspn(text, ";");

		if (size >= 3 && !strncmp(text, "IP=", 3)) {
			int r = address_add(call, text + 3, size - 3, error);

			if (r < 0)
				return r;
		}
		text += size + (text[size] == ';');
	}
	return 0;
}

static int wishes_read(struct vd_cni_call *call, const char *arguments, struct vd_cni_error *error)
{
	const json_t *runtime = json_object_get(call->configuration, "runtimeConfig");
	const json_t *cni = json_object_get(json_object_get(call->configuration, "args"), "cni");
	int r;

	if (runtime && !json_is_object(runtime))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "runtimeConfig: it must be an object");
	if (json_object_get(runtime, "mac"))
		return vd_cni_fail(error, VD_CNI_CODE_FIELD,
				   "runtimeConfig.mac: a container's MAC is made from its address: leave it away");
	r = addresses_read(call, json_object_get(runtime, "ips"), "runtimeConfig.ips", error);
	if (r == 0 && !call->addresses)
		r = addresses_read(call, json_object_get(cni, "ips"), "args.cni.ips", error);
	if (r == 0 && !call->addresses)
		r = arguments_read(call, arguments, error);
	return r;
}

/* ---- bandwidth: bits per second and bits, as the convention "bandwidth" has them, seen from the container's side ---- */

static const struct {
	const char *theirs, *ours;
} rates[] = {
	{"ingressRate", "ingress_rate"},
	{"ingressBurst", "ingress_burst"},
	{"egressRate", "egress_rate"},
	{"egressBurst", "egress_burst"},
};

static const json_t *bandwidth_find(const struct vd_cni_call *call)
{
	const json_t *given = json_object_get(json_object_get(call->configuration, "runtimeConfig"), "bandwidth");

	return given ? given : json_object_get(call->configuration, "bandwidth");
}

static int bandwidth_check(const struct vd_cni_call *call, struct vd_cni_error *error)
{
	const json_t *given = bandwidth_find(call);

	if (!given)
		return 0;
	if (!json_is_object(given))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "bandwidth: it must be an object");
	for (size_t i = 0; i < COUNT(rates); i++) {
		const json_t *value = json_object_get(given, rates[i].theirs);

		if (value && (!json_is_integer(value) || json_integer_value(value) < 0))
			return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION,
					   "bandwidth.%s: it must be a whole number of bits, 0 or more", rates[i].theirs);
	}
	for (size_t i = 0; i < COUNT(rates); i += 2)
		if (json_integer_value(json_object_get(given, rates[i + 1].theirs)) > 0 &&
		    json_integer_value(json_object_get(given, rates[i].theirs)) == 0)
			return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "bandwidth: %s is given, but no %s",
					   rates[i + 1].theirs, rates[i].theirs);
	return 0;
}

static json_t *bandwidth_arguments(const struct vd_cni_call *call)
{
	const json_t *given = bandwidth_find(call);
	json_t *bandwidth = json_object();

	for (size_t i = 0; i < COUNT(rates); i++) {
		json_int_t value = json_integer_value(json_object_get(given, rates[i].theirs));

		if (value > 0)
			json_object_set_new(bandwidth, rates[i].ours, json_integer(value));
	}
	return bandwidth;
}

/* ---- GC ---- */

static int attachments_check(const struct vd_cni_call *call, struct vd_cni_error *error)
{
	const json_t *given = json_object_get(call->configuration, "cni.dev/valid-attachments"), *attachment;
	size_t i;

	if (!json_is_array(given))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION,
				   "cni.dev/valid-attachments: GC needs the list of attachments that are to stay");
	json_array_foreach ((json_t *)given, i, attachment) {
		const char *container_id = json_string_value(json_object_get(attachment, "containerID"));
		const char *ifname = json_string_value(json_object_get(attachment, "ifname"));

		if (!container_id || !is_identifier(container_id) || !ifname || !is_ifname(ifname))
			return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION,
					   "cni.dev/valid-attachments[%zu]: it needs a containerID and an ifname", i);
	}
	return 0;
}

/* ---- the call ---- */

static int rest_parse(const struct vd_cni_environment *environment, struct vd_cni_call *call, struct vd_cni_error *error)
{
	int r;

	if (call->version < commands[call->command].since)
		return vd_cni_fail(error, VD_CNI_CODE_VERSION, "%s came with CNI %s, the configuration is of %s",
				   commands[call->command].word, version_texts[commands[call->command].since],
				   version_texts[call->version]);
	r = name_read(call, error);
	if (r < 0)
		return r;
	switch (call->command) {
	case VD_CNI_COMMAND_VERSION:
	case VD_CNI_COMMAND_STATUS:
		return 0;
	case VD_CNI_COMMAND_GC:
		return attachments_check(call, error);
	case VD_CNI_COMMAND_DEL:
		return container_read(environment, call, error);
	case VD_CNI_COMMAND_ADD:
	case VD_CNI_COMMAND_CHECK:
		break;
	}
	r = container_read(environment, call, error);
	if (r == 0)
		r = ipam_check(call, error);
	if (r == 0)
		r = wishes_read(call, environment->args, error);
	if (r == 0)
		r = bandwidth_check(call, error);
	return r;
}

int vd_cni_call_parse(const struct vd_cni_environment *environment, const char *input, size_t size, struct vd_cni_call *ret,
		      struct vd_cni_error *error)
{
	struct vd_cni_call call = {.version = VD_CNI_VERSION_1_1_0};
	int r = command_read(environment->command, &call.command, error);

	if (r == 0)
		r = configuration_load(input, size, &call, error);
	if (r == 0)
		r = version_read(&call, error);
	if (r == 0 && call.command != VD_CNI_COMMAND_VERSION)
		r = rest_parse(environment, &call, error);
	if (r < 0) {
		vd_cni_call_clear(&call);
		return r;
	}
	*ret = call;
	return 0;
}

void vd_cni_call_clear(struct vd_cni_call *call)
{
	json_decref(call->configuration);
	json_decref(call->addresses);
	*call = (struct vd_cni_call){};
}

static char *key_of(const struct vd_cni_call *call, const char *container_id, const char *ifname)
{
	char *key;

	return asprintf(&key, "cni/%s/%s/%s", call->name, container_id, ifname) < 0 ? NULL : key;
}

char *vd_cni_call_key(const struct vd_cni_call *call)
{
	return key_of(call, call->container_id, call->ifname);
}

char *vd_cni_call_key_prefix(const struct vd_cni_call *call)
{
	char *prefix;

	return asprintf(&prefix, "cni/%s/", call->name) < 0 ? NULL : prefix;
}

static json_t *gc_arguments(const struct vd_cni_call *call)
{
	const json_t *given = json_object_get(call->configuration, "cni.dev/valid-attachments"), *attachment;
	VD_FREE char *prefix = vd_cni_call_key_prefix(call);
	json_t *valid = json_array();
	size_t i;

	json_array_foreach ((json_t *)given, i, attachment) {
		VD_FREE char *key = key_of(call, json_string_value(json_object_get(attachment, "containerID")),
					   json_string_value(json_object_get(attachment, "ifname")));

		if (!key || json_array_append_new(valid, json_string(key)) < 0) {
			json_decref(valid);
			return NULL;
		}
	}
	return json_pack("{s:s, s:s, s:o}", "network", call->network, "prefix", prefix ? prefix : "", "valid", valid);
}

json_t *vd_cni_call_arguments(const struct vd_cni_call *call)
{
	VD_FREE char *key = call->container_id ? vd_cni_call_key(call) : NULL;
	json_t *arguments = NULL;

	switch (call->command) {
	case VD_CNI_COMMAND_VERSION:
	case VD_CNI_COMMAND_STATUS:
		return json_pack("{s:s*}", "network", call->network);
	case VD_CNI_COMMAND_GC:
		return gc_arguments(call);
	case VD_CNI_COMMAND_DEL:
		return json_pack("{s:s}", "key", key);
	case VD_CNI_COMMAND_CHECK:
		return json_pack("{s:s, s:s, s:s}", "key", key, "netns", call->netns, "ifname", call->ifname);
	case VD_CNI_COMMAND_ADD:
		break;
	}
	arguments = json_pack("{s:s, s:s, s:s, s:s}", "network", call->network, "key", key, "netns", call->netns, "ifname",
			      call->ifname);
	if (arguments && call->addresses)
		json_object_set(arguments, "addresses", call->addresses);
	if (arguments && bandwidth_find(call))
		json_object_set_new(arguments, "bandwidth", bandwidth_arguments(call));
	return arguments;
}
