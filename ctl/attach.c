// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	return blktap_ctl_attach(options->pid, options->minor, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_END,
};

const struct command command_attach = {
	.name = "attach",
	.summary = "connect a tapdisk to a tap",
	.options = options,
	.run = run,
};
