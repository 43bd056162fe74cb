/* SPDX-License-Identifier: Apache-2.0 */
#include "host/xtables.h"

#include "base/cleanup.h"
#include "host/program.h"
#include "host/xtables_text.h"

#include <errno.h>
#include <string.h>

/* The program of a backend and a family, "save" or "restore". */
static void program_name(const struct vd_xtables *xtables, const char *what, char ret[32])
{
	snprintf(ret, 32, "%s-%s-%s", xtables->family == VD_FAMILY_IPV6 ? "ip6tables" : "iptables",
		 xtables->backend == VD_XTABLES_BACKEND_LEGACY ? "legacy" : "nft", what);
}

void vd_xtables_done(struct vd_xtables *xtables)
{
	free(xtables->wanted);
	free(xtables->standing);
	xtables->wanted = xtables->standing = NULL;
}

static int table_read(const struct vd_xtables *xtables, char **ret, struct vd_error *error)
{
	VD_FREE char *text = NULL;
	char program[32];

	int result;

	program_name(xtables, "save", program);
	result = vd_program_run((const char *const[]){program, "-t", "filter", NULL}, NULL, &text, error);
	if (result < 0)
		return result;
	if (strstr(text, "is incompatible"))
		return vd_error_set(error, -EOPNOTSUPP,
				    "%s cannot read the table filter, since somebody added rules to it with nft: forwarding to "
				    "containers is not allowed there; move those rules to a table of their own",
				    program);
	*ret = VD_TAKE(text);
	return 0;
}

/* The older backend waits for who holds its lock: Docker does for moments. */
static int table_write(const struct vd_xtables *xtables, const char *script, struct vd_error *error)
{
	char program[32];

	program_name(xtables, "restore", program);
	return vd_program_run((const char *const[]){program, "--noflush", "--wait", "5", NULL}, script, NULL, error);
}

/* The rules of our chains as they shall be. */
static int rules_print(const struct vd_ruleset_list *forward, const struct vd_ruleset_list *input, const char *tag, char **ret)
{
	size_t size = 0;
	FILE *file = open_memstream(ret, &size);

	if (!file)
		return -ENOMEM;
	vd_ruleset_print_iptables(forward, VD_XTABLES_FORWARD, tag, file);
	vd_ruleset_print_iptables(input, VD_XTABLES_INPUT, tag, file);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

/* What nobody needs any more goes without a word. */
static void changed_say(const struct vd_xtables *xtables, const struct vd_xtables_state *state, bool rules_differ, char ret[128])
{
	char program[32];

	program_name(xtables, "", program);
	program[strlen(program) - 1] = '\0';
	if (state->forward.is_needed && state->forward.differs)
		snprintf(ret, 128, "%s: the jump to our rules in %s was put back", program, state->forward.home);
	else if (state->input.is_needed && state->input.differs)
		snprintf(ret, 128, "%s: the jump to our rules in %s was put back", program, state->input.home);
	else if (rules_differ && (state->forward.is_needed || state->input.is_needed))
		snprintf(ret, 128, "%s: our rules were put back", program);
}

/* Once more, since what is written is read back in the program's own words. */
static int standing_note(struct vd_xtables *xtables, struct vd_error *error)
{
	VD_FREE char *text = NULL;
	struct vd_xtables_state state;
	char *standing;
	int result = table_read(xtables, &text, error);

	if (result < 0)
		return result;
	result = vd_xtables_state_read(text, false, false, &state);
	standing = result < 0 ? NULL : vd_xtables_rules_of(&state);
	vd_xtables_state_done(&state);
	if (!standing)
		return vd_error_set(error, -ENOMEM, "out of memory");
	free(xtables->standing);
	xtables->standing = standing;
	return 0;
}

static int settle(struct vd_xtables *xtables, const struct vd_xtables_state *state, char **wanted, const char *tag,
		  char ret_changed[128], struct vd_error *error)
{
	VD_FREE char *standing = vd_xtables_rules_of(state);
	VD_FREE char *script = vd_xtables_script(state, *wanted, tag);
	bool is_due = !xtables->wanted || strcmp(*wanted, xtables->wanted);
	bool rules_differ = is_due || !standing || !xtables->standing || strcmp(standing, xtables->standing);
	int result;

	if (!standing || !script)
		return vd_error_set(error, -ENOMEM, "out of memory");
	if (!rules_differ && !state->forward.differs && !state->input.differs)
		return 0;
	result = table_write(xtables, script, error);
	if (result == 0)
		result = standing_note(xtables, error);
	if (result < 0)
		return result;
	if (!is_due)
		changed_say(xtables, state, rules_differ, ret_changed);
	free(xtables->wanted);
	xtables->wanted = VD_TAKE(*wanted);
	return 0;
}

int vd_xtables_ensure(struct vd_xtables *xtables, const struct vd_ruleset_list *forward, const struct vd_ruleset_list *input,
		      const char *tag, char ret_changed[128], struct vd_error *error)
{
	VD_FREE char *text = NULL, *wanted = NULL;
	struct vd_xtables_state state;
	int result = table_read(xtables, &text, error);

	ret_changed[0] = '\0';
	if (result < 0)
		return result;
	result = vd_xtables_state_read(text, forward->count, input->count, &state);
	if (result == 0)
		result = rules_print(state.forward.is_needed ? forward : &(struct vd_ruleset_list){0},
				     state.input.is_needed ? input : &(struct vd_ruleset_list){0}, tag, &wanted);
	if (result < 0)
		vd_error_set(error, result, "out of memory");
	else
		result = settle(xtables, &state, &wanted, tag, ret_changed, error);
	vd_xtables_state_done(&state);
	return result;
}
