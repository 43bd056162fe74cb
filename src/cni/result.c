/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/result.h"

#include "base/address.h"

#include <errno.h>
#include <string.h>

static json_t *versioned(enum vd_cni_version version)
{
	return json_pack("{s:s}", "cniVersion", vd_cni_version_text(version));
}

static bool is_ipv6(const char *text)
{
	return strchr(text, ':');
}

/* The gateway of an address's family; NULL: none. */
static const char *gateway_of(const json_t *answer, const char *address)
{
	const json_t *gateways = json_object_get(answer, "gateways"), *gateway;
	size_t i;

	json_array_foreach ((json_t *)gateways, i, gateway)
		if (json_is_string(gateway) && is_ipv6(json_string_value(gateway)) == is_ipv6(address))
			return json_string_value(gateway);
	return NULL;
}

/* A copy of the list that earlier plugins of the chain gave, or an empty one. */
static json_t *earlier(const struct vd_cni_call *call, const char *field)
{
	const json_t *list = json_object_get(json_object_get(call->configuration, "prevResult"), field);

	return json_is_array(list) ? json_deep_copy(list) : json_array();
}

/* What the user wrote into the configuration, else what the daemon says. */
static json_t *dns(const struct vd_cni_call *call, const json_t *answer)
{
	const json_t *given = json_object_get(call->configuration, "dns");

	if (!json_is_object(given) || json_object_size(given) == 0)
		given = json_object_get(answer, "dns");
	return json_is_object(given) ? json_deep_copy(given) : json_object();
}

static json_t *routes(const json_t *answer, json_t *list)
{
	const json_t *gateways = json_object_get(answer, "gateways"), *more = json_object_get(answer, "routes"), *value;
	size_t i;

	json_array_foreach ((json_t *)gateways, i, value) {
		const char *gateway = json_string_value(value);

		if (gateway)
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "dst", is_ipv6(gateway) ? "::/0" : "0.0.0.0/0", "gw", gateway));
	}
	json_array_foreach ((json_t *)more, i, value)
		json_array_append_new(list,
				      json_pack("{s:s*, s:s*}", "dst", json_string_value(json_object_get(value, "destination")),
						"gw", json_string_value(json_object_get(value, "gateway"))));
	return list;
}

/* ---- 0.1.0 and 0.2.0: one address of each family, no interfaces ---- */

static json_t *result_of_two_addresses(const struct vd_cni_call *call, const json_t *answer)
{
	json_t *result = versioned(call->version), *list = routes(answer, json_array());
	const json_t *addresses = json_object_get(answer, "addresses"), *value, *route;
	size_t i, j;

	json_array_foreach ((json_t *)addresses, i, value) {
		const char *address = json_string_value(value), *gateway = address ? gateway_of(answer, address) : NULL;
		const char *field = address && is_ipv6(address) ? "ip6" : "ip4";
		json_t *of_family = json_array();

		json_array_foreach (list, j, route)
			if (address && is_ipv6(json_string_value(json_object_get(route, "dst"))) == is_ipv6(address))
				json_array_append(of_family, (json_t *)route);
		if (address && !json_object_get(result, field))
			json_object_set_new(result, field,
					    json_pack("{s:s, s:s*, s:O}", "ip", address, "gateway", gateway, "routes", of_family));
		json_decref(of_family);
	}
	json_decref(list);
	json_object_set_new(result, "dns", dns(call, answer));
	return result;
}

/* ---- 0.3.0 and later ---- */

static json_t *interfaces(const struct vd_cni_call *call, const json_t *answer, size_t *ret_ours)
{
	json_t *list = earlier(call, "interfaces");
	const char *outer = json_string_value(json_object_get(answer, "ifname"));
	json_t *inner = json_pack("{s:s, s:s*, s:s}", "name", call->ifname, "mac",
				  json_string_value(json_object_get(answer, "mac")), "sandbox", call->netns);

	if (call->version >= VD_CNI_VERSION_1_1_0 && json_object_get(answer, "mtu"))
		json_object_set(inner, "mtu", json_object_get(answer, "mtu"));
	if (outer)
		json_array_append_new(list, json_pack("{s:s}", "name", outer));
	*ret_ours = json_array_size(list);
	json_array_append_new(list, inner);
	return list;
}

static json_t *ips(const struct vd_cni_call *call, const json_t *answer, size_t interface)
{
	const json_t *addresses = json_object_get(answer, "addresses"), *value;
	json_t *list = earlier(call, "ips");
	size_t i;

	json_array_foreach ((json_t *)addresses, i, value) {
		const char *address = json_string_value(value);
		json_t *ip;

		if (!address)
			continue;
		ip = json_pack("{s:s, s:s*, s:I}", "address", address, "gateway", gateway_of(answer, address), "interface",
			       (json_int_t)interface);
		if (call->version < VD_CNI_VERSION_1_0_0)
			json_object_set_new(ip, "version", json_string(is_ipv6(address) ? "6" : "4"));
		json_array_append_new(list, ip);
	}
	return list;
}

json_t *vd_cni_result(const struct vd_cni_call *call, const json_t *answer)
{
	size_t ours = 0;
	json_t *result;

	if (call->version < VD_CNI_VERSION_0_3_0)
		return result_of_two_addresses(call, answer);
	result = versioned(call->version);
	json_object_set_new(result, "interfaces", interfaces(call, answer, &ours));
	json_object_set_new(result, "ips", ips(call, answer, ours));
	json_object_set_new(result, "routes", routes(answer, earlier(call, "routes")));
	json_object_set_new(result, "dns", dns(call, answer));
	return result;
}

/* ---- CHECK ---- */

/* Which of prevResult's interfaces is the container's end; -1: it is not there. */
static json_int_t interface_find(const struct vd_cni_call *call, const json_t *result)
{
	const json_t *list = json_object_get(result, "interfaces"), *value;
	size_t i;

	json_array_foreach ((json_t *)list, i, value) {
		const char *name = json_string_value(json_object_get(value, "name"));
		const char *sandbox = json_string_value(json_object_get(value, "sandbox"));

		if (name && !strcmp(name, call->ifname) && sandbox && *sandbox)
			return (json_int_t)i;
	}
	return -1;
}

static bool has_address(const json_t *answer, const char *text)
{
	const json_t *addresses = json_object_get(answer, "addresses"), *value;
	struct vd_prefix wanted, found;
	size_t i;

	if (vd_prefix_parse(text, &wanted) < 0)
		return false;
	json_array_foreach ((json_t *)addresses, i, value)
		if (json_is_string(value) && vd_prefix_parse(json_string_value(value), &found) == 0 &&
		    vd_address_equal(&found.address, &wanted.address))
			return true;
	return false;
}

int vd_cni_result_check(const struct vd_cni_call *call, const json_t *answer, struct vd_cni_error *error)
{
	const json_t *result = json_object_get(call->configuration, "prevResult"), *list = json_object_get(result, "ips"), *value;
	json_int_t interface = interface_find(call, result);
	size_t i;

	if (!json_is_object(result))
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "prevResult: CHECK needs what ADD answered");
	if (interface < 0)
		return vd_cni_fail(error, VD_CNI_CODE_CONFIGURATION, "prevResult: it has no interface \"%s\" of the container",
				   call->ifname);
	json_array_foreach ((json_t *)list, i, value) {
		const char *address = json_string_value(json_object_get(value, "address"));
		const json_t *of = json_object_get(value, "interface");

		if (!address || (of && json_integer_value(of) != interface))
			continue;
		if (!has_address(answer, address))
			return vd_cni_fail(error, VD_CNI_CODE_FAILED,
					   "container %s: interface %s does not have the address %s any more", call->container_id,
					   call->ifname, address);
	}
	return 0;
}

/* ---- VERSION, errors ---- */

json_t *vd_cni_result_versions(enum vd_cni_version version)
{
	json_t *result = versioned(version), *list = json_array();

#define X(name, text) json_array_append_new(list, json_string(text));
	VD_CNI_VERSIONS(X)
#undef X
	json_object_set_new(result, "supportedVersions", list);
	return result;
}

json_t *vd_cni_result_error(enum vd_cni_version version, const struct vd_cni_error *error)
{
	json_t *result = versioned(version);

	json_object_set_new(result, "code", json_integer(error->code));
	json_object_set_new(result, "msg", json_string(error->sentence.text));
	return result;
}
