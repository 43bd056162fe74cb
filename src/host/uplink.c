/* SPDX-License-Identifier: Apache-2.0 */
#include "host/uplink.h"

#include "base/cleanup.h"
#include "host/link.h"
#include "host/net.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if_arp.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

struct details {
	uint16_t type; /* ARPHRD_* */
	uint32_t vf_count;
};

static int details_read(const struct nlmsghdr *header, void *userdata)
{
	const struct ifinfomsg *information = nlmsg_data(header);
	struct nlattr *table[IFLA_MAX + 1];
	struct details *details = userdata;

	if (header->nlmsg_type != RTM_NEWLINK || vd_host_attributes(header, sizeof(*information), table, IFLA_MAX) < 0)
		return 0;
	details->type = information->ifi_type;
	details->vf_count = table[IFLA_NUM_VF] ? nla_get_u32(table[IFLA_NUM_VF]) : 0;
	return 0;
}

/* What few links are asked for: the virtual functions come only when a request says so. */
static int details_of(struct vd_host_net *net, uint32_t ifindex, struct details *ret)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_GETLINK, 0, &information, sizeof(information));

	if (!message || nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS) < 0)
		return -ENOMEM;
	return vd_host_request(net->netlink, message, details_read, ret, NULL);
}

int vd_host_uplink_read(struct vd_host_net *net, const char *ifname, struct vd_host_uplink *ret, struct vd_error *error)
{
	struct vd_host_link_state link;
	struct details details = {};
	int result = vd_host_ifname_check(ifname, error);

	if (result < 0)
		return result;
	/* Also before the link is made. */
	if (strcmp(ifname, VD_HOST_OVERLAY_NAME) == 0)
		return vd_error_set(error, -EEXIST, "the interface %s is one of Viaduct's own: an uplink is the host's", ifname);
	result = vd_host_link_read(net->netlink, 0, ifname, &link);
	if (result == 0)
		result = details_of(net, link.ifindex, &details);
	if (result < 0)
		return vd_error_set(error, result, "the interface %s cannot be read: %s", ifname,
				    result == -ENODEV ? "this host has none of that name" : strerror(-result));
	if (strncmp(link.alias, "viaduct:", 8) == 0 || vd_host_link_is_half_made(&link))
		return vd_error_set(error, -EEXIST, "the interface %s is one of Viaduct's own: an uplink is the host's", ifname);
	if (details.type != ARPHRD_ETHER || link.flags & IFF_LOOPBACK)
		return vd_error_set(error, -EINVAL, "the interface %s is no Ethernet: it cannot be an uplink", ifname);
	*ret = (struct vd_host_uplink){
		.ifindex = link.ifindex,
		.mtu = link.mtu,
		.vf_count = details.vf_count,
		.mac = link.mac,
		.up = link.flags & IFF_UP,
	};
	memcpy(ret->ifname, link.ifname, sizeof(ret->ifname));
	return 0;
}

/* ---- MAC filters ---- */

static int directory_path(const struct vd_host_net *net, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/uplink", net->run_directory) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int note_path(const struct vd_host_net *net, uint32_t ifindex, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/uplink/%u", net->run_directory, ifindex) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct macs {
	struct vd_mac *items;
	size_t count;
};

static void macs_done(struct macs *macs)
{
	free(macs->items);
}

static int macs_add(struct macs *macs, const struct vd_mac *mac)
{
	struct vd_mac *grown = reallocarray(macs->items, macs->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	macs->items = grown;
	grown[macs->count++] = *mac;
	return 0;
}

static bool macs_have(const struct vd_mac *macs, size_t count, const struct vd_mac *mac)
{
	for (size_t i = 0; i < count; i++) {
		if (vd_mac_equal(&macs[i], mac))
			return true;
	}
	return false;
}

static int note_read(const char *path, struct macs *ret)
{
	VD_FCLOSE FILE *file = fopen(path, "re");
	char line[64];
	int result = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (result == 0 && fgets(line, sizeof(line), file)) {
		struct vd_mac mac;

		line[strcspn(line, "\n")] = '\0';
		if (vd_mac_parse(line, &mac) == 0)
			result = macs_add(ret, &mac);
	}
	return result;
}

/* Whole or not at all: what a crash leaves half-written would hide filters of ours. */
static int note_write(const struct vd_host_net *net, const char *path, const struct macs *macs)
{
	char directory[PATH_MAX], fresh[PATH_MAX + 4], text[VD_MAC_TEXT];
	FILE *file;
	bool written;

	if (macs->count == 0)
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	if (directory_path(net, directory) < 0 || (mkdir(directory, 0755) < 0 && errno != EEXIST))
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	for (size_t i = 0; i < macs->count; i++)
		fprintf(file, "%s\n", vd_mac_format(&macs->items[i], text));
	written = !ferror(file);
	if (fclose(file) != 0 || !written || rename(fresh, path) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

static int filter_request(struct vd_host_net *net, int type, int flags, uint32_t ifindex, const struct vd_mac *mac,
			  struct vd_error *error)
{
	struct ndmsg information = {
		.ndm_family = PF_BRIDGE, .ndm_ifindex = (int)ifindex, .ndm_state = NUD_PERMANENT, .ndm_flags = NTF_SELF};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(type, flags, &information, sizeof(information));

	if (!message || nla_put(message, NDA_LLADDR, sizeof(mac->bytes), mac->bytes) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(net->netlink, message, NULL, NULL, error);
}

/* What is noted may have gone with a crash or by somebody's hand; what is not noted and stands is somebody else's. */
static int filters_add(struct vd_host_net *net, uint32_t ifindex, const struct vd_mac *macs, size_t count, struct macs *noted,
		       struct vd_error *error)
{
	size_t before = noted->count;
	int result = 0;

	for (size_t i = 0; i < count && result >= 0; i++) {
		bool ours = macs_have(noted->items, before, &macs[i]);

		if (!ours && macs_have(noted->items, noted->count, &macs[i]))
			continue;
		result = filter_request(net, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, ifindex, &macs[i], error);
		if (result == 0 && !ours)
			result = macs_add(noted, &macs[i]);
		else if (result == -EEXIST)
			result = 0;
	}
	return result;
}

static int filters_drop(struct vd_host_net *net, uint32_t ifindex, const struct vd_mac *macs, size_t count, struct macs *noted,
			struct vd_error *error)
{
	size_t kept = 0;
	int result = 0;

	for (size_t i = 0; i < noted->count; i++) {
		int done = 0;

		if (!macs_have(macs, count, &noted->items[i])) {
			done = filter_request(net, RTM_DELNEIGH, 0, ifindex, &noted->items[i], error);
			if (done == 0 || done == -ENOENT || done == -ENODEV)
				continue;
			result = done;
		}
		noted->items[kept++] = noted->items[i];
	}
	noted->count = kept;
	return result;
}

int vd_host_uplink_filters_ensure(struct vd_host_net *net, uint32_t ifindex, const struct vd_mac *macs, size_t count,
				  struct vd_error *error)
{
	VD_CLEANUP(macs_done) struct macs noted = {};
	struct vd_error reason = {};
	char path[PATH_MAX];
	int result = note_path(net, ifindex, path), written;

	if (result == 0)
		result = note_read(path, &noted);
	if (result == 0)
		result = filters_drop(net, ifindex, macs, count, &noted, &reason);
	if (result == 0)
		result = filters_add(net, ifindex, macs, count, &noted, &reason);
	written = note_write(net, path, &noted);
	if (result == -ENODEV)
		result = 0;
	if (result == 0)
		result = written;
	if (result < 0)
		return vd_error_set(error, result, "the MAC filters of interface %u cannot be set: %s", ifindex,
				    reason.text[0] ? reason.text : strerror(-result));
	return 0;
}

/* ---- hooks ---- */

#define HOOK_SUFFIX ".hook"

static int hook_path(const struct vd_host_net *net, uint32_t ifindex, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/uplink/%u" HOOK_SUFFIX, net->run_directory, ifindex) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int hook_request(struct vd_host_net *net, int type, int flags, uint32_t ifindex, struct vd_error *error)
{
	struct tcmsg information = {
		.tcm_ifindex = (int)ifindex, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0), .tcm_parent = TC_H_CLSACT};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(type, flags, &information, sizeof(information));

	if (!message || nla_put_string(message, TCA_KIND, "clsact") < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(net->netlink, message, NULL, NULL, error);
}

static int filter_see(const struct nlmsghdr *header, void *userdata)
{
	if (header->nlmsg_type == RTM_NEWTFILTER)
		*(bool *)userdata = true;
	return 0;
}

static int hook_is_used(struct vd_host_net *net, uint32_t ifindex, bool *ret)
{
	static const uint32_t sides[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	bool used = false;

	for (size_t i = 0; i < 2; i++) {
		struct tcmsg information = {.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, sides[i])};
		VD_MESSAGE struct nl_msg *message =
			vd_host_message_new(RTM_GETTFILTER, NLM_F_DUMP, &information, sizeof(information));
		int result = message ? vd_host_request(net->netlink, message, filter_see, &used, NULL) : -ENOMEM;

		if (result < 0)
			return result;
	}
	*ret = used;
	return 0;
}

int vd_host_uplink_hook_ensure(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	char directory[PATH_MAX], path[PATH_MAX];
	VD_CLOSE int note = -1;
	int result = hook_request(net, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, error);

	if (result == -EEXIST || result == -ENODEV)
		return 0;
	if (result < 0)
		return vd_error_prefix(error, result, "the qdisc clsact of interface %u cannot be made", ifindex);
	if (directory_path(net, directory) < 0 || hook_path(net, ifindex, path) < 0 ||
	    (mkdir(directory, 0755) < 0 && errno != EEXIST))
		return vd_error_set(error, -errno, "cannot make the directory %s/uplink: %m", net->run_directory);
	note = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return note < 0 ? vd_error_set(error, -errno, "cannot write %s: %m", path) : 0;
}

int vd_host_uplink_hook_release(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	bool used = false;
	char path[PATH_MAX];
	int result = hook_path(net, ifindex, path);

	if (result < 0 || access(path, F_OK) < 0)
		return result;
	/* Without the interface or the qdisc there is nothing to release. */
	if (hook_is_used(net, ifindex, &used) == 0 && !used)
		result = hook_request(net, RTM_DELQDISC, 0, ifindex, error);
	if (result < 0 && result != -ENODEV && result != -ENOENT && result != -EINVAL)
		return vd_error_prefix(error, result, "the qdisc clsact of interface %u cannot be removed", ifindex);
	return unlink(path) < 0 ? vd_error_set(error, -errno, "cannot remove %s: %m", path) : 0;
}

/* ---- all of them ---- */

static int each_noted(struct vd_host_net *net, const char *suffix, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata)
{
	char path[PATH_MAX], *end;
	struct dirent *entry;
	DIR *directory;

	if (directory_path(net, path) < 0)
		return -ENAMETOOLONG;
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		unsigned long ifindex = strtoul(entry->d_name, &end, 10);

		if (strcmp(end, suffix) == 0 && ifindex > 0 && ifindex <= UINT32_MAX)
			uplink((uint32_t)ifindex, userdata);
	}
	closedir(directory);
	return 0;
}

int vd_host_uplink_each_filtered(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata)
{
	return each_noted(net, "", uplink, userdata);
}

int vd_host_uplink_each_hooked(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata)
{
	return each_noted(net, HOOK_SUFFIX, uplink, userdata);
}

struct purge {
	struct vd_host_net *net;
	struct vd_error *error;
	int result; /* of the first that failed */
};

static void filters_purge(uint32_t ifindex, void *userdata)
{
	struct purge *purge = userdata;
	int result = vd_host_uplink_filters_ensure(purge->net, ifindex, NULL, 0, purge->result ? NULL : purge->error);

	if (result < 0 && !purge->result)
		purge->result = result;
}

static void hook_purge(uint32_t ifindex, void *userdata)
{
	struct purge *purge = userdata;
	int result = vd_host_uplink_hook_release(purge->net, ifindex, purge->result ? NULL : purge->error);

	if (result < 0 && !purge->result)
		purge->result = result;
}

int vd_host_uplink_purge(struct vd_host_net *net, struct vd_error *error)
{
	struct purge purge = {net, error, 0};
	char path[PATH_MAX];
	int result = vd_host_uplink_each_filtered(net, filters_purge, &purge);

	if (result == 0)
		result = vd_host_uplink_each_hooked(net, hook_purge, &purge);
	if (result < 0)
		return vd_error_set(error, result, "cannot read %s/uplink: %s", net->run_directory, strerror(-result));
	if (purge.result == 0 && directory_path(net, path) == 0)
		rmdir(path);
	return purge.result;
}
