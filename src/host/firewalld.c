/* SPDX-License-Identifier: Apache-2.0 */
#include "host/firewalld.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define TABLE "firewalld"

static const struct {
	const char *ours, *home;
} chains[2] = {{"viaduct_forward", "filter_FORWARD"}, {"viaduct_input", "filter_INPUT"}};

/* One of our chains, as it stands and as it shall be. */
struct place {
	bool is_needed;
	char *standing; /* what nft prints of our chain; NULL: it does not exist */
	size_t jumps;
	char *removals; /* the commands that take the jumps away */
};

void vd_firewalld_done(struct vd_firewalld *firewalld)
{
	free(firewalld->wanted);
	free(firewalld->standing[0]);
	free(firewalld->standing[1]);
	*firewalld = (struct vd_firewalld){0};
}

/* "… jump viaduct_forward comment "viaduct:h1" # handle 12" */
static int jumps_find(struct vd_nftables *nftables, int which, struct place *place)
{
	VD_FREE char *text = NULL;
	char command[64], jump[64], *rest = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&place->removals, &size);
	int result;

	if (!file)
		return -ENOMEM;
	snprintf(command, sizeof(command), "list chain inet " TABLE " %s", chains[which].home);
	snprintf(jump, sizeof(jump), "jump %s ", chains[which].ours);
	result = vd_nftables_list(nftables, command, true, &text);
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		const char *handle = strstr(line, "# handle ");

		if (!strstr(line, jump) || !handle)
			continue;
		fprintf(file, "delete rule inet " TABLE " %s handle %s\n", chains[which].home, handle + strlen("# handle "));
		place->jumps++;
	}
	fclose(file);
	return result == -ENOENT ? 0 : result;
}

static int place_read(struct vd_nftables *nftables, int which, struct place *place)
{
	char command[64];
	int result;

	snprintf(command, sizeof(command), "list chain inet " TABLE " %s", chains[which].ours);
	result = vd_nftables_list(nftables, command, false, &place->standing);
	return result < 0 && result != -ENOENT ? result : jumps_find(nftables, which, place);
}

static void place_print(const struct place *place, int which, const char *tag, FILE *file)
{
	fputs(place->removals, file);
	if (place->standing)
		fprintf(file, "flush chain inet " TABLE " %s\n", chains[which].ours);
	if (place->standing && !place->is_needed)
		fprintf(file, "delete chain inet " TABLE " %s\n", chains[which].ours);
	if (place->is_needed)
		fprintf(file,
			"add chain inet " TABLE " %s\n"
			"insert rule inet " TABLE " %s jump %s comment \"viaduct:%s\"\n",
			chains[which].ours, chains[which].home, chains[which].ours, tag);
}

static bool place_differs(const struct place *place, const char *standing)
{
	if (!place->is_needed)
		return place->standing || place->jumps;
	return !place->standing || place->jumps != 1 || !standing || strcmp(place->standing, standing);
}

static int rules_print(const struct vd_ruleset_list *forward, const struct vd_ruleset_list *input, const char *tag, char **ret)
{
	size_t size = 0;
	FILE *file = open_memstream(ret, &size);

	if (!file)
		return -ENOMEM;
	vd_ruleset_print_nftables(forward, TABLE, chains[0].ours, tag, file);
	vd_ruleset_print_nftables(input, TABLE, chains[1].ours, tag, file);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

static int write_all(struct vd_nftables *nftables, const struct place places[2], const char *wanted, const char *tag,
		     struct vd_error *error)
{
	VD_FREE char *commands = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&commands, &size);

	if (!file)
		return vd_error_set(error, -ENOMEM, "out of memory");
	for (int i = 0; i < 2; i++)
		place_print(&places[i], i, tag, file);
	fputs(wanted, file);
	fclose(file);
	return vd_nftables_run(nftables, commands, error);
}

static int standing_note(struct vd_firewalld *firewalld, struct vd_nftables *nftables)
{
	for (int i = 0; i < 2; i++) {
		struct place place = {0};
		int result = place_read(nftables, i, &place);

		free(place.removals);
		if (result < 0) {
			free(place.standing);
			return result;
		}
		free(firewalld->standing[i]);
		firewalld->standing[i] = place.standing;
	}
	return 0;
}

static int settle(struct vd_firewalld *firewalld, struct vd_nftables *nftables, const struct place places[2], char **wanted,
		  const char *tag, char ret_changed[128], struct vd_error *error)
{
	bool is_due = !firewalld->wanted || strcmp(firewalld->wanted, *wanted), differs = is_due;
	int result;

	for (int i = 0; i < 2; i++)
		differs |= place_differs(&places[i], firewalld->standing[i]);
	if (!differs)
		return 0;
	result = write_all(nftables, places, *wanted, tag, error);
	if (result == 0)
		result = standing_note(firewalld, nftables);
	if (result < 0)
		return result;
	if (!is_due && (places[0].is_needed || places[1].is_needed))
		snprintf(ret_changed, 128, "firewalld: our rules were put back in filter_FORWARD%s",
			 places[1].is_needed ? " and filter_INPUT" : "");
	free(firewalld->wanted);
	firewalld->wanted = VD_TAKE(*wanted);
	return 0;
}

int vd_firewalld_ensure(struct vd_firewalld *firewalld, struct vd_nftables *nftables, const struct vd_ruleset_list *forward,
			const struct vd_ruleset_list *input, const char *tag, char ret_changed[128], struct vd_error *error)
{
	struct place places[2] = {{.is_needed = forward->count}, {.is_needed = input->count}};
	VD_FREE char *wanted = NULL;
	int result = rules_print(forward, input, tag, &wanted);

	ret_changed[0] = '\0';
	for (int i = 0; i < 2 && result == 0; i++)
		result = place_read(nftables, i, &places[i]);
	if (result < 0)
		vd_error_set(error, result, "cannot read firewalld's rules: %s", strerror(-result));
	else
		result = settle(firewalld, nftables, places, &wanted, tag, ret_changed, error);
	for (int i = 0; i < 2; i++) {
		free(places[i].standing);
		free(places[i].removals);
	}
	return result;
}
