/* SPDX-License-Identifier: Apache-2.0 */
#include "services/metadata/metadata.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct subject {
	const struct vd_router_state *state;
	const struct vd_router_port *port;
	const struct vd_router_subnet *subnet; /* NULL while its record has not come */
	const struct vd_address *client;
};

/* In double quotes, so that YAML reads every byte as it stands; bytes above ASCII pass, they are UTF-8. */
static void quote(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(file, "\\x%02x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

/* ---- the documents ---- */

static void instance_id(const struct subject *subject, FILE *file)
{
	/* cloud-init runs its first-boot part once per id: the port's id is never given twice. */
	fprintf(file, "i-%08x", subject->port->id);
}

static void hostname(const struct subject *subject, FILE *file)
{
	fputs(subject->port->hostname, file);
}

static const struct vd_address *address_of_family(const struct subject *subject, uint8_t family)
{
	for (size_t i = 0; i < subject->port->address_count; i++)
		if (subject->port->addresses[i].address.family == family)
			return &subject->port->addresses[i].address;
	return NULL;
}

static void address_print(const struct subject *subject, uint8_t family, FILE *file)
{
	const struct vd_address *address = address_of_family(subject, family);
	char text[VD_ADDRESS_TEXT];

	if (address)
		fputs(vd_address_format(address, text), file);
}

static void local_ipv4(const struct subject *subject, FILE *file)
{
	address_print(subject, VD_FAMILY_IPV4, file);
}

static void ipv6(const struct subject *subject, FILE *file)
{
	address_print(subject, VD_FAMILY_IPV6, file);
}

static void mac(const struct subject *subject, FILE *file)
{
	char text[VD_MAC_TEXT];

	fputs(vd_mac_format(&subject->port->mac, text), file);
}

static void meta_data(const struct subject *subject, FILE *file)
{
	const struct vd_router_port *port = subject->port;

	fputs("instance-id: ", file);
	instance_id(subject, file);
	fputs("\nlocal-hostname: ", file);
	quote(file, port->hostname);
	if (address_of_family(subject, VD_FAMILY_IPV4)) {
		fputs("\nlocal-ipv4: ", file);
		local_ipv4(subject, file);
	}
	if (address_of_family(subject, VD_FAMILY_IPV6)) {
		fputs("\nipv6: \"", file);
		ipv6(subject, file);
		fputc('"', file);
	}
	fputs("\nmac: \"", file);
	mac(subject, file);
	fputs("\"\n", file);
	if (port->ssh_key_count > 0)
		fputs("public-keys:\n", file);
	for (size_t i = 0; i < port->ssh_key_count; i++) {
		fputs("  - ", file);
		quote(file, port->ssh_keys[i]);
		fputc('\n', file);
	}
}

static void user_data(const struct subject *subject, FILE *file)
{
	if (subject->port->user_data)
		fputs(subject->port->user_data, file);
}

static void vendor_data(const struct subject *subject, FILE *file)
{
	/* There is none, and cloud-init asks for it. */
}

static void routes_print(const struct subject *subject, FILE *file)
{
	const struct vd_address *gateways[] = {&subject->subnet->gateway4, &subject->subnet->gateway6};
	char text[VD_PREFIX_TEXT], gateway[VD_ADDRESS_TEXT];

	fputs("    routes:\n", file);
	for (size_t i = 0; i < 2; i++) {
		if (gateways[i]->family == VD_FAMILY_NONE)
			continue;
		vd_address_format(gateways[i], gateway);
		if (subject->port->is_default)
			fprintf(file, "      - {to: \"%s\", via: \"%s\"}\n", i ? "::/0" : "0.0.0.0/0", gateway);
		for (size_t n = 0; n < subject->port->vpc_cidr_count && !subject->port->is_default; n++)
			if (subject->port->vpc_cidrs[n].address.family == gateways[i]->family)
				fprintf(file, "      - {to: \"%s\", via: \"%s\"}\n",
					vd_prefix_format(&subject->port->vpc_cidrs[n], text), gateway);
	}
}

static void static_print(const struct subject *subject, FILE *file)
{
	const struct vd_router_subnet *subnet = subject->subnet;
	const struct vd_address *server = vd_router_subnet_server(subnet, VD_FAMILY_IPV4);
	char text[VD_PREFIX_TEXT];

	fputs("    addresses:\n", file);
	for (size_t i = 0; i < subject->port->address_count; i++)
		fprintf(file, "      - \"%s\"\n", vd_prefix_format(&subject->port->addresses[i], text));
	routes_print(subject, file);
	if (server->family == VD_FAMILY_NONE)
		server = vd_router_subnet_server(subnet, VD_FAMILY_IPV6);
	if (server->family != VD_FAMILY_NONE)
		fprintf(file, "    nameservers:\n      addresses: [\"%s\"]\n", vd_address_format(server, text));
	if (subnet->domain && subnet->domain[0]) {
		fputs("      search: [", file);
		quote(file, subnet->domain);
		fputs("]\n", file);
	}
}

/* Version 2, as netplan has it. Where DHCP answers it says the rest. */
static void network_config(const struct subject *subject, FILE *file)
{
	const struct vd_router_subnet *subnet = subject->subnet;

	fputs("version: 2\nethernets:\n  primary:\n    match:\n      macaddress: \"", file);
	mac(subject, file);
	fprintf(file, "\"\n    mtu: %u\n", subject->port->mtu);
	if (!subnet || subnet->dhcp) {
		fprintf(file, "    dhcp4: %s\n", address_of_family(subject, VD_FAMILY_IPV4) ? "true" : "false");
		fprintf(file, "    dhcp6: %s\n", address_of_family(subject, VD_FAMILY_IPV6) ? "true" : "false");
	} else {
		static_print(subject, file);
	}
}

/* ---- paths ---- */

static void ssh_key(const struct subject *subject, size_t index, FILE *file)
{
	if (index < subject->port->ssh_key_count)
		fputs(subject->port->ssh_keys[index], file);
}

static void keys_list(const struct subject *subject, FILE *file)
{
	for (size_t i = 0; i < subject->port->ssh_key_count; i++)
		fprintf(file, "%s%zu=key%zu", i ? "\n" : "", i, i);
}

static void listing(const struct subject *subject, FILE *file)
{
	fputs("hostname\ninstance-id\n", file);
	if (address_of_family(subject, VD_FAMILY_IPV6))
		fputs("ipv6\n", file);
	fputs("local-hostname\n", file);
	if (address_of_family(subject, VD_FAMILY_IPV4))
		fputs("local-ipv4\n", file);
	fputs("mac", file);
	if (subject->port->ssh_key_count > 0)
		fputs("\npublic-keys/", file);
}

static void versions(const struct subject *subject, FILE *file)
{
	fputs("latest", file);
}

static void parts(const struct subject *subject, FILE *file)
{
	fputs(subject->port->user_data && subject->port->user_data[0] ? "meta-data\nuser-data" : "meta-data", file);
}

enum presence {
	PRESENCE_ALWAYS,
	PRESENCE_IPV4,
	PRESENCE_IPV6,
	PRESENCE_KEYS,
	PRESENCE_USER_DATA,
};

static const struct entry {
	const char *path;
	void (*print)(const struct subject *subject, FILE *file);
	enum presence presence;
	const char *content_type;
} entries[] = {
	{"/", versions},
	{"/meta-data", meta_data, .content_type = "text/yaml"},
	{"/user-data", user_data},
	{"/vendor-data", vendor_data},
	{"/network-config", network_config, .content_type = "text/yaml"},
	{"/latest", parts},
	{"/latest/", parts},
	{"/latest/user-data", user_data, PRESENCE_USER_DATA},
	{"/latest/vendor-data", vendor_data},
	{"/latest/network-config", network_config, .content_type = "text/yaml"},
	{"/latest/meta-data", listing},
	{"/latest/meta-data/", listing},
	{"/latest/meta-data/hostname", hostname},
	{"/latest/meta-data/instance-id", instance_id},
	{"/latest/meta-data/local-hostname", hostname},
	{"/latest/meta-data/local-ipv4", local_ipv4, PRESENCE_IPV4},
	{"/latest/meta-data/ipv6", ipv6, PRESENCE_IPV6},
	{"/latest/meta-data/mac", mac},
	{"/latest/meta-data/public-keys", keys_list, PRESENCE_KEYS},
	{"/latest/meta-data/public-keys/", keys_list, PRESENCE_KEYS},
};

static bool is_present(const struct subject *subject, enum presence presence)
{
	switch (presence) {
	case PRESENCE_ALWAYS:
		return true;
	case PRESENCE_IPV4:
		return address_of_family(subject, VD_FAMILY_IPV4) != NULL;
	case PRESENCE_IPV6:
		return address_of_family(subject, VD_FAMILY_IPV6) != NULL;
	case PRESENCE_KEYS:
		return subject->port->ssh_key_count > 0;
	case PRESENCE_USER_DATA:
		return subject->port->user_data && subject->port->user_data[0];
	}
	return false;
}

/* "/latest/meta-data/public-keys/0/openssh-key", and the directory before it. */
static bool key_print(const struct subject *subject, const char *path, FILE *file)
{
	static const char prefix[] = "/latest/meta-data/public-keys/";
	size_t index = 0, digits = 0;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return false;
	path += sizeof(prefix) - 1;
	for (; *path >= '0' && *path <= '9' && digits < 4; digits++)
		index = index * 10 + (size_t)(*path++ - '0');
	if (digits == 0 || index >= subject->port->ssh_key_count)
		return false;
	if (strcmp(path, "") == 0 || strcmp(path, "/") == 0)
		fputs("openssh-key", file);
	else if (strcmp(path, "/openssh-key") == 0)
		ssh_key(subject, index, file);
	else
		return false;
	return true;
}

static bool path_print(const struct subject *subject, const char *path, FILE *file, const char **ret_type)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (strcmp(entries[i].path, path) != 0)
			continue;
		if (!is_present(subject, entries[i].presence))
			return false;
		entries[i].print(subject, file);
		if (entries[i].content_type)
			*ret_type = entries[i].content_type;
		return true;
	}
	return key_print(subject, path, file);
}

int vd_metadata_get(const struct vd_router_state *state, const struct vd_address *client, const char *path, struct vd_metadata *ret)
{
	struct subject subject = {.state = state, .client = client, .port = vd_router_state_port_by_address(state, client)};
	struct vd_metadata answer = {.status = 200, .content_type = "text/plain"};
	char text[VD_ADDRESS_TEXT];
	FILE *file = open_memstream(&answer.body, &answer.size);
	bool is_found = false;

	if (!file)
		return -ENOMEM;
	if (subject.port) {
		subject.subnet = vd_router_state_subnet(state, subject.port->subnet);
		is_found = path_print(&subject, path, file, &answer.content_type);
	}
	if (!is_found) {
		answer.status = 404;
		if (subject.port)
			fputs("there is nothing at this path: see /meta-data, /user-data, /network-config and /latest/meta-data/\n",
			      file);
		else
			fprintf(file, "no port of this VPC here has the address %s\n", vd_address_format(client, text));
	}
	if (fclose(file) != 0) {
		free(answer.body);
		return -ENOMEM;
	}
	*ret = answer;
	return 0;
}
