// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "victims.h"

static int free_by_force(const struct options *options, struct blktap_error *err)
{
	struct victims victims;
	pid_t killed;
	int ret;

	victims_note(&victims);
	ret = blktap_force_destroy(0, options->minor, 0, &killed, err);
	victims_tell(&victims, killed, options->minor);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	if (options->force)
		return free_by_force(options, err);
	return blktap_free(options->minor, false, FREE_MS, err);
}

static const struct option_spec options[] = {
	OPTION_MINOR,
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_free = {
	.name = "free",
	.summary = "free a tap",
	.options = options,
	.run = run,
};
