// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "output.h"
#include "signals.h"

static int allocate(const struct options *options, struct blktap_error *err)
{
	struct blktap_tap_params params = tap_params(options);
	struct blktap_tap tap;
	int ret;

	ret = blktap_allocate(&params, options->link, &tap, err);
	if (ret)
		return ret;
	/* A tap that nobody has been told of would stay forever. */
	ret = print_disk(options->json, 0, tap.minor, options->link, err);
	if (ret)
		blktap_free(tap.minor, false, FREE_MS, NULL);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	return signals_hold_during(allocate, options, err);
}

static const struct option_spec options[] = {
	OPTION_NEW_MINOR,
	OPTION_LINK,
	OPTION_SERIAL,
	OPTION_UUID,
	OPTION_QUEUES,
	OPTION_DEPTH,
	OPTION_MAX_IO,
	OPTION_ON_DEATH,
	OPTION_HOLD_TIME,
	OPTION_IO_TIMEOUT,
	OPTION_ON_TIMEOUT,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_allocate = {
	.name = "allocate",
	.summary = "allocate a tap and print the name of its disk to be",
	.options = options,
	.run = run,
};
