// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "ctl.h"
#include "output.h"

static int run(const struct options *options, struct blktap_error *err)
{
	uint64_t now;
	int ret;

	ret = blktap_ctl_resize(options->pid, options->minor, options->size, options->shrink, &now,
				timeout_or(options, CHANGE_MS), err);
	if (ret)
		return ret;
	if (options->json)
		return print_json(json_pack("{s:I}", "capacity", (json_int_t)now), err);
	return print_line(err, "%" PRIu64, now);
}

static const struct option_spec options[] = {
	OPTION_PID,
	OPTION_MINOR,
	VALUE('s', "size", "SIZE", "bytes, or with K, M, G or T; otherwise what its image has", take_size),
	FLAG(ONLY_SHRINK, "shrink", "allow a smaller size", shrink),
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_resize = {
	.name = "resize",
	.summary = "give a disk another size, and print it",
	.options = options,
	.run = run,
};
