/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static void name_print(const char *name, FILE *file)
{
	for (; *name; name++)
		fputc(isalnum((unsigned char)*name) ? *name : '_', file);
}

/*
 * Prometheus' text format. What live status gives becomes viaduct_<path>: objects add their member's name, and a number is a sample.
 * Names of members are the API's own words.
 */
static void numbers_print(const json_t *value, const char *path, FILE *file)
{
	const char *member;
	json_t *part;

	if (json_is_number(value) || json_is_boolean(value)) {
		fputs("viaduct_", file);
		name_print(path, file);
		fprintf(file, " %.17g\n", json_is_boolean(value) ? json_is_true(value) : json_number_value(value));
	}
	json_object_foreach ((json_t *)value, member, part) {
		VD_FREE char *inner = NULL;

		/* maps_print's, shares_print's. */
		if (!strcmp(member, "maps") || !strcmp(member, "shares"))
			continue;
		if (asprintf(&inner, "%s%s%s", path, *path ? "_" : "", member) >= 0)
			numbers_print(part, inner, file);
	}
}

/* {"maps": {name: {"entries", "limit"}}}: how full each map is, with the name as a label. */
static void maps_print(const json_t *maps, const char *member, const char *help, FILE *file)
{
	const char *name;
	json_t *map;

	fprintf(file, "# HELP viaduct_map_%s %s\n# TYPE viaduct_map_%s gauge\n", member, help, member);
	json_object_foreach ((json_t *)maps, name, map)
		fprintf(file, "viaduct_map_%s{map=\"%s\"} %.17g\n", member, name, json_number_value(json_object_get(map, member)));
}

/* {VPC: {"used", "limit"}}: how much of the connection table each VPC has, and may have. */
static void shares_print(const json_t *shares, const char *member, const char *help, FILE *file)
{
	const char *vpc;
	json_t *share;

	fprintf(file, "# HELP viaduct_connections_%s %s\n# TYPE viaduct_connections_%s gauge\n", member, help, member);
	json_object_foreach ((json_t *)shares, vpc, share)
		fprintf(file, "viaduct_connections_%s{vpc=\"%s\"} %.17g\n", member, vpc,
			json_number_value(json_object_get(share, member)));
}

static void drops_print(const json_t *drops, FILE *file)
{
	const json_t *items = json_object_get(drops, "drops"), *item;
	const char *reason;

	fprintf(file, "# HELP viaduct_drop_packets_total Packets dropped, by reason.\n# TYPE viaduct_drop_packets_total counter\n");
	for (size_t i = 0; i < json_array_size(items); i++) {
		item = json_array_get(items, i);
		reason = json_string_value(json_object_get(item, "reason"));
		if (reason)
			fprintf(file, "viaduct_drop_packets_total{reason=\"%s\"} %.17g\n", reason,
				json_number_value(json_object_get(item, "packets")));
	}
	if (json_object_get(drops, "kernel"))
		fprintf(file, "viaduct_drop_packets_total{reason=\"kernel\"} %.17g\n",
			json_number_value(json_object_get(drops, "kernel")));
}

static void resources_print(struct vd_api *api, FILE *file)
{
	const struct vd_model *model;
	int64_t revision, epoch;

	model = vd_replica_lock(api->replica, &revision, &epoch, NULL);
	fprintf(file, "# HELP viaduct_resources Resources declared, by kind.\n# TYPE viaduct_resources gauge\n");
	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		fprintf(file, "viaduct_resources{kind=\"%s\"} %zu\n", vd_kind_word((enum vd_kind)kind),
			vd_model_count(model, (enum vd_kind)kind));
	vd_replica_unlock(api->replica);
	fprintf(file, "viaduct_store_revision %jd\nviaduct_resources_revision %jd\n", (intmax_t)revision, (intmax_t)epoch);
}

int vd_answer_metrics(struct vd_request *request, struct vd_error *error)
{
	const struct vd_live *live = &request->api->options.live;
	json_t *arguments = json_object(), *status = NULL, *drops = NULL;
	char *text = NULL;
	size_t size;
	FILE *file;
	int r;

	r = live->call(live->userdata, "status", arguments, &status, error);
	if (!r)
		r = live->call(live->userdata, "drops", arguments, &drops, error);
	json_decref(arguments);
	file = r ? NULL : open_memstream(&text, &size);
	if (!r && !file)
		r = -ENOMEM;
	if (!r) {
		fprintf(file, "# HELP viaduct_info Constant 1, with the daemon's version.\n# TYPE viaduct_info gauge\n");
		fprintf(file, "viaduct_info{host=\"%s\",version=\"%s\"} 1\n", request->api->options.host, VD_VERSION);
		numbers_print(status, "", file);
		maps_print(json_object_get(json_object_get(status, "datapath"), "maps"), "entries",
			   "Entries in a map of the data plane.", file);
		maps_print(json_object_get(json_object_get(status, "datapath"), "maps"), "limit", "Entries that the map may have.",
			   file);
		shares_print(json_object_get(status, "shares"), "used", "Connections of a VPC in this host's table.", file);
		shares_print(json_object_get(status, "shares"), "limit", "Connections that the VPC may have here.", file);
		drops_print(drops, file);
		resources_print(request->api, file);
		fclose(file);
		r = vd_request_reply_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
	}
	json_decref(status);
	json_decref(drops);
	return r;
}
