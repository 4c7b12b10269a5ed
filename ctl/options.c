// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "libblktap.h"
#include "options.h"

#define MAX_OPTIONS	32

/* ------------------------------------------------------------------- arguments */

/* "-m" or "--queues". */
static const char *spell(const struct option_spec *spec)
{
	static char name[32];

	if (spec->letter < 256)
		snprintf(name, sizeof(name), "-%c", spec->letter);
	else
		snprintf(name, sizeof(name), "--%s", spec->name);
	return name;
}

static int parse_number(const struct option_spec *spec, const char *argument, const char **end,
			uint64_t *number, struct blktap_error *err)
{
	char *stop;

	errno = 0;
	*number = strtoull(argument, &stop, 10);
	*end = stop;
	/* strtoull() takes blanks and signs. */
	if (errno || !isdigit((unsigned char)*argument))
		return blktap_error_set(err, -EINVAL, "%s %s: not a number", spell(spec), argument);
	return 0;
}

static int parse_range(const struct option_spec *spec, const char *argument, uint64_t least,
		       uint64_t most, uint64_t *number, struct blktap_error *err)
{
	const char *end;
	int ret;

	ret = parse_number(spec, argument, &end, number, err);
	if (ret)
		return ret;
	if (*end)
		return blktap_error_set(err, -EINVAL, "%s %s: not a number", spell(spec), argument);
	if (*number < least || *number > most)
		return blktap_error_set(err, -EINVAL,
					"%s %s: not between %" PRIu64 " and %" PRIu64,
					spell(spec), argument, least, most);
	return 0;
}

int take_pid(struct options *options, const struct option_spec *spec, const char *argument,
	     struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 1, INT_MAX, &number, err);

	options->pid = number;
	return ret;
}

int take_minor(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 0, INT_MAX, &number, err);

	options->minor = number;
	return ret;
}

int take_timeout(struct options *options, const struct option_spec *spec,
		 const char *argument, struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 0, INT_MAX / 1000, &number, err);

	options->timeout_ms = number * 1000;
	return ret;
}

int take_image(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err)
{
	const char *colon = strchr(argument, ':');

	if (!colon || colon == argument)
		return blktap_error_set(err, -EINVAL, "%s %s: not of the form type:path",
					spell(spec), argument);
	options->image = argument;
	return 0;
}

int take_type(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	(void)spec;
	(void)err;
	options->type = argument;
	return 0;
}

int take_path(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	(void)spec;
	(void)err;
	options->path = argument;
	return 0;
}

int take_read_only(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err)
{
	(void)spec;
	(void)argument;
	(void)err;
	options->read_only = true;
	return 0;
}

int take_no_direct(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err)
{
	(void)spec;
	(void)argument;
	(void)err;
	options->no_direct = true;
	return 0;
}

int take_queues(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 1, UINT16_MAX, &number, err);

	options->queues = number;
	return ret;
}

int take_depth(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 1, BLKTAP_MAX_DEPTH, &number, err);

	options->depth = number;
	return ret;
}

static int unit_shift(const char *unit)
{
	if (strcmp(unit, "") == 0)
		return 0;
	if (strcasecmp(unit, "K") == 0)
		return 10;
	if (strcasecmp(unit, "M") == 0)
		return 20;
	return -1;
}

int take_max_io(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err)
{
	uint64_t number;
	const char *unit;
	int shift, ret;

	ret = parse_number(spec, argument, &unit, &number, err);
	if (ret)
		return ret;
	shift = unit_shift(unit);
	if (shift < 0)
		return blktap_error_set(err, -EINVAL, "%s %s: the units are K and M", spell(spec),
					argument);
	if (number > BLKTAP_MAX_IO || number << shift > BLKTAP_MAX_IO ||
	    number << shift < BLKTAP_MIN_IO || (number << shift) % BLKTAP_MIN_IO)
		return blktap_error_set(err, -EINVAL,
					"%s %s: not a multiple of %uK between %uK and %uM",
					spell(spec), argument, BLKTAP_MIN_IO >> 10,
					BLKTAP_MIN_IO >> 10, BLKTAP_MAX_IO >> 20);
	options->max_io = number << shift;
	return 0;
}

/* ---------------------------------------------------------------- command lines */

struct tables {
	char letters[2 * MAX_OPTIONS + 4];
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
	size_t count = count_specs(specs), i;
	char *letter = tables->letters;

	memset(tables, 0, sizeof(*tables));
	*letter++ = ':';
	*letter++ = 'h';
	for (i = 0; i < count && i < MAX_OPTIONS; i++) {
		tables->names[i] = (struct option){
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
	tables->names[i] = (struct option){ .name = "help", .val = 'h' };
}

static const struct option_spec *find_spec(const struct option_spec *specs, int letter)
{
	for (; specs->letter; specs++)
		if (specs->letter == letter)
			return specs;
	return NULL;
}

static int take(const struct option_spec *specs, int letter, char **argv,
		struct tables *tables, struct options *options, struct blktap_error *err)
{
	const struct option_spec *spec;

	if (letter == 'h') {
		options->help = true;
		return 0;
	}
	if (letter == ':' && find_spec(specs, optopt))
		return blktap_error_set(err, -EINVAL, "%s needs an argument",
					spell(find_spec(specs, optopt)));
	spec = find_spec(specs, letter);
	if (!spec) {
		if (optopt && optopt < 256)
			return blktap_error_set(err, -EINVAL, "unknown option -%c", optopt);
		return blktap_error_set(err, -EINVAL, "unknown option %s", argv[optind - 1]);
	}
	if (!spec->take)
		return blktap_error_set(err, -EOPNOTSUPP, "option %s (%s) is not supported yet",
					spell(spec), spec->help);
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
						spell(&specs[i]), specs[i].value);
	return 0;
}

int options_parse(int argc, char **argv, const struct option_spec *specs,
		  struct options *options, struct blktap_error *err)
{
	struct tables tables;
	int letter, ret;

	*options = (struct options){ .minor = -1 };
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
