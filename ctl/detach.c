// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_detach(options->pid, options->minor, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_END,
};

const struct command command_detach = {
	.name = "detach",
	.summary = "disconnect a tapdisk from a tap; after its last one it ends",
	.options = options,
	.run = run,
};
