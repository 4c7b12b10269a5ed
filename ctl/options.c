// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "libblktap.h"
#include "options.h"

#define MAX_OPTIONS	32

const char *option_name(const struct option_spec *spec)
{
	static char name[32];

	if (spec->letter == NO_OPTION)
		return spec->value;
	if (spec->letter < 256)
		snprintf(name, sizeof(name), "-%c", spec->letter);
	else
		snprintf(name, sizeof(name), "--%s", spec->name);
	return name;
}

struct tables {
	char letters[2 * MAX_OPTIONS + 5];
	struct option names[MAX_OPTIONS + 2];
	uint32_t seen;			/* bit: index of the spec */
};

static size_t count_specs(const struct option_spec *specs)
{
	size_t count = 0;

	while (specs[count].letter)
		count++;
	return count;
}

/* getopt's view of the specs. */
static void make_tables(const struct option_spec *specs, struct tables *tables)
{
	size_t count = count_specs(specs), names = 0, i;
	char *letter = tables->letters;

	memset(tables, 0, sizeof(*tables));
	/* Words are options with the letter NO_OPTION. */
	*letter++ = '-';
	*letter++ = ':';
	*letter++ = 'h';
	for (i = 0; i < count && i < MAX_OPTIONS; i++) {
		if (specs[i].letter == NO_OPTION)
			continue;
		tables->names[names++] = (struct option){
			.name = specs[i].name,
			.has_arg = specs[i].value ? required_argument : no_argument,
			.val = specs[i].letter,
		};
		if (specs[i].letter >= 256)
			continue;
		*letter++ = specs[i].letter;
		if (specs[i].value)
			*letter++ = ':';
	}
	tables->names[names] = (struct option){ .name = "help", .val = 'h' };
}

static const struct option_spec *find_spec(const struct option_spec *specs, int letter)
{
	for (; specs->letter; specs++)
		if (specs->letter == letter)
			return specs;
	return NULL;
}

/* getopt() has no place in the table for what it stumbled over. */
static int refuse(const struct option_spec *specs, int letter, char **argv,
		  struct blktap_error *err)
{
	const struct option_spec *spec = optopt ? find_spec(specs, optopt) : NULL;

	if (letter == ':' && spec)
		return blktap_error_set(err, -EINVAL, "%s needs an argument", option_name(spec));
	if (spec || optopt == 'h')
		return blktap_error_set(err, -EINVAL, "%.*s takes no argument",
					(int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
	if (optopt && optopt < 256)
		return blktap_error_set(err, -EINVAL, "unknown option -%c", optopt);
	return blktap_error_set(err, -EINVAL, "unknown option %s", argv[optind - 1]);
}

static int take(const struct option_spec *specs, int letter, char **argv,
		struct tables *tables, struct options *options, struct blktap_error *err)
{
	const struct option_spec *spec;

	if (letter == 'h') {
		options->help = true;
		return 0;
	}
	spec = find_spec(specs, letter);
	if (letter == NO_OPTION && (!spec || tables->seen & 1U << (spec - specs)))
		return blktap_error_set(err, -EINVAL, "unexpected argument %s", optarg);
	if (!spec)
		return refuse(specs, letter, argv, err);
	if (!spec->take)
		return blktap_error_set(err, -EOPNOTSUPP, "option %s (%s) is not supported yet",
					option_name(spec), spec->help);
	tables->seen |= 1U << (spec - specs);
	return spec->take(options, spec, optarg, err);
}

static int check_required(const struct option_spec *specs, const struct tables *tables,
			  struct blktap_error *err)
{
	size_t i;

	for (i = 0; specs[i].letter; i++)
		if (specs[i].required && !(tables->seen & 1U << i))
			return blktap_error_set(err, -EINVAL, "%s %s is missing",
						option_name(&specs[i]), specs[i].value);
	return 0;
}

int options_parse(int argc, char **argv, const struct option_spec *specs,
		  struct options *options, struct blktap_error *err)
{
	struct tables tables;
	int letter, ret;

	*options = (struct options){ .minor = -1, .timeout_ms = -1 };
	make_tables(specs, &tables);
	opterr = 0;
	optind = 0;		/* start anew, also within a group of letters */
	while ((letter = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		ret = take(specs, letter, argv, &tables, options, err);
		if (ret)
			return ret;
	}
	if (options->help)
		return 0;
	if (optind < argc)
		return blktap_error_set(err, -EINVAL, "unexpected argument %s", argv[optind]);
	return check_required(specs, &tables, err);
}
