// SPDX-License-Identifier: GPL-2.0-only
/*
 * tap-ctl: control of taps and tapdisks.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "std.h"
#include "cleanup.h"
#include "ctl.h"
#include "output.h"

static const struct command *const commands[] = {
	&command_list,
	&command_allocate,
	&command_free,
	&command_create,
	&command_destroy,
	&command_spawn,
	&command_attach,
	&command_detach,
	&command_open,
	&command_close,
	&command_recover,
	&command_supervise,
	&command_pause,
	&command_unpause,
	&command_resize,
	&command_kernel_io,
	&command_takeover,
	&command_stats,
	&command_top,
	&command_monitor,
	&command_info,
	&command_major,
	&command_check,
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int fail(const char *command, const struct blktap_error *err)
{
	if (command)
		fprintf(stderr, "tap-ctl: %s: %s\n", command, err->text);
	else
		fprintf(stderr, "tap-ctl: %s\n", err->text);
	return exit_status(err->code);
}

static int finish_help(void)
{
	struct blktap_error err;

	return flush_output(&err) ? fail("help", &err) : 0;
}

static int help_all(void)
{
	size_t i;

	printf("usage: tap-ctl COMMAND [OPTION]...\n\ncommands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s%s\n", commands[i]->name, commands[i]->summary);
	printf("  %-10s%s\n", "help", "this text, or 'help COMMAND' about one of them");
	printf("\n'tap-ctl COMMAND -h' tells the options of a command. With --debug anywhere what\n"
	       "is said to tapdisks and the kernel, and their answers, go to standard error;\n"
	       "'tap-ctl --version' prints the version.\n");
	return finish_help();
}

static void help_option(const struct option_spec *spec)
{
	char names[64];

	if (spec->letter == NO_OPTION)
		snprintf(names, sizeof(names), "%s", spec->value);
	else if (spec->letter < 256)
		snprintf(names, sizeof(names), "-%c, --%s %s", spec->letter, spec->name,
			 spec->value ? spec->value : "");
	else
		snprintf(names, sizeof(names), "    --%s %s", spec->name,
			 spec->value ? spec->value : "");
	printf("  %-32s%s%s%s\n", names, spec->help, spec->required ? "; required" : "",
	       spec->take ? "" : "; not supported yet");
}

static void help_usage(const struct command *command)
{
	const struct option_spec *spec;

	printf("usage: tap-ctl %s", command->name);
	for (spec = command->options; spec->letter; spec++)
		if (spec->required)
			printf(" -%c %s", spec->letter, spec->value);
	printf(" [OPTION]...");
	for (spec = command->options; spec->letter; spec++)
		if (spec->letter == NO_OPTION)
			printf(" [%s]", spec->value);
	putchar('\n');
}

static int help_command(const struct command *command)
{
	const struct option_spec *spec;

	help_usage(command);
	printf("%s\n\noptions:\n", command->summary);
	for (spec = command->options; spec->letter; spec++)
		help_option(spec);
	printf("  %-32s%s\n", "    --debug", "trace what is said to tapdisks and the kernel");
	printf("  %-32s%s\n", "-h, --help", "this text");
	return finish_help();
}

static int unknown_command(const char *name)
{
	struct blktap_error err;

	blktap_error_set(&err, -EINVAL, "unknown command %s; 'tap-ctl help' lists them", name);
	return fail(NULL, &err);
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return help_all();
	command = find_command(argv[1]);
	return command ? help_command(command) : unknown_command(argv[1]);
}

static int print_version(void)
{
	printf("tap-ctl %s\n", blktap_version());
	return finish_help();
}

static int run(const struct command *command, int argc, char **argv)
{
	struct blktap_error err = { 0 };
	struct options options;

	if (options_parse(argc, argv, command->options, &options, &err))
		return fail(command->name, &err);
	if (options.help)
		return help_command(command);
	if (command->run(&options, &err))
		return err.text[0] ? fail(NULL, &err) : exit_status(err.code);
	return 0;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Wherever it stands, as scripts may have it; up to "--". */
static int take_debug(int argc, char **argv)
{
	int kept = 1, i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			break;
		if (strcmp(argv[i], "--debug") == 0)
			blktap_trace(stderr);
		else
			argv[kept++] = argv[i];
	}
	while (i < argc)
		argv[kept++] = argv[i++];
	argv[kept] = NULL;
	return kept;
}

int main(int argc, char **argv)
{
	const struct command *command;

	std_keep(O_RDONLY);
	/* A reader that has gone shows as an error of the write. */
	signal(SIGPIPE, SIG_IGN);

	argc = take_debug(argc, argv);
	if (argc < 2)
		return help_all();
	if (is_one_of(argv[1], "help", "--help") || is_one_of(argv[1], "-h", "-?"))
		return help(argc - 1, argv + 1);
	if (is_one_of(argv[1], "--version", "-V"))
		return print_version();
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run(command, argc - 1, argv + 1);
}
