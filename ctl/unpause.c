// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_unpause(options->pid, options->minor, options->image,
				  timeout_or(options, CHANGE_MS), err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	VALUE('a', "args", "TYPE:PATH", "another image than before", take_image),
	OPTION_TIMEOUT,
	OPTION_SECONDARY,
	TO_COME('c', "log", "PATH", "track changed blocks"),
	OPTION_END,
};

const struct command command_unpause = {
	.name = "unpause",
	.summary = "open the image of a paused disk, or another one, and go on",
	.options = options,
	.run = run,
};
