/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching an instance: a link first, then the fact in the store; from there the journey of every change makes it an endpoint on all
 * hosts and configures the interface. A crash in between leaves a link that the next sweep removes.
 */
#include "agent/private.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#define APPLY_SECONDS 30

struct attach {
	const char *host, *project, *port_name, *tap, *peer;
	char *netns; /* path */
	struct vd_host_netns netns_id;
	char guest_ifname[16]; /* of the other end */
	bool dhcp;

	uint32_t port;
	struct vd_mac mac;
	struct vd_pending pending;
	struct vd_host_link link;
	struct vd_attachment *standing; /* what the store says, if anything */
};

static void attach_done(struct attach *attach)
{
	free(attach->netns);
	if (attach->standing)
		vd_resource_unref(&attach->standing->head);
}

/* Whether arguments make sense by themselves. */
static int attach_parse(const json_t *arguments, struct attach *ret, struct vd_error *error)
{
	const char *netns = json_string_value(json_object_get(arguments, "netns"));
	const char *ifname = json_string_value(json_object_get(arguments, "ifname"));
	int r;

	ret->project = json_string_value(json_object_get(arguments, "project"));
	ret->port_name = json_string_value(json_object_get(arguments, "port"));
	ret->tap = json_string_value(json_object_get(arguments, "tap"));
	ret->peer = json_string_value(json_object_get(arguments, "peer_ifname"));
	ret->dhcp = json_is_true(json_object_get(arguments, "dhcp"));
	if (!ret->project)
		ret->project = "default";
	if (!ret->port_name)
		return vd_error_set(error, -EINVAL, "attach: which port? Name one");
	if (!!netns + !!ret->tap + !!ret->peer != 1)
		return vd_error_set(error, -EINVAL, "port %s: attach it to either a network namespace (netns) or a tap",
				    ret->port_name);
	if (!ifname)
		ifname = ret->peer ? ret->peer : "eth0";
	if (!ifname[0] || strlen(ifname) >= sizeof(ret->guest_ifname) || strpbrk(ifname, "/ :%"))
		return vd_error_set(error, -EINVAL, "interface name \"%.20s\": 1 to 15 characters, without / : %% and spaces",
				    ifname);
	strcpy(ret->guest_ifname, ifname);
	if (ret->tap && (!ret->tap[0] || strlen(ret->tap) >= sizeof(ret->guest_ifname) || strpbrk(ret->tap, "/ :%")))
		return vd_error_set(error, -EINVAL, "tap name \"%.20s\": 1 to 15 characters, without / : %% and spaces", ret->tap);
	if (!netns)
		return 0;
	r = vd_host_netns_resolve(netns, &ret->netns, &ret->netns_id, error);
	return r < 0 ? vd_error_prefix(error, r, "port %s", ret->port_name) : 0;
}

/* Whether the model lets this port be attached here. Called with the replica's lock held, again before each try to write. */
static int attach_check(const struct vd_model *model, void *userdata, struct vd_error *error)
{
	struct attach *attach = userdata;
	const struct vd_port *port = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, attach->project, attach->port_name);
	const struct vd_attachment *standing =
		(const struct vd_attachment *)vd_model_get(model, VD_KIND_ATTACHMENT, attach->project, attach->port_name);

	if (!port)
		return vd_error_set(error, -ENOENT, "port %s: there is no such port: create it first", attach->port_name);
	if (port->host && strcmp(port->host, attach->host) != 0)
		return vd_error_set(error, -EINVAL, "port %s: it belongs on host %s (its field host), this is %s",
				    attach->port_name, port->host, attach->host);
	if (standing && strcmp(standing->host, attach->host) != 0)
		return vd_error_set(error, -EBUSY, "port %s: it is attached on host %s already: detach it there first",
				    attach->port_name, standing->host);
	if (attach->port != 0 && port->head.id != attach->port)
		return vd_error_set(error, -ESTALE, "port %s: it was deleted and made again meanwhile: try once more",
				    attach->port_name);
	/* By our own earlier try, perhaps, whose outcome the store did not tell. */
	if (attach->link.ifindex != 0 && standing && standing->ifindex != attach->link.ifindex &&
	    (!attach->standing || standing->ifindex != attach->standing->ifindex))
		return vd_error_set(error, -EBUSY, "port %s: it was attached by someone else at this moment", attach->port_name);
	return 0;
}

/* What the model knows of the port, so that the loop needs no model. */
static int attach_read(struct vd_agent *agent, struct attach *attach, int64_t *ret_epoch, struct vd_error *error)
{
	const struct vd_model *model = vd_replica_lock(agent->replica, NULL, ret_epoch, NULL);
	const struct vd_resource *standing;
	const struct vd_port *port;
	int r;

	r = attach_check(model, attach, error);
	if (r == 0) {
		port = (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, attach->project, attach->port_name);
		attach->port = port->head.id;
		attach->mac = port->assigned_mac;
		standing = vd_model_get(model, VD_KIND_ATTACHMENT, attach->project, attach->port_name);
		if (standing) {
			attach->standing = (struct vd_attachment *)vd_resource_clone(standing);
			r = attach->standing ? 0 : -ENOMEM;
		}
	}
	vd_replica_unlock(agent->replica);
	return r;
}

static bool is_same_place(const struct attach *attach)
{
	const struct vd_attachment *standing = attach->standing;

	if (attach->tap)
		return standing->type == VD_ATTACHMENT_TYPE_TAP && strcmp(standing->ifname, attach->tap) == 0;
	if (attach->peer)
		return standing->type == VD_ATTACHMENT_TYPE_LINK && strcmp(standing->guest_ifname, attach->guest_ifname) == 0;
	return standing->type == VD_ATTACHMENT_TYPE_NETNS && standing->netns_device == attach->netns_id.device &&
	       standing->netns_inode == attach->netns_id.inode && strcmp(standing->guest_ifname, attach->guest_ifname) == 0;
}

/* On the loop. 1 when what is asked for stands already. */
static int link_make(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct attach *attach = userdata;
	uint32_t mtu = agent->underlay.mtu - VD_AGENT_VXLAN_OVERHEAD;
	int r;

	if (attach->standing && vd_host_link_is_port(agent->net, attach->standing->ifindex, attach->port)) {
		if (is_same_place(attach))
			return 1;
		return vd_error_set(error, -EBUSY, "port %s: it is attached by %s already: detach it first", attach->port_name,
				    attach->standing->ifname);
	}
	if (attach->tap)
		r = vd_host_tap_ensure(agent->net, attach->port, attach->tap, mtu, &attach->link, error);
	else
		r = vd_host_veth_create(agent->net, attach->port, &attach->mac, mtu, attach->netns, attach->guest_ifname,
					&attach->link, error);
	if (r < 0)
		return vd_error_prefix(error, r, "port %s", attach->port_name);
	attach->pending.ifindex = attach->link.ifindex;
	DL_APPEND(agent->pending, &attach->pending);
	return 0;
}

static int link_settle(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct attach *attach = userdata;

	DL_DELETE(agent->pending, &attach->pending);
	return 0;
}

static int link_drop(struct vd_agent *agent, void *userdata, struct vd_error *error)
{
	struct attach *attach = userdata;
	struct vd_error second;

	link_settle(agent, userdata, error);
	return vd_host_link_remove(agent->net, attach->link.ifindex, &second);
}

/* The fact's own words (model/attachment.c reads them). */
static int attachment_build(const struct vd_agent *agent, const struct attach *attach, struct vd_resource **ret,
			    struct vd_error *error)
{
	VD_FREE char *encoded = NULL;
	const char *type = attach->tap ? "tap" : attach->peer ? "link" : "netns";
	json_t *object;

	object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:b}", "kind", "attachment", "host", agent->options.host, "boot_id",
			   agent->identity.boot_id, "type", type, "ifindex", (json_int_t)attach->link.ifindex, "ifname",
			   attach->link.ifname, "dhcp", attach->dhcp);
	if (object && attach->netns) {
		json_object_set_new(object, "netns", json_string(attach->netns));
		json_object_set_new(object, "netns_device", json_integer((json_int_t)attach->netns_id.device));
		json_object_set_new(object, "netns_inode", json_integer((json_int_t)attach->netns_id.inode));
	}
	if (object && !attach->tap)
		json_object_set_new(object, "guest_ifname", json_string(attach->guest_ifname));
	encoded = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!encoded)
		return -ENOMEM;
	return vd_resource_decode(VD_KIND_ATTACHMENT, attach->project, attach->port_name, encoded, strlen(encoded), ret, error);
}

static int attachment_write(struct vd_agent *agent, struct attach *attach, json_t **ret, struct vd_error *error)
{
	struct vd_resource *attachment = NULL;
	int64_t revision = 0;
	int r;

	r = attachment_build(agent, attach, &attachment, error);
	if (r == 0)
		r = vd_replica_write_fact(agent->replica, attachment, false, attach_check, attach, &revision, error);
	if (r == 0 && vd_agent_wait_applied(agent, revision, APPLY_SECONDS) < 0)
		r = vd_error_set(error, -ETIMEDOUT,
				 "port %s: attached, but host %s has not brought its data plane up to date in %d s: see its log",
				 attach->port_name, agent->options.host, APPLY_SECONDS);
	if (r == 0) {
		*ret = vd_resource_document(attachment);
		json_object_set_new(*ret, "revision", json_integer(revision));
	}
	if (attachment)
		vd_resource_unref(attachment);
	return r;
}

int vd_live_attach(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	struct attach attach = {.host = agent->options.host};
	int64_t epoch;
	int r;

	r = attach_parse(arguments, &attach, error);
	if (r == 0) {
		r = attach_read(agent, &attach, &epoch, error);
		if (r < 0 && vd_replica_catch_up(agent->replica, epoch))
			r = attach_read(agent, &attach, &epoch, error);
	}
	if (r == 0)
		r = vd_agent_on_loop(agent, link_make, &attach, error);
	if (r == 1) {
		*ret = vd_resource_document(&attach.standing->head);
		r = 0;
	} else if (r == 0) {
		r = attachment_write(agent, &attach, ret, error);
		vd_agent_on_loop(agent, r < 0 && r != -ETIMEDOUT ? link_drop : link_settle, &attach, NULL);
	}
	attach_done(&attach);
	return r;
}

int vd_live_detach(struct vd_agent *agent, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	const char *project = json_string_value(json_object_get(arguments, "project"));
	const char *port = json_string_value(json_object_get(arguments, "port"));
	struct vd_attachment fact = {.head = {.kind = VD_KIND_ATTACHMENT, .references = 1}};
	const struct vd_attachment *standing;
	int64_t revision = 0;
	int r = 0;

	if (!port)
		return vd_error_set(error, -EINVAL, "detach: which port? Name one");
	fact.head.project = (char *)(project ? project : "default");
	fact.head.name = (char *)port;

	standing = (const struct vd_attachment *)vd_model_get(vd_replica_lock(agent->replica, NULL, NULL, NULL), VD_KIND_ATTACHMENT,
							      fact.head.project, port);
	if (!standing)
		r = vd_error_set(error, -ENOENT, "port %s: it is not attached", port);
	else if (strcmp(standing->host, agent->options.host) != 0)
		r = vd_error_set(error, -EINVAL, "port %s: it is attached on host %s: detach it there", port, standing->host);
	vd_replica_unlock(agent->replica);
	if (r < 0)
		return r;

	r = vd_replica_write_fact(agent->replica, &fact.head, true, NULL, NULL, &revision, error);
	if (r < 0)
		return r;
	if (vd_agent_wait_applied(agent, revision, APPLY_SECONDS) < 0)
		return vd_error_set(error, -ETIMEDOUT,
				    "port %s: detached, but host %s has not brought its data plane up to date in %d s: see its log",
				    port, agent->options.host, APPLY_SECONDS);
	*ret = json_pack("{s:I}", "revision", (json_int_t)revision);
	return 0;
}
