/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"
#include "client/source.h"
#include "client/text_table.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define WAIT_PROGRESS "waiting until every host obeys"

const struct vd_option vd_apply_options[] = {
	{'f', "file", "FILE", "a file, a directory or -; may be given several times"},
	{0, "dry-run", NULL, "say what would change, and change nothing"},
	{'w', "wait", NULL, "return when every living host has the change in its data plane"},
	{0, "timeout", "SECONDS", "how long --wait waits (default 30)"},
	{0},
};

const struct vd_option vd_diff_options[] = {
	{'f', "file", "FILE", "a file, a directory or -; may be given several times"},
	{0},
};

const struct vd_option vd_delete_options[] = {
	{'f', "file", "FILE", "delete what these documents name; may be given several times"},
	{0, "dry-run", NULL, "say what would be deleted, and delete nothing"},
	{'w', "wait", NULL, "return when every living host obeys"},
	{0, "timeout", "SECONDS", "how long --wait waits (default 30)"},
	{0},
};

static int sources_read(const struct vd_invocation *invocation, struct vd_sources *sources, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; !r && i < invocation->given_count; i++)
		if (!strcmp(invocation->given[i].option->name, "file"))
			r = vd_sources_add(sources, invocation->given[i].value, error);
	return r;
}

static char *write_path(const struct vd_invocation *invocation, const char *path)
{
	uint64_t random[2] = {0};
	char request[33];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return NULL;
	snprintf(request, sizeof(request), "%016jx%016jx", (uintmax_t)random[0], (uintmax_t)random[1]);
	return vd_path_build(path, NULL, "project", vd_invocation_project(invocation), "request", request, "dry_run",
			     vd_invocation_has(invocation, "dry-run") ? "true" : NULL, "wait",
			     vd_invocation_has(invocation, "wait") ? "true" : NULL, "timeout",
			     vd_invocation_option(invocation, "timeout"), NULL);
}

static void change_print(const json_t *change)
{
	const char *kind = json_string_value(json_object_get(change, "kind"));
	const char *project = json_string_value(json_object_get(change, "project"));
	const char *name = json_string_value(json_object_get(change, "name"));
	const char *action = json_string_value(json_object_get(change, "action"));

	if (!kind || !project || !name || !action)
		return;
	if (strcmp(project, "default") != 0)
		printf("%s %s/%s %s\n", kind, project, name, action);
	else
		printf("%s %s %s\n", kind, name, action);
}

static void changes_print(const json_t *reply, bool dry_run)
{
	const json_t *changes = json_object_get(reply, "changes"), *notes = json_object_get(reply, "notes"), *item;
	size_t i;

	json_array_foreach (notes, i, item)
		fprintf(stderr, "note: %s\n", json_string_value(item));
	json_array_foreach (changes, i, item)
		change_print(item);
	if (dry_run)
		puts("dry run: nothing was changed");
	else if (!json_array_size(changes))
		puts("nothing to do");
}

/* The server's reply, also that of a wait that timed out: then what was changed is still said. */
static int write_run(struct vd_invocation *invocation, const char *path, const char *body, size_t size,
		     const struct vd_sources *sources)
{
	VD_CLEANUP(vd_reply_clear) struct vd_reply reply = {0};
	VD_FREE char *full = write_path(invocation, path);
	struct vd_error error = {0};
	json_t *answer;
	int r;

	if (!full)
		return vd_fail(&error);
	vd_client_set_progress(invocation->client,
			       vd_invocation_has(invocation, "wait") ? WAIT_PROGRESS : "the daemon works on it");
	r = vd_client_request(invocation->client, "POST", full, body, size, &reply, &error);
	answer = json_loadb(reply.text ? reply.text : "", reply.size, 0, NULL);
	if (vd_invocation_json(invocation) && answer)
		vd_print_json(json_incref(answer));
	else if (json_object_get(answer, "changes"))
		changes_print(answer, vd_invocation_has(invocation, "dry-run"));
	json_decref(answer);
	if (!r)
		return VD_EXIT_DONE;
	if (sources)
		vd_sources_locate(sources, &error);
	return vd_fail(&error);
}

static int sources_send(struct vd_invocation *invocation, const char *path)
{
	VD_CLEANUP(vd_sources_clear) struct vd_sources sources = {0};
	struct vd_error error = {0};

	if (invocation->argument_count)
		return vd_fail_usage(invocation, "%s: what is \"%s\"? Files are given with -f", invocation->command->name,
				     invocation->arguments[0]);
	if (!vd_invocation_has(invocation, "file"))
		return vd_fail_usage(invocation, "%s needs -f FILE", invocation->command->name);
	if (sources_read(invocation, &sources, &error))
		return vd_fail(&error);
	return write_run(invocation, path, sources.text ? sources.text : "", sources.size, &sources);
}

int vd_command_apply(struct vd_invocation *invocation)
{
	return sources_send(invocation, "/v1/apply");
}

/* Names given on the command line, as the list that the server takes. */
static int names_send(struct vd_invocation *invocation)
{
	VD_FREE char *text = NULL;
	struct vd_error error = {0};
	json_t *list = json_array();

	for (size_t i = 1; i < invocation->argument_count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s}", "kind", invocation->arguments[0], "name", invocation->arguments[i]));
	if (json_array_size(list) + 1 == invocation->argument_count)
		text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (!text) {
		vd_error_set(&error, -EINVAL, "delete: a name is no UTF-8 text");
		return vd_fail(&error);
	}
	return write_run(invocation, "/v1/delete", text, strlen(text), NULL);
}

int vd_command_delete(struct vd_invocation *invocation)
{
	if (vd_invocation_has(invocation, "file"))
		return sources_send(invocation, "/v1/delete");
	if (invocation->argument_count < 2)
		return vd_fail_usage(invocation, "delete needs KIND and NAME, or -f FILE");
	return names_send(invocation);
}

/* Lines of a text, borrowed. */
struct lines {
	const char **starts;
	size_t *sizes;
	size_t count;
};

static void lines_cleanup(struct lines *lines)
{
	free(lines->starts);
	free(lines->sizes);
}

static int lines_split(const char *text, struct lines *ret)
{
	size_t count = 0, size;

	for (const char *c = text; *c; c++)
		count += *c == '\n';
	ret->starts = calloc(count + 2, sizeof(*ret->starts));
	ret->sizes = calloc(count + 2, sizeof(*ret->sizes));
	if (!ret->starts || !ret->sizes)
		return -ENOMEM;
	for (; *text; text += size + (text[size] == '\n')) {
		size = strcspn(text, "\n");
		ret->starts[ret->count] = text;
		ret->sizes[ret->count++] = size;
	}
	return 0;
}

static bool line_equal(const struct lines *a, size_t i, const struct lines *b, size_t j)
{
	return a->sizes[i] == b->sizes[j] && !memcmp(a->starts[i], b->starts[j], a->sizes[i]);
}

static void line_print(char mark, const struct lines *lines, size_t i)
{
	printf("%c %.*s\n", mark, (int)lines->sizes[i], lines->starts[i]);
}

/* The longest common subsequence: documents are some dozen lines. */
static void lines_compare(const struct lines *before, const struct lines *after)
{
	size_t width = after->count + 1, i = 0, j = 0;
	VD_FREE uint32_t *common = calloc((before->count + 1) * width, sizeof(*common));

	if (!common)
		return;
	for (size_t a = before->count; a-- > 0;)
		for (size_t b = after->count; b-- > 0;) {
			uint32_t down = common[(a + 1) * width + b], right = common[a * width + b + 1];

			if (line_equal(before, a, after, b))
				common[a * width + b] = common[(a + 1) * width + b + 1] + 1;
			else
				common[a * width + b] = down > right ? down : right;
		}
	while (i < before->count || j < after->count) {
		if (i < before->count && j < after->count && line_equal(before, i, after, j)) {
			line_print(' ', before, i++);
			j++;
		} else if (i < before->count && (j == after->count || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
			line_print('-', before, i++);
		} else {
			line_print('+', after, j++);
		}
	}
}

static void difference_print(const json_t *change)
{
	VD_CLEANUP(lines_cleanup) struct lines before = {0}, after = {0};
	const char *old = json_string_value(json_object_get(change, "before")),
		   *new = json_string_value(json_object_get(change, "after"));
	const char *action = json_string_value(json_object_get(change, "action"));

	if (!action || !strcmp(action, "unchanged"))
		return;
	change_print(change);
	if (!lines_split(old ? old : "", &before) && !lines_split(new ? new : "", &after))
		lines_compare(&before, &after);
}

int vd_command_diff(struct vd_invocation *invocation)
{
	VD_CLEANUP(vd_sources_clear) struct vd_sources sources = {0};
	VD_CLEANUP(vd_reply_clear) struct vd_reply reply = {0};
	VD_FREE char *path = vd_path_build("/v1/diff", NULL, "project", vd_invocation_project(invocation), NULL);
	struct vd_error error = {0};
	json_t *answer, *change;
	size_t i;

	if (!vd_invocation_has(invocation, "file"))
		return vd_fail_usage(invocation, "diff needs -f FILE");
	if (!path || sources_read(invocation, &sources, &error))
		return vd_fail(&error);
	if (vd_client_request(invocation->client, "POST", path, sources.text ? sources.text : "", sources.size, &reply, &error)) {
		vd_sources_locate(&sources, &error);
		return vd_fail(&error);
	}
	answer = json_loadb(reply.text, reply.size, 0, NULL);
	if (vd_invocation_json(invocation) && answer)
		return vd_print_json(answer);
	json_array_foreach (json_object_get(answer, "changes"), i, change)
		difference_print(change);
	json_decref(answer);
	return VD_EXIT_DONE;
}
