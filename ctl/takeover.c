// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "ctl.h"
#include "output.h"
#include "signals.h"

static int take_over_and_tell(const struct options *options, struct blktap_error *err)
{
	pid_t pid;
	int ret;

	ret = blktap_take_over(options->pid, &pid, timeout_or(options, CHANGE_MS), err);
	return ret ? ret : print_spawned(options, pid, err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	return signals_hold_during(take_over_and_tell, options, err);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_takeover = {
	.name = "takeover",
	.summary = "replace a tapdisk by a fresh one, under disks in use",
	.options = options,
	.run = run,
};
