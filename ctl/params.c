// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options as the library wants them.
 */
#include "ctl.h"

struct blktap_tap_params tap_params(const struct options *options)
{
	struct blktap_tap_params params = BLKTAP_TAP_PARAMS_INIT;

	params.minor = options->minor;
	params.queues = options->queues;
	params.depth = options->depth;
	params.max_io = options->max_io;
	params.on_death = options->on_death;
	params.hold_ms = options->hold_ms;
	params.io_timeout_ms = options->io_timeout_ms;
	params.on_timeout = options->on_timeout;
	params.serial = options->serial;
	params.uuid = options->has_uuid ? options->uuid : NULL;
	return params;
}

struct blktap_spawn_params spawn_params(const struct options *options)
{
	return (struct blktap_spawn_params){
		.no_sandbox = options->no_sandbox,
		.user = options->user,
	};
}

struct blktap_open_params open_params(const struct options *options)
{
	return (struct blktap_open_params){
		.image = options->image,
		.read_only = options->read_only,
		.no_direct = options->no_direct,
		.request_timeout_ms = options->request_timeout_ms,
		.kernel_io = options->kernel_io,
		.spin_us = options->spin_us,
		.restart = options->restart,
	};
}

int timeout_or(const struct options *options, int otherwise)
{
	return options->timeout_ms >= 0 ? options->timeout_ms : otherwise;
}
