// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_close(options->pid, options->minor, options->timeout_ms, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_CLOSE_TIMEOUT,
	{ 'f', "force", NULL, "close a disk that is open", NULL, false },
	OPTION_END,
};

const struct command command_close = {
	.name = "close",
	.summary = "close the image: the disk disappears",
	.options = options,
	.run = run,
};
