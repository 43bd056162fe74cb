/* SPDX-License-Identifier: Apache-2.0 */
#include "host/stranger.h"

#include <stdio.h>
#include <string.h>

/* In those of iptables and firewalld we have a jump of our own, or there is nothing to be let through. */
bool vd_stranger_is(const char *family, const char *name)
{
	static const char *const iptables[] = {"filter", "nat", "mangle", "raw", "security"};
	char table[96];

	snprintf(table, sizeof(table), "%s %s", family, name);
	if (!strcmp(table, VD_NFTABLES_OURS) || !strcmp(table, VD_NFTABLES_FIREWALLD))
		return false;
	for (size_t i = 0; strcmp(family, "inet") && i < sizeof(iptables) / sizeof(*iptables); i++)
		if (!strcmp(name, iptables[i]))
			return false;
	return true;
}

static bool is_routed_family(const char *family)
{
	return !strcmp(family, "ip") || !strcmp(family, "ip6") || !strcmp(family, "inet");
}

void vd_strangers_read(const char *chains, struct vd_strangers *ret)
{
	struct vd_strangers strangers = {0};
	char family[16] = "", name[64] = "", type[16], hook[16];

	for (const char *line = chains; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char table[96];

		if (sscanf(line, "table %15s %63s {", family, name) == 2 || !is_routed_family(family) ||
		    sscanf(line, " type %15s hook %15s", type, hook) != 2)
			continue;
		snprintf(table, sizeof(table), "%s %s", family, name);
		if (!strcmp(table, VD_NFTABLES_OURS))
			continue;
		strangers.translate |= !strcmp(type, "nat") && !strcmp(hook, "postrouting");
		strangers.forward |= !strcmp(type, "filter") && !strcmp(hook, "forward") && vd_stranger_is(family, name);
	}
	*ret = strangers;
}
