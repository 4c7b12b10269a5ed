// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "describe.h"
#include "output.h"
#include "signals.h"

static bool is_wanted(const struct blktap_notice *notice, const struct options *options)
{
	return options->minor < 0 || notice->kind == BLKTAP_NOTICE_LOST ||
	       notice->msg.tap.minor == (unsigned int)options->minor;
}

static int print_notice(const struct blktap_notice *notice, const struct options *options,
			struct blktap_error *err)
{
	char time[CLOCK_TEXT];

	if (!is_wanted(notice, options))
		return 0;
	clock_tell(time);
	if (options->json)
		return print_json(describe_notice(notice, time), err);
	return print_pairs(describe_notice(notice, time), err);
}

/* Everything that is there now. */
static int print_notices(struct blktap_monitor *monitor, const struct options *options,
			 struct blktap_error *err)
{
	struct blktap_notice notice;
	int ret;

	while ((ret = blktap_monitor_next(monitor, &notice, err)) > 0) {
		ret = print_notice(&notice, options, err);
		if (ret)
			break;
	}
	return ret;
}

/* 1: enough, by a signal or because nobody reads any more. */
static int wait_more(const struct blktap_monitor *monitor, const struct held_signals *held)
{
	struct pollfd fds[] = {
		{ .fd = blktap_monitor_fd(monitor), .events = POLLIN },
		{ .fd = held->fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};

	if (poll(fds, 3, -1) < 0 && errno != EINTR)
		return -errno;
	if (fds[1].revents)
		return signals_take(held);
	return fds[2].revents & (POLLERR | POLLHUP) ? 1 : 0;
}

static int watch(const struct options *options, const struct held_signals *held,
		 struct blktap_error *err)
{
	struct blktap_monitor *monitor;
	int ret;

	ret = blktap_monitor_open(&monitor, err);
	if (ret)
		return ret;
	do {
		ret = print_notices(monitor, options, err);
		if (!ret)
			ret = wait_more(monitor, held);
	} while (!ret);
	blktap_monitor_close(monitor);
	/* A reader that has seen enough is no failure. */
	return ret > 0 || ret == -EPIPE ? 0 : ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct held_signals held;
	int ret;

	ret = signals_hold_endless(&held, err);
	if (ret)
		return ret;
	ret = watch(options, &held, err);
	signals_release(&held);
	return ret;
}

static const struct option_spec options[] = {
	VALUE('m', "minor", "MINOR", "only this tap", take_tap),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_monitor = {
	.name = "monitor",
	.summary = "print the kernel's events as they come",
	.options = options,
	.run = run,
};
