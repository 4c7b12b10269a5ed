// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	struct blktap_open_params params = {
		.image = options->image,
		.read_only = options->read_only,
		.no_direct = options->no_direct,
	};

	return blktap_ctl_open(options->pid, options->minor, &params, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTIONS_OPEN,
	OPTION_END,
};

const struct command command_open = {
	.name = "open",
	.summary = "open an image: the disk appears",
	.options = options,
	.run = run,
};
