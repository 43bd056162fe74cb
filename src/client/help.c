/* SPDX-License-Identifier: Apache-2.0 */
#include "client/command.h"

#include <string.h>

static void options_print(const struct vd_option *options, FILE *file)
{
	char left[64];

	for (; options && options->name; options++) {
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", options->letter ? '-' : ' ', options->letter ? options->letter : ' ',
			 options->letter ? ", " : "  ", options->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		fprintf(file, "  %-26s %s\n", left, options->help);
	}
}

static void lines_print(const char *text, const char *before, FILE *file)
{
	size_t size;

	for (; *text; text += size + (text[size] == '\n')) {
		size = strcspn(text, "\n");
		fprintf(file, "%s%.*s\n", before, (int)size, text);
	}
}

void vd_command_print_help(const struct vd_command *command, FILE *file)
{
	fprintf(file, "viaduct %s: %s\n\nUsage: viaduct %s%s%s [OPTION]…\n", command->name, command->summary, command->name,
		*command->arguments ? " " : "", command->arguments);
	if (command->text)
		fprintf(file, "\n%s\n", command->text);
	fprintf(file, "\nExample:\n");
	lines_print(command->example, "  ", file);
	if (command->options && command->options->name) {
		fprintf(file, "\nOptions:\n");
		options_print(command->options, file);
	}
	fprintf(file, "\nOptions of every command:\n");
	options_print(vd_common_options, file);
}

void vd_command_print_overview(FILE *file)
{
	fprintf(file, "viaduct: talk to viaductd, which turns plain hosts into a cloud network\n\n"
		      "Usage: viaduct COMMAND [ARGUMENT]… [OPTION]…\n\nCommands:\n");
	for (const struct vd_command *command = vd_commands; command->name; command++)
		fprintf(file, "  %-11s %s\n", command->name, command->summary);
	fprintf(file, "\nExample:\n  viaduct apply -f vpc.yaml --wait && viaduct get ports\n\n"
		      "\"viaduct COMMAND --help\" tells more. Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n\nOptions "
		      "of every command:\n");
	options_print(vd_common_options, file);
}

/* Text for man(7): a dash is a dash, and no line begins with a request by accident. */
static void roff_print(const char *text, FILE *file)
{
	bool begin = true;

	for (; *text; text++) {
		if (begin && (*text == '.' || *text == '\''))
			fputs("\\&", file);
		if (*text == '-')
			fputs("\\-", file);
		else if (*text == '\\')
			fputs("\\e", file);
		else if ((unsigned char)*text == 0xe2 && !strncmp(text, "…", 3)) {
			fputs("...", file);
			text += 2;
		} else
			fputc(*text, file);
		begin = *text == '\n';
	}
}

static void roff_options(const struct vd_option *options, FILE *file)
{
	for (; options && options->name; options++) {
		fputs(".TP\n", file);
		if (options->letter)
			fprintf(file, "\\fB\\-%c\\fR, ", options->letter);
		fputs("\\fB\\-\\-", file);
		roff_print(options->name, file);
		fputs("\\fR", file);
		if (options->argument)
			fprintf(file, " \\fI%s\\fR", options->argument);
		fputs("\n", file);
		roff_print(options->help, file);
		fputs("\n", file);
	}
}

static void roff_command(const struct vd_command *command, FILE *file)
{
	fprintf(file, ".SS \"viaduct %s ", command->name);
	roff_print(command->arguments, file);
	fputs("\"\n", file);
	roff_print(command->summary, file);
	fputs(".\n", file);
	if (command->text) {
		fputs(".PP\n", file);
		roff_print(command->text, file);
		fputs("\n", file);
	}
	roff_options(command->options, file);
	fputs(".PP\n.EX\n", file);
	roff_print(command->example, file);
	fputs("\n.EE\n", file);
}

void vd_command_print_manual(FILE *file)
{
	fprintf(file,
		".TH VIADUCT 1 \"\" \"Viaduct %s\" \"User Commands\"\n.SH NAME\nviaduct \\- command line of the Viaduct cloud "
		"network\n"
		".SH SYNOPSIS\n\\fBviaduct\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR]... [\\fIOPTION\\fR]...\n.SH DESCRIPTION\n"
		"viaduct talks to the daemon viaductd(8) of this host, or of another one, and through it to the whole "
		"installation.\n"
		".SH COMMANDS\n",
		VD_VERSION);
	for (const struct vd_command *command = vd_commands; command->name; command++)
		roff_command(command, file);
	fputs(".SH OPTIONS OF EVERY COMMAND\n", file);
	roff_options(vd_common_options, file);
	fputs(".SH EXIT STATUS\n0 done, 1 refused or failed (one sentence on standard error says why), 2 wrong usage.\n"
	      ".SH FILES\n.TP\n/run/viaduct/viaduct.sock\nThe daemon's socket: root and members of the group viaduct may use it.\n"
	      ".SH SEE ALSO\nviaductd(8)\n",
	      file);
}

int vd_command_help(struct vd_invocation *invocation)
{
	const struct vd_command *command;

	if (!invocation->argument_count) {
		vd_command_print_overview(stdout);
		return VD_EXIT_DONE;
	}
	if (!strcmp(invocation->arguments[0], "manual")) {
		vd_command_print_manual(stdout);
		return VD_EXIT_DONE;
	}
	command = vd_command_find(invocation->arguments[0]);
	if (!command)
		return vd_fail_usage(invocation, "unknown command \"%s\"", invocation->arguments[0]);
	vd_command_print_help(command, stdout);
	return VD_EXIT_DONE;
}
