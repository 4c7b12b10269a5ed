// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "output.h"
#include "signals.h"

static int create(const struct options *options, struct blktap_error *err)
{
	struct blktap_create_params params = {
		.tap = tap_params(options),
		.link = options->link,
		.open = open_params(options),
	};
	unsigned int minor;
	pid_t pid;
	int ret;

	ret = blktap_create(&params, &minor, &pid, err);
	if (ret)
		return ret;
	/* A disk that nobody has been told of is no use to anybody. */
	ret = print_disk(options->json, pid, minor, options->link, err);
	if (ret) {
		signals_ignore();
		blktap_destroy(pid, minor, 0, NULL);
	}
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct held_signals held;
	int ret;

	ret = signals_hold(&held, err);
	if (ret)
		return ret;
	ret = create(options, err);
	signals_release(&held);
	return ret;
}

static const struct option_spec options[] = {
	OPTION_IMAGE,
	OPTION_READ_ONLY,
	OPTION_NO_DIRECT,
	OPTION_REQUEST_TIMEOUT,
	OPTION_READ_CACHE,
	OPTION_PARENT,
	OPTION_SECONDARY,
	OPTION_STANDBY,
	OPTION_LOG,
	OPTION_ENCRYPTED,
	OPTION_NEW_MINOR,
	OPTION_LINK,
	OPTION_SERIAL,
	OPTION_UUID,
	OPTION_QUEUES,
	OPTION_DEPTH,
	OPTION_MAX_IO,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_create = {
	.name = "create",
	.summary = "allocate, spawn, attach and open; print the name of the disk",
	.options = options,
	.run = run,
};
