// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arguments of options.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libblktap.h"
#include "options.h"

#define REFUSE(err, spec, argument, why) \
	blktap_error_set(err, -EINVAL, "%s %s: %s", option_name(spec), argument, why)

int take_flag(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	(void)argument;
	(void)err;
	*(bool *)((char *)options + spec->field) = true;
	return 0;
}

int take_text(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	(void)err;
	*(const char **)((char *)options + spec->field) = argument;
	return 0;
}

/* --------------------------------------------------------------------- numbers */

static int parse_range(const struct option_spec *spec, const char *argument, uint64_t least,
		       uint64_t most, uint64_t *number, struct blktap_error *err)
{
	char *end;

	errno = 0;
	*number = strtoull(argument, &end, 10);
	/* strtoull() takes blanks and signs. */
	if (errno || *end || !isdigit((unsigned char)*argument))
		return REFUSE(err, spec, argument, "not a number");
	if (*number < least || *number > most)
		return blktap_error_set(err, -EINVAL,
					"%s %s: not between %" PRIu64 " and %" PRIu64,
					option_name(spec), argument, least, most);
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

int take_tap(struct options *options, const struct option_spec *spec, const char *argument,
	     struct blktap_error *err)
{
	int ret = take_minor(options, spec, argument, err);

	if (ret || options->minor < BLKTAP_MAX_MINORS)
		return ret;
	return blktap_error_set(err, -ENODEV, "minor %s: no such minor, %u is the last", argument,
				BLKTAP_MAX_MINORS - 1);
}

int take_timeout(struct options *options, const struct option_spec *spec,
		 const char *argument, struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 0, INT_MAX / 1000, &number, err);

	options->timeout_ms = number * 1000;
	return ret;
}

int take_request_timeout(struct options *options, const struct option_spec *spec,
			 const char *argument, struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 1, INT_MAX / 1000, &number, err);

	options->request_timeout_ms = number * 1000;
	return ret;
}

/* What is not given is 0. */
int take_spin(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	uint64_t number;
	int ret = parse_range(spec, argument, 0, BLKTAP_MAX_SPIN_US, &number, err);

	options->spin_us = number ? (int)number : -1;
	return ret;
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

int take_iterations(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err)
{
	return parse_range(spec, argument, 1, INT64_MAX, &options->iterations, err);
}

/* Also with a decimal point; not beyond a day. */
static int parse_seconds(const struct option_spec *spec, const char *argument, double least,
			 int *ms, struct blktap_error *err)
{
	double seconds;
	char *end;

	seconds = strtod(argument, &end);
	if (*end || !isdigit((unsigned char)*argument) || strpbrk(argument, "xX"))
		return REFUSE(err, spec, argument, "not a number");
	if (seconds < least || seconds > 86400)
		return blktap_error_set(err, -EINVAL, "%s %s: not between %g and 86400",
					option_name(spec), argument, least);
	*ms = seconds * 1000;
	return 0;
}

int take_delay(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err)
{
	return parse_seconds(spec, argument, 0.1, &options->delay_ms, err);
}

/* What is not given is 0. */
int take_hold_time(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err)
{
	int ms = 0;
	int ret = parse_seconds(spec, argument, 0, &ms, err);

	options->hold_ms = ms ? ms : -1;
	return ret;
}

int take_io_timeout(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err)
{
	int ms = 0;
	int ret = parse_seconds(spec, argument, 0.1, &ms, err);

	options->io_timeout_ms = ms;
	return ret;
}

/* ----------------------------------------------------------------------- sizes */

int take_max_io(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err)
{
	uint64_t bytes;
	int ret = blktap_parse_size(argument, strlen(argument), &bytes);

	if (ret == -EINVAL)
		return REFUSE(err, spec, argument, "not a number with K or M");
	if (ret || bytes > BLKTAP_MAX_IO || bytes < BLKTAP_MIN_IO || bytes % BLKTAP_MIN_IO)
		return blktap_error_set(err, -EINVAL,
					"%s %s: not a multiple of %uK between %uK and %uM",
					option_name(spec), argument, BLKTAP_MIN_IO >> 10,
					BLKTAP_MIN_IO >> 10, BLKTAP_MAX_IO >> 20);
	options->max_io = bytes;
	return 0;
}

int take_size(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	int ret = blktap_parse_size(argument, strlen(argument), &options->size);

	if (ret == -EINVAL)
		return REFUSE(err, spec, argument, "not a number with K, M, G or T");
	if (ret)
		return REFUSE(err, spec, argument, "no disk can be so large");
	if (!options->size)
		return REFUSE(err, spec, argument, "a disk has a size");
	return 0;
}

/* ----------------------------------------------------------------------- texts */

int take_image(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err)
{
	const char *colon = strchr(argument, ':');

	if (!colon || colon == argument)
		return REFUSE(err, spec, argument, "not of the form type:path");
	options->image = argument;
	return 0;
}

int take_kernel_io(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err)
{
	if (blktap_parse_kernel_io(argument, &options->kernel_io))
		return REFUSE(err, spec, argument, "not auto, redirect or off");
	return 0;
}

int take_on_death(struct options *options, const struct option_spec *spec, const char *argument,
		  struct blktap_error *err)
{
	if (strcmp(argument, "hold") == 0)
		options->on_death = BLKTAP_DEATH_HOLD;
	else if (strcmp(argument, "fail") == 0)
		options->on_death = BLKTAP_DEATH_FAIL;
	else
		return REFUSE(err, spec, argument, "not hold or fail");
	return 0;
}

int take_on_timeout(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err)
{
	if (strcmp(argument, "report") == 0)
		options->on_timeout = BLKTAP_ON_TIMEOUT_REPORT;
	else if (strcmp(argument, "kill") == 0)
		options->on_timeout = BLKTAP_ON_TIMEOUT_KILL;
	else
		return REFUSE(err, spec, argument, "not report or kill");
	return 0;
}

int take_serial(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err)
{
	size_t i;

	if (!*argument || strlen(argument) > BLKTAP_MAX_SERIAL)
		return blktap_error_set(err, -EINVAL, "%s: not 1 to %u characters",
					option_name(spec), BLKTAP_MAX_SERIAL);
	for (i = 0; argument[i]; i++)
		if (argument[i] < 0x20 || argument[i] > 0x7e)
			return REFUSE(err, spec, argument, "not printable ASCII");
	options->serial = argument;
	return 0;
}

int take_uuid(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err)
{
	if (blktap_parse_uuid(argument, options->uuid))
		return REFUSE(err, spec, argument, "not a UUID");
	options->has_uuid = true;
	return 0;
}
