// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "ctl.h"
#include "output.h"
#include "rows.h"

static int print_rows(const struct options *options, const struct blktap_row *rows, size_t count,
		      struct blktap_error *err)
{
	if (options->json)
		return print_json(rows_json(rows, count), err);
	if (isatty(STDOUT_FILENO))
		rows_print_table(stdout, rows, count);
	else
		rows_print_fields(stdout, rows, count);
	return flush_output(err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	const struct blktap_filter filter = {
		.pid = options->pid,
		.minor = options->minor,
		.type = options->type,
		.path = options->path,
	};
	struct blktap_row *rows;
	size_t count;
	int ret;

	ret = blktap_list(&filter, ASK_MS, &rows, &count, err);
	/* Scripts look for this sentence on standard output. */
	if (ret == -ENOSYS && !options->json && !print_line(err, "%s", err->text))
		err->text[0] = '\0';
	if (ret)
		return ret;
	ret = print_rows(options, rows, count, err);
	blktap_rows_free(rows, count);
	return ret;
}

static const struct option_spec options[] = {
	VALUE('p', "pid", "PID", "only this tapdisk", take_pid),
	VALUE('m', "minor", "MINOR", "only this tap", take_minor),
	TEXT('t', "type", "TYPE", "only images of this type", type),
	TEXT('f', "file", "PATH", "only images of this path", path),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_list = {
	.name = "list",
	.summary = "list tapdisks, taps and images",
	.options = options,
	.run = run,
};
