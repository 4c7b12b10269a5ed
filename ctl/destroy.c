// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_destroy(options->pid, options->minor, timeout_or(options, 0), err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_CLOSE_TIMEOUT,
	OPTION_FORCE_DESTROY,
	OPTION_END,
};

const struct command command_destroy = {
	.name = "destroy",
	.summary = "close, detach and free",
	.options = options,
	.run = run,
};
