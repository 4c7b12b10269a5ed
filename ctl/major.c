// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "ctl.h"
#include "output.h"

static int run(const struct options *options, struct blktap_error *err)
{
	int major;

	if (options->block && options->character)
		return blktap_error_set(err, -EINVAL, "-b and -c exclude each other");
	major = blktap_major(options->character, err);
	if (major < 0)
		return major;
	if (options->json)
		return print_json(json_pack("{s:i}", "major", major), err);
	return print_line(err, "%d", major);
}

static const struct option_spec options[] = {
	FLAG('b', "block", "of disks, the default", block),
	FLAG('c', "char", "of the nodes that tapdisks attach to", character),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_major = {
	.name = "major",
	.summary = "print the major number of disks",
	.options = options,
	.run = run,
};
