// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "ctl.h"
#include "rows.h"

struct view {
	struct blktap_tap *taps;
	size_t tap_count;
	struct blktap_tapdisk *tapdisks;
	size_t tapdisk_count;
};

static void clear_view(struct view *view)
{
	blktap_tapdisks_free(view->tapdisks, view->tapdisk_count);
	free(view->taps);
}

static int ask_one(pid_t pid, struct view *view, struct blktap_error *err)
{
	int ret;

	ret = blktap_ctl_list_all(&pid, 1, LIST_MS, &view->tapdisks, &view->tapdisk_count, err);
	if (!ret && view->tapdisk_count && view->tapdisks[0].code == -EACCES)
		return blktap_error_set(err, -EACCES,
					"tapdisk %d: no permission to use its control socket",
					(int)pid);
	return ret;
}

static int ask_tapdisks(const struct options *options, struct view *view,
			struct blktap_error *err)
{
	CLEANUP_FREE pid_t *pids = NULL;
	size_t count;
	int ret;

	if (options->pid)
		return ask_one(options->pid, view, err);
	ret = blktap_ctl_tapdisks(&pids, &count, err);
	if (ret)
		return ret;
	return blktap_ctl_list_all(pids, count, LIST_MS, &view->tapdisks, &view->tapdisk_count,
				   err);
}

static int print_view(const struct options *options, const struct view *view,
		      struct blktap_error *err)
{
	CLEANUP_FREE struct row *rows = NULL;
	size_t count;

	rows = rows_join(view->taps, view->tap_count, view->tapdisks, view->tapdisk_count, &count);
	if (!rows)
		return blktap_error_set(err, -ENOMEM, "no memory for the list");
	count = rows_filter(rows, count, options);
	if (isatty(STDOUT_FILENO))
		rows_print_table(stdout, rows, count);
	else
		rows_print_fields(stdout, rows, count);
	return flush_output(err);
}

static int list(struct blktap_nl *nl, const struct options *options, struct blktap_error *err)
{
	__attribute__((cleanup(clear_view))) struct view view = { 0 };
	int ret;

	ret = ask_tapdisks(options, &view, err);
	/* What one tapdisk has is its own word; everything else is the kernel's. */
	if (!ret && !options->pid)
		ret = blktap_nl_list(nl, &view.taps, &view.tap_count, err);
	return ret ? ret : print_view(options, &view, err);
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	/* Scripts look for this sentence on standard output. */
	if (ret == -ENOSYS && !print_line(err, "%s", err->text))
		err->text[0] = '\0';
	if (ret)
		return ret;
	ret = list(nl, options, err);
	blktap_nl_close(nl);
	return ret;
}

static const struct option_spec options[] = {
	{ 'p', "pid", "PID", "only this tapdisk", take_pid, false },
	{ 'm', "minor", "MINOR", "only this tap", take_minor, false },
	{ 't', "type", "TYPE", "only images of this type", take_type, false },
	{ 'f', "file", "PATH", "only images of this path", take_path, false },
	OPTION_END,
};

const struct command command_list = {
	.name = "list",
	.summary = "list tapdisks, taps and images",
	.options = options,
	.run = run,
};
