// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "cleanup.h"
#include "ctl.h"
#include "output.h"
#include "spaced.h"

/* One object if one VBD was asked for, and an array otherwise. */
static json_t *choose(const struct options *options, json_t *vbds)
{
	return options->minor >= 0 ? json_array_get(vbds, 0) : vbds;
}

static int print_spaced(json_t *stats, struct blktap_error *err)
{
	CLEANUP_FREE char *text = json_spaced(stats);

	if (!text)
		return blktap_error_set(err, -ENOMEM, "no memory for the output");
	return print_line(err, "%s", text);
}

static int print_openmetrics(const json_t *vbds, struct blktap_error *err)
{
	CLEANUP_FREE char *text = blktap_openmetrics(vbds);

	if (!text)
		return blktap_error_set(err, -ENOMEM, "no memory for the output");
	fputs(text, stdout);
	return flush_output(err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	CLEANUP_JSON json_t *vbds = NULL;
	int ret;

	if (options->json && options->openmetrics)
		return blktap_error_set(err, -EINVAL, "--json and --openmetrics exclude each other");
	ret = blktap_stats(options->pid, options->minor, &vbds, ASK_MS, err);
	if (ret)
		return ret;
	if (options->openmetrics)
		return print_openmetrics(vbds, err);
	if (options->json)
		return print_json(json_incref(choose(options, vbds)), err);
	return print_spaced(choose(options, vbds), err);
}

static const struct option_spec options[] = {
	VALUE('p', "pid", "PID", "only what this tapdisk has", take_pid),
	VALUE('m', "minor", "MINOR", "only this tap", take_tap),
	FLAG(ONLY_OPENMETRICS, "openmetrics", "as OpenMetrics text", openmetrics),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_stats = {
	.name = "stats",
	.summary = "print statistics, JSON in a line",
	.options = options,
	.run = run,
};
