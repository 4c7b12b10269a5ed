// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "ctl.h"

int spawn_tapdisk(pid_t *pid, struct blktap_error *err)
{
	int ret = blktap_ctl_spawn(pid, SPAWN_MS, err);

	if (!ret || ret == -EINTR)
		return ret;
	blktap_error_prefix(err, "cannot spawn a tapdisk");
	err->code = -ECHILD;
	return err->code;
}

static int run(const struct options *options, struct blktap_error *err)
{
	pid_t pid;
	int ret;

	(void)options;
	ret = spawn_tapdisk(&pid, err);
	if (ret)
		return ret;
	if (isatty(STDOUT_FILENO))
		ret = print_line(err, "tapdisk spawned with pid %d", (int)pid);
	else
		ret = print_line(err, "%d", (int)pid);
	/* One that nobody has been told of would stay forever. */
	if (ret)
		kill(pid, SIGTERM);
	return ret;
}

static const struct option_spec options[] = {
	OPTION_END,
};

const struct command command_spawn = {
	.name = "spawn",
	.summary = "start a tapdisk and print its pid",
	.options = options,
	.run = run,
};
