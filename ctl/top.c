// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "ctl.h"

static int run(const struct options *options, struct blktap_error *err)
{
	(void)options;
	return blktap_error_set(err, -EOPNOTSUPP, "top is not built yet");
}

static const struct option_spec options[] = {
	VALUE('d', "delay", "SECONDS", "time between two tables (3)", take_delay),
	VALUE('n', "iterations", "COUNT", "end after so many tables", take_iterations),
	FLAG('b', "batch", "print one table after the other, without end if there is no -n", batch),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_top = {
	.name = "top",
	.summary = "show what all disks are doing, again and again",
	.options = options,
	.run = run,
};
