/* SPDX-License-Identifier: Apache-2.0 */
#include "host/xtables_text.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DOCKER_USER "DOCKER-USER"

static bool begins(const char *line, const char *begin)
{
	return !strncmp(line, begin, strlen(begin));
}

/* Whether the line is a rule of the chain: "-A CHAIN …". */
static bool is_of(const char *line, const char *chain)
{
	size_t length = strlen(chain);

	return begins(line, "-A ") && !strncmp(line + 3, chain, length) && line[3 + length] == ' ';
}

static bool leads_to(const char *line, const char *chain)
{
	const char *found = strstr(line, " -j ");

	return found && begins(found + 4, chain) && strchr(" ", found[4 + strlen(chain)]);
}

static bool is_ours(const char *line)
{
	return is_of(line, VD_XTABLES_FORWARD) || is_of(line, VD_XTABLES_INPUT) || leads_to(line, VD_XTABLES_FORWARD) ||
	       leads_to(line, VD_XTABLES_INPUT);
}

static int lines_split(const char *text, struct vd_xtables_state *state)
{
	size_t count = 1;
	char *rest = NULL;

	for (const char *at = text; *at; at++)
		count += *at == '\n';
	state->text = strdup(text);
	state->lines = calloc(count, sizeof(*state->lines));
	state->forward.jumps = calloc(count, sizeof(*state->lines));
	state->input.jumps = calloc(count, sizeof(*state->lines));
	if (!state->text || !state->lines || !state->forward.jumps || !state->input.jumps)
		return -ENOMEM;
	for (char *line = strtok_r(state->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		state->lines[state->line_count++] = line;
	return 0;
}

/* Whether the built-in chain would stop anything: another policy than ACCEPT, or a rule that is not ours. */
static bool may_refuse(const struct vd_xtables_state *state, const char *chain)
{
	char accepting[64];

	snprintf(accepting, sizeof(accepting), ":%s ACCEPT ", chain);
	for (size_t i = 0; i < state->line_count; i++) {
		const char *line = state->lines[i];

		if (line[0] == ':' && begins(line + 1, chain) && line[1 + strlen(chain)] == ' ' && !begins(line, accepting))
			return true;
		if (is_of(line, chain) && !is_ours(line))
			return true;
	}
	return false;
}

static bool has_line(const struct vd_xtables_state *state, const char *line)
{
	for (size_t i = 0; i < state->line_count; i++)
		if (!strcmp(state->lines[i], line))
			return true;
	return false;
}

static bool has_chain(const struct vd_xtables_state *state, const char *chain)
{
	for (size_t i = 0; i < state->line_count; i++)
		if (state->lines[i][0] == ':' && begins(state->lines[i] + 1, chain) && state->lines[i][1 + strlen(chain)] == ' ')
			return true;
	return false;
}

/* A rule behind which what comes is still asked about. Logging and accepting do no harm to what we accept. */
static bool is_harmless(const char *line)
{
	return leads_to(line, "ACCEPT") || leads_to(line, "LOG") || leads_to(line, "NFLOG") ||
	       (!strstr(line, " -j ") && !strstr(line, " -g "));
}

/*
 * In DOCKER-USER an administrator's rules come first, ours before its final RETURN. Elsewhere ours are first: what is harmless may
 * have come before them, so that nobody else who wants to be first is fought with.
 */
static void place_find(const struct vd_xtables_state *state, struct vd_xtables_place *place)
{
	bool in_docker = !strcmp(place->home, DOCKER_USER), ended = false;
	size_t foreign = 0, well = 0;

	for (size_t i = 0; i < state->line_count; i++) {
		const char *line = state->lines[i];

		if (leads_to(line, place->ours)) {
			place->jumps[place->jump_count++] = line;
			well += is_of(line, place->home) && !ended;
			continue;
		}
		if (!is_of(line, place->home))
			continue;
		foreign++;
		if (in_docker ? !strcmp(line, "-A " DOCKER_USER " -j RETURN") : !is_harmless(line))
			ended = true;
		else if (in_docker && !ended)
			place->position = foreign + 1;
	}
	place->is_present = has_chain(state, place->ours);
	if (place->is_needed)
		place->differs = place->jump_count != 1 || well != 1 || !place->is_present;
	else
		place->differs = place->jump_count || place->is_present;
}

int vd_xtables_state_read(const char *text, bool has_forward, bool has_input, struct vd_xtables_state *ret)
{
	struct vd_xtables_state state = {
		.forward = {.ours = VD_XTABLES_FORWARD, .home = "FORWARD", .position = 1},
		.input = {.ours = VD_XTABLES_INPUT, .home = "INPUT", .position = 1},
	};
	int result = lines_split(text, &state);

	if (result < 0) {
		vd_xtables_state_done(&state);
		return result;
	}
	state.forward.is_needed = has_forward && may_refuse(&state, "FORWARD");
	state.input.is_needed = has_input && may_refuse(&state, "INPUT");
	/* After a flush DOCKER-USER stands, but nothing leads there. */
	if (has_chain(&state, DOCKER_USER) && has_line(&state, "-A FORWARD -j " DOCKER_USER))
		state.forward.home = DOCKER_USER;
	place_find(&state, &state.forward);
	place_find(&state, &state.input);
	*ret = state;
	return 0;
}

void vd_xtables_state_done(struct vd_xtables_state *state)
{
	free(state->text);
	free(state->lines);
	free(state->forward.jumps);
	free(state->input.jumps);
	*state = (struct vd_xtables_state){0};
}

char *vd_xtables_rules_of(const struct vd_xtables_state *state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (size_t i = 0; i < state->line_count; i++)
		if (is_of(state->lines[i], VD_XTABLES_FORWARD) || is_of(state->lines[i], VD_XTABLES_INPUT))
			fprintf(file, "%s\n", state->lines[i]);
	fclose(file);
	return text;
}

/* Declaring a chain empties it. The jumps move only when they are not as they shall be. */
static void place_print(const struct vd_xtables_place *place, const char *tag, FILE *file)
{
	for (size_t i = 0; i < place->jump_count && place->differs; i++)
		fprintf(file, "-D%s\n", place->jumps[i] + 2);
	if (place->is_needed && place->differs)
		fprintf(file, "-I %s %zu -m comment --comment \"viaduct:%s\" -j %s\n", place->home, place->position, tag,
			place->ours);
	if (!place->is_needed && place->is_present)
		fprintf(file, "-F %s\n-X %s\n", place->ours, place->ours);
}

char *vd_xtables_script(const struct vd_xtables_state *state, const char *rules, const char *tag)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	fputs("*filter\n", file);
	if (state->forward.is_needed)
		fputs(":" VD_XTABLES_FORWARD " - [0:0]\n", file);
	if (state->input.is_needed)
		fputs(":" VD_XTABLES_INPUT " - [0:0]\n", file);
	place_print(&state->forward, tag, file);
	place_print(&state->input, tag, file);
	fprintf(file, "%sCOMMIT\n", rules);
	fclose(file);
	return text;
}
