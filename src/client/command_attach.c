/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/text_table.h"

const struct vd_option vd_attach_options[] = {
	{0, "netns", "NETNS", "a namespace's name, path, or pid:N"},
	{0, "ifname", "NAME", "what the interface is called inside (default eth0)"},
	{0, "dhcp", NULL, "leave addresses and routes to the instance"},
	{0, "tap", "IFNAME", "a tap interface that exists, of a virtual machine"},
	{0, "host", "HOST", "do it on that host (default: the one that is asked)"},
	{0},
};

const struct vd_option vd_host_options[] = {
	{0, "host", "HOST", "ask that host (default: where the port is, else the one that is asked)"},
	{0},
};

int vd_command_attach(struct vd_invocation *invocation)
{
	const char *netns = vd_invocation_option(invocation, "netns"), *tap = vd_invocation_option(invocation, "tap");
	const char *ifname = vd_invocation_option(invocation, "ifname");
	VD_FREE char *host = NULL, *outside = NULL, *inside = NULL;
	struct vd_error error = {0};
	json_t *arguments, *reply;
	int r;

	if (!netns == !tap)
		return vd_fail_usage(invocation, "attach needs either --netns or --tap");
	if (tap && (ifname || vd_invocation_has(invocation, "dhcp")))
		return vd_fail_usage(invocation, "--ifname and --dhcp are for --netns: a tap's guest configures itself");
	arguments = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*}", "project", vd_invocation_project(invocation), "port",
			      invocation->arguments[0], "netns", netns, "tap", tap, "ifname", ifname, "host",
			      vd_invocation_option(invocation, "host"));
	if (vd_invocation_has(invocation, "dhcp"))
		json_object_set_new(arguments, "dhcp", json_true());
	vd_client_set_progress(invocation->client, "attaching");
	r = vd_client_call(invocation->client, "POST", "/v1/live/attach", arguments, &reply, &error);
	json_decref(arguments);
	if (r)
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	host = vd_json_text(reply, "host");
	outside = vd_json_text(reply, "ifname");
	inside = vd_json_text(reply, "guest_ifname");
	printf("port %s attached", invocation->arguments[0]);
	if (inside && *inside)
		printf(" as %s", inside);
	if (outside && *outside)
		printf(" (%s on the host's side)", outside);
	if (host && *host)
		printf(" on host %s", host);
	putchar('\n');
	json_decref(reply);
	return VD_EXIT_DONE;
}

int vd_command_detach(struct vd_invocation *invocation)
{
	json_t *arguments = json_pack("{s:s, s:s, s:s*}", "project", vd_invocation_project(invocation), "port",
				      invocation->arguments[0], "host", vd_invocation_option(invocation, "host"));
	struct vd_error error = {0};
	json_t *reply;
	int r;

	vd_client_set_progress(invocation->client, "detaching");
	r = vd_client_call(invocation->client, "POST", "/v1/live/detach", arguments, &reply, &error);
	json_decref(arguments);
	if (r)
		return vd_fail(&error);
	if (vd_invocation_json(invocation))
		return vd_print_json(reply);
	printf("port %s detached\n", invocation->arguments[0]);
	json_decref(reply);
	return VD_EXIT_DONE;
}
