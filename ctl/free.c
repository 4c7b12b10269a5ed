// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

int free_tap(unsigned int minor, struct blktap_error *err)
{
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_free(nl, minor, FREE_MS, err);
	blktap_nl_close(nl);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	return free_tap(options->minor, err);
}

static const struct option_spec options[] = {
	OPTION_MINOR,
	OPTION_END,
};

const struct command command_free = {
	.name = "free",
	.summary = "free a tap",
	.options = options,
	.run = run,
};
