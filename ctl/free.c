// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_free(options->minor, options->force, FREE_MS, err);
}

static const struct option_spec options[] = {
	OPTION_MINOR,
	OPTION_END,
};

const struct command command_free = {
	.name = "free",
	.summary = "free a tap",
	.options = options,
	.run = run,
};
