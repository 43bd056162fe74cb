/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "base/cleanup.h"

#include <errno.h>

/*
 * Prometheus' text format. What live status and drops give becomes viaduct_<path>: objects add their member's name, and a number is
 * a sample. Names of members are the API's own words.
 */
static void numbers_print(const json_t *value, const char *path, FILE *file)
{
	VD_FREE char *inner = NULL;
	const char *member;
	json_t *part;

	if (json_is_number(value))
		fprintf(file, "viaduct_%s %.17g\n", path, json_number_value(value));
	if (json_is_boolean(value))
		fprintf(file, "viaduct_%s %d\n", path, json_is_true(value) ? 1 : 0);
	json_object_foreach ((json_t *)value, member, part) {
		if (asprintf(&inner, "%s%s%s", path, *path ? "_" : "", member) < 0)
			return;
		for (char *c = inner; *c; c++)
			if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
				*c = '_';
		numbers_print(part, inner, file);
		free(inner);
		inner = NULL;
	}
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
		drops_print(drops, file);
		resources_print(request->api, file);
		fclose(file);
		r = vd_request_reply_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
	}
	json_decref(status);
	json_decref(drops);
	return r;
}
