// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_close(options->pid, options->minor, timeout_or(options, 0),
				options->force, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_CLOSE_TIMEOUT,
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_close = {
	.name = "close",
	.summary = "close the image: the disk disappears",
	.options = options,
	.run = run,
};
