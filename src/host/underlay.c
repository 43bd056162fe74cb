/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ip.h"
#include "host/link.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

struct link_entry {
	uint32_t ifindex, mtu;
	bool ours, loopback, up;
	char ifname[16];
};

struct survey {
	struct vd_host_net *net;
	struct link_entry *links;
	size_t link_count;
	struct vd_address *addresses;
	uint32_t *owners; /* ifindex, one per address */
	uint8_t *lengths; /* of their networks */
	size_t count;
};

static int add_link(const struct vd_host_link_state *link, void *userdata)
{
	struct survey *survey = userdata;
	struct link_entry *grown = reallocarray(survey->links, survey->link_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	survey->links = grown;
	grown[survey->link_count++] = (struct link_entry){
		.ifindex = link->ifindex,
		.mtu = link->mtu,
		.ours = vd_host_link_what(survey->net, link) || vd_host_link_is_half_made(link),
		.loopback = link->flags & IFF_LOOPBACK,
		.up = link->flags & IFF_UP,
	};
	memcpy(survey->links[survey->link_count - 1].ifname, link->ifname, sizeof(link->ifname));
	return 0;
}

static const struct link_entry *find_link(const struct survey *survey, uint32_t ifindex)
{
	for (size_t i = 0; i < survey->link_count; i++) {
		if (survey->links[i].ifindex == ifindex)
			return &survey->links[i];
	}
	return NULL;
}

static int add_address(const struct vd_host_ip_address *address, void *userdata)
{
	struct survey *survey = userdata;
	const struct link_entry *link = find_link(survey, address->ifindex);
	struct vd_address *addresses;
	uint32_t *owners;
	uint8_t *lengths;

	if (address->scope != RT_SCOPE_UNIVERSE || !link || link->ours)
		return 0;
	addresses = reallocarray(survey->addresses, survey->count + 1, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	survey->addresses = addresses;
	owners = reallocarray(survey->owners, survey->count + 1, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	survey->owners = owners;
	lengths = reallocarray(survey->lengths, survey->count + 1, sizeof(*lengths));
	if (!lengths)
		return -ENOMEM;
	survey->lengths = lengths;
	lengths[survey->count] = address->prefix.length;
	addresses[survey->count] = address->prefix.address;
	owners[survey->count++] = address->ifindex;
	return 0;
}

static int read_source(const struct nlmsghdr *header, void *userdata)
{
	const struct rtmsg *information = nlmsg_data(header);
	struct nlattr *table[RTA_MAX + 1];

	if (header->nlmsg_type == RTM_NEWROUTE && !vd_host_attributes(header, sizeof(*information), table, RTA_MAX))
		*(struct vd_address *)userdata = vd_host_get_address(information->rtm_family, table[RTA_PREFSRC]);
	return 0;
}

/* The source address of what goes to an address that no one has (RFC 5737, RFC 3849); unset when nothing leads there. */
static struct vd_address route_source(struct vd_host_net *net, const char *towards)
{
	struct vd_address destination, source = {0};
	struct rtmsg information = {0};
	VD_MESSAGE struct nl_msg *message = NULL;

	vd_address_parse(towards, &destination);
	information.rtm_family = (uint8_t)vd_host_af(&destination);
	information.rtm_dst_len = (uint8_t)vd_address_bits(&destination);
	message = vd_host_message_new(RTM_GETROUTE, 0, &information, sizeof(information));
	if (!message || vd_host_put_address(message, RTA_DST, &destination) < 0 ||
	    vd_host_request(net->netlink, message, read_source, &source, NULL) < 0)
		return (struct vd_address){0};
	return source;
}

static ssize_t find_address(const struct survey *survey, const struct vd_address *address)
{
	for (size_t i = 0; i < survey->count && address->family; i++) {
		if (vd_address_equal(&survey->addresses[i], address))
			return (ssize_t)i;
	}
	return -1;
}

static ssize_t choose(const struct survey *survey)
{
	struct vd_address source = route_source(survey->net, "192.0.2.1");
	ssize_t index = find_address(survey, &source);

	if (index >= 0)
		return index;
	source = route_source(survey->net, "2001:db8::1");
	index = find_address(survey, &source);
	for (size_t i = 0; i < survey->count && index < 0; i++) {
		if (!find_link(survey, survey->owners[i])->loopback)
			index = (ssize_t)i;
	}
	return index >= 0 || !survey->count ? index : 0;
}

/* An address on the loopback (a routed underlay has it there) may leave by any link: the smallest one counts. */
static uint32_t underlay_mtu(const struct survey *survey, uint32_t ifindex)
{
	const struct link_entry *link = find_link(survey, ifindex);
	uint32_t mtu = link->mtu;

	for (size_t i = 0; i < survey->link_count && link->loopback; i++) {
		const struct link_entry *other = &survey->links[i];

		if (!other->ours && !other->loopback && other->up && other->mtu < mtu)
			mtu = other->mtu;
	}
	return mtu;
}

static int survey_read(struct survey *survey, struct vd_error *error)
{
	int result = vd_host_link_each(survey->net->netlink, add_link, survey);

	if (result >= 0)
		result = vd_host_ip_address_each(survey->net->netlink, 0, add_address, survey);
	return result < 0 ? vd_error_set(error, result, "cannot read this host's addresses: %s", strerror(-result)) : 0;
}

static int survey_mtus(const struct survey *survey, uint32_t **ret)
{
	uint32_t *mtus = calloc(survey->count, sizeof(*mtus));

	if (!mtus)
		return -ENOMEM;
	for (size_t i = 0; i < survey->count; i++)
		mtus[i] = underlay_mtu(survey, survey->owners[i]);
	*ret = mtus;
	return 0;
}

static int survey_result(struct survey *survey, const struct vd_address *wanted, struct vd_host_underlay *ret,
			 struct vd_error *error)
{
	bool asked = wanted && wanted->family != VD_FAMILY_NONE;
	ssize_t index = asked ? find_address(survey, wanted) : choose(survey);
	char text[VD_ADDRESS_TEXT];
	uint32_t *mtus;

	if (index < 0 && asked)
		return vd_error_set(error, -EADDRNOTAVAIL, "this host has no address %s: give --underlay one of its own",
				    vd_address_format(wanted, text));
	if (index < 0)
		return vd_error_set(error, -EADDRNOTAVAIL, "this host has no address that others can reach: set one up first");
	if (survey_mtus(survey, &mtus) < 0)
		return -ENOMEM;
	*ret = (struct vd_host_underlay){
		.address = survey->addresses[index],
		.mtu = mtus[index],
		.mtus = mtus,
		.addresses = VD_TAKE(survey->addresses),
		.count = survey->count,
	};
	ret->lan = (struct vd_prefix){.address = ret->address, .length = survey->lengths[index]};
	vd_prefix_normalise(&ret->lan);
	memcpy(ret->ifname, find_link(survey, survey->owners[index])->ifname, sizeof(ret->ifname));
	return 0;
}

int vd_host_underlay_read(struct vd_host_net *net, const struct vd_address *wanted, struct vd_host_underlay *ret,
			  struct vd_error *error)
{
	struct survey survey = {.net = net};
	int result = survey_read(&survey, error);

	if (!result)
		result = survey_result(&survey, wanted, ret, error);
	free(survey.links);
	free(survey.addresses);
	free(survey.owners);
	free(survey.lengths);
	return result;
}

void vd_host_underlay_done(struct vd_host_underlay *underlay)
{
	free(underlay->addresses);
	free(underlay->mtus);
	*underlay = (struct vd_host_underlay){0};
}
