// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "supervisor.h"

static int run(const struct options *options, struct blktap_error *err)
{
	struct blktap_open_params params = open_params(options);
	int ret = options->restart ? supervisor_ensure(err) : 0;

	if (ret)
		return ret;
	return blktap_ctl_open(options->pid, options->minor, &params, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_IMAGE,
	OPTION_READ_ONLY,
	OPTION_NO_DIRECT,
	OPTION_KERNEL_IO,
	OPTION_REQUEST_TIMEOUT,
	OPTION_SPIN,
	OPTION_RESTART,
	OPTION_READ_CACHE,
	OPTION_PARENT,
	OPTION_SECONDARY,
	OPTION_STANDBY,
	OPTION_LOG,
	OPTION_ENCRYPTED,
	OPTION_END,
};

const struct command command_open = {
	.name = "open",
	.summary = "open an image: the disk appears",
	.options = options,
	.run = run,
};
