// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "ctl.h"
#include "held.h"
#include "output.h"
#include "signals.h"
#include "victims.h"

#define RECOVER_MS	60000

/* --------------------------------------------------------------------- one disk */

static int recover_one(const struct options *options, struct blktap_error *err)
{
	struct blktap_recover_params params = {
		.minor = options->minor,
		.image = options->image,
		.pid = options->pid,
		.force = options->force,
		.timeout_ms = timeout_or(options, RECOVER_MS),
	};
	struct victims victims;
	pid_t pid, killed;
	int ret;

	victims_note(&victims);
	ret = blktap_recover(&params, &pid, &killed, err);
	victims_tell(&victims, killed, options->minor);
	return ret ? ret : print_disk(options->json, pid, options->minor, NULL, err);
}

/* --------------------------------------------------------------------- all of them */

struct outcome {
	const struct options *options;
	struct blktap_error *err;	/* the first failure */
};

/* The first failure is told at the end, where the exit status comes from. */
static void take_failure(struct outcome *outcome, const struct blktap_error *err)
{
	if (outcome->err->code)
		fprintf(stderr, "tap-ctl: %s\n", err->text);
	else
		*outcome->err = *err;
}

static void told(const struct held *disk, pid_t pid, const struct blktap_error *failure,
		 void *data)
{
	struct outcome *outcome = data;
	struct blktap_error err;

	if (failure)
		take_failure(outcome, failure);
	else if (print_disk(outcome->options->json, pid, disk->minor, NULL, &err))
		take_failure(outcome, &err);
}

static int recover_all(const struct options *options, struct blktap_error *err)
{
	struct outcome outcome = { .options = options, .err = err };
	CLEANUP_FREE struct held *disks = NULL;
	size_t count, used = 0, i;
	int ret;

	ret = held_list(&disks, &count, err);
	if (ret)
		return ret;
	/* Those whose users were told of errors are not touched unasked. */
	for (i = 0; i < count; i++)
		if (disks[i].recovery == BLKTAP_RECOVERY_HELD)
			disks[used++] = disks[i];
	err->code = 0;
	ret = held_recover(disks, used, options->timeout_ms > 0 ? options->timeout_ms : RECOVER_MS, told,
			   &outcome);
	return ret ? blktap_error_set(err, ret, "no memory to recover disks") : err->code;
}

static int recover(const struct options *options, struct blktap_error *err)
{
	if (options->minor >= 0)
		return recover_one(options, err);
	if (options->image || options->pid || options->force)
		return blktap_error_set(err, -EINVAL, "-a, -p and -f are about one disk, so they need -m");
	return recover_all(options, err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	return signals_hold_during(recover, options, err);
}

static const struct option_spec options[] = {
	VALUE('m', "minor", "MINOR", "this tap; otherwise all whose requests wait", take_tap),
	VALUE('a', "args", "TYPE:PATH", "the image, if it is not the one that it had", take_image),
	VALUE('p', "pid", "PID", "use this tapdisk, do not spawn one", take_pid),
	FLAG('f', "force", "also from a tapdisk that answers, and if it was paused", force),
	VALUE('t', "timeout", "SECONDS", "give up after that time, for each disk (60)", take_timeout),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_recover = {
	.name = "recover",
	.summary = "take disks from dead or hung tapdisks to new ones",
	.options = options,
	.run = run,
};
