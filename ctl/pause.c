// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_pause(options->pid, options->minor, timeout_or(options, CHANGE_MS), err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_TIMEOUT,
	OPTION_END,
};

const struct command command_pause = {
	.name = "pause",
	.summary = "hold the requests of a disk and close its image",
	.options = options,
	.run = run,
};
