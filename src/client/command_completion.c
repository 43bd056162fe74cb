/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "client/command.h"

#include <string.h>

/*
 * The scripts ask "viaduct completion words -- WORD…" what may stand where the last WORD is; one answer serves all shells. No
 * answer means file names.
 */
static const char bash_script[] =
	"# bash completion for viaduct: source <(viaduct completion bash)\n"
	"_viaduct() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(compgen -W \"$(viaduct completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\" -- \\\n"
	"\t\t\"${COMP_WORDS[COMP_CWORD]}\"))\n"
	"}\n"
	"complete -o default -F _viaduct viaduct\n";

static const char zsh_script[] = "#compdef viaduct\n"
				 "# zsh completion for viaduct: source <(viaduct completion zsh)\n"
				 "_viaduct() {\n"
				 "\tlocal -a candidates\n"
				 "\tcandidates=(${(f)\"$(viaduct completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
				 "\tif (( $#candidates )); then compadd -a candidates; else _files; fi\n"
				 "}\n"
				 "compdef _viaduct viaduct\n";

static const char fish_script[] =
	"# fish completion for viaduct: viaduct completion fish > ~/.config/fish/completions/viaduct.fish\n"
	"function __viaduct_words\n"
	"\tset -l words (commandline -opc) (commandline -ct)\n"
	"\tviaduct completion words -- $words[2..-1] 2>/dev/null\n"
	"end\n"
	"complete -c viaduct -a '(__viaduct_words)'\n";

static void options_print(const struct vd_option *options)
{
	for (; options && options->name; options++)
		printf("--%s\n", options->name);
}

static void members_print(struct vd_invocation *invocation, const char *path, const char *list, const char *member)
{
	struct vd_error error;
	json_t *reply, *item;
	const char *text;
	size_t i;

	if (vd_client_call(invocation->client, "GET", path, NULL, &reply, &error))
		return;
	json_array_foreach (json_object_get(reply, list), i, item) {
		text = json_string_value(json_object_get(item, member));
		if (text)
			puts(text);
	}
	json_decref(reply);
}

static void names_print(struct vd_invocation *invocation, const char *kind)
{
	VD_FREE char *escaped = vd_client_escape(kind), *begin = NULL, *path = NULL;

	if (!escaped || asprintf(&begin, "/v1/%s", escaped) < 0)
		return;
	path = vd_path_build(begin, NULL, "project", vd_invocation_project(invocation), NULL);
	if (path)
		members_print(invocation, path, "items", "name");
}

static void list_print(const char *words, size_t size)
{
	for (size_t part; size > 0; words += part, size -= part) {
		part = 0;
		while (part < size && words[part] != ',')
			part++;
		printf("%.*s\n", (int)part, words);
		part += part < size;
	}
}

/* The word of a command's "completes" for its argument at index; the last one repeats. */
static const char *completes_at(const char *completes, size_t index, size_t *ret_size)
{
	const char *next;

	while (index-- > 0 && (next = strchr(completes, ' ')))
		completes = next + 1;
	*ret_size = strcspn(completes, " ");
	return completes;
}

static bool word_is(const char *word, size_t size, const char *text)
{
	return size == strlen(text) && !memcmp(word, text, size);
}

/* words: the arguments before the one to complete. */
static void argument_complete(struct vd_invocation *invocation, const struct vd_command *command, const char *const *words,
			      size_t count)
{
	const char *what;
	size_t size;

	if (!command->completes)
		return;
	what = completes_at(command->completes, count, &size);
	if (word_is(what, size, "kind"))
		members_print(invocation, "/v1/kinds", "kinds", "kind");
	else if (word_is(what, size, "name") && count > 0)
		names_print(invocation, words[0]);
	else if (word_is(what, size, "port"))
		names_print(invocation, "port");
	else if (word_is(what, size, "network"))
		names_print(invocation, "container_network");
	else if (size > 6 && !memcmp(what, "words:", 6))
		list_print(what + 6, size - 6);
	else if (word_is(what, size, "command"))
		for (const struct vd_command *other = vd_commands; other->name; other++)
			puts(other->name);
}

static const struct vd_option *option_named(const struct vd_option *options, const char *word)
{
	for (; options && options->name; options++)
		if ((word[1] == '-' && !strcmp(word + 2, options->name)) ||
		    (word[1] == options->letter && options->letter && !word[2]))
			return options;
	return NULL;
}

/* The value of an option. */
static void value_complete(struct vd_invocation *invocation, const struct vd_option *option)
{
	if (!strcmp(option->name, "output"))
		puts("table\nyaml\njson");
	else if (!strcmp(option->name, "host"))
		names_print(invocation, "host");
	else if (!strcmp(option->name, "port"))
		names_print(invocation, "port");
}

static void words_complete(struct vd_invocation *invocation, const char *const *words, size_t count)
{
	const char *last = count ? words[count - 1] : "", *arguments[VD_GIVEN_MAX];
	const struct vd_command *command = NULL;
	const struct vd_option *option = NULL;
	size_t argument_count = 0;

	for (size_t i = 0; i + 1 < count; i++) {
		if (option && option->argument) { /* its value */
			option = NULL;
		} else if (words[i][0] == '-' && words[i][1]) {
			option = command ? option_named(command->options, words[i]) : NULL;
			if (!option)
				option = option_named(vd_common_options, words[i]);
		} else {
			option = NULL;
			if (!command)
				command = vd_command_find(words[i]);
			else if (argument_count < VD_GIVEN_MAX)
				arguments[argument_count++] = words[i];
		}
	}
	if (option && option->argument) {
		value_complete(invocation, option);
	} else if (last[0] == '-') {
		if (command)
			options_print(command->options);
		options_print(vd_common_options);
	} else if (command) {
		argument_complete(invocation, command, arguments, argument_count);
	} else {
		for (command = vd_commands; command->name; command++)
			puts(command->name);
	}
}

int vd_command_completion(struct vd_invocation *invocation)
{
	const char *shell = invocation->arguments[0];

	if (!strcmp(shell, "words")) {
		words_complete(invocation, invocation->arguments + 1, invocation->argument_count - 1);
		return VD_EXIT_DONE;
	}
	if (invocation->argument_count > 1)
		return vd_fail_usage(invocation, "completion takes one shell");
	if (!strcmp(shell, "bash"))
		fputs(bash_script, stdout);
	else if (!strcmp(shell, "zsh"))
		fputs(zsh_script, stdout);
	else if (!strcmp(shell, "fish"))
		fputs(fish_script, stdout);
	else
		return vd_fail_usage(invocation, "there is no completion for \"%s\", only for bash, zsh and fish", shell);
	return VD_EXIT_DONE;
}
