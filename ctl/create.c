// SPDX-License-Identifier: GPL-2.0-only
#include "ctl.h"
#include "output.h"
#include "signals.h"
#include "supervisor.h"

static int announce(unsigned int minor, pid_t pid, void *data, struct blktap_error *err)
{
	const struct options *options = data;

	return print_disk(options->json, pid, minor, options->link, err);
}

static int create(const struct options *options, struct blktap_error *err)
{
	struct blktap_create_params params = {
		.tap = tap_params(options),
		.link = options->link,
		.spawn = spawn_params(options),
		.open = open_params(options),
		.announce = announce,
		.data = (void *)options,
	};
	unsigned int minor;
	pid_t pid;
	int ret;

	ret = options->restart ? supervisor_ensure(err) : 0;
	if (ret)
		return ret;
	return blktap_create(&params, &minor, &pid, err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	return signals_hold_during(create, options, err);
}

static const struct option_spec options[] = {
	OPTION_IMAGE,
	OPTION_READ_ONLY,
	OPTION_NO_DIRECT,
	OPTION_KERNEL_IO,
	OPTION_REQUEST_TIMEOUT,
	OPTION_SPIN,
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
	OPTION_ON_DEATH,
	OPTION_HOLD_TIME,
	OPTION_IO_TIMEOUT,
	OPTION_ON_TIMEOUT,
	OPTION_RESTART,
	OPTION_NO_SANDBOX,
	OPTION_USER,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_create = {
	.name = "create",
	.summary = "allocate, spawn, attach and open; print the name of the disk",
	.options = options,
	.run = run,
};
