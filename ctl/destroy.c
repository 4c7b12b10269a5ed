// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "victims.h"

static int destroy_by_force(const struct options *options, struct blktap_error *err)
{
	struct victims victims;
	pid_t killed;
	int ret;

	victims_note(&victims);
	ret = blktap_force_destroy(options->pid, options->minor, timeout_or(options, 0), &killed,
				   err);
	victims_tell(&victims, killed, options->minor);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	if (options->force)
		return destroy_by_force(options, err);
	return blktap_destroy(options->pid, options->minor, timeout_or(options, 0), err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	OPTION_CLOSE_TIMEOUT,
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_destroy = {
	.name = "destroy",
	.summary = "close, detach and free",
	.options = options,
	.run = run,
};
