// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "ctl.h"
#include "output.h"
#include "signals.h"

/*
 * Whatever goes wrong is ECHILD, exit status 1, which tells scripts to try again;
 * the sentence has the reason.
 */
static int spawn(const struct options *options, pid_t *pid, struct blktap_error *err)
{
	struct blktap_spawn_params params = spawn_params(options);
	int ret = blktap_ctl_spawn(&params, pid, SPAWN_MS, err);

	/* Trying again would not help against a wrong environment. */
	if (!ret || ret == -EINVAL)
		return ret;
	blktap_error_prefix(err, "cannot spawn a tapdisk");
	err->code = -ECHILD;
	return err->code;
}

int print_spawned(const struct options *options, pid_t pid, struct blktap_error *err)
{
	if (options->json)
		return print_json(json_pack("{s:i}", "pid", (int)pid), err);
	if (isatty(STDOUT_FILENO))
		return print_line(err, "tapdisk spawned with pid %d", (int)pid);
	return print_line(err, "%d", (int)pid);
}

static int spawn_and_tell(const struct options *options, struct blktap_error *err)
{
	pid_t pid;
	int ret;

	ret = spawn(options, &pid, err);
	if (ret)
		return ret;
	ret = print_spawned(options, pid, err);
	/* One that nobody has been told of would stay forever. */
	if (ret)
		kill(pid, SIGTERM);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	return signals_hold_during(spawn_and_tell, options, err);
}

static const struct option_spec options[] = {
	OPTION_NO_SANDBOX,
	OPTION_USER,
	OPTION_JSON,
	OPTION_END,
};

const struct command command_spawn = {
	.name = "spawn",
	.summary = "start a tapdisk and print its pid",
	.options = options,
	.run = run,
};
