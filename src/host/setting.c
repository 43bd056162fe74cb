/* SPDX-License-Identifier: Apache-2.0 */
#include "host/setting.h"

#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <utlist.h>

#define NAME_SIZE 96
#define VALUE_SIZE 32

struct setting {
	struct setting *prev, *next;
	char name[NAME_SIZE]; /* below /proc/sys/net, with slashes */
	char before[VALUE_SIZE], ours[VALUE_SIZE];
};

struct vd_settings {
	char *path;
	struct setting *remembered; /* the last one set is the first one given back */
};

/* ---- values ---- */

/* Of the namespace of this thread. */
static int value_open(const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int value_read(const char *name, char ret[VALUE_SIZE])
{
	VD_CLOSE int fd = value_open(name, O_RDONLY);
	char text[VALUE_SIZE];
	ssize_t size;

	if (fd < 0)
		return fd;
	size = read(fd, text, sizeof(text) - 1);
	if (size <= 0)
		return size < 0 ? -errno : -EIO;
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	memcpy(ret, text, sizeof(text));
	return 0;
}

static int value_write(const char *name, const char *value)
{
	VD_CLOSE int fd = value_open(name, O_WRONLY);

	if (fd < 0)
		return fd;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* As sysctl(8) calls it, but for a link's name with dots in it. */
static const char *dotted(const char *name, char ret[NAME_SIZE + 4])
{
	snprintf(ret, NAME_SIZE + 4, "net.%s", name);
	for (char *at = ret; *at; at++)
		if (*at == '/')
			*at = '.';
	return ret;
}

/* ---- memory ---- */

static int settings_read(struct vd_settings *settings)
{
	VD_FCLOSE FILE *file = fopen(settings->path, "re");
	struct setting read;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (fscanf(file, "%95s %31s %31s", read.name, read.before, read.ours) == 3) {
		struct setting *setting = malloc(sizeof(*setting));

		if (!setting)
			return -ENOMEM;
		*setting = read;
		DL_APPEND(settings->remembered, setting);
	}
	return 0;
}

/* Whole or not at all: a daemon that dies here leaves the older one. */
static int settings_write(const struct vd_settings *settings)
{
	VD_FREE char *path = NULL;
	const struct setting *setting;
	FILE *file;

	if (!settings->remembered)
		return unlink(settings->path) < 0 && errno != ENOENT ? -errno : 0;
	if (asprintf(&path, "%s.new", settings->path) < 0)
		return -ENOMEM;
	file = fopen(path, "we");
	if (!file)
		return -errno;
	DL_FOREACH (settings->remembered, setting)
		fprintf(file, "%s %s %s\n", setting->name, setting->before, setting->ours);
	if (fclose(file) || rename(path, settings->path) < 0)
		return -errno;
	return 0;
}

int vd_settings_open(const char *path, struct vd_settings **ret, struct vd_error *error)
{
	struct vd_settings *settings = calloc(1, sizeof(*settings));
	int result;

	if (!settings)
		return vd_error_set(error, -ENOMEM, "out of memory");
	settings->path = strdup(path);
	result = settings->path ? settings_read(settings) : -ENOMEM;
	if (result < 0) {
		vd_settings_close(settings);
		return vd_error_set(error, result, "%s: cannot be read: %s", path, strerror(-result));
	}
	*ret = settings;
	return 0;
}

void vd_settings_close(struct vd_settings *settings)
{
	struct setting *setting, *next;

	DL_FOREACH_SAFE (settings->remembered, setting, next)
		free(setting);
	free(settings->path);
	free(settings);
}

bool vd_settings_are_own(const struct vd_settings *settings)
{
	return !settings->remembered;
}

/* Before it is set: what was must not be lost. */
static int remember(struct vd_settings *settings, const char *name, const char *before, const char *value)
{
	struct setting *setting;

	DL_FOREACH (settings->remembered, setting) {
		if (strcmp(setting->name, name))
			continue;
		if (!strcmp(setting->ours, value))
			return 0;
		break;
	}
	if (!setting) {
		setting = calloc(1, sizeof(*setting));
		if (!setting)
			return -ENOMEM;
		snprintf(setting->name, sizeof(setting->name), "%s", name);
		snprintf(setting->before, sizeof(setting->before), "%s", before);
		DL_PREPEND(settings->remembered, setting);
	}
	snprintf(setting->ours, sizeof(setting->ours), "%s", value);
	return settings_write(settings);
}

/* ---- what a node needs ---- */

struct ensuring {
	struct vd_settings *settings;
	void (*changed)(const char *what, void *userdata);
	void *userdata;
	struct vd_error *error;
};

/* What this kernel does not have needs no setting. */
static int keep(const struct ensuring *ensuring, const char *name, const char *value)
{
	char before[VALUE_SIZE], text[NAME_SIZE + 4], sentence[256];
	int result = value_read(name, before);

	if (result < 0)
		return result == -ENOENT
			       ? 0
			       : vd_error_set(ensuring->error, result, "cannot read %s: %s", dotted(name, text), strerror(-result));
	if (!strcmp(before, value))
		return 0;
	result = remember(ensuring->settings, name, before, value);
	if (result == 0)
		result = value_write(name, value);
	if (result < 0)
		return vd_error_set(ensuring->error, result, "cannot set %s to %s: %s", dotted(name, text), value,
				    strerror(-result));
	snprintf(sentence, sizeof(sentence), "%s was %s: set to %s", dotted(name, text), before, value);
	if (ensuring->changed)
		ensuring->changed(sentence, ensuring->userdata);
	return 0;
}

/* The kernel takes the larger one of all and the link: 2 (any way back will do) prevails over everybody's 1. */
static int keep_loose(const struct ensuring *ensuring, const char *ifname)
{
	char all[VALUE_SIZE], own[VALUE_SIZE], name[NAME_SIZE];

	snprintf(name, sizeof(name), "ipv4/conf/%s/rp_filter", ifname);
	if (value_read("ipv4/conf/all/rp_filter", all) < 0 || value_read(name, own) < 0)
		return 0;
	if (strcmp(all, "2") == 0 || strcmp(own, "2") == 0 || (strcmp(all, "1") != 0 && strcmp(own, "1") != 0))
		return 0;
	return keep(ensuring, name, "2");
}

/* 1 means "unless this host forwards": it would lose its own default route. */
static int keep_advertisements(const struct vd_host_link_state *link, void *userdata)
{
	char name[NAME_SIZE], value[VALUE_SIZE];

	snprintf(name, sizeof(name), "ipv6/conf/%s/accept_ra", link->ifname);
	return value_read(name, value) == 0 && strcmp(value, "1") == 0 ? keep(userdata, name, "2") : 0;
}

int vd_settings_ensure(struct vd_settings *settings, struct vd_host_net *net, const struct vd_settings_need *need,
		       void (*changed)(const char *what, void *userdata), void *userdata, struct vd_error *error)
{
	struct ensuring ensuring = {settings, changed, userdata, error};
	int result = 0;

	if (need->ipv4)
		result = keep(&ensuring, "ipv4/ip_forward", "1");
	if (need->ipv6 && result == 0)
		result = vd_host_link_each(net->netlink, keep_advertisements, &ensuring);
	if (need->ipv6 && result == 0)
		result = keep(&ensuring, "ipv6/conf/all/forwarding", "1");
	for (size_t i = 0; i < need->ifname_count && result == 0; i++)
		result = keep_loose(&ensuring, need->ifnames[i]);
	return result;
}

/* ---- giving back ---- */

struct search {
	struct vd_host_net *net;
	bool found;
};

static int bridge_check(const struct vd_host_ip_address *address, void *userdata)
{
	struct search *search = userdata;
	struct vd_host_link_state link;

	if (vd_host_link_read(search->net->netlink, address->ifindex, NULL, &link) == 0 && strcmp(link.kind, "bridge") == 0 &&
	    !vd_host_link_what(search->net, &link))
		search->found = true;
	return 0;
}

int vd_settings_restore(struct vd_settings *settings, struct vd_host_net *net, struct vd_error *error)
{
	struct search search = {.net = net};
	struct setting *setting, *next;
	char now[VALUE_SIZE], text[NAME_SIZE + 4];
	int result = vd_host_ip_address_each(net->netlink, 0, bridge_check, &search);

	if (result < 0)
		return vd_error_set(error, result, "cannot read this host's addresses: %s", strerror(-result));
	DL_FOREACH_SAFE (settings->remembered, setting, next) {
		bool stays = search.found && strstr(setting->name, "forward");

		if (!stays && value_read(setting->name, now) == 0 && !strcmp(now, setting->ours))
			result = value_write(setting->name, setting->before);
		if (result < 0)
			return vd_error_set(error, result, "cannot set %s to %s: %s", dotted(setting->name, text), setting->before,
					    strerror(-result));
		DL_DELETE(settings->remembered, setting);
		free(setting);
	}
	result = settings_write(settings);
	return result < 0 ? vd_error_set(error, result, "%s: cannot be removed: %s", settings->path, strerror(-result)) : 0;
}
