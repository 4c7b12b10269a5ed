// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Prints all disks that there are, then what happens to them.
 *
 *	cc -o watch-disks watch-disks.c $(pkg-config --cflags --libs libblktap)
 */
#include <libblktap.h>
#include <poll.h>
#include <stdio.h>

static int print_disks(struct blktap_error *err)
{
	const struct blktap_filter all = BLKTAP_FILTER_INIT;
	struct blktap_row *rows;
	size_t count, i;
	int ret = blktap_list(&all, 10000, &rows, &count, err);

	for (i = 0; !ret && i < count; i++)
		if (rows[i].path)
			printf("tapdev%d: %s:%s, tapdisk %d\n", rows[i].minor, rows[i].type,
			       rows[i].path, (int)rows[i].pid);
	if (!ret)
		blktap_rows_free(rows, count);
	return ret;
}

static void print_notice(const struct blktap_notice *notice)
{
	const char *what = blktap_event_name(notice->msg.event);

	if (notice->kind == BLKTAP_NOTICE_LOST)
		printf("some events were lost\n");
	else
		printf("tapdev%u: %s\n", notice->msg.tap.minor, what ? what : "is there");
}

static int watch(struct blktap_monitor *monitor, struct blktap_error *err)
{
	struct pollfd fd = { .fd = blktap_monitor_fd(monitor), .events = POLLIN };
	struct blktap_notice notice;
	int ret;

	do {
		while ((ret = blktap_monitor_next(monitor, &notice, err)) > 0)
			print_notice(&notice);
		fflush(stdout);
	} while (!ret && poll(&fd, 1, -1) > 0);
	return ret;
}

int main(void)
{
	struct blktap_monitor *monitor;
	struct blktap_error err;
	int ret;

	/* The events first, so that nothing falls between them and the list. */
	ret = blktap_monitor_open(&monitor, &err);
	if (!ret)
		ret = print_disks(&err);
	if (!ret)
		ret = watch(monitor, &err);
	if (ret)
		fprintf(stderr, "%s\n", err.text);
	blktap_monitor_close(monitor);
	return ret != 0;
}
