// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "output.h"

static int run(const struct options *options, struct blktap_error *err)
{
	int ret = blktap_check(err);

	if (ret)
		return ret;
	if (options->json)
		return print_json(json_pack("{s:b}", "ok", 1), err);
	return print_line(err, "ok");
}

static const struct option_spec options[] = {
	OPTION_JSON,
	OPTION_END,
};

const struct command command_check = {
	.name = "check",
	.summary = "tell whether the kernel module is there and can be used",
	.options = options,
	.run = run,
};
