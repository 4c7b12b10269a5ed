// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	int ret;

	ret = blktap_ctl_close(options->pid, options->minor, options->timeout_ms, err);
	if (!ret)
		ret = blktap_ctl_detach(options->pid, options->minor, err);
	if (!ret)
		ret = free_tap(options->minor, err);
	return ret;
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_CLOSE_TIMEOUT,
	OPTION_END,
};

const struct command command_destroy = {
	.name = "destroy",
	.summary = "close, detach and free",
	.options = options,
	.run = run,
};
