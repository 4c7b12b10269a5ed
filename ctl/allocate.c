// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"

int allocate_tap(const struct options *options, unsigned int *minor, struct blktap_error *err)
{
	struct blktap_tap_params params = BLKTAP_TAP_PARAMS_INIT;
	struct blktap_tap tap;
	struct blktap_nl *nl;
	int ret;

	params.minor = options->minor;
	params.queues = options->queues;
	params.depth = options->depth;
	params.max_io = options->max_io;
	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_allocate(nl, &params, &tap, err);
	if (!ret)
		*minor = tap.minor;
	blktap_nl_close(nl);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	unsigned int minor;
	int ret;

	ret = allocate_tap(options, &minor, err);
	if (ret)
		return ret;
	/* A tap that nobody has been told of would stay forever. */
	ret = print_disk(minor, err);
	if (ret)
		free_tap(minor, NULL);
	return ret;
}

static const struct option_spec options[] = {
	OPTION_NEW_MINOR,
	OPTION_QUEUES,
	OPTION_DEPTH,
	OPTION_MAX_IO,
	OPTION_DEVICE,
	OPTION_END,
};

const struct command command_allocate = {
	.name = "allocate",
	.summary = "allocate a tap and print the name of its disk to be",
	.options = options,
	.run = run,
};
