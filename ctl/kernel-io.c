// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "output.h"

static int run(const struct options *options, struct blktap_error *err)
{
	enum blktap_kernel_io now;
	int ret;

	ret = blktap_ctl_kernel_io(options->pid, options->minor, options->kernel_io, &now,
				   timeout_or(options, CHANGE_MS), err);
	if (ret)
		return ret;
	if (options->json)
		return print_json(json_pack("{s:s}", "kernel_io", blktap_kernel_io_name(now)),
				  err);
	return print_line(err, "%s", blktap_kernel_io_name(now));
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_TIMEOUT,
	OPTION_JSON,
	WORD("MODE", "from now on at most this: auto, redirect or off", take_kernel_io),
	OPTION_END,
};

const struct command command_kernel_io = {
	.name = "kernel-io",
	.summary = "tell or change what the kernel does by itself, and print it",
	.options = options,
	.run = run,
};
